"""Theta for many histories at once: the dynamic optimised theta method on seasonally adjusted sales.

Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler 2016, "Models for optimising the theta method and their
relationship to state space models"; the weekly adjustment and its test as in Assimakopoulos and Nikolopoulos 2000.
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WEEK_D = 7
ALPHAS = (0.1, 0.14, 0.2, 0.28, 0.38, 0.5, 0.62, 0.74, 0.86, 0.99)  # the search begins in the middle
SEASONAL_TEST = NormalDist().inv_cdf(0.95)
LEAST_SEASON = 0.01  # a smaller factor makes the adjustment a difference
BURN_IN_D = 3  # the first errors count for nothing
_TINY = 1e-12
_LEAST = 1e-290  # a divisor below it overflows


def theta(y: Floats, length: Ints, horizon: int, levels: Floats) -> tuple[Floats, Floats]:
    """Point and quantiles: [rows, horizon], [rows, horizon, levels]. Rows of ``y`` are right-aligned, 0 before.

    The start level and theta are solved exactly for each alpha of a grid; quantiles are the normal distribution's
    around the point, wider with the horizon.
    """
    told = is_told(length, y.shape[1])
    season, is_product = weekly_season(y, told, length)
    product = is_product[:, None]
    by_day = season[:, np.arange(y.shape[1] - 1, -1, -1) % WEEK_D]
    adjusted = np.where(told, np.where(product, y / np.where(product, by_day, 1.0), y - by_day), 0.0)
    fit = _fit(adjusted, length)
    mean, spread, errors = _run(adjusted, length, fit, horizon)
    # As the yardstick scales errors back; for a difference it adds the season to them, and its bands are wide for it.
    seasonal_errors = np.where(product, errors * by_day, errors + by_day)
    sigma = _deviation(seasonal_errors, told & is_told(length - BURN_IN_D, y.shape[1]))
    ahead = season[:, (-1 - np.arange(horizon)) % WEEK_D]
    normal = np.array([NormalDist().inv_cdf(level) for level in levels])
    around = mean[:, :, None] + (sigma[:, None] * spread)[:, :, None] * normal
    point = np.where(product, mean * ahead, mean + ahead)
    quantiles = np.where(product[:, :, None], around * ahead[:, :, None], around + ahead[:, :, None])
    return np.maximum(point, 0.0), np.maximum(np.sort(quantiles, axis=2), 0.0)


def is_told(length: Ints, width: int) -> Bools:
    """Which of ``width`` columns belong to a history of ``length`` days.

    >>> is_told(np.array([1, 3]), 3).astype(int).tolist()
    [[0, 0, 1], [1, 1, 1]]
    """
    found: Bools = np.arange(width) >= (width - length)[:, None]
    return found


def least(grid: Floats, squares: Floats) -> Floats:
    """Where a search downhill from the middle of the grid ends, for each column of ``squares``; between grid points
    as the parabola through three of them says. Some squares have two valleys: the yardstick's search is local too.
    """
    columns = np.arange(squares.shape[1])
    best = np.full(squares.shape[1], len(grid) // 2)
    for _ in grid:
        left, right = np.maximum(best - 1, 0), np.minimum(best + 1, len(grid) - 1)
        around = np.stack([squares[best, columns], squares[left, columns], squares[right, columns]])
        best = np.choose(around.argmin(axis=0), [best, left, right])
    inner = np.clip(best, 1, len(grid) - 2)
    x0, x1, x2 = grid[inner - 1], grid[inner], grid[inner + 1]
    y0, y1, y2 = squares[inner - 1, columns], squares[inner, columns], squares[inner + 1, columns]
    above = (x1 - x0) ** 2 * (y1 - y2) - (x1 - x2) ** 2 * (y1 - y0)
    below = 2.0 * ((x1 - x0) * (y1 - y2) - (x1 - x2) * (y1 - y0))
    has = (np.abs(below) > np.maximum(_TINY * np.abs(y1), _LEAST)) & (inner == best)
    vertex = x1 - np.divide(above, below, out=np.zeros_like(above), where=has)
    found: Floats = np.where(has, np.clip(vertex, x0, x2), grid[best])
    return found


def weekly_season(y: Floats, told: Bools, length: Ints) -> tuple[Floats, Bools]:
    """Factors, or summands where sales of 0 forbid factors, by days before the origin modulo 7; and which of the two.

    Classical decomposition: a centred mean of a week, then the mean of each weekday's ratio (or difference) to it.
    Without a season in the autocorrelation: summands of 0.
    """
    rows, width = y.shape
    is_seasonal = _has_season(y, told, length)
    sums = np.concatenate([np.zeros((rows, 1)), np.cumsum(y, axis=1)], axis=1)
    trend = np.zeros_like(y)
    trend[:, 3 : width - 3] = (sums[:, WEEK_D:] - sums[:, :-WEEK_D]) / WEEK_D
    inner = is_told(length - 3, width) & (np.arange(width) < width - 3)
    is_positive = np.where(told, y, np.inf).min(axis=1) > 0
    is_positive &= np.where(inner, trend, np.inf).min(axis=1) > 0  # after a huge day a tiny one's is 0 in float64
    ratio = np.divide(y, trend, out=np.full_like(y, np.nan), where=inner & is_positive[:, None])
    factors = _weekday_means(ratio)
    factors = factors / np.where(is_positive, factors.mean(axis=1), 1.0)[:, None]
    is_product = is_seasonal & is_positive & (factors >= LEAST_SEASON).all(axis=1)
    summands = _weekday_means(np.where(inner, y - trend, np.nan))
    summands = np.where(is_seasonal[:, None], summands - summands.mean(axis=1, keepdims=True), 0.0)
    return np.where(is_product[:, None], factors, summands), is_product


def _has_season(y: Floats, told: Bools, length: Ints) -> Bools:
    """Autocorrelation at lag 7 beyond its 95 % band, which the shorter lags widen (Bartlett)."""
    centred = np.where(told, y - y.sum(axis=1, keepdims=True) / length[:, None], 0.0)
    power = (centred**2).sum(axis=1)[:, None]
    lags = np.stack([(centred[:, lag:] * centred[:, :-lag]).sum(axis=1) for lag in range(1, WEEK_D + 1)], axis=1)
    correlation = np.divide(lags, power, out=np.zeros_like(lags), where=power > 0)
    band = np.sqrt((1.0 + 2.0 * (correlation[:, :-1] ** 2).sum(axis=1)) / length)
    found: Bools = np.abs(correlation[:, -1]) > SEASONAL_TEST * band
    return found


def _weekday_means(values: Floats) -> Floats:
    """[rows, 7], by days before the end modulo 7; NaN counts for nothing, and 0 where there is nothing else."""
    rows, width = values.shape
    weeks = np.concatenate([np.full((rows, -width % WEEK_D), np.nan), values], axis=1)[:, ::-1].reshape(
        rows, -1, WEEK_D
    )
    has = np.isfinite(weeks)
    count = has.sum(axis=1)
    sums = np.where(has, weeks, 0.0).sum(axis=1)
    found: Floats = np.divide(sums, count, out=np.zeros((rows, WEEK_D)), where=count > 0)
    return found


class Trend:
    """The line through the days so far, of each row: mean, intercept A and slope B (eq. 13 of Fiorucci et al.)."""

    def __init__(self, length: Ints, width: int) -> None:
        self.age = length - width  # of the day to come; 0 on a row's first
        self.mean, self.a, self.b = np.zeros(len(length)), np.zeros(len(length)), np.zeros(len(length))

    def gain(self, power: Floats, alpha: Floats) -> Floats:
        """What 1 - 1/theta is multiplied with in the next day's forecast; ``power`` is (1 - alpha)^age."""
        gain: Floats = self.a * power + self.b * ((1.0 - power * (1.0 - alpha)) / alpha)
        return gain

    def step(self, sold: Floats) -> None:
        age = np.maximum(self.age, 0)
        slope = ((age - 1) * self.b + 6.0 * (sold - self.mean) / (age + 1)) / (age + 2)
        self.b = np.where(age > 0, slope, 0.0)
        self.mean = (age * self.mean + sold) / (age + 1)
        self.a = self.mean - self.b * (age + 2) / 2
        self.age = self.age + 1


