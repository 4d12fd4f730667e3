"""Follow a node's messages at the broker: each once, in a live view; what is missing is asked for.

Below the table stand the alarms, also those that only the node's health tells of because its card takes no writes.
This is the reference consumer: it drops duplicates by (node, epoch, stream, seq), finds gaps in the numbers, and asks
the node to send again what stays missing. Ctrl-C ends it. Exit code 0 when nothing was missing at the end, 1 when
something still was, 5 when the broker cannot be reached.

  edge-agent watch --config config/simulated.toml
  edge-agent watch --host localhost --site s0412 --node a1
  edge-agent watch --for 60 --json | jq -c 'select(.topic | endswith("/telemetry/cold-room")) | .payload.readings'
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_agent.cli.common import (
    add_config,
    add_json,
    console,
    duration,
    name_word,
    positive_seconds,
    print_json,
    settings,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.domain.message import Stream
from edge_agent.domain.settings import SettingsError
from edge_agent.mqtt.consumer import PATIENCE_S, Ask, Consumer, Kind, Listener, Taken
from edge_agent.mqtt.messages import ROOT
from edge_agent.mqtt.settings import MqttSettings

CONNECT_S = 10.0  # without a first connection for so long, and the broker counts as out of reach
REFRESH_PER_S = 4
VALUE_CHARS = 70


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    parser.add_argument("--host", help="the broker, when there is no configuration at hand")
    parser.add_argument("--port", type=int, default=1883, help="with --host (default: %(default)s)")
    parser.add_argument("--insecure", action="store_true", help="with --host: a plain connection to another machine")
    parser.add_argument("--site", type=name_word, help="default: the configuration's; with --host every site")
    parser.add_argument("--node", type=name_word, help="default: the configuration's; with --host every node")
    parser.add_argument("--for", dest="for_s", type=positive_seconds, metavar="S", help="stop after so many seconds")
    parser.add_argument(
        "--patience",
        type=positive_seconds,
        default=PATIENCE_S,
        metavar="S",
        help="how long a gap may stay before it is asked for (default: %(default)g)",
    )
    parser.add_argument("--from-start", action="store_true", help="everything from number 1 on is wanted")
    parser.add_argument("--no-ask", action="store_true", help="find gaps, but ask for nothing")
    add_json(parser)


class CountingConsumer(Consumer):
    """Knows how much it has asked for."""

    asked = 0

    def asks(self, now_s: float) -> list[Ask]:
        due = super().asks(now_s)
        self.asked += sum(ask.last - ask.first + 1 for ask in due)
        return due


@dataclass(slots=True)
class Topic:
    messages: int = 0
    duplicates: int = 0
    seq: int = 0
    value: str = ""
    at_s: float = 0.0


@dataclass(slots=True)
class View:
    """What came, by topic. One thread writes, another draws."""

    consumer: CountingConsumer
    listener: Listener
    topics: dict[str, Topic] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, taken: Taken) -> None:
        if taken.kind is Kind.FOREIGN:
            return
        with self.lock:
            topic = self.topics.setdefault(taken.topic, Topic())
            topic.messages += 1
            topic.duplicates += taken.kind is Kind.DUPLICATE
            topic.at_s = time.monotonic()
            if taken.kind is Kind.GARBAGE:
                topic.value = f"not a message: {taken.reason}"
            if taken.records:
                newest = taken.records[-1]
                topic.seq = newest.get("seq", 0)
                topic.value = f"{len(taken.records)} records of the past" if taken.historical else in_short(newest)

    def drawn(self) -> Table:
        with self.lock:
            topics = sorted(self.topics.items())
        table = Table("topic", "last", caption=self.caption(), title_justify="left", caption_justify="left")
        for heading in ("ago", "seq", "messages", "duplicates"):
            table.add_column(heading, justify="right")
        for name, topic in topics:
            table.add_row(
                Text(name.removeprefix(f"{ROOT}/")),
                Text(topic.value),
                duration(time.monotonic() - topic.at_s),
                str(topic.seq),
                str(topic.messages),
                str(topic.duplicates),
            )
        return table

    def caption(self) -> str:
        error = self.listener.last_error
        said = summary(self.consumer)
        line = ", ".join(
            f"{key.replace('_', ' ')} {value}" for key, value in said.items() if not isinstance(value, list)
        )
        alarms = "".join(f"\nalarm at {a['node']}: {a['alarm']} {in_short(a)}" for a in said["alarms"])
        gaps = "".join(f"\nmissing in {g['node']} {g['stream']}: {g['first']} to {g['last']}" for g in said["gaps"][:5])
        return (f"no connection: {error}\n" if error else "") + line + alarms + gaps


def run(args: argparse.Namespace) -> Exit:
    mqtt, site, node = _wanted(args)
    consumer = CountingConsumer(from_start=args.from_start, patience_s=args.patience)
    listener = Listener(mqtt, consumer, site=site, node=node, asks=not args.no_ask)
    view = View(consumer, listener)

    def hear(taken: Taken) -> None:
        view.take(taken)
        if args.json:
            _print(taken)

    is_reached = listen(listener, hear, None if args.json else view.drawn, args.for_s)
    return _end(args, view, is_reached=is_reached)


def listen(
    listener: Listener, hear: Callable[[Taken], None], drawn: Callable[[], RenderableType] | None, for_s: float | None
) -> bool:
    """Until stopped, or for so long; on a terminal ``drawn`` is shown live. Answers whether the broker was reached.

    Raises BrokenPipeError when whoever read what ``hear`` prints has gone.
    """
    stop, is_reached = threading.Event(), threading.Event()
    broken: list[BrokenPipeError] = []

    def on_taken(taken: Taken) -> None:
        try:
            hear(taken)
        except BrokenPipeError as error:  # the MQTT library would swallow it: its callbacks must not raise
            broken.append(error)
            stop.set()

    out = console()
    drawing: AbstractContextManager[object] = nullcontext()
    if drawn is not None and out.is_terminal:
        drawing = Live(get_renderable=drawn, console=out, refresh_per_second=REFRESH_PER_S)
    with _stopping(stop, for_s), _watched(listener, stop, is_reached), drawing:
        listener.run(on_taken, time.monotonic, stop)
    if broken:
        raise broken[0]
    return is_reached.is_set()


def _print(taken: Taken) -> None:
    """A line for each record that is new."""
    if taken.kind in (Kind.NEW, Kind.VOLATILE):
        for record in taken.records:
            print_json({"topic": taken.topic, "historical": taken.historical, "payload": record})
        sys.stdout.flush()


def _wanted(args: argparse.Namespace) -> tuple[MqttSettings, str, str]:
    """The broker, the site and the node; ``+`` is every one."""
    if args.host is None:
        chosen = settings(args.config)
        return chosen.mqtt, args.site or chosen.node.site, args.node or chosen.node.name
    try:
        mqtt = MqttSettings(host=args.host, port=args.port, insecure=args.insecure)
    except SettingsError as error:
        is_plain = any(fault.key == "tls" for fault in error.faults)
        hint = " (here: --insecure, or --config with TLS)" if is_plain else ""
        raise CliError(Exit.USAGE, f"{error}{hint}") from error
    return mqtt, args.site or "+", args.node or "+"


@contextmanager
def _stopping(stop: threading.Event, for_s: float | None) -> Iterator[None]:
    """Ctrl-C, SIGTERM and the time that is up end the watch cleanly."""
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    timer = threading.Timer(for_s, stop.set) if for_s is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _watched(listener: Listener, stop: threading.Event, is_reached: threading.Event) -> Iterator[None]:
    """Give up on a broker that is not there; one that goes away later is waited for."""

    def look() -> None:
        if listener.is_up.wait(CONNECT_S):
            is_reached.set()
        else:
            stop.set()

    threading.Thread(target=look, name="first-connection", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _end(args: argparse.Namespace, view: View, *, is_reached: bool) -> Exit:
    error = view.listener.last_error
    if not is_reached or error:
        raise CliError(Exit.NO_BROKER, error or "the broker does not answer")
    said = summary(view.consumer)
    if args.json:
        print_json(said, sys.stderr)
    else:
        console().print(view.drawn())
    return Exit.FAULT if said["gaps"] else Exit.OK


def summary(consumer: CountingConsumer) -> dict[str, Any]:
    missing = [(source, first, last) for source, spans in consumer.gaps().items() for first, last in spans]
    counts: Counter[str] = consumer.counts
    return {
        "records": consumer.records,
        "duplicates_dropped": consumer.duplicates,
        "missing": sum(last - first + 1 for _, first, last in missing),
        "asked_for": consumer.asked,
        "told_dropped": consumer.dropped(),
        "not_understood": counts[Kind.GARBAGE],
        "alarms": [
            {"site": base.split("/")[2], "node": base.split("/")[3], "stream": Stream.ALARM.value}
            | {key: alarm.get(key) for key in ("alarm", "priority", "state", "since", "message")}
            for base, alarm in consumer.alarms()
        ],
        "gaps": [asdict(source) | {"first": first, "last": last} for source, first, last in missing],
    }


def in_short(body: Mapping[str, Any]) -> str:
    """The one thing a person wants to know of a message.

    >>> in_short({"stream": "telemetry", "readings": {"temperature_c": {"value": 4.21, "quality": "good"}}})
    'temperature_c 4.21'
    >>> in_short({"stream": "telemetry", "readings": {"net_g": {"value": None, "quality": "bad", "fault": "checksum"}}})
    'net_g bad (checksum)'
    >>> in_short({"stream": "alarm", "state": "unacknowledged", "message": "The card is full"})
    'unacknowledged: The card is full'
    >>> in_short({"stream": "record", "kind": "interval", "line": 812})
    'interval, line 812'
    """
    match body.get("stream"):
        case Stream.TELEMETRY:
            said = "  ".join(f"{name} {_reading(found)}" for name, found in body.get("readings", {}).items())
        case Stream.STOCK:
            balance = body.get("balance", {})
            said = f"net {balance.get('net_g')} g, units {balance.get('units')}, {body.get('quality')}"
        case Stream.EVENT:
            said = f"{body.get('kind')} {body.get('delta_g')} g"
        case Stream.ALARM | Stream.ALARMLOG:
            said = f"{body.get('state')}: {body.get('message')}"
        case Stream.RECORD:
            said = f"{body.get('kind')}, line {body.get('line')}"
        case Stream.RSP:
            said = f"{body.get('code')} {body.get('message', '')}".rstrip()
        case Stream.STATUS:
            said = f"{body.get('state')} {body.get('reason', '')}".rstrip()
        case Stream.META:
            said = f"version {body.get('version')}, {len(body.get('points', ()))} points"
        case Stream.HEALTH:
            said = "; ".join(body.get("faults", ())) or f"well, up {duration(body.get('uptime_s'))}"
        case _:
            said = json.dumps(body, ensure_ascii=False)
    return said if len(said) <= VALUE_CHARS else said[: VALUE_CHARS - 1] + "…"


def _reading(found: Mapping[str, Any]) -> str:
    if found.get("value") is None:
        fault = found.get("fault")
        return f"{found.get('quality')} ({fault})" if fault else str(found.get("quality"))
    return f"{found['value']:g}" if abs(found["value"]) < 1000 else f"{found['value']:.0f}"
