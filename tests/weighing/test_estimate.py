"""Net and offset from their sum: figures by simulation of the filter alone."""

from random import Random

import pytest

from edge_agent.weighing import estimate
from edge_agent.weighing.estimate import Estimate
from edge_agent.weighing.settings import CellSettings, ShelfSettings

SHELF = ShelfSettings("shelf", (CellSettings("cell", 0, 100.0),), capacity_g=30_000)


def a_day_of_picks(seed: int, rate_g_per_h: float, noise_g: float) -> tuple[Estimate, float]:
    """A pick every minute and a half for eight hours, and the net that really is there."""
    random = Random(seed)
    net_g, offset_g = 5000.0, 500.0
    found = estimate.begun(net_g + offset_g, 500.0, noise_g, 0.5, SHELF)
    for _ in range(320):
        for seconds, u_g in ((5.0, noise_g / 2), (70.0, noise_g / 3)):
            offset_g += rate_g_per_h * seconds / 3600
            found = estimate.ahead(found, seconds, SHELF)
            found = estimate.seen(found, net_g + offset_g + random.gauss(0, u_g), u_g, SHELF)
        offset_g += rate_g_per_h * 15 / 3600
        net_g -= 10.0
        found = estimate.ahead(found, 15.0, SHELF)
        found = estimate.moved(found, net_g + offset_g + random.gauss(0, noise_g), noise_g)
    return found, net_g


@pytest.mark.parametrize("rate_g_per_h", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize("noise_g", [0.05, 0.5, 5.0])
def test_the_balance_is_right_within_its_uncertainty_after_hundreds_of_movements(rate_g_per_h, noise_g):
    within = 0
    for seed in range(10):
        found, net_g = a_day_of_picks(seed, rate_g_per_h, noise_g)
        within += abs(found.net_g - net_g) <= 2 * found.net_u_g
    assert within >= 9


def test_a_steady_drift_is_known_and_does_not_add_up_movement_by_movement():
    found, net_g = a_day_of_picks(1, 20.0, 0.05)
    assert found.rate_g_per_s * 3600 == pytest.approx(20.0, abs=3.0)
    unwatched_g = 20.0 * 15 / 3600 * 320
    assert abs(found.net_g - net_g) < unwatched_g / 10


def test_at_rest_a_change_is_the_scales_and_after_a_movement_it_is_the_goods():
    known = Estimate(1000.0, 200.0, 0.0, (0.01, 0.01, 1e-6, 0.0, 0.0, 0.0))
    rested = estimate.seen(estimate.ahead(known, 600.0, SHELF), 1201.0, 0.1, SHELF)
    assert rested.net_g == pytest.approx(1000.0, abs=0.1)
    assert rested.offset_g == pytest.approx(201.0, abs=0.1)
    moved = estimate.moved(known, 900.0, 0.1)
    assert (moved.net_g, moved.offset_g) == (700.0, 200.0)


def test_a_frozen_offset_stays():
    known = Estimate(1000.0, 200.0, 0.0, (0.01, 0.04, 1e-6, 0.0, 0.0, 0.0))
    assert estimate.seen(known, 1200.3, 0.1, SHELF, is_frozen=True).offset_g == 200.0
    assert estimate.seen(known, 1290.0, 0.1, SHELF, is_frozen=True) == known  # no noise: it waits


def test_the_twin_predicts_no_drift():
    drifting = Estimate(1000.0, 200.0, 0.01)
    assert estimate.ahead(drifting, 100.0, SHELF).offset_g == 201.0
    assert estimate.null_ahead(drifting, 100.0, SHELF).offset_g == 200.0
