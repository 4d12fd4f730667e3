"""Nuvoton NAU7802 at register level (datasheet 1.7, chapters 8 and 11), fed by load cells."""

from typing import Protocol

from edge_agent.domain.instant import Clock
from hardware_mocks.i2c_bus import no_acknowledge

_PU_CTRL, _CTRL2, _ADCO_B2, _ADCO_B0, _PWR_CTRL, _REVISION = 0x00, 0x02, 0x12, 0x14, 0x1C, 0x1F
_RESET, _PUD, _PUA, _READY, _START, _CYCLE_READY = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_CALIBRATE, _CALIBRATION_ERROR = 0x04, 0x08
_RATES_SPS = {0: 10, 1: 20, 2: 40, 3: 80, 7: 320}
_POWER_UP_S = 200e-6  # from PUD to PUR
_SETTLING = 4  # conversions until the filter has forgotten what was before
_OFFSETS = {0: bytes.fromhex("000123"), 1: bytes.fromhex("000456")}  # what calibration finds, by channel


class Cell(Protocol):
    def counts(self, mono_s: float) -> int: ...


class Nau7802Chip:
    """Converts at its rate all the time once started, and keeps the newest code.

    Faults: ``unplugged``, ``power_glitch()``, ``calibration_fails``, ``calibration_hangs``, ``stopped`` (no more
    conversions), ``repeats`` (says ready, and gives the same code again); all else is the cell's, see `LoadCell.fail`.
    """

    def __init__(self, clock: Clock, cell: Cell, cell_2: Cell | None = None, *, address: int = 0x2A) -> None:
        self.clock = clock
        self.address = address
        self.cells = (cell, cell_2)
        self.unplugged = False
        self.calibration_fails = False
        self.calibration_hangs = False
        self.stopped = False
        self.repeats = False
        self.power_glitch()

    def power_glitch(self) -> None:
        """Every register at its default: nothing powered, gain 1, 10 samples a second."""
        self.registers = bytearray(0x20)
        self.registers[_REVISION] = 0x0F
        self.registers[0x07] = self.registers[0x0E] = 0x80  # gain calibration 1.0
        self._pointer = 0
        self._digital_s = float("inf")  # since when PUD is set
        self._started_s: float | None = None  # since when conversions run
        self._taken = 0  # the newest conversion that was read
        self._latched = 0  # the one whose code the registers hold
        self._calibrated_s: float | None = None  # when the running calibration ends

    def write(self, frame: bytes) -> None:
        if self.unplugged:
            raise no_acknowledge()
        if not frame:
            return
        self._pointer = frame[0]
        for register, byte in enumerate(frame[1:], frame[0]):
            self._write(register & 0x1F, byte)

    def read(self, count: int) -> bytes:
        if self.unplugged:
            raise no_acknowledge()
        first = self._pointer
        self._refresh()
        if first <= _ADCO_B0 and first + count > _ADCO_B2:
            self._latch()
            if first + count > _ADCO_B0:
                self._taken = self._completed()
        frame = bytes(self.registers[first : first + count])
        return frame.ljust(count, b"\xff")

    def _write(self, register: int, byte: int) -> None:
        if register == _PU_CTRL:
            self._control(byte)
        elif register == _CTRL2:
            self._control_2(byte)
        elif register < _ADCO_B2 or _ADCO_B0 < register < _REVISION:
            self.registers[register] = byte

    def _control(self, byte: int) -> None:
        if byte & _RESET:
            self.power_glitch()
            self.registers[_PU_CTRL] = _RESET
            return
        before = self.registers[_PU_CTRL]
        if byte & _PUD and not before & _PUD:
            self._digital_s = self.clock.monotonic_s()
        self.registers[_PU_CTRL] = byte & ~(_READY | _CYCLE_READY)
        powered = byte & (_PUD | _PUA) == _PUD | _PUA
        if not powered:
            self._started_s = None
        elif byte & _START and not before & _START:
            self._start()

    def _control_2(self, byte: int) -> None:
        before = self.registers[_CTRL2]
        self.registers[_CTRL2] = byte & ~_CALIBRATION_ERROR | before & _CALIBRATION_ERROR
        if byte & _CALIBRATE and not before & _CALIBRATE:
            self._calibrated_s = self.clock.monotonic_s() + _SETTLING / self._rate_sps()
        if (byte ^ before) & 0xF0 and self._started_s is not None:
            self._start()

    def _rate_sps(self) -> int:
        return _RATES_SPS.get(self.registers[_CTRL2] >> 4 & 7, 10)

    def _start(self) -> None:
        self._started_s = self.clock.monotonic_s()
        self._taken = self._latched = 0

    def _completed(self) -> int:
        """Conversions since the start."""
        if self._started_s is None or self.stopped or self.registers[_CTRL2] & _CALIBRATE:
            return self._taken
        return int((self.clock.monotonic_s() - self._started_s) * self._rate_sps() + 1e-6)

    def _refresh(self) -> None:
        registers = self.registers
        if self._calibrated_s is not None:
            self._end_calibration()
        control = registers[_PU_CTRL] & ~(_READY | _CYCLE_READY)
        if control & _PUD and self.clock.monotonic_s() >= self._digital_s + _POWER_UP_S:
            control |= _READY
        if self._completed() > self._taken:
            control |= _CYCLE_READY
        registers[_PU_CTRL] = control

    def _end_calibration(self) -> None:
        if self.calibration_hangs or self.clock.monotonic_s() < (self._calibrated_s or 0.0) - 1e-9:
            return
        self._calibrated_s = None
        channel = self.registers[_CTRL2] >> 7
        self.registers[_CTRL2] &= ~(_CALIBRATE | _CALIBRATION_ERROR)
        if self.calibration_fails:
            self.registers[_CTRL2] |= _CALIBRATION_ERROR
        else:
            offset = 0x0A if channel else 0x03
            self.registers[offset : offset + 3] = _OFFSETS[channel]
        if self._started_s is not None:
            self._start()

    def _latch(self) -> None:
        """The newest conversion's code into ADCO; of a chip just started, a part of it."""
        completed = self._completed()
        if self._started_s is None or completed == self._latched:
            return
        self._latched = completed
        if self.repeats:
            return
        channel = self.registers[_CTRL2] >> 7
        cell = self.cells[channel]
        counts = 0 if cell is None else cell.counts(self._started_s + completed / self._rate_sps())
        if completed < _SETTLING:
            counts = counts * completed // _SETTLING
        self.registers[_ADCO_B2 : _ADCO_B0 + 1] = (counts & 0xFFFFFF).to_bytes(3, "big")
