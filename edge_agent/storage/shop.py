"""The shop's own days in agent.db: what was sold, what weather was expected, what is planned, what was forecast.

What leaves the shelves is summed into its day in the transaction of the events that say so. A till's file replaces
what an earlier one said of the same product and day; the same file twice changes nothing.
"""

import json
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, insert, or_, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from edge_agent.domain.forecast import LEVELS, Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.shop import AsideRow, Empty, PlanKind, Planned, Sale, Sold, Source, Unit, WeatherDay
from edge_agent.storage import schema, shop_schema
from edge_agent.storage.clocks import Clocks
from edge_agent.storage.database import Database
from edge_agent.storage.inbox import APPLICATION_ID, FILE_NAME
from edge_agent.storage.ledger import put
from edge_agent.storage.migrations import AGENT
from edge_agent.storage.shop_rows import segments_of

BITE_ROWS = 500  # of an import in one transaction: some 10 ms on x86, 0.1 s on a Pi's card
# Between two of them: who waits for the file asks every 0.1 s at the least (SQLite's sqliteDefaultBusyCallback), and
# gets it in the first gap. Without it an import would keep the agent, which waits 2 s, from committing at all.
GAP_S = 0.12
FORECAST_DAYS = 130  # forecasts stay: 16 weeks can be measured
CREEP_D = 24
SILENT_D = 30  # a shop may be shut for so long, and its days go on
_DAY_MS = 86_400_000
_UNIX_DAY = date(1970, 1, 1).toordinal()
_QUANTILES = len(LEVELS)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    is_known: bool  # the very same file was imported before, and nothing was done
    rows: int = 0
    replaced: int = 0  # of them, said otherwise by an earlier file


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


# --- from the ledger, in the agent's own transaction ------------------------------------------------------------------


def add_sold(tx: Connection, sold: Sequence[Sold], clock_of: Callable[[Instant], int]) -> None:
    """``clock_of``: the number of an instant's clock segment, for what nobody can date yet."""
    dated = [_added(found) for found in sold if found.day is not None]
    undated = [
        {
            "product": found.product,
            "unit": found.unit.value,
            "clock": clock_of(found.at),
            "mono_ms": found.at.mono_ms,
            "qty": found.qty,
            "back": found.back,
            "weight_g": found.weight_g,
        }
        for found in sold
        if found.day is None
    ]
    if dated:
        tx.execute(_SUM, dated)
    if undated:
        tx.execute(insert(shop_schema.undated_sale), undated)


def _added(found: Sold) -> dict[str, object]:
    assert found.day is not None
    return {
        "product": found.product,
        "day": found.day.toordinal(),
        "source": Source.LEDGER.value,
        "unit": found.unit.value,
        "qty": found.qty,
        "back": found.back,
        "weight_g": found.weight_g,
    }


def _sum() -> Insert:
    statement = sqlite_insert(shop_schema.sale)
    sums = {name: shop_schema.sale.c[name] + statement.excluded[name] for name in ("qty", "back", "weight_g")}
    return statement.on_conflict_do_update(index_elements=list(shop_schema.sale.primary_key), set_=sums)


_SUM = _sum()


def add_empty(tx: Connection, found: Sequence[Empty], clock_of: Callable[[Instant], int]) -> None:
    rows = [
        {"product": e.product, "clock": clock_of(e.at), "mono_ms": e.at.mono_ms, "is_empty": int(e.is_empty)}
        for e in found
    ]
    if rows:
        tx.execute(insert(shop_schema.empty_shelf), rows)


def date_sales(tx: Connection, clocks: Clocks, day_of: Callable[[int], date]) -> tuple[int, int]:
    """Put what was taken before the clock came into its day; ``day_of``: the local day of a wall time in ms.

    Answers how many got theirs, and how many still wait: of a boot whose clock never came nobody knows the day.
    """
    dated: list[Sold] = []
    known: list[int] = []
    waiting = 0
    for row in tx.execute(select(shop_schema.undated_sale)):
        segment = clocks.values.get(row.clock)
        if segment is None or segment.state is ClockState.UNSYNCED:
            waiting += 1
            continue
        at = Instant(row.mono_ms, row.mono_ms + segment.offset_ms, segment.boot, segment.state)
        sold = Sold(row.product, at, day_of(at.wall_ms), Unit(row.unit), row.qty, row.back, row.weight_g)
        dated.append(sold)
        known.append(row.id)
    if known:
        add_sold(tx, dated, lambda at: 0)
        gone = delete(shop_schema.undated_sale).where(shop_schema.undated_sale.c.id == bindparam("of_id"))
        tx.execute(gone, [{"of_id": number} for number in known])
    return len(known), waiting


# --- from files -------------------------------------------------------------------------------------------------------


