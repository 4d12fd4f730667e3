"""Supply, card, clock and broker: what lasts is an alarm, a moment is not."""

import pytest

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.machine import MachineState, Vitals, conditions, follow
from edge_agent.domain.instant import ClockState, Instant

SETTINGS = AlarmSettings()
MIN = 60.0


def at(seconds: float, clock: ClockState = ClockState.SYNCED) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000, "boot", clock)


def times(name: str, seen: list[tuple[float, dict]], clock: ClockState = ClockState.SYNCED) -> list[float]:
    """Seconds at which the condition held."""
    state, found = MachineState(at(0)), []
    for seconds, facts in seen:
        vitals = Vitals(at(seconds, clock), **facts)
        state = follow(state, vitals, SETTINGS)
        found += [seconds for each in conditions(state, vitals, SETTINGS) if each.name == name and each.holds]
    return found


@pytest.mark.parametrize(
    ("name", "seen", "held"),
    [
        # A weak supply at once, and until ten minutes passed without:
        ("under-voltage", [(0, 0), (60, 1), (120, 0), (659, 0), (660, 0)], [60, 120, 659]),
        ("throttled", [(0, 1), (299, 1), (300, 1), (360, 0), (420, 1)], [300]),
        ("throttled", [(0, 1), (200, 0), (201, 1), (400, 1), (501, 1)], [501]),
        # Below 200 MB, and until a fifth more is free:
        ("disk-nearly-full", [(0, 201), (60, 199), (120, 239), (180, 240), (240, 201)], [60, 120]),
        ("broker-away", [(0, None), (1, "refused"), (1800, "refused"), (1801, "refused"), (1802, None)], [1801]),
        ("broker-away", [(0, "refused"), (1000, None), (1001, "refused"), (2800, "refused")], []),
        # Until none was lost for ten minutes:
        ("data-lost", [(0, 0), (1, 2), (600, 2), (601, 2), (602, 3), (700, 3)], [1, 600, 602, 700]),
        ("backlog", [(0, 20_000), (1799, 20_000), (1800, 20_000), (1801, 19_999), (1802, 20_000)], [1800]),
    ],
)
def test_a_condition_holds_at_these_times(name, seen, held):
    keys = {
        "under-voltage": "is_under_voltage",
        "throttled": "is_throttled",
        "disk-nearly-full": "disk_free_mb",
        "broker-away": "offline",
        "backlog": "waiting",
        "data-lost": "lost",
    }
    key = keys[name]
    typed = [(s, {key: bool(value) if key.startswith("is_") else value}) for s, value in seen]
    assert times(name, typed) == held


def test_a_backlog_while_the_broker_is_away_is_no_alarm_of_its_own():
    away = {"waiting": 50_000, "offline": "refused"}
    assert times("backlog", [(0, away), (5000, away)]) == []
    assert times("broker-away", [(0, away), (5000, away)]) == [5000]


def test_a_clock_that_is_not_set_for_an_hour_is_an_alarm():
    seen = [(s, {}) for s in (0, 59 * MIN, 60 * MIN)]
    assert times("clock-unsynced", seen, ClockState.UNSYNCED) == [60 * MIN]
    assert times("clock-unsynced", seen) == []


def test_of_what_nobody_knows_nothing_is_said():
    vitals = Vitals(at(0))
    told = {each.name for each in conditions(MachineState(at(0)), vitals, SETTINGS)}
    assert told == {"clock-unsynced", "broker-away", "data-lost"}
