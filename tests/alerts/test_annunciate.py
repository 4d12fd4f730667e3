"""Which light and which sound stand for all the alarms there are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alerts.annunciate import ALIVE, annunciation, while_stuck
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.annunciation import Annunciation, Colour, Light
from edge_agent.domain.instant import Instant

S = AlarmState
HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
NOW = Instant(1_000_000, 1_700_000_000_000, "boot")


def in_s(seconds: float, boot: str = "boot") -> Instant:
    return Instant(NOW.mono_ms + round(1000 * seconds), NOW.wall_ms + round(1000 * seconds), boot)


def alarm(priority: Priority, state: AlarmState, **more) -> Alarm:
    return Alarm("cold-room-critical-high", priority, state, NOW, NOW, "too warm", "see why", **more)


@pytest.mark.parametrize(
    ("standing", "light", "colour", "pulses"),
    [
        ([], Light.BLIP, Colour.GREEN, 0),
        ([(HIGH, S.NORMAL)], Light.BLIP, Colour.GREEN, 0),
        ([(HIGH, S.UNACKNOWLEDGED)], Light.FLASHING, Colour.RED, 5),
        ([(MEDIUM, S.UNACKNOWLEDGED)], Light.FLASHING, Colour.YELLOW, 3),
        ([(LOW, S.UNACKNOWLEDGED)], Light.FLASHING, Colour.CYAN, 1),
        ([(HIGH, S.ACKNOWLEDGED)], Light.STEADY, Colour.RED, 0),
        ([(MEDIUM, S.RETURNED_UNACKNOWLEDGED)], Light.SLOW, Colour.YELLOW, 0),
        ([(HIGH, S.SHELVED)], Light.BLIP, Colour.GREEN, 0),
        ([(HIGH, S.OUT_OF_SERVICE)], Light.BLIP, Colour.GREEN, 0),
        # several: what nobody has seen, then the higher priority
        ([(LOW, S.UNACKNOWLEDGED), (HIGH, S.UNACKNOWLEDGED)], Light.FLASHING, Colour.RED, 5),
        ([(HIGH, S.ACKNOWLEDGED), (LOW, S.UNACKNOWLEDGED)], Light.FLASHING, Colour.CYAN, 1),
        ([(HIGH, S.ACKNOWLEDGED), (MEDIUM, S.RETURNED_UNACKNOWLEDGED)], Light.STEADY, Colour.RED, 0),
        ([(HIGH, S.ACKNOWLEDGED), (HIGH, S.RETURNED_UNACKNOWLEDGED)], Light.SLOW, Colour.RED, 0),
        ([(MEDIUM, S.ACKNOWLEDGED), (HIGH, S.SHELVED)], Light.STEADY, Colour.YELLOW, 0),
    ],
)
def test_the_alarm_that_most_wants_somebody_has_the_light(standing, light, colour, pulses):
    told = annunciation([alarm(*each) for each in standing], NOW)
    assert (told.light, told.colour, told.pulses) == (light, colour, pulses)


def test_what_is_over_and_waits_for_its_corrective_action_is_not_shown_as_holding():
    over = alarm(HIGH, S.ACKNOWLEDGED, is_active=False, asks_correction=True)
    assert annunciation([over], NOW).light is Light.SLOW


@pytest.mark.parametrize("state", [S.UNACKNOWLEDGED, S.ACKNOWLEDGED])
def test_what_keeps_coming_back_and_is_over_just_now_is_shown_so_and_not_heard(state):
    told = annunciation([alarm(HIGH, state, calm_since=in_s(-60))], NOW)
    assert (told.light, told.pulses) == (Light.SLOW, 0)


@pytest.mark.parametrize(
    ("until", "pulses"),
    [
        (None, 5),
        (in_s(1), 0),
        (in_s(1800), 0),
        (in_s(0), 5),
        (in_s(-5), 5),
        (in_s(1801), 5),  # no silence is that long
        (in_s(600, boot="before the power cut"), 5),
    ],
)
def test_a_silenced_sound_comes_back(until, pulses):
    told = annunciation([alarm(HIGH, S.UNACKNOWLEDGED, silenced_until=until)], NOW)
    assert told.pulses == pulses
    assert told.light is Light.FLASHING, "the light is not silenced"


def test_the_loudest_that_is_not_silenced_sounds():
    silenced = alarm(HIGH, S.UNACKNOWLEDGED, silenced_until=in_s(60))
    told = annunciation([silenced, alarm(LOW, S.UNACKNOWLEDGED)], NOW)
    assert (told.colour, told.pulses) == (Colour.RED, 1)


ALARMS = st.lists(
    st.builds(
        alarm,
        st.sampled_from(Priority),
        st.sampled_from(AlarmState),
        is_active=st.booleans(),
        silenced_until=st.sampled_from([None, in_s(-1), in_s(60)]),
    ),
    max_size=6,
)


@given(ALARMS)
def test_somebody_is_called_exactly_while_something_is_unacknowledged(alarms):
    told = annunciation(alarms, NOW)
    assert (told.light is Light.FLASHING) == any(each.state is S.UNACKNOWLEDGED for each in alarms)
    assert (told == ALIVE) == all(each.state in (S.NORMAL, S.SHELVED, S.OUT_OF_SERVICE) for each in alarms)


@given(ALARMS)
def test_one_more_alarm_never_makes_it_quieter(alarms):
    more = annunciation([*alarms, alarm(LOW, S.UNACKNOWLEDGED)], NOW)
    assert more.pulses >= max(1, annunciation(alarms, NOW).pulses)


@given(ALARMS)
def test_no_two_looks_differ_by_colour_alone_but_by_priority(alarms):
    """Of two lights of one rhythm the sound tells which is more urgent."""
    told = [annunciation([replace(each, silenced_until=None)], NOW) for each in alarms]
    calling = {look.pulses: look.colour for look in told if look.light is Light.FLASHING}
    assert len(set(calling.values())) == len(calling)


@pytest.mark.parametrize(
    ("told", "colour", "pulses"),
    [
        (ALIVE, Colour.YELLOW, 3),
        (Annunciation(Light.FLASHING, Colour.RED, 5, 10.0), Colour.RED, 5),
        (Annunciation(Light.STEADY, Colour.RED), Colour.RED, 3),
        (Annunciation(Light.FLASHING, Colour.CYAN, 1, 300.0), Colour.YELLOW, 3),
    ],
)
def test_a_stuck_agent_is_never_quieter_than_it_was(told, colour, pulses):
    shown = while_stuck(told)
    assert (shown.light, shown.colour, shown.pulses) == (Light.DOUBLE, colour, pulses)
