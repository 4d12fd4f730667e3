"""The pages say what the code does."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from edge_agent.cli.main import COMMANDS
from edge_agent.drivers.table import DRIVERS

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


def test_every_function_on_the_way_of_one_reading_exists():
    text = (ROOT / "docs" / "way-of-one-reading.md").read_text("utf-8")
    named = re.findall(r"`(\w+)/(\w+)\.py` `([\w.]+)`", text)
    assert len(named) >= 10
    for room, file, path in named:
        found = import_module(f"edge_agent.{room}.{file}")
        for part in path.split("."):
            found = getattr(found, part)


def test_every_alarm_of_the_agent_itself_is_described():
    source = (ROOT / "edge_agent" / "service" / "health.py").read_text("utf-8")
    alarms = re.findall(r'Condition\(\s*"([a-z-]+)"', source)
    assert len(alarms) >= 4
    text = (ROOT / "docs" / "alarms.md").read_text("utf-8")
    assert [alarm for alarm in alarms if f"`{alarm}`" not in text] == []


def test_decisions_are_numbered_without_gaps_and_open_with_their_number():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:3]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.read_text("utf-8").startswith(f"# {page.name[:3]}: "), page.name
