"""The chain of the record: every line carries the hash of the line before it and its own. Pure.

A line is one JSON object in its canonical form (RFC 8785: keys sorted, no blanks), with its own hash as the last
member. The hash is SHA-256 over the object without that member; its number and the hash of the line before are
inside. So whoever holds one line, on the disk or from the broker, can check it, and two lines tell of everything
between them.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edge_agent.domain.instant import Instant
from edge_agent.domain.record import NODE_RECORD, ChainFault, RecordKind, head_of

GENESIS = "0" * 64  # before the first line
_HASH_BYTES = 75  # of `,"hash":"<64 digits>"}`
_decode = json.JSONDecoder().raw_decode
_LOOK_AHEAD = 10_000  # rows that do not hold what they say, one after another


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain: who knows it knows all before it."""

    epoch: str
    line: int
    hash: str

    def written(self) -> str:
        """
        >>> Head.parsed(Head("k3f9", 812, "ab").written())
        Head(epoch='k3f9', line=812, hash='ab')
        """
        return json.dumps({"epoch": self.epoch, "line": self.line, "hash": self.hash}, separators=(",", ":"))

    @classmethod
    def parsed(cls, text: str | bytes) -> "Head":
        """Raises ValueError, KeyError or TypeError for what ``written`` never wrote."""
        found = json.loads(text)
        return cls(str(found["epoch"]), int(found["line"]), str(found["hash"]))


class Row(NamedTuple):  # a tuple: of these there are some hundred thousand
    """As it lies in a file."""

    number: int
    topic: str
    body: bytes


class Line(NamedTuple):
    """A row whose content is what was sealed, or at least can be read."""

    row: Row
    content: Mapping[str, Any]  # without its hash
    hash: str  # computed
    is_sound: bool
    stated: str = ""  # the hash it carries

    @property
    def number(self) -> int:
        found = self.content.get("line")
        return found if type(found) is int else 0

    @property
    def prev(self) -> object:
        return self.content.get("prev")

    @property
    def at(self) -> str:
        return str(self.content.get("at", ""))

    @property
    def original(self) -> str:
        """The hash it was first sealed with: a line that came over from another file is the same line."""
        carried = self.content.get("carried")
        return str(carried["hash"]) if isinstance(carried, dict) and "hash" in carried else self.hash


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(body: bytes, number: int, prev: str) -> bytes:
    """The line as it is stored and told. One that was sealed in another file keeps its old place as ``carried``.

    >>> sealed(b'{"b":1,"a":2}', 1, "00")[:35]
    b'{"a":2,"b":1,"line":1,"prev":"00","'
    """
    content = json.loads(body)
    if {"line", "prev", "hash"} <= content.keys():
        content.setdefault("carried", {"line": content["line"], "hash": content["hash"]})
        del content["hash"]
    text = _canonical({**content, "line": number, "prev": prev})
    return text[:-1] + b',"hash":"%b"}' % hashlib.sha256(text).hexdigest().encode()


def hash_of(body: bytes) -> str:
    """The hash that a stored line carries; of one that carries none, of its bytes: the chain goes on behind it."""
    return _stated(body) or hashlib.sha256(body).hexdigest()


def _stated(body: bytes) -> str:
    tail = body[-_HASH_BYTES:]
    return tail[9:-2].decode("ascii", "replace") if tail.startswith(b',"hash":"') and tail.endswith(b'"}') else ""


def read(row: Row) -> Line:
    """Never raises: a row that holds anything else is a line that is not sound."""
    text = row.body[:-_HASH_BYTES] + b"}"
    found, stated = hashlib.sha256(text).hexdigest(), _stated(row.body)
    try:
        decoded = text.decode()
        content, end = _decode(decoded)
        content = content if end == len(decoded) else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return Line(row, {}, found, False, stated)
    is_sound = found == stated and row.topic == f"record/{content.get('place') or NODE_RECORD}"
    return Line(row, content, found, is_sound and type(content.get("line")) is int, stated)


