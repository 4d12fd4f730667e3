"""The shop's days on their way from file to file: out of a damaged one, into a refuge and back."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from math import isfinite
from typing import Any

from sqlalchemy import Connection, Float, Integer, String, Table, and_, delete, func, insert, inspect, select

from edge_agent.domain.forecast import LEVELS
from edge_agent.domain.instant import ClockState
from edge_agent.domain.shop import PlanKind, Source, Unit
from edge_agent.storage import schema
from edge_agent.storage import shop_schema as tables
from edge_agent.storage.clocks import Segment
from edge_agent.storage.ledger import put
from edge_agent.storage.shop_spans import spans
from edge_agent.storage.wreck import Wreck

Row = dict[str, Any]
NumberOf = Callable[[Segment], int]  # of a clock segment, in the file that is written

BITE_ROWS = 1000
REFUGE_DAYS = 400  # a refuge lies in RAM: a year, and what of it a forecast compares itself with
BROUGHT, TAKEN = "shop/brought", "shop/taken"  # keys of the table state
_LAST_DAY = date.max.toordinal()
_IMPORTS = (tables.import_file, tables.import_aside)
_BY_PRODUCT = {tables.sale: "day", tables.forecast: "made"}  # long ones: a product's rows lie together, by day
_NOTED = (tables.undated_sale, tables.empty_shelf)  # rows with a clock and a number of their own
_SUMS = ("qty", "back", "weight_g")
_DAYS = {"day", "made", "first", "last"}
_WORDS: Mapping[str, frozenset[str]] = {
    "source": frozenset(source.value for source in Source),
    "unit": frozenset(unit.value for unit in Unit),
}
_PLANS = frozenset(kind.value for kind in PlanKind)


# --- out of a damaged file --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of one table."""

    table: Table
    rows: Sequence[Row]
    is_whole: bool  # nothing between them is known to be unreadable


def readable(wreck: Wreck, segments: Mapping[int, Segment], number_of: NumberOf) -> Iterator[Piece]:
    """What can be read, piece by piece; which files were imported only where all that they said is there.

    Else the very files that would mend it were refused as known.
    """
    if not wreck.has(tables.sale):
        return
    is_whole = True
    for piece in _pieces(wreck):
        found = [row for row in piece.rows if is_sound(piece.table, row)]
        is_whole = is_whole and piece.is_whole and len(found) == len(piece.rows)
        yield Piece(piece.table, _renumbered(piece.table, found, segments, number_of), is_whole)
    for table in _IMPORTS:
        rows, is_read = wreck.table(table)
        found = [row for row in rows if is_whole and is_sound(table, row)]
        yield Piece(table, found, is_whole and is_read and len(found) == len(rows))


def _pieces(wreck: Wreck) -> Iterator[Piece]:
    for table in (tables.weather, tables.planned, *_NOTED):
        rows, is_whole = wreck.table(table)
        yield Piece(table, rows, is_whole)
    for table, day in _BY_PRODUCT.items():
        for rows, is_whole in wreck.by_product(table, day):
            yield Piece(table, rows, is_whole)


def is_sound(table: Table, row: Mapping[str, Any]) -> bool:
    """SQLite keeps no checksums: whether it is a row that we may have written.

    >>> is_sound(tables.weather, {"day": 739_941, "issued_ms": 0, "temp_c": 4.5, "precip_mm": None})
    True
    >>> is_sound(tables.weather, {"day": -1, "issued_ms": 0, "temp_c": 4.5, "precip_mm": None})
    False
    """
    for name, types in _types(table):
        if type(row[name]) not in types:
            return False
    if any(not isfinite(row[name] or 0.0) for name in _floats(table)):
        return False
    if any(not 0 < row[name] <= _LAST_DAY for name in _DAYS & row.keys()):
        return False
    return all(row[name] in words for name, words in _WORDS.items() if name in row) and _means_something(table, row)


@cache
def _types(table: Table) -> tuple[tuple[str, frozenset[type]], ...]:
    return tuple((column.name, _types_of(column)) for column in table.c)


def _types_of(column: Any) -> frozenset[type]:
    kinds = ((Integer, int), (Float, float), (String, str))
    kind = next((found for sql, found in kinds if isinstance(column.type, sql)), bytes)
    return frozenset({kind, type(None)}) if column.nullable else frozenset({kind})


@cache
def _floats(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.c if isinstance(column.type, Float))


def _means_something(table: Table, row: Mapping[str, Any]) -> bool:
    if table is tables.planned:
        return row["kind"] in _PLANS
    if table is tables.import_file:
        return row["upto"] is None or _is_list(row["upto"])
    if table is tables.forecast:
        return set(row["is_open"]) <= {"0", "1"} and len(row["quantiles"]) == 4 * len(LEVELS) * len(row["is_open"])
    return True


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _renumbered(
    table: Table, rows: Sequence[Row], segments: Mapping[int, Segment], number_of: NumberOf
) -> Sequence[Row]:
    """Of notes the clock is one of the new file; those whose clock is lost tell nothing."""
    if table not in _NOTED:
        return rows
    known = [row for row in rows if row["clock"] in segments]
    return [
        {name: value for name, value in row.items() if name != "id"} | {"clock": number_of(segments[row["clock"]])}
        for row in sorted(known, key=lambda row: row["id"])
    ]


def write(tx: Connection, piece: Piece) -> int:
    """Into a file that has none of it; answers how many rows."""
    if piece.table in _NOTED:
        if piece.rows:
            tx.execute(insert(piece.table), list(piece.rows))
    else:
        put(tx, piece.table, piece.rows)
    return len(piece.rows)


