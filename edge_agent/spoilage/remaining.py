"""How long a lot will still be good by the physics alone, in the temperatures that are expected, with a band.

The band: a lot's true life is the reckoned one times a log-normal factor; the lot ends where the share that it has used
reaches that factor. The factor's spread has three parts: the life from source to source, the kinetics the further the
goods are from the reference, and how wrong the temperature may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from edge_agent.domain.shelf_life import HORIZONS_H, LEVELS
from edge_agent.spoilage.condition import HOUR_S, States, advance, exposure, used_cold, used_water
from edge_agent.spoilage.kinetics import Array, rates
from edge_agent.spoilage.traits import Traits

LONGEST_D = 400.0  # no estimate is longer
WATER_SD = 0.5  # of ln of the loss at which goods look withered; transpiration differs by 2 to 10 times
_GROWS = 1.12  # from step to step of the time that is looked ahead
_FIRST_STEP_H = 2.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations, one place for each lot (or one for all)."""

    life_sd: Array  # of ln life
    slope_sd: Array  # of ln rate, 10 K off the reference
    offset_sd_c: Array


@dataclass(frozen=True, slots=True)
class Outlook:
    """Expected air: by the hour from now on, and then the last hours' mean for ever. A constant is one hour long."""

    air_c: Array  # [hours] for all lots, or [hours, lots]
    rh_pct: Array  # [lots] or one; NaN: not known


def constant(air_c: float | Array, rh_pct: float = float("nan")) -> Outlook:
    """The same air for all time to come."""
    return Outlook(np.atleast_1d(np.asarray(air_c, dtype=np.float64))[None, :], np.array([rh_pct]))


@dataclass(frozen=True, slots=True)
class Ahead:
    """Shares used at moments to come, for each lot: [moments, lots]."""

    at_d: Array
    cold: Array  # ageing and injury
    water: Array
    mean_c: Array  # of the goods, over what they saw and what is expected of a day


def ahead(states: States, lots: Traits, outlook: Outlook) -> Ahead:
    """Follow the lots into the future until the last of them has had LONGEST_D days."""
    air = np.asarray(outlook.air_c, dtype=np.float64)
    if air.size == 0 or not np.isfinite(air).all():
        raise ValueError("air_c: must be at least one temperature, and none unknown")
    hours = air if air.ndim == 2 else air[:, None]
    moments, cold, water = [0.0], [used_cold(states, lots)], [used_water(states, lots)]
    now = _in_new_air(states, hours[0])
    for row in hours if len(hours) > 1 else ():
        now = advance(now, lots, row + np.zeros(len(states)), outlook.rh_pct, HOUR_S)
        moments.append(moments[-1] + 1 / 24)
        cold.append(used_cold(now, lots))
        water.append(used_water(now, lots))
    late_c = hours[-24:].mean(axis=0) + np.zeros(len(states))
    now, step_h = _in_new_air(now, late_c), _FIRST_STEP_H
    while moments[-1] < LONGEST_D:
        now = advance(now, lots, late_c, outlook.rh_pct, step_h * HOUR_S)
        moments.append(moments[-1] + step_h / 24)
        cold.append(used_cold(now, lots))
        water.append(used_water(now, lots))
        step_h = min(step_h * _GROWS, 24.0 * 20)
    age_d = states.of("seen_h") / 24
    mean_c = (exposure(states)["mean_c_72"] * np.minimum(age_d, 3.0) + late_c) / (np.minimum(age_d, 3.0) + 1.0)
    return Ahead(np.array(moments), np.array(cold), np.array(water), mean_c)


def _in_new_air(states: States, air_c: Array) -> States:
    """The air steps to the forecast at once, instead of drifting there through the first step."""
    table = states.table.copy()
    changed = States(table)
    changed.of("air_c")[:] = air_c
    return changed


def deviation(lots: Traits, spread: Spread, mean_c: Array) -> Array:
    """Standard deviation of ln of the factor on the life."""
    slope = (_ln_rate(lots, mean_c + 0.5) - _ln_rate(lots, mean_c - 0.5)) if len(mean_c) else mean_c
    kinetics = spread.slope_sd * (mean_c - lots.ref_c) / 10.0
    return np.sqrt(spread.life_sd**2 + kinetics**2 + (spread.offset_sd_c * slope) ** 2)


def _ln_rate(lots: Traits, at_c: Array) -> Array:
    return np.asarray(np.log(rates(lots.kind, lots.parameter, lots.ref_c, at_c)))


def quantiles_d(future: Ahead, sd: Array, levels: Sequence[float] = LEVELS) -> Array:
    """Remaining days at `levels`: [levels, lots], rising, 0 where the lot may be over already."""
    out = np.empty((len(levels), future.cold.shape[1]))
    for place, level in enumerate(levels):
        z = NormalDist().inv_cdf(level)
        ageing = _reached_d(future.at_d, future.cold, np.exp(z * sd))
        drying = _reached_d(future.at_d, future.water, np.full_like(sd, np.exp(z * WATER_SD)))
        out[place] = np.minimum(ageing, drying)
    return np.maximum.accumulate(out, axis=0)


def _reached_d(at_d: Array, share: Array, end: Array) -> Array:
    """When each lot's share reaches its end: evenly between two moments, LONGEST_D if never."""
    rising = np.maximum.accumulate(share, axis=0)
    out = np.empty(rising.shape[1])
    for lot in range(rising.shape[1]):
        out[lot] = np.interp(end[lot], rising[:, lot], at_d) if rising[-1, lot] > end[lot] else LONGEST_D
    return np.where(rising[0] >= end, 0.0, np.minimum(out, LONGEST_D))


def p_spoiled(future: Ahead, sd: Array, horizons_h: Sequence[float] = HORIZONS_H) -> Array:
    """Probability that the lot will be over within each horizon: [horizons, lots], rising."""
    out = np.empty((len(horizons_h), future.cold.shape[1]))
    cdf = NormalDist().cdf
    for place, hours in enumerate(horizons_h):
        for lot in range(future.cold.shape[1]):
            cold = float(np.interp(hours / 24, future.at_d, future.cold[:, lot]))
            water = float(np.interp(hours / 24, future.at_d, future.water[:, lot]))
            fresh = 1.0 - cdf(float(np.log(max(cold, 1e-12))) / max(float(sd[lot]), 1e-6))
            moist = 1.0 - cdf(float(np.log(max(water, 1e-12))) / WATER_SD)
            out[place, lot] = 1.0 - min(fresh, moist)
    return np.maximum.accumulate(out, axis=0)


def widened(sd: float, factor: float) -> float:
    """A band that fell back to the physics is wider: the same centre, `factor` times the deviation."""
    if not factor >= 1:
        raise ValueError(f"factor = {factor}: must be 1 or more")
    return sd * factor


def capped(days: Sequence[float], until_d: float | None) -> tuple[float, ...]:
    """No later than a printed use-by date; None: the goods carry none. Never below 0.

    >>> capped((1.0, 2.0, 6.0), 3.0), capped((1.0, 2.0), None), capped((1.0, 2.0), -0.5)
    ((1.0, 2.0, 3.0), (1.0, 2.0), (0.0, 0.0))
    """
    if until_d is None:
        return tuple(max(0.0, one) for one in days)
    return tuple(max(0.0, min(one, until_d)) for one in days)


def together_sd(*parts: float) -> float:
    """Independent deviations in one.

    >>> together_sd(0.3, 0.4)
    0.5
    """
    return sqrt(sum(part * part for part in parts))
