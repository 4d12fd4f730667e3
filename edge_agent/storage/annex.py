"""Telemetry that waits in files set aside: the first numbers of the new file, read from where they lie.

A file of 512 MB that was damaged may hold millions of rows the broker has not acknowledged. Copying them would hold
the cycle up, wear the card and need its room twice. So nothing is copied: numbers 1 to N of the new epoch stand for
the old rows in their old order, and are read from the damaged file when the publisher comes to them, on its thread. One
row of ``state`` says which number is which; it is written with the epoch, in one transaction. What was told is settled
as for every other row, in the new file: that is the progress, and a kill neither loses nor doubles more than it does
for other rows. Numbers that cannot be read are noted as dropped when somebody comes to them.
"""

import json
import logging
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Queued, Stream
from edge_agent.domain.reading import Sample
from edge_agent.storage.errors import StorageError
from edge_agent.storage.ledger import Ledger
from edge_agent.storage.packing import unpack
from edge_agent.storage.wreck import FOLDER, Row, Span, Wreck

log = logging.getLogger(__name__)

STATE = "annex"  # its key in the table state
DAMAGED = "damaged"  # why numbers are dropped that cannot be read
SET_ASIDE = "set aside"  # and why rows that have numbers are not in the file


@dataclass(frozen=True, slots=True)
class Part:
    """One damaged file. The maps lead from the small numbers in its rows to those of the new file."""

    path: str  # below the directory
    spans: tuple[Span, ...]
    is_known: bool  # False: a number that is missing may have been gone before
    shapes: Mapping[int, int]
    faults: Mapping[int, int]
    clocks: Mapping[int, int]

    @property
    def rows(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)


def old_spans(spans: Sequence[Span], begins: int, first: int, last: int) -> Iterator[tuple[int, Span]]:
    """(number in the new file, span of old ones), where the spans' first number is called ``begins`` now.

    >>> list(old_spans([(5, 7), (20, 29)], 1, 2, 6))
    [(2, (6, 7)), (4, (20, 22))]
    """
    for low, high in spans:
        ends = begins + high - low
        if first <= ends and last >= begins:
            start, end = max(first, begins), min(last, ends)
            yield start, (low + start - begins, low + end - begins)
        begins = ends + 1


def written(parts: Sequence[Part]) -> str:
    """The row of ``state``."""
    return json.dumps([[p.path, p.spans, p.is_known, *map(_pairs, (p.shapes, p.faults, p.clocks))] for p in parts])


def _pairs(numbers: Mapping[int, int]) -> list[Span]:
    return list(numbers.items())


def parsed(text: str | None) -> list[Part]:
    """A row that cannot be read tells of nothing."""
    try:
        return [
            Part(path, tuple((first, last) for first, last in spans), is_known, *(dict(pairs) for pairs in maps))
            for path, spans, is_known, *maps in (json.loads(text) if text else ())
        ]
    except (ValueError, TypeError) as error:
        log.error("what waits in files set aside is lost: %r", error)
        return []


class Annex:
    """Numbers 1 to ``last`` of the telemetry. Safe to use from several threads."""

    def __init__(self, directory: Path, parts: Sequence[Part], ledger: Ledger) -> None:
        self._parts = parts
        self._ledger = ledger
        self._wrecks: list[Wreck | None] = [_opened(directory, part) for part in parts]
        self.last = sum(part.rows for part in parts)

    @classmethod
    def of(cls, directory: Path, ledger: Ledger) -> "Annex | None":
        parts = parsed(ledger.state.get(STATE))
        return cls(directory, parts, ledger) if parts else None

    def close(self) -> None:
        for wreck in self._wrecks:
            if wreck is not None:
                wreck.close()

    def is_of(self, ledger: Ledger) -> bool:
        return ledger is self._ledger

    def read(self, first: int, last: int, limit: int) -> list[Queued]:
        """The readable ones among these numbers, ascending; fewer than ``limit`` only when there are no more."""
        return list(islice(self._samples(first, last), limit))

    def newest_before(self, is_before: Callable[[Instant], bool]) -> int:
        """The largest number whose instant is before, where all before come first; 0: none. Looks at some 25 rows."""
        low, high = 0, self.last + 1
        while low + 1 < high:
            middle = (low + high) // 2
            row = next(self._samples(middle, high - 1), None)
            if row is not None and is_before(row.at):
                low = row.seq
            else:
                high = middle
        return low

    def is_known(self, number: int) -> bool:
        """Whether the row was there, so that it is damage when it cannot be read."""
        return next((part.is_known for _, _, part, _ in self._pieces(number, number)), False)

    def _samples(self, first: int, last: int) -> Iterator[Queued]:
        for wreck, number, part, (low, high) in self._pieces(first, last):
            if wreck is None:
                continue
            faults = {old: self._ledger.faults.values[new] for old, new in part.faults.items()}
            for row in wreck.rows(Stream.TELEMETRY, low, high):
                sample = self._sample(part, faults, row)
                if sample is not None:
                    yield Queued(Stream.TELEMETRY, number + row[0] - low, sample)

    def _pieces(self, first: int, last: int) -> Iterator[tuple[Wreck | None, int, Part, Span]]:
        begins = 1
        for wreck, part in zip(self._wrecks, self._parts, strict=True):
            for number, span in old_spans(part.spans, begins, first, last):
                yield wreck, number, part, span
            begins += part.rows

    def _sample(self, part: Part, faults: Mapping[int, str], row: Row) -> Sample | None:
        """None for a row that we never wrote."""
        _, shape_number, clock, mono_ms, readings = row
        if type(mono_ms) is not int or type(readings) is not bytes:
            return None
        with suppress(LookupError, ValueError, TypeError, struct.error):
            shape = self._ledger.shapes.values[part.shapes[shape_number]]
            at = self._ledger.clocks.instant(part.clocks[clock], mono_ms)
            return Sample(shape.point, at, unpack(readings, at, shape.channels, faults))
        return None


def _opened(directory: Path, part: Part) -> Wreck | None:
    try:
        return Wreck.open(directory / part.path)
    except StorageError as error:
        log.error("%d rows of telemetry that waited in it are lost: %s", part.rows, error)
        return None


def tidy(directory: Path, text: str | None) -> None:
    """Remove the second names of files in which nothing waits any more: they would keep the room of deleted ones."""
    used = {directory / part.path for part in parsed(text)}
    folder = directory / FOLDER
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.with_name(path.name.removesuffix("-wal").removesuffix("-shm")) not in used:
                path.unlink()
        if not used:
            folder.rmdir()
