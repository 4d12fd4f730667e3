"""What the light and the buzzer are to show: decided by a cycle, played by the panel."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant


class Light(StrEnum):
    """Never colour alone: each also differs by its rhythm (IEC 60601-1-8, table 2; ISA-18.1)."""

    OFF = "off"
    STEADY = "steady"
    FLASHING = "flashing"  # 1.4 to 2.8 Hz
    SLOW = "slow"  # 0.4 to 0.8 Hz
    BLIP = "blip"  # a wink every few seconds: all is well, and somebody watches
    DOUBLE = "double"  # two short flashes and a pause: the agent itself is stuck


class Colour(StrEnum):
    RED = "red"
    YELLOW = "yellow"
    CYAN = "cyan"
    GREEN = "green"
    WHITE = "white"


@dataclass(frozen=True, slots=True)
class Annunciation:
    light: Light = Light.OFF
    colour: Colour = Colour.GREEN
    pulses: int = 0  # of a burst of the buzzer: 5 high, 3 medium, 1 low, 0 silent
    every_s: float = 0.0  # from one burst to the next


@dataclass(frozen=True, slots=True)
class Press:
    """The panel's button, let go of; or still held, once for each length that means something."""

    at: Instant
    held_s: float
