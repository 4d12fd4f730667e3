"""Everything that is watched in one place: from what its sensors said to conditions and lines of the record."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import median

from edge_agent.alerts import food_alarms, freezing, interval, limits, machinery, trust, warmth
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.excursion import Excursion, Turn
from edge_agent.alerts.excursion import follow as follow_limit
from edge_agent.alerts.food_clock import FoodClock
from edge_agent.alerts.freezing import Exposed
from edge_agent.alerts.interval import Interval, Noted
from edge_agent.alerts.limits import FOOD, Rule
from edge_agent.alerts.machinery import Machinery
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.seen import Said, Seen
from edge_agent.alerts.settings import FoodLimit, FoodSettings, Kind, PlaceSettings, food_limit
from edge_agent.alerts.warmth import Gap, Goods, Warmth
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine

_OF_COLD = frozenset({"defrost", "compressor", "cooling-weak"})  # alarms of a machine: alerts/machinery.py


@dataclass(frozen=True, slots=True)
class Lasting:
    """What outlives a power cut."""

    warmth: Warmth = field(default_factory=Warmth)
    exposed: Exposed = field(default_factory=Exposed)
    excursions: tuple[tuple[str, Excursion], ...] = ()  # by the rule's key
    interval: Interval = field(default_factory=Interval)
    seen: Instant | None = None  # the last moment
    judged_ms: int = 0  # wall time of the corrective action that set the food clock back last


@dataclass(frozen=True, slots=True)
class PlaceState:
    now: Lasting = field(default_factory=Lasting)
    kept: Lasting = field(default_factory=Lasting)  # as it was written last
    phase: tuple[str, ...] = ()  # of then
    started: Instant | None = None  # first seen in this run of the agent
    machinery: Machinery = field(default_factory=Machinery)  # what it learnt has a row of its own
    conditions: tuple[Condition, ...] = ()  # as of the last moment; every condition of the place, holding or not


@dataclass(frozen=True, slots=True)
class Watched:
    state: PlaceState
    conditions: tuple[Condition, ...]
    records: tuple[RecordLine, ...]


def watch(place: PlaceSettings, food: FoodSettings, state: PlaceState, seen: Seen, goods: str = "") -> Watched:
    """One instant on. ``goods``: what lies there, in words; for messages."""
    records: list[RecordLine] = []
    is_written = False
    if interval.is_over(state.now.interval, seen.at):
        until = state.now.seen or seen.at
        # What ended with another boot ends when it was seen last, else on the quarter hour itself.
        until = until if until.boot != seen.at.boot else seen.at
        next_interval, body = interval.closed(state.now.interval, until, seen.at)
        records.append(RecordLine(RecordKind.INTERVAL, seen.at, place.name, body))
        state = replace(state, now=replace(state.now, interval=next_interval))
        is_written = True
    if seen.news:
        state, lines = _moment(place, food, state, seen, goods)
        records += lines
    return Watched(_kept(state, is_due=is_written), state.conditions, tuple(records))


@lru_cache(maxsize=64)
def never_raised(place: PlaceSettings, food: FoodSettings) -> frozenset[str]:
    """Names of the alarms that a place can have, and this one as it is configured has not."""
    limit, rules = _in_force(place, food)
    has = {rule.key for rule in rules}
    if limit is not None:
        has |= food_alarms.KEYS
    if place.kind is not Kind.AMBIENT:
        has |= _OF_COLD
    if place.kind is not Kind.AMBIENT or place.door is not None:
        has.add("door")
    return frozenset(f"{place.name}-{key}" for key in (limits.KEYS | food_alarms.KEYS | _OF_COLD | {"door"}) - has)


def judged(state: PlaceState, at: Instant) -> PlaceState:
    """Somebody said at ``at`` what was done with the goods: their clock begins anew."""
    if state.now.judged_ms == at.wall_ms:
        return state
    clean = replace(state.now.warmth, clock=FoodClock(), unsure=None)
    return replace(state, now=replace(state.now, warmth=clean, judged_ms=at.wall_ms))


def _moment(
    place: PlaceSettings, food: FoodSettings, state: PlaceState, seen: Seen, goods: str
) -> tuple[PlaceState, list[RecordLine]]:
    now, at = state.now, seen.at
    started = state.started or at
    believed = trust.trusted(place, state.machinery.doubts, seen)
    moment = _as_one(place, now, believed.seen)
    machines = replace(state.machinery, doubts=believed.doubts)
    is_measured = any(each.temperature_c is not None for each in believed.seen.news)
    found = machinery.around(place, machines, moment, is_measured=is_measured)

    limit, rules = _in_force(place, food)
    limit_c = None if limit is None else limit.limit_c
    warmed = _warmed(place, Goods(place.time_constant_s, limit_c, food), now, moment, found.moment, believed.seen)
    machines, of_machines = machinery.cooling(place, found, warmed.moment.product_c, limit_c, goods)
    is_starting = abs(started.age_s(at)) < place.start_s
    excursions, turned = _excursions(rules, place.time_constant_s, now, warmed, is_starting=is_starting)

    records = [*found.records]
    records += [_line(place, rule, turn, excursion, at) for rule, turn, excursion in turned if rule.is_recorded]
    if warmed.gap is not None:
        records.append(RecordLine(RecordKind.GAP, at, place.name, _gap_body(warmed.gap, at, started)))
    own = (rule for rule in rules if rule.key != FOOD)
    conditions = [limits.condition(place, rule, excursions[rule.key], goods) for rule in own]
    if limit is not None:
        is_warm = excursions[FOOD].holds
        conditions += food_alarms.conditions(place, food, limit, warmed.warmth, goods, is_warm=is_warm)
    lasting = Lasting(
        warmth=warmed.warmth,
        exposed=warmed.exposed,
        excursions=tuple(excursions.items()),
        interval=interval.noted(now.interval, _noted(place, seen, now.warmth, warmed), at),
        seen=at,
        judged_ms=now.judged_ms,
    )
    told = (*conditions, *found.conditions, *of_machines, *believed.conditions)
    return PlaceState(lasting, state.kept, state.phase, started, machines, told), records


@dataclass(frozen=True, slots=True)
class _Warmed:
    """A moment with the goods in it."""

    moment: Moment
    core_c: float | None
    warmth: Warmth
    exposed: Exposed
    gap: Gap | None


def _warmed(
    place: PlaceSettings, judged_by: Goods, now: Lasting, moment: Moment, around: Moment, seen: Seen
) -> _Warmed:
    """``around``: whether there is a defrost, and a door open."""
    core_c = _median(_temperatures(seen.all, place.core))
    warm, gap = warmth.follow(now.warmth, judged_by, moment.air_c, core_c, moment.at)
    is_known = moment.air_c is not None or core_c is not None
    exposed = now.exposed
    if place.freezes_c is not None and moment.air_c is not None:
        after_s = 0.0 if now.warmth.at is None else warmth.between_s(now.warmth.at, moment.at)
        exposed = freezing.follow(exposed, moment.air_c, after_s, place.freezes_c, place.time_constant_s)
    moment = replace(
        moment,
        product_c=warm.product_c if is_known else None,
        is_defrosting=around.is_defrosting,
        is_door_open=around.is_door_open,
    )
    return _Warmed(moment, core_c, warm, exposed, gap)


def _as_one(place: PlaceSettings, now: Lasting, seen: Seen) -> Moment:
    after_s = 0.0 if now.seen is None else warmth.between_s(now.seen, seen.at)
    doors = [each.is_open for each in seen.all if each.sensor == place.door and each.is_open is not None]
    humidities = (each.humidity_pct for each in seen.all if each.sensor in place.sensors)
    temperatures = list(_temperatures(seen.all, place.sensors))
    return Moment(
        at=seen.at,
        air_c=_median(temperatures),
        coolest_c=min(temperatures, default=None),
        humidity_pct=_median(value for value in humidities if value is not None),
        is_door_open=any(doors) if doors else None,
        after_s=after_s,
    )


def _temperatures(said: Iterable[Said], sensors: tuple[str, ...]) -> Iterator[float]:
    for each in said:
        if each.sensor in sensors and each.temperature_c is not None:
            yield each.temperature_c


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None


@lru_cache(maxsize=64)
def _in_force(place: PlaceSettings, food: FoodSettings) -> tuple[FoodLimit | None, tuple[Rule, ...]]:
    """The law's limit, and every limit of the place with it."""
    limit = food_limit(place, food)
    rules = list(limits.rules(place, None if limit is None else limit.limit_c))
    if place.freezes_c is not None:
        rules.append(freezing.rule(place.freezes_c, place.off_delay_s))
    return limit, tuple(rules)


