"""How much faster goods spoil at one temperature than at another: RRS(T) = life(reference) / life(T).

Four kinds, each with one parameter: Q10; Arrhenius (kJ/mol); square root (Ratkowsky's Tmin); exponential (FSSP's a).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAS_J_MOL_K = 8.314
KELVIN = 273.15
COLDEST_C, WARMEST_C = -30.0, 45.0  # beyond it no kinetics of chilled food was ever measured
LEAST_RATE = 1e-4  # a life of 10,000 times the reference: below a square root's Tmin nothing spoils, and 1/0 is no life


@dataclass(frozen=True, slots=True)
class Kind:
    """One form of RRS: its parameter's unit and bounds, and the rate."""

    unit: str
    low: float
    high: float
    rate: Callable[[Array, Array, Array], Array]  # temperature, parameter, reference temperature


def _q10(temperature_c: Array, q10: Array, ref_c: Array) -> Array:
    return np.exp((temperature_c - ref_c) * (np.log(q10) / 10.0))


def _arrhenius(temperature_c: Array, energy_kj_mol: Array, ref_c: Array) -> Array:
    return np.exp(energy_kj_mol * (1000.0 / GAS_J_MOL_K) * (1.0 / (ref_c + KELVIN) - 1.0 / (temperature_c + KELVIN)))


def _square_root(temperature_c: Array, least_c: Array, ref_c: Array) -> Array:
    root = np.maximum(temperature_c - least_c, 0.0) / (ref_c - least_c)
    return root * root


def _exponential(temperature_c: Array, per_c: Array, ref_c: Array) -> Array:
    return np.exp((temperature_c - ref_c) * per_c)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "q10": Kind("1", 1.0, 12.0, _q10),
        "arrhenius": Kind("kJ/mol", 5.0, 300.0, _arrhenius),
        "square_root": Kind("°C", -40.0, 10.0, _square_root),
        "exponential": Kind("1/°C", 0.0, 0.5, _exponential),
    }
)
NAMES = tuple(KINDS)


@dataclass(frozen=True, slots=True)
class Kinetics:
    """Of one product: the kind, its parameter, and the temperature at which the rate is 1."""

    kind: str
    parameter: float
    ref_c: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'kind = "{self.kind}": must be one of {", ".join(KINDS)}')
        kind = KINDS[self.kind]
        if not kind.low <= self.parameter <= kind.high:
            raise ValueError(f"{self.kind} = {self.parameter}: must be {kind.low} to {kind.high} {kind.unit}")
        if self.kind == "square_root" and self.parameter >= self.ref_c:
            raise ValueError(f"Tmin = {self.parameter} °C: must lie below the reference, {self.ref_c} °C")


def relative_rate(kinetics: Kinetics, temperature_c: float) -> float:
    """RRS, 1 at the reference temperature.

    >>> round(relative_rate(Kinetics("q10", 3.0, 0.0), 10.0), 6)
    3.0
    >>> round(relative_rate(Kinetics("square_root", -10.0, 0.0), 5.0), 3)  # FSSP, fresh fish: (1 + 0.1 T)²
    2.25
    >>> round(46.4 / relative_rate(Kinetics("arrhenius", 100.0, 0.0), 5.0), 1)  # FSSP tells 21 d at 5 °C
    21.0
    """
    return float(rates(np.array(NAMES.index(kinetics.kind)), *map(np.array, _numbers(kinetics, temperature_c))))


def _numbers(kinetics: Kinetics, temperature_c: float) -> tuple[float, float, float]:
    return kinetics.parameter, kinetics.ref_c, temperature_c


def rates(kind: Array, parameter: Array, ref_c: Array, temperature_c: Array) -> Array:
    """RRS of many lots at once; `kind` is each lot's place in NAMES, all arrays broadcast together."""
    within = np.clip(np.asarray(temperature_c, dtype=np.float64), COLDEST_C, WARMEST_C)
    present = np.unique(kind)
    if len(present) == 1:
        return np.maximum(KINDS[NAMES[int(present[0])]].rate(within, parameter, ref_c), LEAST_RATE)
    kind, parameter, ref_c, within = np.broadcast_arrays(kind, parameter, ref_c, within)
    out = np.empty(within.shape)
    for place in present:
        chosen = kind == place
        out[chosen] = KINDS[NAMES[int(place)]].rate(within[chosen], parameter[chosen], ref_c[chosen])
    return np.maximum(out, LEAST_RATE)


def lag_share_at(rate: Array, lag_share: Array, lag_power: Array) -> Array:
    """Share of a constant-temperature life that passes before the flora grows: a warm start ends it sooner than it
    speeds up the growth (shelf lives of pork and poultry fell by over 30 % from an early abuse of under 5 % of the
    time, Bruckner 2012), so the share shrinks where it is warm; at an even temperature the life stays life / RRS.
    """
    share = lag_share * np.power(rate, 1.0 - lag_power)
    return np.minimum(share, np.maximum(lag_share, MOST_LAG))


MOST_LAG = 0.6  # also near the least temperature of growth some of the life is growth
