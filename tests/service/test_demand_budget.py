"""A night's work is cut to the time it may take, by what the last night's took."""

import json

import pytest

from edge_agent.config.shop import DemandSettings
from edge_agent.demand.local import BUDGET, LEARN_HORIZONS
from edge_agent.service.demand import FEWEST_ORIGINS, FEWEST_ROWS, NIGHT, budget_of, last_night, outcome_s

DAYS = len(LEARN_HORIZONS)
MADE = {"made": "2026-11-23", "drift": []}


@pytest.mark.parametrize(
    ("budget_s", "products", "took_s", "origins", "rows"),
    [
        (60.0, 500, 0.0005, BUDGET.origins, BUDGET.rows),  # time for more than is ever asked
        (60.0, 500, 0.0012, 10, BUDGET.rows),
        (60.0, 500, 0.0024, 5, BUDGET.rows),
        (60.0, 500, 0.006, FEWEST_ORIGINS, BUDGET.rows // 2),  # time for 2 of the fewest 4
        (1.0, 500, 0.06, FEWEST_ORIGINS, FEWEST_ROWS),
        (60.0, 500, None, 10, BUDGET.rows),  # the first night: a guess
        (60.0, 0, 0.0012, BUDGET.origins, BUDGET.rows),
    ],
)
def test_what_an_outcome_took_says_how_many_past_days_fit(budget_s, products, took_s, origins, rows):
    found = budget_of(DemandSettings(budget_s=budget_s), products, took_s)
    assert (found.origins, found.rows) == (origins, rows)
    assert found.seed == BUDGET.seed


def test_a_board_twice_as_slow_learns_from_half_as_many_days():
    fast, slow = (budget_of(DemandSettings(budget_s=30.0), 400, took_s).origins for took_s in (0.0006, 0.0012))
    assert fast == 2 * slow


def test_the_time_of_a_night_is_told_by_outcome():
    assert outcome_s(500 * 9 * DAYS, 45.0) == pytest.approx(0.001)
    assert outcome_s(0, 3.0) is None  # nothing was learnt from


@pytest.mark.parametrize("took", [None, "fast", -1.0, 0.0, float("nan"), 1e9, [], "0.1"])
def test_a_time_that_is_none_is_not_gone_by_and_the_night_still_counts(took):
    found = last_night({NIGHT: json.dumps(MADE | {"outcome_s": took}).encode()})
    assert found.made is not None
    assert found.outcome_s is None


def test_the_time_comes_back_with_the_night():
    assert last_night({NIGHT: json.dumps(MADE | {"outcome_s": 0.002}).encode()}).outcome_s == 0.002
    assert last_night({NIGHT: json.dumps(MADE).encode()}).outcome_s is None  # of an earlier release
