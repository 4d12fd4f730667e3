"""What the calendar says of a day ahead: public holidays of a country and region, school holidays, events."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Panel
from edge_agent.domain.forecast import MAX_HORIZON_D

Floats = NDArray[np.float64]

BEFORE_D = 2  # people buy for a holiday so many days before it


def public_holidays(country: str, region: str | None, years: Iterable[int]) -> dict[date, str]:
    """Day -> name. ISO 3166 codes, the region as the package `holidays` spells it.

    Loads that package, which takes 15 MB for the rest of the process: ask once a year, and keep the answer.
    Raises ValueError for a country or region it does not know.
    """
    import holidays

    known = holidays.list_supported_countries()
    if country not in known:
        raise ValueError(f"country = {country!r}: must be an ISO 3166 code such as DE, one of {len(known)} known")
    if region is not None and region not in known[country]:
        regions = ", ".join(known[country]) or "none: leave it out"
        raise ValueError(f"region = {region!r}: must be one of {country}'s: {regions}")
    return dict(holidays.country_holidays(country, subdiv=region, years=sorted(set(years)), language="en_US"))


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


def with_calendar(known: Mapping[str, Floats], calendar: Mapping[str, Floats], series: int) -> dict[str, Floats]:
    """Where ``known`` of a panel tells nothing of a day, the calendar does; it is the same for every series."""
    found = dict(known)
    for name, values in calendar.items():
        whole = np.broadcast_to(values, (series, len(values)))
        found[name] = np.where(np.isfinite(found[name]), found[name], whole) if name in found else whole.copy()
    return found


def days_of(panel: Panel) -> int:
    """That a calendar for this panel must have."""
    return panel.days + MAX_HORIZON_D


def _is_in(days: Collection[date], first: date, count: int) -> Floats:
    return np.array([first + timedelta(days=day) in days for day in range(count)], np.float64)
