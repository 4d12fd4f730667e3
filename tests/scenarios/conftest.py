"""The whole agent on a simulated clock and simulated chips, with a recorder in place of the broker."""

import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_agent.config import Settings, check
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.build import build
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.vendor_time import vendor_time

CONFIG = """
[commands]
signatures = "off"

[node]
site = "elm-street"
name = "a1"

[board]
kind = "raspberry-pi"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 10.0

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0

[[shelf]]
name = "shelf-1"
capacity_g = 20_000.0

[[shelf.cell]]
sensor = "scale-1"
zero_counts = 1000
counts_per_gram = 100.0
"""
BASE = "storeroom/v1/elm-street/a1/"


class Desk(Recorder):
    """A recorder that also has somebody at the other end, who sends commands."""

    def __init__(self, out, now) -> None:
        super().__init__(out, now)
        self.outgoing_commands: list[Incoming] = []

    def received(self):
        taken, self.outgoing_commands = self.outgoing_commands, []
        return taken


class Storeroom:
    """One agent with a climate sensor and a shelf; ``run`` lets time pass and answers what was told meanwhile."""

    def __init__(self, directory, clock: SimulatedClock) -> None:
        settings = check(CONFIG, "scenario")
        assert isinstance(settings, Settings), settings
        self.settings = replace(settings, storage=replace(settings.storage, directory=str(directory)))
        self.clock = clock
        self.cell = LoadCell(counts_per_gram=100.0, zero_counts=1000)
        self.climate = Sht3xChip(self.clock, temperature_c=4.0, humidity_pct=80.0)
        self.scale = Nau7802Chip(self.clock, self.cell)
        self.reload_faults: list[str] = []
        self.told: list[dict] = []

    def run(self, seconds: float, *happenings: tuple[float, Callable[[], None]], commands=()) -> list[dict]:
        """Start the agent, let ``seconds`` pass, stop it cleanly. ``happenings``: (when, what); ``commands``:
        (when, verb, payload). Answers the messages as the recorder wrote them."""
        board = BenchBoard(self.clock)
        board.plug_in(self.climate, self.scale)
        out, stop = io.BytesIO(), threading.Event()
        desk: list[Desk] = []

        def connect(identity, watch):
            desk.append(Desk(out, watch.now))
            return desk[0]

        begin_s = self.clock.monotonic_s()
        due = [(begin_s + when, what) for when, what in happenings]
        due += [(begin_s + when, self._asking(desk, verb, payload)) for when, verb, payload in commands]
        due.sort(key=lambda entry: entry[0])

        def live(decision, now) -> None:
            while due and now.mono_ms >= 1000 * due[0][0]:
                due.pop(0)[1]()
            if now.mono_ms >= 1000 * (begin_s + seconds):
                stop.set()

        with vendor_time(self.clock):
            parts = build(self.settings, board, connect, lambda: self.reload_faults)
            try:
                run_stepped(parts, stop, live)
            finally:
                parts.close()
        assert not due, "everything happened"
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        self.told += told
        return told

    def _asking(self, desk, verb, payload):
        def ask() -> None:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            incoming = Incoming(f"{BASE}cmd/{verb}", body, False, desk[0].now())
            desk[0].outgoing_commands.append(incoming)

        return ask


@pytest.fixture
def make_storeroom(tmp_path):
    return lambda clock: Storeroom(tmp_path, clock)


@pytest.fixture
def storeroom(make_storeroom):
    return make_storeroom(SimulatedClock())
