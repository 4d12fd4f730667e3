"""The lots of a cycle: what scales saw and what people told, each booked to the lot it was. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.alerts.life import NotPossible
from edge_agent.decide import goods
from edge_agent.decide.goods import REASONS
from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Plan
from edge_agent.decide.wording import short, who
from edge_agent.domain.command import Command, Verb
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Ending, Lot, Measure, Stay, Unsold
from edge_agent.domain.product import Product
from edge_agent.domain.stock import EventKind, StockEvent
from edge_agent.lots import register as lots
from edge_agent.lots.dating import dated
from edge_agent.lots.keeping import Keeping, Told
from edge_agent.lots.register import Register

SOLD_FRESH, MARKED_DOWN, WASTED = "sold-fresh", "marked-down", "wasted"
OUTCOMES = (SOLD_FRESH, MARKED_DOWN, WASTED)
VERBS = (Verb.MOVE, Verb.OUTCOME)
SPOILED = "spoiled"  # why a lot is marked down, where nobody says otherwise: the spoilage room's word for its age
MOST_WAITING = 256  # outcomes that wait to be learnt from


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did to the lots, and the answer."""

    memory: Memory
    message: str
    detail: Mapping[str, object]


def of_events(
    memory: Memory, plan: Plan, events: Sequence[StockEvent], now: Instant
) -> tuple[Memory, list[StockEvent], list[Unsold]]:
    """The events, each with what it did to which lot; and what of them, or of those before, was no sale."""
    register, told, unsold = memory.register, [], []
    for event in events:
        product = plan.products.get(event.product or "")
        if product is None or not _is_followed(register, product):
            register = _without_book(register, event.shelf)
            told.append(event)
            continue
        from edge_agent.lots.events import booked  # here: a node that follows no lot stays small

        done = booked(register, dated(event, now), product, place_of(plan, event.shelf))
        register = done.register
        told.append(replace(event, lots=done.parts) if done.parts else event)
        unsold += [_share_of(event, product, taken, share) for taken, share in done.unsold if share > lots.LEAST]
    if register is memory.register:
        return memory, told, unsold
    return _with_sold_out(replace(memory, register=register), memory.register), told, unsold


def _share_of(event: StockEvent, product: Product, taken: Instant, share: float) -> Unsold:
    """In the measure in which the event itself counts, and on the day on which that was taken."""
    units = None if event.delta_units is None or event.is_ambiguous else share * abs(event.delta_units)
    g = None if event.delta_g is None else share * abs(event.delta_g)
    return Unsold(product.gtin, event.at if event.kind is EventKind.PICK else taken, units, g)


def settled(memory: Memory, plan: Plan) -> Memory:
    """After a start: shelves may be configured no more."""
    register = lots.on_shelves(memory.register, {shelf.name for shelf in plan.shelves})
    return memory if register is memory.register else replace(memory, register=register)


def _is_followed(register: Register, product: Product) -> bool:
    """Who tells no delivery and names no kind of goods keeps no lots: then a scale's word makes none."""
    return product.keeps_like is not None or any(lot.product == product.gtin for lot in register.lots.values())


def _without_book(register: Register, shelf: str) -> Register:
    if shelf not in register.books:
        return register
    return replace(register, books={name: book for name, book in register.books.items() if name != shelf})


def place_of(plan: Plan, shelf: str | None) -> str:
    return goods.place_of(plan, {"shelf": shelf} if shelf is not None else {})


def _with_sold_out(memory: Memory, before: Register) -> Memory:
    """A lot that was sold to the last kept at least so long."""
    for name, lot in memory.register.lots.items():
        if lot.ending is Ending.SOLD_OUT and name in before.lots and before.lots[name].is_open:
            memory = _learnt_later(memory, lot, "sold", at=lot.closed)
    return memory


# --- what people tell -------------------------------------------------------------------------------------------------


