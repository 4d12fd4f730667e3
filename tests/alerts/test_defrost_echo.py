"""Where samples are rare, what comes again is known by its echo, however low, and however its period wanders."""

import json
from dataclasses import replace
from random import Random
from statistics import mean

import pytest

from edge_agent.alerts import defrost, defrost_echo
from edge_agent.alerts.defrost import State
from edge_agent.decide.restore import plain, restored
from edge_agent.domain.instant import ClockState
from tests.alerts.cooled import DAY, HOUR, at, moments, saveris

SLOT = defrost_echo.SLOT_S
PERIODS = [5.0, 9.1, 10.1, 13.6, 24.0]


def freezer(days, period_h, *, wanders_min=0.0, high_k=1.5, doors_a_day=3.0, seed=1):
    """Its air each quarter of an hour, and when its defrosts are at their highest: two samples each, as doors are."""
    chance = Random(seed)
    count = int(days * DAY / SLOT)
    airs, peaks, at_s = [0.0] * count, [], 3 * HOUR
    while period_h and at_s < days * DAY - HOUR:
        peaks.append(round(at_s / SLOT) * SLOT)
        at_s += period_h * HOUR + 60 * chance.gauss(0, wanders_min)
    doors = [chance.uniform(0, days * DAY - HOUR) for _ in range(int(doors_a_day * days))]
    for peak_s in [*peaks, *doors]:
        height_k = high_k * chance.uniform(0.7, 1.3)
        for off, share in ((-1, 0.6), (0, 1.0), (1, 0.4)):
            index = int(peak_s / SLOT) + off
            if 0 <= index < count:
                airs[index] = max(airs[index], height_k * share)
    level = 0.0
    for index in range(count):
        level += 0.1 * (chance.gauss(0, 0.3) - level)
        airs[index] = round(-22 + level + airs[index] + chance.gauss(0, 0.05), 1)
    return airs, peaks


def seen(airs, state=None, from_s=0.0):
    """The state after them, and the time of the peak of each defrost it recognised."""
    state, found = state or State(), []
    for moment in moments(airs, SLOT):
        moment = replace(moment, at=at(from_s + moment.at.mono_ms / 1000))
        after = defrost.follow(state, moment)
        state = after.state
        if after.ended is not None:
            found.append(moment.at.mono_ms / 1000 - after.ended.recovery_s)
    return state, found


def share(these, those):
    return mean(any(abs(a - b) <= 1800 for b in those) for a in these)


@pytest.mark.parametrize("period_h", PERIODS)
def test_a_period_that_wanders_is_learnt_amid_as_many_doors_as_defrosts(period_h):
    airs, _ = freezer(30, period_h, wanders_min=15.0, doors_a_day=24 / period_h)
    learnt = seen(airs)[0].learnt
    assert learnt.period_s == pytest.approx(period_h * HOUR, rel=0.04)


@pytest.mark.parametrize("doors_a_day", [0.5, 3.0, 8.0])
def test_where_nothing_comes_again_nothing_is_recognised(doors_a_day):
    state, found = seen(freezer(60, None, doors_a_day=doors_a_day, seed=4)[0])
    assert (state.learnt.period_s, found) == (None, [])


def test_of_defrosts_no_higher_than_doors_most_are_recognised_and_few_doors():
    airs, peaks = freezer(40, 10.1, wanders_min=15.0, doors_a_day=4.0)
    _, found = seen(airs)
    later = [peak_s for peak_s in peaks if peak_s > 15 * DAY]
    assert share(later, [each for each in found if each > 15 * DAY]) >= 0.7
    assert len([each for each in found if each > 15 * DAY]) <= 1.5 * len(later)


def test_an_echo_fades_when_defrosts_stop():
    airs, _ = freezer(20, 8.0, doors_a_day=0.0)
    still, _ = freezer(10, None, doors_a_day=0.0, seed=2)
    _, found = seen([*airs, *still])
    assert [each for each in found if 15 * DAY < each < 20 * DAY]
    assert [each for each in found if each > 22 * DAY] == []


