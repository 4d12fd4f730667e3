"""The Raspberry Pi board on another ground: chips found by label, faults that say what to do, signals kept."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from edge_agent.domain.instant import Instant
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers import contact, dht22, power, raspberry_pi
from edge_agent.drivers.errors import NoAnswer
from edge_agent.drivers.raspberry_pi import HelperPulses, Machine, NoGpioChip, NoI2CBus, Settings, open_board
from edge_agent.drivers.seam import I2C, PulseIn
from edge_agent.drivers.system_clock import SystemClock
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.dht_chip import DhtChip, PulseLine
from hardware_mocks.i2c_bus import SimulatedI2C
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.vendor_time import vendor_time

PI_4 = ((0, "pinctrl-bcm2711"), (1, "raspberrypi-exp-gpio"))
PI_5_2023 = ((0, "gpio-brcmstb@107d508500"), (4, "pinctrl-rp1"), (10, "gpio-brcmstb@107d517c00"))
PI_5_2025 = ((0, "pinctrl-rp1"), (10, "gpio-brcmstb@107d508500"), (11, "gpio-brcmstb@107d517c00"))


class NotedFactory(MockFactory):
    def __init__(self, on_close: Callable[[], None]) -> None:
        super().__init__()
        self._on_close = on_close

    def close(self) -> None:
        self._on_close()


class Ground:
    """A machine in a temporary directory that notes what is opened and closed on it."""

    def __init__(self, directory: Path, chips: Iterable[tuple[int, str]] = PI_4) -> None:
        self.dev, self.sys = directory / "dev", directory / "sys"
        self.dev.mkdir()
        self.sys.mkdir()
        self.chips = tuple(chips)
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.raw_i2c = SimulatedI2C(SimulatedClock())
        self.line = PulseLine(DhtChip(SimulatedClock(), temperature_c=21.5).answer)
        self.machine = Machine(self.dev, self.sys, self._chips, self._pin_factory, self._i2c, self._pulse_in)

    def _chips(self, dev: Path) -> Iterable[tuple[int, str]]:
        assert dev == self.dev
        return self.chips

    def _pin_factory(self, chip: int) -> Any:
        self.opened.append(f"gpiochip{chip}")

        return NotedFactory(lambda: self.closed.append(f"gpiochip{chip}"))

    def _i2c(self, number: int) -> tuple[I2C, Callable[[], None]]:
        self.opened.append(f"i2c-{number}")
        return self.raw_i2c, lambda: self.closed.append(f"i2c-{number}")

    def _pulse_in(self, chip: int, line: int) -> tuple[PulseIn, Callable[[], None]]:
        self.opened.append(f"pulses {chip}/{line}")
        return self.line, lambda: self.closed.append(f"pulses {chip}/{line}")

    def board(self, settings: Settings | None = None, **changed: Any) -> Any:
        return open_board(settings or Settings(), (), replace(self.machine, **changed))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.fixture
def sigterm() -> Iterator[Callable[..., None]]:
    """A handler of our own, put back afterwards whatever a test leaves."""
    before = signal.getsignal(signal.SIGTERM)

    def stop(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, stop)
    yield stop
    signal.signal(signal.SIGTERM, before)


def test_nothing_is_opened_before_it_is_asked_for(ground: Ground) -> None:
    board = ground.board()
    assert (ground.opened, board.is_stepped(), board.moments(), board.remarks()) == ([], False, None, ())
    assert isinstance(board.clock, SystemClock)
    with board.driving():
        board.close()
    assert ground.opened == ground.closed == []


@pytest.mark.parametrize(("chips", "number"), [(PI_4, 0), (PI_5_2023, 4), (PI_5_2025, 0), (PI_5_2025[::-1], 0)])
def test_the_gpio_chip_is_found_by_its_label(tmp_path: Path, chips: tuple[tuple[int, str], ...], number: int) -> None:
    ground = Ground(tmp_path, chips)
    board = ground.board()
    assert board.pin_factory is board.pin_factory
    assert ground.opened == [f"gpiochip{number}"]


@pytest.mark.parametrize(
    ("chips", "says"),
    [
        ((), "there are none"),
        (((0, "INT34C5:00"),), r"gpiochip0 is INT34C5:00\): is this a Raspberry Pi"),
    ],
)
def test_without_the_headers_chip_no_other_is_taken(
    tmp_path: Path, chips: tuple[tuple[int, str], ...], says: str
) -> None:
    ground = Ground(tmp_path, chips)
    board = ground.board()
    with pytest.raises(NoGpioChip, match=says):
        _ = board.pin_factory
    with pytest.raises(NoGpioChip):
        board.pulse_in(4)
    assert ground.opened == []


def test_a_label_of_the_settings_replaces_the_known_ones(tmp_path: Path) -> None:
    ground = Ground(tmp_path, (*PI_4, (7, "pinctrl-rp2")))
    _ = ground.board(Settings(gpio_chip_label="pinctrl-rp2")).pin_factory
    assert ground.opened == ["gpiochip7"]


def test_a_sensor_on_a_machine_without_gpio_is_bad_and_works_once_there_is_one(tmp_path: Path) -> None:
    ground = Ground(tmp_path, ())
    board = ground.board()
    sensor = contact.open_sensor("door", contact.Settings(5), board)
    at = _now()
    with pytest.raises(NoAnswer, match=r"GPIO5.*no GPIO chip labelled"):
        sensor.read(at)
    ground.chips = PI_4
    assert sensor.read(at)[0].value == 1.0


def _now() -> Instant:
    return BenchBoard(SimulatedClock()).now()


def test_a_bus_is_opened_once_and_shared(ground: Ground) -> None:
    (ground.dev / "i2c-1").touch()
    board = ground.board()
    with_chip = Sht3xChip(SimulatedClock())
    ground.raw_i2c.attach(with_chip)
    first = board.i2c("i2c-1")
    assert board.i2c("i2c-1") is first
    assert (first.scan(), ground.opened) == ([with_chip.address], ["i2c-1"])


@pytest.mark.parametrize("bus", ["i2c-1", "i2c-7"])
def test_a_missing_bus_says_how_to_switch_it_on(ground: Ground, bus: str) -> None:
    with pytest.raises(NoI2CBus, match=r"raspi-config.*dtparam=i2c_arm=on.*" + bus):
        ground.board().i2c(bus)


@pytest.mark.parametrize("bus", ["", "i2c", "i2c-x", "../i2c-1", "spi-0"])
def test_a_name_that_is_no_bus_says_what_one_looks_like(ground: Ground, bus: str) -> None:
    with pytest.raises(NoI2CBus, match="named like"):
        ground.board().i2c(bus)


@pytest.mark.skipif(os.geteuid() == 0, reason="root is allowed everything")
def test_a_bus_that_is_not_allowed_names_the_group(ground: Ground) -> None:
    device = ground.dev / "i2c-1"
    device.touch()
    device.chmod(0)
    with pytest.raises(PermissionError, match="group i2c"):
        ground.board().i2c("i2c-1")
    device.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert ground.board().i2c("i2c-1") is not None


def test_one_wire_is_below_sys(ground: Ground) -> None:
    assert ground.board().one_wire() == ground.sys / "bus/w1/devices"


@pytest.mark.parametrize(
    "folder", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"], ids=["Pi 0 to 4", "Pi 5"]
)
def test_the_power_flags_are_the_firmwares(ground: Ground, folder: str) -> None:
    file = ground.sys / "devices/platform" / folder / "get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text("50005\n")
    assert ground.board().power_flags() == 0x50005


def test_a_machine_without_the_firmware_has_no_power_flags(ground: Ground) -> None:
    with pytest.raises(OSError, match="firmware driver is not there"):
        ground.board().power_flags()


def test_power_flags_that_are_no_number_are_a_fault_of_the_sensor(ground: Ground) -> None:
    file = ground.sys / "devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff??\n")
    with pytest.raises(NoAnswer, match="not a hexadecimal number"):
        power.open_sensor("node", power.Settings(), ground.board()).read(_now())


def test_sigterm_is_taken_back_from_pulseio(ground: Ground, sigterm: Callable[..., None]) -> None:
    def steals(chip: int, line: int) -> tuple[PulseIn, Callable[[], None]]:
        def final_and_exit(signum: int, frame: object) -> None:  # as Blinka's module does when it is imported
            raise SystemExit(1)

        signal.signal(signal.SIGTERM, final_and_exit)
        return ground.line, lambda: None

    ground.board(pulse_in=steals).pulse_in(4)
    assert signal.getsignal(signal.SIGTERM) is sigterm


def test_sigterm_is_taken_back_from_a_pulseio_that_fails(ground: Ground, sigterm: Callable[..., None]) -> None:
    def steals_and_fails(chip: int, line: int) -> tuple[PulseIn, Callable[[], None]]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise OSError(errno.EIO, "Timed out waiting for PulseIn message")

    with pytest.raises(OSError, match="PulseIn"):
        ground.board(pulse_in=steals_and_fails).pulse_in(4)
    assert signal.getsignal(signal.SIGTERM) is sigterm


def test_pulses_can_be_asked_for_from_another_thread(ground: Ground, sigterm: Callable[..., None]) -> None:
    board = ground.board()
    worker = threading.Thread(target=board.pulse_in, args=(4,))
    worker.start()
    worker.join(10)
    assert ground.opened == ["pulses 0/4"]
    assert signal.getsignal(signal.SIGTERM) is sigterm


def test_blinkas_own_pulseio_does_not_keep_sigterm() -> None:
    """In a process of its own: the import happens once, and on no Pi the helper process cannot start."""
    program = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
from edge_agent.drivers import raspberry_pi
from pathlib import Path

def pulse_in(chip, line):
    import adafruit_blinka.microcontroller.bcm283x.pulseio.PulseIn
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN, "it no longer steals"
    return object(), lambda: None

machine = raspberry_pi.Machine(Path(), Path(), lambda dev: [(0, "pinctrl-bcm2711")], None, None, pulse_in)
raspberry_pi.open_board(raspberry_pi.Settings(), (), machine).pulse_in(4)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, "not taken back"
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_new_pulse_reader_closes_the_one_before_on_its_pin(ground: Ground) -> None:
    board = ground.board()
    for pin in (4, 17, 4):
        board.pulse_in(pin)
    assert ground.closed == ["pulses 0/4"]


def test_a_dht_reads_through_the_boards_pulses(ground: Ground) -> None:
    sensor = dht22.open_sensor("cold-room", dht22.Settings(pin=4), ground.board())
    with vendor_time(SimulatedClock()):
        assert [reading.value for reading in sensor.read(_now())] == [21.5, 80.0]
    assert ground.opened == ["pulses 0/4"]


def test_closing_releases_everything_even_when_one_part_fails(ground: Ground) -> None:
    (ground.dev / "i2c-1").touch()

    def fails(chip: int, line: int) -> tuple[PulseIn, Callable[[], None]]:
        def close() -> None:
            raise OSError(errno.EIO, "the queue is gone")

        return ground.line, close

    board = ground.board(pulse_in=fails)
    _ = board.pin_factory, board.i2c("i2c-1"), board.pulse_in(4)
    with pytest.raises(OSError, match="queue is gone"):
        board.close()
    assert sorted(ground.closed) == ["gpiochip0", "i2c-1"]
    board.close()
    assert len(ground.closed) == 2


class QueueGone(Exception):
    """As sysv_ipc's errors: no OSError."""


