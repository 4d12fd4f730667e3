"""The invented towns: what training learns from must look like a shop's book, and be the same for the same seed."""

import numpy as np
import pytest
from demand_shops import KINDS, town

from edge_agent.demand.panel import KNOWN, Panel


@pytest.fixture(scope="module")
def small() -> Panel:
    return town(np.random.default_rng(7), shops=12, goods=4, days=400)


def test_a_town_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one, same, other = (town(np.random.default_rng(seed), shops=2, goods=2, days=120) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.qty, same.qty)
    assert one.first == same.first
    assert not np.array_equal(one.qty, other.qty)


def test_sales_are_finite_and_none_is_sold_where_the_shop_is_shut(small: Panel) -> None:
    assert np.isfinite(small.qty).all()
    assert (small.qty >= 0).all()
    assert (small.qty[~small.is_open] == 0).all()
    assert 0.6 < small.is_open.mean() < 1.0


def test_every_covariate_is_told_as_far_as_the_horizon_reaches(small: Panel) -> None:
    assert set(small.known) == set(KNOWN)
    assert all(np.isfinite(values).all() for values in small.known.values())


def test_there_are_large_and_small_sellers_and_intermittent_ones(small: Panel) -> None:
    sold = np.where(small.is_open, small.qty, np.nan)
    mean, zeros = np.nanmean(sold, axis=1), np.nanmean(sold == 0, axis=1)
    assert mean.min() < 2 < 40 < mean.max()
    assert zeros.min() < 0.1 < 0.5 < zeros.max()


def test_a_promotion_sells_more_than_the_same_weekday_without() -> None:
    panel = town(np.random.default_rng(3), shops=25, goods=4, days=400)
    promo, sold = panel.known["promo"][:, : panel.days] > 0, panel.is_open
    ratio = [
        row[on & ok].mean() / row[~on & ok].mean()
        for row, on, ok in zip(panel.qty, promo, sold, strict=True)
        if (on & ok).sum() > 10 and row[~on & ok].mean() > 3
    ]
    assert len(ratio) > 10
    assert np.median(ratio) > 1.2


def test_the_kinds_of_shops_have_names_of_their_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
