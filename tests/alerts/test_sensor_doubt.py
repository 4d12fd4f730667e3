"""A sensor that should not be believed is told apart from a room that is really so."""

import json
from dataclasses import asdict
from itertools import pairwise
from random import Random

import pytest

from edge_agent.alerts import sensor_doubt
from edge_agent.alerts.sensor_doubt import State, Usual, Values
from tests.alerts.cooled import DAY, HOUR, at, fridge, saveris

KNOWN = Usual(known_s=7 * DAY, still_s=30.0, level_c=4.0)
BESIDE = Usual(known_s=7 * DAY, still_s=30.0, level_c=4.0, others_c=4.2, beside_s=7 * DAY, apart_k=-0.2, apart_var=0.01)


def followed(values, every_s, neighbours=None, usual=KNOWN):
    """All doubts, one a sample; ``neighbours``: a list of values for each of them."""
    state, doubts = State(learnt=usual), []
    for index, value in enumerate(values):
        others = [] if neighbours is None else neighbours[index]
        doubt = sensor_doubt.follow(state, value, others, at(index * every_s))
        doubts.append(doubt)
        state = doubt.state
    return doubts


def noisy(count, level_c=4.0, seed=1, slope_k=0.0):
    noise = Random(seed)
    return [Values(level_c + slope_k * k + noise.gauss(0, 0.03), 80 + noise.gauss(0, 0.3)) for k in range(count)]


@pytest.mark.parametrize("every_s", [1.0, 10.0, 60.0])
def test_a_sensor_that_stands_still_to_the_last_digit_is_stuck_after_an_hour(every_s):
    still = [Values(4.03, 80.1)] * int(1.1 * HOUR / every_s)
    doubts = followed([*noisy(20), *still], every_s)
    assert (doubts[-1].why, doubts[-1].is_trusted) == ("stuck", False)
    before = doubts[20 + int(0.95 * HOUR / every_s)]
    assert (before.why, before.is_trusted) == ("", False)  # not listened to, and not told yet
    soon = doubts[20 + int(0.15 * HOUR / every_s)]
    assert (soon.why, soon.is_trusted) == ("", True)


def test_one_that_stands_still_by_nature_is_given_a_day():
    calm = Usual(known_s=7 * DAY, still_s=4 * HOUR)
    doubts = followed([Values(-22.4)] * (4 * 20), 900.0, usual=calm)
    assert doubts[-1].why == ""
    assert followed([Values(-22.4)] * (4 * 26), 900.0, usual=calm)[-1].why == "stuck"


def test_a_neighbour_that_moves_shows_it_sooner_there_too():
    calm = Usual(known_s=7 * DAY, still_s=1.5 * HOUR)
    values = [Values(-22.4)] * 20
    neighbours = [[Values(-22.0 + 0.2 * k)] for k in range(20)]
    assert followed(values, 900.0, neighbours, calm)[-1].why == "stuck"


def test_a_new_sensor_is_not_judged_by_what_it_never_showed():
    assert followed([Values(-22.4)] * 80, 900.0, usual=Usual())[-1].why == ""


def test_a_single_spike_is_not_believed_and_not_told():
    values = noisy(60)
    values[30] = Values(85.0, 80.0)
    doubts = followed(values, 2.0)
    assert [doubt.is_trusted for doubt in doubts[29:33]] == [True, False, True, True]
    assert not any(doubt.why for doubt in doubts)


def test_three_spikes_in_an_hour_are_told_until_an_hour_later():
    values = noisy(900)
    for index in (30, 60, 90):
        values[index] = Values(60.0, 80.0)
    doubts = followed(values, 10.0)
    assert doubts[95].why == "spikes"
    assert doubts[-1].why == ""


def test_a_jump_that_stays_is_told_and_after_five_minutes_believed_for_want_of_better():
    doubts = followed([*noisy(30), *noisy(60, 24.0)], 10.0)
    assert not doubts[31].is_trusted
    assert doubts[40].why == "jumped"
    assert doubts[-1].is_trusted


