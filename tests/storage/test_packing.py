import math
import struct
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading
from edge_agent.storage.interned import Interned
from edge_agent.storage.packing import pack, unpack

AT = Instant(5, 1_795_417_200_250, "b")
CHANNEL = Channel("cold-room", "temperature")
values = st.one_of(st.floats(), st.integers(-(2**31), 2**31).map(float), st.decimals(-1000, 1000, places=3).map(float))


def there_and_back(reading: Reading) -> tuple[Reading, int]:
    faults: Interned[str] = Interned()
    packed = pack([reading], faults.number_of)
    (found,) = unpack(packed, reading.at, (reading.channel,), faults.values)
    return found, len(packed)


@given(values, st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]), st.none() | st.just("unconfirmed"))
@example(-0.0, Quality.GOOD, None)
@example(math.nan, Quality.GOOD, None)
@example(-math.inf, Quality.GOOD, None)
@example(5e-324, Quality.GOOD, None)
def test_every_float64_comes_back_bit_for_bit(value: float, quality: Quality, fault: str | None) -> None:
    found, _ = there_and_back(Reading(CHANNEL, value, AT, quality, fault))
    assert found.value is not None
    assert struct.pack("<d", found.value) == struct.pack("<d", value) or (math.isnan(value) and math.isnan(found.value))
    assert (found.quality, found.fault, found.channel, found.at) == (quality, fault, CHANNEL, AT)


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.STALE])
@pytest.mark.parametrize("fault", [None, "no-answer"])
def test_a_reading_without_a_value_stays_without_one(quality: Quality, fault: str | None) -> None:
    reading = Reading(CHANNEL, None, AT, quality, fault)
    assert there_and_back(reading)[0] == reading


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0.0, 2),
        (1.0, 2),
        (4.5, 3),
        (-18.25, 3),
        (8388607.0, 4),
        (-(2.0**31) + 1, 5),
        (1013.25, 4),
        (0.1234, 3),
        (20.123456789, 9),
    ],
)
def test_short_values_take_few_bytes(value: float, size: int) -> None:
    assert there_and_back(Reading(CHANNEL, value, AT))[1] == size


def test_more_than_254_fault_codes_are_told_apart() -> None:
    faults: Interned[str] = Interned()
    readings = [Reading(CHANNEL, None, AT, Quality.BAD, f"fault-{n}") for n in range(300)]
    packed = pack(readings, faults.number_of)
    assert list(unpack(packed, AT, (CHANNEL,) * 300, faults.values)) == readings


@given(st.binary(max_size=40))
def test_garbage_is_an_error_or_readings_and_nothing_else(garbage: bytes) -> None:
    with suppress(ValueError, LookupError, struct.error):
        assert len(unpack(garbage, AT, (CHANNEL, CHANNEL), {1: "no-answer"})) == 2
