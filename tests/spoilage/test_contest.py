"""The score of what was told of lots whose end is known only between two looks, or not at all."""

import math
import random

import numpy as np
import pytest
from bench_parts.shadow import SD, of_shop, outcome, told

from edge_agent.inference.shadow import Verdict
from edge_agent.spoilage.contest import SLIP, Span, loss, span

MOST = -math.log(SLIP)


@pytest.mark.parametrize(("factor", "sd"), [(0.7, SD), (0.85, SD), (1.2, SD), (1.5, SD), (1.0, 0.1), (1.0, 0.9)])
@pytest.mark.parametrize("sold", [0.0, 0.5, 0.8])
def test_who_tells_the_truth_wins_however_many_are_sold_before_their_end(factor, sd, sold):
    chance, right, wrong = random.Random(3), [], []
    for _ in range(1500):
        median_d, known = outcome(chance, sold)
        right.append(loss(told(median_d), known))
        wrong.append(loss(told(factor * median_d, sd), known))
    assert np.mean(right) < np.mean(wrong)


@pytest.mark.parametrize(
    ("old", "new", "wanted", "at_least"),
    [
        (1.0, 0.7, Verdict.REJECT, 19),
        (1.0, 1.4, Verdict.REJECT, 19),
        (0.7, 1.0, Verdict.PROMOTE, 19),
        (1.4, 1.0, Verdict.PROMOTE, 19),
        (1.0, 1.0, Verdict.PROMOTE, 20),
    ],
)
def test_how_often_a_shop_is_right(old, new, wanted, at_least):
    """Of 20."""
    assert sum(of_shop(old, new, seed) is wanted for seed in range(20)) >= at_least


@pytest.mark.parametrize("reason", ["damaged", "date", "expired", "recalled", "temperature", "power-cut", "other", ""])
@pytest.mark.parametrize("kind", ["wasted", "marked-down"])
def test_what_was_thrown_away_for_another_reason_says_nothing_of_its_age(kind, reason):
    assert span(kind, reason, 3.0, 5.0) is None


def test_what_is_marked_down_is_good_and_near_its_end():
    short, long = span("marked-down", "spoiled", 2.0, 2.0), span("marked-down", "wilted", 2.0, 100.0)
    assert (short.low_d, short.high_d) == (2.0, 3.0)
    assert (long.low_d, round(long.high_d - 2.0)) == (2.0, 35)


@pytest.mark.parametrize(
    "known", [Span(-1.0, 0.0), Span(0.0, 1.0), Span(50.0, 51.0), Span(500.0, math.inf), Span(2.0, 3.0)]
)
@pytest.mark.parametrize("remaining_d", [(0.0,) * 5, (5.0,) * 5, told(5.0), told(300.0), (0.0, 0.0, 0.0, 1.0, 9.0)])
def test_no_loss_is_below_0_or_above_that_of_a_slip(remaining_d, known):
    assert 0.0 <= loss(remaining_d, known) <= MOST + 1e-9


def test_who_was_sure_of_what_came_loses_nothing():
    assert loss(told(100.0), Span(1.0, math.inf)) < 0.01
    assert loss(told(1.0), Span(20.0, math.inf)) == pytest.approx(MOST, abs=0.01)


def test_what_is_no_life_is_refused():
    with pytest.raises(ValueError, match="must be 5 numbers"):
        loss((1.0, 2.0), Span(1.0, 2.0))
