"""Rows of the model: the same for any unit, blind to the future, and finite whatever a shop's book holds."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.demand.effects import effects
from edge_agent.demand.experts import EXPERTS
from edge_agent.demand.features import CHUNK, LIMIT, METHODS, NAMES, rows
from edge_agent.demand.panel import Panel, starts
from edge_agent.demand.profile import profile
from edge_agent.domain.forecast import LEVELS

DAYS = 450
FIRST = date(2023, 1, 2)  # a Monday
UNITLESS = [number for number, name in enumerate(NAMES) if name != "scale"]


def _panel(qty: np.ndarray, known: dict[str, np.ndarray] | None = None) -> Panel:
    names = tuple(f"good-{number}" for number in range(len(qty)))
    return Panel(names, FIRST, qty, np.ones(qty.shape, bool), known or {}, starts(qty))


def _sales(seed: int = 1, series: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    week = np.array([1.0, 0.8, 0.8, 1.0, 1.4, 2.0, 0.3])
    return rng.poisson(rng.uniform(2, 40, (series, 1)) * week[np.arange(DAYS) % 7]).astype(float)


def _known(seed: int = 2, series: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (series, DAYS + 14)
    return {
        "promo": (rng.random(shape) < 0.1).astype(float),
        "price_rel": rng.uniform(0.7, 1.0, shape),
        "holiday": (rng.random(shape) < 0.05).astype(float),
        "temp": rng.normal(12, 6, shape),
        "precip": rng.gamma(0.5, 4, shape),
    }


def _rows(panel: Panel, origin: int = DAYS - 20, horizon: int = 14):
    series = np.arange(len(panel.names))
    return rows(panel, panel.imputed(), series, np.full(len(series), origin), horizon)


def _of(found, name: str) -> np.ndarray:
    return found.x[:, :, NAMES.index(name)]


def test_each_input_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert METHODS[: len(EXPERTS)] == EXPERTS
    found = _rows(_panel(_sales()))
    assert found.x.shape == (4, 14, len(NAMES))
    assert found.methods.shape == (4, 14, len(METHODS), len(LEVELS))


def test_nothing_after_the_origin_is_seen_but_what_is_known_in_advance() -> None:
    panel = _panel(_sales(), _known())
    origin = DAYS - 20
    qty = panel.qty.copy()
    qty[:, origin + 1 :] = 999.0
    known = {name: values.copy() for name, values in panel.known.items()}
    for values in known.values():
        values[:, origin + 1 + 14 :] = 77.0
    one, two = _rows(panel), _rows(replace(panel, qty=qty, known=known))
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.methods, two.methods)


def test_a_panel_cut_at_the_origin_gives_the_same_rows() -> None:
    panel = _panel(_sales(), _known())
    origin = DAYS - 20
    np.testing.assert_array_equal(_rows(panel).x, _rows(panel.upto(origin), origin).x)


def test_grams_give_the_same_rows_as_kilograms_but_for_the_scale() -> None:
    kilograms, grams = _rows(_panel(_sales(), _known())), _rows(_panel(1000 * _sales(), _known()))
    np.testing.assert_allclose(grams.x[:, :, UNITLESS], kilograms.x[:, :, UNITLESS], atol=2e-3)
    np.testing.assert_allclose(grams.scale, 1000 * kilograms.scale)
    np.testing.assert_allclose(grams.methods, 1000 * kilograms.methods, rtol=1e-3, atol=1e-3)


def test_the_same_weekday_is_looked_up_for_each_day_ahead() -> None:
    qty = np.tile(np.arange(1.0, 8.0), DAYS // 7 + 1)[None, :DAYS]
    found = _rows(_panel(qty), origin=DAYS - 20)
    ahead = DAYS - 20 + np.arange(1, 15)
    wanted = 2 * (np.log1p(qty[0, ahead] / found.scale[0]) - np.log(2))
    for name in ("weekday_1", "weekday_4", "weekday_mean8", "weekday_max8", "climatology_point", "snaive7_point"):
        np.testing.assert_allclose(_of(found, name)[0], wanted, atol=1e-5)


def test_the_weekday_and_the_season_are_of_the_target_day() -> None:
    found = _rows(_panel(_sales()), origin=6)  # too short: nothing is said
    assert not found.has_enough.any()
    assert np.isnan(found.methods).all()
    found = _rows(_panel(_sales()), origin=363)  # a Sunday, 31 December 2023
    assert _of(found, "dow_0")[0].tolist() == [2, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(_of(found, "year_sin")[0, 0], 2 * np.sin(2 * np.pi / 365.25), atol=1e-6)


def test_what_is_not_known_is_zero_and_flagged() -> None:
    panel = _panel(_sales(), _known())
    origin = DAYS - 20
    blind = {name: values.copy() for name, values in panel.known.items()}
    for values in blind.values():
        values[:, origin + 1 :] = np.nan
    found = _rows(replace(panel, known=blind), origin)
    for name in ("promo", "price", "holiday", "has_weather", "temp", "temp_change", "rain", "is_rainy"):
        assert (_of(found, name) == 0).all(), name
    assert (_of(found, "weather_effect") == 0).all()
    assert (_of(_rows(panel, origin), "has_weather") > 0).all()


def test_last_year_is_told_only_where_there_is_one() -> None:
    long, short = _rows(_panel(_sales()), 440), _rows(_panel(_sales()), 300)
    assert (_of(long, "has_last_year") == 1).all()
    assert (_of(short, "has_last_year") == 0).all()
    assert (_of(short, "last_year_growth") == 0).all()


def test_a_week_that_doubled_last_year_shows_as_growth() -> None:
    qty = np.full((1, DAYS), 10.0)
    origin = DAYS - 20
    qty[0, origin - 364 + 1 : origin - 364 + 15] = 20.0
    growth = _of(_rows(_panel(qty), origin), "last_year_growth")[0]
    assert growth[6] == pytest.approx(2 * np.log(21 / 11), abs=1e-3)


def test_a_promotion_that_doubled_sales_before_is_expected_to_do_so_again() -> None:
    qty, known = np.full((1, DAYS), 20.0), {"promo": np.zeros((1, DAYS + 14))}
    origin = DAYS - 20
    for begin in range(40, origin - 60, 60):
        known["promo"][0, begin : begin + 4] = 1.0
        qty[0, begin : begin + 4] = 40.0
    known["promo"][0, origin + 3] = 1.0
    panel = _panel(qty, known)
    effect = effects(panel, qty, np.array([0]), np.array([origin]), 5).calendar[0]
    assert effect[2] == pytest.approx(np.log(2), abs=0.1)
    np.testing.assert_allclose(effect[[0, 1, 3, 4]], 0.0, atol=1e-9)


def test_days_on_which_the_shop_was_shut_teach_no_effect() -> None:
    """Three holidays on which twice as much was sold; five more on which the shop was shut."""
    origin = DAYS - 20
    opened, shut = [100, 200, 300], [90, 151, 213, 251, 351]
    qty = np.full((1, DAYS), 20.0)
    qty[0, opened] = 40.0
    holiday = np.zeros((1, DAYS + 14))
    holiday[0, [*opened, origin + 1]] = 1.0
    of = np.array([0]), np.array([origin]), 1
    panel = _panel(qty, {"holiday": holiday})
    wanted = effects(panel, qty, *of).calendar[0, 0]
    assert wanted > 0.4
    is_open, more, less = panel.is_open.copy(), holiday.copy(), qty.copy()
    is_open[0, shut], more[0, shut], less[0, shut] = False, 1.0, 0.0
    closing = replace(panel, qty=less, is_open=is_open, known={"holiday": more})
    assert effects(closing, closing.imputed(), *of).calendar[0, 0] > 0.7 * wanted


def test_the_profile_follows_a_level_that_moved_and_keeps_the_week() -> None:
    week = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0])
    y = 10 * np.tile(week, 60)[None, :]
    y[0, -21:] *= 2
    median = profile(y, 14)[0, :, LEVELS.index(0.5)]
    assert median[5] > 30
    assert median[5] == pytest.approx(median[12])
    assert 0 <= median[6] < 6
    assert (np.diff(profile(y, 14), axis=2) >= 0).all()


def test_many_rows_at_once_are_the_rows_one_by_one() -> None:
    panel = _panel(_sales(series=3), _known(series=3))
    series = np.arange(CHUNK + 60) % 3
    origins = DAYS - 30 + np.arange(CHUNK + 60) % 10
    together = rows(panel, panel.imputed(), series, origins, 2)
    for row in (0, CHUNK - 1, CHUNK, CHUNK + 59):
        alone = rows(panel, panel.imputed(), series[row : row + 1], origins[row : row + 1], 2)
        np.testing.assert_allclose(together.x[row], alone.x[0], atol=1e-6)


_BOOKS = st.lists(
    st.one_of(st.just(0.0), st.floats(0.001, 3.0), st.integers(0, 50).map(float), st.just(1e6)),
    min_size=15,
    max_size=90,
)


@given(_BOOKS, st.booleans())
def test_any_book_gives_finite_rows_within_their_limits(book: list[float], has_known: bool) -> None:
    qty = np.array([book])
    known = {name: values[:1, : len(book) + 14] for name, values in _known().items()} if has_known else {}
    panel = Panel(("a",), FIRST, qty, np.ones(qty.shape, bool), known, starts(qty))
    found = rows(panel, panel.imputed(), np.array([0]), np.array([len(book) - 1]))
    assert np.isfinite(found.x).all()
    assert np.abs(found.x).max() <= LIMIT
    assert np.isfinite(found.methods[found.has_enough]).all()
    assert (found.scale > 0).all()
