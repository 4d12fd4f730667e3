"""Chips are told by what they say, and nothing on the bus is changed by asking."""

import errno
from collections.abc import Sequence

import pytest

from edge_agent.setup.probe import BusSilent, Found, Spot, scan
from hardware_mocks.aht20_chip import Aht20Chip
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.bme280_chip import Bme280Chip
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.i2c_bus import Chip, no_acknowledge
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.sht4x_chip import Sht4xChip
from hardware_mocks.tca9548a_chip import Tca9548aChip

CLOCK = SimulatedClock()
MAKERS = {
    "sht3x": lambda address: Sht3xChip(CLOCK, address=address),
    "sht4x": lambda address: Sht4xChip(CLOCK, address=address),
    "aht20": lambda address: Aht20Chip(CLOCK, address=address),
    "bme280": lambda address: Bme280Chip(CLOCK, address=address),
    "nau7802": lambda address: Nau7802Chip(CLOCK, LoadCell(), address=address),
}


class Recorder:
    """A chip of another make: gives the same byte, and remembers every byte that was written to it."""

    def __init__(self, address: int, byte: int = 0x5A) -> None:
        self.address = address
        self.byte = byte
        self.written: list[bytes] = []

    def write(self, frame: bytes) -> None:
        self.written.append(frame)

    def read(self, count: int) -> bytes:
        return bytes((self.byte,)) * count


class Claimed:
    """An address at which a driver of the kernel sits."""

    def __init__(self, address: int) -> None:
        self.address = address

    def write(self, frame: bytes) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    def read(self, count: int) -> bytes:
        raise OSError(errno.EBUSY, "Device or resource busy")


def found(*chips: Chip) -> Sequence[Found]:
    board = BenchBoard(CLOCK)
    board.plug_in(*chips)
    return scan(board, "i2c-1")


@pytest.mark.parametrize(
    ("driver", "address"),
    [
        ("sht3x", 0x44),
        ("sht3x", 0x45),
        ("sht4x", 0x44),
        ("sht4x", 0x45),
        ("sht4x", 0x46),
        ("aht20", 0x38),
        ("bme280", 0x76),
        ("bme280", 0x77),
        ("nau7802", 0x2A),
    ],
)
def test_each_chip_is_told_by_what_it_says_wherever_it_can_sit(driver, address) -> None:
    (chip,) = found(MAKERS[driver](address))
    assert (chip.driver, chip.spot, chip.is_sure) == (driver, Spot("i2c-1", address), True)


def test_chips_behind_multiplexers_are_found_and_the_channels_left_as_they_were() -> None:
    first, second = Tca9548aChip(0x70), Tca9548aChip(0x76)
    first.control, second.control = 0b101, 0
    first.attach(0, MAKERS["nau7802"](0x2A))
    first.attach(7, MAKERS["sht3x"](0x45))
    second.attach(3, MAKERS["nau7802"](0x2A))
    seen = found(first, second, MAKERS["sht4x"](0x44), MAKERS["bme280"](0x77))
    assert len(seen) == 7  # each once
    assert {chip.spot: chip.driver for chip in seen} == {
        Spot("i2c-1", 0x44): "sht4x",
        Spot("i2c-1", 0x77): "bme280",
        Spot("i2c-1", 0x70): None,
        Spot("i2c-1", 0x76): None,
        Spot("i2c-1", 0x2A, 0x70, 0): "nau7802",
        Spot("i2c-1", 0x45, 0x70, 7): "sht3x",
        Spot("i2c-1", 0x2A, 0x76, 3): "nau7802",
    }
    assert (first.control, second.control) == (0b101, 0)


@pytest.mark.parametrize("address", [0x20, 0x27, 0x3C, 0x48, 0x50, 0x57, 0x68, 0x38])
def test_a_chip_that_nobody_knows_is_read_and_never_written(address) -> None:
    """A byte written to a port expander switches its outputs; 0x38 is an AHT20's address and a PCF8574A's."""
    chip = Recorder(address)
    (seen,) = found(chip)
    assert seen.driver is None
    assert chip.written == []


@pytest.mark.parametrize("address", [0x2A, 0x44, 0x46, 0x70, 0x76])
def test_where_one_of_ours_could_sit_nothing_is_written_but_what_only_asks(address) -> None:
    chip = Recorder(address)
    (seen,) = found(chip)
    assert seen.driver is None
    asks = {b"\x1f", b"\x89", b"\xf3\x2d", b"\xd0", b"\x01", b"\x02", bytes((chip.byte,))}
    assert set(chip.written) <= asks


@pytest.mark.parametrize(("chip_id", "words"), [(0x58, "BMP280"), (0x61, "BME680"), (0x55, "BMP180")])
def test_a_pressure_sensor_of_another_kind_is_named_and_not_taken(chip_id, words) -> None:
    chip = Bme280Chip(CLOCK)
    chip.chip_id = chip_id
    (seen,) = found(chip)
    assert seen.driver is None
    assert words in seen.words


def test_a_chip_whose_checksum_is_wrong_is_not_taken_for_ours() -> None:
    chip = Sht4xChip(CLOCK)
    chip.bad_crc = 1.0
    assert [seen.driver for seen in found(chip)] == []


def test_an_aht20_with_a_wrong_checksum_is_a_guess_that_a_person_must_confirm() -> None:
    chip = Aht20Chip(CLOCK)
    chip.bad_crc = 1.0
    (seen,) = found(chip)
    assert (seen.driver, seen.is_sure) == ("aht20", False)


def test_a_chip_of_the_kernel_is_named() -> None:
    (seen,) = found(Claimed(0x68))
    assert seen.words == "in use by a driver of the kernel"


def test_an_empty_bus_has_nothing() -> None:
    assert list(found()) == []


def test_a_held_wire_ends_the_search_with_words_and_soon() -> None:
    clock = SimulatedClock()
    board = BenchBoard(clock)
    board.bus().stuck = True
    before_s = clock.monotonic_s()
    with pytest.raises(BusSilent, match="Unplug the chips one after another"):
        scan(board, "i2c-1")
    assert clock.monotonic_s() - before_s < 5
    board.bus().stuck = False
    assert scan(board, "i2c-1") == []  # and the bus is free again


def test_one_chip_that_hangs_does_not_hide_the_others() -> None:
    clock = SimulatedClock()
    board = BenchBoard(clock)
    board.plug_in(Recorder(0x20), Sht3xChip(clock))
    board.bus().hang(0x20, kernel_timeout_s=0.1)
    assert [seen.driver for seen in scan(board, "i2c-1")] == ["sht3x"]


def test_a_chip_that_refuses_everything_is_not_there() -> None:
    class Mute:
        address = 0x44

        def write(self, frame: bytes) -> None:
            raise no_acknowledge()

        def read(self, count: int) -> bytes:
            raise no_acknowledge()

    assert list(found(Mute())) == []
