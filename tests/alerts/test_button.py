"""One button, three lengths: what is told of a press, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alerts.button import LENGTHS_S, Act, Held, act_of, condition, follow, next_look_ms
from edge_agent.domain.annunciation import Press
from edge_agent.domain.instant import Instant


def at(seconds: float) -> Instant:
    ms = round(1000 * seconds)
    return Instant(ms, 1_700_000_000_000 + ms, "boot")


def pressed(*moves: tuple[float, bool]) -> tuple[Held, list[tuple[float, Act]]]:
    """Follow (when, is down) and tell what came of it: when, and what it means."""
    held, told = Held(), list[tuple[float, Act]]()
    for seconds, is_down in moves:
        held, presses = follow(held, is_down, at(seconds))
        told += [(press.at.mono_ms / 1000, act_of(press)) for press in presses]
    return held, told


DOWN, UP = True, False


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ([(1, DOWN)], []),
        ([(1, DOWN), (1.3, UP)], [(1.3, Act.ACKNOWLEDGE)]),
        ([(1, DOWN), (2.9, UP)], [(2.9, Act.ACKNOWLEDGE)]),
        ([(1, DOWN), (3, DOWN), (3.5, UP)], [(3, Act.SILENCE)]),
        ([(1, DOWN), (3, DOWN), (7, DOWN), (9, UP)], [(3, Act.SILENCE), (7, Act.ADDRESS)]),
        # looked at only when it is let go: the lengths it has passed are told all the same
        ([(1, DOWN), (9, UP)], [(9, Act.SILENCE), (9, Act.ADDRESS)]),
        ([(1, DOWN), (1.01, UP)], []),  # a bounce
        ([(1, DOWN), (1.3, UP), (1.31, UP)], [(1.3, Act.ACKNOWLEDGE)]),
        ([(1, DOWN), (1.3, UP), (2, DOWN), (2.2, UP)], [(1.3, Act.ACKNOWLEDGE), (2.2, Act.ACKNOWLEDGE)]),
        ([(1, UP)], []),
    ],
)
def test_a_short_press_is_told_when_it_is_let_go_and_a_long_one_when_it_is_long(moves, told):
    assert pressed(*moves)[1] == told


def test_a_button_held_for_ever_acts_once_for_each_length():
    _, told = pressed((0, DOWN), *((second, DOWN) for second in range(1, 7200)))
    assert [act for _, act in told] == [Act.SILENCE, Act.ADDRESS]


def test_a_button_that_is_held_is_looked_at_when_it_reaches_its_next_length():
    held, _ = pressed((1, DOWN))
    assert next_look_ms(held) == 3_000
    held, _ = pressed((1, DOWN), (3, DOWN))
    assert next_look_ms(held) == 7_000
    assert next_look_ms(pressed((1, DOWN), (3, DOWN), (7, DOWN))[0]) is None
    assert next_look_ms(Held()) is None


@pytest.mark.parametrize(("seconds", "holds"), [(59.9, False), (60, True), (7200, True)])
def test_after_a_minute_it_is_a_fault(seconds, holds):
    held, _ = pressed((0, DOWN))
    found = condition(held, at(seconds))
    assert (found.name, found.holds) == ("button", holds)
    assert ("down since 2023-11-14T22:13:20.000Z" in found.evidence) == holds


def test_the_fault_is_over_when_it_is_let_go():
    held, _ = pressed((0, DOWN), (100, UP))
    assert not condition(held, at(200)).holds


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=30))
def test_each_time_it_goes_down_it_acts_once_at_most_for_each_length(moves):
    held, at_s = Held(), 0.0
    since_down: list[Press] = []
    for wait_s, is_down in moves:
        at_s += wait_s
        was_down = held.since is not None
        held, presses = follow(held, is_down, at(at_s))
        since_down = [*(since_down if was_down else []), *presses]
        acts = [act_of(press) for press in since_down]
        assert len(acts) == len(set(acts))
        assert Act.ACKNOWLEDGE not in acts or acts == [Act.ACKNOWLEDGE]
        assert all(press.held_s in LENGTHS_S or press.held_s < LENGTHS_S[0] for press in since_down)
