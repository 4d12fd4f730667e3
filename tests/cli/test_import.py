"""`edge-agent import` and `models report` on a stopped agent's files."""

import gzip
import json
import os

import pytest


def test_sales_come_in_once_and_what_does_not_count_is_told(call, healthy, elsewhere, tmp_path):
    config = elsewhere(healthy)
    file = tmp_path / "till.csv"
    file.write_text("day;product;qty\n2026-01-05;4011;7,5\n2026-01-06;4011;many\n")
    told = call("import", "sales", file, "--config", config)
    assert told.code == 1
    assert "1 product and day imported; 1 row set aside" in told.out
    assert "till.csv, row 3: qty = 'many': must be a number" in told.err
    again = call("import", "sales", file, "--config", config, "--json")
    assert again.code == 0
    assert json.loads(again.lines[-1])["known"] is True


def test_weather_and_plans_come_in_and_go(call, healthy, elsewhere, tmp_path):
    config = elsewhere(healthy)
    weather, plans = tmp_path / "weather.csv", tmp_path / "plans.csv"
    weather.write_text("issued_at,day,temp_c,precip_mm\n2026-01-04 18:00,2026-01-05,7.5,1\n")
    plans.write_text("kind,from,to\nclosed,2026-01-05,2026-01-06\n")
    assert "1 day imported" in call("import", "weather", weather, "--config", config).out
    assert "1 plan imported" in call("import", "plans", plans, "--config", config).out
    assert "1 plan taken back" in call("import", "plans", plans, "--withdraw", "--config", config).out


def test_a_file_that_is_no_table_is_a_usage_fault(call, healthy, elsewhere, tmp_path):
    file = tmp_path / "till.csv"
    file.write_text("hello\n")
    told = call("import", "sales", file, "--config", elsewhere(healthy))
    assert told.code == 2
    assert "column day or timestamp is missing" in told.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: must have a line of column names and a row"),
        (b"day,product,qty\n", "has column names and no row"),
        (b"PK\x03\x04", "is a spreadsheet or a zip: save the sheet as csv"),
        (gzip.compress(b"day,product,qty\n2026-01-05,4011,1\n")[:30], "is damaged or cut short"),
    ],
)
@pytest.mark.parametrize("kind", ["sales", "weather", "plans"])
def test_a_file_of_which_nothing_can_be_read_is_a_usage_fault_of_each_kind(
    call, healthy, elsewhere, tmp_path, kind, content, words
):
    file = tmp_path / "file.csv"
    columns = {"sales": b"day,product,qty", "weather": b"issued_at,day,temp_c", "plans": b"kind,from,to"}[kind]
    file.write_bytes(content.replace(b"day,product,qty", columns))
    told = call("import", kind, file, "--config", elsewhere(healthy))
    assert told.code == 2
    assert words in told.err


def test_what_is_no_file_is_a_usage_fault(call, healthy, elsewhere, tmp_path):
    config = elsewhere(healthy)
    assert "No such file" in call("import", "sales", tmp_path / "none.csv", "--config", config).err
    assert "must be a file" in call("import", "sales", tmp_path, "--config", config).err
    os.mkfifo(tmp_path / "pipe")
    told = call("import", "sales", tmp_path / "pipe", "--config", config)
    assert told.code == 2
    assert "must be a file: it is read more than once" in told.err


def test_a_packed_file_is_the_same_file_and_is_read_again_when_asked(call, healthy, elsewhere, tmp_path):
    config, content = elsewhere(healthy), b"day,product,qty\n2026-01-05,4011,1\n2026-01-06,4011,x\n"
    plain, packed = tmp_path / "till.csv", tmp_path / "till.csv.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    assert call("import", "sales", packed, "--config", config).code == 1
    known = call("import", "sales", plain, "--config", config)
    assert (known.code, known.err) == (0, "")
    assert "was imported before, and changes nothing; --again reads it anew" in known.out
    again = call("import", "sales", plain, "--again", "--config", config)
    assert "1 product and day imported; 1 row set aside" in again.out
    assert call("import", "sales", plain, "--again", "--add", "--config", config).code == 2


def test_of_many_remarks_of_a_kind_the_first_are_shown_and_all_when_asked(call, healthy, elsewhere, tmp_path):
    config, file = elsewhere(healthy), tmp_path / "till.csv"
    file.write_text("day,product,qty\n2026-01-05,4011,1\n" + "2026-01-05,4011,?\n2026-01-05,4011,!\n" * 15)
    told = call("import", "sales", file, "--config", config)
    assert told.err.count("must be a number") == 2, "the others are the same rows again"
    assert told.err.count("the same as row") == 20
    assert "and 8 more of the kind 'duplicate': --all shows them" in told.err
    assert call("import", "sales", file, "--again", "--all", "--config", config).err.count("the same as row") == 28


def test_the_report_without_forecasts_says_why(call, healthy, elsewhere):
    told = call("models", "report", "--json", "--config", elsewhere(healthy))
    assert told.code == 1
    assert "no forecast was made yet" in told.json[0]["fault"]
