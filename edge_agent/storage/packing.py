"""A sample's readings as bytes: every float64 comes back exactly, and most take two or three bytes.

Point and channels are the sample's shape, which is stored once. Of each reading, in the shape's order: a header byte,
the value, and the fault's number if there is one. Header: bits 0-1 quality, bit 2 a fault follows, bit 3 the value is
a scaled integer of (bits 6-7) + 1 bytes, little-endian, to be divided by 1, 100, 1000 or 10000 (bits 4-5); without
bit 3, bit 4 says that 8 bytes of float64 follow, and neither that there is no value. A fault's number is one byte,
or 255 and two bytes.
"""

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading

_QUALITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.STALE)
_QUALITY_CODE = {quality: code for code, quality in enumerate(_QUALITIES)}
_FAULT, _SCALED, _FLOAT = 0x04, 0x08, 0x10
_SCALES = (1, 100, 1000, 10000)
_FLOAT64 = struct.Struct("<d")
_WIDE = 255
_INT32 = 2.0**31


def pack(readings: Iterable[Reading], fault_number: Callable[[str], int]) -> bytes:
    """``fault_number`` gives a fault code its number, 1 to 65535."""
    packed = bytearray()
    for reading in readings:
        form, value = _value(reading.value)
        header = form | _QUALITY_CODE[reading.quality]
        if reading.fault is None:
            packed.append(header)
            packed += value
        else:
            packed.append(header | _FAULT)
            packed += value
            packed += _number(fault_number(reading.fault))
    return bytes(packed)


def unpack(packed: bytes, at: Instant, channels: Sequence[Channel], faults: Mapping[int, str]) -> tuple[Reading, ...]:
    """Raises ValueError, LookupError or struct.error for bytes that ``pack`` never wrote."""
    readings = []
    here = 0
    for channel in channels:
        header = packed[here]
        here += 1
        value: float | None = None
        if header & _SCALED:
            size = (header >> 6) + 1
            scaled = int.from_bytes(packed[here : here + size], "little", signed=True)
            value, here = scaled / _SCALES[header >> 4 & 3], here + size
        elif header & _FLOAT:
            value, here = _FLOAT64.unpack_from(packed, here)[0], here + 8
        fault = None
        if header & _FAULT:
            number, here = packed[here], here + 1
            if number == _WIDE:
                number, here = int.from_bytes(packed[here : here + 2], "little"), here + 2
            fault = faults[number]
        readings.append(Reading(channel, value, at, _QUALITIES[header & 3], fault))
    if here != len(packed):
        raise ValueError(f"{len(packed)} bytes for {len(channels)} readings, which take {here}")
    return tuple(readings)


def _number(number: int) -> bytes:
    return bytes((number,)) if number < _WIDE else bytes((_WIDE,)) + number.to_bytes(2, "little")


def _value(value: float | None) -> tuple[int, bytes]:
    """The form bits and the bytes; the shortest form that gives back the very same float64."""
    if value is None:
        return 0, b""
    if value or math.copysign(1.0, value) > 0.0:  # an integer knows no -0.0
        for code, scale in enumerate(_SCALES):
            scaled = value * scale
            if not -_INT32 < scaled < _INT32:  # too large for four bytes, infinite, or NaN
                break
            whole = round(scaled)
            if whole / scale == value and -_INT32 < whole < _INT32:
                size = (whole.bit_length() + 8) // 8
                return _SCALED | code << 4 | (size - 1) << 6, whole.to_bytes(size, "little", signed=True)
    return _FLOAT, _FLOAT64.pack(value)
