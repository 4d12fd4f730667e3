"""Models over MQTT through the whole agent: signed by who may, checked, told, audited."""

import base64
import json
import secrets
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from model_files import FILE, KEY, PUBLIC, bundle, version

from edge_agent.decide.authority import CommandSettings, KeySettings
from edge_agent.decide.models import ModelKeySettings, ModelSettings, read
from edge_agent.domain.command import Command
from edge_agent.inference.bundle import TYPE, packed
from edge_agent.inference.card import written
from edge_agent.mqtt.commands import MAX_MODEL_BYTES
from edge_agent.mqtt.signed import encoded, envelope
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.models import models_of as models_of_state
from edge_agent.storage.inbox import Inbox

BASE = "storeroom/v1/elm-street/a1/"
OFFICE = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32))


@pytest.fixture
def node(room):
    """Commands are signed by `office`, models by the key of model_files."""
    public = base64.b64encode(OFFICE.public_key().public_bytes_raw()).decode()
    commands = CommandSettings(keys=(KeySettings("desk", public),))
    models = ModelSettings(keys=(ModelKeySettings("office", PUBLIC),))
    room.settings = replace(room.settings, commands=commands, models=models)
    return room


def fresh(room, number):
    """A bundle that is valid by the room's clock."""
    now = datetime.fromtimestamp(room.parts.watch.now().wall_ms / 1000, UTC)
    body = packed(written(version(number)), FILE, now - timedelta(days=1), now + timedelta(days=1))
    return envelope("office", body, KEY.sign(encoded(body, TYPE)))


def ask(room, cmd_id="m-1", key=OFFICE, **words):
    """A signed command; its answer, and all that was told."""
    now = datetime.fromtimestamp(room.parts.watch.now().wall_ms / 1000, UTC)
    head = {
        "site": "elm-street", "node": "a1", "verb": "model", "cmd_id": cmd_id, "nonce": secrets.token_hex(12),
        "issued_at": now.isoformat(), "expires_at": (now + timedelta(seconds=60)).isoformat(),
    }  # fmt: skip
    body = json.dumps(head | words).encode()
    payload = json.dumps(envelope("desk", body, key.sign(encoded(body)))).encode()
    room.desk.commands.append(Incoming(f"{BASE}cmd/model", payload, False, room.parts.watch.now()))
    return answer(room)


def answer(room):
    room.cycle()
    room.cycle(11.0)
    told = room.send()
    (found,) = room.of(told, "rsp/model")
    return found, told


def models_of(told, room):
    *_, meta = room.of(told, "meta")
    return [{key: found[key] for key in ("model", "version", "shadow")} for found in meta["models"]]


def of_tiny(told, room):
    *_, meta = room.of(told, "meta")
    return next(found for found in meta["models"] if found["model"] == "tiny")


def test_a_model_comes_over_mqtt_is_compared_promoted_and_rolled_back(node):
    with node.running():
        found, told = ask(node, action="install", bundle=fresh(node, "1.0"))
        assert (found["code"], found["detail"]["slot"]) == ("done", "active")
        assert {"model": "tiny", "version": "1.0", "shadow": None} in models_of(told, node)
        found, told = ask(node, "m-2", action="install", bundle=fresh(node, "1.1"))
        assert found["message"] == "tiny 1.1 runs in shadow beside 1.0 for 14 days at least"
        assert {"model": "tiny", "version": "1.0", "shadow": "1.1"} in models_of(told, node)
        assert node.parts.models.use("tiny").shadow.version == "1.1"
    with node.running():
        found, told = ask(node, "m-3", action="promote", name="tiny", reason="better in three shops")
        assert found["message"] == "tiny 1.1 is in use, by command: better in three shops"
        assert {"model": "tiny", "version": "1.1", "shadow": None} in models_of(told, node)
        assert node.parts.models.use("tiny").model.version == "1.1"
        found, told = ask(node, "m-4", action="rollback", name="tiny")
        assert (found["code"], found["detail"]["version"]) == ("done", "1.0")


def test_a_change_whose_answer_was_lost_with_the_power_is_answered_after_it_and_made_once(node):
    with node.running():
        for number in ("1.0", "1.1"):
            ask(node, f"i-{number}", action="install", bundle=fresh(node, number))
        ask(node, "m-2", action="promote", name="tiny")
        ask(node, "m-3", action="install", bundle=fresh(node, "1.2"))
        now = node.parts.watch.now()
    command = Command("m-4", "model", {"action": "rollback", "name": "tiny"}, "cli", now)
    Inbox.open(node.directory).receive(command)
    models_of_the_files = models_of_state(node.settings.models, node.directory)
    assert models_of_the_files.change(read(command), now).detail == {"name": "tiny", "dropped": "1.2"}
    with node.running():
        found, told = answer(node)
        assert (found["code"], found["message"]) == ("done", "the shadow of tiny, 1.2, is dropped, by command")
        assert {"model": "tiny", "version": "1.1", "shadow": None} in models_of(told, node)


