"""Files of tills, as tills write them: each oddity told with its row and column, nothing lost."""

from datetime import UTC, date

import pytest

from edge_agent.domain.shop import Unit
from edge_agent.exchange.plans import read_plans
from edge_agent.exchange.rows import FileFault
from edge_agent.exchange.sales import Reading, SalesFile, read_sales
from edge_agent.exchange.weather import read_weather

TODAY = date(2026, 11, 23)
READING = Reading(TODAY, UTC, {"4011": Unit.UNITS, "4020": Unit.G, "0036000291452": Unit.UNITS})


def read(text: str | bytes, **options: bool) -> SalesFile:
    content = text if isinstance(text, bytes) else text.encode()
    return read_sales(content, "till.csv", READING, **options)


def amounts(found: SalesFile) -> list[tuple[str, str, float]]:
    return [(sale.product, sale.day.isoformat(), sale.sold) for sale in found.sales]


def test_rows_of_a_product_and_day_are_summed():
    found = read(
        "timestamp,product,qty\n2026-11-20 09:00,4011,2\n2026-11-20T17:30:00,4011,3\n2026-11-21 08:00,4011,1\n"
    )
    assert amounts(found) == [("4011", "2026-11-20", 5.0), ("4011", "2026-11-21", 1.0)]
    assert found.remarks == ()


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfday;product;qty\r\n20.11.2026;4011;1.234,5\r\n",
        b"Datum\tEAN\tMenge\n2026-11-20\t4011\t1,234.5\n",
        "day|product|qty\n2026-11-20|4011|1234,5\n".encode("utf-16"),
        b'day,product,qty\n2026-11-20,4011,"1234,5"\n',
    ],
)
def test_separators_marks_and_decimal_commas(content):
    assert amounts(read(content)) == [("4011", "2026-11-20", 1234.5)]


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("2026-11-20,4011,NaN", "qty", "gap"),
        ("2026-11-20,4011,", "qty", "gap"),
        ("2026-11-20,4011,many", "qty", "number"),
        ("2026-11-20,4011,1e99", "qty", "qty"),
        ("2026-11-24,4011,1", "day", "future"),
        ("1970-01-01,4011,1", "day", "past"),
        ("2026-13-01,4011,1", "day", "date"),
        ("3/4/2026,4011,1", "day", "date"),
        ("2026-11-20,6291041500214,1", "product", "product"),
        ("2026-11-20,apples,1", "product", "product"),
        ("2026-11-19,4011,7", "", "duplicate"),
        ("2026-11-20,4011,1,2,3", "", "cells"),
    ],
)
def test_a_row_that_does_not_count_is_told_and_kept(row, column, code):
    found = read(f"day,product,qty\n2026-11-19,4011,7\n{row}\n")
    assert amounts(found) == [("4011", "2026-11-19", 7.0)]
    (remark,) = found.remarks
    assert (remark.row, remark.column, remark.code, remark.is_aside) == (3, column, code, True)
    assert remark.right
    assert [aside.text for aside in found.aside] == [row]


def test_what_came_back_is_taken_off_and_never_below_nothing():
    found = read("day,product,qty\n2026-11-19,4011,7\n2026-11-19,4011,-2\n2026-11-20,4011,-3\n")
    assert amounts(found) == [("4011", "2026-11-19", 5.0), ("4011", "2026-11-20", 0.0)]
    assert [(sale.qty, sale.back) for sale in found.sales] == [(7.0, 2.0), (0.0, 3.0)]
    assert [remark.code for remark in found.remarks] == ["returns", "returns"]


def test_days_without_any_sale_are_told_and_an_unknown_product_is_kept():
    found = read("day,product,qty\n2026-10-19,4012,7\n2026-11-20,4012,1\n")
    assert len(found.sales) == 2
    assert {remark.code for remark in found.remarks} == {"unknown", "gap-days"}


def test_leading_zeros_come_back_and_weights_are_grams():
    found = read("day,product,qty,unit\n2026-11-20,36000291452,1,\n2026-11-20,4020,1.5,kg\n")
    assert [(sale.product, sale.qty, sale.unit) for sale in found.sales] == [
        ("0036000291452", 1.0, Unit.UNITS),
        ("4020", 1500.0, Unit.G),
    ]


def test_duplicates_count_when_they_are_meant():
    text = "day,product,qty\n2026-11-20,4011,1\n2026-11-20,4011,1\n"
    assert amounts(read(text)) == [("4011", "2026-11-20", 1.0)]
    assert amounts(read(text, keep_duplicates=True)) == [("4011", "2026-11-20", 2.0)]


@pytest.mark.parametrize("text", ["", "day,product\n2026-11-20,4011\n", "product,qty\n4011,1\n"])
def test_a_file_without_the_columns_is_one_clear_fault(text):
    with pytest.raises(FileFault, match=r"till\.csv"):
        read(text)


def test_an_unknown_column_names_the_nearest():
    (remark,) = read("day,product,qty,pryce\n2026-11-20,4011,1,2\n").remarks
    assert "did you mean price?" in remark.right


def test_weather_says_when_it_was_expected():
    text = b"issued_at,day,temp_c,precip_mm\n2026-11-22 18:00,2026-11-24,7.5,\n2026-11-22 18:00,2026-11-25,99,1\n"
    found = read_weather(text, "weather.csv", TODAY, UTC)
    (day,) = found.days
    assert (day.day, day.temp_c, day.precip_mm) == (date(2026, 11, 24), 7.5, None)
    assert [remark.column for remark in found.remarks] == ["temp_c"]


def test_plans_name_what_would_be_right():
    text = (
        b"kind,from,to,product,value\npromo,2026-12-01,2026-12-06,4011,\nclosd,2026-12-25,,,\nprice,2026-12-01,,4011,\n"
    )
    found = read_plans(text, "plans.csv", TODAY, ["4011"])
    assert [plan.kind.value for plan in found.plans] == ["promo"]
    assert [remark.column for remark in found.remarks] == ["kind", "value"]
    assert "did you mean closed" in found.remarks[0].right
