"""The judge of `scripts/bench coldstore` counts episodes, knows causes in a raw trace, and finds a period."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

STEP_S, HOUR_S, DAY_S = 900.0, 3600.0, 86_400.0


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import coldstore_judge

    return coldstore_judge


@pytest.fixture
def readings(judge):
    def readings(celsius, bad_s=()):
        at_s = STEP_S * np.arange(len(celsius))
        return judge.Readings(at_s, np.array(celsius, dtype=float), np.array(bad_s, dtype=float))

    return readings


@pytest.mark.parametrize(
    ("celsius", "lengths"),
    [
        ([4.0] * 8, []),
        ([4, 5.1, 5.1, 5.0, 4], [2]),
        ([5.0] * 8, []),  # at the limit is not above
        ([4, 6, 6, 4, 6, 4], [2, 1]),
        ([4, 6, 6], [1]),  # as far as it was recorded
    ],
)
def test_an_episode_lasts_until_the_first_reading_that_is_not_above(judge, readings, celsius, lengths):
    found = judge.episodes(readings(celsius))
    assert [one.length_s / STEP_S for one in found] == lengths


def test_a_gap_ends_an_episode(judge):
    at_s = np.array([0.0, 900, 1800, 9000, 9900])
    found = judge.episodes(judge.Readings(at_s, np.array([6.0, 6, 6, 6, 4]), np.array([])))
    assert [(one.begin_s, one.end_s) for one in found] == [(0, 1800), (9000, 9900)]


@pytest.mark.parametrize(
    ("what", "raised_h", "over_h", "is_finder"),
    [
        ("temperature-high", 2.75, 8, True),
        ("critical-high", 1.0, 2.5, True),  # stood since before
        ("temperature-high", 0.5, 1.5, False),  # was over
        ("temperature-high", 7.5, 9, False),  # too late
        ("door", 3.0, 9, False),
    ],
)
def test_an_episode_is_found_by_an_alarm_that_stood_in_it(judge, what, raised_h, over_h, is_finder):
    episode = judge.Episode(2 * HOUR_S, 7 * HOUR_S, 6.0)
    alarm = judge.Alarm("cooling-1", what, raised_h * HOUR_S, over_h * HOUR_S)
    assert (judge.finder(episode, [alarm]) is alarm) == is_finder


USUAL = [2.0, 2.5, 3.0, 2.5] * 480  # twenty days


@pytest.mark.parametrize(
    ("celsius", "what", "limit", "has_cause"),
    [
        ([*USUAL, 5.5, 5.5, 5.5], "temperature-high", 5.0, True),
        ([*USUAL, 2.5, 5.5, 5.5], "temperature-high", 5.0, False),  # half an hour
        ([*USUAL, 5.5, 5.0, 5.5, 5.5], "temperature-high", 5.0, True),  # one between is let off
        ([*USUAL, 5.5, 4.9, 4.9, 5.5], "temperature-high", 5.0, False),
        ([*USUAL, -2.5, -2.5, -2.5], "freezing", -1.7, True),
        ([*USUAL, 2.5, -2.5, -2.5], "freezing", -1.7, False),
        ([*USUAL, 2.5, 2.5], "compressor", None, False),
        ([*USUAL, *(2.0 + 0.2 * n for n in range(13))], "compressor", None, True),  # rises for three hours
        ([*USUAL, *(4.0 for _ in range(12))], "cooling-weak", None, True),
        ([*USUAL, *(4.0, 2.0, 2.0) * 4], "defrost", None, False),
        ([*USUAL, 2.5, 9.0, 2.5], "doubt", None, True),
        ([*USUAL, *(2.5 for _ in range(14))], "doubt", None, True),
        (USUAL, "doubt", None, False),
        (USUAL, "door", 180.0, False),
    ],
)
def test_an_alarm_has_a_cause_where_the_raw_trace_shows_one(judge, readings, celsius, what, limit, has_cause):
    trace = readings(celsius)
    alarm = judge.Alarm("cooling-1", what, float(trace.at_s[-1]), limit=limit)
    assert judge.has_cause(alarm, trace, ()) == has_cause


def test_a_freezers_defrost_is_no_cause_and_a_chillers_warm_hour_is(judge, readings):
    celsius = [*(-22.0 for _ in range(200)), -17.0, -16.5, -17.0, -17.5]
    trace = readings(celsius)
    alarm = judge.Alarm("freezer-1", "temperature-high", float(trace.at_s[-1]), limit=-18.0)
    assert judge.has_cause(alarm, trace, ())
    assert not judge.has_cause(alarm, trace, [201 * STEP_S])


def test_no_number_is_a_cause_for_doubt(judge, readings):
    trace = readings(USUAL, bad_s=[len(USUAL) * STEP_S - HOUR_S])
    assert judge.has_cause(judge.Alarm("cooling-1", "sensor", float(trace.at_s[-1])), trace, ())


def test_defrosts_that_repeat_themselves_have_a_period_and_lonely_humps_none(judge, readings):
    random = np.random.default_rng(1)
    celsius = -22 + 0.1 * random.normal(size=96 * 30)
    begins = np.arange(20, len(celsius) - 8, 40)  # ten hours
    for begin in begins:
        celsius[begin : begin + 3] += (1.0, 1.5, 0.8)
    peaks_s, less = judge.humps(readings(celsius))
    assert judge.period_h(less) == 10.0
    found = judge.defrosts(peaks_s, 10.0)
    assert len(found) >= 0.9 * len(begins)
    assert all(min(abs(peak_s / STEP_S - begin - 1) for begin in begins) <= 1 for peak_s in found)
    assert judge.period_h(0.1 * random.normal(size=96 * 30)) is None
    assert judge.defrosts(peaks_s[:2], 10.0) == []


def test_the_recording_is_read_with_its_missing_values_and_its_clock_told_twice(judge, tmp_path):
    source = tmp_path / "some.csv.gz"
    zones = ",".join(judge.ZONES)
    cells = (("01:00", "2.0"), ("01:45", "###"), ("01:00", "3.0"), ("01:15", "2.7...."))
    rows = [f"2021-11-07 {time}:00," + ",".join([cell] * 10) for time, cell in cells]
    with gzip.open(source, "wt") as file:
        file.write(f"date,{zones}\n" + "\n".join(rows) + "\n")
    (found, *_) = judge.read(source, ("date",), "%Y-%m-%d %H:%M:%S", judge.ZONES).values()
    assert list(found.celsius) == [2.0, 3.0]
    assert len(found.bad_s) == 2
    assert math.isclose(judge.months(found), 0.0)
