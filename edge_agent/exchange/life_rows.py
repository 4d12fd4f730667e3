"""Tables that lives are judged by: rows that cannot be used are set aside with their reason, the others are read."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Cells = Mapping[str, str]  # of a row, by column
T = TypeVar("T")

_NOTHING = ("", "na", "n/a", "nan", "none", "null", "-")


class TableFault(ValueError):
    """The file as a whole is not such a table."""


class CellFault(ValueError):
    """One cell: its column, what stands there, and what would be right."""

    def __init__(self, column: str, value: str, right: str) -> None:
        super().__init__(f"{column} = {value!r}: {right}")
        self.what = (column, value, right)


@dataclass(frozen=True, slots=True)
class BadRow:
    row: int  # of the file, the header being row 1
    column: str
    value: str
    right: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column} = {self.value!r}: {self.right}"


def read_table(text: str, needed: Sequence[str]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Header (lower case, stripped) and rows. The first line tells the separator: comma, semicolon or tab.

    Raises TableFault for a table without the needed columns.
    """
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count))
    try:
        header = tuple(cell.strip().lower() for cell in next(lines, []))
        missing = [name for name in needed if name not in header]
        if missing:
            raise TableFault(f"the header has no column {', '.join(missing)}: must have {', '.join(needed)}")
        rows = [dict(zip(header, (cell.strip() for cell in line), strict=False)) for line in lines]
    except csv.Error as error:
        raise TableFault(f"row {lines.line_num}: not a CSV table ({error})") from error
    return header, rows


def sorted_out(rows: Sequence[Cells], read: Callable[[int, Cells], T]) -> tuple[tuple[T, ...], tuple[BadRow, ...]]:
    """What ``read`` makes of each row that has anything in it, and the rows in which it finds a CellFault."""
    good, bad = [], []
    for number, row in enumerate(rows, start=2):
        if not any(row.values()):
            continue
        try:
            good.append(read(number, row))
        except CellFault as fault:
            bad.append(BadRow(number, *fault.what))
    return tuple(good), tuple(bad)


def number_of(row: Cells, column: str, most: float, *, above_0: bool = False) -> float | None:
    """A number from 0 (or above it) to ``most``; None where the cell is empty or says so. Raises CellFault."""
    text = row.get(column, "")
    if text.lower() in _NOTHING:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most or (above_0 and value == 0):
        least = "above 0, at most" if above_0 else "from 0 to"
        raise CellFault(column, text, f"must be a number {least} {most:g}, or empty")
    return value
