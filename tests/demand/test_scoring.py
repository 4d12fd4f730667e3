"""Figures are those of the yardstick, and a ratio says how sure it is."""

import numpy as np
import pytest
from rows_of_sales import ALL, panel_of

from edge_agent.demand.experts import forecasts, histories
from edge_agent.demand.scoring import DECILES, FEWEST_DAYS, RECENT_D, Loss, Truth, loss, ratios, score, truth

ORIGINS = (78, 85, 92)
QTY = ALL[:, :100]
# What `metrics` of the yardstick says of its 13-week climatology on QTY with these days closed
EXPECTED = {
    "wql": 0.11885017921146954,
    "wql_hi": 0.10619354838709678,
    "wape": 0.1589149560117302,
    "mase": 1.0262585339592107,
    "bias": -0.0025558312655086907,
    "cov80": 0.6949152542372882,
    "cov90": 0.7796610169491526,
    "n": 59,
}


def _climatology():
    is_open = np.ones(QTY.shape, bool)
    is_open[0, 88] = is_open[:, 91] = False
    panel = panel_of(QTY, is_open)
    made = [
        forecasts(histories(panel.imputed(), panel.start, np.arange(3), np.full(3, origin)), 7, DECILES)["climatology"]
        for origin in ORIGINS
    ]
    point, quantiles = np.stack([m.point for m in made], axis=1), np.stack([m.quantiles for m in made], axis=1)
    return truth(panel, ORIGINS, 7), point, quantiles


def test_every_figure_is_the_yardsticks() -> None:
    found = score(*_climatology())
    for name, value in EXPECTED.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12), name


def test_the_losses_by_series_add_up_to_the_score() -> None:
    of, point, quantiles = _climatology()
    each = loss(of, quantiles)
    assert each.pinball.sum() / each.sold.sum() == pytest.approx(score(of, point, quantiles).wql, rel=1e-12)


def test_closed_days_young_series_and_silent_ones_do_not_count() -> None:
    qty = np.ones((4, 100))
    qty[1, :40] = 0  # first sale 39 days before the origin
    qty[2, 10:] = 0  # nothing for more than RECENT_D days
    qty[3, :] = 0
    is_open = np.ones(qty.shape, bool)
    is_open[0, 80] = False
    counts = truth(panel_of(qty, is_open), (78,), 7).counts
    assert counts[0, 0].tolist() == [True, False, True, True, True, True, True]
    assert not counts[1:].any()


@pytest.mark.parametrize(
    ("first", "last", "counts"),
    [
        (78 + 1 - FEWEST_DAYS, 99, True),  # the 56th day of the series is the origin itself
        (78 + 2 - FEWEST_DAYS, 99, False),
        (0, 78 + 1 - RECENT_D, True),  # last sold on the first of the 56 days up to the origin
        (0, 78 - RECENT_D, False),
    ],
)
def test_a_series_counts_from_its_56th_day_and_as_long_as_it_sold_within_56(first, last, counts) -> None:
    qty = np.zeros((1, 100))
    qty[0, [first, last]] = 1
    if last == 99:
        qty[0, first:] = 1
    assert truth(panel_of(qty, np.ones(qty.shape, bool)), (78,), 7).counts.any() == counts


def test_nothing_to_score_is_said() -> None:
    of, point, quantiles = _climatology()
    with pytest.raises(ValueError, match="no day to score"):
        score(Truth(of.y, np.zeros_like(of.counts), of.scale), point, quantiles)


def test_a_perfect_forecast_has_no_loss() -> None:
    of, _, _ = _climatology()
    found = score(of, of.y, np.repeat(of.y[..., None], 9, axis=-1))
    assert (found.wql, found.wape, found.bias, found.cov80, found.cov90) == (0.0, 0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(("better", "low", "high"), [(0.9, 0.9, 0.9), (1.0, 1.0, 1.0)])
def test_a_method_better_by_the_same_share_everywhere_has_a_sure_ratio(better, low, high) -> None:
    sold = np.array([100.0, 20.0, 3.0, 0.0])
    other = Loss(sold * [0.2, 0.4, 0.9, 0.0], sold)
    found = ratios(Loss(better * other.pinball, sold), {"other": other}, np.random.default_rng(1))["other"]
    assert (found.ratio, found.low, found.high) == pytest.approx((better, low, high))


def test_methods_that_win_on_different_series_have_an_unsure_ratio_around_1() -> None:
    generator = np.random.default_rng(3)
    sold = np.full(60, 10.0)
    ours, other = Loss(generator.uniform(1, 3, 60), sold), Loss(generator.uniform(1, 3, 60), sold)
    found = ratios(ours, {"other": other}, generator)["other"]
    assert found.low < found.ratio < found.high
    assert 0.05 < found.high - found.low < 0.5


def test_a_ratio_is_that_of_the_figures_also_where_some_series_sold_nothing() -> None:
    sold, other = np.array([10.0, 10.0, 0.0, 0.0]), np.array([4.0, 5.0, 0.0, 1.0])
    ours = np.array([4.0, 4.0, 2.0, 0.0])
    found = ratios(Loss(ours, sold), {"other": Loss(other, sold)}, np.random.default_rng(1))["other"]
    assert found.ratio == pytest.approx(ours.sum() / other.sum())


def test_without_a_sale_there_is_no_ratio() -> None:
    nothing = Loss(np.zeros(2), np.zeros(2))
    assert ratios(nothing, {"other": nothing}, np.random.default_rng(1)) == {}
