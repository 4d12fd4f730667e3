"""The processes a campaign torments: the whole agent, and a real Mosquitto."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from getpass import getuser
from pathlib import Path

LOOK_S = 0.02
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class CampaignError(Exception):
    """The campaign could not do what it is for: no result is better than a wrong one."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(happened: Callable[[], object], timeout_s: float, what: str) -> None:
    """Raises CampaignError when it does not happen in time."""
    if not comes_true(happened, timeout_s):
        raise CampaignError(f"{what}: not within {timeout_s:g} s")


def comes_true(happened: Callable[[], object], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


class Mosquitto:
    """A broker with a configuration of its own; ``stop`` and ``start`` keep its port."""

    def __init__(self, folder: Path, port: int, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        if MOSQUITTO is None:
            raise CampaignError("there is no mosquitto on this machine (apt-get install mosquitto)")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.lines = folder, port, tuple(lines)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        # Without a bound on what waits for the consumer: what the judge misses must be the agent's fault.
        head = (f"user {getuser()}", "log_dest none", "max_queued_messages 0", f"listener {self.port} 127.0.0.1")
        config.write_text("\n".join([*head, *self.lines]) + "\n")
        self._process = subprocess.Popen([str(MOSQUITTO), "-c", str(config)], stderr=subprocess.DEVNULL)
        wait_for(self._is_open, 10, "the broker's port open")

    def _is_open(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise CampaignError(f"mosquitto did not start with {self.folder / 'mosquitto.conf'}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def pid(self) -> int:
        if self._process is None:
            raise CampaignError("the broker does not run")
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def is_stopped_by_signal(self) -> bool:
        return process_state(self.pid) == "T"

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            if number != signal.SIGKILL:
                self._process.send_signal(signal.SIGCONT)  # a frozen one hears nothing else
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None


def process_state(pid: int) -> str:
    """One letter of proc(5): R, S, T, Z; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


class Agent:
    """``edge-agent run``, or another module that runs an agent, as a process of its own; its log goes to a file."""

    def __init__(self, config: Path, log: Path, module: Sequence[str] = ()) -> None:
        self.log_file = log
        command = module or ("edge_agent.cli.main", "run", "--config", str(config))
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.pid = self._process.pid
        self.stop_took_s = 0.0

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait_until_ready(self, timeout_s: float = 30.0) -> None:
        """Until its first cycle is on the disk."""
        self.wait_for_log("ready:", timeout_s)

    def wait_for_log(self, text: str, timeout_s: float = 30.0) -> None:
        wait_for(lambda: text in self.log() or not self.is_running, timeout_s, f"{text!r} in the agent's log")
        if not self.is_running:
            raise CampaignError(f"the agent ended by itself:\n{self.log()[-2000:]}")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask_to_stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> bool:
        """SIGKILL; True when it really ended a running process."""
        self._process.send_signal(signal.SIGKILL)  # nothing happens to one that has ended
        return self._process.wait(10) == -signal.SIGKILL

    def stop(self, timeout_s: float = 15.0) -> int:
        """SIGTERM and wait; its exit code."""
        asked_s = time.monotonic()
        self.ask_to_stop()
        try:
            code = self._process.wait(timeout_s)
            self.stop_took_s = time.monotonic() - asked_s
            return code
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise CampaignError(f"the agent did not stop within {timeout_s:g} s of SIGTERM") from error

    @property
    def tracebacks(self) -> int:
        return self.log().count("Traceback (most recent call last)")
