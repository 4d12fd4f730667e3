"""What a place is like at one instant: what the detectors of this room look at."""

from dataclasses import dataclass

from edge_agent.domain.instant import Instant


@dataclass(frozen=True, slots=True)
class Moment:
    """Seen by the sensors that are trusted now; None is not known, never a stand-in."""

    at: Instant
    air_c: float | None = None  # corrected by the sensor's own calibration; of several sensors the median
    product_c: float | None = None  # measured by a core probe, or the air through the pack's time constant
    humidity_pct: float | None = None
    is_door_open: bool | None = None  # None: no contact there
    is_defrosting: bool = False  # as far as it is recognised
    after_s: float = 0.0  # since the moment before; a long gap is a gap
    coolest_c: float | None = None  # the lowest of the sensors: a room that is not cooled is warm at every sensor
