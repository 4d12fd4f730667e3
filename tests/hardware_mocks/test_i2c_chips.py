"""The simulated bus and its chips, spoken to in raw frames as their datasheets say."""

import threading

import pytest

from hardware_mocks.aht20_chip import Aht20Chip
from hardware_mocks.bme280_chip import Bme280Chip
from hardware_mocks.climate_chip import Climate
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.i2c_bus import SimulatedI2C
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.sht4x_chip import Sht4xChip
from hardware_mocks.tca9548a_chip import Tca9548aChip


@pytest.fixture
def clock():
    return SimulatedClock()


def read(bus, address, count):
    frame = bytearray(count)
    bus.readfrom_into(address, frame)
    return bytes(frame)


def register(bus, address, first, count=1):
    frame = bytearray(count)
    bus.writeto_then_readfrom(address, bytes((first,)), frame)
    return bytes(frame)


def test_nobody_at_an_address_is_errno_121(clock):
    with pytest.raises(OSError) as caught:
        SimulatedI2C(clock).writeto(0x44, b"")
    assert caught.value.errno == 121


def test_two_chips_cannot_have_one_address(clock):
    bus = SimulatedI2C(clock, Sht3xChip(clock))
    with pytest.raises(ValueError, match="two chips at 0x44"):
        bus.attach(Sht4xChip(clock))


@pytest.mark.parametrize(
    ("chip_type", "command", "conversion_s"),
    [
        (Sht3xChip, "2400", 0.015),
        (Sht3xChip, "240b", 0.006),
        (Sht3xChip, "2416", 0.004),
        (Sht4xChip, "fd", 0.0083),
        (Sht4xChip, "f6", 0.0045),
        (Sht4xChip, "e0", 0.0016),
    ],
)
def test_a_sensirion_chip_acknowledges_one_read_after_its_conversion(clock, chip_type, command, conversion_s):
    bus = SimulatedI2C(clock, chip_type(clock))
    bus.writeto(0x44, bytes.fromhex(command))
    clock.sleep(conversion_s - 0.001)
    with pytest.raises(OSError):
        read(bus, 0x44, 6)
    clock.sleep(0.0011)
    assert len(read(bus, 0x44, 6)) == 6
    with pytest.raises(OSError):
        read(bus, 0x44, 6)


def test_an_sht3x_stretches_the_clock_only_when_asked(clock):
    chip = Sht3xChip(clock)
    bus = SimulatedI2C(clock, chip)
    bus.writeto(0x44, bytes.fromhex("2c06"))
    read(bus, 0x44, 6)
    assert chip.stretched == 1
    assert clock.monotonic_s() == pytest.approx(0.015)


def test_an_unknown_command_is_not_acknowledged(clock):
    bus = SimulatedI2C(clock, Sht3xChip(clock))
    with pytest.raises(OSError):
        bus.writeto(0x44, b"\x12\x34")


def test_an_aht20_says_busy_until_its_80_ms_are_over(clock):
    bus = SimulatedI2C(clock, Aht20Chip(clock))
    bus.writeto(0x38, b"\xbe\x08\x00")
    bus.writeto(0x38, b"\xac\x33\x00")
    clock.sleep(0.079)
    assert read(bus, 0x38, 1) == b"\x98"
    clock.sleep(0.001)
    assert read(bus, 0x38, 1) == b"\x18"
    assert read(bus, 0x38, 7) == read(bus, 0x38, 7), "the result stays until the next trigger"


def test_a_bme280_measures_when_forced_and_sleeps_again(clock):
    bus = SimulatedI2C(clock, Bme280Chip(clock))
    assert register(bus, 0x76, 0xD0) == b"\x60"
    assert register(bus, 0x76, 0xF7, 8) == bytes.fromhex("8000008000008000")
    bus.writeto(0x76, b"\xf2\x01")
    bus.writeto(0x76, b"\xf4\x25")
    assert register(bus, 0x76, 0xF3) == b"\x08"
    clock.sleep(0.009)
    assert register(bus, 0x76, 0xF3) == b"\x00"
    assert register(bus, 0x76, 0xF4) == b"\x24"
    assert register(bus, 0x76, 0xF7, 8) != bytes.fromhex("8000008000008000")


def test_a_bme280_in_normal_mode_keeps_up_with_the_weather(clock):
    chip = Bme280Chip(clock, temperature_c=5.0)
    bus = SimulatedI2C(clock, chip)
    bus.writeto(0x76, b"\xf2\x01\xf4\x27")
    clock.sleep(0.01)
    before = register(bus, 0x76, 0xFA, 3)
    chip.temperature_c = 15.0
    clock.sleep(0.02), register(bus, 0x76, 0xF3), clock.sleep(0.02)
    assert register(bus, 0x76, 0xFA, 3) > before


def test_a_nau7802_converts_only_when_powered_and_started(clock):
    cell = LoadCell(counts_per_gram=1.0)
    cell.load_g = 1000.0
    bus = SimulatedI2C(clock, Nau7802Chip(clock, cell))
    assert register(bus, 0x2A, 0x00) == b"\x00"
    bus.writeto(0x2A, b"\x00\x06")
    assert register(bus, 0x2A, 0x00) == b"\x06"
    clock.sleep(0.001)
    assert register(bus, 0x2A, 0x00) == b"\x0e", "powered up and ready after 200 µs"
    clock.sleep(1.0)
    assert register(bus, 0x2A, 0x00) == b"\x0e", "no conversion takes place until CS is set"
    bus.writeto(0x2A, b"\x00\x16")
    clock.sleep(0.099)
    assert register(bus, 0x2A, 0x00) == b"\x1e"
    clock.sleep(0.401)
    assert register(bus, 0x2A, 0x00) == b"\x3e"
    assert register(bus, 0x2A, 0x12, 3) == bytes((0, 3, 232))
    assert register(bus, 0x2A, 0x00) == b"\x1e", "reading took the conversion"


