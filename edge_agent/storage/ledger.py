"""What is known about the file without reading it: numbers given out, shapes, clocks, and what is settled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from heapq import merge
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from edge_agent.domain.instant import ClockState
from edge_agent.domain.message import VOLATILE, Message, Queued, Stream
from edge_agent.domain.reading import Channel, Sample
from edge_agent.storage import chain, schema
from edge_agent.storage.clocks import Clocks, Segment
from edge_agent.storage.interned import Interned
from edge_agent.storage.intervals import Intervals
from edge_agent.storage.packing import unpack
from edge_agent.storage.schema import MESSAGES, QUEUED, TABLES

# After a restart, a point silent for more than this many samples has no latest one until it speaks again.
LATEST_WITHIN = 10_000
VOLATILE_AHEAD = 1000  # volatile numbers promised to the disk at once
_REFUSED_APART = 1000  # refusals farther apart than this are noted separately


class Kind(StrEnum):
    REFUSED = "refused"  # by the broker, for good
    DROPPED = "dropped"  # by retention, before it was sent


@dataclass(frozen=True, slots=True)
class Note:
    """``rows`` messages from ``first`` to ``last`` that nobody will get unless they ask; dropped ones never."""

    stream: Stream
    kind: Kind
    first: int
    last: int
    rows: int
    reason: str

    @property
    def key(self) -> "NoteKey":
        return self.stream, self.kind, self.first


NoteKey = tuple[Stream, Kind, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a point's samples are made of."""

    point: str
    channels: tuple[Channel, ...]


@dataclass(slots=True)
class Book:
    """One stream's numbers."""

    last: int
    settled: Intervals  # accepted, refused or dropped
    again: Intervals  # settled, but asked for once more
    latest: dict[str, int]  # a retained topic, or a point, to its newest number
    floor: int = 1  # retention has been through everything below

    def ahead(self, after: int, upto: int) -> Iterator[tuple[int, int]]:
        """What is still to be sent, ascending; rows that retention took may be missing in it."""
        return merge(self.settled.gaps(after, upto), self.again.within(after + 1, upto))

    def ask_again(self, first: int, last: int) -> None:
        for span in list(self.settled.within(first, last)):
            self.again.add(*span)

    def settle(self, first: int, last: int) -> None:
        self.settled.add(first, last)
        self.again.remove(first, last)

    @property
    def pending(self) -> int:
        return self.last - self.settled.total + self.again.total