def received(memory: Memory, plan: Plan, body: Mapping[str, object], place: str, at: Instant) -> tuple[Memory, Lot]:
    """A delivery becomes a lot; ``body`` as ``goods`` has checked it. One of nothing is none that is left."""
    product = plan.products[str(body["product"])]
    amount, measure, unit_g = _amount(body, product)
    shelf = body.get("shelf")
    temperature_c = body.get("temperature_c")
    lot = Lot(
        id=lots.topic_id(str(body["lot"]), memory.register.lots),
        product=product.gtin,
        received=at,
        measure=measure,
        amount=amount,
        left=amount,
        unit_g=unit_g,
        code=str(body["lot"]),
        supplier=str(body["supplier"]),
        stays=(Stay(place, at),),
        shelf=None if shelf is None else str(shelf),
        packaging=_text(body, "packaging"),
        packed=_text(body, "packed"),
        best_before=_text(body, "best_before"),
        use_by=_text(body, "use_by"),
        temperature_c=temperature_c if isinstance(temperature_c, float) else None,
    )
    register = lots.received(memory.register, lots.closed_if_empty(lot, at))
    return replace(memory, register=register), register.lots[lot.id]


def _text(body: Mapping[str, object], key: str) -> str | None:
    return str(body[key]) if key in body else None


def _amount(body: Mapping[str, object], product: Product) -> tuple[float, Measure, float | None]:
    """Less what was sent back."""
    units, grams = body.get("units"), body.get("grams")
    rejected_g = body.get("rejected_g")
    back_g = rejected_g if isinstance(rejected_g, float) else 0.0
    if isinstance(units, int) and not product.is_catch_weight:
        known = isinstance(grams, float) and grams > 0 and units > 0
        unit_g = grams / units if known and isinstance(grams, float) else product.piece_g
        return max(0.0, units - (back_g / unit_g if unit_g else 0.0)), Measure.UNITS, unit_g
    if isinstance(grams, float):
        return max(0.0, grams - back_g), Measure.GRAMS, product.piece_g
    piece_g = product.piece_g
    if isinstance(units, int) and piece_g is not None:
        return max(0.0, units * piece_g - back_g), Measure.GRAMS, piece_g
    raise NotPossible(f"grams is missing: {product.name} is sold by weight")


@dataclass(frozen=True, slots=True)
class Wasted:
    memory: Memory
    lots: Sequence[Lot]  # that it was taken from
    product: str | None  # whose it was; None where neither a person nor a lot says so
    unsold: Sequence[Unsold]  # of it scales saw go before


def wasted(memory: Memory, plan: Plan, body: Mapping[str, object], at: Instant) -> Wasted:
    """Thrown away: of the lot that is named, else of those there, first expired first.

    What a scale saw go, and what no lot explains, was no sale; what was in the back never was one, and what lies on a
    shelf is none when its scale sees it go.
    Raises NotPossible for a lot that nobody knows, where lots are kept, for one that may be of several products, and
    for more of it than there ever was.
    """
    began = memory.register
    found = _meant(memory.register, body)
    if "lot" in body and memory.register.lots:
        _check_named(memory.register, found, body)
    rest, lost = 1.0, 0.0  # shares of what was told: of no lot yet; of a lot, and nobody knows where it lay
    touched = []
    for lot in found:
        want = _of_measure(lot, body)
        if want is None or want <= 0 or rest <= lots.LEAST:
            continue
        there = lot.left + (lot.drawn if len(found) == 1 else 0.0)  # what left the shelf before it was told
        amount = min(want * rest, there)
        rest -= amount / want
        cause = str(body["reason"])
        register = lots.wasted(memory.register, lot, amount, at, cause, is_of_shelf="shelf" in body)
        lost += (amount - register.lots[lot.id].wasted + lot.wasted) / want
        memory = replace(memory, register=register)
        memory = _learnt_later(memory, register.lots[lot.id], "wasted", str(body["reason"]), at=at)
        touched.append(register.lots[lot.id])
    product = _product_of(body, touched or found)
    unsold = [_unsold(began, draw, at) for draw in lots.unsold(began, memory.register)]
    if product is not None and rest + lost > lots.LEAST:
        unsold.append(Unsold(product, at, *(_part(body.get(key), rest + lost) for key in ("units", "grams"))))
    return Wasted(memory, touched, product, unsold)


