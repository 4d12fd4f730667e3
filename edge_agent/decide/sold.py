"""What left the shelves because somebody wanted it: from the ledger's events to the day's demand. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.product import Product
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.stock import Balance, EventKind, StockEvent, StockState

if TYPE_CHECKING:
    from edge_agent.domain.shop import Empty, Sold

DayOf = Callable[[int], date]  # the shop's local day of a wall time in ms
_EPOCH_DAY, _DAY_MS = date(1970, 1, 1).toordinal(), 86_400_000


def utc_day(wall_ms: int) -> date:
    return date.fromordinal(_EPOCH_DAY + wall_ms // _DAY_MS)


def sold(
    events: Iterable[StockEvent], records: Iterable[RecordLine], products: Mapping[str, Product], day_of: DayOf
) -> "list[Sold]":
    """A pick counts; what was put on another shelf, or thrown away, was picked first and is taken off again.

    The removal and return of a container move nothing: what was missing in it is a pick of its own.
    """
    found = [_of_event(event, products, day_of) for event in events]
    found += [_of_waste(line, products, day_of) for line in records if line.kind is RecordKind.WASTE]
    return [each for each in found if each is not None]


def _of_event(event: StockEvent, products: Mapping[str, Product], day_of: DayOf) -> "Sold | None":
    from edge_agent.domain.shop import Sold, Unit  # here, as below: a node that sells nothing does without

    delta_g = event.delta_g
    if event.product is None or event.kind not in (EventKind.PICK, EventKind.MOVE) or delta_g is None:
        return None
    unit, amount = Unit.G, abs(delta_g)
    product = products.get(event.product)
    is_weighed = product is not None and product.is_catch_weight
    if event.delta_units and not event.is_ambiguous and not is_weighed:
        unit, amount = Unit.UNITS, float(abs(event.delta_units))
    elif product is not None and product.piece_g is not None and not is_weighed:
        unit, amount = Unit.UNITS, abs(delta_g) / product.piece_g
    day = _day(event.at, day_of)
    if event.kind is EventKind.PICK:
        return Sold(event.product, event.at, day, unit, qty=amount, weight_g=abs(delta_g))
    return Sold(event.product, event.at, day, unit, back=amount)


def _of_waste(line: RecordLine, products: Mapping[str, Product], day_of: DayOf) -> "Sold | None":
    from edge_agent.domain.shop import Sold, Unit

    gtin, units, grams = line.body.get("product"), line.body.get("units"), line.body.get("grams")
    if not isinstance(gtin, str):
        return None
    product = products.get(gtin)
    is_weighed = product is not None and product.is_catch_weight
    day = _day(line.at, day_of)
    if isinstance(units, int) and not is_weighed:
        return Sold(gtin, line.at, day, Unit.UNITS, back=float(units))
    if not isinstance(grams, int | float):
        return None
    if product is not None and product.piece_g is not None and not is_weighed:
        return Sold(gtin, line.at, day, Unit.UNITS, back=grams / product.piece_g)
    return Sold(gtin, line.at, day, Unit.G, back=float(grams))


def _day(at: Instant, day_of: DayOf) -> date | None:
    return None if at.clock is ClockState.UNSYNCED else day_of(at.wall_ms)


def is_out(stocks: Sequence[StockState], piece_g: float | None) -> bool | None:
    """Whether a product's shelves are all empty; None while one of them cannot tell."""
    found = [_is_empty(stock.balance, piece_g) if stock.fault is None else None for stock in stocks]
    if False in found:
        return False
    return None if None in found or not found else True


def _is_empty(balance: Balance, piece_g: float | None) -> bool | None:
    if balance.units is not None:
        return balance.units == 0
    if balance.net_g is None:
        return None
    least_g = 0.5 * piece_g if piece_g is not None else 5.0 * (balance.u_g or 1.0)
    return balance.net_g < least_g


def emptied(
    known: Mapping[str, bool],
    stocks: Mapping[str, StockState],
    shelves: Mapping[str, Sequence[str]],
    products: Mapping[str, Product],
    at: Instant,
) -> "list[Empty]":
    """What changed: ``known`` says of each product whether it was out; ``shelves``: those of each product."""
    if not shelves:
        return []
    from edge_agent.domain.shop import Empty

    found = []
    for gtin, names in shelves.items():
        product = products.get(gtin)
        there = [stocks[name] for name in names if name in stocks]
        is_now = is_out(there, None if product is None else product.piece_g) if len(there) == len(names) else None
        if is_now is not None and is_now is not known.get(gtin, False):
            found.append(Empty(gtin, at, is_now))
    return found
