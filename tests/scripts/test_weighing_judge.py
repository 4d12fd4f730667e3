"""The judge of `scripts/bench weighing` sees each way in which a scale can be wrong, and its world is as it says."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

PIECE_G = 100.0


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import weighing_judge

    return weighing_judge


@pytest.fixture
def judged(judge):
    def judged(touches, events, **known):
        return judge.judged(touches, events, judge.Rules.of_pieces(PIECE_G), **known)

    return judged


@pytest.fixture
def world(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import weighing_world

    return weighing_world


@pytest.fixture
def moved(judge):
    """Hands from ``start_s`` for a second."""

    def moved(start_s, units=0, *, delta_g=None, kind=None, step_g=None):
        delta_g = units * PIECE_G if delta_g is None else delta_g
        kind = kind or ("pick" if units < 0 else "restock" if units else "touch")
        return judge.Movement(start_s, start_s + 1, delta_g, units, kind, delta_g if step_g is None else step_g)

    return moved


@pytest.fixture
def said(judge):
    def said(at_s, units, *, delta_g=None, kind=None, confidence=1.0):
        delta_g = units * PIECE_G if delta_g is None else delta_g
        return judge.Published(at_s, kind or ("pick" if delta_g < 0 else "restock"), delta_g, units, confidence)

    return said


def flaws(verdict):
    return len(verdict.found), len(verdict.missed), len(verdict.false)


def test_a_faithful_ledger_has_no_flaw(judged, moved, said) -> None:
    touches = [moved(10, -1), moved(20, -3), moved(40, 12), moved(60)]
    verdict = judged(touches, [said(13, -1), said(23, -3), said(43, 12)], start_units=50)
    assert flaws(verdict) == (3, 0, 0)
    assert [match.units_after for match in verdict.found] == [49, 46, 58]
    assert verdict.touches == 1


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ((13, -1), (1, 0, 0)),
        ((10, -1), (1, 0, 0)),  # as soon as it began
        ((9, -1), (0, 1, 1)),  # before it happened
        ((26, -1), (1, 0, 0)),
        ((27, -1), (0, 1, 1)),  # too late
        ((13, 1), (0, 1, 1)),  # the other way
        ((13, -2), (0, 1, 1)),  # other grams
    ],
)
def test_an_event_must_fit_in_time_and_grams(judged, moved, said, event, expected) -> None:
    assert flaws(judged([moved(10, -1)], [said(*event)])) == expected


@pytest.mark.parametrize(("off_g", "expected"), [(49.0, (1, 0, 0)), (51.0, (0, 1, 1))])
def test_grams_are_right_within_half_a_piece(judged, moved, said, off_g, expected) -> None:
    assert flaws(judged([moved(10, -1)], [said(13, -1, delta_g=-100 - off_g)])) == expected


def test_an_event_told_twice_is_false_once(judged, moved, said) -> None:
    assert flaws(judged([moved(10, -1)], [said(13, -1), said(14, -1)])) == (
        1,
        0,
        1,
    )


def test_drift_told_as_a_pick_is_false(judged, said) -> None:
    assert flaws(judged([], [said(3_600, 0, delta_g=-20.0)])) == (0, 0, 1)


def test_a_touch_that_left_nothing_excuses_no_change(judged, moved, said) -> None:
    assert flaws(judged([moved(10)], [said(13, 0, delta_g=-8.0)])) == (0, 0, 1)


def test_a_piece_exchanged_for_its_like_may_be_told_in_grams(judged, moved, said) -> None:
    exchanged = [moved(10, delta_g=4.0)]
    assert flaws(judged(exchanged, [])) == (0, 0, 0)
    assert flaws(judged(exchanged, [said(13, 0, delta_g=4.5)])) == (0, 0, 0)
    assert flaws(judged(exchanged, [said(13, 0, delta_g=-4.0)])) == (0, 0, 1)


@pytest.mark.parametrize(
    ("rest_s", "told_as_one", "told_as_two"),
    [
        (-0.5, (1, 0, 0), (2, 0, 0)),  # both are right, also of two people at once
        (1.9, (1, 0, 0), (2, 0, 0)),
        (2.9, (1, 0, 0), (2, 0, 0)),
        (3.1, (0, 2, 1), (2, 0, 0)),  # they must be told apart
    ],
)
def test_hands_close_to_one_another(judged, moved, said, rest_s, told_as_one, told_as_two) -> None:
    touches = [moved(10, -1), moved(11 + rest_s, -2)]
    assert flaws(judged(touches, [])) == (0, 1 + (rest_s > 3), 0)
    assert flaws(judged(touches, [said(18, -3)])) == told_as_one
    assert flaws(judged(touches, [said(12, -1), said(18, -2)])) == told_as_two


def test_what_is_false_only_because_it_tells_several_movements_in_one_is_counted(judged, moved, said) -> None:
    touches = [moved(10, -1), moved(20, -2), moved(30, -1)]
    assert judged(touches, [said(23, -3)]).joined == 1
    assert judged(touches, [said(23, -4)]).joined == 0
    assert judged(touches, [said(33, -3), said(34, -3)]).joined == 2
    assert judged(touches, [said(33, 5)]).joined == 0


def test_a_gust_is_no_rest(judged, moved, said) -> None:
    touches, told = [moved(10, -1), moved(15, -2)], [said(19, -3)]
    assert flaws(judged(touches, told)) == (0, 2, 1)
    assert flaws(judged(touches, told, shaken=[(12.5, 13.5)])) == (1, 0, 0)
    assert flaws(judged(touches, told, shaken=[(14.5, 15.5)])) == (0, 2, 1)  # more than three seconds before it


def test_what_is_put_back_at_once_is_no_movement_unless_told_in_full(judged, moved, said) -> None:
    for apart_s in (0.5, 2.5):
        verdict = judged([moved(10, -1), moved(10 + apart_s, 1)], [])
        assert flaws(verdict) == (0, 0, 0)
    assert flaws(judged([moved(10, -1), moved(12.5, 1)], [said(12, -1), said(16, 1)])) == (2, 0, 0)
    assert flaws(judged([moved(10, -1), moved(12.5, 1)], [said(12, -1)])) == (
        1,
        1,
        0,
    )


def test_the_assignment_is_the_best_one_not_the_first_one(judged, moved, said) -> None:
    """The first event fits both movements; only if it is the second's, none is missed and none is false."""
    touches = [moved(10, -1), moved(20, -1)]
    assert flaws(judged(touches, [said(13, -1), said(24, -1)])) == (2, 0, 0)
    assert flaws(judged(touches, [said(24, -1)])) == (1, 1, 0)
    assert flaws(judged([moved(10, -1), moved(14.5, -2)], [said(18, -1), said(19, -2)])) == (2, 0, 0)


