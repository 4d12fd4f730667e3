"""DS18B20 through the kernel's file: what is not a temperature is a fault."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.settings import SettingsError
from edge_agent.drivers import ds18b20
from edge_agent.drivers.ds18b20 import Settings, decode
from edge_agent.drivers.errors import BadChecksum, NoAnswer, OutOfRange, SensorError, Unconfirmed
from edge_agent.drivers.seam import Sensor
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.ds18b20_chip import Ds18b20Chip, w1_slave

DEVICE = "28-0316a2794bff"


class Bench:
    def __init__(self, directory: Path) -> None:
        self.board = BenchBoard(SimulatedClock())
        self.board.one_wire_path = directory
        self.chip = Ds18b20Chip(directory, DEVICE, temperature_c=4.5)
        self.sensor: Sensor = ds18b20.open_sensor("freezer", Settings(device=DEVICE), self.board)

    def read(self) -> float | None:
        (reading,) = self.sensor.read(self.board.now())
        assert reading.channel.name == "freezer/temperature"
        return reading.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_it_reads_what_the_chip_measures(bench: Bench) -> None:
    assert (bench.sensor.bus, bench.read()) == ("w1", 4.5)


@pytest.mark.parametrize(
    ("set_c", "read_c"), [(-18.0, -18.0), (0.06, 0.062), (-0.0625, -0.062), (125, 125), (-55, -55)]
)
def test_it_reads_to_a_sixteenth_of_a_degree(bench: Bench, set_c: float, read_c: float) -> None:
    bench.chip.temperature_c = set_c
    assert bench.read() == read_c


FAULTS: list[tuple[str, Callable[[Ds18b20Chip], None], Callable[[Ds18b20Chip], None], type[SensorError]]] = [
    ("unplugged", lambda c: setattr(c, "unplugged", True), lambda c: setattr(c, "unplugged", False), NoAnswer),
    ("silent", lambda c: setattr(c, "silent", True), lambda c: setattr(c, "silent", False), NoAnswer),
    ("crc", lambda c: setattr(c, "bad_crc", True), lambda c: setattr(c, "bad_crc", False), BadChecksum),
    ("power-on value", Ds18b20Chip.power_glitch, lambda c: setattr(c, "temperature_c", 4.5), Unconfirmed),
]


@pytest.mark.parametrize(("breaks", "mends", "error"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_each_fault_has_its_error_and_is_over_when_it_is_mended(
    bench: Bench,
    breaks: Callable[[Ds18b20Chip], None],
    mends: Callable[[Ds18b20Chip], None],
    error: type[SensorError],
) -> None:
    bench.read()
    breaks(bench.chip)
    for _ in range(3):
        with pytest.raises(error, match=DEVICE):
            bench.read()
    mends(bench.chip)
    assert bench.read() == 4.5


def test_a_chip_that_was_never_there_is_found_when_it_comes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.chip.unplugged = True
    with pytest.raises(NoAnswer, match="No such file"):
        bench.read()
    bench.chip.unplugged = False
    assert bench.read() == 4.5


def test_a_machine_without_1_wire_is_a_fault_of_the_sensor_alone() -> None:
    board = BenchBoard(SimulatedClock())
    with pytest.raises(NoAnswer, match="no 1-Wire bus"):
        ds18b20.open_sensor("freezer", Settings(device=DEVICE), board).read(board.now())


def test_the_power_on_value_is_suspect_at_the_first_read_too(bench: Bench) -> None:
    bench.chip.power_glitch()
    with pytest.raises(Unconfirmed, match="power-on"):
        bench.read()


def test_85_degrees_is_believed_on_the_way_there(bench: Bench) -> None:
    bench.chip.temperature_c = 82.0
    bench.read()
    bench.chip.temperature_c = 85.0
    assert bench.read() == 85.0


NOT_FILES = [
    (b"", NoAnswer, "empty"),
    (b"\n", NoAnswer, "empty"),
    (b"00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n", NoAnswer, "held low"),
    (b"ff ff ff ff ff ff ff ff ff : crc=c9 NO\nff ff ff ff ff ff ff ff ff t=-62\n", BadChecksum, "CRC c9"),
    (b"50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n", BadChecksum, "not a w1_slave file"),
    (b"50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=\n", BadChecksum, "not a w1_slave"),
    (b"50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=4\xb2\n", BadChecksum, "not a w1_slave"),
    (w1_slave(0x0550).replace(b"85000", b"125001"), OutOfRange, "125.001"),
    (w1_slave(0x0550).replace(b"85000", b"-55001"), OutOfRange, "-55.001"),
]


@pytest.mark.parametrize(("content", "error", "says"), NOT_FILES)
def test_what_is_not_a_temperature_has_its_error(content: bytes, error: type[SensorError], says: str) -> None:
    with pytest.raises(error, match=says):
        decode(content)


def test_decode_reads_the_datasheets_values() -> None:
    sixteenths = {0x07D0: 125.0, 0x0191: 25.062, 0x00A2: 10.125, 0x0008: 0.5, 0: 0.0, -8: -0.5, -880: -55.0}
    assert {code: decode(w1_slave(code)) for code in sixteenths} == sixteenths  # table 1, cut to 1/1000 by the kernel


def _assert_possible(content: bytes) -> None:
    try:
        value_c = decode(content)
    except SensorError:
        return
    assert -55 <= value_c <= 125


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_give_an_impossible_value(content: bytes) -> None:
    _assert_possible(content)


_HEX = st.binary(min_size=9, max_size=9).map(lambda scratchpad: scratchpad.hex(" ") + " ")


@given(_HEX, st.sampled_from(["YES", "NO", "yes", ""]), _HEX, st.integers(-(10**8), 10**8) | st.text(max_size=5))
@settings(max_examples=300)
def test_almost_a_file_never_gives_an_impossible_value(first: str, crc: str, second: str, t: int | str) -> None:
    _assert_possible(f"{first}: crc={first[-3:-1]} {crc}\n{second}t={t}\n".encode())


@given(st.binary(max_size=120), st.integers(0, 74))
def test_a_file_with_foreign_bytes_in_it_never_gives_an_impossible_value(foreign: bytes, where: int) -> None:
    whole = w1_slave(-288)
    _assert_possible(whole[:where] + foreign + whole[where + len(foreign) :])


def test_the_file_is_written_only_when_the_chips_resolution_shows_it(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / DEVICE / "w1_slave"
    file.unlink()
    bench.chip.temperature_c = 4.51
    assert not file.exists()
    bench.chip.temperature_c = 4.57
    assert bench.read() == 4.562


def test_a_shorter_value_leaves_nothing_of_a_longer_one(bench: Bench) -> None:
    for value_c in (-12.5, 4.5, -18.25, 0.0, 20.0):
        bench.chip.temperature_c = value_c
        assert bench.read() == value_c


@pytest.mark.parametrize(
    "device", ["", "28-", "28-0316A2794BFF", "10-0316a2794bff", "28-0316a2794bf", "../../etc/passwd"]
)
def test_a_device_that_is_no_ds18b20_is_a_fault_of_the_settings(device: str) -> None:
    with pytest.raises(SettingsError, match=r"device = .*: must be 28- and"):
        Settings(device=device)
