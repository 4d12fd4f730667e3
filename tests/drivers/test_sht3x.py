"""SHT3x through adafruit_sht31d."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers import sht3x
from edge_agent.drivers.errors import BadChecksum, OutOfRange
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.faults import GarbageChip
from hardware_mocks.sht3x_chip import Sht3xChip


def read(chip_of, address=0x44):
    board = BenchBoard(SimulatedClock())
    with board.driving():
        chip = chip_of(board.clock)
        board.plug_in(chip)
        return [
            reading.value
            for reading in sht3x.open_sensor("cold-room", sht3x.Settings(address=address), board).read(board.now())
        ]


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        ("beef92beef92", (85.523, 74.584)),  # the datasheet's example word, by the formulas of 4.13
        ("668bff7fffb4", None),  # right first word? its checksum is not 0xFF
        ("62cf88cccccc", None),
        ("000081000081", None),  # -45 °C: the end of the code
        ("ffffacffffac", None),  # 130 °C: what a bus reads that nobody drives, with a checksum that happens to fit
    ],
)
def test_frames(frame, values):
    def chip(clock):
        return GarbageChip(0x44, lambda count: bytes.fromhex(frame))

    if values is None:
        with pytest.raises((BadChecksum, OutOfRange)):
            read(chip)
    else:
        assert read(chip) == pytest.approx(values, abs=0.001)


@given(temperature_c=st.floats(-39.99, 124.99), humidity_pct=st.floats(0, 100))
def test_what_the_chip_feels_comes_back_within_its_resolution(temperature_c, humidity_pct):
    t, rh = read(lambda clock: Sht3xChip(clock, temperature_c=temperature_c, humidity_pct=humidity_pct))
    assert t == pytest.approx(temperature_c, abs=0.0014)  # half of 175 / 65535
    assert rh == pytest.approx(humidity_pct, abs=0.0008)


def test_both_values_come_from_one_conversion_without_clock_stretching():
    chips = []

    def chip(clock):
        chips.append(Sht3xChip(clock, address=0x45))
        return chips[0]

    read(chip, address=0x45)
    assert (chips[0].conversions, chips[0].stretched) == (1, 0)
