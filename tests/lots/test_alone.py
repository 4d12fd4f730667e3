"""Which lot lies alone on its scale, and which of its weights are kept to learn its drying from."""

from dataclasses import replace

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot, Measure, Shelved
from edge_agent.domain.product import Product
from edge_agent.domain.stock import Balance, EventKind, StockEvent
from edge_agent.lots import alone
from edge_agent.lots.events import booked
from edge_agent.lots.register import Draw, Register, Rest, ShelfBook

GTIN = "4006381333931"
GRAPES = Product(GTIN, "Grapes")
HOUR_MS = 3_600_000


def at(hours: float, boot: str = "boot-1") -> Instant:
    return Instant(round(hours * HOUR_MS), 1_795_417_200_000 + round(hours * HOUR_MS), boot)


def lot(name: str, shelf: str = "s1", **more) -> Lot:
    given = {"measure": Measure.GRAMS, "amount": 8000.0, "left": 8000.0} | more
    return Lot(name, GTIN, at(0), shelved=(Shelved(shelf, 8000.0),), **given)


def register(*lots: Lot, **book) -> Register:
    given = {"net_g": 8000.0, "unattributed_g": 0.0} | book
    return Register({each.id: each for each in lots}, {"s1": ShelfBook(**given)})


@pytest.mark.parametrize(
    ("found", "is_alone"),
    [
        (register(lot("a")), True),
        (register(lot("a"), lot("b", "s2")), True),
        (register(lot("a"), lot("b", closed=at(1))), True),
        (register(lot("a"), unattributed_g=300.0), True),
        (register(lot("a"), lot("b")), False),
        (register(lot("a"), unattributed_g=-500.0), False),
        (register(lot("a"), unattributed_g=None), False),
        (register(lot("a"), owed=(Draw(at(0), "a", 50.0),)), False),
        (register(lot("a"), away=(Draw(at(0), "a", 8000.0),)), False),
        (register(lot("a", measure=Measure.UNITS)), False),
        (register(lot("a", measure=Measure.UNITS, unit_g=1.0)), True),
        (register(), False),
    ],
)
def test_a_lot_is_alone_where_scale_and_register_agree_that_nothing_else_lies_there(found, is_alone):
    assert ("s1" in alone.lone(found)) is is_alone


def followed(hours: float, step_h: float = 0.25) -> tuple[Rest, ...]:
    found, one, now = register(lot("a")), lot("a"), 0.0
    while now <= hours:
        if alone.is_due(found.books["s1"], one, at(now)):
            found = alone.rested(found, "s1", one, Rest(at(now), 8000.0 - now, 1.0))
        now += step_h
    return found.books["s1"].rests


def test_weights_are_an_hour_apart_and_further_the_longer_it_lies_there():
    first = followed(6)
    assert [rest.at for rest in first] == [at(hour) for hour in range(7)]
    month = followed(30 * 24)
    apart_h = (month[-1].at.mono_ms - month[-2].at.mono_ms) / HOUR_MS
    assert (len(month) < 130, apart_h > 20) == (True, True), "the row in the file stays short"


@pytest.mark.parametrize("way", ["another lot", "another boot"])
def test_another_lot_or_another_run_begins_anew(way):
    found = register(lot("a"), alone="a", rests=(Rest(at(0), 8000.0, 0.0), Rest(at(1), 7990.0, 20.0)))
    other, now = (lot("b"), at(1.1)) if way == "another lot" else (lot("a"), at(1.1, "boot-2"))
    assert alone.is_due(found.books["s1"], other, now)
    book = alone.rested(found, "s1", other, Rest(now, 7980.0, 0.0)).books["s1"]
    assert (book.alone, [rest.net_g for rest in book.rests]) == (other.id, [7980.0])


@pytest.mark.parametrize(
    ("kind", "is_kept"),
    [
        (EventKind.WATER_LOSS, True),
        (EventKind.PICK, False),
        (EventKind.DISTURBANCE, False),
        (EventKind.UNEXPLAINED, False),
        (EventKind.DAMAGE, False),
        (EventKind.ZERO, False),
    ],
)
def test_whatever_is_no_water_ends_the_series(kind, is_kept):
    found = register(lot("a"), alone="a", rests=(Rest(at(0), 8000.0, 0.0),))
    seen = StockEvent("s1", kind, at(7), Balance(8000.0), Balance(7950.0), GTIN, u_g=2.0)
    assert bool(booked(found, seen, GRAPES, "room").register.books["s1"].rests) is is_kept


def test_of_a_lot_on_two_scales_the_longer_series_counts():
    found = register(lot("a"), alone="a", rests=(Rest(at(0), 1.0, 0.0),))
    longer = replace(found.books["s1"], rests=(Rest(at(0), 2.0, 0.0), Rest(at(1), 2.0, 0.0)))
    found = replace(found, books={**found.books, "s2": longer, "s3": ShelfBook()})
    assert [rest.net_g for rest in alone.weighings(found)["a"]] == [2.0, 2.0]
    assert alone.weighings(alone.unweighed(found, "s2"))["a"][0].net_g == 1.0
