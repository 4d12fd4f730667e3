"""HX711 bit by bit: pulses that are too long, codes that are no weights, and a chip that is not there."""

import errno
import time
from collections.abc import Callable
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.settings import SettingsError
from edge_agent.drivers import hx711
from edge_agent.drivers.errors import NoAnswer, NotReady, Saturated, SensorError
from edge_agent.drivers.hx711 import Settings, signed
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.hx711_chip import Hx711Chip
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.wired_pin import wire

DATA, CLOCK = 5, 6


class Code:
    """A cell that gives one code."""

    def __init__(self, code: int) -> None:
        self.code = code

    def counts(self, mono_s: float) -> int:
        return self.code


class Bench:
    def __init__(self, cell: Any = None, *, rate_sps: int = 10, gain: int = 128) -> None:
        self.clock = SimulatedClock()
        self.board = BenchBoard(self.clock)
        self.board.pin_factory = MockFactory()
        self.cell = cell or LoadCell(counts_per_gram=20.0, zero_counts=500)
        self.chip = Hx711Chip(self.clock, self.cell, self.board.pin_factory, DATA, CLOCK, rate_sps=rate_sps)
        self.sensor = hx711.open_sensor("shelf-3", Settings(DATA, CLOCK, gain), self.board)

    def read(self, after_s: float = 1.0) -> float | None:
        self.clock.sleep(after_s)
        (reading,) = self.sensor.read(self.board.now())
        assert reading.channel.name == "shelf-3/counts"
        return reading.value


@pytest.mark.parametrize("counts", [-8_388_607, -500_001, -2, 0, 1, 25_500, 8_388_606])
def test_a_code_arrives_as_it_was_converted(counts: int) -> None:
    assert Bench(Code(counts)).read() == counts


def test_a_load_is_followed() -> None:
    bench = Bench()
    seen = []
    for load_g in (0.0, 1250.0, 1000.0, -30.0):
        bench.cell.load_g = load_g
        seen.append(bench.read())
    assert seen == [500, 25_500, 20_500, -100]


@pytest.mark.parametrize(("gain", "share"), [(128, 1.0), (64, 0.5), (32, 0.25)])
def test_the_gain_is_selected_and_its_settling_discarded(gain: int, share: float) -> None:
    bench = Bench(Code(400_000), gain=gain)
    assert [bench.read(), bench.read()] == [400_000 * share] * 2


@pytest.mark.parametrize("rate_sps", [10, 80])
@pytest.mark.parametrize("gain", [128, 64])
def test_the_first_read_waits_until_the_chip_has_settled_and_within_its_patience(rate_sps: int, gain: int) -> None:
    bench = Bench(Code(400_000), rate_sps=rate_sps, gain=gain)
    began_s, patience_s = bench.clock.monotonic_s(), bench.sensor.patience_s
    bench.read(0.0)
    assert 5 / rate_sps <= bench.clock.monotonic_s() - began_s <= patience_s
    assert bench.sensor.patience_s < patience_s


def test_a_conversion_is_read_once_and_the_next_waited_for() -> None:
    bench = Bench()
    bench.read()
    began_s = bench.clock.monotonic_s()
    for _ in range(10):
        bench.read(0.0)
    assert bench.clock.monotonic_s() - began_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("pulse", [1, 12, 24, 25])
def test_a_pulse_held_too_long_costs_this_sample_and_those_that_settle(pulse: int) -> None:
    bench = Bench(Code(400_000))
    bench.read()
    resets = bench.chip.resets
    bench.chip.stall(70e-6, pulse)
    with pytest.raises(NotReady, match=r"high for 70 µs.*next 4 conversions"):
        bench.read()
    assert bench.chip.resets == resets + 1
    began_s = bench.clock.monotonic_s()
    assert bench.read(0.0) == 400_000
    assert bench.clock.monotonic_s() - began_s >= 0.5 - 0.01


def test_a_long_pulse_while_discarding_starts_the_discarding_again() -> None:
    bench = Bench(Code(400_000))
    bench.chip.stall(70e-6, 3)  # within the first transfer, which is discarded anyway
    with pytest.raises(NotReady, match="high for"):
        bench.read()
    assert bench.read() == 400_000


