"""When rest proves that a movement is over: tables of hands, elbows and floors."""

import math
from dataclasses import replace
from random import Random

import pytest

from edge_agent.weighing import proof, stability
from edge_agent.weighing.pieces import PieceModel
from edge_agent.weighing.plateau import Plateau, plateau
from edge_agent.weighing.proof import Before, Held
from edge_agent.weighing.trace import Moving

TINS = PieceModel(400.0, 0.4, 4.0)
QUIET = Before(
    model=TINS,
    piece_g=400.0,
    noise_g=2.0,
    level_u_g=0.2,
    least_step_g=5.0,
    stable_g=5.0,
    capacity_g=30_000.0,
    stable_ms=2400,
    interval_s=0.1,
)
LOUD = replace(QUIET, noise_g=40.0, level_u_g=4.0)  # 10 % of a piece: 5 kg may lean there and look like rest
CRATES = replace(LOUD, model=PieceModel(2000.0, 2.0, 10.0), piece_g=2000.0)
LIGHT = replace(QUIET, noise_g=0.5, piece_g=30.0)  # what the floor shakes is no longer far below a piece
LEVEL_G = 20_000.0


def looks(*parts: tuple[float, float], noise_g: float = 0.0, seed: int = 1) -> tuple[tuple[int, float], ...]:
    """``(seconds, grams)`` one after the other, ten looks a second."""
    random = Random(seed)
    grams = [level_g for seconds, level_g in parts for _ in range(round(10 * seconds))]
    return tuple((100 * i, level_g + random.gauss(0, noise_g)) for i, level_g in enumerate(grams))


def at(gross_g: float, from_s: float = 4.0, until_s: float = 6.4, u_g: float = 0.5, noise_g: float = 2.0) -> Plateau:
    return Plateau(gross_g, u_g, noise_g, round(1000 * from_s), round(1000 * until_s))


def moving(lasts_s: float = 6.5, *, is_seen: bool = True) -> Moving:
    return Moving(0, is_seen, LEVEL_G, looks((lasts_s, LEVEL_G)))


# --- rest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest_s", "is_rest"),
    [(2.0, False), (2.4, False), (2.5, True), (6.0, True)],  # a span of 2.4 s takes 25 looks
)
def test_rest_is_proved_by_time(rest_s, is_rest):
    seen = looks((2.0, 5000.0), (rest_s, LEVEL_G))
    assert bool(proof.rested(QUIET, seen, stability.rests)) is is_rest


def test_the_looks_that_prove_rest_are_those_of_the_rest():
    tail = proof.rested(QUIET, looks((2.0, 5000.0), (3.0, LEVEL_G)), stability.rests)
    assert (tail[0][0], tail[-1][0]) == (2500, 4900)
    assert {gross_g for _, gross_g in tail} == {LEVEL_G}


@pytest.mark.parametrize(
    ("before", "shakes_g", "rests_after_s"),
    [
        (QUIET, 1.0, 2.4),  # far below noise
        (replace(QUIET, noise_g=0.5), 9.0, 2.4),  # the floor, and far below a piece
        (LIGHT, 9.0, 4.8),  # the floor: 5e-4 of the load, as long as it stays in one place
        (LIGHT, 18.0, 4.8),
        (LIGHT, 40.0, None),  # no floor shakes so much: somebody is there
        (replace(QUIET, noise_g=None), 100.0, 4.8),  # nobody knows the noise yet: a quarter of a piece
        (replace(QUIET, noise_g=None), 200.0, None),
    ],
)
def test_a_floor_that_shakes_asks_for_twice_the_time_and_more_than_a_floor_is_no_rest(before, shakes_g, rests_after_s):
    seen = tuple((100 * i, LEVEL_G + shakes_g * math.sin(2.9 * i)) for i in range(200))
    proved = [n for n in range(1, 200) if proof.rested(before, seen[:n], stability.rests)]
    first_s = (proved[0] - 1) / 10 if proved else None
    assert first_s == (None if rests_after_s is None else pytest.approx(rests_after_s, abs=0.25))


def test_after_a_minute_unrest_that_stays_is_a_new_noise():
    seen = tuple((100 * i, LEVEL_G + 30 * math.sin(2.9 * i)) for i in range(700))
    assert not proof.rested(LIGHT, seen[:590], stability.rests)
    assert proof.rested(LIGHT, seen[:610], stability.rests)


def test_between_looks_of_minutes_wind_and_bees_are_no_unrest():
    hive = replace(QUIET, model=None, piece_g=None, least_step_g=300.0, stable_ms=600_000, interval_s=300.0)
    seen = tuple((300_000 * i, LEVEL_G + 25 * (-1) ** i) for i in range(4))
    assert proof.rested(hive, seen, stability.rests)
    assert not proof.rested(replace(hive, least_step_g=100.0), seen, stability.rests)


