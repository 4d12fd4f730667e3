"""Rest: proved by time, against the noise this very scale has. Stage 4 of `follow`."""

import math
from collections.abc import Sequence

UNREST = 4.0  # standard deviations of a spread above the noise: more is no rest
TREND = 3.5  # standard deviations between the means of parts: more is on its way somewhere
BLOCK = 5  # looks: half a second
ONE_PCT = 2.326  # of rest is taken for unrest, then it takes a few looks more: quantile of the normal distribution
QUIET_G = 0.02  # no scale is judged by less: some steps of the converter
FEWEST = 3


def rests(values: Sequence[float], noise_g: float) -> bool:
    """No more unrest than noise, neither from reading to reading nor from one half second to the next.

    The spread of n readings of the same noise is itself uncertain by 1 / sqrt(2 (n - 1)). The means of blocks find what
    is slower: an elbow that shifts, a bag that is let go (chi-square test).

    >>> rests([10.0, 10.1, 9.9, 10.0, 10.1, 10.0], 0.1), rests([10.0, 10.1, 10.3, 10.4, 10.6, 10.7], 0.1)
    (True, False)
    """
    n = len(values)
    if n < FEWEST:
        return False
    noise_g = max(noise_g, QUIET_G)
    if spread_g(values) > noise_g * (1 + UNREST / math.sqrt(2 * (n - 1))):
        return False
    blocks = max(2, n // BLOCK)
    size = n // blocks
    means = [sum(values[i : i + size]) / size for i in range(n - blocks * size, n, size)]
    mean = sum(means) / blocks
    chi2 = sum((one - mean) ** 2 for one in means) * size / noise_g**2
    return chi2 <= chi2_limit(blocks - 1)


def chi2_limit(degrees: int) -> float:
    """What chi-square exceeds in 1 % of all cases (Wilson and Hilferty, 1931).

    >>> [round(chi2_limit(n), 1) for n in (1, 4, 9)]  # tables: 6.6, 13.3, 21.7
    [6.6, 13.3, 21.7]
    """
    part = 2 / (9 * degrees)
    return degrees * (1 - part + ONE_PCT * math.sqrt(part)) ** 3


def null_rests(values: Sequence[float], noise_g: float) -> bool:
    """Whatever lasts long enough is rest."""
    return len(values) >= FEWEST


def is_steady(values: Sequence[float], most_g: float) -> bool:
    """Restless, but in one place: a compressor runs, or the noise is not known yet. Asks for more time than `rests`."""
    n = len(values)
    spread = spread_g(values)
    if n < 2 * FEWEST or spread > most_g:
        return False
    third = n // 3
    means = [sum(values[i * third : (i + 1) * third]) / third for i in range(3)]
    return max(means) - min(means) <= TREND * max(spread, QUIET_G) * math.sqrt(2 / third)


def spread_g(values: Sequence[float]) -> float:
    """Standard deviation."""
    n = len(values)
    if n < 2:
        return 0.0
    mean = sum(values) / n
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
