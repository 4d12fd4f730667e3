"""From the net's outputs to quantiles: zero is the physics, and nothing ever crosses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.shelf_life import LEVELS
from edge_agent.spoilage.condition import advance, start
from edge_agent.spoilage.features import GROUPS, LONGEST_D, NAMES, Outlook, rest_d, rows
from edge_agent.spoilage.kinetics import Kinetics
from edge_agent.spoilage.net import OUTPUTS, WATER_SD, Physics, Z, days, physics, quantiles_ln, spoiled_within
from edge_agent.spoilage.products import shipped, traits
from edge_agent.spoilage.traits import together
from tests.spoilage.lots import lasted_d, lot

CATALOG = shipped()
PRODUCTS = [CATALOG.named(name) for name in CATALOG.products()]
LOTS = together([traits(product) for product in PRODUCTS])
COUNT = len(PRODUCTS)


def outlook(air_c: float = 5.0, life_sd: float | None = None) -> Outlook:
    sd = [product.life_sd for product in PRODUCTS] if life_sd is None else [life_sd] * COUNT
    slope = np.array([product.slope_sd for product in PRODUCTS])
    return Outlook(np.full(COUNT, air_c), np.array(sd), slope, np.zeros(COUNT, dtype=np.int64))


def lain(hours: int, air_c: float):
    states = start(LOTS, np.full(COUNT, air_c))
    for _ in range(hours):
        states = advance(states, LOTS, np.full(COUNT, air_c), np.full(COUNT, 90.0), 3600.0)
    return states


@pytest.mark.parametrize("air_c", [0.0, 5.0, 14.0])
def test_the_closed_form_of_the_physics_is_its_step_by_step_forecast(air_c: float) -> None:
    """But for the hours in which the goods come to the forecast's temperature."""
    states, view = lain(24, air_c), outlook(air_c)
    sd = np.hypot(view.life_sd, view.slope_sd * (view.forecast_c - LOTS.ref_c) / 10)
    step_by_step = np.stack([lasted_d(states, LOTS, air_c, np.exp(z * sd), np.exp(z * WATER_SD), LONGEST_D) for z in Z])
    at_once = days(quantiles_ln(physics(states, LOTS, view), np.zeros((COUNT, len(LEVELS))))).T
    assert at_once[2] == pytest.approx(step_by_step[2], rel=0.02, abs=0.05)
    assert np.abs(np.log((at_once + 0.25) / (step_by_step + 0.25))).max() < 0.1


def told(goods, air_c: float, used: float = 0.0, sd: float = 0.3) -> np.ndarray:
    """Remaining days of one lot at LEVELS, by the physics."""
    one = np.array([air_c])
    view = Outlook(one, np.array([sd]), np.array([0.25]), np.zeros(1, dtype=np.int64))
    base = physics(start(goods, one, used), goods, view)
    return days(quantiles_ln(base, np.zeros((1, len(OUTPUTS)))))[0]


