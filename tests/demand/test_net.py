"""The shipped demand model: its card, and forecasts through it."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from edge_agent.demand.features import METHODS, NAMES, Rows, rows
from edge_agent.demand.net import CORRECTION_STEPS, OUTPUTS, PART, combined, estimate
from edge_agent.demand.panel import Panel, starts
from edge_agent.domain.forecast import LEVELS
from edge_agent.inference.card import read_card
from edge_agent.inference.model import Model, open_model

MODELS = Path(__file__).parents[2] / "models"
FILE, CARD = MODELS / "demand-q11.tflite", MODELS / "demand-q11.json"
DAYS = 300


@pytest.fixture(scope="module")
def model() -> Model:
    pytest.importorskip("ai_edge_litert")
    return open_model(FILE.read_bytes(), read_card(CARD.read_bytes()))


def _panel(seed: int = 3, factor: float = 1.0) -> Panel:
    rng = np.random.default_rng(seed)
    week = np.array([1.0, 0.8, 0.8, 1.0, 1.4, 2.0, 0.3])
    qty = factor * rng.poisson(np.array([[0.2], [3.0], [40.0]]) * week[np.arange(DAYS) % 7])
    return Panel(("rare", "some", "many"), date(2024, 1, 1), qty, np.ones(qty.shape, bool), {}, starts(qty))


def _rows(panel: Panel, origin: int = DAYS - 30) -> Rows:
    return rows(panel, panel.imputed(), np.arange(3), np.full(3, origin))


def test_the_shipped_file_is_small_and_its_card_is_of_this_program(model: Model) -> None:
    assert FILE.stat().st_size <= 64_000
    assert tuple(spec.name for spec in model.card.inputs) == NAMES
    assert tuple(spec.name for spec in model.card.outputs) == tuple(spec.name for spec in OUTPUTS)
    assert {entry.name for entry in model.card.training} == {"bakery_de", "tafeng", "town"}
    assert all(entry.terms for entry in model.card.training)


def test_what_the_card_measured_is_within_what_was_promised() -> None:
    metrics = read_card(CARD.read_bytes()).metrics
    to_float = {name: value for name, value in metrics.items() if name.endswith("int8_to_float")}
    to_best = {name: value for name, value in metrics.items() if name.endswith("int8_to_best")}
    assert len(to_float) >= 3
    assert max(to_float.values()) <= 1.005
    assert max(to_best.values()) <= 1.0


def test_zeros_from_the_net_are_the_mean_of_the_methods() -> None:
    methods = np.array([[[1.0] * len(LEVELS)] * len(METHODS)]) * np.arange(1, len(METHODS) + 1)[None, :, None]
    quantiles, z, gate = combined(np.zeros((1, len(OUTPUTS))), methods, np.array([2.0]))
    np.testing.assert_allclose(gate, 1 / len(METHODS))
    np.testing.assert_allclose(quantiles, 2.0 * np.expm1(np.log1p(methods / 2.0).mean(axis=1)))
    np.testing.assert_allclose(z, np.log1p(quantiles / 2.0))


def test_a_correction_is_added_in_its_steps_and_quantiles_stay_in_order() -> None:
    out = np.zeros((1, len(OUTPUTS)))
    out[0, len(METHODS) :] = np.linspace(4, -16, len(LEVELS))  # crossing on purpose
    quantiles, z, _ = combined(out, np.ones((1, len(METHODS), len(LEVELS))), np.array([1.0]))
    assert z[0, 0] == pytest.approx(np.log(2) + 4 / CORRECTION_STEPS)
    assert (np.diff(quantiles) >= 0).all()
    assert quantiles[0, 0] == 0.0


def test_forecasts_rise_with_the_level_and_follow_the_week(model: Model) -> None:
    found = estimate(_rows(_panel()), model)
    assert found.quantiles.shape == (3, 14, len(LEVELS))
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    assert (found.quantiles >= 0).all()
    np.testing.assert_allclose(found.gate.sum(axis=2), 1.0)
    median = found.quantiles[2, :, LEVELS.index(0.5)]
    weekday = (DAYS - 30 + np.arange(1, 15)) % 7
    assert median[weekday == 5].min() > 1.5 * median[weekday == 2].max()
    assert median[weekday == 2].min() > 1.5 * median[weekday == 6].max()


def test_a_forecast_in_money_is_the_forecast_in_pieces_times_the_price(model: Model) -> None:
    pieces, money = (estimate(_rows(_panel(factor=factor)), model).quantiles[2] for factor in (1.0, 3.0))
    np.testing.assert_allclose(money / 3, pieces, rtol=0.15)


def test_a_short_history_has_no_forecast_and_spoils_no_other(model: Model) -> None:
    panel = _panel()
    young = replace(panel, start=np.array([DAYS - 33, 0, 0]))
    found, before = estimate(_rows(young), model), estimate(_rows(panel), model)
    assert np.isnan(found.quantiles[0]).all()
    np.testing.assert_array_equal(found.quantiles[1:], before.quantiles[1:])


def test_the_same_rows_give_the_same_forecast(model: Model) -> None:
    of = _rows(_panel())
    np.testing.assert_array_equal(estimate(of, model).quantiles, estimate(of, model).quantiles)


def test_a_model_made_for_other_inputs_is_refused_by_name(model: Model) -> None:
    of = _rows(_panel())
    with pytest.raises(ValueError, match=r"demand-q11 .*inputs"):
        estimate(replace(of, x=of.x[:, :, :-1]), model)


def test_many_rows_are_told_as_each_alone(model: Model) -> None:
    panel = _panel()
    series, origins = np.arange(PART + 5) % 3, DAYS - 30 - np.arange(PART + 5) % 4
    together = estimate(rows(panel, panel.imputed(), series, origins), model)
    for row in (0, PART - 1, PART, PART + 4):
        alone = estimate(rows(panel, panel.imputed(), series[[row]], origins[[row]]), model)
        np.testing.assert_array_equal(together.quantiles[row], alone.quantiles[0])
        np.testing.assert_array_equal(together.gate[row], alone.gate[0])
