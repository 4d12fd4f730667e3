"""Small file systems of our own to fill, break and mend. They need root."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos_parts.children import CampaignError, comes_true

_BLOCK = 64 * 1024


def is_root() -> bool:
    return os.geteuid() == 0


def run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CampaignError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")


@contextmanager
def tmpfs(folder: Path, size_mb: int) -> Iterator[Path]:
    folder.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "chaos", folder)
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)


class Card:
    """An ext4 file system in a file, as a card has one: it can fail under open files, and be put in again."""

    def __init__(self, folder: Path, size_mb: int = 32) -> None:
        self.folder = folder
        self._image = folder.with_suffix(".img")
        self._size_mb = size_mb

    def make(self) -> None:
        self.folder.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(self._size_mb * 2**20)
        run("mkfs.ext4", "-q", "-m", "0", self._image)
        self.insert()

    def insert(self) -> None:
        run("mount", "-o", "loop", self._image, self.folder)

    def fail(self) -> None:
        """What the kernel does after an error of the card: the file system is read-only from now on."""
        run("mount", "-o", "remount,abort", self.folder)
        try:
            (self.folder / "probe").touch()
        except OSError:
            return
        raise CampaignError(f"{self.folder} takes writes although it was aborted")

    def set_read_only(self, is_read_only: bool = True) -> None:
        """As a person may, while no file is open for writing; it can be taken back."""
        run("mount", "-o", f"remount,{'ro' if is_read_only else 'rw'}", self.folder)

    def pull(self, *, lazily: bool = False) -> None:
        """``lazily``: though files are open on it. Then it is busy until the last of them is closed."""
        run("umount", *(["--lazy"] if lazily else []), self.folder)

    def is_free(self) -> bool:
        """Nobody holds it, and it can be mounted anew."""
        found = subprocess.run(["losetup", "-j", str(self._image)], capture_output=True, text=True, check=True)
        return not found.stdout

    def mend(self) -> None:
        """As at the next boot: the journal is played back before the card is mounted."""
        subprocess.run(["fsck.ext4", "-p", str(self._image)], capture_output=True, check=False)  # 1: mended
        self.insert()


@contextmanager
def card(folder: Path) -> Iterator[Card]:
    found = Card(folder)
    found.make()
    try:
        yield found
    finally:
        if folder.is_mount():
            run("umount", "--lazy", folder)


@contextmanager
def refusing_writes(folder: Path) -> Iterator[None]:
    """Every file in it, and the folder itself, refuse writes, also through files that are open (ext4 since 5.3).

    But SQLite's shared memory: a card that turns read-only lets mapped memory be written, an immutable file kills.
    """
    held = [folder, *(path for path in folder.iterdir() if path.is_file() and not path.name.endswith("-shm"))]
    run("chattr", "+i", *held)
    try:
        yield
    finally:
        run("chattr", "-i", *held)


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Ballast:
    """A file that takes all the room there is; a greedy one takes what becomes free later, too."""

    def __init__(self, folder: Path, *, greedy: bool = False) -> None:
        self._file = folder / "ballast"
        self._greedy = greedy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stay_full, name="ballast", daemon=True)

    def take(self) -> int:
        """Answers the bytes that were left when all was taken: an agent may give up its reserve the moment after."""
        left = [free_bytes(self._file.parent)]

        def is_full() -> bool:
            self._fill()
            left.append(free_bytes(self._file.parent))
            return left[-1] < _BLOCK

        if not comes_true(is_full, 5):
            raise CampaignError(f"{self._file.parent} could not be filled")
        if self._greedy:
            self._thread.start()
        return left[-1]

    def give_back(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        self._file.unlink()

    def _stay_full(self) -> None:
        while not self._stop.wait(0.02):
            self._fill()

    def _fill(self) -> None:
        """Write until nothing more goes in."""
        for block in (_BLOCK, 4096, 512):
            try:
                with self._file.open("ab", buffering=0) as file:
                    while file.write(bytes(block)):
                        pass
            except OSError:
                continue  # full for blocks of this size
