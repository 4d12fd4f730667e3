"""One SQLite file: how it is opened, written, read and set aside."""

import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from threading import Lock

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine
from sqlalchemy.exc import OperationalError

from edge_agent.domain.instant import Instant
from edge_agent.storage.errors import StorageCorrupt, StorageError, named_faults
from edge_agent.storage.migrations import Step, migrate

log = logging.getLogger(__name__)

_BUSY_S = 2.0  # another process writes one command at a time; a clean stop has 5 s for everything
# Small pages, because a batch rewrites its last page, and two or three more, whatever their size (measured: 78 bytes
# written per reading, against 122 with 4096; docs/decisions/002).
_PAGE_BYTES = 512
_CHECKPOINT_PAGES = 8000  # 4 MiB
_BESIDE = ("", "-wal", "-shm")

FileId = tuple[int, int]  # device and inode


class Turn(Enum):
    """What to do about connections whose writes fail."""

    STAY = "stay"  # there is nothing better than what they can still read
    ANEW = "anew"  # the card takes writes again: some may have been opened while it did not
    ELSEWHERE = "elsewhere"  # the path leads to another file by now, or to room for one
    LET_GO = "let go"  # the path leads nowhere useful. An open file keeps a card from being mounted anew


def next_turn(held: FileId | None, found: FileId | None, *, can_write: bool) -> Turn:
    """``held``: the file our connections have open, None once they were let go. ``found``: at the path now.

    Where there is no file any more, a new one is only begun at the second look: a card is being mounted, perhaps.

    >>> next_turn((8, 1), (8, 1), can_write=True), next_turn((8, 1), None, can_write=True)
    (<Turn.ANEW: 'anew'>, <Turn.LET_GO: 'let go'>)
    """
    if found == held and held is not None:
        return Turn.ANEW if can_write else Turn.STAY
    is_first_look_at_nothing = found is None and held is not None
    return Turn.ELSEWHERE if can_write and not is_first_look_at_nothing else Turn.LET_GO


class Database:
    """A file with its connections. One thread of this process writes and one reads at any moment."""

    def __init__(self, path: Path, engine: Engine, steps: Sequence[tuple[int, Step]], application_id: int) -> None:
        self.path = path
        self._engine = engine
        self._steps = steps
        self._application_id = application_id
        self._writer = Lock()
        self._reader = Lock()
        self._held: FileId | None = None
        self._is_let_go = False

    @classmethod
    def open(cls, path: Path, steps: Sequence[tuple[int, Step]], application_id: int) -> "Database":
        """The agent's own way: makes the file if need be, and brings it up to the last step."""
        database = cls(path, _engine(path, lasting=True), steps, application_id)
        try:
            database._migrate()
        except StorageError:
            database.close()
            raise
        return database

    @classmethod
    def visit(cls, path: Path, steps: Sequence[tuple[int, Step]], application_id: int) -> "Database":
        """For a second process: connections last for one operation, so that they cannot outlive a file set aside.

        The file must exist: making it is the agent's business.
        """
        if not path.exists():
            raise StorageError(f"{path}: no such file; the agent makes it when it first runs")
        database = cls(path, _engine(path, lasting=False), steps, application_id)
        database._migrate()
        return database

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is on the disk after the block, or nothing of it ever was."""
        with self._writer, named_faults(self.path), self._connected() as tx:
            tx.exec_driver_sql("BEGIN IMMEDIATE")
            yield tx
            tx.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Short: every statement sees the newest commit, and a long one would hold the checkpoint up."""
        with self._reader, named_faults(self.path), self._connected() as tx:
            yield tx

    def _connected(self) -> Connection:
        if self._is_let_go:
            raise StorageError(f"{self.path}: the file that was open is not there any more")
        return self._engine.connect()

    def reconnect(self) -> Turn:
        """After writes failed: let go of connections that have outlived their mount, or cannot write.

        After ELSEWHERE and LET_GO this database is of no use any more: what the path leads to is another's to open.
        """
        try:
            found = _identity(self.path)
        except OSError as error:
            log.debug("%s: %s", self.path, error)  # the card gives no answer
            return Turn.STAY
        turn = next_turn(None if self._is_let_go else self._held, found, can_write=takes_writes(self.path.parent))
        if turn is not Turn.STAY:
            with self._writer, self._reader:
                self._engine.dispose()
                self._is_let_go = turn is not Turn.ANEW
        return turn

    def set_aside(self, now: Instant) -> Path:
        """Put the damaged file away and go on with a new one; answers where the old one is."""
        with self._writer, self._reader:  # no connection of ours may see its file renamed
            self._engine.dispose()
            aside = set_aside(self.path, now)
            self._migrate()
        return aside

    def close(self) -> None:
        with self._writer, self._reader:
            self._engine.dispose()

    def _migrate(self) -> None:
        with named_faults(self.path):
            migrate(self._engine, self._steps, self._application_id)
            self._held = _identity(self.path)


