"""What holidays, promotions and weather did to a product in its own past, by a small regression for each series.

A day's sales are told relative to the same weekday one and two weeks away, and so are the covariates: what comes out is
the effect of what is unlike the neighbouring weeks, which is what a forecast from those weeks lacks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Amounts, Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CALENDAR = ("promo", "price_rel", "holiday", "holiday_next2d", "school_holiday", "event")
WEATHER = ("temp", "precip")
YEAR_D = 371
NEIGHBOURS_D = (-14, -7, 7, 14)
RIDGE = np.array([2.0, 1.0, 1.0, 2.0, 4.0, 1.0, 4.0, 8.0])  # "days without effect" that are believed beforehand
TEMP_STEP_C = 5.0
LIMIT = 1.5  # of a log ratio


@dataclass(frozen=True, eq=False)
class Effects:
    """Log ratios to what the last weeks' same weekdays would say, [N, horizon]; 0: none known."""

    calendar: Floats
    weather: Floats


def effects(panel: Panel, imputed: Amounts, series: Ints, origins: Ints, horizon: int) -> Effects:
    """From at most YEAR_D days before each origin; days on which the shop was shut teach nothing."""
    told = [name for name in (*CALENDAR, *WEATHER) if name in panel.known]
    if not told:
        nothing = np.zeros((len(series), horizon))
        return Effects(nothing, nothing.copy())
    columns = origins[:, None] + np.arange(1 - YEAR_D, 1)
    inside = columns >= panel.start[series][:, None]
    clipped = np.maximum(columns, 0)
    y = np.where(inside, imputed[series[:, None], clipped].astype(np.float64), np.nan)
    has_sold = inside & panel.is_open[series[:, None], clipped]
    ahead = origins[:, None] + np.arange(1 - YEAR_D, horizon + 1)
    x = np.stack([_covariate(panel, name, series, ahead) for name in told], axis=2)
    ratio, unlike = _ratio(y), _unlike(x[:, :YEAR_D])
    ok = has_sold & np.isfinite(ratio) & np.isfinite(unlike).all(axis=2)
    beta = _ridge(np.where(ok, ratio, 0.0), np.where(ok[:, :, None], unlike, 0.0), told)
    days = np.arange(YEAR_D, YEAR_D + horizon)
    weeks = (days - YEAR_D) // 7
    usual = np.mean([x[:, days - 7 * (weeks + back)] for back in (1, 2, 3, 4)], axis=0)
    parts = (x[:, YEAR_D:] - usual) * beta[:, None]
    is_weather = np.array([name in WEATHER for name in told])
    return Effects(_sum(parts[:, :, ~is_weather]), _sum(parts[:, :, is_weather]))


def _covariate(panel: Panel, name: str, series: Ints, columns: Ints) -> Floats:
    """In steps of about one; a weather that is not known stays NaN, anything else counts as usual."""
    values = panel.known[name]
    found = values[series[:, None], np.clip(columns, 0, values.shape[1] - 1)]
    found = np.where((columns >= 0) & (columns < values.shape[1]), found, np.nan)
    if name == "temp":
        return np.asarray(found / TEMP_STEP_C)
    if name == "precip":
        return np.asarray(np.log1p(np.maximum(found, 0.0)))
    if name == "price_rel":
        return np.asarray(np.log(np.clip(np.nan_to_num(found, nan=1.0), 0.1, 10.0)))
    return np.nan_to_num(found)


def _neighbours(values: Floats) -> Floats:
    """Mean over the same weekday's neighbouring weeks along axis 1, of those that are told."""
    days = values.shape[1]
    total: Floats = np.zeros(values.shape)
    count: Floats = np.zeros(values.shape)
    for shift in NEIGHBOURS_D:
        at = np.arange(days) + shift
        inside = (at >= 0) & (at < days)
        found = np.full_like(values, np.nan)
        found[:, inside] = values[:, at[inside]]
        has = np.isfinite(found)
        total = total + np.where(has, found, 0.0)
        count = count + has
    return np.where(count >= 2, total / np.maximum(count, 1.0), np.nan)


def _ratio(y: Floats) -> Floats:
    floor = 0.1 * np.nan_to_num(np.nanmean(y, axis=1), nan=1.0)[:, None] + 1e-9
    found: Floats = np.clip(np.log((y + floor) / (_neighbours(y) + floor)), -LIMIT, LIMIT)
    return found


def _unlike(x: Floats) -> Floats:
    found: Floats = x - _neighbours(x)
    return found


def _ridge(ratio: Floats, x: Floats, told: list[str]) -> Floats:
    """[N, covariates]: least squares with RIDGE."""
    names = (*CALENDAR, *WEATHER)
    believed = np.diag(RIDGE[[names.index(name) for name in told]])
    square = np.swapaxes(x, 1, 2) @ x + believed
    product = np.swapaxes(x, 1, 2) @ ratio[:, :, None]
    return np.asarray(np.linalg.solve(square, product)[:, :, 0], np.float64)


def _sum(parts: Floats) -> Floats:
    found: Floats = np.clip(np.nan_to_num(parts).sum(axis=2), -LIMIT, LIMIT)
    return found
