"""The load cell: ideal by default, and each imperfection by its own law."""

import math
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.nau7802 import Settings, open_sensor
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import FAILURES, LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.vendor_time import vendor_time


@given(
    load_g=st.floats(-1e4, 1e4),
    counts_per_gram=st.floats(0.5, 400),
    zero=st.integers(-100_000, 100_000),
    mono_s=st.floats(0, 1e7),
)
def test_an_ideal_cell_is_linear_and_ends_where_the_adc_ends(load_g, counts_per_gram, zero, mono_s):
    cell = LoadCell(counts_per_gram=counts_per_gram, zero_counts=zero)
    cell.load_g = load_g
    cell.temperature_c = 20.0
    assert cell.counts(mono_s) == min(2**23 - 1, max(-(2**23), zero + round(load_g * counts_per_gram)))


def test_a_cell_follows_a_function_of_time():
    cell = LoadCell(counts_per_gram=1.0)
    cell.load_at = lambda mono_s: 3 * mono_s
    assert [cell.counts(second) for second in (0.0, 1.0, 10.0)] == [0, 3, 30]


def test_creep_is_exponential_and_comes_back_when_the_load_is_gone():
    cell = LoadCell(counts_per_gram=1000.0, creep_ppm=245.0, creep_time_constant_s=600.0)
    cell.load_g = 5000.0
    full_g = 5000.0 * 245e-6
    assert cell.counts(0.0) == 5_000_000
    assert cell.counts(600.0) / 1000 - 5000 == pytest.approx(full_g * (1 - math.exp(-1)), abs=0.001)
    assert cell.counts(1800.0) / 1000 - 5000 == pytest.approx(full_g * (1 - math.exp(-3)), abs=0.001)
    cell.load_g = 0.0
    at_removal_g = cell.counts(1800.0) / 1000
    assert at_removal_g == pytest.approx(full_g * (1 - math.exp(-3)), abs=0.001), "the zero does not return at once"
    assert cell.counts(2400.0) / 1000 == pytest.approx(at_removal_g * math.exp(-1), abs=0.001)


def test_creep_does_not_depend_on_how_often_one_looks():
    often, seldom = (LoadCell(counts_per_gram=1000.0, creep_ppm=300.0) for _ in range(2))
    often.load_g = seldom.load_g = 4000.0
    seldom.counts(0.0)
    for second in range(901):
        last = often.counts(float(second))
    assert seldom.counts(900.0) == last


def test_drift_and_temperature():
    cell = LoadCell(counts_per_gram=100.0, drift_g_per_h=2.0, zero_g_per_k=0.5, span_ppm_per_k=20.0, reference_c=20.0)
    cell.load_g = 10_000.0
    assert cell.counts(0.0) == 1_000_000
    assert cell.counts(1800.0) == 1_000_100
    cell.temperature_c = 10.0
    assert cell.counts(0.0) == 1_000_000 - 100 * (10 * 0.5 + 10_000 * 20e-6 * 10)


def test_noise_has_its_size_and_its_seed():
    def series(seed):
        cell = LoadCell(counts_per_gram=100.0, noise_g=2.0, seed=seed)
        return [cell.counts(float(second)) for second in range(2000)]

    assert series(1) == series(1)
    assert series(1) != series(2)
    assert pstdev(series(1)) == pytest.approx(200, rel=0.1)
    assert abs(fmean(series(1))) < 20


def test_spikes_are_rare_and_large():
    cell = LoadCell(counts_per_gram=1.0, spike_probability=0.03, spike_g=500.0)
    series = [cell.counts(float(second)) for second in range(5000)]
    assert set(series) == {0, 500, -500}
    assert 100 < len([each for each in series if each]) < 200


def test_a_frozen_cell_repeats_itself():
    cell = LoadCell(counts_per_gram=10.0, noise_g=5.0)
    cell.load_g = 100.0
    last = cell.counts(0.0)
    cell.frozen, cell.load_g = True, 900.0
    assert [cell.counts(1.0), cell.counts(2.0)] == [last, last]


# --- what fails -----------------------------------------------------------------------------------------------------


