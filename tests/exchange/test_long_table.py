"""A long table becomes a panel; what is off in it is told with row, column and value, and stops nothing else."""

import gzip
import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_agent.exchange.long_table import TELL, LongTable, read_long_table
from edge_agent.exchange.rows import FileFault

FIRST = date(2026, 1, 1)
DAYS = 30


def _rows(series: str = "bread", days: int = DAYS, qty: int = 5) -> list[list[str]]:
    return [[series, (FIRST + timedelta(days=day)).isoformat(), str(qty + day % 3)] for day in range(days)]


def _csv(folder: Path, rows: list[list[str]], head: str = "series_id,date,qty", separator: str = ",") -> Path:
    file = folder / "sales.csv"
    lines = [head.replace(",", separator), *(separator.join(row) for row in rows)]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def _read(folder: Path, rows: list[list[str]], head: str = "series_id,date,qty") -> LongTable:
    return read_long_table(_csv(folder, rows, head))


def test_a_plain_table_is_read_whole(tmp_path) -> None:
    found = _read(tmp_path, _rows("milk", qty=2) + _rows("bread"))
    panel = found.panel
    assert (panel.names, panel.first, panel.days) == (("bread", "milk"), FIRST, DAYS)
    assert panel.qty[:, :4].tolist() == [[5, 6, 7, 5], [2, 3, 4, 2]]
    assert panel.is_open.all()
    assert (found.series, found.set_aside, found.remarks) == (2, {}, ())


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_seen_from_the_first_line(tmp_path, separator) -> None:
    assert read_long_table(_csv(tmp_path, _rows(), separator=separator)).panel.days == DAYS


def test_where_semicolons_separate_a_comma_is_a_decimal_one(tmp_path) -> None:
    rows = [[name, day, f"{qty},5"] for name, day, qty in _rows()]
    assert read_long_table(_csv(tmp_path, rows, separator=";")).panel.qty[0, :3].tolist() == [5.5, 6.5, 7.5]


def test_covariates_reach_past_the_last_day_as_not_told(tmp_path) -> None:
    rows = [[*row, "1", "0", "7.5", ""] for row in _rows()]
    found = _read(tmp_path, rows, "series_id,date,qty,open,promo,temp,precip")
    assert set(found.panel.known) == {"promo", "temp", "precip"}
    assert found.columns == ("open", "promo", "temp", "precip")
    temp = found.panel.known["temp"]
    assert temp.shape == (1, DAYS + 14)
    assert (temp[0, :DAYS] == 7.5).all()
    assert np.isnan(temp[0, DAYS:]).all()
    assert np.isnan(found.panel.known["precip"]).all()


def test_closed_days_and_days_without_a_row_are_not_open(tmp_path) -> None:
    rows = [[*row, "0" if row[1] == "2026-01-05" else "1"] for row in _rows() if row[1] != "2026-01-09"]
    found = _read(tmp_path, rows, "series_id,date,qty,open")
    assert np.flatnonzero(~found.panel.is_open[0]).tolist() == [4, 8]
    assert found.set_aside == {"day missing": 1}


def test_thirty_missing_days_are_counted_and_count_as_closed(tmp_path) -> None:
    found = _read(tmp_path, [row for row in _rows(days=100) if not "2026-02-01" <= row[1] <= "2026-03-02"])
    assert found.set_aside == {"day missing": 30}
    assert (~found.panel.is_open).sum() == 30


# what is off in one row (number 12 of the file) -> (reason, column, what is told to be right)
OFF = {
    "not a day": (["bread", "11.13.2026", "5"], "date not readable", "date", "2026-11-23"),
    "no such day": (["bread", "2026-02-30", "5"], "date not readable", "date", "2026-11-23"),
    "no day": (["bread", "", "5"], "date not readable", "date", "2026-11-23"),
    "no number": (["bread", "2026-01-11", "many"], "qty not readable", "qty", "must be a number"),
    "infinite": (["bread", "2026-01-11", "inf"], "qty not finite", "qty", "finite"),
    "NaN": (["bread", "2026-01-11", "nan"], "qty missing", "qty", "must be a number"),
    "empty": (["bread", "2026-01-11", ""], "qty missing", "qty", "must be a number"),
    "negative": (["bread", "2026-01-11", "-3"], "qty negative", "qty", "0 or more"),
    "no series": (["", "2026-01-11", "5"], "series_id empty", "series_id", "name the series"),
    "too few cells": (["bread", "2026-01-11"], "cells", "", "must be 3"),
    "too many cells": (["bread", "2026-01-11", "5", "6"], "cells", "", "must be 3"),
    "a clock that was wrong": (["bread", "1970-01-01", "5"], "date far away", "date", "was a clock wrong?"),
    "a clock that was wrong the other way": (["bread", "2038-01-19", "5"], "date far away", "date", "2026-01-01 to"),
}


