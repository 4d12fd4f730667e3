"""NAU7802: set up by cedargrove_nau7802, converted here."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.drivers import nau7802, sht3x
from edge_agent.drivers.errors import Misconfigured, NoAnswer, NotReady, Saturated
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.tca9548a_chip import Tca9548aChip


@pytest.fixture
def board():
    board = BenchBoard(SimulatedClock(), bus_timeout_s=0.02)
    with board.driving():
        yield board
    board.close()


class Fixed:
    """A bridge that gives these counts."""

    def __init__(self, code):
        self.code = code

    def counts(self, mono_s):
        return self.code


def open_sensor(board, **settings):
    return nau7802.open_sensor("shelf-3", nau7802.Settings(**settings), board)


def counts(sensor, board, after_s=1.0):
    board.clock.sleep(after_s)
    (reading,) = sensor.read(board.now())
    return reading.value


@pytest.mark.parametrize("code", [0, 1, -1, 100, -100, 2**22 + 3, -(2**22) - 3, 2**23 - 2, -(2**23) + 1])
def test_the_adcs_code_comes_back_exactly_where_the_library_gives_twice_as_much(board, code):
    from cedargrove_nau7802 import NAU7802

    cell = Fixed(code)
    board.plug_in(Nau7802Chip(board.clock, cell))
    assert counts(open_sensor(board), board) == code

    library = NAU7802(board.i2c("i2c-1"))
    library._pu_cycle_start = True
    board.clock.sleep(1.0)
    assert library.available()
    assert library.read() == 2 * code


@given(code=st.integers(-(2**23) + 1, 2**23 - 2))
@settings(max_examples=30, deadline=None)
def test_any_code_comes_back(code):
    board = BenchBoard(SimulatedClock())
    with board.driving():
        board.plug_in(Nau7802Chip(board.clock, Fixed(code)))
        assert counts(open_sensor(board), board) == code


@pytest.mark.parametrize("code", [0x7FFFFF, -0x800000])
def test_the_ends_of_the_adc_are_saturation(board, code):
    cell = Fixed(code)
    chip = Nau7802Chip(board.clock, cell)
    board.plug_in(chip)
    sensor = open_sensor(board)
    with pytest.raises(Saturated, match=f"shelf-3: the ADC stands at {code}"):
        counts(sensor, board)
    cell.code = 17
    before_s = board.clock.monotonic_s()
    assert counts(sensor, board, after_s=0.2) == 17
    assert board.clock.monotonic_s() - before_s < 0.5, "a full scale is no reason to set the chip up again"


@pytest.mark.parametrize("rate_sps", nau7802.RATES_SPS)
@pytest.mark.parametrize("channel", [1, 2])
def test_every_rate_and_channel_is_set_and_read_back(board, rate_sps, channel):
    chip = Nau7802Chip(board.clock, Fixed(111), Fixed(222))
    board.plug_in(chip)
    sensor = open_sensor(board, rate_sps=rate_sps, channel=channel)
    assert counts(sensor, board) == 111 * channel
    for register, (mask, value) in nau7802.configured(nau7802.Settings(rate_sps=rate_sps, channel=channel)).items():
        assert chip.registers[register] & mask == value, f"register 0x{register:02x}"
    assert sensor.min_interval_s == pytest.approx(1 / rate_sps)


def test_a_read_gives_the_newest_conversion_at_once_and_never_the_same_twice(board):
    cell = LoadCell(counts_per_gram=10.0)
    board.plug_in(Nau7802Chip(board.clock, cell))
    sensor = open_sensor(board)
    counts(sensor, board)
    cell.load_g = 250.0
    assert counts(sensor, board, after_s=5.0) == 2500
    before_s = board.clock.monotonic_s()
    cell.load_g = 300.0
    assert counts(sensor, board, after_s=0.0) == 3000
    waited_s = board.clock.monotonic_s() - before_s
    assert 0 < waited_s <= 0.2, "it waited for a new conversion, and no longer than two periods"


def test_the_filter_has_settled_before_the_first_reading(board):
    board.plug_in(Nau7802Chip(board.clock, Fixed(40_000)))
    assert counts(open_sensor(board), board, after_s=0.0) == 40_000


@pytest.mark.parametrize("rate_sps", [10, 80])
def test_a_chip_that_stops_converting_blocks_no_longer_than_two_periods(board, rate_sps):
    chip = Nau7802Chip(board.clock, Fixed(1))
    board.plug_in(chip)
    sensor = open_sensor(board, rate_sps=rate_sps)
    counts(sensor, board)
    chip.stopped = True
    before_s = board.clock.monotonic_s()
    with pytest.raises(NotReady, match="no conversion within"):
        sensor.read(board.now())
    assert board.clock.monotonic_s() - before_s <= 2.3 / rate_sps


@pytest.mark.parametrize(
    ("register", "value"),
    [(0x01, 0x00), (0x02, 0x30), (0x15, 0x00), (0x1B, 0x40), (0x1C, 0x00), (0x04, 0x77), (0x07, 0x81)],
)
def test_a_register_that_changed_is_found_within_60_s_and_set_right(board, register, value):
    chip = Nau7802Chip(board.clock, Fixed(5))
    board.plug_in(chip)
    sensor = open_sensor(board)
    counts(sensor, board)
    left = chip.registers[register]
    chip.registers[register] = value
    found = []
    for second in range(1, 62):
        try:
            counts(sensor, board)
        except Misconfigured as error:
            found.append((second, str(error)))
    assert len(found) == 1
    assert 55 <= found[0][0] <= 60
    assert chip.registers[register] == left
    assert counts(sensor, board) == 5


def test_a_power_glitch_is_noticed_at_the_next_read_and_healed_at_the_one_after(board):
    chip = Nau7802Chip(board.clock, Fixed(5))
    board.plug_in(chip)
    sensor = open_sensor(board)
    counts(sensor, board)
    chip.power_glitch()
    with pytest.raises(Misconfigured, match="PU_CTRL is 0x00, as after a power glitch"):
        counts(sensor, board)
    assert counts(sensor, board) == 5


def test_eight_chips_of_one_address_behind_a_multiplexer(board):
    mux = Tca9548aChip(0x71)
    for channel in range(8):
        mux.attach(channel, Nau7802Chip(board.clock, Fixed(1000 + channel)))
    board.plug_in(mux, Sht3xChip(board.clock))
    sensors = [open_sensor(board, mux_address=0x71, mux_channel=channel) for channel in range(8)]
    climate = sht3x.open_sensor("cold-room", sht3x.Settings(), board)
    for _ in range(3):
        assert [counts(sensor, board) for sensor in sensors] == [1000 + channel for channel in range(8)]
        assert climate.read(board.now())
        assert mux.control == 0, "no channel stays open for the chips beside the multiplexer"


def test_a_multiplexer_that_fails_between_lock_and_unlock_takes_nobody_else_with_it(board):
    """The library keeps the lock when selecting or closing a channel fails."""
    mux = Tca9548aChip()
    mux.attach(2, Nau7802Chip(board.clock, Fixed(9)))
    board.plug_in(mux, Sht3xChip(board.clock))
    shelf = open_sensor(board, mux_address=0x70, mux_channel=2)
    climate = sht3x.open_sensor("cold-room", sht3x.Settings(), board)
    assert counts(shelf, board) == 9
    mux.unplugged = True
    with pytest.raises(NoAnswer):
        counts(shelf, board)
    assert board.i2c("i2c-1").holder is None
    assert climate.read(board.now())
    mux.unplugged = False
    assert counts(shelf, board) == 9


def test_a_set_up_on_another_bus_waits_its_turn(board):
    """The library's registers share one buffer across all threads: two set-ups at a time would mix them."""
    found = {}

    def started(bus, code):
        board.plug_in(Nau7802Chip(board.clock, Fixed(code)), bus=bus)
        sensor = open_sensor(board, bus=bus)
        thread = threading.Thread(target=lambda: found.update({bus: sensor.read(board.now())[0].value}))
        thread.start()
        return thread

    board.bus("i2c-1").hang()
    first = started("i2c-1", 100)
    assert board.bus("i2c-1").hung.wait(5)
    second = started("i2c-3", 200)
    second.join(0.2)
    assert second.is_alive()
    assert board.bus("i2c-3").transfers == 0
    board.bus("i2c-1").release()
    first.join(5), second.join(5)
    assert found == {"i2c-1": 100, "i2c-3": 200}


def test_a_calibration_that_fails_says_so(board):
    chip = Nau7802Chip(board.clock, Fixed(5))
    chip.calibration_fails = True
    board.plug_in(chip)
    with pytest.raises(Misconfigured, match="shelf-3: the ADC's calibration ended with its error flag"):
        counts(open_sensor(board), board)
