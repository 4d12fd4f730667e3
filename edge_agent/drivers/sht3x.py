"""Sensirion SHT3x temperature and humidity sensor, through adafruit_sht31d."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import BadChecksum
from edge_agent.drivers.i2c import I2CSensor, I2CSettings, Measure
from edge_agent.drivers.seam import I2C, Board, Sensor

# Datasheet, tables 1 and 2. The library's formula reaches -45 and 130 °C: the ends of the code, not temperatures.
_RANGES = {"temperature": (-40.0, 125.0), "humidity": (0.0, 100.0)}
QUANTITIES = tuple(_RANGES)


@dataclass(frozen=True, slots=True)
class Settings(I2CSettings):
    ADDRESSES: ClassVar[Sequence[int]] = (0x44, 0x45)  # pin ADDR low, high
    address: int = 0x44


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    import adafruit_sht31d

    def connect(i2c: I2C) -> Measure:
        chip = adafruit_sht31d.SHT31D(i2c, settings.address)  # single shot, high repeatability, no clock stretching

        def measure(at: Instant) -> Sequence[float]:
            try:
                # The library's two properties would convert twice; both come from this one frame.
                values: Sequence[float] = chip._read()
            except RuntimeError as error:
                raise BadChecksum(f"{place}: {error}") from error
            return values

        return measure

    # Ten a second is the chip's own fastest rate; faster, it heats itself (datasheet, 4.5).
    return I2CSensor(place, _RANGES, settings, board, connect, min_interval_s=0.1, limit_s=0.5, connect_s=0.5)
