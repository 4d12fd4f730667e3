"""The weight of a lot that lies on a scale by itself: what it loses while nobody moves anything is its water.

The scale's own drift looks the same. So each weight carries how far the scale may have drifted since the first, and who
learns from it must weigh that against what the goods lost.
"""

from collections.abc import Mapping
from dataclasses import replace

from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot
from edge_agent.lots.register import Register, Rest, ShelfBook

REST_S = 3600.0  # from weight to weight; later on they lie further apart
SPREAD = 24.0  # so many to the time since the first
KNOWN = 0.05  # of the weight: more that no lot explains, and something else lies there as well


def lone(register: Register) -> Mapping[str, Lot]:
    """By shelf the lot that is all that lies there, as far as scale and register agree. One look at each lot."""
    there: dict[str, list[Lot]] = {}
    for lot in register.lots.values():
        for part in lot.shelved if lot.is_open else ():
            there.setdefault(part.shelf, []).append(lot)
    return {
        shelf: lots[0]
        for shelf, lots in there.items()
        if len(lots) == 1
        and shelf in register.books
        and _is_all(register.books[shelf], lots[0].grams(lots[0].on(shelf)))
    }


def _is_all(book: ShelfBook, g: float | None) -> bool:
    if g is None or book.unattributed_g is None or book.owed or book.away:
        return False
    return abs(book.unattributed_g) <= KNOWN * g


def begins(book: ShelfBook, lot: Lot, at: Instant) -> bool:
    """Another lot than before, or another run of the board: what was weighed until then says nothing of this one."""
    return not book.rests or book.alone != lot.id or book.rests[0].at.boot != at.boot


def is_due(book: ShelfBook, lot: Lot, at: Instant) -> bool:
    """The more time has passed, the less an hour more says."""
    if begins(book, lot, at):
        return True
    first, last = book.rests[0].at, book.rests[-1].at
    return last.age_s(at) >= max(REST_S, first.age_s(last) / SPREAD)


def rested(register: Register, shelf: str, lot: Lot, rest: Rest) -> Register:
    """One weight more; ``rest.u_g`` as the scale may have drifted since the first of them."""
    book = register.books[shelf]
    before = () if begins(book, lot, rest.at) else book.rests
    book = replace(book, alone=lot.id, rests=(*before, rest))
    return replace(register, books={**register.books, shelf: book})


def unweighed(register: Register, shelf: str) -> Register:
    """It lies there no longer alone."""
    book = register.books.get(shelf)
    if book is None or not book.rests:
        return register
    return replace(register, books={**register.books, shelf: replace(book, alone="", rests=())})


def weighings(register: Register) -> Mapping[str, tuple[Rest, ...]]:
    """By lot. Of one that lies alone on several scales, by that which has seen it longest."""
    found: dict[str, tuple[Rest, ...]] = {}
    for book in register.books.values():
        if len(book.rests) > len(found.get(book.alone, ())):
            found[book.alone] = book.rests
    return found
