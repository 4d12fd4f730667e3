"""What a scale saw, by lots: which of them a pick took, which a restock put down.

A shelf is booked to the absolute balance that stands in every event, so one that was lost heals with the next, and
one that comes twice changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import hypot

from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot, LotPart, Measure, Origin, Shelved, Stay
from edge_agent.domain.product import Product
from edge_agent.domain.stock import SAFE_CONFIDENCE, Balance, EventKind, StockEvent
from edge_agent.lots.dating import may_be_within
from edge_agent.lots.register import (
    LEAST,
    SAME_SHARE,
    WASTE_S,
    Draw,
    Register,
    ShelfBook,
    closed_if_empty,
    fefo,
    summed,
    topic_id,
)

RETURN_S = 900.0  # a customer puts back what he took
CARRY_S = 90.0  # from one shelf to another: decide/moves.py
AWAY_S = 24 * 3600.0  # so long the container of a shelf may be in somebody's hands
FILL_S = 3600.0  # one delivery is put down crate by crate
AGREE = 3.0  # combined standard uncertainties
KEPT_DRAWS = 32
_REBASED = frozenset({EventKind.TARE, EventKind.ZERO, EventKind.DISTURBANCE})  # another weight, and nothing moved
_SALES = frozenset({EventKind.PICK, EventKind.MOVE, EventKind.REMOVAL, EventKind.RETURN, EventKind.RESTOCK})


@dataclass(frozen=True, slots=True)
class Booked:
    register: Register
    parts: tuple[LotPart, ...]  # what the event did to which lot
    unsold: tuple[tuple[Instant, float], ...] = ()  # when it was taken, and the share of the change that was no sale


@dataclass(slots=True)
class _Draft:
    """The register while one event goes through it; ``rest`` is the share of the change that no lot took yet."""

    lots: dict[str, Lot]
    books: dict[str, ShelfBook]
    event: StockEvent
    product: Product
    place: str
    units: float | None = None
    g: float | None = None
    rest: float = 1.0
    unsold: list[tuple[Instant, float]] = field(default_factory=list)

    @property
    def shelf(self) -> str:
        return self.event.shelf

    @property
    def at(self) -> Instant:
        return self.event.at

    @property
    def book(self) -> ShelfBook:
        return self.books.get(self.shelf, ShelfBook())

    @book.setter
    def book(self, book: ShelfBook) -> None:
        self.books[self.shelf] = book

    def change_of(self, lot: Lot) -> float | None:
        """The whole change in the lot's measure, without its sign; None where it cannot be told."""
        if lot.measure is Measure.GRAMS:
            return abs(self.g) if self.g is not None else _product(self.units, lot.unit_g)
        if self.units is not None:
            return abs(self.units)
        return None if self.g is None or not lot.unit_g else abs(self.g) / lot.unit_g

    def there(self) -> list[Lot]:
        """Lots under this scale, first expired first."""
        return sorted((lot for lot in self.lots.values() if lot.is_open and lot.on(self.shelf) > LEAST), key=fefo)

    def shelve(self, lot: Lot, amount: float) -> Lot:
        """More of it lies here; below 0: less."""
        return replace(lot, shelved=summed((*lot.shelved, Shelved(self.shelf, amount))))

    def used(self, change: float, amount: float) -> None:
        self.rest = max(0.0, self.rest - amount / change)


def booked(register: Register, event: StockEvent, product: Product | None, place: str) -> Booked:
    """``product`` of the shelf: without one nothing can be told apart, and the balance alone is followed."""
    name = f"{event.kind}/{event.at.boot}/{event.at.mono_ms}"
    book = register.books.get(event.shelf, ShelfBook())
    if book.last == name:
        return Booked(register, ())
    if product is None:
        return Booked(_with_book(register, event, replace(_rebased(book, event), last=name)), ())
    draft = _Draft(dict(register.lots), dict(register.books), event, product, place)
    if book.net_g is None and book.units is None and not draft.there():
        _found(draft)
    _forget(draft)
    draft.units, draft.g = _change(draft.book, event)
    _book(draft)
    if _is_empty(event):
        _clear(draft)
    draft.book = replace(_rebased(draft.book, event), last=name)
    draft.book = _unattributed(draft)
    parts = _parts(register.lots, draft.lots, event.shelf)
    return Booked(Register(draft.lots, draft.books), parts, tuple(draft.unsold))