def loaded(**others):
    cell = LoadCell(counts_per_gram=100.0, zero_counts=84_000, noise_g=0.5, **others)
    cell.load_g = 6_000.0
    return cell


def series(cell, from_s, until_s, rate_sps=10):
    return [cell.counts(tick / rate_sps) for tick in range(round(from_s * rate_sps), round(until_s * rate_sps))]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_lasts_from_its_time_to_its_end(failure):
    ill, well = loaded(), loaded()
    ill.fail(failure, at_s=10.0, for_s=1_000.0)
    assert series(ill, 0, 10) == series(well, 0, 10)
    series(ill, 10, 11), series(well, 10, 11)
    ill.load_g = well.load_g = 8_000.0
    assert series(ill, 11, 1_010) != series(well, 11, 1_010)
    assert fmean(series(ill, 1_010, 1_030)) == pytest.approx(fmean(series(well, 1_010, 1_030)), abs=40)


def test_a_cell_heals_of_all_its_failures():
    cell = LoadCell(counts_per_gram=100.0, imbalance_counts=900_000)
    cell.fail("half-dead")
    cell.fail("stuck", at_s=50.0)
    assert cell.counts(10.0) == 900_000
    cell.heal()
    assert cell.counts(20.0) == 0
    cell.load_g = 10.0
    assert cell.counts(60.0) == 1_000


def test_another_word_is_no_failure():
    with pytest.raises(ValueError, match="no failure 'tired'; there are: stuck, signal-wire-off"):
        LoadCell().fail("tired")


def test_an_open_input_stands_near_the_end_and_hums():
    cell = loaded()
    cell.fail("signal-wire-off")
    codes = series(cell, 0, 60)
    assert min(codes) > 0.9 * 2**23
    assert len(set(codes)) > 500
    assert pstdev(codes) > 100 * pstdev(series(loaded(), 0, 60))


def test_without_excitation_only_the_amplifier_is_left():
    cell = loaded()
    cell.fail("supply-wire-off")
    codes = series(cell, 0, 60)
    assert abs(fmean(codes)) < 2_000
    assert pstdev(codes) == pytest.approx(12, rel=0.2)


def test_an_adc_whose_core_stands_still_says_ready_and_gives_the_same_code():
    clock, cell = SimulatedClock(), loaded()
    board, chip = BenchBoard(clock), Nau7802Chip(clock, cell)
    board.plug_in(chip)
    with vendor_time(clock):
        sensor = open_sensor("scale-1", Settings(), board)

        def codes(count):
            found = []
            for _ in range(count):
                clock.sleep(0.1)
                found += [reading.value for reading in sensor.read(board.now())]
            return found

        before = codes(20)
        chip.repeats = True
        assert set(codes(20)) == {before[-1]}
        chip.repeats = False
        assert len(set(codes(20))) > 10


def test_half_a_bridge_has_half_the_gain_and_is_out_of_balance():
    cell = LoadCell(counts_per_gram=100.0, zero_counts=84_000, imbalance_counts=900_000)
    cell.fail("half-dead")
    assert cell.counts(0.0) == 84_000 + 900_000
    cell.load_g = 6_000.0
    assert cell.counts(1.0) == 84_000 + 900_000 + 300_000


def test_a_dead_cell_feels_no_change_but_has_its_noise():
    cell = loaded()
    cell.fail("dead", at_s=10.0)
    series(cell, 0, 20)
    cell.load_g = 0.0
    codes = series(cell, 20, 80)
    assert fmean(codes) == pytest.approx(84_000 + 600_000, abs=20)
    assert pstdev(codes) == pytest.approx(50, rel=0.2)


def test_a_wet_cell_wanders_slowly_and_is_noisy():
    cell = loaded(wet_wander_g=60.0, wet_noise_times=6.0)
    cell.fail("wet")
    codes = series(cell, 0, 7_200, rate_sps=1)
    minutes = [fmean(codes[at : at + 60]) / 100 for at in range(0, len(codes), 60)]
    assert max(minutes) - min(minutes) > 60
    assert max(abs(b - a) for a, b in pairwise(minutes)) < 25, "not in jumps"
    assert pstdev(b - a for a, b in pairwise(codes)) / math.sqrt(2) == pytest.approx(300, rel=0.1)
