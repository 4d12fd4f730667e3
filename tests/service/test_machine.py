"""The machine's own alarms through the whole agent."""

import shutil

import pytest

from edge_agent.domain.alarm import AlarmState
from edge_agent.drivers.power import UNDER_VOLTAGE
from edge_agent.service.machine import power

CONFIG = """
[node]
site = "elm-street"
name = "a1"

[[sensor]]
name = "power"
driver = "power"
interval_s = 60.0
"""
RAISED, NORMAL = AlarmState.UNACKNOWLEDGED, AlarmState.NORMAL


def states(decision) -> dict[str, AlarmState]:
    return {found.alarm.name: found.alarm.state for found in decision.transitions}


def test_a_weak_supply_is_an_alarm_at_once_and_stands_in_health(room):
    room.settings = room.configured(CONFIG)
    with room.running():
        room.parts.board.flags = 0
        room.cycle()
        room.parts.board.flags = UNDER_VOLTAGE
        room.cycle()
        assert states(room.cycle()) == {"under-voltage": RAISED}
        health = room.of(room.send(), "health")[-1]
        assert (health["under_voltage"], health["throttled"]) == (True, False)
        room.parts.board.flags = 0
        assert states(room.cycle(300)) == {}
        assert states(room.cycle(599)) == {}
        assert states(room.cycle(2)) == {"under-voltage": NORMAL}
        room.parts.board.flags = None
        room.cycle(301)
        assert power(room.parts, room.parts.watch.now()) == (None, None), "what nobody measured lately is not known"


def test_the_card_is_looked_at(room):
    with room.running():
        room.cycle()
        condition = room.parts.agent.memory.conditions["disk-nearly-full"]
    assert condition.value == pytest.approx(shutil.disk_usage(room.directory).free / 1e6, abs=500)


def test_a_broker_that_is_away_for_long_is_an_alarm_and_ends_with_it(room):
    with room.running():
        room.cycle()
        room.desk.last_error = "connection refused"
        room.cycle()
        assert "broker-away" not in states(room.cycle(1700))
        assert states(room.cycle(200))["broker-away"] is RAISED
        room.desk.last_error = None
        assert states(room.cycle(100))["broker-away"] is NORMAL
