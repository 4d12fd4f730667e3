"""The whole agent as a child process, and what the kernel says of it: bytes, processor time, memory."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_parts.children import CampaignError

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK = 512  # getrusage(2): ru_oublock counts the kernel's write_bytes in these
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    written_bytes: int  # in its whole life, the checkpoint at the end included
    processor_s: float


def as_installed() -> dict[str, str]:
    """This environment, in which Python keeps the bytecode it makes: an installed package brings its own."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def make_bytecode(config: Path, folder: Path) -> None:
    """A start that counts for nothing. Without bytecode one takes 2 s of a processor and 10 MiB more."""
    AgentProcess(config, folder).stop()


class AgentProcess:
    """``edge-agent run``, told that systemd listens: it says when its first cycle is on the disk."""

    def __init__(self, config: Path, folder: Path, module: Sequence[str] = ()) -> None:
        command = module or ("edge_agent.cli.main", "run", "--config", str(config))
        self.log_file = folder / "agent.log"
        notify = folder / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening, self.log_file.open("wb") as log:
            listening.bind(str(notify))
            listening.settimeout(READY_WITHIN_S)
            began_s = time.monotonic()
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=as_installed() | {"NOTIFY_SOCKET": str(notify)},
            )
            try:
                self._wait_until_ready(listening)
            except BaseException:
                self._process.kill()
                self._process.wait()
                raise
            self.ready_s = time.monotonic() - began_s

    def _wait_until_ready(self, listening: socket.socket) -> None:
        try:
            while b"READY=1" not in listening.recv(4096):
                pass
        except TimeoutError:
            raise CampaignError(f"the agent was not ready within {READY_WITHIN_S:g} s:\n{self.log()}") from None

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")[-3000:]

    def _proc(self, name: str) -> str:
        try:
            return Path(f"/proc/{self._process.pid}/{name}").read_text()
        except OSError as error:
            raise CampaignError(f"the agent is gone ({error}):\n{self.log()}") from error

    def written_bytes(self) -> int:
        """Handed to the disk so far; not what lies in the page cache of a file deleted meanwhile."""
        return int(dict(line.split(": ") for line in self._proc("io").splitlines())["write_bytes"])

    def processor_s(self) -> float:
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # utime, stime: proc(5)

    def rss_mib(self) -> float:
        return int(self._proc("statm").split()[1]) * PAGE / 2**20

    def peak_mib(self) -> float:
        line = next(line for line in self._proc("status").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def mapped(self) -> str:
        """The files it has in memory: proc(5), maps."""
        return self._proc("maps")

    def stop(self) -> Ended:
        """SIGTERM; the figures of its whole life."""
        self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        while True:
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                self._process.kill()
                raise CampaignError(f"the agent did not stop within {STOP_WITHIN_S:g} s:\n{self.log()}")
            time.sleep(0.02)
        self._process.returncode = os.waitstatus_to_exitcode(status)  # reaped: Popen need not look for it
        return Ended(self._process.returncode, usage.ru_oublock * BLOCK, usage.ru_utime + usage.ru_stime)
