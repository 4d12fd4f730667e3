"""The local socket: the same envelope and answers as over MQTT, and the kernel's word on who asks."""

import json
import os
import pwd
import resource
import socket
import stat
import threading
from contextlib import contextmanager, suppress

import pytest

from edge_agent.cli.exits import CliError
from edge_agent.cli.local import ask_locally
from edge_agent.config import check
from edge_agent.domain.command import CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.signed import no_key
from edge_agent.service.local_socket import ANSWER_S, MAX_CLIENTS, LocalSocket, open_socket

NODE = Identity("elm-street", "a1", "k3f9")
AT = Instant(1000, 1_790_000_000_000, "boot-1")
WAIT_S = 5.0


class Cycle:
    """Obeys at once whatever is received, as the next cycle would."""

    def __init__(self) -> None:
        self.received = []
        self.hear = lambda results: None
        self.is_held_up, self.came = threading.Event(), threading.Event()

    def receive(self, incoming) -> None:
        self.received.append(incoming)
        self.came.set()
        if not isinstance(incoming, CommandResult) and not self.is_held_up.is_set():
            self.hear([CommandResult(incoming, ResultCode.DONE, AT, "obeyed", {"net_g": 1.5})])


@pytest.fixture
def cycle():
    return Cycle()


@contextmanager
def listening(path, cycle, **more):
    found = LocalSocket(path, NODE, no_key, cycle.receive, lambda: AT, **more)
    found.start()
    cycle.hear = found.hear
    try:
        yield path
    finally:
        found.stop()


@pytest.fixture
def path(tmp_path, cycle):
    with listening(tmp_path / "s", cycle) as found:
        yield found


def connected(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(WAIT_S)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def say(path, line: bytes) -> dict:
    with connected(path) as client, client.makefile("rb") as answers:
        assert answers.readline() == b"elm-street/a1\n"
        client.sendall(line)
        return json.loads(answers.readline())


def test_a_line_is_obeyed_and_answered_with_who_asked(path, cycle):
    answer = say(path, b'tare {"cmd_id": "1", "shelf": "shelf-1"}\n')
    assert answer == {"cmd_id": "1", "verb": "tare", "code": "done", "message": "obeyed", "detail": {"net_g": 1.5}}
    (command,) = cycle.received
    assert (command.source, command.verb, command.arguments) == ("local", "tare", {"shelf": "shelf-1"})
    assert command.peer == f"{pwd.getpwuid(os.getuid()).pw_name} uid={os.getuid()} pid={os.getpid()}"
    assert command.response_topic is None


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b"\n", "unsupported", "a line is"),
        (b"TARE {}\n", "unsupported", "a line is"),
        (b"\xff\xfe\n", "unsupported", "a line is"),
        (b"tare\n", "invalid", "not JSON"),
        (b"tare {}\n", "invalid", "cmd_id is missing"),
        (b'dance {"cmd_id":"1"}\n', "unsupported", "must be one of"),
        (b'tare {"cmd_id":"1","x":NaN}\n', "invalid", "NaN"),
        (b'tare {"key":"a","signed":"","signature":"' + b"A" * 86 + b'=="}\n', "unauthorized", "signature"),
        (b'ping {"cmd_id":"1"}\n', "done", "pong"),
        (b'ping {"cmd_id":"1"}\nping {"cmd_id":"2"}', "invalid", "Extra data"),
        (b'tare {"cmd_id":"1","x":"' + b"x" * 20_000 + b'"}\n', "invalid", "at most 16384"),
    ],
)
def test_what_cannot_be_read_is_answered_and_the_cycle_hears_of_it_where_it_is_audited(path, cycle, line, code, says):
    answer = say(path, line)
    assert (answer["code"], says in answer["message"]) == (code, True), answer
    heard = [(result.code, result.command.source, result.command.peer.partition(" ")[0]) for result in cycle.received]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert heard == ([(ResultCode.UNAUTHORIZED, "local", user)] if code == "unauthorized" else [])


def test_a_client_that_goes_away_or_sends_half_a_line_harms_nobody(path, cycle):
    connected(path).close()
    with connected(path) as client:
        client.sendall(b'tare {"cmd_id"')
    assert say(path, b'count {"cmd_id": "2"}\n')["code"] == "done"
    assert [command.verb for command in cycle.received] == ["count"]


def test_more_clients_than_places_are_turned_away_and_places_come_back(path):
    held = [connected(path) for _ in range(MAX_CLIENTS)]
    assert all(client.recv(64) == b"elm-street/a1\n" for client in held)
    with connected(path) as client:
        assert client.recv(64) == b""
    for client in held:
        client.sendall(b'ping {"cmd_id":"1"}\n')
        with client, client.makefile("rb") as answers:
            assert json.loads(answers.readline())["code"] == "done"


def test_a_line_that_comes_drop_by_drop_keeps_no_place(tmp_path, cycle):
    with listening(tmp_path / "s", cycle, request_s=0.3) as path, connected(path) as client:
        client.settimeout(0.1)  # each drop comes long before the time for one read is over
        assert client.recv(64) == b"elm-street/a1\n"
        for _ in range(50):
            try:
                client.sendall(b"x")
                if client.recv(64) == b"":
                    break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        else:
            pytest.fail("it still has its place")


