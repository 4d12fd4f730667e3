"""One night's work on a real store: with a damaged model, with weather, with an hour of the clock's change."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.config.shop import DemandSettings, ShopSettings
from edge_agent.decide.models import ModelSettings
from edge_agent.domain.forecast import LEVELS, Forecast
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.product import Product
from edge_agent.domain.shop import Sale, Source, Unit, WeatherDay
from edge_agent.inference.model import open_model
from edge_agent.service.demand import HUNG_S, MODEL, TASK, DemandJob, Places, due_night, night
from edge_agent.service.model_store import ModelStore
from edge_agent.service.models import InUse, Models
from edge_agent.service.thinker import Thinker, Thought
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.shop import ShopFile
from edge_agent.storage.store import Store
from tests.service.worse_models import CARD, FILE, FOLDER

TODAY = date(2026, 11, 23)  # a Monday
HISTORY_D = 90
ICE = Product("4011", "Ice cream")
MEDIAN = LEVELS.index(0.5)
SHOP = ShopSettings(time_zone="UTC")


def at(day: date = TODAY, hour: float = 3.0, clock: ClockState = ClockState.SYNCED) -> Instant:
    wall = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)
    return Instant(round(1000 * hour), round(1000 * wall.timestamp()), "night", clock)


def temp_c(day: date) -> float:
    """No weekday's and no trend's."""
    return 12.0 + 14.0 * ((day.toordinal() * 7919) % 11) / 11


def ice_sold(day: date) -> float:
    return float(round(10 + 4 * (temp_c(day) - 12)))


@pytest.fixture
def store(tmp_path):
    opened = Store.open(StorageSettings(directory=str(tmp_path / "state")), "node-1", at())
    span = [TODAY - timedelta(days=step) for step in range(1, HISTORY_D)]
    sales = [Sale(ICE.gtin, day, Source.IMPORT, Unit.UNITS, ice_sold(day)) for day in span]
    ShopFile.open(tmp_path / "state").import_sales(b"sales", "till.csv", sales, (), at(), add=False)
    yield opened
    opened.close()


def places(store: Store, model=lambda: InUse(None, reason="none")) -> Places:
    return Places(store, (ICE,), SHOP, DemandSettings(budget_s=1.0), model)


def medians(forecast: Forecast) -> list[float]:
    return [day.quantiles[MEDIAN] for day in forecast.days]


# --- a model that is damaged ------------------------------------------------------------------------------------------


def _bit(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


DAMAGES = {
    "cut short": lambda file, card: (file[:-100], card),
    "one bit": lambda file, card: (_bit(file), card),
    "nothing": lambda file, card: (b"", card),
    "something else": lambda file, card: (b"\0" * len(file), card),
    "a card cut short": lambda file, card: (file, card[:100]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_costs_the_model_and_not_the_forecast(store, tmp_path, damage):
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    file, card = DAMAGES[damage](FILE, (FOLDER / f"{MODEL}.json").read_bytes())
    (shipped / f"{MODEL}.tflite").write_bytes(file)
    (shipped / f"{MODEL}.json").write_bytes(card)
    models = Models(ModelSettings(), ModelStore(tmp_path / "models"), shipped)
    thinker = Thinker()
    job = DemandJob(places(store, lambda: models.use(MODEL)), thinker)
    job.look(at())
    (thought,) = thinker.take()
    done = job.take(thought, at())
    (found,) = done.forecasts
    assert (found.basis, found.model) == ("blend", None)
    assert {"model_refused", "no_model"} <= set(found.reasons)
    assert all(value > 5 for value in medians(found))
    (alarm,) = models.conditions()
    assert (alarm.name, alarm.holds) == (f"model-{MODEL}", True)
    assert alarm.evidence
    assert not any(condition.holds for condition in job.conditions()), "the forecasts are made"


def test_with_the_sound_model_its_version_is_told(store, tmp_path):
    models = Models(ModelSettings(), ModelStore(tmp_path / "models"), FOLDER)
    (found,) = night(places(store, lambda: models.use(MODEL)), TODAY, at()).forecasts
    assert (found.basis, found.model) == ("model", CARD.version)
    assert "model_refused" not in found.reasons


# --- weather ----------------------------------------------------------------------------------------------------------


def bring_weather(folder: Path, coming_c: dict[date, float], issued: Instant) -> None:
    span = [TODAY - timedelta(days=step) for step in range(1, HISTORY_D)]
    past = [WeatherDay(day, at(day).wall_ms, temp_c(day)) for day in span]
    coming = [WeatherDay(day, issued.wall_ms, c) for day, c in coming_c.items()]
    file = ShopFile.open(folder)
    file.import_weather(repr((coming_c, issued)).encode(), "weather.csv", [*past, *coming], (), issued)


def week_of(c: float) -> dict[date, float]:
    return {TODAY + timedelta(days=step): c for step in range(7)}


def with_model() -> InUse:
    """The net takes weather; the simple methods know of none."""
    return InUse(open_model(FILE, CARD))


def test_a_warm_forecast_sells_more_ice_where_warm_days_did(store, tmp_path):
    told = {}
    for number, c in enumerate((12.0, 25.0)):
        bring_weather(tmp_path / "state", week_of(c), at(hour=1.0 + number / 10))
        (found,) = night(places(store, with_model), TODAY, at()).forecasts
        told[c] = sum(medians(found)[:7])
    assert told[25.0] > 1.15 * told[12.0]


def test_of_weather_forecasts_the_newest_counts_that_was_there_that_night(store, tmp_path):
    bring_weather(tmp_path / "state", week_of(25.0), at(hour=1.0))
    (warm,) = night(places(store, with_model), TODAY, at()).forecasts
    bring_weather(tmp_path / "state", week_of(12.0), at(hour=8.0))  # issued in the morning after
    (again,) = night(places(store, with_model), TODAY, at()).forecasts
    assert medians(again) == medians(warm)


# --- when, and what a failure is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("utc", "wanted"),
    [
        ("2026-11-23T00:59", date(2026, 11, 22)),  # 01:59 in Berlin
        ("2026-11-23T01:00", date(2026, 11, 23)),
        ("2026-07-01T00:00", date(2026, 7, 1)),
        ("2026-03-29T00:59", date(2026, 3, 28)),  # the hour from 2 to 3 is left out
        ("2026-03-29T01:00", date(2026, 3, 29)),
        ("2026-10-25T00:00", date(2026, 10, 25)),  # 02:00, for the first time
        ("2026-10-25T01:30", date(2026, 10, 25)),  # 02:30, for the second
    ],
)
def test_a_night_is_due_at_its_local_hour(utc, wanted):
    wall = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    now = Instant(0, round(1000 * wall.timestamp()), "b", ClockState.SYNCED)
    assert due_night(now, ShopSettings(time_zone="Europe/Berlin"), 2) == wanted


def test_without_a_clock_no_night_is_due():
    assert due_night(at(clock=ClockState.UNSYNCED), SHOP, 2) is None


def test_a_night_that_fails_is_an_alarm_and_is_tried_again_after_an_hour(store):
    def breaks() -> InUse:
        raise OSError(5, "Input/output error")

    thinker = Thinker()
    job = DemandJob(places(store, breaks), thinker)
    tries = []
    for minute in range(0, 121, 10):
        now = replace(at(), mono_ms=60_000 * minute)
        job.look(now)
        for thought in thinker.take():
            tries.append(minute)
            assert job.take(thought, now) is None
    assert tries == [0, 60, 120]
    (alarm, drift) = job.conditions()
    assert (alarm.name, alarm.holds, drift.holds) == ("demand-night", True, False)
    assert alarm.evidence == "OSError: [Errno 5] Input/output error"


def test_what_the_thinker_answers_in_words_only_is_no_night(store):
    job = DemandJob(places(store), Thinker())
    assert job.take(Thought(TASK, None, ValueError("odd")), at()) is None
    assert HUNG_S > 3600, "all of the largest budget, and its forecasts"


def test_forecasts_are_the_same_each_time_they_are_asked_for(store):
    found = night(places(store), TODAY, at()).forecasts
    assert list(found) == list(found)
    assert len(found) == len(list(found)) == 1
    (ice,) = found
    assert [day.day for day in ice.days] == [TODAY + timedelta(days=step) for step in range(14)]
