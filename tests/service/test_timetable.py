import pytest

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.service.timetable import Timetable

MIDNIGHT_MS = 1_795_392_000_000  # 2026-11-23T00:00:00Z


def at(hours: float, clock: ClockState = ClockState.SYNCED) -> Instant:
    return Instant(round(hours * 3_600_000), MIDNIGHT_MS + round(hours * 3_600_000), "boot", clock)


@pytest.fixture
def ran():
    return []


@pytest.fixture
def timetable(ran):
    table = Timetable()
    table.daily("nightly", 3, 10, ran.append)
    return table


def test_a_daily_job_runs_once_a_day(timetable):
    runs = [hour for hour in range(73) if timetable.run_due(at(hour))]
    assert runs == [4, 28, 52]


def test_a_job_missed_many_times_runs_once(timetable, ran):
    timetable.run_due(at(0))
    assert timetable.run_due(at(24 * 3650)) == ["nightly"]
    assert timetable.run_due(at(24 * 3650 + 0.1)) == []
    assert len(ran) == 1


def test_after_a_step_back_the_job_does_not_wait_for_the_future_to_come_again(timetable):
    timetable.run_due(at(24 * 365))  # the clock stood a year ahead
    timetable.rearm(at(0))
    assert timetable.run_due(at(4)) == ["nightly"]


def test_nothing_runs_by_a_calendar_that_is_not_synchronised(timetable):
    assert [timetable.run_due(at(hour, ClockState.UNSYNCED)) for hour in range(49)] == [[]] * 49