def _fit(x: Floats, length: Ints) -> tuple[Floats, Floats, Floats]:
    """(alpha, start level, 1 - 1/theta) of each row with the least one-step squared error."""
    alphas = np.asarray(ALPHAS)
    squares, _, _ = _solved(_sums(x, length, np.repeat(alphas[:, None], len(x), axis=1)))
    alpha = least(alphas, squares)
    _, start, weight = _solved(_sums(x, length, alpha[None, :]))
    return alpha, start[0], weight[0]


def _sums(x: Floats, length: Ints, alpha: Floats) -> Floats:
    """Over the days after the burn-in: ee, ep, eg, pp, pg, gg as [6, *alpha.shape]; ``alpha`` is [alphas, rows].

    A day's error is e - start p - weight g: e against the level begun at 0, p the power of 1 - alpha, g the trend's.
    """
    beta = 1.0 - alpha
    sums = np.zeros((6, *alpha.shape))
    level, power = np.zeros_like(alpha), np.zeros_like(alpha)
    trend = Trend(length, x.shape[1])
    for sold in np.ascontiguousarray(x.T):
        power[:, trend.age == 0] = 1.0
        error, gain = sold - level, trend.gain(power, alpha)
        if trend.age.min() >= BURN_IN_D:
            _accumulate(sums, error, power, gain)
        else:
            counts = trend.age >= BURN_IN_D
            _accumulate(sums, error * counts, power * counts, gain * counts)
        level += alpha * error
        power *= beta
        trend.step(sold)
    return sums


