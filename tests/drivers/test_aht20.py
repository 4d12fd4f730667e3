"""AHT20, set up by adafruit_ahtx0, with the checksum the library leaves out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers import aht20
from edge_agent.drivers.errors import BadChecksum
from hardware_mocks.aht20_chip import Aht20Chip
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock


@pytest.fixture
def board():
    board = BenchBoard(SimulatedClock())
    with board.driving():
        yield board


def test_a_frame_taken_off_a_real_chip_decodes():
    assert aht20.decode(bytes.fromhex("1c3b5e8688b2d2")) == pytest.approx((31.6746, 23.1911), abs=1e-4)


@given(temperature_c=st.floats(-39.99, 84.99), humidity_pct=st.floats(0, 100))
def test_what_the_chip_feels_comes_back_within_its_resolution(temperature_c, humidity_pct):
    board = BenchBoard(SimulatedClock())
    with board.driving():
        board.plug_in(Aht20Chip(board.clock, temperature_c=temperature_c, humidity_pct=humidity_pct))
        t, rh = aht20.open_sensor("cold-room", aht20.Settings(), board).read(board.now())
    assert t.value == pytest.approx(temperature_c, abs=0.0002)
    assert rh.value == pytest.approx(humidity_pct, abs=0.0001)


def test_the_library_alone_would_believe_a_bad_checksum(board):
    import adafruit_ahtx0

    chip = Aht20Chip(board.clock, temperature_c=4.0)
    board.plug_in(chip)
    chip.bad_crc = 1.0
    assert adafruit_ahtx0.AHTx0(board.i2c("i2c-1")).temperature == pytest.approx(4.0, abs=0.01)
    with pytest.raises(BadChecksum, match="cold-room: checksum mismatch in 18"):
        aht20.open_sensor("cold-room", aht20.Settings(), board).read(board.now())


def test_a_newer_chip_that_refuses_the_older_command_is_set_up_all_the_same(board):
    chip = Aht20Chip(board.clock, temperature_c=4.0)
    chip.answers_aht10 = False
    board.plug_in(chip)
    sensor = aht20.open_sensor("cold-room", aht20.Settings(), board)
    assert sensor.read(board.now())[0].value == pytest.approx(4.0, abs=0.001)
    assert chip.conversions == 1, "both values from one"