@pytest.mark.parametrize("case", OFF)
def test_a_row_that_is_off_is_told_and_only_its_day_is_missing(tmp_path, case) -> None:
    row, reason, column, right = OFF[case]
    rows = _rows(days=100)
    rows[10] = row
    found = _read(tmp_path, rows)
    assert found.panel.days == 100
    assert np.flatnonzero(~found.panel.is_open[0]).tolist() == [10]
    assert found.set_aside == {reason: 1, "day missing": 1}
    remark = found.remarks[0]
    assert (remark.file, remark.row, remark.column, remark.is_aside) == ("sales.csv", 12, column, True)
    assert right in str(remark)


def test_a_day_that_stands_twice_counts_once_with_its_first_row(tmp_path) -> None:
    found = _read(tmp_path, [*_rows(), ["bread", "2026-01-03", "99"]])
    assert found.panel.qty[0, 2] == 7
    assert found.set_aside == {"day twice": 1}
    assert "bread 2026-01-03" in str(found.remarks[0])


def test_only_the_first_remarks_are_told_in_full_and_all_are_counted(tmp_path) -> None:
    found = _read(tmp_path, _rows(days=100) + [["bread", f"day {number}", "1"] for number in range(50)])
    assert len(found.remarks) == TELL
    assert found.set_aside["date not readable"] == 50


@pytest.mark.parametrize(
    ("column", "value", "right"),
    [
        ("temp", "999", "-70 to 60"),
        ("precip", "-1", "0 to 2000"),
        ("holiday", "2", "0 to 1"),
        ("price", "-2", "0 or more"),
        ("promo", "inf", "0 or more"),
        ("temp", "warm", "must be a number"),
    ],
)
def test_a_covariate_that_cannot_be_is_not_told_and_its_day_stays(tmp_path, column, value, right) -> None:
    rows = [[*row, "1"] for row in _rows()]
    rows[4][3] = value
    found = _read(tmp_path, rows, f"series_id,date,qty,{column}")
    assert found.panel.is_open.all()
    assert right in str(found.remarks[0])
    if column != "price":  # which is carried on
        assert np.flatnonzero(np.isnan(found.panel.known[column][0, :DAYS])).tolist() == [4]


def test_an_unknown_column_is_told_with_the_nearest_known(tmp_path) -> None:
    found = _read(tmp_path, [[*row, "1"] for row in _rows()], "series_id,date,qty,promotion")
    assert "did you mean promo?" in str(found.remarks[0])
    assert found.panel.known == {}


def test_realised_prices_and_promotions_are_never_looked_at(tmp_path) -> None:
    found = _read(tmp_path, [[*row, "2.5", "1"] for row in _rows()], "series_id,date,qty,price_realised,promo_realised")
    assert (found.panel.known, found.columns, found.remarks) == ({}, (), ())


def test_a_price_that_is_there_only_where_something_was_sold_is_no_plan(tmp_path) -> None:
    rows = [[row[0], row[1], "0" if day % 3 else "4", "" if day % 3 else "2.5"] for day, row in enumerate(_rows())]
    found = _read(tmp_path, rows, "series_id,date,qty,price")
    assert "price_rel" not in found.panel.known
    assert found.set_aside == {"price not planned": 1}


def test_a_planned_price_is_told_against_those_before(tmp_path) -> None:
    rows = [[*row, "2.0" if row[1] != "2026-01-20" else "1.0"] for row in _rows()]
    price = _read(tmp_path, rows, "series_id,date,qty,price").panel.known["price_rel"][0]
    assert price[19] == 0.5
    assert (np.delete(price[:DAYS], 19) == 1.0).all()


