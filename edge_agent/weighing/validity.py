"""Is it a weight at all? What is not is a fault with its reason, never stock. Stage 1 of `follow`."""

import math

from edge_agent.weighing.nouns import Weight
from edge_agent.weighing.settings import ShelfSettings

BEYOND = 2.0  # of full scale: no load does that; overload proper is told by the cells
BROKEN_S = 2.0  # bad for longer: what happened meanwhile was not seen
GAP = 5.0  # intervals without a weight, at least BROKEN_S: the same


def fault_of(weight: Weight, gross_g: float | None, shelf: ShelfSettings) -> str | None:
    """None for a weight that can be used; ``gross_g`` is it after the zero."""
    if weight.fault is not None:
        return weight.fault
    if gross_g is None or not math.isfinite(gross_g):
        return "no-reading"
    if shelf.least_g is not None and gross_g < shelf.least_g:
        return f"drop-out: {gross_g:.0f} g, below the {shelf.least_g:g} g that always stand there"
    if abs(gross_g) > BEYOND * shelf.capacity_g:
        return f"impossible: {gross_g:.0f} g on a scale of {shelf.capacity_g:g} g"
    return None


def null_fault_of(weight: Weight, gross_g: float | None, shelf: ShelfSettings) -> str | None:
    """Believes whatever is a number."""
    return None if gross_g is not None else weight.fault or "no-reading"


def is_gap(passed_s: float, interval_s: float | None) -> bool:
    """Nothing was heard for so long that a movement can have passed unseen. Nobody knows before the interval is known.

    >>> is_gap(1.0, 0.1), is_gap(2.5, 0.1), is_gap(600.0, 300.0), is_gap(300.0, None)
    (False, True, False, False)
    """
    return interval_s is not None and passed_s > max(BROKEN_S, GAP * interval_s)
