"""From the ledger's events to the day's demand: what counts, in which unit, on whose day; when shelves are empty."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge_agent.decide import Memory, Plan
from edge_agent.decide.commands import obey
from edge_agent.decide.lots import of_events, wasted
from edge_agent.decide.memory import from_rows, to_rows
from edge_agent.decide.sold import emptied, is_out, sold, utc_day
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Unsold
from edge_agent.domain.product import Product
from edge_agent.domain.reading import Quality
from edge_agent.domain.shop import Empty, Unit
from edge_agent.domain.stock import Balance, EventKind, StockEvent, StockState
from edge_agent.service.local_days import day_of
from edge_agent.weighing.settings import CellSettings, ShelfSettings

APPLES, CHEESE, SALT = "4011", "4020", "4030"
PRODUCTS = {
    APPLES: Product(APPLES, "Apples", piece_g=180.0),
    CHEESE: Product(CHEESE, "Cheese", is_catch_weight=True),
    SALT: Product(SALT, "Salt"),
}


def at(text: str = "2026-11-23T10:00", clock: ClockState = ClockState.SYNCED) -> Instant:
    wall = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return Instant(1000, round(1000 * wall.timestamp()), "boot-1", clock)


def event(kind: EventKind, before: Balance, after: Balance, product: str | None = APPLES, **more) -> StockEvent:
    return StockEvent("shelf-1", kind, more.pop("at", at()), before, after, product, **more)


def pieces(count: int, each_g: float = 180.0) -> Balance:
    return Balance(count * each_g, count)


def waste(**body) -> list[Unsold]:
    """What is no sale of it, where no lots are kept."""
    body = {"product": APPLES, "reason": "spoiled"} | body
    return list(wasted(Memory(), Plan({}), body, at()).unsold)


def told(*events, unsold=(), day=utc_day):
    """(product, qty, back, unit) of each."""
    found = sold(events, unsold, PRODUCTS, day)
    return [(each.product, round(each.qty, 6), round(each.back, 6), each.unit) for each in found]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (EventKind.PICK, [(APPLES, 3, 0, Unit.UNITS)]),
        (EventKind.MOVE, [(APPLES, 0, 3, Unit.UNITS)]),
        *[(kind, []) for kind in EventKind if kind not in (EventKind.PICK, EventKind.MOVE)],
    ],
)
def test_only_what_was_taken_counts_and_what_was_put_elsewhere_is_taken_off(kind, wanted):
    """Not the return or removal of a container, nor drying, a count, a leak."""
    balances = (pieces(10), pieces(7))
    assert told(event(kind, *(reversed(balances) if kind is EventKind.MOVE else balances))) == wanted


def test_a_pick_here_put_there_is_no_sale():
    picked = event(EventKind.PICK, pieces(10), pieces(8))
    put = event(EventKind.MOVE, pieces(0), pieces(2), counterpart="shelf-1")
    found = sold([picked, put], (), PRODUCTS, utc_day)
    assert sum(each.qty - each.back for each in found) == 0


@pytest.mark.parametrize(
    ("before", "after", "product", "more", "wanted"),
    [
        (pieces(10), pieces(7), APPLES, {"confidence": 0.2}, (APPLES, 3, 0, Unit.UNITS)),
        (Balance(1000.0), Balance(550.0), APPLES, {}, (APPLES, 2.5, 0, Unit.UNITS)),
        (Balance(1000.0), Balance(700.0), SALT, {}, (SALT, 300, 0, Unit.G)),
        (Balance(1000.0, 9), Balance(700.0, 6), SALT, {}, (SALT, 3, 0, Unit.UNITS)),
        (Balance(1000.0, 9), Balance(700.0, 6), SALT, {"confidence": 0.2}, (SALT, 300, 0, Unit.G)),
        (Balance(1000.0, 9), Balance(700.0, 6), CHEESE, {}, (CHEESE, 300, 0, Unit.G)),
        (Balance(1000.0), Balance(640.0), APPLES, {"moved_units": -2}, (APPLES, 2, 0, Unit.UNITS)),
        (Balance(1000.0), Balance(400.0), "unknown", {}, ("unknown", 600, 0, Unit.G)),
    ],
    ids=[
        "pieces the scale is not sure of go by weight",
        "pieces by weight",
        "no piece weight",
        "counted by the scale",
        "not sure, and no piece weight",
        "sold by weight",
        "seen to move",
        "no such product",
    ],
)
def test_pieces_where_they_are_sure_or_a_piece_has_a_weight_else_grams(before, after, product, more, wanted):
    assert told(event(EventKind.PICK, before, after, product, **more)) == [wanted]


def test_what_went_is_known_in_grams_too_where_a_scale_saw_it():
    (found,) = sold([event(EventKind.PICK, pieces(10), pieces(7))], (), PRODUCTS, utc_day)
    assert (found.qty, found.weight_g) == (3.0, 540.0)


@pytest.mark.parametrize(
    ("before", "after", "product"),
    [(Balance(None), pieces(3), APPLES), (pieces(3), Balance(None, 1), APPLES), (pieces(3), pieces(1), None)],
    ids=["nothing known before", "nothing known after", "a shelf of no product"],
)
def test_what_nobody_knows_is_no_sale(before, after, product):
    assert told(event(EventKind.PICK, before, after, product)) == []


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"units": 2}, [(APPLES, 0, 2, Unit.UNITS)]),
        ({"grams": 360.0}, [(APPLES, 0, 2, Unit.UNITS)]),
        ({"grams": 360.0, "units": 3}, [(APPLES, 0, 3, Unit.UNITS)]),
        ({"product": CHEESE, "grams": 250}, [(CHEESE, 0, 250, Unit.G)]),
        ({"product": CHEESE, "grams": 250.0, "units": 1}, [(CHEESE, 0, 250, Unit.G)]),
        ({"product": SALT, "grams": 250.0}, [(SALT, 0, 250, Unit.G)]),
        ({"product": CHEESE, "units": 1}, []),
        ({}, []),
    ],
)
def test_what_was_thrown_away_is_taken_off_again(body, wanted):
    assert told(unsold=waste(**body)) == wanted


@pytest.mark.parametrize("clock", list(ClockState))
def test_without_a_clock_it_has_no_day_yet(clock):
    picked = event(EventKind.PICK, pieces(2), pieces(1), at=at(clock=clock))
    thrown = replace(waste(units=1)[0], at=at(clock=clock))
    days = {each.day for each in sold([picked], [thrown], PRODUCTS, utc_day)}
    assert days == {None if clock is ClockState.UNSYNCED else date(2026, 11, 23)}


@pytest.mark.parametrize(
    ("zone", "utc", "day"),
    [
        ("Europe/Berlin", "2026-11-23T22:59:59", date(2026, 11, 23)),
        ("Europe/Berlin", "2026-11-23T23:00:00", date(2026, 11, 24)),
        ("Europe/Berlin", "2026-07-01T21:59:59", date(2026, 7, 1)),
        ("Europe/Berlin", "2026-07-01T22:00:00", date(2026, 7, 2)),
        # the night of the change to summer time has 23 hours, that of the change back 25
        ("Europe/Berlin", "2026-03-28T23:00:00", date(2026, 3, 29)),
        ("Europe/Berlin", "2026-03-29T21:59:59", date(2026, 3, 29)),
        ("Europe/Berlin", "2026-03-29T22:00:00", date(2026, 3, 30)),
        ("Europe/Berlin", "2026-10-24T22:00:00", date(2026, 10, 25)),
        ("Europe/Berlin", "2026-10-25T22:59:59", date(2026, 10, 25)),
        ("Europe/Berlin", "2026-10-25T23:00:00", date(2026, 10, 26)),
        ("America/New_York", "2026-11-24T04:59:59", date(2026, 11, 23)),
        ("America/New_York", "2026-11-24T05:00:00", date(2026, 11, 24)),
        ("Pacific/Apia", "2026-11-23T10:59:59", date(2026, 11, 23)),
        ("Pacific/Apia", "2026-11-23T11:00:00", date(2026, 11, 24)),
    ],
)
def test_a_day_begins_at_the_shop_s_own_midnight(zone, utc, day):
    picked = event(EventKind.PICK, pieces(2), pieces(1), at=at(utc))
    (found,) = sold([picked], (), PRODUCTS, lambda wall_ms: day_of(wall_ms, ZoneInfo(zone)))
    assert found.day == day


def test_a_time_before_1970_has_a_day_too():
    assert utc_day(-1) == date(1969, 12, 31)


# --- with lots --------------------------------------------------------------------------------------------------------

PEARS, STRANGE = "4050", "4051"
SHELVES = ("shelf-1", "shelf-2")


def running(text: str) -> Instant:
    """Of a board that was switched on at nine in the evening of the day before."""
    then = at(text)
    return replace(then, mono_ms=then.wall_ms - at("2026-11-22T21:00").wall_ms)


class Shop:
    """Two shelves of pearls, whose lots are kept; a delivery of 20 that nobody has put down yet."""

    plan = Plan(
        {},
        shelves=tuple(ShelfSettings(name, (CellSettings(name, 0, 100.0),), 20_000.0, PEARS) for name in SHELVES),
        products={
            PEARS: Product(PEARS, "Pears", piece_g=180.0, keeps_like="pear"),
            STRANGE: Product(STRANGE, "Strange", piece_g=100.0),
        },
    )

    def __init__(self):
        self.memory, self.lying, self.days = Memory(), dict.fromkeys(SHELVES, 0), {}
        self.tell("receive", "2026-11-23T08:00", product=PEARS, lot="L1", supplier="farm", units=20)

    def tell(self, verb: str, when: str, **arguments):
        obeyed = obey(self.memory, self.plan, Command("c", verb, arguments, "cli", running(when)), running(when))
        self.memory = obeyed.memory
        self._count((), obeyed.unsold)
        return obeyed

    def see(self, kind: EventKind, when: str, now: int, shelf: str = "shelf-1") -> None:
        balances = pieces(self.lying[shelf]), pieces(now)
        change = replace(event(kind, *balances, PEARS, at=running(when), u_g=2.0), shelf=shelf)
        self.memory, (found,), unsold = of_events(self.memory, self.plan, [change], change.at)
        self.lying[shelf] = now
        self._count((found,), unsold)

    def power_cut(self) -> None:
        self.memory = from_rows(to_rows(self.memory))

    def _count(self, events, unsold) -> None:
        for each in sold(events, unsold, self.plan.products, utc_day):
            assert (each.product, each.unit) == (PEARS, Unit.UNITS)
            self.days[each.day.day] = round(self.days.get(each.day.day, 0.0) + each.qty - each.back, 6)
        assert all(qty >= 0 for qty in self.days.values()), self.days

    def put_down(self, first: int, second: int = 0) -> None:
        for name, count in zip(SHELVES, (first, second), strict=True):
            if count:
                self.see(EventKind.RESTOCK, "2026-11-23T08:10", count, name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("told_by", [{"lot": "L1"}, {"product": PEARS}, {"shelf": "shelf-1"}, {"lot": "l1"}])
def test_what_was_taken_and_then_told_as_thrown_away_was_no_sale_of_the_day_on_which_it_was_taken(
    shop, told_by, is_cut
):
    shop.put_down(20)
    shop.see(EventKind.PICK, "2026-11-23T18:00", 15)
    shop.power_cut() if is_cut else None
    done = shop.tell("waste", "2026-11-24T07:00", units=3, reason="spoiled", **told_by)
    assert shop.days == {23: 2}
    (line,) = done.records
    assert (line.body["product"], done.result.detail["product"], done.result.message) == (
        PEARS,
        PEARS,
        "3 x Pears thrown away (spoiled)",
    )


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize(("verb", "more"), [("waste", {"units": 3}), ("outcome", {"outcome": "wasted"})])
def test_what_is_told_as_thrown_away_first_is_no_sale_when_its_scale_sees_it_go(shop, verb, more, is_cut):
    shop.put_down(20)
    shop.tell(verb, "2026-11-23T18:00", lot="L1", reason="spoiled", **more)
    assert shop.days == {}, "nobody has taken anything yet"
    shop.power_cut() if is_cut else None
    shop.see(EventKind.PICK, "2026-11-24T07:00", 17)
    assert shop.days == {24: 0}
    shop.see(EventKind.PICK, "2026-11-24T09:00", 15)
    assert shop.days == {24: 2 if verb == "waste" else 0}


def test_what_was_thrown_away_straight_from_the_back_was_never_sold(shop):
    shop.put_down(8)
    shop.see(EventKind.PICK, "2026-11-23T10:00", 4)
    shop.tell("waste", "2026-11-23T11:00", lot="L1", units=12, reason="spoiled")
    assert shop.days == {23: 4}
    shop.see(EventKind.PICK, "2026-11-23T12:00", 3)
    assert shop.days == {23: 5}


@pytest.mark.parametrize(("lies", "then"), [((12, 8), (9, 8)), ((12, 8), (12, 5)), ((12, 8), (10, 7))])
def test_over_all_shelves_of_a_lot_what_was_thrown_away_is_taken_off_once(shop, lies, then):
    """Told of the lot alone: nobody knows from which shelf it will go."""
    shop.put_down(*lies)
    shop.tell("waste", "2026-11-23T10:00", lot="L1", units=3, reason="damaged")
    for name, now in zip(SHELVES, then, strict=True):
        if now != shop.lying[name]:
            shop.see(EventKind.PICK, "2026-11-23T10:05", now, name)
    assert shop.days == {23: 0}
    shop.see(EventKind.PICK, "2026-11-23T11:00", 4, "shelf-1")
    shop.see(EventKind.PICK, "2026-11-23T11:10", 4, "shelf-2")
    assert shop.days == {23: sum(then) - 8}
    assert (shop.memory.register.lots["l1"].left, shop.memory.register.lots["l1"].wasted) == (8, 3)


@pytest.mark.parametrize(
    ("when", "now", "wanted"),
    [
        ("2026-11-24T00:05", 20, 0),  # just what was taken, after midnight
        ("2026-11-24T00:05", 18, 3),  # other goods: as many as nobody took
        ("2026-11-24T00:15", 20, 3),  # too late
    ],
)
def test_what_is_put_back_soon_and_is_just_what_was_taken_was_no_sale(shop, when, now, wanted):
    shop.put_down(20)
    shop.see(EventKind.PICK, "2026-11-23T23:55", 17)
    assert shop.days == {23: 3}
    shop.see(EventKind.RESTOCK, when, now)
    assert shop.days == {23: wanted}


def test_what_was_put_back_and_then_thrown_away_is_taken_off_once(shop):
    shop.put_down(20)
    shop.see(EventKind.PICK, "2026-11-23T10:00", 17)
    shop.see(EventKind.RESTOCK, "2026-11-23T10:05", 20)
    shop.tell("waste", "2026-11-23T10:10", lot="L1", units=3, reason="damaged")
    shop.see(EventKind.PICK, "2026-11-23T10:15", 17)
    assert shop.days == {23: 0}


def test_what_was_thrown_away_out_of_a_container_that_was_carried_off_is_no_sale_when_it_comes_back(shop):
    shop.put_down(20)
    shop.see(EventKind.REMOVAL, "2026-11-23T10:00", 0)
    shop.tell("waste", "2026-11-23T10:02", lot="L1", units=3, reason="spoiled")
    shop.see(EventKind.RETURN, "2026-11-23T10:05", 20)  # as it went, and what is missing is a pick of its own
    shop.see(EventKind.PICK, "2026-11-23T10:05:01", 16)
    assert shop.days == {23: 1}
    assert {name: lot.left for name, lot in shop.memory.register.lots.items()} == {"l1": 16}


def test_a_code_that_two_products_have_asks_whose_it_is(shop):
    shop.tell("receive", "2026-11-23T09:00", product=STRANGE, lot="L1", supplier="farm", units=5)
    refused = shop.tell("waste", "2026-11-23T10:00", lot="L1", units=2, reason="other")
    assert (refused.result.code, refused.result.message) == (
        ResultCode.INVALID,
        "lot = 'L1': is of several products, give product: 4050, 4051",
    )
    done = shop.tell("waste", "2026-11-23T10:00", lot="L1", product=STRANGE, units=2, reason="other")
    assert (done.result.code, done.result.detail["lot_ids"]) == (ResultCode.DONE, ["l1-2"])


# --- empty shelves ----------------------------------------------------------------------------------------------------


def stock(net_g: float | None = 0.0, units: int | None = None, u_g: float | None = 2.0, fault=None) -> StockState:
    return StockState("s", at(), Quality.GOOD, net_g, 0.0, Balance(net_g, units, u_g), True, APPLES, fault)


@pytest.mark.parametrize(
    ("stocks", "piece_g", "wanted"),
    [
        ([stock(0.0)], 180.0, True),
        ([stock(89.0)], 180.0, True),  # half a piece: dirt, a leaf
        ([stock(91.0)], 180.0, False),
        ([stock(9.0)], None, True),  # five times its uncertainty
        ([stock(11.0)], None, False),
        ([stock(4.0, u_g=None)], None, True),
        ([stock(500.0, units=0)], 180.0, True),
        ([stock(0.0, units=1)], 180.0, False),
        ([stock(None)], 180.0, None),
        ([stock(0.0), stock(0.0)], 180.0, True),
        ([stock(0.0), stock(500.0)], 180.0, False),
        ([stock(0.0), stock(None)], 180.0, None),
        ([stock(500.0), stock(None)], 180.0, False),
        ([stock(0.0, fault="stuck")], 180.0, None),
        ([], 180.0, None),
    ],
)
def test_a_product_is_out_when_all_of_its_shelves_surely_are(stocks, piece_g, wanted):
    assert is_out(stocks, piece_g) is wanted


def test_an_interval_has_a_beginning_and_an_end_and_nothing_between():
    """Two shelves of a product: it is out from the emptying of the second to the filling of the first."""
    shelves = {APPLES: ["a", "b"], "nothing": []}
    story = [
        ({"a": stock(500.0), "b": stock(500.0)}, None),
        ({"a": stock(0.0), "b": stock(500.0)}, None),
        ({"a": stock(0.0)}, None),  # of the other nothing is known: no change
        ({"a": stock(0.0), "b": stock(0.0)}, True),
        ({"a": stock(0.0), "b": stock(10.0)}, None),
        ({"a": stock(0.0), "b": stock(None)}, None),
        ({"a": stock(0.0), "b": stock(0.0, fault="stuck")}, None),
        ({"a": stock(0.0), "b": stock(0.0)}, None),
        ({"a": stock(900.0), "b": stock(0.0)}, False),
        ({"a": stock(900.0), "b": stock(900.0)}, None),
    ]
    known: dict[str, bool] = {}
    for minute, (stocks, wanted) in enumerate(story):
        now = at(f"2026-11-23T10:{minute:02d}")
        found = emptied(known, stocks, shelves, PRODUCTS, now)
        assert found == ([] if wanted is None else [Empty(APPLES, now, wanted)]), minute
        known |= {each.product: each.is_empty for each in found}