def test_a_category_is_kept_and_a_series_with_one_sale_or_none_too(tmp_path) -> None:
    rows = [[*row, "baked"] for row in _rows()]
    rows += [["once", "2026-01-15", "3", "fruit"], ["never", "2026-01-15", "0", ""]]
    found = _read(tmp_path, rows, "series_id,date,qty,category")
    assert found.panel.names == ("bread", "never", "once")
    assert found.panel.category == ("baked", "", "fruit")
    assert found.panel.start.tolist() == [0, DAYS, 14]
    assert found.set_aside["series without a sale"] == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "column series_id is missing"),
        ("series_id,date,qty\n", "has no rows"),
        ("series_id,date\nbread,2026-01-01\n", "column qty is missing"),
        ("item,day,sold\nbread,2026-01-01,1\n", "there is: item, day, sold"),
        ("series_id,date,qty,qty\nbread,2026-01-01,1,2\n", "two columns are named qty"),
        ("series_id,date,qty\nbread,never,1\n", "date not readable: 1"),
        ("series_id,date,qty\nbread,2026-01-01,-1\n", "qty negative: 1"),
    ],
)
def test_a_table_of_which_nothing_can_be_used_is_refused_in_words(tmp_path, content, words) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(content)
    with pytest.raises(FileFault, match=words):
        read_long_table(file)


def test_a_table_without_a_date_that_can_be_read_shows_one_and_what_is_right(tmp_path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("series_id,date,qty\na,02.01.2026,3\na,03.01.2026,4\n")
    with pytest.raises(FileFault, match=r"row 2: date = '02\.01\.2026': must be a day such as 2026-11-23"):
        read_long_table(file)


def test_a_file_that_is_not_there_or_is_no_text_is_refused_in_words(tmp_path) -> None:
    with pytest.raises(FileFault, match="No such file"):
        read_long_table(tmp_path / "none.csv")
    (tmp_path / "sales.csv").write_bytes(b"series_id,date,qty\n\xff\xfe\x00")
    with pytest.raises(FileFault, match="is no text"):
        read_long_table(tmp_path / "sales.csv")


@pytest.mark.parametrize(
    "pack",
    [
        lambda text: text.encode("latin-1"),
        lambda text: text.replace(",", ";").encode("utf-16"),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    ],
)
def test_any_encoding_packed_or_not_is_the_same_table(tmp_path, pack) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes(pack("series_id,date,qty\nKäse,2026-11-01,1\nKäse,2026-11-02,2\n"))
    panel = read_long_table(file).panel
    assert (panel.names, panel.qty.tolist()) == (("Käse",), [[1.0, 2.0]])


NO_ARROW = """
import sys
sys.modules["pyarrow"] = None  # as where it is not installed
from edge_agent.cli.main import main
sys.exit(main(["backtest", "demand", sys.argv[1], "--cold", "--no-model", "--origins", "1"]))
"""


def test_without_the_extra_parquet_csv_is_judged_and_parquet_names_it(tmp_path) -> None:
    (tmp_path / "sales.parquet").write_bytes(b"PAR1")
    rows = _rows("7", 120)

    def judged(file: Path) -> subprocess.CompletedProcess[str]:
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        words = [sys.executable, "-c", NO_ARROW, str(file)]
        return subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | path)

    assert judged(_csv(tmp_path, rows)).returncode == 0
    told = judged(tmp_path / "sales.parquet")
    assert told.returncode != 0
    assert "pip install 'edge-agent[parquet]', or write the table as csv" in told.stderr
    assert "Traceback" not in told.stderr


def test_of_many_series_so_many_are_drawn_and_another_seed_draws_others(tmp_path) -> None:
    file = _csv(tmp_path, [row for number in range(20) for row in _rows(f"s{number:02}", 3)])
    first, again, other = (read_long_table(file, 5, seed) for seed in (0, 0, 1))
    assert first.series == 20
    assert first.panel.names == again.panel.names == ("s01", "s08", "s10", "s18", "s19")  # as pandas and numpy draw
    assert other.panel.names != first.panel.names
    assert len(read_long_table(file, None).panel.names) == 20


# --- parquet --------------------------------------------------------------------------------------------------------


def _parquet(folder: Path, columns: dict[str, list]) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = folder / "sales.parquet"
    parquet.write_table(pyarrow.table(columns), file)
    return file


