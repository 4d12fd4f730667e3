"""What a shop's quantiles missed in its last weeks, put right: additive shifts in units of each forecast's own width.

Conformalised quantile regression (Romano, Patterson and Candes 2019) with one shift for each level, so every quantile
and not only an interval's ends is right. A count of 0 cannot lie below a quantile of 0: low levels are judged by the
share strictly below, high ones by the share at or below; a quantile between two counts then holds the share wanted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASS_EDGES = (1.0, 6.0)  # units a day: sparse, middling, steady goods
CLASSES = len(CLASS_EDGES) + 1
LATE_D = 8  # days ahead from which on the shifts are learnt apart
PARTS = 2
POOL_HALF = 200.0  # outcomes at which the shop's shift counts half
CLASS_HALF = 800.0  # and at which a class's own counts half against the shop's
SCALE_SHARE = 0.1
_LOW, _HIGH = LEVELS.index(0.1), LEVELS.index(0.9)


@dataclass(frozen=True, eq=False)
class Shifts:
    by_part: Floats  # [PARTS, CLASSES, levels], in widths


NO_SHIFTS = Shifts(np.zeros((PARTS, CLASSES, len(LEVELS))))


def width(quantiles: Floats, scale: Floats) -> Floats:
    """Of each forecast: from the 0.1 to the 0.9 quantile and a share of the scale. [rows, days]"""
    found: Floats = quantiles[:, :, _HIGH] - quantiles[:, :, _LOW] + SCALE_SHARE * scale[:, None]
    return found


def shifted(quantiles: Floats, scale: Floats, horizons: Ints, shifts: Shifts) -> Floats:
    """[rows, days, levels], sorted, 0 or more. ``horizons`` [days] counts from 1."""
    part = (horizons >= LATE_D).astype(np.int64)
    own = shifts.by_part[part[None, :], class_of(scale)[:, None]]
    return np.sort(np.maximum(quantiles + own * width(quantiles, scale)[:, :, None], 0.0), axis=2)


def learnt_shifts(
    in_scales: NDArray[np.floating], came: Floats, weight: Floats, scale: Floats, horizons: Ints
) -> Shifts:
    """From outcomes [rows, days] where ``weight`` is above 0, and quantiles in scales; level by level, to save RAM."""
    use = (weight > 0) & np.isfinite(in_scales[:, :, 0])
    share = weight[use]
    late = np.where(horizons >= LATE_D, CLASSES, 0).astype(np.uint8)
    cell = (late + class_of(scale).astype(np.uint8)[:, None])[use]
    sold = (came / scale[:, None])[use].astype(np.float32)
    wide = in_scales[:, :, _HIGH][use].astype(np.float32) - in_scales[:, :, _LOW][use] + np.float32(SCALE_SHARE)
    found = np.zeros((PARTS * CLASSES, len(LEVELS)))
    for index, level in enumerate(LEVELS):
        miss = (sold - in_scales[:, :, index][use].astype(np.float32)) / wide
        pooled = _quantile(miss, share, level) * _trust(share, POOL_HALF)
        found[:, index] = pooled
        for part in range(PARTS * CLASSES):
            own = cell == part
            if own.any():
                trust = _trust(share[own], CLASS_HALF)
                found[part, index] += trust * (_quantile(miss[own], share[own], level) - pooled)
    return Shifts(found.reshape(PARTS, CLASSES, len(LEVELS)))


def class_of(scale: Floats) -> Ints:
    """
    >>> class_of(np.array([0.2, 3.0, 40.0])).tolist()
    [0, 1, 2]
    """
    return np.searchsorted(CLASS_EDGES, scale, side="right").astype(np.int64)


def _trust(share: Floats, half: float) -> float:
    return float(share.sum() / (share.sum() + half))


def _quantile(miss: NDArray[np.float32], share: Floats, level: float) -> float:
    """Weighted, of one level's misses; 0 where there are none."""
    if not len(miss):
        return 0.0
    order = np.argsort(miss, kind="stable")
    below = np.cumsum(share[order]) / share.sum()
    return float(miss[order[min(int(np.searchsorted(below, level)), len(order) - 1)]])
