"""What the sensors of a place say, before anyone has judged it."""

from dataclasses import dataclass

from edge_agent.domain.instant import Instant


@dataclass(frozen=True, slots=True)
class Said:
    """What one sensor of the place said at one instant; None is not known."""

    sensor: str
    at: Instant
    temperature_c: float | None = None  # corrected by `correction_c`
    humidity_pct: float | None = None
    is_open: bool | None = None
    raw_c: float | None = None  # as read


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of the place at one instant."""

    at: Instant
    news: tuple[Said, ...] = ()  # said at this instant; () in a cycle in which nobody said anything
    known: tuple[Said, ...] = ()  # said lately by the other sensors of the place, and still believed

    @property
    def all(self) -> tuple[Said, ...]:
        return (*self.news, *self.known)
