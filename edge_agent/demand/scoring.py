"""How good forecasts were: weighted quantile loss and its companions, and how sure a comparison is of its ratio.

Figures are the yardstick's: over open days only, sums over everything scored, quantiles 0.1 to 0.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
HIGH = 0.8  # deciles from here on are what ordering uses
FEWEST_DAYS = 56  # between a series' first sale and an origin that is scored
RECENT_D = 56  # with a sale in so many days before the origin
SCALE_D = 365  # of seasonal-naive errors that MASE divides by
WEEK_D = 7
RESAMPLES = 2000
_EDGE = 1e-9  # a count at its own quantile lies below it


@dataclass(frozen=True, eq=False)
class Truth:
    """What came about in the days after each origin, and which of them count."""

    y: Floats  # [series, origins, horizon]
    counts: Bools  # [series, origins, horizon]
    scale: Floats  # [series, origins]: mean seasonal-naive error before the origin; 0 or NaN: no MASE


@dataclass(frozen=True, slots=True)
class Score:
    wql: float  # mean over DECILES of 2 sum of pinball losses / sum of sales
    wql_hi: float  # the same at 0.8 and 0.9
    wape: float  # sum of absolute errors of the median or point / sum of sales
    mase: float
    bias: float  # sum of (forecast - sales) / sum of sales
    cov80: float  # share of days between the 0.1 and 0.9 quantiles
    cov90: float  # share of days not above the 0.9 quantile
    n: int  # days scored


@dataclass(frozen=True, eq=False)
class Loss:
    """Sums of one method over each series: what is resampled."""

    pinball: Floats  # [series]: 2 x mean over DECILES of pinball losses
    sold: Floats  # [series]


@dataclass(frozen=True, slots=True)
class Ratio:
    """WQL of one method over another's; low and high hold 95 % of the resamples."""

    ratio: float
    low: float
    high: float


def truth(panel: Panel, origins: Sequence[int], horizon: int) -> Truth:
    """Series count from an origin on that lies FEWEST_DAYS after their first sale, with a sale in the RECENT_D days."""
    imputed = panel.imputed()
    days = np.asarray(origins)[:, None] + 1 + np.arange(horizon)
    recent = np.stack([imputed[:, max(0, o + 1 - RECENT_D) : o + 1].sum(axis=1) > 0 for o in origins], axis=1)
    is_old = np.asarray(origins)[None, :] + 1 - panel.start[:, None] >= FEWEST_DAYS
    counts = panel.is_open[:, days] & (recent & is_old)[:, :, None]
    return Truth(panel.qty[:, days].astype(np.float64), counts, _seasonal_errors(panel, origins))


def _seasonal_errors(panel: Panel, origins: Sequence[int]) -> Floats:
    """Mean |y[t] - y[t-7]| of the SCALE_D days up to each origin, since the first sale; NaN where there is none."""
    steps = np.abs(panel.qty[:, WEEK_D:] - panel.qty[:, :-WEEK_D]).astype(np.float64)  # column c: day c + 7
    sums = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    found = np.full((len(steps), len(origins)), np.nan)
    for place, origin in enumerate(origins):
        end = max(origin + 1 - WEEK_D, 0)
        begin = np.minimum(np.maximum(panel.start, end - SCALE_D), end)
        days = end - begin
        total = sums[:, end] - sums[np.arange(len(steps)), begin]
        found[:, place] = np.divide(total, days, out=np.full(len(steps), np.nan), where=days > 0)
    return found


def score(of: Truth, point: Floats, quantiles: Floats) -> Score:
    """``point``: [series, origins, horizon]; ``quantiles``: the same by DECILES. ValueError where nothing counts."""
    if not of.counts.any():
        raise ValueError(
            f"no day to score: needs a series with a first sale {FEWEST_DAYS} days or more before an origin, "
            f"a sale in the last {RECENT_D} days before it, and an open day after it"
        )
    y, p, q = of.y[of.counts], point[of.counts], quantiles[of.counts]
    sold = y.sum()
    losses = _pinball(y, q).sum(axis=0) * 2 / sold if sold > 0 else np.full(len(DECILES), np.nan)
    is_high = np.asarray(DECILES) >= HIGH
    return Score(
        wql=float(losses.mean()),
        wql_hi=float(losses[is_high].mean()),
        wape=float(np.abs(y - p).sum() / sold) if sold > 0 else float("nan"),
        mase=_mase(of, point),
        bias=float((p - y).sum() / sold) if sold > 0 else float("nan"),
        cov80=float(((y >= q[:, 0]) & (y <= q[:, -1])).mean()),
        cov90=float((y <= q[:, -1] + _EDGE).mean()),
        n=len(y),
    )


def _pinball(y: Floats, q: Floats) -> Floats:
    levels = np.asarray(DECILES)
    error = y[..., None] - q
    found: Floats = np.maximum(levels * error, (levels - 1.0) * error)
    return found


def _mase(of: Truth, point: Floats) -> float:
    """Mean over series and origins of the mean absolute error / the scale; NaN where no scale is above 0."""
    days = of.counts.sum(axis=2)
    errors = np.where(of.counts, np.abs(of.y - point), 0.0).sum(axis=2) / np.maximum(days, 1)
    has = (days > 0) & (of.scale > 0)
    return float((errors[has] / of.scale[has]).mean()) if has.any() else float("nan")


def loss(of: Truth, quantiles: Floats) -> Loss:
    """By series; those where no day counts have zeros."""
    error = np.where(of.counts, _pinball(of.y, quantiles).mean(axis=-1) * 2, 0.0)
    return Loss(error.sum(axis=(1, 2)), np.where(of.counts, of.y, 0.0).sum(axis=(1, 2)))


def ratios(ours: Loss, others: Mapping[str, Loss], generator: np.random.Generator) -> dict[str, Ratio]:
    """Paired bootstrap: the same series are drawn for both, RESAMPLES times, and their sums compared."""
    if not (ours.sold > 0).any():
        return {}
    each = np.stack([ours.sold, ours.pinball, *(other.pinball for other in others.values())])
    rows = np.flatnonzero((each > 0).any(axis=0))  # those that sold nothing have losses too
    drawn = generator.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=RESAMPLES)
    mine = drawn @ ours.pinball[rows]
    found = {}
    for name, other in others.items():
        theirs = drawn @ other.pinball[rows]
        total = other.pinball[rows].sum()
        has = theirs > 0
        if total > 0 and has.any():
            low, high = np.quantile(mine[has] / theirs[has], (0.025, 0.975))
            found[name] = Ratio(float(ours.pinball[rows].sum() / total), float(low), float(high))
    return found
