"""The load cell: ideal by default, and each imperfection by its own law."""

import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_mocks.load_cell import LoadCell


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
