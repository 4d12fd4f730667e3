"""A board on the bench: whatever a test or a tool plugs into it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from edge_agent.domain.instant import Clock, Instant
from edge_agent.drivers.i2c import SharedI2C
from edge_agent.drivers.seam import Moment, PulseIn
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.i2c_bus import Chip, SimulatedI2C
from hardware_mocks.vendor_time import vendor_time


class BenchBoard:
    """``plug_in`` chips; set ``pin_factory``, ``pulse_inputs``, ``one_wire_path`` and ``flags`` as needed."""

    def __init__(self, clock: Clock, *, bus_timeout_s: float = 1.0) -> None:
        self.clock = clock
        self.pin_factory: Any = None
        self.pulse_inputs: dict[int, PulseIn] = {}
        self.one_wire_path: Path | None = None
        self.flags: int | None = None
        self._bus_timeout_s = bus_timeout_s
        self._buses: dict[str, SimulatedI2C] = {}
        self._shared: dict[str, SharedI2C] = {}

    def now(self) -> Instant:
        return Instant(int(self.clock.monotonic_s() * 1000), int(self.clock.wall_s() * 1000), self.clock.boot)

    def bus(self, name: str = "i2c-1") -> SimulatedI2C:
        """The wires themselves, for chips and faults."""
        if name not in self._buses:
            self._buses[name] = SimulatedI2C(self.clock)
            self._shared[name] = SharedI2C(self._buses[name], name, timeout_s=self._bus_timeout_s)
        return self._buses[name]

    def plug_in(self, *chips: Chip, bus: str = "i2c-1") -> None:
        for chip in chips:
            self.bus(bus).attach(chip)

    def i2c(self, bus: str) -> SharedI2C:
        self.bus(bus)
        return self._shared[bus]

    def pulse_in(self, pin: int) -> PulseIn:
        if pin not in self.pulse_inputs:
            raise OSError(f"nothing is plugged into GPIO {pin}")
        return self.pulse_inputs[pin]

    def one_wire(self) -> Path:
        if self.one_wire_path is None:
            raise OSError("no 1-Wire bus on this board")
        return self.one_wire_path

    def power_flags(self) -> int:
        if self.flags is None:
            raise OSError("no firmware on this board")
        return self.flags

    def driving(self) -> AbstractContextManager[None]:
        return vendor_time(self.clock)

    def moments(self) -> Iterator[Moment] | None:
        return None

    def pace(self) -> float:
        return 0.0

    def remarks(self) -> Sequence[str]:
        return ()

    def is_stepped(self) -> bool:
        return isinstance(self.clock, SimulatedClock)

    def close(self) -> None:
        for bus in self._buses.values():
            bus.release()
