"""HX711 24-bit ADC for load cells on two GPIOs, clocked out bit by bit.

Second choice after the NAU7802: the chip takes a clock pulse longer than 60 µs for the order to power down, and a
process under Linux cannot promise to be quicker. So every pulse is timed, and a sample with a long one is thrown away
together with the conversions that follow it (HX711 datasheet, "Reset and Power-Down").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.domain.settings import SettingFault, one_of, require, within
from edge_agent.drivers.errors import NoAnswer, NotReady, Saturated
from edge_agent.drivers.seam import Board, Sensor

QUANTITIES = ("counts",)

PULSES = {128: 25, 32: 26, 64: 27}  # by gain; those after the 24 bits select the next conversion's (datasheet, table 3)
BITS = 24
LONGEST_HIGH_S = 60e-6  # datasheet: PD_SCK high longer than this powers the chip down
RESET_HIGH_S = 100e-6
SETTLING_CONVERSIONS = 4  # datasheet, key electrical characteristics: 400 ms at 10 samples/s
READY_TIMEOUT_S = 0.6  # the slowest chip (10 samples/s) just out of a reset, and a little
SLOWEST_CONVERSION_S = 0.12  # 10 samples/s by the chip's own oscillator, and the poll
POLL_S = 0.01

_LOWEST, _HIGHEST, _ALL_ONES = -(2**23), 2**23 - 1, -1


@dataclass(frozen=True, slots=True)
class Settings:
    data_pin: int  # BCM number of the GPIO at DOUT
    clock_pin: int  # BCM number of the GPIO at PD_SCK
    gain: int = 128  # 128 and 64 amplify input A, 32 input B

    def __post_init__(self) -> None:
        shared = SettingFault("clock_pin", self.clock_pin, "another GPIO than data_pin")
        require(
            within("data_pin", self.data_pin, 0, 27, "(BCM number)"),
            within("clock_pin", self.clock_pin, 0, 27, "(BCM number)"),
            shared if self.clock_pin == self.data_pin else None,
            one_of("gain", self.gain, tuple(PULSES), "128 or 64 (input A) or 32 (input B)"),
        )


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    return Hx711(place, settings, board)


class Hx711:
    min_interval_s = 0.1  # the chip converts 10 times a second, or 80 with its RATE pin high

    def __init__(self, place: str, settings: Settings, board: Board) -> None:
        self._board = board
        self._settings = settings
        self._name = f"HX711 on GPIO{settings.data_pin} and GPIO{settings.clock_pin}"
        self._channel = Channel(place, "counts")
        self._pins: tuple[Any, Any] | None = None
        # A chip out of its reset has gain 128; another one comes with the first transfer, and settles anew.
        self._unsettled = SETTLING_CONVERSIONS + (settings.gain != 128)
        self._to_discard = 0

    @property
    def bus(self) -> str:
        return f"gpio{self._settings.data_pin}"

    @property
    def channels(self) -> Sequence[Channel]:
        return (self._channel,)

    @property
    def patience_s(self) -> float:
        """A chip may be just short of ready each time: a conversion for every one to discard, and the slowest."""
        discarded = self._unsettled if self._pins is None else self._to_discard
        return READY_TIMEOUT_S + SLOWEST_CONVERSION_S * (discarded + 1)

    def read(self, at: Instant) -> Sequence[Reading]:
        """The newest conversion, as it is: no mean, no median.

        After connecting, or after a clock pulse that was too long, this takes some 0.5 s: the chip settles first.
        """
        try:
            if self._pins is None:
                self._pins = self._connected()
            code = self._settled_code(*self._pins)
        except OSError as error:
            self._pins = None
            raise NoAnswer(f"{self._name}: {error}") from error
        return (Reading(self._channel, float(weight_counts(code, self._name)), at),)

    def close(self) -> None:
        """The clock stays low: the chip goes on converting, and nothing is lost by that."""
        self._pins = None

    def _connected(self) -> tuple[Any, Any]:
        factory = self._board.pin_factory
        data, clock = factory.pin(self._settings.data_pin), factory.pin(self._settings.clock_pin)
        data.function = "input"
        data.pull = "up"  # a chip that is not there is never ready
        clock.function = "output"
        clock.state = True  # down and up again: somebody may have stopped in the middle of a transfer
        self._board.clock.sleep(RESET_HIGH_S)
        clock.state = False
        self._to_discard = self._unsettled
        return data, clock

    def _settled_code(self, data: Any, clock: Any) -> int:
        while self._to_discard:
            self._next_code(data, clock)
            self._to_discard -= 1
        return self._next_code(data, clock)

    def _next_code(self, data: Any, clock: Any) -> int:
        self._wait_until_ready(data)
        code, longest_high_s = clock_out(data, clock, PULSES[self._settings.gain], self._board.clock.monotonic_s)
        if longest_high_s > LONGEST_HIGH_S:
            self._to_discard = self._unsettled
            raise NotReady(
                f"{self._name}: the clock was high for {longest_high_s * 1e6:.0f} µs, which may have powered the chip "
                f"down; the next {self._unsettled} conversions are discarded too"
            )
        if code == 0 and not data.state:  # the pulse after the bits raises DOUT (datasheet, "Serial Interface")
            raise NoAnswer(f"{self._name}: the data line is always low")
        return code

    def _wait_until_ready(self, data: Any) -> None:
        clock = self._board.clock
        deadline_s = clock.monotonic_s() + READY_TIMEOUT_S
        while data.state:
            if clock.monotonic_s() >= deadline_s:
                self._pins = None
                raise NotReady(f"{self._name}: no conversion within {READY_TIMEOUT_S} s")
            clock.sleep(POLL_S)


def clock_out(data: Any, clock: Any, pulses: int, now_s: Callable[[], float]) -> tuple[int, float]:
    """One transfer: the 24 bits, most significant first, and the longest the clock can have been high (s).

    DOUT changes on the rising edge and holds until the next, so it is read with the clock low, where there is time.
    """
    bits = 0
    longest_high_s = 0.0
    for pulse in range(pulses):
        before_s = now_s()
        clock.state = True
        clock.state = False
        longest_high_s = max(longest_high_s, now_s() - before_s)
        if pulse < BITS:
            bits = bits << 1 | data.state
    return signed(bits), longest_high_s


def signed(bits: int) -> int:
    """24 bits in two's complement.

    >>> signed(0x000001), signed(0xFFFFFE), signed(0x800000)
    (1, -2, -8388608)
    """
    return bits - 2**BITS if bits & 1 << (BITS - 1) else bits


def weight_counts(code: int, name: str = "HX711") -> int:
    """The code, unless it is one that stands for no weight."""
    if code in (_LOWEST, _HIGHEST):
        raise Saturated(f"{name}: the input is {'above' if code > 0 else 'below'} what the ADC can measure")
    if code == _ALL_ONES:
        raise NoAnswer(f"{name}: nothing but ones, the data line floats")
    return code
