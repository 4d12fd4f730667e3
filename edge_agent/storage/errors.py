"""Every way the disk can fail us, on one page; told apart by SQLite's error code, never by its text."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError


class StorageError(Exception):
    """Reading or writing a file failed; what is committed stands, what is not can be tried again."""


class StorageFull(StorageError):
    """No room on the disk. Rows that people depend on can still be committed, see ``Store.commit``."""


class StorageReadOnly(StorageError):
    """The card or the file system refuses writes."""


class StorageCorrupt(StorageError):
    """The file is not what was written. See ``Store.quarantine``."""


class StorageBusy(StorageError):
    """Another process kept the file locked longer than the busy time-out."""


class StorageNewer(StorageError):
    """The file was written by a newer version than this one."""


class StorageForeign(StorageNewer):
    """The file is another program's database: like one from the future it is neither used nor set aside."""


_BY_CODE: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_READONLY: StorageReadOnly,
    sqlite3.SQLITE_PERM: StorageReadOnly,
    sqlite3.SQLITE_CORRUPT: StorageCorrupt,
    sqlite3.SQLITE_NOTADB: StorageCorrupt,
    sqlite3.SQLITE_BUSY: StorageBusy,
    sqlite3.SQLITE_LOCKED: StorageBusy,
}
_BY_ERRNO: dict[int, type[StorageError]] = {
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EROFS: StorageReadOnly,
    errno.EACCES: StorageReadOnly,
    errno.EPERM: StorageReadOnly,
}
# A full disk shows as an I/O error where SQLite grows its shared-memory file (32 KiB steps) or cannot open a journal.
_IN_DISGUISE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_NO_ROOM_BYTES = 64 * 1024


def free_bytes(directory: Path) -> int:
    """What an unprivileged process may still write there. Raises StorageError when the directory is gone."""
    try:
        found = os.statvfs(directory)
    except OSError as error:
        raise _BY_ERRNO.get(error.errno or 0, StorageError)(f"{directory}: {error}") from error
    return found.f_bavail * found.f_frsize


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors about ``path`` into StorageErrors."""
    try:
        yield
    except DBAPIError as error:
        raise _named(error.orig, path) from error
    except (sqlite3.Error, OSError) as error:
        raise _named(error, path) from error


def _named(error: BaseException | None, path: Path) -> StorageError:
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, StorageError)(f"{path}: {error}")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return StorageError(f"{path}: {error}")
    primary = code & 0xFF
    kind = _BY_CODE.get(primary)
    if kind is None:
        full = primary in _IN_DISGUISE and path.parent.is_dir() and free_bytes(path.parent) < _NO_ROOM_BYTES
        kind = StorageFull if full else _read_only_or_unknown(primary, path)
    return kind(f"{path}: {error} ({getattr(error, 'sqlite_errorname', code)})")


def _read_only_or_unknown(primary: int, path: Path) -> type[StorageError]:
    """A new file on a read-only file system is one SQLite "cannot open"."""
    if primary == sqlite3.SQLITE_CANTOPEN and path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        return StorageReadOnly
    return StorageError
