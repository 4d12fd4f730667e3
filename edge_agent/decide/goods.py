"""What people say came in, and what they threw away: lines of the record, never a balance.

A scale weighs what a person tells; so neither changes what a shelf holds. The fields are those that a delivery must
be traced by: Regulation (EC) 178/2002, art. 18; 21 CFR 1.1345(a).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from edge_agent.alerts.life import NotPossible
from edge_agent.decide.nouns import Plan
from edge_agent.decide.wording import short, who
from edge_agent.domain.command import Command, Verb
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import PACKAGINGS
from edge_agent.domain.record import RecordKind, RecordLine

REASONS = ("expired", "spoiled", "damaged", "temperature", "recalled", "other")
MAX_G = 10_000_000.0  # ten tonnes
MAX_UNITS = 1_000_000
COLDEST_C, WARMEST_C = -60.0, 60.0
MAX_CHARS = 200
_NAME_CHARS = 64
_CHOICES = {"reason": REASONS, "packaging": PACKAGINGS}
_LOT = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")  # GS1 General Specifications, AI (10), table 7.11-1
_LOT_ID = re.compile(r"[a-z0-9-]{1,32}")  # as the last level of its topic
_DELIVERY = (
    "product",
    "lot",
    "supplier",
    "grams",
    "units",
    "invoiced_g",
    "rejected_g",
    "packed",
    "use_by",
    "best_before",
    "packaging",
    "temperature_c",
    "shelf",
    "place",
    "order",
    "note",
)
_WASTE = ("product", "lot", "shelf", "place", "grams", "units", "reason", "note")
VERBS = (Verb.RECEIVE, Verb.WASTE)


@dataclass(frozen=True, slots=True)
class Told:
    line: RecordLine
    message: str
    detail: Mapping[str, object]


def carry_out(plan: Plan, command: Command, at: Instant) -> Told:
    """Raises NotPossible."""
    by = who(command)
    is_delivery = command.verb == Verb.RECEIVE
    body = _body(plan, command, _DELIVERY if is_delivery else _WASTE)
    if is_delivery:
        _require(body, ("product", "lot", "supplier"), command.verb)
    elif not body.keys() & {"product", "lot", "shelf"}:
        raise NotPossible("what was thrown away is missing: give product, lot or shelf")
    else:
        _require(body, ("reason",), command.verb)
    if not body.keys() & {"grams", "units"}:
        raise NotPossible("how much is missing: give grams, units or both")
    _check_amount(body, is_delivery=is_delivery)
    _check_days(body, at)
    place = place_of(plan, body)
    body = {**body, "who": by, "source": command.cmd_id}
    kind = RecordKind.DELIVERY if is_delivery else RecordKind.WASTE
    line = RecordLine(kind, at, place, body)
    return Told(line, words(plan, line), detail(line))


def detail(line: RecordLine) -> dict[str, object]:
    """What the answer says of it."""
    return {key: value for key, value in line.body.items() if key != "source"}


def of_product(line: RecordLine, product: str) -> RecordLine:
    """With whose it was, where only the lot or the shelf was told."""
    return replace(line, body={"product": product, **line.body})


def _body(plan: Plan, command: Command, keys: tuple[str, ...]) -> dict[str, object]:
    given = {key: value for key, value in command.arguments.items() if key != "who" and value is not None}
    odd = [key for key in given if key not in keys]
    if odd:
        raise NotPossible(f"{short(odd[0])} is none of {', '.join(keys)}")
    body = {key: checked(plan, key, given[key]) for key in keys if key in given and key != "lot"}
    if "lot" in given:
        body["lot"] = _lot(given["lot"], is_new=command.verb == Verb.RECEIVE)
    of_shelf = next((shelf.product for shelf in plan.shelves if shelf.name == body.get("shelf")), None)
    if of_shelf is not None:
        body.setdefault("product", of_shelf)
    return body


def checked(plan: Plan, key: str, value: object) -> object:
    match key:
        case "product":
            return _one_of(key, value, tuple(plan.products), "the gtin of a [[product]]")
        case "shelf":
            return _one_of(key, value, tuple(shelf.name for shelf in plan.shelves), "a [[shelf]]")
        case "place":
            return _one_of(key, value, tuple(place.name for place in plan.places), "a [[place]]")
        case "reason" | "packaging":
            return _one_of(key, value, _CHOICES[key], f"a {key}")
        case "use_by" | "best_before" | "packed":
            return _day(key, value)
        case "grams" | "invoiced_g" | "rejected_g":
            return _number(key, value, 0.0, MAX_G, "g")
        case "temperature_c":
            return _number(key, value, COLDEST_C, WARMEST_C, "°C")
        case "units":
            return _units(value)
    return _text(key, value, MAX_CHARS if key == "note" else _NAME_CHARS)


def _one_of(key: str, value: object, known: tuple[str, ...], what: str) -> str:
    if isinstance(value, str) and value in known:
        return value
    raise NotPossible(f"{key} = {short(value)}: must be {what}: {', '.join(known) or 'there is none'}")


def _lot(value: object, *, is_new: bool) -> str:
    """``is_new``: as printed on it; one that is known may be named by its topic's id, which can be longer."""
    if isinstance(value, str) and (_LOT.fullmatch(value) or (not is_new and _LOT_ID.fullmatch(value))):
        return value
    raise NotPossible(f"lot = {short(value)}: must be 1 to 20 of the characters that GS1 allows in a lot, no blanks")


