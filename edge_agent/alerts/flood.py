"""More alarms at once than anybody can read: one sounds for all of them (ISA-18.2: above 10 in 10 minutes)."""

from collections.abc import Mapping
from dataclasses import replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.elapsed import later
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import Instant

NAME = "flood"
WINDOW_S = 600.0
MANY = 10  # more than so many raised within the window
FEW = 5  # over when fewer
_STANDING = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)


def condition(alarms: Mapping[str, Alarm], now: Instant) -> Condition:
    """The single ones stay visible and are logged; see ``hushed`` for what is heard of them."""
    flood = alarms.get(NAME)
    is_on = flood is not None and flood.is_active and flood.state is not AlarmState.NORMAL
    count = raised_lately(alarms, now)
    return Condition(
        name=NAME,
        holds=count >= FEW if is_on else count > MANY,
        priority=Priority.HIGH,
        message=f"{count} alarms within ten minutes",
        action="Look at the list of alarms: most have one cause, often power, a door or the broker",
        evidence=f"{count} raised within {WINDOW_S / 60:g} min",
    )


def raised_lately(alarms: Mapping[str, Alarm], now: Instant) -> int:
    """Also several times the same one."""
    return sum(
        0 <= raised.age_s(now) <= WINDOW_S
        for name, alarm in alarms.items()
        if name != NAME and alarm.raised and alarm.raised[-1].age_s(now) <= WINDOW_S
        for raised in alarm.raised
    )


def hushed(alarms: Mapping[str, Alarm], now: Instant) -> list[Alarm]:
    """All of them for the panel: those that a flood speaks for make no sound of their own.

    It speaks for what came before somebody acknowledged it; what comes after is heard by itself.
    """
    flood = alarms.get(NAME)
    if flood is None or not flood.is_active or flood.state not in _STANDING:
        return list(alarms.values())
    return [
        replace(alarm, silenced_until=later(now, WINDOW_S)) if _speaks_for(flood, alarm) else alarm
        for alarm in alarms.values()
    ]


def _speaks_for(flood: Alarm, alarm: Alarm) -> bool:
    if alarm.name == NAME or flood.acknowledged is None:
        return alarm.name != NAME
    moved = alarm.moved or alarm.at
    return moved.boot != flood.acknowledged.boot or moved.mono_ms <= flood.acknowledged.mono_ms
