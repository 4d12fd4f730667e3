"""Microbial growth in milk: counts and physiological state through a history of temperatures.

Primary model: Baranyi and Roberts (1994). The adaptation of the cells (the lag) runs on a rate of its own, so the order
of warm and cold matters. Secondary model: square root (Ratkowsky). Rates are natural (1/d of ln N), counts are log10
CFU per mL. (Meat ages by ``kinetics``, its lag apart: ``kinetics.lag_share_at``.)
Functions take floats or arrays of one shape, and are exact while the temperature is constant.
"""

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Real = float | Array

_NORMAL = NormalDist()

LN10 = math.log(10.0)
LIMIT_PMO_LOG = math.log10(20_000)  # CFU/mL: the legal limit of the US Pasteurized Milk Ordinance
_LEAST_RATE = 1e-9  # 1/d: below it nothing happens in a shop's lifetime; keeps the closed forms finite


@dataclass(frozen=True, slots=True)
class Organism:
    """What spoils, in its food. ``rate_ref`` is ln per day at ``ref_c``; numbers or arrays of one shape."""

    rate_ref: Real
    ref_c: float
    tmin_c: Real
    adapt_tmin_c: Real  # of the adaptation to the food; sea bream: -11.8 °C growth, -12.8 °C lag (AEM 2001)
    work: Real  # h0 = rate x lag: what the cells must do before they grow; 0 for none
    log_max: Real = 8.5


@dataclass(frozen=True, slots=True)
class Flora:
    log_n: Real
    ln_q: Real  # physiological state: ln of Q, which grows at the adaptation's rate


def gamma_root(temp_c: Real, ref_c: float, tmin_c: Real) -> Real:
    """Rate relative to that at ``ref_c``; 0 at and below Tmin.

    >>> float(gamma_root(0.0, 5.0, -10.0))
    0.4444444444444444
    """
    above = np.maximum(np.asarray(temp_c) - tmin_c, 0.0)
    result: Array = (above / (ref_c - np.asarray(tmin_c))) ** 2
    return result


def growth_rate(organism: Organism, temp_c: Real) -> Real:
    """ln per day."""
    return np.asarray(organism.rate_ref * gamma_root(temp_c, organism.ref_c, organism.tmin_c))


def adaptation_rate(organism: Organism, temp_c: Real) -> Real:
    """Of ln Q, per day."""
    return np.asarray(organism.rate_ref * gamma_root(temp_c, organism.ref_c, organism.adapt_tmin_c))


def inoculated(organism: Organism, log_n: Real) -> Flora:
    """Cells that still have all of ``work`` to do: q0 = 1 / (exp(h0) - 1)."""
    work = np.maximum(np.asarray(organism.work, dtype=float), 1e-6)
    return Flora(np.asarray(log_n, dtype=float), -np.log(np.expm1(work)))


def grown(flora: Flora, organism: Organism, temp_c: Real, days: Real) -> Flora:
    """Baranyi's model after ``days`` at one temperature; exact.

    The logistic brake on the adjusted time has the closed form N exp(G) / (1 + N/Nmax (exp(G) - 1)).
    """
    rate = growth_rate(organism, temp_c)
    adapting = np.maximum(adaptation_rate(organism, temp_c), _LEAST_RATE)
    after_q = flora.ln_q + adapting * days
    adjusted = (np.logaddexp(0.0, after_q) - np.logaddexp(0.0, flora.ln_q)) / adapting
    gain = rate * adjusted
    room = (np.asarray(flora.log_n) - organism.log_max) * LN10
    braked = np.logaddexp(np.log1p(-np.exp(np.minimum(room, -1e-12))), room + gain)
    return Flora(flora.log_n + (gain - braked) / LN10, after_q)


def days_until(flora: Flora, organism: Organism, temp_c: Real, limit_log: Real) -> Real:
    """At one temperature; infinite where the flora rests below the limit, 0 where it is reached already."""
    rate = np.asarray(growth_rate(organism, temp_c))
    adapting = np.maximum(adaptation_rate(organism, temp_c), _LEAST_RATE)
    room = (np.asarray(flora.log_n) - organism.log_max) * LN10
    goal = (np.asarray(limit_log) - organism.log_max) * LN10
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gain = (goal - room) + np.log1p(-np.exp(np.minimum(room, -1e-12))) - np.log1p(-np.exp(goal))
        adjusted = np.maximum(gain, 0.0) / rate
        total = np.logaddexp(0.0, flora.ln_q) + adapting * adjusted
        ln_q_end = total + np.log1p(-np.exp(-total))
        days = (ln_q_end - flora.ln_q) / adapting
    is_out_of_reach = (goal >= 0) | (rate <= _LEAST_RATE)
    result: Array = np.where(gain <= 0, 0.0, np.where(is_out_of_reach, np.inf, np.maximum(days, 0.0)))
    return result


