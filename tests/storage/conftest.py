"""Plain builders for storage tests: instants, samples, messages and stores on a temporary directory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.domain.command import Command
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

WALL_MS = 1_795_417_200_000  # 2026-11-23T07:00:00Z


class Build:
    def at(
        self, seconds: float, boot: str = "boot-1", clock: ClockState = ClockState.SYNCED, wall_s: float = 0
    ) -> Instant:
        """``seconds`` after the boot; ``wall_s`` steps the wall clock."""
        mono_ms = int(seconds * 1000)
        return Instant(mono_ms, WALL_MS + mono_ms + int(wall_s * 1000), boot, clock)

    def sample(self, at: Instant, value: float | None = 4.5, point: str = "cold-room") -> Sample:
        quality = Quality.GOOD if value is not None else Quality.BAD
        fault = None if value is not None else "no-answer"
        channels = (Channel(point, "temperature"), Channel(point, "humidity"))
        return Sample(point, at, tuple(Reading(channel, value, at, quality, fault) for channel in channels))

    def event(self, at: Instant, body: bytes = b'{"kind":"pick"}') -> Message:
        return Message(Stream.EVENT, "event/shelf-1", body, at)

    def stock(self, at: Instant, shelf: str = "shelf-1", body: bytes = b'{"net_g":1}') -> Message:
        return Message(Stream.STOCK, f"stock/{shelf}", body, at, retain=True)

    def command(self, cmd_id: str, at: Instant, verb: str = "tare") -> Command:
        return Command(cmd_id, verb, {"shelf": "shelf-1"}, "mqtt", at, 60.0, "rsp/tare", b"\x00\xff")


@pytest.fixture
def build() -> Build:
    return Build()


Opener = Callable[..., Store]


@pytest.fixture
def open_store(tmp_path: Path, build: Build) -> Iterator[Opener]:
    """Opens the same directory again and again; what the test leaves open is closed for it."""
    opened: list[Store] = []

    def opener(now: Instant | None = None, **settings: object) -> Store:
        directory = settings.pop("directory", tmp_path)
        chosen = StorageSettings(directory=str(directory), **settings)  # type: ignore[arg-type]
        opened.append(Store.open(chosen, "node-1", now or build.at(0)))
        return opened[-1]

    yield opener
    for store in opened:
        store._database.close()
