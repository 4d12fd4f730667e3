"""A panel tells what was known at an origin, and nothing of what came after it."""

from datetime import date

import numpy as np
import pytest
from rows_of_sales import ahead, panel_of

from edge_agent.demand.panel import Panel, relative_price, starts

QTY = np.arange(1.0, 22.0)[None, :].repeat(2, axis=0)


def test_a_closed_day_is_filled_from_the_same_weekday_before_even_where_that_was_closed_too() -> None:
    is_open = np.ones(QTY.shape, bool)
    is_open[0, [9, 16]] = False
    assert panel_of(QTY, is_open).imputed()[0, [9, 16]].tolist() == [3.0, 3.0]


def test_a_closed_day_of_the_first_week_is_0() -> None:
    is_open = np.ones(QTY.shape, bool)
    is_open[:, 2] = False
    assert panel_of(QTY, is_open).imputed()[:, 2].tolist() == [0.0, 0.0]


def test_days_that_are_filled_already_are_not_copied_and_the_panel_is_never_changed() -> None:
    is_open = np.ones(QTY.shape, bool)
    is_open[0, [2, 9, 16]] = False
    panel = panel_of(QTY.copy(), is_open)
    filled = panel_of(panel.imputed(), is_open)
    assert panel.qty.tolist() == QTY.tolist()
    assert filled.imputed() is filled.qty
    assert filled.imputed().tolist() == panel.imputed().tolist()


def test_up_to_an_origin_there_is_no_later_sale_and_no_plan_beyond_the_horizon() -> None:
    promo = np.arange(35.0)[None, :].repeat(2, axis=0)
    panel = panel_of(QTY, known={"promo": promo}).upto(9)
    assert panel.days == 10
    assert panel.known["promo"].shape == (2, 24)
    assert panel.day(9) == date(2026, 1, 14)


def test_a_series_without_a_sale_yet_starts_after_the_origin() -> None:
    qty = np.zeros((1, 20))
    qty[0, 15] = 3
    assert panel_of(qty).start.tolist() == [15]
    assert panel_of(qty).upto(9).start.tolist() == [10]


def test_weekdays_go_on_through_the_horizon() -> None:
    weekdays = panel_of(QTY).weekdays()
    assert weekdays[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert len(weekdays) == 35


def test_only_some_series_keep_their_own() -> None:
    panel = panel_of(QTY * [[1], [2]], known={"temp": ahead(QTY)}, category=("bread", "milk")).only([1])
    assert (panel.names, panel.category, panel.qty[0, 0]) == (("series-1",), ("milk",), 2.0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"is_open": np.ones((2, 5), bool)}, "is_open"),
        ({"known": {"promo": np.ones((2, 21))}}, "promo"),
        ({"known": {"weather": np.ones((2, 35))}}, "weather"),
        ({"category": ("bread",)}, "category"),
    ],
)
def test_what_does_not_fit_together_is_refused(changed, words) -> None:
    parts = {"is_open": QTY > 0, "known": {}, "category": ()} | changed
    with pytest.raises(ValueError, match=words):
        Panel(("a", "b"), date(2026, 1, 5), QTY, start=starts(QTY), **parts)


def test_an_origin_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 20"):
        panel_of(QTY).upto(21)


def test_a_price_is_told_against_those_before_it_and_never_against_later_ones() -> None:
    price = np.array([[2.0, 2.0, np.nan, 1.0, 2.0, 4.0]])
    found = relative_price(price)
    assert found[0, :5].tolist() == [1.0, 1.0, 1.0, 0.5, 1.0]
    price[0, 5] = 100.0
    assert relative_price(price)[0, :5].tolist() == found[0, :5].tolist()


def test_a_price_of_nothing_is_a_missing_one() -> None:
    assert relative_price(np.array([[2.0, 0.0, 1.0, 0.0]])).tolist() == [[1.0, 1.0, 0.5, 0.5]]
    assert relative_price(np.zeros((1, 3))).tolist() == [[1.0, 1.0, 1.0]]
