"""The one decision of a cycle, composed of the rooms of the core."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge_agent.alerts import condition as alarm_condition
from edge_agent.alerts import sensor_fault
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.decide.commands import Obeyed, obey
from edge_agent.decide.memory import Memory, Reported
from edge_agent.decide.nouns import Decision, Gathered, Plan, SensorPlan
from edge_agent.domain.alarm import Alarm, AlarmTransition
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.domain.stock import Balance, StockState
from edge_agent.weighing import scale
from edge_agent.weighing.scale import ScaleState, Trail, Weighing
from edge_agent.weighing.settings import ShelfSettings


def decide(memory: Memory, plan: Plan, gathered: Gathered) -> Decision:
    """What this cycle changes, keeps and tells. The same input always gives the same decision."""
    draft = _Draft.of(memory)
    shelf_of = scale.sensors_of(plan.shelves)
    for sample in gathered.samples:
        health = draft.sensors.get(sample.point) or SensorHealth(since=sample.at)
        draft.sensors[sample.point] = sensor_fault.follow(health, sample)
        _report(draft, plan.sensors[sample.point], sample)
        shelf = shelf_of.get(sample.point)
        if shelf is not None:
            _weigh(draft, plan.sensors[sample.point], shelf, sample)
    for name in plan.sensors:
        draft.sensors.setdefault(name, SensorHealth(since=gathered.at))

    memory, answers = _obey_all(draft.memory(memory), plan, gathered)
    memory, transitions = _alarms(
        memory, [*_sensor_conditions(memory, plan, gathered.at), *gathered.conditions], gathered.at
    )
    events = [answer.event for answer in answers if answer.event is not None]
    touched = draft.weighed | {event.shelf for event in events}
    memory, stocks = _stocks(
        memory, [s for s in plan.shelves if s.name in touched], gathered.at, {e.shelf for e in events}
    )
    return Decision(
        memory=memory,
        samples=draft.samples,
        stocks=stocks,
        events=events,
        transitions=transitions,
        results=[answer.result for answer in answers if answer.result is not None],
        requests=[answer.request for answer in answers if answer.request is not None],
    )


@dataclass(slots=True)
class _Draft:
    """The memory's maps, copied once a cycle and open for change while the samples go through."""

    sensors: dict[str, SensorHealth]
    counts: dict[str, Reading]
    trails: dict[str, Trail]
    reported: dict[str, Reported]
    scales: dict[str, ScaleState]
    samples: list[Sample] = field(default_factory=list)
    weighed: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, memory: Memory) -> "_Draft":
        return cls(
            dict(memory.sensors), dict(memory.counts), dict(memory.trails), dict(memory.reported), dict(memory.scales)
        )

    def memory(self, before: Memory) -> Memory:
        return replace(before, sensors=self.sensors, counts=self.counts, trails=self.trails, reported=self.reported)


def _report(draft: _Draft, plan: SensorPlan, sample: Sample) -> None:
    """Keep the sample as telemetry when its time has come, or when a quality changed."""
    qualities = tuple(reading.quality for reading in sample.readings)
    last = draft.reported.get(sample.point)
    # Half an interval of slack: a sample a little early must not wait for the next one.
    slack_ms = 500 * (plan.interval_s or 0)
    if (
        last is not None
        and last.qualities == qualities
        and 0 <= sample.at.mono_ms - last.mono_ms < 1000 * plan.report_s - slack_ms
    ):
        return
    draft.reported[sample.point] = Reported(sample.at.mono_ms, qualities)
    draft.samples.append(sample)


def _weigh(draft: _Draft, plan: SensorPlan, shelf: ShelfSettings, sample: Sample) -> None:
    for reading in sample.readings:
        if reading.channel.quantity == "counts":
            draft.counts[sample.point] = reading
    weighing = scale.weigh(shelf, draft.scales.get(shelf.name, ScaleState()), draft.counts, sample.at)
    draft.trails[shelf.name] = scale.follow(draft.trails.get(shelf.name, ()), weighing, shelf.stable_s)
    draft.weighed.add(shelf.name)
    _report(draft, plan, Sample(shelf.name, sample.at, _readings(shelf, weighing)))


def _readings(shelf: ShelfSettings, weighing: Weighing) -> tuple[Reading, ...]:
    return tuple(
        Reading(Channel(shelf.name, quantity), value, weighing.at, weighing.quality, weighing.fault)
        for quantity, value in (("gross", weighing.gross_g), ("net", weighing.net_g))
    )


def _obey_all(memory: Memory, plan: Plan, gathered: Gathered) -> tuple[Memory, list[Obeyed]]:
    answers = []
    for command in gathered.commands:
        answer = obey(memory, plan, command, gathered.at)
        memory = answer.memory
        answers.append(answer)
    return memory, answers


def _sensor_conditions(memory: Memory, plan: Plan, now: Instant) -> Iterable[Condition]:
    for name, sensor in plan.sensors.items():
        if sensor.interval_s is not None:
            yield sensor_fault.condition(name, memory.sensors[name], sensor.interval_s, now)


def _alarms(memory: Memory, conditions: Iterable[Condition], now: Instant) -> tuple[Memory, list[AlarmTransition]]:
    transitions = []
    changed: dict[str, Alarm] = {}
    for condition in conditions:
        transition = alarm_condition.observe(memory.alarms.get(condition.name), condition, now)
        if transition is not None:
            transitions.append(transition)
            changed[condition.name] = transition.alarm
    return (replace(memory, alarms={**memory.alarms, **changed}) if changed else memory), transitions


def _stocks(
    memory: Memory, shelves: Iterable[ShelfSettings], now: Instant, asked: set[str]
) -> tuple[Memory, list[StockState]]:
    """The present of each weighed shelf, where it differs from what was told last."""
    told: dict[str, StockState] = {}
    for shelf in shelves:
        state = memory.scales.get(shelf.name, ScaleState())
        weighing = scale.weigh(shelf, state, memory.counts, now)
        trail = memory.trails.get(shelf.name, ())
        stable = scale.is_stable(trail, shelf)
        stock = StockState(
            shelf=shelf.name,
            at=now,
            quality=weighing.quality,
            gross_g=weighing.gross_g,
            tare_g=state.tare_g,
            balance=Balance(weighing.net_g, scale.units_now(state, weighing.net_g, shelf.stable_g)),
            is_stable=stable,
            product=shelf.product,
            fault=weighing.fault,
        )
        if shelf.name in asked or _is_news(memory.stocks.get(shelf.name), stock, shelf.stable_g):
            told[shelf.name] = stock
    return (replace(memory, stocks={**memory.stocks, **told}) if told else memory), list(told.values())


def _is_news(last: StockState | None, stock: StockState, stable_g: float) -> bool:
    """A shelf is told of when it rests at another weight than before, or when its quality changed."""
    if last is None or last.quality is not stock.quality or last.fault != stock.fault:
        return True
    if not stock.is_stable or stock.gross_g is None:
        return False
    return last.gross_g is None or not last.is_stable or abs(stock.gross_g - last.gross_g) > stable_g
