"""What is left of which lot: conservation, first expired first out, and what heals by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Ending, Lot, Measure, Origin, Stay
from edge_agent.domain.product import Product
from edge_agent.domain.stock import Balance, EventKind, StockEvent
from edge_agent.lots import register as lots
from edge_agent.lots.events import booked
from edge_agent.lots.register import Register

GTIN = "4006381333931"
HONEY = Product(GTIN, "Honey", piece_g=500.0)
HOUR_MS = 3_600_000


def at(hours: float, boot: str = "boot-1") -> Instant:
    return Instant(round(hours * HOUR_MS), 1_795_417_200_000 + round(hours * HOUR_MS), boot)


def lot(name: str, units: float = 10, hours: float = 0.0, **more) -> Lot:
    given_by = {"unit_g": 500.0, "code": name, "supplier": "farm-a", "shelf": "s1", "stays": (Stay("room", at(hours)),)}
    return Lot(name, GTIN, at(hours), Measure.UNITS, units, units, **(given_by | more))


def event(kind: EventKind, hours: float, before: int | None, after: int | None, **more) -> StockEvent:
    """On shelf s1, pieces of 500 g; None: only grams are sure."""
    grams = more.pop("grams", None) or (500.0 * (before or 0), 500.0 * (after or 0))
    return StockEvent(
        "s1",
        kind,
        at(hours),
        Balance(grams[0], before),
        Balance(grams[1], after),
        GTIN,
        u_g=2.0,
        **({"confidence": 1.0 if after is not None else 0.5} | more),
    )


def after(*events: StockEvent, start: Register | None = None) -> Register:
    found = start or Register()
    for each in events:
        found = booked(found, each, HONEY, "room").register
    return found


def shelved(*found: Lot) -> Register:
    """These lots, put down on the shelf one after the other."""
    register, units = Register(), 0
    for number, each in enumerate(found):
        register = lots.received(register, each)
        register = after(
            event(EventKind.RESTOCK, 0.1 + 0.5 * number, units, units + round(each.left)), start=register
        )  # fmt: skip
        units += round(each.left)
    return register


def left(register: Register) -> dict[str, float]:
    return {name: round(each.left, 6) for name, each in register.lots.items()}


def test_a_pick_takes_what_expires_first():
    register = shelved(lot("late", best_before="2026-12-20"), lot("soon", use_by="2026-12-05"), lot("never"))
    done = booked(register, event(EventKind.PICK, 3, 30, 17), HONEY, "room")
    assert left(done.register) == {"late": 7, "soon": 0, "never": 10}
    assert [(part.lot, part.units, part.g) for part in done.parts] == [("soon", -10, -5000.0), ("late", -3, -1500.0)]
    assert (done.register.lots["soon"].ending, done.register.lots["soon"].closed) == (Ending.SOLD_OUT, at(3))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"use_by": "2026-12-20", "best_before": "2026-12-01"}, {"use_by": "2026-12-05"}),
        ({"use_by": "2026-12-01", "best_before": "2026-12-20"}, {"best_before": "2026-12-05"}),
        ({"use_by": "2026-12-05"}, {"best_before": "2026-12-05"}),
        ({"best_before": "2026-12-05"}, {}),
        ({"use_by": "2026-12-05", "hours": -1.0}, {"use_by": "2026-12-05"}),
    ],
)
def test_the_earlier_of_the_dates_then_use_by_then_receipt_says_what_goes_first(first, second):
    register = shelved(lot("z", **first), lot("a", **second))
    assert left(after(event(EventKind.PICK, 3, 20, 19), start=register)) == {"z": 9, "a": 10}


def test_a_lot_in_the_back_is_not_taken_from_the_shelf():
    register = shelved(lot("a"))
    register = lots.received(register, lot("b", use_by="2026-11-30", hours=1))
    assert left(after(event(EventKind.PICK, 2, 10, 8), start=register)) == {"a": 8, "b": 10}


def test_a_lost_event_heals_with_the_balance_of_the_next():
    register = shelved(lot("a", 20))
    assert left(after(event(EventKind.PICK, 3, 17, 16), start=register)) == {"a": 16}
    assert left(after(event(EventKind.PICK, 3, 25, 24), start=register))["a"] == 20, "a restock was lost, not a pick"


def test_ambiguous_pieces_are_taken_by_grams_and_put_right_by_the_next_sure_count():
    register = shelved(lot("a", 20))
    unsure = event(EventKind.PICK, 3, 20, None, grams=(10_000.0, 8_900.0))
    assert left(after(unsure, start=register)) == {"a": 17.8}
    sure = event(EventKind.COUNT, 4, None, 18, grams=(8_900.0, 8_900.0))
    found = after(unsure, sure, start=register)
    assert found.books["s1"].unattributed_units == pytest.approx(0.2)


def test_what_a_customer_puts_back_goes_back_to_its_lot():
    register = shelved(lot("a", 2, use_by="2026-12-01"), lot("b", 5))
    taken = after(event(EventKind.PICK, 3, 7, 4), start=register)
    assert left(taken) == {"a": 0, "b": 4}
    back = after(event(EventKind.RESTOCK, 3.1, 4, 7), start=taken)
    assert (left(back), back.lots["a"].is_open, back.lots["a"].drawn) == ({"a": 2, "b": 5}, True, 0)


def test_a_restock_long_after_a_pick_is_no_return_but_other_goods():
    register = after(event(EventKind.PICK, 3, 10, 8), event(EventKind.RESTOCK, 5, 8, 10), start=shelved(lot("a")))
    assert (left(register)["a"], register.lots["s1-restock"].origin) == (8, Origin.RESTOCK)


def test_a_restock_without_a_delivery_is_a_lot_of_its_own_and_says_so():
    register = after(event(EventKind.RESTOCK, 1, 0, 6))
    nameless = register.lots["s1-restock"]
    assert (nameless.left, nameless.origin, nameless.code, nameless.place) == (6, Origin.RESTOCK, "", "room")


def test_a_delivery_told_after_the_restock_takes_the_nameless_lot_over():
    register = after(event(EventKind.RESTOCK, 1, 0, 10), event(EventKind.PICK, 1.2, 10, 9))
    register = lots.received(register, lot("a", 12, hours=1.5))
    known, nameless = register.lots["a"], register.lots["s1-restock"]
    assert (known.left, known.drawn, known.on("s1"), known.in_back) == (11, 1, 9, 2)
    assert (nameless.amount, nameless.ending) == (0, Ending.MERGED)


@pytest.mark.parametrize(("clock", "names"), [("synced", {"a"}), ("unsynced", {"a", "s1-restock"})])
def test_a_delivery_told_after_a_restart_takes_the_nameless_lot_over_if_the_clock_is_set(clock, names):
    register = after(event(EventKind.RESTOCK, 1, 0, 10))
    told = replace(at(1.5, "boot-2"), mono_ms=0, clock=ClockState(clock))
    register = lots.received(register, replace(lot("a", 10), received=told))
    assert {name for name, each in register.lots.items() if each.is_open} == names


def test_what_lay_there_at_the_first_event_is_found():
    register = after(event(EventKind.PICK, 1, 10, 9))
    assert (left(register), register.lots["s1-found"].origin) == ({"s1-found": 9}, Origin.FOUND)


def test_a_container_carried_away_and_back_sells_what_is_missing():
    register = shelved(lot("a", 3, use_by="2026-12-01"), lot("b", 5))
    away = after(event(EventKind.REMOVAL, 3, 8, 0), start=register)
    assert (left(away), away.lots["a"].on("s1")) == ({"a": 3, "b": 5}, 0)
    assert left(after(event(EventKind.RETURN, 4, 0, 6), start=away)) == {"a": 1, "b": 5}


def test_tare_and_zero_move_nothing():
    register = shelved(lot("a"))
    found = after(event(EventKind.TARE, 3, 10, 10, grams=(5000.0, 4650.0)), start=register)
    assert left(after(event(EventKind.PICK, 4, 10, 9, grams=(4650.0, 4150.0)), start=found)) == {"a": 9}


def test_a_move_from_another_shelf_brings_its_lot_along():
    register = after(event(EventKind.PICK, 3, 10, 6), start=shelved(lot("a")))
    here = replace(event(EventKind.MOVE, 3.01, 0, 4), shelf="s2", counterpart="s1")
    found = booked(register, here, HONEY, "room").register.lots["a"]
    assert (found.left, found.drawn, found.on("s1"), found.on("s2")) == (10, 0, 6, 4)


def test_drying_takes_from_all_lots_alike():
    grams = {"measure": Measure.GRAMS, "amount": 3000.0, "left": 3000.0, "unit_g": None}
    register = Register()
    for name, hours, total in (("a", 0.0, 3000.0), ("b", 0.5, 6000.0)):
        register = lots.received(register, replace(lot(name, hours=hours), **grams))
        put = event(EventKind.RESTOCK, hours + 0.1, None, None, grams=(total - 3000.0 or 0.001, total))
        register = after(put, start=register)
    dried = after(event(EventKind.WATER_LOSS, 9, None, None, grams=(6000.0, 5900.0)), start=register)
    assert [round(dried.lots[name].corrected, 2) for name in "ab"] == [50.0, 50.0]


def test_the_scale_knows_better_than_the_paper_how_much_came():
    told = replace(lot("a"), measure=Measure.GRAMS, amount=5000.0, left=5000.0, unit_g=None)
    register = after(event(EventKind.RESTOCK, 1, None, None, grams=(0.001, 5100.0)), start=Register({"a": told}))
    assert (register.lots["a"].on("s1"), list(register.lots)) == (pytest.approx(5100.0, abs=0.01), ["a"])


def test_a_scale_that_is_empty_ends_its_lots_though_grams_never_agree():
    told = replace(lot("a"), measure=Measure.GRAMS, amount=5000.0, left=5000.0, unit_g=None)
    register = after(event(EventKind.RESTOCK, 1, None, None, grams=(0.001, 5000.0)), start=Register({"a": told}))
    empty = event(EventKind.PICK, 2, None, None, grams=(5000.0, 4.0))
    assert after(empty, start=register).lots["a"].ending is Ending.SOLD_OUT


# --- waste ------------------------------------------------------------------------------------------------------------


def test_waste_that_the_scale_saw_go_was_no_sale():
    register = after(event(EventKind.PICK, 3, 10, 7), start=shelved(lot("a")))
    register = lots.wasted(register, register.lots["a"], 2, at(4), "spoiled")
    found = register.lots["a"]
    assert (found.left, found.drawn, found.wasted, found.cause) == (7, 1, 2, "spoiled")


def test_waste_told_before_the_scale_sees_it_is_taken_from_nobody_else():
    register = shelved(lot("a", use_by="2026-12-01"), lot("b", use_by="2026-12-09"))
    register = lots.wasted(register, register.lots["b"], 4, at(3), "damaged")
    assert left(register) == {"a": 10, "b": 6}
    assert left(after(event(EventKind.PICK, 3.2, 20, 15), start=register)) == {"a": 9, "b": 6}


def test_what_was_told_as_thrown_away_and_lies_there_still_is_not_unattributed():
    register = shelved(lot("a"))
    register = lots.wasted(register, register.lots["a"], 4, at(3), "damaged")
    book = after(event(EventKind.RESTOCK, 3.2, 10, 15), start=register).books["s1"]
    assert (book.unattributed_units, book.unattributed_g) == (0, 0)


@pytest.mark.parametrize(
    ("first", "then", "is_known"),
    [
        (ClockState.SYNCED, ClockState.SYNCED, True),
        (ClockState.CORRECTED, ClockState.SYNCED, True),
        (ClockState.UNSYNCED, ClockState.SYNCED, False),
        (ClockState.SYNCED, ClockState.UNSYNCED, False),
    ],
)
@pytest.mark.parametrize("hours", [0.2, 24, 24.1, -0.2])
def test_across_a_restart_what_is_owed_and_drawn_is_good_for_a_day_and_kept_while_nobody_knows_how_old_it_is(
    first, then, is_known, hours
):
    before, later = replace(at(3), clock=first), replace(at(3 + hours, "boot-2"), mono_ms=0, clock=then)
    is_matched = not (is_known and hours > 24)
    both = shelved(lot("a", use_by="2026-12-01"), lot("b", use_by="2026-12-09"))

    told = lots.wasted(both, both.lots["b"], 4, before, "damaged")
    gone = after(replace(event(EventKind.PICK, 3, 20, 15), at=later), start=told)
    assert left(gone) == ({"a": 9, "b": 6} if is_matched else {"a": 5, "b": 6})
    assert gone.books["s1"].unattributed_units == (0 if is_matched else 4)

    picked = after(replace(event(EventKind.PICK, 3, 20, 17), at=before), start=both)
    found = lots.wasted(picked, picked.lots["a"], 2, later, "spoiled").lots["a"]
    assert (found.left, found.drawn, found.wasted) == ((7, 1, 2) if is_matched else (5, 3, 2))


def unset(seconds: float, boot: str) -> Instant:
    """On a board without a clock of its own: it begins in 1970."""
    return Instant(round(1000 * seconds), round(1000 * seconds), boot, ClockState.UNSYNCED)


def set_at(hours: float, seconds: float, boot: str) -> Instant:
    """The same board, once the time server has answered."""
    return replace(at(hours, boot), mono_ms=round(1000 * seconds))


def test_the_first_event_after_a_power_cut_forgets_no_debt_and_no_taking_before_the_clock_is_set():
    both = shelved(lot("a", use_by="2026-12-01"), lot("b", use_by="2026-12-09"))
    register = after(event(EventKind.PICK, 3, 20, 17), start=both)
    register = lots.wasted(register, register.lots["b"], 4, at(3.1), "damaged")  # lies there still
    woken = after(replace(event(EventKind.PICK, 3, 17, 16), at=unset(20, "boot-2")), start=register)
    assert left(woken) == {"a": 7, "b": 6}
    assert [(debt.lot, debt.amount) for debt in woken.books["s1"].owed] == [("b", 3)]
    assert [(draw.lot, draw.amount) for draw in woken.books["s1"].draws] == [("a", 3)]


def test_once_the_clock_is_set_all_that_this_boot_saw_has_its_date():
    new = replace(lot("a"), received=unset(5, "b"), stays=(Stay("room", unset(5, "b")),))
    register = lots.received(Register(), new)
    register = after(replace(event(EventKind.RESTOCK, 0, 0, 10), at=unset(9, "b")), start=register)
    register = after(replace(event(EventKind.PICK, 0, 10, 8), at=unset(12, "b")), start=register)
    now = set_at(5, 60, "b")
    dated = lots.with_dates(register, now)
    found, (draw,) = dated.lots["a"], dated.books["s1"].draws
    for instant, seconds in ((found.received, 5), (found.stays[0].since, 5), (draw.at, 12)):
        assert (instant.clock, instant.wall_ms) == (ClockState.CORRECTED, now.offset_ms + 1000 * seconds)
    assert lots.with_dates(dated, now).lots["a"] is found, "nothing more to do"


@pytest.mark.parametrize(("hours_later", "is_it"), [(1, True), (11.9, True), (12.1, False)])
def test_a_delivery_told_before_the_clock_came_takes_over_what_was_put_down_before_the_power_cut(hours_later, is_it):
    register = after(event(EventKind.RESTOCK, 1, 0, 10))
    register = lots.received(register, replace(lot("a", 10), received=unset(30, "b")))
    assert register.lots["s1-restock"].is_open, "nobody knows yet how long the power was gone"
    found = lots.with_dates(register, set_at(1 + hours_later, 30, "b"))
    assert (found.lots["s1-restock"].is_open, found.lots["a"].on("s1")) == ((False, 10) if is_it else (True, 0))


def test_no_more_debts_are_kept_than_a_shelf_can_have():
    register = shelved(lot("a", 200))
    for number in range(100):
        register = lots.wasted(register, register.lots["a"], 1, unset(number, f"boot-{number}"), "spoiled")
    assert len(register.books["s1"].owed) == lots.MOST_OWED
    assert register.lots["a"].left == 100


def test_waste_of_what_lies_in_the_back_needs_no_scale():
    register = lots.received(Register(), lot("a"))
    register = lots.wasted(register, register.lots["a"], 10, at(3), "expired")
    assert (register.lots["a"].ending, register.lots["a"].wasted) == (Ending.WASTED, 10)


def test_more_waste_than_there_is_takes_what_there_is():
    register = lots.received(Register(), lot("a"))
    register = lots.wasted(register, register.lots["a"], 99, at(3), "expired")
    assert register.lots["a"].wasted == 10


@pytest.mark.parametrize(("is_of_shelf", "then"), [(True, (13, 0, 2)), (False, (11, 2, 2))])
def test_waste_of_a_shelf_is_not_taken_from_the_back(is_of_shelf, then):
    register = after(event(EventKind.RESTOCK, 1, 0, 10), start=Register({"a": lot("a", 15)}))
    register = after(event(EventKind.PICK, 2, 10, 8), start=register)
    found = lots.wasted(register, register.lots["a"], 2, at(3), "spoiled", is_of_shelf=is_of_shelf).lots["a"]
    assert (found.left, found.drawn, found.wasted) == then


def test_of_a_lot_said_to_be_wasted_only_the_rest_is_and_the_scale_sees_it_go_without_a_sale():
    register = shelved(lot("a", use_by="2026-12-01"), lot("b", use_by="2026-12-09"))
    register = after(event(EventKind.PICK, 3, 20, 17), start=register)
    register = lots.ended(register, register.lots["a"], Ending.WASTED, at(4), "spoiled")
    found = register.lots["a"]
    assert (found.left, found.drawn, found.wasted, found.shelved, found.ending) == (0, 3, 7, (), Ending.WASTED)
    register = after(event(EventKind.PICK, 4.1, 17, 10), start=register)
    assert (left(register), register.books["s1"].unattributed_units) == ({"a": 0, "b": 10}, 0)


@pytest.mark.parametrize("hours", [0.5, 25.0])
def test_a_container_that_stays_away_leaves_its_goods_in_the_back(hours):
    away = after(event(EventKind.REMOVAL, 3, 8, 0), start=shelved(lot("a", 8)))
    put = after(event(EventKind.RESTOCK, 3 + hours, 0, 8), start=away)
    assert put.lots["a"].on("s1") == (0 if hours < 24 else 8)


def test_counted_pieces_stay_whole_though_they_do_not_weigh_quite_alike():
    put = event(EventKind.RESTOCK, 1, None, None, grams=(0.001, 4900.0))
    found = after(put, start=Register({"a": lot("a", 10)}))
    assert list(found.lots) == ["a"]
    assert (found.lots["a"].on("s1"), found.lots["a"].left, found.lots["a"].corrected) == (10, 10, 0)


def test_a_lot_said_to_be_sold_is_closed_and_what_the_scale_still_has_is_nobodys():
    register = shelved(lot("a"))
    register = lots.ended(register, register.lots["a"], Ending.SOLD_FRESH, at(3))
    assert (register.lots["a"].drawn, register.lots["a"].ending) == (10, Ending.SOLD_FRESH)
    found = after(event(EventKind.PICK, 4, 10, 9), start=register)
    assert found.books["s1"].unattributed_units == 9


def test_a_lot_closed_before_the_clock_was_set_is_remembered_until_it_is_known_how_long():
    register = lots.ended(lots.received(Register(), lot("a")), lot("a"), Ending.SOLD_FRESH, unset(30, "b"))
    assert lots.forgotten(register, at(9, "c")) is register, "1970 is no date"
    dated = lots.with_dates(register, set_at(3, 60, "b"))
    assert lots.forgotten(dated, at(3 + 24 * 13, "c")) is dated
    assert lots.forgotten(dated, at(4 + 24 * 14, "c")).lots == {}


def test_where_no_clock_ever_comes_closed_lots_are_bounded():
    many = {f"l{n}": replace(lot(f"l{n}"), closed=unset(n, f"boot-{n}")) for n in range(lots.MOST_CLOSED + 5)}
    found = lots.forgotten(Register(many), unset(5, "last")).lots
    assert set(many) - set(found) == {f"l{n}" for n in range(5)}


def test_a_closed_lot_is_forgotten_after_a_fortnight():
    register = lots.received(Register(), lot("a"))
    register = lots.ended(register, register.lots["a"], Ending.SOLD_FRESH, at(3))
    assert lots.forgotten(register, at(3 + 24 * 13)) is register
    assert lots.forgotten(register, at(4 + 24 * 14)).lots == {}


# --- what holds for any history ---------------------------------------------------------------------------------------

_STEP = st.one_of(
    st.tuples(st.just("receive"), st.integers(1, 30), st.integers(1, 28)),
    st.tuples(st.sampled_from(list(EventKind)), st.integers(0, 60), st.booleans()),
    st.tuples(st.just("waste"), st.integers(0, 5), st.integers(1, 20)),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from([Ending.WASTED, Ending.SOLD_FRESH])),
    st.tuples(st.sampled_from(["power cut", "clock"]), st.just(0), st.just(0)),
)


def history(steps) -> list[tuple[Register, bool]]:
    """After each step; and whether that was one of the scale's, which books the shelf anew."""
    found, units, states = Register(), 0, []
    boot, is_set = 0, True
    for number, (what, first, second) in enumerate(steps):
        hours, known = 0.2 * (number + 1), found.open_lots()
        when = at(hours, f"boot-{boot}") if is_set else unset(3600 * hours, f"boot-{boot}")
        if what == "receive":
            new = lot(lots.topic_id("L", found.lots), first, use_by=f"2026-12-{second:02}")
            found = lots.received(found, replace(new, received=when))
        elif what == "waste" and known:
            found = lots.wasted(found, known[first % len(known)], second, when, "spoiled")
        elif what == "end" and known:
            found = lots.ended(found, known[first % len(known)], second, when)
        elif what == "power cut":
            boot, is_set = boot + 1, False
        elif what == "clock":
            is_set = True
            found = lots.with_dates(found, at(hours, f"boot-{boot}"))
        elif isinstance(what, EventKind):
            now = 0 if what is EventKind.REMOVAL else first
            sure = (units, now) if second else (None, None)
            change = event(what, hours, *sure, grams=(500.0 * units + 0.001, 500.0 * now + 0.001))
            change = replace(change, at=when)
            once = booked(found, change, HONEY, "room").register
            assert booked(once, change, HONEY, "room").register == once, "twice is once"
            found, units = once, now
        states.append((found, isinstance(what, EventKind)))
    return states


