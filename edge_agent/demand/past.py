"""What a shop's own days say about a day to come: the columns that the grove is grown on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import WEEK_D, Amounts, Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCALE_D = 56
SERIES = 32  # whose running sums are there at once
LEAST_SCALE = 0.1  # units a day
SAME_WEEKDAYS = 8
YEAR_D = 364  # the same weekday a year before
MEANS_D = (1, 3, 7, 14, 28)
PLANS: Final = {
    "promo": 0.0,
    "price_rel": 1.0,
    "holiday": 0.0,
    "holiday_next2d": 0.0,
    "school_holiday": 0.0,
    "event": 0.0,
}
MOST_GROWTH = 4.0  # of a season against the same season a year before
DAYS_OF_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class Past:
    """A panel and its days with the closed ones filled. Columns up to the last one are known.

    Means over windows are differences of running sums, which are made for the series asked for and not kept: for all
    of them they would be three times the panel.
    """

    panel: Panel
    imputed: Amounts  # [series, days]

    def mean(self, series: Ints, origins: Ints, days: int) -> Floats:
        """Of the last ``days`` days up to the origin, or of those there are since the first sale."""
        return self._mean(_itself, series, origins, days)

    def scale(self, series: Ints, origins: Ints) -> Floats:
        return np.maximum(self.mean(series, origins, SCALE_D), LEAST_SCALE)

    def zero_share(self, series: Ints, origins: Ints) -> Floats:
        return self._mean(_is_zero, series, origins, SCALE_D)

    def deviation(self, series: Ints, origins: Ints) -> Floats:
        square = self._mean(np.square, series, origins, MEANS_D[-1])
        found: Floats = np.sqrt(np.maximum(square - self.mean(series, origins, MEANS_D[-1]) ** 2, 0.0))
        return found

    def _mean(self, of: Callable[[Floats], Floats], series: Ints, origins: Ints, days: int) -> Floats:
        have: Ints = np.clip(origins + 1 - self.panel.start[series], 1, days)
        own, row = np.unique(series, return_inverse=True)
        found = np.empty(len(series))
        for begin in range(0, len(own), SERIES):
            part = np.flatnonzero((row >= begin) & (row < begin + SERIES))
            values = of(self.imputed[own[begin : begin + SERIES]].astype(np.float64))
            sums = np.zeros((len(values), values.shape[1] + 1))
            np.cumsum(values, axis=1, out=sums[:, 1:])
            until, of_part = origins[part] + 1, row[part] - begin
            found[part] = sums[of_part, until] - sums[of_part, np.maximum(until - have[part], 0)]
        return np.asarray(found / have)


def _itself(values: Floats) -> Floats:
    return values


def _is_zero(values: Floats) -> Floats:
    found: Floats = (values == 0).astype(np.float64)
    return found


def past_of(panel: Panel) -> Past:
    return Past(panel, panel.imputed())


def described(past: Past, series: Ints, origins: Ints, horizons: Ints) -> Floats:
    """[rows, columns] for the days ``origins + horizons``, from what was known at the end of each origin; in scales."""
    target = origins + horizons
    scale = past.scale(series, origins)
    weekday = _same_weekdays(past, series, origins, horizons) / scale[:, None]
    columns = [*weekday[:, :4].T, weekday.mean(axis=1), weekday.std(axis=1), weekday.max(axis=1), weekday.min(axis=1)]
    columns += [weekday[:, :3].mean(axis=1)]
    columns += [past.mean(series, origins, days) / scale for days in MEANS_D]
    columns += [past.deviation(series, origins) / scale, past.zero_share(series, origins), np.log(scale)]
    columns += [horizons.astype(np.float64), *_calendar(past.panel, target)]
    for name, usual in PLANS.items():
        if name in past.panel.known:
            columns.append(np.nan_to_num(past.panel.known[name][series, target], nan=usual))
    columns += _a_year_before(past, series, origins, target, weekday.mean(axis=1), scale)
    return np.stack(columns, axis=1)


def _same_weekdays(past: Past, series: Ints, origins: Ints, horizons: Ints) -> Floats:
    """[rows, SAME_WEEKDAYS], the newest first: the last ones up to the origin; 0 before the record."""
    newest = origins + horizons - WEEK_D * ((horizons - 1) // WEEK_D + 1)
    columns = newest[:, None] - WEEK_D * np.arange(SAME_WEEKDAYS)
    return np.where(columns >= 0, past.imputed[series[:, None], np.maximum(columns, 0)], 0.0)


def _calendar(panel: Panel, target: Ints) -> list[Floats]:
    days = np.datetime64(panel.first, "D") + target
    year = days.astype("datetime64[Y]")
    month = days.astype("datetime64[M]")
    angle = 2.0 * np.pi * (days - year).astype(np.float64) / DAYS_OF_YEAR
    weekday = ((panel.first.weekday() + target) % WEEK_D).astype(np.float64)
    return [weekday, (days - month).astype(np.float64), np.sin(angle), np.cos(angle)]


def _a_year_before(past: Past, series: Ints, origins: Ints, target: Ints, usual: Floats, scale: Floats) -> list[Floats]:
    """That day's sales, and how the week around it stood against the four weeks before the origin's day."""
    day, turn = target - YEAR_D, origins - YEAR_D
    start = past.panel.start[series]
    has_day, has_turn = day >= start, turn - MEANS_D[-1] >= start
    then = np.where(has_day, past.imputed[series, np.maximum(day, 0)] / scale, usual)
    week = past.mean(series, np.maximum(np.minimum(day + 3, origins), 0), WEEK_D)
    month = past.mean(series, np.maximum(turn, 0), MEANS_D[-1])
    growth = np.clip(week / np.maximum(month, LEAST_SCALE / 2), 0.0, MOST_GROWTH)
    return [then, np.where(has_turn, growth, 1.0)]