def test_a_jump_that_no_neighbour_shows_is_never_believed_and_one_that_it_shows_is_true():
    values = [*noisy(30), *noisy(60, 24.0)]
    alone = followed(values, 10.0, [[Values(4.2)]] * 90, BESIDE)
    assert (alone[-1].is_trusted, alone[-1].why) == (False, "jumped")
    also = [[value] for value in (*noisy(30, 4.2), *noisy(60, 22.0))]
    both = followed(values, 10.0, also)
    assert (both[-1].is_trusted, both[-1].why) == (True, "")


@pytest.mark.parametrize(("known_s", "still_s"), [(0.5 * DAY, 30.0), (7 * DAY, 1800.0)])
def test_one_that_may_stand_still_by_nature_is_listened_to_meanwhile(known_s, still_s):
    still = [Values(4.03, 80.1)] * 40
    assert all(doubt.is_trusted for doubt in followed(still, 30.0, usual=Usual(known_s=known_s, still_s=still_s)))


def test_a_door_beside_a_sensor_is_believed_and_is_no_spike_when_the_room_cools_again():
    visit = [3.3, 3.3, 6.6, 8.4, 8.6, *(8.4 - 0.2 * k for k in range(30))]
    doubts = followed([Values(air_c, 85.0 + 0.01 * k) for k, air_c in enumerate(visit * 4)], 30.0)
    assert all(doubt.is_trusted and not doubt.why for doubt in doubts)


@pytest.mark.parametrize(("height_k", "is_trusted"), [(9.0, True), (11.0, False)])
def test_only_a_jump_larger_than_a_doors_is_doubted_at_once(height_k, is_trusted):
    doubts = followed([*noisy(30), *noisy(1, 4.0 + height_k)], 10.0)
    assert doubts[-1].is_trusted is is_trusted


def test_its_words_have_no_more_digits_than_a_sensor_is_worth():
    jumped = followed([*noisy(30), Values(24.123456, 80.0), *[Values(24.234567, 80.123)] * 9], 10.0)[-1]
    assert jumped.said == "it jumped from 4.0 to 24.2 °C, faster than air can"
    stuck = followed([Values(4.033333, 80.1)] * 70, 60.0)[-1]
    assert stuck.said == "it gives 4.03 °C to the last digit for 1.1 h"


@pytest.mark.parametrize("every_s", [10.0, 60.0, 900.0])
def test_a_real_warming_is_believed(every_s):
    """A door, then a stopped compressor: 1 K/min for 10 min, then slower."""
    warm = [Values(4.0 + min(k * every_s / 60, 10 + k * every_s / 36_000), 85.0 - 0.001 * k) for k in range(400)]
    assert all(doubt.is_trusted and not doubt.why for doubt in followed(warm, every_s))


def test_of_three_the_odd_one_out_is_set_aside():
    drifting = [Values(4.0 + 0.02 * k, 80.0 + 0.001 * k) for k in range(400)]
    doubts = followed(drifting, 60.0, [[Values(4.2), Values(4.1)]] * 400, BESIDE)
    assert (doubts[-1].why, doubts[-1].is_trusted) == ("disagrees", False)
    told = next(index for index, doubt in enumerate(doubts) if doubt.why)
    assert 100 <= told <= 160  # 2 K, and half an hour


def test_of_two_the_one_that_left_its_level_is_named_and_set_aside():
    drifting = [Values(4.0 + 0.02 * k, 80.0 + 0.001 * k) for k in range(200)]
    doubts = followed(drifting, 60.0, [[Values(4.2)]] * 200, BESIDE)
    assert (doubts[-1].why, doubts[-1].is_trusted) == ("disagrees", False)
    other = Usual(**{**asdict(BESIDE), "level_c": 4.2, "others_c": 4.0, "apart_k": 0.2})
    steady = followed([Values(4.2, 80.0 + 0.001 * k) for k in range(200)], 60.0, [[v] for v in drifting], other)
    assert not any(doubt.why for doubt in steady)


