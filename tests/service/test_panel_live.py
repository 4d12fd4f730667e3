"""The panel beside the running agent, in real time: what a person sees does not wait for the cycle or the card."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from edge_agent.config import Settings, check
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.service.build import build
from edge_agent.service.run import run_live
from hardware_mocks.fitting import CellSettings, FittedBoard

LAMP, BUZZER, BUTTON = 23, 18, 25
DEADLINE_S = 20.0
CONFIG = f"""
[node]
site = "elm-street"
name = "a1"

[agent]
cycle_s = CYCLE_S

[board]
kind = "simulated"

[panel]
led_pin = {LAMP}
buzzer_pin = {BUZZER}
button_pin = {BUTTON}

[[sensor]]
name = "cellar-air"
driver = "sht3x"
interval_s = 0.2

[[place]]
name = "cellar"
kind = "ambient"
sensors = ["cellar-air"]
high_c = 31.95
critical_high_c = 32.0
critical_on = "air"
critical_dwell_s = 0.0
"""


class Running:
    """The agent on threads of its own; ``air_c`` is what its sensor feels."""

    def __init__(self, directory, cycle_s: float) -> None:
        settings = check(CONFIG.replace("CYCLE_S", str(cycle_s)), "test")
        assert isinstance(settings, Settings), settings
        self.settings = replace(
            settings, storage=replace(settings.storage, directory=str(directory)), mqtt=replace(settings.mqtt, port=9)
        )
        self.file = directory / "agent.db"
        self.air_c = 31.9
        self.board = FittedBoard(SystemClock(), settings.sensors, CellSettings())
        self.board.fittings["cellar-air"].follow(
            lambda _: {"temperature": self.air_c, "humidity": 50.0, "pressure": 1013.25}
        )
        self.onlooker = self.board.onlooker
        self.cycles = 0
        self.stop = threading.Event()
        self.pause = threading.Event()  # nobody sets it: to wait on

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def _run(self) -> None:
        connect = lambda identity, watch: MqttConnection(self.settings.mqtt, identity, watch.now)  # noqa: E731
        with self.board.driving():
            parts = build(self.settings, self.board, connect)
            try:
                run_live(parts, self.stop, lambda *_: self._count())
            finally:
                parts.close()

    def _count(self) -> None:
        self.cycles += 1

    def becomes(self, is_so) -> bool:
        return any(is_so() or self.pause.wait(0.01) for _ in range(round(DEADLINE_S / 0.01)))

    def now_s(self) -> float:
        return self.board.clock.monotonic_s()

    def is_flashing(self, since_s: float) -> bool:
        return len(self.onlooker.changes(LAMP, since_s)) > 4

    def alarms_on_the_card(self) -> int:
        with closing(sqlite3.connect(self.file)) as file:
            (count,) = file.execute("SELECT COUNT(*) FROM outbox_alarmlog").fetchone()
        return int(count)


@pytest.fixture
def make_running(tmp_path):
    return lambda cycle_s: Running(tmp_path, cycle_s)


def test_a_press_does_not_wait_for_the_next_cycle(make_running):
    agent = make_running(cycle_s=2.0)
    agent.air_c = 32.2
    with agent.running():
        assert agent.becomes(lambda: agent.is_flashing(0.0))
        agent.becomes(lambda cycles=agent.cycles: agent.cycles > cycles)  # the next one is 2 s away
        let_go_s = agent.now_s() + 0.05
        agent.onlooker.press(BUTTON)
        agent.pause.wait(0.05)
        agent.onlooker.let_go(BUTTON)
        agent.pause.wait(1.2)
        last = agent.onlooker.changes(LAMP, let_go_s)[-1]
        assert (last.level, last.at_s < let_go_s + 0.7) == (1.0, True), "steady"
        seen = agent.cycles
        assert agent.becomes(lambda: agent.cycles > seen)
        assert agent.now_s() < let_go_s + 3.0, "the cycle that the press called puts none of the others off"
    assert not agent.onlooker.is_on(LAMP)
    assert not agent.onlooker.is_on(BUZZER)


def test_a_card_that_blocks_delays_no_warning(make_running):
    agent = make_running(cycle_s=0.2)
    with agent.running():
        assert agent.becomes(lambda: agent.cycles > 3 and agent.file.exists())
        with closing(sqlite3.connect(agent.file, isolation_level=None)) as hand:
            hand.execute("BEGIN IMMEDIATE")  # the card does not come back from a write
            warm_s = agent.now_s()
            agent.air_c = 32.2
            assert agent.becomes(lambda: agent.onlooker.is_on(BUZZER))
            lit_s = agent.now_s()
            assert agent.alarms_on_the_card() == 0
            hand.execute("ROLLBACK")
        assert lit_s - warm_s < 2.0
        assert agent.becomes(lambda: agent.alarms_on_the_card() > 0)
