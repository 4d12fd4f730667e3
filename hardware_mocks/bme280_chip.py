"""Bosch BME280 at register level, with calibration words and the inverse of its compensation (datasheet, 4 and 5)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.domain.instant import Clock
from hardware_mocks.climate_chip import ClimateChip

_ID, _RESET, _CTRL_HUM, _STATUS, _CTRL_MEAS, _CONFIG, _DATA = 0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7
_WRITABLE = (_CTRL_HUM, _CTRL_MEAS, _CONFIG)
_SKIPPED = bytes((0x80, 0, 0, 0x80, 0, 0, 0x80, 0))
_SAMPLES = (0, 1, 2, 4, 8, 16, 16, 16)  # oversampling by its three bits


@dataclass(frozen=True, slots=True)
class Calibration:
    """Words of one chip; T and P are those of the worked example in Bosch's BMP280 datasheet, 3.12."""

    t: tuple[int, int, int] = (27504, 26435, -1000)
    p: tuple[int, ...] = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    h: tuple[int, int, int, int, int, int] = (75, 362, 0, 313, 50, 30)

    def registers(self) -> dict[int, int]:
        h1, h2, h3, h4, h5, h6 = self.h
        low = struct.pack("<HhhHhhhhhhhh", *self.t, *self.p)
        high = struct.pack("<hB", h2, h3) + bytes(
            (h4 >> 4 & 0xFF, h4 & 0xF | (h5 & 0xF) << 4, h5 >> 4 & 0xFF, h6 & 0xFF)
        )
        return {**{0x88 + i: byte for i, byte in enumerate(low)}, 0xA1: h1, **{0xE1 + i: b for i, b in enumerate(high)}}

    def t_fine(self, raw: int) -> float:
        """Fine temperature of the datasheet's double-precision formulas (8.1); 5120 per kelvin."""
        t1, t2, t3 = self.t
        return (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3

    def pressure_pa(self, raw: int, t_fine: float) -> float:
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.p
        a = t_fine / 2 - 64000
        b = (a * a * p6 / 32768 + a * p5 * 2) / 4 + p4 * 65536
        c = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
        pa = (1048576 - raw - b / 4096) * 6250 / c
        return pa + (p9 * pa * pa / 2147483648 + pa * p8 / 32768 + p7) / 16

    def humidity_pct(self, raw: int, t_fine: float) -> float:
        h1, h2, h3, h4, h5, h6 = self.h
        a = t_fine - 76800
        b = (raw - (h4 * 64 + h5 / 16384 * a)) * (
            h2 / 65536 * (1 + h6 / 67108864 * a * (1 + h3 / 67108864 * a)) * (1 + h3 / 67108864 * a)
        )
        return b * (1 - h1 * b / 524288)


class Bme280Chip(ClimateChip):
    """Sleeps, converts once when forced (status bit 3 while it does), or all the time.

    ``always_measuring`` never ends a conversion.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        address: int = 0x76,
        temperature_c: float = 4.0,
        humidity_pct: float = 80.0,
        calibration: Calibration | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__(clock, address, temperature_c, humidity_pct, seed)
        self.calibration = calibration or Calibration()
        self.always_measuring = False
        self.chip_id = 0x60
        self._fixed = self.calibration.registers()
        self._pointer = 0
        self.power_glitch()

    def power_glitch(self) -> None:
        self._control = dict.fromkeys(_WRITABLE, 0)
        self._data = _SKIPPED
        self._next: bytes | None = None
        self._ready_s = 0.0

    def write(self, frame: bytes) -> None:
        self.acknowledge()
        if not frame:
            return
        self._pointer = frame[0]
        for register, byte in zip(frame[::2], frame[1::2], strict=False):  # pairs of register and byte (6.2.1)
            if register in self._control:
                self._control[register] = byte
            if register == _RESET and byte == 0xB6:
                self.power_glitch()
            if register == _CTRL_MEAS and byte & 3:
                self._convert(byte)

    def read(self, count: int) -> bytes:
        self.acknowledge()
        self._settle()
        if self._pointer == _DATA or 0xF7 <= self._pointer <= 0xFE:
            first = self._pointer - _DATA
            return self._data[first : first + count].ljust(count, b"\x80")
        return bytes(self._register(self._pointer + i) for i in range(count))

    def _register(self, register: int) -> int:
        if register == _ID:
            return self.chip_id
        if register == _STATUS:
            return 0x08 if self._next is not None else 0x00
        return self._control.get(register, self._fixed.get(register, 0))

    def _settle(self) -> None:
        if self._next is None or self.always_measuring or self.clock.monotonic_s() < self._ready_s - 1e-9:
            return
        self._data, self._next = self._next, None
        if self._control[_CTRL_MEAS] & 3 == 3:
            self._convert(self._control[_CTRL_MEAS])  # normal mode: the next one follows
        else:
            self._control[_CTRL_MEAS] &= ~3

    def _convert(self, ctrl_meas: int) -> None:
        t_samples, p_samples = _SAMPLES[ctrl_meas >> 5], _SAMPLES[ctrl_meas >> 2 & 7]
        h_samples = _SAMPLES[self._control[_CTRL_HUM] & 7]
        typical_ms = (
            1.0 + 2 * t_samples + (2 * p_samples + 0.5 if p_samples else 0) + (2 * h_samples + 0.5 if h_samples else 0)
        )
        self._ready_s = self.clock.monotonic_s() + typical_ms / 1000
        climate, calibration = self.sense(), self.calibration
        temperature = _nearest(calibration.t_fine, climate.temperature_c * 5120, 20, _lost_bits(t_samples))
        t_fine = int(calibration.t_fine(temperature))
        pressure = _nearest(
            lambda raw: calibration.pressure_pa(raw, t_fine), climate.pressure_hpa * 100, 20, _lost_bits(p_samples)
        )
        humidity = _nearest(lambda raw: calibration.humidity_pct(raw, t_fine), climate.humidity_pct, 16, 0)
        self._next = (
            ((pressure << 4).to_bytes(3, "big") if p_samples else _SKIPPED[0:3])
            + ((temperature << 4).to_bytes(3, "big") if t_samples else _SKIPPED[3:6])
            + (humidity.to_bytes(2, "big") if h_samples else _SKIPPED[6:8])
        )


def _lost_bits(samples: int) -> int:
    """Without the filter the ADC gives 16 bits, and one more with each doubling of samples (3.4.1)."""
    return 4 - min(4, max(0, samples.bit_length() - 1))


def _nearest(physical: Callable[[int], float], wanted: float, bits: int, lost: int) -> int:
    """The code of ``bits`` bits, the last ``lost`` of them 0, whose monotonic ``physical`` value is nearest."""
    low, high = 0, (1 << bits - lost) - 1
    rising = physical(high << lost) > physical(low)
    while low < high:
        middle = (low + high) // 2
        if (physical(middle << lost) < wanted) == rising:
            low = middle + 1
        else:
            high = middle
    below = max(0, low - 1)
    best = min((below, low), key=lambda each: abs(physical(each << lost) - wanted))
    return best << lost
