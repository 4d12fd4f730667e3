"""Recorded traces: CSV files as loggers leave them, read into compact arrays and put into playing order.

Nothing here guesses. A cell that is not wholly a number is no number, a row without a readable stamp is set
aside with its line and the reason, and a stamp that goes back is a step of the logger's clock, not of time.

A row costs about 8 bytes for each of: stamp, playing time, order, and each of its values (+ 1 for its state).
"""

import csv
import difflib
import gzip
import math
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import IntEnum
from pathlib import Path
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge_agent.drivers.errors import BoardError

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)  # float() would take "1_0", "nan", "１"
GZIP_MAGIC = b"\x1f\x8b"
DEFAULT_INTERVAL_S = 60.0  # of a trace too short to have one
EARLIEST_S = 0.0  # 1970: loggers that lost their clock start there
LATEST_S = 4_102_444_800.0  # 2100: a later stamp is a garbled one


class TraceError(BoardError):
    """A file of which nothing can be played; names the file, and what would be right."""


class State(IntEnum):
    """What a cell says about its sensor."""

    VALUE = 0
    BLANK = 1  # nothing: the sensor was not heard
    FAULT = 2  # a word for "no value", junk, or a number that cannot be


@dataclass(frozen=True, slots=True)
class Source:
    """One column that gives one quantity of one sensor, in the rows where ``where`` holds."""

    sensor: str
    quantity: str  # "temperature", "humidity", "pressure", "weight" (grams), "open", ...
    column: str
    scale: float = 1.0
    offset: float = 0.0  # value = cell * scale + offset
    where: dict[str, str] = field(default_factory=dict)  # column -> word, to pick the rows of one scale or run
    low: float = -math.inf  # what the sensor's chip can measure; beyond it a cell is a fault
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class Form:
    """How a logger writes its files."""

    time_columns: tuple[str, ...] = ("time",)  # joined with a blank
    time_format: str = "%Y-%m-%d %H:%M:%S"
    timezone: str = "UTC"  # of the stamps
    missing: frozenset[str] = frozenset()  # words that mean: no value
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was set aside."""

    file: str
    line: int  # 1 is the header
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


class Row(NamedTuple):
    """One row in playing order."""

    mono_s: float  # seconds since the first row, never going back
    wall_s: float  # its stamp, Unix time
    first: int  # where its cells begin in ``values`` and ``states``
    sources: tuple[int, ...]  # indexes of the sources it gives


@dataclass(slots=True)
class Trace:
    sources: tuple[Source, ...]
    groups: list[tuple[int, ...]] = field(default_factory=list)  # the sources a row can give, each combination once
    wall_s: "array[float]" = field(default_factory=lambda: array("d"))
    mono_s: "array[float]" = field(default_factory=lambda: array("d"))
    group: "array[int]" = field(default_factory=lambda: array("H"))
    first: "array[int]" = field(default_factory=lambda: array("L"))
    order: Sequence[int] = ()
    values: "array[float]" = field(default_factory=lambda: array("d"))  # NaN where there is none
    states: bytearray = field(default_factory=bytearray)
    rejected: list[Rejected] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # rows, unmatched, cells by what they were
    interval_s: float = DEFAULT_INTERVAL_S  # the median between rows of one group

    def __len__(self) -> int:
        return len(self.wall_s)

    def rows(self) -> Iterator[Row]:
        for index in self.order:
            yield Row(self.mono_s[index], self.wall_s[index], self.first[index], self.groups[self.group[index]])


def load(paths: Sequence[Path], form: Form, sources: Sequence[Source]) -> Trace:
    """All rows of the files, one file after another, the earliest first.

    Raises TraceError for a file that cannot be read at all, is named twice or misses a column, and when no row can
    be played.
    """
    for number, path in enumerate(paths):
        if path.resolve() in (other.resolve() for other in paths[:number]):
            raise TraceError(f"{path}: is named twice: its rows would be played twice")
    trace = Trace(tuple(sources))
    stamp = stamp_reader(form)
    parts = []
    for path in paths:
        start = len(trace)
        _read_file(trace, path, form, stamp)
        parts.append(range(start, len(trace)))
    if not len(trace):
        raise TraceError(_nothing_to_play(paths, trace))
    parts.sort(key=lambda part: trace.wall_s[part.start] if part else math.inf)
    _put_in_order(trace, parts)
    return trace


def _nothing_to_play(paths: Sequence[Path], trace: Trace) -> str:
    names = ", ".join(str(path) for path in paths)
    if trace.counts["unmatched"]:
        wanted = {f"{column} = {word!r}" for source in trace.sources for column, word in source.where.items()}
        return f"{names}: none of {trace.counts['unmatched']} rows has " + " or ".join(sorted(wanted))
    if trace.rejected:
        return f"{names}: no usable row among {len(trace.rejected)}; the first: {trace.rejected[0]}"
    return f"{names}: no rows below the header"


# ----- reading -------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[bytes]:
    """The file's lines, unpacked when it is packed; TraceError says how far it got."""
    done = 0
    try:
        with open(path, "rb") as plain:
            magic = plain.read(2)
        if path.suffix == ".gz" and magic != GZIP_MAGIC:
            raise TraceError(f"{path}: is named .gz but is no gzip file (it begins with {magic!r})")
        with gzip.open(path, "rb") if magic == GZIP_MAGIC else open(path, "rb") as file:
            for line in file:
                yield line
                done += 1
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{path}: the gzip file is damaged after line {done}: {error}") from error
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror or error}") from error


