"""Customers, staff and leaning elbows in the simulated storeroom: what the agent tells is what happened."""

import io
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from edge_agent.config import Settings, check
from edge_agent.service.build import build, open_board
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "simulated.toml"
BASE = "storeroom/v1/simulated/storeroom/"
TOLD = ("pick", "restock", "move")
APART_S = 5.0  # hands that follow one another more closely leave no rest between them: one event tells their sum
LAST_S = 10.0  # before the end: its event may not be told yet


class Hour:
    """A run of the whole agent on the simulated clock; the truth beside what was told."""

    def __init__(self, directory: Path, minutes: float, *, changes: tuple[tuple[str, str], ...] = ()) -> None:
        text = CONFIG.read_text("utf-8")
        for old, new in (("speed = 1.0 ", "speed = 0.0 "), *changes):
            assert old in text
            text = text.replace(old, new)
        settings = check(text, CONFIG.name)
        assert isinstance(settings, Settings), settings
        settings = replace(
            settings,
            storage=replace(settings.storage, directory=str(directory)),
            mqtt=replace(settings.mqtt, embedded=False),
        )
        board, out, stop = open_board(settings), io.BytesIO(), threading.Event()
        self.end_s = 60 * minutes
        self.truth = board.truth

        def live(decision, now) -> None:
            if now.mono_ms / 1000 - board.began_mono_s >= self.end_s:
                stop.set()

        with board.driving():
            parts = build(settings, board, lambda identity, watch: Recorder(out, watch.now))
            try:
                run_stepped(parts, stop, live)
            finally:
                parts.close()
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        self.events = [m["payload"] for m in told if m["topic"].startswith(f"{BASE}event/")]
        self.stocks = {m["payload"]["shelf"]: m["payload"] for m in told if m["topic"].startswith(f"{BASE}stock/")}
        self.alarms = [m["payload"]["alarm"] for m in told if m["topic"].startswith(f"{BASE}alarm/")]
        self.lives = {m["payload"]["lot"]: m["payload"] for m in told if m["topic"].startswith(f"{BASE}shelflife/")}
        self.health = next(m["payload"] for m in reversed(told) if m["topic"] == f"{BASE}health")
        self.began_mono_ms = 1000 * board.began_mono_s

    def movements(self, shelf):
        """What happened there: movements without rest between them as one."""
        done = [m for m in self.truth.movements(shelf, to_s=self.end_s - LAST_S) if m.kind not in ("start", "touch")]
        number = 0
        for last, each in zip([None, *done], done, strict=False):
            number += last is not None and each.at_s - each.for_s - last.at_s > APART_S
            yield number, each

    def groups(self, shelf):
        return [[each for _, each in found] for _, found in groupby(self.movements(shelf), key=lambda each: each[0])]

    def told(self, shelf):
        return [event for event in self.events if event["shelf"] == shelf and event["kind"] in TOLD]

    def happened_s(self, event):
        return (event["mono_ms"] - self.began_mono_ms) / 1000


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    return Hour(tmp_path_factory.mktemp("hour"), 20)


SHELVES = ("shelf-1", "shelf-2", "shelf-3")


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_movement_is_told_once_with_its_grams(hour, shelf):
    events = hour.told(shelf)
    assert len(hour.groups(shelf)) > 5
    for group in hour.groups(shelf):
        begin_s, end_s = group[0].at_s - group[0].for_s, group[-1].at_s + APART_S
        its = [event for event in events if begin_s <= hour.happened_s(event) <= end_s]
        u_g = sum(event["u_g"] for event in its)
        assert its, group
        assert sum(event["delta_g"] for event in its) == pytest.approx(sum(m.grams for m in group), abs=3 * u_g + 1)
        events = [event for event in events if event not in its]
    assert [event for event in events if hour.happened_s(event) < hour.end_s - LAST_S] == [], "nobody moved anything"


@pytest.mark.parametrize("shelf", SHELVES)
def test_pieces_that_are_told_are_right(hour, shelf):
    safe = 0
    for group in hour.groups(shelf):
        begin_s, end_s = group[0].at_s - group[0].for_s, group[-1].at_s + APART_S
        its = [event for event in hour.told(shelf) if begin_s <= hour.happened_s(event) <= end_s]
        if all(event["delta_units"] is not None for event in its):
            safe += 1
            assert sum(event["delta_units"] for event in its) == sum(m.pieces for m in group), group
        else:
            assert any(event.get("ambiguous") for event in its)
    assert safe >= 0.9 * len(hour.groups(shelf))