def _book(draft: _Draft) -> None:
    kind, size = draft.event.kind, draft.units if draft.units is not None else draft.g
    if kind in _REBASED:
        return
    if kind is EventKind.REMOVAL:
        _carried_away(draft)
    elif size is None or abs(size) <= LEAST:
        return
    elif size < 0:
        _take(draft)
    elif kind is EventKind.COUNT:
        return  # more than was thought: nobody knows of which lot
    else:
        _put(draft)


# --- how much -------------------------------------------------------------------------------------------------------


def _change(book: ShelfBook, event: StockEvent) -> tuple[float | None, float | None]:
    """Pieces and grams since the shelf was booked last; None where it is not known, or not sure."""
    base_g = event.before.net_g if book.net_g is None else book.net_g
    g = None if base_g is None or event.after.net_g is None else event.after.net_g - base_g
    base, now = book.units if book.units is not None else _sure(event.before), _sure(event.after)
    if event.kind is EventKind.COUNT:
        g = None  # grams stay as they are
    if base is not None and now is not None:
        return now - base, g
    is_alone = book.net_g is None or event.before.net_g is None or abs(book.net_g - event.before.net_g) < 1.0
    seen = event.moved_units if is_alone and not event.is_ambiguous else None  # else an event before it was lost
    return seen, g


def _sure(balance: Balance) -> int | None:
    is_sure = balance.confidence is None or balance.confidence >= SAFE_CONFIDENCE
    return balance.units if is_sure else None


def _is_empty(event: StockEvent) -> bool:
    """Nothing lies there any more, as far as the scale can say."""
    if event.kind in _REBASED:
        return False
    if _sure(event.after) == 0:
        return True
    after_g, u_g = event.after.net_g, event.after.u_g or event.u_g
    return after_g is not None and u_g > 0 and after_g <= AGREE * u_g


def _rebased(book: ShelfBook, event: StockEvent) -> ShelfBook:
    known_g = event.after.net_g if event.after.net_g is not None else book.net_g
    rests = book.rests if event.kind is EventKind.WATER_LOSS else ()  # which is their own sum, told
    return replace(book, net_g=known_g, units=_sure(event.after), rests=rests)


def _unattributed(draft: _Draft) -> ShelfBook:
    """What lies there beyond the lots and what is thrown away, or is missing to them."""
    book, shelf = draft.book, draft.shelf
    known = [(lot, lot.on(shelf)) for lot in draft.there()]
    known += [(draft.lots[debt.lot], debt.amount) for debt in book.owed if debt.lot in draft.lots]
    grams = [lot.grams(amount) for lot, amount in known]
    units = [lot.units(amount) for lot, amount in known]
    return replace(book, unattributed_g=_beyond(book.net_g, grams), unattributed_units=_beyond(book.units, units))


def _beyond(balance: float | None, parts: Iterable[float | None]) -> float | None:
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return None if balance is None else balance - total


# --- less -----------------------------------------------------------------------------------------------------------


def _take(draft: _Draft) -> None:
    """First what was told as thrown away, then first expired first; water goes from all of them alike."""
    kind = draft.event.kind
    if kind is EventKind.WATER_LOSS:
        _dry(draft)
        return
    _settle_owed(draft)
    if kind is EventKind.PICK:
        _settle_elsewhere(draft)
        draft.unsold.append((draft.at, 1.0 - draft.rest))
    for lot in draft.there():
        change = draft.change_of(lot)
        if draft.rest <= LEAST or not change:
            continue
        amount = min(change * draft.rest, lot.on(draft.shelf))
        draft.used(change, amount)
        _less(draft, lot, amount, is_sale=kind in _SALES)


