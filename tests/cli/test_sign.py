"""Keys and signed commands, as a person in the office makes them; and what a node makes of them."""

import base64
import contextlib
import json
import sqlite3
import stat
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
import pytest

from edge_agent.cli.exits import Exit
from edge_agent.decide.authority import CommandSettings, KeySettings
from edge_agent.domain.command import Command
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.commands import parse
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.signed import verifier
from edge_agent.mqtt.wire import Incoming

WHERE = ("--name", "office", "--site", "elm-street", "--node", "a1")


@pytest.fixture
def key(call, tmp_path):
    path = tmp_path / "office.key"
    assert call("key", "new", path).code == Exit.OK
    return path


def test_a_key_is_made_once_for_nobody_else_and_told_for_the_configuration(call, key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    told = call("key", "show", key)
    assert told.lines[:2] == ["[[commands.key]]  # or [[models.key]], of one that signs models", 'name = "office"']
    (public,) = call("key", "show", key, "--json").json
    assert KeySettings("office", public["public_key"])
    again = call("key", "new", key)
    assert (again.code, "never overwritten" in again.err) == (Exit.USAGE, True)


def test_what_is_signed_here_is_obeyed_there(call, key):
    (public,) = call("key", "show", key, "--json").json
    (payload,) = call("command", "sign", "--key", key, *WHERE, "set", "place=cold-room", "high_c=6").json
    verify = verifier(CommandSettings(keys=(KeySettings("office", public["public_key"]),)))
    at = Instant(1000, int(1000 * datetime.now(UTC).timestamp()), "boot-1")
    topic = "storeroom/v1/elm-street/a1/cmd/set"
    command = parse(Incoming(topic, json.dumps(payload).encode(), False, at), Identity("elm-street", "a1", "e"), verify)
    assert isinstance(command, Command)
    assert command.arguments == {"place": "cold-room", "high_c": 6}
    assert command.seal.key == "office"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--valid-s", "601", "reload"), Exit.USAGE, "at most 600 s"),
        (("dance",), Exit.USAGE, "invalid choice"),
        (("set", "high_c"), Exit.USAGE, "must be KEY=VALUE"),
        (("set", "nonce=x"), Exit.USAGE, "nonce: is made here"),
    ],
)
def test_what_cannot_be_signed_is_explained(call, key, words, code, says):
    told = call("command", "sign", "--key", key, *WHERE, *words)
    assert (told.code, says in told.err) == (code, True), told.err


@pytest.mark.parametrize("content", [None, b"", b"AAAA", b"\xff", base64.b64encode(bytes(33))])
def test_a_file_that_is_no_key_is_named(call, tmp_path, content):
    path = tmp_path / "no.key"
    if content is not None:
        path.write_bytes(content)
    told = call("command", "sign", "--key", path, *WHERE, "reload")
    assert (told.code, str(path) in told.err) == (Exit.FAULT, True)


def test_over_a_real_broker_the_dangerous_needs_the_key(call, live, broker, office, wait):
    """`tare` unsigned is refused; signed it is obeyed, and the audit names the key."""
    node = ("--name", "office", "--site", "elm-street", "--node", "a1")
    (payload,) = call("command", "sign", "--key", office, *node, "tare", "shelf=shelf-1", "tare_g=12.5").json
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", broker)
    client.loop_start()
    plain = {"cmd_id": "unsigned-tare", "shelf": "shelf-1", "tare_g": 99}
    for body in (plain, payload):
        client.publish("storeroom/v1/elm-street/a1/cmd/tare", json.dumps(body), qos=1).wait_for_publish(5)

    def audited() -> list:
        file = sqlite3.connect(f"file:{live.parent / 'state' / 'agent.db'}?mode=ro", uri=True)
        with contextlib.closing(file):
            wanted = "SELECT signed_by, code, message FROM inbox WHERE source = 'mqtt' AND code IS NOT NULL"
            return file.execute(wanted).fetchall()

    try:
        wait(lambda: len(audited()) == 2, "both answered")
    finally:
        client.disconnect()
        client.loop_stop()
    plain_answer, signed_answer = audited()
    assert plain_answer[:2] == (None, "unauthorized")
    if "clock is not set" in signed_answer[2]:  # on a machine that does not know the time nothing signed is obeyed
        assert signed_answer[:2] == (None, "unauthorized")
    else:
        assert signed_answer[0] == "office"
        assert signed_answer[1] in ("done", "unstable")
