"""What is wrong with the goods, the sales and the models that a killed agent left behind. Pure.

Lots, record and answers are compared with one another: they were written together, or one of them is wrong.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edge_agent.domain.lot import Ending, Lot
from edge_agent.lots.register import Register

NEAR = 1e-6
NEAR_G = 60.0  # the noise of the scale, rounding of balances
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one file, as a kill left it. Bodies by stream, in the order of their numbers."""

    register: Register
    answers: Sequence[Body]
    records: Sequence[Body]
    events: Sequence[Body]

    def done(self, verb: str) -> list[Body]:
        return [body for body in self.answers if (body["verb"], body["code"]) == (verb, "done")]

    def details(self, verb: str) -> list[Body]:
        return [body["detail"] for body in self.done(verb)]


# --- commands ---------------------------------------------------------------------------------------------------------


def command_faults(kept: Kept) -> list[str]:
    """Answered as done and not carried out, or carried out twice, or by nobody's word."""
    return [*_received(kept), *_recorded(kept), *_wasted(kept), *_moved(kept), *_ended(kept)]


def _received(kept: Kept) -> Iterator[str]:
    told = Counter(detail["lot"] for detail in kept.details("receive"))
    yield from (f"{code} was received {times} times" for code, times in told.items() if times > 1)
    lots = kept.register.lots
    for detail in kept.details("receive"):
        lot = lots.get(detail["lot_id"])
        if lot is None or (lot.code, lot.amount) != (detail["lot"], detail["units"]):
            yield f"{detail['lot']} was received, and the register has {lot}"
    named = Counter(lot.code for lot in lots.values() if lot.code)
    yield from (f"{code} is {times} lots more than were received" for code, times in (named - told).items())


def _recorded(kept: Kept) -> Iterator[str]:
    for verb, kind in (("receive", "delivery"), ("waste", "waste")):
        told = Counter(body["cmd_id"] for body in kept.done(verb))
        stands = Counter(body["source"] for body in kept.records if body["kind"] == kind)
        yield from (f"{verb} {cmd_id} is done and not in the record" for cmd_id in told - stands)
        yield from (f"{verb} {cmd_id} stands in the record {stands[cmd_id]} times" for cmd_id in stands - told)
    nameless = [body["source"] for body in kept.records if body["kind"] == "waste" and "product" not in body]
    yield from (f"waste {cmd_id} stands in the record without its product" for cmd_id in nameless)


def _wasted(kept: Kept) -> Iterator[str]:
    told: Counter[str] = Counter()
    for detail in kept.details("waste"):
        told.update({lot: detail["units"] for lot in detail.get("lot_ids", ())})
    closed = {detail["lot"] for detail in kept.details("outcome") if detail["outcome"] != "marked-down"}
    for name, lot in kept.register.lots.items():
        if name not in closed and abs(lot.wasted - told[name]) > NEAR:
            yield f"{name}: {told[name]} told as thrown away, {lot.wasted:g} booked"


def _moved(kept: Kept) -> Iterator[str]:
    """Of lots that no scale has seen: only people say where they are."""
    last = {detail["lot"]: detail["place"] for detail in kept.details("move")}
    for name, place in last.items():
        lot = kept.register.lots.get(name)
        if lot is None:
            yield f"{name} was moved, and is not in the register"
        elif not lot.shelved and not lot.drawn and lot.place != place:
            yield f"{name} was moved to {place}, and lies in {lot.place}"


def _ended(kept: Kept) -> Iterator[str]:
    for detail in kept.details("outcome"):
        lot = kept.register.lots.get(detail["lot"])
        if lot is None or not _has_outcome(lot, detail["outcome"]):
            yield f"{detail['lot']} was told as {detail['outcome']}, and the register has {lot}"


def _has_outcome(lot: Lot, outcome: str) -> bool:
    if outcome == "marked-down":
        return lot.marked_down is not None
    return lot.ending is (Ending.SOLD_FRESH if outcome == "sold-fresh" else Ending.WASTED)


# --- balances ---------------------------------------------------------------------------------------------------------


def balance_faults(kept: Kept, shelf: str) -> list[str]:
    """Received is stock, drawn, wasted and corrected; what the lots of a shelf say is what its scale says."""
    return [*_sums(kept.register.lots.values()), *_shelf(kept, shelf)]


def _sums(lots: Iterable[Lot]) -> Iterator[str]:
    for lot in lots:
        parts = lot.left + lot.drawn + lot.wasted + lot.corrected
        if abs(lot.amount - parts) > NEAR:
            yield f"{lot.id}: {lot.amount:g} received, {parts:g} accounted for"
        if min(lot.amount, lot.left, lot.drawn, lot.wasted, lot.in_back) < 0:
            yield f"{lot.id}: less than nothing of {lot}"


