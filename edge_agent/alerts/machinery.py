"""The cooler and the door of one place: what the detectors of the machines say of a moment."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge_agent.alerts import compressor, cooling_wear, defrost, door, trust
from edge_agent.alerts.compressor import Learnt as CompressorLearnt
from edge_agent.alerts.compressor import State as CompressorState
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.cooling_wear import Learnt as WearLearnt
from edge_agent.alerts.cooling_wear import State as WearState
from edge_agent.alerts.defrost import Learnt as DefrostLearnt
from edge_agent.alerts.defrost import State as DefrostState
from edge_agent.alerts.door import State as DoorState
from edge_agent.alerts.elapsed import later
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.settings import Kind, PlaceSettings
from edge_agent.alerts.swings import median
from edge_agent.alerts.trust import Doubts, Usuals
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine

DOUBTED_S = 300.0  # an open door that was inferred excuses a compressor for so long; whoever goes in comes out


@dataclass(frozen=True, slots=True)
class Learnt:
    """What outlives a power cut."""

    defrost: DefrostLearnt = field(default_factory=DefrostLearnt)
    compressor: CompressorLearnt = field(default_factory=CompressorLearnt)
    wear: WearLearnt = field(default_factory=WearLearnt)
    sensors: Usuals = ()


@dataclass(frozen=True, slots=True)
class Machinery:
    defrost: DefrostState = field(default_factory=DefrostState)
    door: DoorState = field(default_factory=DoorState)
    compressor: CompressorState = field(default_factory=CompressorState)
    wear: WearState = field(default_factory=WearState)
    doubts: Doubts = ()
    seen: Instant | None = None  # the last moment in this run of the agent
    measured: Instant | None = None  # the last in which a thermometer spoke

    @classmethod
    def knowing(cls, learnt: Learnt) -> "Machinery":
        return cls(
            DefrostState(learnt=learnt.defrost),
            compressor=CompressorState(learnt=learnt.compressor),
            wear=WearState(learnt=learnt.wear),
            doubts=trust.knowing(learnt.sensors),
        )

    @property
    def learnt(self) -> Learnt:
        return Learnt(self.defrost.learnt, self.compressor.learnt, self.wear.learnt, trust.learnt(self.doubts))


@dataclass(frozen=True, slots=True)
class Around:
    """What the machines do at a moment, before the goods are looked at."""

    machinery: Machinery
    moment: Moment  # as machines are told: air measured just now or None, since the last one; defrost and door seen
    conditions: tuple[Condition, ...]
    records: tuple[RecordLine, ...]
    is_door_doubted: bool = False  # inferred, and for long: the same air as over a compressor that stopped


def around(place: PlaceSettings, machinery: Machinery, moment: Moment, *, is_measured: bool) -> Around:
    """Defrost and door: what explains a temperature.

    ``is_measured``: a thermometer spoke at this moment; else the air is what one said a while ago, and nothing that
    learns from rates and lengths may see it twice.
    """
    told, at = moment, moment.at
    if not is_measured:
        told = replace(moment, air_c=None, humidity_pct=None)
    of_door = replace(told, after_s=_since_s(machinery.seen, at))
    of_air = replace(told, after_s=_since_s(machinery.measured, at) if is_measured else 0.0)
    machinery = replace(machinery, seen=at, measured=at if is_measured else machinery.measured)
    conditions: tuple[Condition, ...] = ()
    records: tuple[RecordLine, ...] = ()
    if place.kind is not Kind.AMBIENT:
        defrosted = defrost.follow(machinery.defrost, of_air)
        machinery = replace(machinery, defrost=defrosted.state)
        # One that hangs is no excuse, but it heats all the same.
        of_door = replace(of_door, is_defrosting=defrosted.is_defrosting or defrosted.is_long)
        of_air = replace(of_air, is_defrosting=defrosted.is_defrosting)
        conditions += defrost.conditions(place.name, defrosted)
        if defrosted.ended is not None:
            ended = defrosted.ended
            records += (_line(RecordKind.DEFROST, place, at, ended.for_s, defrost.record(ended)),)
    is_open: bool | None = None
    is_doubted = False
    if place.kind is not Kind.AMBIENT or place.door is not None:  # a warm room shows no door
        watched = door.follow(machinery.door, of_door)
        machinery, is_open = replace(machinery, door=watched.state), watched.is_open
        is_doubted = watched.is_inferred and watched.open_s > DOUBTED_S
        conditions += (door.condition(place.name, watched, place.door_s),)
        if watched.closed_after_s is not None and watched.closed_after_s > place.door_s:
            records += (_line(RecordKind.DOOR, place, at, watched.closed_after_s, {}),)
    return Around(machinery, replace(of_air, is_door_open=is_open), conditions, records, is_doubted)


def cooling(
    place: PlaceSettings, found: Around, product_c: float | None, food_limit_c: float | None, goods: str
) -> tuple[Machinery, tuple[Condition, ...]]:  # fmt: skip
    """The compressor, once the goods' temperature is known: when they will pass their limits; and its strength.

    By the coolest sensor: one that drifts upwards, or a warm corner, is no compressor that stopped.
    """
    if place.kind is Kind.AMBIENT:
        return found.machinery, ()
    air_c = None if found.moment.air_c is None else found.moment.coolest_c
    moment = replace(found.moment, product_c=product_c, air_c=air_c)
    followed = compressor.follow(
        found.machinery.compressor,
        replace(moment, is_door_open=False) if found.is_door_doubted else moment,
        sorted({limit for limit in (food_limit_c, place.critical_high_c) if limit is not None}),
        place.time_constant_s,
        is_door_known=moment.is_door_open is not None,
        are_defrosts_known=defrost.is_known(found.machinery.defrost),
        has_contact=place.door is not None,
        heat_ends_in_s=_heat_ends_in_s(found.machinery.defrost),
    )
    worn = cooling_wear.follow(found.machinery.wear, moment)
    machinery = replace(found.machinery, compressor=followed.state, wear=worn.state)
    return machinery, (compressor.condition(place.name, followed, goods), cooling_wear.condition(place.name, worn))


def _heat_ends_in_s(state: DefrostState) -> float | None:
    """Until the peak of the defrost that is due by its period, negative after it; None: none is due.

    >>> learnt = DefrostLearnt(period_s=21_600.0, expected_s=50_000.0, rises_s=(1200.0,))
    >>> [_heat_ends_in_s(DefrostState(learnt, now_s=now_s)) for now_s in (49_400.0, 50_300.0, 71_000.0, 62_000.0)]
    [600.0, -300.0, 600.0, None]
    """
    learnt = state.learnt
    if not defrost.is_known(state) or learnt.period_s is None or learnt.expected_s is None or not learnt.rises_s:
        return None
    ends_in_s = -math.remainder(state.now_s - learnt.expected_s, learnt.period_s)
    return ends_in_s if ends_in_s <= median(learnt.rises_s) else None


def _since_s(before: Instant | None, at: Instant) -> float:
    """Within this run of the agent: what was before is not known to those who learn."""
    return 0.0 if before is None or before.boot != at.boot else max(0.0, before.age_s(at))


def _line(kind: RecordKind, place: PlaceSettings, at: Instant, for_s: float, more: Mapping[str, object]) -> RecordLine:
    begun = {"from": later(at, -for_s).rfc3339(), "to": at.rfc3339(), "s": round(for_s)}
    return RecordLine(kind, at, place.name, {**begun, **more})
