"""What a training row may see: nothing that happened after its origin, and weather only as it is forecast."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demand_sets import FORGETS, as_known, examples, forecast, joined, read_set, sets_below
from demand_shops import town

from edge_agent.demand.features import METHODS, NAMES

REMEMBERS_ALL = dict.fromkeys(FORGETS, 0.0)


def _town() -> object:
    return town(np.random.default_rng(5), shops=3, goods=3, days=200)


def test_what_is_sold_after_the_origin_changes_the_answer_and_nothing_else() -> None:
    panel = _town()
    later = panel.qty.copy()
    later[:, 151:] += 1.0
    changed = replace(panel, qty=later)
    one, two = (
        joined(examples(each, [150], 0, np.random.default_rng(1), forgets=REMEMBERS_ALL)) for each in (panel, changed)
    )
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.methods, two.methods)
    assert (two.y > one.y).all()


def test_rows_are_of_open_days_and_have_the_models_inputs() -> None:
    panel = _town()
    found = joined(examples(panel, [100, 150], 2, np.random.default_rng(1)))
    assert found.x.shape == (len(found.y), len(NAMES))
    assert found.methods.shape[1] == len(METHODS)
    assert np.isfinite(found.x).all()
    assert np.isfinite(found.methods).all()
    assert set(found.group) == {2}


def test_the_weather_to_come_is_forecast_and_the_weather_that_came_is_not() -> None:
    panel = _town()
    seen = as_known(panel, 150, np.random.default_rng(1), REMEMBERS_ALL)
    np.testing.assert_array_equal(seen.known["temp"][:, :151], panel.known["temp"][:, :151])
    error = seen.known["temp"][:, 151:] - panel.known["temp"][:, 151:165]
    assert 0.3 < np.abs(error[:, 0]).mean() < np.abs(error[:, -1]).mean() < 5.0


@pytest.mark.parametrize("name", ["temp", "precip"])
def test_a_forecast_errs_more_the_farther_the_day(name: str) -> None:
    came = np.random.default_rng(2).gamma(1.0, 5.0, (4000, 14))
    error = np.abs(forecast(name, came, np.random.default_rng(3)) - came).mean(axis=0)
    assert error[0] < error[6] < error[13]


def test_a_shop_that_tells_nothing_has_no_covariates() -> None:
    panel = _town()
    seen = as_known(panel, 150, np.random.default_rng(1), dict.fromkeys(FORGETS, 1.0))
    assert not seen.known
    assert (seen.start >= panel.start).all()
    assert seen.start.sum() > panel.start.sum()


def test_a_table_becomes_a_panel_without_what_only_the_day_itself_told(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    days = np.array(["2024-01-01", "2024-01-03", "2024-01-01"], "datetime64[D]")
    columns = {
        "series_id": ["b", "b", "a"],
        "date": days,
        "qty": [2.0, 3.0, 0.0],
        "open": [1, 1, 0],
        "promo_realised": [1.0, 1.0, 1.0],
        "temp": [4.0, 5.0, 4.0],
    }
    (tmp_path / "shop").mkdir()
    parquet.write_table(arrow.table(columns), tmp_path / "shop" / "long.parquet")
    panel = read_set(tmp_path, "shop")
    assert panel.names == ("a", "b")
    assert panel.qty.tolist() == [[0, 0, 0], [2, 0, 3]]
    assert panel.is_open.tolist() == [[False, False, False], [True, False, True]]
    assert set(panel.known) == {"temp"}


def test_the_sets_are_found_in_the_folder_or_in_its_demand(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "demand" / name).mkdir(parents=True)
        (tmp_path / "demand" / name / "long.parquet").touch()
    assert sets_below(tmp_path, "a", "b") == sets_below(tmp_path / "demand", "a", "b") == tmp_path / "demand"
    with pytest.raises(FileNotFoundError, match=r"demand has no c/long\.parquet"):
        sets_below(tmp_path, "a", "c")
    with pytest.raises(FileNotFoundError, match=r"neither .* has c, each with long\.parquet"):
        sets_below(tmp_path, "c")
