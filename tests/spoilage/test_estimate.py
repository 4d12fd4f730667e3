"""Remaining lives as the agent publishes them."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.domain.instant import Instant
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.inference.card import read_card
from edge_agent.inference.model import Model, open_model
from edge_agent.spoilage import guard
from edge_agent.spoilage.condition import Condition, received
from edge_agent.spoilage.estimate import DECIDES, LotView, estimate
from edge_agent.spoilage.features import NAMES
from edge_agent.spoilage.net import OUTPUTS
from edge_agent.spoilage.products import shipped, traits
from tests.spoilage.lots import Air, advanced

AT = Instant(1, 1_790_000_000_000, "boot")
CATALOG = shipped()
MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def model() -> Model:
    """The shipped file, as if its card said that it was better than the physics."""
    return opened(decides=1.0)


def opened(decides: float) -> Model:
    card = read_card((MODELS / "spoilage-q5.json").read_bytes())
    told = replace(card, metrics={**card.metrics, DECIDES: decides})
    return open_model((MODELS / "spoilage-q5.tflite").read_bytes(), told)


def kept(name: str, hours: int, air_c: float | None = 4.0, first_c: float = 4.0) -> Condition:
    own = traits(CATALOG.named(name))
    condition = received(own, first_c)
    for _ in range(hours):
        condition = advanced(condition, own, Air(air_c, 90.0), 3600.0)
    return condition


def view(name: str = "chicken_raw_aerobic", hours: int = 24, air_c: float | None = 4.0, **changes: object) -> LotView:
    product = CATALOG.named(name)
    lot = LotView(
        lot="lot-1",
        traits=traits(product),
        condition=kept(name, hours, air_c),
        group=product.family,
        forecast_c=4.0,
        life_sd=product.life_sd,
        slope_sd=product.slope_sd,
    )
    return replace(lot, **changes)


def one(lot: LotView, model: Model | None = None) -> RemainingLife:
    (life,) = estimate([lot], model, AT)
    return life


def test_without_a_model_the_physics_stands_with_a_wider_band_and_the_reason(model: Model) -> None:
    by_net, by_physics = one(view(), model), one(view())
    assert (by_net.basis, by_net.model) == ("model", model.version)
    assert (by_physics.basis, by_physics.model) == ("physics", None)
    assert guard.NO_MODEL in by_physics.reasons
    assert by_physics.remaining_d[-1] / by_physics.remaining_d[0] > by_net.remaining_d[-1] / by_net.remaining_d[0]
    assert by_physics.median_d == pytest.approx(by_net.median_d, rel=0.6)


def test_a_net_that_was_no_better_on_what_is_real_does_not_decide_but_its_calibrated_band_is_kept(model: Model) -> None:
    dropped, by_net, without = one(view(), opened(decides=0.0)), one(view(), model), one(view())
    assert (dropped.basis, dropped.model) == ("physics", None)
    assert guard.NOT_BETTER in dropped.reasons
    assert dropped.median_d == pytest.approx(without.median_d)
    assert dropped.remaining_d != by_net.remaining_d
    assert dropped.remaining_d[-1] < without.remaining_d[-1]


def test_warmth_shortens_what_remains(model: Model) -> None:
    cold, warm = one(view(air_c=2.0), model), one(view(air_c=12.0), model)
    assert warm.median_d < cold.median_d
    assert warm.used > cold.used
    assert warm.p_spoiled[-1] > cold.p_spoiled[-1]


def test_no_quantile_lies_beyond_a_use_by_day_and_all_is_over_after_it(model: Model) -> None:
    free, bound = one(view(hours=1), model), one(view(hours=1, use_by_d=1.5), model)
    assert free.median_d > 2
    assert max(bound.remaining_d) == 1.5
    assert bound.p_spoiled[1] == 1.0  # 48 h
    assert guard.USE_BY in bound.reasons
    over = one(view(hours=1, use_by_d=-0.5), model)
    assert over.remaining_d == (0.0,) * 5
    assert over.p_spoiled == (1.0,) * 3


def test_a_best_before_day_caps_nothing(model: Model) -> None:
    assert one(view(best_before_d=0.5), model).remaining_d == one(view(), model).remaining_d


def test_without_temperatures_the_date_is_all_that_is_told() -> None:
    life = one(view(condition=None, best_before_d=5.0))
    assert life.basis == "date"
    assert life.median_d == pytest.approx(5.0)
    assert guard.NO_CONDITION in life.reasons
    nothing = one(view(condition=None))
    assert nothing.median_d == 0.0
    assert guard.NO_DATE in nothing.reasons


def test_gaps_of_the_sensor_are_met_with_the_physics(model: Model) -> None:
    life = one(view(condition=kept("chicken_raw_aerobic", 30, None)), model)
    assert life.basis == "physics"
    assert guard.SENSOR_GAPS in life.reasons


def test_a_forecast_no_training_saw_is_met_with_the_physics(model: Model) -> None:
    life = one(view(forecast_c=38.0), model)
    assert life.basis == "physics"
    assert any(reason.startswith(guard.OUTSIDE_TRAINING) for reason in life.reasons)


def test_suppliers_offsets_and_ripening_neighbours_change_the_life() -> None:
    plain, better, beside = (one(lot) for lot in (view(), view(offset=0.3), view(ethylene=2.0)))
    assert better.median_d > plain.median_d > beside.median_d
    assert guard.ETHYLENE in beside.reasons


def test_a_lot_that_is_spoiled_says_so(model: Model) -> None:
    life = one(view(hours=20 * 24, air_c=10.0), model)
    assert life.used >= 1.0
    assert life.remaining_d[0] == 0.0
    assert life.median_d < 0.4
    assert life.p_spoiled[0] > 0.5
    assert guard.SPOILED in life.reasons


def test_lives_come_in_the_order_asked_for_dates_and_conditions_mixed(model: Model) -> None:
    asked = [view(lot="a"), view(lot="b", condition=None), view("broccoli", lot="c")]
    assert [life.lot for life in estimate(asked, model, AT)] == ["a", "b", "c"]
    assert estimate([], model, AT) == []


def test_a_lot_fares_the_same_alone_and_among_others(model: Model) -> None:
    asked = [view(name, lot=name) for name in ("chicken_raw_aerobic", "broccoli", "milk_pasteurised", "basil")]
    together = estimate(asked, model, AT)
    assert [life.remaining_d for life in together] == [pytest.approx(one(lot, model).remaining_d) for lot in asked]


def test_two_hundred_lots_take_well_below_half_a_second(model: Model) -> None:
    lots = [view(CATALOG.products()[i % len(CATALOG)], hours=2, lot=str(i)) for i in range(200)]
    estimate(lots[:2], model, AT)
    began = time.process_time()
    estimate(lots, model, AT)
    assert time.process_time() - began < 0.5


def test_the_shipped_model_has_the_inputs_and_outputs_that_the_code_gives_it(model: Model) -> None:
    assert tuple(spec.name for spec in model.card.inputs) == tuple(name for name, _ in NAMES)
    assert tuple(spec.name for spec in model.card.outputs) == OUTPUTS
    assert model.card.size_bytes <= 30_000


def test_the_shipped_models_figures_hold_what_is_promised_of_it() -> None:
    told = read_card((MODELS / "spoilage-q5.json").read_bytes()).metrics
    assert told["int8_off_median"] <= 0.02
    assert told["int8_off_p99"] <= 0.05
    assert told[DECIDES] in (0.0, 1.0)
    if told[DECIDES]:
        assert told["points_pinball_net"] < told["points_pinball_physics"]
        assert told["cartons_brier_net"] < told["cartons_brier_physics"]
    assert told["net_pinball"] < min(told["physics_pinball"], told["fixed_band_pinball"], told["group_band_pinball"])
    for of in ("net", "physics"):
        assert 0.87 <= told[f"{of}_calibrated_cov90"] <= 0.93


def test_most_goods_in_an_ordinary_cold_room_are_within_what_training_saw(model: Model) -> None:
    lots = [view(name, hours=5, lot=name) for name in CATALOG.products()]
    basis = [life.basis for life in estimate(lots, model, AT)]
    assert np.mean([one == "model" for one in basis]) > 0.85