def test_a_pulse_of_50_microseconds_is_well() -> None:
    bench = Bench(Code(400_000))
    bench.read()
    bench.chip.stall(50e-6, 12)
    assert bench.read() == 400_000
    assert bench.chip.resets == 2  # power-up, and the driver's own


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (0x7FFFFF, Saturated, "above"),
        (-0x800000, Saturated, "below"),
        (-1, NoAnswer, "nothing but ones"),
    ],
)
def test_codes_that_are_no_weights(code: int, error: type[SensorError], says: str) -> None:
    bench = Bench(Code(code))
    for _ in range(2):
        with pytest.raises(error, match=says):
            bench.read()
    bench.cell.code = 7
    assert bench.read() == 7


FAULTS: list[tuple[str, Callable[[Hx711Chip], None], Callable[[Hx711Chip], None], type[SensorError]]] = [
    ("unplugged", lambda c: setattr(c, "unplugged", True), lambda c: setattr(c, "unplugged", False), NotReady),
    ("shorted", lambda c: setattr(c, "data_shorted", True), lambda c: setattr(c, "data_shorted", False), NoAnswer),
    ("stopped", lambda c: setattr(c, "stopped", True), lambda c: setattr(c, "stopped", False), NotReady),
]


@pytest.mark.parametrize(("breaks", "mends", "error"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
@pytest.mark.parametrize("connected", [True, False])
def test_each_fault_has_its_error_and_is_over_when_it_is_mended(
    connected: bool,
    breaks: Callable[[Hx711Chip], None],
    mends: Callable[[Hx711Chip], None],
    error: type[SensorError],
) -> None:
    bench = Bench(Code(400_000))
    if connected:
        bench.read()
    breaks(bench.chip)
    for _ in range(3):
        with pytest.raises(error, match="HX711 on GPIO5 and GPIO6"):
            bench.read()
    mends(bench.chip)
    assert bench.read() == 400_000


def test_a_process_that_died_within_a_transfer_leaves_nothing_behind() -> None:
    bench = Bench(Code(0x123456))
    bench.read()
    clock = bench.board.pin_factory.pin(CLOCK)
    bench.clock.sleep(1.0)
    for _ in range(10):
        clock.state = True
        clock.state = False
    assert hx711.open_sensor("shelf-3", Settings(DATA, CLOCK), bench.board).read(bench.board.now())[0].value == 0x123456


def test_pins_that_cannot_be_had_are_a_fault_until_they_can() -> None:
    bench = Bench(Code(7))
    factory = bench.board.pin_factory

    class Busy:
        def pin(self, name: int) -> Any:
            raise OSError(errno.EBUSY, "GPIO busy", f"GPIO{name}")

    bench.board.pin_factory = Busy()
    with pytest.raises(NoAnswer, match="GPIO busy"):
        bench.read()
    bench.board.pin_factory = factory
    assert bench.read() == 7


def test_waiting_takes_no_real_time() -> None:
    bench = Bench()
    bench.chip.unplugged = True
    began_s = time.monotonic()
    for _ in range(10):
        with pytest.raises(NotReady):
            bench.read()
    assert time.monotonic() - began_s < 3  # the time-outs alone are 6 s


@given(st.integers(0, 2**24 - 1))
@settings(max_examples=200, deadline=None)
def test_every_code_is_a_number_of_counts_or_a_fault(code: int) -> None:
    try:
        value = Bench(Code(signed(code))).read()
    except SensorError:
        assert code in (0x7FFFFF, 0x800000, 0xFFFFFF)
    else:
        assert value == signed(code)
        assert -(2**23) < value < 2**23 - 1


@given(st.lists(st.booleans(), min_size=1, max_size=400))
@settings(max_examples=100, deadline=None)
def test_a_line_that_only_rings_never_gives_an_impossible_number(levels: list[bool]) -> None:
    clock = SimulatedClock()
    board = BenchBoard(clock)
    board.pin_factory = MockFactory()
    turns = iter(range(10**9))
    wire(board.pin_factory, DATA, level=lambda: levels[next(turns) % len(levels)])
    wire(board.pin_factory, CLOCK)
    sensor = hx711.open_sensor("shelf-3", Settings(DATA, CLOCK), board)
    for _ in range(3):
        try:
            (reading,) = sensor.read(board.now())
        except SensorError:
            continue
        assert reading.value is not None
        assert -(2**23) < reading.value < 2**23 - 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((5, 28), "clock_pin = 28: must be between 0 and 27"),
        ((5, 5), "clock_pin = 5: must be another GPIO"),
        ((5, 6, 100), "gain = 100: must be 128 or 64"),
    ],
)
def test_a_wiring_that_cannot_be_is_a_fault_of_the_settings(arguments: tuple[int, ...], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings(*arguments)