class Walk:
    """Goes through the rows of one file in their order: gives each line, and gathers what is wrong."""

    def __init__(self, file: str, *, is_damaged: bool = False) -> None:
        """``is_damaged``: set aside because it cannot be read whole, so that missing rows are no surprise."""
        self.file, self._is_damaged = file, is_damaged
        self.faults: list[ChainFault] = []
        self.count = 0
        self.first: Line | None = None
        self.last: Line | None = None  # in its place in the chain
        self._number = 0  # of the last line
        self._hash = GENESIS  # what the next line must name; empty: nobody can tell
        self._shift = 0  # row less line

    def lines(self, rows: Iterable[Row]) -> Iterator[Line]:
        """Those that can be read, sound or not."""
        coming = map(read, rows)
        ahead: deque[Line] = deque()
        while True:
            line = ahead.popleft() if ahead else next(coming, None)
            if line is None:
                return
            self.count += 1
            if line.is_sound:
                self._take_sound(line, ahead, coming)
            else:
                self._take_unsound(line, ahead, coming)
            if line.content:
                yield line

    def _take_sound(self, line: Line, ahead: deque[Line], coming: Iterator[Line]) -> None:
        known, row, number = len(self.faults), line.row.number, line.number
        if self.first is None:
            self.first, self._shift = line, row - number
        elif number <= self._number:
            if not self._replaces(line, ahead, coming):
                self._fault(row, "inserted", f"row {row} holds line {number} a second time")
                self._shift += 1
                return
            forged = row - 1
            self._fault(forged, "inserted", f"row {forged} passes for line {number}, and no line after it knows it")
        elif number > self._number + 1:
            self._missing(self._number + 1, number - 1)
        elif self._hash and line.prev != self._hash:
            words = f"line {self._number} is not the one that line {number} was written after"
            self._fault(self._number, "changed", words)
        if row - number != self._shift and len(self.faults) == known:
            self._fault(row, "changed", f"row {row} holds line {number}: it was renumbered")
        self.last, self._number, self._hash, self._shift = line, number, line.hash, row - number

    def _replaces(self, line: Line, ahead: deque[Line], coming: Iterator[Line]) -> bool:
        """Of two sound lines with one number, the next line says which it was written after."""
        if self.last is None or line.number != self._number or line.hash == self._hash:
            return False
        following = next(_all_ahead(ahead, coming), None)
        return following is not None and following.prev == line.hash

    def _take_unsound(self, line: Line, ahead: deque[Line], coming: Iterator[Line]) -> None:
        following = next((found for found in _all_ahead(ahead, coming) if found.is_sound), None)
        if following is not None and self.first is not None and following.number <= self._number + 1:
            self._fault(line.row.number, "inserted", f"row {line.row.number} is no line of the chain")
            self._shift += 1
            return
        number = line.row.number - self._shift
        if number > self._number + 1 and self.first is not None:
            self._missing(self._number + 1, number - 1)
        if self.first is None:
            self.first = line
        self._fault(number, "changed", f"line {number} does not match its hash: its content is not what was written")
        self.last, self._number, self._hash = line, number, ""

    def _missing(self, first: int, last: int) -> None:
        what = "unreadable" if self._is_damaged else "removed"
        verb = "cannot be read" if self._is_damaged else "is missing" if first == last else "are missing"
        self._fault(first, what, f"line {first} {verb}" if first == last else f"lines {first} to {last} {verb}")

    def _fault(self, number: int, what: str, words: str) -> None:
        at = self.last.at if self.last is not None else ""
        self.faults.append(ChainFault(self.file, number, what, words, at))

    def close(self, heads: Sequence[tuple[str, Head]], pruned: Mapping[int, str], given: int = 0) -> None:
        """What only the whole tells. ``heads``: (who says so, known lines of this file); ``given``: numbers given.

        ``pruned``: lines up to which retention took them, by the chain's own word, and their hashes.
        """
        self._look_at_the_beginning(pruned)
        upto = max([given, *(head.line for _, head in heads)], default=0)
        if upto > self._number and not self._is_damaged:
            who = ", ".join(sorted({who for who, head in heads if head.line > self._number})) or "the outbox"
            self._missing(self._number + 1, upto)
            self.faults[-1] = _told_by(self.faults[-1], who)

    def _look_at_the_beginning(self, pruned: Mapping[int, str]) -> None:
        first = self.first
        if first is None:
            return
        number = first.number if first.is_sound else first.row.number
        if number > 1 and number - 1 not in pruned:
            self._missing(max((upto for upto in pruned if upto < number), default=0) + 1, number - 1)
        elif number > 1 and first.is_sound and first.prev != pruned[number - 1]:
            self._fault(number, "changed", f"line {number} does not follow line {number - 1}, which was deleted")
        elif number == 1 and first.is_sound and first.prev != GENESIS:
            self._fault(1, "changed", "line 1 names a line before it")


def _told_by(fault: ChainFault, who: str) -> ChainFault:
    return ChainFault(fault.file, fault.number, fault.what, f"{fault.words} at the end: {who} knows of them", fault.at)


def _all_ahead(ahead: deque[Line], coming: Iterator[Line]) -> Iterator[Line]:
    """The lines to come, which stay to be taken."""
    yield from list(ahead)
    while len(ahead) < _LOOK_AHEAD and (found := next(coming, None)) is not None:
        ahead.append(found)
        yield found


def disagreement(file: str, line: Line, heads: Sequence[tuple[str, Head]]) -> ChainFault | None:
    """A line that somebody else remembers otherwise: the chain was written anew from there, or before."""
    for who, head in heads:
        if head.line == line.number and head.hash != line.hash:
            words = f"line {line.number} is not the one that {who} knows: the chain up to it was written anew"
            return ChainFault(file, line.number, "changed", words, line.at)
    return None


def opening(after: str | None, epoch: str, at: Instant) -> bytes:
    """The body of a file's first line. ``after``: the last head known of the file before, as ``Head.written``."""
    body = head_of(RecordKind.CHAIN, at) | {"epoch": epoch}
    return _canonical(body | ({"after": json.loads(after)} if after else {}))


def pruned(upto: int, hash: str, at: Instant) -> bytes:
    """The body of the line that says what retention took, before it takes it."""
    return _canonical(head_of(RecordKind.PRUNED, at) | {"upto": upto, "upto_hash": hash})


def after_of(line: Line) -> Head | None:
    """The head that a file's first line names."""
    found = line.content.get("after")
    try:
        return None if found is None else Head(str(found["epoch"]), int(found["line"]), str(found["hash"]))
    except (KeyError, TypeError, ValueError):
        return None
