"""Lots made of plain numbers, for the tests of the engine."""

from dataclasses import fields
from math import nan

import numpy as np

from edge_agent.spoilage.kinetics import NAMES, Kinetics
from edge_agent.spoilage.traits import Traits

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