@dataclass(slots=True)
class Ledger:
    """All of it. The store's lock guards it; what is `fresh` or `changed` goes to the disk with the next commit."""

    shapes: Interned[Shape]
    faults: Interned[str]
    clocks: Clocks
    books: dict[Stream, Book]
    notes: dict[NoteKey, Note]
    removed: dict[tuple[Stream, str], int]  # rows that retention took away, ever, by reason
    state: dict[str, str]
    volatile: dict[Stream, int]
    head: str = chain.GENESIS  # hash of the record's last line
    changed_notes: set[NoteKey] = field(default_factory=set)

    def stored(self) -> None:
        """The transaction succeeded: its shapes, faults and clocks are on the disk."""
        for interned in (self.shapes, self.faults, self.clocks):
            interned.fresh.clear()

    @property
    def has_changes(self) -> bool:
        """Something waits to be written with the next commit."""
        spans = (spans for book in self.books.values() for spans in (book.settled, book.again))
        return bool(self.changed_notes) or any(found.changed for found in spans)

    def rows(self, stream: Stream) -> int:
        return self.books[stream].last - sum(rows for (of, _), rows in self.removed.items() if of is stream)

    def refuse(self, stream: Stream, seq: int, reason: str) -> None:
        """Refusals for one reason, close together, are one note: it may span messages that were accepted."""
        before = [note for note in self.noted(stream, Kind.REFUSED) if note.reason == reason]
        if before and before[-1].first <= seq <= before[-1].last + _REFUSED_APART:
            note = before[-1]
            self._note(Note(stream, Kind.REFUSED, note.first, max(seq, note.last), note.rows + 1, reason))
        else:
            self._note(Note(stream, Kind.REFUSED, seq, seq, 1, reason))

    def drop(self, stream: Stream, first: int, last: int, reason: str) -> None:
        for note in self.noted(stream, Kind.DROPPED):
            if note.last == first - 1 and note.reason == reason:
                first = note.first
        self._note(Note(stream, Kind.DROPPED, first, last, last - first + 1, reason))

    def _note(self, note: Note) -> None:
        self.notes[note.key] = note
        self.changed_notes.add(note.key)

    def noted(self, stream: Stream, kind: Kind) -> list[Note]:
        found = [note for note in self.notes.values() if note.stream is stream and note.kind is kind]
        return sorted(found, key=lambda note: note.first)

    def queued(self, stream: Stream, row: Any) -> Queued:
        """A row of the stream's table, all columns in their order, as the publisher takes it."""
        if stream is Stream.TELEMETRY:
            return Queued(stream, row[0], self.sample(row))
        seq, topic, body, clock, mono_ms, retain, expiry_s, correlation = row
        at = self.clocks.instant(clock, mono_ms)
        return Queued(stream, seq, Message(stream, topic, body, at, bool(retain), expiry_s, correlation))

    def sample(self, row: Any) -> Sample:
        _, number, clock, mono_ms, readings = row
        at = self.clocks.instant(clock, mono_ms)
        shape = self.shapes.values[number]
        return Sample(shape.point, at, unpack(readings, at, shape.channels, self.faults.values))

    def promises(self, at_least: int = VOLATILE_AHEAD // 2) -> dict[str, str]:
        """State rows that keep volatile numbers from repeating after a crash: a block ahead of those given out."""
        return {
            volatile_key(stream): str(number + VOLATILE_AHEAD)
            for stream, number in self.volatile.items()
            if int(self.state.get(volatile_key(stream), 0)) - number < at_least
        }


def volatile_key(stream: Stream) -> str:
    return f"volatile/{stream.value}"


def load(tx: Connection) -> Ledger:
    """Read all that is kept in RAM; the retained topics' tables are gone through once."""
    settled, again = _intervals(tx, schema.settled), _intervals(tx, schema.again)
    shapes = Interned((row.id, Shape(row.point, channels_of(row.channels))) for row in tx.execute(select(schema.shape)))
    books = {}
    for stream in QUEUED:
        seq = TABLES[stream].c.seq
        first, last = tx.scalar(select(func.min(seq))) or 1, tx.scalar(select(func.max(seq))) or 0
        # Numbers that were given to rows a card has lost since are settled, and never given again.
        last = max(last, *(upto for _, upto in settled.get(stream, ())), 0)
        books[stream] = Book(
            last=last,
            settled=settled.get(stream, Intervals()),
            again=again.get(stream, Intervals()),
            latest=_latest_retained(tx, stream) if stream in MESSAGES else _latest_samples(tx, shapes, last),
            floor=first,
        )
    notes = [
        Note(Stream(row.stream), Kind(row.kind), row.first, row.last, row.rows, row.reason)
        for row in tx.execute(select(schema.note))
    ]
    state = {row.key: row.value for row in tx.execute(select(schema.state))}
    segments = [
        (row.id, Segment(row.boot, row.offset_ms, ClockState(row.state)))
        for row in tx.execute(select(schema.clock).order_by(schema.clock.c.id))
    ]
    return Ledger(
        shapes=shapes,
        faults=Interned((row.id, row.code) for row in tx.execute(select(schema.fault))),
        clocks=Clocks(segments),
        books=books,
        notes={note.key: note for note in notes},
        removed={(Stream(row.stream), row.reason): row.rows for row in tx.execute(select(schema.removed))},
        state=state,
        volatile={stream: int(state.get(volatile_key(stream), 0)) for stream in VOLATILE},
        head=_head(tx),
    )


def _head(tx: Connection) -> str:
    record = TABLES[Stream.RECORD]
    body = tx.scalar(select(record.c.body).order_by(record.c.seq.desc()).limit(1))
    return chain.GENESIS if body is None else chain.hash_of(body)


def _intervals(tx: Connection, table: Table) -> dict[Stream, Intervals]:
    rows = tx.execute(select(table).order_by(table.c.stream, table.c.first))
    return {
        Stream(stream): Intervals((row.first, row.last) for row in found)
        for stream, found in groupby(rows, key=lambda row: row.stream)
    }


def _latest_retained(tx: Connection, stream: Stream) -> dict[str, int]:
    if stream is Stream.RECORD:
        return {}  # years of lines, and none of them retained
    table = TABLES[stream]
    newest = select(table.c.topic, func.max(table.c.seq)).where(table.c.retain == 1).group_by(table.c.topic)
    return {topic: seq for topic, seq in tx.execute(newest)}


def _latest_samples(tx: Connection, shapes: Interned[Shape], last: int) -> dict[str, int]:
    columns = schema.telemetry.c
    newest = func.max(columns.seq)
    late = select(columns.shape, newest).where(columns.seq > last - LATEST_WITHIN).group_by(columns.shape)
    return {shapes.values[number].point: seq for number, seq in tx.execute(late.order_by(newest))}


def channels_of(names: str) -> tuple[Channel, ...]:
    parts = (name.rpartition("/") for name in names.split("\n") if name)
    return tuple(Channel(place, quantity) for place, _, quantity in parts)


Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Changes:
    """Marks and notes as they were at one moment; what changes later waits for the next commit."""

    spans: list[tuple[Intervals, set[int]]]
    notes: set[NoteKey]
    put: list[tuple[Table, list[Row]]]
    gone: list[tuple[Table, list[Row]]]

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)


