"""The table of products: whole, sourced, found by the names people use, and readable in its faults."""

import math

import numpy as np
import pytest

from edge_agent.spoilage.kinetics import relative_rate
from edge_agent.spoilage.products import (
    COLUMNS,
    FAMILIES,
    RELIABILITIES,
    ProductFault,
    read_products,
    shipped,
    traits,
)

CATALOG = shipped()
SMALL = [
    "group:leaf,family,leaf,,,,,own choice,convention",
    "group:leaf,pack,bag,,,,,own choice,convention",
    "group:leaf,life,12,7,20,0,d,class default,class default",
    "group:leaf,q10,2.6,,,,1,class default,class default",
    "group:leaf,slope_sd,0.25,,,,1,class default,class default",
    "group:leaf,best,0,,,,°C,class default,class default",
    "rocket,group,leaf,,,,,own choice,convention",
    "rocket,life,10,7,14,0,d,Trial 2009,verified",
    "rocket,life,8,7,14,2,d,HB66,recalled",
]


def table(*lines: str) -> str:
    return "\n".join([",".join(COLUMNS), *lines])


def test_there_are_products_enough_and_every_number_has_its_source_and_reliability():
    assert len(CATALOG) >= 48
    for fact in CATALOG.facts:
        assert fact.source.strip()
        assert fact.reliability in RELIABILITIES
        assert fact.reliability != "convention" or math.isnan(fact.value), fact


@pytest.mark.parametrize("name", CATALOG.products())
def test_every_product_is_whole(name):
    product = CATALOG.named(name)
    assert product.family in FAMILIES
    assert 0.25 <= product.life_sd <= 1.0
    assert 0.05 <= product.slope_sd <= 0.5
    assert -3.0 <= product.best_c <= 21.0
    assert product.fixed_d is not None
    assert all(np.size(getattr(traits(product), column)) == 1 for column in ("life_d", "tau_s", "kind"))
    warmer = product.kinetics.ref_c + 10.0
    assert 1.2 <= relative_rate(product.kinetics, warmer) <= 40.0  # brined shrimp near its least temperature: 30
    assert product.chilling is None or product.chilling.threshold_c <= product.best_c


def test_the_nearest_name_is_sought_once_for_each_that_is_asked():
    """Each hour every lot asks, of which hundreds are of one product."""
    catalog = CATALOG.without("nobody")
    found = [catalog.find(name, "fruit") for name in ("Bio Erdbeeren 500 g", "zzz", "Bio Erdbeeren 500 g", "zzz")]
    assert [one and one.name for one in found] == ["strawberry", None] * 2
    assert sorted(catalog.near.values(), key=str) == [None, "strawberry"]
    catalog.near.update(dict.fromkeys(catalog.near, "apple"))
    assert catalog.find("Bio Erdbeeren 500 g").name == "apple"


@pytest.mark.parametrize(
    ("asked", "product", "how"),
    [
        ("strawberry", "strawberry", "name"),
        ("Strawberries", "strawberry", "alias"),
        ("Bio Erdbeeren 500 g", "strawberry", "near"),
        ("cod_fresh", "fish_temperate_fresh", "alias"),
        ("hake iced", "fish_temperate_fresh", "near"),
        ("plaice", "flatfish_fresh", "alias"),
        ("ground beef", "beef_minced_aerobic", "alias"),
        ("chicken breast fillet", "chicken_raw_aerobic", "near"),
        ("Milch 3,5 %", "milk_pasteurised", "near"),
        ("mushroom_king_oyster_tray", "mushroom_king_oyster", "near"),
        ("lettuce_romaine_fresh_cut", "lettuce_fresh_cut_bag", "near"),
        ("shrimp_brined_MAP_cold_pH5.8_WPS3.0", "shrimp_brined_MAP_cold_pH5.7_WPS3.3", "near"),
        ("shrimp_brined_MAP_cold_pH5.4_WPS3.7", "shrimp_brined_MAP_cold_pH5.5_WPS3.6", "near"),
        ("milk_pasteurised_VSL_PPC", "milk_pasteurised", "near"),
        ("mushroom_button_handbook", "mushroom_button", "near"),
    ],
)
def test_goods_are_found_by_the_names_people_use(asked, product, how):
    found = CATALOG.find(asked)
    assert found is not None
    assert (found.name, found.matched) == (product, how)


def test_goods_nobody_has_heard_of_take_their_group_s_defaults_or_none():
    found = CATALOG.find("Zwetschgenröster", category="berry")
    assert found is not None
    assert (found.group, found.matched, found.facts["life"].reliability) == ("berry", "group", "class default")
    assert CATALOG.find("socket wrench") is None


def test_the_sources_of_a_product_speak_together_and_without_one_the_others_do():
    small = read_products(table(*SMALL))
    both = small.named("rocket")
    assert 8.0 * 2.6**0.2 < both.life_d < 10.0 * 1.02  # 8 d at 2 °C, moved to 0 °C, and 10 d
    assert both.kinetics.ref_c == 0.0
    other = small.without("A trial of 2009 of wild rocket, vol. 3").named("rocket")
    assert 8.0 < other.life_d < 8.6  # leaning on its kin: 12 d at 0 °C is 9.9 d at 2 °C
    assert (other.kinetics.ref_c, other.facts["life"].reliability) == (2.0, "recalled")
    none = small.without("trial 2009").without("after HB66").named("rocket")
    assert (none.life_d, none.facts["life"].reliability) == (12.0, "class default")
    assert both.life_sd < other.life_sd < none.life_sd


