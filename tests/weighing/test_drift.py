import math

import pytest

from edge_agent.weighing import drift
from edge_agent.weighing.settings import CellSettings, ShelfSettings


def shelf(capacity_g: float, **settings) -> ShelfSettings:
    return ShelfSettings("shelf", (CellSettings("cell", 0, 100.0),), capacity_g, **settings)


@pytest.mark.parametrize("capacity_g", [24_000.0, 30_000.0, 60_000.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_20_g_an_hour_for_a_day_is_followed_whole(capacity_g, sign):
    total_g = hour_g = 0.0
    for _ in range(24 * 60):
        found = drift.followed(sign * 20 / 60, 60.0, hour_g, total_g, shelf(capacity_g))
        assert found.limit is None
        total_g, hour_g = total_g + found.followed_g, found.hour_g
    assert total_g == pytest.approx(sign * 480.0)
    assert hour_g == pytest.approx(sign * 20.0, rel=0.02)


def test_more_than_the_hour_allows_is_left_and_said():
    found = drift.followed(100.0, 60.0, 0.0, 0.0, shelf(30_000))
    assert found.followed_g == 60.0
    assert found.limit.startswith("drifting-too-fast: +100 g within an hour, at most 60 g")


def test_more_than_2_percent_of_full_scale_since_the_zero_is_left_and_said():
    found = drift.followed(-10.0, 60.0, 0.0, -595.0, shelf(30_000))
    assert found.followed_g == -5.0
    assert found.limit.startswith("drift-limit: -605 g since the last zero, at most 600 g")
    assert drift.followed(10.0, 60.0, 0.0, -700.0, shelf(30_000)).followed_g == 10.0  # the way back is free


def test_the_limit_can_be_set_and_the_twin_follows_nothing():
    assert drift.followed(9.0, 60.0, 0.0, 0.0, shelf(30_000, drift_g_per_h=5.0)).followed_g == 5.0
    assert drift.null_followed(9.0, 60.0, 0.0, 0.0, shelf(30_000)).followed_g == 0.0


def test_creep_comes_within_half_an_hour_and_goes_back_by_the_return_of_zero():
    creep_g = drift.crept(0.0, 20_000.0, 1800.0, 245.0)
    assert creep_g == pytest.approx(4.9 * (1 - math.exp(-3)))
    assert drift.crept(4.9, 0.0, 1e9, 245.0) == pytest.approx(4.9 * (1 - 167 / 245))
    assert drift.null_crept(1.0, 20_000.0, 1800.0, 245.0) == 1.0
