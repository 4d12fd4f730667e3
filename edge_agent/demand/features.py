"""What the global model sees of a product, the same in training and on the board: one row for each day ahead.

A row is (series, origin, horizon). Everything in it is told relative to the series' own scale, so that one net serves
pieces, grams and money; what is not known is 0, with a flag beside it where that could be mistaken for a value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.effects import Effects, effects
from edge_agent.demand.experts import EXPERTS, HISTORY_D, MIN_HISTORY_D, WEEK_D, forecasts, histories
from edge_agent.demand.panel import Amounts, Panel
from edge_agent.demand.profile import profile
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

METHODS = (*EXPERTS, "profile")  # what the net weighs; the last one is its own (see profile.py)
SCALE_D = 56
LEAST_SCALE = 0.05  # a piece in 20 days; below it a rate says nothing
LEAST_SHARE = 0.25  # of the mean of all days: after a long gap the recent mean alone is no scale
LIMIT = 4.0  # inputs are clipped to it: the int8 codes then reach from -LIMIT to LIMIT
CHUNK = 512  # rows (series, origin) at once, of the methods, which go from day to day: bounds the memory
PART = 16  # of them at once, of all else
YEAR_D = 364  # whole weeks
_USUAL = float(np.log(2.0))  # log1p of one scale
_WEEKS = 8
_MEANS_D = (1, 3, 7, 14, 28)
_LOW, _HIGH = LEVELS.index(0.1), LEVELS.index(0.9)

NAMES = (
    *(f"weekday_{weeks}" for weeks in range(1, 5)),
    *(f"weekday_{what}" for what in ("mean8", "std8", "max8", "min8", "mean3")),
    *(f"mean_{days}" for days in _MEANS_D),
    "std_28",
    "max_28",
    "mean_all",
    "trend_28",
    "zeros_56",
    "zeros_28",
    "zeros_weekday",
    "scale",
    "length",
    "horizon",
    *(f"dow_{day}" for day in range(7)),
    *("year_sin", "year_cos", "year_sin2", "year_cos2"),
    *(f"{method}_point" for method in METHODS),
    *(f"{method}_spread" for method in METHODS),
    *("last_year_growth", "last_year_day", "has_last_year"),
    *("promo", "price", "holiday", "holiday_next2d", "holiday_before", "school_holiday", "event"),
    *("calendar_effect", "weather_effect"),
    *("has_weather", "temp", "temp_change", "rain", "is_rainy"),
)


@dataclass(frozen=True, eq=False)
class Rows:
    """N (series, origin) pairs, each with its days ahead. ``has_enough``: else methods are NaN and x is 0."""

    x: NDArray[np.float32]  # [N, horizon, len(NAMES)], within LIMIT
    scale: Floats  # [N], units a day
    methods: Floats  # [N, horizon, len(METHODS), len(LEVELS)], units a day
    has_enough: Bools  # [N]


@dataclass(frozen=True, eq=False)
class _Past:
    """Right-aligned: the last of HISTORY_D columns is the origin's day."""

    y: Floats  # [N, HISTORY_D]; NaN before the first sale
    length: Ints  # [N]: days since then
    scale: Floats


def rows(panel: Panel, imputed: Amounts, series: Ints, origins: Ints, horizon: int = MAX_HORIZON_D) -> Rows:
    """One entry of ``series`` and ``origins`` (row and column of the panel) for each pair wanted."""
    total = len(series)
    x = np.zeros((total, horizon, len(NAMES)), np.float32)
    scale = np.full(total, LEAST_SCALE)
    methods = np.full((total, horizon, len(METHODS), len(LEVELS)), np.nan)
    has_enough = origins + 1 - panel.start[series] >= MIN_HISTORY_D
    enough = np.flatnonzero(has_enough)
    for begin in range(0, len(enough), CHUNK):
        chosen = enough[begin : begin + CHUNK]
        said = forecasts(histories(imputed, panel.start, series[chosen], origins[chosen], HISTORY_D), horizon)
        for place, name in enumerate(EXPERTS):
            methods[chosen, :, place] = said.pop(name).quantiles
    for begin in range(0, len(enough), PART):
        chosen = enough[begin : begin + PART]
        past = _past(panel, imputed, series[chosen], origins[chosen])
        scale[chosen] = past.scale
        methods[chosen, :, METHODS.index("profile")] = profile(past.y, horizon)
        x[chosen] = _inputs(panel, imputed, series[chosen], origins[chosen], past, methods[chosen])
    return Rows(x, scale, methods, has_enough)


