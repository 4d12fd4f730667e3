"""The Raspberry Pi as a board: gpiozero on lgpio, I2C and pulses by Blinka, 1-Wire and the firmware by sysfs.

Nothing is opened before a driver asks for it, and nothing else is taken when it is missing: each fault names what
is not there and how to have it.
"""

import atexit
import errno
import fcntl
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_agent.domain.instant import Clock
from edge_agent.domain.settings import SettingFault, require, within
from edge_agent.drivers.errors import BoardError
from edge_agent.drivers.i2c import SharedI2C
from edge_agent.drivers.seam import I2C, Board, Moment, PulseIn
from edge_agent.drivers.system_clock import SystemClock

# Labels of the chips behind the 40-pin header. Their numbers change with model and kernel (on a Pi 5: 4, 0, 11 to 15).
HEADER_CHIPS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")

I2C_TIMEOUT = 0x0702  # linux/i2c-dev.h; in units of 10 ms, of the whole adapter
DHT_PULSES = 81  # what a DHT sends after its presence pulse: forty bits of two pulses, and the end


class NoGpioChip(BoardError, OSError):
    """None of the machine's GPIO chips is the header's."""


class NoI2CBus(BoardError, OSError):
    """The bus is not switched on, or has another number."""


@dataclass(frozen=True, slots=True)
class Settings:
    i2c_timeout_ms: int = 100  # how long the kernel lets one chip hold the bus
    gpio_chip_label: str | None = None  # of the header's GPIO chip, where this release does not know it (gpiodetect)

    def __post_init__(self) -> None:
        require(
            within("i2c_timeout_ms", self.i2c_timeout_ms, 10, 10_000, "ms"),
            SettingFault("gpio_chip_label", self.gpio_chip_label, "a label as `gpiodetect` shows it, or left out")
            if self.gpio_chip_label == ""
            else None,
        )


Close = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the board stands on; a test gives it another ground."""

    dev: Path
    sys: Path
    enumerate_chips: Callable[[Path], Iterable[tuple[int, str]]]  # number and label of each GPIO chip below dev
    pin_factory: Callable[[int], Any]  # on the GPIO chip of that number
    raw_i2c: Callable[[int], tuple[I2C, Close]]  # the bus of that number, and what closes it
    pulse_in: Callable[[int, int], tuple[PulseIn, Close]]  # on that GPIO chip, that line


def open_board(settings: Settings, sensors: Sequence[object], _machine: Machine | None = None) -> Board:
    """The sensors are the wiring's business: a real board has what is plugged in."""
    return RaspberryPi(settings, SystemClock(), _machine or this_machine())


def this_machine() -> Machine:
    return Machine(Path("/dev"), Path("/sys"), lgpio_chips, lgpio_factory, linux_i2c, blinka_pulse_in)


