"""A condition that holds or not, and the alarm it becomes."""

from dataclasses import dataclass, replace

from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Priority
from edge_agent.domain.instant import Instant

MIN_BETWEEN_S = 60.0  # at most one transition per alarm and minute


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact about the agent or its sensors in this cycle."""

    name: str  # becomes the alarm's name
    holds: bool
    priority: Priority
    message: str
    action: str
    evidence: str = ""


def observe(alarm: Alarm | None, condition: Condition, now: Instant) -> AlarmTransition | None:
    """The transition this condition asks for now, if any.

    A transition that comes within a minute of the last one waits; if the condition is back by then, nothing
    is said.
    """
    raised = alarm is not None and alarm.state is not AlarmState.NORMAL
    if condition.holds == raised:
        return None
    if alarm is not None and alarm.at.age_s(now) < MIN_BETWEEN_S:
        return None
    if not condition.holds and alarm is not None:
        returned = replace(alarm, state=AlarmState.NORMAL, at=now, evidence=condition.evidence)
        return AlarmTransition(alarm.state, returned)
    return AlarmTransition(
        AlarmState.NORMAL,
        Alarm(
            name=condition.name,
            priority=condition.priority,
            state=AlarmState.UNACKNOWLEDGED,
            at=now,
            since=now,
            message=condition.message,
            action=condition.action,
            evidence=condition.evidence,
        ),
    )