# --- into a refuge ----------------------------------------------------------------------------------------------------


def brought(old: Connection, number_of: NumberOf) -> Iterator[Piece]:
    """Of a file that nobody writes now; nothing of one from before there were these tables.

    What waits for its day stays behind: the clock that dates it is told when the card is back, see ``taken_back``.
    """
    if not inspect(old).has_table(tables.sale.name):
        return
    segments = segments_of(old)
    since = _newest_day(old) - REFUGE_DAYS
    for table in (tables.sale, tables.weather, tables.planned, tables.forecast, tables.empty_shelf, *_IMPORTS):
        day = _DAY_OF.get(table)
        rows = select(table) if day is None else select(table).where(table.c[day] > since)
        for some in old.execute(rows.execution_options(yield_per=BITE_ROWS)).mappings().partitions():
            yield Piece(table, _renumbered(table, [dict(row) for row in some], segments, number_of), True)


_DAY_OF = {tables.sale: "day", tables.weather: "day", tables.planned: "last", tables.forecast: "made"}


def _newest_day(tx: Connection) -> int:
    return int(tx.scalar(select(func.max(spans(tables.sale, "day").c.last))) or 0)


def segments_of(tx: Connection) -> dict[int, Segment]:
    return {
        row.id: Segment(row.boot, row.offset_ms, ClockState(row.state)) for row in tx.execute(select(schema.clock))
    }  # fmt: skip


# --- and back ---------------------------------------------------------------------------------------------------------


def taken_back(tx: Connection, old: Connection, number_of: NumberOf) -> int:
    """What the refuge has otherwise than the card, in one transaction, once; answers how many rows.

    Sums of the ledger: of a refuge that began with the card's the larger ones, for they only grow; else both together.
    """
    epoch = _state(old, "epoch")
    if epoch is None or epoch == _state(tx, TAKEN):
        return 0
    has_base = _state(old, BROUGHT) is not None
    count = _take_sales(tx, old, has_base) + _take_notes(tx, old, number_of)
    for table in (tables.weather, tables.planned, tables.forecast, *_IMPORTS):
        here, there = _keyed(old, table), _keyed(tx, table)
        news = [row for key, row in here.items() if there.get(key) != row]
        put(tx, table, news)
        count += len(news)
        if table is tables.planned and has_base:
            _withdraw(tx, [key for key in there if key not in here])
    put(tx, schema.state, [{"key": TAKEN, "value": epoch}])
    return count


def _state(tx: Connection, key: str) -> str | None:
    return tx.scalar(select(schema.state.c.value).where(schema.state.c.key == key))


def _keyed(tx: Connection, table: Table, *where: Any) -> dict[tuple[Any, ...], Row]:
    keys = table.primary_key.columns.keys()
    rows = (dict(row) for row in tx.execute(select(table).where(*where)).mappings())
    return {tuple(row[key] for key in keys): row for row in rows}


def _withdraw(tx: Connection, keys: Iterable[tuple[Any, ...]]) -> None:
    table = tables.planned
    columns = list(table.primary_key)
    for key in keys:
        tx.execute(delete(table).where(and_(*(column == value for column, value in zip(columns, key, strict=True)))))


def _take_sales(tx: Connection, old: Connection, has_base: bool) -> int:
    table, count = tables.sale, 0
    for product in old.scalars(select(table.c.product).distinct()).all():
        there = _keyed(tx, table, table.c.product == product)
        here = _keyed(old, table, table.c.product == product)
        news = [
            merged for key, row in here.items() if (merged := _merged(row, there.get(key), has_base)) != there.get(key)
        ]
        put(tx, table, news)
        count += len(news)
    return count


def _merged(row: Row, known: Row | None, has_base: bool) -> Row:
    if known is None or row["source"] != Source.LEDGER.value:
        return row
    return row | {name: max(row[name], known[name]) if has_base else row[name] + known[name] for name in _SUMS}


def _take_notes(tx: Connection, old: Connection, number_of: NumberOf) -> int:
    segments, count = segments_of(old), 0
    there = segments_of(tx)
    known = {_said(dict(row), there) for row in tx.execute(select(tables.empty_shelf)).mappings()}
    for table in _NOTED:
        rows = [dict(row) for row in old.execute(select(table)).mappings()]
        if table is tables.empty_shelf:
            rows = [row for row in rows if _said(row, segments) not in known]
        count += write(tx, Piece(table, _renumbered(table, rows, segments, number_of), True))
    return count


def _said(row: Mapping[str, Any], segments: Mapping[int, Segment]) -> tuple[Any, ...]:
    """One and the same in both files, whatever their numbers."""
    segment = segments.get(row["clock"])
    return row["product"], segment and segment.boot, row["mono_ms"], row["is_empty"]


def holds_more(refuge: Connection, card: Connection) -> bool:
    """Whether the refuge has sales, files or plans that the card does not know."""
    if refuge.execute(select(tables.undated_sale).limit(1)).first() is not None:
        return True
    return _compared(refuge) != _compared(card)


def _compared(tx: Connection) -> dict[str, Any]:
    if not inspect(tx).has_table(tables.sale.name):
        return {"days": {}, "files": frozenset(), "plans": frozenset()}
    table, newest = tables.sale, _newest_day(tx)
    rows = select(table).where(table.c.day > newest - 2)
    days = {(row.product, row.day, row.source, row.unit): (row.qty, row.back) for row in tx.execute(rows)}
    files = frozenset(tx.scalars(select(tables.import_file.c.sha256)))
    plans = frozenset(_keyed(tx, tables.planned, tables.planned.c.last > newest - REFUGE_DAYS))
    return {"days": days, "files": files, "plans": plans}
