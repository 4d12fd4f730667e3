"""Where the shop stands and when it is open, and how much its forecasts may cost."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo, available_timezones

from edge_agent.domain.settings import SettingFault, one_of, require, within

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTES_A_DAY = 24 * 60
_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:/(\d{4}-\d{2}-\d{2}))?", re.ASCII)
LONGEST_SPAN_D = 120


@dataclass(frozen=True, slots=True)
class ShopSettings:
    country: str | None = None  # ISO 3166: whose public holidays hold; left out: none are known
    region: str | None = None  # of the country, as the package `holidays` names it
    time_zone: str | None = None  # of the shop's days; left out: this machine's
    opens: str = "08:00"
    closes: str = "20:00"
    closed: tuple[str, ...] = ()  # weekdays
    closed_on_holidays: bool = True
    school_holidays: tuple[str, ...] = ()  # "2026-12-23/2027-01-05", both included

    def __post_init__(self) -> None:
        require(
            _code_fault("country", self.country, "two capital letters such as DE (ISO 3166)", r"[A-Z]{2}"),
            _code_fault("region", self.region, "a region of the country, such as BY", r"[\w -]{1,32}"),
            SettingFault("region", self.region, "left out, or together with country")
            if self.region is not None and self.country is None
            else None,
            _zone_fault(self.time_zone),
            _time_fault("opens", self.opens),
            _time_fault("closes", self.closes),
            self._order_fault(),
            *(one_of("closed", day, WEEKDAYS) for day in self.closed),
            SettingFault("closed", self.closed, "fewer: a shop that never opens sells nothing")
            if set(WEEKDAYS) <= set(self.closed)
            else None,
            *(_span_fault(text) for text in self.school_holidays),
        )

    def _order_fault(self) -> SettingFault | None:
        if _time_fault("", self.opens) or _time_fault("", self.closes) or self.open_minutes[0] < self.open_minutes[1]:
            return None
        return SettingFault("closes", self.closes, f"after opens = {self.opens}; midnight is 24:00")

    @property
    def open_minutes(self) -> tuple[int, int]:
        """Of the local day.

        >>> ShopSettings(opens="07:30", closes="24:00").open_minutes
        (450, 1440)
        """
        return _minutes(self.opens), _minutes(self.closes)

    def is_weekday_open(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] not in self.closed

    def school_days(self) -> set[date]:
        return {day for text in self.school_holidays for day in days_of(text)}


@dataclass(frozen=True, slots=True)
class DemandSettings:
    enabled: bool = True  # false: no forecasts, and nothing is learnt
    hour: int = 2  # local: when the night's learning begins
    budget_s: float = 60.0  # it may take
    history_days: int = 730  # it looks back
    keep_days: int = 1100  # sales, weather, plans and rows set aside stay

    def __post_init__(self) -> None:
        require(
            within("hour", self.hour, 0, 23),
            within("budget_s", self.budget_s, 1, 3600, "s"),
            within("history_days", self.history_days, 56, 1095, "days"),
            within("keep_days", self.keep_days, self.history_days, 3650, "days (no less than history_days)"),
        )


def days_of(text: str) -> Sequence[date]:
    """Of a span as it stands in the configuration.

    >>> [day.isoformat() for day in days_of("2026-12-31/2027-01-01")], len(days_of("2026-12-24"))
    (['2026-12-31', '2027-01-01'], 1)
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no day and no span of days")
    first = date.fromisoformat(found[1])
    last = date.fromisoformat(found[2]) if found[2] else first
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def _minutes(text: str) -> int:
    return 60 * int(text[:2]) + int(text[3:])


def _code_fault(key: str, value: str | None, right: str, pattern: str) -> SettingFault | None:
    if value is None or re.fullmatch(pattern, value):
        return None
    return SettingFault(key, value, right)


def _zone_fault(name: str | None) -> SettingFault | None:
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        near = _nearest_zone(name)
        hint = f" (is it {near}?)" if near else ""
        return SettingFault("time_zone", name, f"a time zone such as Europe/Berlin{hint}")
    return None


def _nearest_zone(name: str) -> str:
    from difflib import get_close_matches  # here: a right name needs no search

    return next(iter(get_close_matches(name, sorted(available_timezones()), 1, cutoff=0.6)), "")


def _time_fault(key: str, text: str) -> SettingFault | None:
    if _TIME.fullmatch(text) and _minutes(text) <= MINUTES_A_DAY:
        return None
    return SettingFault(key, text, 'a time of the day such as "08:00", at most "24:00"')


def _span_fault(text: str) -> SettingFault | None:
    right = 'a day or days such as "2026-12-23/2027-01-05", the last not before the first'
    try:
        days = days_of(text)
    except ValueError:
        return SettingFault("school_holidays", text, right)
    if 1 <= len(days) <= LONGEST_SPAN_D:
        return None
    return SettingFault("school_holidays", text, f"{right}, {LONGEST_SPAN_D} days at most")