@dataclass(frozen=True, slots=True)
class Load:
    """How much of a flora there is at the start and how fast it grows, from carton to carton (log-normal)."""

    share: float  # of the cartons it is in
    log_n: float
    log_n_sd: float
    rate_ref: float  # ln per day at MILK_REF_C in milk, median
    ln_rate_sd: float
    tmin_c: float
    work: float
    log_max: float


MILK_REF_C = 6.0
BROTH_TO_MILK = 0.684  # growth in milk over that in broth (Cornell, FSL-MQIP Combined-Spoilage-Model-App)
# Loads and Tmin: Cornell. Rates: median and spread over the strains grown in broth at 6 °C, times BROTH_TO_MILK:
# 0.085 per hour (contaminants after pasteurisation) and 0.93 per day (spore formers).
CONTAMINANTS = Load(0.554, 0.38, 1.11, 0.0853 * 24 * BROTH_TO_MILK, 0.38, -4.15, 1.3, 8.2)
SPORE_FORMERS = Load(0.224, -0.72, 0.99, 0.934 * BROTH_TO_MILK, 0.45, -3.62, 6.0, 7.1)
MILK = (CONTAMINANTS, SPORE_FORMERS)

BACKGROUND_LOG, BACKGROUND_SD = 1.6, 0.8  # log10 CFU/mL that was there after pasteurisation and stays
ASIDE_SD = 0.3  # log10: a carton's background moves, too

_NODES = 15  # of each of the two spreads


@dataclass(frozen=True, slots=True)
class Cartons:
    """A cloud of weighted cartons: what one lot of milk may hold."""

    weights: Array
    flora: tuple[Flora, ...] = field(default=())
    organisms: tuple[Organism, ...] = field(default=())


def cartons(loads: tuple[Load, ...] = MILK) -> Cartons:
    """Fresh from the dairy: nodes at the middles of equal shares of load and of rate; the rest never spoils."""
    z = _normal_nodes(_NODES)
    ln_rate, log_n = (grid.ravel() for grid in np.meshgrid(z, z))
    weights, flora, organisms = [], [], []
    for load in loads:
        organism = Organism(
            rate_ref=load.rate_ref * np.exp(load.ln_rate_sd * ln_rate),
            ref_c=MILK_REF_C,
            tmin_c=load.tmin_c,
            adapt_tmin_c=load.tmin_c - 1.0,
            work=load.work,
            log_max=load.log_max,
        )
        organisms.append(organism)
        flora.append(inoculated(organism, load.log_n + load.log_n_sd * log_n))
        weights.append(np.full(z.size**2, load.share / z.size**2))
    return Cartons(np.concatenate(weights), tuple(flora), tuple(organisms))


def kept(cloud: Cartons, temp_c: float, days: float) -> Cartons:
    after = tuple(
        grown(flora, organism, temp_c, days) for flora, organism in zip(cloud.flora, cloud.organisms, strict=True)
    )
    return Cartons(cloud.weights, after, cloud.organisms)


def counted(cloud: Cartons, log_count: float, sd_log: float = 0.25) -> Cartons:
    """After a plate count, log10 CFU/mL: what survives pasteurisation and does not grow is counted with the spoilers.

    So a low count rules out many spoilers, and a high one tells of them only beyond the usual background.
    """
    log_n = np.concatenate([np.asarray(flora.log_n) for flora in cloud.flora])
    background = BACKGROUND_LOG + BACKGROUND_SD * _normal_nodes(_NODES)
    total = np.logaddexp(background[None, :] * LN10, log_n[:, None] * LN10) / LN10
    spread = math.hypot(sd_log, ASIDE_SD)
    likely = np.exp(-0.5 * ((log_count - total) / spread) ** 2).mean(axis=1)
    alone = float(np.exp(-0.5 * ((log_count - background) / spread) ** 2).mean())
    rest = (1.0 - float(cloud.weights.sum())) * alone
    weights = cloud.weights * likely
    return Cartons(weights / (float(weights.sum()) + rest), cloud.flora, cloud.organisms)


def spoiled_within(cloud: Cartons, temp_c: float, days: float, limit_log: float = LIMIT_PMO_LOG) -> float:
    times = [days_until(f, o, temp_c, limit_log) for f, o in zip(cloud.flora, cloud.organisms, strict=True)]
    return float(cloud.weights[np.concatenate([np.asarray(t) for t in times]) <= days].sum())


def _normal_nodes(count: int) -> Array:
    """Quantiles of the standard normal at the middles of equal shares (Acklam's approximation is within 1e-9)."""
    return np.array([normal_quantile((index + 0.5) / count) for index in range(count)])


def normal_quantile(p: float) -> float:
    """
    >>> round(normal_quantile(0.95), 6)
    1.644854
    """
    return _NORMAL.inv_cdf(p)
