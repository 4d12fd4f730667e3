"""Which days the calendar marks: holidays, those before them, school holidays, events."""

from datetime import date

from edge_agent.demand.calendar import calendar_of


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
