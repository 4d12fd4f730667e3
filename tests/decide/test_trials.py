"""`test-alarm` through whole cycles: panel, alarm, record; ended by itself."""

import pytest

from edge_agent.alerts.condition import Condition
from edge_agent.decide import Decision, Gathered, Memory, Plan, decide
from edge_agent.domain.alarm import AlarmState, Change, Priority
from edge_agent.domain.annunciation import Colour, Light, Press
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind


def at(seconds: float) -> Instant:
    return Instant(round(1000 * seconds), round(1000 * seconds) + 1_795_417_200_000, "boot")


def asked(**arguments: object) -> Decision:
    command = Command("t1", "test-alarm", {"who": "ann", **arguments}, "cli", at(0))
    return decide(Memory(), Plan({}), Gathered(at(0), commands=[command]))


def then(before: Decision, seconds: float, *presses: Press) -> Decision:
    return decide(before.memory, Plan({}), Gathered(at(seconds), presses=presses))


def test_light_sound_alarm_and_record_come_in_the_cycle_that_obeys() -> None:
    decision = asked()
    assert decision.results[0].code is ResultCode.DONE
    assert (decision.annunciation.light, decision.annunciation.colour) == (Light.FLASHING, Colour.RED)
    assert decision.annunciation.pulses == 5
    (transition,) = decision.transitions
    assert (transition.alarm.name, transition.change) == ("test", Change.RAISED)
    (line,) = decision.records
    assert (line.kind, line.place, line.body["test"]) == (RecordKind.ALARM, "", True)


def test_the_button_says_that_somebody_saw_it() -> None:
    decision = then(asked(), 8.0, Press(at(8.0), 0.2))
    alarm = decision.memory.alarms["test"]
    assert (alarm.state, alarm.who) == (AlarmState.ACKNOWLEDGED, "button")
    assert decision.annunciation.light is Light.STEADY
    assert decision.records[0].body["test"] is True


@pytest.mark.parametrize("is_seen", [True, False])
def test_it_ends_by_itself_and_the_panel_is_as_before(is_seen) -> None:
    decision = asked()
    if is_seen:
        decision = then(decision, 8.0, Press(at(8.0), 0.2))
    assert then(decision, 119.0).memory.alarms["test"].state is not AlarmState.NORMAL
    ended = then(then(decision, 119.0), 120.0)
    assert ended.memory.alarms["test"].state is AlarmState.NORMAL
    assert ended.annunciation.light is Light.BLIP


def test_a_real_alarm_during_the_test_has_light_and_sound_at_once() -> None:
    real = Condition("cold-room-door", True, Priority.MEDIUM, "The door stands open", "Shut it")
    before = asked()
    decision = decide(before.memory, Plan({}), Gathered(at(5.0), conditions=[real]))
    assert (decision.annunciation.colour, decision.annunciation.pulses) == (Colour.YELLOW, 3)
    later = decide(decision.memory, Plan({}), Gathered(at(61.0), conditions=[real]))
    assert later.memory.alarms["test"].state is AlarmState.NORMAL


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seconds": "long"}, "seconds = 'long'"),
        ({"seconds": True}, "seconds = True"),
        ({"seconds": 5}, "between 60 and 600"),
        ({"priority": "loud"}, "must be one of high, medium, low"),
        ({"priority": 3}, "priority = 3"),
        ({"who": 7}, "who = 7"),
    ],
)
def test_wrong_arguments_are_answered_in_words(arguments, says) -> None:
    decision = asked(**arguments)
    assert decision.results[0].code is ResultCode.INVALID
    assert says in decision.results[0].message
    assert not decision.transitions
