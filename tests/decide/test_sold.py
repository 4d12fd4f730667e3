"""From the ledger's events to the day's demand: what counts, in which unit, on whose day; when shelves are empty."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge_agent.decide.sold import emptied, is_out, sold, utc_day
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.product import Product
from edge_agent.domain.reading import Quality
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.shop import Empty, Unit
from edge_agent.domain.stock import Balance, EventKind, StockEvent, StockState
from edge_agent.service.local_days import day_of

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


def waste(**body) -> RecordLine:
    return RecordLine(RecordKind.WASTE, at(), "", {"product": APPLES, "reason": "spoiled"} | body)


def told(*events, records=(), day=utc_day):
    """(product, qty, back, unit) of each."""
    found = sold(events, records, PRODUCTS, day)
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
        ({"product": None, "units": 1}, []),
        ({}, []),
    ],
)
def test_what_was_thrown_away_is_taken_off_again(body, wanted):
    assert told(records=[waste(**body)]) == wanted


def test_other_lines_of_the_record_sell_nothing():
    line = replace(waste(units=2), kind=RecordKind.DELIVERY)
    assert told(records=[line]) == []


@pytest.mark.parametrize("clock", list(ClockState))
def test_without_a_clock_it_has_no_day_yet(clock):
    picked = event(EventKind.PICK, pieces(2), pieces(1), at=at(clock=clock))
    line = replace(waste(units=1), at=at(clock=clock))
    days = {each.day for each in sold([picked], [line], PRODUCTS, utc_day)}
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
