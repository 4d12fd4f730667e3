"""The level of a shelf at rest: an average that becomes longer the longer it rests. Stage 3 of `follow`."""

import math

LONGEST_S = 12.0  # of memory: 20 g/h move a scale by 0.07 g meanwhile
LEAST = 4.0  # intervals of memory on sparse traces


def adaptive(weighs_s: float, interval_s: float) -> tuple[float, float]:
    """How much the next reading counts in the level, and the time the level then stands for: the gain of a mean at
    first, of an exponential average later.

    >>> adaptive(0.9, 0.1), adaptive(12.0, 0.12)
    ((0.1, 1.0), (0.01, 12.0))
    """
    weighs_s = min(weighs_s + interval_s, max(LONGEST_S, LEAST * interval_s))
    return interval_s / weighs_s, weighs_s


def null_adaptive(weighs_s: float, interval_s: float) -> tuple[float, float]:
    """The newest reading is the level."""
    return 1.0, interval_s


def level_u_g(noise_g: float, weighs_s: float, interval_s: float) -> float:
    """Standard uncertainty of such a level, had the readings nothing to do with one another.

    >>> level_u_g(1.0, 1.6, 0.1)
    0.25
    """
    return noise_g / math.sqrt(max(1.0, weighs_s / interval_s))
