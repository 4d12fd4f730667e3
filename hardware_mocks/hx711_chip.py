"""HX711 at the level of its clock's edges (datasheet, "Serial Interface" and "Reset and Power-Down")."""

from typing import Protocol

from gpiozero.pins.mock import MockFactory

from edge_agent.domain.instant import Clock
from hardware_mocks.wired_pin import wire

_BITS = 24
_GAIN_AFTER = {25: 128, 26: 32, 27: 64}  # pulses of a transfer (datasheet, table 3); 32 is input B
_POWER_DOWN_S = 60e-6
_SETTLING = 4  # conversions after a reset or a change of gain until the filter has forgotten what was before


class Cell(Protocol):
    def counts(self, mono_s: float) -> int: ...


class Hx711Chip:
    """Converts all the time, says so on its data line, and shifts the newest code out by the clock line.

    Faults: ``unplugged``, ``data_shorted`` (the data line stands at ground), ``stopped`` (no more conversions),
    ``stall(seconds, pulse)``: the reading process loses the processor while it holds that clock pulse high, once.
    Noise, spikes and saturation are the cell's.
    """

    def __init__(
        self,
        clock: Clock,
        cell: Cell,
        pin_factory: MockFactory,
        data_pin: int,
        clock_pin: int,
        *,
        rate_sps: int = 10,
    ) -> None:
        self.clock = clock
        self.cell = cell
        self.rate_sps = rate_sps
        self.data_shorted = False
        self.stopped = False
        self.resets = 0
        self._unplugged = False
        self._high_since_s: float | None = None
        self._stall: tuple[float, int] | None = None
        self._reset()
        wire(pin_factory, data_pin, level=self._data)
        wire(pin_factory, clock_pin, on_output=self._edge)

    @property
    def unplugged(self) -> bool:
        return self._unplugged

    @unplugged.setter
    def unplugged(self, unplugged: bool) -> None:
        self._unplugged = unplugged
        if not unplugged:
            self._reset()

    def stall(self, seconds: float, pulse: int = 1) -> None:
        self._stall = (seconds, pulse)

    def _reset(self) -> None:
        """Power-up: input A, gain 128."""
        self.resets += 1
        self._started_s = self.clock.monotonic_s()
        self._gain = 128
        self._settled_after = _SETTLING
        self._taken = 0  # the newest conversion that was shifted out
        self._code = 0
        self._pulses = 0  # of the transfer that runs, or was the last

    def _completed(self) -> int:
        """Conversions since the reset."""
        if self.stopped:
            return self._taken
        return int((self.clock.monotonic_s() - self._started_s) * self.rate_sps + 1e-6)

    def _data(self) -> bool | None:
        if self.data_shorted:
            return False
        if self._unplugged:
            return None
        if self._is_down():
            return True
        if 0 < self._pulses <= _BITS:
            return bool(self._code >> (_BITS - self._pulses) & 1)
        return self._completed() <= self._taken

    def _is_down(self) -> bool:
        return self._high_since_s is not None and self.clock.monotonic_s() - self._high_since_s > _POWER_DOWN_S

    def _edge(self, level: bool) -> None:
        if self._unplugged:
            return
        if level:
            self._high_since_s = self.clock.monotonic_s()
            self._shift()
            if self._stall is not None and self._stall[1] == self._pulses:
                stalled_s, self._stall = self._stall[0], None
                self.clock.sleep(stalled_s)
            return
        was_down = self._is_down()
        self._high_since_s = None
        if was_down:
            self._reset()

    def _shift(self) -> None:
        """A rising edge: the first one of a transfer latches the conversion, and the code stays until it is out."""
        if not 0 < self._pulses <= _BITS and self._completed() > self._taken:
            self._latch()
        elif self._pulses:
            self._pulses += 1

    def _latch(self) -> None:
        gain = _GAIN_AFTER.get(self._pulses, self._gain)
        completed = self._completed()
        if gain != self._gain:
            self._gain = gain
            self._settled_after = self._taken + _SETTLING
        counts = self.cell.counts(self._started_s + completed / self.rate_sps)
        if abs(counts + 0.5) < 2**23 - 1:  # an amplifier at its end stays there
            counts = counts * self._gain // 128
        if completed <= self._settled_after:
            counts = counts * completed // (self._settled_after + 1)
        self._code = counts & 0xFFFFFF
        self._taken = completed
        self._pulses = 1
