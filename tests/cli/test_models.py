"""`models`: listed, verified, signed, installed, promoted and rolled back, by a stopped agent and by a running one."""

import json
import os
from pathlib import Path

import pytest
from model_files import FILE, ship, version, wrong_answers

from edge_agent.cli.exits import Exit
from edge_agent.config import load
from edge_agent.mqtt.commands import MAX_MODEL_BYTES


@pytest.fixture
def signed(call, office, tmp_path):
    """A bundle of a version of the tiny model."""

    def made(number: str, *options: object) -> Path:
        folder = ship(tmp_path / "made", version(number))
        out = tmp_path / f"tiny-{number}.model"
        words = ("--key", office, "--name", "office", "--out", out, *options)
        assert call("models", "sign", folder / "tiny.tflite", *words).code == Exit.OK
        return out

    return made


def of_tiny(told):
    return next(found for found in told.json if found["model"] == "tiny")


def test_a_stopped_agents_models_are_installed_listed_verified_and_rolled_back(call, unused, signed):
    config = ("--config", unused)
    told = call("models", "install", signed("1.0"), *config)
    assert (told.code, "tiny 1.0 is in use at once" in told.out) == (Exit.OK, True)
    assert call("models", "install", signed("1.1"), *config).code == Exit.OK
    listed = call("models", "list", *config, "--json")
    found = of_tiny(listed)
    assert (found["version"], found["origin"], found["shadow"], found["faults"]) == ("1.0", "active", "1.1", [])
    assert (found["bytes"], found["trained_on"]) == (len(FILE), ["random numbers (simulated)"])
    told = call("models", "list", *config)
    assert "1.1: 0 days with 0 outcomes" in told.out
    told = call("models", "verify", "tiny", *config)
    assert (told.code, told.lines) == (Exit.OK, ["tiny 1.0 (active): sound", "tiny 1.1 (shadow): sound"])
    told = call("models", "promote", "tiny", "--reason", "in a hurry", *config)
    assert told.out == "done: tiny 1.1 is in use, by command: in a hurry\n"
    told = call("models", "rollback", "tiny", *config, "--json")
    assert told.json[0]["detail"] == {"name": "tiny", "version": "1.0", "dropped": "1.1"}
    assert of_tiny(call("models", "list", *config, "--json"))["version"] == "1.0"


def test_what_is_refused_says_why_and_has_its_exit_code(call, unused, signed):
    config = ("--config", unused)
    assert call("models", "install", signed("1.1"), *config).code == Exit.OK
    told = call("models", "install", signed("1.0"), *config)
    assert (told.code, "must be later than 1.1" in told.out) == (Exit.REFUSED, True)
    told = call("models", "promote", "tiny", *config)
    assert (told.code, "no model runs in shadow" in told.out) == (Exit.REFUSED, True)
    told = call("models", "promote", "../x", *config)
    assert (told.code, "must be the name of a model" in told.err) == (Exit.USAGE, True)
    told = call("models", "verify", "weather", *config)
    assert (told.code, "is no file and no model here" in told.err) == (Exit.USAGE, True)


def test_a_spoiled_model_is_named_by_list_and_verify(call, unused, signed):
    config = ("--config", unused)
    call("models", "install", signed("1.0"), *config)
    active = Path(load(unused).storage.directory) / "models" / "tiny" / "active.model"
    active.write_bytes(active.read_bytes()[:-10])
    told = call("models", "list", *config, "--json")
    assert (told.code, "no bundle" in of_tiny(told)["faults"][0]) == (Exit.FAULT, True)
    told = call("models", "verify", *config, "--json")
    assert told.code == Exit.FAULT
    (found,) = [found for found in told.json if found["what"] == "tiny"]
    assert (found["sound"], "no bundle made by" in found["fault"]) == (False, True)


def test_a_bundle_can_be_verified_before_it_is_installed(call, unused, signed, tmp_path):
    config = ("--config", unused)
    bundle = signed("1.3")
    told = call("models", "verify", bundle, *config)
    assert (told.code, told.out) == (Exit.OK, f"{bundle}: tiny 1.3: sound\n")
    spoiled = tmp_path / "spoiled.model"
    body = json.loads(bundle.read_bytes())
    spoiled.write_text(json.dumps(body | {"key": "till"}))
    told = call("models", "verify", spoiled, *config)
    assert (told.code, "signed by 'till': must be one of office" in told.out) == (Exit.FAULT, True)
    told = call("models", "install", spoiled, *config)
    assert (told.code, "signed by 'till'" in told.out) == (Exit.REFUSED, True)
    spoiled.write_bytes(b"no bundle")
    told = call("models", "install", spoiled, *config)
    assert (told.code, "is no bundle made by" in told.err) == (Exit.USAGE, True)
    told = call("models", "install", tmp_path / "nothing.model", *config)
    assert (told.code, "No such file" in told.err) == (Exit.FAULT, True)


def test_a_signature_ends(call, unused, signed):
    told = call("models", "verify", signed("1.0", "--valid-days", "0.0000001"), "--config", unused)
    assert (told.code, "it was to be installed until" in told.out) == (Exit.FAULT, True)


@pytest.mark.parametrize(
    ("card", "file", "says"),
    [
        (wrong_answers("1.0"), FILE, "no node would take it: recorded input"),
        (version("1.0"), FILE[:-1], "no node would take it: the file has"),
    ],
)
def test_what_no_node_would_take_is_not_even_signed(call, office, tmp_path, card, file, says):
    folder = ship(tmp_path / "made", card, file)
    out = tmp_path / "out.model"
    words = ("--key", office, "--name", "office", "--out", out)
    told = call("models", "sign", folder / "tiny.tflite", *words)
    assert (told.code, says in told.err, out.exists()) == (Exit.FAULT, True, False)
    (folder / "tiny.json").write_text("{}")
    told = call("models", "sign", folder / "tiny.tflite", *words)
    assert (told.code, "tiny.json: card: form is missing" in told.err) == (Exit.FAULT, True)


def test_a_bundle_fits_into_a_signed_command(call, office, signed):
    words = ("--key", office, "--name", "office", "--site", "elm-street", "--node", "a1")
    told = call("command", "sign", *words, "model", "action=install", f"bundle=@{signed('1.0')}")
    assert told.code == Exit.OK
    assert len(told.out) < MAX_MODEL_BYTES
    told = call("command", "sign", *words, "model", "action=install", "bundle=@nothing.model")
    assert (told.code, "nothing.model: No such file" in told.err) == (Exit.FAULT, True)


def test_a_running_agent_takes_it_over_its_socket_and_uses_it(call, live, signed):
    config = ("--config", live)
    told = call("models", "install", signed("1.0"), *config)
    assert (told.code, "tiny 1.0 is in use at once" in told.out) == (Exit.OK, True)
    assert call("models", "install", signed("1.1"), *config).code == Exit.OK
    state = load(live).storage.directory
    told = call("models", "promote", "tiny", "--config", live, "--state", state)  # through the inbox
    assert told.out == "done: tiny 1.1 is in use, by command\n"
    assert of_tiny(call("models", "list", *config, "--json"))["version"] == "1.1"


def test_root_leaves_nothing_that_the_agent_cannot_replace(call, unused, signed):
    directory = Path(load(unused).storage.directory)
    directory.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(directory, 1234, 1234)
    call("models", "install", signed("1.0"), "--config", unused)
    wanted = directory.stat().st_uid
    assert {path.stat().st_uid for path in (directory / "models").rglob("*")} == {wanted}