class RaspberryPi:
    """Opened piece by piece, from whichever bus's thread asks first."""

    def __init__(self, settings: Settings, clock: Clock, machine: Machine) -> None:
        self._settings = settings
        self._clock = clock
        self._machine = machine
        self._lock = threading.Lock()
        self._gpio_chip: int | None = None
        self._pin_factory: Any = None
        self._buses: dict[str, tuple[SharedI2C, Close]] = {}
        self._pulses: dict[int, Close] = {}

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def pin_factory(self) -> Any:
        """A gpiozero factory on the header's GPIO chip; its pins fail with OSError."""
        with self._lock:
            if self._pin_factory is None:
                self._pin_factory = self._machine.pin_factory(self._header_chip())
            return self._pin_factory

    def i2c(self, bus: str) -> SharedI2C:
        with self._lock:
            if bus not in self._buses:
                self._buses[bus] = self._opened(bus)
            return self._buses[bus][0]

    def pulse_in(self, pin: int) -> PulseIn:
        """A new reader each time; the one before on this pin is closed. The signal handlers stay as they were."""
        with self._lock, signal_handlers_kept():
            self._pulses.pop(pin, _nothing)()
            pulses, self._pulses[pin] = self._machine.pulse_in(self._header_chip(), pin)
            return pulses

    def one_wire(self) -> Path:
        return self._machine.sys / "bus" / "w1" / "devices"

    def power_flags(self) -> int:
        """From the firmware driver's file; its folder bears the bus address on a Pi 5."""
        found = sorted((self._machine.sys / "devices" / "platform").glob("soc*/soc*:firmware/get_throttled"))
        if not found:
            raise FileNotFoundError(errno.ENOENT, "the Raspberry Pi's firmware driver is not there", "get_throttled")
        text = found[0].read_text(encoding="ascii", errors="replace").strip()
        try:
            return int(text, 16)
        except ValueError as error:
            raise OSError(errno.EIO, f"not a hexadecimal number: {text!r}", str(found[0])) from error

    def driving(self) -> AbstractContextManager[None]:
        return nullcontext()

    def moments(self) -> Iterator[Moment] | None:
        return None

    def is_stepped(self) -> bool:
        return False

    def pace(self) -> float:
        return 1.0

    def remarks(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Everything is closed, whatever fails on the way; the pins become inputs."""
        with self._lock, ExitStack() as closing:
            if self._pin_factory is not None:
                closing.callback(self._pin_factory.close)
            for _, close in self._buses.values():
                closing.callback(close)
            for close in self._pulses.values():
                closing.callback(close)
            self._pin_factory = None
            self._buses = {}
            self._pulses = {}

    def _header_chip(self) -> int:
        if self._gpio_chip is None:
            wanted = (self._settings.gpio_chip_label,) if self._settings.gpio_chip_label else HEADER_CHIPS
            self._gpio_chip = header_chip(self._machine.enumerate_chips(self._machine.dev), wanted)
        return self._gpio_chip

    def _opened(self, bus: str) -> tuple[SharedI2C, Close]:
        number = _bus_number(bus)
        device = self._machine.dev / bus
        if not device.exists():
            raise NoI2CBus(
                errno.ENOENT,
                "no such I2C bus: switch it on with `raspi-config nonint do_i2c 0`, or with dtparam=i2c_arm=on in "
                "/boot/firmware/config.txt and a restart",
                str(device),
            )
        if not os.access(device, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, "not allowed: the agent's user must be in the group i2c", str(device))
        limit_bus_time(device, self._settings.i2c_timeout_ms)
        raw, close = self._machine.raw_i2c(number)
        return SharedI2C(raw, bus), close


def _nothing() -> None: ...


def _bus_number(bus: str) -> int:
    """
    >>> _bus_number("i2c-1")
    1
    """
    matched = re.fullmatch(r"i2c-([0-9]+)", bus)
    if matched is None:
        raise NoI2CBus(errno.ENODEV, 'an I2C bus is named like "i2c-1"', bus)
    return int(matched[1])


def header_chip(chips: Iterable[tuple[int, str]], wanted: Iterable[str]) -> int:
    """The number of the first chip with a wanted label.

    >>> header_chip([(0, "gpio-brcmstb@107d508500"), (11, "pinctrl-rp1")], HEADER_CHIPS)
    11
    """
    found = sorted(chips)
    for number, label in found:
        if label in wanted:
            return number
    there = ", ".join(f"gpiochip{number} is {label}" for number, label in found) or "there are none"
    raise NoGpioChip(
        errno.ENODEV,
        f"no GPIO chip labelled {' or '.join(wanted)} ({there}): is this a Raspberry Pi? If so, set gpio_chip_label",
    )


def limit_bus_time(device: Path, timeout_ms: int) -> None:
    """Let a chip that holds the clock line cost so much at most; the kernel's own limit is 1 s or more.

    An adapter that does not take it keeps its own.
    """
    bus = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(bus, I2C_TIMEOUT, -(-timeout_ms // 10))
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(bus)


@contextmanager
def signal_handlers_kept() -> Iterator[None]:
    """Blinka's pulseio replaces the SIGTERM handler of the process when it is imported."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                # Only the main thread can have replaced it, so this is the main thread. None: not set from Python.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


@cache
def lgpio_library() -> ModuleType:
    """lgpio, which at import makes a FIFO in LG_WD and changes the working directory to there.

    So LG_WD becomes a directory that is writable and ours, and the working directory is put back.
    """
    if "LG_WD" not in os.environ:
        directory = tempfile.mkdtemp(prefix="edge-agent-lgpio-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        os.environ["LG_WD"] = directory
    working_directory = Path.cwd()
    try:
        return import_module("lgpio")
    finally:
        os.chdir(working_directory)


def lgpio_chips(dev: Path) -> Iterator[tuple[int, str]]:
    """Number and label of each /dev/gpiochip*."""
    for device in dev.glob("gpiochip[0-9]*"):
        if not os.access(device, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, "not allowed: the agent's user must be in the group gpio", str(device))
        number = int(device.name.removeprefix("gpiochip"))
        lgpio = lgpio_library()
        with _as_os_error(lgpio.error, str(device)):
            handle = lgpio.gpiochip_open(number)
            try:
                label = lgpio.gpio_get_chip_info(handle)[3]
            finally:
                lgpio.gpiochip_close(handle)
        yield number, label


def lgpio_factory(chip: int) -> Any:
    """gpiozero's LGPIOFactory on that chip. It is told the number, because by itself it tries 4 and 0 only."""
    lgpio = lgpio_library()
    from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin

    class Pin(LGPIOPin):  # type: ignore[misc]
        def _get_state(self) -> Any:
            try:  # without a context manager: an HX711 asks this 24 times for one number
                return super()._get_state()
            except lgpio.error as error:
                raise OSError(errno.EIO, str(error), repr(self)) from error

        def _set_state(self, value: Any) -> None:
            with _as_os_error(lgpio.error, repr(self)):
                super()._set_state(value)

        def _set_frequency(self, value: Any) -> None:
            with _as_os_error(lgpio.error, repr(self)):
                super()._set_frequency(value)

    class Factory(LGPIOFactory):  # type: ignore[misc]
        def pin(self, name: Any) -> Any:
            """Fails when another process, or the kernel, has the line."""
            with _as_os_error(lgpio.error, f"GPIO{name}"):
                return super().pin(name)

    with _as_os_error(lgpio.error, f"gpiochip{chip}"):
        factory = Factory(chip=chip)
    factory.pin_class = Pin
    return factory


@contextmanager
def _as_os_error(kind: type[Exception], what: str) -> Iterator[None]:
    """Libraries whose errors derive from Exception alone."""
    try:
        yield
    except kind as error:
        raise OSError(errno.EIO, str(error), what) from error


def linux_i2c(number: int) -> tuple[I2C, Close]:
    """Blinka's I2C by bus number; by pins it would need to know the board."""
    blinka = import_module("adafruit_blinka.microcontroller.generic_linux.i2c")
    with _as_os_error(RuntimeError, f"i2c-{number}"):
        bus = blinka.I2C(number)
    return bus, bus._i2c_bus.close


def blinka_pulse_in(chip: int, line: int) -> tuple[PulseIn, Close]:
    """Blinka's helper process timing that line."""
    queue_error = import_module("sysv_ipc").Error
    blinka = import_module("adafruit_blinka.microcontroller.bcm283x.pulseio.PulseIn")
    with _as_os_error(queue_error, f"GPIO{line}"), _as_os_error(RuntimeError, f"GPIO{line}"):
        pulses = blinka.PulseIn(_Line((chip, line)), maxlen=DHT_PULSES, idle_state=True)
    return HelperPulses(pulses, queue_error, f"GPIO{line}"), pulses.deinit


@dataclass(frozen=True, slots=True)
class _Line:
    """What Blinka's PulseIn wants of a pin."""

    id: tuple[int, int]  # GPIO chip and line


class HelperPulses:
    """Blinka's PulseIn, failing with OSError. Without its helper process it would wait for an answer for ever."""

    def __init__(self, pulses: Any, queue_error: type[Exception], name: str) -> None:
        self._pulses = pulses
        self._queue_error = queue_error
        self._name = name

    def pause(self) -> None:
        self._ask("pause")

    def resume(self, trigger_duration: int = 0) -> None:
        self._ask("resume", trigger_duration)

    def clear(self) -> None:
        self._ask("clear")

    def popleft(self) -> int:
        return int(self._ask("popleft"))

    def __len__(self) -> int:
        return int(self._ask("__len__"))

    def __getitem__(self, index: int) -> int:
        return int(self._ask("__getitem__", index))

    def _ask(self, method: str, *arguments: int) -> Any:
        ended = self._pulses._process.poll()
        if ended is not None:
            raise BrokenPipeError(errno.EPIPE, f"the process timing its pulses has ended with {ended}", self._name)
        with _as_os_error(self._queue_error, self._name):
            return getattr(self._pulses, method)(*arguments)
