"""The Pi's own power supply, as its firmware sees it.

``get_throttled`` has a bit for now and one for "since boot" of each condition:

    bit  0 / 16  under-voltage (below about 4.63 V)
    bit  1 / 17  ARM frequency capped
    bit  2 / 18  throttled
    bit  3 / 19  soft temperature limit

The readings are the bits for now. The others stay set until the next boot, so an alarm on them could never end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.drivers.errors import NoAnswer
from edge_agent.drivers.seam import Board, Sensor

QUANTITIES = ("under_voltage", "throttled")
MIN_INTERVAL_S = 1.0

UNDER_VOLTAGE = 1 << 0
THROTTLED = 1 << 2


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to set: there is one firmware."""


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    return Power(place, board)


class Power:
    bus = "board"
    min_interval_s = MIN_INTERVAL_S
    patience_s = 1.0  # a mailbox call that the firmware answers between its own work

    def __init__(self, place: str, board: Board) -> None:
        self._board = board
        self._under_voltage = Channel(place, "under_voltage")
        self._throttled = Channel(place, "throttled")

    @property
    def channels(self) -> Sequence[Channel]:
        return (self._under_voltage, self._throttled)

    def read(self, at: Instant) -> Sequence[Reading]:
        try:
            flags = self._board.power_flags()
        except OSError as error:
            raise NoAnswer(f"no get_throttled from the firmware: {error}") from error
        return (
            Reading(self._under_voltage, float(bool(flags & UNDER_VOLTAGE)), at),
            Reading(self._throttled, float(bool(flags & THROTTLED)), at),
        )

    def close(self) -> None: ...
