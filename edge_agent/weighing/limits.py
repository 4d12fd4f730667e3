"""Overload and underload of the sum of all cells."""

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.weighing.cell_watch import Beyond, Watch
from edge_agent.weighing.faults import CellFault
from edge_agent.weighing.nouns import Weight
from edge_agent.weighing.scale import OVERLOAD, UNDERLOAD
from edge_agent.weighing.settings import ShelfSettings

BEYOND_MS = 1_000  # a hand that presses, a spike: not yet


def within_limits(
    shelf: ShelfSettings, watch: Watch, weights: Sequence[Weight], zero_g: float, told_ms: int
) -> tuple[Watch, tuple[Weight, ...], tuple[CellFault, ...]]:
    """Overload and underload, once they last; over when the sum is below full scale, above half the underload.

    Weights taken before it lasted stay weights: a hand that presses, a spike; the filters know those. On a scale so
    slow that nobody can wait (the weight before was of ``told_ms``) it is one at once.
    """
    low_g, high_g = UNDERLOAD * shelf.capacity_g + zero_g, OVERLOAD * shelf.capacity_g + zero_g
    if watch.beyond is None and all(low_g <= (weight.gross_g or 0.0) <= high_g for weight in weights):
        return watch, tuple(weights), ()
    beyond, kept, last_g = watch.beyond, [], 0.0
    before_ms = told_ms
    for weight in weights:
        last_g = (weight.gross_g or 0.0) - zero_g
        beyond = _beyond(shelf, beyond, last_g, weight.mono_ms, before_ms)
        before_ms = weight.mono_ms
        kept.append(Weight(weight.mono_ms, None, beyond.code) if beyond is not None and beyond.is_fault else weight)
    is_fault = beyond is not None and beyond.is_fault
    found = (CellFault(beyond.code, None, _limits(shelf, last_g)),) if beyond is not None and is_fault else ()
    return replace(watch, beyond=beyond), tuple(kept), found


def _beyond(shelf: ShelfSettings, before: Beyond | None, gross_g: float, at_ms: int, before_ms: int) -> Beyond | None:
    is_fault = before is not None and before.is_fault
    high_g = shelf.capacity_g * (1.0 if is_fault else OVERLOAD)
    low_g = shelf.capacity_g * UNDERLOAD * (0.5 if is_fault else 1.0)
    if low_g <= gross_g <= high_g:
        return None
    code = "overload" if gross_g > high_g else "underload"
    if before is None or before.code != code:
        return Beyond(code, at_ms, is_fault=at_ms - before_ms >= BEYOND_MS)
    return before if is_fault else replace(before, is_fault=at_ms - before.since_ms >= BEYOND_MS)


def _limits(shelf: ShelfSettings, gross_g: float) -> str:
    share = 100 * gross_g / shelf.capacity_g
    return (
        f"{gross_g:.0f} g on the platform, {share:.0f} % of {shelf.capacity_g:.0f} g; "
        f"allowed are {100 * UNDERLOAD:.0f} to {100 * OVERLOAD:.0f} %"
    )
