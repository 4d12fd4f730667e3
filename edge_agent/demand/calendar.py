"""What the calendar says of a day ahead: public holidays, school holidays, events."""

from collections.abc import Collection
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEFORE_D = 2  # people buy for a holiday so many days before it


def calendar_of(
    first: date, days: int, holidays: Collection[date], school: Collection[date] = (), events: Collection[date] = ()
) -> dict[str, Floats]:
    """0 or 1 for each of ``days`` from ``first`` on: holiday, holiday_next2d, school_holiday, event.

    >>> found = calendar_of(date(2026, 12, 22), 4, {date(2026, 12, 25)})
    >>> found["holiday"].tolist(), found["holiday_next2d"].tolist()
    ([0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0])
    """
    is_holiday = _is_in(holidays, first, days + BEFORE_D)
    soon = np.max([is_holiday[ahead : ahead + days] for ahead in range(1, BEFORE_D + 1)], axis=0)
    return {
        "holiday": is_holiday[:days],
        "holiday_next2d": soon,
        "school_holiday": _is_in(school, first, days),
        "event": _is_in(events, first, days),
    }


def _is_in(days: Collection[date], first: date, count: int) -> Floats:
    return np.array([first + timedelta(days=day) in days for day in range(count)], np.float64)
