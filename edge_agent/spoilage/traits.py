"""The numbers that age lots, as arrays: of one lot (length 1), of all lots of a shop, or of many draws of one lot."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from edge_agent.spoilage.kinetics import Array


@dataclass(frozen=True, slots=True)
class Traits:
    """Arrays that broadcast together, one place for each lot; NaN = the goods have no such trait."""

    kind: Array  # place in kinetics.NAMES
    parameter: Array
    ref_c: Array
    life_d: Array  # at ref_c
    lag_share: Array  # of the life at ref_c; 0: no order effect
    lag_power: Array
    chill_c: Array  # threshold
    chill_at_c: Array
    chill_days: Array
    chill_power: Array
    chill_grace: Array
    chill_hardened: Array
    freeze_c: Array
    transpiration: Array  # mg/(kg s MPa) as packed
    most_loss_pct: Array
    tau_s: Array

    def __len__(self) -> int:
        return max(np.size(getattr(self, field.name)) for field in fields(self))

    def row(self, place: int) -> "Traits":
        """Of one lot."""
        return Traits(*(_at(getattr(self, field.name), place) for field in fields(self)))


def _at(values: Array, place: int) -> Array:
    return values if np.size(values) == 1 else values[place : place + 1]


def together(rows: Sequence[Traits]) -> Traits:
    """Many lots of different products in one."""
    if not rows:
        raise ValueError("no lots: there must be at least one")
    lengths = [len(row) for row in rows]
    return Traits(*(_joined([getattr(row, field.name) for row in rows], lengths) for field in fields(Traits)))


def _joined(parts: Sequence[Array], lengths: Sequence[int]) -> Array:
    """One field of many; a lot's own array is mostly as long as it should be."""
    pairs = zip(parts, lengths, strict=True)
    return np.concatenate([part if np.shape(part) == (n,) else np.broadcast_to(part, n) for part, n in pairs])
