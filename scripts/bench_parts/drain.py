"""drain: a backlog from before a restart goes to a local Mosquitto as fast as it acknowledges."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos_parts.children import CampaignError, Mosquitto, free_port
from chaos_parts.figures import Figure

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.publisher import Publisher
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.publishing import PublisherThread
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

POINTS = 16
COMMIT_ROWS = 2000
WITHIN_S = 300.0


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "drain"
    folder.mkdir()
    watch = ClockWatch(SystemClock())
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        figures = []
        for records, unit, goal in ((1, "messages/s", ">= 3000"), (50, "rows/s", "")):
            say(f"drain: {args.messages} rows, {records} in a message")
            store = _filled(folder / f"state-{records}", args.messages, watch.now())
            try:
                took_s = _drained(store, broker.port, records, args.messages, watch)
            finally:
                store.close()
            rows = f"{args.messages:,} rows of backlog, {records} in a message"
            figures.append(Figure(f"acknowledged: {rows}", round(args.messages / took_s), unit, goal))
    finally:
        broker.stop()
    return figures


def _filled(directory: Path, rows: int, now: Instant) -> Store:
    """One row a point and second, all of an earlier boot."""
    store = Store.open(StorageSettings(directory=str(directory)), "bench", now)
    samples = []
    for number in range(rows):
        at = Instant(1000 * (number // POINTS), now.wall_ms - 86_400_000 + 1000 * (number // POINTS), "earlier")
        point = f"room-{number % POINTS}"
        value = 4.0 + number % 97 / 100
        samples.append(Sample(point, at, (Reading(Channel(point, "temperature"), value, at),)))
        if len(samples) == COMMIT_ROWS or number == rows - 1:
            store.commit(samples)
            samples = []
    return store


def _drained(store: Store, port: int, records: int, rows: int, watch: ClockWatch) -> float:
    """Seconds from the connection's first try to the last acknowledgement."""
    settings = MqttSettings(host="127.0.0.1", port=port, backlog_per_s=0.0, backlog_records=records)
    identity = Identity("bench", "drain", store.epoch)
    connection = MqttConnection(settings, identity, watch.now)
    publisher = Publisher(store, connection, identity, settings, {})
    publishing = PublisherThread(publisher, watch.now)
    began_s = time.monotonic()
    connection.start(publishing.wake)
    publishing.start()
    try:
        while publisher.accepted < rows:
            if time.monotonic() - began_s > WITHIN_S:
                raise CampaignError(f"only {publisher.accepted} of {rows} rows within {WITHIN_S:g} s")
            time.sleep(0.02)
        took_s = time.monotonic() - began_s
    finally:
        publishing.finish(5.0)
        connection.stop()
    waiting = store.stats().streams[Stream.TELEMETRY].pending
    if waiting:
        raise CampaignError(f"{waiting} rows are still waiting after {rows} acknowledgements")
    return took_s
