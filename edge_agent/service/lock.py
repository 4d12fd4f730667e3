"""One agent for one state directory: two would take the broker's session and the rows' numbers from each other.

The lock is flock(2) on the directory itself. So it needs no file of its own, holds on a card that takes no writes,
and the kernel takes it back however the process ends.
"""

import fcntl
import logging
import os
from pathlib import Path

from edge_agent.storage.errors import StorageBusy

log = logging.getLogger(__name__)

_LOCKS = Path("/proc/locks")


class StateLock:
    """Held through a reload: nobody slips in while the files are closed for a moment."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._handle: int | None = None

    def hold(self, directory: Path) -> None:
        """Take this one, then let go of the one before. Raises StorageBusy naming the process that has it.

        A directory that is not there and cannot be made goes unlocked: whoever opens files in it says what is wrong.
        """
        if self._directory == directory and self._is_there():
            return
        handle = _opened(directory)
        if handle is not None and not _take(handle):
            holder = _holder(handle)
            os.close(handle)
            raise StorageBusy(f"{directory}: another agent uses it{holder}; stop that one, or name another directory")
        if handle is None:
            log.warning("storage: %s cannot be locked: a second agent would not be noticed", directory)
        self.release()
        self._directory, self._handle = directory, handle

    def follow(self) -> None:
        """Let go of a card that was taken out, or it could not be mounted anew; lock what is mounted in its place."""
        directory = self._directory
        if directory is None or self._is_there():
            return
        self.release()
        try:
            self.hold(directory)
        except StorageBusy as error:
            log.error("storage: %s", error)
            self._directory = directory

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._directory = self._handle = None

    close = release

    def _is_there(self) -> bool:
        """What we hold is what the path leads to."""
        if self._handle is None or self._directory is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._handle), self._directory.stat())
        except OSError:
            return False


def refuse_if_held(directory: Path) -> None:
    """Raises StorageBusy when another agent works there now."""
    with_lock = StateLock()
    try:
        with_lock.hold(directory)
    finally:
        with_lock.release()


def _opened(directory: Path) -> int | None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        log.debug("storage: %s: %s", directory, error)
        return None


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks (some network ones): better unlocked than not started
        log.warning("storage: no lock: %s; a second agent would not be noticed", error)
    return True


def _holder(handle: int) -> str:
    """From /proc/locks, see proc(5): "1: FLOCK  ADVISORY  WRITE 1234 08:02:131073 0 EOF"."""
    found = os.fstat(handle)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        lines = [line.split() for line in _LOCKS.read_text().splitlines()]
    except OSError:
        return ""
    pids = [words[4] for words in lines if len(words) > 5 and words[1] == "FLOCK" and words[5] == place]
    return f" (process {pids[0]})" if pids else ""