def test_a_drift_of_a_tenth_of_a_kelvin_an_hour_is_told_before_three_kelvin_though_both_swing():
    noise = Random(3)
    swing = [1.0 * ((k // 4) % 2) for k in range(4 * 24 * 12)]
    values = [
        Values(4.0 + swing[k] + max(0, k - 36 * 12) / 120 + noise.gauss(0, 0.03), 80.0) for k in range(len(swing))
    ]
    neighbours = [[Values(4.2 + swing[k] + noise.gauss(0, 0.03))] for k in range(len(swing))]
    doubts = followed(values, 300.0, neighbours, Usual())
    (*_, told) = (index for index, (before, doubt) in enumerate(pairwise(doubts)) if doubt.why and not before.why)
    assert 20 <= (told - 36 * 12) / 12 <= 30
    assert all(doubt.why == "disagrees" and not doubt.is_trusted for doubt in doubts[told + 1 :])


def test_of_two_the_one_whose_neighbour_left_its_level_further_is_not_named():
    """A warm hour in which both warmed, and the neighbour more."""
    values = [Values(6.5 + 0.001 * (k % 3), 80.0) for k in range(60)]
    doubts = followed(values, 60.0, [[Values(10.5 + 0.001 * (k % 3))] for k in range(60)], BESIDE)
    assert not any(doubt.why for doubt in doubts)


def test_a_doubt_stands_for_an_hour_after_its_last_reason_and_what_it_says_meanwhile_is_believed():
    values = [*noisy(900), *noisy(200, seed=2)]
    for index in range(30, 600, 20):
        values[index] = Values(60.0, 80.0)
    doubts = followed(values, 10.0)
    told = [doubt.why for doubt in doubts]
    begins = [index for index, (before, now) in enumerate(pairwise(told)) if now and not before]
    assert len(begins) == 1
    assert doubts[601].is_trusted
    assert not doubts[590].is_trusted


def test_an_excursion_that_both_show_is_no_disagreement():
    warm = [Values(4.0 + 0.02 * k, 80.0 + 0.001 * k) for k in range(300)]
    also = [[Values(4.2 + 0.018 * k)] for k in range(300)]
    assert not any(doubt.why for doubt in followed(warm, 60.0, also, BESIDE))


@pytest.mark.parametrize(("humidity", "hours"), [(100.0, 6), (0.5, 0.5)])
def test_a_pinned_humidity_is_told_and_the_temperature_still_believed(humidity, hours):
    noise = Random(2)
    values = [Values(4.0 + noise.gauss(0, 0.03), humidity) for _ in range(int((hours + 0.2) * 60))]
    doubts = followed(values, 60.0)
    assert (doubts[-1].why, doubts[-1].is_trusted, doubts[-1].is_humidity_trusted) == ("humidity-pinned", True, False)
    assert doubts[int(hours * 60) - 5].is_humidity_trusted
    assert sensor_doubt.condition("air", doubts[-1]).name == "doubt-air"


def test_the_lasting_part_changes_every_six_hours():
    doubts = followed(noisy(24 * 60), 60.0, usual=Usual())
    learnt = [doubt.state.learnt for doubt in doubts]
    assert sum(one is not other for one, other in pairwise(learnt)) == 3
    assert len(json.dumps(asdict(learnt[-1]))) < 300


@pytest.mark.traces
def test_a_sensor_carried_in_and_out_of_a_refrigerator_is_believed():
    for seen in fridge().values():
        state, told = State(), []
        for moment in seen:
            values = Values(moment.air_c, moment.humidity_pct)
            doubt = sensor_doubt.follow(state, values, [], moment.at)
            state = doubt.state
            told.append(doubt.why or ("" if doubt.is_trusted else "not trusted"))
        assert set(told) == {""}


@pytest.mark.traces
@pytest.mark.parametrize("place", ["freezer_4", "cooling_2"])
def test_seven_months_of_real_tenths_at_15_min_are_believed(place):
    state, told = State(), 0
    for moment in saveris(place):
        doubt = sensor_doubt.follow(state, Values(moment.air_c), [], moment.at)
        state, told = doubt.state, told + bool(doubt.why)
    assert told == 0
