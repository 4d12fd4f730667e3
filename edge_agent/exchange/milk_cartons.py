"""Read cartons of milk whose counts passed a limit between two days: rows that cannot be used are set aside."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.exchange.shelf_life_points import BadRow, read_table
from edge_agent.spoilage.milk_judge import Carton

NEEDED = ("vslnumber", "lo_20k")
_NOTHING = ("", "na", "nan", "none", "null")
LONGEST_D = 60.0
MOST_CFU = 1e12


@dataclass(frozen=True, slots=True)
class Cartons:
    cartons: tuple[Carton, ...]
    bad: tuple[BadRow, ...]


class _Bad(Exception):
    def __init__(self, column: str, value: str, right: str) -> None:
        super().__init__(column, value, right)
        self.what = (column, value, right)


def read_cartons(text: str) -> Cartons:
    """Raises PointsFault for a table without the needed columns."""
    _, rows = read_table(text, NEEDED)
    cartons, bad = [], []
    for number, row in enumerate(rows, start=2):
        if not any(row.values()):
            continue
        try:
            cartons.append(_carton(row))
        except _Bad as fault:
            bad.append(BadRow(number, *fault.what))
    return Cartons(tuple(cartons), tuple(bad))


def _carton(row: Mapping[str, str]) -> Carton:
    name = row.get("vslnumber", "")
    if not name:
        raise _Bad("vslnumber", "", "must name the round of sampling")
    low, high = _number(row, "lo_20k", LONGEST_D), _number(row, "hi_20k", LONGEST_D)
    if low is None and high is None:
        raise _Bad("lo_20k", "", "must give the last day below the limit, or hi_20k the first above")
    if low is not None and high is not None and low > high:
        raise _Bad("lo_20k", f"{low:g}", f"must not lie above hi_20k = {high:g}")
    first = _number(row, "day_initial", LONGEST_D)
    return Carton(
        round=name,
        low_d=0.0 if low is None else low,
        high_d=math.inf if high is None else high,
        first_d=0.0 if first is None else first,
        count=_number(row, "spc_di", MOST_CFU),
        count_d7=_number(row, "spc_d7", MOST_CFU),
    )


def _number(row: Mapping[str, str], column: str, most: float) -> float | None:
    text = row.get(column, "")
    if text.lower() in _NOTHING:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise _Bad(column, text, f"must be a number from 0 to {most:g}, or empty")
    return value
