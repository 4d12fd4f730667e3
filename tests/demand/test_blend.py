"""Weights go to who was right, the prior holds where little was seen, and silence costs nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.demand.blend import GROUPS, MOST_ROWS, Losses, Outcomes, learnt, mixed, picked, pinball, tilted
from edge_agent.domain.forecast import LEVELS

EVEN = np.full(3, 1 / 3)


def _outcomes(rows: int, seed: int = 3) -> Outcomes:
    """Three candidates: right, a third too high, three times too wide."""
    rng = np.random.default_rng(seed)
    came = rng.normal(20.0, 3.0, (rows, 2))
    right = 20.0 + 3.0 * np.array([-1.645, -1.282, -0.842, -0.524, -0.253, 0, 0.253, 0.524, 0.842, 1.282, 1.645])
    each = np.stack([right, right * 1.33, 20 + 3 * (right - 20)])
    said = np.broadcast_to(each[:, None, None], (3, rows, 2, len(LEVELS))).astype(np.float32)
    return Outcomes(said.copy(), came, np.ones((rows, 2)), np.full(rows, 20.0))


def _learnt(of: Outcomes, prior: np.ndarray) -> np.ndarray:
    at = picked(of.weight, seed=1)
    return learnt(of.said[:, *at], of.came[at], of.weight[at], prior)


def test_the_candidate_that_was_right_gets_the_most_weight_in_every_group() -> None:
    found = _learnt(_outcomes(400), EVEN)
    assert found.shape == (GROUPS, 3)
    assert found.sum(axis=1) == pytest.approx(np.ones(GROUPS))
    assert (found[:, 0] > 0.7).all()


def test_a_blend_with_learnt_weights_loses_less_than_one_with_the_prior_on_days_not_seen() -> None:
    unseen = _outcomes(300, seed=9)
    prior = np.repeat(EVEN[None], GROUPS, axis=0)
    losses = [pinball(unseen.came, mixed(unseen.said, w)).mean() for w in (_learnt(_outcomes(400), EVEN), prior)]
    assert losses[0] < 0.9 * losses[1]


def test_nothing_seen_is_the_prior() -> None:
    none = _outcomes(5)
    unjudged = Outcomes(none.said, none.came, np.zeros_like(none.weight), none.scale)
    assert _learnt(unjudged, np.array([0.5, 0.3, 0.2])) == pytest.approx(np.tile([0.5, 0.3, 0.2], (GROUPS, 1)))


def test_one_day_seen_moves_the_weights_less_than_many() -> None:
    few, many = (_learnt(_outcomes(rows), EVEN) for rows in (1, 400))
    assert np.abs(few - 1 / 3).max() < np.abs(many - 1 / 3).max()


def test_more_rows_than_are_looked_at_give_the_same_weights_twice() -> None:
    of = _outcomes(8000)
    assert len(picked(of.weight, seed=1)[0]) == MOST_ROWS
    assert np.array_equal(_learnt(of, EVEN), _learnt(of, EVEN))


def test_a_silent_candidate_leaves_its_weight_to_the_others() -> None:
    of = _outcomes(4)
    of.said[1] = np.nan
    weights = np.tile([0.25, 0.5, 0.25], (GROUPS, 1))
    expected = (of.said[0] + of.said[2]) / 2
    assert mixed(of.said, weights) == pytest.approx(np.sort(expected, axis=2), rel=1e-6)


def test_where_none_says_anything_there_is_nothing() -> None:
    said = np.full((2, 1, 1, len(LEVELS)), np.nan, np.float32)
    assert np.isnan(mixed(said, np.full((GROUPS, 2), 0.5))).all()


@given(st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6).filter(lambda w: sum(w[:3]) > 0.01 and sum(w[3:]) > 0.01))
def test_a_blend_lies_between_its_candidates_and_rises(weights: list[float]) -> None:
    of = _outcomes(2)
    low, high = np.array(weights[:3]), np.array(weights[3:])
    found = mixed(of.said, np.stack([low, high, high]))
    assert (np.diff(found, axis=2) >= 0).all()
    assert found.min() >= of.said.min() - 1e-4
    assert found.max() <= of.said.max() + 1e-4


def test_a_product_of_its_own_kind_tilts_its_own_weights_and_the_more_the_more_days_tell_it() -> None:
    base = np.tile(EVEN, (2, GROUPS, 1))
    losses = np.tile([[0.5, 1.0, 1.5]], (2, GROUPS, 1))
    found = tilted(base, losses, np.array([5.0, 500.0]), 60.0)
    assert (found[:, :, 0] > found[:, :, 2]).all()
    assert found[1, 0, 0] > found[0, 0, 0] > 1 / 3
    assert found.sum(axis=2) == pytest.approx(np.ones((2, GROUPS)))


def test_a_product_without_days_keeps_the_weights_it_is_given() -> None:
    base = np.tile([0.2, 0.3, 0.5], (1, GROUPS, 1))
    assert tilted(base, np.full((1, GROUPS, 3), np.nan), np.zeros(1), 60.0) == pytest.approx(base)


def test_losses_are_told_by_member_and_candidate() -> None:
    losses, days = _losses(_outcomes(40), np.repeat([0, 1], [10, 30]), 3).mean()
    assert days.tolist() == [20.0, 60.0, 0.0]
    assert (losses[:2, :, 0] < losses[:2, :, 1]).all()
    assert np.isnan(losses[2]).all()


def test_losses_of_a_category_are_those_of_its_products_together() -> None:
    of, product = _outcomes(40), np.repeat([0, 1, 2, 3], 10)
    by_category, days = _losses(of, product, 4).by(np.array([0, 1, 0, -1]), 2).mean()
    has = product < 3
    some = Outcomes(of.said[:, has], of.came[has], of.weight[has], of.scale[has])
    expected, _ = _losses(some, np.repeat([0, 1, 0], 10), 2).mean()
    assert by_category == pytest.approx(expected)
    assert days.tolist() == [40.0, 20.0]


def _losses(of: Outcomes, member: np.ndarray, members: int) -> Losses:
    """Taken in parts of 7 rows."""
    found = Losses(members, len(of.said))
    for begin in range(0, len(member), 7):
        part = slice(begin, begin + 7)
        found.add(Outcomes(of.said[:, part], of.came[part], of.weight[part], of.scale[part]), member[part])
    return found