@pytest.mark.parametrize("kind", ["times", "days", "texts"])
def test_parquet_is_read_as_csv_is(tmp_path, kind) -> None:
    rows = _rows("7") + _rows("12")
    days = [date.fromisoformat(row[1]) for row in rows]
    told = {"times": [datetime(d.year, d.month, d.day) for d in days], "days": days, "texts": [row[1] for row in rows]}  # noqa: DTZ001
    numbers = [int(row[2]) for row in rows]
    numbers[3] = None
    file = _parquet(tmp_path, {"series_id": [int(row[0]) for row in rows], "date": told[kind], "qty": numbers})
    rows[3][2] = ""
    found, same = read_long_table(file).panel, _read(tmp_path, rows).panel
    assert found.names == same.names == ("12", "7")
    assert found.first == same.first
    assert np.array_equal(found.qty, same.qty)
    assert np.array_equal(found.is_open, same.is_open)


def test_parquet_that_is_none_or_lacks_a_column_or_holds_lists_is_refused_in_words(tmp_path) -> None:
    (tmp_path / "sales.parquet").write_bytes(b"PAR1 but cut short")
    with pytest.raises(FileFault, match="no parquet file"):
        read_long_table(tmp_path / "sales.parquet")
    with pytest.raises(FileFault, match="qty is missing"):
        read_long_table(_parquet(tmp_path, {"series_id": ["a"], "date": [FIRST]}))
    with pytest.raises(FileFault, match="must be numbers"):
        read_long_table(_parquet(tmp_path, {"series_id": ["a"], "date": [FIRST], "qty": [[1, 2]]}))


KINDS = {
    "categories": lambda pa, days: (pa.array(days).dictionary_encode(), pa.array([1, 2, None]).dictionary_encode()),
    "texts of categories": lambda pa, days: (pa.array(map(str, days)).dictionary_encode(), ["1", "2,0", None]),
    "decimals": lambda pa, days: (days, [Decimal("1.0"), Decimal("2.0"), None]),
    "midnight in Berlin": lambda pa, days: (
        pa.array(_midnights(days), pa.timestamp("us", "Europe/Berlin")),
        [1, 2, None],
    ),
    "nanoseconds": lambda pa, days: (pa.array(_midnights(days), pa.timestamp("ns", "Europe/Berlin")), [1.0, 2.0, None]),
    "small numbers": lambda pa, days: (pa.array(days, pa.date64()), pa.array([1, 2, None], pa.uint8())),
    "numbers for days": lambda pa, days: ([int(f"{day:%Y%m%d}") for day in days], [1, 2, None]),
}


def _midnights(days: list[date]) -> list[datetime]:
    return [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin")) for day in days]


@pytest.mark.parametrize("kind", KINDS)
def test_parquet_of_any_kind_is_the_same_table(tmp_path, kind) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    days, qty = KINDS[kind](pyarrow, [FIRST, FIRST + timedelta(days=1), FIRST + timedelta(days=2)])
    names = pyarrow.array(["a"] * 3).dictionary_encode()
    found = read_long_table(_parquet(tmp_path, {"series_id": names, "date": days, "qty": qty}))
    assert (found.panel.names, found.panel.first, found.panel.qty.tolist()) == (("a",), FIRST, [[1.0, 2.0]])
    assert found.set_aside == {"qty missing": 1}


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("series_id", [["a"]], "column series_id holds list"),
        ("series_id", [b"\xff"], "column series_id holds binary: must be texts"),
        ("date", [{"y": 2026}], "column date holds struct"),
        ("qty", [{"n": 1}], "column qty holds struct"),
        ("qty", [None], "no row can be used: qty missing: 1"),
        ("date", [1_793_491_200], "no row can be used: date not readable: 1"),
        ("date", [date(9999, 1, 1)], "no row can be used: date empty: 1"),
        ("date", [date(1969, 1, 1)], "no row can be used: date empty: 1"),
    ],
)
def test_parquet_that_holds_something_else_is_refused_in_words(tmp_path, column, cells, words) -> None:
    with pytest.raises(FileFault) as fault:
        read_long_table(_parquet(tmp_path, {"series_id": ["a"], "date": [FIRST], "qty": [1], column: cells}))
    assert words in str(fault.value)


def test_parquet_by_another_name_is_parquet(tmp_path) -> None:
    file = _parquet(tmp_path, {"series_id": ["a"], "date": [FIRST], "qty": [1]})
    assert read_long_table(file.rename(tmp_path / "sales.pq")).panel.names == ("a",)
