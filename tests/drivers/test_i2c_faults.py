"""Every chip, every fault: its named error while it lasts, and good readings after it, from the same Sensor."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.reading import Quality
from edge_agent.drivers import aht20, bme280, nau7802, sht3x, sht4x
from edge_agent.drivers.errors import (
    BadChecksum,
    BusHeld,
    Misconfigured,
    NoAnswer,
    NotReady,
    OutOfRange,
    Saturated,
    SensorError,
)
from hardware_mocks.aht20_chip import Aht20Chip
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.bme280_chip import Bme280Chip
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.faults import GarbageChip
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.sht4x_chip import Sht4xChip

CLIMATE_CHIPS = {
    "sht3x": (sht3x, Sht3xChip),
    "sht4x": (sht4x, Sht4xChip),
    "aht20": (aht20, Aht20Chip),
    "bme280": (bme280, Bme280Chip),
}
KINDS = [*CLIMATE_CHIPS, "nau7802"]


@dataclass
class Rig:
    board: BenchBoard
    bus: Any
    chip: Any
    sensor: Any

    def read(self, *, after_s=2.0):
        self.board.clock.sleep(after_s)
        return self.sensor.read(self.board.now())


def rig(kind, board):
    if kind == "nau7802":
        module, chip = nau7802, Nau7802Chip(board.clock, LoadCell(counts_per_gram=20.0, zero_counts=500))
    else:
        module, chip_type = CLIMATE_CHIPS[kind]
        chip = chip_type(board.clock)
    board.plug_in(chip)
    return Rig(board, board.bus(), chip, module.open_sensor("cold-room", module.Settings(), board))


@pytest.fixture
def board():
    board = BenchBoard(SimulatedClock(), bus_timeout_s=0.02)
    with board.driving():
        yield board
    board.close()


def attribute(name, bad, good):
    return lambda rig: setattr(rig.chip, name, bad), lambda rig: setattr(rig.chip, name, good)


def wire(name, bad, good):
    return lambda rig: setattr(rig.bus, name, bad), lambda rig: setattr(rig.bus, name, good)


UNPLUGGED = attribute("unplugged", True, False)
STUCK = wire("stuck", True, False)
HANGING = (lambda rig: rig.bus.hang(kernel_timeout_s=1.0), lambda rig: rig.bus.release())
BAD_CRC = attribute("bad_crc", 1.0, 0.0)
HOT = attribute("temperature_c", 129.0, 4.0)


def load(load_g):
    def put(rig):
        rig.chip.cells[0].load_g = load_g

    return put


EVERYWHERE = [
    (kind, *fault) for kind in KINDS for fault in [(*UNPLUGGED, NoAnswer), (*STUCK, BusHeld), (*HANGING, BusHeld)]
]
BY_CHIP = [
    *[(kind, *BAD_CRC, BadChecksum) for kind in ("sht3x", "sht4x", "aht20")],
    *[(kind, *HOT, OutOfRange) for kind in CLIMATE_CHIPS],
    ("bme280", *attribute("temperature_c", -41.0, 4.0), OutOfRange),
    ("bme280", *attribute("pressure_hpa", 299.0, 1000.0), OutOfRange),
    ("bme280", *attribute("always_measuring", True, False), NotReady),
    ("sht4x", *attribute("humidity_pct", 120.0, 50.0), OutOfRange),
    ("aht20", *attribute("always_busy", True, False), NotReady),
    ("aht20", lambda rig: rig.chip.power_glitch(), lambda rig: None, Misconfigured),
    ("nau7802", *attribute("stopped", True, False), NotReady),
    ("nau7802", load(1e9), load(0.0), Saturated),
    ("nau7802", load(-1e9), load(0.0), Saturated),
    ("nau7802", lambda rig: rig.chip.power_glitch(), lambda rig: None, Misconfigured),
]
AT_CONNECTING = [
    *[(kind, *fault) for kind in KINDS for fault in [(*UNPLUGGED, NoAnswer), (*STUCK, BusHeld), (*HANGING, BusHeld)]],
    ("bme280", *attribute("chip_id", 0x58, 0x60), Misconfigured),  # 0x58: a BMP280, which has no humidity
    ("aht20", *attribute("calibrates", False, True), Misconfigured),
    ("aht20", *attribute("always_busy", True, False), NotReady),
    ("nau7802", *attribute("calibration_fails", True, False), Misconfigured),
    ("nau7802", *attribute("calibration_hangs", True, False), NotReady),
]


@pytest.mark.parametrize(("kind", "breaks", "mends", "error"), EVERYWHERE + BY_CHIP)
def test_a_fault_while_running_is_named_and_passes_without_a_new_sensor(board, kind, breaks, mends, error):
    rigged = rig(kind, board)
    good = [reading.value for reading in rigged.read()]
    breaks(rigged)
    with pytest.raises(error) as caught:
        rigged.read()
    assert "cold-room" in str(caught.value)
    mends(rigged)
    recovered = rigged.read()
    assert [reading.quality for reading in recovered] == [Quality.GOOD] * len(good)


@pytest.mark.parametrize(("kind", "breaks", "mends", "error"), AT_CONNECTING)
def test_a_fault_at_the_first_read_is_named_and_passes_too(board, kind, breaks, mends, error):
    rigged = rig(kind, board)
    breaks(rigged)
    for _ in range(3):
        with pytest.raises(error):
            rigged.read()
    mends(rigged)
    assert all(reading.quality == Quality.GOOD for reading in rigged.read())


@pytest.mark.parametrize("kind", KINDS)
def test_opening_a_sensor_touches_no_chip(board, kind):
    rigged = rig(kind, board)
    assert rigged.bus.transfers == 0
    assert {channel.place for channel in rigged.sensor.channels} == {"cold-room"}
    assert rigged.sensor.bus == "i2c-1"


@pytest.mark.parametrize("kind", KINDS)
def test_one_disturbed_transfer_is_tried_again_after_10_ms(board, kind):
    rigged = rig(kind, board)
    rigged.read()
    rigged.read()
    rigged.chip.unplugged = True

    def reconnect(now_s):
        rigged.chip.unplugged = False

    board.clock.on_advance.append(reconnect)  # the retry's wait is the first time that passes
    before_s = board.clock.monotonic_s()
    assert rigged.sensor.read(board.now())
    assert board.clock.monotonic_s() - before_s >= 0.010


def test_a_missing_chip_costs_its_neighbour_nothing(board):
    dead, alive = rig("sht3x", board), rig("aht20", board)
    dead.chip.unplugged = True
    for _ in range(10):
        with pytest.raises(NoAnswer):
            dead.read()
        assert len(alive.read()) == 2


def test_a_hanging_transfer_leaves_the_bus_reported_as_held_and_all_recover(board):
    hanging, other = rig("sht3x", board), rig("aht20", board)
    hanging.read(), other.read()
    board.bus().hang(0x44)
    found = []
    stuck = threading.Thread(target=lambda: found.append(hanging.sensor.read(board.now())))
    stuck.start()
    try:
        assert board.bus().hung.wait(5)
        with pytest.raises(BusHeld, match=r"i2c-1 has been held by cold-room \(i2c-1 0x44\)"):
            other.read(after_s=0)
        with pytest.raises(BusHeld):
            hanging.read(after_s=0)  # as a worker that has replaced the stuck one
    finally:
        board.bus().release()
        stuck.join(5)
    assert not stuck.is_alive()
    assert len(found[0]) == 2, "the transfer went on where it hung"
    assert other.read()
    assert hanging.read()


def test_a_read_that_hung_beyond_its_limit_does_not_go_on(board):
    rigged = rig("sht3x", board)
    rigged.read()
    board.bus().hang(0x44)
    raised = []

    def read():
        try:
            rigged.sensor.read(board.now())
        except SensorError as error:
            raised.append(error)

    stuck = threading.Thread(target=read)
    stuck.start()
    assert board.bus().hung.wait(5)
    board.clock.sleep(3.0)
    board.bus().release()
    stuck.join(5)
    assert [type(error) for error in raised] == [NotReady]
    assert rigged.read()


def test_a_board_that_shares_no_bus_is_a_bug_that_shows(board):
    class Careless:
        clock = board.clock

        def i2c(self, bus):
            return board.bus(bus)

    sensor = sht3x.open_sensor("cold-room", sht3x.Settings(), Careless())
    with pytest.raises(TypeError, match="i2c-1 as SimulatedI2C: boards share a bus by SharedI2C"):
        sensor.read(board.now())


def assert_possible(sensor, board):
    try:
        readings = sensor.read(board.now())
    except SensorError:
        return
    for reading in readings:
        assert reading.channel.kind.low <= reading.value <= reading.channel.kind.high


@given(
    kind=st.sampled_from(KINDS),
    noise=st.randoms(use_true_random=False),
    fixed=st.none() | st.binary(min_size=1, max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_garbage_gives_a_sensor_error_or_a_possible_number(kind, noise, fixed):
    """From the start, and from a chip that worked until now."""

    def answer(count):
        return noise.randbytes(count) if fixed is None else (fixed * count)[:count]

    board = BenchBoard(SimulatedClock())
    with board.driving():
        rigged = rig(kind, board)
        rigged.read()
        address = rigged.chip.address
        rigged.bus.detach(address)
        rigged.bus.attach(GarbageChip(address, answer))
        for _ in range(3):
            board.clock.sleep(2)
            assert_possible(rigged.sensor, board)


@given(kind=st.sampled_from(KINDS), probability=st.floats(0.001, 0.2), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_flipped_bits_give_a_sensor_error_or_a_possible_number(kind, probability, seed):
    board = BenchBoard(SimulatedClock())
    with board.driving():
        rigged = rig(kind, board)
        board.bus()._random.seed(seed)
        board.bus().flip_probability = probability
        for _ in range(5):
            board.clock.sleep(2)
            assert_possible(rigged.sensor, board)


@pytest.mark.parametrize("kind", ["sht3x", "sht4x", "aht20"])
def test_a_checksum_lets_no_single_flipped_bit_through(board, kind):
    rigged = rig(kind, board)
    true = [reading.value for reading in rigged.read()]
    board.bus().flip_probability = 0.05
    outcomes = []
    for _ in range(300):
        try:
            outcomes.append([reading.value for reading in rigged.read()] == true)
        except SensorError:
            outcomes.append(None)
    assert outcomes.count(None) > 30, "the wires were bad"
    assert outcomes.count(False) <= 1, "a CRC-8 catches every single flip, and 255 of 256 of the worst"
