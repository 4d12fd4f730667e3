"""A shop of twelve weeks: its sales come in, a night passes, forecasts are told; and the nights that go wrong."""

import json
import random
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from edge_agent.config.settings import Settings
from edge_agent.domain.forecast import LEVELS
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.shop import PlanKind, Planned, Sale, Source, Unit
from edge_agent.service.demand import NIGHT, STATE
from edge_agent.storage import shop
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.shop import ShopFile
from edge_agent.storage.store import Store
from hardware_mocks.clock import SimulatedClock

SCHEMAS = Path(__file__).parents[2] / "edge_agent" / "mqtt" / "schemas"
TODAY = date(2026, 11, 23)  # a Monday
WEEKS = 12
APPLES, MILK, ROLLS, PEARS, RARE = "4011", "4020", "4030", "4012", "4099"
PRODUCTS = (
    Product(APPLES, "Apples", piece_g=180.0, category="fruit"),
    Product(MILK, "Milk", category="dairy"),
    Product(ROLLS, "Rolls", category="bread"),
    Product(PEARS, "Pears", category="fruit"),  # new: never sold
    Product(RARE, "Saffron", category="spice"),  # sold once
)
USUAL = {APPLES: 40, MILK: 25, ROLLS: 60}
_MEDIAN = LEVELS.index(0.5)


def wall_s(day: date, hour: float) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 3600 * hour


def sales_of(first: date, last: date, missing: frozenset[date] = frozenset()) -> list[Sale]:
    """Closed on Sundays, twice as much on Saturdays; no random numbers of the platform's."""
    chance = random.Random(5)
    found = []
    for step in range((last - first).days + 1):
        day = first + timedelta(days=step)
        for product, usual in USUAL.items():
            qty = float(round(usual * (2.0 if day.weekday() == 5 else 1.0) * chance.uniform(0.8, 1.2)))
            if day.weekday() != 6 and day not in missing:
                found.append(Sale(product, day, Source.IMPORT, Unit.UNITS, qty))
    return found


@pytest.fixture
def grocery(make_storeroom):
    """A storeroom whose agent has run for a minute on the evening before, so that there is a file to import into."""
    clock = SimulatedClock(wall_s=wall_s(TODAY - timedelta(days=1), 20.0))
    room = make_storeroom(clock)
    time_zone = replace(room.settings.shop, time_zone="UTC")
    room.settings: Settings = replace(room.settings, products=PRODUCTS, shop=time_zone)
    room.run(60)
    return room


def bring_in(room, sales: list[Sale]) -> None:
    at = Instant(0, 1000 * round(room.clock.wall_s()), "import")
    file = ShopFile.open(Path(room.settings.storage.directory))
    file.import_sales(json.dumps(len(sales)).encode(), "till.csv", sales, (), at, add=False)


def forecasts(told: list[dict]) -> dict[str, dict]:
    return {each["topic"].rpartition("/")[2]: each["payload"] for each in told if "/forecast/" in each["topic"]}


@cache
def registry() -> Registry:
    schemas = (json.loads(file.read_text("utf-8")) for file in SCHEMAS.glob("*.json"))
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)


def require_valid(payload: dict) -> None:
    schema = json.loads((SCHEMAS / "forecast.json").read_text("utf-8"))
    Draft202012Validator(schema, registry=registry()).validate(payload)


def medians(payload: dict) -> list[float]:
    return [day["quantiles"][_MEDIAN] for day in payload["days"]]


def a_night(room, hours: float = 8.0) -> dict[str, dict]:
    """Sensors are read every ten minutes only: the night is long."""
    slow = [replace(sensor, interval_s=600.0, report_s=600.0) for sensor in room.settings.sensors]
    room.settings = replace(room.settings, sensors=tuple(slow))
    return forecasts(room.run(3600 * hours))


def test_after_a_night_every_product_has_a_forecast_that_the_schema_takes(grocery):
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    told = a_night(grocery)
    assert set(told) == {product.gtin for product in PRODUCTS}
    for payload in told.values():
        require_valid(payload)
        assert len(payload["days"]) == 14
        assert payload["days"][0]["day"] == TODAY.isoformat()
    apples = told[APPLES]
    monday, saturday, sunday = (medians(apples)[at] for at in (0, 5, 6))
    assert 32 <= monday <= 48
    assert 60 <= saturday <= 100
    assert sunday == 0.0
    assert apples["days"][6]["open"] is False


def test_a_new_product_has_its_category_s_forecast_and_one_with_a_single_sale_says_so(grocery):
    sales = sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1))
    bring_in(grocery, [*sales, Sale(RARE, TODAY - timedelta(days=20), Source.IMPORT, Unit.UNITS, 1.0)])
    told = a_night(grocery)
    assert told[PEARS]["basis"] == "category"
    assert "nothing_sold" in told[PEARS]["reasons"]
    assert medians(told[PEARS])[0] > 0
    assert "one_sale" in told[RARE]["reasons"]
    assert medians(told[RARE])[0] < 1


