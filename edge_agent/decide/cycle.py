"""The one decision of a cycle, composed of the rooms of the core."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge_agent.alerts import annunciate, flood, sensor_fault, trial
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.decide import alarms, lives, lots, places, presses, set_limits, shelves
from edge_agent.decide.commands import Obeyed, obey
from edge_agent.decide.memory import Memory, Reported
from edge_agent.decide.nouns import Decision, Gathered, Plan, SensorPlan
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Sample
from edge_agent.domain.record import RecordLine
from edge_agent.domain.stock import StockEvent, StockState
from edge_agent.lots.register import parts_on


def decide(memory: Memory, plan: Plan, gathered: Gathered) -> Decision:
    """What this cycle changes, keeps and tells. The same input always gives the same decision."""
    began, memory = memory, lives.with_dates(memory, gathered.at)
    memory = lots.settled(memory, plan) if memory.started is None else memory
    draft = _Draft.of(memory)
    for sample in gathered.samples:
        health = draft.sensors.get(sample.point) or SensorHealth(since=sample.at)
        draft.sensors[sample.point] = sensor_fault.follow(health, sample)
        _report(draft, plan.sensors[sample.point], sample)
    for name in plan.sensors:
        draft.sensors.setdefault(name, SensorHealth(since=gathered.at))

    watched = places.watch(memory, set_limits.in_force(plan, memory), gathered.samples, gathered.at)
    weighed = shelves.weigh(replace(memory, sensors=draft.sensors), plan, gathered.samples, gathered.at)
    sensor_of = {shelf.name: shelf.cells[0].sensor for shelf in plan.shelves}
    for sample in weighed.samples:
        _report(draft, plan.sensors[sensor_of[sample.point]], sample)

    memory = replace(weighed.memory, reported=draft.reported, places=watched.places, learnt=watched.learnt)
    memory, weighed_events, unsold = lots.of_events(memory, plan, weighed.events, gathered.at)
    memory, answers = _obey_all(memory, plan, gathered)
    told = [answer.event for answer in answers if answer.event is not None]
    memory, asked, more = lots.of_events(memory, plan, told, gathered.at)
    memory = shelves.anew(memory, plan, {event.shelf for event in asked}, gathered.at)
    memory, pressed = presses.obey(memory, plan.alarms, gathered.presses)
    acts = [*(transition for answer in answers for transition in answer.transitions), *pressed]
    of_sensors = _sensor_conditions(memory, plan, gathered.at)
    conditions = [*of_sensors, *watched.conditions, *weighed.conditions, *gathered.conditions]
    conditions += filter(None, [trial.condition(memory.trial, memory.alarms, gathered.at)])
    followed = alarms.follow(memory, plan.alarms, conditions, gathered.at)
    memory, transitions = followed.memory, [*acts, *followed.transitions]
    events = [*weighed_events, *asked]
    memory = lives.follow(memory, plan)
    memory, lived = (memory, []) if gathered.lives is None else lives.taken(memory, gathered.lives, gathered.at)
    memory, stocks = _stocks(memory, plan, gathered.at, events)
    return Decision(
        memory=memory,
        samples=draft.samples,
        stocks=stocks,
        events=events,
        transitions=transitions,
        results=[answer.result for answer in answers if answer.result is not None],
        requests=[answer.request for answer in answers if answer.request is not None],
        annunciation=annunciate.annunciation(flood.hushed(trial.aside(memory.alarms), gathered.at), gathered.at),
        records=[*watched.records, *_told_by_people(answers), *alarms.record_lines(transitions)],
        lives=lived,
        closed=lives.closed_now(began, memory),
        unsold=[*unsold, *(each for answer in answers for each in answer.unsold), *more],
    )


@dataclass(slots=True)
class _Draft:
    """The memory's maps, copied once a cycle and open for change while the samples go through."""

    sensors: dict[str, SensorHealth]
    reported: dict[str, Reported]
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def of(cls, memory: Memory) -> "_Draft":
        return cls(dict(memory.sensors), dict(memory.reported))


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


def _obey_all(memory: Memory, plan: Plan, gathered: Gathered) -> tuple[Memory, list[Obeyed]]:
    answers = []
    for command in gathered.commands:
        answer = obey(memory, plan, command, gathered.at)
        memory = answer.memory
        answers.append(answer)
    return memory, answers


def _told_by_people(answers: Iterable[Obeyed]) -> Iterable[RecordLine]:
    return (line for answer in answers for line in answer.records)


def _sensor_conditions(memory: Memory, plan: Plan, now: Instant) -> Iterable[Condition]:
    for name, sensor in plan.sensors.items():
        if sensor.interval_s is not None:
            found = sensor_fault.condition(name, memory.sensors[name], sensor.interval_s, now)
            if found.holds or memory.sensors[name].good:  # after a start nothing is known of it at first
                yield found


def _stocks(
    memory: Memory, plan: Plan, now: Instant, events: Iterable[StockEvent]
) -> tuple[Memory, list[StockState]]:  # fmt: skip
    """The present of each shelf, where it differs from what was told last; after an event in any case."""
    moved = {event.shelf for event in events}
    told: dict[str, StockState] = {}
    for shelf in plan.shelves:
        if shelf.name not in memory.presents:
            continue
        stock = replace(shelves.stock_of(shelf, memory, now), lots=parts_on(memory.register, shelf.name))
        if shelf.name in moved or _is_news(memory.stocks.get(shelf.name), stock, shelf.stable_g):
            told[shelf.name] = stock
    return (replace(memory, stocks={**memory.stocks, **told}) if told else memory), list(told.values())


def _is_news(last: StockState | None, stock: StockState, stable_g: float) -> bool:
    """A shelf is told of when it rests at another weight than before, or when its quality changed."""
    if last is None:
        return stock.is_stable or stock.fault is not None  # before the first rest nobody knows what lies there
    if last.quality is not stock.quality or last.fault != stock.fault:
        return True
    if not stock.is_stable or stock.gross_g is None:
        return False
    if not last.is_stable or last.gross_g is None or last.balance.units != stock.balance.units:
        return True
    if last.lots != stock.lots:
        return True
    return abs(stock.gross_g - last.gross_g) > stable_g
