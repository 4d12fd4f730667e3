"""Growth of what spoils milk and meat: against fine integration, and in what order warmth comes."""

import math

import numpy as np
import pytest

from edge_agent.spoilage import growth
from edge_agent.spoilage.growth import Organism, days_until, grown, inoculated

PSEUDOMONAS = Organism(rate_ref=2.4, ref_c=6.0, tmin_c=-8.0, adapt_tmin_c=-12.0, work=2.0, log_max=9.0)
COURSE = ((4.0, 0.7), (12.0, 0.3), (2.0, 1.5), (22.0, 0.2), (7.0, 2.0))  # °C, days


def by_small_steps(organism: Organism, log_n: float, course: tuple[tuple[float, float], ...], steps: int) -> float:
    """Baranyi's two equations by Runge and Kutta's method."""
    flora = inoculated(organism, log_n)
    y = np.array([float(flora.log_n) * growth.LN10, float(flora.ln_q)])

    def slope(state: np.ndarray, temp_c: float) -> np.ndarray:
        rate = float(growth.growth_rate(organism, temp_c))
        ready = 1.0 / (1.0 + math.exp(-state[1]))
        brake = 1.0 - math.exp(state[0] - organism.log_max * growth.LN10)
        return np.array([rate * ready * brake, float(growth.adaptation_rate(organism, temp_c))])

    for temp_c, long_d in course:
        h = long_d / steps
        for _ in range(steps):
            a = slope(y, temp_c)
            b = slope(y + h / 2 * a, temp_c)
            c = slope(y + h / 2 * b, temp_c)
            d = slope(y + h * c, temp_c)
            y = y + h / 6 * (a + 2 * b + 2 * c + d)
    return float(y[0]) / growth.LN10


def after(organism: Organism, log_n: float, course: tuple[tuple[float, float], ...]) -> float:
    flora = inoculated(organism, log_n)
    for temp_c, long_d in course:
        flora = grown(flora, organism, temp_c, long_d)
    return float(flora.log_n)


@pytest.mark.parametrize("log_n", [1.0, 4.0, 6.5])
def test_growth_through_changing_temperatures_is_within_a_thousandth_of_fine_integration(log_n: float) -> None:
    fine = by_small_steps(PSEUDOMONAS, log_n, COURSE, 400)
    assert after(PSEUDOMONAS, log_n, COURSE) == pytest.approx(fine, rel=1e-3)


@pytest.mark.parametrize("temp_c", [0.0, 4.0, 15.0])
def test_the_time_to_a_limit_is_when_growth_reaches_it(temp_c: float) -> None:
    flora = inoculated(PSEUDOMONAS, 3.0)
    days = float(days_until(flora, PSEUDOMONAS, temp_c, 7.0))
    assert float(grown(flora, PSEUDOMONAS, temp_c, days).log_n) == pytest.approx(7.0, abs=1e-3)


def test_a_limit_above_the_most_there_can_be_is_never_reached_and_one_passed_already_is_at_once() -> None:
    flora = inoculated(PSEUDOMONAS, 3.0)
    assert float(days_until(flora, PSEUDOMONAS, 4.0, 9.5)) == math.inf
    assert float(days_until(flora, PSEUDOMONAS, 4.0, 2.0)) == 0.0
    assert float(days_until(flora, PSEUDOMONAS, -9.0, 7.0)) == math.inf  # below Tmin


def test_early_warmth_shortens_the_life_more_than_late_warmth() -> None:
    """The lag runs while it is warm early; late warmth finds cells that grow already."""
    lagging = Organism(rate_ref=1.2, ref_c=6.0, tmin_c=-4.0, adapt_tmin_c=1.0, work=4.0, log_max=9.0)
    early = after(lagging, 3.0, ((15.0, 0.5), (3.0, 5.5)))
    late = after(lagging, 3.0, ((3.0, 5.5), (15.0, 0.5)))
    assert early != pytest.approx(late, abs=0.05)


def test_fresh_cartons_spoil_over_weeks_and_a_share_of_them_not_at_all() -> None:
    cloud = growth.cartons()
    shares = [growth.spoiled_within(cloud, 6.0, days) for days in (0, 3, 7, 14, 21, 300)]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.15 < shares[2] < 0.35  # 23 % of 334 cartons were beyond 20,000 CFU/mL on day 7
    assert shares[-1] <= 0.554 + 0.224


def test_keeping_and_then_asking_is_the_same_as_asking_for_the_whole_time() -> None:
    cloud = growth.cartons()
    kept = growth.kept(cloud, 6.0, 5.0)
    assert growth.spoiled_within(kept, 6.0, 6.0) == pytest.approx(growth.spoiled_within(cloud, 6.0, 11.0), abs=0.01)


def test_a_high_count_on_day_7_makes_spoilage_by_day_14_likelier_than_a_low_one() -> None:
    cloud = growth.kept(growth.cartons(), 6.0, 7.0)
    low, high = (growth.spoiled_within(growth.counted(cloud, log), 6.0, 7.0) for log in (1.5, 3.8))
    assert low < 0.6 < high
    assert high > 0.9
