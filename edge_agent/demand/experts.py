"""Six simple methods, for many histories at once: what any shop gets without a model, and what a model must beat.

A history is right-aligned: its last column is the day of the origin, and ``length`` says how many columns count.
Quantiles come from each method's own one-step errors, as in the yardstick that judges them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Amounts
from edge_agent.demand.theta import is_told, theta
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EXPERTS = ("snaive7", "ma28", "climatology", "ses", "tsb", "theta")
MIN_HISTORY_D = 14  # with fewer days nothing is said: NaN
HISTORY_D = 400
WEEK_D = 7
MEAN_D = 28
WEEKS = 13  # of the climatology
RESIDUALS_D = 84
CHUNK = 1024  # rows at once: bounds the memory

SES_ALPHAS = (0.01, 0.99)  # searched between them
GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2
GOLDEN_STEPS = 11  # to within 0.005
TSB_ALPHA = 0.1  # of size and of probability (Teunter, Syntetos and Babai 2011)


@dataclass(frozen=True, eq=False)
class Histories:
    """Rows of ``y`` end at their origins; NaN and what lies before the last ``length`` columns are not looked at."""

    y: Floats  # [rows, days]
    length: Ints  # [rows]

    def __post_init__(self) -> None:
        if self.y.ndim != 2 or self.length.shape != self.y.shape[:1]:
            raise ValueError(f"y {self.y.shape}, length {self.length.shape}: need [rows, days] and [rows]")


@dataclass(frozen=True, eq=False)
class ExpertForecast:
    point: Floats  # [rows, horizon]
    quantiles: Floats  # [rows, horizon, levels]


def histories(imputed: Amounts, start: Ints, series: Ints, origins: Ints, hist: int = HISTORY_D) -> Histories:
    """The last ``hist`` days up to each origin (it included), from each series' first sale on; closed days imputed.

    ``series`` and ``origins`` have one entry for each row wanted: rows and columns of ``imputed``.
    """
    begin = np.maximum(start[series], origins + 1 - hist)
    length = np.maximum(origins + 1 - begin, 0)
    width = max(int(length.max(initial=0)), 1)
    columns = origins[:, None] - np.arange(width - 1, -1, -1)
    y = np.zeros(columns.shape)
    np.copyto(y, imputed[series[:, None], np.maximum(columns, 0)], where=columns >= begin[:, None])
    return Histories(y, length)


def forecasts(
    of: Histories, horizon: int = MAX_HORIZON_D, levels: tuple[float, ...] = LEVELS, names: tuple[str, ...] = EXPERTS
) -> dict[str, ExpertForecast]:
    """Every method's point and quantiles for the next ``horizon`` days; NaN where a history is too short."""
    if not 1 <= horizon <= MAX_HORIZON_D:
        raise ValueError(f"horizon = {horizon}: must be 1 to {MAX_HORIZON_D} days")
    rows = len(of.y)
    found = {
        name: ExpertForecast(np.full((rows, horizon), np.nan), np.full((rows, horizon, len(levels)), np.nan))
        for name in names
    }
    enough = np.flatnonzero(of.length >= MIN_HISTORY_D)
    order = enough[np.argsort(of.length[enough], kind="stable")]  # like lengths together: narrow chunks stay narrow
    for begin in range(0, len(order), CHUNK):
        chosen = order[begin : begin + CHUNK]
        width = int(of.length[chosen].max())
        y, length = of.y[chosen, -width:], np.minimum(of.length[chosen], width)
        y = np.where(is_told(length, width), y, 0.0)
        for name in names:
            point, quantiles = _METHODS[name](y, length, horizon, np.asarray(levels))
            found[name].point[chosen] = point
            found[name].quantiles[chosen] = quantiles
    return found


def quantiles_of(values: Floats, levels: Floats) -> Floats:
    """Along the last axis, linear between order statistics; NaN counts for nothing.

    >>> quantiles_of(np.array([[1.0, np.nan, 3.0]]), np.array([0.25])).tolist()
    [[1.5]]
    """
    ordered = np.sort(values, axis=-1)  # NaN last
    count = np.isfinite(values).sum(axis=-1)[..., None]
    place = levels * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(ordered, below, axis=-1)
    found: Floats = low + (place - below) * (np.take_along_axis(ordered, above, axis=-1) - low)
    return found