class ShopFile:
    """For the command line, beside the running agent or after it."""

    def __init__(self, database: Database, pause: Callable[[float], None]) -> None:
        self._database = database
        self._pause = pause

    @classmethod
    def open(cls, directory: Path, pause: Callable[[float], None] = sleep) -> "ShopFile":
        """Raises StorageError where there is no file yet."""
        return cls(Database.visit(directory / FILE_NAME, AGENT, APPLICATION_ID), pause)

    def reading(self) -> AbstractContextManager[Connection]:
        return self._database.reading()

    def import_sales(
        self, content: bytes, name: str, sales: Sequence[Sale], aside: Sequence[AsideRow], at: Instant, *, add: bool
    ) -> Imported:
        """``add``: to what an earlier file said of the same day, as of a second till; else in its place.

        One that was cut off goes on where it was when it is to be added, whatever cut it off: each bite tells in its
        own transaction how far it came.
        """
        told = _Import(content, name, "sales", len(sales), aside, at)
        if self._is_known(told):
            return Imported(is_known=True)
        with self._database.reading() as tx:
            replaced = _replaced(tx, sales)
        rows = sorted((_sale_row(sale) for sale in sales), key=_key)
        self._write(partial(_write_sales, told=told, bite=bite, add=add) for bite in _bites(rows))
        self._finish(told)
        return Imported(False, len(sales), replaced)

    def import_weather(
        self, content: bytes, name: str, days: Sequence[WeatherDay], aside: Sequence[AsideRow], at: Instant
    ) -> Imported:
        told = _Import(content, name, "weather", len(days), aside, at)
        if self._is_known(told):
            return Imported(is_known=True)
        rows = [
            {"day": d.day.toordinal(), "issued_ms": d.issued_ms, "temp_c": d.temp_c, "precip_mm": d.precip_mm}
            for d in days
        ]
        self._put(shop_schema.weather, rows)
        self._finish(told)
        return Imported(False, len(days))

    def import_plans(
        self, content: bytes, name: str, plans: Sequence[Planned], aside: Sequence[AsideRow], at: Instant
    ) -> Imported:
        """A plan may be sent again after another took its place, so the same file is read anew."""
        rows = [
            {
                "kind": plan.kind.value,
                "first": plan.first.toordinal(),
                "last": plan.last.toordinal(),
                "product": plan.product,
                "name": plan.name,
                "value": plan.value,
            }
            for plan in plans
        ]
        self._put(shop_schema.planned, rows)
        self._finish(_Import(content, name, "plans", len(plans), aside, at))
        return Imported(False, len(plans))

    def withdraw_plans(self, plans: Sequence[Planned]) -> int:
        """Those that stand so; answers how many there were."""
        table = shop_schema.planned
        gone = 0
        with self._database.writing() as tx:
            for plan in plans:
                wanted = (
                    table.c.kind == plan.kind.value,
                    table.c.first == plan.first.toordinal(),
                    table.c.last == plan.last.toordinal(),
                    table.c.product == plan.product,
                )
                gone += tx.execute(delete(table).where(*wanted)).rowcount
        return gone

    def _is_known(self, told: "_Import") -> bool:
        with self._database.reading() as tx:
            row = _row_of(tx, told)
            return row is not None and row.upto is None

    def _put(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        self._write(partial(put, table=table, rows=bite) for bite in _bites(rows))

    def _write(self, bites: Iterable[Callable[[Connection], None]]) -> None:
        for number, write in enumerate(bites):
            if number:
                self._pause(GAP_S)
            with self._database.writing() as tx:
                write(tx)

    def _finish(self, told: "_Import") -> None:
        """Last, so that an import that was cut off is done again."""
        rows = [{"sha256": told.digest, "row": row.row, "text": row.text, "reason": row.reason} for row in told.aside]
        self._put(shop_schema.import_aside, rows)
        with self._database.writing() as tx:
            put(tx, shop_schema.import_file, [told.row(None)])


@dataclass(frozen=True, slots=True)
class _Import:
    content: bytes
    name: str
    kind: str
    rows: int
    aside: Sequence[AsideRow]
    at: Instant

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()

    def row(self, upto: str | None) -> dict[str, Any]:
        told = {"sha256": self.digest, "kind": self.kind, "name": self.name, "at_ms": self.at.wall_ms}
        return told | {"rows": self.rows, "upto": upto}


def _row_of(tx: Connection, told: _Import) -> Any:
    table = shop_schema.import_file
    return tx.execute(select(table).where(table.c.sha256 == told.digest)).first()


def _write_sales(tx: Connection, told: _Import, bite: Sequence[dict[str, Any]], *, add: bool) -> None:
    """What another run of the same import has added already is not added again."""
    found = _row_of(tx, told)
    if add and found is not None:
        upto = None if found.upto is None else json.loads(found.upto)
        bite = [] if upto is None else [row for row in bite if _key(row) > upto]
    if not bite:
        return
    if add:
        tx.execute(_ADD_IMPORT, list(bite))
    else:
        put(tx, shop_schema.sale, bite)
    put(tx, shop_schema.import_file, [told.row(json.dumps(_key(bite[-1])))])


def _key(row: Mapping[str, Any]) -> list[Any]:
    return [row["product"], row["day"], row["source"], row["unit"]]


def _bites(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for first in range(0, len(rows), BITE_ROWS):
        yield rows[first : first + BITE_ROWS]


def _sale_row(sale: Sale) -> dict[str, Any]:
    return {
        "product": sale.product,
        "day": sale.day.toordinal(),
        "source": sale.source.value,
        "unit": sale.unit.value,
        "qty": sale.qty,
        "back": sale.back,
        "weight_g": sale.weight_g,
        "is_open": None if sale.is_open is None else int(sale.is_open),
        "promo": sale.promo,
        "price": sale.price,
        "stockout_min": sale.stockout_min,
        "sold_out_at": sale.sold_out_at,
    }


def _add_import() -> Insert:
    statement = sqlite_insert(shop_schema.sale)
    said = ("is_open", "promo", "price", "stockout_min", "sold_out_at")
    changes: dict[str, Any] = {name: shop_schema.sale.c[name] + statement.excluded[name] for name in ("qty", "back")}
    changes |= {name: func.coalesce(statement.excluded[name], shop_schema.sale.c[name]) for name in said}
    return statement.on_conflict_do_update(index_elements=list(shop_schema.sale.primary_key), set_=changes)


_ADD_IMPORT = _add_import()


def _replaced(tx: Connection, sales: Sequence[Sale]) -> int:
    """How many of them an earlier file said otherwise."""
    table = shop_schema.sale
    columns = select(table.c.day, table.c.unit, table.c.qty, table.c.back)
    by_product: dict[str, dict[tuple[int, str], Sale]] = {}
    for sale in sales:
        by_product.setdefault(sale.product, {})[sale.day.toordinal(), sale.unit.value] = sale
    count = 0
    for product, told in by_product.items():
        there = columns.where(table.c.product == product, table.c.source == Source.IMPORT.value)
        for day, unit, qty, back in tx.execute(there):
            said = told.get((day, unit))
            count += said is not None and (qty, back) != (said.qty, said.back)
    return count


# --- reading ----------------------------------------------------------------------------------------------------------


def sales(tx: Connection, products: Sequence[str], first: date, last: date) -> list[Sale]:
    """Both sources, by product and day."""
    table = shop_schema.sale
    rows = select(table).where(
        table.c.product.in_(products), table.c.day.between(first.toordinal(), last.toordinal())
    )  # fmt: skip
    return [_sale(row) for row in tx.execute(rows.order_by(table.c.product, table.c.day))]


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
    table = shop_schema.sale
    first, last = tx.execute(select(func.min(table.c.day), func.max(table.c.day))).one()
    products = tx.scalars(select(table.c.product).distinct().order_by(table.c.product)).all()
    undated = tx.scalar(select(func.count()).select_from(shop_schema.undated_sale)) or 0
    begin, end = (None if day is None else date.fromordinal(day) for day in (first, last))
    return Extent(begin, end, tuple(products), undated)


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


# --- what may go ------------------------------------------------------------------------------------------------------


def prune(tx: Connection, today: date, keep_days: int) -> int:
    """Rows past their days; answers how many went. A plan stays as long as the sales it explains.

    A clock that is years ahead makes all of it old at once: days count back from the newest sale, and at most
    CREEP_D of the oldest days go at one time.
    """
    newest = tx.scalar(select(func.max(shop_schema.sale.c.day)))
    present = today.toordinal() if newest is None else min(today.toordinal(), newest + SILENT_D)
    gone = 0
    for column, days in (
        (shop_schema.sale.c.day, keep_days),
        (shop_schema.weather.c.day, keep_days),
        (shop_schema.planned.c.last, keep_days),
        (shop_schema.forecast.c.made, FORECAST_DAYS),
    ):
        oldest = tx.scalar(select(func.min(column)))
        if oldest is not None:
            least = min(present - days, oldest + CREEP_D)
            gone += tx.execute(delete(column.table).where(column < least)).rowcount
    return gone + _prune_empties(tx, present - keep_days)


def _prune_empties(tx: Connection, least_day: int) -> int:
    """Undated ones go with the first dated one noticed after them; what was said of a product last stays."""
    table, clock = shop_schema.empty_shelf, schema.clock
    last_said = select(func.max(table.c.id)).group_by(table.c.product)
    is_dated = and_(
        table.c.clock == clock.c.id, clock.c.state != ClockState.UNSYNCED.value, table.c.id.not_in(last_said)
    )
    wall_ms = table.c.mono_ms + clock.c.offset_ms
    oldest = tx.scalar(select(func.min(wall_ms)).where(is_dated))
    if oldest is None:
        return 0
    least_ms = min((least_day - _UNIX_DAY) * _DAY_MS, oldest + CREEP_D * _DAY_MS)
    old = select(table.c.id).where(is_dated, wall_ms < least_ms)
    newest_old = tx.scalar(select(func.max(old.subquery().c.id)))
    if newest_old is None:
        return 0
    undated = select(table.c.id).where(
        table.c.id < newest_old,
        table.c.clock.not_in(select(clock.c.id).where(clock.c.state != ClockState.UNSYNCED.value)),
    )
    chosen = or_(table.c.id.in_(old), table.c.id.in_(undated))
    return tx.execute(delete(table).where(chosen, table.c.id.not_in(last_said))).rowcount
