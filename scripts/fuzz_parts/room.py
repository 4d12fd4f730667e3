"""The whole agent on simulated chips and a simulated clock, with a broker in memory that hands it what it is given."""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from gpiozero.pins.mock import MockFactory

from edge_agent.config import check
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.wire import Incoming, Outgoing
from edge_agent.service.build import Parts, build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.recorder import Recorder
from edge_agent.service.routine import Routine
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip

SITE, NODE = "elm-street", "a1"
GTIN, PLACE, SHELF = "4006381333931", "cold-room", "shelf-1"
LOAD_G = 5000.0
REST_CYCLES = 40
CONFIG = f"""
[node]
site = "{SITE}"
name = "{NODE}"

[food]
region = "england"

[panel]
led_pin = 17

[[sensor]]
name = "cold-room"
driver = "sht3x"

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0

[[product]]
gtin = "{GTIN}"
name = "Honey"
piece_g = 500.0

[[place]]
name = "{PLACE}"

[[shelf]]
name = "{SHELF}"
product = "{GTIN}"
capacity_g = 20_000.0

[[shelf.cell]]
sensor = "scale-1"
zero_counts = 1000
counts_per_gram = 100.0
"""


class Broker(Recorder):
    """Hands over what it is given, and keeps the codes of the answers by their correlation data."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        super().__init__(io.BytesIO(), now)
        self.commands: list[Incoming] = []
        self.answers: list[tuple[bytes | None, str, str]] = []  # correlation, code, topic

    def received(self) -> list[Incoming]:
        taken, self.commands = self.commands, []
        return taken

    def send(self, outgoing: Outgoing, generation: int) -> int:
        if "/rsp/" in outgoing.topic:
            code = json.loads(outgoing.payload)["code"]
            self.answers.append((outgoing.correlation, code, outgoing.topic))
        self._token += 1
        self._acks.append((self._token, None))
        return self._token


class Room:
    def __init__(self, directory: Path, keys: Sequence[str]) -> None:
        """``keys``: tables of the configuration, as text."""
        checked = check(CONFIG + "\n".join(keys), "fuzz")
        if isinstance(checked, list):
            raise ValueError("\n".join(map(str, checked)))
        self._settings = replace(checked, storage=replace(checked.storage, directory=str(directory), grace_days=0))
        self.clock = SimulatedClock()
        cell = LoadCell(counts_per_gram=100.0, zero_counts=1000)
        cell.load_g = LOAD_G
        self._chips = (Sht3xChip(self.clock, temperature_c=3.0, humidity_pct=80.0), Nau7802Chip(self.clock, cell))
        self._open = ExitStack()
        self.parts: Parts
        self.broker: Broker
        self.start()

    def start(self) -> None:
        board = BenchBoard(self.clock)
        board.pin_factory = MockFactory()
        board.plug_in(*self._chips)
        self._open.enter_context(board.driving())
        self.parts = build(self._settings, board, self._connect)
        self._open.callback(self.parts.close)
        self._open.callback(board.pin_factory.reset)
        self._routine = Routine(self.parts)
        for _ in range(REST_CYCLES):
            self.cycle()

    def stop(self) -> None:
        """Nothing is flushed: what was answered must be on the disk already."""
        self._open.close()
        self._open = ExitStack()

    def cycle(self) -> Decision:
        self.clock.sleep(1.0)
        self._routine.look_at_the_clock()
        at = self.parts.watch.now()
        decision = self._routine.cycle([polled.take(at) for polled in self.parts.polled])
        while self.parts.publisher.step(self.parts.watch.now()) <= 0:
            pass
        return decision

    def _connect(self, identity: Identity, watch: ClockWatch) -> Broker:
        self.broker = Broker(watch.now)
        return self.broker