def test_what_was_learnt_outlives_a_power_cut_in_two_kilobytes():
    airs, peaks = freezer(24, 9.1, doors_a_day=1.0)
    cut = 21 * defrost_echo.DAY + 20
    first, _ = seen(airs[:cut])
    row = json.dumps(plain(first.learnt), separators=(",", ":"))
    assert len(row) < 2500
    kept = State(learnt=restored(defrost.Learnt, json.loads(row)))
    _, found = seen(airs[cut:], kept, cut * SLOT)
    due = [peak_s for peak_s in peaks if (cut + 8) * SLOT < peak_s < 24 * DAY - HOUR]
    assert share(due, found) >= 0.8


def test_what_is_learnt_changes_once_a_day_and_with_each_defrost():
    state, changes, ended = State(), 0, 0
    for moment in moments(freezer(10, 8.0)[0], SLOT):
        after = defrost.follow(state, moment)
        changes += after.state.learnt is not state.learnt
        ended += after.ended is not None
        state = after.state
    assert changes <= ended + 10 + 1


def test_without_a_clock_a_boot_keeps_the_period_and_loses_the_phase():
    state = State()
    for moment in moments(freezer(15, 8.0)[0], SLOT):
        state = defrost.follow(state, replace(moment, at=replace(moment.at, clock=ClockState.UNSYNCED))).state
    again = replace(at(900.0, "boot-2"), clock=ClockState.UNSYNCED)
    after = defrost.follow(State(learnt=state.learnt), replace(next(moments([-22.0], SLOT)), at=again)).state
    assert after.learnt.period_s == state.learnt.period_s
    assert (after.learnt.expected_s, after.learnt.echo.heard) == (None, ())


@pytest.mark.parametrize("lost_h", [0.5, 6.0])
def test_a_gap_keeps_the_phase(lost_h):
    airs, peaks = freezer(24, 8.0, doors_a_day=0.0)
    lost = range(20 * defrost_echo.DAY, 20 * defrost_echo.DAY + int(lost_h * 4))
    state, found = State(), []
    for index, moment in enumerate(moments(airs, SLOT)):
        after = defrost.follow(state, replace(moment, air_c=None) if index in lost else moment)
        state = after.state
        if after.ended is not None:
            found.append(index * SLOT - after.ended.recovery_s)
    assert share([each for each in peaks if 20.5 * DAY < each < 23.9 * DAY], found) >= 0.9


def test_of_a_chime_and_its_multiples_the_period_is_the_shortest():
    likeness = [1.0] + [0.5 * 0.8 ** (lag / 18 - 1) if lag % 18 == 0 else 0.0 for lag in range(1, 113)]
    assert defrost_echo.period(likeness, 28) == 18.0
    likeness[54] = 0.55  # the third one by chance louder than the first
    assert defrost_echo.period(likeness, 28) == 18.0


@pytest.mark.parametrize(("days", "like", "is_found"), [(28, 0.2, True), (28, 0.12, False), (4, 0.3, False)])
def test_a_likeness_counts_against_chance(days, like, is_found):
    likeness = [1.0] + [like if lag == 18 else 0.0 for lag in range(1, 113)]
    assert (defrost_echo.period(likeness, days) is not None) is is_found


PLANT_H = {"freezer_1": 10.1, "freezer_2": 10.1, "freezer_3": 9.1, "freezer_4": 9.1,
           "deepfreezer_1": 13.7, "deepfreezer_2": 13.7}  # fmt: skip


@pytest.mark.traces
@pytest.mark.parametrize("place", PLANT_H)
def test_in_a_real_freezer_the_period_of_seven_months_is_found(place):
    state, periods = State(), []
    for moment in saveris(place):
        found = defrost.follow(state, moment)
        state = found.state
        if found.ended is not None:
            periods.append(found.ended.period_s / HOUR)
    assert sorted(periods)[len(periods) // 2] == pytest.approx(PLANT_H[place], rel=0.05)
