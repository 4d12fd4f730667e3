"""Read cartons of milk whose counts passed a limit between two days: rows that cannot be used are set aside."""

import math
from dataclasses import dataclass

from edge_agent.exchange.life_rows import BadRow, CellFault, Cells, number_of, read_table, sorted_out
from edge_agent.spoilage.milk_judge import Carton

NEEDED = ("vslnumber", "lo_20k")
LONGEST_D = 60.0
MOST_CFU = 1e12


@dataclass(frozen=True, slots=True)
class Cartons:
    cartons: tuple[Carton, ...]
    bad: tuple[BadRow, ...]


def read_cartons(text: str) -> Cartons:
    """Raises TableFault for a table without the needed columns."""
    _, rows = read_table(text, NEEDED)
    return Cartons(*sorted_out(rows, lambda _, row: _carton(row)))


def _carton(row: Cells) -> Carton:
    name = row.get("vslnumber", "")
    if not name:
        raise CellFault("vslnumber", "", "must name the round of sampling")
    low, high = number_of(row, "lo_20k", LONGEST_D), number_of(row, "hi_20k", LONGEST_D)
    if low is None and high is None:
        raise CellFault("lo_20k", "", "must give the last day below the limit, or hi_20k the first above")
    if low is not None and high is not None and low > high:
        raise CellFault("lo_20k", f"{low:g}", f"must not lie above hi_20k = {high:g}")
    first = number_of(row, "day_initial", LONGEST_D)
    return Carton(
        round=name,
        low_d=0.0 if low is None else low,
        high_d=math.inf if high is None else high,
        first_d=0.0 if first is None else first,
        count=number_of(row, "spc_di", MOST_CFU),
        count_d7=number_of(row, "spc_d7", MOST_CFU),
    )
