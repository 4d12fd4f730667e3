"""What left the shelves because somebody wanted it: from the ledger's events to the day's demand. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Unsold
from edge_agent.domain.product import Product
from edge_agent.domain.stock import Balance, EventKind, StockEvent, StockState

if TYPE_CHECKING:
    from edge_agent.domain.shop import Empty, Sold, Unit

DayOf = Callable[[int], date]  # the shop's local day of a wall time in ms
_EPOCH_DAY, _DAY_MS = date(1970, 1, 1).toordinal(), 86_400_000


def utc_day(wall_ms: int) -> date:
    return date.fromordinal(_EPOCH_DAY + wall_ms // _DAY_MS)


def sold(
    events: Iterable[StockEvent], unsold: Iterable[Unsold], products: Mapping[str, Product], day_of: DayOf
) -> "list[Sold]":
    """A pick counts; what was put on another shelf, put back, or thrown away, was picked first and is taken off again.

    The removal and return of a container move nothing: what was missing in it is a pick of its own.
    """
    found = [_of_event(event, products, day_of) for event in events]
    found += [_of_unsold(each, products, day_of) for each in unsold]
    return [each for each in found if each is not None]


def _of_event(event: StockEvent, products: Mapping[str, Product], day_of: DayOf) -> "Sold | None":
    from edge_agent.domain.shop import Sold  # here, as below: a node that sells nothing does without

    delta_g = event.delta_g
    if event.product is None or event.kind not in (EventKind.PICK, EventKind.MOVE) or delta_g is None:
        return None
    units = None if event.is_ambiguous or not event.delta_units else float(abs(event.delta_units))
    counted = _counted(units, abs(delta_g), products.get(event.product))
    if counted is None:
        return None
    unit, amount = counted
    day = _day(event.at, day_of)
    if event.kind is EventKind.PICK:
        return Sold(event.product, event.at, day, unit, qty=amount, weight_g=abs(delta_g))
    return Sold(event.product, event.at, day, unit, back=amount)


def _of_unsold(found: Unsold, products: Mapping[str, Product], day_of: DayOf) -> "Sold | None":
    from edge_agent.domain.shop import Sold

    counted = _counted(found.units, found.g, products.get(found.product))
    if counted is None:
        return None
    unit, amount = counted
    return Sold(found.product, found.at, _day(found.at, day_of), unit, back=amount)


def _counted(units: float | None, g: float | None, product: Product | None) -> "tuple[Unit, float] | None":
    """Pieces where they are known, or their weight is; else grams. What is sold by weight is grams."""
    from edge_agent.domain.shop import Unit

    is_weighed = product is not None and product.is_catch_weight
    if units is not None and not is_weighed:
        return Unit.UNITS, units
    if g is None:
        return None
    if product is not None and product.piece_g is not None and not is_weighed:
        return Unit.UNITS, g / product.piece_g
    return Unit.G, g


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
