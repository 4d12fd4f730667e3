"""Quantiles that missed are put right, and stay where they are when little is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.demand.conformal import CLASS_HALF, CLASSES, NO_SHIFTS, PARTS, POOL_HALF, Shifts, learnt_shifts, shifted
from edge_agent.domain.forecast import LEVELS

LEVEL = np.array(LEVELS)
DAYS = np.array([1, 4, 7, 9, 14])
NORMAL = np.array([-1.645, -1.282, -0.842, -0.524, -0.253, 0, 0.253, 0.524, 0.842, 1.282, 1.645])
SPREADS = [(0.5, "too narrow"), (1.0, "right"), (2.0, "too wide")]


def _came(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(50.0, 10.0, (rows, len(DAYS)))


@pytest.mark.parametrize(("spread", "_name"), SPREADS)
def test_whatever_the_spread_was_every_quantile_holds_its_share_afterwards(spread: float, _name: str) -> None:
    said = np.broadcast_to(52.0 + spread * 10.0 * NORMAL, (2000, len(DAYS), len(LEVELS)))
    scale, all_days = np.full(2000, 50.0), np.ones((2000, len(DAYS)))
    shifts = learnt_shifts(said / 50.0, _came(2000, 1), all_days, scale, DAYS)
    found = shifted(said, scale, DAYS, shifts)
    assert (_came(2000, 2)[..., None] <= found).mean(axis=(0, 1)) == pytest.approx(LEVEL, abs=0.03)


def test_sparse_counts_do_not_make_the_upper_quantile_hold_far_more_than_it_says() -> None:
    rng = np.random.default_rng(4)
    rate = rng.uniform(0.2, 0.9, 3000)
    said = rate[:, None, None] * np.array([0, 0, 0.1, 0.3, 0.6, 1, 1.3, 1.7, 2.2, 3.6, 5.0])
    said = np.broadcast_to(said, (3000, len(DAYS), len(LEVELS)))
    came = rng.poisson(rate[:, None], (3000, len(DAYS))).astype(float)
    shifts = learnt_shifts(said / rate[:, None, None], came, np.ones_like(came), rate, DAYS)
    found = shifted(said, rate, DAYS, shifts)
    again = rng.poisson(rate[:, None], (3000, len(DAYS)))
    before = (again <= said[..., LEVELS.index(0.9)]).mean()
    after = (again <= found[..., LEVELS.index(0.9)]).mean()
    assert before > 0.93
    assert 0.88 <= after <= 0.93


def test_ten_outcomes_move_less_than_a_thousand() -> None:
    said = np.broadcast_to(60.0 + 10.0 * NORMAL, (200, len(DAYS), len(LEVELS)))
    scale, weight = np.full(200, 50.0), np.ones((200, len(DAYS)))
    few = weight.copy()
    few[2:] = 0.0
    little, much = (learnt_shifts(said / 50.0, _came(200, 1), use, scale, DAYS).by_part for use in (few, weight))
    assert np.abs(little).max() < 0.2 * np.abs(much).max()


def test_an_outcome_counts_by_its_weight_and_a_quantile_is_the_first_that_holds_its_share() -> None:
    """One day, one class; 1,000 times over, so that the shop's own word counts nearly whole."""
    said = np.broadcast_to(50.0 + 10.0 * NORMAL, (4000, 1, len(LEVELS)))
    wide = said[0, 0, LEVELS.index(0.9)] - said[0, 0, LEVELS.index(0.1)] + 0.1 * 50.0
    came, weight = np.repeat([60.0, 40.0, 70.0, 50.0], 1000)[:, None], np.repeat([2.0, 4.0, 1.0, 3.0], 1000)[:, None]
    scale, day = np.full(4000, 50.0), np.array([1])
    shifts = learnt_shifts(said / 50.0, came, weight, scale, day).by_part[0, 2]
    shop, own = 10_000 / (10_000 + POOL_HALF), 10_000 / (10_000 + CLASS_HALF)
    trust = shop + own * (1.0 - shop)
    held = {0.1: 40.0, 0.4: 40.0, 0.5: 50.0, 0.7: 50.0, 0.8: 60.0, 0.9: 60.0, 0.95: 70.0}  # 40, 70, 90 % of the weight
    for level, value in held.items():
        index = LEVELS.index(level)
        assert shifts[index] == pytest.approx(trust * (value - said[0, 0, index]) / wide, rel=1e-5), level


def test_nothing_seen_shifts_nothing() -> None:
    said = np.zeros((3, len(DAYS), len(LEVELS)))
    found = learnt_shifts(said, np.zeros((3, len(DAYS))), np.zeros((3, len(DAYS))), np.ones(3), DAYS)
    assert np.array_equal(found.by_part, NO_SHIFTS.by_part)


def test_the_second_week_has_shifts_of_its_own() -> None:
    by_part = np.zeros((PARTS, CLASSES, len(LEVELS)))
    by_part[1, 2] = 0.5
    said = np.broadcast_to(50.0 + 10.0 * NORMAL, (1, len(DAYS), len(LEVELS)))
    found = shifted(said, np.array([50.0]), DAYS, Shifts(by_part))
    assert np.array_equal(found[0, :3], said[0, :3])
    assert (found[0, 3:] > said[0, 3:]).all()


@given(st.lists(st.floats(-3.0, 3.0), min_size=len(LEVELS), max_size=len(LEVELS)), st.floats(0.0, 100.0))
def test_shifted_quantiles_rise_and_are_never_below_0(shift: list[float], scale: float) -> None:
    shifts = Shifts(np.broadcast_to(np.array(shift), (PARTS, CLASSES, len(LEVELS))))
    said = np.broadcast_to(np.linspace(0.0, 5.0, len(LEVELS)), (1, len(DAYS), len(LEVELS)))
    found = shifted(said, np.array([scale]), DAYS, shifts)
    assert (np.diff(found, axis=2) >= 0).all()
    assert (found >= 0).all()
