"""Rows of a table as tills and spreadsheets write them: any separator, a byte-order mark, decimal commas, their dates.

What cannot be understood is told with its row and column, and the row is set aside as it stands; nothing is guessed.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from difflib import get_close_matches

from edge_agent.domain.shop import AsideRow, Remark
from edge_agent.exchange.text_file import FileFault as FileFault  # told by every reader of tables
from edge_agent.exchange.text_file import TextFile

MOST_ASIDE = 10_000  # rows of a file kept aside as they stand; the others are counted
EARLIEST = date(2000, 1, 1)
_SEPARATORS = (";", "\t", "|", ",")
_SAID = re.compile(r"sep=([;,|\t])", re.IGNORECASE)
_NOTHING = ("", "-", "na", "n/a", "nan", "null", "none", "#n/a")
_YES, _NO = ("1", "1.0", "yes", "y", "true", "ja", "x"), ("0", "0.0", "no", "n", "false", "nein")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED_COMMA = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d*", re.ASCII)
_GROUPED_POINT = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d*", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})([./-])(\d{1,2})\5(\d{4})", re.ASCII)

DayFirst = Callable[[], bool | None]


class CellFault(ValueError):
    """One cell; says what would be right, and a code for the reason."""

    def __init__(self, column: str, value: str, right: str, code: str) -> None:
        super().__init__(right)
        self.remark = column, value, right, code


@dataclass(frozen=True, slots=True)
class Row:
    number: int  # in the file, from 1
    cells: Mapping[str, str]
    text: str

    def get(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(slots=True)
class Told:
    """Takes what is told of a file and what is set aside."""

    file: str
    tell: Callable[[Remark], None] | None = None  # left out: kept in ``remarks``
    remarks: list[Remark] = field(default_factory=list)
    aside: list[AsideRow] = field(default_factory=list)  # the first MOST_ASIDE of them
    set_aside_rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # of rows set aside, by code

    def note(self, row: int, column: str, value: str, right: str, code: str) -> None:
        self._tell(Remark(self.file, row, column, value, right, code=code))

    def set_aside(self, row: Row, fault: CellFault) -> None:
        column, value, right, code = fault.remark
        self._tell(Remark(self.file, row.number, column, value, right, is_aside=True, code=code))
        self.set_aside_rows += 1
        self.reasons[code] += 1
        if len(self.aside) < MOST_ASIDE:
            self.aside.append(AsideRow(row.number, row.text, f"{column}: {right}" if column else right))

    def _tell(self, remark: Remark) -> None:
        if self.tell is None:
            self.remarks.append(remark)
        else:
            self.tell(remark)


@dataclass(slots=True)
class Table:
    """Its rows are read anew each time, one after another."""

    text: TextFile
    head: int  # row of the column names
    separator: str
    columns: Sequence[str]  # by place; "" for one that is not known
    told: Told
    _day_first: tuple[bool | None] | None = None

    def rows(self) -> Iterator[Row]:
        """Those that have no more cells than there are columns; the others are set aside. Raises FileFault for none."""
        row = None
        for row, cells in self._split():
            if len(cells) > len(self.columns) and any(cells[len(self.columns) :]):
                right = f"{len(cells)} cells for {len(self.columns)} columns: "
                right += f"put a text with {self.separator!r} in it into quotes"
                self.told.set_aside(row, CellFault("", row.text[:60], right, "cells"))
                continue
            yield row
        if row is None:
            raise FileFault(f"{self.text.name}: has column names and no row: an export of no days?")

    def is_day_first(self) -> bool | None:
        """Of dates such as 3/4/2026; None: nothing in the file tells. Looked for when the first of them is met."""
        if self._day_first is None:
            dates = (row.get("day") or row.get("timestamp") or row.get("from") for row, _ in self._split())
            self._day_first = (_is_day_first(dates),)
        return self._day_first[0]

    def _split(self) -> Iterator[tuple[Row, Sequence[str]]]:
        """One row a line: a till puts no line break into a cell."""
        for number, line in self.text.lines():
            if number > self.head and line.strip(f" {self.separator}"):
                cells = [cell.strip() for cell in next(csv.reader([line], delimiter=self.separator), [])]
                yield Row(number, dict(zip(self.columns, cells, strict=False)), line), cells


def read_table(text: TextFile, told: Told, known: Mapping[str, Sequence[str]], needed: Iterable[str]) -> Table:
    """``known``: the columns by name, with the other names they go by. Raises FileFault."""
    if text.misread:
        told.note(text.misread, "", "", "the file is not UTF-8, and was read as Windows-1252", "encoding")
    head, line, separator = _head(text)
    names = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    columns = _columns(names, told, known, head)
    missing = [name for name in needed if not any(each in columns for each in name.split("|"))]
    if missing:
        found = ", ".join(names)
        raise FileFault(
            f"{told.file}, row {head}: column {' or '.join(missing[0].split('|'))} is missing; there are: {found}"
        )
    return Table(text, head, separator, columns, told)


def _head(text: TextFile) -> tuple[int, str, str]:
    """Where the line of column names is, and what separates them; spreadsheets say so in a line of its own."""
    separator = ""
    for number, line in text.lines():
        said = _SAID.fullmatch(line.strip())
        if said and not separator:
            separator = said[1]
        elif line.strip():
            return number, line, separator or _separator(line)
    raise FileFault(f"{text.name}: is empty: must have a line of column names and a row")


def _separator(line: str) -> str:
    """The one that makes the most columns; of those the first: a comma may also stand in a number."""
    counts = {each: len(next(csv.reader([line], delimiter=each))) for each in _SEPARATORS}
    return max(_SEPARATORS, key=lambda each: counts[each])


def _columns(names: Sequence[str], told: Told, known: Mapping[str, Sequence[str]], row: int) -> list[str]:
    others = {other: name for name, also in known.items() for other in (name, *also)}
    columns = []
    for name in names:
        word = re.sub(r"[\s-]+", "_", name.lower())
        found = others.get(word, "")
        if found in columns and found:
            raise FileFault(f"{told.file}, row {row}: two columns say {found}: leave one of them out")
        if not found and name:
            near = get_close_matches(word, others, 1)
            hint = f"did you mean {others[near[0]]}? " if near else ""
            told.note(row, name, "", f"unknown column, not read: {hint}Known here: {', '.join(known)}", "column")
        columns.append(found)
    return columns


def _is_day_first(texts: Iterable[str]) -> bool | None:
    """Of 3/4/2026 nothing tells; somewhere in a longer file stands a day above 12."""
    first = second = False
    for text in texts:
        found = _DATE.match(text)
        if found and found[4]:
            first, second = first or int(found[4]) > 12, second or int(found[6]) > 12
            if first and second:
                break
    return None if first == second else first


def is_nothing(text: str) -> bool:
    return not text or text.lower() in _NOTHING


def number(row: Row, column: str) -> float | None:
    """None where nothing is said. A single comma is a decimal one. Raises CellFault.

    >>> [number(Row(2, {"qty": text}, ""), "qty") for text in ("1.5", "1,5", "1.234,5", "1,234.5", "n/a", "")]
    [1.5, 1.5, 1234.5, 1234.5, None, None]
    """
    text = row.get(column)
    if text.isdecimal() and text.isascii() and len(text) < 16:  # most are so, and files are long
        return float(text)
    if is_nothing(text):
        return None
    plain = text.replace("\u00a0", "").replace("'", "").replace(" ", "")
    if _GROUPED_POINT.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif _GROUPED_COMMA.fullmatch(plain):
        plain = plain.replace(",", "")
    elif _NUMBER.fullmatch(plain):
        plain = plain.replace(",", ".")
    else:
        raise CellFault(column, text, "must be a number such as 12 or 12,5", "number")
    value = float(plain)
    if not math.isfinite(value):
        raise CellFault(column, text, "must be a finite number", "number")
    return value


def yes_no(row: Row, column: str) -> bool | None:
    text = row.get(column).lower()
    if is_nothing(text):
        return None
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise CellFault(column, row.get(column), "must be 1 or 0", "yes-no")


def day_of(row: Row, column: str, is_day_first: DayFirst, today: date, furthest: date) -> date:
    """Raises CellFault for what is no day, and for one before 2000 or after ``furthest``: some clock was wrong."""
    return _plausible(row, column, _date(row, column, row.get(column), is_day_first), today, furthest)


def moment_of(row: Row, column: str, is_day_first: DayFirst, today: date, zone: tzinfo) -> datetime:
    """Local, of the shop. A time without zone is the shop's."""
    text = row.get(column)
    head, _, tail = text.replace("T", " ").partition(" ")
    day = _date(row, column, head, is_day_first)
    try:
        at = datetime.fromisoformat(f"{day.isoformat()}T{tail.strip() or '00:00'}")
    except ValueError as error:
        raise CellFault(column, text, "must be a time such as 2026-11-23 14:05", "date") from error
    at = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    _plausible(row, column, at.date(), today, today)
    return at


def epoch_ms(at: datetime) -> int:
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def _plausible(row: Row, column: str, day: date, today: date, furthest: date) -> date:
    if day > furthest:
        right = f"a day in the future (today is {today}): was the clock of the till wrong?"
        raise CellFault(column, row.get(column), right, "future")
    if day < EARLIEST:
        raise CellFault(column, row.get(column), "a day before 2000: was the clock of the till not set?", "past")
    return day


def _date(row: Row, column: str, text: str, is_day_first: DayFirst) -> date:
    right = "must be a day such as 2026-11-23 or 23.11.2026"
    found = _DATE.fullmatch(text)
    if found is None:
        raise CellFault(column, row.get(column), right, "date")
    if found[1]:
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        year, month, day = int(found[7]), int(found[6]), int(found[4])
        if found[5] != "." and month != day:  # with points the day always stands first
            told = is_day_first()
            if told is None:
                raise CellFault(column, row.get(column), f"{right}: nothing in the file tells day from month", "date")
            month, day = (month, day) if told else (day, month)
    try:
        return date(year, month, day)
    except ValueError as error:
        raise CellFault(column, row.get(column), right, "date") from error
