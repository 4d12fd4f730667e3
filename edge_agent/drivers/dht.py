"""What DHT11 and DHT22 share: one measurement through adafruit_dht, and the doubt their numbers deserve.

The chips answer a start pulse with forty bits of pulse lengths. On Linux about a third of the frames arrive damaged,
and one in some hundreds is wrong although its checksum is right. So a value far from the last good one is believed only
after two further measurements have said the same.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading
from edge_agent.domain.settings import require, within
from edge_agent.drivers.errors import BadChecksum, NoAnswer, NotReady, OutOfRange, SensorError, Unconfirmed
from edge_agent.drivers.seam import Board, PulseIn

QUANTITIES = ("temperature", "humidity")

CONVERSION_S = 2.0  # AM2302 datasheet, 7.1: the collecting period; asked sooner, the chip repeats itself or hangs
MIN_INTERVAL_S = 2.1
CONFIRMATIONS = 2  # further measurements that must agree with a sudden one

# How far two measurements may lie apart: a floor for noise, a rate, and a ceiling for long intervals. The chip's time
# constant is 5 to 20 s, so a faster change than this is rare and costs no more than two readings.
_TEMPERATURE_FLOOR_C, _TEMPERATURE_C_PER_S, _TEMPERATURE_CEILING_C = 1.0, 0.1, 8.0
_HUMIDITY_FLOOR_PCT, _HUMIDITY_PCT_PER_S, _HUMIDITY_CEILING_PCT = 5.0, 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    pin: int  # BCM number of the GPIO the data line is wired to

    def __post_init__(self) -> None:
        require(within("pin", self.pin, 0, 27, "(BCM number)"))


@dataclass(frozen=True, slots=True)
class Model:
    """What the two chips differ in."""

    name: str  # of the class in adafruit_dht as well
    temperature_c: tuple[float, float]  # the range the datasheet gives
    humidity_pct: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Measurement:
    temperature_c: float
    humidity_pct: float
    mono_s: float


@dataclass(frozen=True, slots=True)
class Trust:
    """The last measurement that was believed, and those that wait to be."""

    good: Measurement | None = None
    suspects: tuple[Measurement, ...] = ()


def is_plausible(earlier: Measurement, later: Measurement) -> bool:
    """Whether air can have changed so much in the time between.

    >>> is_plausible(Measurement(4.0, 80.0, 0.0), Measurement(5.0, 84.0, 2.1))
    True
    >>> is_plausible(Measurement(4.0, 80.0, 0.0), Measurement(8.0, 80.0, 2.1))
    False
    """
    elapsed_s = later.mono_s - earlier.mono_s
    most_c = min(_TEMPERATURE_FLOOR_C + _TEMPERATURE_C_PER_S * elapsed_s, _TEMPERATURE_CEILING_C)
    most_pct = min(_HUMIDITY_FLOOR_PCT + _HUMIDITY_PCT_PER_S * elapsed_s, _HUMIDITY_CEILING_PCT)
    return (
        abs(later.temperature_c - earlier.temperature_c) <= most_c
        and abs(later.humidity_pct - earlier.humidity_pct) <= most_pct
    )


def judge(trust: Trust, new: Measurement) -> tuple[Trust, bool]:
    """The trust after one more measurement, and whether that one is believed.

    Nothing to compare with is no reason to believe: the first measurement waits for its confirmations too.
    """
    if trust.good is not None and is_plausible(trust.good, new):
        return Trust(good=new), True
    agreeing = bool(trust.suspects) and is_plausible(trust.suspects[-1], new)
    suspects = (*trust.suspects, new) if agreeing else (new,)
    if len(suspects) > CONFIRMATIONS:
        return Trust(good=new), True
    return Trust(trust.good, suspects), False


class Dht:
    """One DHT on one GPIO."""

    min_interval_s = MIN_INTERVAL_S
    patience_s = 2.0  # 0.25 s of listening, as much for a pulse reader to start, and a busy processor

    def __init__(self, place: str, settings: Settings, board: Board, model: Model) -> None:
        self._pin = settings.pin
        self._board = board
        self._model = model
        self._name = f"{model.name} on GPIO{settings.pin}"
        self._temperature = Channel(place, "temperature")
        self._humidity = Channel(place, "humidity")
        self._pulses: PulseIn | None = None
        self._asked_s: float | None = None
        self._trust = Trust()

    @property
    def bus(self) -> str:
        return f"gpio{self._pin}"

    @property
    def channels(self) -> Sequence[Channel]:
        return (self._temperature, self._humidity)

    def read(self, at: Instant) -> Sequence[Reading]:
        """Both values of one measurement; takes 0.25 s.

        Until a first value is confirmed, values are UNCERTAIN. After that a sudden one raises Unconfirmed, because
        there is a better one to go on with.
        """
        new = self._measure()
        self._trust, believed = judge(self._trust, new)
        if not believed and self._trust.good is not None:
            raise Unconfirmed(
                f"{self._name} jumped to {new.temperature_c:g} °C, {new.humidity_pct:g} %RH; "
                f"{CONFIRMATIONS} more measurements have to agree"
            )
        quality, fault = (Quality.GOOD, None) if believed else (Quality.UNCERTAIN, Unconfirmed.fault)
        return (
            Reading(self._temperature, new.temperature_c, at, quality, fault),
            Reading(self._humidity, new.humidity_pct, at, quality, fault),
        )

    def close(self) -> None:
        self._pulses = None

    def _measure(self) -> Measurement:
        now_s = self._board.clock.monotonic_s()
        if self._asked_s is not None and now_s - self._asked_s < CONVERSION_S:
            since_s = now_s - self._asked_s
            raise NotReady(f"{self._name} was asked again after {since_s:.2f} s; it measures every {MIN_INTERVAL_S} s")
        self._asked_s = now_s
        try:
            if self._pulses is None:
                self._pulses = self._board.pulse_in(self._pin)
            temperature_c, humidity_pct = _measure_once(self._model.name, self._pulses)
        except OSError as error:
            self._pulses = None
            raise NoAnswer(f"{self._name}: no pulses can be read: {error}") from error
        except NoAnswer:
            self._pulses = None
            raise
        self._check_range(temperature_c, humidity_pct)
        return Measurement(temperature_c, humidity_pct, now_s)

    def _check_range(self, temperature_c: float, humidity_pct: float) -> None:
        if temperature_c == 0.0 and humidity_pct == 0.0:  # forty short pulses: a line that rings passes the checksum
            raise OutOfRange(f"{self._name} sent forty zero bits")
        for value, unit, (low, high) in (
            (temperature_c, "°C", self._model.temperature_c),
            (humidity_pct, "%RH", self._model.humidity_pct),
        ):
            if not low <= value <= high:
                raise OutOfRange(f"{self._name} says {value:g} {unit}; it can measure {low:g} to {high:g} {unit}")


@cache
def adafruit_library() -> Any:
    """adafruit_dht, on the Board's pulses.

    At import it takes its pin types from Blinka, which fails on a machine Blinka does not know, prints to standard
    output on a PC, and replaces the SIGTERM handler on a Pi. It needs none of them when it is handed its pulses, so
    empty names stand in for them while it loads.
    """
    names = {"digitalio": ("DigitalInOut", "Direction", "Pull"), "microcontroller": ("Pin",), "pulseio": ("PulseIn",)}
    before = {module: sys.modules.get(module) for module in names}
    for module, stand_ins in names.items():
        sys.modules[module] = ModuleType(module)
        for name in stand_ins:
            setattr(sys.modules[module], name, object)
    try:
        library: Any = import_module("adafruit_dht")
    finally:
        for module, known in before.items():
            if known is None:
                del sys.modules[module]
            else:
                sys.modules[module] = known
    library.PulseIn = _already_pulses
    return library


def _already_pulses(pin: PulseIn, maxlen: int, idle_state: bool) -> PulseIn:
    """The pulse reader adafruit_dht would make from a pin: ours is one."""
    return pin


def _measure_once(model: str, pulses: PulseIn) -> tuple[float, float]:
    """°C and %RH of one frame with a good checksum.

    A new decoder for every measurement: within 2 s of a failure an old one would answer with its last value, silently.
    For the same reason its values are taken past its properties, which may measure a second time.
    """
    device = getattr(adafruit_library(), model)(pulses, use_pulseio=True)
    try:
        device.measure()
    except RuntimeError as error:
        raise _named(str(error), f"{model}: {error}") from error
    except OverflowError as error:
        raise BadChecksum(f"{model}: a pulse longer than 65535 µs within the frame") from error
    return device._temperature + 0.0, device._humidity + 0.0  # the chip has a -0.0


def _named(said: str, message: str) -> SensorError:
    if "not found" in said:
        return NoAnswer(message)
    if "unplausible" in said:
        return OutOfRange(message)
    return BadChecksum(message)  # a frame that is incomplete has no checksum either
