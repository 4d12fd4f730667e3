"""Bosch BME280 temperature, humidity and pressure sensor, through adafruit_bme280.

The chip has no checksum: its calibration is read twice, and codes it cannot have measured are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq
from typing import ClassVar

from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import Misconfigured, NotReady, OutOfRange
from edge_agent.drivers.i2c import I2CSensor, I2CSettings, Measure
from edge_agent.drivers.seam import I2C, Board, Sensor

_RANGES = {"temperature": (-40.0, 85.0), "humidity": (0.0, 100.0), "pressure": (300.0, 1100.0)}  # datasheet, 1.1 to 1.3
QUANTITIES = tuple(_RANGES)

_DATA = 0xF7  # pressure 3 bytes, temperature 3, humidity 2 (datasheet, 5.4.7 to 5.4.9)
_SKIPPED = (0x80000, 0x80000, 0x8000)  # what the registers hold before their first conversion


@dataclass(frozen=True, slots=True)
class Settings(I2CSettings):
    ADDRESSES: ClassVar[Sequence[int]] = (0x76, 0x77)  # pin SDO low, high
    address: int = 0x76


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    from adafruit_bme280 import basic

    class OneConversion(basic.Adafruit_BME280_I2C):  # type: ignore[misc]
        """Each of the library's properties starts a conversion of its own; here one serves all three."""

        def __init__(self, i2c: I2C) -> None:
            self._converted = False
            super().__init__(i2c, settings.address)
            # Weather monitoring (datasheet, 3.5.1), but pressure sixteen times: steps of 0.16 Pa instead of 2.6.
            self.overscan_pressure = basic.OVERSCAN_X16

        def coefficients(self) -> tuple[list[float], list[float], list[float]]:
            return self._temp_calib, self._pressure_calib, self._humidity_calib

        def _read_temperature(self) -> None:
            if not self._converted:
                super()._read_temperature()

        def measurements(self) -> tuple[float, float, float]:
            self._converted = False
            self._read_temperature()
            self._converted = True
            _refuse_impossible(bytes(self._read_register(_DATA, 8)), place)
            return self.temperature, self.humidity, self.pressure

    def connect(i2c: I2C) -> Measure:
        chip = OneConversion(i2c)
        first = chip.coefficients()
        chip._read_coefficients()
        if chip.coefficients() != first:
            raise Misconfigured(f"{place}: the calibration reads differently twice")

        def measure(at: Instant) -> Sequence[float]:
            try:
                return chip.measurements()
            except ArithmeticError as error:
                raise Misconfigured(f"{place}: {error}") from error

        return measure

    return I2CSensor(place, _RANGES, settings, board, connect, min_interval_s=0.1, limit_s=0.5, connect_s=0.5)


def _refuse_impossible(frame: bytes, place: str) -> None:
    pressure = int.from_bytes(frame[0:3], "big") >> 4
    temperature = int.from_bytes(frame[3:6], "big") >> 4
    humidity = int.from_bytes(frame[6:8], "big")
    # One of them alone is also a value of real air, 22 °C say; two at once are not met.
    if sum(map(eq, (pressure, temperature, humidity), _SKIPPED)) >= 2:
        raise NotReady(f"{place}: no conversion yet in {frame.hex()}")
    # The library crops humidity, so a code at its end would pass for 0 or 100 %.
    if humidity in (0, 0xFFFF) or pressure in (0, 0xFFFFF) or temperature in (0, 0xFFFFF):
        raise OutOfRange(f"{place}: a code of {frame.hex()} is the end of its scale")
