"""The engine against closed forms and against a differential equation solved in small steps with plain numbers."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.spoilage import condition as engine
from edge_agent.spoilage.condition import Condition, exposure, received, stacked, unstacked, used
from edge_agent.spoilage.kinetics import Kinetics
from edge_agent.spoilage.products import shipped, traits
from edge_agent.spoilage.traits import Traits, together
from edge_agent.spoilage.water import Weighed
from tests.spoilage.lots import Air, advanced, lot

HOUR_S = 3600.0
FOUR = (
    Kinetics("q10", 3.0, 4.0),
    Kinetics("arrhenius", 90.0, 4.0),
    Kinetics("square_root", -8.0, 4.0),
    Kinetics("exponential", 0.12, 4.0),
)
BASIL = {
    **{"chill_c": 12.0, "chill_at_c": 5.0, "chill_days": 3.76, "chill_power": 2.4, "life_d": 12.0},
    "chill_hardened": 0.31,
}


def plain_rate(kinetics: Kinetics, at_c: float) -> float:
    """RRS once more, written down by itself."""
    if kinetics.kind == "q10":
        return kinetics.parameter ** ((at_c - kinetics.ref_c) / 10)
    if kinetics.kind == "exponential":
        return math.exp(kinetics.parameter * (at_c - kinetics.ref_c))
    if kinetics.kind == "arrhenius":
        return math.exp(-kinetics.parameter * 1000 / 8.314 * (1 / (at_c + 273.15) - 1 / (kinetics.ref_c + 273.15)))
    return (max(at_c - kinetics.parameter, 0.0) / (kinetics.ref_c - kinetics.parameter)) ** 2


def step_air(at_s: float) -> float:
    return 4.0 if at_s < 6 * HOUR_S else 18.0


def sine_air(at_s: float) -> float:
    return 5.0 + 4.0 * math.sin(2 * math.pi * at_s / (4 * HOUR_S))


def even_air(_: float) -> float:
    return 7.0


def solved(kinetics: Kinetics, air: Callable[[float], float], until_s: float, tau_s: float, life_d: float) -> float:
    """dT/dt = (air - T) / tau and dD/dt = RRS(T) / life, by Runge and Kutta in steps of 20 s."""
    product_c, spoiled, dt_s = 4.0, 0.0, 20.0
    for count in range(round(until_s / dt_s)):
        middle_c = air(count * dt_s + dt_s / 2)  # the air of the step: jumps lie between two steps
        k1 = (middle_c - product_c) / tau_s
        k2 = (middle_c - product_c - k1 * dt_s / 2) / tau_s
        k3 = (middle_c - product_c - k2 * dt_s / 2) / tau_s
        k4 = (middle_c - product_c - k3 * dt_s) / tau_s
        half_c = product_c + k2 * dt_s / 2
        end_c = product_c + (k1 + 2 * k2 + 2 * k3 + k4) * dt_s / 6
        ends = plain_rate(kinetics, product_c) + plain_rate(kinetics, end_c)
        spoiled += (ends + 4 * plain_rate(kinetics, half_c)) * dt_s / 6 / 86400 / life_d
        product_c = end_c
    return spoiled


def followed(
    traits_of_lot: Traits, air: Callable[[float], float], until_s: float, dt_s: float, jump_s: float
) -> Condition:
    """The engine in steps of dt_s; where the air jumps, a step of a second carries the jump."""
    now = received(traits_of_lot, 4.0)
    now = replace(now, air_c=air(0.0))
    marks = sorted({*np.arange(0.0, until_s, dt_s).tolist(), until_s, jump_s, jump_s - 1.0} - {-1.0})
    for before_s, after_s in pairwise(marks):
        now = advanced(now, traits_of_lot, Air(air(after_s)), after_s - before_s)
    return now


@pytest.mark.parametrize("kinetics", FOUR, ids=lambda one: one.kind)
@pytest.mark.parametrize(
    ("air", "dt_s", "jump_s"),
    [(even_air, HOUR_S, 0.0), (step_air, HOUR_S, 6 * HOUR_S), (sine_air, 300.0, 0.0)],
    ids=["even", "step", "sine"],
)
@pytest.mark.parametrize("tau_s", [1500.0, 21600.0])
def test_the_engine_is_within_a_thousandth_of_the_differential_equation(kinetics, air, dt_s, jump_s, tau_s):
    until_s = 24 * HOUR_S
    exact = solved(kinetics, air, until_s, tau_s, life_d=10.0)
    ours = followed(lot(kinetics, tau_s=tau_s), air, until_s, dt_s, jump_s)
    assert ours.growth == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("kinetics", FOUR, ids=lambda one: one.kind)
@pytest.mark.parametrize("lag_share", [0.0, 0.3])
@pytest.mark.parametrize("at_c", [0.0, 4.0, 15.0])
def test_at_an_even_temperature_the_life_is_the_reference_s_over_the_rate(kinetics, lag_share, at_c):
    goods = lot(kinetics, lag_share=lag_share, lag_power=1.4)
    life_d = 10.0 / plain_rate(kinetics, at_c)
    states = engine.start(goods, np.array([at_c]))
    for _ in range(100):
        states = engine.advance(states, goods, np.array([at_c]), np.array([nan]), life_d * 864.0)
    assert used(states, goods)[0] == pytest.approx(1.0, rel=1e-3)


@given(st.floats(-2, 25), st.floats(-2, 25), st.floats(600, 86400), st.sampled_from(FOUR))
@settings(max_examples=15, deadline=None)
def test_one_long_step_is_many_short_ones(before_c, after_c, tau_s, kinetics):
    goods = lot(kinetics, tau_s=tau_s)
    begin = replace(received(goods, before_c), air_c=after_c)
    at_once = advanced(begin, goods, Air(after_c), 12 * HOUR_S)
    slowly = begin
    for _ in range(72):
        slowly = advanced(slowly, goods, Air(after_c), 600.0)
    assert at_once.growth == pytest.approx(slowly.growth, rel=1e-3)
    assert at_once.product_c == pytest.approx(slowly.product_c, abs=1e-6)


def test_lots_in_company_age_as_they_do_alone():
    catalog = shipped()
    names = ("strawberry", "milk_pasteurised", "basil", "chicken_raw_aerobic", "lettuce_crisphead")
    rows = [traits(catalog.named(name)) for name in names]
    company = engine.start(together(rows), np.array([4.0, 5.0, 6.0, 7.0, 8.0]))
    alone = [received(row, at_c) for row, at_c in zip(rows, (4.0, 5.0, 6.0, 7.0, 8.0), strict=True)]
    for hour in range(30):
        air_c = np.array([3.0, 9.0 if hour > 12 else 4.0, nan if hour == 20 else 2.0, 14.0, -1.0])
        rh_pct = np.array([90.0, nan, 80.0, 95.0, 60.0])
        company = engine.advance(company, together(rows), air_c, rh_pct, HOUR_S)
        airs = [
            Air(None if c != c else float(c), None if rh != rh else float(rh))
            for c, rh in zip(air_c, rh_pct, strict=True)
        ]
        alone = [advanced(one, row, air, HOUR_S) for one, row, air in zip(alone, rows, airs, strict=True)]
    np.testing.assert_allclose(company.table, stacked(alone).table, rtol=1e-9, atol=1e-12)


def test_early_abuse_costs_poultry_more_than_late_abuse():
    """Bruckner 2012: at 15 °C for under 5 % of the time, early: up to a third of the life; additive damage: 14 %."""
    goods = traits(shipped().named("chicken_raw_aerobic"), tau_s=600.0)

    def life_h(abuse_after_h: float) -> float:
        states, spent_h = engine.start(goods, np.array([4.0])), 0.0
        while used(states, goods)[0] < 1.0:
            at_c = 15.0 if abuse_after_h <= spent_h < abuse_after_h + 5 else 4.0
            states = engine.advance(states, goods, np.array([at_c]), np.array([nan]), HOUR_S)
            spent_h += 1.0
        return spent_h

    steady, early, late = life_h(1e9), life_h(2), life_h(80)
    assert 0.20 < 1 - early / steady < 0.35
    assert 0.05 < 1 - late / steady < 0.14


def test_basil_keeps_a_day_at_0_three_at_5_twelve_at_15_and_a_hardened_one_longer():
    goods = lot(Kinetics("q10", 2.0, 15.0), **BASIL, tau_s=600.0)

    def life_d(*air: tuple[float, float]) -> float:
        states, spent_h = engine.start(goods, np.array([air[0][0]])), 0.0
        for at_c, until_h in air:
            while spent_h < until_h and used(states, goods)[0] < 1.0:
                states = engine.advance(states, goods, np.array([at_c]), np.array([nan]), HOUR_S)
                spent_h += 1.0
        return spent_h / 24

    assert life_d((0.0, 1e4)) == pytest.approx(1.0, abs=0.15)
    assert life_d((5.0, 1e4)) == pytest.approx(3.25, abs=0.3)
    assert life_d((15.0, 1e4)) == pytest.approx(12.0, abs=0.3)
    assert 8.0 <= life_d((10.0, 24.0), (5.0, 1e4)) <= 9.0  # Lange & Cameron 1997


def test_a_short_chill_within_the_grace_heals_in_the_warmth():
    goods = lot(chill_c=10.0, chill_at_c=4.0, chill_days=8.0, chill_grace=0.25, tau_s=600.0)
    chilled = received(goods, 4.0)
    for _ in range(24):
        chilled = advanced(chilled, goods, Air(4.0), HOUR_S)
    warmed = chilled
    for _ in range(48):
        warmed = advanced(warmed, goods, Air(13.0), HOUR_S)
    assert chilled.chill == pytest.approx(1 / 8, rel=0.02)
    assert warmed.chill < chilled.chill / 2


def test_what_was_not_measured_counts_as_the_upper_ninety_percent_of_the_last_days():
    goods = lot(tau_s=600.0)
    now = received(goods, 4.0)
    for hour in range(48):
        now = advanced(now, goods, Air(3.0 if hour % 2 else 6.0), HOUR_S)
    unmeasured = advanced(now, goods, Air(None), HOUR_S)
    measured = advanced(now, goods, Air(4.5), HOUR_S)
    assert unmeasured.air_c > 5.0
    assert unmeasured.growth - now.growth > measured.growth - now.growth
    assert unmeasured.blind_h == 1.0
    assert exposure(stacked([unmeasured]))["blind_share_72"][0] > 0.015


def test_the_first_reading_ever_missing_takes_the_goods_own_temperature():
    goods = lot()
    assert advanced(received(goods, 4.0), goods, Air(None), HOUR_S).product_c == pytest.approx(4.0)


def test_recent_days_are_told_by_their_means_and_extremes():
    goods = lot(tau_s=60.0)
    now = received(goods, 4.0)
    for _ in range(20 * 24):
        now = advanced(now, goods, Air(4.0), HOUR_S)
    for _ in range(4):
        now = advanced(now, goods, Air(12.0), HOUR_S)
    seen = {name: values[0] for name, values in exposure(stacked([now])).items()}
    assert seen["age_h"] == 484.0
    assert seen["mean_c_72"] < seen["mean_c_24"] < seen["mean_c_6"] < 12.0
    assert seen["max_c_6"] == pytest.approx(12.0, abs=0.01)
    assert seen["rate_per_d_6"] > seen["rate_per_d_72"] > 0.1
    assert seen["hours_above_8"] == pytest.approx(3.5, abs=0.1)  # the first of the four hours is the air's rise
    assert seen["hours_above_5"] > seen["hours_above_8"]
    assert seen["hours_below_0"] == seen["hours_chilled"] == 0.0


def test_a_young_lot_has_the_plain_mean_of_what_it_saw():
    goods = lot(tau_s=60.0)
    now = replace(received(goods, 8.0), air_c=8.0)
    for _ in range(3):
        now = advanced(now, goods, Air(8.0), HOUR_S)
    seen = exposure(stacked([now]))
    assert seen["mean_c_72"][0] == pytest.approx(8.0)
    assert seen["sd_c_72"][0] == pytest.approx(0.0, abs=1e-4)
    assert exposure(stacked([received(goods, 8.0)]))["mean_c_24"][0] == 8.0


def test_hours_below_zero_and_below_the_freezing_point_are_counted_apart():
    goods = lot(tau_s=1.0, freeze_c=-2.0)
    now = replace(received(goods, -1.0), air_c=-1.0)
    now = advanced(now, goods, Air(-1.0), HOUR_S)
    assert (now.below_0_h, now.frozen_h) == (1.0, 0.0)


def test_bare_lettuce_in_dry_air_withers_and_bagged_lettuce_does_not():
    bare = lot(transpiration=7400.0, most_loss_pct=3.0)
    bagged = lot(transpiration=222.0, most_loss_pct=3.0)
    days = {
        name: advanced(received(goods, 2.0), goods, Air(2.0, 85.0), 12 * HOUR_S)
        for name, goods in (("bare", bare), ("bagged", bagged))
    }
    assert days["bare"].lost_pct == pytest.approx(3.15, rel=0.05)  # 6.3 % a day at a deficit of 0.099 kPa
    assert used(stacked([days["bare"]]), bare)[0] > 1.0
    assert used(stacked([days["bagged"]]), bagged)[0] < 0.1


def test_the_scale_teaches_a_lot_its_own_transpiration_and_puts_the_loss_right():
    goods = lot(transpiration=1000.0, most_loss_pct=5.0)
    now = advanced(received(goods, 4.0), goods, Air(4.0, 85.0), 24 * HOUR_S)
    expected = now.lost_pct
    told = engine.weighed(now, goods, Weighed(3 * expected, 0.02), over_d=1.0)
    assert told.factor == pytest.approx(3.0, abs=0.1)
    assert told.lost_pct == pytest.approx(3 * expected)
    tomorrow = advanced(told, goods, Air(4.0, 85.0), 24 * HOUR_S)
    assert tomorrow.lost_pct - told.lost_pct == pytest.approx(3 * expected, rel=0.05)
    assert exposure(stacked([told]))["loss_se_pct_d"][0] == 0.02


def test_a_condition_survives_the_memory():
    goods = traits(shipped().named("strawberry"))
    now = received(goods, 4.0, used=0.2)
    for hour in range(5):
        now = advanced(now, goods, Air(4.0 + hour, 90.0), HOUR_S)
    back = engine.read(engine.written(now))
    np.testing.assert_allclose(stacked([back]).table, stacked([now]).table, rtol=1e-6)
    assert len(str(engine.written(now))) < 600  # 200 lots by the hour must stay small


@pytest.mark.parametrize("row", [None, [], [1, 2.0], [2] + [0.0] * 34, [1, "4.0"] + [0.0] * 33, {"product_c": 4.0}])
def test_a_condition_that_cannot_be_read_says_so(row):
    with pytest.raises(ValueError, match="condition"):
        engine.read(row)


def test_no_time_changes_nothing_and_too_much_at_once_is_refused():
    goods = lot()
    now = received(goods, 4.0)
    assert unstacked(engine.advance(stacked([now]), goods, np.array([9.0]), np.array([nan]), 0.0))[0].growth == 0.0
    with pytest.raises(ValueError, match="at most"):
        advanced(now, goods, Air(4.0), 31 * 86400.0)
    with pytest.raises(ValueError, match="must be a temperature"):
        received(goods, nan)


@given(st.lists(st.tuples(st.floats(-25, 40), st.floats(1, 100), st.floats(1, 90000)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_no_air_ever_makes_goods_fresher_or_a_number_unreal(steps):
    goods = together([traits(shipped().named(name)) for name in ("cucumber", "fish_temperate_fresh", "parsley")])
    states = engine.start(goods, np.array([5.0, 2.0, 20.0]))
    for air_c, rh_pct, dt_s in steps:
        after = engine.advance(states, goods, np.full(3, air_c), np.full(3, rh_pct), dt_s)
        assert (after.of("growth") >= states.of("growth")).all()
        assert (after.of("lost_pct") >= states.of("lost_pct")).all()
        known = [name for name in engine.FIELDS if not name.startswith("weighed")]
        assert np.isfinite(np.array([after.of(name) for name in known])).all()
        states = after
