"""Cartons of milk: forecasts from other rounds, and the figures of probabilities."""

import math

import numpy as np
import pytest

from edge_agent.exchange.life_rows import TableFault
from edge_agent.exchange.milk_cartons import read_cartons
from edge_agent.spoilage.milk_judge import Carton, Forecasts, forecast, scored

HEADER = "VSLNumber,SampleID,Day_Initial,SPC_DI,SPC_D7,lo_20k,hi_20k"


def cartons(count: int, seed: int = 1) -> list[Carton]:
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        soon = generator.random() < 0.3
        low, high = (3.0, 7.0) if soon else (7.0, 14.0) if generator.random() < 0.5 else (21.0, math.inf)
        made.append(Carton(f"r{number % 6}", low, high, 2.0, 50.0, 1e6 if soon else 200.0))
    return made


def test_a_round_has_no_part_in_its_own_forecasts() -> None:
    items = cartons(60)
    turned = [
        Carton(one.round, 3.0, 7.0, one.first_d, one.count, one.count_d7) if one.round == "r0" else one for one in items
    ]
    first, second = forecast(items, None), forecast(turned, None)
    mine = np.array([one.round == "r0" for one in items])
    for name, table in first.methods.items():
        if name != "growth_with_count_d7":
            np.testing.assert_allclose(table[mine], second.methods[name][mine])
    assert not np.allclose(first.methods["other_rounds_share"][~mine], second.methods["other_rounds_share"][~mine])


def test_without_a_count_nothing_beats_the_other_rounds_share_and_with_the_count_of_day_7_much_does() -> None:
    found = forecast(cartons(240), None)
    plain, informed = (scored(found, 14, name) for name in ("growth", "growth_with_count_d7"))
    assert plain.skill is not None
    assert informed.skill is not None
    assert abs(plain.skill) < 0.1
    assert informed.skill > 0.2


def test_briers_score_and_its_skill_are_as_defined() -> None:
    items = tuple(Carton("r", *life) for life in ((3.0, 7.0), (14.0, 21.0), (14.0, 21.0), (14.0, math.inf)))
    told = np.array([[0.9] * 3, [0.1] * 3, [0.1] * 3, [0.1] * 3])
    found = Forecasts(items, {"mine": told, "other_rounds_share": np.full((4, 3), 0.5)})
    score = scored(found, 7, "mine")
    assert score.n == 4
    assert score.brier == pytest.approx(0.01)
    assert score.climatology == pytest.approx(0.25 * 0.75)
    assert score.skill == pytest.approx(1 - 0.01 / 0.1875)
    assert score.skill_other_rounds == pytest.approx(1 - 0.01 / 0.25)
    assert score.ece == pytest.approx(0.1)


def test_a_carton_whose_counts_do_not_tell_is_left_out() -> None:
    assert Carton("r", 3.0, 14.0).is_beyond(7) is None
    assert Carton("r", 3.0, 7.0).is_beyond(7) is True
    assert Carton("r", 7.0, 14.0).is_beyond(7) is False


def test_rows_of_cartons_are_read_and_bad_ones_set_aside() -> None:
    good = ("463,11,2,62,80,7,14", "463,12,2,,,21,")
    bad = ("464,1,2,62,80,14,7", ",1,2,6,8,7,14", "464,2,2,many,80,7,14", "464,3,2,6,8,,")
    found = read_cartons("\n".join((HEADER, *good, *bad)))
    assert [(one.round, one.low_d, one.high_d, one.count) for one in found.cartons] == [
        ("463", 7.0, 14.0, 62.0),
        ("463", 21.0, math.inf, None),
    ]
    assert [(bad.row, bad.column) for bad in found.bad] == [
        (4, "lo_20k"),
        (5, "vslnumber"),
        (6, "spc_di"),
        (7, "lo_20k"),
    ]
    with pytest.raises(TableFault, match="vslnumber"):
        read_cartons("a,b\n1,2\n")
