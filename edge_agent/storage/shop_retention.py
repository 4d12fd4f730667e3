"""What may go of the shop's days, and when. ``Store.prune_shop`` calls it, once a night.

The agent cannot commit meanwhile, so nothing here reads rows that stay: sales and forecasts lie by product, and of each
product the key finds the oldest day and the newest.
"""

from datetime import date

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, or_, select

from edge_agent.domain.instant import ClockState
from edge_agent.storage import schema, shop_schema
from edge_agent.storage.shop_spans import spans

FORECAST_DAYS = 130  # forecasts stay: 16 weeks can be measured
CREEP_D = 24
SILENT_D = 30  # a shop may be shut for so long, and its days go on
_DAY_MS = 86_400_000
_UNIX_DAY = date(1970, 1, 1).toordinal()


def prune(tx: Connection, today: date, keep_days: int) -> int:
    """Rows past their days; answers how many went. A plan stays as long as the sales it explains.

    A clock that is years ahead makes all of it old at once: days count back from the newest sale, and at most
    CREEP_D of the oldest days go at one time.
    """
    newest = tx.scalar(select(func.max(spans(shop_schema.sale, "day").c.last)))
    present = today.toordinal() if newest is None else min(today.toordinal(), newest + SILENT_D)
    gone = _prune_products(tx, shop_schema.sale, "day", present - keep_days)
    gone += _prune_products(tx, shop_schema.forecast, "made", present - FORECAST_DAYS)
    for column in (shop_schema.weather.c.day, shop_schema.planned.c.last):
        oldest = tx.scalar(select(func.min(column)))
        if oldest is not None:
            least = min(present - keep_days, oldest + CREEP_D)
            gone += tx.execute(delete(column.table).where(column < least)).rowcount
    least_ms = (present - keep_days - _UNIX_DAY) * _DAY_MS
    return gone + _prune_empties(tx, least_ms) + _prune_undated(tx, least_ms) + _prune_aside(tx, least_ms)


def _prune_products(tx: Connection, table: Table, day: str, least_day: int) -> int:
    found = spans(table, day)
    oldest = tx.scalar(select(func.min(found.c.first)))
    if oldest is None:
        return 0
    least = min(least_day, oldest + CREEP_D)
    old = tx.scalars(select(found.c.product).where(found.c.first < least)).all()
    gone = delete(table).where(table.c.product == bindparam("of_product"), table.c[day] < least)
    return tx.execute(gone, [{"of_product": product} for product in old]).rowcount if old else 0


def _prune_empties(tx: Connection, least_ms: int) -> int:
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
    least_ms = min(least_ms, oldest + CREEP_D * _DAY_MS)
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


def _prune_undated(tx: Connection, least_ms: int) -> int:
    """Sales of a boot whose clock never came are older than the beginning of any boot after it: where one of those is
    old enough, they go. A boot's clock offset is the wall time at which it began.
    """
    table, own = shop_schema.undated_sale, schema.clock.alias()
    later = schema.clock.alias()
    is_after = and_(later.c.id > own.c.id, later.c.boot != own.c.boot, later.c.state != ClockState.UNSYNCED.value)
    begun_ms = select(func.min(later.c.offset_ms)).where(is_after).scalar_subquery()
    is_lost = and_(own.c.state == ClockState.UNSYNCED.value, begun_ms < least_ms)
    old = select(own.c.id).where(own.c.id.in_(select(table.c.clock).distinct()), is_lost)
    return tx.execute(delete(table).where(table.c.clock.in_(old))).rowcount


def _prune_aside(tx: Connection, least_ms: int) -> int:
    """Rows of files that were imported so long ago; that they were, stays: the same file again changes nothing."""
    file, aside = shop_schema.import_file, shop_schema.import_aside
    oldest = tx.scalar(select(func.min(file.c.at_ms)).where(file.c.sha256.in_(select(aside.c.sha256))))
    if oldest is None:
        return 0
    least_ms = min(least_ms, oldest + CREEP_D * _DAY_MS)
    old = select(file.c.sha256).where(file.c.at_ms < least_ms)
    return tx.execute(delete(aside).where(aside.c.sha256.in_(old))).rowcount
