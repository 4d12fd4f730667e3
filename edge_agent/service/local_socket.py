"""Commands from this machine without a broker: one line asks, one line answers, the kernel says who asks.

    > tare {"cmd_id": "42", "shelf": "shelf-1"}
    < {"cmd_id":"42","verb":"tare","code":"done",...}

Before the first line the agent says who it is: ``site/node``. Who may connect is a matter of the file's group.
"""

import grp
import logging
import os
import pwd
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.mqtt import messages
from edge_agent.mqtt.commands import MAX_MODEL_BYTES, Ignored, parse
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.signed import Verify
from edge_agent.mqtt.wire import Incoming

log = logging.getLogger(__name__)

GROUP = "edge-agent"
MODE = 0o660
MAX_CLIENTS = 8  # at a time
REQUEST_S = 5.0  # from the connection to the end of its line
ANSWER_S = 10.0  # nor is it obeyed later: who was told that no cycle answered asks again, in another way
SHORTAGE_S = 0.1  # before the next connection is taken, where the process has no more files or threads to give
_LINE_BYTES = MAX_MODEL_BYTES + 64
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
_BACKLOG = 16

Receive = Callable[[Command | CommandResult], None]


class LocalSocket:
    def __init__(
        self,
        path: Path,
        identity: Identity,
        verify: Verify,
        receive: Receive,
        now: Callable[[], Instant],
        *,
        request_s: float = REQUEST_S,
    ) -> None:
        self._path, self._identity, self._verify = path, identity, verify
        self._receive, self._now, self._request_s = receive, now, request_s
        self._stopping = threading.Event()
        self._file: tuple[int, int] | None = None  # device and inode of the socket's file
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._waiting: dict[str, queue.SimpleQueue[CommandResult]] = {}
        self._lock = threading.Lock()
        self._places = threading.Semaphore(MAX_CLIENTS)
        self._thread = threading.Thread(target=self._accept, name="local-socket", daemon=True)

    def start(self) -> None:
        """Raises OSError when the path cannot be taken, or another agent has it."""
        try:
            _clear(self._path)
            os.fchmod(self._listening.fileno(), MODE)  # before bind: at no moment may anybody else connect
            self._listening.bind(str(self._path))
            os.chmod(self._path, MODE)  # the umask took from it
            _give_to_group(self._path)
            self._file = _file_of(self._path)
            self._listening.listen(_BACKLOG)
        except OSError:
            self._listening.close()
            raise
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._thread.join(REQUEST_S)
        self._listening.close()
        with suppress(OSError):
            if _file_of(self._path) == self._file:  # else another agent has taken the place meanwhile
                self._path.unlink()

    def hear(self, results: Sequence[CommandResult]) -> None:
        """Answers of a cycle: those that somebody here waits for."""
        for result in results:
            if result.command.source == "local":
                with self._lock:
                    waiting = self._waiting.get(result.command.cmd_id)
                if waiting is not None:
                    waiting.put(result)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError as error:  # stopped; or who was about to come went away; or there are no more files
                log.debug("local socket: %s", error)
                self._stopping.wait(SHORTAGE_S)
                continue
            if not self._places.acquire(blocking=False):
                client.close()  # the command line tries the inbox then
                continue
            try:
                threading.Thread(target=self._serve, args=(client,), name="local-client", daemon=True).start()
            except RuntimeError as error:  # no more threads
                log.debug("local socket: %s", error)
                client.close()
                self._places.release()
                self._stopping.wait(SHORTAGE_S)

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                client.settimeout(self._request_s)
                client.sendall(f"{self._identity.site}/{self._identity.node}\n".encode())
                verb, payload = _line(client, time.monotonic() + self._request_s)
                client.settimeout(self._request_s)
                answer = self._answer(verb, payload, _peer(client))
                client.sendall(messages.response(answer).body + b"\n")
        except OSError as error:
            log.debug("local socket: %s", error)  # it went away, or sent no line
        finally:
            self._places.release()

    def _answer(self, verb: str, payload: bytes, peer: str) -> CommandResult:
        now = self._now()
        incoming = Incoming(self._identity.topic(f"cmd/{verb}"), payload, False, now)
        parsed = parse(incoming, self._identity, self._verify)
        if isinstance(parsed, Ignored):
            unknown = Command("", verb[:32], {}, "local", now, peer=peer)
            return CommandResult(unknown, ResultCode.UNSUPPORTED, now, "a line is: verb, blank, JSON object")
        if isinstance(parsed, CommandResult):
            refused = replace(parsed, command=_from_here(parsed.command, peer))
            if refused.code is ResultCode.UNAUTHORIZED:
                self._receive(refused)  # for the audit; what is merely wrong must not crowd out what is right
            return refused
        expires_s = min(parsed.expires_s or ANSWER_S, ANSWER_S)
        return self._obeyed(replace(_from_here(parsed, peer), expires_s=expires_s), now)

    def _obeyed(self, command: Command, now: Instant) -> CommandResult:
        answers: queue.SimpleQueue[CommandResult] = queue.SimpleQueue()
        with self._lock:
            if command.cmd_id in self._waiting:
                return CommandResult(command, ResultCode.DUPLICATE, now, f"{command.cmd_id} is still waiting")
            self._waiting[command.cmd_id] = answers
        try:
            self._receive(command)
            return answers.get(timeout=ANSWER_S)
        except queue.Empty:
            why = f"no cycle has answered within {ANSWER_S:g} s: the same cmd_id once more tells what became of it"
            return CommandResult(command, ResultCode.BUSY, now, why)
        finally:
            with self._lock:
                del self._waiting[command.cmd_id]


