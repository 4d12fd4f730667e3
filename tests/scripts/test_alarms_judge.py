"""The judge of `scripts/bench alarms` knows a planted fault from normal life, and a lying sensor from a warm room."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

DAY_S, HOUR_S = 86_400.0, 3600.0


@pytest.fixture
def alarms(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import alarms_judge

    return alarms_judge


@pytest.fixture
def trace(alarms):
    """A day of a chilled room that is as it should be, a sample every 30 s; others are made from it."""
    at_s = np.arange(0, DAY_S, 30.0)
    never = np.zeros(len(at_s), dtype=bool)
    full = np.ones(len(at_s))
    return alarms.Trace(at_s, 3.5 * full, 3.6 * full, 80 * full, never, never, never, never)


def between(trace, begin_h, end_h):
    return (trace.at_s >= begin_h * HOUR_S) & (trace.at_s < end_h * HOUR_S)


def raised(alarms, hour, what, **own):
    zone, sensor = own.pop("zone", "room"), own.pop("sensor", None)
    return alarms.Raised(hour * HOUR_S, f"{zone}-{what}", zone, what, sensor, **own)


def fault(alarms, kind, begin_h, end_h, sensor=None):
    return alarms.Fault(kind, "room", begin_h * HOUR_S, end_h * HOUR_S, sensor)


@pytest.mark.parametrize(
    ("kind", "sensor", "what", "after_min", "is_found"),
    [
        ("door-left-open", None, "door", 4, True),
        ("door-left-open", None, "door", 6, False),  # late
        ("door-left-open", None, "temperature-high", 4, False),  # true, but does not name it
        ("defrost-hangs", None, "defrost", 29, True),
        ("evaporator-ices", None, "cooling-weak", 300, True),
        ("compressor-wears", None, "cooling-weak", 601, False),  # after it stopped
        ("frozen", "air", "doubt", 119, True),
        ("frozen", "other", "doubt", 119, False),
    ],
)
def test_a_fault_is_found_by_an_alarm_that_names_it_in_time(alarms, trace, kind, sensor, what, after_min, is_found):
    planted = fault(alarms, kind, 6, 16, "air" if sensor else None)
    told = raised(alarms, 6 + after_min / 60, what, sensor=sensor)
    (row,) = alarms.judge({"room": trace}, [planted], [told]).rows
    assert row.is_found == is_found


def test_a_compressor_has_time_from_when_it_is_asked_for_and_the_door_is_shut(alarms, trace):
    trace = replace(trace, calls=between(trace, 7, 12), is_open=between(trace, 6.9, 7.5))
    (row,) = alarms.judge({"room": trace}, [fault(alarms, "compressor-fails", 6, 12)], []).rows
    assert row.since_s == pytest.approx(7.5 * HOUR_S + 1200, abs=60)
    assert row.due_s == row.since_s + 900


def test_a_compressor_that_was_running_is_missed_at_once(alarms, trace):
    trace = replace(trace, is_cooling=between(trace, 5, 6), calls=between(trace, 7, 12))
    (row,) = alarms.judge({"room": trace}, [fault(alarms, "compressor-fails", 6, 12)], []).rows
    assert row.since_s == 6 * HOUR_S


def test_goods_that_never_came_near_freezing_need_no_alarm(alarms, trace):
    planted = [fault(alarms, "runs-on", 6, 12)]
    assert alarms.judge({"room": trace}, planted, []).rows[0].is_found
    cold = replace(trace, goods_c=np.where(between(trace, 10, 12), -0.6, 3.0))
    (row,) = alarms.judge({"room": cold}, planted, []).rows
    assert (row.since_s, row.is_found) == (10 * HOUR_S, False)


def test_a_sensor_that_is_believed_is_not_found_and_its_alarm_is_false(alarms, trace):
    planted = [fault(alarms, "spikes", 6, 8, "air")]
    told = [raised(alarms, 6.2, "doubt", sensor="air"), raised(alarms, 7, "temperature-high", limit=5.0)]
    verdict = alarms.judge({"room": trace}, planted, told)
    assert not verdict.rows[0].is_found
    assert [alarm.what for alarm in verdict.false] == ["temperature-high"]
    assert alarms.judge({"room": trace}, planted, told[:1]).rows[0].is_found


def warm_air(trace):
    return replace(trace, air_c=np.where(between(trace, 6, 8), 6.0, 3.5))


def in_a_defrost(trace):
    return replace(warm_air(trace), is_defrosting=between(trace, 6, 7))


def warm_goods(trace):
    return replace(trace, goods_c=np.where(between(trace, 6, 8), 6.0, 3.5))


def open_door(trace):
    return replace(trace, is_open=between(trace, 6.9, 7))


def damp(trace):
    return replace(trace, humidity_pct=np.where(between(trace, 5, 8), 98.0, 80.0))


@pytest.mark.parametrize(
    ("world", "what", "limit", "is_true"),
    [
        (warm_air, "temperature-high", 5.0, True),
        (warm_air, "temperature-high", 8.0, False),
        (warm_air, "temperature-low", 0.0, False),
        (in_a_defrost, "temperature-high", 5.0, False),
        (warm_goods, "food-safety", 5.0, True),
        (warm_goods, "compressor", None, False),
        (open_door, "door", 180.0, True),
        (damp, "humid", 95.0, True),
        (warm_air, "door", 180.0, False),
        (warm_air, "humid", 95.0, False),
    ],
)
def test_an_alarm_is_true_where_the_world_was_so(alarms, trace, world, what, limit, is_true):
    verdict = alarms.judge({"room": world(trace)}, [], [raised(alarms, 7, what, limit=limit)])
    assert (len(verdict.true), len(verdict.false)) == (int(is_true), int(not is_true))


@pytest.mark.parametrize(("hour", "what", "is_true"), [(7, "food-safety", True), (19, "compressor", True),
                                                       (21, "compressor", False), (7, "freezing", False)])  # fmt: skip
def test_what_a_fault_brings_with_it_is_true_until_its_aftermath_is_over(alarms, trace, hour, what, is_true):
    planted = [fault(alarms, "compressor-fails", 6, 12)]
    limit_c = -0.5 if what == "freezing" else 5.0
    verdict = alarms.judge({"room": trace}, planted, [raised(alarms, hour, what, limit=limit_c)])
    assert bool(verdict.true) == is_true


def test_a_schedule_has_one_fault_at_a_time_and_lets_the_agent_learn_first(alarms):
    from bench_parts import alarms_world

    for seed in range(5):
        planted = alarms_world.schedule(90, seed)
        assert len(planted) > 35
        assert min(one.at_s for one in planted) >= 3 * DAY_S
        assert all(one.at_s >= 12 * DAY_S for one in planted if one.kind in alarms_world.SLOW)
        for zone in alarms_world.ZONES:
            mine = sorted((one for one in planted if one.zone == zone.name), key=lambda one: one.at_s)
            assert all(a.at_s + a.for_s <= b.at_s + 1 for a, b in pairwise(mine))
    assert alarms_world.schedule(90, 1) != alarms_world.schedule(90, 2)


def test_a_day_with_a_planted_door_is_driven_and_judged(alarms, tmp_path):
    """The whole part in small: world, drivers, decisions, judge."""
    from bench_parts import alarms_agent, alarms_world

    door = alarms_world.Planted("door-left-open", "cold-room", 3 * HOUR_S, 900.0)
    config = tmp_path / "alarms.toml"
    config.write_text(alarms_world.config(1.0, 1, [door], str(tmp_path / "state")))
    heard = alarms_agent.run(config, 4 / 24, lambda _: None)
    verdict = alarms.judge(heard.traces, heard.faults, heard.raised)
    (row,) = verdict.rows
    assert row.is_found
    assert row.told.name == "cold-room-door"
    assert heard.traces["cold-room"].is_open.any()
