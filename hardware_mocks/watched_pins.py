"""GPIO pins with somebody before them, who sees and hears what they drive, and presses a button."""

from collections import deque
from itertools import pairwise
from time import monotonic
from typing import Any, NamedTuple

from gpiozero.pins.mock import MockFactory, MockPWMPin

from edge_agent.domain.instant import Clock

KEPT = 20_000  # changes of a pin: an hour and a half of a light that flashes
PAUSE_S = 1.0  # between two bursts of a buzzer


class Change(NamedTuple):
    at_s: float  # monotonic, of the board's clock
    level: float  # 0.5 of a pin that makes a tone


class WatchedPin(MockPWMPin):  # type: ignore[misc]
    """Remembers when it changed; a button to ground can sit on it."""

    def __init__(self, factory: "WatchedFactory", info: Any) -> None:
        self._clock = factory.clock
        self._changes = factory.changes(info.name)
        self._is_grounded = False
        super().__init__(factory, info)

    def ground(self, is_grounded: bool) -> None:
        """The button is pressed, or let go of."""
        self._is_grounded = is_grounded
        if self._function == "input":
            if is_grounded or self._pull != "up":
                self.drive_low()
            else:
                self.drive_high()

    def drive_high(self) -> None:
        if not self._is_grounded:
            super().drive_high()

    def _change_state(self, value: float) -> bool:
        if self._state == value:
            return False
        self._state = value
        self._last_change = monotonic()
        self._changes.append(Change(self._clock.monotonic_s(), float(value)))
        return True


class WatchedFactory(MockFactory):  # type: ignore[misc]
    """Every pin that nothing is wired to is watched."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self._changes: dict[str, deque[Change]] = {}

    def changes(self, name: str) -> deque[Change]:
        """Of the pin of that name, "GPIO17"; they outlive its closing."""
        return self._changes.setdefault(name, deque(maxlen=KEPT))

    def pin(self, name: Any, pin_class: Any = None, **options: Any) -> Any:
        if pin_class is None:
            known = [self.pins[info] for _, info in self.board_info.find_pin(name) if info in self.pins]
            if known:
                return known[0]
            pin_class = WatchedPin
        return super().pin(name, pin_class=pin_class, **options)


class Onlooker:
    """Stands before the board. Times are seconds of its clock."""

    def __init__(self, pins: WatchedFactory) -> None:
        self._pins = pins

    def is_on(self, pin: int) -> bool:
        """What is driven high: a light that is lit, a buzzer that sounds."""
        changes = self._pins.changes(f"GPIO{pin}")
        return bool(changes and changes[-1].level)

    def changes(self, pin: int, since_s: float = float("-inf")) -> list[Change]:
        return [change for change in tuple(self._pins.changes(f"GPIO{pin}")) if change.at_s >= since_s]

    def flashes_hz(self, pin: int, since_s: float) -> float | None:
        """How often it lights up, by the median of the times between; None for fewer than three."""
        lit_s = [change.at_s for change in self.changes(pin, since_s) if change.level]
        periods_s = sorted(after - before for before, after in pairwise(lit_s))
        return 1 / periods_s[len(periods_s) // 2] if len(periods_s) >= 2 else None

    def bursts(self, pin: int, since_s: float = float("-inf")) -> list[list[tuple[float, float]]]:
        """Pulses (from, for) of a buzzer, apart where it paused; one that still sounds is not over and not counted."""
        bursts: list[list[tuple[float, float]]] = []
        until_s = float("-inf")
        for on, off in pairwise(self.changes(pin, since_s)):
            if not on.level or off.level:
                continue
            if on.at_s - until_s > PAUSE_S:
                bursts.append([])
            bursts[-1].append((on.at_s, off.at_s - on.at_s))
            until_s = off.at_s
        return bursts

    def press(self, pin: int) -> None:
        self._pins.pin(pin).ground(True)

    def let_go(self, pin: int) -> None:
        self._pins.pin(pin).ground(False)
