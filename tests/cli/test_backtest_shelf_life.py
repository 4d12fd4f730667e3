"""`backtest shelf-life` as a person or a judge calls it."""

import json
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit

HEADER = "product,group,profile,observed_days,obs_lo,obs_hi,censoring,kind,source\n"
POINTS = (
    HEADER
    + """cod_iced,fish_iced,const:0,12,9,15,,handbook,Huss 1995
trout_iced,fish_iced,const:0,10,9,11,,handbook,Huss 1995
chicken_aerobic,poultry,const:4,5.5,,,,observed,Somebody 2010
chicken_aerobic,poultry,const:4,2.4,,,,model_prediction,Tarlak 2021
milk_pasteurised,milk,const:5,,14,,lower_bound,observed,Somebody 2011
milk_pasteurised,milk,sometimes cold,10,,,,observed,Somebody 2011
"""
)
CARTONS = """VSLNumber,SampleID,Day_Initial,SPC_DI,SPC_D7,SPC_D14,lo_20k,hi_20k
1,a,2,50,90000,1e8,3,7
1,b,2,50,90,1e6,7,14
2,a,2,10,40,300,14,21
2,b,3,10,40,30,21,
3,a,1,80,90000,1e8,3,7
"""


@pytest.fixture
def points(tmp_path: Path) -> Path:
    file = tmp_path / "points.csv"
    file.write_text(POINTS)
    return file


def test_json_has_one_object_with_three_methods_overall_and_by_group(call, points: Path) -> None:
    told = call("backtest", "shelf-life", points, "--json")
    assert told.code == Exit.OK, told
    found = json.loads(told.out)
    assert found["points"] == 4
    assert set(found["methods"]) == {"model", "physics", "dates"}
    for figures in (*found["methods"].values(), *(m for group in found["groups"].values() for m in group.values())):
        assert {"bias_factor", "accuracy_factor", "mae_d", "cov90", "n"} <= set(figures)
    assert found["methods"]["model"]["n"] == 3
    assert found["methods"]["model"]["bounds"] == 1
    assert found["groups"]["fish"]["model"]["n"] == 2
    assert found["groups"]["fish and meat"]["model"]["n"] == 3
    assert [one["row"] for one in found["not_scored"]] == [5]
    assert [(one["row"], one["column"], one["value"]) for one in found["set_aside"]] == [
        (7, "profile", "sometimes cold")
    ]
    assert found["leave_out"] == "source"


def test_goods_can_be_left_out_by_a_part_of_their_name(call, points: Path) -> None:
    told = call("backtest", "shelf-life", points, "--without", "Trout", "--without", "milk", "--json")
    assert told.code == Exit.OK, told
    found = json.loads(told.out)
    assert [one["product"] for one in found["each"]] == ["cod_iced", "chicken_aerobic"]
    assert found["without"] == ["trout", "milk"]
    assert call("backtest", "shelf-life", points, "--without", " ").code == Exit.USAGE


BAD = (
    HEADER
    + """cod,fish,const:0,ten,,,,observed,A
cod,fish,const:0,NaN,,,,observed,A
cod,fish,const:0,1e308,,,,observed,A
cod,fish,const:0,,1e-300,1e-300,,observed,A
moon dust,regolith,const:0,10,,,,observed,A
cod,fish,step:@@;;,10,,,,observed,A
cod,fish,step:5@99999999999999d;4@rest,10,,,,observed,A
cod,fish,step:5 with 8h@25 99999999 times,10,,,,observed,A
cod,fish,cycle:0@0.000001h;8@0.000001h,10,,,,observed,A
cod,fish,const:0,12,,,,observed,A
"""
)


@pytest.mark.parametrize("text", [BAD, BAD.replace("\n", "\r\n"), "\ufeff" + BAD])
def test_each_row_that_is_no_point_is_set_aside_with_its_reason_and_the_rest_is_scored(
    call, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(text.encode())
    told = call("backtest", "shelf-life", file, "--json")
    assert told.code == Exit.OK, told
    found = json.loads(told.out)
    assert [one["row"] for one in found["set_aside"]] == [2, 3, 4, 7, 8, 9, 10]
    assert [one["row"] for one in found["not_scored"]] == [5, 6]
    assert all("must" in one["right"] for one in found["set_aside"])
    assert [one["row"] for one in found["each"]] == [11]


def test_words_name_what_was_set_aside_and_the_figures(call, points: Path) -> None:
    told = call("backtest", "shelf-life", points, "--points", "--no-model")
    assert told.code == Exit.OK, told
    assert "row 7, profile = 'sometimes cold'" in told.out
    assert "row 5, chicken_aerobic: model_prediction" in told.out
    assert "4 points scored" in told.out
    assert "trout" in told.out


def test_cartons_are_scored_by_day_and_round(call, tmp_path: Path) -> None:
    file = tmp_path / "cartons.csv"
    file.write_text(CARTONS)
    told = call("backtest", "shelf-life", "--milk", file, "--json")
    assert told.code == Exit.OK, told
    milk = json.loads(told.out)["milk"]
    assert (milk["cartons"], milk["rounds"]) == (5, 3)
    assert milk["days"]["7"]["growth"]["n"] == 5
    assert {"brier", "skill", "skill_other_rounds", "ece", "climatology"} <= set(
        milk["days"]["14"]["growth_with_count"]
    )
    assert set(milk["by_round"]) == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), Exit.USAGE, "--milk"),
        (("none.csv",), Exit.FAULT, "none.csv"),
    ],
)
def test_what_is_missing_is_said(call, words: tuple[str, ...], code: Exit, said: str) -> None:
    told = call("backtest", "shelf-life", *words)
    assert told.code == code
    assert said in told.err


def test_a_file_of_another_form_is_refused_with_the_columns_it_lacks(call, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    told = call("backtest", "shelf-life", file)
    assert told.code == Exit.FAULT
    assert "product" in told.err
