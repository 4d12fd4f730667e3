"""The test alarm: light, buzzer and message as of a real one, marked as a test, over by itself, never in the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.elapsed import later
from edge_agent.alerts.life import NotPossible
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import Instant

NAME = "test"
USUAL_S = 120.0
SHORTEST_S = 60.0  # an alarm changes once a minute at most
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Trial:
    until: Instant
    priority: Priority
    who: str

    def is_on(self, now: Instant) -> bool:
        """A power cut ends it."""
        return self.until.boot == now.boot and now.mono_ms < self.until.mono_ms


def begin(
    alarms: Mapping[str, Alarm], earlier: Trial | None, seconds: float, priority: Priority, who: str, at: Instant
) -> Trial:  # fmt: skip
    """Raises NotPossible: a real alarm needs light and sound, and a test after a test would be taken for it."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise NotPossible(f"seconds = {seconds:g}: must be between {SHORTEST_S:g} and {LONGEST_S:g}")
    calling = callers(alarms)
    if calling:
        raise NotPossible(f"{calling[0]} calls for somebody: acknowledge it first; light and sound show it already")
    if (earlier is not None and earlier.is_on(at)) or _stands(alarms):
        raise NotPossible("a test alarm stands: wait until it is over")
    return Trial(later(at, seconds), priority, who)


def condition(trial: Trial | None, alarms: Mapping[str, Alarm], now: Instant) -> Condition | None:
    """None when there is nothing to say. It gives way to the first real alarm."""
    is_on = trial is not None and trial.is_on(now) and not callers(alarms)
    if not is_on and not _stands(alarms):
        return None
    return Condition(
        name=NAME,
        holds=is_on,
        priority=Priority.LOW if trial is None else trial.priority,
        message="TEST ALARM: nothing is wrong. Light, buzzer and messages are being tried",
        action="Press the button once (or acknowledge it): then it is known that somebody saw it",
        evidence=f"asked for by {trial.who}" if trial is not None and is_on else "the test is over",
    )


def aside(alarms: Mapping[str, Alarm]) -> Mapping[str, Alarm]:
    """What the panel shows: no test while a real alarm calls."""
    if NAME not in alarms or not callers(alarms):
        return alarms
    return {name: alarm for name, alarm in alarms.items() if name != NAME}


def callers(alarms: Mapping[str, Alarm]) -> list[str]:
    """Real alarms that nobody has seen yet."""
    return [name for name, alarm in alarms.items() if name != NAME and alarm.state is AlarmState.UNACKNOWLEDGED]


def _stands(alarms: Mapping[str, Alarm]) -> bool:
    return NAME in alarms and alarms[NAME].state is not AlarmState.NORMAL
