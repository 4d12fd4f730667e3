"""The night's work: what the shop has taught is learnt anew, and each product gets its forecast for the next days.

A night that was missed, because there was no power or no clock, is made up as soon as there is one. What comes out
depends on the data alone: the same rows give the same forecasts.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from edge_agent.alerts.condition import Condition
from edge_agent.config import holiday_table
from edge_agent.config.shop import DemandSettings, ShopSettings
from edge_agent.domain.alarm import Priority
from edge_agent.domain.forecast import MAX_HORIZON_D, Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.product import Product
from edge_agent.service import demand_shadow
from edge_agent.service.local_days import day_of, local, zone_of
from edge_agent.service.models import InUse
from edge_agent.service.spare_ram import give_back, give_back_large
from edge_agent.service.thinker import Thinker, Thought
from edge_agent.storage import shop as shop_rows
from edge_agent.storage.errors import StorageError
from edge_agent.storage.store import Store

if TYPE_CHECKING:  # numpy is not for the start
    from sqlalchemy import Connection

    from edge_agent.demand.forecaster import Forecasts
    from edge_agent.demand.local import Budget
    from edge_agent.demand.shop_state import ShopState
    from edge_agent.domain.shop import Unit
    from edge_agent.inference.model import Model
    from edge_agent.service.shop_days import ShopDays

log = logging.getLogger(__name__)

TASK = "demand"
MODEL = "demand-q11"
STATE, NIGHT, HOLIDAYS = "demand/state", "demand/night", "demand/holidays"  # rows of the memory
LOOK_S = 60.0  # from one look at the calendar to the next
AGAIN_S = 3600.0  # after a night that failed
HUNG_S = 7200.0  # a night of 500 products takes minutes on the slowest Pi, with all of the budget an hour
READ_PRODUCTS = 4  # whose rows are in RAM at once
FRESH_D = 60  # without a sale for so long there is nothing to learn from
FIRST_OUTCOME_S = 0.0012  # a guess, of a Pi 3, until a night has told how long learning takes for each outcome
FEWEST_ORIGINS = 4  # past days that are learnt from
MOST_OUTCOME_S = 60.0  # more is no measurement
FEWEST_ROWS = 2_000  # that the grove is grown on
DIGITS = 4  # of a quantile after the point


@dataclass(frozen=True, slots=True)
class Night:
    """What one night's work came to."""

    made: date
    forecasts: "NightForecasts"
    rows: Mapping[str, bytes]
    kept: str = ""  # whose weights the shop goes on with: "new", "previous", "prior"; empty: nothing was learnt
    drift: tuple[str, ...] = ()
    recovered: int = 0
    learn_s: float = 0.0
    forecast_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Places:
    """What the work is done on."""

    store: Store
    products: Sequence[Product]
    shop: ShopSettings
    demand: DemandSettings
    model: Callable[[], InUse]  # for the thread that asks
    contest: demand_shadow.Contest | None = None  # of a new model with the one in use


def due_night(now: Instant, shop: ShopSettings, hour: int) -> date | None:
    """The local day whose night's work ought to be done by now; None while the clock is not set."""
    if now.clock is ClockState.UNSYNCED:
        return None
    at = local(now.wall_ms, zone_of(shop))
    return at.date() if at.hour >= hour else at.date() - timedelta(days=1)


class DemandJob:
    """Asks the thinker for the night's work when it is due, and takes what came of it."""

    def __init__(self, places: Places, thinker: Thinker) -> None:
        self._places, self._thinker = places, thinker
        self._told = last_night(places.store.memory())
        self._looked: Instant | None = None
        self._failed: Instant | None = None

    def look(self, now: Instant) -> None:
        """Once a minute is enough."""
        if not self._places.demand.enabled or not self._places.products:
            return
        if self._looked is not None and self._looked.age_s(now) < LOOK_S:
            return
        self._looked = now
        if self._failed is not None and self._failed.age_s(now) < AGAIN_S:
            return
        made = due_night(now, self._places.shop, self._places.demand.hour)
        if made is not None and made != self._told.made:  # also one of a clock that was years ahead
            self._thinker.ask(TASK, lambda: night(self._places, made, now), HUNG_S)

    def take(self, thought: Thought, now: Instant) -> Night | None:
        if not isinstance(thought.result, Night):
            self._failed = now
            return None
        self._failed = None
        done = thought.result
        self._told = Told(done.made, done.drift)
        log.info(
            "demand: %d forecasts for %s; learnt in %.1f s (%s), made in %.1f s, %d days recovered",
            *(len(done.forecasts), done.made, done.learn_s, done.kept or "nothing to learn from", done.forecast_s),
            done.recovered,
        )
        return done

    def conditions(self) -> list[Condition]:
        if not self._places.demand.enabled or not self._places.products:
            return []
        fault, drift = self._thinker.trouble(TASK), self._told.drift
        return [
            Condition(
                "demand-night",
                bool(fault),
                Priority.LOW,
                "The sales forecasts are not made anew; measuring and warning go on"
                if fault
                else "The sales forecasts are made each night",
                "Order as before; look at the log: journalctl -u edge-agent",
                evidence=fault,
            ),
            Condition(
                "demand-drift",
                bool(drift),
                Priority.LOW,
                "The sales forecasts have become worse than they were",
                "Compare them with what was sold: edge-agent models report. Are sales imported, plans up to date?",
                evidence=", ".join(drift),
            ),
        ]


