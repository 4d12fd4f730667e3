"""The limits of a place as people have set them, beside those that the configuration gives. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from edge_agent.alerts import life
from edge_agent.alerts.life import NotPossible
from edge_agent.alerts.limits import rules
from edge_agent.alerts.settings import PlaceSettings
from edge_agent.decide import places
from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Plan
from edge_agent.decide.wording import short, who
from edge_agent.domain.alarm import AlarmState, AlarmTransition
from edge_agent.domain.command import Command
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.settings import SettingsError

# What may be set. Not what the law says (food_limit_c), what lies there (goods, freezing_c), or which value is watched.
SETTABLE = (
    "low_c",
    "high_c",
    "dwell_s",
    "critical_low_c",
    "critical_high_c",
    "critical_dwell_s",
    "deadband_c",
    "off_delay_s",
    "dry_pct",
    "humid_pct",
    "door_s",
)
DEFAULT = "default"  # true: all that was set of this place is taken back; a list of keys: those
_BESIDE = ("place", "who", DEFAULT)


@dataclass(frozen=True, slots=True)
class Changed:
    memory: Memory
    message: str
    detail: Mapping[str, object]
    records: tuple[RecordLine, ...] = ()
    transitions: tuple[AlarmTransition, ...] = ()


def in_force(plan: Plan, memory: Memory) -> Plan:
    """The plan with what was set. What contradicts the configuration, because that has changed, does not count."""
    if not memory.limits:
        return plan
    found = tuple(_with(place, tuple(memory.limits.get(place.name, {}).items())) for place in plan.places)
    return replace(plan, places=found)


def contradictions(plan: Plan, memory: Memory) -> Mapping[str, str]:
    """By place: why what was set of it does not go with the configuration any more."""
    found = {}
    for place in plan.places:
        limits = memory.limits.get(place.name, {})
        try:
            replace(place, **limits)  # type: ignore[arg-type]
        except (SettingsError, TypeError) as error:
            found[place.name] = str(error)
    return found


@lru_cache(maxsize=64)
def _with(place: PlaceSettings, limits: tuple[tuple[str, float], ...]) -> PlaceSettings:
    try:
        return replace(place, **dict(limits))  # type: ignore[arg-type]
    except (SettingsError, TypeError):
        return place


def carry_out(memory: Memory, configured: Plan, command: Command, at: Instant) -> Changed:
    """``configured``: without what was set. Raises NotPossible."""
    place = _place(configured, command)
    by = who(command)
    before = dict(memory.limits.get(place.name, {}))
    back = _taken_back(command, before)
    after = {key: value for key, value in before.items() if key not in back} | _asked(command)
    after = {key: value for key, value in after.items() if value != getattr(place, key)}
    try:
        found = replace(place, **after)  # type: ignore[arg-type]
    except SettingsError as error:
        raise NotPossible(str(error)) from error
    now = {key: getattr(found, key) for key in SETTABLE}
    detail = {"place": place.name, "set": after, "in_force": now}
    if after == before:
        return Changed(memory, f"{place.name}: nothing changes", detail)
    then = _with(place, tuple(before.items()))
    words = _words(then, found)
    limits = {**memory.limits, place.name: after}
    told = {**places.settings_in_force(found, configured), "who": by, "changed": words, "set": after}
    line = RecordLine(RecordKind.SETTINGS, at, place.name, told)
    ended = tuple(_ended(memory, then, found, at))
    return Changed(replace(memory, limits=limits), f"{place.name}: {words}", detail, (line,), ended)


def _ended(memory: Memory, then: PlaceSettings, now: PlaceSettings, at: Instant) -> Iterator[AlarmTransition]:
    """Alarms of limits that are watched no more: nobody would ever see them return."""
    gone = {rule.key for rule in rules(then, None)} - {rule.key for rule in rules(now, None)}
    for key in sorted(gone):
        alarm = memory.alarms.get(f"{now.name}-{key}")
        if alarm is not None and alarm.state is not AlarmState.NORMAL:
            yield life.ended(alarm, at, "its limit was taken back")


def _words(then: PlaceSettings, now: PlaceSettings) -> str:
    pairs = {key: (getattr(then, key), getattr(now, key)) for key in SETTABLE}
    changed = [f"{key} {_number(was)} -> {_number(value)}" for key, (was, value) in pairs.items() if was != value]
    return ", ".join(changed) or "as configured"  # what was set did not count any more


def _place(plan: Plan, command: Command) -> PlaceSettings:
    name = command.arguments.get("place")
    for place in plan.places:
        if place.name == name:
            return place
    known = ", ".join(place.name for place in plan.places) or "none: no place is configured"
    raise NotPossible(f"place = {short(name)}: must be one of {known}")


def _taken_back(command: Command, before: Mapping[str, float]) -> tuple[str, ...]:
    asked = command.arguments.get(DEFAULT, [])
    if asked is True:
        return tuple(before)
    if not isinstance(asked, list) or not all(key in SETTABLE for key in asked):
        raise NotPossible(f"default = {short(asked)}: must be true, or a list of {', '.join(SETTABLE)}")
    both = [key for key in asked if key in command.arguments]
    if both:
        raise NotPossible(f"default = {short(asked)}: {both[0]} is both set and taken back")
    return tuple(asked)


def _asked(command: Command) -> dict[str, float]:
    asked = {key: value for key, value in command.arguments.items() if key not in _BESIDE}
    for key, value in asked.items():
        if key not in SETTABLE:
            close = _nearest(key)
            meant = f": did you mean {close[0]}?" if close else ""
            raise NotPossible(f"{short(key)} cannot be set{meant} Can be: {', '.join(SETTABLE)}")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise NotPossible(f"{key} = {short(value)}: must be a number; the configuration alone ends a watch")
    if not asked and DEFAULT not in command.arguments:
        raise NotPossible(f"nothing to set: give one of {', '.join(SETTABLE)}, or default")
    return {key: float(cast(float, value)) for key, value in asked.items()}


def _nearest(key: str) -> list[str]:
    from difflib import get_close_matches  # here: a right name needs no search

    return get_close_matches(key, SETTABLE, 1)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
