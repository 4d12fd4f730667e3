"""Remaining days by the physics: closed forms, what the forecast does to them, and the band."""

from math import exp, nan
from statistics import NormalDist

import numpy as np
import pytest

from edge_agent.domain.shelf_life import HORIZONS_H, LEVELS
from edge_agent.spoilage import condition as engine
from edge_agent.spoilage.kinetics import Kinetics
from edge_agent.spoilage.products import shipped, traits
from edge_agent.spoilage.remaining import (
    LONGEST_D,
    Outlook,
    Spread,
    ahead,
    capped,
    constant,
    deviation,
    p_spoiled,
    quantiles_d,
    together_sd,
    widened,
)
from edge_agent.spoilage.traits import together
from tests.spoilage.lots import lot

MEDIAN = LEVELS.index(0.5)
SURE = Spread(np.array([1e-6]), np.array([0.0]), np.array([0.0]))
USUAL = Spread(np.array([0.3]), np.array([0.25]), np.array([0.5]))


def median_d(goods, at_c: float, used: float = 0.0, outlook: Outlook | None = None) -> float:
    states = engine.start(goods, np.array([at_c]), used)
    future = ahead(states, goods, outlook or constant(at_c, 95.0))
    return float(quantiles_d(future, np.array([1e-6]))[MEDIAN, 0])


@pytest.mark.parametrize("used", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("lag_share", [0.0, 0.3])
def test_in_even_air_what_is_left_is_the_rest_of_the_life(used, lag_share):
    goods = lot(Kinetics("q10", 3.0, 0.0), lag_share=lag_share, lag_power=1.0)
    assert median_d(goods, 10.0, used) == pytest.approx((1 - used) * 10.0 / 3.0, rel=2e-3)


def test_goods_that_step_into_colder_air_are_soon_as_cold():
    goods = lot(Kinetics("q10", 3.0, 0.0), tau_s=60.0)
    states = engine.start(goods, np.array([20.0]))
    for outlook in (constant(0.0, 95.0), Outlook(np.zeros(3), np.array([95.0]))):
        days = float(quantiles_d(ahead(states, goods, outlook), np.array([1e-6]))[MEDIAN, 0])
        assert days == pytest.approx(10.0, rel=2e-3)


def test_a_warm_afternoon_that_is_forecast_shortens_the_life_by_what_it_uses():
    goods = lot(Kinetics("q10", 3.0, 4.0), tau_s=60.0)
    profile = np.array([4.0] * 12 + [24.0] * 12 + [4.0] * 24)
    warm = median_d(goods, 4.0, outlook=Outlook(profile, np.array([95.0])))
    assert warm == pytest.approx(10.0 - 0.5 * (9.0 - 1.0), rel=0.02)  # 12 h at the ninefold rate


def test_goods_that_hardly_age_end_at_the_longest_life_told():
    assert median_d(lot(life_d=5000.0), 4.0) == LONGEST_D


def test_the_band_is_log_normal_about_the_rest_and_wider_away_from_the_reference():
    goods = lot(Kinetics("q10", 3.0, 4.0))
    future = ahead(engine.start(goods, np.array([4.0])), goods, constant(4.0, 95.0))
    low, *_, high = quantiles_d(future, np.array([0.3]))[:, 0]
    z = NormalDist().inv_cdf(0.95)
    assert low == pytest.approx(10 * exp(-0.3 * z), rel=0.01)
    assert high == pytest.approx(10 * exp(0.3 * z), rel=0.01)
    at_reference, away = (float(deviation(goods, USUAL, np.array([at_c]))[0]) for at_c in (4.0, 24.0))
    assert at_reference == pytest.approx(together_sd(0.3, 0.5 * 0.11), rel=0.01)
    assert away > 1.5 * at_reference


def test_a_used_up_lot_may_be_over_already_and_never_lasts_less_than_nothing():
    goods = lot()
    states = engine.start(goods, np.array([4.0]), 0.9)
    days = quantiles_d(ahead(states, goods, constant(4.0)), np.array([0.3]))[:, 0]
    assert days[0] == 0.0
    assert days.tolist() == sorted(days.tolist())


def test_the_risk_rises_with_the_time_and_with_the_share_used():
    goods = together([lot(), lot(), lot()])
    states = engine.start(goods, np.array([4.0] * 3), np.array([0.1, 0.8, 1.3]))
    risks = p_spoiled(ahead(states, goods, constant(4.0, 95.0)), np.full(3, 0.3))
    assert risks.shape == (len(HORIZONS_H), 3)
    assert (np.diff(risks, axis=0) >= 0).all()
    assert risks[0, 0] < 0.01
    assert 0.2 < risks[0, 1] < 0.6
    assert risks[0, 2] > 0.8


def test_the_risk_agrees_with_the_quantiles():
    goods = lot(life_d=6.0)
    future = ahead(engine.start(goods, np.array([4.0]), 0.5), goods, constant(4.0, 95.0))
    days = quantiles_d(future, np.array([0.35]))[MEDIAN, 0]
    assert p_spoiled(future, np.array([0.35]), (days * 24,))[0, 0] == pytest.approx(0.5, abs=0.01)


def test_lettuce_that_dries_ends_by_its_water_before_it_ages():
    goods = lot(Kinetics("q10", 3.0, 0.0), life_d=24.0, transpiration=7400.0, most_loss_pct=3.0, tau_s=600.0)
    states = engine.start(goods, np.array([2.0]))
    days = quantiles_d(ahead(states, goods, constant(2.0, 85.0)), np.array([0.25]))
    assert days[MEDIAN, 0] == pytest.approx(0.47, abs=0.05)
    assert days[0, 0] < 0.6 * days[MEDIAN, 0]  # handbooks do not agree on how fast it dries


def test_basil_is_told_the_cold_that_is_coming():
    goods = traits(shipped().named("basil"))
    states = engine.start(goods, np.array([13.0]))
    mild, cold = (
        quantiles_d(ahead(states, goods, constant(at_c, 95.0)), np.array([0.2]))[MEDIAN, 0] for at_c in (13.0, 3.0)
    )
    assert cold < mild / 3


def test_a_use_by_date_is_never_lengthened():
    assert capped((0.5, 2.0, 9.0), 1.5) == (0.5, 1.5, 1.5)
    assert capped((0.5, 2.0), -3.0) == (0.0, 0.0)


def test_a_band_never_gets_narrower_by_falling_back():
    assert widened(0.3, 1.5) == pytest.approx(0.45)
    with pytest.raises(ValueError, match="1 or more"):
        widened(0.3, 0.9)


@pytest.mark.parametrize("air_c", [[], [4.0, nan]])
def test_a_forecast_that_knows_nothing_is_refused(air_c):
    goods = lot()
    with pytest.raises(ValueError, match="air_c"):
        ahead(engine.start(goods, np.array([4.0])), goods, Outlook(np.array(air_c), np.array([90.0])))
