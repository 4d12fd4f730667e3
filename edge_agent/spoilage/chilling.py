"""Cold harm to goods from the warm south: basil, banana, tomato, cucumber.

The dose grows below the threshold, steeply with the depth; what lies within the grace share of it is not seen yet and
heals in the warmth. Beyond it the injury adds to the ordinary ageing. A day just below the threshold hardens some goods
(basil: 1 d at 10 °C before 5 °C made 3 to 4 days into 8 to 9, Lange & Cameron 1997).
"""

from dataclasses import dataclass

import numpy as np

from edge_agent.spoilage.kinetics import Array

HARDENING_BELOW_C, HARDENING_ABOVE_C = 4.0, 1.0  # the band about the threshold in which goods harden
HARDENING_D = 1.0  # days in it that harden fully
RECOVERY_D = 2.0  # warm days in which a dose within the grace share heals


@dataclass(frozen=True, slots=True)
class Chilling:
    """Days at `at_c` that make goods unmarketable by cold alone; `power` = how steeply it grows with the depth."""

    threshold_c: float
    days: float
    at_c: float
    power: float = 2.0
    grace: float = 0.0  # share of the dose before anything is to be seen
    hardened: float = 1.0  # rate of injury of hardened goods; 1: they do not harden

    def __post_init__(self) -> None:
        if not self.at_c < self.threshold_c:
            raise ValueError(f"chilling at {self.at_c} °C: must lie below the threshold, {self.threshold_c} °C")
        if not (self.days > 0 and 0 < self.power <= 5 and 0 <= self.grace < 1 and 0 < self.hardened <= 1):
            raise ValueError(f"{self}: days above 0, power to 5, grace and hardened as shares")


def dose_rate(product_c: Array, threshold_c: Array, at_c: Array, days: Array, power: Array) -> Array:
    """Dose per day, 1 = unmarketable. No threshold (NaN): never.

    >>> basil = tuple(map(np.array, (12.0, 5.0, 3.76, 2.4)))
    >>> [round(float(1 / dose_rate(np.array(t), *basil)), 1) for t in (0.0, 5.0)]
    [1.0, 3.8]
    """
    depth = np.maximum(threshold_c - product_c, 0.0) / (threshold_c - at_c)
    return np.nan_to_num(np.power(depth, power) / days, nan=0.0)


def injury(dose: Array, grace: Array) -> Array:
    """What is to be seen of the dose: 0 within the grace share, 1 at a dose of 1."""
    return np.maximum(dose - grace, 0.0) / (1.0 - grace)


def dosed(dose: Array, gained: Array, warm_d: Array, grace: Array) -> Array:
    """The dose after a step: what the cold added; what is not seen yet heals in the warmth."""
    healed = np.where(dose <= grace, dose * np.exp(-warm_d / RECOVERY_D), dose)
    return np.asarray(healed + gained)


def hardens(product_c: Array, threshold_c: Array) -> Array:
    """Whether goods of this temperature harden."""
    return np.asarray((product_c > threshold_c - HARDENING_BELOW_C) & (product_c < threshold_c + HARDENING_ABOVE_C))
