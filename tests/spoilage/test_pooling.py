"""Lives from several sources: what each of them weighs, and whether the table's own bands keep their
word for a source that the table does not know."""

import math

import pytest

from edge_agent.spoilage.judge import without
from edge_agent.spoilage.kinetics import relative_rate
from edge_agent.spoilage.pooling import (
    BETWEEN_SOURCES_SD,
    Pooled,
    Saying,
    is_handbook,
    of_group,
    of_product,
    trials_longer,
)
from edge_agent.spoilage.products import Catalog, shipped

CATALOG = shipped()
CLASS = Saying(math.log(12.0), 0.3, 0.0, "class default", "class default")


def word(days: float, source: str = "Somebody 2001", range_sd: float = 0.0, moved_sd: float = 0.0) -> Saying:
    return Saying(math.log(days), range_sd, moved_sd, source, "verified")


def test_one_source_alone_is_believed_with_what_two_sources_differ_by_and_its_range() -> None:
    one = of_product([word(10.0, range_sd=0.2)])
    assert math.exp(one.ln_life) == pytest.approx(10.0)
    assert one.next_sd == pytest.approx(math.hypot(BETWEEN_SOURCES_SD["verified"], 0.2))


def test_many_words_of_one_source_weigh_as_one() -> None:
    thrice = [word(5.0, "AHR")] * 3
    assert of_product([*thrice, word(20.0, "HB66")]) == of_product([thrice[0], word(20.0, "HB66")])


def test_more_sources_that_agree_narrow_the_band_and_such_as_contradict_widen_it() -> None:
    alone = of_product([word(10.0, "A")])
    agreed = of_product([word(10.0, name) for name in "ABC"])
    torn = of_product([word(days, name) for days, name in ((2.0, "A"), (10.0, "B"), (50.0, "C"))])
    assert agreed.next_sd < alone.next_sd < torn.next_sd


def test_a_word_from_another_temperature_weighs_less() -> None:
    near_to_here = of_product([word(10.0, "A"), word(20.0, "B", moved_sd=0.6)])
    assert math.exp(near_to_here.ln_life) < math.sqrt(10.0 * 20.0) * 0.85


def test_a_product_leans_on_its_kin_the_more_the_less_is_told_of_it_and_the_more_they_are_alike() -> None:
    alike, unlike = (Pooled(math.log(20.0), sd, sd) for sd in (0.2, 2.0))
    one, three = [word(10.0, "A")], [word(10.0, name) for name in "ABC"]
    lives = [math.exp(of_product(words, kin).ln_life) for kin, words in ((alike, one), (alike, three), (unlike, one))]
    assert 20.0 > lives[0] > lives[1] > lives[2] > 10.0


def test_a_group_is_its_products_and_one_class_default() -> None:
    members = [Pooled(math.log(days), 0.2, 0.4) for days in (6.0, 7.0, 8.0)]
    kin = of_group(CLASS, members)
    assert 6.0 < math.exp(kin.ln_life) < 9.0
    assert math.exp(of_group(CLASS, []).ln_life) == pytest.approx(12.0)
    assert kin.next_sd > members[0].next_sd


def test_trials_are_found_to_last_longer_than_handbooks_by_the_products_that_both_tell_of() -> None:
    pairs = [[word(10.0, "HB66"), word(14.0, f"Trial {i}")] for i in range(24)]
    assert math.exp(trials_longer(pairs)) == pytest.approx(1.4**0.75)  # 24 products against the doubt of 8
    assert trials_longer([[word(10.0, "HB66"), word(20.0, "UC Davis")], [word(5.0, "Limbo 2009")]]) == 0.0


def test_the_bands_of_the_table_cover_its_own_sources_left_out_one_after_another_and_lean_to_neither_kind() -> None:
    """What every source tells of every product, against the table without that source: the deviation between sources
    is set by this, not by the points that anybody judges with."""
    left = {source: without(CATALOG, source) for source in sources(CATALOG)}
    told = [(is_handbook(source), error) for source, one in left.items() for error in errors(source, one)]
    assert len(told) > 200
    bias = []
    for kind in (True, False):
        found = [error for is_of, error in told if is_of == kind]
        covered = sum(abs(error) < 1.645 * sd for error, sd in found) / len(found)
        assert 0.87 < covered < 0.95
        bias.append(sum(error for error, _ in found) / len(found))
    assert bias[0] < 0 < bias[1], "told is the middle: less than trials, more than handbooks"
    assert abs(sum(bias)) / 2 < 0.1


def sources(catalog: Catalog) -> list[str]:
    return sorted(
        {fact.source for fact in catalog.facts if fact.what == "life" and fact.reliability != "class default"}
    )


def errors(source: str, left: Catalog) -> list[tuple[float, float]]:
    """ln(told / reckoned without the source) of each product, and the deviation that is promised."""
    found = []
    for name in CATALOG.products():
        facts = CATALOG.own[name]
        own = [fact for fact in facts if fact.what == "life" and fact.source == source]
        if not own or any(fact.what == "life_sd" for fact in facts):
            continue
        product = left.named(name)
        at_ref = [math.log(fact.value * relative_rate(product.kinetics, fact.at_c)) for fact in own]
        moved = sum(abs(one.at_c - product.kinetics.ref_c) for one in own) / len(own) / 10.0 * product.slope_sd
        found.append((sum(at_ref) / len(at_ref) - math.log(product.life_d), math.hypot(product.life_sd, moved)))
    return found
