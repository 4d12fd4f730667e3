"""Fakes that behave: an outbox in memory, a world of outbox, publisher, broker and consumer; a real Mosquitto."""

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Outcome, Queued, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.mqtt.consumer import Consumer
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.publisher import Publisher
from edge_agent.mqtt.settings import MqttSettings
from hardware_mocks.brokers import SimulatedBroker
from hardware_mocks.clock import SimulatedClock

IDENTITY = Identity("s0412", "a1", "k3f9")
BOOT = "boot-1"
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Gap:
    first: int
    last: int
    reason: str


class MemoryOutbox:
    """What storage does on disk, in memory; ``fail_times`` lets the next marks fail as a full disk would."""

    epoch = IDENTITY.epoch

    def __init__(self) -> None:
        self.rows: dict[Stream, list[Queued]] = {}
        self.outcomes: dict[tuple[Stream, int], tuple[Outcome, str]] = {}
        self.gaps: dict[Stream, list[Gap]] = {}
        self.volatile: dict[Stream, int] = {}
        self.fail_times = 0
        self.largest_page = 0

    def commit(self, content: Message | Sample, stream: Stream = Stream.TELEMETRY) -> Queued:
        stream = content.stream if isinstance(content, Message) else stream
        rows = self.rows.setdefault(stream, [])
        row = Queued(stream, len(rows) + 1, content)
        rows.append(row)
        return row

    def drop(self, stream: Stream, first: int, last: int, reason: str = "budget") -> None:
        self.gaps.setdefault(stream, []).append(Gap(first, last, reason))

    def reopen(self, stream: Stream, first: int, last: int) -> None:
        for seq in range(first, last + 1):
            self.outcomes.pop((stream, seq), None)

    def waiting(self) -> list[tuple[Stream, int]]:
        return [
            (stream, row.seq)
            for stream, rows in self.rows.items()
            for row in rows
            if (stream, row.seq) not in self.outcomes and not self._is_dropped(stream, row.seq)
        ]

    def _is_dropped(self, stream: Stream, seq: int) -> bool:
        return any(gap.first <= seq <= gap.last for gap in self.gaps.get(stream, ()))

    # --- the Outbox protocol ---

    def streams(self) -> Sequence[Stream]:
        return list(self.rows)

    def last_seq(self, stream: Stream) -> int:
        return len(self.rows.get(stream, ()))

    def pending(self, stream: Stream, after: int, limit: int, upto: int | None = None) -> list[Queued]:
        found: list[Queued] = []
        rows = self.rows.get(stream, [])
        for seq in range(after + 1, (len(rows) if upto is None else min(upto, len(rows))) + 1):
            if (stream, seq) not in self.outcomes and not self._is_dropped(stream, seq):
                found.append(rows[seq - 1])
                if len(found) == limit:
                    break
        self.largest_page = max(self.largest_page, len(found))
        return found

    def set_aside(self, epoch: str) -> None:
        """A corrupt file goes; a new one begins with another epoch and from 1."""
        self.__init__()  # type: ignore[misc]
        self.epoch = epoch

    def mark(
        self, stream: Stream, seqs: Sequence[int], outcome: Outcome, reason: str = "", *, epoch: str | None = None
    ) -> None:
        if epoch is not None and epoch != self.epoch:
            return
        if self.fail_times:
            self.fail_times -= 1
            raise OSError("disk full")
        for seq in seqs:
            self.outcomes[stream, seq] = (outcome, reason)

    def newest_older_than(self, stream: Stream, boot: str, mono_ms: int) -> int:
        rows = self.rows.get(stream, [])
        return max((row.seq for row in rows if row.at.boot != boot or row.at.mono_ms < mono_ms), default=0)

    def latest_retained(self) -> list[Queued]:
        newest: dict[str, Queued] = {}
        for rows in self.rows.values():
            for row in rows:
                if isinstance(row.content, Message) and row.content.retain:
                    newest[row.content.topic] = row
        return list(newest.values())

    def latest_samples(self) -> list[Queued]:
        newest = {
            row.content.point: row for row in self.rows.get(Stream.TELEMETRY, ()) if isinstance(row.content, Sample)
        }
        return list(newest.values())

    def dropped(self, stream: Stream) -> Sequence[Gap]:
        return self.gaps.get(stream, [])

    def next_volatile(self, stream: Stream) -> int:
        self.volatile[stream] = self.volatile.get(stream, 0) + 1
        return self.volatile[stream]


