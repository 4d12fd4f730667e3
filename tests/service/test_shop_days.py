"""The shop's days out of rows: when shelves were empty, which weather was known, what a plan shuts."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_agent.config.shop import ShopSettings
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.shop import Empty, PlanKind, Planned, Sale, Source, Unit, WeatherDay
from edge_agent.service.shop_days import Known, ShopDays, merged, shop_days

APPLES, PEARS = Product("4011", "Apples"), Product("4012", "Pears")
LAST = date(2026, 11, 22)  # a Sunday
FIRST = LAST - timedelta(days=27)
SHOP = ShopSettings(time_zone="UTC", opens="08:00", closes="20:00")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> Instant:
    wall = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return Instant(0, round(1000 * wall.timestamp()), "b")


def empty(*spans: str, product: Product = APPLES) -> list[Empty]:
    """Each "from/to" in UTC; without an end it is empty still."""
    found = []
    for span in spans:
        begin, _, end = span.partition("/")
        found.append(Empty(product.gtin, at(begin), True))
        found += [Empty(product.gtin, at(end), False)] if end else []
    return found


def days(qty: float = 10.0, zone=UTC, products=(APPLES,), changed=(), first: date = FIRST, **more) -> ShopDays:
    """As many of each product every day, but for the rows in ``changed``."""
    other = {(sale.product, sale.day) for sale in changed}
    span = [first + timedelta(days=step) for step in range((LAST - first).days + 1)]
    sales = [
        Sale(product.gtin, day, Source.IMPORT, Unit.UNITS, qty)
        for product in products
        for day in span
        if (product.gtin, day) not in other
    ]
    known = Known(first, LAST, {day: {Source.IMPORT} for day in span}, **more)
    return shop_days(products, [*sales, *changed], known, SHOP, zone)


def out(found: ShopDays, row: int = 0) -> list[str]:
    return [found.panel.day(int(column)).strftime("%m-%d") for column in np.flatnonzero(found.ran_out[row])]


@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        (["2026-11-20T14:00/2026-11-20T18:00"], ["11-20"]),
        (["2026-11-20T14:00/2026-11-20T14:29"], []),  # nobody was sent away
        (["2026-11-20T14:00/2026-11-20T14:30"], ["11-20"]),
        (["2026-11-20T21:00/2026-11-21T07:30"], []),  # over night
        (["2026-11-20T19:45/2026-11-21T08:15"], []),  # a quarter of an hour on both days
        (["2026-11-20T19:00/2026-11-21T09:00"], ["11-20", "11-21"]),
        (["2026-11-19T15:00/2026-11-21T09:00"], ["11-19", "11-20", "11-21"]),
        (["2026-11-21T15:00"], ["11-21", "11-22"]),  # and still
        (["2026-10-01T15:00/2026-10-26T12:00"], ["10-26"]),  # since before the first day
        (["2026-11-16T14:00/2026-11-16T18:00", "2026-11-20T14:00/2026-11-20T18:00"], ["11-16", "11-20"]),
    ],
)
def test_a_shelf_that_is_empty_during_opening_hours_ran_out(spans, wanted):
    assert out(days(empties=empty(*spans))) == wanted


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        # the shop opens at 07:00 UTC in winter, 06:00 in summer; the clock goes back on 2026-10-25
        ("2026-10-24T05:00/2026-10-24T06:29", []),
        ("2026-10-24T05:00/2026-10-24T06:31", ["10-24"]),
        ("2026-10-25T05:00/2026-10-25T06:31", []),
        ("2026-10-25T05:00/2026-10-25T07:31", ["10-25"]),
        ("2026-10-24T22:30/2026-10-25T19:31", ["10-25"]),
    ],
)
def test_opening_hours_are_local_also_when_the_clock_changes(span, wanted):
    assert out(days(zone=BERLIN, first=date(2026, 10, 12), empties=empty(span))) == wanted


def test_what_was_sold_before_it_was_empty_becomes_what_would_have_been():
    """Half the day empty, half of the usual sold: the demand of that day is the usual one."""
    friday = date(2026, 11, 20)
    half = Sale(APPLES.gtin, friday, Source.IMPORT, Unit.UNITS, 5.0)
    found = days(changed=[half], empties=empty("2026-11-20T14:00/2026-11-20T20:00"))
    column = (friday - FIRST).days
    assert found.panel.qty[0, column] == pytest.approx(10.0, rel=0.1)
    assert (found.recovered, found.reasons) == (1, (("demand_recovered",),))


def test_a_day_that_was_empty_from_the_beginning_says_nothing():
    nothing = Sale(APPLES.gtin, LAST, Source.IMPORT, Unit.UNITS, 0.0)
    found = days(changed=[nothing], empties=empty("2026-11-21T20:00"))
    assert not found.panel.is_open[0, -1]
    assert "empty_all_day" in found.reasons[0]


def test_the_till_s_word_of_the_hour_comes_before_the_scale_s():
    told = Sale(APPLES.gtin, LAST, Source.IMPORT, Unit.UNITS, 6.0, sold_out_at="17:00")
    by_till = days(changed=[told], empties=empty("2026-11-22T09:00/2026-11-22T20:00"))
    alone = days(changed=[told])
    assert by_till.panel.qty[0, -1] == alone.panel.qty[0, -1]


def test_products_read_in_parts_keep_their_own_days():
    both = [days(products=(each,), empties=empty("2026-11-20T14:00", product=PEARS)) for each in (APPLES, PEARS)]
    found = merged(both, len(both))
    assert (out(found, 0), out(found, 1)) == ([], ["11-20", "11-21", "11-22"])
    assert found.panel.names == (APPLES.gtin, PEARS.gtin)


# --- what is known in advance -----------------------------------------------------------------------------------------


def test_the_weather_stands_beside_its_days_and_the_coming_ones():
    weather = [WeatherDay(LAST, 0, 4.0, 2.5), WeatherDay(LAST + timedelta(days=2), 0, 9.0)]
    known = days(weather=weather).panel.known
    assert known["temp"].shape == (1, 28 + 14)
    assert (known["temp"][0, 27], known["temp"][0, 29]) == (4.0, 9.0)
    assert np.isnan(known["temp"][0, 28])
    assert known["precip"][0, 27] == 2.5
    assert np.isnan(known["precip"][0, 29])


def test_without_weather_there_is_no_such_series():
    assert not {"temp", "precip"} & set(days().panel.known)


def test_a_day_that_is_planned_shut_is_shut_unless_something_was_sold():
    plan = Planned(PlanKind.CLOSED, LAST - timedelta(days=1), LAST + timedelta(days=2))
    none = Sale(APPLES.gtin, LAST, Source.IMPORT, Unit.UNITS, 0.0)
    found = days(changed=[none], plans=[plan])
    assert found.panel.is_open[0, -3:].tolist() == [True, True, False]
    assert found.will_open[:4].tolist() == [False, False, True, True]
