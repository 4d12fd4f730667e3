"""The detector of `scripts/bench hive` knows levels, and its judge sees what is missing, false or sold."""

import gzip
from pathlib import Path

import pytest

STEP_S = 300.0
USUAL = [14.0] * 12


@pytest.fixture
def hive(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import hive

    return hive


@pytest.fixture
def verdict(hive):
    """Of weights every five minutes, and events (index of the reading, kind, kg, kg afterwards)."""

    def verdict(weights, events=(), faults=()):
        heard = hive.Heard(
            [hive.Told(at * STEP_S, kind, delta, after) for at, kind, delta, after in events],
            [(at * STEP_S, "drop-out") for at in faults],
        )
        return hive.judge([(n * STEP_S, kg) for n, kg in enumerate(weights)], heard)

    return verdict


def counts(verdict):
    return len(verdict.found), len(verdict.missed), len(verdict.false)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([(15, "restock", 1.5, 15.5)], (1, 0, 0)),
        ([(15, "restock", 1.65, 15.65)], (1, 0, 0)),
        ([(15, "restock", 1.8, 15.8)], (0, 1, 1)),  # not right to 0.2 kg
        ([(23, "restock", 1.5, 15.5)], (0, 1, 1)),  # too late
        ([(15, "pick", -1.5, 12.5)], (0, 1, 1)),
        ([(15, "restock", 1.5, 15.5), (18, "restock", 0.3, 15.8)], (1, 0, 1)),
        ([(15, "restock", 1.5, 15.5), (18, "disturbance", 0.0, 15.5)], (1, 0, 0)),
        ([], (0, 1, 0)),
    ],
)
def test_a_load_between_two_levels_must_be_told_once_and_right(verdict, events, expected) -> None:
    assert counts(verdict([*USUAL, *[15.5] * 20], events)) == expected


def test_a_single_reading_is_no_level(verdict) -> None:
    assert counts(verdict([*USUAL, 15.5, *USUAL])) == (0, 0, 0)
    invented = [(14, "restock", 1.5, 15.5), (16, "pick", -1.5, 14.0)]
    assert counts(verdict([*USUAL, 15.5, *USUAL], invented)) == (0, 0, 2)


def test_a_level_of_fifteen_minutes_must_be_told_and_a_shorter_one_may(verdict) -> None:
    told = [(15, "pick", -2.0, 12.0), (20, "restock", 2.0, 14.0)]
    assert counts(verdict([*USUAL, *[12.0] * 3, *USUAL], told)) == (2, 0, 0)
    assert counts(verdict([*USUAL, *[12.0] * 3, *USUAL])) == (0, 0, 0)
    assert counts(verdict([*USUAL, *[12.0] * 4, *USUAL])) == (0, 2, 0)


def test_drift_and_the_swing_of_a_day_are_no_changes(verdict) -> None:
    drifting = [14.0 + 0.02 * n + 0.03 * (n % 2) for n in range(100)]
    assert counts(verdict(drifting)) == (0, 0, 0)
    assert counts(verdict(drifting, [(50, "restock", 1.0, 15.0)])) == (0, 0, 1)
    assert counts(verdict([*drifting, *[18.0] * 20])) == (0, 1, 0)  # a restless level is one all the same


def test_a_drop_out_must_be_told_as_a_fault_and_never_as_stock(verdict) -> None:
    weights = [*USUAL, 0.0, 0.1, *USUAL]
    told = verdict(weights, faults=[12])
    assert [(one.start_s, one.end_s) for one in told.drop_outs] == [(12 * STEP_S, 13 * STEP_S)]
    assert (len(told.silent), len(told.sold)) == (0, 0)
    assert counts(told) == (0, 0, 0)
    sold = verdict(weights, [(14, "pick", -14.0, 0.0), (17, "restock", 14.0, 14.0)])
    assert (len(sold.silent), len(sold.sold), len(sold.false)) == (1, 1, 2)


def test_rows_without_a_number_are_left_out_and_scales_told_apart(hive, tmp_path) -> None:
    source = tmp_path / "scales.csv.gz"
    rows = "hive,time,hive_temp_c,weight_kg\n7,2022-06-21 00:05:00,23,14.1\n7,2022-06-21 00:00:00,23,14.0\n"
    source.write_bytes(
        gzip.compress((rows + "8,2022-06-21 00:00:00,23,3\n7,dirty,23,1\n7,2022-06-21 00:10:00,,\n").encode())
    )
    found = hive.readings_of(source)
    assert {name: [kg for _, kg in readings] for name, readings in found.items()} == {"7": [14.0, 14.1], "8": [3.0]}
