"""What every I2C driver needs: where its chip sits, a bus that is shared safely, and one way to fail."""

import errno
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.domain.settings import SettingFault, require, within
from edge_agent.drivers.errors import BusHeld, Misconfigured, NoAnswer, NotReady, OutOfRange, Saturated, SensorError
from edge_agent.drivers.seam import I2C, Board

RETRY_AFTER_S = 0.010  # a disturbed transfer is tried once more, after the disturbance
MUX_ADDRESSES = tuple(range(0x70, 0x78))  # TCA9548A datasheet, table 1


@dataclass(frozen=True, slots=True)
class I2CSettings:
    """Where a chip sits: on a bus, or behind one channel of a TCA9548A multiplexer on that bus."""

    ADDRESSES: ClassVar[Sequence[int]] = tuple(range(0x08, 0x78))  # what the chip can be strapped to

    bus: str = "i2c-1"
    address: int = 0x08
    mux_address: int | None = None
    mux_channel: int | None = None

    def __post_init__(self) -> None:
        require(*i2c_faults(self))


def i2c_faults(settings: I2CSettings) -> list[SettingFault | None]:
    """For the ``__post_init__`` of settings that have more to check."""
    return [
        _bus_name(settings.bus),
        _address("address", settings.address, settings.ADDRESSES),
        None if settings.mux_address is None else _address("mux_address", settings.mux_address, MUX_ADDRESSES),
        within("mux_channel", settings.mux_channel, 0, 7),
        _mux_whole(settings),
    ]


def _bus_name(bus: str) -> SettingFault | None:
    kind, _, number = bus.partition("-")
    return None if kind == "i2c" and number.isdecimal() else SettingFault("bus", bus, 'like "i2c-1" (/dev/i2c-1)')


def _address(key: str, value: int, allowed: Sequence[int]) -> SettingFault | None:
    if value in allowed:
        return None
    return SettingFault(key, value, "one of " + ", ".join(f"0x{each:02x} ({each})" for each in allowed))


def _mux_whole(settings: I2CSettings) -> SettingFault | None:
    if (settings.mux_address is None) != (settings.mux_channel is None):
        missing = "mux_address" if settings.mux_address is None else "mux_channel"
        return SettingFault(missing, None, "given: mux_address and mux_channel go together")
    if settings.mux_address == settings.address:
        return SettingFault("mux_address", settings.mux_address, "another address than the chip's own")
    return None


def where(settings: I2CSettings) -> str:
    """The chip's place on its bus, for messages and for finding two chips in one place.

    >>> where(I2CSettings(address=0x2A, mux_address=0x70, mux_channel=3))
    'i2c-1 0x70.3 0x2a'
    """
    mux = "" if settings.mux_address is None else f" 0x{settings.mux_address:02x}.{settings.mux_channel}"
    return f"{settings.bus}{mux} 0x{settings.address:02x}"


class OutOfTime(TimeoutError):
    """Whoever holds the bus has used up its time: a chip that says "not yet" for ever."""