def _from_here(command: Command, peer: str) -> Command:
    return replace(command, source="local", peer=peer, response_topic=None)


def _line(client: socket.socket, deadline_s: float) -> tuple[str, bytes]:
    """Raises OSError when it does not come, or does not end, by then: drop by drop is no way to keep a place."""
    found = b""
    while b"\n" not in found and len(found) <= _LINE_BYTES:  # a byte more tells that it is too long
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no whole line came in time")
        client.settimeout(left_s)
        piece = client.recv(_LINE_BYTES + 1 - len(found))
        if not piece:
            raise ConnectionResetError("no whole line came")
        found += piece
    verb, _, payload = found.rstrip(b"\r\n").partition(b" ")
    return verb.decode("ascii", "replace"), payload  # a second line in it makes the first one no JSON


def _peer(client: socket.socket) -> str:
    pid, uid, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a user without a name, as in some containers
        name = str(uid)
    return f"{name} uid={uid} pid={pid}"


def _clear(path: Path) -> None:
    """What a killed agent left; raises OSError for what is no socket, and when a living one listens there."""
    if not path.is_socket():
        if os.path.lexists(path):
            raise FileExistsError("something is there already, and is no socket")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise FileExistsError("another agent listens there")
    path.unlink()


def _file_of(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _give_to_group(path: Path) -> None:
    try:
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
    except (KeyError, PermissionError):
        log.debug("%s stays with the agent's own group: there is no group %s, or it is not ours to give", path, GROUP)


def open_socket(
    path: str, identity: Identity, verify: Verify, receive: Receive, now: Callable[[], Instant]
) -> LocalSocket | None:  # fmt: skip
    """None where there is no place for one: then the command line writes into the inbox."""
    if not path or not os.path.isdir(os.path.dirname(path)):  # False also where we may not look
        log.info("no local socket: %s", f"{Path(path).parent} is not there" if path else "commands.socket is empty")
        return None
    found = LocalSocket(Path(path), identity, verify, receive, now)
    try:
        found.start()
    except OSError as error:
        log.warning("no local socket at %s: %s", path, error)
        return None
    return found
