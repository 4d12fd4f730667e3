"""Models that were installed, below ``<storage.directory>/models/<name>/``: one signed bundle a slot, and notes.

    active.model     in use, where it is not older than the one that came with the programme
    previous.model   in use before, for a way back
    shadow.model     new: it answers too, and is compared
    notes.json       highest version ever taken, the comparison, the last decision, answers to commands

Each file is written beside, synced and renamed, and each change is one rename that counts: a power cut between any
two steps leaves the old or the new model in use, never none and never half of one. Everything else that belongs to a
change comes before that rename, so what is there once it is made is all of it.
"""

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from edge_agent.inference.card import is_name
from edge_agent.service.model_notes import Announced, Notes, from_bytes, to_bytes

log = logging.getLogger(__name__)

FOLDER = "models"
NOTES = "notes.json"
MAX_NOTES_BYTES = 1 << 20  # 120 days and 512 names are 20 kB
MAX_BUNDLE_BYTES = 262_144  # base64 of the largest card and file, and the envelope
_UNFINISHED = ".unfinished"


class Slot(StrEnum):
    ACTIVE = "active"
    PREVIOUS = "previous"
    SHADOW = "shadow"


class ModelStore:
    """Raises OSError as the disk does; who calls it says what that means."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def names(self) -> list[str]:
        try:
            return sorted(found.name for found in self.directory.iterdir() if is_name(found.name) and found.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, name: str, slot: Slot) -> bytes | None:
        """None where there is nothing."""
        try:
            return read_at_most(self._file(name, slot), MAX_BUNDLE_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put_shadow(self, name: str, envelope: bytes) -> None:
        _write(self._file(name, Slot.SHADOW), envelope)

    def put_active(self, name: str, envelope: bytes) -> None:
        """Where nothing sound is in use: there is nothing to keep, and nothing to be compared with."""
        self.drop(name, Slot.PREVIOUS)
        _write(self._file(name, Slot.ACTIVE), envelope)

    def promote(self, name: str, *, keeps_active: bool) -> None:
        """The shadow becomes the active one. ``keeps_active``: else the one in use came with the programme, and the
        way back leads there."""
        active = self.read(name, Slot.ACTIVE)
        if keeps_active and active is not None:
            _write(self._file(name, Slot.PREVIOUS), active)
        else:
            self.drop(name, Slot.PREVIOUS)
        os.replace(self._file(name, Slot.SHADOW), self._file(name, Slot.ACTIVE))
        _sync(self._file(name, Slot.ACTIVE).parent)

    def roll_back(self, name: str) -> None:
        """The previous one comes back, or the one that came with the programme."""
        if self.read(name, Slot.PREVIOUS) is None:
            self.drop(name, Slot.ACTIVE)
            return
        os.replace(self._file(name, Slot.PREVIOUS), self._file(name, Slot.ACTIVE))
        _sync(self._file(name, Slot.ACTIVE).parent)

    def drop(self, name: str, slot: Slot) -> None:
        file = self._file(name, slot)
        with suppress(FileNotFoundError, NotADirectoryError):
            file.unlink()
            _sync(file.parent)

    def notes(self, name: str) -> Notes:
        """Those that nobody can make sense of are new ones: what a bundle's own dates forbid stays forbidden. Of a
        change during which the process died they are those before or after it, as its file says."""
        try:
            notes, announced = from_bytes(read_at_most(self.directory / name / NOTES, MAX_NOTES_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            return Notes()
        except (ValueError, RecursionError) as error:
            log.error("models: %s: %s; going on without it", self.directory / name / NOTES, error)
            return Notes()
        if announced is None or announced.slot not in list(Slot):
            return notes
        is_made = _sha256(self.read(name, Slot(announced.slot))) == announced.sha256
        return announced.notes if is_made else notes

    def note(self, name: str, notes: Notes) -> None:
        _write(self.directory / name / NOTES, to_bytes(notes))

    def announce(self, name: str, slot: Slot, content: bytes | None, notes: Notes) -> None:
        """Before the change that puts ``content`` into the slot, or empties it: ``notes`` hold once that is so."""
        announced = Announced(slot.value, _sha256(content), notes)
        _write(self.directory / name / NOTES, to_bytes(self.notes(name), announced))

    def stamps(self) -> Iterator[tuple[str, int, int, int]]:
        """Change when a file does."""
        yield from stamps(self.directory, "*/*.model")

    def _file(self, name: str, slot: Slot) -> Path:
        return self.directory / name / f"{slot.value}.model"


def _sha256(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()


def stamps(directory: Path, pattern: str) -> Iterator[tuple[str, int, int, int]]:
    for found in sorted(directory.glob(pattern)):
        with suppress(OSError):
            told = found.stat()
            yield str(found), told.st_mtime_ns, told.st_size, told.st_ino


def read_at_most(file: Path, most: int) -> bytes:
    """A byte more than ``most`` tells that there is more. OSError also for a directory, a device, a pipe that nobody
    writes into: a card that fails, or a hand that slipped, must neither hold the agent up nor fill its memory."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is no file with bytes in it", str(file))
        with os.fdopen(handle, "rb", closefd=False) as found:
            return found.read(most + 1)
    finally:
        os.close(handle)


def _write(file: Path, content: bytes) -> None:
    _make(file.parent)
    unfinished = file.with_name(file.name + _UNFINISHED)
    try:
        with unfinished.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(unfinished, file)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()  # of a full disk it would keep what little is left
        raise
    _sync(file.parent)


def _make(folder: Path) -> None:
    """A new folder is on the disk when the one it lies in is."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(directory: Path) -> None:
    """A rename is on the disk when its directory is (fsync(2))."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
