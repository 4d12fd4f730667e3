"""What was taken here and put there is one movement, told twice."""

import pytest

from edge_agent.decide.moves import pair
from edge_agent.domain.instant import Instant
from edge_agent.domain.stock import Balance, EventKind, StockEvent

MILK, HONEY = "4006381333931", "4123"


def at(seconds: float, boot: str = "boot") -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), boot)


def event(kind, shelf, delta_g, seconds, product=MILK, confidence=1.0, units=1, boot="boot"):
    before, after = Balance(5000.0), Balance(5000.0 + delta_g)
    return StockEvent(shelf, kind, at(seconds, boot), before, after, product, 2.0, confidence, moved_units=units)


def pick(shelf, grams, seconds, **more):
    return event(EventKind.PICK, shelf, -grams, seconds, **more)


def restock(shelf, grams, seconds, **more):
    return event(EventKind.RESTOCK, shelf, grams, seconds, **more)


def told(*batches):
    """Kind, shelf and counterpart of every event, cycle by cycle."""
    picks, found = (), []
    for seconds, events in batches:
        paired = pair(picks, events, at(seconds))
        picks = paired.picks
        found += [(each.kind.value, each.shelf, each.counterpart) for each in paired.events]
    return found


def test_a_pick_and_the_same_goods_on_another_shelf_are_a_pick_and_a_move():
    assert told((10, [pick("a", 1000, 10)]), (30, [restock("b", 1003, 30)])) == [
        ("pick", "a", None),
        ("move", "b", "a"),
    ]


def test_both_in_one_cycle_come_in_the_order_in_which_they_happened():
    assert told((30, [restock("b", 1000, 29), pick("a", 1000, 10)])) == [("pick", "a", None), ("move", "b", "a")]


NO_MOVES = {
    "another weight": [pick("a", 1000, 10), restock("b", 1020, 30)],
    "another product, and surely so": [pick("a", 1000, 10), restock("b", 1000, 30, product=HONEY)],
    "too late": [pick("a", 1000, 10), restock("b", 1000, 101)],
    "put before it was taken": [restock("b", 1000, 9), pick("a", 1000, 10)],
    "back on the same shelf": [pick("a", 1000, 10), restock("a", 1000, 30)],
    "two picks that could be it": [pick("a", 1000, 10), pick("c", 1000, 12), restock("b", 1000, 30)],
    "a container that left": [event(EventKind.REMOVAL, "a", -1000, 10), restock("b", 1000, 30)],
    "before a restart of the board": [pick("a", 1000, 10, boot="old"), restock("b", 1000, 30)],
}


@pytest.mark.parametrize("events", NO_MOVES.values(), ids=NO_MOVES.keys())
def test_what_may_be_something_else_is_no_move(events):
    batches = [(each.at.mono_ms / 1000, [each]) for each in events]
    assert [kind for kind, _, _ in told(*batches) if kind == "move"] == []


@pytest.mark.parametrize(
    "put",
    [
        restock("b", 1000, 30, product=None),
        restock("b", 1000, 30, product=HONEY, confidence=0.4),  # no sure number of the shelf's own pieces
        restock("b", 1000, 30, product=HONEY, units=None),  # surely no number of them at all
    ],
)
def test_a_shelf_that_does_not_know_what_was_put_on_it_takes_the_weight_for_it(put):
    assert told((10, [pick("a", 1000, 10)]), (30, [put]))[-1] == ("move", "b", "a")


def test_goods_are_put_down_once():
    assert [kind for kind, _, _ in told(
        (10, [pick("a", 1000, 10)]), (30, [restock("b", 1000, 30)]), (40, [restock("c", 1000, 40)])
    )] == ["pick", "move", "restock"]  # fmt: skip


def test_picks_are_forgotten_when_it_is_too_late_for_them():
    paired = pair((), [pick("a", 1000, 10)], at(10))
    assert len(pair(paired.picks, (), at(99)).picks) == 1
    assert pair(paired.picks, (), at(101)).picks == ()
