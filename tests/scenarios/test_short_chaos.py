"""The campaigns of scripts/chaos in their short forms: the same code, shorter outages. The long ones run by hand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).parents[2] / "scripts" / "chaos"
SKIPPED = 77
LONGEST_S = 240  # on a machine with other work; alone none takes a minute
needs_mosquitto = pytest.mark.mosquitto
HAS_MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def chaos(*arguments: str) -> dict[str, object]:
    """Figures by name. Fails with all that was said when a goal was missed."""
    done = subprocess.run(
        [CHAOS, *arguments, "--json"],
        env=os.environ | {"EDGE_AGENT_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    if done.returncode == SKIPPED:
        pytest.skip(f"CHAOS {' '.join(arguments).upper()} DID NOT RUN: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(figure.keys() == {"name", "value", "unit", "goal"} for figure in figures)
    return {figure["name"]: figure["value"] for figure in figures}


@pytest.fixture
def broker():
    if HAS_MOSQUITTO:
        return
    if os.environ.get("CI"):
        pytest.fail("mosquitto is not installed, and CI must not skip its tests")
    pytest.skip("MOSQUITTO IS NOT INSTALLED: chaos against a real broker did not run")


@needs_mosquitto
def test_a_kill_in_each_part_of_a_life_loses_nothing(broker):
    figures = chaos("kill", "--times", "4")
    assert [figures[f"kills, {phase}"] for phase in ("start", "run", "night", "stop")] == [1, 1, 1, 1]
    assert figures["accepted rows lost"] == figures["duplicates after de-duplication"] == figures["sequence gaps"] == 0
    assert figures["commands lost or carried out twice"] == figures["balances of lots that do not add up"] == 0
    assert figures["sales imported twice, half or not at all"] == 0
    assert figures["learnt neither as it was nor as the data teach"] == 0


@needs_mosquitto
def test_a_broker_that_goes_and_comes_back_gets_everything_live_first(broker):
    figures = chaos("broker", "--quick", "--only", "stopped")
    assert figures["stopped 3 s: accepted rows lost"] == 0


def test_a_day_without_a_broker_fills_the_disk_and_not_the_memory():
    figures = chaos("broker", "--quick", "--only", "week")
    assert any(name.endswith("RSS growth") for name in figures)


@needs_mosquitto
def test_a_full_disk_keeps_the_ledger_and_is_told(broker):
    figures = chaos("disk", "--quick", "--only", "full")
    assert figures["disk full: of these, not in the ledger afterwards"] == 0


def test_a_clock_that_steps_loses_and_reorders_nothing():
    figures = chaos("clock", "--quick")
    assert [value for name, value in figures.items() if "readings missing" in name] == [0] * 10


def test_a_hung_chip_is_told_and_the_other_buses_go_on():
    figures = chaos("drivers", "--quick")
    assert figures["chip hung: samples the other buses lost"] == 0


def test_with_everything_down_the_panel_warns_and_the_card_has_it_later():
    figures = chaos("alarms")
    assert figures["everything down: pulses of its burst"] == 5


def test_an_act_that_does_not_exist_is_refused_by_name():
    done = subprocess.run(
        [CHAOS, "clock", "--only", "teapot"],
        env=os.environ | {"EDGE_AGENT_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "--only teapot: must be one of +1-hour" in done.stderr
