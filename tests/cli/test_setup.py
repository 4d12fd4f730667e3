"""`setup` at the command line: without a terminal, with a person, and in front of a file that is there."""

import io
import os
import sys
import tempfile
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.config import load
from edge_agent.service.lock import StateLock

NOBODY = 65534
BOARD = """
[node]
site = "bench"
name = "a1"
[board]
kind = "simulated"
speed = 0
[[sensor]]
name = "cold-room"
driver = "sht3x"
[[sensor]]
name = "freezer"
driver = "sht4x"
address = 0x45
[[sensor]]
name = "scale-1"
driver = "nau7802"
mux_address = 0x70
mux_channel = 2
[[shelf]]
name = "apples"
capacity_g = 60_000.0
cells = [{ sensor = "scale-1", zero_counts = 84_000, counts_per_gram = 100.0 }]
"""


@pytest.fixture
def bench(tmp_path) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(BOARD)
    return path


@pytest.fixture
def setup(call, bench, tmp_path):
    def called(*words: object):
        return call(
            "setup", "--board", bench, "--config", tmp_path / "made.toml", "--state", tmp_path / "state", *words
        )  # fmt: skip

    return called


def test_without_a_question_what_is_plugged_in_becomes_a_configuration(setup, tmp_path) -> None:
    told = setup("--yes")
    assert told.code == Exit.OK, told.err
    assert "i2c-1, behind 0x70 channel 2, 0x2a: NAU7802" in told.out
    assert "9 questions asked" in told.out
    found = load(tmp_path / "made.toml")
    assert {"cold-room", "freezer", "scale-1"} <= {sensor.name for sensor in found.sensors}
    assert "edge-agent calibrate shelf-1" in told.out


def test_with_json_programmes_read_what_was_found_and_what_is_to_be_done(setup, tmp_path) -> None:
    (told,) = setup("--yes", "--json").json
    assert [chip["driver"] for chip in told["found"]] == ["sht3x", "sht4x", None, "nau7802"]
    assert (told["copy"], told["to_calibrate"]) == (None, ["shelf-1"])
    assert len(told["questions"]) == 9


def test_a_file_of_answers_is_taken_and_a_wrong_key_in_it_writes_nothing(setup, tmp_path) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_text('site = "elm-street"\n"i2c-1 0x44" = "dairy-fridge"\n"shelf-1.kg" = 60\n')
    assert setup("--answers", answers).code == Exit.OK
    found = load(tmp_path / "made.toml")
    assert (found.node.site, found.sensors[0].name) == ("elm-street", "dairy-fridge")
    assert found.shelves[0].capacity_g == 60_000
    (tmp_path / "made.toml").unlink()
    answers.write_text('sight = "elm-street"\n')
    told = setup("--answers", answers)
    assert told.code == Exit.USAGE
    assert "did you mean 'site'?" in told.err
    assert not (tmp_path / "made.toml").exists()


def test_a_file_that_is_there_stays_unless_somebody_says_otherwise(setup, tmp_path) -> None:
    path = tmp_path / "made.toml"
    path.write_text("mine")
    told = setup("--yes")
    assert (told.code, path.read_text()) == (Exit.REFUSED, "mine")
    assert "was left as it is" in told.err
    assert setup("--yes", "--replace").code == Exit.OK
    (copy,) = tmp_path.glob("made.toml.before-*")
    assert copy.read_text() == "mine"
    assert load(path).node.site == "shop"


def test_a_person_is_asked_again_after_a_wrong_answer(setup, tmp_path, monkeypatch) -> None:
    lines = ["Elm Street", "elm-street", "a7", *[""] * 20]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    told = setup()
    assert told.code == Exit.OK, told.err
    assert "'Elm Street' will not do" in told.out
    assert load(tmp_path / "made.toml").node.name == "a7"


def test_nobody_at_the_terminal_is_told_of_the_other_ways(setup, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    told = setup()
    assert told.code == Exit.USAGE
    assert "--answers FILE" in told.err
    assert not (tmp_path / "made.toml").exists()


def test_while_an_agent_runs_its_buses_are_left_alone(setup, tmp_path) -> None:
    (tmp_path / "state").mkdir()
    lock = StateLock()
    lock.hold(tmp_path / "state")
    try:
        told = setup("--yes")
    finally:
        lock.release()
    assert told.code == Exit.REFUSED
    assert "systemctl stop edge-agent" in told.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_not_write_the_file_is_told_before_the_first_question(call, bench) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.seteuid(NOBODY)
        try:
            told = call("setup", "--board", bench, "--config", Path(folder) / "etc/edge-agent.toml")
        finally:
            os.seteuid(0)
    assert (told.code, told.out) == (Exit.FAULT, "")
    assert "sudo edge-agent setup" in told.err


def test_the_next_steps_are_told_in_the_order_of_the_first_evening(setup) -> None:
    steps = setup("--yes").out.split("Next:\n")[1].split("\n")
    assert [step.split()[:2] for step in steps if step] == [
        ["edge-agent", word] for word in ("run", "calibrate", "doctor", "test-alarm", "watch")
    ]


def test_where_nothing_is_plugged_in_nothing_is_written(call, tmp_path) -> None:
    told = call("setup", "--yes", "--config", tmp_path / "made.toml", "--state", tmp_path / "state")
    if told.code == Exit.OK:
        pytest.skip("this machine has chips on its buses")
    assert "no sensor was found" in told.err
    assert "dtparam=i2c_arm=on" in told.out or "group i2c" in told.out
    assert not (tmp_path / "made.toml").exists()
