"""One function a verb: what a command does to the memory, or why it does nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from edge_agent.alerts.life import NotPossible
from edge_agent.decide import alarm_commands, calibrate, goods, lots, models, set_limits, shelves, trials
from edge_agent.decide.alarms import with_acts
from edge_agent.decide.authority import refusal
from edge_agent.decide.goods import MAX_UNITS
from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Identify, Plan, Reload, Request, Resend
from edge_agent.domain.alarm import AlarmTransition
from edge_agent.domain.command import Command, CommandResult, ResultCode, Verb
from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Unsold
from edge_agent.domain.message import VOLATILE, Stream
from edge_agent.domain.product import Product
from edge_agent.domain.record import RecordLine
from edge_agent.domain.stock import EventKind, StockEvent
from edge_agent.weighing import calibration, pieces, scale
from edge_agent.weighing.events import balance_of
from edge_agent.weighing.pieces import Pieces
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.trace import Phase, Trace

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
    transitions: Sequence[AlarmTransition] = ()
    records: Sequence[RecordLine] = ()
    unsold: Sequence[Unsold] = ()


def obey(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    """Never raises for anything a sender can write: each fault is a result that names it."""
    try:
        if command.expires_s is not None and command.received.age_s(at) > command.expires_s:
            raise Refused(ResultCode.EXPIRED, f"valid for {command.expires_s:g} s after it was received")
        verb = _VERBS.get(command.verb)
        if verb is None:
            raise Refused(ResultCode.UNSUPPORTED, f"{command.verb!r} is none of {', '.join(sorted(_VERBS))}")
        forbidden = refusal(command, plan.commands)
        if forbidden is not None:
            raise Refused(ResultCode.UNAUTHORIZED, forbidden)
        return verb(memory, plan, command, at)
    except Refused as refused:
        return Obeyed(memory, CommandResult(command, refused.code, at, str(refused)))
    except OverflowError:  # JSON's whole numbers have no end: no float and no instant takes one of 400 digits
        return Obeyed(memory, CommandResult(command, ResultCode.INVALID, at, "a number in it is too large"))


def _tare(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    shelf = _shelf(plan, command)
    before = memory.scales.get(shelf.name, ScaleState())
    gross_g = _settled_g(memory, shelf, at)
    container_g = gross_g
    if "tare_g" in command.arguments:
        container_g = _number(command, "tare_g", 0, shelf.capacity_g, "g")
    after = scale.tare(before, container_g, gross_g)
    believed = pieces.unknown(_pieces_of(before, shelves.product_of(shelf, plan)))
    after = replace(after, pieces=pieces.weighed(believed, gross_g - container_g, after.u_g))
    return _changed(memory, shelf, command, at, EventKind.TARE, before, after, gross_g)


def _zero(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    shelf = _shelf(plan, command)
    before = memory.scales.get(shelf.name, ScaleState())
    gross_g = _settled_g(memory, shelf, at)
    try:
        after = scale.zero(before, gross_g, shelf.capacity_g)
    except ValueError as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    if after.away_g is None:  # who zeroes an empty platform says that no piece lies there
        believed = _pieces_of(before, shelves.product_of(shelf, plan))
        after = replace(after, pieces=believed if believed.model is None else pieces.counted(believed, 0, 0.0, 0.0))
    return _changed(memory, shelf, command, at, EventKind.ZERO, before, after, gross_g - after.zero_g + before.zero_g)


def _count(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    """Corrects the number and teaches the weight of a piece; grams stay as they are."""
    shelf = _shelf(plan, command)
    product = shelves.product_of(shelf, plan)
    units = command.arguments.get("units")
    if not isinstance(units, int) or isinstance(units, bool) or not 0 <= units <= MAX_UNITS:
        raise Refused(ResultCode.INVALID, f"units = {units!r}: must be a whole number between 0 and {MAX_UNITS}")
    if product is not None and product.is_catch_weight:
        raise Refused(ResultCode.INVALID, f"{shelf.name} holds {product.name}, sold by weight: it has no pieces")
    before = memory.scales.get(shelf.name, ScaleState())
    gross_g = _settled_g(memory, shelf, at)
    if before.away_g is not None:
        raise Refused(ResultCode.INVALID, f"the container of {shelf.name} is away: put it back, then count")
    net_g = scale.net_g(gross_g, before.tare_g) if before.net_g is None else before.net_g
    believed = _pieces_of(before, product)
    after = replace(before, net_g=net_g, pieces=pieces.counted(believed, units, net_g, before.u_g))
    found = pieces.found_by_count(believed, units, net_g, before.u_g)
    detail = {"book_units": found.book_units, "piece_g": None if found.piece_g is None else round(found.piece_g, 2)}
    return _changed(memory, shelf, command, at, EventKind.COUNT, before, after, gross_g, found.words, detail)


def _calibrate(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    shelf = _shelf(plan, command)
    try:
        stepped = calibrate.step(memory, shelf, command, at)
    except calibration.Unsteady as error:
        raise Refused(ResultCode.UNSTABLE, str(error)) from error
    except calibration.Refused as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    if stepped.request is not None:
        temperature_c = shelves.surroundings(shelf, plan, memory.sensors, at).temperature_c
        return Obeyed(stepped.memory, request=replace(stepped.request, temperature_c=temperature_c))
    result = CommandResult(command, ResultCode.DONE, at, stepped.message, stepped.detail)
    return Obeyed(stepped.memory, result)


def _alarms(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    try:
        asked = alarm_commands.carry_out(memory, plan.alarms, command, at)
    except NotPossible as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    changed = {transition.alarm.name: transition.alarm for transition in asked.transitions}
    memory = replace(memory, alarms={**memory.alarms, **changed})
    result = CommandResult(command, ResultCode.DONE, at, asked.message, asked.detail)
    return Obeyed(memory, result, transitions=asked.transitions)


def _test_alarm(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    try:
        memory, words, detail = trials.carry_out(memory, command, at)
    except ValueError as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    return Obeyed(memory, CommandResult(command, ResultCode.DONE, at, words, detail))


def _set(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    try:
        changed = set_limits.carry_out(memory, plan, command, at)
    except NotPossible as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    memory = with_acts(changed.memory, changed.transitions)
    result = CommandResult(command, ResultCode.DONE, at, changed.message, changed.detail)
    return Obeyed(memory, result, records=changed.records, transitions=changed.transitions)


def _goods(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    try:
        told = goods.carry_out(plan, command, at)
    except NotPossible as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    return Obeyed(memory, CommandResult(command, ResultCode.DONE, at, told.message, told.detail), records=(told.line,))


def _receive(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    told = _goods(memory, plan, command, at)
    (line,) = told.records
    try:
        memory, lot = lots.received(memory, plan, line.body, line.place, at)
    except NotPossible as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    return _with_lots(told, memory, {"lot_id": lot.id})


def _waste(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    told = _goods(memory, plan, command, at)
    try:
        done = lots.wasted(memory, plan, told.records[0].body, at)
    except NotPossible as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    if done.product is not None:
        line = goods.of_product(told.records[0], done.product)
        found = CommandResult(command, ResultCode.DONE, at, goods.words(plan, line), goods.detail(line))
        told = replace(told, records=(line,), result=found)
    told = replace(told, unsold=done.unsold)
    return _with_lots(told, done.memory, {"lot_ids": [lot.id for lot in done.lots]} if done.lots else {})


def _with_lots(told: Obeyed, memory: Memory, more: Mapping[str, object]) -> Obeyed:
    if told.result is None:
        return told
    return replace(told, memory=memory, result=replace(told.result, detail={**told.result.detail, **more}))


def _lots(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    try:
        done = lots.carry_out(memory, plan, command, at)
    except NotPossible as error:
        raise Refused(ResultCode.INVALID, str(error)) from error
    return Obeyed(done.memory, CommandResult(command, ResultCode.DONE, at, done.message, done.detail))


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


def _model(memory: Memory, plan: Plan, command: Command, at: Instant) -> Obeyed:
    try:
        return Obeyed(memory, request=models.read(command))
    except ValueError as error:
        raise Refused(ResultCode.INVALID, str(error)) from error


_VERBS: Mapping[str, Callable[[Memory, Plan, Command, Instant], Obeyed]] = {
    Verb.TARE: _tare,
    Verb.ZERO: _zero,
    Verb.COUNT: _count,
    Verb.CALIBRATE: _calibrate,
    **dict.fromkeys(alarm_commands.VERBS, _alarms),
    Verb.TEST_ALARM: _test_alarm,
    Verb.SET: _set,
    Verb.RECEIVE: _receive,
    Verb.WASTE: _waste,
    **dict.fromkeys(lots.VERBS, _lots),
    Verb.IDENTIFY: _identify,
    Verb.REPLAY: _replay,
    Verb.RELOAD: _reload,
    Verb.MODEL: _model,
}


def _shelf(plan: Plan, command: Command) -> ShelfSettings:
    name = command.arguments.get("shelf")
    for shelf in plan.shelves:
        if shelf.name == name:
            return shelf
    known = ", ".join(shelf.name for shelf in plan.shelves) or "none: no shelf is configured"
    raise Refused(ResultCode.INVALID, f"shelf = {name!r}: must be one of {known}")


def _settled_g(memory: Memory, shelf: ShelfSettings, at: Instant) -> float:
    """The gross weight at rest. Raises Refused where there is none."""
    present, trace = memory.presents.get(shelf.name), memory.traces.get(shelf.name, Trace())
    if calibrate.suspends(memory, shelf, at):
        raise Refused(ResultCode.BUSY, f"{shelf.name} is being calibrated: send calibrate with step finish or cancel")
    fault = trace.signal.fault if present is None else present.fault or trace.signal.fault
    if fault is not None:
        raise Refused(ResultCode.HW_FAULT, f"the scale of {shelf.name} cannot be trusted now: {fault}")
    if trace.signal.last_ms is None:
        raise Refused(ResultCode.HW_FAULT, f"the scale of {shelf.name} gives no weight now")
    if trace.phase is not Phase.REST or not scale.is_stable(trace, shelf):
        raise Refused(
            ResultCode.UNSTABLE, f"{shelf.name} is moving: it must rest for {shelf.stable_s:g} s, by the noise it has"
        )
    return scale.settled_g(trace)


def _pieces_of(state: ScaleState, product: Product | None) -> Pieces:
    """What is believed; anew when the shelf has another product now."""
    return pieces.of_product(state.pieces, product)


def _changed(
    memory: Memory,
    shelf: ShelfSettings,
    command: Command,
    at: Instant,
    kind: EventKind,
    before: ScaleState,
    after: ScaleState,
    gross_g: float,
    evidence: str = "",
    more: Mapping[str, object] | None = None,
) -> Obeyed:
    """The new scale state, the ledger's line about it, and the answer. ``gross_g`` as it is afterwards."""
    event = StockEvent(
        shelf=shelf.name,
        kind=kind,
        at=at,
        before=balance_of(before),
        after=balance_of(after),
        product=shelf.product,
        u_g=after.u_g,
        source=command.cmd_id,
        drift_tracked_g=after.drift_tracked_g,
        evidence=evidence,
    )
    detail = {
        "shelf": shelf.name,
        "gross_g": round(gross_g, 3),
        "tare_g": round(after.tare_g, 3),
        "net_g": round(gross_g - after.tare_g, 3),
        "zero_g": round(after.zero_g, 3),
        "units": pieces.units_of(after.pieces)[0],
        **(more or {}),
    }
    memory = replace(memory, scales={**memory.scales, shelf.name: after})
    return Obeyed(memory, CommandResult(command, ResultCode.DONE, at, evidence, detail), event)


def _number(command: Command, key: str, low: float, high: float, unit: str) -> float:
    value = command.arguments[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise Refused(ResultCode.INVALID, f"{key} = {value!r}: must be between {low:g} and {high:g} {unit}")
    return float(value)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