def test_a_nau7802s_filter_needs_four_conversions(clock):
    cell = LoadCell(counts_per_gram=1.0)
    cell.load_g = 1000.0
    bus = SimulatedI2C(clock, Nau7802Chip(clock, cell))
    bus.writeto(0x2A, b"\x00\x16")
    codes = []
    for _ in range(5):
        clock.sleep(0.1)
        codes.append(int.from_bytes(register(bus, 0x2A, 0x12, 3), "big"))
    assert codes == [250, 500, 750, 1000, 1000]


def test_reading_a_nau7802s_code_byte_by_byte_takes_one_conversion(clock):
    """Noise is drawn once a conversion, not once a register."""
    cell = LoadCell(counts_per_gram=1000.0, noise_g=50.0)
    cell.load_g = 1000.0
    bus = SimulatedI2C(clock, Nau7802Chip(clock, cell))
    bus.writeto(0x2A, b"\x00\x16")
    clock.sleep(1.0)
    by_bytes = b"".join(register(bus, 0x2A, each) for each in (0x12, 0x13, 0x14))
    assert by_bytes == (cell._last & 0xFFFFFF).to_bytes(3, "big")


def test_chips_behind_an_open_channel_answer_and_no_others(clock):
    mux, bus = Tca9548aChip(), SimulatedI2C(clock)
    bus.attach(mux)
    mux.attach(0, Sht3xChip(clock))
    mux.attach(1, Sht3xChip(clock, address=0x45))
    assert bus.scan() == [0x70]
    bus.writeto(0x70, b"\x01")
    assert bus.scan() == [0x44, 0x70]
    bus.writeto(0x70, b"\x03")
    assert bus.scan() == [0x44, 0x45, 0x70]
    assert read(bus, 0x70, 1) == b"\x03"
    mux.power_glitch()
    assert bus.scan() == [0x70]
    with pytest.raises(ValueError, match="two chips at 0x44 on channel 0"):
        mux.attach(0, Sht4xChip(clock))


def test_of_two_chips_at_one_address_the_zeros_win(clock):
    mux, bus = Tca9548aChip(), SimulatedI2C(clock)
    bus.attach(mux)
    cold, warm = Sht3xChip(clock, temperature_c=-20.0), Sht3xChip(clock, temperature_c=60.0)
    mux.attach(0, cold), mux.attach(1, warm)
    alone = []
    for control in (1, 2, 3):
        bus.writeto(0x70, bytes((control,)))
        bus.writeto(0x44, b"\x24\x00")
        clock.sleep(0.02)
        alone.append(read(bus, 0x44, 6))
    assert alone[2] == bytes(a & b for a, b in zip(alone[0], alone[1], strict=True))


def test_a_stuck_bus_costs_a_second_and_errno_110(clock):
    bus = SimulatedI2C(clock, Sht3xChip(clock))
    bus.stuck = True
    with pytest.raises(TimeoutError):
        bus.writeto(0x44, b"")
    assert clock.monotonic_s() == 1.0


def test_a_hanging_transfer_ends_with_its_release(clock):
    bus = SimulatedI2C(clock, Sht3xChip(clock), Sht4xChip(clock, address=0x45))
    bus.hang(0x44)
    bus.writeto(0x45, b"")
    thread = threading.Thread(target=bus.writeto, args=(0x44, b""))
    thread.start()
    assert bus.hung.wait(5)
    assert thread.is_alive()
    bus.release()
    thread.join(5)
    assert not thread.is_alive()
    bus.writeto(0x44, b"")


def test_flipped_bits_are_as_many_as_asked_for(clock):
    chip = Nau7802Chip(clock, LoadCell())
    bus = SimulatedI2C(clock, chip, seed=3)
    bus.flip_probability = 0.1
    flipped = sum(register(bus, 0x2A, 0x01) != b"\x00" for _ in range(2000))
    assert 150 < flipped < 250


def temperature_code(chip, clock):
    chip.write(b"\x24\x00")
    clock.sleep(0.02)
    return int.from_bytes(chip.read(6)[:2], "big")


def test_a_climate_chip_follows_a_function_of_time(clock):
    chip = Sht3xChip(clock)
    chip.environment = lambda mono_s: Climate(20.0 if mono_s < 60 else 30.0, 50.0)
    before = temperature_code(chip, clock)
    clock.sleep(60)
    assert temperature_code(chip, clock) - before == pytest.approx(10 / 175 * 65535, abs=1)


def test_a_frozen_chip_repeats_its_last_conversion(clock):
    chip = Sht3xChip(clock, temperature_c=4.0)
    chip.noise_c = 1.0
    before = temperature_code(chip, clock)
    chip.frozen, chip.temperature_c = True, 30.0
    assert temperature_code(chip, clock) == before


def test_noise_and_spikes_come_from_the_seed(clock):
    def series(seed):
        chip = Sht3xChip(clock, temperature_c=20.0, seed=seed)
        chip.noise_c, chip.spike_probability, chip.spike_c = 0.1, 0.05, 40.0
        return [temperature_code(chip, clock) for _ in range(400)]

    assert series(1) == series(1)
    assert series(1) != series(2)
    spikes = [each for each in series(1) if abs(each - 65 / 175 * 65535) > 20 / 175 * 65535]
    assert 5 < len(spikes) < 40
