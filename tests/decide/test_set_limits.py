"""Limits that people set: within bounds, never against one another, taken back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alerts.life import NotPossible
from edge_agent.alerts.settings import PlaceSettings
from edge_agent.decide import Gathered, Memory, Plan, SensorPlan, decide, set_limits
from edge_agent.decide.memory import changed_rows, forgotten_rows, from_rows, mirrored_rows, to_rows
from edge_agent.decide.set_limits import SETTABLE, carry_out, in_force
from edge_agent.domain.alarm import AlarmState
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.domain.record import RecordKind

AT = Instant(1000, 1_790_000_000_000, "boot-1")
ROOM = PlaceSettings("cold-room")
PLAN = Plan({}, places=(ROOM, PlaceSettings("cellar", high_c=12.0, critical_high_c=None)))


def asked(**arguments):
    return Command("c-1", "set", {"place": "cold-room", **arguments}, "local", AT, peer="ann uid=1000 pid=7")


def after(memory=None, plan=PLAN, **arguments):
    return carry_out(memory or Memory(), plan, asked(**arguments), AT)


def limits(memory, plan=PLAN):
    return {place.name: place for place in in_force(plan, memory).places}["cold-room"]


def test_what_was_set_is_in_force_and_the_rest_as_configured():
    changed = after(high_c=6, dwell_s=900)
    assert limits(changed.memory) == replace(ROOM, high_c=6.0, dwell_s=900.0)
    assert in_force(PLAN, changed.memory).places[1] == PLAN.places[1]
    assert changed.message == "cold-room: high_c 5 -> 6, dwell_s 1800 -> 900"
    assert changed.detail["set"] == {"high_c": 6.0, "dwell_s": 900.0}


def test_the_record_says_who_changed_what():
    (line,) = after(high_c=6, who="bea").records
    assert (line.kind, line.place) == (RecordKind.SETTINGS, "cold-room")
    assert line.body["who"] == "local:bea (ann)"
    assert (line.body["high_c"], line.body["changed"]) == (6.0, "high_c 5 -> 6")


@pytest.mark.parametrize(
    ("back", "left"),
    [({"default": True}, {}), ({"default": ["high_c"]}, {"dwell_s": 900.0}), ({"high_c": 5}, {"dwell_s": 900.0})],
)
def test_what_was_set_can_be_taken_back(back, left):
    memory = after(high_c=6, dwell_s=900).memory
    changed = after(memory, **back)
    assert changed.memory.limits["cold-room"] == left
    assert limits(changed.memory).high_c == 5.0
    assert "high_c 6 -> 5" in changed.message


def test_setting_what_is_so_already_changes_nothing():
    changed = after(high_c=5)
    assert (changed.memory.limits, changed.records) == ({}, ())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"place": "attic", "high_c": 6}, "place = 'attic': must be one of cold-room, cellar"),
        ({"place": None, "high_c": 6}, "place = None"),
        ({"high_c": 9}, "critical_high_c = 8.0: must be above high_c = 9"),
        ({"critical_high_c": 4}, "critical_high_c = 4.0: must be above high_c = 5"),
        ({"critical_low_c": 1}, "critical_low_c = 1.0: must be below low_c = 0"),
        ({"low_c": 5}, "must be above low_c = 5"),
        ({"high_c": 61, "critical_high_c": 62}, "between -60 and 60"),
        ({"dwell_s": -1}, "dwell_s = -1.0: must be between 0 and 86400 s"),
        ({"deadband_c": 3}, "deadband_c = 3.0: must be at most half"),
        ({"high_c": "6"}, "high_c = '6': must be a number"),
        ({"high_c": None}, "high_c = None: must be a number; the configuration alone ends a watch"),
        ({"high_c": True}, "must be a number"),
        ({"hihg_c": 6}, "'hihg_c' cannot be set: did you mean high_c?"),
        ({"food_limit_c": 20}, "'food_limit_c' cannot be set"),
        ({}, "nothing to set"),
        ({"default": "high_c"}, "default = 'high_c': must be true, or a list"),
        ({"default": ["name"]}, "must be true, or a list of"),
        ({"default": [{}]}, "must be true, or a list of"),
        ({"default": ["high_c"], "high_c": 6}, "both set and taken back"),
        ({"high_c": 6, "who": "\x07"}, "who = "),
    ],
)
def test_what_contradicts_is_refused(arguments, says):
    with pytest.raises(ValueError) as refused:
        after(**arguments)
    assert says in str(refused.value)


@given(st.dictionaries(st.sampled_from(SETTABLE), st.floats(allow_nan=True), min_size=1))
def test_whatever_is_set_is_a_place_that_may_be_configured(wanted):
    try:
        changed = after(**wanted)
    except NotPossible:
        return
    assert limits(changed.memory) == replace(ROOM, **wanted)
    assert from_rows(to_rows(changed.memory)).limits == changed.memory.limits


def test_a_configuration_that_has_changed_against_it_holds_and_is_told():
    memory = after(high_c=7).memory
    colder = replace(PLAN, places=(replace(ROOM, high_c=3.0, critical_high_c=6.0),))
    assert in_force(colder, memory).places == colder.places
    assert "critical_high_c" in set_limits.contradictions(colder, memory)["cold-room"]
    assert set_limits.contradictions(PLAN, memory) == {}
    assert carry_out(memory, colder, asked(default=True), AT).memory.limits["cold-room"] == {}


def test_what_was_set_survives_a_restart_and_a_lost_file_and_goes_with_its_place():
    before, memory = Memory(), after(high_c=6).memory
    row = {"limits/cold-room": b'{"high_c":6.0}'}
    assert changed_rows(before, memory) == row
    assert mirrored_rows(before, memory) == row
    assert mirrored_rows(memory, after(memory, default=True).memory) == {"limits/cold-room": b"{}"}
    assert forgotten_rows(row, [], ["cellar"]) == {"limits/cold-room": None}
    with pytest.raises(ValueError, match="limits/cold-room"):
        from_rows({"limits/cold-room": b'{"high_c":"6"}'})


def test_a_cycle_obeys_answers_and_watches_by_the_new_limits_from_the_next_one_on():
    sensors = {"air": SensorPlan(1.0, 1.0, place="cold-room")}
    plan = Plan(sensors, places=(replace(ROOM, sensors=("air",)),))
    sample = Sample("air", AT, (Reading(Channel("cold-room", "temperature"), 5.5, AT),))
    decision = decide(Memory(), plan, Gathered(AT, [sample], commands=(asked(high_c=6),)))
    (result,) = decision.results
    assert (result.code, decision.is_critical) == (ResultCode.DONE, True)
    assert decision.records[-1].body["changed"] == "high_c 5 -> 6"
    assert decision.memory.conditions["cold-room-temperature-high"].limit == 5.0
    again = decide(decision.memory, plan, Gathered(AT, [sample]))
    assert again.memory.conditions["cold-room-temperature-high"].limit == 6.0


def test_an_alarm_of_a_limit_that_is_watched_no_more_ends_with_it():
    sensors = {"air": SensorPlan(1.0, 1.0, place="cold-room")}
    plan = Plan(sensors, places=(replace(ROOM, sensors=("air",)),))
    memory = Memory(limits={"cold-room": {"critical_low_c": -0.5, "critical_dwell_s": 0.0}})
    for second in range(0, 4 * 3600, 60):
        at = Instant(1000 * second, 1_790_000_000_000 + 1000 * second, "boot-1")
        sample = Sample("air", at, (Reading(Channel("cold-room", "temperature"), -8.0, at),))
        memory = decide(memory, plan, Gathered(at, [sample])).memory
    assert memory.alarms["cold-room-critical-low"].state is AlarmState.UNACKNOWLEDGED
    back = replace(asked(default=True), received=at)
    decision = decide(memory, plan, Gathered(at, commands=(back,)))
    assert [found.alarm.evidence for found in decision.transitions] == ["its limit was taken back"]
    assert decision.memory.alarms["cold-room-critical-low"].state is AlarmState.NORMAL
    after_it = decide(decision.memory, plan, Gathered(at, [sample]))
    assert after_it.memory.alarms["cold-room-critical-low"].state is AlarmState.NORMAL
