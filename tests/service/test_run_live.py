"""The threaded agent in real time, at its worst moments: a chip that hangs, a broker that says nothing, a stop."""

import socket
import threading
from dataclasses import replace

import pytest

from edge_agent.config import Settings, check
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.service.build import build
from edge_agent.service.run import run_live
from edge_agent.storage.archive import Archive
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.sht3x_chip import Sht3xChip

CLEAN_STOP_S = 5.0
DEADLINE_S = 20.0
CONFIG = """
[node]
site = "elm-street"
name = "a1"

[agent]
cycle_s = 0.1
sensor_timeout_s = 0.5

[[sensor]]
name = "alive"
driver = "sht3x"
interval_s = 0.1

[[sensor]]
name = "hanging"
driver = "sht3x"
interval_s = 0.1
bus = "i2c-3"
"""


@pytest.fixture
def silent_broker():
    """Takes connections and never answers: a broker process that was stopped in its tracks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_clean_stop_keeps_everything_within_five_seconds_though_a_chip_hangs_and_the_broker_is_silent(
    tmp_path, silent_broker
):
    settings = check(CONFIG, "test")
    assert isinstance(settings, Settings), settings
    settings = replace(
        settings,
        storage=replace(settings.storage, directory=str(tmp_path), batch_s=600.0),
        mqtt=replace(settings.mqtt, port=silent_broker),
    )
    clock = SystemClock()
    board = BenchBoard(clock)
    board.plug_in(Sht3xChip(clock))
    board.plug_in(Sht3xChip(clock), bus="i2c-3")
    board.bus("i2c-3").hang()
    parts = build(settings, board, lambda identity, watch: MqttConnection(settings.mqtt, identity, watch.now))
    stop, seen, enough = threading.Event(), [], threading.Event()

    def live(decision, now) -> None:
        seen.extend(sample for sample in decision.samples if sample.point == "alive")
        if len(seen) >= 20:
            enough.set()

    def run() -> None:
        try:
            run_live(parts, stop, live)
        finally:
            parts.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert enough.wait(DEADLINE_S)
    stop.set()
    thread.join(CLEAN_STOP_S)
    assert not thread.is_alive(), "still stopping after 5 s"

    readings = list(Archive.open(tmp_path).history("alive/temperature"))
    assert len(readings) >= len(seen), "every sample that a cycle saw is on the disk, long before its batch"
    assert {reading.fault for reading in Archive.open(tmp_path).history("hanging/temperature")} == {"hung"}
