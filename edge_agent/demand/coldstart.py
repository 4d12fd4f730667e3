"""A product without a past of its own: level, spread and weekday shape of its category, giving way to its own days.

The forecast is the mixture of what its fellows' forecasts would be at levels between theirs and its own: many fellows
of unlike sizes make it wide, and with every day of its own it narrows (credibility n / (n + HALF_D), Buehlmann 1967).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_D = 7.0  # own days at which the own level counts half
MOST_FELLOWS = 40
LEAST_LEVEL = 0.02  # units a day


@dataclass(frozen=True, eq=False)
class Own:
    """What a young product has shown so far."""

    days: int  # open days since its first sale, that one included; 0: nothing sold yet
    total: float  # units sold on them


def from_fellows(fellows: Floats, levels: Floats, own: Own) -> Floats:
    """[days, levels] in units, from the fellows' quantiles [fellows, days, levels] and their levels in units a day.

    >>> steady = np.full((1, 1, 11), 4.0)
    >>> float(from_fellows(steady, np.array([4.0]), Own(days=0, total=0.0))[0, 5])
    4.0
    >>> float(from_fellows(steady, np.array([4.0]), Own(days=7, total=7.0))[0, 5])  # half way, by ratio: 4 to 1
    2.0
    """
    credibility = own.days / (own.days + HALF_D)
    mean = max(own.total / max(own.days, 1), LEAST_LEVEL)
    theirs = np.maximum(levels, LEAST_LEVEL)
    reached = np.exp((1.0 - credibility) * np.log(theirs) + credibility * np.log(mean))
    scaled = fellows * (reached / theirs)[:, None, None]
    pooled = np.sort(np.moveaxis(scaled, 1, 0).reshape(fellows.shape[1], -1), axis=1)
    weights = np.tile(_masses(), len(fellows))
    order = np.argsort(np.moveaxis(scaled, 1, 0).reshape(fellows.shape[1], -1), axis=1, kind="stable")
    share = np.cumsum(weights[order], axis=1) / weights.sum()
    found = np.empty((fellows.shape[1], len(LEVELS)))
    for day in range(len(found)):
        found[day] = np.interp(LEVELS, share[day] - weights[order[day]] / weights.sum() / 2.0, pooled[day])
    return np.asarray(np.maximum(found, 0.0))


def from_own_days(sold: Floats, horizon: int) -> Floats:
    """[days, levels] where there are no fellows: the own days' quantiles, every day alike; 0 without any."""
    found = np.quantile(sold, LEVELS) if len(sold) else np.zeros(len(LEVELS))
    return np.repeat(found[None], horizon, axis=0)


def fellows_of(row: int, category: tuple[str, ...], settled: Ints) -> tuple[Ints, str]:
    """Rows of the settled products to learn from, and what they are: "category" or "shop"."""
    if category and category[row]:
        same = np.array([one for one in settled.tolist() if category[one] == category[row]], np.int64)
        if len(same):
            return _some(same), "category"
    return _some(settled), "shop"


def _some(rows: Ints) -> Ints:
    """At most MOST_FELLOWS, evenly through the list."""
    if len(rows) <= MOST_FELLOWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_FELLOWS).round().astype(np.int64)]


def _masses() -> Floats:
    """The probability that each of LEVELS stands for: half way to its neighbours."""
    edges = np.concatenate([[0.0], (np.array(LEVELS[1:]) + np.array(LEVELS[:-1])) / 2.0, [1.0]])
    found: Floats = np.diff(edges)
    return found
