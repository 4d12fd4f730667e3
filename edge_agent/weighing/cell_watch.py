"""What is remembered of a shelf's load cells to judge them by; transient. Levels and noise are in counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_agent.weighing.settings import CellSettings, ShelfSettings

FULL_COUNTS = 2**23
NEAR_END_COUNTS = 0.95 * FULL_COUNTS  # 2 mV/V at 3.0 V are 6 mV, half of what the ADC can take at gain 128
NEAR_OFFSET_COUNTS = 7_000.0  # 10 µV of +-11.7 mV: an amplifier without a signal; a bridge is rarely so balanced
OFFSET_LOW = -0.005  # of capacity: no load is so light
Fresh = Sequence[tuple[int, float]]  # (mono_ms, counts) of one cell, oldest first


@dataclass(frozen=True, slots=True)
class CellWatch:
    """What is remembered of one cell."""

    cell: CellSettings  # with another calibration everything begins anew
    window: tuple[float, ...] = ()
    tail: tuple[tuple[int, float], ...] = ()  # (mono_ms, counts), the last few
    looked_ms: int = -1  # up to where jumps were looked for
    run: int = 0  # samples like the last one, in a row
    run_ms: int = 0  # when it began
    equal: float = 0.0  # of ``pairs`` neighbours; learnt when a run is over
    pairs: float = 0.0
    ends: int = 0  # samples in a row at an end of the range
    usual_noise: float | None = None  # counts
    noisy_ms: int | None = None  # since when every window was noisy
    quiet: int = 0  # windows in a row that were not
    level: float | None = None  # of the last window without a step
    path_g: float = 0.0  # where the zero has wandered to, steps of the load left out
    wandered: tuple[tuple[int, float, float], ...] = ()  # (mono_ms, path_g, noise), one a minute
    share: float = 0.0  # of the changes of load
    shares: int = 0  # learnt from so many
    unmoved: int = 0  # events in a row that it did not feel
    unfelt_g: float = 0.0  # what changed on the shelf in them
    since_ms: int = 0  # when the first of them began
    found: tuple[tuple[str, str], ...] = ()  # (code, evidence) of the faults that stand
    jumped: float | None = None  # counts: of the jump that stands

    def has(self, code: str) -> bool:
        return any(code == standing for standing, _ in self.found)


@dataclass(frozen=True, slots=True)
class Beyond:
    """The sum outside its limits."""

    code: str
    since_ms: int
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of a shelf; transient."""

    cells: tuple[CellWatch, ...] = ()
    window_ms: int | None = None  # when the window began
    calm_ms: int = 0  # when all cells last were at rest at once
    calm: tuple[float, ...] = ()  # their levels then, counts
    beyond: Beyond | None = None


def with_fault(watch: CellWatch, code: str, evidence: str | None) -> CellWatch:
    """A fault that begins, goes on (its first evidence stays) or, with None, is over."""
    if evidence is None:
        return replace(watch, found=tuple(one for one in watch.found if one[0] != code)) if watch.has(code) else watch
    return watch if watch.has(code) else replace(watch, found=(*watch.found, (code, evidence)))


def usual_counts(watch: CellWatch) -> float:
    """Counts; never finer than the ADC's own step lets one see."""
    return max(0.5, watch.usual_noise or 0.0)


def span_counts(watch: CellWatch, shelf: ShelfSettings) -> float:
    """Counts of the cell's share of the capacity."""
    return abs(watch.cell.counts_per_gram) * shelf.capacity_g / len(shelf.cells)


def is_offset(watch: CellWatch, shelf: ShelfSettings, counts: float) -> bool:
    """Where the amplifier stands without a signal, and no load puts this cell."""
    if abs(counts) > NEAR_OFFSET_COUNTS or abs(watch.cell.zero_counts) < 4 * NEAR_OFFSET_COUNTS:
        return False
    return (counts - watch.cell.zero_counts) / watch.cell.counts_per_gram < OFFSET_LOW * shelf.capacity_g
