"""Days that ran out of stock: what would have been sold, on simulated demand whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from edge_agent.demand.recovery import recovered, share_before

SERIES, DAYS, LATE = 200, 150, slice(60, None)


def _simulated(level: float, stocked: float) -> tuple[np.ndarray, ...]:
    """(demand, sold, ran out, share of demand before that): weekdays, spread between days, Poisson within them."""
    generator = np.random.default_rng(3)
    week = np.array([0.7, 0.8, 0.9, 1, 1.3, 1.6, 0.5])[np.arange(DAYS) % 7]
    mean = level * week * generator.uniform(0.6, 1.5, (SERIES, 1))
    demand = generator.poisson(generator.gamma(11.0, mean / 11.0)).astype(float)
    stock = np.ceil(stocked * mean + 0.3 * np.sqrt(mean))
    ran_out = demand >= stock
    share = np.full(demand.shape, np.nan)
    last = generator.beta(stock, np.maximum(demand - stock + 1, 1))  # when the stock-th of so many customers came
    share[ran_out] = last[ran_out]
    return demand, np.minimum(demand, stock), ran_out, share


def _bias(found: np.ndarray, demand: np.ndarray) -> float:
    return float((found - demand)[:, LATE].sum() / demand[:, LATE].sum())


def _error(found: np.ndarray, demand: np.ndarray, ran_out: np.ndarray) -> float:
    return float(np.abs(found - demand)[:, LATE][ran_out[:, LATE]].mean())


@pytest.mark.parametrize(("level", "stocked"), [(12, 1.0), (12, 1.2), (60, 1.0), (60, 1.2), (60, 1.5)])
def test_sales_are_too_low_by_what_ran_out_and_recovery_takes_most_of_that_away(level, stocked) -> None:
    demand, sold, ran_out, share = _simulated(level, stocked)
    plain, unhoured, houred = (
        _bias(each, demand) for each in (sold, recovered(sold, ran_out), recovered(sold, ran_out, share))
    )
    assert plain < -0.01
    assert abs(unhoured) < 0.25 * abs(plain)
    assert abs(houred) < 0.1 * abs(plain)


@pytest.mark.parametrize("stocked", [1.0, 1.2, 1.5])
def test_with_very_few_sales_the_hour_is_worth_much(stocked) -> None:
    demand, sold, ran_out, share = _simulated(3, stocked)
    plain, unhoured, houred = (
        _bias(each, demand) for each in (sold, recovered(sold, ran_out), recovered(sold, ran_out, share))
    )
    assert abs(unhoured) < 0.4 * abs(plain)
    assert abs(houred) < 0.2 * abs(plain)


@pytest.mark.parametrize("level", [12, 60])
def test_each_day_is_nearer_to_its_demand_and_nearer_still_with_the_hour(level) -> None:
    demand, sold, ran_out, share = _simulated(level, 1.0)
    errors = [
        _error(each, demand, ran_out) for each in (sold, recovered(sold, ran_out), recovered(sold, ran_out, share))
    ]
    assert errors[0] > 1.15 * errors[1] > 1.15 * 1.5 * errors[2]


def test_a_days_answer_does_not_depend_on_later_days() -> None:
    _, sold, ran_out, share = _simulated(12, 1.0)
    whole, part = recovered(sold, ran_out, share), recovered(sold[:, :100], ran_out[:, :100], share[:, :100])
    assert np.array_equal(whole[:, :100], part)


def test_days_that_did_not_run_out_stay_and_the_input_too() -> None:
    _, sold, ran_out, share = _simulated(12, 1.0)
    before = sold.copy()
    found = recovered(sold, ran_out, share)
    assert np.array_equal(found[~ran_out], sold[~ran_out])
    assert np.array_equal(sold, before)
    assert np.array_equal(recovered(sold, np.zeros_like(ran_out)), sold)


def test_a_product_that_always_runs_out_has_an_end() -> None:
    sold = np.full((1, 100), 8.0)
    found = recovered(sold, np.ones((1, 100), bool))
    assert (found >= 8).all()
    assert (found <= 16).all()


def test_the_earlier_the_shelf_was_empty_the_more_was_asked_for() -> None:
    sold = np.full((3, 92), 10.0) + np.arange(92) % 3
    ran_out, share = np.zeros((3, 92), bool), np.full((3, 92), np.nan)
    ran_out[:, 91], share[:, 91] = True, [0.4, 0.7, 1.0]
    found = recovered(sold, ran_out, share)[:, 91]
    assert found[0] > found[1] > found[2]
    assert found[2] == pytest.approx(sold[2, 91])


@settings(max_examples=30)
@given(
    of_numpy.arrays(np.float64, (2, 30), elements=st.floats(0, 1e4)),
    of_numpy.arrays(bool, (2, 30)),
    of_numpy.arrays(np.float64, (2, 30), elements=st.one_of(st.floats(0, 1), st.just(float("nan")))),
)
def test_never_less_than_was_sold_and_always_a_number(sold, ran_out, share) -> None:
    for found in (recovered(sold, ran_out), recovered(sold, ran_out, share)):
        assert np.isfinite(found).all()
        assert (found >= sold).all()


@pytest.mark.parametrize(
    ("minute", "share"), [(8 * 60, 0.0), (14 * 60, 0.5), (20 * 60, 1.0), (3 * 60, 0.0), (1400, 1.0)]
)
def test_demand_comes_evenly_while_the_shop_is_open(minute, share) -> None:
    assert share_before(minute, 8 * 60, 20 * 60) == share


def test_a_shop_that_closes_before_it_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="closes"):
        share_before(600, 600, 600)