@given(st.lists(_STEP, max_size=40))
def test_nothing_is_lost_made_or_below_nothing(steps):
    for register, is_booked in history(steps):
        for each in register.lots.values():
            parts = each.left + each.drawn + each.wasted + each.corrected
            assert parts == pytest.approx(each.amount, abs=1e-5)
            assert min(each.amount, each.left, each.drawn, each.wasted) >= -1e-6
            assert each.on_shelves <= each.left + 1e-5
            assert all(part.amount > 0 for part in each.shelved)
            assert (each.closed is None) == (each.ending is None)
            assert each.is_open or each.left <= 1e-6
        book = register.books.get("s1")
        if is_booked and book.unattributed_g is not None:
            there = sum(each.grams(each.on("s1")) for each in register.open_lots())
            thrown = sum(register.lots[debt.lot].grams(debt.amount) for debt in book.owed)
            assert there + thrown + book.unattributed_g == pytest.approx(book.net_g, abs=1e-3)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 28)), min_size=1, max_size=6), st.integers(1, 60))
def test_a_later_lot_is_touched_only_when_all_before_it_are_gone(deliveries, picked):
    found = [
        lot(f"l{number}", units, 0.01 * number, use_by=f"2026-12-{day:02}")
        for number, (units, day) in enumerate(deliveries)
    ]
    register = shelved(*found)
    total = sum(units for units, _ in deliveries)
    now = max(0, total - picked)
    picked_from = after(event(EventKind.PICK, 9, total, now), start=register)
    order = sorted(picked_from.lots.values(), key=lots.fefo)
    touched = [each.left < each.amount for each in order]
    assert sum(each.left for each in order) == pytest.approx(now)
    for index, each in enumerate(order):
        assert not any(touched[index + 1 :]) or each.left == pytest.approx(0)


