"""Who lies beside whom: ripe fruit gives off ethylene, and leaves, broccoli and cucumbers age by it.

No sensor is asked; what counts is which goods share a shelf or a room. Broccoli in 2 ppm at 10 °C keeps half as long
(UC Davis); near 0 °C ethylene does little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge_agent.spoilage.products import Product

GIVES: Mapping[str, float] = MappingProxyType({"VL": 0.0, "L": 0.05, "M": 0.3, "H": 0.7, "VH": 1.0})
SUFFERS: Mapping[str, float] = MappingProxyType({"VL": 0.0, "L": 0.0, "M": 0.4, "H": 1.0, "VH": 1.0})
MOST_LOST = 0.5  # of the life, by the strongest neighbours at 10 °C and above
SAME_ROOM = 0.3  # of what the neighbour on the same shelf does: a room's air is changed
COLD_C, WARM_C, COLD_SHARE = 0.0, 10.0, 0.25  # between them the effect grows evenly
LEAST_TOLD = 0.05  # a smaller loss is not worth a reason


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Goods in the same room; on the same shelf they are nearer."""

    product: Product
    is_beside: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """What the neighbours do to the life: a factor to 1, and who does most of it."""

    factor: float = 1.0
    reason: str | None = None  # "ethylene:apple"

    @property
    def faster(self) -> float:
        """How many times as fast the goods age."""
        return round(1.0 / self.factor, 6)


def effect(product: Product, neighbours: Sequence[Neighbour], product_c: float) -> Effect:
    """The neighbours' ethylene on goods at this temperature. More of one producer is not worse than one."""
    doses = {
        neighbour.product.name: GIVES[neighbour.product.ethylene] * (1.0 if neighbour.is_beside else SAME_ROOM)
        for neighbour in sorted(neighbours, key=lambda one: one.is_beside)
        if neighbour.product.name != product.name
    }
    dose = min(sum(doses.values()), 1.0)
    warmth = min(max((product_c - COLD_C) / (WARM_C - COLD_C), 0.0), 1.0)
    lost = MOST_LOST * SUFFERS[product.sensitive] * dose * (COLD_SHARE + (1 - COLD_SHARE) * warmth)
    if lost < LEAST_TOLD:
        return Effect(round(1.0 - lost, 4))
    return Effect(round(1.0 - lost, 4), f"ethylene:{max(doses, key=lambda name: doses[name])}")
