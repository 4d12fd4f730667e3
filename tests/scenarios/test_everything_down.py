"""No broker, a clock in 1970, a card that takes nothing, a bus that hangs: light, sound and button go on."""

import io
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_agent.config import Settings, check
from edge_agent.domain.message import Stream
from edge_agent.service.build import build
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.fitting import CellSettings, FittedBoard

LAMP, BUZZER, BUTTON = 23, 18, 25
CONFIG = f"""
[node]
site = "elm-street"
name = "a1"

[board]
kind = "simulated"

[panel]
led_pin = {LAMP}
buzzer_pin = {BUZZER}
button_pin = {BUTTON}

[[sensor]]
name = "cellar-air"
driver = "sht3x"
interval_s = 1.0

[[sensor]]
name = "attic"
driver = "sht3x"
interval_s = 1.0
bus = "i2c-2"

[[place]]
name = "cellar"
kind = "ambient"
sensors = ["cellar-air"]
high_c = 31.95
critical_high_c = 32.0
critical_on = "air"
critical_dwell_s = 0.0
"""
ALARM = "cellar-critical-high"


class Away(Recorder):
    """No broker, and none comes."""

    is_up, last_error = False, "connection refused"


class Cellar:
    """An agent of which everything is down but its panel, stepped; ``at`` says what happens."""

    def __init__(self, directory) -> None:
        settings = check(CONFIG, "scenario")
        assert isinstance(settings, Settings), settings
        self.settings = replace(settings, storage=replace(settings.storage, directory=str(directory)))
        self.directory = directory
        self.clock = SimulatedClock(wall_s=30.0, synchronised=False)
        self.board = FittedBoard(self.clock, settings.sensors, CellSettings(), hanging=["attic"])
        self.board.fittings["attic"].suffer("hang")
        self.onlooker = self.board.onlooker
        self.is_warm = False
        self.board.fittings["cellar-air"].follow(
            lambda _: {"temperature": 32.2 if self.is_warm else 31.9, "humidity": 50.0, "pressure": 1013.25}
        )

    def warm_up(self) -> None:
        self.is_warm = True

    def break_card(self, *, is_broken: bool) -> None:
        before, after = ("memory", "gone") if is_broken else ("gone", "memory")
        with sqlite3.connect(self.directory / "agent.db") as file:
            file.execute(f"ALTER TABLE {before} RENAME TO {after}")
        file.close()

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        self.clock.call_at(seconds, what)

    def run(self, seconds: float) -> list[dict]:
        """Answers the log of alarms as it is on the card at the end."""
        stop = threading.Event()
        parts = build(self.settings, self.board, lambda _, watch: Away(io.BytesIO(), watch.now))
        with self.board.driving():
            try:
                run_stepped(parts, stop, lambda _, now: stop.set() if now.mono_ms >= 1000 * seconds else None)
                return [json.loads(row.content.body) for row in parts.store.pending(Stream.ALARMLOG, 0, 100)]
            finally:
                parts.close()


@pytest.fixture
def cellar(tmp_path):
    return Cellar(tmp_path)


def test_it_is_lit_and_heard_within_two_seconds_and_on_the_card_once_that_takes_writes(cellar):
    cellar.at(20.0, lambda: cellar.break_card(is_broken=True))
    for press_s in (90.0, 110.0):
        cellar.at(press_s, lambda: cellar.onlooker.press(BUTTON))
        cellar.at(press_s + 0.2, lambda: cellar.onlooker.let_go(BUTTON))
    cellar.at(100.4, cellar.warm_up)
    cellar.at(150.0, lambda: cellar.break_card(is_broken=False))
    log = cellar.run(200)

    # Of the bus and of the card the light has called before, and somebody came.
    assert cellar.onlooker.bursts(BUZZER, 30.0)[0]
    assert [change for change in cellar.onlooker.changes(LAMP, 90.5) if change.at_s < 100.4] == []
    # The cellar is too warm, and nothing works but the panel.
    assert cellar.onlooker.changes(LAMP, 100.4)[0].at_s <= 102.4
    flashes_hz = cellar.onlooker.flashes_hz(LAMP, 100.4)
    assert flashes_hz is not None
    assert 1.4 <= flashes_hz <= 2.8
    (burst,) = cellar.onlooker.bursts(BUZZER, 100.4)
    assert len(burst) == 5
    assert burst[0][0] <= 102.4
    # A press: silent and steady at once, with all else still down.
    steady = [change for change in cellar.onlooker.changes(LAMP, 110.2) if change.at_s < 190]
    assert steady[-1].level == 1.0
    assert steady[-1].at_s <= 110.4

    told = [(line["alarm"], line["change"], line["who"]) for line in log]
    for alarm in (ALARM, "sensor-attic", "storage"):
        assert (alarm, "raised", "agent") in told
        assert (alarm, "acknowledged", "button") in told
    (raised,) = [line for line in log if (line["alarm"], line["change"]) == (ALARM, "raised")]
    assert raised["since"].startswith("1970-01-01T00:0")


def test_a_power_cut_forgets_neither_the_alarm_nor_that_somebody_saw_it(cellar):
    cellar.at(10.0, cellar.warm_up)
    cellar.at(20.0, lambda: cellar.onlooker.press(BUTTON))
    cellar.at(20.3, lambda: cellar.onlooker.let_go(BUTTON))
    cellar.run(30)
    again = Cellar(cellar.directory)
    again.warm_up()
    again.run(30)
    assert again.onlooker.is_on(LAMP) is False, "stopped: dark"
    changes = [change for change in again.onlooker.changes(LAMP, 2.0) if change.at_s < 29]
    assert changes == [] or changes[-1].level == 1.0
    assert again.onlooker.bursts(BUZZER, 2.0) == []
