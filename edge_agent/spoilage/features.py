"""What the residual net sees of a lot: numbers about 0 within some -4 to 4, in a fixed order.

Every input is a pure function of the lot's states, its traits and the forecast; the order and the scales belong to the
shipped weights and change with the model's version only.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.spoilage.chilling import dose_rate, injury
from edge_agent.spoilage.condition import States, exposure, used, used_cold, used_water
from edge_agent.spoilage.kinetics import lag_share_at, rates
from edge_agent.spoilage.traits import Traits
from edge_agent.spoilage.water import deficit_kpa, loss_pct_d

Array = npt.NDArray[np.float64]

GROUPS = ("leaf", "vegetable", "fruit", "meat", "fish", "dairy", "other")
OFFSET_D = 0.25  # added to a remaining life before its logarithm is taken: what is spoiled has one too
LONGEST_D = 400.0
ASSUMED_RH_PCT = 90.0
_STEP_K = 0.5  # either side, for the slope of the rate
_REACH = 4.0  # of an input that is only counted up; others beyond what training saw are the guard's business


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of the zone and known of the goods beside their traits: arrays, one place for each lot."""

    forecast_c: Array  # of the zone, for the rest of the life
    life_sd: Array  # of ln life, between sources and lots
    slope_sd: Array  # of ln rate per 10 K
    group: npt.NDArray[np.int64]  # place in GROUPS


NAMES = (
    ("ln_life", "ln(d/10)/1.5"),
    ("slope", "ln rate per 10 K"),
    ("lag_share", "share x 4"),
    ("lag_done", "share x 2 - 1"),
    ("chill_depth", "K/4"),
    ("chilled", "share"),
    ("ln_tau", "ln(h)"),
    ("used", "share x 3 - 2"),
    ("ln_left", "ln(share left + 0.02) + 1"),
    ("chill_dose", "share x 2"),
    ("water_used", "share x 2"),
    ("ln_age", "ln(1 + d)"),
    ("mean_c_6", "K/3 over the forecast"),
    ("mean_c_24", "K/3 over the forecast"),
    ("mean_c_72", "K/3 over the forecast"),
    ("max_c_6", "K/5 over the mean"),
    ("max_c_24", "K/5 over the mean"),
    ("max_c_72", "K/5 over the mean"),
    ("sd_c_6", "K/2"),
    ("sd_c_24", "K/2"),
    ("sd_c_72", "K/2"),
    ("rate_6", "ln of the rate over that at the forecast"),
    ("rate_24", "ln of the rate over that at the forecast"),
    ("rate_72", "ln of the rate over that at the forecast"),
    ("above_5", "ln(1 + h/6)"),
    ("above_8", "ln(1 + h/6)"),
    ("below_0", "ln(1 + h/6)"),
    ("blind", "share x 3"),
    ("forecast_c", "(°C - 8)/6"),
    ("ln_rest", "ln(d + 0.25)/1.5"),
    ("life_sd", "x 4"),
    ("slope_sd", "x 4"),
    *((f"is_{group}", "1") for group in GROUPS[:-1]),
)


def rest_d(states: States, lots: Traits, forecast_c: Array, end: Array | float = 1.0, dry: float = 1.0) -> Array:
    """Remaining life by the physics alone, the goods being as warm as the forecast from now on; 0 where spoiled.

    Ageing goes on at two speeds (lag, then growth), injury by cold adds to it after its grace, water runs beside it.
    A lot is over where the share used reaches ``end`` (1, or what a luckier lot stands), or its water loss ``dry`` of
    the most it may lose.
    """
    shape = np.zeros(len(states))
    rate = rates(lots.kind, lots.parameter, lots.ref_c, forecast_c + shape)
    whole = rate / lots.life_d
    share = lag_share_at(rate, lots.lag_share, lots.lag_power) + shape
    has_lag = lots.lag_share > 0
    in_lag_d = np.where(has_lag, np.maximum(1.0 - states.of("lag"), 0.0) * share / whole, 0.0)
    growing = whole / np.where(has_lag, 1.0 - share, 1.0)
    lag_now, grown = states.of("lag"), states.of("growth")
    chill = dose_rate(forecast_c + shape, lots.chill_c, lots.chill_at_c, lots.chill_days, lots.chill_power)
    chill = chill * (1.0 - states.of("hardened") * (1.0 - lots.chill_hardened))

    def spent(days: Array) -> Array:
        late = np.maximum(days - in_lag_d, 0.0)
        in_lag = np.where(in_lag_d > 0, np.minimum(days / np.maximum(in_lag_d, 1e-9), 1.0), 0.0)
        lag = np.where(has_lag, lag_now + (1.0 - lag_now) * in_lag, 0.0)
        growth = grown + growing * late
        aged = np.where(has_lag, lots.lag_share * lag + (1.0 - lots.lag_share) * growth, growth)
        return np.asarray(aged + injury(states.of("chill") + chill * days, lots.chill_grace))

    low, high = shape, shape + LONGEST_D
    for _ in range(24):
        middle = (low + high) / 2
        is_over = spent(middle) >= end
        low, high = np.where(is_over, low, middle), np.where(is_over, middle, high)
    drying = loss_pct_d(lots.transpiration, deficit_kpa(forecast_c + shape, forecast_c + shape, shape + ASSUMED_RH_PCT))
    drying = drying * states.of("factor")
    room_pct = np.nan_to_num(lots.most_loss_pct + shape, nan=1e9) * dry - states.of("lost_pct")
    until_dry = np.where(drying > 0, room_pct / np.maximum(drying, 1e-9), LONGEST_D)
    result = np.minimum((low + high) / 2, np.clip(np.nan_to_num(until_dry, nan=LONGEST_D), 0.0, LONGEST_D))
    return np.asarray(np.where((spent(shape) >= end) | (room_pct <= 0), 0.0, result))


