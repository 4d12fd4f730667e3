"""A seventh simple method: this week's level times the weekday's usual share of it, with the errors of 13 weeks."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.experts import WEEK_D, WEEKS, quantiles_of
from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]

LEVEL_WEEKS = 3  # the level is the mean of so many weeks
SHARE_WEEKS = 2.0  # a weekday's share is drawn to 1 as if so many weeks of equal days had been seen
_SPAN_D = WEEKS * WEEK_D


def profile(y: Floats, horizon: int) -> Floats:
    """[N, horizon, levels] in units, from right-aligned histories (NaN: not told) of at least _SPAN_D columns.

    Unlike the climatology it follows a level that moved in the last weeks, and it learns its errors from all weekdays.
    """
    recent = y[:, -_SPAN_D:]
    told = np.isfinite(recent)
    sold = np.where(told, recent, 0.0)
    level = _levels(sold, told)
    now = _mean(sold[:, -LEVEL_WEEKS * WEEK_D :], told[:, -LEVEL_WEEKS * WEEK_D :])
    share = _shares(sold, told, level)
    by_day = np.tile(share, WEEKS)
    fitted = level * by_day
    errors = np.where(told, sold - fitted, np.nan)
    width = np.where(told, fitted, np.nan)
    point = now[:, None] * share[:, np.arange(horizon) % WEEK_D]
    offsets = quantiles_of(errors / np.sqrt(np.maximum(width, 1e-9)), np.asarray(LEVELS))
    return np.maximum(point[:, :, None] + offsets[:, None] * np.sqrt(np.maximum(point, 0.0))[:, :, None], 0.0)


def _mean(sold: Floats, told: NDArray[np.bool_]) -> Floats:
    found: Floats = sold.sum(axis=1) / np.maximum(told.sum(axis=1), 1)
    return found


def _levels(sold: Floats, told: NDArray[np.bool_]) -> Floats:
    """Of each day: the mean of the LEVEL_WEEKS weeks before it, or of what there is of them (first days: of all)."""
    days = LEVEL_WEEKS * WEEK_D
    pad = ((0, 0), (days, 0))
    sums, count = (np.cumsum(np.pad(values.astype(np.float64), pad), axis=1) for values in (sold, told))
    zero = np.zeros((len(sold), 1))
    sums, count = np.concatenate([zero, sums], axis=1), np.concatenate([zero, count], axis=1)
    until = np.arange(_SPAN_D) + days
    total, number = sums[:, until] - sums[:, until - days], count[:, until] - count[:, until - days]
    return np.where(number >= WEEK_D, total / np.maximum(number, 1.0), _mean(sold, told)[:, None])


def _shares(sold: Floats, told: NDArray[np.bool_], level: Floats) -> Floats:
    """[N, days ahead]: of the week's mean, 1 where nothing is known."""
    by_week = (len(sold), WEEKS, WEEK_D)
    total = np.where(told, sold, 0.0).reshape(by_week).sum(axis=1)
    usual = np.where(told, level, 0.0).reshape(by_week).sum(axis=1)
    week = usual.sum(axis=1, keepdims=True) / np.maximum(told.sum(axis=1, keepdims=True), 1)
    return np.where(week > 0, (total + SHARE_WEEKS * week) / np.maximum(usual + SHARE_WEEKS * week, 1e-9), 1.0)
