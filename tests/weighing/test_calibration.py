"""From known weights to calibrations: scales that are right, bent, askew, wired wrong, moving."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.instant import Instant
from edge_agent.weighing import calibration
from edge_agent.weighing.calibration import MIDDLE, Placing, Refused, Session, Unsteady, calibrate, grams
from edge_agent.weighing.settings import CellSettings

CAPACITY_G = 30_000.0
ONE = (CellSettings("scale-1", 84_000, 100.0),)
FOUR = tuple(CellSettings(f"scale-{n}", 80_000 + n, 100.0) for n in (1, 2, 3, 4))


def one(known_g: float, counts: float, place: str = MIDDLE) -> Placing:
    return Placing(known_g, (counts,), place)


def four(known_g: float, place: str, spans: tuple[float, ...], off: float = 0.0) -> Placing:
    """A weight above one of four cells: 70 % there, 10 % on each other; in the middle 25 % each."""
    shares = [0.25] * 4 if place == MIDDLE else [0.7 if cell.sensor == place else 0.1 for cell in FOUR]
    counts = [
        cell.zero_counts + span * share * (known_g + off) for cell, span, share in zip(FOUR, spans, shares, strict=True)
    ]
    return Placing(known_g, tuple(counts), place)


EMPTY = tuple(float(cell.zero_counts) for cell in FOUR)
ALL = [MIDDLE, *(cell.sensor for cell in FOUR)]


# --- the fit --------------------------------------------------------------------------------------------------------


def test_zero_and_one_weight_make_a_calibration():
    made = calibrate(ONE, CAPACITY_G, (84_310.0,), [one(20_000, 84_310 + 20_000 * 101.0)])
    (cell,) = made.cells
    assert (cell.zero_counts, cell.counts_per_gram) == (84_310, pytest.approx(101.0))
    assert made.span_change == pytest.approx(0.01)
    assert made.residual_g == pytest.approx(0, abs=0.01)
    assert made.warnings == ()


def test_a_cell_that_hangs_the_other_way_round_keeps_its_sign():
    cells = (CellSettings("scale-1", 84_000, -100.0),)
    made = calibrate(cells, CAPACITY_G, (84_000.0,), [one(10_000, 84_000 - 10_000 * 99.5)])
    assert made.cells[0].counts_per_gram == pytest.approx(-99.5)


def test_several_weights_are_fitted_and_what_is_left_is_told():
    placings = [one(g, 84_000 + 100.0 * (g + error)) for g, error in ((5_000, 4), (10_000, -4), (20_000, 2))]
    made = calibrate(ONE, CAPACITY_G, (84_000.0,), placings)
    assert made.cells[0].points == ()
    assert made.residuals_g == pytest.approx((3.9, -4.2, 1.6), abs=0.5)
    assert made.weights_g == (5_000, 10_000, 20_000)


def test_a_bent_cell_gets_straight_pieces_between_the_weights():
    def bent(load_g: float) -> float:
        return 84_000 + 100.0 * load_g * (1 - 4e-7 * load_g)

    made = calibrate(ONE, CAPACITY_G, (84_000.0,), [one(g, bent(g)) for g in (7_500, 15_000, 22_500, 30_000)])
    (cell,) = made.cells
    assert len(cell.points) == 5
    assert made.residuals_g == pytest.approx((0, 0, 0, 0), abs=0.01)
    straight = CellSettings("scale-1", cell.zero_counts, cell.counts_per_gram)
    for load_g in (3_000, 11_000, 19_000, 27_000):
        assert abs(grams(bent(load_g), cell) - load_g) < 8 < abs(grams(bent(load_g), straight) - load_g)


def test_each_of_several_cells_gets_its_own_span_from_a_weight_above_each():
    spans = (100.0, 103.0, 98.0, 100.0)
    made = calibrate(FOUR, CAPACITY_G, EMPTY, [four(10_000, place, spans) for place in ALL])
    assert [cell.counts_per_gram for cell in made.cells] == pytest.approx(spans)
    assert made.corners is not None
    assert made.corners.is_good
    assert {sensor for sensor, _ in made.corners.off} >= {"scale-2", "scale-3"}
    assert dict(made.corners.off)["scale-2"] == pytest.approx(-0.027, abs=0.003)  # it was 100, 103 is right


def test_without_a_weight_above_each_the_cells_share_one_change():
    made = calibrate(FOUR, CAPACITY_G, EMPTY, [four(10_000, MIDDLE, (101.0, 101.0, 101.0, 101.0))])
    assert [cell.counts_per_gram for cell in made.cells] == pytest.approx([101.0] * 4)


@given(
    st.lists(st.floats(90, 110), min_size=4, max_size=4),
    st.floats(3_000, 30_000),
    st.lists(st.floats(-500, 500), min_size=4, max_size=4),
)
def test_any_four_cells_are_found_out_exactly_where_there_is_no_noise(spans, known_g, zeros):
    empty = tuple(zero + moved for zero, moved in zip(EMPTY, zeros, strict=True))
    placings = [
        Placing(p.known_g, tuple(c + moved for c, moved in zip(p.counts, zeros, strict=True)), p.place)
        for p in (four(known_g, place, tuple(spans)) for place in ALL)
    ]
    made = calibrate(FOUR, CAPACITY_G, empty, placings)
    assert [cell.counts_per_gram for cell in made.cells] == pytest.approx(spans, rel=1e-6)
    for placing, residual_g in zip(placings, made.residuals_g, strict=True):
        # A zero is a whole number of counts: 4 cells, half a count each, 0.02 g.
        assert residual_g == pytest.approx(0, abs=0.03), placing


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1, 1e4)), min_size=3, max_size=6, unique_by=lambda p: p[1]))
def test_points_give_their_grams_back_and_never_turn_round(points):
    grams_sorted = sorted(g for _, g in points)
    counts_sorted = sorted({round(c) for c, _ in points})
    pairs = tuple(zip(counts_sorted, grams_sorted, strict=False))
    if len(pairs) < 3:
        return
    cell = CellSettings("scale-1", 0, 100.0, points=pairs)
    for counts, known_g in pairs:
        assert grams(counts, cell) == pytest.approx(known_g)
    shown = [grams(counts, cell) for counts in range(-1_200_000, 1_200_000, 100_000)]
    assert shown == sorted(shown)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "empty", "placings", "words"),
    [
        (ONE, (84_000.0,), [], "no known weight was put on yet"),
        (ONE, (84_000.0,), [one(2_900, 374_000)], "known_g = 2900: must be between 3000 and 30000 g"),
        (ONE, (84_000.0,), [one(31_000, 3_184_000)], "known_g = 31000"),
        (ONE, (84_000.0,), [one(10_000, 84_020)], "does it stand there"),
        (ONE, (84_000.0,), [one(10_000, 84_000 - 1_000_000)], "scale-1 goes down"),
        (ONE, (84_000.0,), [one(5_000, 1_084_000), one(10_000, 584_000)], "were two weights mixed up"),
        (FOUR, EMPTY, [four(10_000, MIDDLE, (100.0, 100.0, -100.0, 100.0))], "scale-3 goes down"),
        (
            FOUR,
            EMPTY,
            [Placing(10_000, four(10_000, "scale-2", (100.0,) * 4).counts, "scale-1")],
            "stands above scale-1, and scale-2 feels most",
        ),
        (
            FOUR,
            EMPTY,
            [Placing(10_000, four(10_000, MIDDLE, (100.0,) * 4).counts, p) for p in ("scale-1", "scale-1")]
            + [four(10_000, MIDDLE, (100.0,) * 4)],
            None,  # equal shares above one corner are odd, and no contradiction
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(cells, empty, placings, words):
    if words is None:
        assert calibrate(cells, CAPACITY_G, empty, placings).corners is not None
        return
    with pytest.raises(Refused, match=words):
        calibrate(cells, CAPACITY_G, empty, placings)


def test_placings_that_do_not_tell_the_cells_apart_are_refused():
    same = four(10_000, MIDDLE, (100.0,) * 4).counts
    with pytest.raises(Refused, match="right above each cell in turn"):
        calibrate(FOUR, CAPACITY_G, EMPTY, [Placing(10_000, same, place) for place in ALL])


def test_a_platform_at_rest_gives_its_level_and_a_moving_one_is_refused():
    rng = Random(1)
    quiet = [84_000 + rng.gauss(0, 40) for _ in range(8)]
    assert calibration.steady(84_003.0, quiet, 40.0) == 84_003.0
    with pytest.raises(Unsteady, match="moving: "):
        calibration.steady(83_000.0, quiet, 40.0)
    with pytest.raises(Unsteady, match="too few samples"):
        calibration.steady(84_000.0, quiet[:5], 40.0)
    with pytest.raises(Unsteady, match="too few samples"):
        calibration.steady(None, quiet, 40.0)


# --- how good the scale is ------------------------------------------------------------------------------------------


def test_a_span_that_changed_by_more_than_2_percent_is_warned_of():
    made = calibrate(ONE, CAPACITY_G, (84_000.0,), [one(10_000, 84_000 + 10_000 * 97.5)])
    assert made.span_change == pytest.approx(-0.025)
    (warning,) = made.warnings
    assert "the span of scale-1 changed by -2.5 %" in warning
    assert calibrate(ONE, CAPACITY_G, (84_000.0,), [one(10_000, 84_000 + 10_000 * 98.1)]).warnings == ()


@pytest.mark.parametrize(("off_g", "good"), [(15.0, True), (-25.0, False)])
def test_the_corner_that_differs_most_is_named(off_g, good):
    placings = [one(10_000, 84_000 + 1_000_000), one(10_000, 84_000 + 1_000_300, "front-left")]
    placings.append(one(10_000, 84_000 + 1_000_000 + 100 * off_g, "back-right"))
    made = calibrate(ONE, CAPACITY_G, (84_000.0,), placings)
    assert made.corners is not None
    assert made.corners.worst == "back-right"
    assert made.corners.deviation_g == pytest.approx(off_g, rel=0.01)
    assert made.corners.limit_g == 20.0  # 2 e at 1/3 of the capacity, e = 10 g: OIML R76-1, Table 6 and 3.5.2
    assert made.corners.is_good is good
    assert any("back-right" in warning for warning in made.warnings) is not good


def test_a_corner_without_the_same_weight_in_the_middle_says_nothing():
    placings = [one(10_000, 1_084_000), one(12_000, 1_284_900, "front-left")]
    assert calibrate(ONE, CAPACITY_G, (84_000.0,), placings).corners is None


@pytest.mark.parametrize(("shown_g", "good"), [((0, 5, 12), True), ((0, 15, 25), False)])
def test_the_same_weight_three_times_tells_how_repeatable_the_scale_is(shown_g, good):
    made = calibrate(ONE, CAPACITY_G, (84_000.0,), [one(10_000, 1_084_000 + 100 * g) for g in shown_g])
    found = made.repeatability
    assert found is not None
    assert (found.n, found.is_good) == (3, good)
    assert found.range_g == pytest.approx(shown_g[-1], rel=0.01)
    assert any("same weight 3 times" in warning for warning in made.warnings) is not good


def test_twice_is_no_test_of_repeatability():
    made = calibrate(ONE, CAPACITY_G, (84_000.0,), [one(10_000, 1_084_000), one(10_000, 1_084_500)])
    assert made.repeatability is None


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "left"), [(0, 365), (364.5, 0.5), (365, 0), (400, -35)])
def test_a_calibration_is_due_after_its_days(days, left):
    found = calibration.due(1_000, 1_000 + round(days * 86_400_000), 365)
    assert found.days_left == pytest.approx(left)


def test_a_session_that_was_left_alone_is_over():
    session = Session(Instant(0, 0, "boot"), "anna", (1.0,))
    assert session.is_open(Instant(3_600_000, 0, "boot"))
    assert not session.is_open(Instant(3_600_001, 0, "boot"))
    assert not session.is_open(Instant(5, 0, "another boot"))
