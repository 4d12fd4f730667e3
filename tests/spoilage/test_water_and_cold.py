"""Drying by the vapour pressure and by the scale; injury by cold; a neighbour's ethylene; the goods' own warmth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.thermal import followed
from edge_agent.spoilage.chilling import Chilling, dose_rate, dosed, hardens, injury
from edge_agent.spoilage.ethylene import Effect, Neighbour, effect
from edge_agent.spoilage.products import shipped
from edge_agent.spoilage.thermal import PACKS, course_c, pack_named
from edge_agent.spoilage.water import (
    Factor,
    Weighed,
    deficit_kpa,
    learnt,
    loss_pct_d,
    saturation_kpa,
    slope,
)

CATALOG = shipped()


@given(st.floats(-20, 40), st.floats(-20, 40), st.floats(-20, 40), st.floats(1, 1e5), st.floats(1, 1e5))
def test_many_goods_follow_the_air_as_one_does(before_c, air_before_c, air_c, after_s, tau_s):
    many = course_c(
        np.array([before_c]), np.array([air_before_c]), np.array([air_c]), after_s, np.array([tau_s]), after_s
    )
    assert many[0] == pytest.approx(followed(before_c, air_before_c, air_c, after_s, tau_s), abs=1e-6)


def test_every_pack_says_where_its_numbers_are_from():
    assert all(pack.source and pack.tau_s > 0 and 0 <= pack.transpires <= 1 for pack in PACKS.values())
    with pytest.raises(ValueError, match='pack = "basket"'):
        pack_named("basket")


@pytest.mark.parametrize(("at_c", "kpa"), [(0.0, 0.611), (10.0, 1.228), (25.0, 3.169)])
def test_saturation_is_the_tables(at_c, kpa):
    assert float(saturation_kpa(np.array(at_c))) == pytest.approx(kpa, rel=0.003)


def test_goods_warmer_than_the_air_dry_faster_and_wet_air_dries_nothing():
    two, eight, humid = np.array(2.0), np.array(8.0), np.array(90.0)
    assert deficit_kpa(eight, two, humid) > 3 * deficit_kpa(two, two, humid)
    assert deficit_kpa(two, eight, np.array(99.0)) == 0.0


def test_bare_lettuce_loses_percents_and_a_potato_hundredths():
    assert float(loss_pct_d(np.array(7400.0), np.array(0.106))) == pytest.approx(6.8, rel=0.01)
    assert float(loss_pct_d(np.array(44.0), np.array(0.106))) == pytest.approx(0.04, rel=0.05)


@given(st.floats(0.1, 8.0), st.floats(500, 20000), st.floats(0.1, 5.0))
def test_the_slope_of_a_drying_lot_is_found_with_its_error(pct_d, grams, noise_g):
    days = [hour / 24 for hour in range(0, 49, 4)]
    weights = [grams * (1 - pct_d / 100 * day) for day in days]
    seen = slope(days, weights, noise_g)
    assert seen is not None
    assert seen.loss_pct_d == pytest.approx(pct_d, abs=1e-3)
    assert seen.se_pct_d > 0


def test_too_few_weights_say_nothing_and_unequal_lists_are_refused():
    assert slope([0.0, 1.0], [10.0, 9.0], 1.0) is None
    assert slope([1.0, 1.0, 1.0], [10.0, 9.0, 8.0], 1.0) is None
    with pytest.raises(ValueError, match="must be as many"):
        slope([0.0, 1.0, 2.0], [10.0], 1.0)


def test_a_sure_scale_overrules_the_table_and_an_unsure_one_hardly():
    sure = learnt(Factor(), Weighed(4.0, 0.05), expected_pct_d=1.0)
    unsure = learnt(Factor(), Weighed(4.0, 20.0), expected_pct_d=1.0)
    assert sure.mean == pytest.approx(4.0, abs=0.05)
    assert sure.sd < 0.1
    assert unsure.mean == pytest.approx(1.03, abs=0.05)
    assert learnt(sure, Weighed(2.0, 0.05), 1.0).mean == pytest.approx(3.0, abs=0.05)  # two alike: their mean
    assert learnt(Factor(), Weighed(-3.0, 0.01), 1.0).mean > 0  # goods never gain


def test_the_deeper_below_the_threshold_the_steeper_the_injury():
    cucumber = tuple(map(np.array, (10.0, 4.0, 8.0, 2.0)))
    at_4, at_7, at_12 = (float(dose_rate(np.array(at_c), *cucumber)) for at_c in (4.0, 7.0, 12.0))
    assert at_4 == pytest.approx(1 / 8)
    assert at_7 == pytest.approx(at_4 / 4)
    assert at_12 == 0.0
    assert float(dose_rate(np.array(-1.0), *(np.array(np.nan),) * 3, np.array(2.0))) == 0.0


def test_within_the_grace_nothing_is_seen_and_the_warmth_heals_it_beyond_it_stays():
    grace = np.array(0.3)
    assert float(injury(np.array(0.29), grace)) == 0.0
    assert float(injury(np.array(1.0), grace)) == pytest.approx(1.0)
    assert float(dosed(np.array(0.2), np.array(0.0), np.array(2.0), grace)) < 0.1
    assert float(dosed(np.array(0.5), np.array(0.0), np.array(2.0), grace)) == 0.5


def test_goods_harden_only_a_little_below_their_threshold():
    basil = np.array(12.0)
    assert [bool(hardens(np.array(at_c), basil)) for at_c in (5.0, 9.0, 12.5, 15.0)] == [False, True, True, False]


@pytest.mark.parametrize("wrong", [{"at_c": 12.0}, {"days": 0.0}, {"grace": 1.0}, {"hardened": 0.0}])
def test_an_impossible_injury_is_refused(wrong):
    with pytest.raises(ValueError):
        Chilling(**{"threshold_c": 12.0, "days": 3.0, "at_c": 5.0, **wrong})


def neighbours(*names: str, is_beside: bool = True) -> list[Neighbour]:
    return [Neighbour(CATALOG.named(name), is_beside) for name in names]


def test_apples_beside_broccoli_halve_its_life_in_the_warmth_and_do_little_in_the_cold():
    broccoli = CATALOG.named("broccoli")
    assert effect(broccoli, neighbours("apple"), 10.0) == Effect(0.5, "ethylene:apple")
    assert effect(broccoli, neighbours("apple"), 0.0).factor > 0.85
    assert effect(broccoli, neighbours("apple"), 10.0).faster == 2.0
    across_the_room = effect(broccoli, neighbours("apple", is_beside=False), 10.0)
    assert 0.8 < across_the_room.factor < 0.9


def test_the_strongest_producer_is_named_and_the_harm_has_an_end():
    found = effect(CATALOG.named("cucumber"), neighbours("pear", "apple", "peach", "apple"), 12.0)
    assert found == Effect(0.5, "ethylene:apple")


def test_of_one_producer_in_two_places_the_nearer_counts():
    cucumber = CATALOG.named("cucumber")
    beside = neighbours("pear")
    for both in ((*beside, *neighbours("pear", is_beside=False)), (*neighbours("pear", is_beside=False), *beside)):
        assert effect(cucumber, both, 12.0) == effect(cucumber, beside, 12.0)


@pytest.mark.parametrize(
    ("goods", "beside"),
    [
        ("strawberry", ("apple",)),
        ("broccoli", ("milk_pasteurised", "carrot_cello")),
        ("apple", ("apple",)),
        ("kale", ()),
    ],
)
def test_goods_that_do_not_care_or_have_no_producer_beside_them_lose_nothing(goods, beside):
    assert effect(CATALOG.named(goods), neighbours(*beside), 10.0).reason is None
