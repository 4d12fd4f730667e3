"""A level that jumps from one sample to the next, with rest on both sides: no hand does that, a wire does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from edge_agent.weighing.cell_watch import (
    NEAR_END_COUNTS,
    CellWatch,
    Fresh,
    is_offset,
    span_counts,
    usual_counts,
    with_fault,
)
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.shares import SHARE_EVENTS

JUMP_MS = 160  # between two samples at 10/s: a hand needs 300 ms and more, a wire none
JUMP_SIDE, JUMP_SIDE_MS = 5, 400  # samples and time of rest on either side; no five spikes in a row are alike
JUMP_SHARE, JUMP_SHARE_UNLEARNT = 0.10, 0.25  # of the cell's share of capacity
JUMP_CLEAN = 0.01  # of the jump: goods put down ring for longer
JUMP_NOISES = 8.0


Others = Sequence[tuple[CellWatch, Fresh]]  # the shelf's other cells and what they said lately


@dataclass(frozen=True, slots=True)
class Jump:
    at_ms: int
    before: float  # counts
    after: float

    @property
    def size(self) -> float:
        return self.after - self.before


def jumps_judged(shelf: ShelfSettings, watch: CellWatch, tail: Fresh, others: Others) -> CellWatch:
    """Look once at each sample that has enough of them on either side."""
    if len(tail) < 2 * JUMP_SIDE:
        return watch
    until_ms = min(tail[-1][0] - JUMP_SIDE_MS, tail[-JUMP_SIDE][0])
    least = max(JUMP_NOISES * usual_counts(watch), JUMP_SHARE * span_counts(watch, shelf) / 10)
    for (before_ms, before), (at_ms, after) in pairwise(tail):
        if abs(after - before) >= least and watch.looked_ms < at_ms <= until_ms and at_ms - before_ms <= JUMP_MS:
            jump = _clean_jump(tail, at_ms, usual_counts(watch))
            if jump is not None:
                watch = _after_jump(shelf, watch, jump, others)
    return replace(watch, looked_ms=max(until_ms, watch.looked_ms))


def _around(tail: Fresh, at_ms: int) -> tuple[list[float], list[float]]:
    """What was said shortly before and shortly after, at_ms included."""
    before = [(mono_ms, counts) for mono_ms, counts in tail if mono_ms < at_ms]
    after = [(mono_ms, counts) for mono_ms, counts in tail if mono_ms >= at_ms]
    near_before = sum(1 for mono_ms, _ in before if mono_ms >= at_ms - JUMP_SIDE_MS)
    near_after = sum(1 for mono_ms, _ in after if mono_ms <= at_ms + JUMP_SIDE_MS)
    return (
        [counts for _, counts in before[-max(JUMP_SIDE, near_before) :]],
        [counts for _, counts in after[: max(JUMP_SIDE, near_after)]],
    )


def _clean_jump(tail: Fresh, at_ms: int, noise: float) -> Jump | None:
    """From rest to rest between two samples."""
    before, after = _around(tail, at_ms)
    if min(len(before), len(after)) < JUMP_SIDE:
        return None
    jump = Jump(at_ms, median(before), median(after))
    allowed = max(JUMP_NOISES * noise, JUMP_CLEAN * abs(jump.size))
    is_clean = max(before) - min(before) <= allowed and max(after) - min(after) <= allowed
    return jump if is_clean else None


def _after_jump(shelf: ShelfSettings, watch: CellWatch, jump: Jump, others: Others) -> CellWatch:
    if max(abs(jump.before), abs(jump.after)) > NEAR_END_COUNTS:
        return watch  # to or from an open input, which has a name of its own
    if watch.jumped is not None:
        is_back = -1.5 <= jump.size / watch.jumped <= -0.5
        return replace(with_fault(watch, "half-dead", None), jumped=None) if is_back else watch
    grams = jump.size / watch.cell.counts_per_gram
    words = f"from {jump.before:.0f} to {jump.after:.0f} counts ({grams:+.0f} g) within {JUMP_MS} ms"
    if is_offset(watch, shelf, jump.after) and not is_offset(watch, shelf, jump.before):
        return with_fault(watch, "unplugged", f"{words}, where an amplifier without a bridge stands")
    if not _is_large(shelf, watch, jump) or not _is_alone(grams, jump.at_ms, others):
        return watch
    return replace(with_fault(watch, "half-dead", f"{words}, while the other cells did not move"), jumped=jump.size)


def _is_large(shelf: ShelfSettings, watch: CellWatch, jump: Jump) -> bool:
    """A load exactly above this cell would move no other cell either, so the jump must be an unlikely one."""
    is_share_known = watch.shares >= SHARE_EVENTS and watch.share < 0.8
    least = JUMP_SHARE if is_share_known else JUMP_SHARE_UNLEARNT
    return abs(jump.size) >= least * span_counts(watch, shelf)


def _is_alone(jump_g: float, at_ms: int, others: Others) -> bool:
    """Whether no other cell moved. A single cell cannot be told from a load that was put down at once."""
    return bool(others) and not any(_has_moved(other, tail, jump_g, at_ms) for other, tail in others)


def _has_moved(other: CellWatch, tail: Fresh, jump_g: float, at_ms: int) -> bool:
    before, after = _around(tail, at_ms)
    if not before or not after:
        return True  # who knows
    allowed = max(JUMP_NOISES / 2 * usual_counts(other), JUMP_CLEAN * abs(jump_g * other.cell.counts_per_gram))
    return abs(median(after) - median(before)) > allowed
