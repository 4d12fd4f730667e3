"""What would have been sold, had the shelf not been empty.

A forecast learnt from sales on days that ran out of stock forecasts the stock, not the demand. Such a day's sales are
a lower bound. Where the hour is known at which the shelf was empty, demand went on as it came before; where it is not,
the same weekday's other weeks tell how much more there usually is above such a bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEEKS = 13  # of the same weekday, the day itself among them
WEEK_D = 7
ROUNDS = 25  # of expectation and maximisation
MOST = 2.0  # times the largest of the weeks: a product that always sells out tells no upper end
LEAST_SPREAD = 0.15  # of the mean
_TAIL = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)  # Abramowitz and Stegun 26.2.17


def recovered(sold: Floats, ran_out: Bools, share: Floats | None = None) -> Floats:
    """``sold`` with the days that ran out replaced by the expected demand, never less than what was sold.

    [series, days], closed days imputed. ``share``: of a usual day's demand that comes before the shelf was empty, 0 to
    1; NaN where the hour is not known. A day's answer rests on that day and those before it.
    """
    found = sold.copy()
    for column in np.flatnonzero(ran_out.any(axis=0)):
        rows = np.flatnonzero(ran_out[:, column])
        columns = np.arange(column, -1, -WEEK_D)[:WEEKS]
        weeks = _Weeks(sold[rows][:, columns], ran_out[rows][:, columns])
        answer = _without_hour(weeks)
        if share is not None:
            answer = np.where(np.isfinite(share[rows, column]), _with_hour(weeks, share[rows, column]), answer)
        bound = sold[rows, column]
        found[rows, column] = np.clip(answer, bound, np.maximum(MOST * weeks.sold.max(axis=1), bound))
    return found


def share_before(minute: int, opens: int, closes: int) -> float:
    """Of a day's demand, when it comes evenly between opening and closing; all in minutes of the day.

    >>> share_before(18 * 60, 8 * 60, 20 * 60)
    0.8333333333333334
    """
    if not opens < closes:
        raise ValueError(f"closes = {closes} min: must be after opens = {opens} min")
    return min(max((minute - opens) / (closes - opens), 0.0), 1.0)


@dataclass(frozen=True, eq=False)
class _Weeks:
    sold: Floats  # [rows, weeks], the day itself first
    ran_out: Bools


def _without_hour(weeks: _Weeks) -> Floats:
    """E[demand | demand >= sold], demand normal around the weekday's mean; both found together (Tobin 1958, by EM)."""
    mean, spread = _fitted(weeks)
    return _expected_above(weeks.sold[:, 0], mean, spread)


def _with_hour(weeks: _Weeks, share: Floats) -> Floats:
    """What was sold, and the rest of the day at the expected rate: gamma over days, Poisson within, its posterior."""
    mean, spread = _fitted(weeks)
    mean = np.maximum(mean, 1e-6)
    between = np.maximum(spread**2 - mean, (LEAST_SPREAD * mean) ** 2)  # variance of the rate itself
    shape, rate = mean**2 / between, mean / between
    sold = weeks.sold[:, 0]
    found: Floats = sold + (1.0 - share) * (shape + sold) / (rate + share)
    return found


def _fitted(weeks: _Weeks) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each row's demand, where days that ran out are lower bounds."""
    mean = weeks.sold.mean(axis=1)
    spread = _at_least(weeks.sold.std(axis=1), mean)
    for _ in range(ROUNDS):
        over = (weeks.sold - mean[:, None]) / spread[:, None]
        hazard = _hazard(over)
        expected = np.where(weeks.ran_out, mean[:, None] + spread[:, None] * hazard, weeks.sold)
        rest = np.where(weeks.ran_out, np.clip(1 + over * hazard - hazard**2, 0.0, 1.0), 0.0) * spread[:, None] ** 2
        mean = np.minimum(expected.mean(axis=1), MOST * weeks.sold.max(axis=1))
        spread = _at_least(np.sqrt((rest + (expected - mean[:, None]) ** 2).mean(axis=1)), mean)
    return mean, spread


def _at_least(spread: Floats, mean: Floats) -> Floats:
    return np.maximum(spread, LEAST_SPREAD * mean + 1e-6)


def _expected_above(bound: Floats, mean: Floats, spread: Floats) -> Floats:
    """Of a normal distribution above a bound.

    >>> round(float(_expected_above(np.array([0.0]), np.array([0.0]), np.array([1.0]))[0]), 5)
    0.79788
    """
    return mean + spread * _hazard((bound - mean) / spread)


def _hazard(z: Floats) -> Floats:
    """Density over upper tail of the standard normal distribution (the inverse of Mills' ratio)."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(z))
    series = np.zeros_like(z)
    for factor in reversed(_TAIL):
        series = t * (factor + series)
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    found: Floats = np.where(z >= 0, 1.0 / series, density / (1.0 - density * series))
    return found