# --- beyond one shelf, one product, one event -------------------------------------------------------------------------


def test_a_pick_takes_what_lies_on_its_own_scale_though_another_shelf_has_older_goods():
    register = shelved(lot("here", best_before="2026-12-20"))
    register = lots.received(register, lot("there", best_before="2026-12-01", shelf="s2"))
    put = replace(event(EventKind.RESTOCK, 1, 0, 10), shelf="s2")
    register = after(put, start=register)
    assert [part.lot for part in lots.parts_on(register, "s2")] == ["there"]
    assert left(after(event(EventKind.PICK, 2, 10, 7), start=register)) == {"here": 7, "there": 10}


def test_a_delivery_for_two_shelves_is_drawn_from_each_by_what_lies_there():
    register = lots.received(Register(), lot("a", 10))
    register = after(event(EventKind.RESTOCK, 0.1, 0, 6), start=register)
    register = after(replace(event(EventKind.RESTOCK, 0.2, 0, 4), shelf="s2"), start=register)
    register = after(
        event(EventKind.PICK, 1, 6, 0), replace(event(EventKind.PICK, 1, 4, 3), shelf="s2"), start=register
    )
    found = register.lots["a"]
    assert (found.left, found.drawn, found.on("s1"), found.on("s2"), found.is_open) == (3, 7, 0, 3, True)