def _less(draft: _Draft, lot: Lot, amount: float, *, is_sale: bool) -> None:
    lot = draft.shelve(lot, -amount)
    lot = replace(lot, left=max(0.0, lot.left - amount))
    if is_sale:
        lot = replace(lot, drawn=lot.drawn + amount)
        draft.book = replace(draft.book, draws=(*draft.book.draws, Draw(draft.at, lot.id, amount))[-KEPT_DRAWS:])
    else:
        lot = replace(lot, corrected=lot.corrected + amount)
    draft.lots[lot.id] = closed_if_empty(lot, draft.at)


def _dry(draft: _Draft) -> None:
    """Pieces stay what they are; of grams each loses its share."""
    lots = [lot for lot in draft.there() if lot.measure is Measure.GRAMS]
    total = sum(lot.on(draft.shelf) for lot in lots)
    lost = min(abs(draft.g or 0.0), total)
    for lot in lots:
        _less(draft, lot, lost * lot.on(draft.shelf) / total, is_sale=False)


def _settle_owed(draft: _Draft) -> None:
    """The scale sees go what its lot has not had any more since somebody told so."""
    owed = []
    for debt in draft.book.owed:
        change = draft.change_of(draft.lots[debt.lot]) if debt.lot in draft.lots else None
        paid = min(debt.amount, change * draft.rest) if change else 0.0
        if change and paid > LEAST:
            draft.used(change, paid)
        if debt.amount - paid > LEAST:
            owed.append(replace(debt, amount=debt.amount - paid))
    draft.book = replace(draft.book, owed=tuple(owed))


def _settle_elsewhere(draft: _Draft) -> None:
    """Thrown away of a lot that lies on several shelves: nobody says from which, and the scale of this one sees it."""
    for shelf, book in list(draft.books.items()):
        for debt in book.owed if shelf != draft.shelf else ():
            lot = draft.lots.get(debt.lot)
            change = None if lot is None else draft.change_of(lot)
            if lot is None or not change or draft.rest <= LEAST:
                continue
            paid = min(debt.amount, lot.on(draft.shelf), change * draft.rest)
            draft.used(change, paid)
            draft.lots[lot.id] = replace(lot, shelved=summed((*draft.shelve(lot, -paid).shelved, Shelved(shelf, paid))))
            owed = (
                replace(each, amount=each.amount - paid) if each is debt else each for each in draft.books[shelf].owed
            )
            draft.books[shelf] = replace(draft.books[shelf], owed=tuple(each for each in owed if each.amount > LEAST))


def _carried_away(draft: _Draft) -> None:
    """The container with all in it: nothing is sold, it lies in somebody's hands."""
    away = []
    for lot in draft.there():
        amount = lot.on(draft.shelf)
        away.append(Draw(draft.at, lot.id, amount))
        draft.lots[lot.id] = draft.shelve(lot, -amount)
    draft.book = replace(draft.book, away=tuple(away))


def _clear(draft: _Draft) -> None:
    """The scale is empty: what is left of the lots there is only that both were not weighed alike."""
    for lot in draft.there():
        amount = lot.on(draft.shelf)
        _less(draft, lot, amount, is_sale=False)


# --- more -----------------------------------------------------------------------------------------------------------


def _put(draft: _Draft) -> None:
    """Goods come back, or come from another shelf, or are a delivery that was told; else nobody knows what they are."""
    event = draft.event
    if event.kind is EventKind.RETURN:
        _brought_back(draft)
    if event.kind is EventKind.MOVE and event.counterpart is not None:
        _undraw(draft, event.counterpart, CARRY_S, is_whole=False)
    elif event.kind is not EventKind.UNEXPLAINED:
        _undraw(draft, draft.shelf, RETURN_S, is_whole=True)
    _shelve_waiting(draft)
    if _is_worth_a_lot(draft):
        _nameless(draft, Origin.FOUND if event.kind is EventKind.UNEXPLAINED else Origin.RESTOCK)


