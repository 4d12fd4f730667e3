"""A reed switch at a door, wired to a GPIO."""

from gpiozero.pins.mock import MockFactory

from hardware_mocks.wired_pin import wire


class ContactSwitch:
    """Between the pin and ground (``pull_up``) or 3.3 V.

    ``normally_closed``: the circuit is closed while the door is shut.
    """

    def __init__(
        self, pin_factory: MockFactory, pin: int, *, normally_closed: bool = True, pull_up: bool = True
    ) -> None:
        self.is_open = False  # the door
        self.is_cut = False  # the wire
        self._normally_closed = normally_closed
        self._closed_level = not pull_up
        wire(pin_factory, pin, level=self._level)

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def _level(self) -> bool | None:
        circuit_closed = self.is_open != self._normally_closed and not self.is_cut
        return self._closed_level if circuit_closed else None
