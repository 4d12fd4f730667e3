"""How a change of load is shared among the cells: one that feels nothing of it is found out by the others."""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

from edge_agent.weighing.cell_watch import CellWatch, Watch, with_fault
from edge_agent.weighing.faults import verification_g
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.windows import Stretch

SHARE_EVENTS = 8  # before a cell's share of the load counts as known
UNMOVED, UNMOVED_UNLEARNT = 5, 20  # events in a row
UNMOVED_SHARE = 0.002  # of the change: exactly above the other cell to 1 mm in half a metre
SHARE_MEMORY = 32  # events


def shared(
    shelf: ShelfSettings, cells: Sequence[CellWatch], watch: Watch, levels: Sequence[Stretch]
) -> list[CellWatch]:
    """What each cell felt of a change of load, between two moments of rest of all of them."""
    scale = [each.cell.counts_per_gram for each in cells]
    changes_g = [(found.level - calm) / per for found, calm, per in zip(levels, watch.calm, scale, strict=True)]
    us_g = [sqrt(2) * found.u_level / abs(per) for found, per in zip(levels, scale, strict=True)]
    felt_g = sum(abs(change_g) for change_g in changes_g)
    if felt_g < max(verification_g(shelf) / 2, 10 * sqrt(sum(u_g * u_g for u_g in us_g))):
        return list(cells)
    return [
        _felt(each, change_g, felt_g, u_g, watch.calm_ms)
        for each, change_g, u_g in zip(cells, changes_g, us_g, strict=True)
    ]


def _felt(watch: CellWatch, change_g: float, felt_g: float, u_g: float, since_ms: int) -> CellWatch:
    is_learnt = watch.shares >= SHARE_EVENTS
    expected_g = watch.share * felt_g if is_learnt else felt_g / 10
    if expected_g < 10 * u_g:
        return watch  # too little to tell
    if abs(change_g) > max(4 * u_g, UNMOVED_SHARE * felt_g):
        shares = min(watch.shares + 1, SHARE_MEMORY)
        share = watch.share + (abs(change_g) / felt_g - watch.share) / shares
        watch = replace(watch, share=share, shares=shares, unmoved=0, unfelt_g=0.0)
        return with_fault(with_fault(watch, "dead", None), "stuck", None)
    since_ms = watch.since_ms if watch.unmoved else since_ms
    watch = replace(watch, unmoved=watch.unmoved + 1, unfelt_g=watch.unfelt_g + felt_g, since_ms=since_ms)
    if watch.unmoved < (UNMOVED if is_learnt else UNMOVED_UNLEARNT):
        return watch
    usual = f"; {100 * watch.share:.0f} % was usual" if is_learnt else ""
    words = f"the load changed {watch.unmoved} times, {watch.unfelt_g:.0f} g in all, and this cell felt nothing{usual}"
    is_same = watch.run_ms <= watch.since_ms
    return (
        with_fault(watch, "stuck", f"{words}: always {watch.tail[-1][1]:.0f} counts")
        if is_same
        else with_fault(watch, "dead", words)
    )
