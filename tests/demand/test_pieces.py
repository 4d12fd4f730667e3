"""What is sold by weight is forecast alike in grams, kilograms and tons; what is counted stays as it is."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from edge_agent.demand.forecaster import forecast
from edge_agent.demand.local import learn
from edge_agent.demand.panel import Panel, starts
from edge_agent.demand.pieces import in_pieces, pieces
from edge_agent.domain.forecast import LEVELS
from edge_agent.inference.card import read_card
from edge_agent.inference.model import Model, open_model
from tests.demand.shops import SMALL, panel_of

MODELS = Path(__file__).parents[2] / "models"
DAYS = 150


@pytest.fixture(scope="module")
def net() -> Model:
    card = read_card((MODELS / "demand-q11.json").read_bytes())
    return open_model((MODELS / "demand-q11.tflite").read_bytes(), card)


def _by_weight() -> Panel:
    """Twelve kinds of ham, 10 to 90 hundred grams a day, each day another weight."""
    generator = np.random.default_rng(3)
    level = np.linspace(12.0, 80.0, 12)[:, None] * (1 + 0.3 * np.sin(2 * np.pi * np.arange(DAYS) / 7))
    return panel_of(level * generator.lognormal(0.0, 0.2, (12, DAYS)))


@pytest.mark.parametrize("unit", [1e-8, 1e-3, 1e-2, 1e3])
@pytest.mark.parametrize("learns", [False, True])
def test_a_shop_that_sells_by_weight_has_the_same_forecasts_in_every_unit(
    net: Model, unit: float, learns: bool
) -> None:
    panel = _by_weight()
    found = []
    for one in (panel, replace(panel, qty=panel.qty * unit)):
        state = learn(one, DAYS - 1, None, SMALL) if learns else None
        found.append(forecast(one, DAYS - 1, net, state).quantiles)
    usual = found[0][:, :, [LEVELS.index(0.5)]]
    assert (np.abs(found[1] / unit - found[0]) / usual).mean() < 0.03


def test_what_is_counted_is_left_as_it_is() -> None:
    panel = panel_of(np.random.default_rng(1).poisson(0.3, (4, DAYS)).astype(float))
    assert in_pieces(panel, pieces(panel)) is panel


def test_a_few_days_raised_for_what_ran_out_are_no_weights() -> None:
    qty = np.full((1, 20), 2.0)
    qty[0, ::3] = 2.7
    assert pieces(panel_of(qty)).tolist() == [1.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.5, 0.0, 1e-300, 1e300])
def test_any_quantity_has_a_unit(value: float) -> None:
    qty = np.full((2, 20), value)
    each = pieces(Panel(("a", "b"), date(2026, 1, 1), qty, np.ones(qty.shape, bool), {}, starts(qty)))
    assert np.isfinite(each).all()
    assert (each > 0).all()
