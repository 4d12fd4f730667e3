"""Sensirion SHT4x temperature and humidity sensor, through adafruit_sht4x."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import BadChecksum, OutOfRange
from edge_agent.drivers.i2c import I2CSensor, I2CSettings, Measure
from edge_agent.drivers.seam import I2C, Board, Sensor

_RANGES = {"temperature": (-40.0, 125.0), "humidity": (0.0, 100.0)}  # datasheet, tables 1 and 2
QUANTITIES = tuple(_RANGES)
_CODE_ENDS = (b"\x00\x00", b"\xff\xff")


@dataclass(frozen=True, slots=True)
class Settings(I2CSettings):
    ADDRESSES: ClassVar[Sequence[int]] = (0x44, 0x45, 0x46)  # SHT4x-A, -B, -C
    address: int = 0x44


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    import adafruit_sht4x

    def connect(i2c: I2C) -> Measure:
        chip = adafruit_sht4x.SHT4x(i2c, settings.address)

        def measure(at: Instant) -> Sequence[float]:
            try:
                values: Sequence[float] = chip.measurements
            except RuntimeError as error:
                raise BadChecksum(f"{place}: {error}") from error
            # The library crops humidity to 0..100 % (datasheet, 4.6), and with it the ends of the code: -6 and 119 %.
            if bytes(chip._buffer[3:5]) in _CODE_ENDS:
                raise OutOfRange(f"{place}: humidity code 0x{chip._buffer[3:5].hex()} is the end of the scale")
            return values

        return measure

    return I2CSensor(place, _RANGES, settings, board, connect, min_interval_s=0.1, limit_s=0.5, connect_s=0.5)
