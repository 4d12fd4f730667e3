"""Lots made of plain numbers, for the tests of the engine; one lot led through air, and many to their ends."""

from dataclasses import dataclass, fields, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from edge_agent.spoilage.condition import (
    FIELDS,
    Condition,
    States,
    advance,
    stacked,
    unstacked,
    used_cold,
    used_water,
)
from edge_agent.spoilage.kinetics import NAMES, Kinetics
from edge_agent.spoilage.traits import Traits

Array = NDArray[np.float64]

_PLAIN = {
    "life_d": 10.0,
    "lag_share": 0.0,
    "lag_power": 1.0,
    "chill_c": nan,
    "chill_at_c": nan,
    "chill_days": nan,
    "chill_power": 2.0,
    "chill_grace": 0.0,
    "chill_hardened": 1.0,
    "freeze_c": -1.0,
    "transpiration": 0.0,
    "most_loss_pct": nan,
    "tau_s": 3600.0,
}


def lot(kinetics: Kinetics = Kinetics("q10", 3.0, 4.0), **numbers: float) -> Traits:  # noqa: B008 -- frozen
    """One lot; what is not given is that of goods without lag, chilling and water."""
    of_kind = {"kind": NAMES.index(kinetics.kind), "parameter": kinetics.parameter, "ref_c": kinetics.ref_c}
    values = {**_PLAIN, **of_kind, **numbers}
    return Traits(*(np.array([float(values[field.name])]) for field in fields(Traits)))


@dataclass(frozen=True, slots=True)
class Air:
    """Around the lot at the end of a step; None: not measured."""

    temperature_c: float | None
    rh_pct: float | None = None


def advanced(condition: Condition, goods: Traits, air: Air, dt_s: float) -> Condition:
    """One lot after a step in which the air changed evenly to what it is now."""
    air_c = nan if air.temperature_c is None else air.temperature_c
    rh_pct = nan if air.rh_pct is None else air.rh_pct
    return unstacked(advance(stacked([condition]), goods, np.array([air_c]), np.array([rh_pct]), dt_s))[0]


def lasted_d(states: States, goods: Traits, forecast_c: float, end: Array, dry: float, longest_d: float) -> Array:
    """Days until each lot's share reaches its end in even air, by the engine's own small steps."""
    table = states.table.copy()
    table[FIELDS.index("air_c")] = forecast_c
    now, at_d, step_h = replace(states, table=table), [0.0], 2.0
    cold, water = [used_cold(now, goods)], [used_water(now, goods)]
    while at_d[-1] < longest_d:
        now = advance(now, goods, np.full(len(states), forecast_c), np.full(len(states), 90.0), step_h * 3600.0)
        at_d.append(at_d[-1] + step_h / 24)
        cold.append(used_cold(now, goods))
        water.append(used_water(now, goods))
        step_h = min(step_h * 1.12, 480.0)
    ends = ((np.array(cold), end), (np.array(water), np.full(len(states), dry)))
    return np.minimum(*(_reached_d(np.array(at_d), share, at, longest_d) for share, at in ends))


def _reached_d(at_d: Array, share: Array, end: Array, longest_d: float) -> Array:
    rising = np.maximum.accumulate(share, axis=0)
    days = [np.interp(stop, rising[:, i], at_d) if rising[-1, i] > stop else longest_d for i, stop in enumerate(end)]
    return np.where(rising[0] >= end, 0.0, np.minimum(days, longest_d))
