"""Draws that are the same for the same seed, on every machine."""

import numpy as np
import pytest

from edge_agent.demand.chance import Chance


def test_a_seed_always_draws_the_same():
    assert Chance(1).integers(0, 1000, 5).tolist() == [134, 569, 847, 802, 763]


def test_integers_reach_both_ends_evenly():
    found = np.bincount(Chance(3).integers(2, 6, 40_000))
    assert found[:2].tolist() == [0, 0]
    assert found[2:] == pytest.approx(np.full(4, 10_000), rel=0.05)


def test_shares_lie_from_0_to_below_1_and_are_spread_evenly():
    found = Chance(3).shares(10_000)
    assert found.min() >= 0
    assert found.max() < 1
    assert np.quantile(found, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


@pytest.mark.parametrize(("count", "of", "left"), [(3, 10, 3), (10, 10, 10), (20, 10, 10), (0, 10, 0), (3, 0, 0)])
def test_some_are_different_ones_and_rise(count, of, left):
    found = Chance(5).some(count, of)
    assert len(found) == left
    assert (np.diff(found) > 0).all()
    assert ((found >= 0) & (found < of)).all()
