"""The judge: no number of the scored source, bounds and intervals as they are, figures as they are defined."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.domain.instant import Instant
from edge_agent.exchange.shelf_life_points import read_points
from edge_agent.inference.card import read_card
from edge_agent.inference.model import Model, open_model
from edge_agent.spoilage.condition import start, unstacked
from edge_agent.spoilage.estimate import DECIDES, LotView, estimate
from edge_agent.spoilage.judge import Figures, Judged, Said, Scored, figures, judged, led_at, trial, without
from edge_agent.spoilage.points import Point
from edge_agent.spoilage.products import shipped
from edge_agent.spoilage.profile import constant
from edge_agent.spoilage.words import source_words

HEADER = "product,group,profile,observed_days,obs_lo,obs_hi,censoring,kind,source"
CATALOG = shipped()
MODELS = Path(__file__).parents[2] / "models"


def opened(decides: float, **metrics: float) -> Model:
    card = read_card((MODELS / "spoilage-q5.json").read_bytes())
    told = replace(card, metrics={**card.metrics, **metrics, DECIDES: decides})
    return open_model((MODELS / "spoilage-q5.tflite").read_bytes(), told)


def points(*rows: str) -> tuple[Point, ...]:
    found = read_points("\n".join((HEADER, *rows)))
    assert not found.bad
    return found.points


def judge(*rows: str, leave_out: bool = True) -> Judged:
    return judged(points(*rows), CATALOG, None, leave_out=leave_out)


@pytest.mark.parametrize("leave_out", [True, False])
def test_no_point_of_the_file_has_a_part_in_the_prediction_of_another(leave_out: bool) -> None:
    row = "cod_iced,fish,const:0,12,,,,observed,Brown 2001"
    others = (*(f"cod,fish,const:0,24,,,,observed,Writer{i}" for i in "abcdef"), "cod,fish,const:5,2,,,,observed,Brown")
    alone, beside = judge(row, leave_out=leave_out), judge(row, *others, leave_out=leave_out)
    assert beside.scored[0] == alone.scored[0]


@pytest.mark.parametrize("decides", [0.0, 1.0])
@pytest.mark.parametrize("profile", ["const:0", "const:4", "step:10@1d;0@rest"])
def test_the_model_is_what_the_agent_tells_at_the_start_of_the_last_stretch(decides: float, profile: str) -> None:
    (found,) = judged(points(f"cod_iced,fish,{profile},9,,,,observed,A"), CATALOG, opened(decides)).scored
    product = CATALOG.find("cod_iced", "fish")
    lots = trial(product)
    days_before = 1.0 if profile.startswith("step") else 0.0
    states = led_at(lots, 10.0, days_before) if days_before else start(lots, np.array([float(profile[-1])]))
    view = LotView(
        "lot",
        lots,
        unstacked(states)[0],
        "fish",
        4.0 if profile == "const:4" else 0.0,
        product.life_sd,
        product.slope_sd,
    )
    (life,) = estimate([view], opened(decides), Instant(1, 1_790_000_000_000, "boot"))
    low, middle, high = (life.remaining_d[place] + days_before for place in (0, 2, 4))
    assert found.said["model"] == Said(low, middle, high)
    assert (found.is_net, found.reasons) == (life.basis == "model", life.reasons)
    assert found.is_net == (decides == 1.0)


def test_the_band_of_a_cycle_is_stretched_by_the_card_and_more_without_a_model() -> None:
    def width(model: Model | None) -> float:
        said = judged(points("cod,fish,cycle:0@12h;8@12h,5,,,,observed,A"), CATALOG, model).scored[0].said["model"]
        return math.log(said.high_d / said.low_d)

    wide = opened(0.0, conformal_fish=1.3)
    assert width(wide) == pytest.approx(1.3 * width(opened(0.0, conformal_fish=1.0)))
    assert width(None) > width(wide)


def test_without_the_source_of_the_tables_life_another_takes_its_place() -> None:
    row = "broccoli_head,broccoli_head,const:0,24.5,21,28,,handbook,UC Davis Produce Facts broccoli (uid=6)"
    left_out, kept = judge(row), judge(row, leave_out=False)
    others = [fact.value for fact in CATALOG.own["broccoli"] if fact.what == "life" and fact.source != "UC Davis"]
    of_all, of_others = (found.scored[0].said["physics"].middle_d for found in (kept, left_out))
    assert min(others) < of_others < of_all < 25.5


def test_no_fact_of_the_source_or_its_kin_is_left_in_the_table() -> None:
    source = "UC Davis values as reproduced at x.com"
    asked = source_words(source)
    assert any(source_words(fact.source) & asked for fact in CATALOG.facts)
    assert not any(source_words(fact.source) & asked for fact in without(CATALOG, source).facts)


@pytest.mark.parametrize(
    ("cited", "fact"),
    [
        ("USDA Agriculture Handbook No. 66", "HB66"),
        ("Produce Degradation table 9.2 (issuhub)", "HB66"),
        ("nevegetable.org table 16", "HB66"),
        ("Dalgaard & Joergensen 2000, IJFST 35", "FSSP"),
        ("Huss 1995", "FAO 348"),
        ("Applied Horticultural Research, vegetable handbook", "AHR postharvest.net.au"),
        ("https://www.agric.wa.gov.au/fruit", "WA Agriculture"),
        ("Univ. of California, postharvest.ucdavis.edu", "UC Davis"),
    ],
)
def test_a_house_is_left_out_by_whatever_name_it_is_cited(cited: str, fact: str) -> None:
    assert any(one.source == fact for one in CATALOG.facts)
    assert not any(one.source == fact for one in without(CATALOG, cited).facts)


def test_one_source_is_known_by_its_authors_and_sites_and_not_by_its_journal() -> None:
    assert source_words("UC Davis Produce Facts broccoli (uid=6)") & source_words("UC Davis, reproduced at x.com")
    assert not source_words("Derossi et al. 2016, J Food Eng (abstract)") & source_words("Torry, J Food Eng 2016")


def test_predictions_and_fits_are_not_scored_and_unknown_goods_have_a_reason() -> None:
    found = judge(
        "chicken,meat,const:4,2.4,,,,model_prediction,T 2021",
        "cod,fish,const:0,10,,,,fitted_from_data,T 2021",
        "moon_dust,regolith,const:0,10,,,,observed,T 2021",
        "cod,fish,const:0,10,,,,observed,T 2021",
    )
    assert [one.row for one in found.unscored] == [2, 3, 4]
    assert all(one.reason for one in found.unscored)
    assert len(found.scored) == 1


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("sea_bream_gutted_iced", "fish"),
        ("Chicken breast fillets, aerobic", "meat"),
        ("fresh pork loin", "meat"),
        ("pasteurized whole milk", "dairy"),
        ("iceberg lettuce", "leaf"),
        ("strawberries", "fruit"),
        ("button mushrooms sliced", "vegetable"),
    ],
)
def test_goods_are_found_by_other_names_too(name: str, family: str) -> None:
    found = judge(f'"{name}",x,const:4,8,,,,observed,Somebody 2001')
    assert [one.family for one in found.scored] == [family]


@pytest.mark.parametrize(
    "profile", ["const:0", "const:-1.5", "const:25", "step:10@1d;0@rest", "step:2 with 8h@20 once", "cycle:0@12h;8@12h",
                "step:4 with 4h@15 daily", "step:25@30d;4@rest"],
)  # fmt: skip
def test_every_profile_has_a_life_with_a_band_about_it(profile: str) -> None:
    (one,) = judge(f"cod,fish,{profile},5,,,,observed,Somebody 2001").scored
    for said in one.said.values():
        assert 0 < said.low_d < said.middle_d < said.high_d < 500


def test_a_warm_day_shortens_the_life_by_what_it_used() -> None:
    cold, warmed, warm = (
        judge(f"cod,fish,{profile},5,,,,observed,Somebody").scored[0].said["physics"].middle_d
        for profile in ("const:0", "step:10@1d;0@rest", "const:10")
    )
    assert warmed == pytest.approx(cold * (1 - 1 / warm) + 1, rel=0.02)


# --- figures --------------------------------------------------------------------------------------------------------

POINT = points("cod,fish,const:0,10,,,,observed,A")[0]


def scored(observed: tuple[float, float, float | None], said: Said) -> Scored:
    low, high, middle = observed
    point = replace(POINT, low_d=low, high_d=high, middle_d=middle, profile=constant(0.0))
    return Scored(point, "cod", "fish", "name", {"model": said}, is_net=False, reasons=())


def of(*pairs: tuple[tuple[float, float, float | None], Said]) -> Figures:
    return figures([scored(observed, said) for observed, said in pairs], "model")


def test_bias_and_accuracy_factors_are_ross_s() -> None:
    found = of(((10, 10, 10), Said(4, 20, 40)), ((10, 10, 10), Said(4, 5, 6)))
    assert found.n == 2
    assert found.bias_factor == pytest.approx(1.0)
    assert found.accuracy_factor == pytest.approx(2.0)
    assert found.mae_d == pytest.approx(7.5)
    assert found.cov90 == pytest.approx(0.5)


def test_inside_of_an_interval_a_prediction_is_right_and_outside_its_nearest_end_counts() -> None:
    inside = of(((8, 15, 11.0), Said(5, 14, 30)))
    outside = of(((8, 16, 11.0), Said(5, 32, 40)))
    assert (inside.accuracy_factor, inside.mae_d) == (1.0, 0.0)
    assert inside.middle_accuracy_factor == pytest.approx(14 / 11)
    assert outside.bias_factor == pytest.approx(2.0)


def test_what_is_known_from_one_side_is_counted_by_the_side_only() -> None:
    found = of(((14, math.inf, None), Said(5, 20, 40)), ((0, 11, None), Said(5, 20, 40)))
    assert (found.n, found.bounds, found.bounds_right, found.bias_factor) == (0, 2, 1, None)
    assert found.bounds_possible == 2
    assert of(((45, math.inf, None), Said(5, 20, 40)), ((0, 4, None), Said(5, 20, 40))).bounds_possible == 0
