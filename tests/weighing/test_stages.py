"""The stages of `follow`, each by itself, and next to each its twin that does nothing."""

import math
from random import Random

import pytest

from edge_agent.weighing import plateau, smoothing, spikes, stability, validity
from edge_agent.weighing.nouns import Weight
from edge_agent.weighing.settings import CellSettings, ShelfSettings

SHELF = ShelfSettings("shelf", (CellSettings("cell", 0, 100.0),), capacity_g=10_000, least_g=500.0)


@pytest.mark.parametrize(
    ("gross_g", "fault", "begins"),
    [
        (None, "saturated", "saturated"),
        (None, None, "no-reading"),
        (math.nan, None, "no-reading"),
        (3.0, None, "drop-out: 3 g, below the 500 g"),
        (25_000.0, None, "impossible: 25000 g"),
        (700.0, "wet", "wet"),
    ],
)
def test_what_is_no_weight_is_a_fault_with_its_reason(gross_g, fault, begins):
    assert validity.fault_of(Weight(0, gross_g, fault), gross_g, SHELF).startswith(begins)


def test_a_weight_is_no_fault_and_the_twin_believes_every_number():
    assert validity.fault_of(Weight(0, 700.0), 700.0, SHELF) is None
    assert validity.null_fault_of(Weight(0, 3.0), 3.0, SHELF) is None
    assert validity.null_fault_of(Weight(0, None, "saturated"), None, SHELF) == "saturated"


@pytest.mark.parametrize(
    ("window", "clean"),
    [
        ([10, 10.1, 900, 9.9, 10], 10.0),  # one spike
        ([10, -400, 900, 9.9, 10], 9.9),  # two in five
        ([10, 10.1, 250, 249.9, 250.1], 249.9),  # a step, and its first reading is right enough
        ([10, 900, 10.1, 250, 250.1], 250.0),  # a spike at the very edge: one side or the other
        ([10, 10.1, 10.25, 9.9, 10], 10.25),  # noise is left alone
    ],
)
def test_spikes_go_and_steps_stay(window, clean):
    assert spikes.hampel(window, 0.1) == pytest.approx(clean, abs=0.3)


def test_without_a_known_noise_the_window_itself_says_what_a_spike_is():
    assert spikes.hampel([10, 10.1, 900, 9.9, 10], None) == 10.0
    assert spikes.hampel([10, 10.4, 10.2, 9.9, 10], None) == 10.2


def test_the_twin_lets_spikes_through():
    assert spikes.null_hampel([10, 10, 900, 10, 10], 0.1) == 900


def test_the_level_is_a_mean_at_first_and_forgets_later():
    level, weighs_s = 0.0, 0.0
    for value in (1.0, 2.0, 3.0):
        gain, weighs_s = smoothing.adaptive(weighs_s, 0.1)
        level += gain * (value - level)
    assert level == pytest.approx(2.0)
    for _ in range(1000):
        gain, weighs_s = smoothing.adaptive(weighs_s, 0.1)
    assert (gain, weighs_s) == (pytest.approx(0.1 / smoothing.LONGEST_S), smoothing.LONGEST_S)
    assert smoothing.adaptive(5000.0, 300.0)[1] == smoothing.LEAST * 300.0  # one reading in five minutes
    assert smoothing.null_adaptive(5.0, 0.1)[0] == 1.0


def noise(n: int, sigma_g: float = 1.0, seed: int = 1) -> list[float]:
    random = Random(seed)
    return [100.0 + random.gauss(0, sigma_g) for _ in range(n)]


def test_rest_is_nearly_always_found_and_unrest_is_not():
    rest = sum(stability.rests(noise(24, seed=seed), 1.0) for seed in range(500))
    assert rest > 475
    for seed in range(100):
        values = noise(24, seed=seed)
        assert not stability.rests([v + 0.25 * i for i, v in enumerate(values)], 1.0)  # on its way
        assert not stability.rests([v + 8 * (i == 3) + 8 * (i == 20) for i, v in enumerate(values)], 1.0)
        assert not stability.rests([v + 4 * ((i // 5) % 2) for i, v in enumerate(values)], 1.0)  # it shifts


def test_too_few_are_no_rest_and_the_twin_takes_anything_for_rest():
    assert not stability.rests([1.0, 1.0], 1.0)
    assert stability.null_rests([0.0, 900.0, -900.0], 1.0)


def test_a_shaken_scale_is_steady_as_long_as_it_stays_in_one_place():
    shaken = [100 + 4 * math.sin(2.9 * i) for i in range(48)]
    assert stability.is_steady(shaken, 5.0)
    assert not stability.is_steady(shaken, 2.0)
    assert not stability.is_steady([v + 0.5 * i for i, v in enumerate(shaken)], 50.0)


def looks(values: list[float]) -> list[tuple[int, float]]:
    return [(100 * i, value) for i, value in enumerate(values)]


def test_a_plateau_is_right_within_its_uncertainty():
    within = 0
    for seed in range(300):
        found = plateau.plateau(looks(noise(24, seed=seed)))
        within += abs(found.gross_g - 100.0) <= 2 * found.u_g
    assert within >= 275  # k = 2: 95 %


def test_a_lingering_finger_and_a_wild_reading_have_no_say():
    values = noise(24, 0.1)
    values[0] += 0.8
    values[15] += 50.0
    found = plateau.plateau(looks(values))
    assert found.gross_g == pytest.approx(100.0, abs=0.1)
    assert (found.from_ms, found.until_ms) == (0, 2300)


def test_slow_vibration_is_less_certain_than_its_number_of_readings_says():
    slow = [100 + 3 * math.sin(i / 4) for i in range(24)]
    found = plateau.plateau(looks(slow))
    assert found.u_g > 1.2 * found.noise_g / math.sqrt(20)


def test_the_twin_takes_the_last_reading():
    assert plateau.null_plateau(looks([1.0, 2.0, 7.0])).gross_g == 7.0