def _engine(path: Path, *, lasting: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            for pragma in (
                f"page_size = {_PAGE_BYTES}",  # of a file that is still empty
                "journal_mode = WAL",
                "synchronous = FULL",
                f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
                "secure_delete = OFF",  # Debian's default overwrites what retention deletes: wear for nothing
                "cache_size = -256",  # KiB: a commit touches some 30 pages; each connection fills what it may have
            ):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    url = URL.create("sqlite", database=str(path))
    if lasting:
        return create_engine(url, creator=connect, poolclass=QueuePool, pool_size=2, max_overflow=1)
    return create_engine(url, creator=connect, poolclass=NullPool)


def _identity(path: Path) -> FileId | None:
    """None where there is no such file. Raises OSError when the card gives no answer."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def takes_writes(directory: Path) -> bool:
    """Whether a small file gets onto the disk there, now."""
    try:
        if os.statvfs(directory).f_flag & os.ST_RDONLY or not os.access(directory, os.W_OK | os.X_OK):
            return False
        number, name = tempfile.mkstemp(prefix=".probe-", dir=directory)
    except OSError:
        return False
    try:
        os.write(number, bytes(512))
        os.fsync(number)
    except OSError:
        return False
    finally:
        os.close(number)
        with suppress(OSError):
            os.unlink(name)
    return True


def can_commit(path: Path) -> bool:
    """Whether a transaction that changes nothing gets onto the disk. True where there is no file, or a damaged one.

    Those are no obstacle: a start makes a new one.
    """
    if not path.exists():
        return True
    engine = _engine(path, lasting=False)
    try:
        with named_faults(path), engine.connect() as tx:
            version = int(tx.exec_driver_sql("PRAGMA user_version").scalar_one())
            tx.exec_driver_sql(f"PRAGMA user_version = {version}")
    except StorageCorrupt:
        return True
    except StorageError as error:
        log.debug("%s", error)
        return False
    return True


@contextmanager
def looking(path: Path) -> Iterator[Connection]:
    """Read a file, though its card may take no writes; one snapshot. Raises StorageError.

    With its log, where SQLite finds the log's index too or can make it; else as the last checkpoint left it.
    """
    with named_faults(path):
        engine = _reading_engine(path, "mode=ro")
        try:
            with engine.connect() as tx:
                tx.exec_driver_sql("SELECT count(*) FROM sqlite_master").all()
        except OperationalError:
            engine = _reading_engine(path, "immutable=1")
        with engine.connect() as tx:
            tx.exec_driver_sql("BEGIN")
            yield tx


def _reading_engine(path: Path, mode: str) -> Engine:
    name = f"{path.resolve().as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def set_aside(path: Path, now: Instant) -> Path:
    """Rename a damaged file and what lies beside it; answers its new name. Never overwrites an earlier one."""
    stamp = f"{path.name}.corrupt-{now.utc:%Y%m%dT%H%M%SZ}"
    target, attempt = path.with_name(stamp), 1
    while any(Path(f"{target}{suffix}").exists() for suffix in _BESIDE):
        attempt += 1
        target = path.with_name(f"{stamp}-{attempt}")
    with named_faults(path):
        for suffix in reversed(_BESIDE):  # the main file last: a crash in between leaves it to be found again
            if Path(f"{path}{suffix}").exists():
                os.rename(f"{path}{suffix}", f"{target}{suffix}")
    log.error("%s is damaged and was set aside as %s", path, target.name)
    return target
