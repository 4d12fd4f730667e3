"""The one function that makes forecasts: whatever the shop is like, an answer, and a name for what it rests on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.demand.forecaster import BLEND, CATEGORY, MODEL, NOTHING, OWN, SHOP, SIMPLE, Forecasts, forecast
from edge_agent.demand.local import learn
from edge_agent.demand.shop_state import ShopState
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D
from edge_agent.inference.card import read_card
from edge_agent.inference.model import Model, open_model
from tests.demand.shops import SMALL, WEEK, panel_of, shop

MODELS = Path(__file__).parents[2] / "models"
MEDIAN = LEVELS.index(0.5)
DAYS = 200


@pytest.fixture(scope="module")
def learnt() -> ShopState:
    return learn(shop(DAYS), DAYS - 1, None, SMALL)


def _sound(found: Forecasts, series: int, horizon: int = MAX_HORIZON_D) -> bool:
    q = found.quantiles
    right = q.shape == (series, horizon, len(LEVELS)) and len(found.basis) == len(found.reasons) == series
    return bool(right and np.isfinite(q).all() and (q >= 0).all() and (np.diff(q, axis=2) >= 0).all())


def test_nothing_after_the_origin_is_looked_at(learnt: ShopState) -> None:
    panel = shop(DAYS)
    later = panel.qty.copy()
    later[:, 150:] = 1e6
    shut = panel.is_open.copy()
    shut[:, 150:] = False
    one, other = (forecast(each, 149, None, learnt) for each in (panel, replace(panel, qty=later, is_open=shut)))
    assert np.array_equal(one.quantiles, other.quantiles)
    assert one.reasons == other.reasons


def test_what_opens_after_the_origin_does_not_hide_a_gap_before_it() -> None:
    panel = shop(DAYS)
    is_open = panel.is_open.copy()
    is_open[:, 130:150] = False
    found = forecast(replace(panel, is_open=is_open), 149)
    assert "gap" in found.reasons[0]
    assert "gap" not in forecast(panel, 149).reasons[0]


def test_a_weekday_driven_shop_is_forecast_by_its_weekdays(learnt: ShopState) -> None:
    found = forecast(shop(DAYS), DAYS - 1, None, learnt)
    days = (np.arange(DAYS, DAYS + MAX_HORIZON_D)) % 7
    assert _sound(found, 6)
    assert found.quantiles[5, :, MEDIAN] == pytest.approx(40.0 * WEEK[days], rel=0.15)


def test_the_basis_says_whether_the_shop_was_learnt(learnt: ShopState) -> None:
    panel = shop(DAYS)
    assert set(forecast(panel, DAYS - 1).basis) == {SIMPLE}
    assert forecast(panel, DAYS - 1).reasons[0] == ("no_model", "not_learnt")
    assert set(forecast(panel, DAYS - 1, None, learnt).basis) == {BLEND}
    assert forecast(panel, DAYS - 1, None, learnt).reasons[0] == ("no_model",)


def _shipped(name: str) -> Model:
    pytest.importorskip("ai_edge_litert")
    file = MODELS / f"{name}.tflite"
    return open_model(file.read_bytes(), read_card(file.with_suffix(".json").read_bytes()))


def test_with_the_shipped_model_the_basis_is_the_model() -> None:
    model, panel = _shipped("demand-q11"), shop(DAYS)
    found = forecast(panel, DAYS - 1, model, learn(panel, DAYS - 1, model, SMALL))
    assert _sound(found, 6)
    assert set(found.basis) == {MODEL}
    assert found.reasons[0] == ()


def test_a_model_made_for_something_else_is_left_out_and_said(learnt: ShopState) -> None:
    model, panel = _shipped("spoilage-q5"), shop(DAYS)
    found = forecast(panel, DAYS - 1, model, learnt)
    assert set(found.basis) == {BLEND}
    assert found.reasons[0] == ("model_does_not_fit",)
    assert np.array_equal(found.quantiles, forecast(panel, DAYS - 1, None, learnt).quantiles)
    assert learn(panel, DAYS - 1, model, SMALL).model is None


def test_a_state_from_long_ago_is_used_and_said(learnt: ShopState) -> None:
    found = forecast(shop(DAYS + 40), DAYS + 39, None, learnt)
    assert "learnt_long_ago" in found.reasons[0]
    assert found.basis[0] == BLEND


def test_a_state_of_another_shop_is_no_reason_to_fail(learnt: ShopState) -> None:
    panel = replace(shop(DAYS), names=tuple(f"other-{row}" for row in range(6)))
    assert _sound(forecast(panel, DAYS - 1, None, learnt), 6)


def test_days_on_which_the_shop_is_shut_have_no_demand(learnt: ShopState) -> None:
    is_open = np.ones(MAX_HORIZON_D, bool)
    is_open[[6, 13]] = False
    found = forecast(shop(DAYS), DAYS - 1, None, learnt, is_open=is_open).quantiles
    assert (found[:, [6, 13]] == 0).all()
    assert (found[5, is_open, MEDIAN] > 0).all()


@pytest.mark.parametrize("horizon", [0, 15])
def test_a_horizon_out_of_reach_is_refused(horizon: int) -> None:
    with pytest.raises(ValueError, match=f"horizon = {horizon}: must be 1 to 14 days"):
        forecast(shop(60), 59, horizon=horizon)


def _with_new(own: list[float], category: str) -> tuple[Forecasts, float]:
    """A shop of bread and dairy, and one product more with a few days of its own at the end."""
    panel = shop(DAYS, category=("dairy", "dairy", "bread", "bread", "bread", "dairy"))
    new = np.zeros((1, DAYS))
    if own:
        new[0, -len(own) :] = own
    grown = panel_of(np.concatenate([panel.qty, new]), (*panel.category, category))
    found = forecast(grown, DAYS - 1)
    return found, float(found.quantiles[6, :7, MEDIAN].mean())


@pytest.mark.parametrize(
    ("own", "category", "basis", "reason"),
    [
        ([], "bread", CATEGORY, "nothing_sold"),
        ([3.0, 4.0], "bread", CATEGORY, "short_history"),
        ([3.0], "bread", CATEGORY, "one_sale"),
        ([3.0] * 20, "bread", CATEGORY, "short_history"),
        ([3.0, 4.0], "fish", SHOP, "short_history"),
        ([3.0, 4.0], "", SHOP, "short_history"),
    ],
)
def test_a_new_product_leans_on_its_fellows_and_says_so(
    own: list[float], category: str, basis: str, reason: str
) -> None:
    found, median = _with_new(own, category)
    assert _sound(found, 7)
    assert found.basis[6] == basis
    assert reason in found.reasons[6]
    assert median > 0


def test_a_new_product_comes_to_its_own_level_with_its_days() -> None:
    medians = [_with_new([100.0] * days, "bread")[1] for days in (1, 6, 13, 26)]
    assert medians == sorted(medians)
    assert medians[0] < 40.0
    assert medians[-1] == pytest.approx(100.0, rel=0.15)


def test_the_first_product_of_a_shop_has_only_its_own_days() -> None:
    qty = np.zeros((2, 40))
    qty[0, -3:] = [4.0, 5.0, 6.0]
    found = forecast(panel_of(qty), 39)
    assert found.basis == (OWN, NOTHING)
    assert found.quantiles[0, :, MEDIAN].tolist() == [5.0] * MAX_HORIZON_D
    assert (found.quantiles[1] == 0).all()


def test_a_month_without_records_is_bridged_and_said(learnt: ShopState) -> None:
    panel = shop(DAYS)
    is_open, qty = panel.is_open.copy(), panel.qty.copy()
    is_open[:, -30:] = False
    qty[:, -30:] = np.nan
    found = forecast(replace(panel, is_open=is_open, qty=qty), DAYS - 1, None, learnt)
    assert _sound(found, 6)
    assert "gap" in found.reasons[0]
    assert found.quantiles[5, :7, MEDIAN].mean() == pytest.approx(40.0 * WEEK.mean(), rel=0.25)


def test_odd_values_are_named_and_not_believed(learnt: ShopState) -> None:
    panel = shop(DAYS)
    qty = panel.qty.copy()
    qty[4, 190], qty[5, 191] = np.nan, -500.0
    found = forecast(replace(panel, qty=qty), DAYS - 1, None, learnt)
    assert _sound(found, 6)
    assert "not_a_number" in found.reasons[4]
    assert "negative_sales" in found.reasons[5]
    assert "not_a_number" not in found.reasons[5]


@pytest.mark.parametrize("has_state", [False, True])
def test_a_barcode_typed_as_a_quantity_changes_no_forecast_of_note(has_state: bool) -> None:
    panel = shop(DAYS)
    qty = panel.qty.copy()
    qty[4, 190] = 4_006_381_333_931.0
    odd = replace(panel, qty=qty)
    right, found = (
        forecast(each, DAYS - 1, None, learn(each, DAYS - 1, None, SMALL) if has_state else None)
        for each in (panel, odd)
    )
    assert "too_much_sold" in found.reasons[4]
    assert found.quantiles[4] == pytest.approx(right.quantiles[4], rel=0.2, abs=2.0)
    assert found.reasons[3] == right.reasons[3]


def test_a_product_that_stopped_selling_is_silent() -> None:
    panel = shop(DAYS)
    qty = panel.qty.copy()
    qty[3, 100:] = 0.0
    found = forecast(replace(panel, qty=qty), DAYS - 1)
    assert "silent" in found.reasons[3]
    assert found.basis[3] == NOTHING
    assert found.quantiles[3].max() == 0.0


def test_the_order_of_the_products_does_not_matter(learnt: ShopState) -> None:
    panel = shop(DAYS)
    turned = panel.only([5, 4, 3, 2, 1, 0])
    one, other = (forecast(each, DAYS - 1, None, learnt).quantiles for each in (panel, turned))
    assert one[::-1] == pytest.approx(other)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 80)),
        elements=st.one_of(st.integers(0, 9).map(float), st.sampled_from([np.nan, -1.0, 1e6, np.inf])),
    ),
    st.booleans(),
    st.integers(1, 14),
)
def test_any_record_has_a_sound_answer(learnt: ShopState, qty: np.ndarray, has_state: bool, horizon: int) -> None:
    found = forecast(panel_of(qty), qty.shape[1] - 1, None, learnt if has_state else None, horizon)
    assert _sound(found, len(qty), horizon)


def test_amounts_in_half_the_ram_are_told_the_same() -> None:
    panel = shop(200)
    halves = replace(panel, qty=(panel.qty * 0.7).astype(np.float32))
    whole = replace(panel, qty=panel.qty * 0.7)
    told, other = (forecast(each, 199, None, learn(each, 199, None, SMALL)).quantiles for each in (whole, halves))
    assert other == pytest.approx(told, rel=1e-3, abs=1e-3)
