"""SHT4x through adafruit_sht4x."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers import sht4x
from edge_agent.drivers.errors import OutOfRange
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.faults import GarbageChip
from hardware_mocks.sht4x_chip import Sht4xChip


def read(chip_of):
    board = BenchBoard(SimulatedClock())
    with board.driving():
        chip = chip_of(board.clock)
        board.plug_in(chip)
        return [reading.value for reading in sht4x.open_sensor("cold-room", sht4x.Settings(), board).read(board.now())]


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        ("beef92beef92", (85.523, 87.230)),  # the datasheet's example word, by the formulas of 4.6
        ("beef92000081", None),  # -6 %, which the library would give as 0 %
        ("beef92ffffac", None),  # 119 %, which it would give as 100 %
    ],
)
def test_frames(frame, values):
    def chip(clock):
        return GarbageChip(0x44, lambda count: bytes.fromhex(frame))

    if values is None:
        with pytest.raises(OutOfRange):
            read(chip)
    else:
        assert read(chip) == pytest.approx(values, abs=0.001)


@given(temperature_c=st.floats(-39.99, 124.99), humidity_pct=st.floats(-1, 101))
def test_what_the_chip_feels_comes_back_within_its_resolution(temperature_c, humidity_pct):
    """A humidity slightly beyond the ends is cropped, as the datasheet asks."""
    t, rh = read(lambda clock: Sht4xChip(clock, temperature_c=temperature_c, humidity_pct=humidity_pct))
    assert t == pytest.approx(temperature_c, abs=0.0014)
    assert rh == pytest.approx(min(100, max(0, humidity_pct)), abs=0.001)


def test_both_values_come_from_one_conversion():
    chips = []

    def chip(clock):
        chips.append(Sht4xChip(clock))
        return chips[0]

    read(chip)
    assert chips[0].conversions == 1