def test_a_longer_rest_is_asked_of_all_its_looks():
    seen = looks((1.0, 5000.0), (5.0, LEVEL_G))
    now = plateau(seen[-25:])
    assert len(proof.lasted(QUIET, seen, now, 2.0, stability.rests)) == 49
    assert not proof.lasted(QUIET, seen, now, 2.2, stability.rests)  # half a second of hands
    assert not proof.lasted(QUIET, seen, now, 5.0, stability.rests)  # not seen for so long


def test_a_rest_on_a_shaken_floor_goes_on_with_its_own_unrest():
    seen = tuple((100 * i, LEVEL_G + 9 * math.sin(2.9 * i)) for i in range(80))
    shaken = plateau(seen[-49:])
    assert proof.lasted(LIGHT, seen, shaken, 2.0, stability.rests)
    assert not proof.lasted(LIGHT, seen, plateau(seen[-25:]), 2.0, stability.rests)  # too short to say it is the floor


# --- how long --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "gain_g", "unrest_s", "asked"),
    [
        (QUIET, -400.0, 1.0, 1.0),  # nothing leans upwards
        (QUIET, 400.0, 1.0, 1.0),  # an elbow of 400 g there is none
        (QUIET, 2000.0, 1.0, 1.0),  # an elbow of 2 kg shifts by 400 g, and 2 g of noise hide nothing
        (QUIET, 4.5, 1.0, 1.0),  # nothing happened
        (LOUD, 10.0, 1.0, 5.0),  # something that is no piece
        (QUIET, 600.0, 1.0, 2.0),  # one piece and a half
        (QUIET, -100.0, 1.0, 2.0),
        (LOUD, -400.0, 1.0, 1.0),
        (LOUD, -400.0, 3.6, 1.0),
        (LOUD, 400.0, 1.0, 1.0),
        (LOUD, 400.0, 0.2, 1.0),
        (LOUD, 1200.0, 1.0, 2.0),  # three pieces, or an elbow of 1.2 kg that is still
        (LOUD, 1200.0, 0.2, 1.2),  # set down at once, as elbows are not
        (LOUD, 2000.0, 1.0, 1.2),  # 400 g of shifting show, but half of it might be an elbow on goods
        (LOUD, 2000.0, 0.2, 1.0),
        (LOUD, 4000.0, 1.0, 1.0),
        (LOUD, 4000.0, 3.6, 2.0),  # longer than a hand: somebody may lean on goods that came
        (LOUD, 600.0, 1.0, 5.0),  # half a piece too much, and an elbow of 600 g is still
        (LOUD, -100.0, 1.0, 5.0),
        (CRATES, 900.0, 1.0, 5.0),
        (CRATES, 1700.0, 1.0, 2.0),  # as heavy an elbow would show
    ],
)
def test_how_often_rest_must_last_its_time(before, gain_g, unrest_s, asked):
    tail = [(round(1000 * unrest_s), 0.0), (round(1000 * unrest_s) + 2400, 0.0)]
    now = at(LEVEL_G + gain_g, unrest_s, unrest_s + 2.4)
    assert proof.asked_of(before, moving(), now, tail, LEVEL_G, 0.5) == asked


def test_less_is_asked_where_it_cannot_be_known_or_has_gone_on_for_long():
    tail = [(1000, 0.0), (3400, 0.0)]
    odd = at(LEVEL_G + 600.0)
    assert proof.asked_of(LOUD, moving(), odd, tail, LEVEL_G, 0.5) == 5.0
    assert proof.asked_of(LOUD, moving(is_seen=False), odd, tail, LEVEL_G, 0.5) == 1.0
    late = [(58_000, 0.0), (60_500, 0.0)]
    assert proof.asked_of(LOUD, moving(), odd, late, LEVEL_G, 0.5) == 1.0


def test_a_gain_is_one_over_what_the_ledger_accounts_for():
    """The movement began while somebody leant already."""
    tail = [(1000, 0.0), (3400, 0.0)]
    now = at(LEVEL_G + 600.0)
    assert proof.asked_of(LOUD, moving(), now, tail, None, 0.5) == 5.0
    assert proof.asked_of(LOUD, moving(), now, tail, LEVEL_G + 600.0, 0.5) == 1.0
    assert proof.asked_of(LOUD, moving(), now, tail, LEVEL_G, 130.0) == 1.0  # not known better than that


# --- elbows and goods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise_g", "elbow_g", "is_hidden"),
    [(40.0, 1500.0, True), (40.0, 1700.0, False), (40.0, 499.0, False), (40.0, 500.0, True), (None, 500.0, False)],
)
def test_an_elbow_hides_where_its_shifting_is_within_the_noise(noise_g, elbow_g, is_hidden):
    assert proof.is_hidden(replace(QUIET, noise_g=noise_g), elbow_g) is is_hidden


@pytest.mark.parametrize(
    ("before", "gain_g", "is_candidate"),
    [
        (QUIET, 1200.0, True),
        (QUIET, 1000.0, False),
        (replace(LOUD, model=None), 1200.0, False),
        (replace(LOUD, model=None), 2000.0, True),
    ],
)
def test_what_may_be_goods_is_whole_pieces_or_shifts_too_little(before, gain_g, is_candidate):
    assert proof.is_candidate(before, at(LEVEL_G + gain_g), LEVEL_G) is is_candidate


