"""The lots of a storeroom as one value: received, moved, wasted, marked down, closed; each with what is left of it.

Amounts are in the lot's own measure, pieces or grams. Of every lot ``amount = left + drawn + wasted + corrected``, and
nothing is ever below 0. What a scale says and neither a lot nor what is ``owed`` explains stands as ``unattributed`` in
the shelf's book.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Ending, Lot, LotPart, Origin, Shelved, Stay
from edge_agent.lots.dating import dated, may_be_within

LEAST = 1e-6  # less is nothing
LONGEST_ID = 28  # and "-999" has its place behind it
SAME_SHARE = 0.05  # what was told of a delivery, and what the scale sees of it, agree so well
MERGE_S = 12 * 3600.0  # a delivery is told at most so long after it was put on the shelf
WASTE_S = 24 * 3600.0  # what was thrown away left the shelf so long before it was told, or after
MOST_OWED = 32  # of a shelf; without a clock nobody knows when a debt is old
KEPT_D = 14.0  # a closed lot is remembered so long
MOST_CLOSED = 1000  # where nobody knows how long: no clock was ever set
LONGEST_STAYS = 16
DAY_S = 86_400.0
_FAR = "9999-12-31"


@dataclass(frozen=True, slots=True)
class Draw:
    """Taken from a shelf; ``amount`` in the lot's measure."""

    at: Instant
    lot: str
    amount: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What a scale at rest showed of a lot that lies there alone."""

    at: Instant
    net_g: float
    u_g: float  # as far as the scale may have drifted since the first of them


@dataclass(frozen=True, slots=True)
class ShelfBook:
    """What the register knows of one shelf beside its lots."""

    net_g: float | None = None  # the balance as it was booked last
    units: int | None = None  # None: not known, or not sure
    last: str = ""  # the event that was booked last
    draws: tuple[Draw, ...] = ()  # lately, the newest last
    owed: tuple[Draw, ...] = ()  # told as wasted, and the scale has not seen it go yet
    away: tuple[Draw, ...] = ()  # with the container that was taken away
    unattributed_g: float | None = None  # on the scale, and no lot explains it; below 0: lots say more than the scale
    unattributed_units: float | None = None
    alone: str = ""  # the lot whose water the scale follows
    rests: tuple[Rest, ...] = ()  # its weights, since goods were moved last


@dataclass(frozen=True, slots=True)
class Register:
    lots: Mapping[str, Lot] = field(default_factory=dict)  # by id, open and lately closed
    books: Mapping[str, ShelfBook] = field(default_factory=dict)  # by shelf

    def open_lots(self) -> list[Lot]:
        """First expired first."""
        return sorted((lot for lot in self.lots.values() if lot.is_open), key=fefo)

    def of_product(self, product: str) -> list[Lot]:
        return [lot for lot in self.open_lots() if lot.product == product]


def fefo(lot: Lot) -> tuple[str, str, int, str]:
    """First expired, first out: the earlier of use-by and best-before, then use-by, then received.

    >>> from edge_agent.domain.lot import Measure
    >>> at = Instant(0, 0, "boot")
    >>> a = Lot("a", "1", at, Measure.UNITS, 1, 1, best_before="2026-12-05")
    >>> b = Lot("b", "1", at, Measure.UNITS, 1, 1, use_by="2026-12-05")
    >>> c = Lot("c", "1", at, Measure.UNITS, 1, 1, use_by="2026-12-04", best_before="2026-12-09")
    >>> d = Lot("d", "1", at, Measure.UNITS, 1, 1)
    >>> [lot.id for lot in sorted((d, a, b, c), key=fefo)]
    ['c', 'b', 'a', 'd']
    """
    dates = [day for day in (lot.use_by, lot.best_before) if day is not None]
    return min(dates, default=_FAR), lot.use_by or _FAR, lot.received.wall_ms, lot.id


def topic_id(code: str, taken: Iterable[str]) -> str:
    """A lot's code as the last level of a topic, and no other lot's.

    >>> topic_id("L24/11 B", ()), topic_id("L2411", {"l2411", "l2411-2"}), topic_id("%%", ())
    ('l24-11-b', 'l2411-3', 'lot')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", code.lower()).strip("-")[:LONGEST_ID].strip("-") or "lot"
    known = set(taken)
    number, found = 1, plain
    while found in known:
        number += 1
        found = f"{plain}-{number}"
    return found


def received(register: Register, lot: Lot) -> Register:
    """A delivery. ``lot.id`` is free; what the scale saw put down lately without a delivery was this one."""
    lots = dict(register.lots)
    for known in register.of_product(lot.product):
        if known.origin is Origin.RESTOCK and known.measure is lot.measure and _is_it(known, lot):
            lots[known.id], lot = _merged(known, lot)
    return replace(register, lots={**lots, lot.id: lot})


def _is_it(known: Lot, lot: Lot) -> bool:
    is_there = lot.shelf is None or lot.shelf == known.shelf
    return is_there and 0 <= known.received.passed_s(lot.received) <= MERGE_S