def test_how_the_comparison_stands_and_what_was_decided_is_told(node):
    with node.running():
        ask(node, action="install", bundle=fresh(node, "1.0"))
        _, told = ask(node, "m-2", action="install", bundle=fresh(node, "1.1"))
        assert of_tiny(told, node)["comparison"] == "0 days with 0 outcomes: too few to say anything"
        day, now = node.parts.watch.now().utc.date(), node.parts.watch.now()
        for number in range(6):
            node.parts.models.record("tiny", day + timedelta(days=number), [(1.2, 1.0)] * 10, now)
        node.cycle()
        node.cycle(11.0)
        assert of_tiny(node.send(), node)["comparison"] == "6 days with 60 outcomes: too few to say anything"
        node.parts.models.record("tiny", day + timedelta(days=6), [(1.2, 1.0)] * 10, now)
        node.cycle()
        node.cycle(11.0)
        tiny = of_tiny(node.send(), node)
        assert (tiny["version"], tiny["shadow"], tiny["comparison"]) == ("1.0", None, None)
        assert tiny["decision"].startswith("the shadow of tiny, 1.1, is dropped, worse: its loss is +20.0%")


def test_without_a_signature_of_the_command_the_bundle_is_not_even_looked_at(node):
    with node.running():
        node.ask("model", action="install", bundle=fresh(node, "1.0"))
        found, _ = answer(node)
        assert (found["code"], "over MQTT model needs a signature" in found["message"]) == ("unauthorized", True)
        assert not (node.directory / "models").exists()
    with sqlite3.connect(node.directory / "agent.db") as file:
        (row,) = file.execute("SELECT verb, code, arguments FROM inbox").fetchall()
    file.close()
    assert row == ("model", "unauthorized", "{}")  # whoever may publish fills no card with models


def test_without_a_signature_of_the_bundle_the_command_alone_does_nothing(node):
    with node.running():
        found, _ = ask(node, action="install", bundle={"card": "x"})
        assert (found["code"], "it is not signed" in found["message"]) == ("invalid", True)
        body = packed(written(version("1.0")), FILE, datetime.now(UTC), datetime.now(UTC) + timedelta(days=1))
        found, _ = ask(node, "m-2", action="install", bundle=envelope("office", body, OFFICE.sign(encoded(body, TYPE))))
        assert "the signature is not that of office" in found["message"]
        found, _ = ask(node, "m-3", action="install", bundle=bundle(version("1.0"), valid_d=-20))
        assert "sign it anew" in found["message"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "action = 'None': must be one of install, promote, rollback"),
        ({"action": "delete"}, "action = 'delete'"),
        ({"action": "install"}, "bundle: must be what `edge-agent models sign` wrote"),
        ({"action": "install", "bundle": "AAAA"}, "bundle: must be what"),
        ({"action": "promote"}, "name = ''"),
        ({"action": "promote", "name": "../../etc"}, "name = '../../etc'"),
        ({"action": "promote", "name": "tiny"}, "name = 'tiny': must be one of"),
        ({"action": "rollback", "name": "tiny", "reason": "x" * 201}, "reason: must be up to 200"),
        ({"action": "rollback", "name": "tiny", "reason": "\x1b[2J"}, "reason: must be up to 200"),
        ({"action": "promote", "name": "tiny", "when": "now"}, "when: is none of"),
    ],
)
def test_what_is_asked_wrongly_is_said(node, words, says):
    with node.running():
        found, _ = ask(node, **words)
    assert (found["code"], says in found["message"]) == ("invalid", True), found


def test_what_is_too_large_is_not_read(node):
    with node.running():
        payload = b'{"cmd_id":"m-1","x":"' + b"x" * MAX_MODEL_BYTES + b'"}'
        node.desk.commands.append(Incoming(f"{BASE}cmd/model", payload, False, node.parts.watch.now()))
        found, _ = answer(node)
        assert (found["code"], f"at most {MAX_MODEL_BYTES} are read" in found["message"]) == ("invalid", True)


def test_a_model_that_is_spoiled_is_an_alarm_until_it_is_mended(node):
    with node.running():
        ask(node, action="install", bundle=fresh(node, "1.0"))
        file = node.directory / "models" / "tiny" / "active.model"
        sound = file.read_bytes()
        file.write_bytes(sound[:-40])
        node.cycle(61.0)
        node.cycle(1.0)
        told = node.send()
        alarm = node.of(told, "alarm/model-tiny")[-1]
        assert (alarm["state"], alarm["priority"]) == ("unacknowledged", "low")
        assert "goes on without it" in alarm["message"]
        assert {"model": "tiny", "version": None, "shadow": None} in models_of(told, node)
        file.write_bytes(sound)
        node.cycle(61.0)
        node.cycle(1.0)
        told = node.send()
        assert node.of(told, "alarm/model-tiny")[-1]["active"] is False
        assert {"model": "tiny", "version": "1.0", "shadow": None} in models_of(told, node)
