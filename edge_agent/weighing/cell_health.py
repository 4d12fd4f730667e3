"""A shelf's load cells judged by their own histories: what is at fault, and by what evidence."""

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.weighing.cell_watch import (
    FULL_COUNTS,
    NEAR_END_COUNTS,
    CellWatch,
    Fresh,
    Watch,
    usual_counts,
    with_fault,
)
from edge_agent.weighing.faults import CURES, CellFault
from edge_agent.weighing.jumps import JUMP_MS, JUMP_SIDE, JUMP_SIDE_MS, jumps_judged
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.shares import shared
from edge_agent.weighing.windows import (
    LONGEST_WINDOW_MS,
    NOISE_TIMES,
    WINDOW_MS,
    WINDOW_SAMPLES,
    Stretch,
    noise_judged,
    offset_judged,
    stretch,
    wander_judged,
)

ENDS = 3  # samples in a row: one alone is a spike
STUCK_SAMPLES, STUCK_MS = 30, 10_000
STUCK_EQUAL = 0.3  # equal neighbours: with noise of 1 count 28 %; above it runs are ordinary. 0.3^30 = 2e-16
STUCK_LEARNT = 100  # pairs seen before
FORGET = 100_000.0  # pairs: what was learnt of equal neighbours lasts some hours


def standing(watch: Watch) -> list[CellFault]:
    """The faults of the cells, in the order of the table of cures."""
    found = [CellFault(code, each.cell.sensor, evidence) for each in watch.cells for code, evidence in each.found]
    return sorted(found, key=lambda fault: list(CURES).index(fault.code))


def watched(shelf: ShelfSettings, watch: Watch, fresh: Sequence[Fresh], piece_g: float | None = None) -> Watch:
    """Take in the newest counts of every cell. Costs little a sample; windows are judged when they are full."""
    if tuple(each.cell for each in watch.cells) != shelf.cells:
        watch = _anew(shelf, watch)
    cells = [_taken(each, new) for each, new in zip(watch.cells, fresh, strict=True)]
    tails = [(*each.tail, *new) for each, new in zip(watch.cells, fresh, strict=True)]
    pairs = list(zip(cells, tails, strict=True))
    cells = [jumps_judged(shelf, *pair, pairs[:number] + pairs[number + 1 :]) for number, pair in enumerate(pairs)]
    cells = [_quickly_judged(each) for each in cells]
    newest_ms = max((new[-1][0] for new in fresh if new), default=None)
    if newest_ms is None:
        return watch
    began_ms = watch.window_ms if watch.window_ms is not None else min(new[0][0] for new in fresh if new)
    watch = replace(watch, cells=tuple(cells), window_ms=began_ms)
    return _closed(shelf, watch, newest_ms, piece_g) if _is_full(watch, newest_ms - began_ms) else watch


def _anew(shelf: ShelfSettings, watch: Watch) -> Watch:
    known = {each.cell: each for each in watch.cells}
    return replace(watch, cells=tuple(known.get(cell) or CellWatch(cell) for cell in shelf.cells), calm=())


def _is_full(watch: Watch, passed_ms: int) -> bool:
    lengths = [len(each.window) for each in watch.cells]
    if passed_ms < WINDOW_MS:
        return False
    return max(lengths) >= WINDOW_SAMPLES and (min(lengths) >= WINDOW_SAMPLES or passed_ms >= LONGEST_WINDOW_MS)


def _taken(watch: CellWatch, fresh: Fresh) -> CellWatch:
    if not fresh:
        return watch
    last = watch.tail[-1][1] if watch.tail else None
    run, run_ms, equal, pairs, ends = watch.run, watch.run_ms, watch.equal, watch.pairs, watch.ends
    is_stuck = watch.has("stuck")
    for mono_ms, counts in fresh:
        if counts == last:
            run += 1
        else:
            if last is not None and not is_stuck:
                equal, pairs = equal + run - 1, pairs + run
            run, run_ms, last = 1, mono_ms, counts
        ends = ends + 1 if abs(counts) > NEAR_END_COUNTS else 0
    if pairs > FORGET:
        equal, pairs = equal / 2, pairs / 2
    return replace(
        watch,
        window=(*watch.window, *(counts for _, counts in fresh)),
        tail=_tail((*watch.tail, *fresh)),
        run=run,
        run_ms=run_ms,
        equal=equal,
        pairs=pairs,
        ends=ends,
    )


def _tail(samples: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    oldest_ms = samples[-1][0] - 2 * JUMP_SIDE_MS - JUMP_MS
    recent = sum(1 for mono_ms, _ in samples if mono_ms >= oldest_ms)
    return tuple(samples[-max(recent, 2 * JUMP_SIDE) :])


def _quickly_judged(watch: CellWatch) -> CellWatch:
    """What must be known before the weights of this very cycle are believed."""
    if watch.ends >= ENDS:
        ends = f"{watch.ends} samples in a row at {watch.tail[-1][1]:.0f}, the ADC's range ends at {FULL_COUNTS}"
        watch = with_fault(watch, "unplugged", ends)
    stuck = _stuck(watch)
    return watch if stuck is None else with_fault(watch, "stuck", stuck)


def _stuck(watch: CellWatch) -> str | None:
    run_for_ms = watch.tail[-1][0] - watch.run_ms if watch.tail else 0
    if watch.pairs < STUCK_LEARNT or watch.equal > STUCK_EQUAL * watch.pairs:
        return None
    if watch.run < STUCK_SAMPLES or run_for_ms < STUCK_MS:
        return None
    usual = 100 * watch.equal / watch.pairs
    seconds = run_for_ms / 1000
    return f"{watch.run} times {watch.tail[-1][1]:.0f} in {seconds:.0f} s; neighbours were equal in {usual:.0f} %"


def _closed(shelf: ShelfSettings, watch: Watch, at_ms: int, piece_g: float | None) -> Watch:
    stretches = [stretch(each.window) for each in watch.cells]
    cells = [_judged(shelf, each, found, at_ms, piece_g) for each, found in zip(watch.cells, stretches, strict=True)]
    watch = replace(watch, window_ms=None)
    levels = [
        found
        for each, found in zip(watch.cells, stretches, strict=True)
        if found is not None and found.is_level and found.noise <= NOISE_TIMES * usual_counts(each)
    ]
    if len(levels) == len(cells):
        if len(watch.calm) == len(cells) > 1:
            cells = shared(shelf, cells, watch, levels)
        watch = replace(watch, calm=tuple(found.level for found in levels), calm_ms=at_ms)
    return replace(watch, cells=tuple(replace(each, window=()) for each in cells))


def _judged(
    shelf: ShelfSettings, watch: CellWatch, found: Stretch | None, at_ms: int, piece_g: float | None
) -> CellWatch:
    if found is None:
        return watch
    if len(set(watch.window)) > 1 and watch.run < STUCK_SAMPLES:
        watch = with_fault(watch, "stuck", None)
    if not watch.has("unplugged"):  # or its hum would count as noise
        watch = noise_judged(shelf, watch, found, at_ms, piece_g)
        watch = wander_judged(shelf, watch, found, at_ms)
    return offset_judged(shelf, watch, found)