@dataclass(frozen=True, slots=True)
class Told:
    """Of the last night whose work is on the disk."""

    made: date | None = None
    drift: tuple[str, ...] = ()
    outcome_s: float | None = None  # learning took so long for each day of a product that it learnt from


def last_night(memory: Mapping[str, bytes]) -> Told:
    """One that cannot be read was none: the work is done again."""
    try:
        row = json.loads(memory[NIGHT])
        told = Told(date.fromisoformat(row["made"]), tuple(map(str, row["drift"])))
        took = row.get("outcome_s")
        is_time = isinstance(took, int | float) and 0 < took < MOST_OUTCOME_S
        return replace(told, outcome_s=took) if is_time else told
    except (KeyError, ValueError, TypeError):
        return Told()


# --- the work itself, in the thinker's thread -------------------------------------------------------------------------


def night(places: Places, made: date, now: Instant) -> Night:
    """Forecasts for ``made`` and the days after it, from the sales of the days before it."""
    give_back_large()
    give_back()
    zone = zone_of(places.shop)
    store = places.store
    store.date_sales(lambda wall_ms: day_of(wall_ms, zone))
    memory = store.memory()
    holidays, rows = _holidays(places.shop, memory, made)
    found = read_days(places, made, now.wall_ms, holidays)
    give_back()
    in_use = places.model()
    model = in_use.model
    previous, fault = learnt_before(memory)
    begun = monotonic()
    budget = budget_of(places.demand, len(found.panel.names), last_night(memory).outcome_s)
    state = _learn(found, model, budget, previous)
    learnt = monotonic()
    give_back()
    forecasts = forecasts_of(found, model, state, now, _why(in_use, fault))
    done = monotonic()
    if state is not None and state is not previous:
        from edge_agent.demand.shop_state import written

        rows[STATE] = written(state)
    drift = () if state is None else state.drift
    kept = "" if state is None or state is previous else state.kept
    told = {"made": made.isoformat(), "drift": drift, "kept": kept, "learn_s": round(learnt - begun, 1)}
    took = outcome_s(state.days, learnt - begun) if kept and state is not None else None
    told["outcome_s"] = last_night(memory).outcome_s if took is None else took
    rows[NIGHT] = json.dumps(told | {"model": None if model is None else model.version}).encode()
    _keep(store, places, made, forecasts)
    demand_shadow.compare(found, in_use, previous, places.contest, now)
    give_back()
    return Night(made, forecasts, rows, kept, drift, found.recovered, learnt - begun, done - learnt)


def _why(in_use: InUse, fault: str) -> tuple[str, ...]:
    """Codes besides those of the forecaster."""
    return (*(("model_refused",) if in_use.model is None else ()), *(("state_refused",) if fault else ()))


def _keep(store: Store, places: Places, made: date, forecasts: Iterable[Forecast]) -> None:
    """A card that takes no writes costs the later comparison, and not the forecast."""
    try:
        store.keep_forecasts(made, forecasts)
        store.prune_shop(made, places.demand.keep_days)
    except StorageError as error:
        log.warning("demand: the forecasts are not kept to be compared: %s", error)


def read_days(places: Places, made: date, wall_ms: int, holidays: Collection[date] = ()) -> "ShopDays":
    return read_from(places.store.shop, places.products, places.shop, places.demand, made, wall_ms, holidays)


Reading = Callable[[], "AbstractContextManager[Connection]"]


def read_from(
    reading: Reading,
    products: Sequence[Product],
    shop: ShopSettings,
    demand: DemandSettings,
    made: date,
    wall_ms: int,
    holidays: Collection[date] = (),
) -> "ShopDays":
    """The days before ``made``, as far back as there are sales and the settings look; two weeks at least."""
    from edge_agent.service.shop_days import Known, merged, shop_days

    last = made - timedelta(days=1)
    oldest = made - timedelta(days=demand.history_days)
    with reading() as tx:
        there = shop_rows.extent(tx)
        first = max(oldest, min(there.first or last, made - timedelta(days=MAX_HORIZON_D)))
        ahead = last + timedelta(days=MAX_HORIZON_D)
        known = Known(
            first,
            last,
            shop_rows.open_days(tx, first, last),
            shop_rows.plans(tx, first, ahead),
            shop_rows.weather(tx, first, ahead, wall_ms),
            shop_rows.empties(tx),
            holidays,
        )
    zone = zone_of(shop)

    def parts() -> "Iterator[ShopDays]":
        for begin in range(0, len(products), READ_PRODUCTS):
            some = products[begin : begin + READ_PRODUCTS]
            with reading() as tx:
                sales = shop_rows.sales(tx, [product.gtin for product in some], first, last)
            yield shop_days(some, sales, known, shop, zone)

    return merged(parts(), len(products))


