"""What a database file holds: read from a copy, row by row, when nobody asks the agent."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from chaos_parts.judge import Identity, Told, told
from chaos_parts.rig import NODE, SITE
from edge_agent.domain.shop import Source
from edge_agent.mqtt import messages
from edge_agent.storage import schema, shop_schema
from edge_agent.storage.database import Database
from edge_agent.storage.inbox import APPLICATION_ID, FILE_NAME
from edge_agent.storage.ledger import Ledger, load
from edge_agent.storage.migrations import AGENT
from edge_agent.storage.schema import QUEUED, TABLES

_SOLD = [shop_schema.sale.c[name] for name in ("product", "day", "source", "unit", "qty", "back")]
_UNDATED = [shop_schema.undated_sale.c[name] for name in ("product", "unit", "qty", "back")]


class SoldDay(NamedTuple):
    """A row of the shop's days: ``day`` is a number, 1 is 0001-01-01; None: it waits for its day."""

    product: str
    day: int | None
    source: str
    unit: str
    qty: float
    back: float


@dataclass(slots=True)
class Committed:
    """Everything that was ever seen committed, gathered from snapshot to snapshot."""

    rows: dict[Identity, Told] = field(default_factory=dict)
    bodies: dict[Identity, Mapping[str, Any]] = field(default_factory=dict)  # of all but telemetry
    memory: dict[str, bytes] = field(default_factory=dict)  # as the last snapshot had it
    sold: list[SoldDay] = field(default_factory=list)  # the same, of the shop's days
    epoch: str = ""
    broken: int = 0  # rows that were seen committed once, and are gone or changed in the file
    _last: dict[tuple[str, str], int] = field(default_factory=dict)  # highest number seen, by epoch and stream

    def look(self, state: Path, *, whole: bool = False) -> int:
        """Take in what is new in ``state``/agent.db; of an agent that does not run. Answers how many rows were new.

        ``whole`` reads again what was read before, and counts what is gone or says something else now.
        """
        with tempfile.TemporaryDirectory() as scratch:
            for suffix in ("", "-wal"):  # with its log, as the kill left it; reading tidies up the copy only
                source = state / f"{FILE_NAME}{suffix}"
                if source.exists():
                    shutil.copyfile(source, Path(scratch) / source.name)
            if not (Path(scratch) / FILE_NAME).exists():
                return 0
            return self._take(Path(scratch) / FILE_NAME, whole)

    def look_at_running(self, state: Path) -> int:
        """As ``look``, while the agent goes on writing: by SQLite's own copying."""
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / FILE_NAME
            source = sqlite3.connect(f"file:{state / FILE_NAME}?mode=ro", uri=True)
            with closing(source), closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            return self._take(copy, whole=False)

    def _take(self, file: Path, whole: bool) -> int:
        with _opened(file) as (database, ledger):
            if ledger is None:
                return 0
            self.epoch = ledger.state["epoch"]
            new = sum(self._take_stream(database, ledger, stream, whole) for stream in QUEUED)
            with database.reading() as tx:
                self.memory = {row.key: row.value for row in tx.execute(select(schema.memory))}
                self.sold = [SoldDay(*row) for row in tx.execute(select(*_SOLD))]
                self.sold += [SoldDay(row[0], None, Source.LEDGER, *row[1:]) for row in tx.execute(select(*_UNDATED))]
        return new

    def _take_stream(self, database: Database, ledger: Ledger, stream: Any, whole: bool) -> int:
        identity = messages.Identity(SITE, NODE, self.epoch)
        place = (self.epoch, stream.value)
        after = 0 if whole else self._last.get(place, 0)
        table = TABLES[stream]
        with database.reading() as tx:
            rows = list(tx.execute(select(table).where(table.c.seq > after).order_by(table.c.seq)))
        found = {}
        for row in rows:
            record = json.loads(messages.render(identity, ledger.queued(stream, row)).payload)
            key = Identity(self.epoch, stream.value, row.seq)
            found[key] = told(record)
            if stream.value != "telemetry":
                self.bodies[key] = record
        if whole:
            self._compare(stream.value, found)
        before = len(self.rows)
        self.rows.update(found)
        self._last[place] = max((key.seq for key in found), default=after)
        return len(self.rows) - before

    def _compare(self, stream: str, found: Mapping[Identity, Told]) -> None:
        for key, row in self.rows.items():
            if key.epoch == self.epoch and key.stream == stream:
                self.broken += not (key in found and found[key].is_same(row))

    def remembered(self, key: str) -> Mapping[str, Any] | None:
        """A row of the memory that is JSON."""
        return json.loads(self.memory[key]) if key in self.memory else None

    def of_stream(self, stream: str) -> list[Mapping[str, Any]]:
        """The bodies in the order of their numbers, epoch by epoch."""
        found = [(key, body) for key, body in self.bodies.items() if key.stream == stream]
        return [body for _, body in sorted(found, key=lambda item: item[0])]


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Database, Ledger | None]]:
    """Without a ledger when the agent was killed before the file had its tables."""
    with closing(sqlite3.connect(file)) as plain:
        tables = {name for (name,) in plain.execute("SELECT name FROM sqlite_master")}
        has_epoch = "state" in tables and plain.execute("SELECT 1 FROM state WHERE key = 'epoch'").fetchone()
    database = Database.visit(file, AGENT, APPLICATION_ID)
    try:
        if not has_epoch:
            yield database, None
            return
        with database.reading() as tx:
            ledger = load(tx)
        yield database, ledger
    finally:
        database.close()
