"""A simulated week without a broker, in a process of its own: how its memory grows, and what is told afterwards.

python -m chaos_parts.week 7
"""

import os
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from chaos_parts.figures import Figure, as_json, yes
from edge_agent.config import load
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Stream
from edge_agent.mqtt.consumer import Consumer
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.build import Parts, build, open_board
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.stepped import run_stepped
from hardware_mocks.brokers import SimulatedBroker, SimulatedConnection

HOUR_S = 3600.0
WARM_S = HOUR_S  # with the broker, before it goes
DRAIN_S = 48 * HOUR_S  # after it has come back; a stepped run sends one message of backlog a step
SENSORS = 8  # of two channels each, once a minute

CONFIG = """
[node]
site = "chaos"
name = "n1"
[storage]
directory = "{folder}/state"
[board]
kind = "simulated"
speed = 0.0
step_s = 60.0
"""
SENSOR = """
[[sensor]]
name = "air-{n}"
driver = "sht3x"
interval_s = 60.0
bus = "i2c-{n}"
"""


class Link:
    """The simulated broker's link, with the life that a runner gives a connection."""

    command_path = "unproved"
    last_error: str | None = None
    ping_refusal: str | None = None
    is_running = True
    unheard = 0

    def __init__(self, connection: SimulatedConnection) -> None:
        self._connection = connection

    def start(self, wake: object) -> None: ...

    def stop(self, timeout_s: float = 0.0) -> None: ...

    def received(self) -> list[Incoming]:
        return []

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(slots=True)
class Week:
    """Looks on after every cycle: takes the broker away, measures, brings it back, ends the run."""

    parts: Parts
    broker: SimulatedBroker
    gone_s: float
    back_s: float
    consumer: Consumer = field(default_factory=lambda: Consumer(from_start=True))
    told: int = 0  # rows of telemetry, without duplicates
    first_back: str = ""
    rss_before: float = 0.0
    rss_after: float = 0.0
    waiting: int = 0
    told_in_outage: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def hear(self, topic: str, payload: bytes) -> None:
        self.broker.delivered.clear()  # its memory is not the agent's
        taken = self.consumer.take(topic, payload, now_s=self.broker.clock.monotonic_s())
        if topic.endswith("hist/telemetry") or "/telemetry/" in topic:
            self.told += len(taken.records)
            self.told_in_outage += self.broker.is_away
            if self.rss_after and not self.first_back:
                self.first_back = "backlog" if taken.historical else "live"

    def look(self, decision: Decision, now: Instant) -> None:
        now_s = now.mono_ms / 1000
        if not self.rss_before and now_s >= self.gone_s:
            self.broker.go_away()
            self.rss_before = rss_mib()
        if not self.rss_after and now_s >= self.back_s:
            self.waiting = self._waiting()
            self.rss_after = rss_mib()
            self.broker.come_back()
        if self.rss_after and (self._waiting() == 0 or now_s >= self.back_s + DRAIN_S):
            self.stop.set()

    def _waiting(self) -> int:
        return self.parts.store.backlog(Stream.TELEMETRY).count

    def figures(self, days: float) -> list[Figure]:
        name = f"{days:g} simulated days without a broker, {2 * SENSORS} channels"
        rows = self.parts.store.last_seq(Stream.TELEMETRY)
        least = int(0.99 * days * 24 * 60 * SENSORS)
        inversions = self.consumer.inversions.total()
        return [
            Figure(f"{name}: told meanwhile", self.told_in_outage, "messages", "0"),
            Figure(f"{name}: rows waiting at the end", self.waiting, "rows", f">= {least}"),
            Figure(f"{name}: RSS before", round(self.rss_before, 1), "MiB"),
            Figure(f"{name}: RSS growth", round(self.rss_after - self.rss_before, 2), "MiB", "< 5"),
            Figure(f"{name}: RSS growth while all was told", round(rss_mib() - self.rss_after, 2), "MiB"),
            Figure(f"{name}: live before backlog", yes(self.first_back == "live"), "", "yes"),
            Figure(f"{name}: rows lost", rows - self.told, "rows", "0"),
            Figure(f"{name}: order inversions", inversions, "rows", "0"),
        ]


def live_through(days: float) -> list[Figure]:
    memory_disk = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a week of fsyncs is not what is measured
    with tempfile.TemporaryDirectory(prefix="chaos-week-", dir=memory_disk) as folder:
        file = Path(folder) / "agent.toml"
        file.write_text(CONFIG.format(folder=folder) + "".join(SENSOR.format(n=n) for n in range(SENSORS)))
        settings = load(file)
        board = open_board(settings)
        broker = SimulatedBroker(board.clock)

        def connect(identity: Identity, watch: ClockWatch) -> Link:
            return Link(broker.connect())

        with board.driving():
            parts = build(settings, board, connect)
            try:
                gone_s = board.clock.monotonic_s() + WARM_S
                week = Week(parts, broker, gone_s, gone_s + days * 24 * HOUR_S)
                broker.subscribers.append(week.hear)
                run_stepped(parts, week.stop, week.look)
                return week.figures(days)
            finally:
                parts.close()


if __name__ == "__main__":
    sys.stdout.write(as_json(live_through(float(sys.argv[1]))))
