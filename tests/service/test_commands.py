"""Commands through the whole agent: set and taken back, signed and sent again, told to the central system."""

import base64
import json
import secrets
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.decide.authority import CommandSettings, KeySettings
from edge_agent.mqtt.signed import encoded, envelope
from edge_agent.mqtt.wire import Incoming

BASE = "storeroom/v1/elm-street/a1/"
GTIN = "4006381333931"
CONFIG = f"""
[node]
site = "elm-street"
name = "a1"

[food]
region = "england"

[commands]
signatures = "off"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0

[[product]]
gtin = "{GTIN}"
name = "Honey"

[[place]]
name = "cold-room"
"""
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def watched(room):
    room.settings = room.configured(CONFIG)
    return room


def answer(room, verb):
    room.cycle()
    told = room.send()
    (found,) = room.of(told, f"rsp/{verb}")
    return found, told


def high_c(room):
    return room.parts.agent.plan.places[0].high_c


def test_a_limit_that_was_set_is_told_outlives_restart_and_lost_file_and_is_taken_back(watched):
    room = watched
    with room.running():
        room.send()
        room.ask("set", place="cold-room", high_c=6.5, who="ann")
        found, told = answer(room, "set")
        assert (found["code"], found["message"]) == ("done", "cold-room: high_c 5 -> 6.5")
        room.cycle(11.0)
        *_, meta = room.of([*told, *room.send()], "meta")
        assert (meta["places"][0]["high_c"], meta["places"][0]["were_set"]) == (6.5, ["high_c"])
        (line,) = [line for line in room.of(told, "record/cold-room") if "changed" in line]
        assert (line["kind"], line["who"], line["high_c"]) == ("settings", "mqtt:ann", 6.5)
    with room.running():
        room.cycle()
        assert high_c(room) == 6.5
    for file in room.directory.glob("agent.db*"):
        file.unlink()
    with room.running():
        room.cycle()
        assert high_c(room) == 6.5
        room.ask("set", cmd_id="back", place="cold-room", default=True)
        assert answer(room, "set")[0]["code"] == "done"
        assert high_c(room) == 5.0
    with room.running():
        room.cycle()
        assert high_c(room) == 5.0


def test_a_new_configuration_that_contradicts_what_was_set_holds_and_is_told(watched, caplog):
    room = watched
    with room.running():
        room.ask("set", place="cold-room", high_c=7.5)
        assert answer(room, "set")[0]["code"] == "done"
    (place,) = room.settings.places
    room.settings = replace(room.settings, places=(replace(place, high_c=3.0, critical_high_c=7.0),))
    with room.running():
        room.cycle()
        assert high_c(room) == 3.0
    assert "what was set of it does not count any more" in caplog.text


def test_a_delivery_goes_into_the_record_and_to_the_central_system(watched):
    room = watched
    with room.running():
        room.ask("receive", product=GTIN, lot="L1", supplier="farm-a", units=24, place="cold-room", temperature_c=3.5)
        found, told = answer(room, "receive")
        assert (found["code"], found["message"]) == ("done", "24 x Honey received")
        (line,) = [line for line in room.of(told, "record/cold-room") if line["kind"] == "delivery"]
        assert (line["lot"], line["units"], line["temperature_c"], line["who"]) == ("L1", 24, 3.5, "mqtt")


def signed(room, nonce=None, **arguments):
    now = room.parts.watch.now()
    times = [datetime.fromtimestamp(now.wall_ms / 1000 + s, UTC).isoformat() for s in (-1, 60)]
    body = {
        "site": "elm-street",
        "node": "a1",
        "verb": "set",
        "cmd_id": secrets.token_hex(8),
        "nonce": nonce or secrets.token_urlsafe(24),
        "issued_at": times[0],
        "expires_at": times[1],
        "place": "cold-room",
    }
    content = json.dumps(body | arguments).encode()
    return json.dumps(envelope("office", content, KEY.sign(encoded(content)))).encode()


def send(room, payload):
    room.desk.commands.append(Incoming(f"{BASE}cmd/set", payload, False, room.parts.watch.now()))
    return answer(room, "set")[0]


def refusals(room) -> list[str]:
    with sqlite3.connect(room.directory / "agent.db") as file:
        found = file.execute("SELECT message FROM inbox WHERE cmd_id = '' AND code = 'unauthorized'").fetchall()
    file.close()
    return [message for (message,) in found]


def test_what_is_signed_is_obeyed_once_also_after_a_restart(watched):
    room = watched
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    room.settings = replace(room.settings, commands=CommandSettings(keys=(KeySettings("office", public),)))
    with room.running():
        assert send(room, b'{"cmd_id": "1", "place": "cold-room", "high_c": 7}')["code"] == "unauthorized"
        nonce = secrets.token_urlsafe(24)
        first = signed(room, nonce, high_c=6)
        assert send(room, first)["code"] == "done"
        assert send(room, first)["code"] == "duplicate"
    with room.running():
        again = send(room, signed(room, nonce, high_c=7))
        assert (again["code"], "nonce was used before" in again["message"]) == ("unauthorized", True)
        assert refusals(room) == [f"{again['cmd_id']}: {again['message']}"], "audited, and under no id"
        assert send(room, first)["code"] == "duplicate"
        assert high_c(room) == 6.0