def rows(states: States, lots: Traits, outlook: Outlook, rest: Array) -> npt.NDArray[np.float32]:
    """One row of inputs for each lot, in the order of NAMES."""
    shape = np.zeros(len(states))
    seen = exposure(states)
    forecast = outlook.forecast_c + shape
    now = rates(lots.kind, lots.parameter, lots.ref_c, forecast)
    above, below = (rates(lots.kind, lots.parameter, lots.ref_c, forecast + step) for step in (_STEP_K, -_STEP_K))
    life_d = lots.life_d / now
    chilled = np.where(np.isnan(lots.chill_c), 0.0, 1.0) + shape
    depth = np.nan_to_num(lots.chill_c - forecast, nan=0.0)
    columns: list[Array] = [
        np.log(life_d / 10.0) / 1.5,
        (np.log(above) - np.log(below)) / (2 * _STEP_K) * 10 - 1.0,
        lots.lag_share * 4 + shape,
        np.clip(states.of("lag"), 0.0, 1.0) * 2 - 1,
        np.clip(depth, -12.0, 16.0) / 4,
        chilled,
        np.log(np.maximum(lots.tau_s, 60.0) / 3600.0) + shape,
        np.clip(used(states, lots), 0.0, 1.5) * 3 - 2,
        np.log(np.clip(1.0 - used_cold(states, lots), 0.0, 1.0) + 0.02) + 1,
        np.clip(states.of("chill"), 0.0, 1.5) * 2 + shape,
        np.clip(used_water(states, lots), 0.0, 1.5) * 2,
        _counted(seen["age_h"], 24.0),
        *((seen[f"mean_c_{window}"] - forecast) / 3 for window in (6, 24, 72)),
        *(np.clip((seen[f"max_c_{window}"] - seen[f"mean_c_{window}"]) / 5, 0.0, _REACH) for window in (6, 24, 72)),
        *(np.clip(seen[f"sd_c_{window}"] / 2, 0.0, _REACH) for window in (6, 24, 72)),
        *(_pace(seen[f"rate_per_d_{window}"] * life_d, seen["age_h"]) for window in (6, 24, 72)),
        _counted(seen["hours_above_5"], 6.0),
        _counted(seen["hours_above_8"], 6.0),
        _counted(seen["hours_below_0"], 6.0),
        seen["blind_share_72"] * 3,
        (forecast - 8.0) / 6.0,
        np.log(rest + OFFSET_D) / 1.5,
        outlook.life_sd * 4 + shape,
        outlook.slope_sd * 4 + shape,
        *(np.where(outlook.group == place, 1.0, 0.0) + shape for place in range(len(GROUPS) - 1)),
    ]
    return np.ascontiguousarray(np.stack(np.broadcast_arrays(*columns), axis=1), dtype=np.float32)


def _counted(much: Array, unit: float) -> Array:
    """Hours or outcomes by their logarithm; more than the reach tells nothing new."""
    return np.asarray(np.minimum(np.log1p(much / unit), _REACH))


def _pace(relative: Array, age_h: Array) -> Array:
    """ln of how fast the lot aged against how fast it will; 0 for a lot nobody has watched yet."""
    return np.asarray(np.where(age_h > 0, np.log(np.clip(relative, 0.05, 20.0)), 0.0))


def group_place(group: str) -> int:
    """Of a group's name in GROUPS; what is not known is "other".

    >>> group_place("fish"), group_place("ice cream")
    (4, 6)
    """
    return GROUPS.index(group) if group in GROUPS else len(GROUPS) - 1
