"""Rows of a table as tills and spreadsheets write them: any separator, a byte-order mark, decimal commas, their dates.

What cannot be understood is told with its row and column, and the row is set aside as it stands; nothing is guessed.
"""

import codecs
import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from difflib import get_close_matches

from edge_agent.domain.shop import AsideRow, Remark

LARGEST = 64 << 20  # bytes: ten years of 500 products take half of it
EARLIEST = date(2000, 1, 1)
_SEPARATORS = (";", "\t", "|", ",")
_NOTHING = ("", "-", "na", "n/a", "nan", "null", "none", "#n/a")
_YES, _NO = ("1", "1.0", "yes", "y", "true", "ja", "x"), ("0", "0.0", "no", "n", "false", "nein")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED_COMMA = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d*", re.ASCII)
_GROUPED_POINT = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d*", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})([./-])(\d{1,2})\5(\d{4})", re.ASCII)


class FileFault(ValueError):
    """Nothing of the file can be read; says what would be right."""


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
    """Collects what is told of a file and what is set aside."""

    file: str
    remarks: list[Remark] = field(default_factory=list)
    aside: list[AsideRow] = field(default_factory=list)

    def note(self, row: int, column: str, value: str, right: str, code: str) -> None:
        self.remarks.append(Remark(self.file, row, column, value, right, code=code))

    def set_aside(self, row: Row, fault: CellFault) -> None:
        column, value, right, code = fault.remark
        self.remarks.append(Remark(self.file, row.number, column, value, right, is_aside=True, code=code))
        self.aside.append(AsideRow(row.number, row.text, f"{column}: {right}" if column else right))


@dataclass(frozen=True, slots=True)
class Table:
    rows: Sequence[Row]
    columns: tuple[str, ...]
    is_day_first: bool | None  # of dates such as 3/4/2026; None: nothing in the file tells


def read_table(content: bytes, told: Told, known: Mapping[str, Sequence[str]], needed: Iterable[str]) -> Table:
    """``known``: the columns by name, with the other names they go by. Raises FileFault."""
    lines = _text(content, told).splitlines()
    head = next((index for index, line in enumerate(lines) if line.strip()), None)
    if head is None:
        raise FileFault(f"{told.file}: is empty: must have a line of column names and a row")
    separator = _separator(lines[head])
    names = [cell.strip() for cell in next(csv.reader([lines[head]], delimiter=separator))]
    columns = _columns(names, told, known, head + 1)
    missing = [name for name in needed if not any(each in columns for each in name.split("|"))]
    if missing:
        found = ", ".join(names)
        raise FileFault(
            f"{told.file}, row {head + 1}: column {' or '.join(missing[0].split('|'))} is missing; there are: {found}"
        )
    rows = list(_rows(lines, head, separator, columns, told))
    dates = [row.get("day") or row.get("timestamp") or row.get("from") for row in rows]
    return Table(rows, tuple(name for name in columns if name), _is_day_first(dates))


def _text(content: bytes, told: Told) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        told.note(row, "", "", "the file is not UTF-8, and was read as Windows-1252", "encoding")
        return content.decode("cp1252", "replace")


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


def _rows(lines: Sequence[str], head: int, separator: str, columns: Sequence[str], told: Told) -> Iterator[Row]:
    """One a line: a till puts no line break into a cell."""
    for index in range(head + 1, len(lines)):
        if not lines[index].strip(f" {separator}"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([lines[index]], delimiter=separator), [])]
        row = Row(index + 1, dict(zip(columns, cells, strict=False)), lines[index])
        if len(cells) > len(columns) and any(cells[len(columns) :]):
            right = f"{len(cells)} cells for {len(columns)} columns: put a text with {separator!r} in it into quotes"
            told.set_aside(row, CellFault("", lines[index][:60], right, "cells"))
            continue
        yield row


def _is_day_first(texts: Iterable[str]) -> bool | None:
    """Of 3/4/2026 nothing tells; somewhere in a longer file stands a day above 12."""
    first = second = False
    for text in texts:
        found = _DATE.match(text)
        if found and found[4]:
            first, second = first or int(found[4]) > 12, second or int(found[6]) > 12
    return None if first == second else first


def is_nothing(text: str) -> bool:
    return text.lower() in _NOTHING


def number(row: Row, column: str) -> float | None:
    """None where nothing is said. A single comma is a decimal one. Raises CellFault.

    >>> [number(Row(2, {"qty": text}, ""), "qty") for text in ("1.5", "1,5", "1.234,5", "1,234.5", "n/a", "")]
    [1.5, 1.5, 1234.5, 1234.5, None, None]
    """
    text = row.get(column)
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


def day_of(row: Row, column: str, is_day_first: bool | None, today: date, furthest: date) -> date:
    """Raises CellFault for what is no day, and for one before 2000 or after ``furthest``: some clock was wrong."""
    return _plausible(row, column, _date(row, column, row.get(column), is_day_first), today, furthest)


def moment_of(row: Row, column: str, is_day_first: bool | None, today: date, zone: tzinfo) -> datetime:
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


def _date(row: Row, column: str, text: str, is_day_first: bool | None) -> date:
    right = "must be a day such as 2026-11-23 or 23.11.2026"
    found = _DATE.fullmatch(text)
    if found is None:
        raise CellFault(column, row.get(column), right, "date")
    if found[1]:
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        year, month, day = int(found[7]), int(found[6]), int(found[4])
        is_swapped = is_day_first is False and found[5] != "."  # with points the day always stands first
        if found[5] != "." and is_day_first is None and month != day:
            raise CellFault(column, row.get(column), f"{right}: nothing in the file tells day from month", "date")
        if is_swapped:
            month, day = day, month
    try:
        return date(year, month, day)
    except ValueError as error:
        raise CellFault(column, row.get(column), right, "date") from error
