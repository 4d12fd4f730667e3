"""One function a verb: what a command does to the memory, or why it does nothing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Identify, Plan, Reload, Request, Resend
from edge_agent.domain.command import Command, CommandResult, ResultCode, Verb
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import VOLATILE, Stream
from edge_agent.domain.stock import Balance, EventKind, StockEvent
from edge_agent.weighing import scale
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings

MAX_UNITS = 1_000_000
MAX_IDENTIFY_S = 600.0
MAX_RESEND = 1_000_000


class Refused(Exception):
    """The command changes nothing; the sender is told why."""

    def __init__(self, code: ResultCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Obeyed:
    memory: Memory
    result: CommandResult | None = None  # None: the service answers when it has done the request
    event: StockEvent | None = None
    request: Request | None = None


def obey(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    """Never raises for anything a sender can write: each fault is a result that names it."""
    try:
        if command.expires_s is not None and command.received.age_s(at) > command.expires_s:
            raise Refused(ResultCode.EXPIRED, f"valid for {command.expires_s:g} s after it was received")
        verb = _VERBS.get(command.verb)
        if verb is None:
            raise Refused(ResultCode.UNSUPPORTED, f"{command.verb!r} is none of {', '.join(sorted(_VERBS))}")
        return verb(memory, plan, command, at)
    except Refused as refused:
        return Obeyed(memory, CommandResult(command, refused.code, at, str(refused)))


def _tare(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    shelf = _shelf(plan, command)
    before = memory.scales.get(shelf.name, ScaleState())
    gross_g = _settled_g(memory, shelf)
    container_g = gross_g
    if "tare_g" in command.arguments:
        container_g = _number(command, "tare_g", 0, shelf.capacity_g, "g")
    after = scale.tare(before, container_g)
    return _changed(memory, shelf, command, at, EventKind.TARE, before, after, gross_g)


def _zero(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    shelf = _shelf(plan, command)
    before = memory.scales.get(shelf.name, ScaleState())
    gross_g = _settled_g(memory, shelf)
    try:
        after = scale.zero(before, gross_g, shelf.capacity_g)
    except ValueError as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    return _changed(memory, shelf, command, at, EventKind.ZERO, before, after, gross_g)


def _count(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    shelf = _shelf(plan, command)
    units = command.arguments.get("units")
    if not isinstance(units, int) or isinstance(units, bool) or not 0 <= units <= MAX_UNITS:
        raise Refused(ResultCode.INVALID, f"units = {units!r}: must be a whole number between 0 and {MAX_UNITS}")
    before = memory.scales.get(shelf.name, ScaleState())
    gross_g = _settled_g(memory, shelf)
    after = scale.counted(before, units, scale.net_g(gross_g, before.tare_g))
    return _changed(memory, shelf, command, at, EventKind.COUNT, before, after, gross_g)


def _identify(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    seconds = 15.0
    if "seconds" in command.arguments:
        seconds = _number(command, "seconds", 1, MAX_IDENTIFY_S, "s")
    return Obeyed(memory, request=Identify(command, seconds))


def _replay(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    name, first, last = (command.arguments.get(key) for key in ("stream", "from_seq", "to_seq"))
    streams = [stream.value for stream in Stream if stream not in VOLATILE]
    if name not in streams:
        raise Refused(ResultCode.INVALID, f"stream = {name!r}: must be one of {', '.join(streams)}")
    if not (_is_whole(first) and _is_whole(last) and 1 <= first <= last < first + MAX_RESEND):
        raise Refused(
            ResultCode.INVALID,
            f"from_seq = {first!r}, to_seq = {last!r}: must be whole numbers, 1 <= from_seq <= to_seq, "
            f"at most {MAX_RESEND} messages",
        )
    return Obeyed(memory, request=Resend(command, Stream(name), first, last))


def _reload(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    return Obeyed(memory, request=Reload(command))


_VERBS: Mapping[str, Callable[[Memory, Plan, Command, Instant], Obeyed]] = {
    Verb.TARE: _tare,
    Verb.ZERO: _zero,
    Verb.COUNT: _count,
    Verb.IDENTIFY: _identify,
    Verb.REPLAY: _replay,
    Verb.RELOAD: _reload,
}


def _shelf(plan: Plan, command: Command) -> ShelfSettings:
    name = command.arguments.get("shelf")
    for shelf in plan.shelves:
        if shelf.name == name:
            return shelf
    known = ", ".join(shelf.name for shelf in plan.shelves) or "none: no shelf is configured"
    raise Refused(ResultCode.INVALID, f"shelf = {name!r}: must be one of {known}")


def _settled_g(memory: Memory, shelf: ShelfSettings) -> float:
    trail = memory.trails.get(shelf.name, ())
    if not trail:
        raise Refused(ResultCode.HW_FAULT, f"the scale of {shelf.name} gives no weight now")
    if not scale.is_stable(trail, shelf):
        raise Refused(
            ResultCode.UNSTABLE,
            f"{shelf.name} is moving: it must rest within {shelf.stable_g:g} g for {shelf.stable_s:g} s",
        )
    return scale.settled_g(trail)


def _changed(
    memory: Memory,
    shelf: ShelfSettings,
    command: Command,
    at: Instant,
    kind: EventKind,
    before: ScaleState,
    after: ScaleState,
    gross_g: float,
) -> Obeyed:
    """The new scale state, the ledger's line about it, and the answer."""
    # A zero moves the gross by what it took away; tare and count leave it.
    gross_after_g = gross_g - (after.zero_g - before.zero_g)
    event = StockEvent(
        shelf=shelf.name,
        kind=kind,
        at=at,
        before=_balance(before, gross_g, shelf.stable_g),
        after=_balance(after, gross_after_g, shelf.stable_g),
        product=shelf.product,
        u_g=shelf.stable_g / math.sqrt(12),  # rectangular over the stability band: GUM (JCGM 100:2008) 4.3.7
        source=command.cmd_id,
    )
    # The trail holds gross weights of the old zero.
    trail = tuple((mono_ms, g - (after.zero_g - before.zero_g)) for mono_ms, g in memory.trails[shelf.name])
    memory = replace(
        memory,
        scales={**memory.scales, shelf.name: after},
        trails={**memory.trails, shelf.name: trail},
    )
    detail = {
        "shelf": shelf.name,
        "gross_g": round(gross_after_g, 3),
        "tare_g": round(after.tare_g, 3),
        "net_g": round(gross_after_g - after.tare_g, 3),
        "zero_g": round(after.zero_g, 3),
        "units": after.units,
    }
    return Obeyed(memory, CommandResult(command, ResultCode.DONE, at, detail=detail), event)


def _balance(state: ScaleState, gross_g: float, stable_g: float) -> Balance:
    net_g = scale.net_g(gross_g, state.tare_g)
    return Balance(net_g, scale.units_now(state, net_g, stable_g))


def _number(command: Command, key: str, low: float, high: float, unit: str) -> float:
    value = command.arguments[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise Refused(ResultCode.INVALID, f"{key} = {value!r}: must be between {low:g} and {high:g} {unit}")
    return float(value)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