def learnt_before(memory: Mapping[str, bytes]) -> "tuple[ShopState | None, str]":
    from edge_agent.demand.shop_state import StateRefused, read

    row = memory.get(STATE)
    if row is None:
        return None, ""
    try:
        return read(row), ""
    except StateRefused as error:
        log.error("demand: what was learnt cannot be read: %s; learning begins anew", error)
        return None, str(error)


def _learn(
    found: "ShopDays", model: "Model | None", budget: "Budget", previous: "ShopState | None"
) -> "ShopState | None":
    """Of a shop of which nothing was heard for long, or whose clock is years ahead, what is known stays."""
    from edge_agent.demand.local import learn

    panel = found.panel
    if not panel.is_open[:, -FRESH_D:].any():
        return previous
    return learn(panel, panel.days - 1, model, budget, previous, give_back)


def budget_of(settings: DemandSettings, products: int, outcome_s: float | None) -> "Budget":
    """The work that fits into the time, by what an outcome took the last time: fewer past days, then fewer rows."""
    from edge_agent.demand.local import BUDGET, LEARN_HORIZONS

    outcomes = settings.budget_s / (FIRST_OUTCOME_S if outcome_s is None else outcome_s)
    origins = outcomes / (max(products, 1) * len(LEARN_HORIZONS))
    rows = int(BUDGET.rows * min(1.0, origins / FEWEST_ORIGINS))
    return replace(BUDGET, origins=int(min(BUDGET.origins, max(FEWEST_ORIGINS, origins))), rows=max(FEWEST_ROWS, rows))


def outcome_s(outcomes: int, learn_s: float) -> float | None:
    """What each took; None where there was too little to tell."""
    return round(learn_s / outcomes, 7) if outcomes and learn_s > 0 else None


@dataclass(frozen=True, eq=False)
class NightForecasts:
    """Each is made when it is asked for: 500 of them, with a number object for each quantile, take 3 MiB."""

    said: "Forecasts"
    names: tuple[str, ...]
    units: "tuple[Unit, ...]"
    reasons: tuple[tuple[str, ...], ...]  # of each product
    days: tuple[date, ...]
    will_open: tuple[bool, ...]
    at: Instant
    version: str | None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Forecast]:
        return map(self._of, range(len(self)))

    def _of(self, row: int) -> Forecast:
        basis, quantiles = self.said.basis[row], self.said.quantiles[row].round(DIGITS).tolist()
        of_days = zip(self.days, quantiles, self.will_open, strict=True)
        return Forecast(
            product=self.names[row],
            at=self.at,
            days=tuple(ForecastDay(day, tuple(values), is_open) for day, values, is_open in of_days),
            unit=self.units[row].value,
            basis=basis,
            reasons=self.reasons[row],
            model=self.version if basis == "model" else None,
        )


def forecasts_of(
    found: "ShopDays", model: "Model | None", state: "ShopState | None", now: Instant, why: tuple[str, ...] = ()
) -> NightForecasts:
    from edge_agent.demand.forecaster import forecast

    panel = found.panel
    said = forecast(panel, panel.days - 1, model, state, MAX_HORIZON_D, found.will_open)
    return NightForecasts(
        said,
        panel.names,
        found.units,
        tuple((*why, *of_said, *of_days) for of_said, of_days in zip(said.reasons, found.reasons, strict=True)),
        tuple(panel.day(panel.days + step) for step in range(MAX_HORIZON_D)),
        tuple(found.will_open.tolist()),
        now,
        None if model is None else model.version,
    )


def _holidays(shop: ShopSettings, memory: Mapping[str, bytes], made: date) -> tuple[frozenset[date], dict[str, bytes]]:
    """Asked once a year and kept. Without an answer the forecasts go without."""
    if shop.country is None:
        return frozenset(), {}
    years = [made.year - 2, made.year - 1, made.year, made.year + 1]
    key = [shop.country, shop.region, *years]
    try:
        kept = json.loads(memory[HOLIDAYS])
        if kept["of"] == key:
            return frozenset(map(date.fromisoformat, kept["days"])), {}
    except (KeyError, ValueError, TypeError):
        pass  # asked for now
    try:
        found = holiday_table.days(shop.country, shop.region, years)
    except OSError as error:
        log.warning("demand: %s; the forecasts know no holidays", error)
        return frozenset(), {}
    return found, {HOLIDAYS: json.dumps({"of": key, "days": sorted(day.isoformat() for day in found)}).encode()}
