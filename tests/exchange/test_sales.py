"""Files of tills, as tills write them: each oddity told with its row and column, nothing lost."""

import gzip
from datetime import UTC, date
from io import BytesIO

import pytest

from edge_agent.domain.shop import Unit
from edge_agent.exchange.plans import read_plans
from edge_agent.exchange.rows import MOST_ASIDE, FileFault
from edge_agent.exchange.sales import Reading, SalesFile, read_sales
from edge_agent.exchange.text_file import TextFile, scanned
from edge_agent.exchange.weather import read_weather

TODAY = date(2026, 11, 23)
READING = Reading(TODAY, UTC, {"4011": Unit.UNITS, "4020": Unit.G, "0036000291452": Unit.UNITS})


def read(text: str | bytes, **options: bool) -> SalesFile:
    content = text if isinstance(text, bytes) else text.encode()
    return read_sales(of_text(content, "till.csv"), READING, **options)


def of_text(content: bytes, name: str) -> TextFile:
    return scanned(lambda: BytesIO(content), name)


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
        b"sep=;\r\nday;product;qty\r\n2026-11-20;4011;1234,5\r\n",
        b"day,product,qty\r2026-11-20,4011,1234.5\r",
        "\n\nday;product;qty;Käse\n2026-11-20;4011;1'234.5;".encode("latin-1"),
        gzip.compress(b"day,product,qty\n2026-11-20,4011,1234.5\n"),
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
        ("2026-11-20,4011,inf", "qty", "number"),
        ("2026-11-20,4011,1.234", "qty", "number"),
        ("2026-02-29,4011,1", "day", "date"),
        ("2026-11-20,,1", "product", "product"),
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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: must have a line of column names"),
        (" \n\n", "is empty: must have a line of column names"),
        ("day,product,qty\n", "has column names and no row"),
        ("day,product\n2026-11-20,4011\n", "row 1: column qty is missing; there are: day, product"),
        ("product,qty\n4011,1\n", "row 1: column day or timestamp is missing"),
        ("2026-11-20,4011,1\n", "row 1: column day or timestamp is missing; there are: 2026-11-20"),
        ("day,date,product,qty\n", "row 1: two columns say day"),
        (b"PK\x03\x04...", "is a spreadsheet or a zip: save the sheet as csv"),
        (b"PAR1....", "is parquet: write the table as csv"),
        (b"\xff\xd8\xff\x00", "is no text"),
        ("day,product,qty\n2026-11-20,4011,1\n".encode("utf-16-le"), "is no text: must be a csv in UTF-8, UTF-16 with"),
        ("day,product,qty\n" + "1" * 9000, "row 2: is longer than 8192 characters"),
        (gzip.compress(b"day,product,qty\n2026-11-20,4011,1\n")[:-9], "is damaged or cut short"),
        (b"\x1f\x8bnothing packed", "is damaged or cut short"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_one_clear_fault(content, words):
    with pytest.raises(FileFault) as fault:
        read(content)
    assert str(fault.value).startswith("till.csv")
    assert words in str(fault.value)


def test_a_file_most_of_which_does_not_count_is_refused_with_the_reasons():
    rows = "".join(f"2026-11-20,4011,{n} pieces\n" for n in range(MOST_ASIDE + 2)) + "2026-11-20,4011,1\n"
    with pytest.raises(FileFault, match=r"10002 of its 10003 rows do not count \(number 10002\): is it the right file"):
        read("day,product,qty\n" + rows)


def test_of_very_many_rows_that_do_not_count_the_first_are_kept_and_all_are_counted():
    bad = "".join(f"2026-11-20,4011,{n} pieces\n" for n in range(MOST_ASIDE + 5))
    good = "".join(f"2026-11-20,4011,{n}\n" for n in range(MOST_ASIDE + 5))
    found = read("day,product,qty\n" + bad + good)
    assert (len(found.aside), found.set_aside) == (MOST_ASIDE, MOST_ASIDE + 5)
    assert amounts(found) == [("4011", "2026-11-20", float(sum(range(MOST_ASIDE + 5))))]


def test_rows_that_differ_in_anything_are_sales_of_their_own():
    """Two tills that a column not known here tells apart; two lines of one receipt; a return on it."""
    assert amounts(read("day,product,qty,till,cashier\n2026-11-20,4011,1,1,eve\n2026-11-20,4011,1,2,eve\n")) == [
        ("4011", "2026-11-20", 2.0)
    ]
    text = "day,product,qty,bon\n2026-11-20,4011,4,17\n2026-11-20,4011,2,17\n2026-11-20,4011,-1,17\n"
    found = read(text + "2026-11-20,4011,4,18\n2026-11-20,4011,4,17 \n")
    assert amounts(found) == [("4011", "2026-11-20", 9.0)]
    assert [(remark.row, remark.code) for remark in found.remarks if remark.is_aside] == [(6, "duplicate")]


def test_dates_with_slashes_are_told_apart_by_the_whole_file():
    head = "day,product,qty\n"
    assert amounts(read(head + "3/4/2026,4011,1\n11/20/2026,4011,1\n"))[0] == ("4011", "2026-03-04", 1.0)
    assert amounts(read(head + "3/4/2026,4011,1\n20/11/2026,4011,1\n"))[0] == ("4011", "2026-04-03", 1.0)
    assert amounts(read(head + "3/4/2026,4011,1\n20/11/2026,4011,1\n11/20/2026,4011,1\n")) == []


def test_a_clock_that_was_wrong_is_told_and_times_that_step_back_are_summed():
    rows = ("2026-11-20 23:59:59,4011,1", "2026-11-20 22:59:59,4011,1", "2005-01-01 00:00:10,4011,1")
    found = read("timestamp,product,qty\n" + "\n".join(rows))
    assert amounts(found) == [("4011", "2005-01-01", 1.0), ("4011", "2026-11-20", 2.0)]
    assert [remark.code for remark in found.remarks] == ["gap-long"]
    assert "Was a clock wrong?" in found.remarks[0].right


def test_thirty_days_without_a_sale_are_told_as_one():
    (remark,) = read("day,product,qty\n2026-09-20,4011,4\n2026-10-21,4011,4\n").remarks
    assert (remark.value, remark.code) == ("2026-09-21 to 2026-10-20, 30 days", "gap-days")


def test_a_product_with_one_sale_is_one_sale():
    assert amounts(read("day,product,qty\n2026-11-20,4011,1\n")) == [("4011", "2026-11-20", 1.0)]


def test_pieces_with_thousandths_are_not_guessed_and_weights_are():
    found = read('day,product,qty,unit\n2026-11-20,4011,"1,234",\n2026-11-20,4011,1.000,\n2026-11-20,4020,"1,234",kg\n')
    assert [(sale.product, sale.qty) for sale in found.sales] == [("4011", 1.0), ("4020", 1234.0)]
    assert [remark.row for remark in found.remarks] == [2]


def test_an_unknown_column_names_the_nearest():
    (remark,) = read("day,product,qty,pryce\n2026-11-20,4011,1,2\n").remarks
    assert "did you mean price?" in remark.right


def test_weather_says_when_it_was_expected():
    text = b"issued_at,day,temp_c,precip_mm\n2026-11-22 18:00,2026-11-24,7.5,\n2026-11-22 18:00,2026-11-25,99,1\n"
    found = read_weather(of_text(text, "weather.csv"), TODAY, UTC)
    (day,) = found.days
    assert (day.day, day.temp_c, day.precip_mm) == (date(2026, 11, 24), 7.5, None)
    assert [remark.column for remark in found.remarks] == ["temp_c"]


def test_plans_name_what_would_be_right():
    text = (
        b"kind,from,to,product,value\npromo,2026-12-01,2026-12-06,4011,\nclosd,2026-12-25,,,\nprice,2026-12-01,,4011,\n"
    )
    found = read_plans(of_text(text, "plans.csv"), TODAY, ["4011"])
    assert [plan.kind.value for plan in found.plans] == ["promo"]
    assert [remark.column for remark in found.remarks] == ["kind", "value"]
    assert "did you mean closed" in found.remarks[0].right
