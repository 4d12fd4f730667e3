"""Some seconds of one cell at a time: its level and noise, and what they say in the long run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from statistics import fmean, median

from edge_agent.weighing.cell_watch import CellWatch, is_offset, usual_counts, with_fault
from edge_agent.weighing.faults import verification_g
from edge_agent.weighing.settings import CellSettings, ShelfSettings

WINDOW_MS, WINDOW_SAMPLES, LONGEST_WINDOW_MS = 5_000, 16, 60_000
NOISE_TIMES = 4.0  # of the usual; hands, elbows and trucks reach it too, but not without a pause:
NOISY_MS = 120_000
NOISE_OVER_TIMES, QUIET_WINDOWS = 2.0, 6
NOISE_UP, NOISE_DOWN = 0.001, 0.02  # a window: the usual noise is its 5 % quantile, and rises fourfold in 2 hours
WET_MS, WET_STEP_MS = 1_800_000, 60_000
WET_SHARE = 0.003  # of the cell's capacity in half an hour: 9 e, as by 45 K (R76-1, 3.9.2.3: 1 e in 5 K)
WET_NOISE_TIMES, HAND_TIMES = 3.0, 20.0  # of the usual noise: moisture makes more, a hand very much more


@dataclass(frozen=True, slots=True)
class Stretch:
    """One window of one cell."""

    level: float  # counts, median
    noise: float  # counts, standard deviation of one sample, from neighbours' differences
    u_level: float  # counts, standard uncertainty of ``level``
    is_level: bool  # no step in it


def stretch(window: Sequence[float]) -> Stretch | None:
    """Level and noise; None of too few. Steps, spikes and a hand in up to a tenth of it do not count as noise.

    >>> round(stretch([100, 102, 98, 101, 99, 100, 5000, 101, 99, 100, 101, 98, 100, 99, 102, 100, 101, 99]).noise, 1)
    2.1
    """
    if len(window) < WINDOW_SAMPLES:
        return None
    differences = sorted((b - a) ** 2 for a, b in pairwise(window))
    kept = differences[: max(1, round(0.8 * len(differences)))]
    # The smaller 80 % of squared normal deviates have 0.4377 of the variance; neighbours differ by sqrt(2) sd.
    noise = sqrt(fmean(kept) / 0.4377 / 2)
    half = len(window) // 2
    u_level = 1.2533 * max(noise, 0.29) / sqrt(len(window))  # of a median; 0.29: a rounded count
    change = abs(median(window[half:]) - median(window[:half]))
    return Stretch(median(window), noise, u_level, change <= 4 * 2 * u_level + 1)


def noise_judged(
    shelf: ShelfSettings, watch: CellWatch, found: Stretch, at_ms: int, piece_g: float | None
) -> CellWatch:
    usual_g, noise_g = (abs(each / watch.cell.counts_per_gram) for each in (usual_counts(watch), found.noise))
    e_g = verification_g(shelf)
    floor_g = e_g if piece_g is None else min(e_g, piece_g / 2)
    is_noisy = watch.usual_noise is not None and noise_g > max(NOISE_TIMES * usual_g, floor_g)
    is_quiet = noise_g < max(NOISE_OVER_TIMES * usual_g, floor_g / 2)
    noisy_ms = (watch.noisy_ms if watch.noisy_ms is not None else at_ms) if is_noisy else None
    watch = replace(watch, noisy_ms=noisy_ms, quiet=watch.quiet + 1 if is_quiet else 0)
    if noisy_ms is not None and at_ms - noisy_ms >= NOISY_MS:
        words = f"noise of {noise_g:.3g} g for {(at_ms - noisy_ms) / 1000:.0f} s; {usual_g:.3g} g was usual"
        watch = with_fault(watch, "noisy", words)
    elif watch.quiet >= QUIET_WINDOWS:
        watch = with_fault(watch, "noisy", None)
    return watch if watch.found else replace(watch, usual_noise=_noise_learnt(watch.usual_noise, found.noise))


def _noise_learnt(usual: float | None, noise: float) -> float:
    if usual is None:
        return noise
    return usual + NOISE_DOWN * (noise - usual) if noise < usual else usual * (1 + NOISE_UP)


def wander_judged(shelf: ShelfSettings, watch: CellWatch, found: Stretch, at_ms: int) -> CellWatch:
    if not found.is_level or found.noise > HAND_TIMES * usual_counts(watch):
        return watch
    change = 0.0 if watch.level is None else found.level - watch.level
    path_g = watch.path_g + _slow_g(shelf, watch.cell, change, found.u_level)
    wandered = watch.wandered
    if not wandered or at_ms - wandered[-1][0] >= WET_STEP_MS:
        wandered = (*(one for one in wandered if at_ms - one[0] < WET_MS), (at_ms, path_g, found.noise))
    watch = replace(watch, level=found.level, path_g=path_g, wandered=wandered)
    return watch if at_ms - wandered[0][0] < 0.6 * WET_MS else _wet_judged(shelf, watch, at_ms)


def _slow_g(shelf: ShelfSettings, cell: CellSettings, change: float, u_level: float) -> float:
    """What is larger between two windows at rest than e, or than noise explains, was a load and no wandering."""
    change_g, u_g = change / cell.counts_per_gram, u_level / abs(cell.counts_per_gram)
    return change_g if abs(change_g) <= max(verification_g(shelf), 7 * u_g) else 0.0


def _wet_judged(shelf: ShelfSettings, watch: CellWatch, at_ms: int) -> CellWatch:
    places_g = [place_g for _, place_g, _ in watch.wandered]
    range_g = max(places_g) - min(places_g)
    times = median(noise for *_, noise in watch.wandered) / usual_counts(watch)
    limit_g = WET_SHARE * shelf.capacity_g / len(shelf.cells)
    if range_g > limit_g and times > WET_NOISE_TIMES:
        minutes = (at_ms - watch.wandered[0][0]) / 60_000
        words = f"its zero wandered over {range_g:.3g} g in {minutes:.0f} min with {times:.1f} times the usual noise"
        return with_fault(watch, "wet", words)
    return with_fault(watch, "wet", None) if range_g < limit_g / 2 or times < NOISE_OVER_TIMES else watch


def offset_judged(shelf: ShelfSettings, watch: CellWatch, found: Stretch) -> CellWatch:
    """At the amplifier's own offset, with a noise that is no bridge's; over when the level is a bridge's again."""
    if watch.ends:
        return watch
    if not is_offset(watch, shelf, found.level):
        is_there = any(is_offset(watch, shelf, counts) for _, counts in watch.tail)  # since this window's second half
        return watch if is_there else with_fault(watch, "unplugged", None)
    times = found.noise / usual_counts(watch)
    if watch.usual_noise is None or 1 / NOISE_TIMES < times < NOISE_TIMES:
        return watch
    words = f"{found.level:.0f} counts, as an amplifier without a bridge, with {times:.2g} times the usual noise"
    return with_fault(watch, "unplugged", words)
