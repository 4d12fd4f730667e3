"""Domain values to topics and JSON. Pure: no connection, no clock, no file but the schemas' own.

A message is built without its envelope (a ``Message`` whose body is a JSON object), gets its number with the
commit, and its envelope when it is sent: ``render`` and ``render_backlog`` put it in front of the body.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition
from edge_agent.domain.command import CommandResult
from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot, NextLot
from edge_agent.domain.message import Message, Queued, Stream
from edge_agent.domain.reading import Reading, Sample
from edge_agent.domain.record import NODE_RECORD, RecordLine, head_of
from edge_agent.domain.shelf_life import HORIZONS_H, LEVELS, RemainingLife
from edge_agent.domain.stock import SAFE_CONFIDENCE, Balance, StockEvent, StockState
from edge_agent.mqtt.wire import Outgoing

if TYPE_CHECKING:
    from edge_agent.domain.forecast import Forecast

ROOT = "storeroom/v1"
EVERY_NODE = "all"  # in place of a node's name: a command for each of a site
MAX_PAYLOAD = 16_384  # bytes of one message of backlog; brokers and consumers on small machines take that
RSP_EXPIRY_S = 300
LIVES_S = 3600.0  # from one estimate of a lot to the next
FORECAST_EXPIRY_S = 48 * 3600
DECIMALS = 4  # finer than one step of every chip: SHT3x 0.0027 °C, BME280 0.0018 hPa, a 24-bit ADC on 5 kg 0.0003 g
_CLOSED = "closed"  # the state of a lot
_ENVELOPE_BYTES = 512  # more than the longest envelope of a message of backlog
_RECORD_BYTES = 128  # more than a record's seq, ts, clock, mono_ms and a point's name
_READING_BYTES = 160  # more than one reading: field, value, quality and fault code


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks. A new database is a new epoch, so (node, epoch, stream, seq) never means two messages."""

    site: str
    node: str
    epoch: str

    @property
    def base(self) -> str:
        return f"{ROOT}/{self.site}/{self.node}"

    def topic(self, below: str) -> str:
        """
        >>> Identity("s1", "a1", "k3f9").topic("status")
        'storeroom/v1/s1/a1/status'
        """
        return f"{self.base}/{below}"


def live_s(interval_s: float, batch_s: float = 0.0) -> int:
    """How long a point's telemetry is the present: three reporting intervals.

    Never less than two commits after it: a 1 Hz sensor whose rows wait 10 s for their batch is not in arrears.

    >>> live_s(60, batch_s=10), live_s(1, batch_s=10)
    (180, 21)
    """
    return math.ceil(max(3 * interval_s, interval_s + 2 * batch_s))


# --- JSON -----------------------------------------------------------------------------------------------------------


def compact(value: Mapping[str, object]) -> bytes:
    """JSON without blanks; numbers rounded to DECIMALS, what is not a number (NaN, infinity) is null.

    >>> compact({"a": 0.1 + 0.2, "b": float("nan"), "c": 3.0, "d": 1e-05})
    b'{"a":0.3,"b":null,"c":3,"d":0}'
    """
    text = json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")  # a lone surrogate has no UTF-8: a question mark


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value


