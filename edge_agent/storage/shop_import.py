"""What files say, on its way into agent.db: in bites, beside the running agent or after it.

A till's file replaces what an earlier one said of the same product and day; the same file twice changes nothing.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import sha256
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from time import sleep
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from edge_agent.domain.instant import Instant
from edge_agent.domain.shop import AsideRow, Planned, Sale, Source, WeatherDay
from edge_agent.storage import shop_schema
from edge_agent.storage.database import Database
from edge_agent.storage.errors import StorageFull, free_bytes
from edge_agent.storage.inbox import APPLICATION_ID, FILE_NAME
from edge_agent.storage.ledger import put
from edge_agent.storage.migrations import AGENT

BITE_ROWS = 500  # of an import in one transaction: some 10 ms on x86, 0.1 s on a Pi's card
# Between two of them: who waits for the file asks every 0.1 s at the least (SQLite's sqliteDefaultBusyCallback), and
# gets it in the first gap. Without it an import would keep the agent, which waits 2 s, from committing at all.
GAP_S = 0.12
ROW_B = 200  # of a sale in the file and in its log, well counted
ROOM_B = 32 << 20  # the agent needs some meanwhile
_Row = TypeVar("_Row")
_ORDER = attrgetter("product", "day", "source", "unit")  # that of the table's key


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    is_known: bool  # the very same file was imported before, and nothing was done
    rows: int = 0
    replaced: int = 0  # of them, said otherwise by an earlier file


class ShopFile:
    """For the command line, beside the running agent or after it.

    ``content`` tells a file from any other: what is in it, or the digest of that.
    """

    def __init__(self, database: Database, pause: Callable[[float], None]) -> None:
        self._database = database
        self._pause = pause

    @classmethod
    def open(cls, directory: Path, pause: Callable[[float], None] = sleep) -> "ShopFile":
        """Raises StorageError where there is no file yet."""
        return cls(Database.visit(directory / FILE_NAME, AGENT, APPLICATION_ID), pause)

    def reading(self) -> AbstractContextManager[Connection]:
        return self._database.reading()

    def is_known(self, content: bytes) -> bool:
        """Whether all that counts of it was imported."""
        with self._database.reading() as tx:
            row = _row_of(tx, _digest(content))
            return row is not None and row.upto is None

    def import_sales(
        self,
        content: bytes,
        name: str,
        sales: Sequence[Sale],
        aside: Sequence[AsideRow],
        at: Instant,
        *,
        add: bool,
        again: bool = False,
    ) -> Imported:
        """``add``: to what an earlier file said of the same day, as of a second till; else in its place.

        ``again``: also a file that is known, for what stands in it may be taken otherwise today.

        One that was cut off goes on where it was when it is to be added, whatever cut it off: each bite tells in its
        own transaction how far it came.
        """
        told = _Import(_digest(content), name, "sales", len(sales), aside, at)
        if self.is_known(content) and not again:
            return Imported(is_known=True)
        ordered = sorted(sales, key=_ORDER)
        self._make_sure_of_room(len(ordered), aside)
        with self._database.reading() as tx:
            replaced = 0 if add else _replaced(tx, ordered)
        write = _write_added if add else partial(_write_instead, in_both=_in_both_units(ordered))
        self._write(partial(write, told=told, bite=bite) for bite in _bites(ordered))
        self._finish(told)
        return Imported(False, len(ordered), replaced)

    def import_weather(
        self, content: bytes, name: str, days: Sequence[WeatherDay], aside: Sequence[AsideRow], at: Instant
    ) -> Imported:
        told = _Import(_digest(content), name, "weather", len(days), aside, at)
        if self.is_known(content):
            return Imported(is_known=True)
        self._make_sure_of_room(len(days), aside)
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
        self._finish(_Import(_digest(content), name, "plans", len(plans), aside, at))
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
                    table.c.name == plan.name,
                )
                gone += tx.execute(delete(table).where(*wanted)).rowcount
        return gone

    def _make_sure_of_room(self, rows: int, aside: Sequence[AsideRow]) -> None:
        """Before anything is written. Raises StorageFull."""
        needed = ROOM_B + rows * ROW_B + sum(len(row.text) + ROW_B for row in aside)
        free = free_bytes(self._database.path.parent)
        if free < needed:
            right = f"{needed / 1e6:.0f} MB are needed: nothing was imported"
            raise StorageFull(f"{self._database.path.parent}: {free / 1e6:.0f} MB are free, and {right}")

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
        self._write(partial(_write_aside, told=told, bite=bite) for bite in _bites(rows))
        with self._database.writing() as tx:
            put(tx, shop_schema.import_file, [told.row(None)])


@dataclass(frozen=True, slots=True)
class _Import:
    digest: str
    name: str
    kind: str
    rows: int
    aside: Sequence[AsideRow]
    at: Instant

    def row(self, upto: str | None) -> dict[str, Any]:
        told = {"sha256": self.digest, "kind": self.kind, "name": self.name, "at_ms": self.at.wall_ms}
        return told | {"rows": self.rows, "upto": upto}


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _row_of(tx: Connection, digest: str) -> Any:
    table = shop_schema.import_file
    return tx.execute(select(table).where(table.c.sha256 == digest)).first()


def _write_aside(tx: Connection, told: _Import, bite: Sequence[dict[str, Any]]) -> None:
    """Never without the file they are of, which tells how old they are."""
    begun = sqlite_insert(shop_schema.import_file).values(told.row(json.dumps([]))).on_conflict_do_nothing()
    tx.execute(begun)
    put(tx, shop_schema.import_aside, bite)


def _write_added(tx: Connection, told: _Import, bite: Sequence[Sale]) -> None:
    """What another run of the same import has added already is not added again."""
    found = _row_of(tx, told.digest)
    if found is not None:
        upto = None if found.upto is None else json.loads(found.upto)
        bite = [] if upto is None else [sale for sale in bite if _key(sale) > upto]
    if bite:
        tx.execute(_ADD_IMPORT, [_sale_row(sale) for sale in bite])
        _write_upto(tx, told, bite[-1])


def _write_instead(tx: Connection, told: _Import, bite: Sequence[Sale], in_both: Collection[tuple[str, date]]) -> None:
    """What an earlier file told in the other unit goes as well. ``in_both``: what this one tells in both."""
    table = shop_schema.sale
    other = delete(table).where(
        table.c.product == bindparam("of_product"),
        table.c.day == bindparam("of_day"),
        table.c.source == Source.IMPORT.value,
        table.c.unit != bindparam("told_unit"),
    )
    alone = [sale for sale in bite if (sale.product, sale.day) not in in_both]
    if alone:
        tx.execute(
            other,
            [{"of_product": s.product, "of_day": s.day.toordinal(), "told_unit": s.unit.value} for s in alone],
        )
    put(tx, shop_schema.sale, [_sale_row(sale) for sale in bite])
    _write_upto(tx, told, bite[-1])


def _in_both_units(ordered: Sequence[Sale]) -> set[tuple[str, date]]:
    days = ((sale.product, sale.day) for sale in ordered)
    return {one for one, next_one in pairwise(days) if one == next_one}


def _write_upto(tx: Connection, told: _Import, last: Sale) -> None:
    put(tx, shop_schema.import_file, [told.row(json.dumps(_key(last)))])


def _key(sale: Sale) -> list[Any]:
    return [sale.product, sale.day.toordinal(), sale.source.value, sale.unit.value]


def _bites(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
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


def _replaced(tx: Connection, ordered: Sequence[Sale]) -> int:
    """How many of them an earlier file said otherwise."""
    table = shop_schema.sale
    columns = select(table.c.day, table.c.unit, table.c.qty, table.c.back)
    count = 0
    for product, some in groupby(ordered, key=lambda sale: sale.product):
        told: dict[int, dict[str, tuple[float, float]]] = {}
        for sale in some:
            told.setdefault(sale.day.toordinal(), {})[sale.unit.value] = (sale.qty, sale.back)
        there = columns.where(table.c.product == product, table.c.source == Source.IMPORT.value)
        for day, unit, qty, back in tx.execute(there):
            count += day in told and told[day].get(unit) != (qty, back)
    return count
