"""What the load cells of a shelf said becomes weights: one for each moment at which every cell has spoken anew.

A bad sample is a gap and no weight; a cell that gives nothing but bad samples, or nothing at all, for longer than a few
of its own intervals is a fault, and so is whatever `cell_health` finds in the cells' histories.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge_agent.domain.reading import Sample
from edge_agent.weighing import cell_health
from edge_agent.weighing.calibration import grams as cell_g
from edge_agent.weighing.cell_watch import Watch
from edge_agent.weighing.faults import CellFault
from edge_agent.weighing.limits import within_limits
from edge_agent.weighing.nouns import Weight
from edge_agent.weighing.settings import ShelfSettings

# Codes of a 24-bit ADC that stand for no weight: its two ends, and a data line that floats high (HX711 datasheet,
# "Serial Interface"). A cell may pass -1 on its way: then one sample is missing, and nothing else happens.
NO_WEIGHT = frozenset((-(2**23), 2**23 - 1, -1))
PATIENCE = 3.5  # intervals without a word; a worker may leave one out, and the third is late
LEAST_SILENCE_MS = 2_000  # the time-out of one read: a bus may stand still for so long
BAD_MS = 3_000  # three bad samples at 1 a second, the first of a sparse scale: lesson 19, fault after three
FIRST_MS = 10_000  # for a cell to speak at all, once the others do
UNKNOWN_MS = 600_000  # while nobody knows any interval; the sensor's own alarm is sooner
SLOWER, FASTER = 1 / 16, 1 / 4  # how quickly an interval is learnt: a gap must not pass for a slower rate


@dataclass(frozen=True, slots=True)
class Heard:
    """What one cell said."""

    counts: float | None = None  # the newest that stand for a weight
    is_new: bool = False  # not yet part of a weight
    good_ms: int | None = None  # when they were taken
    spoken_ms: int | None = None  # its newest sample, good or bad
    interval_ms: float | None = None  # from one sample to the next, learnt
    fault: str | None = None  # of its newest sample


@dataclass(frozen=True, slots=True)
class CellTrace:
    """What is remembered of a shelf's cells from call to call; built anew after a start."""

    heard: tuple[Heard, ...] = ()  # in the order of ``ShelfSettings.cells``
    began_ms: int | None = None
    told_ms: int = 0  # the newest weight: time does not go back
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True, slots=True)
class Weighed:
    trace: CellTrace
    weights: tuple[Weight, ...]  # in order of time
    faults: tuple[CellFault, ...] = ()  # that stand, the one named in the weights first


Spoken = tuple[int, int, float | None, str | None]  # (mono_ms, number of the cell, counts, fault)


def weighed(
    shelf: ShelfSettings,
    trace: CellTrace,
    samples: Sequence[Sample],
    at_ms: int,
    *,
    zero_g: float = 0.0,
    piece_g: float | None = None,
) -> Weighed:
    """The weights of one cycle at monotonic ``at_ms``, as calibrated: the zero command's ``zero_g`` is still in them.

    ``zero_g`` only says where overload and underload begin, ``piece_g`` what noise would hide a piece. Samples may come
    cell by cell; those of other sensors are left out. While a fault stands there is one weight a call, without grams.
    """
    if len(trace.heard) != len(shelf.cells):
        trace = CellTrace(tuple(Heard() for _ in shelf.cells), began_ms=at_ms)
    spoken = _spoken(shelf, trace, samples)
    by_cell: list[list[Spoken]] = [[] for _ in shelf.cells]
    for one in spoken:
        by_cell[one[1]].append(one)
    heard = tuple(_heard(before, said) for before, said in zip(trace.heard, by_cell, strict=True))
    fresh = tuple([(mono_ms, counts) for mono_ms, _, counts, _ in said if counts is not None] for said in by_cell)
    watch = cell_health.watched(shelf, trace.watch, fresh, piece_g)
    standing = (*_unheard(shelf, heard, trace.began_ms or at_ms, at_ms), *cell_health.standing(watch))
    weights, waiting = _together(shelf, trace, spoken)
    if not standing:
        watch, weights, standing = within_limits(shelf, watch, weights, zero_g, trace.told_ms)
    if standing:
        # What came before the fault in this very call may already be its work.
        weights = (Weight(max(at_ms, trace.told_ms), None, name(standing[0])),)
    heard = tuple(replace(each, is_new=is_new) for each, is_new in zip(heard, waiting, strict=True))
    told_ms = weights[-1].mono_ms if weights else trace.told_ms
    return Weighed(CellTrace(heard, trace.began_ms, told_ms, watch), weights, standing)


def name(fault: CellFault) -> str:
    """As it travels with the weight.

    >>> name(CellFault("stuck", "scale-1", "")), name(CellFault("overload", None, ""))
    ('scale-1: stuck', 'overload')
    """
    return fault.code if fault.cell is None else f"{fault.cell}: {fault.code}"