@pytest.mark.parametrize("shelf", SHELVES)
def test_the_balance_is_what_lies_there_within_its_uncertainty(hour, shelf):
    balance = hour.told(shelf)[-1]["balance_after"]
    at_s = hour.happened_s(hour.told(shelf)[-1]) + 0.5
    assert balance["net_g"] == pytest.approx(hour.truth.load_g(shelf, at_s), abs=3 * balance["u_g"])
    assert balance["units"] in (None, hour.truth.pieces(shelf, at_s))
    assert hour.stocks[shelf]["balance"]["net_g"] == pytest.approx(balance["net_g"], abs=0.5)


@pytest.mark.parametrize("shelf", SHELVES)
def test_each_line_goes_on_where_the_last_one_ended(hour, shelf):
    events = hour.told(shelf)
    for before, after in pairwise(events):
        assert after["balance_before"]["net_g"] == pytest.approx(before["balance_after"]["net_g"], abs=0.5)


def test_nothing_else_is_told(hour):
    assert {event["kind"] for event in hour.events} <= {*TOLD, "disturbance"}
    assert hour.alarms == []


def test_what_staff_carry_to_another_shelf_is_a_move(tmp_path):
    quiet = "customers_per_hour = 120.0"
    staff = "customers_per_hour = 0.0\nmoves_per_day = 960.0\ntouches_per_day = 0.0\nerrands_per_hour = 0.0"
    hour = Hour(tmp_path, 12, changes=((quiet, staff),))
    moves = [m for m in hour.truth.movements(kind="move") if m.pieces > 0]
    told = [event for event in hour.events if event["kind"] == "move"]
    assert len(moves) >= 5
    assert len(told) >= 0.8 * len([move for move in moves if move.at_s < hour.end_s - LAST_S])
    sources = {m.product: m.shelf for m in hour.truth.movements(kind="start")}
    for event in told:
        at_s = hour.happened_s(event)
        (move,) = [m for m in moves if m.shelf == event["shelf"] and abs(m.at_s - at_s) < APART_S]
        assert event["counterpart"] == sources[move.product]
        assert event["delta_g"] == pytest.approx(move.grams, abs=5)


def test_a_calibration_that_is_overdue_is_an_alarm_at_the_next_start(storeroom):
    settings = storeroom.settings
    two_days = tuple(replace(shelf, calibrate_every_days=2.0) for shelf in settings.shelves)
    storeroom.settings = replace(settings, shelves=two_days)
    topic = "storeroom/v1/elm-street/a1/alarm/cal-shelf-1"
    assert [m for m in storeroom.run(30) if m["topic"] == topic] == []
    storeroom.clock.sleep(3 * 86_400)
    (raised,) = [m["payload"] for m in storeroom.run(30) if m["topic"] == topic]
    assert (raised["state"], raised["priority"]) == ("unacknowledged", "low")
    assert "overdue by 1 day" in raised["evidence"]


def test_a_kill_amid_ten_movements_leaves_a_ledger_that_is_what_lies_there(tmp_path):
    done = subprocess.run(
        [ROOT / "scripts" / "bench", "weighing-kill", "--times", "10", "--directory", tmp_path, "--json"],
        env=os.environ | {"EDGE_AGENT_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    figures = {figure["name"]: figure["value"] for figure in map(json.loads, done.stdout.splitlines())}
    assert figures["movements hit by a kill"] == 10
    assert figures["balances that are not what lies there"] == 0


def test_what_lies_in_the_storeroom_that_everybody_sees_first_are_lots_with_lives(hour):
    """Apples and milk, each in the air of its own room; the table knows no tins."""
    found = {life["product"]: (life["place"], life["basis"]) for life in hour.lives.values()}
    assert found == {"4123": ("storeroom", "physics"), "4006381333931": ("cold-room", "physics")}
    assert {lot["place"] for lot in hour.health["next_lots"]} == {"storeroom", "cold-room"}
    assert [shelf for shelf in SHELVES if hour.stocks[shelf].get("lots")] == ["shelf-1", "shelf-2"]
