"""What the follower remembers from call to call and may forget at any time: windows, learnt noise, a movement."""

from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.weighing.plateau import Plateau

Look = tuple[int, float]  # (mono_ms, gross_g) after zero, spikes and thinning


class Phase(StrEnum):
    UNKNOWN = "unknown"  # just begun, or nothing was seen for a while
    REST = "rest"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Signal:
    """From weights to looks."""

    recent: tuple[Look, ...] = ()  # that the Hampel window still needs
    last_ms: int | None = None  # of the newest weight that was one
    interval_s: float | None = None  # between weights, learnt
    thinned_ms: int | None = None
    sum_g: float = 0.0
    sum_n: int = 0
    looks_n: float = 1.0  # weights in one look, on average
    fault: str | None = None
    fault_ms: int | None = None  # since when
    broken: bool = False  # it lasts so long that rest is over


@dataclass(frozen=True, slots=True)
class Rest:
    """A shelf at rest, or as it last rested."""

    level_g: float = 0.0
    weighs_s: float = 0.0  # what the level stands for
    level_ms: float = 0.0  # the mean instant of what it was made of
    noise_g: float | None = None
    guard: tuple[Look, ...] = ()  # too new for the level: a movement may begin here
    since_ms: int = 0
    due_ms: int = 0  # when it is looked at next


@dataclass(frozen=True, slots=True)
class Moving:
    """A movement, or the search for rest after nothing was seen."""

    began_ms: int | None = None
    is_seen: bool = False  # the rest before it was seen
    from_g: float = 0.0  # the level before it
    looks: tuple[Look, ...] = ()
    held: Plateau | None = None  # a gain that may be an elbow: what comes next decides


@dataclass(frozen=True, slots=True)
class Trace:
    phase: Phase = Phase.UNKNOWN
    signal: Signal = field(default_factory=Signal)
    rest: Rest = field(default_factory=Rest)
    moving: Moving = field(default_factory=Moving)
    expected_ms: float = 0.0  # to when the state's reference was carried on
    settled_ms: int | None = None  # the end of the last movement that was an event
    zero_g: float = 0.0  # of the zero command, as it was taken from all weights in here
    told_ms: int | None = None  # of the last disturbance
    door_shut_ms: int | None = None  # since when; None: open, or not known
    drifting: str | None = None  # the limit that stops the following now
