"""A gpiozero mock pin with a chip at its other end."""

from collections.abc import Callable
from typing import Any

from gpiozero.exc import PinSetInput
from gpiozero.pins.mock import MockFactory, MockPin

Level = Callable[[], bool | None]  # None: the other end drives nothing, and the pull decides
OnOutput = Callable[[bool], None]


class WiredPin(MockPin):  # type: ignore[misc]
    """As an input it shows what the other end drives; as an output it tells it. Keeps no history of its states."""

    def __init__(self, factory: MockFactory, info: Any, level: Level, on_output: OnOutput) -> None:
        super().__init__(factory, info)
        self._level = level
        self._on_output = on_output

    def _get_state(self) -> bool:
        if self._function == "output":
            return bool(self._state)
        driven = self._level()
        return bool(self._pull == "up" if driven is None else driven)

    def _set_state(self, value: float) -> None:
        if self._function == "input":
            raise PinSetInput(f"cannot set state of pin {self!r}")
        self._state = bool(value)
        self._on_output(self._state)


def wire(factory: MockFactory, pin: int, *, level: Level | None = None, on_output: OnOutput | None = None) -> WiredPin:
    """Solder it before a driver asks for the pin."""
    wired = factory.pin(pin, pin_class=WiredPin, level=level or _nothing, on_output=on_output or _nowhere)
    if not isinstance(wired, WiredPin) or (level or _nothing) != wired._level:
        raise ValueError(f"GPIO{pin} is in use already")
    return wired


def _nothing() -> None:
    return None


def _nowhere(level: bool) -> None: ...
