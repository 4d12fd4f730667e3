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


class Change(StrEnum):
    """Why a line of the alarm log was written."""

    RAISED = "raised"
    RETURNED = "returned"  # the condition ended
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"  # by hand, or because its time was over
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"
    REALARMED = "realarmed"  # acknowledged long ago, and the condition still holds
    ESCALATED = "escalated"  # nobody came: a higher priority
    CORRECTED = "corrected"  # somebody said what was done about it


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
    # Figures, where the condition has any:
    place: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""  # of value, limit and deadband, e.g. "°C"
    deadband: float | None = None
    dwell_s: float | None = None
    # Its life:
    is_active: bool = True  # the condition holds, also while the alarm is shelved or out of service
    acknowledged: Instant | None = None
    who: str = ""  # acknowledged, shelved or took it out of service
    silenced_until: Instant | None = None
    shelved_until: Instant | None = None
    escalations: int = 0
    needs_acknowledgement: bool = False  # it concerned the goods: stays until somebody has seen it, even when over
    asks_correction: bool = False  # a corrective action is still asked for
    corrective_action: str = ""
    raised: tuple[Instant, ...] = ()  # lately, within 24 h, this time included
    moved: Instant | None = None  # since when it stands so by the agent's own doing: at most one such change a minute
    # It was raised so often that it stands on while its condition comes and goes (alerts/life.py, CALM_S):
    calm_since: Instant | None = None  # the condition is over
    back_since: Instant | None = None  # the condition came back last


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    before: AlarmState
    alarm: Alarm
    who: str = "agent"
    change: Change = Change.RAISED
    reason: str = ""  # what the person said: why shelved, which corrective action
