"""The queue towards the broker: what is pending, what became of it, what is asked for again."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, bindparam, select

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import VOLATILE, Outcome, Queued, Stream
from edge_agent.storage import schema
from edge_agent.storage.database import Database
from edge_agent.storage.errors import StorageCorrupt
from edge_agent.storage.ledger import Kind, Ledger, Note
from edge_agent.storage.schema import QUEUED, TABLES

_RANGES = 32  # gaps looked at with one hold of the lock
_RESEND_ROWS = 100_000  # one replay covers at most so many numbers ...
_RESEND_GAPS = 1000  # ... and so many intervals of missing ones


@dataclass(frozen=True, slots=True)
class Backlog:
    count: int
    oldest: Instant | None


@dataclass(frozen=True, slots=True)
class Resend:
    """What became of a replay request: numbers above ``last`` were not looked at, ask again for them."""

    first: int
    last: int
    available: int
    dropped: tuple[tuple[int, int], ...]  # intervals that no longer exist


def _select(stream: Stream) -> Any:
    table = TABLES[stream]
    between = table.c.seq.between(bindparam("first"), bindparam("last"))
    return select(table).where(between).order_by(table.c.seq).limit(bindparam("limit"))


def _select_instant(stream: Stream) -> Any:
    table = TABLES[stream]
    within = (table.c.seq >= bindparam("first"), table.c.seq < bindparam("beyond"))
    return select(table.c.seq, table.c.clock, table.c.mono_ms).where(*within).order_by(table.c.seq).limit(1)


_SELECTS: Mapping[Stream, Any] = {stream: _select(stream) for stream in QUEUED}
_INSTANTS: Mapping[Stream, Any] = {stream: _select_instant(stream) for stream in QUEUED}


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """SQLite keeps no checksums: a damaged page can also show as a row that no version of ours wrote."""
    try:
        yield
    except (LookupError, ValueError, TypeError, struct.error) as error:
        raise StorageCorrupt(f"{path}: a row that cannot be read: {error!r}") from error


def newest_before(tx: Connection, stream: Stream, last: int, is_before: Callable[[int, int], bool]) -> int:
    """The largest number up to ``last`` whose (clock, mono_ms) is before, where all before come first; 0: none.

    From the newest backwards in growing strides, then by halves: the answer is mostly near the end.
    """
    low, high, stride = 0, last + 1, 1
    while low + 1 < high:
        middle = max(high - stride, (low + high) // 2)
        row = tx.execute(_INSTANTS[stream], {"first": middle, "beyond": high}).first()
        if row is not None and is_before(row[1], row[2]):
            low, stride = row[0], last + 1
        else:
            high, stride = middle, stride * 4
    return low


class Outbox:
    """The reading side of the store, and the marks; any thread may use it while another commits."""

    _database: Database
    _ledger: Ledger

    def __init__(self) -> None:
        self._lock = Lock()  # the ledger's, never held over a disk access
        self._damage: StorageCorrupt | None = None  # met while reading; the next commit says so to who can act

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._noticing(), self._database.reading() as tx, decoding(self._database.path):
            yield tx

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except StorageCorrupt as error:
            self._damage = error
            raise

    def streams(self) -> tuple[Stream, ...]:
        """Those that are queued."""
        return QUEUED

    def last_seq(self, stream: Stream) -> int:
        """0 when the stream never had a message."""
        with self._lock:
            ledger = self._ledger
            return ledger.volatile[stream] if stream in VOLATILE else ledger.books[stream].last

    def pending(self, stream: Stream, after: int, limit: int, upto: int | None = None) -> list[Queued]:
        """Committed, neither accepted nor refused, numbered in (after, upto], ascending; at most ``limit``."""
        found: list[Queued] = []
        while len(found) < limit:
            with self._lock:
                ledger = self._ledger
                book = ledger.books[stream]
                end = book.last if upto is None else min(upto, book.last)
                ranges = list(islice(book.ahead(after, end), _RANGES))
            if not ranges:
                break
            for first, last in ranges:
                rows = self._rows(ledger, stream, first, last, limit - len(found))
                found += rows
                if len(found) == limit:
                    last = rows[-1].seq
                if len(rows) <= last - first:
                    self._account_for_missing(ledger, stream, first, last, rows)
                after = last
                if len(found) == limit:
                    break
        return found

    def _rows(self, ledger: Ledger, stream: Stream, first: int, last: int, limit: int) -> list[Queued]:
        with self._reading() as tx:
            rows = tx.execute(_SELECTS[stream], {"first": first, "last": last, "limit": limit})
            return [ledger.queued(stream, row) for row in rows]

    def _account_for_missing(
        self, ledger: Ledger, stream: Stream, first: int, last: int, rows: Sequence[Queued]
    ) -> None:
        """A replay does not wait for rows that retention has taken. Others cannot be missing in a sound file.

        A damaged page need not show as an error: a garbled number ends a search early, and the rest would never be
        sent.
        """
        book = ledger.books[stream]
        with self._noticing(), self._lock:
            if ledger is not self._ledger:  # the file was set aside meanwhile
                return
            before = first - 1
            for seq in (*(row.seq for row in rows), last + 1):
                if seq - before > 1:
                    book.again.remove(before + 1, seq - 1)
                    for gap in book.settled.gaps(before, seq - 1):
                        raise StorageCorrupt(f"{self._database.path}: {stream} {gap[0]} to {gap[1]} cannot be found")
                before = seq

    def mark(
        self, stream: Stream, seqs: Iterable[int], outcome: Outcome, reason: str = "", *, epoch: str | None = None
    ) -> None:
        """What the broker said; kept in RAM until the next commit or ``flush_marks``.

        Numbers beyond the last, or of another ``epoch``, are answers to a file that was set aside: ignored.
        """
        with self._lock:
            ledger = self._ledger
            if epoch is not None and epoch != ledger.state["epoch"]:
                return
            book = ledger.books[stream]
            for seq in seqs:
                if 1 <= seq <= book.last:
                    book.settle(seq, seq)
                    if outcome is Outcome.REFUSED:
                        ledger.refuse(stream, seq, reason)

    def backlog(self, stream: Stream) -> Backlog:
        oldest = self.pending(stream, 0, 1)
        with self._lock:
            count = self._ledger.books[stream].pending
        return Backlog(count, oldest[0].at) if oldest else Backlog(0, None)

    def newest_older_than(self, stream: Stream, boot: str, mono_ms: int) -> int:
        """The last number of a row older than that instant; rows of other boots are older. 0: none.

        Numbers follow time but for the few samples of one batch, so this looks at some twenty rows.
        """
        with self._lock:
            ledger = self._ledger
            last = ledger.books[stream].last

        def is_older(clock: int, row_mono_ms: int) -> bool:
            return ledger.clocks.values[clock].boot != boot or row_mono_ms < mono_ms

        with self._reading() as tx:
            return newest_before(tx, stream, last, is_older)

    def latest_retained(self) -> list[Queued]:
        """The newest message of every retained topic, whatever the broker has of it."""
        return [row for stream in schema.MESSAGES for row in self._latest(stream)]

    def latest_samples(self) -> list[Queued]:
        """The newest sample of every point that has spoken lately."""
        return self._latest(Stream.TELEMETRY)

    def _latest(self, stream: Stream) -> list[Queued]:
        with self._lock:
            ledger = self._ledger
            newest = sorted(ledger.books[stream].latest.values())
        table = TABLES[stream]
        with self._reading() as tx:
            rows = tx.execute(select(table).where(table.c.seq.in_(newest)).order_by(table.c.seq)) if newest else ()
            return [ledger.queued(stream, row) for row in rows]

    def resend(self, stream: Stream, first: int, last: int) -> Resend:
        """Let numbers that were accepted or refused go out again, after the live ones."""
        if stream in VOLATILE:
            return Resend(first, last, 0, ((first, last),) if first <= last else ())
        with self._lock:
            book = self._ledger.books[stream]
            first, last = max(first, 1), min(last, book.last, max(first, 1) + _RESEND_ROWS - 1)
        seq = TABLES[stream].c.seq
        missing: list[tuple[int, int]] = []
        available, before = 0, first - 1
        with self._reading() as tx:
            found = list(tx.scalars(select(seq).where(seq.between(first, last)).order_by(seq)))
        for number in (*found, last + 1):
            if number - before > 1:
                missing.append((before + 1, number - 1))
                if len(missing) == _RESEND_GAPS:
                    last = number - 1
                    break
            available += number <= last
            before = number
        with self._lock:
            book.ask_again(first, last)
            for span in missing:
                book.again.remove(*span)
        return Resend(first, last, available, tuple(missing))

    def dropped(self, stream: Stream) -> list[Note]:
        """What retention took before it was sent: nobody will ever get it."""
        with self._lock:
            return self._ledger.noted(stream, Kind.DROPPED)

    def refused(self, stream: Stream) -> list[Note]:
        """What the broker refused for good; the rows are kept, and ``resend`` sends them again."""
        with self._lock:
            return self._ledger.noted(stream, Kind.REFUSED)

    def next_volatile(self, stream: Stream) -> int:
        """The next number of a stream that is not queued. Never repeats; skips after a crash."""
        with self._lock:
            self._ledger.volatile[stream] += 1
            return self._ledger.volatile[stream]
