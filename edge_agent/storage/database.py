"""One SQLite file: how it is opened, written, read and set aside."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine

from edge_agent.domain.instant import Instant
from edge_agent.storage.errors import StorageError, named_faults
from edge_agent.storage.migrations import Step, migrate

log = logging.getLogger(__name__)

_BUSY_S = 2.0  # another process writes one command at a time; a clean stop has 5 s for everything
# Small pages, because a batch rewrites its last page, and two or three more, whatever their size (measured: 78 bytes
# written per reading, against 122 with 4096; docs/decisions/002).
_PAGE_BYTES = 512
_CHECKPOINT_PAGES = 8000  # 4 MiB
_BESIDE = ("", "-wal", "-shm")


class Database:
    """A file with its connections. One thread of this process writes and one reads at any moment."""

    def __init__(self, path: Path, engine: Engine, steps: Sequence[tuple[int, Step]], application_id: int) -> None:
        self.path = path
        self._engine = engine
        self._steps = steps
        self._application_id = application_id
        self._writer = Lock()
        self._reader = Lock()

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
        with self._writer, named_faults(self.path), self._engine.connect() as tx:
            tx.exec_driver_sql("BEGIN IMMEDIATE")
            yield tx
            tx.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Short: every statement sees the newest commit, and a long one would hold the checkpoint up."""
        with self._reader, named_faults(self.path), self._engine.connect() as tx:
            yield tx

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
                "cache_size = -1024",
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