@pytest.mark.parametrize("used", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("lag_share", [0.0, 0.3])
def test_in_even_air_what_is_left_is_the_rest_of_the_life(used: float, lag_share: float) -> None:
    goods = lot(Kinetics("q10", 3.0, 0.0), lag_share=lag_share, lag_power=1.0)
    assert told(goods, 10.0, used)[2] == pytest.approx((1 - used) * 10.0 / 3.0, rel=2e-3, abs=1e-4)


def test_goods_that_hardly_age_end_at_the_longest_life_told() -> None:
    assert told(lot(life_d=5000.0), 4.0)[2] == pytest.approx(LONGEST_D)


def test_the_band_is_log_normal_about_the_life_and_wider_away_from_the_reference() -> None:
    low, *_, high = told(lot(Kinetics("q10", 3.0, 4.0)), 4.0)
    assert [low, high] == pytest.approx([10 * np.exp(0.3 * z) for z in (Z[0], Z[-1])], rel=0.01)
    away = told(lot(Kinetics("q10", 3.0, 4.0)), 24.0)
    assert np.log(away[-1] / away[0]) > 1.4 * np.log(high / low)


def test_a_used_up_lot_may_be_over_already_and_never_lasts_less_than_nothing() -> None:
    lives = told(lot(), 4.0, used=0.9)
    assert lives[0] == 0.0
    assert lives.tolist() == sorted(lives.tolist())


def test_lettuce_that_dries_ends_by_its_water_before_it_ages() -> None:
    goods = lot(Kinetics("q10", 3.0, 0.0), life_d=24.0, transpiration=7400.0, most_loss_pct=3.0, tau_s=600.0)
    low, _, middle, *_ = told(goods, 2.0)
    assert middle == pytest.approx(0.74, abs=0.05)  # 7400 x 0.064 kPa (90 % RH) x 8.64e-3 = 4.1 % a day, 3 % to lose
    assert low < 0.6 * middle  # handbooks do not agree on how fast it dries


def test_basil_is_told_the_cold_that_is_coming() -> None:
    goods = traits(CATALOG.named("basil"))
    assert told(goods, 3.0)[2] < told(goods, 13.0)[2] / 3


def test_outputs_of_zero_are_the_physics() -> None:
    states, view = lain(12, 5.0), outlook()
    ln_days = quantiles_ln(physics(states, LOTS, view), np.zeros((COUNT, len(OUTPUTS))))
    assert days(ln_days)[:, 2] == pytest.approx(rest_d(states, LOTS, view.forecast_c), abs=1e-6)


@given(
    st.lists(st.floats(-20, 20), min_size=len(OUTPUTS), max_size=len(OUTPUTS)),
    st.floats(0, 300),
    st.lists(st.floats(0.01, 2), min_size=4, max_size=4),
)
def test_quantiles_never_cross_and_probabilities_rise(outputs: list[float], rest: float, gaps: list[float]) -> None:
    ln_days = quantiles_ln(Physics(np.array([rest]), np.array([gaps])), np.array([outputs]))
    assert np.all(np.diff(ln_days) > 0)
    assert np.all(np.diff(days(ln_days)) >= 0)
    chances = [float(spoiled_within(ln_days, horizon)[0]) for horizon in (0.5, 1, 2, 3, 30)]
    assert chances == sorted(chances)
    assert 0 <= chances[0] <= chances[-1] <= 1


def test_the_chance_at_a_quantile_is_its_level() -> None:
    ln_days = np.log(np.array([[2.0, 3.0, 4.0, 6.0, 9.0]]) + 0.25)
    told = [float(spoiled_within(ln_days, horizon)[0]) for horizon in (2.0, 3.0, 4.0, 6.0, 9.0)]
    assert told == pytest.approx(LEVELS)


def test_a_row_has_a_finite_number_for_every_name_whatever_the_goods() -> None:
    for hours, air_c in ((0, 5.0), (48, 25.0), (300, -2.0)):
        states, view = lain(hours, air_c), outlook(air_c)
        table = rows(states, LOTS, view, rest_d(states, LOTS, view.forecast_c))
        assert table.shape == (COUNT, len(NAMES))
        assert np.isfinite(table).all()


def test_the_inputs_tell_groups_temperatures_and_age_apart() -> None:
    cold, warm = lain(6, 4.0), lain(30, 9.0)
    view = outlook()
    names = [name for name, _ in NAMES]
    first, second = (rows(states, LOTS, view, rest_d(states, LOTS, view.forecast_c)) for states in (cold, warm))
    for name in ("used", "ln_age", "mean_c_24", "rate_24", "above_5", "above_8", "ln_rest"):
        assert not np.allclose(first[:, names.index(name)], second[:, names.index(name)]), name
    assert first[:, names.index(f"is_{GROUPS[0]}")].tolist() == [1.0] * COUNT
