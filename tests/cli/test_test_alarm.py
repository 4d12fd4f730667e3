"""`test-alarm` through a live agent and a real broker: raised, seen, delivered; and what stands against it."""

import json
import subprocess
import sys

import pytest

from edge_agent.cli.exits import Exit


def test_it_is_raised_seen_by_somebody_and_told_to_the_broker(call, live, wait) -> None:
    words = ("test-alarm", "--config", str(live), "--seconds", "60", "--who", "ann", "--json")
    command = [sys.executable, "-m", "edge_agent.cli.main", *words]

    def standing() -> list[dict]:
        return [each for each in call("alarms", "--config", live, "--json").json if each.get("alarm") == "test"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        wait(standing, "the alarm test")
        assert standing()[0]["message"].startswith("TEST ALARM: nothing is wrong")
        assert call("acknowledge", "test", "--who", "bert", "--config", live).code == Exit.OK
        out, _ = asking.communicate(timeout=30)
    told = json.loads(out)
    assert asking.returncode == Exit.OK, out
    assert "bert" in told["seen_by"]
    assert 0 <= told["after_s"] < 60
    assert (told["state"], told["waiting"]) == ("acknowledged", 0)
    again = call("test-alarm", "--config", live)
    assert again.code == Exit.REFUSED
    assert "a test alarm stands" in again.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--seconds", "5"), Exit.REFUSED),
        (("--seconds", "many"), Exit.USAGE),
        (("--priority", "loud"), Exit.USAGE),
    ],
)
def test_wrong_words_raise_nothing(call, live, words, code) -> None:
    assert call("test-alarm", "--config", live, *words).code == code


def test_without_an_agent_nothing_can_be_tried(call, unused) -> None:
    assert call("test-alarm", "--config", unused).code == Exit.NO_AGENT