def _day(key: str, value: object) -> str:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass  # told below
    raise NotPossible(f"{key} = {short(value)}: must be a day such as 2026-11-30")


def _number(key: str, value: object, low: float, high: float, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise NotPossible(f"{key} = {short(value)}: must be between {low:.10g} and {high:.10g} {unit}")
    return float(value)


def _units(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UNITS:
        raise NotPossible(f"units = {short(value)}: must be a whole number between 0 and {MAX_UNITS}")
    return value


def _check_amount(body: Mapping[str, object], *, is_delivery: bool) -> None:
    """Nothing is no delivery, unless all of it was sent back; and it is no waste."""
    grams, back_g = body.get("grams"), body.get("rejected_g")
    if isinstance(grams, float) and isinstance(back_g, float) and back_g > grams > 0:
        raise NotPossible(f"rejected_g = {back_g:g}: must be at most grams, {grams:g}: what was sent back is of these")
    told = {key: body[key] for key in ("grams", "units") if key in body}
    if any(told.values()) or (is_delivery and back_g):
        return
    said = ", ".join(f"{key} = {value:g}" for key, value in told.items())
    raise NotPossible(f"{said}: must be more than 0")


def _check_days(body: Mapping[str, object], at: Instant) -> None:
    """A day later than UTC's is today somewhere, and a day earlier too; without a clock nobody knows what day it is."""
    days = {key: date.fromisoformat(str(body[key])) for key in ("packed", "use_by", "best_before") if key in body}
    packed = days.pop("packed", None)
    for key, day in days.items():
        if packed is not None and day < packed:
            raise NotPossible(f"{key} = {day}: must not be before packed, {packed}")
    if at.clock is ClockState.UNSYNCED:
        return
    today, use_by = at.utc.date(), days.get("use_by")
    if packed is not None and packed > today + timedelta(days=1):
        raise NotPossible(f"packed = {packed}: must not be after today, {today}")
    if use_by is not None and use_by < today - timedelta(days=1):
        raise NotPossible(f"use_by = {use_by}: must not be over, today is {today}: such goods are not received")


def _text(key: str, value: object, most: int) -> str:
    if isinstance(value, str) and value.isprintable() and 1 <= len(value.strip()) <= most:
        return value.strip()
    raise NotPossible(f"{key} = {short(value)}: must be 1 to {most} printable characters")


def _require(body: Mapping[str, object], keys: tuple[str, ...], verb: str) -> None:
    missing = [key for key in keys if key not in body]
    if missing:
        raise NotPossible(f"{missing[0]} is missing: {verb} needs {', '.join(keys)} and grams or units")


def place_of(plan: Plan, body: Mapping[str, object]) -> str:
    """As told, or that of the shelf's load cells, or of the thermometer beside them; "" when nobody knows."""
    if "place" in body:
        return str(body["place"])
    for shelf in plan.shelves:
        if shelf.name == body.get("shelf"):
            beside = (*(cell.sensor for cell in shelf.cells), shelf.temperature)
            return next((place for sensor in beside if (place := _place_with(plan, sensor))), "")
    return ""


def _place_with(plan: Plan, sensor: str | None) -> str:
    """The `[[place]]` that names a sensor, else that of which its `place` is the name."""
    if sensor is None or sensor not in plan.sensors:
        return ""
    naming = (place.name for place in plan.places if sensor in (*place.sensors, *place.core))
    return next(naming, next((place.name for place in plan.places if place.name == plan.sensors[sensor].place), ""))


def words(plan: Plan, line: RecordLine) -> str:
    body = line.body
    product = plan.products.get(str(body.get("product")))
    what = product.name if product is not None else str(body.get("lot") or body.get("shelf"))
    units = body.get("units")
    much = f"{units} x " if units is not None else f"{body['grams']:g} g "
    done = "received" if line.kind is RecordKind.DELIVERY else f"thrown away ({body['reason']})"
    return f"{much}{what} {done}"
