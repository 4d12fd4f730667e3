"""From what the load cells said to what happened on the shelves. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.decide import calibrate
from edge_agent.decide.memory import Memory
from edge_agent.decide.moves import pair
from edge_agent.decide.nouns import Plan
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.stock import StockEvent, StockState
from edge_agent.weighing import cells
from edge_agent.weighing.cells import CellTrace
from edge_agent.weighing.events import balance_of
from edge_agent.weighing.faults import CURES, CellFault, drifting
from edge_agent.weighing.follow import follow
from edge_agent.weighing.nouns import Present, Surroundings, Weight
from edge_agent.weighing.scale import ScaleState, net_g
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.trace import Trace

KNOWN_FOR_INTERVALS = 4.0  # how long a door or a thermometer is believed after it spoke last
KNOWN_FOR_S = 600.0  # the same, where a recording says when


@dataclass(frozen=True, slots=True)
class Weighed:
    memory: Memory
    samples: tuple[Sample, ...]  # of each shelf that was weighed: its telemetry
    events: tuple[StockEvent, ...]
    conditions: tuple[Condition, ...]  # of every shelf


def weigh(memory: Memory, plan: Plan, samples: Iterable[Sample], at: Instant) -> Weighed:
    """One batch of every shelf; also of one whose cells said nothing, for silence is a fault."""
    if not plan.shelves:
        return Weighed(memory, (), (), ())
    of_cell = _by_point(samples)
    scales, cell_traces = dict(memory.scales), dict(memory.cells)
    traces, presents = dict(memory.traces), dict(memory.presents)
    told: list[Sample] = []
    events: list[StockEvent] = []
    conditions: list[Condition] = []
    for shelf in plan.shelves:
        state = scales.get(shelf.name) or ScaleState()
        product = product_of(shelf, plan)
        said = [sample for cell in shelf.cells for sample in of_cell.get(cell.sensor, ())]
        heard = cells.weighed(
            shelf,
            cell_traces.get(shelf.name) or CellTrace(),
            said,
            at.mono_ms,
            zero_g=state.zero_g,
            piece_g=_piece_g(state, product),
        )
        cell_traces[shelf.name] = heard.trace
        faults = _of_the_scale(heard.faults, memory.sensors)
        if calibrate.suspends(memory, shelf, at):
            presents[shelf.name] = _being_calibrated(state)
        else:
            around = surroundings(shelf, plan, memory.sensors, at)
            trace = traces.get(shelf.name) or Trace()
            followed = follow(shelf, state, trace, heard.weights, at, around, product)
            scales[shelf.name], traces[shelf.name] = followed.state, followed.trace
            drifts = _drifting(followed.trace)
            presents[shelf.name] = _shown(followed.present, drifts)
            faults += drifts
            events += followed.events
        conditions.append(_condition(shelf, faults))
        if heard.weights:
            told.append(_telemetry(shelf, scales.get(shelf.name, state), presents[shelf.name], heard.weights[-1], at))
    paired = pair(memory.picks, events, at)
    memory = replace(
        memory, scales=scales, cells=cell_traces, traces=traces, presents=presents, picks=paired.picks
    )  # fmt: skip
    return Weighed(memory, tuple(told), paired.events, tuple(conditions))


def _being_calibrated(state: ScaleState) -> Present:
    """Known weights are no stock: what lies there is as it was."""
    return Present(None, balance_of(state), False, None, state.drift_tracked_g, "calibrating")


def _drifting(trace: Trace) -> list[CellFault]:
    """What the follower found out about the scale."""
    fault = drifting(trace.drifting)
    return [] if fault is None else [fault]


def _shown(present: Present, drifts: Sequence[CellFault]) -> Present:
    """With a fault's code alone: its figures change all the time, and the alarm tells them."""
    if present.gross_g is None or not drifts:
        return present
    return replace(present, fault=drifts[0].code)


def anew(memory: Memory, plan: Plan, shelves: Iterable[str], at: Instant) -> Memory:
    """The presents of these shelves after a command changed their scales."""
    presents = dict(memory.presents)
    for shelf in plan.shelves:
        if shelf.name in shelves:
            state, trace = memory.scales[shelf.name], memory.traces.get(shelf.name) or Trace()
            product = product_of(shelf, plan)
            followed = follow(shelf, state, trace, (), at, product=product)
            presents[shelf.name] = _shown(followed.present, _drifting(followed.trace))
    return replace(memory, presents=presents)


