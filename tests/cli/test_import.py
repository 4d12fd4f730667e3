"""`edge-agent import` and `models report` on a stopped agent's files."""

import json


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


def test_the_report_without_forecasts_says_why(call, healthy, elsewhere):
    told = call("models", "report", "--json", "--config", elsewhere(healthy))
    assert told.code == 1
    assert "no forecast was made yet" in told.json[0]["fault"]
