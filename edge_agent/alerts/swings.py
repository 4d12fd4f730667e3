"""How a cooled room swings: from one turning point of its air to the next, whatever the sampling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SMOOTH_S = 45.0  # a chip's noise goes, a compressor's cycle of some minutes stays
DEADBAND_K = 0.3  # back by so much is a turn: three steps of a logger that writes tenths
GAP_S = 3600.0  # nothing for so long: what was followed is over (one lost sample in 15 min is none)


@dataclass(frozen=True, slots=True)
class Leg:
    """From one turning point to the next."""

    rises: bool
    from_c: float
    to_c: float
    for_s: float

    @property
    def k_per_min(self) -> float:
        """How fast, without sign."""
        return abs(self.to_c - self.from_c) / self.for_s * 60


@dataclass(frozen=True, slots=True)
class Swing:
    """Where the air stands in its swing; nothing of it needs to outlive a restart."""

    now_s: float = 0.0  # since the start, gaps included
    level_c: float | None = None  # the air, smoothed
    rises: bool | None = None  # None: not known yet
    from_c: float = 0.0  # the turning point the present leg began with
    from_s: float = 0.0
    to_c: float = 0.0  # the furthest it came since
    to_s: float = 0.0

    @property
    def leg_s(self) -> float:
        """How long the present leg lasts, as far as is known."""
        return self.now_s - self.from_s


def smoothed(before: float | None, value: float, after_s: float, time_constant_s: float = SMOOTH_S) -> float:
    """First-order, exact for any step; samples far apart are taken as they are.

    >>> round(smoothed(0.0, 1.0, 45.0), 3), smoothed(None, 4.0, 1.0)
    (0.632, 4.0)
    """
    if before is None:
        return value
    return value + (before - value) * math.exp(-after_s / time_constant_s)


def follow(swing: Swing, air_c: float, after_s: float) -> tuple[Swing, Leg | None]:
    """One reading on; with the leg that is proved to be over, if one is."""
    now_s = swing.now_s + after_s
    if swing.level_c is None or after_s > GAP_S:
        return Swing(now_s, air_c, None, air_c, now_s, air_c, now_s), None
    level_c = smoothed(swing.level_c, air_c, after_s)
    if swing.rises is None:
        return _first(swing, level_c, now_s), None
    sign = 1 if swing.rises else -1
    if sign * (level_c - swing.to_c) >= 0:
        return Swing(now_s, level_c, swing.rises, swing.from_c, swing.from_s, level_c, now_s), None
    if sign * (swing.to_c - level_c) < DEADBAND_K:
        return Swing(now_s, level_c, swing.rises, swing.from_c, swing.from_s, swing.to_c, swing.to_s), None
    leg = Leg(swing.rises, swing.from_c, swing.to_c, max(swing.to_s - swing.from_s, after_s))
    return Swing(now_s, level_c, not swing.rises, swing.to_c, swing.to_s, level_c, now_s), leg


def _first(swing: Swing, level_c: float, now_s: float) -> Swing:
    """Until the air has moved by the deadband, its direction is not known."""
    if abs(level_c - swing.from_c) < DEADBAND_K:
        return Swing(now_s, level_c, None, swing.from_c, swing.from_s, level_c, now_s)
    return Swing(now_s, level_c, level_c > swing.from_c, swing.from_c, swing.from_s, level_c, now_s)


def median(values: Sequence[float]) -> float:
    """
    >>> median((3.0, 1.0, 2.0)), median((1.0, 2.0))
    (2.0, 1.5)
    """
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def spread(values: Sequence[float]) -> float:
    """Median absolute deviation, scaled to a normal's standard deviation (1.4826)."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])