def _brought_back(draft: _Draft) -> None:
    """The container that was taken away, with what is still in it."""
    away, draft.book = draft.book.away, replace(draft.book, away=())
    for gone in reversed(away):  # what was taken out of it meanwhile was the first that expires
        lot = draft.lots.get(gone.lot)
        change = None if lot is None else draft.change_of(lot)
        if lot is None or not lot.is_open or not change:
            continue
        amount = min(gone.amount, change * draft.rest, lot.in_back)
        draft.used(change, amount)
        draft.lots[lot.id] = draft.shelve(lot, amount)
    for debt in draft.book.owed:  # thrown away meanwhile, or lying in it still: the scale is yet to see it go
        change = draft.change_of(draft.lots[debt.lot]) if debt.lot in draft.lots else None
        if change:
            draft.used(change, min(debt.amount, change * draft.rest))
    for gone in away:
        lot = draft.lots.get(gone.lot)
        if lot is not None and lot.is_open:
            missing = min(gone.amount - lot.on(draft.shelf), lot.in_back)
            if missing > LEAST:
                sold = replace(lot, left=lot.left - missing, drawn=lot.drawn + missing)
                draft.lots[lot.id] = closed_if_empty(sold, draft.at)


def _undraw(draft: _Draft, shelf: str, within_s: float, *, is_whole: bool) -> None:
    """What was taken lately goes back to its lots, the last taken first.

    ``is_whole``: only where one taking answers what is put back now: else it is other goods.
    """
    book = draft.books.get(shelf, ShelfBook())
    lately = [draw for draw in book.draws if 0 <= draw.at.passed_s(draft.at) <= within_s and draw.lot in draft.lots]
    if is_whole:
        lately = _answered(draft, lately)
    for draw in reversed(lately):
        lot = draft.lots[draw.lot]
        change = draft.change_of(lot)
        if draft.rest <= LEAST or not change:
            continue
        amount = min(draw.amount, lot.drawn, change * draft.rest)
        draft.used(change, amount)
        if draft.event.kind is EventKind.RESTOCK:
            draft.unsold.append((draw.at, amount / change))
        lot = replace(lot, left=lot.left + amount, drawn=lot.drawn - amount, closed=None, ending=None)
        draft.lots[lot.id] = draft.shelve(lot, amount)
        kept = replace(draw, amount=draw.amount - amount)
        draws = (kept if each is draw else each for each in draft.books[shelf].draws)
        draft.books[shelf] = replace(draft.books[shelf], draws=tuple(each for each in draws if each.amount > LEAST))


def _answered(draft: _Draft, draws: list[Draw]) -> list[Draw]:
    """The last taking that is as much as what is put down now."""
    for at in dict.fromkeys(draw.at for draw in reversed(draws)):
        together = [draw for draw in draws if draw.at == at]
        shares = [_share(draft, draw) for draw in together]
        if all(share is not None for share in shares) and _is_same(draft, sum(share or 0.0 for share in shares)):
            return together
    return []


def _share(draft: _Draft, draw: Draw) -> float | None:
    change = draft.change_of(draft.lots[draw.lot])
    return draw.amount / change if change else None


def _is_same(draft: _Draft, share: float) -> bool:
    """1 is all of it; pieces are counted, grams agree within what two weighings can."""
    if draft.units is not None:
        return abs(share - 1.0) <= LEAST
    g = abs(draft.g or 0.0)
    return g > 0 and abs(share - 1.0) * g <= AGREE * hypot(draft.event.u_g, draft.event.u_g)


def _shelve_waiting(draft: _Draft) -> None:
    """Deliveries told and not yet seen by a scale: those for this shelf, the oldest first."""
    waiting = [
        lot
        for lot in draft.lots.values()
        if lot.is_open and lot.product == draft.product.gtin and lot.in_back > LEAST and _may_come(draft, lot)
    ]
    for lot in sorted(waiting, key=lambda lot: (lot.shelf != draft.shelf, lot.received.wall_ms, lot.id)):
        change = draft.change_of(lot)
        if draft.rest <= LEAST or not change:
            continue
        seen = change * draft.rest
        is_all_of_it = draft.units is None and abs(seen - lot.in_back) <= SAME_SHARE * lot.in_back
        if is_all_of_it and lot.measure is Measure.GRAMS:  # the scale knows better than the paper
            more = seen - lot.in_back
            lot = replace(lot, left=lot.left + more, corrected=lot.corrected - more)
        amount = min(seen, lot.in_back)
        if is_all_of_it:  # pieces were counted: that they do not weigh quite alike makes no part of one
            amount = lot.in_back
        draft.used(change, seen if is_all_of_it else amount)
        draft.lots[lot.id] = draft.shelve(lot, amount)


