"""The judge of goods, sales and models: every fault it is there for, planted once."""

from dataclasses import replace

import pytest
from chaos_parts.goods_judge import Kept, ModelWatch, Slots, balance_faults, command_faults, sold_faults

from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Ending, Lot, Measure, Shelved, Stay
from edge_agent.lots.register import Draw, Register, ShelfBook

AT = Instant(5000, 5000, "boot")
SHELF, GTIN, PIECE_G = "shelf-3", "4006381333931", 500.0
LOT = Lot(
    "l1", GTIN, AT, Measure.UNITS, 10, 5, drawn=2, wasted=2, corrected=1, unit_g=PIECE_G, code="L1",
    stays=(Stay("cellar", AT),), shelf=SHELF, shelved=(Shelved(SHELF, 4.0),),
)  # fmt: skip
BACK = Lot("l2", GTIN, AT, Measure.UNITS, 8, 8, code="L2", stays=(Stay("cellar", AT),))
GONE = replace(BACK, id="l3", code="L3", left=0, wasted=8, ending=Ending.WASTED, closed=AT)
BOOK = ShelfBook(
    net_g=2300.0, last="pick/boot/5000", owed=(Draw(AT, "l1", 1.0),), unattributed_g=-200.0, unattributed_units=None
)


def answer(cmd_id: str, verb: str, **detail: object) -> dict[str, object]:
    return {"cmd_id": cmd_id, "verb": verb, "code": "done", "detail": detail}


def line(kind: str, source: str, **body: object) -> dict[str, object]:
    return {"kind": kind, "source": source, "product": GTIN, **body}


ANSWERS = [
    *(answer(f"r{n}", "receive", lot=f"L{n}", lot_id=f"l{n}", units=units) for n, units in ((1, 10), (2, 8), (3, 8))),
    answer("w1", "waste", units=2, lot_ids=["l1"]),
    answer("m1", "move", lot="l2", place="attic"),
    answer("m2", "move", lot="l2", place="cellar"),
    answer("o1", "outcome", lot="l3", outcome="wasted"),
    {"cmd_id": "x", "verb": "receive", "code": "duplicate", "detail": {}},
]
RECORDS = [*(line("delivery", f"r{n}") for n in (1, 2, 3)), line("waste", "w1", units=2)]
PICK = {
    "shelf": SHELF, "product": GTIN, "kind": "pick", "delta_units": -2, "delta_g": -1000.0, "mono_ms": 5000,
    "balance_after": {"net_g": 2300.0},
}  # fmt: skip
UNSURE = PICK | {"kind": "pick", "delta_units": None, "delta_g": -490.0, "mono_ms": 4000}
LOTS = {lot.id: lot for lot in (LOT, BACK, GONE)}
KEPT = Kept(Register(LOTS, {SHELF: BOOK}), ANSWERS, RECORDS, [UNSURE, PICK])


def with_lot(lot: Lot) -> Kept:
    return replace(KEPT, register=replace(KEPT.register, lots=LOTS | {lot.id: lot}))


def with_book(**changed: object) -> Kept:
    return replace(KEPT, register=replace(KEPT.register, books={SHELF: replace(BOOK, **changed)}))


def without(*lots: str) -> Kept:
    left = {name: lot for name, lot in LOTS.items() if name not in lots}
    return replace(KEPT, register=replace(KEPT.register, lots=left))


def test_what_was_told_once_and_adds_up_is_no_fault():
    assert command_faults(KEPT) == balance_faults(KEPT, SHELF) == []
    assert sold_faults(KEPT, GTIN, PIECE_G, taken=2.98, back=2.0) == []


