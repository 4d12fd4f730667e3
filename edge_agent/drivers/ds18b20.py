"""DS18B20 temperature sensor on 1-Wire, through the kernel's w1_therm file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.domain.settings import one_of, require
from edge_agent.drivers.errors import BadChecksum, NoAnswer, OutOfRange, Unconfirmed
from edge_agent.drivers.seam import Board, Sensor

QUANTITIES = ("temperature",)
MIN_INTERVAL_S = 1.0

POWER_ON_C = 85.0  # DS18B20 datasheet, "Operation - Measuring Temperature": the register before any conversion
POWER_ON_SURE_WITHIN_C = 5.0  # of the previous good value: then 85 °C can be what it says
LOW_C, HIGH_C = -55.0, 125.0

_DEVICE = re.compile(r"28-[0-9a-f]{12}")
_FILE = re.compile(
    rb"((?:[0-9a-f]{2} ){9}): crc=([0-9a-f]{2}) (YES|NO)\s*\n(?:[0-9a-f]{2} ){9}t=(-?[0-9]{1,7})\s*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Settings:
    device: str  # the chip's folder below /sys/bus/w1/devices: "28-0316a2794bff"

    def __post_init__(self) -> None:
        known = (self.device,) if _DEVICE.fullmatch(self.device) else ()
        require(one_of("device", self.device, known, "28- and the chip's 12 hexadecimal digits, as 28-0316a2794bff"))


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    return Ds18b20(place, settings, board)


class Ds18b20:
    """Reading the file makes the chip convert, which takes the kernel 750 ms at 12 bits; on a Pi so does a read."""

    bus = "w1"
    min_interval_s = MIN_INTERVAL_S
    patience_s = 3.0  # the kernel's own search of the bus may come before the conversion

    def __init__(self, place: str, settings: Settings, board: Board) -> None:
        self._device = settings.device
        self._board = board
        self._channel = Channel(place, "temperature")
        self._good_c: float | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        return (self._channel,)

    def read(self, at: Instant) -> Sequence[Reading]:
        """85 °C is believed only next to a good value: it is also what the chip says before it has measured."""
        try:
            content = (self._board.one_wire() / self._device / "w1_slave").read_bytes()
        except OSError as error:
            raise NoAnswer(f"1-Wire device {self._device}: {error.strerror or error}") from error
        value_c = decode(content, self._device)
        if value_c == POWER_ON_C and not self._is_near(value_c):
            raise Unconfirmed(f"1-Wire device {self._device} says 85 °C, its power-on value")
        self._good_c = value_c
        return (Reading(self._channel, value_c, at),)

    def close(self) -> None: ...

    def _is_near(self, value_c: float) -> bool:
        return self._good_c is not None and abs(value_c - self._good_c) <= POWER_ON_SURE_WITHIN_C


def decode(content: bytes, device: str = "w1_slave") -> float:
    """A w1_slave file to °C.

    >>> decode(b"47 01 4b 46 7f ff 09 10 9e : crc=9e YES\\n47 01 4b 46 7f ff 09 10 9e t=20437\\n")
    20.437
    """
    if not content.strip():
        raise NoAnswer(f"1-Wire device {device}: an empty file, the chip did not answer")
    matched = _FILE.fullmatch(content)
    if matched is None:
        raise BadChecksum(f"1-Wire device {device}: not a w1_slave file: {content[:80]!r}")
    scratchpad = bytes.fromhex(matched[1].decode())
    if matched[3] != b"YES":
        raise BadChecksum(f"1-Wire device {device}: CRC {matched[2].decode()} does not fit {scratchpad.hex(' ')}")
    if not any(scratchpad):  # the CRC of nothing but zeros is zero, and the kernel says YES and t=0
        raise NoAnswer(f"1-Wire device {device}: nothing but zeros, the line is held low")
    value_c = int(matched[4]) / 1000
    if not LOW_C <= value_c <= HIGH_C:
        raise OutOfRange(f"1-Wire device {device} says {value_c:g} °C; it can measure {LOW_C:g} to {HIGH_C:g} °C")
    return value_c
