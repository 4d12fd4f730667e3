"""`watch`: the reference consumer against a real broker."""

import io
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console

from edge_agent.cli.exits import Exit
from edge_agent.cli.watch import CountingConsumer, View
from edge_agent.mqtt.consumer import Listener
from edge_agent.mqtt.settings import MqttSettings

Told = Callable[..., None]


def message(point: str, seq: int, value: float, node: str = "casper") -> dict:
    head = {"v": 1, "node": node, "epoch": "k3f9", "stream": "telemetry", "seq": seq, "ts": "2026-11-23T07:00Z"}
    return head | {"point": point, "readings": {"temperature_c": {"value": value, "quality": "good"}}}


@pytest.fixture
def ghost(broker: int) -> Iterator[Told]:
    """A node that left retained messages at the broker, and is gone: ``ghost(point, seq)``."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker)
    client.loop_start()
    topics = set()

    def told(point: str, seq: int, payload: bytes | None = None, node: str = "casper") -> None:
        topic = f"storeroom/v1/ghosts/{node}/telemetry/{point}"
        topics.add(topic)
        sent = payload or json.dumps(message(point, seq, 4.25, node))
        client.publish(topic, sent, qos=1, retain=True).wait_for_publish(20)

    yield told
    for topic in topics:
        client.publish(topic, b"", qos=1, retain=True).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


@dataclass(frozen=True, slots=True)
class Watched:
    code: int
    lines: list[dict]  # told of the ghost
    summary: dict


def _process(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "edge_agent.cli.main", "watch", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextmanager
def _bounded(process: subprocess.Popen) -> Iterator[None]:
    """Whoever reads its output gets an end at last."""
    timer = threading.Timer(60, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read_until(process: subprocess.Popen, is_enough: Callable[[dict], bool]) -> list[dict]:
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if is_enough(lines[-1]):
            return lines
    pytest.fail(f"it ended too soon: {lines}: {process.stderr.read().decode()}")


def _stop(process: subprocess.Popen) -> tuple[list[dict], dict]:
    """The lines that were not read yet, and the summary."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    return [json.loads(line) for line in out.splitlines()], json.loads(err.splitlines()[-1])


@pytest.fixture
def watch(broker, ghost, wait):
    """On the ghost, until everything that was there before has been heard, and ``is_over``.

    A beacon: what is sent once its retained message was told comes behind all other retained ones.
    """

    def is_beacon(line: dict) -> bool:
        return line["payload"].get("node") == "beacon"

    def watched(*words: object, is_over: Callable[[], object] = lambda: True) -> Watched:
        ghost("beacon", 1, node="beacon")
        process = _process("--host", "127.0.0.1", "--port", broker, "--site", "ghosts", "--json", *words)
        with _bounded(process):
            lines = _read_until(process, is_beacon)
            ghost("beacon", 2, node="beacon")
            lines += _read_until(process, lambda line: is_beacon(line) and line["payload"]["seq"] == 2)
            wait(is_over, "what the test waits for")
            rest, summary = _stop(process)
        return Watched(process.returncode, [line for line in lines + rest if not is_beacon(line)], summary)

    return watched


def test_a_live_agent_is_followed_message_by_message(live) -> None:
    process = _process("--config", live, "--json")
    awaited = {"status", "health", "meta", "telemetry/cold-room", "telemetry/shelf-1", "stock/shelf-1"}
    telemetry: list[int] = []

    def is_enough(line: dict) -> bool:
        awaited.discard(line["topic"].removeprefix("storeroom/v1/elm-street/a1/"))
        if line["payload"].get("stream") == "telemetry":
            telemetry.append(line["payload"]["seq"])
        return not awaited and len(telemetry) > 4

    with _bounded(process):
        lines = _read_until(process, is_enough)
        rest, summary = _stop(process)
    assert process.returncode == Exit.OK
    numbers = [line["payload"]["seq"] for line in lines + rest if line["payload"].get("stream") == "telemetry"]
    assert len(numbers) == len(set(numbers)), "each once"
    assert (summary["missing"], summary["gaps"]) == (0, [])
    assert summary["records"] >= len(numbers)


