"""BME280 through adafruit_bme280."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.drivers import bme280
from edge_agent.drivers.errors import Misconfigured, NotReady, OutOfRange
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.bme280_chip import Bme280Chip, Calibration
from hardware_mocks.clock import SimulatedClock


@pytest.fixture
def board():
    board = BenchBoard(SimulatedClock())
    with board.driving():
        yield board


def sensor_on(board, chip):
    board.plug_in(chip)
    return bme280.open_sensor("cellar", bme280.Settings(address=chip.address), board)


class FixedData(Bme280Chip):
    """Its data registers hold these bytes whatever the weather."""

    data = b""

    def read(self, count):
        if 0xF7 <= self._pointer <= 0xFE:
            first = self._pointer - 0xF7
            return self.data[first : first + count]
        return super().read(count)


def test_the_worked_example_of_the_datasheet(board):
    """BMP280 datasheet 3.12: raw 519888 and 415148 are 25.08 °C and 100653 Pa; the BME280 compensates alike."""
    chip = FixedData(board.clock)
    chip.data = struct.pack(">I", 415148 << 4)[1:] + struct.pack(">I", 519888 << 4)[1:] + bytes((0x70, 0x00))
    temperature, humidity, pressure = sensor_on(board, chip).read(board.now())
    assert temperature.value == pytest.approx(25.08, abs=0.005)
    assert pressure.value == pytest.approx(1006.5327, abs=0.0005)
    assert humidity.value == pytest.approx(chip.calibration.humidity_pct(0x7000, 128422), abs=0.001)


@given(
    temperature_c=st.floats(-39.9, 84.9),
    humidity_pct=st.floats(0.1, 99.9),
    pressure_hpa=st.floats(300.1, 1099.9),
    spread=st.sampled_from([Calibration(), Calibration(h=(75, 370, 0, 305, 0, 30), t=(28009, 25654, 50))]),
)
@settings(max_examples=60, deadline=None)
def test_what_the_chip_feels_comes_back_within_its_resolution(temperature_c, humidity_pct, pressure_hpa, spread):
    board = BenchBoard(SimulatedClock())
    with board.driving():
        chip = Bme280Chip(
            board.clock, address=0x77, temperature_c=temperature_c, humidity_pct=humidity_pct, calibration=spread
        )
        chip.pressure_hpa = pressure_hpa
        t, rh, p = (reading.value for reading in sensor_on(board, chip).read(board.now()))
    assert t == pytest.approx(temperature_c, abs=0.005)  # 16 bits without oversampling
    assert rh == pytest.approx(humidity_pct, abs=0.01)
    assert p == pytest.approx(pressure_hpa, abs=0.04)


def test_the_three_values_come_from_one_conversion(board):
    chip = Bme280Chip(board.clock)
    assert len(sensor_on(board, chip).read(board.now())) == 3
    assert chip.conversions == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("8000008000008000", NotReady),  # before the first conversion: 22 °C, would say the formulas
        ("8000008000007000", NotReady),
        ("6000008000008000", NotReady),
        ("ffffffffffffffff", OutOfRange),
        ("0000000000000000", OutOfRange),
        ("650000700000ffff", OutOfRange),
        ("6500007000000000", OutOfRange),
    ],
)
def test_codes_the_chip_cannot_have_measured(board, data, error):
    chip = FixedData(board.clock)
    chip.data = bytes.fromhex(data)
    with pytest.raises(error, match="cellar"):
        sensor_on(board, chip).read(board.now())


@pytest.mark.parametrize("data", ["655ac08000007000", "8000007eed007000", "655ac07eed008000"])
def test_one_such_code_alone_is_a_value_like_any_other(board, data):
    chip = FixedData(board.clock)
    chip.data = bytes.fromhex(data)
    assert len(sensor_on(board, chip).read(board.now())) == 3


def test_a_calibration_that_reads_differently_twice_is_not_used(board):
    class Wavering(Bme280Chip):
        reads = 0

        def read(self, count):
            frame = super().read(count)
            if self._pointer == 0x88:
                self.reads += 1
                if self.reads == 1:
                    frame = bytes((frame[0] ^ 4,)) + frame[1:]
            return frame

    sensor = sensor_on(board, Wavering(board.clock, temperature_c=4.0))
    with pytest.raises(Misconfigured, match="the calibration reads differently twice"):
        sensor.read(board.now())
    assert sensor.read(board.now())[0].value == pytest.approx(4.0, abs=0.01)