class SharedI2C:
    """A ``busio.I2C``-like bus with a real lock, for the drivers of several threads.

    The vendors' ``I2CDevice`` spins until ``try_lock`` says True, and their loops wait for a ready bit without
    end; a multiplexer that fails between ``try_lock`` and ``unlock`` keeps the bus for good. So: ``try_lock``
    waits ``timeout_s`` (real time) and then raises TimeoutError naming the bus and its holder; ``hold`` gives
    one read the bus with a limit after which its transfers raise OutOfTime; ``let_go`` frees whatever was left.
    """

    def __init__(self, raw: I2C, name: str, *, timeout_s: float = 1.0) -> None:
        self.name = name
        self.raw = raw
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._owner: int | None = None  # thread
        self._depth = 0  # nested try_locks of the owner
        self._holder = ""
        self._now: Callable[[], float] = time.monotonic
        self._until_s = float("inf")

    @property
    def holder(self) -> str | None:
        """Who has the bus now."""
        return self._holder if self._owner is not None else None

    def hold(self, holder: str, limit_s: float, monotonic_s: Callable[[], float]) -> None:
        """Take the bus for one read; the locks taken inside it by the same thread are granted at once."""
        self._acquire(holder)
        self._now = monotonic_s
        self._until_s = monotonic_s() + limit_s

    def let_go(self) -> None:
        """Give the bus back, with every lock that was taken and not given back since ``hold``."""
        self._depth = 0
        self._owner = None
        self._until_s = float("inf")
        self._lock.release()

    def try_lock(self) -> bool:
        if self._owner == threading.get_ident():
            self._depth += 1
        else:
            self._acquire(threading.current_thread().name)
        return True

    def unlock(self) -> None:
        if self._owner != threading.get_ident():
            return  # as busio: unlocking what one does not hold is nothing
        self._depth -= 1
        if self._depth == 0:
            self.let_go()

    def _acquire(self, holder: str) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError(f"{self.name}: {holder} asks for the bus while its thread holds it as {self._holder}")
        if not self._lock.acquire(timeout=self._timeout_s):
            raise TimeoutError(
                errno.ETIMEDOUT, f"{self.name} has been held by {self._holder} for {self._timeout_s:g} s"
            )
        self._owner = threading.get_ident()
        self._depth = 1
        self._holder = holder

    def _out_of_time(self) -> OutOfTime:
        return OutOfTime(errno.ETIMEDOUT, f"{self._holder} has used up its time on {self.name}")

    def scan(self) -> list[int]:
        return self.raw.scan()

    def readfrom_into(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None:
        if self._now() > self._until_s:
            raise self._out_of_time()
        self.raw.readfrom_into(address, buffer, start=start, end=end)

    def writeto(self, address: int, buffer: bytes, *, start: int = 0, end: int | None = None) -> None:
        if self._now() > self._until_s:
            raise self._out_of_time()
        self.raw.writeto(address, buffer, start=start, end=end)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        if self._now() > self._until_s:
            raise self._out_of_time()
        self.raw.writeto_then_readfrom(
            address, out_buffer, in_buffer, out_start=out_start, out_end=out_end, in_start=in_start, in_end=in_end
        )


Measure = Callable[[Instant], Sequence[float]]  # one conversion: a value per quantity
Connect = Callable[[I2C], Measure]  # probes and sets the chip up


class I2CSensor:
    """The Sensor of every I2C chip: holds the bus for one read, retries once, names the fault, connects anew."""

    def __init__(
        self,
        place: str,
        ranges: Mapping[str, tuple[float, float]],
        settings: I2CSettings,
        board: Board,
        connect: Connect,
        *,
        min_interval_s: float,
        limit_s: float,
        connect_s: float,
    ) -> None:
        """``ranges`` is what the chip can measure; ``limit_s`` and ``connect_s`` bound one conversion, one set-up."""
        self.bus = settings.bus
        self.channels = tuple(Channel(place, quantity) for quantity in ranges)
        self.min_interval_s = min_interval_s
        self._name = f"{place} ({where(settings)})"
        self._ranges = tuple(ranges.values())
        self._settings = settings
        self._board = board
        self._connect = connect
        self._limit_s = limit_s
        self._connect_s = connect_s
        self._shared: SharedI2C | None = None
        self._measure: Measure | None = None

    @property
    def patience_s(self) -> float:
        return self._limit_s + (self._connect_s if self._measure is None else 0)

    def read(self, at: Instant) -> Sequence[Reading]:
        try:
            shared = self._shared or self._open_bus()
            shared.hold(self._name, self.patience_s, self._board.clock.monotonic_s)
        except OSError as error:
            raise as_sensor_error(error, self._name) from error
        try:
            values = self._measure_with_retry(shared, at)
            self._check(values)
        except (Saturated, OutOfRange):  # the chip is well; only what it measures is not
            raise
        except (SensorError, OSError) as error:
            self._measure = None
            raise as_sensor_error(error, self._name) from error
        finally:
            shared.let_go()
        return [Reading(channel, value, at) for channel, value in zip(self.channels, values, strict=True)]

    def close(self) -> None:
        self._measure = None

    def _open_bus(self) -> SharedI2C:
        bus = self._board.i2c(self.bus)
        if not isinstance(bus, SharedI2C):
            raise TypeError(f"the board gave {self.bus} as {type(bus).__name__}: boards share a bus by SharedI2C")
        self._shared = bus
        return bus

    def _measure_with_retry(self, shared: SharedI2C, at: Instant) -> Sequence[float]:
        try:
            return self._measure_once(shared, at)
        except TimeoutError:
            raise  # a second try would block the others on the bus for as long again
        except OSError:
            self._board.clock.sleep(RETRY_AFTER_S)
            return self._measure_once(shared, at)

    def _measure_once(self, shared: SharedI2C, at: Instant) -> Sequence[float]:
        if self._measure is None:
            self._measure = self._set_up(shared)
        return self._measure(at)

    def _set_up(self, shared: SharedI2C) -> Measure:
        try:
            return self._connect(self._behind_mux(shared))
        except ValueError as error:  # I2CDevice found nothing; its own cause tells a missing chip from a stuck bus
            cause = error.__context__
            if not isinstance(cause, OSError):
                raise
            raise OSError(cause.errno or errno.ENXIO, str(error)) from error
        except RuntimeError as error:
            raise Misconfigured(f"{self._name}: {error}") from error

    def _behind_mux(self, shared: SharedI2C) -> I2C:
        if self._settings.mux_address is None:
            return shared
        import adafruit_tca9548a

        channel: I2C = adafruit_tca9548a.TCA9548A(shared, self._settings.mux_address)[self._settings.mux_channel]
        return channel

    def _check(self, values: Sequence[float]) -> None:
        for value, (low, high), channel in zip(values, self._ranges, self.channels, strict=True):
            if not low <= value <= high:  # a NaN is in no range
                raise OutOfRange(
                    f"{self._name}: {channel.name} {value:g} is outside {low:g} to {high:g} {channel.unit}"
                )


def as_sensor_error(error: SensorError | OSError, name: str) -> SensorError:
    if isinstance(error, SensorError):
        return error
    if isinstance(error, OutOfTime):
        return NotReady(f"{name}: not ready in time")
    if isinstance(error, TimeoutError) or error.errno in (errno.EBUSY, errno.EAGAIN):  # EAGAIN: arbitration lost
        return BusHeld(f"{name}: {error}")
    return NoAnswer(f"{name}: no answer: {error}")


def crc8(frame: bytes) -> int:
    """CRC-8 of Sensirion and Aosong: polynomial 0x31, initial value 0xFF (SHT3x datasheet, 4.12).

    >>> hex(crc8(bytes((0xBE, 0xEF))))
    '0x92'
    """
    crc = 0xFF
    for byte in frame:
        crc = _CRC8[crc ^ byte]
    return crc


def _shifted(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1) ^ 0x131 if byte & 0x80 else byte << 1
    return byte


_CRC8 = bytes(_shifted(byte) for byte in range(256))