def _inputs(panel: Panel, imputed: Amounts, series: Ints, origins: Ints, past: _Past, methods: Floats) -> Floats:
    """[N, horizon, len(NAMES)]"""
    shape = methods.shape[:2]
    parts = [
        *_history(past, shape[1]),
        *_calendar(panel, series, origins, shape[1]),
        *_said(methods, past.scale),
        *_last_year(past, shape[1]),
        *_known(panel, series, origins, shape[1]),
        *_told(effects(panel, imputed, series, origins, shape[1])),
        *_weather(panel, series, origins, shape[1]),
    ]
    full = [np.broadcast_to(part if part.ndim == 2 else part[:, None], shape) for part in parts]
    found: Floats = np.clip(np.stack(full, axis=2), -LIMIT, LIMIT)
    return found


def _past(panel: Panel, imputed: Amounts, series: Ints, origins: Ints) -> _Past:
    of = histories(imputed, panel.start, series, origins, HISTORY_D)
    width = of.y.shape[1]
    y = np.full((len(series), HISTORY_D), np.nan)
    y[:, HISTORY_D - width :] = np.where(np.arange(width) >= (width - of.length)[:, None], of.y, np.nan)
    everything = np.nanmean(y, axis=1)
    scale = np.maximum(np.nanmean(y[:, -SCALE_D:], axis=1), np.maximum(LEAST_SHARE * everything, LEAST_SCALE))
    return _Past(y, of.length, scale)


def _level(value: Floats, scale: Floats) -> Floats:
    """log1p of value/scale, 0 at the scale itself; like the model's quantiles it keeps zeros apart."""
    shape = (-1, *[1] * (value.ndim - 1))
    found: Floats = 2.0 * (np.log1p(np.maximum(value / scale.reshape(shape), 0.0)) - _USUAL)
    return found


def _filled(value: Floats, otherwise: Floats) -> Floats:
    """NaN as the value that stands for the usual."""
    found: Floats = np.where(
        np.isfinite(value), value, otherwise if otherwise.ndim == value.ndim else otherwise[:, None]
    )
    return found


def _history(past: _Past, horizon: int) -> list[Floats]:
    y, scale = past.y, past.scale
    weeks = _weeks(y)
    usual = np.broadcast_to(np.nanmean(y[:, -SCALE_D:], axis=1)[:, None], (len(y), WEEK_D))
    day = np.arange(horizon) % WEEK_D
    told = np.isfinite(weeks)
    count = np.maximum(told.sum(axis=1), 1)
    at = [_filled(weeks[:, week], usual) for week in range(4)]
    mean = _filled(np.where(told, weeks, 0.0).sum(axis=1) / count, usual)
    mean = np.where(told.any(axis=1), mean, usual)
    std = np.sqrt(np.where(told, (np.where(told, weeks, 0.0) - mean[:, None]) ** 2, 0.0).sum(axis=1) / count)
    high = np.where(told, weeks, -np.inf).max(axis=1)
    low = np.where(told, weeks, np.inf).min(axis=1)
    three = np.mean(at[:3], axis=0)
    values = [*at, mean, std, _filled(high, usual), _filled(low, usual), three]
    by_day = [_level(value, scale)[:, day] for value in values]
    zeros = np.where(told, weeks == 0, False).sum(axis=1) / count
    return [
        *by_day,
        *_recent(past),
        2.0 * zeros[:, day] - 1.0,
        *_size(past),
        np.arange(1, horizon + 1)[None] / WEEK_D - 1.0,
    ]


def _weeks(y: Floats) -> Floats:
    """[N, week, day ahead]: the same weekday of the last _WEEKS weeks, the newest first."""
    return y[:, -_WEEKS * WEEK_D :].reshape(len(y), _WEEKS, WEEK_D)[:, ::-1]


def _recent(past: _Past) -> list[Floats]:
    y, scale = past.y, past.scale
    means = [_level(np.nanmean(y[:, -days:], axis=1), scale) for days in _MEANS_D]
    month, two = y[:, -28:], y[:, -56:]
    everything = np.nanmean(y, axis=1)
    before = np.where(np.isfinite(y[:, -28]), _safe_mean(y[:, -56:-28], everything), everything)
    trend = np.log((np.nanmean(month, axis=1) + 0.1 * scale) / (before + 0.1 * scale))
    return [
        *means,
        _level(np.nanstd(month, axis=1), scale),
        _level(np.nanmax(month, axis=1), scale) - 1.0,
        _level(everything, scale),
        2.0 * trend,
        2.0 * _zeros(two) - 1.0,
        2.0 * _zeros(month) - 1.0,
    ]


def _size(past: _Past) -> list[Floats]:
    """How large and how long; the log of the scale tells counting noise from the rest."""
    return [0.5 * np.log(past.scale) - 0.5, np.log(past.length / SCALE_D)]