@dataclass
class World:
    """An agent's sending half on a simulated clock, and a consumer behind the broker."""

    settings: MqttSettings = field(default_factory=MqttSettings)
    live_s: dict[str, float] = field(default_factory=lambda: {"cold-room": 180.0})
    latency_s: float = 0.0
    boot: str = BOOT

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(wall_s=1_795_417_200.0, boot=self.boot)
        self.clock.sleep(1000.0)
        self.broker = SimulatedBroker(self.clock, latency_s=self.latency_s)
        self.link = self.broker.connect()
        self.outbox = MemoryOutbox()
        self.consumer = Consumer(from_start=True)
        self.broker.subscribers.append(lambda topic, payload: self.consumer.take(topic, payload, now_s=self.mono_s))
        self.publisher = self.new_publisher()

    def new_publisher(self) -> Publisher:
        return Publisher(self.outbox, self.link, IDENTITY, self.settings, self.live_s)

    @property
    def mono_s(self) -> float:
        return self.clock.monotonic_s()

    def now(self) -> Instant:
        return Instant(int(self.clock.monotonic_s() * 1000), int(self.clock.wall_s() * 1000), self.clock.boot)

    def sample(self, value: float = 4.0, point: str = "cold-room") -> Queued:
        at = self.now()
        return self.outbox.commit(Sample(point, at, (Reading(Channel(point, "temperature"), value, at),)))

    def message(self, stream: Stream, topic: str, *, retain: bool = False, expiry_s: int | None = None) -> Queued:
        body = b'{"alarm":"door","state":"unacknowledged"}' if stream is Stream.ALARM else b'{"x":1}'
        return self.outbox.commit(Message(stream, topic, body, self.now(), retain, expiry_s))

    def event(self) -> Queued:
        return self.message(Stream.EVENT, "event/shelf-1")

    def run(self, seconds: float = 0.0, until: Callable[[], bool] = lambda: False) -> None:
        """Let the publisher work for so long, each time after what it asked to wait."""
        end = self.mono_s + seconds
        while not until():
            wait_s = self.publisher.step(self.now())
            if self.mono_s >= end and wait_s > 0:
                break
            if wait_s > 0:
                self.clock.sleep(min(wait_s, max(end - self.mono_s, 0.001)))

    def topics(self, part: str = "") -> list[str]:
        """What was delivered, without the node's own status."""
        below = [item.topic.removeprefix(IDENTITY.base + "/") for item in self.broker.delivered]
        return [topic for topic in below if part in topic and topic != "status"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def make_world() -> type[World]:
    return World


# --- a real broker ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(happened: Callable[[], object], timeout_s: float = 8.0, what: str = "it") -> None:
    """Looks again at short intervals until a deadline; the test fails by name."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {timeout_s:g} s")
        pause.wait(0.01)


@dataclass
class Mosquitto:
    """A process with a configuration of its own; ``stop`` and ``start`` keep port and database."""

    folder: Path
    port: int
    lines: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        head = (f"listener {self.port} 127.0.0.1", "log_dest none", "persistence false", f"user {getpass.getuser()}")
        config.write_text("\n".join([*head, *self.lines]) + "\n")
        assert MOSQUITTO is not None
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)
        wait_for(self._is_open, what="mosquitto's port open")

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)
            self.process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    if MOSQUITTO is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed, and CI must not skip its tests")
        pytest.skip("MOSQUITTO IS NOT INSTALLED: the tests against a real broker did not run")
    running: list[Mosquitto] = []

    def start(*lines: str) -> Mosquitto:
        folder = tmp_path / f"broker-{len(running)}"
        folder.mkdir()
        broker = Mosquitto(folder, free_port(), lines or ("allow_anonymous true",))
        running.append(broker)
        broker.start()
        return broker

    yield start
    for broker in running:
        broker.stop()


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def identity() -> Identity:
    return IDENTITY
