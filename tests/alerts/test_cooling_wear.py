"""Cooling that weakens over days is told before it fails; hot days are not taken for it."""

import json
import math
from dataclasses import asdict
from random import Random

import pytest

from edge_agent.alerts import cooling_wear
from edge_agent.alerts.cooling_wear import Chart, State
from tests.alerts.cooled import DAY, moments, saveris

EVERY = 60.0


def cycles(days, *, strength=lambda day: 1.0, heat=lambda day: 1.0, every_s=EVERY, seed=1):
    """A thermostat between 2 and 4 °C: heat warms by 0.05 K/min, the compressor takes 0.25 K/min."""
    noise, air_c, cools, airs = Random(seed), 3.0, False, []
    for index in range(int(days * DAY / every_s)):
        day = index * every_s / DAY
        air_c += every_s / 60 * (0.05 * heat(day) - (0.25 * strength(day) if cools else 0.0))
        cools = air_c > 4.0 or (cools and air_c > 2.0)
        airs.append(air_c + noise.gauss(0, 0.03))
    return moments(airs, every_s)


def watched(seen):
    state, told, over = State(), [], []
    for moment in seen:
        was = state.learnt.is_weak
        found = cooling_wear.follow(state, moment)
        state = found.state
        if found.is_weak != was:
            (told if found.is_weak else over).append((moment.at.mono_ms / 1000 / DAY, found))
    return state, told, over


def fading(day):
    return 1.0 if day < 10 else max(0.3, 1 - 0.07 * (day - 10))


def test_a_compressor_that_fades_from_day_ten_is_told_before_it_has_lost_half():
    _, told, _ = watched(cycles(20, strength=fading))
    ((day, found),) = told
    assert 10 < day < 10 + 0.5 / 0.07
    condition = cooling_wear.condition("cold-room", found)
    assert (condition.name, condition.holds, condition.unit) == ("cold-room-cooling-weak", True, "%")
    assert "of its usual strength" in condition.message


def test_hot_days_that_double_the_heat_are_forgiven():
    def heat(day):
        return 1.0 + (1.0 if 12 < day < 16 else 0.0) + 0.2 * math.sin(2 * math.pi * day)

    assert watched(cycles(24, heat=heat))[1] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_steady_room_is_not_told_of(seed):
    assert watched(cycles(30, seed=seed, every_s=120.0))[1] == []


def test_a_rising_daily_minimum_is_told_where_cycles_are_not_seen():
    airs = [3.0 + (0.0 if day < 10 else 0.25 * (day - 10)) for day in (k / 96 for k in range(96 * 24))]
    _, told, _ = watched(moments(airs, 900.0))
    ((day, found),) = told
    assert 12 < day < 18
    assert "coldest half hour" in found.why


def test_it_is_over_when_it_is_mended_and_days_are_as_usual():
    state, told, over = watched(cycles(30, strength=lambda day: 0.5 if 10 < day < 16 else 1.0))
    assert (len(told), len(over)) == (1, 1)
    assert not state.learnt.is_weak


def test_samples_too_rare_for_the_cycles_leave_strength_and_duty_unknown():
    state, _, _ = watched(cycles(9, every_s=900.0))
    assert (state.learnt.weakness, state.learnt.duty) == (Chart(), Chart())
    assert state.learnt.minimum.usual is not None


def test_the_lasting_part_is_small_and_changes_once_a_day():
    state, changes = State(), 0
    for moment in cycles(9):
        before = state.learnt
        state = cooling_wear.follow(state, moment).state
        changes += state.learnt is not before
    assert changes == 8  # the ninth day lacks its last minute
    assert len(json.dumps(asdict(state.learnt))) < 800


@pytest.mark.traces
@pytest.mark.parametrize("place", ["freezer_1", "deepfreezer_1", "cooling_1"])
def test_seven_months_of_a_real_cold_store_have_at_most_three(place):
    """The whole plant was warmer by 4 K in the weeks around day 110."""
    assert len(watched(saveris(place))[1]) <= 3