def _around(point: Floats, residuals: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """The quantiles of one-step errors, laid around each day's point; where there is no error, the point itself."""
    offsets = np.nan_to_num(quantiles_of(residuals, levels), nan=0.0)
    return point, np.maximum(point[:, :, None] + offsets[:, None, :], 0.0)


def _errors(y: Floats, fitted: Floats, length: Ints, skip: int) -> Floats:
    """Of the last RESIDUALS_D days; NaN for those that had fewer than ``skip`` days before them."""
    width = y.shape[1]
    told = np.arange(width) >= (width - length + skip)[:, None]
    return np.where(told, y - fitted, np.nan)[:, -RESIDUALS_D:]


def _snaive7(y: Floats, length: Ints, horizon: int, levels: Floats) -> tuple[Floats, Floats]:
    point = y[:, y.shape[1] - WEEK_D + np.arange(horizon) % WEEK_D]
    before = np.concatenate([np.zeros((len(y), WEEK_D)), y[:, :-WEEK_D]], axis=1)
    return _around(point, _errors(y, before, length, WEEK_D), levels)


def _ma28(y: Floats, length: Ints, horizon: int, levels: Floats) -> tuple[Floats, Floats]:
    """A history shorter than MEAN_D has the mean of all its days, and its spread around that."""
    sums = np.concatenate([np.zeros((len(y), 1)), np.cumsum(y, axis=1)], axis=1)
    days = np.arange(y.shape[1] + 1)
    total = sums - sums[:, np.maximum(days - MEAN_D, 0)]
    mean = total[:, -1] / np.minimum(length, MEAN_D)
    is_short = length <= MEAN_D
    fitted = np.where(is_short[:, None], mean[:, None], total[:, :-1] / MEAN_D)
    point = np.repeat(mean[:, None], horizon, axis=1)
    return _around(point, _errors(y, fitted, np.where(is_short, length + MEAN_D, length), MEAN_D), levels)


def _climatology(y: Floats, length: Ints, horizon: int, levels: Floats) -> tuple[Floats, Floats]:
    """Mean and quantiles of the same weekday's last WEEKS weeks."""
    width = y.shape[1]
    told = np.where(is_told(length, width), y, np.nan)
    padded = np.concatenate([np.full((len(y), max(WEEKS * WEEK_D - width, 0)), np.nan), told], axis=1)
    weeks = padded[:, -WEEKS * WEEK_D :].reshape(len(y), WEEKS, WEEK_D).transpose(0, 2, 1)
    days = np.arange(horizon) % WEEK_D
    return np.nanmean(weeks, axis=2)[:, days], np.maximum(quantiles_of(weeks, levels), 0.0)[:, days]


def _ses(y: Floats, length: Ints, horizon: int, levels: Floats) -> tuple[Floats, Floats]:
    """Simple exponential smoothing with the alpha that golden section finds for the least one-step squared error.

    The error has several minima in places: the same search as the yardstick's ends in the same one.
    """
    low, high = np.full(len(y), SES_ALPHAS[0]), np.full(len(y), SES_ALPHAS[1])
    lower, upper = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_lower, at_upper = _squares(y, length, lower), _squares(y, length, upper)
    for _ in range(GOLDEN_STEPS):
        is_below = at_lower < at_upper
        low, high = np.where(is_below, low, lower), np.where(is_below, upper, high)
        asked = np.where(is_below, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        answer = _squares(y, length, asked)
        lower, upper = np.where(is_below, asked, upper), np.where(is_below, lower, asked)
        at_lower, at_upper = np.where(is_below, answer, at_upper), np.where(is_below, at_lower, answer)
    last, fitted = _smoothed(y, length, (low + high) / 2)
    point = np.repeat(last[:, None], horizon, axis=1)
    return _around(np.maximum(point, 0.0), _errors(y, fitted, length, 1), levels)


def _squares(y: Floats, length: Ints, alpha: Floats) -> Floats:
    """Sum of squared one-step errors of each row."""
    level, squares = np.zeros(len(y)), np.zeros(len(y))
    first = y.shape[1] - length
    last_begin = int(first.max())
    for column, sold in enumerate(np.ascontiguousarray(y.T)):
        if column <= last_begin:
            level = np.where(first == column, sold, level)
        error = sold - level
        squares += error * error
        level += alpha * error
    return squares


def _smoothed(y: Floats, length: Ints, alpha: Floats) -> tuple[Floats, Floats]:
    """The level at the end, and the one-step forecasts of every day (of the first: itself)."""
    days = np.ascontiguousarray(y.T)
    fitted = np.zeros_like(days)
    level = np.zeros(len(y))
    first = y.shape[1] - length
    for column, sold in enumerate(days):
        level = np.where(first == column, sold, level)
        fitted[column] = level
        level = level + alpha * (sold - level)
    return level, fitted.T


def _tsb(y: Floats, length: Ints, horizon: int, levels: Floats) -> tuple[Floats, Floats]:
    """Size and probability of demand, smoothed apart; sizes move on days with sales only."""
    days = np.ascontiguousarray(y.T)
    fitted = np.zeros_like(days)
    first = y.shape[1] - length
    size, chance = np.full(len(y), np.nan), np.zeros(len(y))
    for column, sold in enumerate(days):
        has = sold > 0
        chance = np.where(first == column, has, chance)
        fitted[column] = np.where(np.isnan(size), 0.0, size * chance)
        chance = chance + TSB_ALPHA * (has - chance)
        size = np.where(has, np.where(np.isnan(size), sold, size + TSB_ALPHA * (sold - size)), size)
    point = np.repeat(np.where(np.isnan(size), 0.0, size * chance)[:, None], horizon, axis=1)
    return _around(point, _errors(y, fitted.T, length, 1), levels)


_METHODS = {
    "snaive7": _snaive7,
    "ma28": _ma28,
    "climatology": _climatology,
    "ses": _ses,
    "tsb": _tsb,
    "theta": theta,
}