def _shelf(kept: Kept, shelf: str) -> Iterator[str]:
    book = kept.register.books.get(shelf)
    event = next((body for body in reversed(kept.events) if body["shelf"] == shelf), None)
    if book is None or event is None:
        if (book is None) != (event is None):
            yield f"{shelf}: of book and event there is one alone: {book}, {event}"
        return
    told_g = event["balance_after"]["net_g"]
    if book.last.split("/")[::2] != [event["kind"], str(event["mono_ms"])]:
        yield f"{shelf}: the last event is {event['kind']} at {event['mono_ms']}, booked is {book.last}"
    elif told_g is not None and book.net_g is not None and abs(book.net_g - told_g) > 0.1:
        yield f"{shelf}: {told_g:g} g told, {book.net_g:g} g booked"
    if book.net_g is None or book.unattributed_g is None:
        return
    lots_g = sum(lot.grams(lot.on(shelf)) or 0.0 for lot in kept.register.lots.values())
    owed_g = sum(kept.register.lots[draw.lot].grams(draw.amount) or 0.0 for draw in book.owed)
    if abs(lots_g + owed_g + book.unattributed_g - book.net_g) > NEAR_G:
        parts = f"{lots_g:g} g of lots, {owed_g:g} g owed, {book.unattributed_g:g} g unattributed"
        yield f"{shelf}: {parts}, and {book.net_g:g} g on the scale"


def sold_faults(kept: Kept, product: str, piece_g: float, taken: float, back: float) -> list[str]:
    """``taken`` and ``back``: pieces that the shop's days have of the product from its shelves, of all days.

    Thrown away straight from the back was never taken: so ``back`` is at most what was thrown away or put back.
    """
    events = [body for body in kept.events if body.get("product") == product]
    picked = sum(_pieces(body, piece_g) for body in events if body["kind"] == "pick")
    moved = sum(_pieces(body, piece_g) for body in events if body["kind"] == "move")
    most = moved + sum(_pieces(body, piece_g) for body in events if body["kind"] == "restock")
    waste = [body for body in kept.records if body["kind"] == "waste" and body.get("product") == product]
    most += sum(body["units"] for body in waste)
    ended = {detail["lot"] for detail in kept.details("outcome") if detail["outcome"] == "wasted"}
    most += sum(lot.wasted for name, lot in kept.register.lots.items() if name in ended and lot.product == product)
    faults = []
    if abs(picked - taken) > 0.01:
        faults.append(f"{picked:g} pieces were picked, the shop's days have {taken:g}")
    if not moved - 0.01 <= back <= most + 0.01:
        right = f"{moved:g} were moved, and {most:g} moved, put back or thrown away"
        faults.append(f"{back:g} pieces were no sale by the shop's days: {right}")
    return faults


def _pieces(event: Body, piece_g: float) -> float:
    return float(abs(event["delta_units"] or event["delta_g"] / piece_g))


# --- models -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slots:
    """Versions of one model, by where they lie; None where nothing does."""

    active: str | None = None
    previous: str | None = None
    shadow: str | None = None

    def after(self, action: str, version: str) -> "Slots":
        """What one change makes of it.

        >>> Slots().after("install", "2.0").after("promote", "").after("install", "3.0")
        Slots(active='2.0', previous=None, shadow='3.0')
        """
        match action:
            case "install":
                return replace(self, shadow=version)
            case "promote":
                return self if self.shadow is None else Slots(self.shadow, self.active)
            case _:
                return replace(self, shadow=None) if self.shadow is not None else Slots(self.previous)


@dataclass(slots=True)
class ModelWatch:
    """Follows the slots of a model from kill to kill, by what was asked for and what was answered."""

    slots: Slots = Slots()
    _spent: set[str] = field(default_factory=set)  # not answered, and seen carried out: never to be carried out again
    _answered: set[str] = field(default_factory=set)

    def look(self, seen: Slots, asked: Mapping[str, tuple[str, str]], answers: Sequence[tuple[str, str]]) -> str:
        """What is wrong with what is seen, or nothing. ``asked``: (action, version) by command, as far as any was ever
        sent; ``answers``: (command, code) as they stand in the file, in their order.
        """
        new = [found for found in answers if found[0] not in self._answered]
        expected = self.slots
        for command, code in new:
            if code == "done" and command not in self._spent:
                expected = expected.after(*asked[command])
        self._answered |= {command for command, _ in new}
        unsure = {name: change for name, change in asked.items() if name not in self._answered | self._spent}
        begun = {replace(expected, previous=expected.active)} if expected.shadow and expected.active else set()
        by_command = {expected.after(*change): name for name, change in unsure.items()}
        before, self.slots = self.slots, seen
        if seen == expected or (seen in begun and any(action == "promote" for action, _ in unsure.values())):
            return ""
        if seen in by_command:
            self._spent.add(by_command[seen])
            return ""
        return f"{before} became {seen}; answered {new}, {len(unsure)} not answered"
