"""Defrosts are learnt by their period, recorded, and told only when they last or the room recovers slowly."""

import json
import re
from dataclasses import asdict, replace

import pytest

from edge_agent.alerts import defrost
from edge_agent.alerts.defrost import Defrost, Hump, Learnt, State
from edge_agent.domain.instant import ClockState
from tests.alerts.cooled import DAY, HOUR, Watching, at, moments, saveris, simulated

EVERY = 120.0


def drawn(
    days: float,
    *,
    every_s: float = EVERY,
    coldest_c: float = 2.5,
    heats_min=lambda k: 20.0,
    recovers_min=lambda k: 20.0,
):
    """A room with a swing of 1 K above ``coldest_c`` each 20 min, and a defrost every 6 h that adds 6 K."""
    airs = []
    for index in range(int(days * DAY / every_s)):
        now_s = index * every_s
        number, into_s = divmod(now_s - 2 * HOUR, 6 * HOUR)
        heats_s, recovers_s = 60 * heats_min(number), 60 * recovers_min(number)
        swing_k = abs(now_s % 1200 - 600) / 600
        rise_k = 0.0
        if into_s < heats_s:
            rise_k = 6 * into_s / (60 * 20)
        elif into_s < heats_s + recovers_s:
            rise_k = 6 * heats_s / (60 * 20) * (1 - (into_s - heats_s) / recovers_s)
        airs.append(coldest_c + swing_k + rise_k)
    return moments(airs, every_s)


@pytest.mark.parametrize(
    ("kind", "every_s", "period_h"), [("cold-room", 60, 6), ("freezer", 120, 8), ("freezer", 900, 8)]
)
def test_in_a_simulated_room_every_defrost_after_the_learning_is_recognised_and_nothing_else(kind, every_s, period_h):
    room = simulated(kind, 6, every_s)
    watching = Watching().see(room.moments)
    assert watching.defrost.learnt.period_s == pytest.approx(period_h * HOUR, rel=0.01)
    due = [event.until_s for event in room.truth.defrosts("room") if 4 * DAY < event.until_s < 6 * DAY - HOUR]
    found = [ended_s - ended.recovery_s for ended_s, ended in watching.defrosts if ended_s > 4 * DAY]
    within_s = 600 + every_s
    assert all(any(abs(peak_s - until_s) < within_s for peak_s in found) for until_s in due)
    assert all(any(abs(peak_s - until_s) < within_s for until_s in due) for peak_s in found)
    assert watching.raised("defrost") == []


def test_a_room_without_defrosts_has_none():
    watching = Watching().see(drawn(6, heats_min=lambda k: 0.0, recovers_min=lambda k: 0.0))
    assert (watching.defrosts, watching.defrost.learnt.period_s) == ([], None)


def test_one_that_lasts_is_told_while_it_lasts_and_is_over_when_the_room_recovers():
    watching = Watching().see(drawn(5, heats_min=lambda k: 60.0 if k == 15 else 20.0))
    begun_s = 2 * HOUR + 15 * 6 * HOUR
    (told_s,) = watching.raised("defrost")
    assert 30 * 60 <= told_s - begun_s <= 70 * 60
    assert "room-defrost" not in watching.standing
    assert [ended.is_long for ended_s, ended in watching.defrosts if begun_s < ended_s < begun_s + 3 * HOUR] == [True]


def test_a_slow_recovery_is_told_and_does_not_count_as_a_defrost_afterwards():
    watching = Watching().see(drawn(5, recovers_min=lambda k: 100.0 if k == 15 else 20.0))
    begun_s = 2 * HOUR + 15 * 6 * HOUR
    (told_s,) = watching.raised("defrost")
    assert 20 * 60 + 20 * 60 <= told_s - begun_s <= 20 * 60 + 50 * 60


def test_one_that_hangs_is_told_within_half_an_hour_of_its_usual_end():
    watching = Watching().see(drawn(5, heats_min=lambda k: 100.0 if k == 15 else 20.0))
    (told_s,) = watching.raised("defrost")
    assert told_s - (2 * HOUR + 15 * 6 * HOUR + 20 * 60) <= 30 * 60


def test_goods_carried_in_before_it_do_not_make_it_longer():
    begun_s = 2 * HOUR + 15 * 6 * HOUR
    airs = [moment.air_c for moment in drawn(5)]
    for index in range(int((begun_s - 25 * 60) / EVERY), int((begun_s + 600) / EVERY)):
        airs[index] = max(airs[index], 6.0)
    watching = Watching().see(moments(airs, EVERY))
    assert watching.raised("defrost") == []
    ((_, ended),) = [each for each in watching.defrosts if begun_s < each[0] < begun_s + HOUR]
    assert 20 * 60 <= ended.for_s <= 42 * 60  # not 55


def test_its_message_does_not_contradict_itself():
    for more in (
        {"heats_min": lambda k: 60.0 if k == 15 else 20.0},
        {"recovers_min": lambda k: 100.0 if k == 15 else 20.0},
    ):
        (message,) = (text for name, _, text in Watching().see(drawn(5, **more)).alarms if name == "room-defrost")
        since_min, usual_min = (float(number) for number in re.findall(r"(\d+) min", message))
        assert since_min > 1.25 * usual_min


