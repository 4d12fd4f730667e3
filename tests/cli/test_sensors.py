"""`sensors`: what is connected, last good values, how often it fails."""

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.cli.sensors import age_s, where
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.drivers.table import driver


def test_sensors_that_measure_are_told_with_unit_and_place(call, healthy) -> None:
    told = call("sensors", "--config", healthy, "--json")
    assert told.code == Exit.OK, told
    climate, scale = told.json
    assert (climate["sensor"], climate["driver"], climate["where"]) == ("cold-room", "sht3x", "i2c-1 0x44")
    assert (climate["quality"], climate["fault"], climate["error_ratio"]) == ("good", None, 0.0)
    temperature, humidity = climate["good"]
    assert (temperature["channel"], temperature["unit"]) == ("cold-room/temperature", "Cel")
    assert 0 < temperature["value"] < 8, "a cold room"
    assert humidity["unit"] == "%"
    assert temperature["age_s"] <= 5
    assert scale["where"] == "i2c-2 0x2a"


def test_a_sensor_at_fault_is_named_with_its_last_good_value(call, faulty) -> None:
    told = call("sensors", "--config", faulty, "--json")
    assert told.code == Exit.FAULT
    climate, scale = told.json
    assert climate["at_fault"] is True
    assert climate["fault"] == "no-answer"
    assert climate["quality"] == "bad"
    assert climate["good"][0]["value"] is not None
    assert 70 <= climate["good"][0]["age_s"] <= 90, "unplugged after 100 of 180 s"
    assert 0.3 < climate["error_ratio"] < 0.6
    assert scale["at_fault"] is False


def test_the_table_says_the_same(call, faulty) -> None:
    told = call("sensors", "--config", faulty)
    line = next(line for line in told.lines if "cold-room" in line)
    assert "no-answer" in line
    assert "sht3x" in line
    assert "°C" in line
    assert told.code == Exit.FAULT


def test_a_live_sensor_is_fresh(call, live) -> None:
    told = call("sensors", "--config", live, "--json")
    assert told.code == Exit.OK, told
    assert all(reading["age_s"] < 10 for sensor in told.json for reading in sensor["good"])


def test_a_sensor_that_never_spoke_is_at_fault(call, healthy, elsewhere) -> None:
    config = elsewhere(healthy)
    config.write_text(config.read_text() + '\n[[sensor]]\nname = "cellar"\ndriver = "dht22"\npin = 17\n')
    told = call("sensors", "--config", config, "--json")
    cellar = told.json[-1]
    assert told.code == Exit.FAULT
    assert (cellar["good"], cellar["quality"], cellar["at_fault"], cellar["where"]) == ([], None, True, "GPIO17")


def test_without_an_agent_there_is_nothing_to_tell(call, unused) -> None:
    assert call("sensors", "--config", unused).code == Exit.NO_AGENT


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("sht3x", {}, "i2c-1 0x44"),
        ("nau7802", {"mux_address": 0x70, "mux_channel": 3}, "i2c-1 0x70/3 0x2a"),
        ("contact", {"pin": 22}, "GPIO22"),
        ("hx711", {"data_pin": 5, "clock_pin": 6}, "GPIO5 GPIO6"),
        ("ds18b20", {"device": "28-0316a2794bff"}, "28-0316a2794bff"),
        ("power", {}, "board"),
    ],
)
def test_every_kind_of_place_has_words(name, given, says) -> None:
    assert where(driver(name).Settings(**given)) == says


def test_ages_follow_the_monotonic_clock_within_a_boot() -> None:
    at = Instant(1000, 5_000_000, "b")
    reading = Reading(Channel("a", "temperature"), 4.0, at)
    stepped = Instant(3000, 5_000_000 + 36_000_000, "b")
    assert age_s(reading, stepped) == 2.0
    assert age_s(reading, Instant(3000, 5_060_000, "another")) == 60.0