class Helper:
    """Blinka's PulseIn with its process."""

    def __init__(self, ended: int | None = None, *, queue_gone: bool = False) -> None:
        self._process = self
        self._ended = ended
        self._queue_gone = queue_gone

    def poll(self) -> int | None:
        return self._ended

    def clear(self) -> None:
        if self._queue_gone:
            raise QueueGone("No queue exists with id 7")

    def __len__(self) -> int:
        if self._ended is not None:
            raise AssertionError("would wait for ever")
        return 3


def test_a_helper_process_that_has_ended_is_an_error_and_not_a_wait_for_ever() -> None:
    assert len(HelperPulses(Helper(), QueueGone, "GPIO4")) == 3
    with pytest.raises(BrokenPipeError, match=r"ended with -9.*GPIO4"):
        len(HelperPulses(Helper(-9), QueueGone, "GPIO4"))


def test_a_queue_that_is_gone_is_an_error_of_the_operating_system() -> None:
    with pytest.raises(OSError, match=r"No queue exists.*GPIO4"):
        HelperPulses(Helper(queue_gone=True), QueueGone, "GPIO4").clear()


def test_lgpio_gets_a_directory_of_its_own_and_leaves_the_working_directory(tmp_path: Path) -> None:
    program = """
import os
from edge_agent.drivers.raspberry_pi import lgpio_chips, lgpio_library
from pathlib import Path
before = os.getcwd()
assert list(lgpio_chips(Path(before))) == []
lgpio_library()
assert os.getcwd() == before
assert os.listdir(".") == []
print(os.environ["LG_WD"])
"""
    environment = {name: value for name, value in os.environ.items() if name != "LG_WD"}
    arguments: dict[str, Any] = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    ran = subprocess.run([sys.executable, "-c", program], check=False, **arguments)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not Path(ran.stdout.strip()).exists()  # it is removed at exit


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"i2c_timeout_ms": 0}, "i2c_timeout_ms = 0: must be between 10 and 10000 ms"),
        ({"gpio_chip_label": ""}, "gpio_chip_label = '': must be a label"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        raspberry_pi.Settings(**arguments)
