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
from edge_agent.domain.command import Command
from edge_agent.mqtt.signed import encoded, envelope
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.agent import MAX_INCOMING
from edge_agent.service.nonces import NOTED
from edge_agent.service.refusals import MOST, PERIOD_S
from edge_agent.service.routine import MAX_READ_BYTES

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


def rows_of(room, nonce: str) -> int:
    with sqlite3.connect(room.directory / "agent.db") as file:
        ((found,),) = file.execute("SELECT count(*) FROM inbox WHERE nonce = ?", (nonce,)).fetchall()
    file.close()
    return found


def test_what_is_signed_is_obeyed_once_also_after_a_restart(watched):
    room = watched
    keyed(room)
    with room.running():
        assert send(room, b'{"cmd_id": "1", "place": "cold-room", "high_c": 7}')["code"] == "unauthorized"
        nonce = secrets.token_urlsafe(24)
        first = signed(room, nonce, high_c=6)
        assert send(room, first)["code"] == "done"
        assert send(room, first)["code"] == "duplicate"
    with room.running():
        again = send(room, signed(room, nonce, high_c=7))
        assert (again["code"], "nonce was used before" in again["message"]) == ("unauthorized", True)
        unsigned, nonce_again = refusals(room)
        assert unsigned.startswith("1: over MQTT set needs a signature"), "audited, and under no id"
        assert nonce_again == f"{again['cmd_id']}: {again['message']} (signed by office)"
        assert rows_of(room, nonce) == 1, "the one that was obeyed"
        assert send(room, first)["code"] == "duplicate"
        assert high_c(room) == 6.0


def keyed(room):
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    room.settings = replace(room.settings, commands=CommandSettings(keys=(KeySettings("office", public),)))


def test_a_recorded_command_is_not_good_again_after_the_file_that_remembers_it_was_lost(watched):
    room = watched
    keyed(room)
    with room.running():
        first = signed(room, high_c=6)
        assert send(room, first)["code"] == "done"
        assert send(room, signed(room, high_c=7))["code"] == "done"
    for file in room.directory.glob("agent.db*"):
        file.unlink()
    with room.running():
        again = send(room, first)
        assert (again["code"], "nonce was used before" in again["message"]) == ("unauthorized", True)
        assert high_c(room) == 7.0
        for _ in range(3):
            room.cycle(300.0)
        assert send(room, signed(room, high_c=6))["code"] == "done"
        assert len(json.loads(room.parts.settings_file.noted(NOTED))) == 1, "what is valid no more is forgotten"


def test_a_refused_stranger_makes_no_duplicate_of_the_rightful_command(watched):
    room = watched
    keyed(room)
    with room.running():
        assert send(room, b'{"cmd_id": "7", "place": "cold-room", "high_c": 7}')["code"] == "unauthorized"
        assert send(room, signed(room, cmd_id="7", high_c=6))["code"] == "done"


def test_a_flood_of_the_unauthorised_writes_some_rows_and_their_number(watched):
    room = watched
    keyed(room)
    with room.running():
        room.cycle()
        for number in range(250):
            room.ask("set", cmd_id=f"c-{number}", place="cold-room", high_c=7.0, note="x" * 2000)
        room.cycle()
        assert len(refusals(room)) == MOST
        room.cycle(PERIOD_S)
        room.ask("set", cmd_id="later", place="cold-room", high_c=7.0)
        room.cycle()
        *_, number, later = refusals(room)
        assert (number.partition(" ")[0], later.partition(":")[0]) == (str(250 - MOST), "later")
        told = room.of(room.send(), "rsp/set")
        assert [found["code"] for found in told] == ["unauthorized"] * 251


def test_a_flood_of_forged_signatures_is_not_verified_to_the_end(watched):
    room = watched
    keyed(room)
    with room.running():
        for _ in range(MAX_INCOMING + 5):
            payload = json.dumps(envelope("office", b"{}", bytes(64))).encode()
            room.desk.commands.append(Incoming(f"{BASE}cmd/set", payload, False, room.parts.watch.now()))
        room.cycle()
        codes = [found["code"] for found in room.of(room.send(), "rsp/set")]
        assert (codes.count("unauthorized"), codes.count("busy")) == (MAX_INCOMING, 5)
        assert send(room, signed(room, high_c=6))["code"] == "done"


def test_what_is_too_much_to_read_in_one_cycle_is_counted_and_the_next_cycle_reads_again(watched):
    room = watched
    with room.running():
        slow = b'{"cmd_id":"1","x":[' + b"[]," * 5000 + b"[]]}"
        for _ in range(1000):
            room.desk.commands.append(Incoming(f"{BASE}cmd/set", slow, False, room.parts.watch.now()))
        room.cycle()
        assert room.parts.agent.unanswered == 1000 - MAX_READ_BYTES // len(slow)
        room.send()
        room.ask("set", cmd_id="2", place="cold-room", high_c=6)
        assert answer(room, "set")[0]["code"] == "done"


def test_the_audit_says_who_asked_by_which_way_and_what_became_of_it(watched):
    room = watched
    keyed(room)
    commands = replace(room.settings.commands, local=("set", "receive"))
    room.settings = replace(room.settings, commands=commands)
    with room.running():
        now = room.parts.watch.now()
        stranger = Command("l-1", "reload", {}, "local", now, peer="eve uid=1001 pid=7")
        user = Command("l-2", "set", {"place": "cold-room", "high_c": 7.0}, "local", now, peer="ann uid=1000 pid=8")
        wrong = Command("c-1", "set", {"place": "attic"}, "cli", now)
        for command in (stranger, user, wrong):
            room.parts.agent.receive(command)
        room.ask("set", cmd_id="m-1", place="cold-room", high_c=7.5)
        room.cycle()
        room.send()
        assert send(room, signed(room, cmd_id="m-2", high_c=6))["code"] == "done"
        assert send(room, signed(room, cmd_id="m-3", node="b2", high_c=6))["code"] == "unauthorized"
    with sqlite3.connect(room.directory / "agent.db") as file:
        columns = "cmd_id, verb, source, code, signed_by, peer, arguments LIKE '%high_c%'"
        rows = set(file.execute(f"SELECT {columns} FROM inbox").fetchall())
    file.close()
    assert rows == {
        ("", "reload", "local", "unauthorized", None, "eve uid=1001 pid=7", 0),
        ("l-2", "set", "local", "done", None, "ann uid=1000 pid=8", 1),
        ("c-1", "set", "cli", "invalid", None, None, 0),
        ("", "set", "mqtt", "unauthorized", None, None, 1),
        ("m-2", "set", "mqtt", "done", "office", None, 1),
        ("", "set", "mqtt", "unauthorized", None, None, 0),  # signed for another: nothing of it is taken
    }
    told = refusals(room)
    assert {found.partition(":")[0] for found in told} == {"l-1", "m-1", "m-3"}
    assert "m-3: node = 'b2': office signed it for another, or for none; here it must be a1 or all" in told
