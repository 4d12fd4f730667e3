"""The pages say what the code does."""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from edge_agent.cli.main import COMMANDS
from edge_agent.domain.stock import EventKind
from edge_agent.drivers.errors import NoAnswer, NotReady
from edge_agent.drivers.table import DRIVERS
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.vendor_time import vendor_time

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_every_command_stands_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    missing = [name for name in COMMANDS if not re.search(rf"`(?:edge-agent )?{name}\b", text)]
    assert missing == []


def test_every_driver_stands_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8").lower()
    words = {"contact": "door contact", "power": "under-voltage"}
    assert [name for name in DRIVERS if words.get(name, name) not in text] == []


@pytest.mark.parametrize("page", ["way-of-one-reading.md", "weighing.md"])
def test_every_function_on_the_way_of_a_reading_exists(page):
    text = (ROOT / "docs" / page).read_text("utf-8")
    named = re.findall(r"`(\w+)/(\w+)\.py` `([\w.]+)`", text)
    assert len(named) >= 10
    for room, file, path in named:
        found = import_module(f"edge_agent.{room}.{file}")
        for part in path.split("."):
            found = getattr(found, part)


def test_every_alarm_of_the_agent_itself_is_described():
    files = ("service/health.py", "alerts/machine.py")
    source = "".join((ROOT / "edge_agent" / file).read_text("utf-8") for file in files)
    alarms = re.findall(r'Condition\(\s*"([a-z-]+)"', source)
    assert len(alarms) >= 11
    text = (ROOT / "docs" / "alarms.md").read_text("utf-8")
    assert [alarm for alarm in alarms if f"`{alarm}`" not in text] == []


def test_every_kind_of_event_is_described():
    text = (ROOT / "docs" / "weighing.md").read_text("utf-8")
    assert [kind.value for kind in EventKind if f"`{kind.value}`" not in text] == []


def test_decisions_are_numbered_without_gaps_and_open_with_their_number():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:3]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.read_text("utf-8").startswith(f"# {page.name[:3]}: "), page.name


def test_the_worked_example_of_a_new_sensor_works():
    page = (ROOT / "docs" / "adding-a-sensor.md").read_text("utf-8")
    driver_code, chip_code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    driver, chip_module = ModuleType("tmp117"), ModuleType("tmp117_chip")
    exec(compile(driver_code, "tmp117.py", "exec"), driver.__dict__)
    exec(compile(chip_code, "tmp117_chip.py", "exec"), chip_module.__dict__)
    assert driver.decode(bytes((0x0C, 0x80))) == 25.0  # datasheet, table 7-1
    assert driver.decode(bytes((0xFF, 0x80))) == -1.0

    clock = SimulatedClock()
    board, chip = BenchBoard(clock), chip_module.Tmp117Chip(clock, temperature_c=-21.5)
    board.plug_in(chip)
    sensor = driver.open_sensor("freezer", driver.Settings(), board)
    with vendor_time(clock):
        (reading,) = sensor.read(board.now())
        assert (reading.channel.name, reading.value) == ("freezer/temperature", -21.5)
        with pytest.raises(NotReady):
            sensor.read(board.now())
        chip.unplugged = True
        with pytest.raises(NoAnswer):
            sensor.read(board.now())
        chip.unplugged = False
        clock.sleep(1)
        assert sensor.read(board.now())[0].value == -21.5
