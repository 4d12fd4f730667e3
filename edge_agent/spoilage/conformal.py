"""Bands that keep their word: factors by which a group's band is stretched, from lots kept back for it.

Split conformal prediction: the factor is the quantile of |error| over the half-width promised, with the finite-sample
rank.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edge_agent.spoilage.features import GROUPS

Array = npt.NDArray[np.float64]

LEVEL = 0.90  # of the band between the 5 % and the 95 % quantile


def factor(metrics: Mapping[str, float], group: int) -> float:
    """From a model's card, where each group's factor stands as conformal_<group>; 1 where none does."""
    return metrics.get(f"conformal_{GROUPS[group]}", metrics.get("conformal", 1.0))


def learnt(scores: Sequence[float], level: float = LEVEL) -> float:
    """``scores``: |error| / promised half-width, one a lot kept back.

    >>> learnt([0.1 * i for i in range(1, 101)])
    9.1
    """
    place = math.ceil((len(scores) + 1) * level)
    ordered = sorted(scores)
    return round(float(ordered[min(place, len(ordered)) - 1]), 9)


def side_scores(error: Array, down: Array, up: Array) -> Array:
    """|error| over the half-width on its own side of the median."""
    return np.asarray(np.where(error < 0, -error / np.maximum(down, 1e-6), error / np.maximum(up, 1e-6)))