def _spoken(shelf: ShelfSettings, trace: CellTrace, samples: Sequence[Sample]) -> list[Spoken]:
    """What is new of these cells, in order of time; one that is older than what we have was told before."""
    number = {cell.sensor: index for index, cell in enumerate(shelf.cells)}
    newest = [-1 if heard.spoken_ms is None else heard.spoken_ms for heard in trace.heard]
    spoken: list[Spoken] = []
    for sample in samples:
        index = number.get(sample.point)
        if index is None or sample.at.mono_ms <= newest[index]:
            continue
        for reading in sample.readings:
            if reading.channel.quantity == "counts":
                newest[index] = sample.at.mono_ms
                value, fault = reading.value, reading.fault
                if value in NO_WEIGHT:
                    value, fault = None, "saturated"
                spoken.append((sample.at.mono_ms, index, value, fault))
    spoken.sort(key=lambda one: one[0])
    return spoken


def _heard(before: Heard, said: Sequence[Spoken]) -> Heard:
    if not said:
        return before
    counts, good_ms, spoken_ms, interval_ms = before.counts, before.good_ms, before.spoken_ms, before.interval_ms
    for mono_ms, _, value, _ in said:
        if spoken_ms is not None:
            interval_ms = _learnt(interval_ms, mono_ms - spoken_ms)
        spoken_ms = mono_ms
        if value is not None:
            counts, good_ms = value, mono_ms
    *_, value, fault = said[-1]
    return Heard(counts, before.is_new, good_ms, spoken_ms, interval_ms, (fault or "fault") if value is None else None)


def _learnt(interval_ms: float | None, passed_ms: int) -> float:
    """
    >>> _learnt(None, 100), _learnt(100.0, 60), _learnt(100.0, 5_000)
    (100.0, 90.0, 106.25)
    """
    if interval_ms is None:
        return float(passed_ms)
    if passed_ms < interval_ms:
        return interval_ms + FASTER * (passed_ms - interval_ms)
    return interval_ms + SLOWER * (min(passed_ms, 2 * interval_ms) - interval_ms)


def _together(
    shelf: ShelfSettings, trace: CellTrace, spoken: Sequence[Spoken]
) -> tuple[tuple[Weight, ...], Sequence[bool]]:
    """The sum at each moment that completes a round of all cells, and which cells begin the next one."""
    cells = shelf.cells
    grams = [None if h.counts is None else cell_g(h.counts, c) for h, c in zip(trace.heard, cells, strict=True)]
    is_new = [heard.is_new for heard in trace.heard]
    missing = is_new.count(False)
    told_ms = trace.told_ms
    weights: list[Weight] = []
    for mono_ms, index, counts, _ in spoken:
        if counts is None:
            continue
        grams[index] = cell_g(counts, cells[index])
        if not is_new[index]:
            is_new[index] = True
            missing -= 1
        if not missing:
            told_ms = max(told_ms, mono_ms)
            weights.append(Weight(told_ms, sum(each for each in grams if each is not None)))
            is_new = [False] * len(cells)
            missing = len(cells)
    return tuple(weights), is_new


def _unheard(shelf: ShelfSettings, heard: Sequence[Heard], began_ms: int, at_ms: int) -> list[CellFault]:
    """Cells that say nothing, or nothing good."""
    longest_ms = max((each.interval_ms for each in heard if each.interval_ms is not None), default=None)
    found = []
    for cell, each in zip(shelf.cells, heard, strict=True):
        silent_ms = at_ms - (began_ms if each.spoken_ms is None else each.spoken_ms)
        if each.fault is not None and _is_bad(each, at_ms):
            good = "no good one since the start"
            if each.good_ms is not None:
                good = f"the last good one {_s(at_ms - each.good_ms)} ago"
            found.append(CellFault(each.fault, cell.sensor, f"bad samples ({each.fault}), {good}"))
        elif silent_ms > _patience_ms(each, longest_ms):
            usual = "" if each.interval_ms is None else f"; it used to speak every {_s(each.interval_ms)}"
            found.append(CellFault("silent", cell.sensor, f"nothing for {_s(silent_ms)}{usual}"))
    return found


def _is_bad(heard: Heard, at_ms: int) -> bool:
    if heard.good_ms is None:
        return True
    patience_ms = BAD_MS if heard.interval_ms is None else min(BAD_MS, PATIENCE * heard.interval_ms)
    return at_ms - heard.good_ms >= patience_ms


def _patience_ms(heard: Heard, longest_ms: float | None) -> float:
    if heard.interval_ms is not None:
        return max(LEAST_SILENCE_MS, PATIENCE * heard.interval_ms)
    return UNKNOWN_MS if longest_ms is None else FIRST_MS + PATIENCE * longest_ms


def _s(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3g} s"
