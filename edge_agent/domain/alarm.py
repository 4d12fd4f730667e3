"""Something that needs a person, in the states of ISA-18.2 (section 5.4, alarm state model)."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant


class AlarmState(StrEnum):
    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned-unacknowledged"
    SHELVED = "shelved"
    OUT_OF_SERVICE = "out-of-service"


class Priority(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as it stands."""

    name: str  # [a-z0-9-]{1,32}, the last level of its topic
    priority: Priority
    state: AlarmState
    at: Instant  # of the last transition
    since: Instant  # when the condition began
    message: str  # one sentence for the staff
    action: str  # what to do about it
    evidence: str = ""  # what was seen: a fault code, a reason


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    before: AlarmState
    alarm: Alarm
    who: str = "agent"
