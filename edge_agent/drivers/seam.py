"""The seam between drivers and boards: what a driver may ask for, and what it must offer."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edge_agent.domain.instant import Clock, Instant
from edge_agent.domain.reading import Channel, Reading


class Sensor(Protocol):
    """One connected device. Made without touching it; the first read connects, a read after a fault again."""

    @property
    def bus(self) -> str:
        """Devices of one bus are read one after another by one worker: "i2c-1", "gpio17", "w1", "board"."""

    @property
    def channels(self) -> Sequence[Channel]: ...

    @property
    def min_interval_s(self) -> float:
        """Reading more often than this is wrong for the chip."""

    @property
    def patience_s(self) -> float:
        """How long the next read of a healthy device can take at most, its set-up included."""

    def read(self, at: Instant) -> Sequence[Reading]:
        """One reading per channel, all of instant ``at``.

        Raises SensorError when the chip cannot be trusted this time.
        """

    def close(self) -> None: ...


class I2C(Protocol):
    """As CircuitPython's ``busio.I2C``, so that the vendors' libraries run on it.

    ``try_lock`` never makes the caller spin for ever: once the bus has been held longer than its time-out,
    it raises ``TimeoutError`` naming the bus.
    """

    def try_lock(self) -> bool: ...
    def unlock(self) -> None: ...
    def scan(self) -> list[int]: ...
    def readfrom_into(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None: ...
    def writeto(self, address: int, buffer: bytes, *, start: int = 0, end: int | None = None) -> None: ...
    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None: ...


class PulseIn(Protocol):
    """As CircuitPython's ``pulseio.PulseIn``: durations in µs of alternating levels."""

    def pause(self) -> None: ...
    def resume(self, trigger_duration: int = 0) -> None: ...
    def clear(self) -> None: ...
    def popleft(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant of a recording at which sensors are read, and no others."""

    mono_s: float  # what the board's clock says there
    sensors: frozenset[str] | None = None  # names of the sensors recorded then; None: every one


class Board(Protocol):
    """The machine below the drivers: a Raspberry Pi, a simulated storeroom, a recorded trace."""

    @property
    def clock(self) -> Clock: ...

    @property
    def pin_factory(self) -> Any:
        """A ``gpiozero.pins.Factory``."""

    def i2c(self, bus: str) -> I2C:
        """The bus of that name ("i2c-1"), opened on first use and shared by its drivers."""

    def pulse_in(self, pin: int) -> PulseIn:
        """Pulses on the GPIO of that BCM number."""

    def one_wire(self) -> Path:
        """The directory with one folder per 1-Wire device (``/sys/bus/w1/devices``)."""

    def power_flags(self) -> int:
        """The firmware's ``get_throttled`` bits; raises OSError where there is no such firmware."""

    def driving(self) -> AbstractContextManager[None]:
        """Entered around the agent's whole run; a simulated board gives the vendors' libraries its time here."""

    def moments(self) -> Iterator[Moment] | None:
        """The instants at which sensors are read, one sensor after another, and at no others.

        A board that plays a recording dictates them and ends when it ends; asking for the next one moves the
        clock (and the wall clock, should it have stepped) and the recorded world there. None: the sensors' own
        intervals rule, and time is the clock's.
        """

    def is_stepped(self) -> bool:
        """True when the clock is simulated: the agent then runs in one thread and moves it by ``sleep``."""

    def pace(self) -> float:
        """Of a stepped board: at most so many times real time; 0: as fast as the machine can."""

    def remarks(self) -> Sequence[str]:
        """What a person should know of a recording that was played: rows set aside, and why."""

    def close(self) -> None:
        """Outputs safe, buses released."""