def test_a_wrong_number_of_pieces_is_found_and_wrong(judged, moved, said) -> None:
    verdict = judged([moved(10, -10)], [said(13, -9, delta_g=-1000.0)], start_units=30)
    assert flaws(verdict) == (1, 0, 0)
    assert verdict.found[0].event.units != verdict.found[0].movement.units


def test_a_container_carried_away_is_known_by_its_kind_or_its_grams(judged, moved, said) -> None:
    gone = moved(10, kind="removal", delta_g=-5000.0, step_g=-6000.0)
    back = moved(100, -1, kind="return", delta_g=4900.0, step_g=5900.0)
    told = [said(13, 0, kind="removal", delta_g=-5010.0), said(104, 0, kind="return", delta_g=4890.0)]
    assert flaws(judged([gone, back], told)) == (2, 0, 0)
    assert flaws(judged([gone], [said(13, 0, delta_g=-6010.0)])) == (1, 0, 0)
    assert flaws(judged([gone], [said(13, 0, delta_g=-3000.0)])) == (0, 1, 1)


def test_touched_and_back_needs_a_reason(judged, moved, said) -> None:
    touched = [said(13, 0, kind="disturbance"), said(500, 0, kind="disturbance"), said(903, 0, kind="disturbance")]
    verdict = judged([moved(10)], touched, shaken=[(900, 901)])
    assert (verdict.touches_seen, len(verdict.groundless)) == (1, 1)
    assert verdict.groundless[0].published_s == 500


def test_commands_are_no_events_of_the_scale(judged, said) -> None:
    assert flaws(judged([], [said(60, 0, kind="count"), said(70, 0, kind="tare")])) == (0, 0, 0)


