"""What people ask of alarms: acknowledge, silence, shelve, take out of service, and say what was done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.alerts import life
from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.life import NotPossible
from edge_agent.decide.memory import Memory
from edge_agent.decide.wording import short, who
from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition
from edge_agent.domain.command import Command, Verb
from edge_agent.domain.instant import Instant

__all__ = ["VERBS", "Asked", "NotPossible", "carry_out"]

ALL = "all"  # in place of an alarm's name: every one that this can be done to


@dataclass(frozen=True, slots=True)
class Asked:
    transitions: Sequence[AlarmTransition]
    message: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Asking:
    """One command, as far as it concerns each of its alarms."""

    command: Command
    settings: AlarmSettings
    who: str
    at: Instant

    def text(self, key: str, *, required: bool = False) -> str:
        value = self.command.arguments.get(key, "")
        if not isinstance(value, str) or len(value) > life.MAX_REASON_CHARS or (required and not value.strip()):
            raise NotPossible(f"{key} = {short(value)}: must be 1 to {life.MAX_REASON_CHARS} characters, in words")
        return " ".join(value.split())

    def minutes(self, otherwise: float | None) -> float:
        value = self.command.arguments.get("minutes", otherwise)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise NotPossible(f"minutes = {short(value)}: must be a number: how long, from now on")
        return float(value)


def _silence(alarm: Alarm, asking: _Asking) -> AlarmTransition:
    return life.silence(alarm, asking.minutes(asking.settings.silence_min), asking.who, asking.at)


def _shelve(alarm: Alarm, asking: _Asking) -> AlarmTransition:
    """Never without an end."""
    if asking.command.arguments.get("minutes") is None:
        most = life.longest_shelving_min(alarm)
        raise NotPossible(f"minutes is missing: an alarm is shelved with an end, {alarm.name} for {most:g} min at most")
    return life.shelve(alarm, asking.minutes(None), asking.who, asking.at, asking.text("reason"))


_VERBS: Mapping[str, Callable[[Alarm, _Asking], AlarmTransition]] = {
    Verb.ACKNOWLEDGE: lambda alarm, asking: life.acknowledge(alarm, asking.who, asking.at),
    Verb.SILENCE: _silence,
    Verb.SHELVE: _shelve,
    Verb.UNSHELVE: lambda alarm, asking: life.unshelve(alarm, asking.who, asking.at),
    Verb.OUT_OF_SERVICE: lambda alarm, asking: life.out_of_service(
        alarm, asking.who, asking.at, asking.text("reason", required=True)
    ),
    Verb.IN_SERVICE: lambda alarm, asking: life.in_service(alarm, asking.who, asking.at),
    Verb.CORRECT: lambda alarm, asking: life.correct(
        alarm, asking.text("action", required=True), asking.who, asking.at
    ),
}
VERBS = tuple(_VERBS)
_FOR_ALL = {  # the states in which a verb does something when it is asked of all of them
    Verb.ACKNOWLEDGE: (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED),
    Verb.SILENCE: (AlarmState.UNACKNOWLEDGED,),
}
_BEFOREHAND = (Verb.SHELVE, Verb.OUT_OF_SERVICE)  # also what never was raised


def carry_out(memory: Memory, settings: AlarmSettings, command: Command, at: Instant) -> Asked:
    """Raises NotPossible in words for whoever asked."""
    try:
        asking = _Asking(command, settings, who(command), at)
    except ValueError as error:
        raise NotPossible(str(error)) from error
    do = _VERBS[command.verb]
    transitions = [do(alarm, asking) for alarm in _asked_for(memory, command, at)]
    states = {transition.alarm.name: transition.alarm.state.value for transition in transitions}
    until = next((end for end in map(_end, transitions) if end is not None), None)
    words = ", ".join(f"{name} is {state}" for name, state in states.items())
    return Asked(transitions, words, {"alarms": states, "who": asking.who, "until": until})


def _asked_for(memory: Memory, command: Command, at: Instant) -> list[Alarm]:
    name = command.arguments.get("alarm")
    if name == ALL and command.verb in _FOR_ALL:
        found = [alarm for alarm in memory.alarms.values() if alarm.state in _FOR_ALL[Verb(command.verb)]]
        if not found:
            raise NotPossible(f"alarm = 'all': there is no alarm to {command.verb}")
        return found
    if not isinstance(name, str):
        raise NotPossible(f"alarm = {short(name)}: must be the name of an alarm")
    known = memory.alarms.get(name)
    if known is None and command.verb in _BEFOREHAND and name in memory.conditions:
        known = life.never_raised(memory.conditions[name], at)
    if known is None:
        raise NotPossible(f"alarm = {short(name)}: {_no_such(name, memory)}")
    return [known]


def _no_such(name: str, memory: Memory) -> str:
    if name in memory.conditions:
        return "it is normal, and never was anything else"
    standing = [alarm.name for alarm in memory.alarms.values() if alarm.state is not AlarmState.NORMAL]
    from difflib import get_close_matches  # here: a right name needs no search

    close = get_close_matches(name, [*memory.alarms, *memory.conditions], 1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    now = f"now stand {', '.join(sorted(standing))}" if standing else "none stands now"
    return f"there is no such alarm{meant}; {now}"


def _end(transition: AlarmTransition) -> str | None:
    end = transition.alarm.shelved_until or transition.alarm.silenced_until
    return None if end is None else end.rfc3339()
