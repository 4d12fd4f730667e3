"""The reference consumer: drops what it has, finds what it misses, and asks the node for it.

``Consumer`` is pure; ``Listener`` carries messages to it and its requests back.
"""

import json
import logging
import threading
import uuid
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from edge_agent.domain.alarm import AlarmState
from edge_agent.domain.message import VOLATILE, Stream
from edge_agent.mqtt.connection import BackOff, explain, make_client
from edge_agent.mqtt.messages import ROOT, compact
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.mqtt.wire import reason_text

log = logging.getLogger(__name__)

PATIENCE_S = 30.0  # a gap may be backlog on its way: ask only when it stays, and nothing came that could fill it
ASK_EVERY_S = 10.0  # per stream
ASK_AT_MOST = 1000  # numbers in one request, as the node allows
_VOLATILE = frozenset(stream.value for stream in VOLATILE)
_STATES = frozenset(
    stream.value
    for stream in (Stream.TELEMETRY, Stream.STOCK, Stream.ALARM, Stream.META, Stream.SHELFLIFE, Stream.FORECAST)
)
_EMPTIED = frozenset({Stream.SHELFLIFE.value})  # first level of the topics that end empty
_STREAMS = frozenset(stream.value for stream in Stream)


class Spans:
    """A set of positive whole numbers, kept as intervals: a million numbers in order cost one.

    >>> seen = Spans()
    >>> [seen.add(n) for n in (1, 2, 5, 2)], list(seen), list(seen.missing(1, 6))
    ([True, True, True, False], [(1, 2), (5, 5)], [(3, 4), (6, 6)])
    """

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(list(self._firsts), list(self._lasts), strict=True)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    @property
    def highest(self) -> int:
        return self._lasts[-1] if self._lasts else 0

    def add(self, number: int) -> bool:
        """True when it is new."""
        if number in self:
            return False
        self.add_span(number, number)
        return True

    def add_span(self, first: int, last: int) -> None:
        low = bisect_left(self._lasts, first - 1)  # touching intervals become one
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high], self._lasts[low:high] = [first], [last]

    def missing(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """The intervals within low..high (both included) that are not in the set."""
        for first, last in self:
            if last < low:
                continue
            if first > high:
                break
            if first > low:
                yield low, first - 1
            low = last + 1
        if low <= high:
            yield low, high


class Kind(StrEnum):
    NEW = "new"  # at least one record nobody had told before
    DUPLICATE = "duplicate"
    EMPTIED = "emptied"  # what the topic described is gone; its last word came before
    VOLATILE = "volatile"  # health, status: the newest counts, numbers do not
    FOREIGN = "foreign"  # not a message of a node: commands, pings
    GARBAGE = "garbage"  # claims to be one and is not


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one message."""

    kind: Kind
    topic: str
    records: tuple[Mapping[str, Any], ...] = ()  # the new ones, each with its seq and ts
    historical: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One numbered sequence."""

    site: str
    node: str
    epoch: str
    stream: str


@dataclass(slots=True)
class _Shelf:
    """What is known of one source."""

    floor: int | None  # the first number we are responsible for; None until a live message came
    seen: Spans = field(default_factory=Spans)
    told_dropped: Spans = field(default_factory=Spans)
    asked: Spans = field(default_factory=Spans)
    newest: dict[bool, int] = field(default_factory=dict)  # highest number by way: historical or not
    gap_since: tuple[int, float] | None = None  # (first number missing, since when)
    asked_at: float | None = None
    backlog_at: float | None = None  # when a record of backlog came last

    def gaps(self) -> list[tuple[int, int]]:
        if self.floor is None:
            return []
        either = Spans()
        for spans in (self.seen, self.told_dropped):
            for first, last in spans:
                either.add_span(first, last)
        return list(either.missing(self.floor, self.seen.highest))


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to the node: ``topic`` and payload of a `cmd/replay`."""

    source: Source
    first: int
    last: int

    @property
    def topic(self) -> str:
        return f"{ROOT}/{self.source.site}/{self.source.node}/cmd/replay"

    def payload(self, cmd_id: str) -> bytes:
        return compact({"cmd_id": cmd_id, "stream": self.source.stream, "from_seq": self.first, "to_seq": self.last})


class Consumer:
    """Holds one interval set per (site, node, epoch, stream) and the last state of each topic.

    With ``from_start`` it is responsible for every number from 1, otherwise from the first live message it hears.
    """

    def __init__(self, *, from_start: bool = False, patience_s: float = PATIENCE_S) -> None:
        self._from_start = from_start
        self._patience_s = patience_s
        self._shelves: dict[Source, _Shelf] = {}
        self.state: dict[str, Mapping[str, Any]] = {}  # topic -> the last live message
        self._alarms: dict[str, dict[str, Mapping[str, Any]]] = {}  # node's base topic -> alarm -> as it stands
        self._epochs: dict[tuple[str, str], str] = {}  # (site, node) -> the file it tells from now
        self._told_by_health: set[str] = set()  # nodes whose health lists what stands
        self.counts: Counter[str] = Counter()  # messages by Kind
        self.records = 0  # new ones
        self.duplicates = 0  # records that were there already
        self.inversions: Counter[tuple[str, str]] = Counter()  # (live or hist, stream) -> came after a higher number

    # --- in ---------------------------------------------------------------------------------------------------------

    def take(self, topic: str, payload: bytes, *, retain: bool = False, now_s: float = 0.0) -> Taken:
        """``retain``: it was stored at the broker, not sent just now. Never raises for what came from outside."""
        taken = self._take(topic, payload, retain, now_s)
        self.counts[taken.kind] += 1
        return taken

    def _take(self, topic: str, payload: bytes, retain: bool, now_s: float) -> Taken:
        levels = topic.split("/")
        if len(levels) < 5 or "/".join(levels[:2]) != ROOT or levels[4] == "cmd":
            return Taken(Kind.FOREIGN, topic)
        if not payload and levels[4] in _EMPTIED:
            self.state.pop(topic, None)
            return Taken(Kind.EMPTIED, topic)
        try:
            body = _checked(json.loads(payload), levels)
        except (ValueError, RecursionError) as error:
            return Taken(Kind.GARBAGE, topic, reason=str(error))
        if body["stream"] in _VOLATILE:
            return self._take_volatile(topic, body)
        if not retain:
            self._epochs[levels[2], body["node"]] = body["epoch"]
        source = Source(levels[2], body["node"], body["epoch"], body["stream"])
        floor = 1 if self._from_start else None
        shelf = self._shelves.setdefault(source, _Shelf(floor))
        if body.get("historical"):
            return self._take_backlog(topic, source, shelf, body, now_s)
        if not retain and shelf.floor is None:
            shelf.floor = body["seq"]
        if not self._is_new(source, shelf, body["seq"], historical=False, is_stored=retain):
            return Taken(Kind.DUPLICATE, topic)
        self._keep_state(topic, body, is_stored=retain)
        return Taken(Kind.NEW, topic, (body,))

    def _keep_state(self, topic: str, body: Mapping[str, Any], *, is_stored: bool) -> None:
        known = self.state.get(topic)
        is_older = known is not None and known["epoch"] == body["epoch"] and known["seq"] > body["seq"]
        if body["stream"] in _STATES and not is_older:
            self.state[topic] = body
            if body["stream"] == Stream.ALARM:
                self._take_alarm(topic, body, is_stored=is_stored)

    def _take_alarm(self, topic: str, body: Mapping[str, Any], *, is_stored: bool) -> None:
        """A stored one is older than the health that listed what stands: that is told at every transition."""
        base, _, _ = topic.rpartition("/alarm/")
        if is_stored and base in self._told_by_health:
            return
        standing = self._alarms.setdefault(base, {})
        if body["state"] == AlarmState.NORMAL:
            standing.pop(body["alarm"], None)
        else:
            standing[body["alarm"]] = body

    def _take_volatile(self, topic: str, body: Mapping[str, Any]) -> Taken:
        known = self.state.get(topic)
        if known is not None and _is_late_will(known, body):
            return Taken(Kind.DUPLICATE, topic, reason="the will of an earlier session")
        self.state[topic] = body
        if "alarms" in body:
            base = topic.removesuffix("/health")
            self._told_by_health.add(base)
            self._alarms[base] = {alarm["alarm"]: alarm for alarm in body["alarms"]}
        return Taken(Kind.VOLATILE, topic, (body,))

    def _take_backlog(self, topic: str, source: Source, shelf: _Shelf, body: Mapping[str, Any], now_s: float) -> Taken:
        for gap in body.get("dropped", ()):
            shelf.told_dropped.add_span(gap["first"], gap["last"])
        if body["records"]:
            shelf.backlog_at = now_s
        new = tuple(
            record
            for record in body["records"]
            if self._is_new(source, shelf, record["seq"], historical=True, is_stored=False)
        )
        kind = Kind.NEW if new or not body["records"] else Kind.DUPLICATE
        return Taken(kind, topic, new, historical=True)

    def _is_new(self, source: Source, shelf: _Shelf, seq: int, *, historical: bool, is_stored: bool) -> bool:
        if not shelf.seen.add(seq):
            self.duplicates += 1
            return False
        self.records += 1
        is_expected_late = is_stored or seq in shelf.asked or (shelf.floor is not None and seq < shelf.floor)
        if not is_expected_late:
            newest = shelf.newest.get(historical, 0)
            if seq < newest:
                self.inversions["hist" if historical else "live", source.stream] += 1
            shelf.newest[historical] = max(newest, seq)
        return True

    # --- out --------------------------------------------------------------------------------------------------------

    def alarms(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What stands, as (the node's base topic, the alarm as it stands).

        An alarm's own message and the list in its node's health both tell; the later word counts. A node whose card
        takes no writes has only the health to tell by.
        """
        return [(base, alarm) for base, standing in list(self._alarms.items()) for alarm in list(standing.values())]

    def gaps(self) -> dict[Source, list[tuple[int, int]]]:
        """Numbers that should be here and are not, by source; what the node dropped is not counted."""
        found = {source: shelf.gaps() for source, shelf in self._shelves.items()}
        return {source: gaps for source, gaps in found.items() if gaps}

    def dropped(self) -> int:
        """Numbers the nodes told they will never send."""
        return sum(last - first + 1 for shelf in self._shelves.values() for first, last in shelf.told_dropped)

    def asks(self, now_s: float) -> list[Ask]:
        """Requests that are due now; asking again is left to the next call, at most every ASK_EVERY_S per stream."""
        due = []
        for source, shelf in self._shelves.items():
            ask = self._ask(source, shelf, now_s)
            if ask is not None:
                due.append(ask)
        return due

    def _ask(self, source: Source, shelf: _Shelf, now_s: float) -> Ask | None:
        gaps = shelf.gaps()
        if not gaps or self._epochs.get((source.site, source.node), source.epoch) != source.epoch:
            shelf.gap_since = None  # a node replays the numbers of the file it has open, and of no other
            return None
        first, last = gaps[0]
        if shelf.gap_since is None or shelf.gap_since[0] != first:
            shelf.gap_since = (first, now_s)
        quiet_since = max(shelf.gap_since[1], shelf.backlog_at if shelf.backlog_at is not None else -1e18)
        if now_s - quiet_since < self._patience_s:
            return None
        if shelf.asked_at is not None and now_s - shelf.asked_at < ASK_EVERY_S:
            return None
        shelf.asked_at = now_s
        last = min(last, first + ASK_AT_MOST - 1)
        shelf.asked.add_span(first, last)
        return Ask(source, first, last)


# --- reading what came ----------------------------------------------------------------------------------------------


def _checked(body: Any, levels: Sequence[str]) -> Mapping[str, Any]:
    """Raises ValueError unless it is a node's message as far as a consumer depends on it."""
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    if body.get("v") != 1 or body.get("node") != levels[3]:
        raise ValueError(f"envelope of another kind: v {body.get('v')!r}, node {body.get('node')!r}")
    if not isinstance(body.get("stream"), str) or body["stream"] not in _STREAMS:
        raise ValueError(f"no stream of ours: {body.get('stream')!r}")
    if not isinstance(body.get("epoch"), str) or not _is_number(body.get("seq"), 0):
        raise ValueError("envelope without epoch or seq")
    if levels[4] == "hist":
        _check_backlog(body)
    elif body["stream"] not in _VOLATILE and not _is_number(body["seq"], 1):
        raise ValueError("seq 0 in a numbered stream")
    _check_alarms([body] if levels[4] == "alarm" else body.get("alarms", []) if levels[4] == "health" else [])
    return body


def _check_alarms(alarms: Any) -> None:
    if not isinstance(alarms, list):
        raise ValueError("alarms that are no list")
    for alarm in alarms:
        if not (
            isinstance(alarm, dict) and isinstance(alarm.get("alarm"), str) and isinstance(alarm.get("state"), str)
        ):
            raise ValueError("an alarm without name or state")


def _check_backlog(body: Mapping[str, Any]) -> None:
    records, dropped = body.get("records"), body.get("dropped", [])
    if body.get("historical") is not True or not isinstance(records, list) or not isinstance(dropped, list):
        raise ValueError("backlog without records")
    if not all(isinstance(record, dict) and _is_number(record.get("seq"), 1) for record in records):
        raise ValueError("a record without seq")
    for gap in dropped:
        if not (
            isinstance(gap, dict) and _is_number(gap.get("first"), 1) and _is_number(gap.get("last"), gap["first"])
        ):
            raise ValueError("a dropped interval without first and last")


def _is_number(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _is_late_will(known: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """A broker may tell the old session's will after the new session's birth."""
    return (
        body.get("state") == "offline"
        and known.get("state") == "online"
        and body.get("boot") == known.get("boot")
        and _is_number(known.get("session"), 0)
        and _is_number(body.get("session"), 0)
        and bool(body["session"] < known["session"])
    )


# --- the thin runner ------------------------------------------------------------------------------------------------


class Listener:
    """Feeds a Consumer from a broker and sends its requests; on the caller's thread."""

    def __init__(
        self, settings: MqttSettings, consumer: Consumer, *, site: str = "+", node: str = "+", asks: bool = True
    ) -> None:
        self._settings, self._consumer, self._asks = settings, consumer, asks
        self._filter = f"{ROOT}/{site}/{node}/#"
        self._on_taken: Callable[[Taken], None] = lambda taken: None
        self._now_s: Callable[[], float] = lambda: 0.0
        self.is_up = threading.Event()
        self.last_error: str | None = None

    def run(self, on_taken: Callable[[Taken], None], now_s: Callable[[], float], should_stop: threading.Event) -> None:
        """Until ``should_stop`` is set; reconnects with back-off. ``now_s`` is monotonic."""
        self._on_taken, self._now_s = on_taken, now_s
        version, failures, back_off = self._settings.protocol, 0, BackOff()
        while not should_stop.is_set():
            try:
                client = self._client(version)
                client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
            except (OSError, ValueError) as error:
                self.last_error = explain(error, self._settings)
            else:
                self._serve(client, should_stop)
                failures = 0 if self.is_up.is_set() else failures
                # A broker that knows no MQTT 5 is asked in the older tongue.
                version = version if self.is_up.is_set() or version == "3.1.1" else "3.1.1"
                self.is_up.clear()
            should_stop.wait(back_off.delay_s(failures, 0.0))
            failures += 1

    def _client(self, version: str) -> Client:
        client = make_client(self._settings, f"watch-{uuid.uuid4().hex[:12]}", version)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _serve(self, client: Client, should_stop: threading.Event) -> None:
        while not should_stop.is_set() and client.loop(timeout=0.2) == 0:
            if self._asks and self.is_up.is_set():
                for ask in self._consumer.asks(self._now_s()):
                    client.publish(ask.topic, ask.payload(uuid.uuid4().hex), qos=1)
        client.disconnect()

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.last_error = f"the broker refuses the connection: {reason_text(reason.value)}"
            return
        self.last_error = None
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self.is_up.set()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._on_taken(self._consumer.take(topic, bytes(message.payload), retain=message.retain, now_s=self._now_s()))
