"""What left the shelves, into its day: in the transaction of the events that say so."""

from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.shop import Empty, Sold, Source, Unit
from edge_agent.storage import shop_schema
from edge_agent.storage.clocks import Clocks


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