def _merged(known: Lot, lot: Lot) -> tuple[Lot, Lot]:
    """What of a nameless lot was this delivery: what lies on the shelf, then what was taken from it since."""
    room = lot.in_back
    shelved = list(lot.shelved)
    left: list[Shelved] = []
    for part in known.shelved:
        given = min(part.amount, room)
        room -= given
        shelved += [Shelved(part.shelf, given)] if given > LEAST else []
        left += [Shelved(part.shelf, part.amount - given)] if part.amount - given > LEAST else []
    drawn = min(known.drawn, room)
    moved = known.on_shelves - sum(part.amount for part in left)
    nameless = replace(
        known,
        amount=known.amount - moved - drawn,
        left=known.left - moved,
        drawn=known.drawn - drawn,
        shelved=tuple(left),
    )
    if nameless.left <= LEAST:
        nameless = replace(nameless, closed=lot.received, ending=Ending.MERGED)
    return nameless, replace(lot, left=lot.left - drawn, drawn=lot.drawn + drawn, shelved=summed(shelved))


def moved(register: Register, lot: Lot, place: str, shelf: str | None, at: Instant) -> Register:
    """The lot lies elsewhere from now on. What scales see of it is theirs to say."""
    stays = lot.stays
    if place != lot.place or not stays:
        stays = (*stays[-(LONGEST_STAYS - 1) :], Stay(place, at))
    return with_lot(register, replace(lot, stays=stays, shelf=shelf))


def marked_down(register: Register, lot: Lot, at: Instant) -> Register:
    return with_lot(register, replace(lot, marked_down=lot.marked_down or at))


def wasted(
    register: Register, lot: Lot, amount: float, at: Instant, cause: str, *, is_of_shelf: bool = False
) -> Register:
    """Thrown away: what was in the back, else what left the shelf lately, else what the scale is still to see go.

    ``is_of_shelf``: somebody said that it lay on a shelf, so the back comes last.
    """
    back, shelf = (_from_back, _from_away), (_from_draws, _from_shelves)
    return _wasted(register, lot, amount, at, cause, shelf + back if is_of_shelf else back + shelf)


def _wasted(
    register: Register, lot: Lot, amount: float, at: Instant, cause: str, steps: Iterable["_Take"]
) -> Register:  # fmt: skip
    for step in steps:
        if amount <= LEAST:
            break
        register, lot, amount = step(register, lot, amount, at)
    if lot.wasted > LEAST:
        lot = replace(lot, cause=cause)
    return with_lot(register, closed_if_empty(lot, at))


_Step = tuple[Register, Lot, float]
_Take = Callable[[Register, Lot, float, Instant], _Step]


def _from_back(register: Register, lot: Lot, amount: float, at: Instant) -> _Step:
    in_hands = sum(gone.amount for book in register.books.values() for gone in book.away if gone.lot == lot.id)
    taken = min(amount, max(0.0, lot.in_back - in_hands))
    return register, replace(lot, left=lot.left - taken, wasted=lot.wasted + taken), amount - taken


def _from_away(register: Register, lot: Lot, amount: float, at: Instant) -> _Step:
    """Out of a container that somebody has in his hands: when it comes back, the scale finds it missing."""
    books = dict(register.books)
    for shelf, book in register.books.items():
        away = []
        for gone in book.away:
            taken = min(amount, gone.amount, lot.in_back) if gone.lot == lot.id else 0.0
            amount -= taken
            lot = replace(lot, left=lot.left - taken, wasted=lot.wasted + taken)
            away.append(replace(gone, amount=gone.amount - taken))
            if taken > LEAST:
                books[shelf] = with_debt(books[shelf], Draw(at, lot.id, taken))
        books[shelf] = replace(books[shelf], away=tuple(gone for gone in away if gone.amount > LEAST))
    return replace(register, books=books), lot, amount


def _from_draws(register: Register, lot: Lot, amount: float, at: Instant) -> _Step:
    """The scale saw it go: what was taken was not sold."""
    books = dict(register.books)
    for shelf, book in books.items():
        draws = []
        for draw in reversed(book.draws):
            is_it = draw.lot == lot.id and may_be_within(draw.at, at, WASTE_S)
            taken = min(amount, draw.amount, lot.drawn) if is_it else 0.0
            amount -= taken
            lot = replace(lot, drawn=lot.drawn - taken, wasted=lot.wasted + taken)
            if draw.amount - taken > LEAST:
                draws.append(replace(draw, amount=draw.amount - taken))
        books[shelf] = replace(book, draws=tuple(reversed(draws)))
    return replace(register, books=books), lot, amount


