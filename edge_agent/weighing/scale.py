"""Counts to gross, tare and net grams; zero and tare. One small function a stage."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Reading
from edge_agent.weighing.settings import CellSettings, ShelfSettings

ZERO_LIMIT = 0.02  # of full scale: OIML R76-1 (2006), 4.5.1, range of zero-setting 4 % = +-2 %
OVERLOAD = 1.05  # of full scale: beyond it the cell is no longer linear
UNDERLOAD = -0.02  # of full scale: below it the platform hangs, or a wire is off


@dataclass(frozen=True, slots=True)
class ScaleState:
    """What a shelf's scale must remember through a power cut."""

    tare_g: float = 0.0
    zero_g: float = 0.0  # drift of the empty scale since its calibration, set by the zero command only
    units: int | None = None  # pieces as last counted by a person; None once the weight moved on
    units_net_g: float | None = None  # the net weight that count belongs to


@dataclass(frozen=True, slots=True)
class Weighing:
    """One look at the scale."""

    at: Instant
    gross_g: float | None
    net_g: float | None
    quality: Quality
    fault: str | None = None


Trail = tuple[tuple[int, float], ...]  # (mono_ms, gross_g), oldest first


def cell_g(counts: float, cell: CellSettings) -> float:
    """Grams on one load cell.

    >>> cell_g(10_500, CellSettings("s", zero_counts=500, counts_per_gram=20.0))
    500.0
    """
    return (counts - cell.zero_counts) / cell.counts_per_gram


def weigh(shelf: ShelfSettings, state: ScaleState, counts: Mapping[str, Reading], at: Instant) -> Weighing:
    """Gross (all on the platform) and net (gross - tare) in g, from the newest counts of every cell.

    One cell that cannot be trusted makes the sum bad: a part of the load would be missing.
    """
    total_g, quality = -state.zero_g, Quality.GOOD
    for cell in shelf.cells:
        reading = counts.get(cell.sensor)
        if reading is None:
            return Weighing(at, None, None, Quality.BAD, "no-reading")
        if reading.value is None:
            return Weighing(at, None, None, Quality.BAD, reading.fault)
        if reading.quality is not Quality.GOOD:
            quality = reading.quality
        total_g += cell_g(reading.value, cell)
    if total_g > OVERLOAD * shelf.capacity_g:
        return Weighing(at, None, None, Quality.BAD, "overload")
    if total_g < UNDERLOAD * shelf.capacity_g:
        return Weighing(at, None, None, Quality.BAD, "underload")
    return Weighing(at, total_g, net_g(total_g, state.tare_g), quality)


def net_g(gross_g: float, tare_g: float) -> float:
    return gross_g - tare_g


def follow(trail: Trail, weighing: Weighing, stable_s: float) -> Trail:
    """The weights of the last ``stable_s``, and the one before them; a bad one breaks the trail."""
    if weighing.gross_g is None:
        return ()
    grown = (*trail, (weighing.at.mono_ms, weighing.gross_g))
    oldest = weighing.at.mono_ms - round(stable_s * 1000)
    keep = next((i for i, (mono_ms, _) in enumerate(grown) if mono_ms > oldest), len(grown))
    return grown[max(keep - 1, 0) :]


def is_stable(trail: Trail, shelf: ShelfSettings) -> bool:
    """Not in movement: over at least ``stable_s`` everything lay within ``stable_g``.

    By time and not by number of readings, so that it holds at 80 samples/s and at one in five minutes.
    """
    if not trail or trail[-1][0] - trail[0][0] < shelf.stable_s * 1000:
        return False
    weights = [gross_g for _, gross_g in trail]
    return max(weights) - min(weights) <= shelf.stable_g


def settled_g(trail: Trail) -> float:
    """The weight to act upon: the mean of a stable trail, g. Raises ValueError on an empty one."""
    if not trail:
        raise ValueError("no weight to act upon")
    return sum(gross_g for _, gross_g in trail) / len(trail)


def tare(state: ScaleState, gross_g: float) -> ScaleState:
    """All on the platform is container from now on."""
    return replace(state, tare_g=gross_g, units=None, units_net_g=None)


def zero(state: ScaleState, gross_g: float, capacity_g: float) -> ScaleState:
    """What the empty platform shows is drift. Raises ValueError beyond 2 % of full scale, in total."""
    zero_g = state.zero_g + gross_g
    if abs(zero_g) > ZERO_LIMIT * capacity_g:
        raise ValueError(
            f"the platform shows {gross_g:.1f} g, {zero_g:.1f} g from its calibration; "
            f"zero corrects at most {ZERO_LIMIT * capacity_g:g} g (2 % of {capacity_g:g} g): "
            "is it empty? if so, calibrate it"
        )
    return replace(state, zero_g=zero_g)


def counted(state: ScaleState, units: int, now_net_g: float) -> ScaleState:
    return replace(state, units=units, units_net_g=now_net_g)


def units_now(state: ScaleState, now_net_g: float | None, stable_g: float) -> int | None:
    """The counted pieces, as long as the weight still is what it was when they were counted."""
    if state.units is None or state.units_net_g is None or now_net_g is None:
        return None
    return state.units if abs(now_net_g - state.units_net_g) <= stable_g else None


def sensors_of(shelves: Iterable[ShelfSettings]) -> dict[str, ShelfSettings]:
    """Which shelf each load cell's sensor belongs to."""
    return {cell.sensor: shelf for shelf in shelves for cell in shelf.cells}