def _product_of(body: Mapping[str, object], found: Sequence[Lot]) -> str | None:
    if "product" in body:
        return str(body["product"])
    products = {lot.product for lot in found}
    return products.pop() if len(products) == 1 else None


def _part(value: object, share: float) -> float | None:
    return value * share if isinstance(value, int | float) else None


def _unsold(register: Register, draw: lots.Draw, now: Instant) -> Unsold:
    """On the day on which it was taken; where that boot never knew its day, on this one."""
    lot = register.lots[draw.lot]
    is_dated = draw.at.clock is not ClockState.UNSYNCED or draw.at.boot == now.boot
    return Unsold(lot.product, draw.at if is_dated else now, lot.units(draw.amount), lot.grams(draw.amount))


def _meant(register: Register, body: Mapping[str, object]) -> list[Lot]:
    known = list(register.lots.values()) if "lot" in body else register.open_lots()
    found = [lot for lot in known if body.get("product") in (None, lot.product)]
    if "lot" in body:
        named = [lot for lot in found if body["lot"] in (lot.code, lot.id)]
        return sorted((lot for lot in named if lot.is_open), key=lots.fefo) or named[-1:]
    if "shelf" in body:
        return [lot for lot in found if lot.on(str(body["shelf"])) > 0 or lot.shelf == body["shelf"]]
    if "place" in body:
        return [lot for lot in found if lot.place == body["place"]]
    return found


def _check_named(register: Register, found: Sequence[Lot], body: Mapping[str, object]) -> None:
    if not found:
        of = f" of product {body['product']}" if "product" in body else ""
        hint = "or leave it out and give product"
        raise NotPossible(f"lot = {short(body['lot'])}: must be a lot{of} that is known: {_known(register)}; {hint}")
    products = sorted({lot.product for lot in found})
    if len(products) > 1:
        raise NotPossible(f"lot = {short(body['lot'])}: is of several products, give product: {', '.join(products)}")
    most, want = sum(lot.left + lot.drawn for lot in found), _of_measure(found[0], body)
    if want is not None and want > most * (1 + lots.SAME_SHARE):
        key = "units" if found[0].measure is Measure.UNITS else "grams"
        raise NotPossible(f"{key} = {want:.10g}: must be at most {most:.10g}: no more of lot {found[0].id} was there")


def _of_measure(lot: Lot, body: Mapping[str, object]) -> float | None:
    """What was told, in the lot's own measure; None where it cannot be said."""
    units, grams = body.get("units"), body.get("grams")
    if lot.measure is Measure.UNITS:
        if isinstance(units, int):
            return float(units)
        return grams / lot.unit_g if isinstance(grams, float) and lot.unit_g else None
    if isinstance(grams, float):
        return grams
    return units * lot.unit_g if isinstance(units, int) and lot.unit_g else None


def carry_out(memory: Memory, plan: Plan, command: Command, at: Instant) -> Done:
    """`move` and `outcome`. Raises NotPossible."""
    return _DOES[Verb(command.verb)](memory, plan, command, at)


def _move(memory: Memory, plan: Plan, command: Command, at: Instant) -> Done:
    body = _body(plan, command, ("lot", "product", "shelf", "place"))
    lot = _one(memory.register, body)
    if not body.keys() & {"shelf", "place"}:
        raise NotPossible("where to is missing: give shelf or place")
    shelf = goods.checked(plan, "shelf", body["shelf"]) if "shelf" in body else None
    place = goods.checked(plan, "place", body["place"]) if "place" in body else place_of(plan, str(shelf))
    register = lots.moved(memory.register, lot, str(place), None if shelf is None else str(shelf), at)
    where = shelf or place
    detail = {"lot": lot.id, "place": place or None, "shelf": shelf, "who": who(command)}
    return Done(replace(memory, register=register), f"lot {lot.id} lies in {where}", detail)


