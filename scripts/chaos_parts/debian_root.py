"""A clean Debian root, and rooms in it: processes that see nothing but it, with or without the network."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos_parts.children import CampaignError

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
USUAL = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
TAR = "EDGE_AGENT_DEBIAN_TAR"  # of such a root, where one lies: it saves the way to the mirror
PATIENCE_S = 300.0
_MIRROR = "apt-get indextargets --format '$(REPO_URI)' | grep -v -e security -e updates | head -n 1"
# Loopback up (SIOCSIFFLAGS: IFF_UP, IFF_LOOPBACK, IFF_RUNNING), and there until it is killed.
_HOLD = """
import fcntl, signal, socket, struct, sys
if "alone" in sys.argv:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        fcntl.ioctl(found, 0x8914, struct.pack("16sH14s", b"lo", 0x49, b""))
print("ready", flush=True)
signal.pause()
"""
_MOUNTS = 'mount -t proc proc "$0/proc" && mount -t tmpfs run "$0/run" && mount -t tmpfs shm "$0/dev/shm" && exec "$@"'


class NoRoot(Exception):
    """Why there can be no clean Debian here."""


def make(folder: Path, release: str) -> None:
    """Raises NoRoot."""
    tar = os.environ.get(TAR)
    if tar is not None:
        folder.mkdir()
        _made(["tar", "-C", str(folder), "-xf", tar])
    elif shutil.which("mmdebstrap") is not None:
        _made(["mmdebstrap", "--quiet", "--variant=minbase", release, str(folder), mirror()])
    elif shutil.which("debootstrap") is not None:
        _made(["debootstrap", "--variant=minbase", release, str(folder), mirror()])
    else:
        raise NoRoot("neither mmdebstrap nor debootstrap is here")


def mirror() -> str:
    """The one this machine uses; MIRROR overrides it. Raises NoRoot."""
    found = os.environ.get("MIRROR")
    if found is None:
        found = subprocess.run(["sh", "-c", _MIRROR], capture_output=True, text=True, check=False).stdout.strip()
    if not found:
        raise NoRoot("apt has no mirror here")
    return found.rstrip("/")


def _made(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise NoRoot(f"{command[0]}: {last}")


@dataclass(frozen=True, slots=True)
class Room:
    """Namespaces held by a process; who enters sees the root, its own processes, and the network or none."""

    root: Path
    holder: int

    def command(self, words: Sequence[str], *, who: str, environment: Mapping[str, str]) -> list[str]:
        inside = ["env", "-i", *(f"{key}={value}" for key, value in {**USUAL, **environment}.items()), *words]
        as_user = [] if who == "root" else ["runuser", "-u", who, "--"]
        return [*self._entered(), "chroot", str(self.root), *as_user, *inside]

    def _entered(self) -> list[str]:
        return ["nsenter", f"--target={self.holder}", "--mount", "--net", "--pid", "--"]

    def run(
        self, *words: str, who: str = "root", answers: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        command = self.command(words, who=who, environment=environment)
        try:
            return subprocess.run(
                command, input=answers or "", capture_output=True, text=True, check=False, timeout=PATIENCE_S
            )
        except subprocess.TimeoutExpired as error:
            raise CampaignError(f"{' '.join(words)}: no end within {PATIENCE_S:g} s") from error

    def do(self, *words: str, answers: str | None = None, **environment: str) -> str:
        """What must work for the campaign to go on; answers what it says. Raises CampaignError."""
        done = self.run(*words, answers=answers, **environment)
        if done.returncode:
            raise CampaignError(f"{' '.join(words)}: {(done.stdout + done.stderr).strip()[-600:]}")
        return done.stdout + done.stderr

    def start(self, *words: str, who: str = "root", log: str, **environment: str) -> "subprocess.Popen[bytes]":
        """In a session of its own, its words in a file of the root."""
        with (self.root / log).open("wb") as out:
            return subprocess.Popen(
                self.command(words, who=who, environment=environment),
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def mount(self, *words: str) -> None:
        """With this machine's own command: a small root has none."""
        subprocess.run([*self._entered(), "mount", *words], check=True, capture_output=True)

    def umount(self, folder: Path) -> None:
        subprocess.run([*self._entered(), "umount", "--lazy", str(folder)], check=True, capture_output=True)


@contextmanager
def room(root: Path, *, network: bool) -> Iterator[Room]:
    """Everything in it dies with it."""
    namespaces = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
    hold = ["sh", "-c", _MOUNTS, str(root), sys.executable, "-c", _HOLD, *([] if network else ["alone"])]
    holder = subprocess.Popen(
        ["unshare", *namespaces, "--propagation=private", *hold],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if holder.stdout is None or holder.stdout.readline() != "ready\n":
            raise NoRoot(f"no namespaces: {holder.communicate()[1].strip()}")
        yield Room(root, _child(holder.pid))
    finally:
        holder.kill()
        holder.communicate()


def stop(process: "subprocess.Popen[bytes]", patience_s: float = 20.0) -> None:
    """nsenter stays outside and passes nothing on: what it entered with is asked."""
    if process.poll() is None:
        os.kill(_child(process.pid), signal.SIGTERM)
        process.wait(patience_s)


def _child(pid: int, patience_s: float = 5.0) -> int:
    deadline = time.monotonic() + patience_s
    while True:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        if found:
            return int(found[0])
        if time.monotonic() > deadline:
            raise CampaignError(f"process {pid} has no child")
        time.sleep(0.02)
