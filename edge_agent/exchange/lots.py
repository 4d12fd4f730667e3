"""Lots from a table, as they came into a recorded room: what ``replay --lots`` lays there. Pure: text in, values out.

Columns, in any order; a header names them. ``lot, product, received_at`` and one of ``grams, units`` are needed:

lot,product,supplier,received_at,grams,units,place,packaging,best_before,use_by
L2411,4123,farm-a,2024-05-01T08:00:00Z,5000,,cold-store,crate,2024-05-20,
"""

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite

COLUMNS = (
    *("lot", "product", "supplier", "received_at", "grams", "units"),
    *("place", "packaging", "best_before", "use_by", "temperature_c"),
)
NEEDED = ("lot", "product", "received_at")
_NUMBERS = ("grams", "units", "temperature_c")


class LotFault(ValueError):
    """Names row, column, value and what would be right."""


@dataclass(frozen=True, slots=True)
class LotRow:
    """One delivery: when, and the arguments of the command that tells it."""

    received_ms: int  # Unix time
    arguments: Mapping[str, object]


def read_lots(text: str, products: Collection[str], places: Collection[str]) -> list[LotRow]:
    """In order of time. Raises LotFault for the first thing that is wrong; row 1 is the header."""
    try:
        header, *lines = list(csv.reader(text.splitlines())) or [[]]
    except csv.Error as error:
        raise LotFault(f"the table cannot be read: {error}") from None
    header = [name.strip() for name in header]
    twice = [name for name in header if header.count(name) > 1]
    odd = [name for name in header if name not in COLUMNS]
    missing = [name for name in NEEDED if name not in header]
    if twice:
        raise LotFault(f"row 1: column {twice[0]!r}: stands there {header.count(twice[0])} times: must be once")
    if odd:
        raise LotFault(f"row 1: column {odd[0]!r}: must be one of {', '.join(COLUMNS)}")
    if missing:
        raise LotFault(f"row 1: column {missing[0]!r} is missing: needed are {', '.join(NEEDED)}, and grams or units")
    rows = [_row(number, header, line, products, places) for number, line in enumerate(lines, 2) if any(line)]
    return sorted(rows, key=lambda row: row.received_ms)


def _row(
    number: int, header: list[str], line: list[str], products: Collection[str], places: Collection[str]
) -> LotRow:  # fmt: skip
    if len(line) != len(header):
        raise LotFault(f"row {number}: has {len(line)} cells: must be {len(header)}, as the header")
    cells = {name: text.strip() for name, text in zip(header, line, strict=True) if text.strip()}
    for name in NEEDED:
        if name not in cells:
            raise LotFault(f"row {number}, column {name}: is empty: must be given")
    if not cells.keys() & {"grams", "units"}:
        raise LotFault(f"row {number}: how much is missing: give grams or units")
    _known(number, "product", cells["product"], products, "the gtin of a [[product]]")
    if "place" in cells:
        _known(number, "place", cells["place"], places, "a [[place]]")
    for name in ("best_before", "use_by"):
        _day(number, name, cells.get(name))
    arguments: dict[str, object] = {"supplier": "unknown"} | {
        name: _number(number, name, text) if name in _NUMBERS else text
        for name, text in cells.items()
        if name != "received_at"
    }
    return LotRow(_instant(number, cells["received_at"]), arguments)


def _known(number: int, column: str, value: str, known: Collection[str], what: str) -> None:
    if value not in known:
        raise LotFault(
            f"row {number}, column {column}: {_short(value)}: must be {what}: {', '.join(known) or 'there is none'}"
        )


def _day(number: int, column: str, text: str | None) -> None:
    try:
        if text is not None:
            date.fromisoformat(text)
    except ValueError:
        raise LotFault(
            f"row {number}, column {column}: {_short(text or '')}: must be a day such as 2026-11-30"
        ) from None


def _number(number: int, column: str, text: str) -> float | int:
    try:
        found = int(text) if column == "units" else float(text)
        if isfinite(found):
            return found
    except (ValueError, OverflowError):
        pass  # told below
    what = "a whole number" if column == "units" else "a number"
    raise LotFault(f"row {number}, column {column}: {_short(text)}: must be {what}")


def _short(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def _instant(number: int, text: str) -> int:
    """RFC 3339; without a zone: UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        right = "must be an instant such as 2026-11-23T07:00:00Z"
        raise LotFault(f"row {number}, column received_at: {_short(text)}: {right}") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def due(rows: list[LotRow], wall_ms: int) -> Iterator[LotRow]:
    """Takes out those that have come by then."""
    while rows and rows[0].received_ms <= wall_ms:
        yield rows.pop(0)
