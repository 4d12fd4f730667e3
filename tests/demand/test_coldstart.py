"""A product without a past leans on its fellows, and less so with every day of its own."""

import numpy as np
import pytest

from edge_agent.demand.coldstart import MOST_FELLOWS, Own, fellows_of, from_fellows, from_own_days
from edge_agent.domain.forecast import LEVELS

MEDIAN = LEVELS.index(0.5)
WEEK = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0])


def _fellows(*levels: float) -> tuple[np.ndarray, np.ndarray]:
    shape = np.linspace(0.5, 1.5, len(LEVELS))
    return np.array(levels)[:, None, None] * WEEK[None, :, None] * shape, np.array(levels)


def test_without_a_day_of_its_own_it_is_the_mixture_of_its_fellows() -> None:
    found = from_fellows(*_fellows(2.0, 8.0), Own(0, 0.0))
    assert found[0, 0] < 2.0
    assert found[0, -1] > 8.0
    assert (np.diff(found, axis=1) >= 0).all()


def test_the_weekdays_of_the_category_are_kept() -> None:
    found = from_fellows(*_fellows(4.0), Own(0, 0.0))
    assert found[5] == pytest.approx(2.0 * found[0])
    assert found[6] == pytest.approx(np.zeros(len(LEVELS)))


@pytest.mark.parametrize(("days", "low", "high"), [(0, 3.9, 4.1), (7, 19.0, 21.0), (70, 70.0, 90.0)])
def test_the_level_moves_to_its_own_with_its_days(days: int, low: float, high: float) -> None:
    found = from_fellows(*_fellows(4.0), Own(days, 100.0 * days))
    assert low <= found[0, MEDIAN] <= high


def test_fellows_of_unlike_sizes_make_it_wide_and_own_days_narrow() -> None:
    wide, narrow = (from_fellows(*_fellows(1.0, 5.0, 25.0), own)[0] for own in (Own(0, 0.0), Own(60, 300.0)))
    ratio = [row[LEVELS.index(0.9)] / row[LEVELS.index(0.1)] for row in (wide, narrow)]
    assert ratio[1] < 0.4 * ratio[0]


def test_without_fellows_its_own_days_speak_and_without_those_nothing_does() -> None:
    assert from_own_days(np.array([3.0, 3.0]), 2)[:, MEDIAN].tolist() == [3.0, 3.0]
    assert from_own_days(np.zeros(0), 2).max() == 0.0


def test_fellows_are_those_of_the_category_and_else_the_shop() -> None:
    settled = np.array([0, 1, 2])
    category = ("dairy", "bread", "dairy", "dairy", "fish", "")
    assert fellows_of(3, category, settled)[0].tolist() == [0, 2]
    assert fellows_of(3, category, settled)[1] == "category"
    for row in (4, 5):
        assert fellows_of(row, category, settled)[0].tolist() == [0, 1, 2]
        assert fellows_of(row, category, settled)[1] == "shop"
    assert fellows_of(0, (), settled)[1] == "shop"


def test_of_many_fellows_only_some_are_asked() -> None:
    assert len(fellows_of(0, (), np.arange(1000))[0]) == MOST_FELLOWS
