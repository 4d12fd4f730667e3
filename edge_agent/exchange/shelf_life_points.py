"""Read observed shelf lives from a table: a row that cannot be used is set aside with its reason, the rest is scored.

Columns: product, profile, observed_days and/or obs_lo and obs_hi (days); where given group, censoring (lower_bound,
upper_bound, interval), kind, source, criterion. Others are left alone.
"""

import math
from dataclasses import dataclass

from edge_agent.exchange.life_rows import BadRow, CellFault, Cells, TableFault, number_of, read_table, sorted_out
from edge_agent.spoilage.points import NOT_SCORED, SCORED, Point
from edge_agent.spoilage.profile import ProfileFault, read_profile

NEEDED = ("product", "profile")
LIVES = ("observed_days", "obs_lo", "obs_hi")
CENSORING = ("", "none", "exact", "interval", "lower_bound", "upper_bound")
LONGEST_D = 3650.0


@dataclass(frozen=True, slots=True)
class Points:
    points: tuple[Point, ...]
    bad: tuple[BadRow, ...]


def read_points(text: str) -> Points:
    """Raises TableFault for a table without the needed columns."""
    header, rows = read_table(text, NEEDED)
    if not any(name in header for name in LIVES):
        raise TableFault(f"the header has none of {', '.join(LIVES)}: one must give the observed life in days")
    return Points(*sorted_out(rows, _point))


def _point(number: int, row: Cells) -> Point:
    product = row.get("product", "")
    if not product:
        raise CellFault("product", "", "must name a product")
    text = row.get("profile", "")
    try:
        profile = read_profile(text)
    except ProfileFault as error:
        raise CellFault("profile", text, str(error)) from error
    kind = row.get("kind", "") or "observed"
    if kind not in (*SCORED, *NOT_SCORED):
        raise CellFault("kind", kind, f"must be one of {', '.join((*SCORED, *NOT_SCORED))}")
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


def _life(row: Cells) -> tuple[float, float, float | None]:
    """Least, most and middle life, d."""
    censoring = row.get("censoring", "").lower()
    if censoring not in CENSORING:
        raise CellFault("censoring", censoring, f"must be empty, {', '.join(CENSORING[3:])}")
    observed, low, high = (number_of(row, name, LONGEST_D, above_0=True) for name in LIVES)
    if observed is None and low is None and high is None:
        raise CellFault("observed_days", "", "must give the life in days, or obs_lo or obs_hi")
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
        raise CellFault("obs_lo", f"{low:g}", f"must not lie above obs_hi = {high:g}")
    if observed is not None and not low <= observed <= high:
        raise CellFault("observed_days", f"{observed:g}", f"must lie between obs_lo = {low:g} and obs_hi = {high:g}")
    return low, high, math.sqrt(low * high) if observed is None else observed


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