def take_changes(ledger: Ledger) -> Changes:
    """Under the lock. Hand them to ``put_back`` when the transaction fails."""
    changes = Changes([], ledger.changed_notes, [], [])
    ledger.changed_notes = set()
    for table in (schema.settled, schema.again):
        put: list[Row] = []
        gone: list[Row] = []
        for stream, book in ledger.books.items():
            spans = book.settled if table is schema.settled else book.again
            if not spans.changed:
                continue
            changes.spans.append((spans, spans.changed))
            for first in spans.changed:
                last = spans.last_of(first)
                if last is None:
                    gone.append({"of_stream": stream.value, "of_first": first})
                else:
                    put.append({"stream": stream.value, "first": first, "last": last})
            spans.changed = set()
        changes.put.extend([(table, put)] if put else [])
        changes.gone.extend([(table, gone)] if gone else [])
    if changes.notes:
        noted = [_note_row(ledger.notes[key]) for key in changes.notes if key in ledger.notes]
        changes.put.append((schema.note, noted))
    return changes


def put_back(ledger: Ledger, changes: Changes) -> None:
    for spans, changed in changes.spans:
        spans.changed |= changed
    ledger.changed_notes |= changes.notes


def write_changes(tx: Connection, changes: Changes) -> None:
    for table, keys in changes.gone:
        tx.execute(_deletion(table), keys)
    for table, rows in changes.put:
        put(tx, table, rows)


def write_fresh(tx: Connection, ledger: Ledger) -> None:
    """Shapes, faults and clocks that rows of this transaction refer to."""
    rows: dict[Table, list[Row]] = {
        schema.shape: [
            {"id": number, "point": shape.point, "channels": "\n".join(channel.name for channel in shape.channels)}
            for number, shape in ledger.shapes.fresh
        ],
        schema.fault: [{"id": number, "code": code} for number, code in ledger.faults.fresh],
        schema.clock: [
            {"id": number, "boot": segment.boot, "offset_ms": segment.offset_ms, "state": segment.state.value}
            for number, segment in ledger.clocks.fresh
        ],
    }
    for table, fresh in rows.items():
        if fresh:
            tx.execute(insert(table), fresh)


def put(tx: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert each row, or put it in the place of the one with its key."""
    if found := list(rows):
        tx.execute(_replacement(table), found)


@cache
def _replacement(table: Table) -> Insert:
    statement = sqlite_insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)


@cache
def _deletion(table: Table) -> Any:
    return delete(table).where(table.c.stream == bindparam("of_stream"), table.c.first == bindparam("of_first"))


def _note_row(note: Note) -> Row:
    return {
        "stream": note.stream.value,
        "kind": note.kind.value,
        "first": note.first,
        "last": note.last,
        "rows": note.rows,
        "reason": note.reason,
    }