def _rounded(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = round(value, DECIMALS)
    return int(short) if short.is_integer() else short


def _reading_json(reading: Reading) -> str:
    value = None if reading.value is None else _rounded(reading.value)
    shown = "null" if value is None else repr(value)  # four decimals never need an exponent
    fault = "" if reading.fault is None else f',"fault":{json.dumps(reading.fault)}'
    return f'"{reading.channel.kind.field}":{{"value":{shown},"quality":"{reading.quality.value}"{fault}}}'


def _sample_body(sample: Sample) -> bytes:
    readings = ",".join(map(_reading_json, sample.readings))
    return f'{{"point":"{sample.point}","readings":{{{readings}}}}}'.encode()


def _body(queued: Queued) -> bytes:
    content = queued.content
    return _sample_body(content) if isinstance(content, Sample) else content.body


# --- the envelope ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _opening(node: str, epoch: str, stream: Stream) -> bytes:
    return f'{{"v":1,"node":"{node}","epoch":"{epoch}","stream":"{stream.value}",'.encode()


def _numbered(queued: Queued) -> bytes:
    at = queued.at
    return f'"seq":{queued.seq},"ts":"{at.rfc3339()}","clock":"{at.clock.value}","mono_ms":{at.mono_ms}'.encode()


def _joined(head: bytes, body: bytes) -> bytes:
    """An object's head, still open, and the members of another object."""
    return head + (b"}" if body == b"{}" else b"," + body[1:])


def render(identity: Identity, queued: Queued, *, expiry_s: float | None = None) -> Outgoing:
    """One live message. ``expiry_s`` is what is left of a telemetry sample's time, or overrides a message's own."""
    payload = _joined(_opening(identity.node, identity.epoch, queued.stream) + _numbered(queued), _body(queued))
    content = queued.content
    if isinstance(content, Sample):
        return Outgoing(identity.topic(f"telemetry/{content.point}"), payload, True, _whole(expiry_s))
    topic = content.topic if content.topic.startswith(ROOT + "/") else identity.topic(content.topic)
    left = content.expiry_s if expiry_s is None else expiry_s
    return Outgoing(topic, payload, content.retain, _whole(left), content.correlation)


def _whole(expiry_s: float | None) -> int | None:
    """Message expiry counts whole seconds, and 0 would be thrown away at once."""
    return None if expiry_s is None else max(1, math.ceil(expiry_s))


# --- backlog --------------------------------------------------------------------------------------------------------


class DroppedRows(Protocol):
    """Numbers that will never come: retention took the rows before the broker had them."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def reason(self) -> str: ...


def _weight(queued: Queued) -> int:
    """An upper bound of the record's bytes, without making it."""
    content = queued.content
    if isinstance(content, Sample):
        return _RECORD_BYTES + _READING_BYTES * len(content.readings)
    return _RECORD_BYTES + len(content.body)


def batch_size(rows: Sequence[Queued], records: int, max_bytes: int = MAX_PAYLOAD) -> int:
    """How many of the first rows go into one message of backlog: of one boot, and no more bytes than allowed."""
    room = max_bytes - _ENVELOPE_BYTES
    for count, row in enumerate(rows[:records]):
        room -= _weight(row)
        if count and (room < 0 or row.at.boot != rows[0].at.boot):
            return count
    return min(records, len(rows))


def render_backlog(identity: Identity, rows: Sequence[Queued]) -> Outgoing:
    """What could not be sent in its time, as one array; all of one stream and one boot, ascending."""
    first = rows[0]
    head = _opening(identity.node, identity.epoch, first.stream) + _numbered(first)
    records = b",".join(_joined(b"{" + _numbered(row), _body(row)) for row in rows)
    boot = json.dumps(first.at.boot).encode()
    payload = b'%b,"historical":true,"boot":%b,"count":%d,"records":[%b]}' % (head, boot, len(rows), records)
    return Outgoing(identity.topic(f"hist/{first.stream.value}"), payload)


def render_dropped(identity: Identity, stream: Stream, dropped: Sequence[DroppedRows], at: Instant) -> Outgoing:
    """Tells the consumer which numbers never come, so that it does not ask for them."""
    message = Message(
        stream,
        f"hist/{stream.value}",
        compact(
            {
                "historical": True,
                "boot": at.boot,
                "count": 0,
                "dropped": [{"first": gap.first, "last": gap.last, "reason": gap.reason} for gap in dropped],
                "records": [],
            }
        ),
        at,
    )
    return render(identity, Queued(stream, dropped[0].first, message))


# --- stock and alarms -----------------------------------------------------------------------------------------------


def _balance(balance: Balance) -> dict[str, object]:
    """Pieces only where they are safe; a consumer that trusts ``units`` need not look at ``confidence``."""
    is_safe = balance.confidence is None or balance.confidence >= SAFE_CONFIDENCE
    body: dict[str, object] = {"net_g": balance.net_g, "units": balance.units if is_safe else None}
    known = {"u_g": balance.u_g, "confidence": balance.confidence}
    return body | {key: value for key, value in known.items() if value is not None}


def stock(state: StockState) -> Message:
    """The present of one shelf."""
    body: dict[str, object] = {
        "shelf": state.shelf,
        "product": state.product,
        "quality": state.quality.value,
        "gross_g": state.gross_g,
        "tare_g": state.tare_g,
        "balance": _balance(state.balance),
        "stable": state.is_stable,
        "noise_g": state.noise_g,
        "drift_tracked_g": state.drift_tracked_g,
    }
    if state.fault is not None:
        body["fault"] = state.fault
    if state.lots:
        body["lots"] = [{"lot": part.lot, "units": part.units, "net_g": part.g} for part in state.lots]
    return Message(Stream.STOCK, f"stock/{state.shelf}", compact(body), state.at, retain=True)


def event(happened: StockEvent) -> Message:
    """One line of the ledger, with the absolute balance after it: a lost one heals itself.

    Where the pieces are not safe, grams are told and ``ambiguous``.
    """
    body: dict[str, object] = {
        "shelf": happened.shelf,
        "product": happened.product,
        "kind": happened.kind.value,
        "delta_g": happened.delta_g,
        "u_g": happened.u_g,
        "delta_units": None if happened.is_ambiguous else happened.delta_units,
        "confidence": happened.confidence,
        "balance_before": _balance(happened.before),
        "balance_after": _balance(happened.after),
        "duration_s": happened.duration_s,
    }
    told_if_so = {
        "ambiguous": happened.is_ambiguous,
        "drift_tracked_g": happened.drift_tracked_g,
        "counterpart": happened.counterpart,
        "evidence": happened.evidence,
        "source": happened.source,
        "lots": [{"lot": part.lot, "delta_units": part.units, "delta_g": part.g} for part in happened.lots],
    }
    body |= {key: value for key, value in told_if_so.items() if value}
    return Message(Stream.EVENT, f"event/{happened.shelf}", compact(body), happened.at)


def _alarm_body(standing: Alarm) -> dict[str, object]:
    body: dict[str, object] = {
        "alarm": standing.name,
        "priority": standing.priority.value,
        "state": standing.state.value,
        "since": standing.since.rfc3339(),
        "message": standing.message,
        "action": standing.action,
        "active": standing.is_active and standing.state is not AlarmState.NORMAL,
        "asks_correction": standing.asks_correction,
        "count_24h": len(standing.raised),
    }
    until = {"shelved_until": standing.shelved_until, "silenced_until": standing.silenced_until}
    told_if_known: dict[str, object] = {
        "evidence": standing.evidence,
        "place": standing.place,
        "value": standing.value,
        "limit": standing.limit,
        "unit": standing.unit,
        "deadband": standing.deadband,
        "dwell_s": standing.dwell_s,
        "acknowledged": None if standing.acknowledged is None else standing.acknowledged.rfc3339(),
        "by": standing.who,
        **{key: None if end is None else end.rfc3339() for key, end in until.items()},
        "escalations": standing.escalations or None,
        "corrective_action": standing.corrective_action,
    }
    body |= {key: value for key, value in told_if_known.items() if value not in (None, "")}
    return body


def alarm(standing: Alarm) -> Message:
    """One alarm as it stands; a cleared one stays, retained, as normal."""
    return Message(Stream.ALARM, f"alarm/{standing.name}", compact(_alarm_body(standing)), standing.at, retain=True)


def alarmlog(transition: AlarmTransition) -> Message:
    """One transition of one alarm: from what, to what, why, who did it."""
    body = _alarm_body(transition.alarm) | {
        "before": transition.before.value,
        "change": transition.change.value,
        "who": transition.who,
    }
    if transition.reason:
        body["reason"] = transition.reason
    return Message(Stream.ALARMLOG, "alarmlog", compact(body), transition.alarm.at)


def record(line: RecordLine) -> Message:
    """One line of the inspector's record; its place in the chain comes with the commit."""
    topic = f"record/{line.place or NODE_RECORD}"
    body = {**line.body, **head_of(line.kind, line.at, line.place)}
    return Message(Stream.RECORD, topic, compact(body), line.at)


# --- estimates ------------------------------------------------------------------------------------------------------


def _lot_head(lot: Lot) -> dict[str, object]:
    body: dict[str, object] = {"lot": lot.id, "product": lot.product}
    known = {
        "code": lot.code,
        "supplier": lot.supplier,
        "place": lot.place,
        "shelf": lot.shelf,
        "packed": lot.packed,
        "best_before": lot.best_before,
        "use_by": lot.use_by,
    }
    body |= {key: value for key, value in known.items() if value}
    return body | {"origin": lot.origin.value, "received": lot.received.rfc3339()}


def shelflife(lot: Lot, life: RemainingLife) -> Message:
    """What is left of a lot, and how long it will keep. An estimate of quality: it lengthens no use-by date."""
    body = _lot_head(lot) | {
        "state": "open",
        "left": {"units": lot.units(lot.left), "net_g": lot.grams(lot.left)},
        "levels": list(LEVELS),
        "remaining_d": list(life.remaining_d),
        "horizons_h": list(HORIZONS_H),
        "p_spoiled": list(life.p_spoiled),
        "used": life.used,
        "basis": life.basis,
        "reasons": list(life.reasons),
    }
    known = {"model_version": life.model, "product_c": life.product_c}
    body |= {key: value for key, value in known.items() if value is not None}
    if lot.marked_down is not None:
        body["marked_down"] = lot.marked_down.rfc3339()
    return Message(
        Stream.SHELFLIFE, f"shelflife/{lot.id}", compact(body), life.at, retain=True, expiry_s=round(3 * LIVES_S)
    )


def lot_closed(lot: Lot, at: Instant) -> Message:
    """The last word on a lot; then its topic is emptied (``emptied``)."""
    body = _lot_head(lot) | {"state": _CLOSED, "ending": None if lot.ending is None else lot.ending.value}
    if lot.cause:
        body["cause"] = lot.cause
    return Message(Stream.SHELFLIFE, f"shelflife/{lot.id}", compact(body), at, retain=True, expiry_s=round(3 * LIVES_S))


def is_last_word(content: Message | Sample) -> bool:
    """What it describes is gone, and nothing shall stay on its topic."""
    if not isinstance(content, Message) or content.stream is not Stream.SHELFLIFE:
        return False
    return bool(json.loads(content.body).get("state") == _CLOSED)


def emptied(identity: Identity, last: Queued) -> Outgoing:
    """The broker forgets what it holds on that topic (MQTT 5.0, 3.3.1.3); ``last``: what was told there last."""
    return replace(render(identity, last), payload=b"", expiry_s=None)


def forecast(made: "Forecast") -> Message:
    """Demand of one product, day by day."""
    from edge_agent.domain.forecast import LEVELS as DEMAND_LEVELS

    days = [
        {"day": day.day.isoformat(), "open": day.is_open, "quantiles": list(day.quantiles)} for day in made.days
    ]  # fmt: skip
    body: dict[str, object] = {
        "product": made.product,
        "unit": made.unit,
        "levels": list(DEMAND_LEVELS),
        "days": days,
        "basis": made.basis,
        "reasons": list(made.reasons),
    }
    if made.model is not None:
        body["model_version"] = made.model
    return Message(
        Stream.FORECAST, f"forecast/{made.product}", compact(body), made.at, retain=True, expiry_s=FORECAST_EXPIRY_S
    )


# --- answers to commands --------------------------------------------------------------------------------------------


def response(result: CommandResult) -> Message:
    """To the command's response topic, which `commands.parse` has checked, or else to the verb's own."""
    command = result.command
    body = {
        "cmd_id": command.cmd_id or None,
        "verb": command.verb,
        "code": result.code.value,
        "message": result.message,
        "detail": dict(result.detail),
    }
    topic = command.response_topic or f"rsp/{command.verb}"
    return Message(Stream.RSP, topic, compact(body), result.at, expiry_s=RSP_EXPIRY_S, correlation=command.correlation)


# --- the node about itself ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PointDescription:
    """A source of telemetry, as `meta` lists it."""

    point: str
    driver: str
    interval_s: float
    live_s: float  # expiry of its telemetry
    units: Mapping[str, str]  # field -> UCUM unit: {"temperature_c": "Cel"}


@dataclass(frozen=True, slots=True)
class ShelfDescription:
    shelf: str
    product: str | None
    capacity_g: float


@dataclass(frozen=True, slots=True)
class PlaceDescription:
    """A place that is watched, with the limits in force, °C; None: not watched."""

    place: str
    kind: str
    sensors: Sequence[str]
    low_c: float | None
    high_c: float | None
    critical_low_c: float | None
    critical_high_c: float | None
    food_limit_c: float | None  # of the product: above it the food clock runs
    basis: str = ""  # of that limit: which law, or the site
    were_set: Sequence[str] = ()  # those limits, by key, that the command `set` changed


@dataclass(frozen=True, slots=True)
class ModelDescription:
    model: str
    version: str | None  # in use; None: it is refused, and the agent goes on without
    shadow: str | None = None  # that runs beside it, to be compared
    comparison: str | None = None  # how it stands, in words
    decision: str | None = None  # the last one, in words: installed, promoted, rolled back, and why


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """What a node is and what it has; changes with the configuration and the programme, not with the readings."""

    version: str
    points: Sequence[PointDescription] = ()
    shelves: Sequence[ShelfDescription] = ()
    places: Sequence[PlaceDescription] = ()
    verbs: Sequence[str] = ()  # that it takes over MQTT
    signed: Sequence[str] = ()  # of these, the ones that must be signed
    keys: Sequence[str] = ()  # names of the keys that it knows
    models: Sequence[ModelDescription] = ()
    keeps_lots: bool = False  # of goods whose keeping is known; Home Assistant is told of them then


def meta(at: Instant, described: NodeDescription) -> Message:
    """The node's description."""
    body = {
        "boot": at.boot,
        "version": described.version,
        "schemas": schema_hash(),
        "points": [asdict(point) for point in described.points],
        "shelves": [asdict(shelf) for shelf in described.shelves],
        "places": [asdict(place) for place in described.places],
        "verbs": list(described.verbs),
        "signed": list(described.signed),
        "keys": list(described.keys),
        "models": [asdict(model) for model in described.models],
    }
    return Message(Stream.META, "meta", compact(body), at, retain=True)


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """What waits in one stream of the outbox, and what became of the rest."""

    waiting: int
    oldest_s: float | None = None  # age of the oldest waiting row; None: nothing waits, or it is from another boot
    refused: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)  # by reason


