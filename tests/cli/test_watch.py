"""`watch`: the reference consumer against a real broker."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.cli.exits import Exit

Told = Callable[..., None]


@pytest.fixture
def ghost(broker: int) -> Iterator[Told]:
    """A node that left retained messages at the broker, and is gone: ``ghost(point, seq)``."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker)
    client.loop_start()
    topics = set()

    def told(point: str, seq: int, payload: bytes | None = None) -> None:
        topic = f"storeroom/v1/ghosts/casper/telemetry/{point}"
        body = {"v": 1, "node": "casper", "epoch": "k3f9", "stream": "telemetry", "seq": seq, "ts": "2026-11-23T07:00Z"}
        body |= {"point": point, "readings": {"temperature_c": {"value": 4.25, "quality": "good"}}}
        topics.add(topic)
        client.publish(topic, payload or json.dumps(body), qos=1, retain=True).wait_for_publish(5)

    yield told
    for topic in topics:
        client.publish(topic, b"", qos=1, retain=True).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def watch(call, broker):
    """On the ghost, for a second."""
    return lambda *words: call(
        "watch", "--host", "127.0.0.1", "--port", broker, "--site", "ghosts", "--for", 1.0, *words
    )


def test_a_live_agent_is_followed_message_by_message(call, live) -> None:
    told = call("watch", "--config", live, "--for", 2.5, "--json")
    assert told.code == Exit.OK, told
    topics = {line["topic"].removeprefix("storeroom/v1/elm-street/a1/") for line in told.json}
    assert {"status", "health", "meta", "telemetry/cold-room", "telemetry/shelf-1", "stock/shelf-1"} <= topics
    numbers = [line["payload"]["seq"] for line in told.json if line["payload"].get("stream") == "telemetry"]
    assert len(numbers) == len(set(numbers)), "each once"
    summary = json.loads(told.err.splitlines()[-1])
    assert (summary["missing"], summary["gaps"]) == (0, [])
    assert summary["records"] >= len(numbers)


def test_the_table_shows_the_last_value_of_each_topic(watch, ghost) -> None:
    ghost("cold-room", 1)
    told = watch()
    line = next(line for line in told.lines if "ghosts/casper/telemetry/cold-room" in line)
    assert "temperature_c 4.25" in line
    assert told.code == Exit.OK


def test_what_is_missing_at_the_end_is_a_fault_and_named(watch, ghost) -> None:
    ghost("cold-room", 3)
    told = watch("--from-start", "--no-ask")
    assert told.code == Exit.FAULT
    assert "missing in casper telemetry: 1 to 2" in told.out


def test_what_is_missing_is_asked_for(watch, ghost, broker) -> None:
    heard: list[dict] = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, message: heard.append(json.loads(message.payload))
    client.connect("127.0.0.1", broker)
    client.subscribe("storeroom/v1/ghosts/casper/cmd/replay", qos=1)
    client.loop_start()
    try:
        ghost("cold-room", 5)
        told = watch("--from-start", "--patience", 0, "--json")
    finally:
        client.disconnect()
        client.loop_stop()
    assert json.loads(told.err.splitlines()[-1])["asked_for"] == 4
    assert [(ask["stream"], ask["from_seq"], ask["to_seq"]) for ask in heard] == [("telemetry", 1, 4)]
    assert told.code == Exit.FAULT, "nobody answered"


def test_a_duplicate_is_counted_and_not_told(watch, ghost) -> None:
    ghost("cold-room", 1)
    ghost("cellar", 1)  # the same identity once more
    told = watch("--json")
    assert [line["payload"]["seq"] for line in told.json] == [1]
    assert json.loads(told.err.splitlines()[-1])["duplicates_dropped"] == 1


def test_what_is_no_message_is_counted_and_not_told(watch, ghost) -> None:
    ghost("cold-room", 1, b"\xff not JSON")
    told = watch("--json")
    assert told.lines == []
    assert json.loads(told.err.splitlines()[-1])["not_understood"] == 1


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


def _process(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "edge_agent.cli.main", "watch", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


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
