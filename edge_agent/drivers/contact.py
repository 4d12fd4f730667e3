"""Door contact: a reed switch between a GPIO and ground (or 3.3 V)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.domain.settings import SettingFault, require, within
from edge_agent.drivers.errors import NoAnswer
from edge_agent.drivers.seam import Board, Sensor

QUANTITIES = ("open",)

_PULLED_UP = (2, 3)  # the I2C pins: 1.8 kΩ to 3.3 V


@dataclass(frozen=True, slots=True)
class Settings:
    pin: int  # BCM number of the GPIO
    normally_closed: bool = True  # the circuit is closed while the door is shut: a cut wire reads as an open door
    pull_up: bool = True  # the switch connects to ground; False: to 3.3 V, with the pull-down

    def __post_init__(self) -> None:
        fixed = SettingFault("pull_up", self.pull_up, f"true: GPIO{self.pin} has a pull-up resistor on the board")
        require(
            within("pin", self.pin, 0, 27, "(BCM number)"),
            fixed if self.pin in _PULLED_UP and not self.pull_up else None,
        )


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    return Contact(place, settings, board)


class Contact:
    """A read samples the pin as it is; what bounces or lingers is for the alarm's dwell to judge."""

    min_interval_s = 0.01
    patience_s = 0.5

    def __init__(self, place: str, settings: Settings, board: Board) -> None:
        self._settings = settings
        self._board = board
        self._channel = Channel(place, "open")
        self._pin: Any = None

    @property
    def bus(self) -> str:
        return f"gpio{self._settings.pin}"

    @property
    def channels(self) -> Sequence[Channel]:
        return (self._channel,)

    def read(self, at: Instant) -> Sequence[Reading]:
        try:
            if self._pin is None:
                self._pin = self._connected()
            level = bool(self._pin.state)
        except OSError as error:
            self._pin = None
            raise NoAnswer(f"door contact on GPIO{self._settings.pin}: {error}") from error
        return (Reading(self._channel, float(is_open(level, self._settings)), at),)

    def close(self) -> None:
        self._pin = None  # pins belong to the board, which closes them all

    def _connected(self) -> Any:
        pin = self._board.pin_factory.pin(self._settings.pin)
        pin.function = "input"
        pin.pull = "up" if self._settings.pull_up else "down"
        return pin


def is_open(level: bool, settings: Settings) -> bool:
    """
    >>> is_open(level=True, settings=Settings(pin=5))  # pulled up, and nothing pulls it down
    True
    """
    circuit_closed = level != settings.pull_up
    return circuit_closed != settings.normally_closed
