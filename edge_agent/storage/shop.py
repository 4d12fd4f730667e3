"""The shop's own days in agent.db: what was sold, what weather was expected, what is planned, what was forecast.

Here they are read, and forecasts kept. What is added: ``shop_ledger`` (what leaves the shelves), ``shop_import``
(files); what goes: ``shop_retention``.
"""

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from edge_agent.domain.forecast import LEVELS, Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.shop import Empty, PlanKind, Planned, Sale, Source, Unit, WeatherDay
from edge_agent.storage import shop_schema
from edge_agent.storage.clocks import Clocks
from edge_agent.storage.ledger import put
from edge_agent.storage.shop_import import Imported, ShopFile
from edge_agent.storage.shop_ledger import add_empty, add_sold, date_sales
from edge_agent.storage.shop_retention import prune
from edge_agent.storage.shop_rows import segments_of
from edge_agent.storage.shop_spans import spans

__all__ = [
    "Extent",
    "Imported",
    "KeptForecast",
    "ShopFile",
    "add_empty",
    "add_sold",
    "date_sales",
    "each_sale",
    "empties",
    "extent",
    "forecasts",
    "keep_forecasts",
    "last_empties",
    "open_days",
    "plans",
    "prune",
    "sales",
    "weather",
]

FETCH_ROWS = 256  # of those streamed, so many are in RAM at once
_QUANTILES = len(LEVELS)


def sales(tx: Connection, products: Sequence[str], first: date, last: date) -> list[Sale]:
    """Both sources, by product and day."""
    return list(each_sale(tx, products, first, last))


def each_sale(tx: Connection, products: Sequence[str], first: date, last: date) -> Iterator[Sale]:
    """The same one after another, FETCH_ROWS in RAM at once. The file's log cannot be written back meanwhile: ask for
    a few products at a time, and take nothing slow between two rows.
    """
    table = shop_schema.sale
    rows = select(table).where(
        table.c.product.in_(products), table.c.day.between(first.toordinal(), last.toordinal())
    )  # fmt: skip
    ordered = rows.order_by(table.c.product, table.c.day, table.c.source, table.c.unit)
    for row in tx.execute(ordered.execution_options(yield_per=FETCH_ROWS)):
        yield _sale(row)


def _sale(row: Any) -> Sale:
    return Sale(
        row.product,
        date.fromordinal(row.day),
        Source(row.source),
        Unit(row.unit),
        row.qty,
        row.back,
        row.weight_g,
        None if row.is_open is None else bool(row.is_open),
        row.promo,
        row.price,
        row.stockout_min,
        row.sold_out_at,
    )


@dataclass(frozen=True, slots=True)
class Extent:
    """What there is of sales at all."""

    first: date | None
    last: date | None
    products: tuple[str, ...]
    undated: int  # rows of which nobody knows the day yet


def extent(tx: Connection) -> Extent:
    found = spans(shop_schema.sale, "day")
    rows = tx.execute(select(found).order_by(found.c.product)).all()
    undated = tx.scalar(select(func.count()).select_from(shop_schema.undated_sale)) or 0
    begin = date.fromordinal(min(row.first for row in rows)) if rows else None
    end = date.fromordinal(max(row.last for row in rows)) if rows else None
    return Extent(begin, end, tuple(row.product for row in rows), undated)


def open_days(tx: Connection, first: date, last: date) -> dict[date, set[Source]]:
    """Days on which the shop was open, with the sources that know them: not where every row says that it was shut."""
    table = shop_schema.sale
    is_open = func.max(func.coalesce(table.c.is_open, 1))
    rows = select(table.c.day, table.c.source, is_open).where(
        table.c.day.between(first.toordinal(), last.toordinal())
    )  # fmt: skip
    found: dict[date, set[Source]] = {}
    for day, source, was_open in tx.execute(rows.group_by(table.c.day, table.c.source)):
        if was_open:
            found.setdefault(date.fromordinal(day), set()).add(Source(source))
    return found