def _safe_mean(values: Floats, otherwise: Floats) -> Floats:
    told = np.isfinite(values)
    sums = np.where(told, values, 0.0).sum(axis=1)
    return np.where(told.any(axis=1), sums / np.maximum(told.sum(axis=1), 1), otherwise)


def _zeros(values: Floats) -> Floats:
    found: Floats = (values == 0).sum(axis=1) / np.maximum(np.isfinite(values).sum(axis=1), 1)
    return found


def _calendar(panel: Panel, series: Ints, origins: Ints, horizon: int) -> list[Floats]:
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    weekday = (panel.first.weekday() + ahead) % WEEK_D
    angle = 2.0 * np.pi * _day_of_year(panel, ahead) / 365.25
    weekdays = [2.0 * (weekday == day) for day in range(WEEK_D)]
    return [*weekdays, *(2.0 * np.sin(angle), 2.0 * np.cos(angle), np.sin(2 * angle), np.cos(2 * angle))]


def _day_of_year(panel: Panel, columns: Ints) -> Ints:
    days = np.datetime64(panel.first, "D") + columns
    found: Ints = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
    return found


def _said(methods: Floats, scale: Floats) -> list[Floats]:
    """The methods' middles and their widths."""
    z = _level(methods, scale)
    middle, width = z[:, :, :, LEVELS.index(0.5)], z[:, :, :, _HIGH] - z[:, :, :, _LOW]
    return [*np.moveaxis(middle, 2, 0), *(np.moveaxis(width, 2, 0) - 1.0)]


def _last_year(past: _Past, horizon: int) -> list[Floats]:
    """How the target's week stood, a year ago, to the four weeks before the origin's day of that year."""
    y, scale = past.y, past.scale
    base = _safe_mean(y[:, HISTORY_D - YEAR_D - 28 : HISTORY_D - YEAR_D], np.full(len(y), np.nan))
    middle = HISTORY_D - 1 - YEAR_D + np.arange(1, horizon + 1)
    week = np.mean([y[:, middle + shift] for shift in range(-3, 4)], axis=0)
    has = np.isfinite(base)[:, None] & np.isfinite(week) & (base > 0)[:, None]
    floor = 0.1 * np.where(np.isfinite(base), base, scale)[:, None]
    growth = np.log((np.where(has, week, 1.0) + floor) / (np.where(has, base[:, None], 1.0) + floor))
    day = np.log((np.where(has, y[:, middle], 1.0) + floor) / (np.where(has, week, 1.0) + floor))
    return [np.where(has, 2.0 * growth, 0.0), np.where(has, 2.0 * day, 0.0), has.astype(np.float64)]


def _at(panel: Panel, name: str, series: Ints, columns: Ints) -> Floats:
    """A covariate at columns of the panel; NaN where it is not known."""
    values = panel.known.get(name)
    if values is None:
        return np.full(columns.shape, np.nan)
    inside = (columns >= 0) & (columns < values.shape[1])
    found: Floats = np.where(inside, values[series[:, None], np.clip(columns, 0, values.shape[1] - 1)], np.nan)
    return found


def _known(panel: Panel, series: Ints, origins: Ints, horizon: int) -> list[Floats]:
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    price = _at(panel, "price_rel", series, ahead)
    holiday = np.nan_to_num(_at(panel, "holiday", series, np.concatenate([ahead[:, :1] - 1, ahead], axis=1)))
    flag = {name: 2.0 * np.nan_to_num(_at(panel, name, series, ahead)) for name in ("promo", "holiday_next2d")}
    return [
        flag["promo"],
        4.0 * np.log(np.clip(np.nan_to_num(price, nan=1.0), 0.1, 10.0)),
        2.0 * holiday[:, 1:],
        flag["holiday_next2d"],
        2.0 * holiday[:, :-1],
        2.0 * np.nan_to_num(_at(panel, "school_holiday", series, ahead)),
        2.0 * np.nan_to_num(_at(panel, "event", series, ahead)),
    ]


def _told(found: Effects) -> list[Floats]:
    return [4.0 * found.calendar, 6.0 * found.weather]


def _weather(panel: Panel, series: Ints, origins: Ints, horizon: int) -> list[Floats]:
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    temp, rain = _at(panel, "temp", series, ahead), _at(panel, "precip", series, ahead)
    before = _at(panel, "temp", series, origins[:, None] - np.arange(28))
    usual = _safe_mean(before, np.full(len(series), np.nan))[:, None]
    has = np.isfinite(temp) & np.isfinite(usual)
    return [
        2.0 * has,
        np.where(has, temp / 10.0 - 1.0, 0.0),
        np.where(has, (temp - usual) / 4.0, 0.0),
        np.log1p(np.maximum(np.nan_to_num(rain), 0.0)),
        2.0 * (np.nan_to_num(rain) > 1.0),
    ]