def test_half_a_line_and_then_silence_keeps_no_place(tmp_path, cycle):
    with listening(tmp_path / "s", cycle, request_s=0.3) as path, connected(path) as client:
        client.settimeout(2.0)
        assert client.recv(64) == b"elm-street/a1\n"
        client.sendall(b"tare {")
        assert client.recv(64) == b""


def test_thousands_that_come_and_go_leave_the_places_free(path):
    came = 0
    while came < 500:
        with suppress(BlockingIOError), connected(path):  # more than wait to be taken are not let in at all
            came += 1
    while True:  # the last of them may still have their places for a moment
        with suppress(BlockingIOError), connected(path) as client, client.makefile("rwb") as both:
            if both.readline():
                both.write(b'ping {"cmd_id":"1"}\n')
                both.flush()
                assert json.loads(both.readline())["code"] == "done"
                return


def test_an_agent_out_of_files_takes_connections_again_when_it_has_some(path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    first, second = (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2))
    with first, second:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (1, before[1]))
            first.connect(str(path))  # the one that it waits for may have its file already
            second.connect(str(path))
            second.settimeout(0.3)
            with pytest.raises(TimeoutError):
                second.recv(64)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for client in (first, second):
            client.settimeout(WAIT_S)
            assert client.recv(64) == b"elm-street/a1\n"


def test_a_command_is_not_obeyed_after_its_sender_was_told_that_nobody_answers(path, cycle):
    say(path, b'tare {"cmd_id": "1"}\n')
    (command,) = cycle.received
    assert command.expires_s == ANSWER_S


def test_the_same_id_at_the_same_time_is_a_duplicate(path, cycle):
    cycle.is_held_up.set()
    with connected(path) as first, first.makefile("rb") as answers:
        answers.readline()
        first.sendall(b'tare {"cmd_id": "1"}\n')
        assert cycle.came.wait(WAIT_S)
        assert say(path, b'tare {"cmd_id": "1"}\n')["code"] == "duplicate"
        cycle.hear([CommandResult(cycle.received[0], ResultCode.DONE, AT)])
        assert json.loads(answers.readline())["code"] == "done"


def test_the_file_is_closed_to_others_and_goes_with_the_agent(tmp_path, cycle):
    path = tmp_path / "s"
    with listening(path, cycle):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


def test_what_a_killed_agent_left_is_taken_over_and_a_living_one_is_left_alone(tmp_path, cycle):
    path = tmp_path / "s"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()
    with listening(path, cycle):
        assert open_socket(str(path), NODE, no_key, cycle.receive, lambda: AT) is None
        assert say(path, b'ping {"cmd_id":"1"}\n')["code"] == "done"


def test_a_place_that_another_agent_took_meanwhile_is_left_to_it(tmp_path, cycle):
    path = tmp_path / "s"
    with listening(path, cycle):
        path.unlink()
        with listening(path, cycle):
            pass
        path.touch()
    assert path.exists()


@pytest.mark.parametrize("path", ["", "/nowhere/command.sock"])
def test_where_there_is_no_place_for_it_there_is_none(path, cycle):
    assert open_socket(path, NODE, no_key, cycle.receive, lambda: AT) is None


def test_what_is_no_socket_is_left_and_named(tmp_path, cycle, caplog):
    (tmp_path / "s").write_text("mine")
    assert open_socket(str(tmp_path / "s"), NODE, no_key, cycle.receive, lambda: AT) is None
    assert (tmp_path / "s").read_text() == "mine"
    assert "is there already, and is no socket" in caplog.text


def settings(path, site="elm-street"):
    sensor = '[[sensor]]\nname = "air"\ndriver = "sht3x"\n'
    return check(f'[node]\nsite = "{site}"\nname = "a1"\n[commands]\nsocket = "{path}"\n{sensor}', "test")


def test_the_command_line_asks_the_agent_of_its_own_configuration(path):
    answer = ask_locally(settings(path), "count", {"shelf": "s", "units": 3})
    assert (answer.code, answer.message, answer.detail) == (ResultCode.DONE, "obeyed", {"net_g": 1.5})
    assert ask_locally(settings(path, "oak-street"), "count", {}) is None
    assert ask_locally(settings(f"{path}-gone"), "count", {}) is None
    assert ask_locally(settings(""), "count", {}) is None


def test_an_agent_that_was_asked_and_stops_half_way_is_not_asked_another_way(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening_:
        listening_.bind(str(path))
        listening_.listen()

        def stops_half_way() -> None:
            client, _ = listening_.accept()
            with client:
                client.sendall(b"elm-street/a1\n")
                client.recv(1000)

        thread = threading.Thread(target=stops_half_way)
        thread.start()
        with pytest.raises(CliError, match="may have obeyed"):
            ask_locally(settings(path), "receive", {"units": 3})
        thread.join(WAIT_S)