def test_goods_of_another_product_are_not_what_a_restock_puts_down():
    older = lot("other", use_by="2026-11-25", hours=-1)
    register = lots.received(Register(), replace(older, product="4123"))
    register = lots.received(register, lot("mine"))
    register = after(event(EventKind.RESTOCK, 0.1, 0, 5), start=register)
    assert {name: each.on("s1") for name, each in register.lots.items()} == {"other": 0, "mine": 5}


def test_lots_of_two_products_on_one_shelf_both_go_first_expired_first():
    """The shelf was given to another product while some of the old still lay there."""
    register = shelved(lot("old", 4, use_by="2026-11-30"), lot("new", 6))
    mixed = replace(register.lots["old"], product="4123")
    register = replace(register, lots={**register.lots, "old": mixed})
    assert left(after(event(EventKind.PICK, 3, 10, 5), start=register)) == {"old": 0, "new": 5}


@pytest.mark.parametrize(
    ("minutes", "back", "found"),
    [
        (1, 2, {"a": 10}),
        (15, 2, {"a": 10}),
        (16, 2, {"a": 8, "s1-restock": 2}),
        (5, 1, {"a": 8, "s1-restock": 1}),  # not what was taken: other goods
        (5, 3, {"a": 8, "s1-restock": 3}),
    ],
)
def test_what_comes_back_within_a_quarter_of_an_hour_and_is_just_that_was_only_looked_at(minutes, back, found):
    taken = event(EventKind.PICK, 3, 10, 8)
    returned = event(EventKind.RESTOCK, 3 + minutes / 60, 8, 8 + back)
    assert left(after(taken, returned, start=shelved(lot("a")))) == found


def test_a_lot_of_unknown_origin_is_drawn_and_ends_like_any_other():
    register = after(event(EventKind.RESTOCK, 1, 0, 6))
    assert register.lots["s1-restock"].origin is Origin.RESTOCK
    register = after(event(EventKind.PICK, 2, 6, 1), event(EventKind.PICK, 3, 1, 0), start=register)
    gone = register.lots["s1-restock"]
    assert (gone.ending, gone.drawn, gone.amount) == (Ending.SOLD_OUT, 6, 6)


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_lost_and_doubled_events_leave_the_balance_of_the_last_that_was_seen(picks):
    register, there = shelved(lot("a", 30, use_by="2026-12-05"), lot("b", 30, use_by="2026-12-09")), 60
    for number, (units, is_lost, is_doubled) in enumerate(picks):
        seen = event(EventKind.PICK, 3 + number, there, there - units)
        there -= units
        is_told = not is_lost or number == len(picks) - 1
        register = after(*([seen] * (1 + is_doubled) if is_told else []), start=register)
    assert sum(each.on("s1") for each in register.lots.values()) == pytest.approx(there)
    assert register.lots["a"].left == pytest.approx(max(0, there - 30))
    assert register.books["s1"].unattributed_units == pytest.approx(0)
