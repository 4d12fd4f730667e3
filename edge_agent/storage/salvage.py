"""What is to be got out of a file that was set aside: everything accepted that the broker has not acknowledged.

Messages (ledger, alarms, state, answers) are few and are copied into the new file with its epoch, in one transaction;
telemetry stays where it is and is told from there, see ``annex``. Rows are looked at as strangers: SQLite keeps no
checksums, so what is not of the types we write, or no JSON, counts as unreadable.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from edge_agent.domain.command import ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.storage import schema
from edge_agent.storage.annex import STATE, Part, old_spans, parsed
from edge_agent.storage.chain import Head, hash_of
from edge_agent.storage.clocks import Clocks, Segment
from edge_agent.storage.interned import Interned
from edge_agent.storage.intervals import Intervals
from edge_agent.storage.ledger import Ledger, Shape, channels_of
from edge_agent.storage.schema import MESSAGES, QUEUED, TABLES
from edge_agent.storage.wreck import Row, Span, Wreck, second_name

UNKNOWN_BOOT = "unreadable"  # of a message whose clock segment is lost
# Telemetry, when nobody can tell any more what the broker has of it: the newest so many numbers are told again. That
# is two hours of 16 sensors at 1 Hz; a whole history told twice would be weeks of it.
DOUBTFUL_ROWS = 100_000
_INBOX_ROWS = 1000
_MOST_SPANS = 10_000  # of waiting telemetry, the newest: more would be a row of a megabyte in `state`
_CLOCK_STATES = frozenset(state.value for state in ClockState)
_RESULTS = frozenset(code.value for code in ResultCode)


@dataclass(frozen=True, slots=True)
class Legend:
    """What the small numbers in a file's rows stand for."""

    shapes: Interned[Shape]
    faults: Interned[str]
    clocks: Clocks


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of one stream: the numbers that the broker has not acknowledged, and the newest of each retained topic."""

    spans: tuple[Span, ...] = ()
    is_known: bool = True  # False: they may have been accepted, or taken by retention, long ago
    latest: Mapping[str, int] = field(default_factory=dict)  # retained topics only

    @property
    def rows(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    @property
    def last(self) -> int:
        return self.spans[-1][1] if self.spans else 0


@dataclass(slots=True)
class Salvage:
    """A file set aside, and what is to be got out of it."""

    aside: Path
    wreck: Wreck
    legend: Legend
    wanted: Mapping[Stream, Wanted]
    memory: Mapping[str, bytes]
    inbox: Sequence[Mapping[str, Any]]  # rows without their id
    annex: str | None  # of the file itself: it still told of an earlier one, see ``annex``
    head: Head | None = None  # of the record: the last line that is known of

    @property
    def place(self) -> str:
        """Of the file to read, below the directory."""
        return str(self.wreck.path.relative_to(self.aside.parent))


def survey(aside: Path, before: Ledger | None) -> Salvage:
    """``before``: what was known of the file while it was in use, if it was; else its own tables are asked.

    Raises StorageError when nothing can be read.
    """
    wreck = Wreck.open(second_name(aside))
    try:
        if before is not None:
            legend = Legend(before.shapes, before.faults, before.clocks)
            wanted = {stream: _known(before, stream) for stream in QUEUED}
            head = Head(before.state["epoch"], before.books[Stream.RECORD].last, before.head)
            known = head if head.line else None
            return Salvage(aside, wreck, legend, wanted, {}, _commands(wreck), before.state.get(STATE), known)
        state = _pairs(wreck, schema.state, str)
        annex = state.get(STATE)
        wanted = _wanted(wreck, sum(part.rows for part in parsed(annex)))
        return Salvage(
            *(aside, wreck, _legend(wreck), wanted, _pairs(wreck, schema.memory, bytes), _commands(wreck), annex),
            _last_line(wreck, state.get("epoch", "")),
        )
    except BaseException:
        wreck.close()
        raise


def _last_line(wreck: Wreck, epoch: str) -> Head | None:
    """The last line of the record that can be read."""
    extent = wreck.extent(Stream.RECORD)
    if extent is None:
        return None
    rows = wreck.rows(Stream.RECORD, extent[1], extent[1], "seq, body")
    return next((Head(epoch, seq, hash_of(body)) for seq, body in rows if type(body) is bytes), None)


def _known(ledger: Ledger, stream: Stream) -> Wanted:
    book = ledger.books[stream]
    latest = dict(book.latest) if stream in MESSAGES else {}
    spans = Intervals(book.ahead(0, book.last))
    for seq in latest.values():
        spans.add(seq)
    return Wanted(tuple(spans), True, latest)


def _pairs(wreck: Wreck, table: Table, kind: type) -> dict[str, Any]:
    return {row["key"]: row["value"] for row in wreck.table(table)[0] if _are(row, key=str, value=kind)}


def _wanted(wreck: Wreck, elsewhere: int) -> dict[Stream, Wanted]:
    """``elsewhere``: so many numbers of telemetry are rows of an earlier file."""
    settled, is_settled_whole = _spans(wreck, schema.settled)
    again, is_again_whole = _spans(wreck, schema.again)
    wanted = {}
    for stream in QUEUED:
        first, last = wreck.extent(stream) or (1, 0)
        if stream is Stream.TELEMETRY and elsewhere:
            first, last = 1, max(last, elsewhere)
        is_known = is_settled_whole and is_again_whole
        if stream is Stream.TELEMETRY and not is_known:
            first = max(first, last - DOUBTFUL_ROWS + 1)
        spans = Intervals(settled.get(stream, Intervals()).gaps(first - 1, last))
        for span in again.get(stream, Intervals()).within(first, last):
            spans.add(*span)
        latest = _latest(wreck, stream, first, last) if stream in MESSAGES and stream is not Stream.RECORD else {}
        for seq in latest.values():
            spans.add(seq)
        wanted[stream] = Wanted(tuple(spans), is_known, latest)
    return wanted


def _spans(wreck: Wreck, table: Table) -> tuple[dict[Stream, Intervals], bool]:
    rows, is_whole = wreck.table(table)
    spans: dict[Stream, Intervals] = {}
    for row in rows:
        if _are(row, stream=str, first=int, last=int) and row["stream"] in QUEUED and 0 < row["first"] <= row["last"]:
            spans.setdefault(Stream(row["stream"]), Intervals()).add(row["first"], row["last"])
        else:
            is_whole = False
    return spans, is_whole


def _latest(wreck: Wreck, stream: Stream, first: int, last: int) -> dict[str, int]:
    return {topic: seq for seq, topic, retain in wreck.rows(stream, first, last, "seq, topic, retain") if retain == 1}


def _legend(wreck: Wreck) -> Legend:
    shapes = [row for row in wreck.table(schema.shape)[0] if _are(row, id=int, point=str, channels=str)]
    faults = [row for row in wreck.table(schema.fault)[0] if _are(row, id=int, code=str)]
    clocks = [row for row in wreck.table(schema.clock)[0] if _are(row, id=int, boot=str, offset_ms=int, state=str)]
    return Legend(
        Interned((row["id"], Shape(row["point"], channels_of(row["channels"]))) for row in shapes),
        Interned((row["id"], row["code"]) for row in faults),
        Clocks(
            (row["id"], Segment(row["boot"], row["offset_ms"], ClockState(row["state"])))
            for row in clocks
            if row["state"] in _CLOCK_STATES
        ),
    )


def _commands(wreck: Wreck) -> list[Mapping[str, Any]]:
    """The newest rows of the inbox: those that wait, and those that tell a command sent twice."""
    rows, _ = wreck.table(schema.inbox)
    texts = {name: str for name in ("cmd_id", "verb", "arguments", "source", "boot", "clock")}
    return [
        {key: value for key, value in row.items() if key != "id"}
        for row in sorted(rows, key=lambda row: row["id"])[-_INBOX_ROWS:]
        if _are(row, mono_ms=int, wall_ms=int, **texts)
        and row["clock"] in _CLOCK_STATES
        and _is_object(row["arguments"])
        and _may_be(row, expires_s=float, response_topic=str, correlation=bytes)
        and (row["code"] is None or _is_result(row))
    ]


def _is_result(row: Mapping[str, Any]) -> bool:
    return (
        _are(row, code=str, message=str, detail=str, done_boot=str, done_mono_ms=int, done_wall_ms=int, done_clock=str)
        and row["code"] in _RESULTS
        and row["done_clock"] in _CLOCK_STATES
        and _is_object(row["detail"])
    )


def _are(row: Mapping[str, Any], **types: type) -> bool:
    return all(type(row[key]) is wanted for key, wanted in types.items())


def _may_be(row: Mapping[str, Any], **types: type) -> bool:
    return all(row[key] is None or type(row[key]) is wanted for key, wanted in types.items())


def _is_object(text: str | bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


# --- messages -------------------------------------------------------------------------------------------------------


def messages(found: Salvage, stream: Stream) -> Iterator[Message]:
    """In their old order, as new ones. Raises StorageError when the file was closed meanwhile.

    The newest of each retained topic comes along though the broker has it: else an older one that waits would pass
    for the newest. Where the newest cannot be read, the older ones of its topic go as history only.
    """
    wanted = found.wanted.get(stream, Wanted())
    rows = (row for first, last in wanted.spans for row in found.wreck.rows(stream, first, last))
    lost = {topic for topic, seq in wanted.latest.items() if not _is_readable(found, stream, seq)}
    for row in rows:
        message = _message(stream, row, found.legend.clocks)
        if message is not None:
            yield replace(message, retain=False) if message.topic in lost else message


def _is_readable(found: Salvage, stream: Stream, seq: int) -> bool:
    return any(_message(stream, row, found.legend.clocks) for row in found.wreck.rows(stream, seq, seq))


def _message(stream: Stream, row: Row, clocks: Clocks) -> Message | None:
    """None for a row that we never wrote. A lost clock costs the wall time, not the message."""
    found = dict(zip(TABLES[stream].c.keys(), row, strict=True))
    is_ours = _are(found, topic=str, body=bytes, clock=int, mono_ms=int, retain=int) and found["retain"] in (0, 1)
    if not (is_ours and _may_be(found, expiry_s=int, correlation=bytes) and _is_object(found["body"])):
        return None
    mono_ms, retain = found["mono_ms"], bool(found["retain"])
    at = Instant(mono_ms, mono_ms, UNKNOWN_BOOT, ClockState.UNSYNCED)
    if found["clock"] in clocks.values:
        at = clocks.instant(found["clock"], mono_ms)
    return Message(stream, found["topic"], found["body"], at, retain, found["expiry_s"], found["correlation"])


# --- telemetry ------------------------------------------------------------------------------------------------------


def parts_of(found: Salvage, ledger: Ledger) -> list[Part]:
    """What waits in the file, after what the file itself still had waiting in earlier ones.

    What the rows refer to is entered into the new file's ledger, which is still to be written.
    """
    wanted, legend = found.wanted.get(Stream.TELEMETRY, Wanted()), found.legend
    shapes = {number: ledger.shapes.number_of(shape) for number, shape in legend.shapes.values.items()}
    faults = {number: ledger.faults.number_of(code) for number, code in legend.faults.values.items()}
    clocks = {number: ledger.clocks.number_of(segment) for number, segment in legend.clocks.values.items()}
    parts, upto = [], 0
    for part in parsed(found.annex):
        first, upto = upto + 1, upto + part.rows
        spans = tuple(
            old for span in _within(wanted.spans, first, upto) for _, old in old_spans(part.spans, first, *span)
        )
        maps = _chained(part.shapes, shapes), _chained(part.faults, faults), _chained(part.clocks, clocks)
        parts.append(Part(part.path, spans[-_MOST_SPANS:], part.is_known, *maps))
    own = tuple(_within(wanted.spans, upto + 1, wanted.last))
    parts.append(Part(found.place, own[-_MOST_SPANS:], wanted.is_known, shapes, faults, clocks))
    return [part for part in parts if part.spans]


def _chained(first: Mapping[int, int], second: Mapping[int, int]) -> dict[int, int]:
    return {number: second[between] for number, between in first.items() if between in second}


def _within(spans: Sequence[Span], low: int, high: int) -> Iterator[Span]:
    for first, last in spans:
        if first <= high and last >= low:
            yield max(first, low), min(last, high)


# --- what became of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was got out of the file set aside last: kept in the new one, for health and the log."""

    file: str
    saved: Mapping[str, int]  # messages by stream, as new ones
    lost: Mapping[str, int]  # messages that waited and cannot be read
    telemetry: int  # numbers that wait in files set aside, or did
    shop: int = 0  # rows of the shop's days
    is_shop_whole: bool = True

    def written(self) -> str:
        found = [self.file, dict(self.saved), dict(self.lost), self.telemetry, self.shop, self.is_shop_whole]
        return json.dumps(found)

    @classmethod
    def parsed(cls, text: str) -> "Salvaged":
        return cls(*json.loads(text))

    def words(self, waiting: int, unreadable: int) -> str:
        """``waiting``, ``unreadable``: of the telemetry, by now.

        >>> Salvaged("a.corrupt-1", {"event": 3}, {"stock": 1}, 900).words(500, 20)
        'a.corrupt-1: saved event 3; unreadable stock 1; telemetry 900, of which 500 wait there and 20 are unreadable'
        """
        parts = [
            f"{word} {', '.join(f'{stream} {rows}' for stream, rows in rows_of.items() if rows)}"
            for word, rows_of in (("saved", self.saved), ("unreadable", self.lost))
            if any(rows_of.values())
        ]
        if self.telemetry:
            parts.append(f"telemetry {self.telemetry}, of which {waiting} wait there and {unreadable} are unreadable")
        if self.shop:
            parts.append(f"{self.shop} rows of sales and plans")
        if not self.is_shop_whole:
            parts.append("some sales and plans are unreadable: import the till's files again, in their order")
        return f"{self.file}: {'; '.join(parts) or 'nothing waited in it that can be read'}"
