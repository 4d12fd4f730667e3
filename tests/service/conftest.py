"""One agent on a simulated clock and simulated chips, with a desk in place of the broker; tests make its cycles."""

import io
import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from gpiozero.pins.mock import MockFactory

from edge_agent.config import Settings, check
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.build import build
from edge_agent.service.recorder import Recorder
from edge_agent.service.routine import Routine
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip

CONFIG = """
[node]
site = "elm-street"
name = "a1"

[commands]
signatures = "off"

[panel]
identify_led_pin = 17

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0

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
    """A broker in memory: commands lie in it for the agent, topics in ``refusals`` are not authorised."""

    def __init__(self, out, now) -> None:
        super().__init__(out, now)
        self.commands: list[Incoming] = []
        self.refusals: set[str] = set()

    def received(self):
        taken, self.commands = self.commands, []
        return taken

    def send(self, outgoing, generation):
        token = super().send(outgoing, generation)
        if outgoing.topic.removeprefix(BASE) in self.refusals:
            self._acks[-1] = (token, 0x87)
        return token


class Room:
    """The agent's parts and what is around them."""

    def __init__(self, directory) -> None:
        self.directory = directory
        self.clock = SimulatedClock()
        self.cell = LoadCell(counts_per_gram=100.0, zero_counts=1000)
        self.climate = Sht3xChip(self.clock, temperature_c=4.0, humidity_pct=80.0)
        self.scale = Nau7802Chip(self.clock, self.cell)
        self.pins = MockFactory()
        self.out = io.BytesIO()
        self.desk: Desk | None = None
        self.parts = self.routine = None
        self.settings = self.configured(CONFIG)

    def configured(self, text: str) -> Settings:
        found = check(text, "test")
        assert isinstance(found, Settings), found
        return replace(found, storage=replace(found.storage, directory=str(self.directory)))

    def connect(self, identity, watch):
        self.desk = Desk(self.out, watch.now)
        return self.desk

    @contextmanager
    def built(self, lock=None) -> Iterator["Room"]:
        """One life of the agent; ``cycle`` and ``send`` make it go."""
        board = BenchBoard(self.clock)
        board.pin_factory = self.pins
        board.plug_in(self.climate, self.scale)
        with board.driving():
            self.parts = build(self.settings, board, self.connect, lock=lock)
            try:
                yield self
            finally:
                self.parts.close()

    @contextmanager
    def running(self, overflowed=lambda: 0) -> Iterator["Room"]:
        with self.built():
            self.routine = Routine(self.parts, overflowed)
            yield self

    def cycle(self, seconds: float = 1.0):
        """Let time pass, read every sensor, decide."""
        self.clock.sleep(seconds)
        self.routine.look_at_the_clock()
        at = self.parts.watch.now()
        return self.routine.cycle([polled.take(at) for polled in self.parts.polled])

    def send(self) -> list[dict]:
        """What the broker gets now."""
        before = self.out.tell()
        while self.parts.publisher.step(self.parts.watch.now()) <= 0:
            pass
        self.out.seek(before)
        return [json.loads(line) for line in self.out.read().splitlines()]

    def of(self, told, topic: str) -> list[dict]:
        return [message["payload"] for message in told if message["topic"] == BASE + topic]

    def ask(self, verb: str, **body) -> None:
        payload = json.dumps({"cmd_id": verb} | body).encode()
        self.desk.commands.append(Incoming(f"{BASE}cmd/{verb}", payload, False, self.parts.watch.now()))

    @contextmanager
    def broken(self, table: str, file_name: str = "agent.db") -> Iterator[None]:
        """Every statement on that table fails."""
        for before, after in ((table, "gone"), ("gone", table)):
            with sqlite3.connect(self.directory / file_name) as file:
                file.execute(f"ALTER TABLE {before} RENAME TO {after}")
            file.close()
            if after == "gone":
                yield


@pytest.fixture
def room(tmp_path) -> Iterator[Room]:
    found = Room(tmp_path / "state")
    yield found
    found.pins.reset()


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def told(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._sock.recv(256).decode())
            except BlockingIOError:
                return found


@pytest.fixture
def systemd(tmp_path, monkeypatch) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield Systemd(sock)
