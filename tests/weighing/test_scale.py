import pytest

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading
from edge_agent.weighing import scale
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import CellSettings, ShelfSettings

LEFT = CellSettings("left", zero_counts=1000, counts_per_gram=100.0)
RIGHT = CellSettings("right", zero_counts=-500, counts_per_gram=-50.0)
SHELF = ShelfSettings("shelf-1", (LEFT, RIGHT), capacity_g=10_000, stable_g=5, stable_s=2)


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def counts(value: float | None, quality: Quality = Quality.GOOD, fault: str | None = None) -> Reading:
    return Reading(Channel("shelf-1", "counts"), value, at(0), quality, fault)


def weighed(*grams: float, step_s: float = 0.5):
    """The trail after weights at even steps."""
    trail = ()
    for i, gross_g in enumerate(grams):
        trail = scale.follow(trail, scale.Weighing(at(i * step_s), gross_g, gross_g, Quality.GOOD), SHELF.stable_s)
    return trail


def test_gross_is_the_sum_of_the_cells_less_the_zero_and_net_is_gross_less_the_tare():
    state = ScaleState(tare_g=100.0, zero_g=3.0)
    weighing = scale.weigh(SHELF, state, {"left": counts(51_000), "right": counts(-25_500)}, at(0))
    assert (weighing.gross_g, weighing.net_g, weighing.quality) == (997.0, 897.0, Quality.GOOD)


@pytest.mark.parametrize(
    ("readings", "fault"),
    [
        ({"left": counts(51_000)}, "no-reading"),
        ({"left": counts(51_000), "right": counts(None, Quality.BAD, "saturated")}, "saturated"),
        ({"left": counts(2_000_000), "right": counts(-500)}, "overload"),
        ({"left": counts(-30_000), "right": counts(-500)}, "underload"),
    ],
)
def test_a_part_of_the_load_that_is_not_known_makes_the_weight_bad_and_never_a_number(readings, fault):
    weighing = scale.weigh(SHELF, ScaleState(), readings, at(0))
    assert (weighing.gross_g, weighing.net_g, weighing.quality, weighing.fault) == (None, None, Quality.BAD, fault)


def test_an_unconfirmed_cell_makes_the_sum_uncertain():
    readings = {"left": counts(1000), "right": counts(-500, Quality.UNCERTAIN)}
    assert scale.weigh(SHELF, ScaleState(), readings, at(0)).quality is Quality.UNCERTAIN


@pytest.mark.parametrize(
    ("grams", "step_s", "stable"),
    [
        ((500, 501, 502, 500, 501), 0.5, True),
        ((500, 501, 502), 0.5, False),  # only one second yet
        ((500, 501, 520, 501, 500), 0.5, False),
        ((500, 900, 500.2, 500.1, 500, 500, 500.3, 500), 0.5, True),  # the elbow has left the window
        ((14_000, 14_003), 300.0, True),  # one reading in five minutes
        ((14_000, 14_300), 300.0, False),
        ((), 1.0, False),
    ],
)
def test_stable_goes_by_time_and_not_by_the_number_of_readings(grams, step_s, stable):
    assert scale.is_stable(weighed(*grams, step_s=step_s), SHELF) is stable


def test_a_bad_weight_breaks_the_trail():
    trail = weighed(500, 500, 500, 500, 500)
    bad = scale.Weighing(at(2.5), None, None, Quality.BAD, "saturated")
    assert scale.follow(trail, bad, SHELF.stable_s) == ()


def test_zero_takes_away_what_the_empty_platform_shows():
    assert scale.zero(ScaleState(zero_g=10), 25.0, SHELF.capacity_g).zero_g == 35.0


@pytest.mark.parametrize(("already_g", "shown_g"), [(0, 201), (0, -201), (150, 60)])
def test_zero_refuses_more_than_2_percent_of_full_scale_in_total(already_g, shown_g):
    with pytest.raises(ValueError, match="at most 200 g"):
        scale.zero(ScaleState(zero_g=already_g), shown_g, SHELF.capacity_g)


def test_a_tare_forgets_the_count_and_a_count_holds_only_while_the_weight_does():
    state = scale.counted(ScaleState(), 12, now_net_g=1200.0)
    assert scale.units_now(state, 1203.0, stable_g=5) == 12
    assert scale.units_now(state, 1100.0, stable_g=5) is None
    assert scale.units_now(state, None, stable_g=5) is None
    assert scale.tare(state, 300.0) == ScaleState(tare_g=300.0)