def test_where_samples_are_rare_it_goes_into_the_record_and_is_not_told():
    heats_min = {"heats_min": lambda k: 75.0 if k == 25 else 20.0}
    watching = Watching().see(drawn(8, every_s=600.0, coldest_c=-20.0, **heats_min))
    assert watching.defrosts
    assert watching.raised("defrost") == []


def test_where_samples_are_rare_a_room_above_freezing_has_no_defrosts():
    assert Watching().see(drawn(8, every_s=600.0)).defrosts == []


@pytest.mark.parametrize(("came_share", "is_told"), [(0.6, False), (0.8, True)])
def test_where_too_many_of_the_due_ones_did_not_come_none_is_told(came_share, is_told):
    before = Watching().see(drawn(3.7)).defrost
    assert before.learnt.came_share > 0.7
    unsure = replace(before, learnt=replace(before.learnt, came_share=came_share))
    later = [moment for moment in drawn(4, heats_min=lambda k: 60.0) if moment.at.mono_ms >= 3.7 * DAY * 1000]
    assert bool(Watching(defrost=unsure).see(later).raised("defrost")) is is_told


def test_a_rise_out_of_its_time_is_no_defrost():
    room = [
        replace(moment, air_c=(moment.air_c or 0) + (6.0 if 5.2 * DAY < moment.at.mono_ms / 1000 < 5.22 * DAY else 0.0))
        for moment in drawn(6)
    ]
    ends = [ended_s for ended_s, _ in Watching().see(room).defrosts]
    assert not [ended_s for ended_s in ends if 5.2 * DAY < ended_s < 5.25 * DAY]


def test_what_was_learnt_outlives_a_power_cut_and_small():
    first = Watching().see(drawn(5))
    learnt = first.defrost.learnt
    row = json.dumps(asdict(learnt))
    assert len(row) < 8000
    kept = Learnt(**{**json.loads(row), "humps": tuple(Hump(**hump) for hump in json.loads(row)["humps"])})
    second = Watching(defrost=State(learnt=kept))
    second.see(replace(moment, at=at(5 * DAY + 3600 + moment.at.mono_ms / 1000, "boot-2")) for moment in drawn(0.5))
    assert second.defrost.learnt.recognised == learnt.recognised  # an hour late: out of phase
    third = Watching(defrost=State(learnt=kept))
    third.see(replace(moment, at=at(5 * DAY + moment.at.mono_ms / 1000, "boot-2")) for moment in drawn(0.5))
    assert third.defrost.learnt.recognised == learnt.recognised + 2


def test_without_a_clock_the_period_is_kept_over_a_boot_and_the_phase_is_not():
    def unsynced(days, boot):
        for moment in drawn(days):
            yield replace(moment, at=at(moment.at.mono_ms / 1000, boot, ClockState.UNSYNCED))

    learnt = Watching().see(unsynced(5, "boot-1")).defrost.learnt
    assert (learnt.timeline, learnt.period_s) == ("boot-1", pytest.approx(6 * HOUR, rel=0.01))
    after = Watching(defrost=State(learnt=learnt)).see(unsynced(0.1, "boot-2")).defrost.learnt
    assert (after.period_s, after.expected_s) == (learnt.period_s, None)


def test_the_lasting_part_changes_a_few_times_a_day():
    watching, changes = Watching(), 0
    for moment in simulated("cold-room", 3, 60.0).moments:
        before = watching.defrost.learnt
        watching.see([moment])
        changes += watching.defrost.learnt is not before
    assert 3 < changes < 3 * 24


def test_the_record_says_what_it_was():
    ended = Defrost(1500.0, 5.53, 8.9, 240.0, 21_600.0, is_long=False, is_slow=False)
    assert defrost.record(ended) == {
        "for_min": 25.0,
        "rise_k": 5.5,
        "peak_c": 8.9,
        "recovery_min": 4.0,
        "period_h": 6.0,
        "long": False,
        "slow_recovery": False,
    }


PLANT = {  # periods by the recording's own autocorrelation, h; they wander, since running hours say when to defrost
    "freezer_1": (9.0, 11.2),
    "freezer_4": (8.8, 10.3),
    "deepfreezer_1": (13.0, 14.3),
    "deepfreezer_2": (13.0, 14.3),
}


@pytest.mark.traces
@pytest.mark.parametrize("place", PLANT)
def test_in_a_real_freezer_the_period_is_found_and_defrosts_are_recognised(place):
    state, periods, ended = State(), set(), []
    for moment in saveris(place):
        found = defrost.follow(state, moment)
        state = found.state
        if found.ended is not None:
            ended.append(found.ended)
            periods.add(round(found.ended.period_s / HOUR, 1))
    low_h, high_h = PLANT[place]
    assert any(low_h <= period_h <= high_h for period_h in periods)
    assert len(ended) >= 8
    assert sum(each.is_long or each.is_slow for each in ended) <= 7
