"""Stories of a storeroom in which something goes wrong, from the chip to the alarm log."""

import io
import json
import threading

import pytest

from edge_agent.config import Settings, check
from edge_agent.service.build import build, open_board
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped

HOUR_S = 3600.0
CONFIG = """
[node]
site = "elm-street"
name = "a1"

[agent]
cycle_s = 20.0

[food]
region = "england"

[storage]
directory = "{directory}"
batch_s = 300.0

[board]
kind = "simulated"
speed = 0
step_s = 10.0
start = "2026-06-01T09:00:00+00:00"

[board.shop]
errands_per_hour = 0.0

[[board.room]]
name = "cold-room"
kind = "cold-room"
defrost_every_h = 0

[[place]]
name = "cold-room"
kind = "chilled"
goods = ["milk"]
sensors = ["cold-room"]
door = "cold-room-door"

[[sensor]]
name = "cold-room"
driver = "sht4x"
interval_s = 20.0

[[sensor]]
name = "cold-room-door"
driver = "contact"
interval_s = 20.0
pin = 22
"""
FAULT = '\n[[board.fault]]\nkind = "{kind}"\nat_s = {at_s}\nfor_s = {for_s}\n{where}\n'


@pytest.fixture
def alarm_log(tmp_path):
    """Of so many hours with such a fault: (seconds since the start, alarm, change)."""

    def alarm_log(hours, kind, at_h, for_h, where):
        config = CONFIG.format(directory=tmp_path)
        config += FAULT.format(kind=kind, at_s=at_h * HOUR_S, for_s=for_h * HOUR_S, where=where)
        settings = check(config, "scenario")
        assert isinstance(settings, Settings), settings
        board, out, stop = open_board(settings), io.BytesIO(), threading.Event()

        def live(_decision, now):
            if now.mono_ms >= 1000 * hours * HOUR_S:
                stop.set()

        with board.driving():
            parts = build(settings, board, lambda _, watch: Recorder(out, watch.now))
            try:
                run_stepped(parts, stop, live)
            finally:
                parts.close()
        told = (json.loads(line)["payload"] for line in out.getvalue().splitlines())
        return [
            (entry["mono_ms"] / 1000, entry["alarm"], entry["change"])
            for entry in told
            if entry.get("stream") == "alarmlog" and "change" in entry
        ]

    return alarm_log


def test_a_door_left_open_is_told_within_five_minutes_and_is_over_when_it_is_shut(alarm_log):
    log = alarm_log(1.2, "door-left-open", 0.5, 0.25, 'room = "cold-room"')
    door = [(at_s - 0.5 * HOUR_S, change) for at_s, alarm, change in log if alarm == "cold-room-door"]
    assert [change for _, change in door] == ["raised", "returned"]
    assert 120 < door[0][0] <= 300
    assert 900 <= door[1][0] <= 960
    assert log[0][1] == "cold-room-door", "nothing was wrong before"


def test_a_quiet_room_tells_nothing(alarm_log):
    assert alarm_log(1.0, "unplugged", 2.0, 1.0, 'sensor = "cold-room"') == []


def test_a_sensor_cut_off_is_told_as_a_sensor_and_not_as_a_warm_room(alarm_log):
    log = alarm_log(0.6, "unplugged", 0.2, 0.2, 'sensor = "cold-room"')
    assert [(alarm, change) for _, alarm, change in log] == [
        ("sensor-cold-room", "raised"),
        ("sensor-cold-room", "returned"),
    ]
