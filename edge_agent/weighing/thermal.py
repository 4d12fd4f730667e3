"""Zero and span over temperature: learnt on unchanged plateaus only, used only where the configuration asks for it."""

import math
from dataclasses import dataclass, replace

LIMIT = 0.02  # of full scale: more is no temperature but a fault
SURE_K2 = 4.0  # of temperature changes seen, squared and summed: before it little is believed (ridge regression)
LEAST_S = 60.0  # of rest between two looks to learn from


@dataclass(frozen=True, slots=True)
class Thermal:
    """What was learnt, and the sums of the regression it comes from (load in kg)."""

    zero_g_per_k: float = 0.0
    span_g_per_kg_k: float = 0.0
    tt: float = 0.0
    tl: float = 0.0
    ll: float = 0.0
    td: float = 0.0
    ld: float = 0.0
    temperature_c: float | None = None  # at the last look
    given_g: float = 0.0  # taken out so far


def expected_g(thermal: Thermal, temperature_c: float | None, load_g: float, capacity_g: float) -> float:
    """How far the scale has moved by its temperature since the last look, g; never beyond 2 % of full scale in all.

    >>> expected_g(Thermal(zero_g_per_k=1.5, span_g_per_kg_k=0.1, temperature_c=4.0), 6.0, 5_000.0, 30_000.0)
    4.0
    """
    if temperature_c is None or thermal.temperature_c is None:
        return 0.0
    moved_g = (thermal.zero_g_per_k + thermal.span_g_per_kg_k * load_g / 1000) * (temperature_c - thermal.temperature_c)
    limit_g = LIMIT * capacity_g
    return min(limit_g, max(-limit_g, thermal.given_g + moved_g)) - thermal.given_g


def seen_at(thermal: Thermal, temperature_c: float | None, given_g: float) -> Thermal:
    """Looked at this temperature, ``given_g`` was taken out."""
    return replace(thermal, temperature_c=temperature_c, given_g=thermal.given_g + given_g)


def learnt(thermal: Thermal, temperature_c: float | None, load_g: float, moved_g: float) -> Thermal:
    """After an unchanged load showed ``moved_g`` more than at the last look: least squares of zero and span."""
    if temperature_c is None or thermal.temperature_c is None:
        return thermal
    t = temperature_c - thermal.temperature_c
    kg_t = t * load_g / 1000
    sums = replace(
        thermal,
        tt=thermal.tt + t * t,
        tl=thermal.tl + t * kg_t,
        ll=thermal.ll + kg_t * kg_t,
        td=thermal.td + t * moved_g,
        ld=thermal.ld + kg_t * moved_g,
    )
    # Ridge: the span is believed as late as a zero of the load it was learnt with.
    kg2 = sums.ll / sums.tt if sums.tt else 0.0
    tt, ll = sums.tt + SURE_K2 / 4, sums.ll + kg2 * SURE_K2 / 4
    determinant = tt * ll - sums.tl**2
    if not math.isfinite(determinant) or determinant <= 0:
        return replace(sums, zero_g_per_k=sums.td / tt, span_g_per_kg_k=0.0)
    return replace(
        sums,
        zero_g_per_k=(sums.td * ll - sums.ld * sums.tl) / determinant,
        span_g_per_kg_k=(sums.ld * tt - sums.td * sums.tl) / determinant,
    )
