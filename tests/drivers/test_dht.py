"""DHT22 and DHT11: one measurement at a time, and no belief in what stands alone."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.reading import Quality
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers import dht11, dht22
from edge_agent.drivers.dht import Measurement, Settings, Trust, judge
from edge_agent.drivers.errors import BadChecksum, NoAnswer, NotReady, OutOfRange, SensorError, Unconfirmed
from edge_agent.drivers.seam import PulseIn
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.dht_chip import DhtChip, PulseLine, dht11_frame, dht22_frame, pulse_train

PIN = 17


class Bench:
    """A DHT on a bench board, read every 2.1 s."""

    def __init__(self, answer: Callable[[int], list[int]] | None = None, module: Any = dht22) -> None:
        self.clock = SimulatedClock()
        self.board = BenchBoard(self.clock)
        self.chip = DhtChip(self.clock, "dht11" if module is dht11 else "dht22", temperature_c=21.5, humidity_pct=65.2)
        self.line = PulseLine(answer or self.chip.answer)
        self.board.pulse_inputs[PIN] = self.line
        self.sensor = module.open_sensor("cold-room", module.Settings(pin=PIN), self.board)
        self._begun_s = float("-inf")

    def read(self, after_s: float = 2.1) -> list[tuple[float | None, Quality]]:
        self.clock.advance_to(self._begun_s + after_s)
        self._begun_s = self.clock.monotonic_s()
        with self.board.driving():
            return [(reading.value, reading.quality) for reading in self.sensor.read(self.board.now())]

    def settle(self) -> "Bench":
        while self.read()[0][1] is not Quality.GOOD:
            pass
        return self


@pytest.fixture
def bench() -> Bench:
    return Bench().settle()


def test_both_values_come_from_one_measurement(bench: Bench) -> None:
    before = bench.chip.conversions
    assert bench.read() == [(21.5, Quality.GOOD), (65.2, Quality.GOOD)]
    assert bench.chip.conversions == before + 1


def test_the_bus_the_channels_and_the_pace_are_known_before_the_first_read() -> None:
    board = BenchBoard(SimulatedClock())  # nothing is plugged in
    sensor = dht22.open_sensor("cold-room", Settings(pin=4), board)
    assert (sensor.bus, sensor.min_interval_s) == ("gpio4", 2.1)
    assert [channel.name for channel in sensor.channels] == ["cold-room/temperature", "cold-room/humidity"]


def test_a_first_value_is_uncertain_until_two_more_have_said_the_same() -> None:
    bench = Bench()
    qualities = [bench.read()[0][1] for _ in range(4)]
    assert qualities == [Quality.UNCERTAIN, Quality.UNCERTAIN, Quality.GOOD, Quality.GOOD]


def test_a_wrong_first_value_starts_the_count_again() -> None:
    bench = Bench()
    bench.chip.temperature_c = 70.0
    bench.read()
    bench.chip.temperature_c = 21.5
    qualities = [bench.read()[0][1] for _ in range(3)]
    assert qualities == [Quality.UNCERTAIN, Quality.UNCERTAIN, Quality.GOOD]


FAULTS: list[tuple[str, Callable[[DhtChip], None], Callable[[DhtChip], None], type[SensorError]]] = [
    ("unplugged", lambda c: setattr(c, "unplugged", True), lambda c: setattr(c, "unplugged", False), NoAnswer),
    ("hung", DhtChip.hang, DhtChip.power_cycle, NoAnswer),
    ("few pulses", lambda c: setattr(c, "missing_pulses", 20), lambda c: setattr(c, "missing_pulses", 0), BadChecksum),
    ("no frame", lambda c: setattr(c, "missing_pulses", 80), lambda c: setattr(c, "missing_pulses", 0), NoAnswer),
    ("checksum", lambda c: setattr(c, "bad_crc", 1.0), lambda c: setattr(c, "bad_crc", 0.0), BadChecksum),
    ("too hot", lambda c: setattr(c, "temperature_c", 80.1), lambda c: setattr(c, "temperature_c", 21.5), OutOfRange),
    ("too cold", lambda c: setattr(c, "temperature_c", -40.1), lambda c: setattr(c, "temperature_c", 21.5), OutOfRange),
]


@pytest.mark.parametrize(("breaks", "mends", "error"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_each_fault_has_its_error_and_is_over_when_it_is_mended(
    bench: Bench, breaks: Callable[[DhtChip], None], mends: Callable[[DhtChip], None], error: type[SensorError]
) -> None:
    breaks(bench.chip)
    for _ in range(3):
        with pytest.raises(error, match="DHT22"):
            bench.read()
    mends(bench.chip)
    assert bench.read() == [(21.5, Quality.GOOD), (65.2, Quality.GOOD)]


def test_a_hung_chip_does_not_come_back_by_itself(bench: Bench) -> None:
    bench.chip.hang()
    for _ in range(20):
        with pytest.raises(NoAnswer):
            bench.read()


def test_a_pulse_reader_that_cannot_be_had_is_asked_for_again() -> None:
    bench = Bench()
    del bench.board.pulse_inputs[PIN]
    with pytest.raises(NoAnswer, match="GPIO17"):
        bench.read()
    bench.board.pulse_inputs[PIN] = bench.line
    assert bench.read()[0] == (21.5, Quality.UNCERTAIN)


class Dead:
    """A pulse reader whose helper process has ended."""

    def pause(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "the process timing its pulses has ended")


def test_a_pulse_reader_that_dies_is_replaced_by_a_new_one() -> None:
    bench = Bench()
    bench.board.pulse_inputs[PIN] = cast(PulseIn, Dead())
    with pytest.raises(NoAnswer, match="has ended"):
        bench.read()
    bench.board.pulse_inputs[PIN] = bench.line
    assert bench.read()[0] == (21.5, Quality.UNCERTAIN)


@pytest.mark.parametrize("after_s", [0.26, 0.5, 1.0, 1.9])
def test_asked_too_soon_it_neither_disturbs_the_chip_nor_repeats_its_last_value(bench: Bench, after_s: float) -> None:
    bench.chip.bad_crc = 1.0
    with pytest.raises(BadChecksum):
        bench.read()
    bench.chip.bad_crc = 0.0
    before = bench.chip.conversions
    with pytest.raises(NotReady, match=r"2\.1 s"):
        bench.read(after_s)
    assert bench.chip.conversions == before


def test_after_a_failure_the_next_value_is_new(bench: Bench) -> None:
    bench.chip.bad_crc = 1.0
    with pytest.raises(BadChecksum):
        bench.read()
    bench.chip.bad_crc = 0.0
    bench.chip.temperature_c = 21.8
    assert bench.read(2.0)[0] == (21.8, Quality.GOOD)


def test_one_wrong_value_with_a_good_checksum_does_not_get_through(bench: Bench) -> None:
    bench.chip.temperature_c = 43.0  # a bit that slipped
    with pytest.raises(Unconfirmed, match="43"):
        bench.read()
    bench.chip.temperature_c = 21.6
    assert bench.read()[0] == (21.6, Quality.GOOD)


def test_a_sudden_change_is_believed_at_the_third_measurement(bench: Bench) -> None:
    bench.chip.temperature_c = 4.0
    for _ in range(2):
        with pytest.raises(Unconfirmed):
            bench.read()
    assert bench.read()[0] == (4.0, Quality.GOOD)


def test_a_damaged_frame_between_neither_confirms_nor_refutes(bench: Bench) -> None:
    bench.chip.humidity_pct = 20.0
    with pytest.raises(Unconfirmed):
        bench.read()
    bench.chip.bad_crc = 1.0
    with pytest.raises(BadChecksum):
        bench.read()
    bench.chip.bad_crc = 0.0
    with pytest.raises(Unconfirmed):
        bench.read()
    assert bench.read()[1] == (20.0, Quality.GOOD)


def test_in_a_long_run_on_a_bad_line_nothing_wrong_is_good() -> None:
    bench = Bench()
    bench.chip.bad_crc = 0.3
    bench.chip.spike_probability = 0.02
    good = 0
    for _ in range(2000):
        try:
            values = bench.read()
        except SensorError:
            continue
        if values[0][1] is Quality.GOOD:
            good += 1
            assert values == [(21.5, Quality.GOOD), (65.2, Quality.GOOD)]
    assert good > 1300


def test_the_simulated_wait_takes_no_real_time(bench: Bench) -> None:
    began_s, simulated_s = time.monotonic(), bench.clock.monotonic_s()
    for _ in range(20):
        bench.read()
    assert bench.clock.monotonic_s() - simulated_s > 40
    assert time.monotonic() - began_s < 4  # the library alone would sleep 5 s


def test_a_line_of_short_pulses_is_not_zero_degrees() -> None:
    bench = Bench(lambda trigger: pulse_train(bytes(5)))
    with pytest.raises(OutOfRange, match="zero bits"):
        bench.read()


def test_the_dht11_measures_whole_units_in_its_own_range() -> None:
    bench = Bench(module=dht11)
    bench.chip.temperature_c, bench.chip.humidity_pct = 23.0, 41.0
    assert bench.read() == [(23.0, Quality.UNCERTAIN), (41.0, Quality.UNCERTAIN)]


@pytest.mark.parametrize("frame", [bytes((19, 0, 20, 0, 39)), bytes((91, 0, 20, 0, 111)), bytes((50, 0, 51, 0, 101))])
def test_the_dht11_says_nothing_outside_its_range(frame: bytes) -> None:
    with pytest.raises(OutOfRange, match="DHT11"):
        Bench(lambda trigger: pulse_train(frame), dht11).read()


@given(st.integers(-400, 800), st.integers(1, 1000))
@settings(max_examples=100, deadline=None)
def test_every_value_of_a_dht22_arrives_as_it_was_sent(tenths_c: int, tenths_pct: int) -> None:
    bench = Bench(lambda trigger: pulse_train(dht22_frame(tenths_c / 10, tenths_pct / 10)))
    assert [value for value, _ in bench.read()] == [tenths_c / 10, tenths_pct / 10]


@given(st.integers(0, 50), st.integers(20, 90))
@settings(max_examples=50, deadline=None)
def test_every_value_of_a_dht11_arrives_as_it_was_sent(temperature_c: int, humidity_pct: int) -> None:
    bench = Bench(lambda trigger: pulse_train(dht11_frame(temperature_c, humidity_pct)), dht11)
    assert [value for value, _ in bench.read()] == [temperature_c, humidity_pct]


def _assert_possible(bench: Bench, low_c: float, high_c: float) -> None:
    for _ in range(3):
        try:
            (temperature_c, _), (humidity_pct, _) = bench.read()
        except SensorError:
            continue
        assert temperature_c is not None
        assert humidity_pct is not None
        assert low_c <= temperature_c <= high_c
        assert 0 <= humidity_pct <= 100


@given(st.lists(st.integers(0, 70_000), max_size=120), st.sampled_from([dht11, dht22]))
@settings(max_examples=150, deadline=None)
def test_arbitrary_pulses_never_give_an_impossible_value(pulses: list[int], module: Any) -> None:
    _assert_possible(Bench(lambda trigger: pulses, module), -40, 80)


@given(st.binary(min_size=4, max_size=4))
@settings(max_examples=150, deadline=None)
def test_arbitrary_frames_with_a_good_checksum_never_give_an_impossible_value(values: bytes) -> None:
    pulses = pulse_train(values + bytes((sum(values) & 0xFF,)))
    _assert_possible(Bench(lambda trigger: pulses), -40, 80)
    _assert_possible(Bench(lambda trigger: pulses, dht11), 0, 50)


_MEASURED = st.builds(Measurement, st.floats(-40, 80), st.floats(0, 100), st.just(0.0))


@given(st.lists(_MEASURED, min_size=1, max_size=12))
def test_what_is_believed_lies_near_the_last_good_value_or_near_two_before_it(measured: list[Measurement]) -> None:
    trust, seen = Trust(), list[Measurement]()
    for new in measured:
        before = trust.good
        trust, believed = judge(trust, new)
        near = [abs(new.temperature_c - other.temperature_c) <= 8.0 for other in seen[-1:]]
        seen.append(new)
        if believed and not (before and abs(new.temperature_c - before.temperature_c) <= 8.0):
            assert near == [True]
            assert len(seen) >= 3
            assert abs(seen[-2].temperature_c - seen[-3].temperature_c) <= 8.0


@pytest.mark.parametrize("pin", [-1, 28, 100])
def test_a_pin_that_is_not_on_the_header_is_a_fault_of_the_settings(pin: int) -> None:
    with pytest.raises(SettingsError, match=f"pin = {pin}: must be between 0 and 27"):
        Settings(pin=pin)


def test_the_library_loads_on_a_machine_blinka_does_not_know_says_nothing_and_keeps_sigterm() -> None:
    program = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
from edge_agent.drivers.dht import adafruit_library
adafruit_library()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
assert not {"digitalio", "pulseio", "microcontroller"} & set(sys.modules)
"""
    unknown = {**os.environ, "BLINKA_FORCECHIP": "NO_SUCH_CHIP"}
    ran = subprocess.run([sys.executable, "-c", program], env=unknown, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