def _from_shelves(register: Register, lot: Lot, amount: float, at: Instant) -> _Step:
    """It leaves the lot now; when the scale sees it go, that is no sale of another."""
    books, left = dict(register.books), []
    for part in lot.shelved:
        taken = min(amount, part.amount)
        amount -= taken
        left.append(replace(part, amount=part.amount - taken))
        if taken > LEAST:
            books[part.shelf] = with_debt(books.get(part.shelf, ShelfBook()), Draw(at, lot.id, taken))
    gone = lot.on_shelves - sum(part.amount for part in left)
    lot = replace(lot, left=lot.left - gone, wasted=lot.wasted + gone, shelved=summed(left))
    return replace(register, books=books), lot, amount


def with_debt(book: ShelfBook, debt: Draw) -> ShelfBook:
    return replace(book, owed=(*book.owed, debt)[-MOST_OWED:])


def unsold(before: Register, after: Register) -> list[Draw]:
    """What of that which scales saw go was no sale after all, as it turned out between the two."""
    found = []
    for shelf, book in before.books.items():
        kept: dict[tuple[str, Instant], float] = {}
        for draw in after.books.get(shelf, ShelfBook()).draws:
            kept[draw.lot, draw.at] = kept.get((draw.lot, draw.at), 0.0) + draw.amount
        for draw in book.draws:
            still = min(draw.amount, kept.get((draw.lot, draw.at), 0.0))
            kept[draw.lot, draw.at] = kept.get((draw.lot, draw.at), 0.0) - still
            found += [replace(draw, amount=draw.amount - still)] if draw.amount - still > LEAST else []
    return found


def ended(register: Register, lot: Lot, ending: Ending, at: Instant, cause: str = "") -> Register:
    """Somebody said what became of the rest of it. What a scale still has of one that was sold, no lot explains."""
    if ending is Ending.WASTED:  # the rest: what was sold before stays sold
        register = _wasted(register, lot, lot.left, at, cause, (_from_back, _from_away, _from_shelves))
        lot = register.lots[lot.id]
    else:
        lot = replace(lot, left=0.0, drawn=lot.drawn + lot.left, shelved=())
    return with_lot(register, replace(lot, closed=lot.closed or at, ending=ending, cause=cause))


def with_lot(register: Register, lot: Lot) -> Register:
    return replace(register, lots={**register.lots, lot.id: lot})


def closed_if_empty(lot: Lot, at: Instant) -> Lot:
    if lot.left > LEAST or not lot.is_open:
        return lot
    ending = Ending.WASTED if lot.wasted > lot.drawn else Ending.SOLD_OUT
    return replace(lot, left=0.0, shelved=(), closed=at, ending=ending)


def parts_on(register: Register, shelf: str) -> tuple[LotPart, ...]:
    """What lies on a shelf by lots, first expired first."""
    found = [(lot, lot.on(shelf)) for lot in register.open_lots() if lot.shelved]
    return tuple(LotPart(lot.id, lot.units(amount), lot.grams(amount)) for lot, amount in found if amount > LEAST)


def forgotten(register: Register, now: Instant) -> Register:
    """Without the lots that were closed long ago. Where nobody knows how long, the clock may yet be set."""
    closed = [(lot.closed, lot.id) for lot in register.lots.values() if lot.closed is not None]
    old = {name for at, name in closed if not may_be_within(at, now, KEPT_D * DAY_S)}
    old |= {name for _, name in sorted(closed, key=lambda each: each[0].wall_ms)[:-MOST_CLOSED]}
    if not old:
        return register
    return replace(register, lots={key: lot for key, lot in register.lots.items() if key not in old})


def with_dates(register: Register, now: Instant) -> Register:
    """This boot's clock was set: all that it saw before has its date. A delivery that was told meanwhile is compared
    with what was put down before the power cut."""
    lots = {name: dated(lot, now) for name, lot in register.lots.items()}
    books = {name: dated(book, now) for name, book in register.books.items()}
    told = [lot for name, lot in lots.items() if lot.received is not register.lots[name].received and lot.is_open]
    register = replace(register, lots=lots, books=books)
    for lot in told:
        if lot.origin is Origin.DELIVERY:
            register = received(register, register.lots[lot.id])
    return register


def on_shelves(register: Register, shelves: Collection[str]) -> Register:
    """Without shelves that there are no more: what lay there is in the back, until a scale sees it again."""
    if register.books.keys() <= set(shelves) and not any(_is_lost(lot, shelves) for lot in register.lots.values()):
        return register
    lots = {
        name: replace(lot, shelved=tuple(part for part in lot.shelved if part.shelf in shelves))
        if _is_lost(lot, shelves)
        else lot
        for name, lot in register.lots.items()
    }
    return Register(lots, {name: book for name, book in register.books.items() if name in shelves})


def _is_lost(lot: Lot, shelves: Collection[str]) -> bool:
    return any(part.shelf not in shelves for part in lot.shelved)


def summed(parts: Iterable[Shelved]) -> tuple[Shelved, ...]:
    """One for each shelf, without empty ones."""
    of_shelf: dict[str, float] = {}
    for part in parts:
        of_shelf[part.shelf] = of_shelf.get(part.shelf, 0.0) + part.amount
    return tuple(Shelved(shelf, amount) for shelf, amount in of_shelf.items() if amount > LEAST)