HELD = at(LEVEL_G + 2000.0, 1.0, 3.4, u_g=2.0)


def after(gross_g: float, from_s: float = 5.0, gap_s: float = 1.0) -> tuple[Moving, Plateau]:
    """Somebody went on from ``HELD`` a little before ``from_s``, and then there was ``gross_g``."""
    seen = looks((1.0, LEVEL_G + 500), (from_s - gap_s - 1, HELD.gross_g), (gap_s, LEVEL_G + 5000), (2.5, gross_g))
    return Moving(0, True, LEVEL_G, seen, HELD), at(gross_g, from_s, from_s + 2.4, u_g=2.0)


@pytest.mark.parametrize(
    ("gross_g", "gap_s", "was"),
    [
        (LEVEL_G, 1.0, Held.ELBOW),  # back to where it was
        (LEVEL_G + 900.0, 1.0, Held.ELBOW),  # not a piece is left
        (LEVEL_G + 4000.0, 1.0, Held.GOODS),  # and more goods
        (LEVEL_G + 2500.0, 1.0, Held.OPEN),
        (LEVEL_G + 3100.0, 1.0, Held.OPEN),  # no whole piece more: somebody leans now
        (LEVEL_G + 2000.0, 1.0, Held.OPEN),  # touched and as before
        (LEVEL_G - 2010.0, 1.0, Held.GOODS),  # a piece put back, two taken
        (LEVEL_G - 2010.0, 3.8, Held.ELBOW),  # more went than came, after more than a hand: it was leant on
        (LEVEL_G - 1100.0, 1.0, Held.ELBOW),
    ],
)
def test_what_comes_next_says_what_a_gain_was(gross_g, gap_s, was):
    course, now = after(gross_g, 3.5 + gap_s + 1.0, gap_s)
    assert proof.decided(CRATES, course, HELD, now) is was


def test_goods_out_of_the_whole_by_more_than_chance_are_an_elbow_when_more_went_than_came():
    course, now = after(LEVEL_G - 2000.0)
    uneven = replace(HELD, gross_g=LEVEL_G + 2130.0)  # a delivery that weighs 6 % more, or nothing of it
    assert proof.decided(CRATES, replace(course, held=uneven), uneven, now) is Held.ELBOW


def test_a_gain_that_came_with_more_unrest_than_a_hand_makes_is_an_elbow_when_more_went_than_came():
    course, now = after(LEVEL_G - 2010.0, 9.0)
    late = replace(HELD, from_ms=3600, until_ms=6000)
    assert proof.decided(CRATES, course, HELD, now) is Held.GOODS
    assert proof.decided(CRATES, course, late, now) is Held.ELBOW


@pytest.mark.parametrize(
    ("more_g", "lasts_s", "is_outgrown"),
    [
        (1100.0, 3.7, True),
        (1100.0, 3.3, False),  # a hand may press for so long
        (900.0, 3.7, False),  # less than half a piece
    ],
)
def test_more_on_top_for_longer_than_a_hand_presses_says_it_was_goods(more_g, lasts_s, is_outgrown):
    seen = looks((1.0, LEVEL_G), (3.0, HELD.gross_g), (lasts_s, HELD.gross_g + more_g))
    assert proof.is_outgrown(CRATES, Moving(0, True, LEVEL_G, seen, HELD), HELD) is is_outgrown


def test_a_heavy_elbow_must_be_outgrown_by_more_than_it_shifts():
    heavy = replace(HELD, gross_g=LEVEL_G + 6000.0)  # shifts by 1.2 kg, and by as much again
    for more_g, is_outgrown in ((2300.0, False), (2500.0, True)):
        seen = looks((1.0, LEVEL_G), (3.0, heavy.gross_g), (3.7, heavy.gross_g + more_g))
        assert proof.is_outgrown(CRATES, Moving(0, True, LEVEL_G, seen, heavy), heavy) is is_outgrown


def test_without_a_known_piece_nothing_is_outgrown():
    seen = looks((1.0, LEVEL_G), (3.0, HELD.gross_g), (3.7, HELD.gross_g + 5000.0))
    nameless = replace(CRATES, model=None, piece_g=None)
    assert not proof.is_outgrown(nameless, Moving(0, True, LEVEL_G, seen, HELD), HELD)


def test_what_left_a_plateau_begins_with_the_first_look_apart_from_it():
    seen = looks((3.5, HELD.gross_g), (0.5, HELD.gross_g + 100.0), (1.0, HELD.gross_g + 2000.0))
    assert proof.leaving(HELD, seen, 40.0)[0][0] == 4000  # 100 g are noise there
    assert proof.leaving(HELD, seen, 2.0)[0][0] == 3500
    before_it = looks((1.5, HELD.gross_g + 2000.0), (2.0, HELD.gross_g), (1.0, HELD.gross_g + 2000.0))
    assert proof.leaving(HELD, before_it, 2.0)[0][0] == 3500