def _excursions(
    rules: Iterable[Rule], time_constant_s: float, now: Lasting, warmed: _Warmed, *, is_starting: bool
) -> tuple[dict[str, Excursion], list[tuple[Rule, Turn, Excursion]]]:
    """Where every limit stands now, and those that turned, as they were outside."""
    moment, exposed, core_c = warmed.moment, warmed.exposed, warmed.core_c
    values = {**limits.values(moment), "exposed": freezing.ahead_c(exposed, core_c, time_constant_s)}
    before, turned = dict(now.excursions), []
    following: dict[str, Excursion] = {}
    for rule in rules:
        is_excused = rule.is_excusable and (is_starting or moment.is_defrosting)
        if rule.of == "exposed":
            is_excused = not freezing.is_meant(exposed, core_c, rule.limit.value)
        old = before.get(rule.key) or Excursion()
        new, turn = follow_limit(old, rule.limit, values[rule.of], moment.after_s, moment.at, is_excused=is_excused)
        following[rule.key] = new
        if turn is not None:
            turned.append((rule, turn, new if turn is Turn.BEGUN else old))
    return following, turned


def _line(place: PlaceSettings, rule: Rule, turn: Turn, excursion: Excursion, at: Instant) -> RecordLine:
    kind = RecordKind.EXCURSION_BEGUN if turn is Turn.BEGUN else RecordKind.EXCURSION_ENDED
    body: dict[str, object] = {
        "limit": rule.key,
        "of": rule.of,
        "limit_c": rule.limit.value,
        "side": rule.limit.side.value,
        "dwell_s": round(rule.limit.dwell_s),
        "from": (excursion.begun or at).rfc3339(),
        "outside_s": round(excursion.outside_s),
        "extreme_c": round(excursion.extreme or 0.0, 2),
    }
    if turn is Turn.ENDED:
        body["to"] = at.rfc3339()
    return RecordLine(kind, at, place.name, body)


