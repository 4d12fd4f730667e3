"""What staff say of lots, learnt: shrunk while there is little, censored where sold, watched for change."""

import json
import random
from itertools import pairwise
from math import exp, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.spoilage.offsets import (
    OTHER_REASONS,
    SPOILED_REASONS,
    Offsets,
    Outcome,
    offset,
    read,
    with_outcome,
    written,
)


def outcome(used: float, kind: str = "wasted", reason: str | None = "mould", **names: str) -> Outcome:
    told = {"supplier": "Farm", "product": "strawberry", "group": "berry", **names}
    return Outcome(kind=kind, used=used, reason=None if kind == "sold" else reason, **told)


def learnt_from(*outcomes: Outcome) -> Offsets:
    learnt = Offsets()
    for one in outcomes:
        learnt, _ = with_outcome(learnt, one)
    return learnt


def of(learnt: Offsets, supplier: str = "Farm", product: str = "strawberry", group: str = "berry") -> float:
    return offset(learnt, group, product, supplier).factor


def test_nothing_learnt_is_no_offset():
    assert of(Offsets()) == 1.0


def test_few_outcomes_move_a_little_and_many_go_most_of_the_way():
    factors = [of(learnt_from(*[outcome(0.6)] * many)) for many in (1, 4, 20, 60)]
    assert factors == sorted(factors, reverse=True)
    assert 0.85 < factors[0] < 1.0
    assert factors[-1] == pytest.approx(0.6, abs=0.06)


def test_one_level_alone_leans_by_eight_outcomes():
    learnt = learnt_from(*[outcome(0.5)] * 8)
    supplier_free = of(learnt, supplier="Somebody else")
    assert of(learnt) < supplier_free < of(learnt, product="raspberry") < 1.0


def test_a_lot_sold_fresh_lasted_at_least_so_long():
    assert of(learnt_from(*[outcome(0.3, "sold")] * 10)) == pytest.approx(1.0, abs=0.03)
    assert of(learnt_from(*[outcome(1.5, "sold")] * 10)) > 1.2


def test_goods_are_marked_down_before_they_are_spoiled():
    assert of(learnt_from(*[outcome(0.85, "marked-down", "soft")] * 5)) == pytest.approx(1.0)
    assert of(learnt_from(*[outcome(0.6, "marked-down", "soft")] * 5)) < 0.95


@pytest.mark.parametrize("reason", OTHER_REASONS)
def test_reasons_that_say_nothing_about_ageing_teach_nothing(reason):
    assert learnt_from(outcome(0.2, reason=reason), outcome(0.2, "marked-down", reason)) == Offsets()


@pytest.mark.parametrize("reason", SPOILED_REASONS)
def test_reasons_of_ageing_teach(reason):
    assert of(learnt_from(outcome(0.4, reason=reason))) < 1.0


def test_a_slip_of_the_pen_is_not_learnt():
    assert learnt_from(outcome(0.0), outcome(40.0)) == Offsets()


def test_the_true_offset_is_found_in_a_shop_that_sells_most_of_its_lots():
    rng = random.Random(7)
    true_ln = log(0.75)
    learnt = Offsets()
    for _ in range(150):
        life = exp(rng.gauss(true_ln, 0.35))
        sold_at = rng.uniform(0.3, 1.2)
        told = outcome(sold_at, "sold") if sold_at < life else outcome(life)
        learnt, _ = with_outcome(learnt, told)
    assert of(learnt) == pytest.approx(0.75, abs=0.09)


def test_a_supplier_that_changes_is_told_of_and_soon_believed():
    rng = random.Random(3)
    learnt, told = Offsets(), []
    for turn in range(120):
        life = exp(rng.gauss(log(1.0 if turn < 80 else 0.6), 0.3))
        learnt, drift = with_outcome(learnt, outcome(life))
        if drift is not None:
            told.append((turn, drift))
    assert [turn for turn, _ in told if turn < 80] == []
    turn, drift = told[0]
    assert 80 <= turn < 100
    assert drift.change < -0.2
    assert str(drift).startswith("strawberry from Farm: the last ")
    assert "shorter" in str(drift)
    assert of(learnt) < 0.75


def test_a_steady_supplier_is_seldom_called_a_change():
    alarms = 0
    for seed in range(10):
        rng, learnt = random.Random(seed), Offsets()
        for _ in range(100):
            life, sold_at = exp(rng.gauss(0.0, 0.35)), rng.uniform(0.3, 1.5)
            told = outcome(sold_at, "sold") if sold_at < life else outcome(life)
            learnt, drift = with_outcome(learnt, told)
            alarms += drift is not None
    assert alarms <= 3  # of a thousand outcomes


@given(st.lists(st.tuples(st.sampled_from(["sold", "wasted", "marked-down"]), st.floats(0, 6)), max_size=40))
@settings(max_examples=50, deadline=None)
def test_what_was_learnt_survives_the_memory_and_stays_within_bounds(told):
    learnt = learnt_from(*(outcome(used, kind) for kind, used in told))
    found = offset(learnt, "berry", "strawberry", "Farm")
    assert 0.4 <= found.factor <= 1.6
    assert 0.0 < found.sd <= 0.15
    back = read(json.loads(json.dumps(written(learnt))))
    assert offset(back, "berry", "strawberry", "Farm").factor == pytest.approx(found.factor, abs=1e-4)


@given(st.floats(0.05, 3.0))
def test_the_longer_a_lot_lasted_the_longer_the_next_one_is_believed_to(used):
    factors = [of(learnt_from(outcome(longer))) for longer in (used, used * 1.2, used * 1.4)]
    assert all(shorter <= longer for shorter, longer in pairwise(factors))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "eaten"}, "sold, marked-down or wasted"),
        ({"used": nan}, "used = nan"),
        ({"used": -0.1}, "0 or more"),
        ({"reason": "ugly"}, "must be one of spoiled"),
        ({"supplier": "a|b"}, "supplier"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        outcome(**{"used": 0.5, **wrong})


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"form": 2},
        {"form": 1, "tallies": []},
        {"form": 1, "tallies": {"berry": [1]}, "watches": {}},
        {"form": 1, "tallies": {"berry": [1, nan]}, "watches": {}},
    ],
)
def test_a_memory_that_cannot_be_read_says_so(value):
    with pytest.raises(ValueError, match="offsets"):
        read(value)