def split_row(line: bytes, delimiter: str) -> list[str]:
    """One line's cells; raises ValueError for what is no row.

    A quoted cell must end in its line: a stray quote costs one row, not the rest of the file.

    >>> split_row(b'24/06/21,"a, b",\\r\\n', ",")
    ['24/06/21', 'a, b', '']
    """
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from None
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader((text,), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def stamp_reader(form: Form) -> Callable[[str], datetime]:
    """A function from a stamp's text to its moment; it raises ValueError saying what a stamp should look like.

    >>> stamp_reader(Form(time_format="%d/%m/%y %H:%M:%S", timezone="Europe/Rome"))("24/06/21 0:41:55").isoformat()
    '2021-06-24T00:41:55+02:00'
    """
    zone: tzinfo = UTC if form.timezone == "UTC" else ZoneInfo(form.timezone)
    parse = _parser(form.time_format)

    def read(text: str) -> datetime:
        try:
            at = parse(text)
        except ValueError:
            raise ValueError(f"stamp {text[:40]!r} is not of the form {form.time_format!r}") from None
        return at if at.tzinfo else at.replace(tzinfo=zone)

    return read


DIRECTIVES = {"Y": r"\d{4}", "y": r"\d\d"} | dict.fromkeys("mdHMS", r"\d\d?")  # what strptime takes for them


def _parser(time_format: str) -> Callable[[str], datetime]:
    """As ``datetime.strptime``, four times faster for plain numbers (a million rows have a million stamps)."""
    letters = re.findall("%(.)", time_format)
    if sorted(letter.replace("y", "Y") for letter in letters) != sorted("YmdHMS"):
        return lambda text: datetime.strptime(text, time_format)  # noqa: DTZ007 (the caller adds the zone)
    pattern = re.compile(
        "".join(
            f"({DIRECTIVES[letter]})" + re.escape(between)
            for letter, between in zip(letters, re.split("%.", time_format)[1:], strict=True)
        ),
        re.ASCII,
    )
    lead = re.split("%.", time_format)[0]
    places = [letters.index("Y" if "Y" in letters else "y") + 1] + [letters.index(letter) + 1 for letter in "mdHMS"]
    is_short = "y" in letters

    def parse(text: str) -> datetime:
        match = pattern.fullmatch(text, len(lead))
        if match is None or not text.startswith(lead):
            raise ValueError(text)
        year, month, day, hour, minute, second = map(int, match.group(*places))
        if is_short:
            year += 2000 if year < 69 else 1900  # POSIX, as strptime
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (the caller adds the zone)

    return parse


def _wall_s(at: datetime, before_s: float) -> float:
    """Unix time of a stamp that follows ``before_s``.

    In the hour that autumn repeats, a local stamp that would go back is the second of its kind.
    """
    wall_s = at.timestamp()
    if wall_s <= before_s:
        second_s = at.replace(fold=1).timestamp()
        if second_s > before_s:
            wall_s = second_s
    if not EARLIEST_S <= wall_s < LATEST_S:
        raise ValueError(f"stamp {at.isoformat()} is not between 1970 and 2100")
    return wall_s


def read_cell(text: str, missing: frozenset[str]) -> tuple[float, str]:
    """A cell's number and what it is: "value", "blank", "missing" (a word that says so) or "junk".

    Junk includes a number with something behind it. (The exporter of one cold store appended to each row a dot
    for every cell without a value: "2.7........". One could take that apart; the next logger's dots could be
    lost digits. So it is no number.)

    >>> [read_cell(cell, frozenset({"###"})) for cell in (" 4.5", "", "###", "2.7........", "nan", "1_0")]
    [(4.5, 'value'), (nan, 'blank'), (nan, 'missing'), (nan, 'junk'), (nan, 'junk'), (nan, 'junk')]
    """
    text = text.strip()
    if NUMBER.fullmatch(text):
        return float(text), "value"
    if not text:
        return math.nan, "blank"
    return math.nan, "missing" if text in missing else "junk"


STATE_OF = {
    "value": State.VALUE,
    "blank": State.BLANK,
    "missing": State.FAULT,
    "junk": State.FAULT,
    "impossible": State.FAULT,
}


def _read_file(trace: Trace, path: Path, form: Form, stamp: Callable[[str], datetime]) -> None:
    lines = _lines(path)
    header = _header(path, next(lines, None), form)
    plan = _Plan(path, header, form, trace)
    for number, line in enumerate(lines, start=2):
        try:
            cells = split_row(line, form.delimiter)
            if len(cells) == 1 and not cells[0].strip():
                continue  # an empty line is none
            if len(cells) != len(header):
                raise ValueError(f"{len(cells)} cells instead of {len(header)}")
            plan.add(trace, cells, stamp(" ".join([cells[column].strip() for column in plan.time_columns])))
        except ValueError as error:
            trace.rejected.append(Rejected(path.name, number, str(error)))


def _header(path: Path, line: bytes | None, form: Form) -> list[str]:
    if line is None:
        raise TraceError(f"{path}: is empty")
    try:
        return [cell.strip() for cell in split_row(line.removeprefix(b"\xef\xbb\xbf"), form.delimiter)]
    except ValueError as error:
        raise TraceError(f"{path}: the header is {error}") from error


class _Plan:
    """Which cells of a file's rows go where."""

    def __init__(self, path: Path, header: list[str], form: Form, trace: Trace) -> None:
        def column(name: str) -> int:
            if header.count(name) > 1:
                raise TraceError(f"{path}: column {name!r} stands there {header.count(name)} times: rename all but one")
            if name in header:
                return header.index(name)
            near = difflib.get_close_matches(name, header, n=1)
            hint = f" (nearest: {near[0]!r})" if near else ""
            raise TraceError(f"{path}: no column {name!r}{hint}; its columns are {', '.join(header)[:400]}")

        self.time_columns = [column(name) for name in form.time_columns]
        self.columns = [column(source.column) for source in trace.sources]
        self.where = [[(column(name), word) for name, word in s.where.items()] for s in trace.sources]
        self.where_columns = sorted({index for pairs in self.where for index, _ in pairs})
        self.missing = form.missing
        self.known: dict[tuple[str, ...], int] = {}  # the words in the where-columns -> group, -1 for none
        self.before_s: dict[int, float] = {}

    def add(self, trace: Trace, cells: list[str], at: datetime) -> None:
        words = tuple([cells[column].strip() for column in self.where_columns])
        group = self.known.get(words)
        if group is None:
            group = self.known[words] = self._group(trace, cells)
        if group < 0:
            trace.counts["unmatched"] += 1
            return
        wall_s = self.before_s[group] = _wall_s(at, self.before_s.get(group, -math.inf))
        trace.wall_s.append(wall_s)
        trace.group.append(group)
        trace.first.append(len(trace.values))
        sources, columns, missing = trace.sources, self.columns, self.missing  # ten cells a row: worth the locals
        values, states, counts = trace.values, trace.states, trace.counts
        for index in trace.groups[group]:
            value, kind = read_cell(cells[columns[index]], missing)
            if kind == "value":
                source = sources[index]
                value = value * source.scale + source.offset
                if not source.low <= value <= source.high or math.isinf(value):
                    value, kind = math.nan, "impossible"
            counts[kind] += 1
            values.append(value)
            states.append(STATE_OF[kind])

    def _group(self, trace: Trace, cells: list[str]) -> int:
        fits = tuple(
            index
            for index, pairs in enumerate(self.where)
            if all(cells[column].strip() == word for column, word in pairs)
        )
        if not fits:
            return -1
        if fits not in trace.groups:
            trace.groups.append(fits)
        return trace.groups.index(fits)


# ----- order ---------------------------------------------------------------------------------------------------


def _put_in_order(trace: Trace, parts: Sequence[range]) -> None:
    """Playing time for every row, and the rows in its order.

    Within a group (one scale, one run, or simply the file) the rows stand in the order in which time passed. A
    stamp that does not go forward is therefore a step of the clock: time itself went on, by the usual interval.
    Groups are then merged by playing time, so clocks that step together stay together.
    """
    index_order = [index for part in parts for index in part]
    trace.interval_s = _usual_interval_s(trace, index_order)
    before: dict[int, tuple[float, float]] = {}  # group -> stamp and playing time of its last row
    mono_s = array("d", bytes(8 * len(trace)))
    for index in index_order:
        wall_s = trace.wall_s[index]
        last_wall_s, last_mono_s = before.get(trace.group[index], (-math.inf, 0.0))
        if last_wall_s == -math.inf:
            now_s = wall_s
        elif wall_s > last_wall_s:
            now_s = last_mono_s + wall_s - last_wall_s
        else:
            now_s = last_mono_s + trace.interval_s
        before[trace.group[index]] = wall_s, now_s
        mono_s[index] = now_s
    index_order.sort(key=mono_s.__getitem__)  # stable: rows of one moment stay in file order
    origin_s = mono_s[index_order[0]]
    trace.mono_s = array("d", (value - origin_s for value in mono_s))
    trace.order = array("L", index_order)


def _usual_interval_s(trace: Trace, index_order: Sequence[int]) -> float:
    before: dict[int, float] = {}
    steps = array("d")
    for index in index_order:
        group, wall_s = trace.group[index], trace.wall_s[index]
        step_s = wall_s - before.get(group, math.inf)
        if step_s > 0:
            steps.append(step_s)
        before[group] = wall_s
    return median(steps) if steps else DEFAULT_INTERVAL_S