def _may_come(draft: _Draft, lot: Lot) -> bool:
    """What hangs in somebody's hands with its container comes back by itself."""
    is_away = any(gone.lot == lot.id for book in draft.books.values() for gone in book.away)
    return not is_away


def _is_worth_a_lot(draft: _Draft) -> bool:
    if draft.units is not None:
        return draft.units * draft.rest >= 0.5
    g = (draft.g or 0.0) * draft.rest
    return g > max(AGREE * draft.event.u_g, 1.0)


def _found(draft: _Draft) -> None:
    """The first event of a shelf: what lay there before has no name, but counts."""
    before = draft.event.before
    draft.units, draft.g = _sure(before), before.net_g
    if draft.event.kind not in (EventKind.RESTOCK, EventKind.MOVE):
        _shelve_waiting(draft)  # told before: it was put down unseen
    if draft.event.kind not in _REBASED and _is_worth_a_lot(draft):
        _nameless(draft, Origin.FOUND)
    draft.rest = 1.0
    known_units = None if before.units is None else _sure(before)
    draft.book = replace(draft.book, net_g=before.net_g, units=known_units)


def _nameless(draft: _Draft, origin: Origin) -> None:
    """Into the nameless lot that is just being put down, or a new one."""
    for lot in draft.there():
        change = draft.change_of(lot)
        if lot.origin is origin is Origin.RESTOCK and change and 0 <= lot.received.passed_s(draft.at) <= FILL_S:
            amount = change * draft.rest
            grown = replace(lot, amount=lot.amount + amount, left=lot.left + amount)
            draft.lots[lot.id] = draft.shelve(grown, amount)
            draft.rest = 0.0
            return
    is_counted = draft.units is not None
    amount = draft.rest * ((draft.units if is_counted else draft.g) or 0.0)
    draft.rest = 0.0
    unit_g = draft.product.piece_g
    if is_counted and draft.g and draft.units:
        unit_g = draft.g / draft.units
    lot = Lot(
        id=topic_id(f"{draft.shelf[:20]}-{origin.value.partition('-')[0]}", draft.lots),
        product=draft.product.gtin,
        received=draft.at,
        measure=Measure.UNITS if is_counted else Measure.GRAMS,
        amount=amount,
        left=amount,
        unit_g=unit_g,
        stays=(Stay(draft.place, draft.at),),
        shelf=draft.shelf,
        shelved=(Shelved(draft.shelf, amount),),
        origin=origin,
    )
    draft.lots[lot.id] = lot


# --- the books --------------------------------------------------------------------------------------------------------


def _forget(draft: _Draft) -> None:
    """Draws nobody can bring back or tell as waste any more; debts the scale never saw; a container that stays away:
    what was in it lies in the back. While nobody knows how old one
    is, because the clock is not set yet after a power cut, it is kept."""
    book, at = draft.book, draft.at
    draft.book = replace(
        book,
        draws=tuple(draw for draw in book.draws if may_be_within(draw.at, at, WASTE_S)),
        owed=tuple(debt for debt in book.owed if may_be_within(debt.at, at, WASTE_S)),
        away=tuple(gone for gone in book.away if may_be_within(gone.at, at, AWAY_S)),
    )


def _with_book(register: Register, event: StockEvent, book: ShelfBook) -> Register:
    return replace(register, books={**register.books, event.shelf: book})


def _parts(before: Mapping[str, Lot], after: Mapping[str, Lot], shelf: str) -> tuple[LotPart, ...]:
    """By how much what lies on the shelf changed, lot by lot, first expired first."""
    found = []
    for lot in sorted(after.values(), key=fefo):
        old = before.get(lot.id)
        change = lot.on(shelf) - (0.0 if old is None else old.on(shelf))
        if abs(change) > LEAST:
            found.append(LotPart(lot.id, lot.units(change), lot.grams(change)))
    return tuple(found)


def _product(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else abs(a * b)
