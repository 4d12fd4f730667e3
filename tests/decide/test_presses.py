"""What the button does to the alarms, and what light and sound the same cycle decides then."""

import pytest

from edge_agent.alerts.condition import Condition
from edge_agent.decide import Decision, Gathered, Memory, Plan, decide
from edge_agent.domain.alarm import Change, Priority
from edge_agent.domain.annunciation import Annunciation, Colour, Light, Press
from edge_agent.domain.instant import Instant

PLAN = Plan(sensors={})
SHORT, LONG, VERY_LONG = 0.2, 2.0, 6.0


def at(seconds: float) -> Instant:
    return Instant(round(1000 * seconds), 1_790_000_000_000 + round(1000 * seconds), "boot")


def condition(name: str, priority: Priority, holds: bool = True) -> Condition:
    return Condition(name, holds, priority, "it is too warm", "close the door", needs_acknowledgement=True)


WARM, DRY = condition("cold-room-critical-high", Priority.HIGH), condition("cellar-dry", Priority.LOW)


def cycle(memory: Memory, seconds: float, *held_s: float, conditions=(WARM, DRY)) -> Decision:
    presses = [Press(at(seconds), each) for each in held_s]
    return decide(memory, PLAN, Gathered(at(seconds), (), (), conditions, presses))


@pytest.fixture
def standing() -> Memory:
    return cycle(Memory(), 0).memory


@pytest.mark.parametrize(
    ("held_s", "changes", "shown"),
    [
        ((), [], Annunciation(Light.FLASHING, Colour.RED, 5, 10.0)),
        ((SHORT,), [Change.ACKNOWLEDGED] * 2, Annunciation(Light.STEADY, Colour.RED)),
        ((LONG,), [Change.SILENCED] * 2, Annunciation(Light.FLASHING, Colour.RED)),
        ((LONG, VERY_LONG), [Change.SILENCED] * 2, Annunciation(Light.FLASHING, Colour.RED)),
        ((VERY_LONG,), [], Annunciation(Light.FLASHING, Colour.RED, 5, 10.0)),
        ((SHORT, SHORT), [Change.ACKNOWLEDGED] * 2, Annunciation(Light.STEADY, Colour.RED)),
    ],
)
def test_a_press_acts_on_all_that_stands_and_shows_in_the_same_cycle(standing, held_s, changes, shown):
    decision = cycle(standing, 10, *held_s)
    assert [found.change for found in decision.transitions] == changes
    assert {found.who for found in decision.transitions} <= {"button"}
    assert decision.annunciation == shown


def test_what_is_raised_in_the_cycle_of_the_press_is_not_taken_for_seen():
    decision = cycle(Memory(), 0, SHORT)
    assert decision.annunciation.light is Light.FLASHING


def test_a_press_while_nothing_stands_does_nothing():
    decision = cycle(Memory(), 0, SHORT, LONG, conditions=())
    assert decision.transitions == []
    assert decision.annunciation == Annunciation(Light.BLIP, Colour.GREEN)


def test_a_silenced_sound_is_back_after_ten_minutes():
    full = (Condition("storage", True, Priority.HIGH, "the card is full", "free some space"),)  # never escalated
    memory = cycle(Memory(), 0, conditions=full).memory
    memory = cycle(memory, 10, LONG, conditions=full).memory
    assert cycle(memory, 609, conditions=full).annunciation.pulses == 0
    assert cycle(memory, 611, conditions=full).annunciation.pulses == 5