def test_the_shelf_is_at_rest_five_seconds_after_the_hands_and_not_while_the_container_is_away(judge, moved) -> None:
    touches = [moved(10, -1), moved(30, kind="removal"), moved(50, kind="return")]
    rest = judge.at_rest(touches, 100, 0.0)
    assert [second for second in range(100) if not rest[second]] == [*range(10, 17), *range(30, 57)]


def test_confidences_are_right_when_as_many_are_right_as_was_said(judge) -> None:
    claims = [(0.85, n % 20 < 17) for n in range(1000)]
    (one,) = judge.binned(claims)
    assert (one.count, one.stated, one.observed) == (1000, pytest.approx(0.85), 0.85)
    assert one.is_right
    assert not judge.binned([(0.85, True)] * 1000)[0].is_right  # too modest is wrong as well
    assert not judge.binned([(0.999, n % 20 > 0) for n in range(1000)])[0].is_right
    assert judge.binned([(0.999, n % 20 > 0) for n in range(40)])[0].is_right  # too few to tell


def test_a_bin_is_judged_by_what_its_claims_can_tell(judge) -> None:
    few, many = judge.Bin(0.5, 0.7, 81, 0.60, 0.48), judge.Bin(0.5, 0.7, 810, 0.60, 0.48)
    assert few.interval == (pytest.approx(0.373, abs=0.001), pytest.approx(0.590, abs=0.001))
    assert few.is_right  # 0.02 beyond chance
    assert not many.is_right
    assert not few.is_told
    assert not many.is_told
    assert judge.Bin(0.5, 0.7, 2600, 0.60, 0.60).is_told


def test_a_share_of_one_is_no_proof_of_certainty(judge) -> None:
    """Normal errors would say that 60 right of 60 leave no doubt."""
    low, high = judge.Bin(0.9, 0.95, 60, 0.93, 1.0).interval
    assert (low, high) == (pytest.approx(0.9375, abs=0.001), 1.0)
    assert judge.Bin(0.9, 0.95, 60, 0.93, 1.0).is_right


# --- the world ------------------------------------------------------------------------------------------------------


def test_the_worlds_noise_spikes_and_drift_are_as_stated(world) -> None:
    day = world.drifting_day(8, 1, 20.0)
    hours = day.mono_ms / 3_600_000
    rest_g = day.gross_g - day.physics.container_g - day.start_g - 20 * hours
    body = np.abs(rest_g) < 4 * day.physics.noise_g
    assert np.std(rest_g[body]) == pytest.approx(day.physics.noise_g, rel=0.01)
    assert abs(rest_g[body].mean()) < 0.05 * day.physics.noise_g
    assert 1 - body.mean() == pytest.approx(0.01, abs=0.001)
    assert 1000 / np.diff(day.mono_ms).mean() == pytest.approx(10, rel=0.011)
    assert day.touches == ()


def test_the_scale_shows_what_the_people_left_there(world) -> None:
    """Long after the hands, the readings lie where the pieces, the creep and the drift put them."""
    day = world.shelf_day(9, 3)
    seconds = day.mono_ms / 1000
    physics, load_g = day.physics, day.start_g + day.physics.container_g
    touches = [*day.touches, replace(day.touches[-1], start_s=day.mono_ms[-1] / 1000)]
    for touch, following in pairwise(touches):
        load_g += touch.step_g
        rest = (seconds > touch.end_s + 4) & (seconds < following.start_s)
        if rest.sum() > 300:
            wander_g = 20 * touch.end_s / 3600 + 400e-6 * physics.capacity_g + 245e-6 * load_g
            assert abs(np.median(day.gross_g[rest]) - load_g) < wander_g + physics.noise_g
    assert sum(touch.units for touch in day.touches) + day.start_units >= 0


def test_every_shelf_has_its_own_share_of_noise_spread_evenly(world) -> None:
    shares = [
        world.physics_of(index, np.random.default_rng(index)).noise_g / world.GOODS[index % 20].piece_g
        for index in range(30)
    ]
    assert sorted(round(100 * share) for share in shares) == sorted([*range(1, 11)] * 3)


def test_a_seed_makes_the_same_day_again_and_another_seed_another(world) -> None:
    first, again, other = (world.shelf_day(3, seed, hours=1) for seed in (1, 1, 2))
    assert np.array_equal(first.gross_g, again.gross_g)
    assert first.touches == again.touches
    assert first.touches != other.touches
