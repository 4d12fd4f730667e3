"""How warm the goods are: the air, followed through the pack's time constant."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edge_agent.spoilage.kinetics import Array

LEAST_TAU_S = 1.0


@dataclass(frozen=True, slots=True)
class Pack:
    """How goods lie: how slowly they follow the air, and how much of their water they keep from it."""

    tau_s: float
    tau_cv: float  # of its spread from pack to pack
    transpires: float  # share of what the bare goods would lose (packed: 1 to 10 %; ASHRAE's coefficients are for bare)
    source: str


# Time constants: milk containers into air of 15, 20 and 25 °C took 3.0, 3.9 and 4.2 h (SciELO BJFT, measured);
# berries and bagged leaves 0.2 to 0.5 h, a 1-l bottle 1 to 3 h, a full crate 4 to 12 h (recalled).
# Loose goods, bottle and crate are as slow as the food clock takes them (the [[place]]'s `pack`).
# Water: packed goods lose 1 to 10 % of what bare ones do (recalled).
PACKS: Mapping[str, Pack] = MappingProxyType(
    {
        "bare": Pack(1260.0, 0.5, 1.0, "recalled: single layer of fruit"),
        "bunch": Pack(1260.0, 0.5, 0.5, "recalled: the inner leaves are sheltered"),
        "punnet": Pack(1260.0, 0.5, 0.25, "recalled: 0.2 to 0.5 h, vented lid"),
        "bag": Pack(1260.0, 0.5, 0.03, "recalled: 0.2 to 0.5 h, film keeps 90 to 99 % of the water"),
        "tray": Pack(3600.0, 0.4, 0.02, "recalled: film over a tray of 0.5 kg"),
        "vacuum": Pack(3600.0, 0.4, 0.0, "recalled: sealed"),
        "bottle": Pack(7200.0, 0.4, 0.0, "recalled: 1 to 3 h; 3.0 to 4.2 h measured to the end of warming"),
        "cup": Pack(3600.0, 0.4, 0.0, "recalled: 150 to 500 g"),
        "carton": Pack(14400.0, 0.5, 0.1, "recalled: full box, lined"),
        "crate": Pack(28800.0, 0.5, 0.5, "recalled: 4 to 12 h, full crate"),
        "ice": Pack(1800.0, 0.5, 0.0, "recalled: the fish is held at the ice's temperature"),
        "sack": Pack(28800.0, 0.5, 0.7, "recalled: 10 to 25 kg"),
    }
)


def pack_named(name: str) -> Pack:
    if name not in PACKS:
        raise ValueError(f'pack = "{name}": must be one of {", ".join(PACKS)}')
    return PACKS[name]


def course_c(product_c: Array, air_before_c: Array, air_c: Array, dt_s: float, tau_s: Array, after_s: Array) -> Array:
    """Where the goods are `after_s` into a step of evenly changing air: `domain.thermal.followed`, for many at once.

    >>> four, twenty = np.array(4.0), np.array(20.0)
    >>> round(float(course_c(four, twenty, twenty, 7200.0, np.array(7200.0), np.array(7200.0))), 2)
    14.11
    """
    tau = np.maximum(tau_s, LEAST_TAU_S)
    slope = (air_c - air_before_c) / dt_s
    trail_c = slope * tau
    return air_before_c + slope * after_s - trail_c + (product_c - air_before_c + trail_c) * np.exp(-after_s / tau)
