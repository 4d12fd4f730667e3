"""Parts of Theta that the whole cannot tell apart."""

import numpy as np
import pytest

from edge_agent.demand.theta import ALPHAS, Trend, least


def test_the_trend_of_a_line_is_that_line_day_by_day_and_begins_with_each_rows_own_first_day() -> None:
    lengths = np.array([30, 12])
    trend = Trend(lengths, 30)
    for day in range(30):
        age = lengths - 30 + day  # of this day, in each row
        trend.step(np.where(age >= 0, 3.0 + 2.0 * (age + 1), 0.0))
    assert trend.b == pytest.approx([2.0, 2.0])
    assert trend.a == pytest.approx([3.0, 3.0])
    assert trend.mean == pytest.approx([3.0 + 2.0 * 15.5, 3.0 + 2.0 * 6.5])


def test_the_search_goes_downhill_from_the_middle_and_meets_the_bottom_between_grid_points() -> None:
    grid = np.asarray(ALPHAS)
    bowl, falling, two_valleys = (grid - 0.33) ** 2, -grid, -np.exp(-((grid - 0.6) ** 2) / 0.01) - 2 * (grid < 0.15)
    found = least(grid, np.stack([bowl, falling, two_valleys], axis=1))
    assert found[0] == pytest.approx(0.33)
    assert found[1] == grid[-1]
    assert 0.5 < found[2] < 0.7
