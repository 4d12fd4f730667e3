"""What may go, and when: decisions over the ledger and a few rows; ``Store.housekeeping`` carries them out.

Each call takes a bounded bite. Telemetry goes by age, and by the disk budget; other streams only when they were
acknowledged a grace period ago. What was never sent and goes all the same is noted as dropped.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import ESTIMATES, Message, Stream
from edge_agent.domain.record import NODE_RECORD
from edge_agent.storage import chain, schema
from edge_agent.storage.clocks import Cutoff, age_days
from edge_agent.storage.ledger import Book, Kind, Ledger, put
from edge_agent.storage.schema import MESSAGES, TABLES, telemetry

BITE_ROWS = 2000  # per call and reason: some ten milliseconds on a Pi's card
THIN_TO_ONE_IN = 10
SPARED_ROWS = 10_000  # the newest telemetry, which no budget touches
_WATERMARK_DAYS = 1.0
THINNED_UPTO = "thinned_upto"


@dataclass(frozen=True, slots=True)
class Removal:
    stream: Stream
    first: int
    last: int
    reason: str  # age, thinned, budget, grace
    keep: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """What one call of ``housekeeping`` did."""

    removed: Mapping[str, int] = field(default_factory=dict)  # rows by reason
    dropped: int = 0  # of these, rows that had never been sent
    more: bool = False  # a bite was full: call again soon


def aged(tx: Connection, ledger: Ledger, now: Instant, cutoff: Cutoff) -> list[Removal]:
    """Telemetry past its days. Rows whose age nobody knows go with the first known one stored after them."""
    if now.clock is not ClockState.SYNCED:
        return []
    columns = (telemetry.c.seq, telemetry.c.clock, telemetry.c.mono_ms)
    oldest_first = select(*columns).where(telemetry.c.seq < ledger.books[Stream.TELEMETRY].last)
    oldest = _known(ledger, tx.execute(oldest_first.order_by(telemetry.c.seq).limit(1)).all(), now)
    if oldest:  # nearly always it is young enough, and nothing else need be read
        cutoff.move(oldest[0][1].wall_ms, now)
        if not cutoff.has_passed(oldest[0][1], now):
            return []
    rows = tx.execute(oldest_first.order_by(telemetry.c.seq).limit(BITE_ROWS)).all()
    if not rows:
        return []
    known = _known(ledger, rows, now)
    if not known:  # the next row that tells decides about all of these
        telling = [number for number, s in ledger.clocks.values.items() if s.state is not ClockState.UNSYNCED]
        later = oldest_first.where(telemetry.c.seq > rows[-1].seq, telemetry.c.clock.in_(telling))
        following = _known(ledger, tx.execute(later.order_by(telemetry.c.seq).limit(1)).all(), now)
        known = [(rows[-1].seq, at) for _, at in following]
    if not known:
        return []
    cutoff.move(known[0][1].wall_ms, now)
    last = 0
    for seq, at in known:
        if not cutoff.has_passed(at, now):
            break
        last = seq
    return [Removal(Stream.TELEMETRY, rows[0].seq, last, "age")] if last else []


def _known(ledger: Ledger, rows: Iterable[Any], now: Instant) -> list[tuple[int, Instant]]:
    """Those whose age can be told."""
    instants = [(seq, ledger.clocks.instant(clock, mono_ms)) for seq, clock, mono_ms in rows]
    return [(seq, at) for seq, at in instants if age_days(at, now) is not None]


def pruned(tx: Connection, ledger: Ledger, now: Instant, cutoff: Cutoff) -> tuple[list[Removal], Message | None]:
    """Lines of the record past their days, and the line that says so. A day's lines at once: one word a day of it.

    Never by a clock that is not set, and never the newest line.
    """
    if now.clock is not ClockState.SYNCED:
        return [], None
    table = TABLES[Stream.RECORD]
    columns = select(table.c.seq, table.c.clock, table.c.mono_ms).where(table.c.seq < ledger.books[Stream.RECORD].last)
    oldest_first = columns.order_by(table.c.seq)
    oldest = _known(ledger, tx.execute(oldest_first.limit(1)).all(), now)
    if oldest:
        cutoff.move(oldest[0][1].wall_ms, now)
        if (age_days(oldest[0][1], now) or 0) < cutoff.days + 1:
            return [], None
    known = _known(ledger, tx.execute(oldest_first.limit(BITE_ROWS)).all(), now)
    old = [seq for seq, _ in takewhile(lambda found: cutoff.has_passed(found[1], now), known)]
    if not old:
        return [], None
    body = tx.scalar(select(table.c.body).where(table.c.seq == old[-1]))
    assert body is not None
    told = Message(Stream.RECORD, f"record/{NODE_RECORD}", chain.pruned(old[-1], chain.hash_of(body), now), now)
    return [Removal(Stream.RECORD, known[0][0], old[-1], "age")], told


def thinned(tx: Connection, ledger: Ledger) -> list[Removal]:
    """A bite of the oldest telemetry, because the file is over its budget.

    Acknowledged rows first: one in ten is kept, until the thinned past holds as many rows as the full present; then
    the oldest go altogether. Only when none is left, the oldest that were never sent: those not thinned, since
    what is dropped must stay a few intervals that a consumer can be told.
    """
    book = ledger.books[Stream.TELEMETRY]
    oldest = tx.scalar(select(func.min(telemetry.c.seq)))
    spared = book.last - SPARED_ROWS
    if oldest is None or oldest > spared:
        return []
    thinned_upto = max(int(ledger.state.get(THINNED_UPTO, 0)), oldest - 1)
    full = sum(last - first + 1 for first, last in book.settled.within(thinned_upto + 1, spared))
    if full > (thinned_upto - oldest + 1) / THIN_TO_ONE_IN:
        for first, last in book.settled.within(thinned_upto + 1, spared):
            if rows := _bite(tx, first, last):
                return [Removal(Stream.TELEMETRY, first, rows[-1][0], "thinned", _one_in_ten(rows))]
    for first, last in book.settled.within(oldest, spared):
        if rows := _bite(tx, first, last):
            return [Removal(Stream.TELEMETRY, first, rows[-1][0], "budget")]
    rows = _bite(tx, oldest, spared)
    return [Removal(Stream.TELEMETRY, rows[0][0], rows[-1][0], "budget")]


def _bite(tx: Connection, first: int, last: int) -> list[tuple[int, int]]:
    rows = select(telemetry.c.seq, telemetry.c.shape).where(telemetry.c.seq.between(first, last))
    return [(seq, shape) for seq, shape in tx.execute(rows.order_by(telemetry.c.seq).limit(BITE_ROWS))]


def _one_in_ten(rows: list[tuple[int, int]]) -> frozenset[int]:
    """Of each shape, that is, of each point."""
    seen: Counter[int] = Counter()
    keep = set()
    for seq, shape in rows:
        if seen[shape] % THIN_TO_ONE_IN == 0:
            keep.add(seq)
        seen[shape] += 1
    return frozenset(keep)


def graced(tx: Connection, ledger: Ledger, now: Instant, days: int) -> list[Removal]:
    """Messages acknowledged longer ago than the grace period. Never a refused one, nor the newest of a topic."""
    removals = []
    for stream in MESSAGES:
        if stream is Stream.RECORD:
            continue  # see ``pruned``
        book, table = ledger.books[stream], TABLES[stream]
        upto = min(_settled_since(tx, ledger, stream, now, days), book.last - 1)
        if again := next(iter(book.again), None):
            upto = min(upto, again[0] - 1)
        if upto < book.floor:
            continue
        bite = select(table.c.seq).where(table.c.seq.between(book.floor, upto)).order_by(table.c.seq)
        last = tx.scalar(bite.offset(BITE_ROWS - 1).limit(1)) or upto
        removals.extend(_around(ledger, stream, book, last))
    return removals


def _around(ledger: Ledger, stream: Stream, book: Book, last: int) -> list[Removal]:
    """From the floor to ``last``, without the spans of what was refused."""
    kept = () if stream in ESTIMATES else book.latest.values()  # whose end has long come by then
    newest = frozenset(seq for seq in kept if book.floor <= seq <= last)
    removals, first = [], book.floor
    for note in ledger.noted(stream, Kind.REFUSED):
        if first <= min(note.first - 1, last):
            removals.append(Removal(stream, first, min(note.first - 1, last), "grace", newest))
        first = max(first, note.last + 1)
    if first <= last:
        removals.append(Removal(stream, first, last, "grace", newest))
    return removals


def _settled_since(tx: Connection, ledger: Ledger, stream: Stream, now: Instant, days: int) -> int:
    """The number up to which everything was settled at least ``days`` ago."""
    if days == 0:
        return _settled_upto(ledger.books[stream])
    marks = tx.execute(_watermarks(stream)).all()
    old = [m.seq for m in marks if (age_days(ledger.clocks.instant(m.clock, m.mono_ms), now) or 0) >= days]
    return max(old, default=0)


def _watermarks(stream: Stream) -> Any:
    table = schema.watermark
    return select(table).where(table.c.stream == stream.value).order_by(table.c.seq)


def _settled_upto(book: Book) -> int:
    gap = next(book.settled.gaps(0, book.last), None)
    return book.last if gap is None else gap[0] - 1


def watermarks(tx: Connection, ledger: Ledger, now: Instant) -> list[tuple[Stream, int]]:
    """Streams whose settled part has grown for a day since it was last written down."""
    due: list[tuple[Stream, int]] = []
    for stream in MESSAGES:
        upto = _settled_upto(ledger.books[stream])
        newest = tx.execute(_watermarks(stream)).all()[-1:]
        if newest:
            age = age_days(ledger.clocks.instant(newest[0].clock, newest[0].mono_ms), now)
            if upto <= newest[0].seq or (age is not None and 0 <= age < _WATERMARK_DAYS):
                continue
        if upto:
            due.append((stream, upto))
    return due


def write_watermark(tx: Connection, ledger: Ledger, stream: Stream, seq: int, now: Instant) -> None:
    table = schema.watermark
    row = {"stream": stream.value, "seq": seq, "clock": ledger.clocks.segment_of(now), "mono_ms": now.mono_ms}
    tx.execute(insert(table), row)


def remove(tx: Connection, removal: Removal) -> int:
    """Delete the rows; answers how many there were."""
    table = TABLES[removal.stream]
    rows = delete(table).where(table.c.seq.between(removal.first, removal.last))
    if removal.keep:
        rows = rows.where(table.c.seq.not_in(removal.keep))
    if removal.reason == "grace":
        marks = schema.watermark
        spent = (marks.c.stream == removal.stream.value, marks.c.seq < removal.last)
        tx.execute(delete(marks).where(*spent))
    return tx.execute(rows).rowcount


def _figure(removal: Removal) -> dict[str, str]:
    return {THINNED_UPTO: str(removal.last)} if removal.reason == "thinned" else {}


def write_figures(tx: Connection, ledger: Ledger, removals: Iterable[Removal]) -> None:
    """How many rows went, ever, and how far thinning has come."""
    for removal in removals:
        stream, reason = removal.stream, removal.reason
        rows = ledger.removed[stream, reason]
        put(tx, schema.removed, [{"stream": stream.value, "reason": reason, "rows": rows}])
        put(tx, schema.state, ({"key": key, "value": value} for key, value in _figure(removal).items()))


class Books:
    """The ledger's side of a call: entered before the commit, so that both are stored as one; undone if that fails."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._dropped = {key: note for key, note in ledger.notes.items() if note.kind is Kind.DROPPED}
        self._removed = dict(ledger.removed)
        self._unsent: list[tuple[Book, int, int]] = []
        self.rows: Counter[str] = Counter()

    def enter(self, removal: Removal, rows: int) -> None:
        book = self._ledger.books[removal.stream]
        if removal.reason != "thinned":
            for first, last in list(book.settled.gaps(removal.first - 1, removal.last)):
                self._ledger.drop(removal.stream, first, last, removal.reason)
                self._unsent.append((book, first, last))
            book.settle(removal.first, removal.last)
        key = (removal.stream, removal.reason)
        self._ledger.removed[key] = self._ledger.removed.get(key, 0) + rows
        self.rows[removal.reason] += rows

    @property
    def dropped(self) -> int:
        return sum(last - first + 1 for _, first, last in self._unsent)

    def closed(self, removals: Iterable[Removal]) -> Kept:
        """The commit succeeded: retention need not look at these again."""
        for removal in removals:
            book = self._ledger.books[removal.stream]
            book.floor = max(book.floor, removal.last + 1)
            if removal.stream in ESTIMATES:
                book.latest = {topic: seq for topic, seq in book.latest.items() if seq > removal.last}
            self._ledger.state |= _figure(removal)
        is_full_bite = any(rows >= BITE_ROWS // 2 for rows in self.rows.values())
        return Kept(dict(self.rows), self.dropped, is_full_bite)

    def undo(self) -> None:
        for book, first, last in self._unsent:
            book.settled.remove(first, last)
        for key in [key for key, note in self._ledger.notes.items() if note.kind is Kind.DROPPED]:
            del self._ledger.notes[key]
        self._ledger.notes.update(self._dropped)
        self._ledger.removed = self._removed
