"""The grove finds what the shop's days have in them, the same each time."""

import numpy as np
import pytest

from edge_agent.demand.grove import Grove, coded, grow
from edge_agent.demand.panel import Panel
from edge_agent.demand.past import described, past_of
from edge_agent.domain.forecast import LEVELS
from tests.demand.shops import shop

MEDIAN = LEVELS.index(0.5)


def _step(rows: int = 3000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Grove]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    y = np.where(x[:, 1] > 0.3, 6.0, 2.0) + rng.normal(size=rows) * 0.5
    return x, y, grow(coded(x), y, np.ones(rows), seed=1, rounds=60, depth=3)


def test_a_step_in_one_column_is_found_with_its_quantiles() -> None:
    _, _, grove = _step()
    low, high = grove.predict(np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]))
    assert low[MEDIAN] == pytest.approx(2.0, abs=0.25)
    assert high[MEDIAN] == pytest.approx(6.0, abs=0.25)
    assert high[LEVELS.index(0.9)] - high[LEVELS.index(0.1)] == pytest.approx(2 * 1.2816 * 0.5, abs=0.4)


def test_quantiles_hold_their_shares_of_days_not_seen() -> None:
    _, _, grove = _step()
    x, y, _ = _step(seed=2)
    share = (y[:, None] <= grove.predict(x)).mean(axis=0)
    assert share == pytest.approx(LEVELS, abs=0.04)


def test_quantiles_rise_and_are_never_below_0() -> None:
    x, _, grove = _step()
    found = grove.predict(x - 50.0)
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found >= 0).all()


def test_the_same_rows_and_seed_give_the_same_grove() -> None:
    x, _, grove = _step()
    _, _, again = _step()
    assert np.array_equal(grove.predict(x), again.predict(x))


def test_a_constant_column_is_no_reason_to_split() -> None:
    y = np.full(500, 3.0)
    grove = grow(coded(np.ones((500, 2))), y, np.ones(500), seed=1, rounds=5, depth=2)
    assert grove.predict(np.ones((1, 2)))[0] == pytest.approx(np.full(len(LEVELS), 3.0), abs=0.01)


def test_rows_of_another_width_are_refused() -> None:
    _, _, grove = _step()
    with pytest.raises(ValueError, match="2 columns: the grove was grown on 3"):
        grove.predict(np.zeros((1, 2)))


def _with(panel: Panel, qty: np.ndarray) -> Panel:
    return Panel(panel.names, panel.first, qty, panel.is_open, panel.known, panel.start, panel.category)


@pytest.mark.parametrize("horizon", [1, 6, 7, 8, 14])
def test_a_row_knows_nothing_after_its_origin(horizon: int) -> None:
    panel = shop(500)
    origin = 450
    later = panel.qty.copy()
    later[:, origin + 1 :] = 999.0
    at = (np.arange(6), np.full(6, origin), np.full(6, horizon))
    assert np.array_equal(described(past_of(panel), *at), described(past_of(_with(panel, later)), *at))


def test_a_row_knows_the_day_of_its_origin() -> None:
    panel = shop(500)
    changed = panel.qty.copy()
    changed[:, 450] += 50.0
    at = (np.arange(6), np.full(6, 450), np.full(6, 1))
    assert not np.array_equal(described(past_of(panel), *at), described(past_of(_with(panel, changed)), *at))
