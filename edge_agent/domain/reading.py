"""What a sensor says: a channel's value at an instant, and how far to trust it."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant
from edge_agent.domain.quantity import QUANTITIES, Quantity


class Quality(StrEnum):
    GOOD = "good"
    UNCERTAIN = "uncertain"  # the chip answered, but the value waits for confirmation
    BAD = "bad"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of one place, addressed ``place/quantity``.

    >>> Channel("cold-room", "temperature").name, Channel("cold-room", "temperature").unit
    ('cold-room/temperature', 'Cel')
    """

    place: str
    quantity: str  # a key of QUANTITIES

    @property
    def name(self) -> str:
        return f"{self.place}/{self.quantity}"

    @property
    def kind(self) -> Quantity:
        return QUANTITIES[self.quantity]

    @property
    def unit(self) -> str:
        return self.kind.unit


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one channel at one instant.

    A sensor which failed gives ``value=None, quality=BAD`` and names its ``fault``; nothing downstream has
    to guess whether 0.0 is real.
    """

    channel: Channel
    value: float | None
    at: Instant
    quality: Quality = Quality.GOOD
    fault: str | None = None  # a short code: "no-answer", "checksum", "saturated", ...

    def __post_init__(self) -> None:
        if (self.value is None) != (self.quality in (Quality.BAD, Quality.STALE)):
            raise ValueError(f"{self.channel.name}: value {self.value} does not go with quality {self.quality}")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one point (a sensor, or a shelf) said at one instant: the unit of telemetry."""

    point: str  # [a-z0-9-]{1,32}
    at: Instant
    readings: tuple[Reading, ...]