def test_a_day_that_ran_out_is_recovered(grocery):
    """Every Friday sells out at noon: a third of the demand is sold, and the next Friday is asked for in full."""
    fridays = [
        replace(sale, qty=round(sale.qty / 3), sold_out_at="12:00")
        if sale.product == ROLLS and sale.day.weekday() == 4
        else sale
        for sale in sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1))
    ]
    bring_in(grocery, fridays)
    told = a_night(grocery)[ROLLS]
    assert "demand_recovered" in told["reasons"]
    assert medians(told)[4] > 40  # 20 were sold on each


def test_a_model_that_is_refused_has_a_fall_back_that_the_message_names(grocery, tmp_path):
    grocery.settings = replace(grocery.settings, models=replace(grocery.settings.models, enabled=False))
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    told = a_night(grocery)[APPLES]
    require_valid(told)
    assert told["basis"] == "blend"
    assert {"model_refused", "no_model"} <= set(told["reasons"])
    assert "model_version" not in told
    assert 32 <= medians(told)[0] <= 48


def test_thirty_missing_days_are_no_days_without_demand(grocery):
    gap = frozenset(TODAY - timedelta(days=days) for days in range(1, 31))
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1), missing=gap))
    told = a_night(grocery)[APPLES]
    assert "gap" in told["reasons"]
    assert 30 <= medians(told)[0] <= 50


def test_without_any_sale_the_forecasts_say_so_and_are_valid(grocery):
    told = a_night(grocery)
    assert set(told) == {product.gtin for product in PRODUCTS}
    for payload in told.values():
        require_valid(payload)
        assert "nothing_sold" in payload["reasons"]


def test_a_night_without_power_is_made_up_after_the_start(grocery):
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    grocery.clock.sleep(3600 * 15)  # switched off over the night: it is eleven in the morning
    told = forecasts(grocery.run(120))
    assert told[APPLES]["days"][0]["day"] == TODAY.isoformat()
    again = forecasts(grocery.run(120))  # told anew to the broker, as all that is retained
    assert again[APPLES]["seq"] == told[APPLES]["seq"], "made once"


def test_a_clock_that_was_years_ahead_costs_nothing_that_was_learnt(grocery):
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    before = a_night(grocery)[APPLES]
    grocery.clock.step_wall(5 * 365 * 86_400)
    ahead = forecasts(grocery.run(300))
    require_valid(ahead[APPLES])
    assert "gap" in ahead[APPLES]["reasons"] or "nothing_sold" in ahead[APPLES]["reasons"]
    grocery.clock.step_wall(-5 * 365 * 86_400)
    after = forecasts(grocery.run(300))[APPLES]
    assert medians(after) == pytest.approx(medians(before), rel=0.15)


def test_the_same_night_from_the_same_rows_says_the_same(grocery, tmp_path):
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    first, learnt = a_night(grocery), forget_the_night(grocery)
    again = forecasts(grocery.run(120))
    assert {gtin: told["days"] for gtin, told in again.items()} == {gtin: told["days"] for gtin, told in first.items()}
    assert all(again[gtin]["seq"] > first[gtin]["seq"] for gtin in first), "made anew"
    assert forget_the_night(grocery) == learnt


def forget_the_night(room) -> bytes:
    """As if it had not been; answers what it had learnt."""
    at = Instant(0, 1000 * round(room.clock.wall_s()), "test")
    settings = StorageSettings(directory=room.settings.storage.directory)
    with closing(Store.open(settings, room.settings.node.name, at)) as store:
        learnt = store.memory()[STATE]
        store.commit(memory={NIGHT: None, STATE: None})
    return learnt


def test_forecasts_are_kept_as_they_were_told(grocery, tmp_path):
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    first = a_night(grocery)
    with ShopFile.open(tmp_path).reading() as tx:
        kept = shop.forecasts(tx, TODAY, TODAY)
    assert {found.product for found in kept} == set(first)
    apples = next(found for found in kept if found.product == APPLES)
    assert [day.quantiles[_MEDIAN] for day in apples.days] == pytest.approx(medians(first[APPLES]), abs=1e-3)


def test_a_planned_closing_day_is_told_as_one(grocery):
    closed = Planned(PlanKind.CLOSED, TODAY + timedelta(days=2), TODAY + timedelta(days=3))
    at = Instant(0, 1000 * round(grocery.clock.wall_s()), "import")
    ShopFile.open(Path(grocery.settings.storage.directory)).import_plans(b"plans", "plans.csv", [closed], (), at)
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    told = a_night(grocery)[APPLES]
    assert [day["open"] for day in told["days"][:5]] == [True, True, False, False, True]
    assert medians(told)[2] == 0.0


def test_a_damaged_model_is_an_alarm_and_the_night_goes_on_with_the_shipped_one(grocery, tmp_path):
    folder = tmp_path / "models" / "demand-q11"
    folder.mkdir(parents=True)
    (folder / "active.model").write_bytes(b'{"payloadType": "cut sh')
    bring_in(grocery, sales_of(TODAY - timedelta(weeks=WEEKS), TODAY - timedelta(days=1)))
    before = len(grocery.told)
    told = a_night(grocery)[APPLES]
    assert (told["basis"], told["model_version"]) == ("model", "1.0")
    night = grocery.told[before:]
    (alarm,) = [each["payload"] for each in night if each["topic"].endswith("alarm/model-demand-q11")]
    assert "active" in json.dumps(alarm)
    climate = [each for each in night if "cold-room" in each["topic"]]
    assert len(climate) > 10
