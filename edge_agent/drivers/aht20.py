"""Aosong AHT20 temperature and humidity sensor, set up by adafruit_ahtx0 and read here.

The library reads six bytes and leaves out the checksum, the seventh; and it waits for the busy bit without end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from edge_agent.domain.instant import Clock, Instant
from edge_agent.drivers.errors import BadChecksum, Misconfigured, NotReady
from edge_agent.drivers.i2c import I2CSensor, I2CSettings, Measure, crc8
from edge_agent.drivers.seam import I2C, Board, Sensor

_RANGES = {"temperature": (-40.0, 85.0), "humidity": (0.0, 100.0)}  # datasheet, tables 1 and 2
QUANTITIES = tuple(_RANGES)

_TRIGGER = bytes((0xAC, 0x33, 0x00))
_BUSY = 0x80
_CALIBRATED = 0x08
_CONVERSION_S = 0.080  # datasheet, 5.4
_MORE_S = (0.0, 0.010, 0.010)  # three looks, the last 100 ms after the trigger


@dataclass(frozen=True, slots=True)
class Settings(I2CSettings):
    ADDRESSES: ClassVar[Sequence[int]] = (0x38,)
    address: int = 0x38


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    import adafruit_ahtx0

    def connect(i2c: I2C) -> Measure:
        device = adafruit_ahtx0.AHTx0(i2c, settings.address).i2c_device

        def measure(at: Instant) -> Sequence[float]:
            return decode(_converted(device, board.clock, place))

        return measure

    # At least 2 s between reads keeps its own heat below 0.1 K (datasheet, 5.4).
    return I2CSensor(place, _RANGES, settings, board, connect, min_interval_s=2.0, limit_s=0.5, connect_s=2.0)


def _converted(device: Any, clock: Clock, place: str) -> bytes:
    with device:
        device.write(_TRIGGER)
    clock.sleep(_CONVERSION_S)
    buffer = bytearray(7)
    for more_s in _MORE_S:
        clock.sleep(more_s)
        with device:
            device.readinto(buffer)
        if not buffer[0] & _BUSY:
            break
    else:
        raise NotReady(f"{place}: still busy {_CONVERSION_S + sum(_MORE_S):g} s after the trigger")
    frame = bytes(buffer)
    if crc8(frame[:6]) != frame[6]:
        raise BadChecksum(f"{place}: checksum mismatch in {frame.hex()}")
    if not frame[0] & _CALIBRATED:
        raise Misconfigured(f"{place}: the chip has lost its calibration, as after a power glitch")
    return frame


def decode(frame: bytes) -> tuple[float, float]:
    """Status, 20 bits of humidity, 20 bits of temperature, checksum: to °C and %RH (datasheet, 6.1 and 6.2).

    >>> decode(bytes.fromhex("1c8000060000d2"))
    (25.0, 50.0)
    """
    word = int.from_bytes(frame[1:6], "big")
    return (word & 0xFFFFF) * 200 / 2**20 - 50, (word >> 20) * 100 / 2**20