def _accumulate(sums: Floats, error: Floats, power: Floats, gain: Floats) -> None:
    sums[0] += error * error
    sums[1] += error * power
    sums[2] += error * gain
    sums[3] += power * power
    sums[4] += power * gain
    sums[5] += gain * gain


def _solved(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """(least squares, start, weight): two normal equations; weight = 1 - 1/theta stays in 0 to 1."""
    ee, ep, eg, pp, pg, gg = sums
    has_start = pp > _TINY
    per_start = np.divide(pg, pp, out=np.zeros_like(pp), where=has_start)
    rest = gg - pg * per_start
    has_weight = rest > _TINY * (gg + _TINY)
    weight = np.clip(np.divide(eg - ep * per_start, rest, out=np.zeros_like(pp), where=has_weight), 0.0, 1.0)
    start = np.divide(ep - weight * pg, pp, out=np.zeros_like(pp), where=has_start)
    squares = ee - 2 * (start * ep + weight * eg) + start * start * pp + 2 * start * weight * pg + weight * weight * gg
    return squares, start, weight


def _run(x: Floats, length: Ints, fit: tuple[Floats, Floats, Floats], horizon: int) -> tuple[Floats, Floats, Floats]:
    """(mean of the days ahead, their standard deviation over sigma, one-step errors of the days told)."""
    alpha, start, weight = fit
    level, power = np.zeros(len(x)), np.zeros(len(x))
    trend = Trend(length, x.shape[1])
    errors = np.zeros((x.shape[1], len(x)))
    for column, sold in enumerate(np.ascontiguousarray(x.T)):
        begins = trend.age == 0
        level, power = np.where(begins, start, level), np.where(begins, 1.0, power)
        errors[column] = np.where(begins, 0.0, sold - level - weight * trend.gain(power, alpha))
        level = level + alpha * (sold - level)
        power = power * (1.0 - alpha)
        trend.step(sold)
    mean, spread, variance = np.empty((len(x), horizon)), np.empty((len(x), horizon)), np.ones(len(x))
    for day in range(horizon):
        mean[:, day] = level + weight * trend.gain(power, alpha)
        spread[:, day] = np.sqrt(variance)
        variance = variance + (alpha + weight * 6.0 / ((trend.age + 1) * (trend.age + 2) * alpha)) ** 2
        level = level + alpha * (mean[:, day] - level)
        power = power * (1.0 - alpha)
        trend.step(mean[:, day])
    return mean, spread, errors.T


def _deviation(values: Floats, counts: Bools) -> Floats:
    number = counts.sum(axis=1)
    mean = np.where(counts, values, 0.0).sum(axis=1) / np.maximum(number, 1)
    squares = (np.where(counts, values - mean[:, None], 0.0) ** 2).sum(axis=1)
    found: Floats = np.sqrt(squares / np.maximum(number - 1, 1))
    return found
