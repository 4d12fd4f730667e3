"""`backtest demand` judges forecasts on a table of one's own, in words and as one JSON object."""

from datetime import date, timedelta

import numpy as np
import pytest

from edge_agent.cli.exits import Exit

METHODS = ("ours", "snaive7", "ma28", "climatology", "ses", "tsb", "theta")
FIGURES = ("wql", "wql_hi", "wape", "mase", "bias", "cov80", "cov90")
FIRST = date(2026, 1, 5)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Four series by formula and noise, 110 days, one of them sold once."""
    generator = np.random.default_rng(2)
    lines = ["series_id,date,qty,temp,category"]
    for day in range(110):
        week = 1 + 0.4 * np.sin(2 * np.pi * day / 7)
        for name, level in (("bread", 30), ("milk", 12), ("dill", 2)):
            sold = generator.poisson(level * week)
            lines.append(f"{name},{FIRST + timedelta(days=day)},{sold},{10 + day % 5},food")
        lines.append(f"candle,{FIRST + timedelta(days=day)},{int(day == 80)},{10 + day % 5},other")
    file = tmp_path_factory.mktemp("table") / "sales.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_one_json_object_tells_every_figure_of_every_method(call, table) -> None:
    told = call("backtest", "demand", table, "--cold", "--origins", 3, "--json")
    assert told.code == Exit.OK
    (found,) = told.json
    assert (found["series"], found["series_in_file"], found["origins"]) == (3, 4, 3)
    assert found["origin_days"] == ["2026-03-20", "2026-04-03", "2026-04-17"]
    assert tuple(found["methods"]) == METHODS
    assert all(tuple(figures) == FIGURES for figures in found["methods"].values())
    assert set(found["ratios"]) == set(METHODS[1:])
    assert found["ratios"]["theta"]["low"] <= found["ratios"]["theta"]["wql"] <= found["ratios"]["theta"]["high"]
    assert found["best_simple"] in METHODS[1:]
    assert (found["cold"], found["weather"], found["horizon"]) == (True, "noisy", 7)
    assert sum(found["basis"].values()) == 9


def test_without_the_model_the_simple_methods_go_on_and_say_so(call, table) -> None:
    (found,) = call("backtest", "demand", table, "--cold", "--no-model", "--origins", 2, "--json").json
    assert found["model"] is None
    assert found["without_model"] == "--no-model"
    assert set(found["basis"]) == {"simple"}
    assert found["reasons"]["no_model"] == 6


def test_a_folder_without_a_model_is_said_and_stops_nothing(call, table, tmp_path) -> None:
    told = call("backtest", "demand", table, "--cold", "--origins", 1, "--models", tmp_path)
    assert told.code == Exit.OK
    assert f"no model: {tmp_path} holds no demand*.tflite" in told.out


def test_what_the_shop_taught_is_used_unless_cold(call, table) -> None:
    words = ("backtest", "demand", table, "--no-model", "--origins", 1, "--json")
    (learnt,), (cold,) = call(*words).json, call(*words, "--cold").json
    assert learnt["basis"] == {"blend": 3}
    assert cold["basis"] == {"simple": 3}
    assert learnt["methods"]["ours"] != cold["methods"]["ours"]
    assert learnt["methods"]["theta"] == cold["methods"]["theta"]


def test_the_same_words_give_the_same_figures(call, table) -> None:
    words = ("backtest", "demand", table, "--cold", "--origins", 2, "--json")
    first, again = call(*words).json[0], call(*words).json[0]
    assert first | {"seconds": 0} == again | {"seconds": 0}


def test_people_are_told_in_a_table_which_method_was_best(call, table) -> None:
    told = call("backtest", "demand", table, "--cold", "--origins", 2, "--max-series", 3)
    assert told.code == Exit.OK
    for words in ("3 drawn of 4 (--all takes all)", "climatology", "* the best simple method", "rest on:"):
        assert words in told.out


def test_what_is_off_in_the_file_is_told_beside_the_figures(call, table, tmp_path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(table.read_text() + "bread,tomorrow,5,1,food\n")
    told = call("backtest", "demand", file, "--cold", "--origins", 1)
    assert "sales.csv, row 442: date = 'tomorrow': must be a day such as 2026-11-23" in told.err
    assert "date not readable 1" in told.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--origins", 0), Exit.USAGE, "must be a whole number"),
        (("--horizon", 15), Exit.USAGE, "1 to 14"),
        (("--weather", "sunny"), Exit.USAGE, "perfect"),
        (("--all", "--max-series", 3), Exit.USAGE, "not allowed with"),
    ],
)
def test_words_that_are_off_are_refused(call, table, words, code, says) -> None:
    told = call("backtest", "demand", table, *words)
    assert told.code == code
    assert says in told.err


def test_a_file_of_which_nothing_can_be_forecast_is_refused_in_words(call, tmp_path) -> None:
    assert "No such file" in call("backtest", "demand", tmp_path / "none.csv").err
    short = tmp_path / "short.csv"
    short.write_text("series_id,date,qty\nbread,2026-01-01,5\n")
    told = call("backtest", "demand", short, "--cold")
    assert told.code == Exit.FAULT
    assert "1 days: needs 68 or more" in told.err