def test_an_agent_that_was_killed_before_anything_happened_has_no_fault():
    nothing = Kept(Register(), [], [], [])
    assert command_faults(nothing) == balance_faults(nothing, SHELF) == []
    assert sold_faults(nothing, GTIN, PIECE_G, 0, 0) == []


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (without("l2"), "L2 was received, and the register has None"),
        (with_lot(replace(LOT, amount=20)), "L1 was received, and the register has"),
        (replace(KEPT, answers=[*ANSWERS, ANSWERS[0]]), "L1 was received 2 times"),
        (with_lot(replace(BACK, id="l9")), "L2 is 1 lots more than were received"),
        (replace(KEPT, records=RECORDS[1:]), "receive r1 is done and not in the record"),
        (replace(KEPT, records=[*RECORDS, RECORDS[0]]), "receive r1 stands in the record 2 times"),
        (replace(KEPT, records=[*RECORDS, line("waste", "w9", units=1)]), "waste w9 stands in the record 1 times"),
        (
            replace(KEPT, records=[*RECORDS[:3], {"kind": "waste", "source": "w1", "units": 2}]),
            "waste w1 stands in the record without its product",
        ),
        (with_lot(replace(LOT, wasted=4)), "l1: 2 told as thrown away, 4 booked"),
        (with_lot(replace(BACK, wasted=1)), "l2: 0 told as thrown away, 1 booked"),
        (with_lot(replace(BACK, stays=(Stay("attic", AT),))), "l2 was moved to cellar, and lies in attic"),
        (with_lot(replace(GONE, ending=None)), "l3 was told as wasted"),
    ],
)
def test_a_command_that_was_lost_or_carried_out_twice_is_named(kept, words):
    assert any(words in fault for fault in command_faults(kept))


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (with_lot(replace(LOT, drawn=3)), "l1: 10 received, 11 accounted for"),
        (with_lot(replace(LOT, drawn=-2, wasted=6)), "l1: less than nothing"),
        (with_lot(replace(LOT, shelved=(Shelved(SHELF, 3.0),))), "1500 g of lots, 500 g owed, -200 g unattributed"),
        (with_book(last="pick/boot/4000"), "the last event is pick at 5000, booked is pick/boot/4000"),
        (with_book(net_g=2400.0), "2300 g told, 2400 g booked"),
        (with_book(unattributed_g=0.0), "and 2300 g on the scale"),
        (replace(KEPT, events=[]), "of book and event there is one alone"),
        (replace(KEPT, register=Register(LOTS)), "of book and event there is one alone"),
    ],
)
def test_a_balance_that_does_not_add_up_is_named(kept, words):
    assert any(words in fault for fault in balance_faults(kept, SHELF))


@pytest.mark.parametrize(
    ("taken", "back", "words"),
    [
        (3.98, 2.0, "2.98 pieces were picked"),
        (2.98, 12.0, "12 pieces were no sale by the shop's days: 1 were moved, and 11 moved"),  # 2 and a lot of 8
        (2.98, 0.0, "0 pieces were no sale by the shop's days: 1 were moved"),
    ],
)
def test_sales_that_the_ledger_does_not_have_are_named(taken, back, words):
    move = {**PICK, "kind": "move", "delta_units": 1, "delta_g": 500.0}
    (fault,) = sold_faults(replace(KEPT, events=[*KEPT.events, move]), GTIN, PIECE_G, taken, back)
    assert words in fault


# --- models -----------------------------------------------------------------------------------------------------------

ASKED = {"i": ("install", "2.0"), "p": ("promote", ""), "b": ("rollback", "")}
OLD, NEW = Slots(shadow="2.0"), Slots("2.0")


@pytest.mark.parametrize(
    ("before", "asked", "answers", "seen", "is_right"),
    [
        (Slots(), "i", [("i", "done")], OLD, True),
        (Slots(), "i", [("i", "done")], Slots(), False),  # answered and not there
        (Slots(), "i", [], OLD, True),  # there, and not answered yet
        (Slots(), "i", [], Slots(), True),
        (Slots(), "", [], OLD, False),  # by nobody's word
        (OLD, "p", [("p", "done")], NEW, True),
        (OLD, "p", [("p", "invalid")], NEW, False),
        (Slots("1.0", None, "2.0"), "p", [], Slots("1.0", "1.0", "2.0"), True),  # cut in the midst: the old one counts
        (Slots("1.0", None, "2.0"), "", [], Slots("1.0", "1.0", "2.0"), False),
        (Slots("1.0", None, "2.0"), "b", [("b", "done")], Slots("1.0"), True),
        (Slots("1.0", None, "2.0"), "b", [("b", "done")], Slots(), False),  # rolled back twice
    ],
)
def test_a_change_of_a_model_is_there_once_if_it_was_answered_and_once_at_most_if_not(
    before, asked, answers, seen, is_right
):
    fault = ModelWatch(before).look(seen, {name: ASKED[name] for name in asked}, answers)
    assert (fault == "") is is_right


def test_a_change_that_was_seen_before_its_answer_is_not_made_again():
    watch = ModelWatch(Slots("1.0", None, "2.0"))
    asked = {"b": ASKED["b"]}
    assert watch.look(Slots("1.0"), asked, []) == ""
    again = ModelWatch(watch.slots, set(watch._spent), set(watch._answered))
    assert watch.look(Slots("1.0"), asked, [("b", "done")]) == ""
    assert "became" in again.look(Slots(), asked, [("b", "done")])
