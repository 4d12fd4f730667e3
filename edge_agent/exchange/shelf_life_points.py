"""Read observed shelf lives from a table: a row that cannot be used is set aside with its reason, the rest is scored.

Columns: product, profile, observed_days and/or obs_lo and obs_hi (days); where given group, censoring (lower_bound,
upper_bound, interval), kind, source, criterion. Others are left alone.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.spoilage.points import NOT_SCORED, SCORED, Point
from edge_agent.spoilage.profile import ProfileFault, read_profile

NEEDED = ("product", "profile")
LIVES = ("observed_days", "obs_lo", "obs_hi")
CENSORING = ("", "none", "exact", "interval", "lower_bound", "upper_bound")
LONGEST_D = 3650.0
_NOTHING = ("", "na", "n/a", "nan", "none", "null", "-")


class PointsFault(ValueError):
    """The file as a whole is not such a table."""


@dataclass(frozen=True, slots=True)
class BadRow:
    row: int
    column: str
    value: str
    right: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column} = {self.value!r}: {self.right}"


class _Bad(Exception):
    def __init__(self, column: str, value: str, right: str) -> None:
        super().__init__(column, value, right)
        self.what = (column, value, right)


@dataclass(frozen=True, slots=True)
class Points:
    points: tuple[Point, ...]
    bad: tuple[BadRow, ...]


def read_table(text: str, needed: tuple[str, ...]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Header (lower case, stripped) and rows. The first line tells the separator: comma, semicolon or tab.

    Raises PointsFault for a table without the needed columns.
    """
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count))
    try:
        header = tuple(cell.strip().lower() for cell in next(lines, []))
        missing = [name for name in needed if name not in header]
        if missing:
            raise PointsFault(f"the header has no column {', '.join(missing)}: must have {', '.join(needed)}")
        rows = [dict(zip(header, (cell.strip() for cell in line), strict=False)) for line in lines]
    except csv.Error as error:
        raise PointsFault(f"row {lines.line_num}: not a CSV table ({error})") from error
    return header, rows


def read_points(text: str) -> Points:
    """Raises PointsFault."""
    header, rows = read_table(text, NEEDED)
    if not any(name in header for name in LIVES):
        raise PointsFault(f"the header has none of {', '.join(LIVES)}: one must give the observed life in days")
    points, bad = [], []
    for number, row in enumerate(rows, start=2):
        if not any(row.values()):
            continue
        try:
            points.append(_point(number, row))
        except _Bad as fault:
            bad.append(BadRow(number, *fault.what))
    return Points(tuple(points), tuple(bad))


def _point(number: int, row: Mapping[str, str]) -> Point:
    product = row.get("product", "")
    if not product:
        raise _Bad("product", "", "must name a product")
    text = row.get("profile", "")
    try:
        profile = read_profile(text)
    except ProfileFault as error:
        raise _Bad("profile", text, str(error)) from error
    kind = row.get("kind", "") or "observed"
    if kind not in (*SCORED, *NOT_SCORED):
        raise _Bad("kind", kind, f"must be one of {', '.join((*SCORED, *NOT_SCORED))}")
    low, high, middle = _life(row)
    return Point(
        row=number,
        product=product,
        group=row.get("group", "") or product,
        profile=profile,
        profile_text=text,
        low_d=low,
        high_d=high,
        middle_d=middle,
        kind=kind,
        source=row.get("source", "") or "source not named",
        criterion=row.get("criterion", ""),
    )


def _life(row: Mapping[str, str]) -> tuple[float, float, float | None]:
    """Least, most and middle life, d."""
    censoring = row.get("censoring", "").lower()
    if censoring not in CENSORING:
        raise _Bad("censoring", censoring, f"must be empty, {', '.join(CENSORING[3:])}")
    observed, low, high = (days_of(row, name) for name in LIVES)
    if observed is None and low is None and high is None:
        raise _Bad("observed_days", "", "must give the life in days, or obs_lo or obs_hi")
    if censoring == "lower_bound":
        return _first(low, observed, high), math.inf, None
    if censoring == "upper_bound":
        return 0.0, _first(high, observed, low), None
    if low is None and high is None:
        return _first(observed), _first(observed), observed
    if high is None:
        return (_first(low), math.inf, None) if observed is None else (_first(low), observed, observed)
    if low is None:
        return (0.0, high, None) if observed is None else (observed, high, observed)
    if low > high:
        raise _Bad("obs_lo", f"{low:g}", f"must not lie above obs_hi = {high:g}")
    if observed is not None and not low <= observed <= high:
        raise _Bad("observed_days", f"{observed:g}", f"must lie between obs_lo = {low:g} and obs_hi = {high:g}")
    return low, high, math.sqrt(low * high) if observed is None else observed


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def days_of(row: Mapping[str, str], column: str) -> float | None:
    text = row.get(column, "")
    if text.lower() in _NOTHING:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= LONGEST_D:
        raise _Bad(column, text, f"must be a number of days above 0, at most {LONGEST_D:g}, or empty")
    return value