def _gap_body(gap: Gap, at: Instant, started: Instant) -> Mapping[str, object]:
    reason = "no reading"
    if gap.begun.boot != at.boot:
        reason = "switched off"
    elif gap.begun.mono_ms < started.mono_ms:
        reason = "agent stopped"
    known = {
        "duration_s": None if gap.duration_s is None else round(gap.duration_s),
        "product_before_c": None if gap.product_before_c is None else round(gap.product_before_c, 2),
        "product_after_c": None if gap.product_after_c is None else round(gap.product_after_c, 2),
        "counted_as_above_s": round(gap.assumed_above_s) or None,
    }
    begun = {"from": gap.begun.rfc3339(), "to": at.rfc3339(), "reason": reason}
    return {**begun, **{key: value for key, value in known.items() if value is not None}}


def _noted(place: PlaceSettings, seen: Seen, before: Warmth, warmed: _Warmed) -> Noted:
    """``seen``: also what is not believed, for the record has what the sensors said."""
    moment = warmed.moment
    is_measured = warmed.gap is None and before.at is not None and moment.product_c is not None
    return Noted(
        raw_c=tuple(each.raw_c for each in seen.news if each.sensor in place.sensors and each.raw_c is not None),
        air_c=moment.air_c,
        product_c=moment.product_c,
        humidity_pct=moment.humidity_pct,
        measured_s=warmth.between_s(before.at, seen.at) if is_measured and before.at is not None else 0.0,
        above_s=max(0.0, warmed.warmth.clock.above_s - before.clock.above_s),
        is_defrosting=moment.is_defrosting,
        is_door_open=moment.is_door_open is True,
    )


def _kept(state: PlaceState, *, is_due: bool) -> PlaceState:
    """An SD card bears few writes: the row changes with a phase, else with the line of the quarter hour."""
    phase = tuple(condition.name for condition in state.conditions if condition.holds)
    if not is_due and phase == state.phase and state.kept.seen is not None:
        return state
    worth = tuple(found for found in state.now.excursions if found[1].begun is not None)
    return replace(state, kept=replace(state.now, excursions=worth), phase=phase)
