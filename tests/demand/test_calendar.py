"""Public holidays by region, school holidays by their ranges, and what a table already tells."""

from datetime import date

import numpy as np
import pytest
from rows_of_sales import panel_of

from edge_agent.demand.calendar import calendar_of, days_of, public_holidays, with_calendar


@pytest.mark.parametrize(
    ("country", "region", "day", "is_holiday"),
    [
        ("DE", None, date(2026, 10, 3), True),
        ("DE", "BY", date(2026, 1, 6), True),  # Epiphany
        ("DE", "HH", date(2026, 1, 6), False),
        ("DE", "HH", date(2026, 10, 31), True),  # Reformation Day
        ("AT", None, date(2026, 10, 26), True),
        ("GB", "SCT", date(2026, 11, 30), True),  # St Andrew's Day
        ("GB", "ENG", date(2026, 11, 30), False),
        ("DE", None, date(2026, 11, 30), False),
    ],
)
def test_holidays_are_those_of_the_region(country, region, day, is_holiday) -> None:
    assert (day in public_holidays(country, region, [2026])) is is_holiday


@pytest.mark.parametrize(
    ("country", "region", "words"), [("XX", None, "country = 'XX'"), ("DE", "QQ", "one of DE's: BB, BE")]
)
def test_a_country_or_region_that_is_none_is_refused(country, region, words) -> None:
    with pytest.raises(ValueError, match=words):
        public_holidays(country, region, [2026])


def test_the_two_days_before_a_holiday_are_marked_also_over_the_end_of_the_calendar() -> None:
    found = calendar_of(date(2026, 12, 21), 4, {date(2026, 12, 25), date(2026, 12, 26)})
    assert found["holiday"].tolist() == [0, 0, 0, 0]
    assert found["holiday_next2d"].tolist() == [0, 0, 1, 1]


def test_a_holiday_before_a_holiday_is_both() -> None:
    found = calendar_of(date(2026, 12, 25), 2, {date(2026, 12, 25), date(2026, 12, 26)})
    assert (found["holiday"].tolist(), found["holiday_next2d"].tolist()) == ([1, 1], [1, 0])


def test_school_holidays_and_events_are_marked_on_their_days() -> None:
    found = calendar_of(date(2026, 12, 22), 3, set(), {date(2026, 12, 23)}, {date(2026, 12, 24)})
    assert (found["school_holiday"].tolist(), found["event"].tolist()) == ([0, 1, 0], [0, 0, 1])


def test_what_a_table_tells_of_a_day_stands_and_the_calendar_fills_the_rest() -> None:
    panel = panel_of(np.ones((2, 3)))
    calendar = calendar_of(panel.first, days_of(panel), {panel.day(0), panel.day(5)})
    told = np.full((2, 17), np.nan)
    told[:, :3] = 0
    known = with_calendar({"holiday": told}, calendar, 2)
    assert known["holiday"].shape == (2, 17)
    assert known["holiday"][0, :7].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert known["event"].tolist() == np.zeros((2, 17)).tolist()
