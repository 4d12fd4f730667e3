"""Bands stretched by what was kept back."""

import numpy as np

from edge_agent.spoilage.conformal import factor, learnt, side_scores
from edge_agent.spoilage.features import GROUPS


def test_a_stretched_band_covers_ninety_percent_of_new_lots_of_the_kind() -> None:
    generator = np.random.default_rng(3)
    covered = []
    for _ in range(200):
        kept, new = generator.standard_t(4, 60), generator.standard_t(4, 60)
        by = learnt((np.abs(kept) / 1.645).tolist())
        covered.append(np.mean(np.abs(new) <= 1.645 * by))
    assert 0.89 < np.mean(covered) < 0.93


def test_errors_are_measured_on_their_own_side() -> None:
    scores = side_scores(np.array([-1.0, 1.0]), np.array([2.0, 2.0]), np.array([0.5, 0.5]))
    assert scores.tolist() == [0.5, 2.0]


def test_a_group_has_its_own_factor_or_the_common_one_or_none() -> None:
    metrics = {"conformal_fish": 1.3, "conformal": 1.1}
    assert factor(metrics, GROUPS.index("fish")) == 1.3
    assert factor(metrics, GROUPS.index("meat")) == 1.1
    assert factor({}, 0) == 1.0
