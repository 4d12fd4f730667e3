"""Reading the file from another process while the agent runs: history, memory, figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from pathlib import Path

from sqlalchemy import Connection, func, select

from edge_agent.domain.message import Stream
from edge_agent.domain.reading import Reading
from edge_agent.storage import inbox, schema
from edge_agent.storage.chain import Row
from edge_agent.storage.database import Database
from edge_agent.storage.errors import StorageError, named_faults
from edge_agent.storage.ledger import Ledger, Shape, load
from edge_agent.storage.migrations import AGENT
from edge_agent.storage.outbox import decoding, newest_before
from edge_agent.storage.schema import TABLES, telemetry
from edge_agent.storage.stats import Stats, count_pages, summarise

_ROWS = 2000  # read at a time: a longer read would hold the agent's checkpoint up
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DISORDER_MS = 60_000  # how far samples of one boot may be out of order in the file; a batch is much shorter


class Archive:
    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, directory: Path) -> "Archive":
        """Raises StorageError when there is no file yet, or one that the agent has not begun: a power cut's, say."""
        path = directory / inbox.FILE_NAME
        with named_faults(path):
            is_empty = path.exists() and path.stat().st_size == 0
        if is_empty:
            raise StorageError(f"{path}: is empty; the agent begins it when it next runs")
        found = cls(Database.visit(path, AGENT, inbox.APPLICATION_ID))
        with found._database.reading() as tx:
            epoch = tx.scalar(select(schema.state.c.value).where(schema.state.c.key == "epoch"))
        if epoch is None:
            raise StorageError(f"{path}: holds nothing yet; the agent begins it when it next runs")
        return found

    def history(self, channel: str, since: datetime | None = None, until: datetime | None = None) -> Iterator[Reading]:
        """Readings of one channel with a wall time in [since, until), in the order they were taken.

        That is ascending in wall time unless the wall clock stepped back. Raises KeyError for a channel that never
        had a reading.
        """
        ledger = self._loaded()
        shapes = [number for number, shape in ledger.shapes.values.items() if channel in _names(shape)]
        if not shapes:
            raise KeyError(channel)
        low_ms = None if since is None else _wall_ms(since)
        high_ms = None if until is None else _wall_ms(until)
        for first, last in self._windows(ledger, low_ms, high_ms):
            for reading in self._readings(ledger, shapes, first, last):
                wall_ms = reading.at.wall_ms
                is_within = (low_ms is None or wall_ms >= low_ms) and (high_ms is None or wall_ms < high_ms)
                if is_within and reading.channel.name == channel:
                    yield reading

    def rows_of_record(self, after: int, limit: int, topic: str | None = None) -> list[Row]:
        """As they lie in the file, ascending; see ``record`` for what they mean."""
        record = TABLES[Stream.RECORD]
        rows = select(record.c.seq, record.c.topic, record.c.body).where(record.c.seq > after)
        rows = rows if topic is None else rows.where(record.c.topic == topic)
        with self._database.reading() as tx:
            found = tx.execute(rows.order_by(record.c.seq).limit(limit)).cursor
            return [] if found is None else list(map(Row._make, found.fetchall()))

    def settled_of_record(self) -> int:
        """The highest number of which the broker's word is known, or that is gone for good; 0: none."""
        settled = select(func.max(schema.settled.c.last)).where(schema.settled.c.stream == Stream.RECORD.value)
        with self._database.reading() as tx:
            return int(tx.scalar(settled) or 0)

    def channels(self) -> list[str]:
        """Every channel that ever had a reading."""
        ledger = self._loaded()
        return sorted({name for shape in ledger.shapes.values.values() for name in _names(shape)})

    def memory(self) -> dict[str, bytes]:
        with self._database.reading() as tx:
            return {row.key: row.value for row in tx.execute(select(schema.memory))}

    def stats(self) -> Stats:
        with self._snapshot() as tx:
            ledger, pages = load(tx), count_pages(tx)
        return summarise(ledger, pages, self._database.path, is_disk_full=False)

    def _loaded(self) -> Ledger:
        with self._snapshot() as tx:
            return load(tx)

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """One view of all tables: the agent may commit between two statements, a new shape and a row of it."""
        with self._database.reading() as tx, decoding(self._database.path):
            tx.exec_driver_sql("BEGIN")
            yield tx

    def _windows(self, ledger: Ledger, low_ms: int | None, high_ms: int | None) -> Iterator[tuple[int, int]]:
        """Spans of numbers, one per boot, outside which nothing lies between the two wall times.

        The boots follow one another in the file, and within each the monotonic time rises.
        """
        newest = ledger.books[Stream.TELEMETRY].last
        segments = ledger.clocks.values
        boots = ledger.clocks.boots()
        rank = {boot: place for place, boot in enumerate(boots)}
        for place, boot in enumerate(boots):
            offsets = [segment.offset_ms for segment in segments.values() if segment.boot == boot]
            low = -inf if low_ms is None else low_ms - max(offsets) - _DISORDER_MS
            high = inf if high_ms is None else high_ms - min(offsets) + _DISORDER_MS

            def before(clock: int, mono_ms: int, bound: tuple[int, float]) -> bool:
                return (rank[segments[clock].boot], mono_ms) < bound

            with self._database.reading() as tx:
                first = 1 + newest_before(tx, Stream.TELEMETRY, newest, partial(before, bound=(place, low)))
                last = newest_before(tx, Stream.TELEMETRY, newest, partial(before, bound=(place, high)))
            if first <= last:
                yield first, last

    def _readings(self, ledger: Ledger, shapes: list[int], first: int, last: int) -> Iterator[Reading]:
        rows = select(telemetry).where(telemetry.c.seq <= last, telemetry.c.shape.in_(shapes))
        rows = rows.order_by(telemetry.c.seq).limit(_ROWS)
        while first <= last:
            with self._database.reading() as tx, decoding(self._database.path):
                found = tx.execute(rows.where(telemetry.c.seq >= first)).all()
                samples = [ledger.sample(row) for row in found]
            for sample in samples:
                yield from sample.readings
            first = found[-1].seq + 1 if len(found) == _ROWS else last + 1


def _wall_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _names(shape: Shape) -> list[str]:
    return [channel.name for channel in shape.channels]
