"""The weight of a shelf at rest, and how sure it is. Stage 5 of `follow`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.weighing.stability import spread_g

BLOCKS = 4
FAR = 3.0  # standard deviations: a reading beyond them has no say
LEAST_U_G = 0.02
LINGERS = 0.2  # of the time of rest: the platform rings, the last finger leaves


@dataclass(frozen=True, slots=True)
class Plateau:
    gross_g: float
    u_g: float  # standard uncertainty
    noise_g: float  # standard deviation of one reading
    from_ms: int
    until_ms: int

    @property
    def mid_ms(self) -> float:
        return (self.from_ms + self.until_ms) / 2


def plateau(looks: Sequence[tuple[int, float]]) -> Plateau:
    """Mean of what lies within three standard deviations of the median, without the beginning, where a hand may linger.

    Its uncertainty is the larger of noise / sqrt(n) and what the means of four blocks say: vibration does not average
    out as white noise does.
    """
    values = [gross_g for _, gross_g in looks[int(LINGERS * len(looks)) :]]
    median = sorted(values)[len(values) // 2]
    far_g = FAR * spread_g(values)
    kept = [value for value in values if abs(value - median) <= far_g] or [median]
    noise_g = spread_g(kept)
    u_g = noise_g / math.sqrt(len(kept))
    size = len(kept) // BLOCKS
    if size >= 2:
        means = [sum(kept[i * size : (i + 1) * size]) / size for i in range(BLOCKS)]
        # Four blocks know their own spread to 40 % only: the noise speaks unless they contradict it.
        u_g = max(u_g, 0.7 * spread_g(means) / math.sqrt(BLOCKS))
    return Plateau(sum(kept) / len(kept), max(u_g, LEAST_U_G), noise_g, looks[0][0], looks[-1][0])


def null_plateau(looks: Sequence[tuple[int, float]]) -> Plateau:
    """The last reading."""
    ms, gross_g = looks[-1]
    return Plateau(gross_g, LEAST_U_G, spread_g([g for _, g in looks]), ms, ms)