def weather(tx: Connection, first: date, last: date, issued_until_ms: int | None = None) -> list[WeatherDay]:
    """Of each day the newest that was issued until then."""
    table = shop_schema.weather
    rows = select(table).where(table.c.day.between(first.toordinal(), last.toordinal()))
    if issued_until_ms is not None:
        rows = rows.where(table.c.issued_ms <= issued_until_ms)
    newest = {row.day: row for row in tx.execute(rows.order_by(table.c.day, table.c.issued_ms))}
    return [
        WeatherDay(date.fromordinal(day), row.issued_ms, row.temp_c, row.precip_mm) for day, row in newest.items()
    ]  # fmt: skip


def plans(tx: Connection, first: date, last: date) -> list[Planned]:
    """Those that touch the days."""
    table = shop_schema.planned
    rows = select(table).where(table.c.first <= last.toordinal(), table.c.last >= first.toordinal())
    return [
        Planned(
            PlanKind(row.kind), date.fromordinal(row.first), date.fromordinal(row.last), row.product, row.value,
            row.name,
        )
        for row in tx.execute(rows.order_by(table.c.first, table.c.kind))
    ]  # fmt: skip


def empties(tx: Connection, clocks: Clocks | None = None) -> list[Empty]:
    """In the order they were noticed; those of which nobody knows the time are left out."""
    segments = clocks.values if clocks is not None else segments_of(tx)
    found = []
    for row in tx.execute(select(shop_schema.empty_shelf).order_by(shop_schema.empty_shelf.c.id)):
        segment = segments.get(row.clock)
        if segment is not None and segment.state is not ClockState.UNSYNCED:
            at = Instant(row.mono_ms, row.mono_ms + segment.offset_ms, segment.boot, segment.state)
            found.append(Empty(row.product, at, bool(row.is_empty)))
    return found


def last_empties(tx: Connection) -> dict[str, bool]:
    """By product: what was said of its shelves last."""
    table = shop_schema.empty_shelf
    newest = select(func.max(table.c.id)).group_by(table.c.product)
    rows = select(table.c.product, table.c.is_empty).where(table.c.id.in_(newest))
    return {row.product: bool(row.is_empty) for row in tx.execute(rows)}


# --- forecasts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptForecast:
    """A forecast as it was told."""

    product: str
    made: date
    unit: str
    days: tuple[ForecastDay, ...]
    basis: str
    reasons: tuple[str, ...]
    model: str | None


def keep_forecasts(tx: Connection, made: date, forecasts: Iterable[Forecast]) -> None:
    put(tx, shop_schema.forecast, (_forecast_row(made, found) for found in forecasts if found.days))


def _forecast_row(made: date, found: Forecast) -> dict[str, Any]:
    quantiles = [value for day in found.days for value in day.quantiles]
    return {
        "product": found.product,
        "made": made.toordinal(),
        "first": found.days[0].day.toordinal(),
        "unit": found.unit,
        "quantiles": struct.pack(f"<{len(quantiles)}f", *quantiles),
        "is_open": "".join("1" if day.is_open else "0" for day in found.days),
        "basis": found.basis,
        "reasons": " ".join(found.reasons),
        "model": found.model,
    }


def forecasts(tx: Connection, first: date, last: date, products: Collection[str] = ()) -> list[KeptForecast]:
    """Those made from ``first`` to ``last``."""
    table = shop_schema.forecast
    rows = select(table).where(table.c.made.between(first.toordinal(), last.toordinal()))
    if products:
        rows = rows.where(table.c.product.in_(products))
    return [_kept(row) for row in tx.execute(rows.order_by(table.c.product, table.c.made))]


def _kept(row: Any) -> KeptForecast:
    values = struct.unpack(f"<{len(row.quantiles) // 4}f", row.quantiles)
    begin = date.fromordinal(row.first)
    days = tuple(
        ForecastDay(begin + timedelta(days=step), values[_QUANTILES * step : _QUANTILES * (step + 1)], flag == "1")
        for step, flag in enumerate(row.is_open)
    )
    return KeptForecast(
        row.product, date.fromordinal(row.made), row.unit, days, row.basis, tuple(row.reasons.split()), row.model
    )
