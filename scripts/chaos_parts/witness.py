"""The reference consumer, and a note of everything that reached it before it judged."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chaos_parts.children import wait_for
from chaos_parts.judge import Arrival, Identity, told
from chaos_parts.rig import NODE, SITE, TOPICS
from edge_agent.mqtt.consumer import Ask, Consumer, Kind, Listener, Taken
from edge_agent.mqtt.settings import MqttSettings


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came."""

    at_s: float
    topic: str  # below the node's own
    body: Mapping[str, Any]
    is_retained: bool


class _Noting(Consumer):
    """Notes what comes before the consumer sees it, and what it asks for."""

    def __init__(self, patience_s: float) -> None:
        super().__init__(from_start=True, patience_s=patience_s)
        self.heard: list[Heard] = []
        self.asked: list[Ask] = []

    def take(self, topic: str, payload: bytes, *, retain: bool = False, now_s: float = 0.0) -> Taken:
        below = topic.removeprefix(TOPICS + "/")
        if not below.startswith("cmd/"):
            with suppress(ValueError):  # the consumer counts it as garbage
                self.heard.append(Heard(now_s, below, json.loads(payload), retain))
        return super().take(topic, payload, retain=retain, now_s=now_s)

    def asks(self, now_s: float) -> list[Ask]:
        due = super().asks(now_s)
        self.asked.extend(due)
        return due


class Witness:
    """Stays subscribed on a thread of its own; ``asks`` lets it ask for a replay of what it misses."""

    def __init__(self, port: int, *, asks: bool, patience_s: float = 3.0) -> None:
        self.consumer = _Noting(patience_s)
        self.passed_on: Counter[Identity] = Counter()
        self._settings = MqttSettings(host="127.0.0.1", port=port, keepalive_s=5)
        self._asks = asks
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        listener = Listener(self._settings, self.consumer, site=SITE, node=NODE, asks=self._asks)
        self._stop = threading.Event()
        arguments = (self._note, time.monotonic, self._stop)
        self._thread = threading.Thread(target=listener.run, args=arguments, name="witness", daemon=True)
        self._thread.start()
        wait_for(listener.is_up.is_set, 10, "the consumer subscribed")

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def listen_anew(self) -> None:
        """To a broker that is back, without waiting for the listener's own next attempt."""
        self.stop()
        self.start()

    def _note(self, taken: Taken) -> None:
        if taken.kind is not Kind.NEW:
            return
        for record in taken.records:
            envelope = record if "epoch" in record else self._envelope
            self.passed_on[Identity(envelope["epoch"], envelope["stream"], record["seq"])] += 1

    @property
    def _envelope(self) -> Mapping[str, Any]:
        """Of the message that was heard last: the one whose records the consumer passes on."""
        return self.consumer.heard[-1].body

    # --- what was heard ---------------------------------------------------------------------------------------------

    def heard(self, prefix: str = "", since: int = 0, upto: int | None = None) -> list[Heard]:
        """Messages of which the topic begins so, in the order they came, from one ``mark`` to another."""
        return [found for found in self.consumer.heard[since:upto] if found.topic.startswith(prefix)]

    def mark(self) -> int:
        return len(self.consumer.heard)

    def arrivals(self, since: int = 0) -> list[Arrival]:
        """Every record of the numbered streams, as it came."""
        return [arrival for found in self.consumer.heard[since:] for arrival in _arrivals(found)]

    def asked(self) -> frozenset[Identity]:
        return frozenset(
            Identity(ask.source.epoch, ask.source.stream, seq)
            for ask in self.consumer.asked
            for seq in range(ask.first, ask.last + 1)
        )

    @property
    def unreadable(self) -> int:
        """Messages on a node's topics that are none."""
        return self.consumer.counts[Kind.GARBAGE]

    def identities(self) -> Set[Identity]:
        """A view: cheap to ask again and again."""
        return self.passed_on.keys()


def _arrivals(heard: Heard) -> Sequence[Arrival]:
    body = heard.body
    if body.get("stream") in (None, "health", "status"):
        return ()
    if "records" in body:
        return [_arrival(heard, "hist", record) for record in body["records"]]
    return [_arrival(heard, "live", body)]


def _arrival(heard: Heard, way: str, record: Mapping[str, Any]) -> Arrival:
    identity = Identity(heard.body["epoch"], heard.body["stream"], record["seq"])
    return Arrival(heard.at_s, way, identity, told(record), heard.is_retained)
