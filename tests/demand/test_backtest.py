"""Rolling origins: no forecast knows what came after its origin."""

import numpy as np
import pytest
from rows_of_sales import ahead, panel_of

from edge_agent.demand.backtest import EARLIEST, OURS, Made, backtest, origins_of
from edge_agent.demand.forecaster import forecast
from edge_agent.demand.local import Budget, learn
from edge_agent.demand.panel import Panel
from edge_agent.demand.weather import Weather
from edge_agent.domain.forecast import LEVELS

SMALL = Budget(origins=3, rows=600, rounds=4)
COUNT, DAYS = 6, 130


def _shop(seed: int = 4, days: int = DAYS) -> Panel:
    generator = np.random.default_rng(seed)
    level = generator.uniform(2, 30, (COUNT, 1)) * (1 + 0.4 * np.sin(2 * np.pi * np.arange(days) / 7))
    temp = np.repeat(generator.normal(12, 5, (1, days)), COUNT, axis=0)
    promo = np.repeat((generator.random((1, days)) < 0.1) * 1.0, COUNT, axis=0)
    known = {"temp": ahead(temp), "promo": ahead(promo)}
    return panel_of(generator.poisson(level), known=known, category=("bread",) * 3 + ("fruit",) * 3)


def _agents(panel: Panel, horizon: int) -> Made:
    """What the command line asks, within a budget for a test."""
    origin = panel.days - 1
    made = forecast(panel, origin, None, learn(panel, origin, None, SMALL), horizon)
    return Made(made.quantiles, made.basis, made.reasons)


def _changed_after(panel: Panel, origin: int) -> Panel:
    """Other sales, other opening, other weather than the forecast's after the origin."""
    qty, is_open = panel.qty.copy(), panel.is_open.copy()
    qty[:, origin + 1 :] = 1e6
    is_open[:, origin + 1 :: 3] = False
    return Panel(panel.names, panel.first, qty, is_open, panel.known, panel.start, panel.category)


def test_forecasts_are_the_same_whatever_comes_after_the_origin() -> None:
    panel, origin = _shop(), 120
    before = _agents(panel.upto(origin), 7)
    after = _agents(_changed_after(panel, origin).upto(origin), 7)
    assert np.array_equal(before.quantiles, after.quantiles)
    assert before.basis == after.basis


def test_the_agents_own_functions_look_no_further_even_when_they_are_given_more() -> None:
    panel, origin = _shop(), 120
    states = [learn(each, origin, None, SMALL) for each in (panel, _changed_after(panel, origin))]
    made = [
        forecast(each, origin, None, state, 7)
        for each, state in zip((panel, _changed_after(panel, origin)), states, strict=True)
    ]
    assert np.array_equal(made[0].quantiles, made[1].quantiles)


def test_a_forecaster_is_given_nothing_from_after_its_origin() -> None:
    given = []

    def watching(panel: Panel, horizon: int) -> Made:
        given.append(panel)
        return Made(np.ones((COUNT, horizon, len(LEVELS))), ("test",) * COUNT)

    shop = _shop()
    result = backtest(shop, (90, 104), 7, watching, Weather.NOISY)
    assert [panel.days for panel in given] == [91, 105]
    for panel in given:
        assert np.array_equal(panel.known["temp"][:, : panel.days], shop.known["temp"][:, : panel.days])
        assert not np.array_equal(
            panel.known["temp"][:, panel.days :], shop.known["temp"][:, panel.days : panel.days + 14]
        )
        assert np.array_equal(
            panel.known["promo"][:, panel.days :], shop.known["promo"][:, panel.days : panel.days + 14]
        ), "a planned promotion is known"
    assert result.basis == {"test": 2 * COUNT}


def test_simple_methods_say_the_same_whatever_comes_after_the_origin() -> None:
    panel = _shop()
    plain, changed = (backtest(each, (100,), 7, None) for each in (panel, _changed_after(panel, 100)))
    for name, predicted in plain.predicted.items():
        assert np.array_equal(predicted.quantiles, changed.predicted[name].quantiles), name


def test_better_quantiles_have_a_lower_loss_and_a_ratio_below_1() -> None:
    shop = _shop()
    level = shop.qty[:, :100].mean(axis=1)

    def oracle(panel: Panel, horizon: int) -> Made:
        came = shop.qty[:, panel.days : panel.days + horizon]
        return Made(np.repeat(came[:, :, None], len(LEVELS), axis=2), ("oracle",) * COUNT)

    def blind(panel: Panel, horizon: int) -> Made:
        return Made(np.tile(level[:, None, None] * 3, (1, horizon, len(LEVELS))), ("blind",) * COUNT)

    best, worst = (backtest(shop, (90, 104, 118), 7, each) for each in (oracle, blind))
    assert best.scores[OURS].wql == 0.0
    assert best.ratios["theta"].high < 1 < worst.ratios["theta"].low


def test_the_last_origin_has_its_whole_horizon_and_early_ones_are_left_out() -> None:
    assert origins_of(DAYS, 12, 14, 7) == (66, 80, 94, 108, 122)
    assert origins_of(DAYS, 2, 14, 14) == (101, 115)
    assert origins_of(EARLIEST + 8, 5, 1, 7) == (EARLIEST,)
    assert origins_of(30, 12, 14, 7) == ()


def test_a_table_that_is_too_short_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"30 days: needs 68 or more"):
        backtest(_shop(days=30), origins_of(30, 12, 14, 7), 7, None)
