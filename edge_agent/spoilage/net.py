"""From the residual net's five outputs to quantiles of the remaining life; outputs of 0 are the physics and its band.

The net moves the median and stretches the four gaps between the quantiles. Both happen here, in floats and outside of
the graph, so that rounding to int8 never makes the quantiles cross and costs the residual's digits only, not the days'.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.domain.shelf_life import LEVELS
from edge_agent.inference.model import Model
from edge_agent.spoilage.condition import States
from edge_agent.spoilage.features import OFFSET_D, Outlook, rest_d, rows
from edge_agent.spoilage.growth import normal_quantile
from edge_agent.spoilage.traits import Traits

Array = npt.NDArray[np.float64]

OUTPUTS = ("median", "gap_05_25", "gap_25_50", "gap_50_75", "gap_75_95")
MEDIAN_SCALE = 0.25  # ln ratio for an output of 1
MOST_LN_RATIO = 1.5
MOST_GAP = 4.0  # of an output that stretches a gap
LEAST_GAP = 0.01  # of ln days: a band of no width cannot be stretched
WATER_SD = 0.5  # of ln of the loss at which goods look withered; transpiration differs by 2 to 10 times
Z = np.array([normal_quantile(level) for level in LEVELS])


@dataclass(frozen=True, slots=True)
class Physics:
    """The remaining lives without a net: central, and the gaps of the band between the levels, in ln(d + 0.25)."""

    rest: Array  # [n] days
    gaps: Array  # [n, 4]


def physics(states: States, lots: Traits, outlook: Outlook, widen: float = 1.0) -> Physics:
    """Band: a lot's true life is the reckoned one times a log-normal factor, and it is over where its used share
    reaches that. The factor's spread: the life from source to source, and the kinetics the further from the reference.
    """
    sd = np.hypot(outlook.life_sd, outlook.slope_sd * (outlook.forecast_c - lots.ref_c) / 10.0) * widen
    lives = np.stack(
        [rest_d(states, lots, outlook.forecast_c, np.exp(z * sd), math.exp(z * WATER_SD)) for z in Z], axis=1
    )
    rest = lives[:, LEVELS.index(0.5)]
    gaps = np.maximum(np.diff(np.log(lives + OFFSET_D), axis=1), LEAST_GAP)
    return Physics(rest, np.asarray(gaps))


def quantiles_ln(base: Physics, outputs: npt.NDArray[np.floating]) -> Array:
    """ln(d + 0.25) at LEVELS, [n, 5]; outputs in the order of OUTPUTS."""
    raw = np.asarray(outputs, dtype=np.float64)
    median = np.log(base.rest + OFFSET_D) + moved(raw)
    gaps = base.gaps * stretched(raw[:, 1:])
    return np.stack(
        (
            median - gaps[:, 1] - gaps[:, 0],
            median - gaps[:, 1],
            median,
            median + gaps[:, 2],
            median + gaps[:, 2] + gaps[:, 3],
        ),
        axis=1,
    )


def moved(outputs: Array) -> Array:
    """ln(median by the net / physics)."""
    return np.asarray(np.clip(outputs[:, 0] * MEDIAN_SCALE, -MOST_LN_RATIO, MOST_LN_RATIO))


def stretched(outputs: Array) -> Array:
    """Softplus, 1 at 0."""
    return np.asarray(np.logaddexp(0.0, np.clip(outputs, -MOST_GAP, MOST_GAP)) / math.log(2.0))


def predicted(
    model: Model, states: States, lots: Traits, outlook: Outlook, base: Physics
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Outputs [n, 5], and where an input lies beyond what training saw [n, inputs]."""
    table = rows(states, lots, outlook, base.rest)
    return np.asarray(model.predict(table), dtype=np.float64), np.asarray(model.outside(table))


def days(ln_days: Array) -> Array:
    return np.maximum(np.exp(ln_days) - OFFSET_D, 0.0)


def spoiled_within(ln_days: Array, horizon_d: float) -> Array:
    """P(remaining life <= horizon): between the quantiles evenly in z, beyond them with the outer slopes.

    >>> certain = np.log(np.array([[3.0, 4.0, 5.0, 6.0, 7.0]]) + OFFSET_D)
    >>> [round(float(spoiled_within(certain, d)[0]), 2) for d in (3.0, 5.0, 7.0)]
    [0.05, 0.5, 0.95]
    """
    at = math.log(horizon_d + OFFSET_D)
    gaps = np.maximum(np.diff(ln_days, axis=1), 1e-6)
    slopes = np.diff(Z)[None, :] / gaps
    place = np.clip(np.sum(ln_days <= at, axis=1) - 1, 0, len(LEVELS) - 2)
    row = np.arange(len(ln_days))
    z = Z[place] + (at - ln_days[row, place]) * slopes[row, place]
    return np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in z])
