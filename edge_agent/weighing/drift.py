"""What the scale does by itself: drift, followed within limits and kept out of the balance, and creep."""

import math
from dataclasses import dataclass

from edge_agent.weighing.settings import ShelfSettings

HOUR_S = 3600.0
BEYOND_S = 6 * HOUR_S  # so long is remembered what went faster than any drift
CREEP_S = 600.0  # time constant: 95 % of it within the 30 min of OIML R60
RETURN_SHARE = 167 / 245  # return of zero against creep: OIML R60, class C3
CREEP_KNOWN = 0.5  # cells of one class differ; so much of the predicted creep may be wrong (standard uncertainty)


@dataclass(frozen=True, slots=True)
class Drift:
    """How much of a change at rest was followed."""

    followed_g: float
    hour_g: float  # followed lately, an hour's memory
    limit: str | None = None  # which limit left a rest


def followed(moved_g: float, passed_s: float, hour_g: float, total_g: float, shelf: ShelfSettings) -> Drift:
    """As much of ``moved_g`` as the limits per hour and in total let through.

    The hour is a leaky bucket: at a steady rate it holds what came in during one hour.
    """
    hour_g *= math.exp(-passed_s / HOUR_S)
    per_h = shelf.drift_limit_g_per_h
    total_room = _room(moved_g, total_g, shelf.drift_limit_g)
    hour_room = _room(moved_g, hour_g, per_h)
    step_g = math.copysign(min(abs(moved_g), total_room, hour_room), moved_g)
    limit = None
    if abs(moved_g) > total_room:
        limit = f"drift-limit: {total_g + moved_g:+.0f} g since the last zero, at most {shelf.drift_limit_g:g} g"
    elif abs(moved_g) > hour_room:
        limit = f"drifting-too-fast: {hour_g + moved_g:+.0f} g within an hour, at most {per_h:g} g"
    return Drift(step_g, hour_g + step_g, limit)


def forgotten(beyond_g: float, passed_s: float) -> float:
    """What is still remembered of a change that went beyond the limits."""
    return beyond_g * math.exp(-passed_s / BEYOND_S)


def null_followed(moved_g: float, passed_s: float, hour_g: float, total_g: float, shelf: ShelfSettings) -> Drift:
    """The scale is taken for perfect."""
    return Drift(0.0, 0.0)


def _room(step_g: float, so_far_g: float, most_g: float) -> float:
    """How far a step in this direction may go; back towards nothing it always may.

    >>> _room(5.0, 8.0, 10.0), _room(-5.0, 8.0, 10.0), _room(5.0, 12.0, 10.0)
    (2.0, 18.0, 0.0)
    """
    return max(0.0, most_g - math.copysign(1.0, step_g) * so_far_g)


def crept(creep_g: float, load_g: float, passed_s: float, creep_ppm: float) -> float:
    """Creep in the reading after ``passed_s`` under ``load_g``: exponential towards its share of the load, and back
    by the share of the return of zero."""
    target_g = load_g * creep_ppm * 1e-6
    if abs(target_g) < abs(creep_g):
        target_g = creep_g + (target_g - creep_g) * RETURN_SHARE
    return target_g + (creep_g - target_g) * math.exp(-passed_s / CREEP_S)


def null_crept(creep_g: float, load_g: float, passed_s: float, creep_ppm: float) -> float:
    """An ideal cell."""
    return creep_g


def drift_u_g(seconds: float, shelf: ShelfSettings) -> float:
    """What an unwatched scale may have drifted (standard uncertainty): the limits are taken for two of them.

    >>> from edge_agent.weighing.settings import CellSettings
    >>> shelf = ShelfSettings("s", (CellSettings("c", 0, 1.0),), capacity_g=30_000)
    >>> drift_u_g(60, shelf), drift_u_g(1e9, shelf)
    (0.5, 300.0)
    """
    return min(shelf.drift_limit_g_per_h * seconds / HOUR_S, shelf.drift_limit_g) / 2
