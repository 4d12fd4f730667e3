"""The sample is the reference: every key of every table stands in it, and every default it shows is one."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from edge_agent.alerts.settings import PlaceSettings
from edge_agent.config import ConfigFault, Settings, check, load
from edge_agent.config.settings import DEFAULT_INTERVAL_S
from edge_agent.config.shape import core, hint_of, is_tables, key_of, keys_of
from edge_agent.config.tables import SENSOR_KEYS, SINGLE, TABLES
from edge_agent.domain.product import Product
from edge_agent.drivers import raspberry_pi
from edge_agent.drivers.table import DRIVERS, driver
from edge_agent.weighing.settings import ShelfSettings

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "config" / "edge-agent.toml"
TEXT = SAMPLE.read_text("utf-8")
KEY_LINE = re.compile(r"^#(?=[a-z\[])", re.MULTILINE)
DEFAULT_LINE = re.compile(r"^#(?!name|driver)([a-z]\w* = (?!.*\(example\)).*)$", re.MULTILINE)
RANGE = re.compile(r"^#?(\w+) = [^#\n]*#.*?\b([\d.]+) to ([\d.]+)\b", re.MULTILINE)


def right(text: str) -> Settings:
    checked = check(text, SAMPLE.name)
    assert isinstance(checked, Settings), "\n".join(map(str, checked))
    return checked


@pytest.mark.parametrize("name", ["edge-agent.toml", "simulated.toml", "replay-example.toml"])
def test_the_samples_load(name):
    assert load(ROOT / "config" / name).sensors


def test_with_every_key_uncommented_the_sample_is_still_right():
    everything = right(KEY_LINE.sub("", TEXT))
    assert {sensor.driver for sensor in everything.sensors} == set(DRIVERS)
    assert everything.mqtt.tls is not None


@pytest.mark.parametrize("line", DEFAULT_LINE.findall(TEXT))
def test_a_commented_value_that_is_not_an_example_is_the_default(line):
    everything = KEY_LINE.sub("", TEXT)
    without = everything.replace(f"\n{line}\n", "\n")
    assert without != everything
    assert right(without) == right(everything)


def test_the_sample_shows_many_defaults():
    assert len(DEFAULT_LINE.findall(TEXT)) > 25


def test_the_defaults_told_in_prose_are_the_defaults():
    assert f"Default: {DEFAULT_INTERVAL_S}\n" in TEXT
    assert f'Default: "{driver("sht3x").Settings().bus}"' in TEXT
    assert f"Default: 0x{driver('sht4x').Settings().address:02x}\n" in TEXT


def test_every_field_of_every_settings_type_stands_in_the_sample():
    document = tomllib.loads(KEY_LINE.sub("", TEXT))
    sensors = document["sensor"]
    shown = {key for sensor in sensors for key in sensor}
    assert set(SENSOR_KEYS) <= shown
    for name in DRIVERS:
        its = {key for sensor in sensors if sensor["driver"] == name for key in sensor}
        bus = {"bus", "mux_address", "mux_channel"}  # told once for all chips on I2C
        assert set(keys_of(driver(name).Settings)) - bus <= its, name
    assert {"bus", "mux_address", "mux_channel"} <= shown
    assert document.keys() == set(TABLES)
    assert {"kind", *keys_of(raspberry_pi.Settings)} == document["board"].keys()
    for table, kind in SINGLE.items():
        assert list(missing(kind, document[table])) == []
    kinds = {"shelf": ShelfSettings, "product": Product, "place": PlaceSettings}
    for kind, tables in ((kind, document[key]) for key, kind in kinds.items()):
        assert set.intersection(*(set(missing(kind, table)) for table in tables)) == set()


def missing(kind: Any, table: dict[str, Any]) -> Iterator[str]:
    """The keys of a settings type that a table lacks, and those its inner tables lack."""
    for field in fields(kind):
        key = key_of(kind, field.name)
        hint = core(hint_of(kind, field.name))
        if key not in table:
            yield f"{kind.__name__}.{key}"
        elif is_tables(hint):
            yield from missing(get_args(hint)[0], table[key][0])
        elif is_dataclass(hint):
            yield from missing(hint, table[key])


@pytest.mark.parametrize(("key", "low", "high"), RANGE.findall(TEXT))
def test_a_range_in_a_comment_is_the_range(key, low, high):
    for value in (low, high):
        assert isinstance(with_value(key, value), Settings)
    for value in (float(low) - 0.01, float(high) + 0.01):
        rounded = value if "." in low else (int(value) - 1 if value < float(low) else int(value) + 1)
        faults = with_value(key, str(rounded))
        assert isinstance(faults, list)
        assert [fault.key.rpartition(".")[2] for fault in faults] == [key]


def with_value(key: str, value: str) -> Settings | list[ConfigFault]:
    text, changed = re.subn(rf"^#?{key} = .*$", f"{key} = {value}", TEXT, count=1, flags=re.MULTILINE)
    assert changed == 1
    return check(text, SAMPLE.name)


def test_the_sample_names_every_driver():
    line = next(line for line in TEXT.splitlines() if line.startswith("#   driver "))
    assert line.partition(":")[2].split() == list(DRIVERS)
