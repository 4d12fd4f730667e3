"""The agent's own machine: supply, card, clock and broker. Not the goods; what lasts or comes back counts, a moment
does not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.condition import Condition
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import ClockState, Instant

WEAK_FOR_S = 600.0  # a supply that was too weak a moment ago will be so again: the alarm ends after so long without
HOT_FOR_S = 300.0  # slowed down for so long; a burst of work may slow it for a moment
BACKLOG_FOR_S = 1800.0
LOST_FOR_S = 600.0  # more may follow
ENOUGH = 1.2  # of the least free space: then the alarm ends


@dataclass(frozen=True, slots=True)
class Vitals:
    """The machine at one instant; None is not known, and then nothing is said."""

    at: Instant
    is_under_voltage: bool | None = None
    is_throttled: bool | None = None
    disk_free_mb: float | None = None
    waiting: int | None = None  # messages for the broker
    offline: str | None = None  # why there is no connection; None while there is one
    lost: int = 0  # readings and messages since the start: nothing could be written for too long


@dataclass(frozen=True, slots=True)
class MachineState:
    """Since when what lasts; all of one boot, and begun anew by a start."""

    since: Instant
    weak: Instant | None = None  # last seen
    throttled: Instant | None = None
    is_card_low: bool = False
    offline: Instant | None = None
    behind: Instant | None = None
    lost: int = 0
    lost_at: Instant | None = None


def follow(state: MachineState, vitals: Vitals, settings: AlarmSettings) -> MachineState:
    at = vitals.at
    is_behind = vitals.offline is None and (vitals.waiting or 0) >= settings.backlog_messages
    state = replace(
        state,
        weak=at if vitals.is_under_voltage else state.weak,
        offline=(state.offline or at) if vitals.offline is not None else None,
        behind=(state.behind or at) if is_behind else None,
        lost=vitals.lost,
        lost_at=at if vitals.lost > state.lost else state.lost_at,
    )
    if vitals.is_throttled is not None:
        state = replace(state, throttled=(state.throttled or at) if vitals.is_throttled else None)
    if vitals.disk_free_mb is not None:
        least_mb = settings.disk_free_mb * (ENOUGH if state.is_card_low else 1.0)
        state = replace(state, is_card_low=vitals.disk_free_mb < least_mb)
    return state


def conditions(state: MachineState, vitals: Vitals, settings: AlarmSettings) -> Iterator[Condition]:
    """What nobody knows now is left out: its alarm stays as it is."""
    if vitals.is_under_voltage is not None:
        yield _under_voltage(state, vitals.at)
    if vitals.is_throttled is not None:
        yield _throttled(state, vitals.at)
    if vitals.disk_free_mb is not None:
        yield _disk(state, vitals.disk_free_mb, settings)
    yield _clock(state, vitals.at, settings)
    yield _broker(state, vitals, settings)
    yield _data_lost(state, vitals.at)
    if vitals.waiting is not None:
        yield _backlog(state, vitals.at, vitals.waiting)


def _under_voltage(state: MachineState, now: Instant) -> Condition:
    holds = state.weak is not None and state.weak.age_s(now) < WEAK_FOR_S
    return Condition(
        "under-voltage",
        holds,
        Priority.MEDIUM,
        "The power supply is too weak" if holds else "The power supply is strong enough",
        "Use the supply made for this Pi, and a short cable; a weak one damages the card",
        "below 4.63 V" if holds else "",
    )


def _throttled(state: MachineState, now: Instant) -> Condition:
    return Condition(
        "throttled",
        _lasts(state.throttled, now, HOT_FOR_S),
        Priority.LOW,
        "The processor is slowed down by its firmware",
        "See whether the board is too warm or its supply too weak",
    )


def _disk(state: MachineState, free_mb: float, settings: AlarmSettings) -> Condition:
    return Condition(
        "disk-nearly-full",
        state.is_card_low,
        Priority.MEDIUM,
        "The card is nearly full" if state.is_card_low else "The card has room",
        "Free some space on it, before nothing can be written any more",
        f"{free_mb:.0f} MB left" if state.is_card_low else "",
        value=round(free_mb, 1),
        limit=settings.disk_free_mb,
        unit="MB",
    )


def _clock(state: MachineState, now: Instant, settings: AlarmSettings) -> Condition:
    is_unsynced = now.clock is ClockState.UNSYNCED
    return Condition(
        "clock-unsynced",
        is_unsynced and _lasts(state.since, now, 60 * settings.clock_min),
        Priority.MEDIUM,
        "The time of day is not known" if is_unsynced else "The time of day is known",
        "Give it a network with a time server, or a clock module; until then the record has no right times",
    )


def _broker(state: MachineState, vitals: Vitals, settings: AlarmSettings) -> Condition:
    holds = _lasts(state.offline, vitals.at, 60 * settings.broker_min)
    return Condition(
        "broker-away",
        holds,
        Priority.LOW,
        "The broker cannot be reached; messages wait" if holds else "The broker is reached",
        "Check the network and the broker; nothing is lost meanwhile",
        vitals.offline or "",
    )


def _backlog(state: MachineState, now: Instant, waiting: int) -> Condition:
    holds = _lasts(state.behind, now, BACKLOG_FOR_S)
    return Condition(
        "backlog",
        holds,
        Priority.LOW,
        "More messages wait than the broker takes" if holds else "The broker takes what there is",
        "See whether the network is too slow, or mqtt.backlog_per_s too low",
        f"{waiting} messages wait" if holds else "",
    )


def _data_lost(state: MachineState, now: Instant) -> Condition:
    """Over when no more are lost; but somebody has to have seen it."""
    holds = state.lost_at is not None and state.lost_at.age_s(now) < LOST_FOR_S
    return Condition(
        "data-lost",
        holds,
        Priority.HIGH,
        "Readings were lost because nothing could be written for too long",
        "See the alarm about the card",
        f"{state.lost} since the start" if state.lost else "",
        needs_acknowledgement=True,
    )


def _lasts(since: Instant | None, now: Instant, seconds: float) -> bool:
    return since is not None and since.age_s(now) >= seconds
