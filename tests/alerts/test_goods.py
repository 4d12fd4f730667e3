"""The table of goods, and the page that shows it."""

import re
from pathlib import Path

import pytest

from edge_agent.alerts.goods import GOODS
from edge_agent.alerts.limits import rules
from edge_agent.alerts.settings import LAWS, PlaceSettings, Region

PAGE = (Path(__file__).parents[2] / "docs" / "climate.md").read_text("utf-8")


def degrees(text: str) -> float | None:
    return float(text.removesuffix(" °C")) if text else None


def test_the_page_shows_the_table():
    rows = re.findall(r"^\| `([a-z-]+)` \| (-?[\d.]+ °C) \| (-?[\d.]+ °C)? ?\| (-?[\d.]+ °C)? ?\|$", PAGE, re.MULTILINE)
    assert {name: tuple(map(degrees, found)) for name, *found in rows} == {
        name: (goods.freezing_c, goods.chilling_c, goods.eu_limit_c) for name, goods in GOODS.items()
    }


@pytest.mark.parametrize("region", Region)
def test_the_page_and_the_laws_know_every_region(region):
    assert f"`{region.value}`" in PAGE
    assert 0 < LAWS[region].limit_c <= 8


def test_every_alarm_of_the_climate_stands_on_the_page():
    place = PlaceSettings("room", critical_low_c=-5.0, chilling_c=2.0, dry_pct=80.0, humid_pct=95.0)
    keys = {rule.key for rule in rules(place, 8.0)} - {"food"} | {"food-warning", "food-safety", "freezing"}
    assert len(keys) == 11
    assert [key for key in keys if f"`<place>-{key}`" not in PAGE and f"`-{key}`" not in PAGE] == []
    assert max(len(f"{'x' * 15}-{key}") for key in keys) <= 32


@pytest.mark.parametrize(("name", "goods"), GOODS.items())
def test_goods_freeze_below_zero_and_suffer_above_it(name, goods):
    assert -10 < goods.freezing_c < 0
    assert goods.chilling_c is None or 0 < goods.chilling_c < 15
    assert goods.eu_limit_c is None or 0 < goods.eu_limit_c <= 7