def test_a_product_nobody_tells_of_has_the_life_of_its_kin():
    cress = "cress,group,leaf,,,,,own choice,convention"
    catalog = read_products(table(*SMALL, cress))
    assert 8.0 < catalog.named("cress").life_d < 12.0  # rocket draws the class's 12 d down
    without_kin = read_products(table(*SMALL[:6], cress))
    assert without_kin.named("cress").life_d == 12.0


def test_no_class_default_of_a_cold_threshold_repeats_the_figures_of_a_source():
    """Else a source that is left out would speak on under another name."""
    told = {(fact.product, fact.what): [] for fact in CATALOG.facts if fact.what == "chill"}
    for fact in CATALOG.facts:
        if fact.what == "chill":
            told[fact.product, "chill"].append((fact.value, fact.at_c, fact.reliability))
    for (product, _), doses in told.items():
        own = {dose[:2] for dose in doses if dose[2] != "class default"}
        assert own.isdisjoint(dose[:2] for dose in doses if dose[2] == "class default"), product


@pytest.mark.parametrize("source", sorted({fact.source for fact in CATALOG.facts if fact.reliability == "verified"}))
def test_every_product_stays_whole_without_any_one_source(source):
    left = CATALOG.without(source)
    assert len(left.facts) < len(CATALOG.facts)
    assert [left.named(name).name for name in CATALOG.products()] == list(CATALOG.products())
    sensitive = {name for name in CATALOG.products() if CATALOG.named(name).chilling is not None}
    assert {name for name in sensitive if left.named(name).chilling is None} == set()


def test_the_wider_the_range_and_the_more_sources_contradict_one_another_the_wider_the_spread():
    assert CATALOG.named("apple").life_sd > CATALOG.named("pear").life_sd * 0.9
    assert CATALOG.named("broccoli").life_sd > CATALOG.named("cauliflower").life_sd  # 10 to 42 d; 20 to 23 d


@pytest.mark.parametrize(
    ("line", "column", "told"),
    [
        ("rocket,life,ten,7,14,0,d,HB66,recalled", "value", "a number"),
        ("rocket,life,inf,7,14,0,d,HB66,recalled", "value", "a finite number"),
        ("rocket,life,20,7,14,0,d,HB66,recalled", "low", "a range about 20"),
        ("rocket,life,10,7,14,,d,HB66,recalled", "at_c", "a temperature"),
        ("rocket,life,10,7,14,0,h,HB66,recalled", "unit", "d for life"),
        ("rocket,life,-1,,,0,d,HB66,recalled", "value", "above 0"),
        ("rocket,life,10,7,14,0,d,,recalled", "source", "who says so"),
        ("rocket,life,10,7,14,0,d,HB66,sure", "reliability", "one of verified"),
        ("rocket,lifes,10,7,14,0,d,HB66,recalled", "what", "one of life"),
        (",life,10,7,14,0,d,HB66,recalled", "product", "the name of a product"),
        ("rocket,life,10,7,14,0,d,HB66", "line", "9 columns"),
        ("rocket,pack,sachet,,,,,own choice,convention", "value", "one of bare"),
        ("rocket,group,leaves,,,,,own choice,convention", "value", "a group of the table: leaf"),
        ("cress,life,10,7,14,0,d,HB66,recalled", "what", '"group": cress belongs to none'),
        ("group:mould,family,other,,,,,own choice,convention", "what", 'given: "pack" for group:mould'),
        ("rocket,q10,0.4,,,,1,HB66,recalled", "value", "1.0 to 12.0"),
    ],
)
def test_a_broken_line_is_named_with_what_would_be_right(line, column, told):
    with pytest.raises(ProductFault) as caught:
        read_products(table(*SMALL, line))
    assert caught.value.column == column
    assert told in str(caught.value)
    assert caught.value.row == len(SMALL) + 2


def test_a_dose_of_cold_above_its_own_threshold_is_named():
    cold = ("rocket,chill_threshold,8,,,,°C,HB66,recalled", "rocket,chill,5,,,9,d,HB66,recalled")
    with pytest.raises(ProductFault, match="must lie below the threshold") as caught:
        read_products(table(*SMALL, *cold))
    assert (caught.value.row, caught.value.column, caught.value.value) == (len(SMALL) + 3, "at_c", "9.0")


def test_a_life_told_near_a_flora_s_least_temperature_says_little_of_a_warmer_one():
    brined = CATALOG.named("shrimp_brined_MAP_cold_pH5.5_WPS3.6")
    assert brined.life_d > 100.0  # 281 d at 8 °C; 135 d at 5 °C, where Tmin = 4.4 °C would make it 10,000


def test_a_table_of_another_form_is_refused():
    with pytest.raises(ProductFault, match="row 1, header"):
        read_products("product,life\nrocket,10\n")
    with pytest.raises(ProductFault, match="at least one product"):
        read_products(",".join(COLUMNS) + "\n")


def test_a_pack_sets_how_slowly_goods_follow_the_air_and_how_much_they_dry():
    lettuce = CATALOG.named("lettuce_crisphead")
    assert traits(lettuce, "bare").transpiration > 10 * traits(lettuce, "bag").transpiration
    assert traits(lettuce, tau_s=900.0).tau_s.item() == 900.0
    with pytest.raises(ValueError, match="must be one of bare"):
        traits(lettuce, "sachet")
