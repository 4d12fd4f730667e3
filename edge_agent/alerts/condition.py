"""A condition that holds or not: what becomes an alarm."""

from dataclasses import dataclass

from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import Instant


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact about a place, a sensor or the agent itself in this cycle. One that is not given says nothing: its alarm
    stays as it is."""

    name: str  # becomes the alarm's name
    holds: bool
    priority: Priority
    message: str
    action: str
    evidence: str = ""
    place: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    deadband: float | None = None
    dwell_s: float | None = None
    needs_acknowledgement: bool = False  # it concerned the goods: stays until somebody has seen it, even when over
    asks_correction: bool = False  # what was done about it is asked for on closing
    began: Instant | None = None  # where it is known to have held for some time already
    swings: bool = False  # comes and goes while its cause stays: raised again and again, its alarm waits to be sure
    is_watched: bool = True  # False: nobody looks at it any more, and its alarm ends; `evidence` says why
