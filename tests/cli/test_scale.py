"""`scale`: a shelf live from the broker, and what its load cells are worth."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.cli.scale import View, event_row, in_force, measured
from edge_agent.cli.scale_history import row
from edge_agent.config import load
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.mqtt.consumer import Kind, Taken
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing.settings import CellSettings, ShelfSettings

BASE = "storeroom/v1/a1/a1"  # a site may have the name of its only node
SHELF = ShelfSettings("shelf-1", (CellSettings("scale-1", 84_000, 100.0),), 60_000.0)
NOW = Instant(0, 1_795_417_200_000, "b")


# --- diagnose -------------------------------------------------------------------------------------------------------


def test_a_simulated_scale_is_diagnosed_without_an_agent(call, unused) -> None:
    told = call("scale", "diagnose", "shelf-1", "--config", unused, "--seconds", 200, "--json")
    assert told.code == Exit.OK, told
    (found,) = told.json
    assert found["well"] is True
    (cell,) = found["cells"]
    assert (cell["sensor"], cell["samples"], cell["bad"]) == ("scale-1", 40, {})
    assert cell["measured_sps"] == pytest.approx(0.2)
    assert found["noise_g"] == pytest.approx(0.5, rel=0.5), "of the simulated cell"
    assert found["least_piece_g"] == pytest.approx(10 * found["noise_g"])


def test_the_table_says_the_same(call, unused) -> None:
    told = call("scale", "diagnose", "shelf-1", "--config", unused, "--seconds", 200)
    assert told.code == Exit.OK
    assert any(line.split()[1:4] == ["scale-1", "│", "0.2"] for line in told.lines)
    assert "shelf-1 is well" in told.out
    assert "pieces from" in told.out


def test_a_scale_that_was_unplugged_is_at_fault_and_says_why(call, unused) -> None:
    text = unused.read_text()
    unused.write_text(text + '\n[[board.fault]]\nkind = "unplugged"\nsensor = "scale-1"\nat_s = 0.0\n')
    told = call("scale", "diagnose", "shelf-1", "--config", unused, "--seconds", 30)
    assert told.code == Exit.FAULT
    assert "scale-1: 6 of 6 samples are bad (6 no-answer)" in told.out
    assert "cannot be told" in told.out
    (found,) = call("scale", "diagnose", "shelf-1", "--config", unused, "--seconds", 30, "--json").json
    assert found["cells"][0]["bad"] == {"no-answer": 6}
    assert (found["well"], found["noise_g"]) == (False, None)


def test_it_reads_the_files_of_an_agent_that_was_stopped(call, healthy) -> None:
    told = call("scale", "diagnose", "shelf-1", "--config", healthy, "--seconds", 200, "--json")
    assert told.code == Exit.OK, told
    assert told.json[0]["cells"][0]["calibrated_days"] is not None


def test_it_leaves_a_running_agent_its_load_cells(call, live) -> None:
    told = call("scale", "diagnose", "shelf-1", "--config", live)
    assert told.code == Exit.REFUSED
    assert "`systemctl stop edge-agent` first" in told.err
    assert "edge-agent scale watch shelf-1" in told.err


@pytest.mark.parametrize("action", ["watch", "diagnose"])
def test_a_shelf_that_is_not_there_is_named_with_those_that_are(call, unused, action) -> None:
    told = call("scale", action, "shelf-9", "--config", unused)
    assert told.code == Exit.USAGE
    assert "no shelf 'shelf-9' in the configuration; there are: shelf-1" in told.err


@pytest.mark.parametrize("seconds", ["0", "-3", "long", "nan"])
def test_a_time_that_is_none_is_refused(call, unused, seconds) -> None:
    told = call("scale", "diagnose", "shelf-1", "--config", unused, "--seconds", seconds)
    assert told.code == Exit.USAGE
    assert "is not between 1 and 86400 s" in told.err


def test_only_the_shelfs_own_sensors_are_read_each_at_its_interval(unused) -> None:
    chosen = load(unused)
    samples = measured(chosen, chosen.shelves[0], 60.0)
    assert {sample.point for sample in samples} == {"scale-1"}
    times = [sample.at.mono_ms for sample in samples]
    assert [b - a for a, b in pairwise(times)] == [5_000] * 11


def _record(who: str, zero: int, wall_ms: int, clock: ClockState = ClockState.SYNCED) -> CalibrationRecord:
    return CalibrationRecord("shelf-1", "scale-1", zero, 100.0, who, Instant(0, wall_ms, "a", clock))


@pytest.mark.parametrize(
    ("history", "zero", "days"),
    [
        ([], 84_000, {}),
        ([("configuration", 84_000)], 84_000, {"scale-1": 10.0}),
        ([("configuration", 84_000), ("anna", 85_500)], 85_500, {"scale-1": 10.0}),
        ([("configuration", 70_000), ("anna", 85_500)], 84_000, {}),
    ],
    ids=["never", "configured", "done at the scale", "edited since"],
)
def test_the_calibration_in_force_is_the_newest_unless_the_configuration_was_edited(history, zero, days) -> None:
    records = [_record(who, found, NOW.wall_ms - 864_000_000) for who, found in history]
    shelf, ages = in_force(SHELF, records, NOW)
    assert (shelf.cells[0].zero_counts, ages) == (zero, days)


def test_a_calibration_in_points_is_in_force_as_it_was_done() -> None:
    points = ((84_000.0, 0.0), (184_000.0, 1_000.0), (380_000.0, 3_000.0))
    done = [_record("configuration", 84_000, 0), replace(_record("anna", 84_000, 0), points=points)]
    assert in_force(SHELF, done, NOW)[0].cells[0].points == points


def test_a_calibration_of_unknown_date_has_no_age() -> None:
    assert in_force(SHELF, [_record("configuration", 84_000, 0, ClockState.UNSYNCED)], NOW)[1] == {}


# --- watch ----------------------------------------------------------------------------------------------------------


def stock(mono_ms: int = 1_000, **others) -> dict:
    body = {"ts": "2026-11-23T07:00:01Z", "mono_ms": mono_ms, "stream": "stock", "shelf": "shelf-1", "gross_g": 5_350.0}
    body |= {"tare_g": 350.0, "quality": "good", "stable": True, "noise_g": 0.51, "drift_tracked_g": -3.2}
    body |= {"balance": {"net_g": 5_000.0, "units": 10, "u_g": 1.5, "confidence": 0.998}}
    return body | others


def telemetry(mono_ms: int, gross_g: float | None, fault: str | None = None) -> dict:
    quality = "good" if fault is None else "bad"
    gross = {"value": gross_g, "quality": quality} | ({"fault": fault} if fault else {})
    net = gross | {"value": None if gross_g is None else gross_g - 350.0}
    return {"ts": "2026-11-23T07:00:02Z", "mono_ms": mono_ms, "readings": {"gross_g": gross, "net_g": net}}


EVENT = {"ts": "2026-11-23T07:00:05Z", "shelf": "shelf-1", "kind": "pick", "delta_g": -500.2, "delta_units": -1}
EVENT |= {"confidence": 0.997, "balance_after": {"net_g": 4_500.0, "units": 9}}


@pytest.fixture
def view() -> View:
    return View("shelf-1", "a1", stable_g=5.0)


@pytest.fixture
def hear(view) -> Callable[..., bool]:
    def heard(below: str, *records: dict, historical: bool = False) -> bool:
        return view.take(Taken(Kind.NEW, f"{BASE}/{below}", records, historical=historical))

    return heard


def test_the_newest_weight_is_shown_whoever_told_it(view, hear) -> None:
    assert hear("stock/shelf-1", stock(1_000))
    assert (view.told()["gross_g"], view.told()["net_g"]) == (5_350.0, 5_000.0)
    assert hear("telemetry/shelf-1", telemetry(2_000, 5_351.0))
    assert (view.told()["gross_g"], view.told()["net_g"], view.told()["units"]) == (5_351.0, 5_001.0, 10)
    hear("stock/shelf-1", stock(3_000, gross_g=4_850.0))
    assert view.told()["gross_g"] == 4_850.0
    hear("telemetry/shelf-1", telemetry(4_000, None, "scale-1: stuck"))
    assert (view.told()["gross_g"], view.told()["fault"]) == (None, "scale-1: stuck")


def test_a_weight_away_from_the_last_rest_is_shown_as_moving(view, hear) -> None:
    hear("stock/shelf-1", stock(1_000))
    assert view.told()["stable"] is True
    hear("telemetry/shelf-1", telemetry(2_000, 5_353.0))
    assert view.told()["stable"] is True
    hear("telemetry/shelf-1", telemetry(3_000, 5_100.0))
    assert view.told()["stable"] is False
    hear("stock/shelf-1", stock(4_000, gross_g=5_100.0))
    assert view.told()["stable"] is True


def test_other_shelves_other_messages_and_the_past_are_no_news(view, hear) -> None:
    assert not hear("stock/shelf-2", stock(shelf="shelf-2"))
    assert not hear("telemetry/scale-1", telemetry(1, 1.0))
    assert not hear("hist/stock", stock(), historical=True)
    assert not hear("event/shelf-2", EVENT | {"shelf": "shelf-2"})
    assert view.told()["gross_g"] is None


def test_events_are_kept_also_those_that_come_late(view, hear) -> None:
    hear("hist/event", EVENT | {"delta_g": -1.0}, EVENT | {"shelf": "shelf-2"}, historical=True)
    assert hear("event/shelf-1", EVENT)
    assert [event["delta_g"] for event in view.events] == [-1.0, -500.2]
    assert event_row(EVENT) == ("07:00:05", "pick", "-500.2", "-1", "99.7 %", "4500", "9")


def test_an_alarm_of_the_scale_is_shown_while_it_stands(view, hear) -> None:
    hear("alarm/scale-shelf-1", {"state": "unacknowledged", "evidence": "left: stuck"})
    assert view.told()["alarm"] == "left: stuck"
    hear("alarm/scale-shelf-1", {"state": "normal", "evidence": "left: stuck"})
    assert view.told()["alarm"] is None


def test_the_view_says_everything_in_words(view, hear, capsys) -> None:
    from rich.console import Console

    hear("status", {"state": "online"})
    hear("stock/shelf-1", stock(fault="scale-1: noisy"))
    hear("event/shelf-1", EVENT | {"delta_units": None, "evidence": "two hands"})
    Console(width=150).print(view.drawn())
    shown = capsys.readouterr().out
    words = (
        "shelf-1 of a1  online",
        "5350.0 g",
        "5000.0 g +- 1.5 g",
        "10 (99.8 %)",
        "at rest",
        "0.51 g",
        "-3.2 g followed",
    )
    assert [each for each in (*words, "scale-1: noisy", "pick two hands", "-500.2") if each not in shown] == []


def test_a_live_agents_shelf_is_watched(call, live) -> None:
    told = call("scale", "watch", "shelf-1", "--config", live, "--for", 3.0, "--json")
    assert told.code == Exit.OK, told
    assert {line["shelf"] for line in told.json} == {"shelf-1"}
    last = told.json[-1]
    assert last["gross_g"] > 0
    assert last["node_state"] == "online"
    assert (
        call("scale", "watch", "shelf-1", "--config", live, "--for", 1.5).lines[0].startswith("shelf-1 of a1  online")
    )


def test_a_broker_out_of_reach_has_its_own_code(call, unused) -> None:
    told = call("scale", "watch", "shelf-1", "--config", unused, "--for", 0.5)
    assert told.code == Exit.NO_BROKER


def test_configurations_of_the_page_have_the_shelf_that_the_help_names() -> None:
    root = Path(__file__).parents[2]
    assert "shelf-1" in {shelf.name for shelf in load(root / "config" / "simulated.toml").shelves}


# --- history --------------------------------------------------------------------------------------------------------


def test_an_agent_that_never_ran_has_no_history(call, unused) -> None:
    told = call("scale", "history", "shelf-1", "--config", unused)
    assert told.code == Exit.OK
    assert "never calibrated" in told.out


def test_the_history_begins_with_what_the_configuration_says(call, healthy) -> None:
    (first,) = call("scale", "history", "shelf-1", "--config", healthy, "--json").json
    assert (first["who"], first["sensor"], first["span_change_pct"]) == ("configuration", "scale-1", None)


def test_a_calibration_is_told_with_who_when_how_warm_and_what_changed(call, unused, tmp_path) -> None:
    at = Instant(0, 1_795_417_200_000, "a")
    with closing(SettingsFile.open(tmp_path, at)) as file:
        file.add_calibration(_record("configuration", 84_000, 0, ClockState.UNSYNCED))
        done = _record("anna", 85_500, at.wall_ms)
        done = replace(done, counts_per_gram=103.0, temperature_c=4.25, weights_g=(10_000.0,), note="all well")
        file.add_calibration(done, replace(done, sensor="scale-2", who="ben"))
    told = call("scale", "history", "shelf-1", "--config", unused, "--state", tmp_path, "--json").json
    assert [(each["at"], each["who"], each["span_change_pct"]) for each in told] == [
        (None, "configuration", None),
        ("2026-11-23T07:00:00.000Z", "anna", 3.0),
        ("2026-11-23T07:00:00.000Z", "ben", None),
    ]
    assert [row(each)[0] for each in told[:2]] == ["before the clock was set", "2026-11-23 07:00"]
    assert row(told[1])[5:] == ("+3.00 % (!)", "4.2", "10000", "all well")
    out = call("scale", "history", "shelf-1", "--config", unused, "--state", tmp_path).out
    assert "anna" in out
    assert "(!)" in out
