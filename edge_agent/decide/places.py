"""From what the thermometers, hygrometers and door contacts said to what is wrong with the places. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.alerts import place as watching
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.machinery import Learnt, Machinery
from edge_agent.alerts.place import PlaceState
from edge_agent.alerts.seen import Said, Seen
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.alerts.settings import FoodSettings, PlaceSettings, food_limit
from edge_agent.alerts.warmth import GAP_S
from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Plan, SensorPlan
from edge_agent.domain.alarm import Alarm, AlarmState
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Sample
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.stock import Balance
from edge_agent.weighing.settings import ShelfSettings

BELIEVED_INTERVALS = 4.0  # what one sensor said last, while another one of the place speaks
LEAST_BELIEVED_S = 5.0


@dataclass(frozen=True, slots=True)
class Watched:
    places: Mapping[str, PlaceState]
    learnt: Mapping[str, Learnt]  # by place: what is usual of its machines
    conditions: tuple[Condition, ...]  # of every place, holding or not
    records: tuple[RecordLine, ...]


def watch(memory: Memory, plan: Plan, samples: Sequence[Sample], at: Instant) -> Watched:
    """``memory`` as it was before these samples."""
    places: dict[str, PlaceState] = {}
    conditions: list[Condition] = []
    records: list[RecordLine] = []
    for place in plan.places:
        state = _judged(place, memory.places.get(place.name) or PlaceState(), memory.alarms)
        if state.started is None or state.started.boot != at.boot:
            learnt = memory.learnt.get(place.name) or Learnt()
            state = replace(state, started=at, machinery=Machinery.knowing(learnt))
            records.append(RecordLine(RecordKind.SETTINGS, at, place.name, settings_in_force(place, plan)))
        goods = goods_in_words(place, plan, memory)
        for seen in _instants(place, plan, memory.sensors, samples, at):
            watched = watching.watch(place, plan.food, state, seen, goods)
            state = watched.state
            records += watched.records
        places[place.name] = state
        conditions += state.conditions
        conditions += _watched_no_more(place, plan.food, memory.alarms.values())
    learnt_now = {name: state.machinery.learnt for name, state in places.items()}
    return Watched(places, learnt_now, tuple(conditions), tuple(records))


def _judged(place: PlaceSettings, state: PlaceState, alarms: Mapping[str, Alarm]) -> PlaceState:
    """A corrective action, given and closed, says that somebody has judged the goods."""
    alarm = alarms.get(f"{place.name}-food-safety")
    if alarm is None or alarm.state is not AlarmState.NORMAL or not alarm.corrective_action:
        return state
    return watching.judged(state, alarm.at)


def _watched_no_more(place: PlaceSettings, food: FoodSettings, alarms: Iterable[Alarm]) -> Iterator[Condition]:
    """Of alarms that stand, and that the place as it is configured now cannot raise."""
    for alarm in alarms:
        if alarm.place != place.name or alarm.state is AlarmState.NORMAL:
            continue
        if alarm.name in watching.never_raised(place, food):
            yield Condition(
                name=alarm.name,
                holds=False,
                priority=alarm.priority,
                message=alarm.message,
                action=alarm.action,
                evidence="its limit is not configured any more",
                place=place.name,
                is_watched=False,
            )


def _instants(
    place: PlaceSettings, plan: Plan, sensors: Mapping[str, SensorHealth], samples: Sequence[Sample], now: Instant
) -> Iterator[Seen]:
    """What was said at each instant, with what the others said lately; and the end of the cycle, when nobody spoke."""
    points = _points(place)
    latest = {name: said for name in points if (said := _said_last(name, plan, sensors)) is not None}
    news = sorted(
        (said for sample in samples if sample.point in points and (said := _said(sample, plan)) is not None),
        key=lambda said: said.at.mono_ms,
    )
    for index, said in enumerate(news):
        following = news[index + 1] if index + 1 < len(news) else None
        latest[said.sensor] = said
        if following is not None and following.at == said.at:
            continue
        spoke = tuple(each for each in latest.values() if each.at == said.at)
        known = tuple(
            each for each in latest.values() if each.at != said.at and _is_believed(each, plan.sensors, said.at)
        )
        yield Seen(said.at, spoke, known)
    if not news:
        yield Seen(now)


def _points(place: PlaceSettings) -> tuple[str, ...]:
    return (*place.sensors, *place.core, *(() if place.door is None else (place.door,)))


def _said_last(name: str, plan: Plan, sensors: Mapping[str, SensorHealth]) -> Said | None:
    last = sensors[name].last_good if name in sensors else None
    return None if last is None else _said(last, plan)


def _said(sample: Sample, plan: Plan) -> Said | None:
    """The good readings of a sample; None when there is none."""
    good = {
        reading.channel.quantity: reading.value for reading in sample.readings if reading.quality is Quality.GOOD
    }  # fmt: skip
    if all(value is None for value in good.values()):
        return None
    raw_c, is_open = good.get("temperature"), good.get("open")
    return Said(
        sensor=sample.point,
        at=sample.at,
        temperature_c=None if raw_c is None else raw_c + plan.sensors[sample.point].correction_c,
        humidity_pct=good.get("humidity"),
        is_open=None if is_open is None else is_open >= 0.5,
        raw_c=raw_c,
    )


def _is_believed(said: Said, sensors: Mapping[str, SensorPlan], at: Instant) -> bool:
    interval_s = sensors[said.sensor].interval_s
    believed_s = GAP_S if interval_s is None else max(LEAST_BELIEVED_S, BELIEVED_INTERVALS * interval_s)
    return said.at.age_s(at) <= believed_s


def goods_in_words(place: PlaceSettings, plan: Plan, memory: Memory) -> str:
    """What the shelves there say, or what the configuration says lies there."""
    told = [_in_words(shelf, plan, memory) for shelf in plan.shelves if _is_there(shelf, place, plan)]
    return ", ".join(words for words in told if words) or ", ".join(place.goods)


def _is_there(shelf: ShelfSettings, place: PlaceSettings, plan: Plan) -> bool:
    """By its cells' own place, by its thermometer, or by its door."""
    points = _points(place)
    beside = {name for name in (shelf.temperature, shelf.door) if name is not None}
    cells = (plan.sensors.get(cell.sensor) for cell in shelf.cells)
    return not beside.isdisjoint(points) or any(cell is not None and cell.place == place.name for cell in cells)


