"""Lights and sounds against the clock, by the figures of the standards they follow."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alerts import rhythm
from edge_agent.alerts.annunciate import EVERY_S, PULSES
from edge_agent.domain.alarm import Priority
from edge_agent.domain.annunciation import Annunciation, Colour, Light


def changes(played, for_ms: int) -> list[tuple[int, object]]:
    """When each level begins, found a millisecond at a time."""
    found: list[tuple[int, object]] = []
    for ms in range(for_ms):
        level = rhythm.at(played, ms)
        if level is not None and (not found or found[-1][1] != level.value):
            found.append((ms, level.value))
    return found


def flash_hz(light: Light) -> float:
    begins = [ms for ms, colour in changes(rhythm.light(Annunciation(light, Colour.RED)), 10_000) if colour is not None]
    return (len(begins) - 1) / ((begins[-1] - begins[0]) / 1000)


def test_the_light_that_calls_flashes_fast_and_the_one_that_remembers_slowly():
    assert 1.4 <= flash_hz(Light.FLASHING) <= 2.8  # IEC 60601-1-8 table 2
    assert 0.4 <= flash_hz(Light.SLOW) <= 0.8


def test_a_steady_light_stays_and_no_light_is_dark():
    assert changes(rhythm.light(Annunciation(Light.STEADY, Colour.RED)), 10_000) == [(0, Colour.RED)]
    assert changes(rhythm.light(Annunciation(Light.OFF, Colour.RED)), 10_000) == [(0, None)]


def test_every_light_has_a_rhythm_of_its_own():
    seen = {str(changes(rhythm.light(Annunciation(light, Colour.RED)), 6_000)) for light in Light}
    assert len(seen) == len(Light)


def pulses(priority: Priority, for_ms: int = 9_000) -> list[tuple[int, int]]:
    """From, to, of the pulses of the first burst."""
    sounding = changes(rhythm.sound(Annunciation(pulses=PULSES[priority], every_s=EVERY_S[priority])), for_ms)
    return [(on, off) for (on, level), (off, _) in pairwise(sounding) if level]


@pytest.mark.parametrize(("priority", "number"), [(Priority.HIGH, 5), (Priority.MEDIUM, 3), (Priority.LOW, 1)])
def test_the_burst_tells_the_priority(priority, number):
    assert len(pulses(priority)) == number


@pytest.mark.parametrize("priority", Priority)
def test_pulses_are_as_long_and_as_far_apart_as_the_standard_wants(priority):
    """IEC 60601-1-8, tables 3 and 4."""
    low_ms, high_ms = (75, 200) if priority is Priority.HIGH else (125, 250)
    found = pulses(priority)
    assert all(low_ms <= off - on <= high_ms for on, off in found)
    gaps_ms = [after[0] - before[1] for before, after in pairwise(found)]
    if priority is Priority.HIGH:
        assert gaps_ms[2] == 2 * gaps_ms[0] + found[0][1], "it falls into three and two"
        del gaps_ms[2]
    low_ms, high_ms = (50, 125) if priority is Priority.HIGH else (125, 250)
    assert all(low_ms <= gap <= high_ms for gap in gaps_ms)


@pytest.mark.parametrize("priority", Priority)
def test_no_burst_is_taken_for_evacuation(priority):
    """ISO 8201: three pulses of 500 ms (10 % more or less), 500 ms apart."""
    assert all(off - on < 450 for on, off in pulses(priority))
    assert len(pulses(priority)) != 4, "temporal-4 warns of carbon monoxide"


@pytest.mark.parametrize("priority", Priority)
def test_bursts_come_again_after_their_time(priority):
    every_ms = round(1000 * EVERY_S[priority])
    played = rhythm.sound(Annunciation(pulses=PULSES[priority], every_s=EVERY_S[priority]))
    for later in (0, 1, 7):
        level = rhythm.at(played, later * every_ms)
        assert level is not None
        assert level.value
        before = rhythm.at(played, later * every_ms + every_ms - 1)
        assert before is not None
        assert not before.value


def test_a_number_is_blinked_digit_by_digit_twice():
    found = changes(rhythm.number(203), 60_000)
    dark_ms = [end - begin for (begin, colour), (end, _) in pairwise(found) if colour is None]
    groups, lit = [], 0
    for dark in dark_ms[1:]:
        lit += 1
        if dark > 1000:
            groups.append(lit)
            lit = 0
    assert groups == [2, 10, 3, 2, 10]
    assert rhythm.at(rhythm.number(203), 60_000) is None


def test_the_lamp_test_shows_every_colour_and_chirps_within_a_second():
    light, sound = rhythm.lamp_test()
    assert {colour for _, colour in changes(light, 1000)} == set(Colour)
    assert [level for _, level in changes(sound, 1000)] == [True, False]
    assert rhythm.at(light, 1000) is None
    assert rhythm.at(sound, 1000) is None


def test_an_identification_lasts_as_long_as_asked():
    played = rhythm.identification(5)
    assert rhythm.at(played, 4_999) is not None
    assert rhythm.at(played, 5_000) is None


STEPS = st.lists(st.tuples(st.integers(), st.integers(1, 500)), min_size=2, max_size=6)


@given(STEPS, st.one_of(st.none(), st.integers(1, 3)), st.integers(0, 5_000))
def test_a_level_holds_as_long_as_it_says_and_no_longer(steps, rounds, elapsed_ms):
    played = rhythm.Rhythm(tuple(steps), rounds)
    level = rhythm.at(played, elapsed_ms)
    length_ms = sum(ms for _, ms in steps)
    assert (level is None) == (rounds is not None and elapsed_ms >= rounds * length_ms)
    if level is None:
        return
    within_ms = elapsed_ms % length_ms
    slow = next(v for i, (v, _) in enumerate(steps) if within_ms < sum(ms for _, ms in steps[: i + 1]))
    assert level.value == slow
    last = rhythm.at(played, elapsed_ms + level.left_ms - 1)
    assert last is not None
    assert (last.value, last.left_ms) == (level.value, 1)