def test_the_table_shows_the_last_value_of_each_topic_and_what_is_missing() -> None:
    consumer = CountingConsumer(from_start=True)
    view = View(consumer, Listener(MqttSettings(), consumer))
    for seq, value in ((3, 4.0), (4, 4.25)):
        payload = json.dumps(message("cold-room", seq, value)).encode()
        view.take(consumer.take("storeroom/v1/ghosts/casper/telemetry/cold-room", payload))
    out = Console(file=io.StringIO(), width=160)
    out.print(view.drawn())
    shown = out.file.getvalue()
    line = next(line for line in shown.splitlines() if "ghosts/casper/telemetry/cold-room" in line)
    assert "temperature_c 4.25" in line
    assert "missing in casper telemetry: 1 to 2" in shown


def test_what_is_missing_at_the_end_is_a_fault_and_named(watch, ghost) -> None:
    ghost("cold-room", 3)
    told = watch("--from-start", "--no-ask")
    assert told.code == Exit.FAULT
    assert [(gap["node"], gap["first"], gap["last"]) for gap in told.summary["gaps"]] == [("casper", 1, 2)]


@pytest.fixture
def asked(broker) -> Iterator[list[dict]]:
    """What casper is asked to send again."""
    heard: list[dict] = []
    is_subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, message: heard.append(json.loads(message.payload))
    client.on_subscribe = lambda *_: is_subscribed.set()
    client.connect("127.0.0.1", broker)
    client.subscribe("storeroom/v1/ghosts/casper/cmd/replay", qos=1)
    client.loop_start()
    assert is_subscribed.wait(20)
    yield heard
    client.disconnect()
    client.loop_stop()


def test_what_is_missing_is_asked_for(watch, ghost, asked) -> None:
    ghost("cold-room", 5)
    told = watch("--from-start", "--patience", 0.001, is_over=lambda: asked)
    assert told.summary["asked_for"] >= 4
    assert (asked[0]["stream"], asked[0]["from_seq"], asked[0]["to_seq"]) == ("telemetry", 1, 4)
    assert told.code == Exit.FAULT, "nobody answered"


def test_the_end_is_told_as_a_table(broker, ghost, asked, wait) -> None:
    ghost("cold-room", 3)
    words = ("--host", "127.0.0.1", "--port", broker, "--site", "ghosts", "--from-start", "--patience", 0.001)
    process = _process(*words)
    with _bounded(process):
        wait(lambda: asked, "the gap asked for")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == Exit.FAULT, err
    assert b"ghosts/casper/telemetry/cold-room" in out
    assert b"missing in casper telemetry: 1 to 2" in out


def test_a_duplicate_is_counted_and_not_told(watch, ghost) -> None:
    ghost("cold-room", 1)
    ghost("cellar", 1)  # the same identity once more
    told = watch()
    assert [line["payload"]["seq"] for line in told.lines] == [1]
    assert told.summary["duplicates_dropped"] == 1


def test_what_is_no_message_is_counted_and_not_told(watch, ghost) -> None:
    ghost("cold-room", 1, b"\xff not JSON")
    told = watch()
    assert told.lines == []
    assert told.summary["not_understood"] == 1


def test_a_broker_out_of_reach_has_its_own_code(call) -> None:
    with socket.socket() as taken:  # bound, and not listening: refused at once
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        told = call("watch", "--host", "127.0.0.1", "--port", port, "--for", 0.5)
    assert told.code == Exit.NO_BROKER
    assert f"127.0.0.1:{port} refuses the connection: is the broker running?" in told.err


def test_a_plain_connection_to_another_machine_must_be_meant(call) -> None:
    told = call("watch", "--host", "broker.example", "--for", 0.1)
    assert told.code == Exit.USAGE
    assert "broker.example is another machine" in told.err
    assert "--insecure" in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--port", 99999), "port = 99999: must be between 1 and 65535"),
        (("--host", "broker:8883"), "host = 'broker:8883': must be the name or address of the broker alone"),
    ],
)
def test_a_broker_that_cannot_be_has_no_hint_at_an_insecure_connection(call, words, says) -> None:
    told = call("watch", "--host", "127.0.0.1", *words, "--for", 0.1)
    assert told.code == Exit.USAGE
    assert says in told.err
    assert "--insecure" not in told.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_asked_to(live, number) -> None:
    process = _process("--config", live, "--json")
    process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == Exit.OK, err
    assert b"Traceback" not in err
    assert b'"missing":0' in err


def test_it_ends_when_its_reader_goes_away(live) -> None:
    process = _process("--config", live, "--json")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == Exit.OK
    assert process.stderr.read() == b""
    process.stderr.close()
