"""Public holidays by country and region, asked of the package in a process of its own."""

import sys
from datetime import date

import pytest

from edge_agent.config import holiday_table

EPIPHANY, UNITY, REFORMATION = date(2026, 1, 6), date(2026, 10, 3), date(2026, 10, 31)
NATIONAL, ST_ANDREW = date(2026, 10, 26), date(2026, 11, 30)


@pytest.mark.parametrize(
    ("country", "region", "holidays"),
    [
        ("DE", None, {UNITY}),
        ("DE", "BY", {UNITY, EPIPHANY}),
        ("DE", "HH", {UNITY, REFORMATION}),
        ("AT", None, {EPIPHANY, NATIONAL}),
        ("GB", "SCT", {ST_ANDREW}),
        ("GB", "ENG", set()),
    ],
)
def test_holidays_are_those_of_the_region(country, region, holidays) -> None:
    found = holiday_table.days(country, region, [2026])
    assert found & {EPIPHANY, UNITY, REFORMATION, NATIONAL, ST_ANDREW} == holidays
    assert {day.year for day in found} == {2026}


def test_the_package_stays_out_of_this_process() -> None:
    assert "BY" in holiday_table.regions()["DE"]
    assert "holidays" not in sys.modules


def test_a_region_that_is_none_is_told() -> None:
    with pytest.raises(OSError, match="QQ"):
        holiday_table.days("DE", "QQ", [2026])