def _in_words(shelf: ShelfSettings, plan: Plan, memory: Memory) -> str:
    present = memory.presents.get(shelf.name)
    product = plan.products.get(shelf.product or "")
    name = shelf.name if product is None else product.name
    return "" if present is None else _amount(present.balance, name)


def _amount(balance: Balance, name: str) -> str:
    """
    >>> _amount(Balance(25_500.0, 24), "Milk 1 l"), _amount(Balance(12_340.0), "Apples")
    ('24 x Milk 1 l', '12.3 kg Apples')
    >>> _amount(Balance(0.0, 0), "Figs"), _amount(Balance(None), "Figs")
    ('', 'Figs')
    """
    if balance.units is not None:
        return f"{balance.units} x {name}" if balance.units else ""
    if balance.net_g is None:
        return name
    return f"{balance.net_g / 1000:.1f} kg {name}" if balance.net_g >= 100 else ""


def settings_in_force(place: PlaceSettings, plan: Plan) -> Mapping[str, object]:
    """The limits, the law, and which sensor with which calibration measured: a line at each start."""
    body = {
        "climate": place.kind.value,
        "goods": list(place.goods),
        "product": "measured" if place.core else "reckoned from the air",
        "time_constant_s": round(place.time_constant_s),
        "low_c": place.low_c,
        "high_c": place.high_c,
        "dwell_s": place.dwell_s,
        "deadband_c": place.deadband_c,
        "critical_low_c": place.critical_low_c,
        "critical_high_c": place.critical_high_c,
        "critical_on": place.critical_on,
        "critical_dwell_s": place.critical_dwell_s,
        "freezing_c": place.freezes_c,
        "chilling_c": place.chills_c,
        "dry_pct": place.dry_pct,
        "humid_pct": place.humid_pct,
        **_law(place, plan.food),
        "sensors": [_known(_described(name, plan.sensors[name], place)) for name in _points(place)],
    }
    return _known(body)


def _known(body: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in body.items() if value is not None}


def _law(place: PlaceSettings, food: FoodSettings) -> dict[str, object]:
    limit = food_limit(place, food)
    region = {} if food.region is None else {"region": food.region.value}
    if limit is None:
        return {**region}
    return {
        **region,
        "food_limit_c": limit.limit_c,
        "food_limit_source": limit.source,
        "tolerance_s": round(3600 * food.tolerance_h),
    }


def _described(name: str, sensor: SensorPlan, place: PlaceSettings) -> dict[str, object]:
    role = "core" if name in place.core else "door" if name == place.door else "air"
    return {
        "sensor": name,
        "driver": sensor.driver,
        "role": role,
        "interval_s": sensor.interval_s,
        "calibrated_on": sensor.calibrated_on,
        "certificate": sensor.certificate,
        "correction_c": sensor.correction_c,
    }
