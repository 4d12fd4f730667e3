"""The alarms of one cycle: what people asked for comes first, then what was seen, then what time alone does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.alerts import flood, life, trial
from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.condition import Condition
from edge_agent.decide.memory import Memory
from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Change
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine

BUTTON = "button"  # who acts at the panel


@dataclass(frozen=True, slots=True)
class Followed:
    memory: Memory
    transitions: list[AlarmTransition]


def follow(memory: Memory, settings: AlarmSettings, conditions: Iterable[Condition], now: Instant) -> Followed:
    """Every condition of this cycle, then the time, then the flood they may make.

    But the end of a shelving comes first: a condition that comes and goes each minute must not put it off for ever.
    """
    seen = {condition.name: condition for condition in conditions}
    started = memory.started if memory.started is not None and memory.started.boot == now.boot else now
    alarms, transitions = dict(memory.alarms), list[AlarmTransition]()
    for alarm in [each for each in alarms.values() if each.state is AlarmState.SHELVED]:
        _take(alarms, transitions, life.tick(alarm, settings, now, started))
    for condition in seen.values():
        if condition.name in alarms:
            alarms[condition.name] = life.noticed(alarms[condition.name], condition, now)
        _take(alarms, transitions, life.observe(alarms.get(condition.name), condition, now))
    for alarm in list(alarms.values()):
        _take(alarms, transitions, life.tick(alarm, settings, now, started))
    _take(alarms, transitions, life.observe(alarms.get(flood.NAME), flood.condition(alarms, now), now))
    is_as_before = not transitions and all(alarm is memory.alarms[name] for name, alarm in alarms.items())
    memory = replace(memory, started=started, conditions=seen, alarms=memory.alarms if is_as_before else alarms)
    return Followed(memory, transitions)


def acknowledge_all(alarms: Mapping[str, Alarm], who: str, at: Instant) -> list[AlarmTransition]:
    """What a short press does. Nothing to acknowledge: nothing happens."""
    waiting = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)
    return [life.acknowledge(alarm, who, at) for alarm in alarms.values() if alarm.state in waiting]


def silence_all(alarms: Mapping[str, Alarm], settings: AlarmSettings, who: str, at: Instant) -> list[AlarmTransition]:
    """What a long press does."""
    loud = [alarm for alarm in alarms.values() if alarm.state is AlarmState.UNACKNOWLEDGED]
    return [life.silence(alarm, settings.silence_min, who, at) for alarm in loud if not life.is_silenced(alarm, at)]


def with_acts(memory: Memory, transitions: Sequence[AlarmTransition]) -> Memory:
    """The memory after what people did to alarms."""
    changed = {transition.alarm.name: transition.alarm for transition in transitions}
    return replace(memory, alarms={**memory.alarms, **changed}) if changed else memory


def record_lines(transitions: Iterable[AlarmTransition]) -> list[RecordLine]:
    """Every transition is a line of the inspector's record, with who made it."""
    return [_line(transition) for transition in transitions]


def _line(transition: AlarmTransition) -> RecordLine:
    alarm = transition.alarm
    body: dict[str, object] = {
        "alarm": alarm.name,
        "priority": alarm.priority.value,
        "change": transition.change.value,
        "before": transition.before.value,
        "state": alarm.state.value,
        "who": transition.who,
        "since": alarm.since.rfc3339(),
        "message": alarm.message,
    }
    told_if_known = {
        "evidence": alarm.evidence,
        "value": alarm.value,
        "limit": alarm.limit,
        "unit": alarm.unit,
        "reason": transition.reason,
        "shelved_until": None if alarm.shelved_until is None else alarm.shelved_until.rfc3339(),
    }
    if alarm.name == trial.NAME:
        body["test"] = True
    body |= {key: value for key, value in told_if_known.items() if value not in (None, "")}
    kind = RecordKind.CORRECTIVE_ACTION if transition.change is Change.CORRECTED else RecordKind.ALARM
    return RecordLine(kind, alarm.at, alarm.place, body)


def _take(alarms: dict[str, Alarm], transitions: list[AlarmTransition], found: AlarmTransition | None) -> None:
    if found is not None:
        transitions.append(found)
        alarms[found.alarm.name] = found.alarm
