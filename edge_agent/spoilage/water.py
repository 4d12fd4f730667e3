"""Water that goods lose to the air: by the vapour pressure deficit, and by the scale where a lot is weighed alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from edge_agent.spoilage.kinetics import Array

AW_FRESH = 0.99  # water activity at the surface of produce
LOSS_PCT_D = 8.64e-3  # K in mg/(kg s MPa), VPD in kPa: % a day = K * VPD * this
FACTOR_SD = 2.0  # of the transpiration coefficient as a multiple of the table's: handbooks differ by 2 to 10 times
LEAST_FACTOR, MOST_FACTOR = 0.02, 20.0


def saturation_kpa(temperature_c: Array) -> Array:
    """Vapour pressure over water, Magnus form with Alduchov & Eskridge's (1996) constants.

    >>> round(float(saturation_kpa(np.array(20.0))), 3)
    2.333
    """
    return np.asarray(0.61094 * np.exp(17.625 * temperature_c / (temperature_c + 243.04)))


def deficit_kpa(product_c: Array, air_c: Array, rh_pct: Array) -> Array:
    """How dry the air is for goods of this temperature; 0 where water would settle on them.

    >>> two = np.array(2.0)
    >>> round(float(deficit_kpa(two, two, np.array(85.0))), 3)
    0.099
    """
    return np.maximum(AW_FRESH * saturation_kpa(product_c) - saturation_kpa(air_c) * rh_pct / 100.0, 0.0)


def loss_pct_d(transpiration_mg_kg_s_mpa: Array, deficit: Array) -> Array:
    """Bare potato (44) in air with a deficit of 0.106 kPa.

    >>> round(float(loss_pct_d(np.array(44.0), np.array(0.106))), 2)
    0.04
    """
    return transpiration_mg_kg_s_mpa * deficit * LOSS_PCT_D


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the scale says about a lot that lies there alone: loss by the day, and how sure."""

    loss_pct_d: float
    se_pct_d: float


def slope(times_d: Sequence[float], weights_g: Sequence[float], noise_g: float) -> Weighed | None:
    """Loss of an undisturbed lot from its weights: least squares, its error from the scale's noise and the scatter.

    None: fewer than 3 weights, or all at one time.

    >>> slope([0.0, 1.0, 2.0], [1000.0, 990.0, 980.0], noise_g=1.0)
    Weighed(loss_pct_d=1.0, se_pct_d=0.0707)
    """
    count = len(times_d)
    if count != len(weights_g):
        raise ValueError(f"{count} times and {len(weights_g)} weights: must be as many")
    mean_d = sum(times_d) / count if count else 0.0
    spread = sum((day - mean_d) ** 2 for day in times_d)
    if count < 3 or spread <= 0 or weights_g[0] <= 0:
        return None
    mean_g = sum(weights_g) / count
    per_d = sum((day - mean_d) * (weight - mean_g) for day, weight in zip(times_d, weights_g, strict=True)) / spread
    left = sum((weight - mean_g - per_d * (day - mean_d)) ** 2 for day, weight in zip(times_d, weights_g, strict=True))
    noise = max(noise_g, sqrt(left / (count - 2)))
    scale = 100.0 / weights_g[0]
    return Weighed(round(-per_d * scale, 6), round(noise / sqrt(spread) * scale, 4))


@dataclass(frozen=True, slots=True)
class Factor:
    """Of one lot: its transpiration as a multiple of the table's, and the standard deviation of that."""

    mean: float = 1.0
    sd: float = FACTOR_SD


def learnt(before: Factor, weighed: Weighed, expected_pct_d: float) -> Factor:
    """The lot's own factor after the scale spoke, against what the table expects in the air it had (Bayes, normal).

    >>> learnt(Factor(), Weighed(3.0, 0.05), expected_pct_d=1.0)
    Factor(mean=2.999, sd=0.05)
    >>> learnt(Factor(), Weighed(3.0, 0.05), expected_pct_d=0.0)  # air that dries nothing teaches nothing
    Factor(mean=1.0, sd=2.0)
    """
    if expected_pct_d <= 0 or not weighed.se_pct_d < inf:
        return before
    seen, noise = weighed.loss_pct_d / expected_pct_d, max(weighed.se_pct_d / expected_pct_d, 1e-6)
    gain = before.sd**2 / (before.sd**2 + noise**2)
    mean = min(max(before.mean + gain * (seen - before.mean), LEAST_FACTOR), MOST_FACTOR)
    return Factor(round(mean, 3), round(sqrt(1 - gain) * before.sd, 3))