def stock_of(shelf: ShelfSettings, memory: Memory, at: Instant) -> StockState:
    present, state = memory.presents[shelf.name], memory.scales.get(shelf.name, ScaleState())
    return StockState(
        shelf=shelf.name,
        at=at,
        quality=Quality.BAD if present.gross_g is None else Quality.GOOD,
        gross_g=present.gross_g,
        tare_g=state.tare_g,
        balance=present.balance,
        is_stable=present.is_stable,
        product=shelf.product,
        fault=present.fault,
        noise_g=present.noise_g,
        drift_tracked_g=present.drift_tracked_g,
    )


def product_of(shelf: ShelfSettings, plan: Plan) -> Product | None:
    return plan.products.get(shelf.product) if shelf.product is not None else None


def surroundings(
    shelf: ShelfSettings, plan: Plan, sensors: Mapping[str, SensorHealth], now: Instant
) -> Surroundings:  # fmt: skip
    """What the sensors that the shelf names said last, as long as that was lately."""
    is_open = _lately(shelf.door, "open", plan, sensors, now)
    temperature_c = _lately(shelf.temperature, "temperature", plan, sensors, now)
    return Surroundings(None if is_open is None else is_open >= 0.5, temperature_c)


def _lately(
    point: str | None, quantity: str, plan: Plan, sensors: Mapping[str, SensorHealth], now: Instant
) -> float | None:
    if point is None or point not in sensors:
        return None
    last = sensors[point].last_good
    if last is None:
        return None
    interval_s = plan.sensors[point].interval_s
    known_for_s = KNOWN_FOR_S if interval_s is None else KNOWN_FOR_INTERVALS * interval_s
    if last.at.age_s(now) > known_for_s:
        return None
    return next((reading.value for reading in last.readings if reading.channel.quantity == quantity), None)


def _by_point(samples: Iterable[Sample]) -> Mapping[str, Sequence[Sample]]:
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.point].append(sample)
    return found


def _piece_g(state: ScaleState, product: Product | None) -> float | None:
    """Learnt, or else as configured."""
    if state.pieces.model is not None:
        return state.pieces.model.mean_g
    return product.piece_g if product is not None else None


def _telemetry(shelf: ShelfSettings, state: ScaleState, present: Present, last: Weight, at: Instant) -> Sample:
    """Gross and net at the newest weight of the batch; as it was read, and uncertain, until the filters are filled."""
    then = replace(at, mono_ms=last.mono_ms, wall_ms=at.wall_ms + last.mono_ms - at.mono_ms)
    gross_g, quality, fault = present.gross_g, Quality.GOOD, None
    if last.gross_g is None:
        gross_g, quality, fault = None, Quality.BAD, last.fault
    elif gross_g is None:
        gross_g, quality = last.gross_g - state.zero_g, Quality.UNCERTAIN
    of_goods_g = None if gross_g is None else net_g(gross_g, state.tare_g)
    return Sample(
        shelf.name,
        then,
        tuple(
            Reading(Channel(shelf.name, quantity), value, then, quality, fault)
            for quantity, value in (("gross", gross_g), ("net", of_goods_g))
        ),
    )


def _of_the_scale(faults: Sequence[CellFault], sensors: Mapping[str, SensorHealth]) -> list[CellFault]:
    """Without what the sensor's own alarm says: one cause, one alarm."""
    return [
        fault
        for fault in faults
        if fault.cell is None or (fault.code != "silent" and sensors[fault.cell].fault is None)
    ]  # fmt: skip


def _condition(shelf: ShelfSettings, faults: Sequence[CellFault]) -> Condition:
    """A scale that cannot be trusted needs a person, who wants to know which cell it is and how that was seen."""
    cure = CURES.get(faults[0].code) if faults else None
    return Condition(
        name=f"scale-{shelf.name}",
        holds=bool(faults),
        priority=Priority.MEDIUM,
        message=f"The scale of {shelf.name} cannot be trusted; its stock is as it was told last"
        if faults
        else f"The scale of {shelf.name} weighs again",
        action=cure.cure if cure is not None else "Run edge-agent scale diagnose " + shelf.name,
        evidence="; ".join(f"{cells.name(fault)}: {fault.evidence}" for fault in faults),
    )