def _outcome(memory: Memory, plan: Plan, command: Command, at: Instant) -> Done:
    body = _body(plan, command, ("lot", "product", "outcome", "reason"))
    lot = _one(memory.register, body)
    outcome = body.get("outcome")
    if outcome not in OUTCOMES:
        raise NotPossible(f"outcome = {short(outcome)}: must be one of {', '.join(OUTCOMES)}")
    if outcome == WASTED and "reason" not in body:
        raise NotPossible(f"reason is missing: must be one of {', '.join(REASONS)}")
    if outcome == SOLD_FRESH and "reason" in body:
        raise NotPossible(f"reason = {short(body['reason'])}: what was sold fresh has none")
    reason = str(goods.checked(plan, "reason", body["reason"])) if "reason" in body else SPOILED
    match outcome:
        case "sold-fresh":
            register, kind = lots.ended(memory.register, lot, Ending.SOLD_FRESH, at), "sold"
        case "marked-down":
            register, kind = lots.marked_down(memory.register, lot, at), "marked-down"
        case _:
            register, kind = lots.ended(memory.register, lot, Ending.WASTED, at, reason), "wasted"
    memory = _learnt_later(replace(memory, register=register), lot, kind, reason if kind != "sold" else "", at=at)
    detail = {"lot": lot.id, "outcome": outcome, "reason": body.get("reason"), "who": who(command)}
    return Done(memory, f"lot {lot.id}: {outcome}", detail)


_DOES: Mapping[Verb, Callable[[Memory, Plan, Command, Instant], Done]] = {Verb.MOVE: _move, Verb.OUTCOME: _outcome}


def _body(plan: Plan, command: Command, keys: tuple[str, ...]) -> dict[str, object]:
    given = {key: value for key, value in command.arguments.items() if key != "who" and value is not None}
    odd = [key for key in given if key not in keys]
    if odd:
        raise NotPossible(f"{short(odd[0])} is none of {', '.join(keys)}")
    if "lot" not in given:
        raise NotPossible(f"lot is missing: {command.verb} needs it, as printed or as edge-agent lots shows it")
    if "product" in given:
        goods.checked(plan, "product", given["product"])
    return given


def _one(register: Register, body: Mapping[str, object]) -> Lot:
    """By its topic's id, or by its code where that means one."""
    name = body["lot"]
    there = [lot for lot in register.open_lots() if body.get("product") in (None, lot.product)]
    for lot in there:
        if lot.id == name:
            return lot
    found = [lot for lot in there if lot.code == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotPossible(f"lot = {short(name)}: several have this code: {', '.join(lot.id for lot in found)}")
    closed = [lot for lot in register.lots.values() if not lot.is_open and name in (lot.id, lot.code)]
    if closed:
        how = "" if closed[-1].ending is None else f", {closed[-1].ending}"
        raise NotPossible(f"lot = {short(name)}: is closed{how}; tell with waste what was thrown away of it")
    of = f" of product {body['product']}" if "product" in body else ""
    raise NotPossible(f"lot = {short(name)}: must be an open lot{of}: {_known(register)}")


def _known(register: Register) -> str:
    return ", ".join(lot.id for lot in register.open_lots()[:12]) or "there is none"


def _learnt_later(memory: Memory, lot: Lot, kind: str, reason: str = "", *, at: Instant | None) -> Memory:
    """Who supplied a lot nobody knows teaches nothing; nor does one whose life was never reckoned."""
    life = memory.keepings.get(lot.id, Keeping(lot.received)).life
    if life is None or life.basis == "date" or not lot.supplier or len(memory.outcomes) >= MOST_WAITING:
        return memory
    told = Told(lot.id, lot.product, lot.supplier, kind, life.used, reason, at, lot.received)
    return replace(memory, outcomes=(*memory.outcomes, told))
