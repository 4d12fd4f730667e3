"""Nuvoton NAU7802 24-bit ADC for load cells, set up and calibrated by cedargrove_nau7802.

Conversions are read here, in one burst of three bytes: the library's ``read()`` fetches them one by one (a new
conversion may come between), gives twice the ADC's code, and its registers share one buffer across all threads.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from edge_agent.domain.instant import Clock, Instant
from edge_agent.domain.settings import one_of, require
from edge_agent.drivers.errors import BusHeld, Misconfigured, NotReady, Saturated
from edge_agent.drivers.i2c import I2CSensor, I2CSettings, Measure, i2c_faults
from edge_agent.drivers.seam import I2C, Board, Sensor

_RANGES = {"counts": (-(2**23) + 1, 2**23 - 2)}
QUANTITIES = tuple(_RANGES)

GAIN = 128  # 3.0 V excitation and a 1 or 2 mV/V cell: 3 or 6 mV of the input's +-11.7 mV
RATES_SPS = {10: 0, 20: 1, 40: 2, 80: 3, 320: 7}  # CRS bits (datasheet, 11.3)
CHECK_EVERY_MS = 60_000
SETTLING_CONVERSIONS = 4  # after start, calibration or a change of channel the filter needs them
_TURN_S = 3.0  # how long one chip waits for another's set-up

_PU_CTRL, _CTRL1, _CTRL2, _ADCO_B2, _ADC, _PGA, _PWR_CTRL = 0x00, 0x01, 0x02, 0x12, 0x15, 0x1B, 0x1C
_CYCLE_READY = 0x20
_POWERED_MASK, _POWERED = 0xCF, 0x8E  # digital and analog up and ready, analog supply from the chip's regulator
_READ_CONTROL, _READ_CODE = bytes((_PU_CTRL,)), bytes((_ADCO_B2,))
_SATURATED = (0x7FFFFF, -0x800000)

_setting_up = threading.Lock()  # adafruit_register's one buffer: two set-ups at a time would mix their registers


@dataclass(frozen=True, slots=True)
class Settings(I2CSettings):
    ADDRESSES: ClassVar[Sequence[int]] = (0x2A,)  # fixed: several sit behind a multiplexer
    address: int = 0x2A
    rate_sps: int = 10
    channel: int = 1  # VIN1 or VIN2

    def __post_init__(self) -> None:
        require(
            *i2c_faults(self),
            one_of("rate_sps", self.rate_sps, RATES_SPS),
            one_of("channel", self.channel, (1, 2)),
        )


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    from cedargrove_nau7802 import NAU7802

    def connect(i2c: I2C) -> Measure:
        if not _setting_up.acquire(timeout=_TURN_S):
            raise BusHeld(f"{place}: another NAU7802's set-up has not ended for {_TURN_S:g} s")
        try:
            device = _set_up(NAU7802(i2c, settings.address, active_channels=settings.channel), settings, place)
        finally:
            _setting_up.release()
        board.clock.sleep(SETTLING_CONVERSIONS / settings.rate_sps)
        return _Conversions(device, settings, board.clock, place).measure

    return I2CSensor(
        place,
        _RANGES,
        settings,
        board,
        connect,
        min_interval_s=1 / settings.rate_sps,
        limit_s=0.5 + 2 / settings.rate_sps,
        connect_s=3.0 + _TURN_S,  # the library's waits for the analog supply alone are 1.6 s
    )


def _set_up(chip: Any, settings: Settings, place: str) -> Any:
    chip.gain = GAIN
    chip.poll_rate = settings.rate_sps
    chip._c2_chan_select = settings.channel - 1  # the library's `channel` polls the bus without a pause
    if not chip.calibrate("INTERNAL"):
        raise Misconfigured(f"{place}: the ADC's calibration ended with its error flag")
    # No conversion takes place until CS is set (datasheet, 8.1); the library means to, under a name of no register.
    chip._pu_cycle_start = True
    return chip.i2c_device


def configured(settings: Settings) -> dict[int, tuple[int, int]]:
    """Register to (mask, value): what the set-up leaves behind (datasheet, chapter 11)."""
    return {
        _PU_CTRL: (_POWERED_MASK, _POWERED),
        _CTRL1: (0xFF, 5 << 3 | 7),  # regulator 3.0 V, gain 128
        _CTRL2: (0xFF, (settings.channel - 1) << 7 | RATES_SPS[settings.rate_sps] << 4),  # no calibration, no error
        _ADC: (0x30, 0x30),  # chopper off
        _PGA: (0x40, 0x00),  # low-ESR capacitor at the regulator
        _PWR_CTRL: (0x80, 0x80 if settings.channel == 1 else 0x00),  # its capacitor needs the second channel's pins
    }


class _Conversions:
    """A chip that converts: waits for the newest code, and looks after its registers."""

    def __init__(self, device: Any, settings: Settings, clock: Clock, place: str) -> None:
        self._device = device
        self._clock = clock
        self._place = place
        self._period_s = 1 / settings.rate_sps
        self._configured = configured(settings)
        self._calibration = slice(0x03, 0x0A) if settings.channel == 1 else slice(0x0A, 0x11)
        self._calibrated: bytes | None = None
        self._checked_ms: int | None = None
        self._control, self._code = bytearray(1), bytearray(3)

    def measure(self, at: Instant) -> Sequence[float]:
        if self._checked_ms is None or at.mono_ms - self._checked_ms >= CHECK_EVERY_MS:
            self._check_registers()
            self._checked_ms = at.mono_ms
        self._await_conversion()
        with self._device as device:
            device.write_then_readinto(_READ_CODE, self._code)
        counts = int.from_bytes(self._code, "big", signed=True)
        if counts in _SATURATED:
            raise Saturated(f"{self._place}: the ADC stands at {counts}")
        return (counts,)

    def _await_conversion(self) -> None:
        for _ in range(9):  # at once, and then for two periods
            with self._device as device:
                device.write_then_readinto(_READ_CONTROL, self._control)
            control = self._control[0]
            if control & _POWERED_MASK != _POWERED:
                raise Misconfigured(f"{self._place}: PU_CTRL is 0x{control:02x}, as after a power glitch")
            if control & _CYCLE_READY:
                return
            self._clock.sleep(self._period_s / 4)
        raise NotReady(f"{self._place}: no conversion within {2 * self._period_s:g} s")

    def _check_registers(self) -> None:
        """Read around the conversion's own registers: reading those would use it up."""
        low, adc, high = self._registers(_PU_CTRL, 0x11), self._registers(_ADC, 1), self._registers(_PGA, 2)
        found = {**dict(enumerate(low)), _ADC: adc[0], _PGA: high[0], _PWR_CTRL: high[1]}
        for register, (mask, value) in self._configured.items():
            if found[register] & mask != value:
                raise Misconfigured(
                    f"{self._place}: register 0x{register:02x} is 0x{found[register]:02x}, left as 0x{value:02x}"
                )
        calibration = low[self._calibration]
        if self._calibrated is not None and calibration != self._calibrated:
            raise Misconfigured(f"{self._place}: the calibration has changed to {calibration.hex()}")
        self._calibrated = calibration

    def _registers(self, first: int, count: int) -> bytes:
        found = bytearray(count)
        with self._device as device:
            device.write_then_readinto(bytes((first,)), found)
        return bytes(found)