@dataclass(frozen=True, slots=True)
class PointHealth:
    good_ratio: float | None  # share of good readings lately; None: none was tried
    last_good_s: float | None = None  # ago
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the node fares; None where the machine does not tell."""

    uptime_s: float
    clock: str  # a ClockState
    outbox: Mapping[str, StreamHealth] = field(default_factory=dict)  # by stream
    points: Mapping[str, PointHealth] = field(default_factory=dict)
    disk_free_mb: float | None = None
    database_mb: float | None = None
    rss_mb: float | None = None
    cpu_c: float | None = None
    is_throttled: bool | None = None
    is_under_voltage: bool | None = None
    command_path: str = "unproved"  # "ok" when the node's own ping came back lately
    faults: Sequence[str] = ()  # one sentence each: full disk, corrupt file set aside, refused topic
    alarms: Sequence[Alarm] = ()  # all that stand, from memory: told though no disk takes their own messages
    next_lots: Sequence[NextLot] = ()  # of each place where lots lie


def health(at: Instant, state: Health, *, expiry_s: int) -> Message:
    """Volatile: told while it is true, the newest replaces the older."""
    body = {
        "boot": at.boot,
        "uptime_s": state.uptime_s,
        "system_clock": state.clock,
        "outbox": {stream: asdict(depth) for stream, depth in state.outbox.items()},
        "points": {point: asdict(found) for point, found in state.points.items()},
        "disk_free_mb": state.disk_free_mb,
        "database_mb": state.database_mb,
        "rss_mb": state.rss_mb,
        "cpu_c": state.cpu_c,
        "throttled": state.is_throttled,
        "under_voltage": state.is_under_voltage,
        "command_path": state.command_path,
        "faults": list(state.faults),
        "alarms": [_alarm_body(standing) for standing in state.alarms],
        **({"next_lots": list(map(_next_lot, state.next_lots))} if state.next_lots else {}),
    }
    return Message(Stream.HEALTH, "health", compact(body), at, retain=True, expiry_s=expiry_s)


@dataclass(frozen=True, slots=True)
class Link:
    """The connection, as the birth message tells it."""

    session: int  # counts the attempts of this boot; an offline of an earlier session is a late will
    protocol: str  # "5" or "3.1.1"
    is_encrypted: bool
    notes: Sequence[str] = ()  # what a person should know: unencrypted, fallen back to 3.1.1


def _next_lot(found: NextLot) -> dict[str, object]:
    lot, life = found.lot, found.life
    known = {"code": lot.code, "use_by": lot.use_by, "best_before": lot.best_before}
    return {
        "place": found.place,
        "lot": lot.id,
        "product": lot.product,
        "name": found.name,
        **{key: value for key, value in known.items() if value},
        "remaining_d": life.median_d,
        "p_spoiled_24h": life.p_spoiled[HORIZONS_H.index(24)],
        "lots": found.lots,
    }


def birth(at: Instant, link: Link) -> Message:
    """First after each connection, retained."""
    body = {
        "state": "online",
        "boot": at.boot,
        "session": link.session,
        "protocol": link.protocol,
        "encrypted": link.is_encrypted,
        "notes": list(link.notes),
    }
    return Message(Stream.STATUS, "status", compact(body), at, retain=True)


def death(at: Instant, session: int, reason: str) -> Message:
    """Told before a clean stop ("stopped"), or by the broker when the node is gone ("lost")."""
    body = {"state": "offline", "boot": at.boot, "session": session, "reason": reason}
    return Message(Stream.STATUS, "status", compact(body), at, retain=True)


def will(identity: Identity, at: Instant, session: int) -> Outgoing:
    """Left with the broker at each connection. Written before anybody knows whether it is told: its number is 0."""
    return render(identity, Queued(Stream.STATUS, 0, death(at, session, "lost")))


PING_NONCE = "nonce"


def ping(identity: Identity, nonce: str) -> Outgoing:
    """A command to ourselves, which proves by coming back that commands arrive."""
    return Outgoing(identity.topic("cmd/ping"), compact({PING_NONCE: nonce}), expiry_s=60)


def subscriptions(identity: Identity) -> tuple[str, ...]:
    """What a node listens to."""
    return (identity.topic("cmd/+"), f"{ROOT}/{identity.site}/{EVERY_NODE}/cmd/+")


# --- schemas --------------------------------------------------------------------------------------------------------


def schemas() -> dict[str, dict[str, Any]]:
    """Every JSON Schema by file name."""
    folder = resources.files("edge_agent.mqtt") / "schemas"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".json")), key=lambda e: e.name)
    return {entry.name: json.loads(entry.read_text("utf-8")) for entry in found}


@lru_cache(maxsize=1)
def schema_hash() -> str:
    """Sixteen hexadecimal digits over all schemas: changes when any of them means something else."""
    return fingerprint(schemas().items())


def fingerprint(named: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    text = json.dumps(sorted((name, schema) for name, schema in named), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
