"""Score remaining-life estimates against observed shelf lives, the scored source left out of all that is known.

For each point: the table of products without the point's source; then the lot is led through the profile to its last
stretch and asked of ``estimate``, as on the board: no other point of the file is heard, none stretches a band.
Bias and accuracy factors after Ross (1996): exp of the mean (absolute) ln(predicted / observed). Where the observation
is an interval, the nearest end of it counts as observed and a prediction inside is right.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge_agent.domain.instant import Instant
from edge_agent.inference.model import Model
from edge_agent.spoilage import guard
from edge_agent.spoilage.condition import FIELDS, States, advance, start, unstacked, used
from edge_agent.spoilage.conformal import factor
from edge_agent.spoilage.estimate import LotView, estimate
from edge_agent.spoilage.features import group_place, rest_d
from edge_agent.spoilage.net import Z
from edge_agent.spoilage.points import NOT_SCORED, Point
from edge_agent.spoilage.products import Catalog, Product, ProductFault, traits
from edge_agent.spoilage.profile import Profile
from edge_agent.spoilage.traits import Traits
from edge_agent.spoilage.words import source_words

Array = npt.NDArray[np.float64]

T = TypeVar("T")

METHODS = ("model", "physics", "dates")
LONGEST_D = 1200.0
LEAST_D = 0.01
UNKNOWN = "no product, alias or group fits the name, or nothing is known of it without its source"
_TRIAL_RH_PCT = 95.0
_TRIAL_TAU_S = 1800.0  # packs of a trial lie apart and follow the room soon
_WHEN = Instant(0, 0, "judge")  # a life does not hang on the hour


@dataclass(frozen=True, slots=True)
class Said:
    """A life predicted: 5 %, 50 % and 95 % quantiles, d."""

    low_d: float
    middle_d: float
    high_d: float


@dataclass(frozen=True, slots=True)
class Scored:
    point: Point
    product: str
    family: str
    matched: str
    said: Mapping[str, Said]  # by METHODS; dates only where there are any
    is_net: bool  # the model's answer was used, not the physics in its place
    reasons: tuple[str, ...]  # as the board would tell them


@dataclass(frozen=True, slots=True)
class Unscored:
    row: int
    product: str
    reason: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one method over some points; None where there is nothing to count."""

    n: int
    bias_factor: float | None
    accuracy_factor: float | None
    mae_d: float | None
    cov90: float | None
    middle_bias_factor: float | None  # against the middle of an interval, as if it were exact
    middle_accuracy_factor: float | None
    bounds: int  # points known from one side only
    bounds_right: int  # of them, median on the right side
    bounds_possible: int  # of them, some of the 90 % band on the right side
    width: float | None  # median of 95 % / 5 % quantile


@dataclass(frozen=True, slots=True)
class Judged:
    scored: tuple[Scored, ...]
    unscored: tuple[Unscored, ...]


def judged(points: Sequence[Point], catalog: Catalog, model: Model | None, *, leave_out: bool = True) -> Judged:
    """``leave_out``: no number of the scored source anywhere. Else the whole table is believed."""
    scored, unscored = [], []
    left: dict[str, Catalog] = {}
    for point in points:
        why = _why_not(point)
        if why:
            unscored.append(Unscored(point.row, point.product, why))
            continue
        if point.source not in left:
            left[point.source] = without(catalog, point.source) if leave_out else catalog
        product = found(left[point.source], point)
        if product is None:
            unscored.append(Unscored(point.row, point.product, UNKNOWN))
            continue
        scored.append(_scored(point, product, model))
    return Judged(tuple(scored), tuple(unscored))


def _why_not(point: Point) -> str:
    if not point.is_scored:
        return f"{point.kind}: {NOT_SCORED[point.kind]}"
    is_short = 0 < point.low_d < LEAST_D or point.high_d < LEAST_D
    return f"a life of less than {LEAST_D:g} d cannot be told from none" if is_short else ""


def found(catalog: Catalog, point: Point) -> Product | None:
    return looked_up(catalog, point.product, point.group) or looked_up(catalog, point.group)


def looked_up(catalog: Catalog, name: str, category: str | None = None) -> Product | None:
    """None also where too little is known of it without the source."""
    try:
        return catalog.find(name, category)
    except ProductFault:
        return None


def without(catalog: Catalog, source: str) -> Catalog:
    """Also without what only shares an author, an institution or a site with the source."""
    asked = source_words(source)
    akin = {fact.source for fact in catalog.facts if source_words(fact.source) & asked}
    return catalog.without(" ".join((source, *sorted(akin))))


# --- lives of a profile ---------------------------------------------------------------------------------------------


def trial(product: Product) -> Traits:
    """Of goods in a trial: kept moist, and as warm as their room."""
    own = traits(product, tau_s=_TRIAL_TAU_S)
    return replace(own, transpiration=np.zeros(1))


def _life_d(product: Product, profile: Profile) -> float:
    """By the physics alone."""
    lots = trial(product)
    states, age_d = _led(lots, profile)
    return age_d + float(rest_d(states, lots, np.array([_end_c(profile)]))[0])


def led_at(lots: Traits, temp_c: float, days_long: float) -> States:
    """Kept at one temperature for so many days."""
    states = start(lots, np.array([temp_c]))
    return _kept(states, lots, temp_c, days_long) if days_long > 0 else states


def _end_c(profile: Profile) -> float:
    return profile.stretches[-1].temp_c


def _led(lots: Traits, profile: Profile) -> tuple[States, float]:
    """Through the profile to its last stretch, or (of one that repeats) to the last moments of the life."""
    states = start(lots, np.array([profile.stretches[0].temp_c]))
    age_d = 0.0
    for stretch in profile.walk():
        if math.isinf(stretch.days) or age_d > LONGEST_D:
            break
        after = _kept(states, lots, stretch.temp_c, stretch.days)
        if float(used(after, lots)[0]) >= 1.0:
            return _until_spoiled(states, lots, stretch.temp_c, stretch.days, age_d)
        states, age_d = after, age_d + stretch.days
    return states, age_d


def _kept(states: States, lots: Traits, temp_c: float, length_d: float) -> States:
    """The first hours apart: the goods follow the room soon, and then are as warm as it is."""
    air, rh = np.array([temp_c]), np.array([_TRIAL_RH_PCT])
    states = _switched(states, temp_c)
    count = max(1, math.ceil(length_d / 0.25)) if length_d < 30 else math.ceil(length_d)
    for _ in range(count):
        states = advance(states, lots, air, rh, length_d / count * 86_400)
    return states


def _switched(states: States, temp_c: float) -> States:
    """Into another room at once: the air is as warm as it is there."""
    return replace(states, table=_set(states, "air_c", temp_c))


def _set(states: States, name: str, value: float) -> Array:
    table = states.table.copy()
    table[FIELDS.index(name)] = value
    return table


def _until_spoiled(states: States, lots: Traits, temp_c: float, length_d: float, age_d: float) -> tuple[States, float]:
    """Bisection within one stretch."""
    low, high = 0.0, length_d
    for _ in range(12):
        middle = (low + high) / 2
        is_over = float(used(_kept(states, lots, temp_c, middle), lots)[0]) >= 1.0
        low, high = (low, middle) if is_over else (middle, high)
    return _kept(states, lots, temp_c, high), age_d + high


# --- the methods ----------------------------------------------------------------------------------------------------


def _scored(point: Point, product: Product, model: Model | None) -> Scored:
    by_model, is_net, reasons = _by_model(point, product, model)
    said = {"model": by_model, "physics": _by_physics(point, product)}
    fixed = product.fixed_d
    if fixed is not None:
        said["dates"] = _by_dates(fixed)
    return Scored(point, product.name, product.family, product.matched, said, is_net, reasons)


def _by_physics(point: Point, product: Product) -> Said:
    """The table and its band as it stands there, without a card's calibration."""
    return _said(_life_d(product, point.profile), _sd(product, point.profile))


def _sd(product: Product, profile: Profile) -> float:
    """Of ln life between sources, at the temperature that lasts."""
    return math.hypot(product.life_sd, product.slope_sd * (profile.mean_c - product.kinetics.ref_c) / 10)


def _said(middle: float, sd: float) -> Said:
    return Said(middle * math.exp(Z[0] * sd), middle, middle * math.exp(Z[-1] * sd))


def _by_dates(fixed: tuple[float, float]) -> Said:
    low, high = fixed
    return Said(low, math.sqrt(low * high), high)


def _by_model(point: Point, product: Product, model: Model | None) -> tuple[Said, bool, tuple[str, ...]]:
    """The board's answer at the start of the last stretch, and the age until then."""
    lots = trial(product)
    states, age_d = _led(lots, point.profile)
    if float(used(states, lots)[0]) >= 1.0 or point.profile.repeats:
        return _lived_through(point, product, age_d, model), False, (guard.SPOILED,)
    view = LotView(
        lot=point.product,
        traits=lots,
        condition=unstacked(states)[0],
        group=product.family,
        forecast_c=_end_c(point.profile),
        life_sd=product.life_sd,
        slope_sd=product.slope_sd,
    )
    (life,) = estimate([view], model, _WHEN)
    low, _, middle, _, high = (days + age_d for days in life.remaining_d)
    said = Said(max(low, LEAST_D), max(middle, LEAST_D), max(high, middle + LEAST_D))
    return said, life.basis == "model", life.reasons


def _lived_through(point: Point, product: Product, age_d: float, model: Model | None) -> Said:
    """A profile without a last stretch to look ahead from: where the board would see the life used up."""
    by = guard.WIDER if model is None else factor(model.card.metrics, group_place(product.family))
    return _said(age_d, _sd(product, point.profile) * by)


# --- figures --------------------------------------------------------------------------------------------------------


def figures(scored: Iterable[Scored], method: str) -> Figures:
    with_it = [(one.point, one.said[method]) for one in scored if method in one.said]
    sure = [(point, said) for point, said in with_it if not point.is_bound]
    bounds = [(point, said) for point, said in with_it if point.is_bound]
    ln = [math.log(said.middle_d / point.nearest(said.middle_d)) for point, said in sure]
    middle = [math.log(said.middle_d / _middle_d(point)) for point, said in sure]
    return Figures(
        n=len(sure),
        bias_factor=_over(ln, lambda values: math.exp(_mean(values))),
        accuracy_factor=_over(ln, lambda values: math.exp(_mean([abs(value) for value in values]))),
        mae_d=_over(sure, lambda pairs: _mean([abs(s.middle_d - p.nearest(s.middle_d)) for p, s in pairs])),
        cov90=_over(sure, lambda pairs: _mean([float(s.low_d <= _middle_d(p) <= s.high_d) for p, s in pairs])),
        middle_bias_factor=_over(middle, lambda values: math.exp(_mean(values))),
        middle_accuracy_factor=_over(middle, lambda values: math.exp(_mean([abs(value) for value in values]))),
        bounds=len(bounds),
        bounds_right=sum(point.low_d <= said.middle_d <= point.high_d for point, said in bounds),
        bounds_possible=sum(point.low_d <= said.high_d and said.low_d <= point.high_d for point, said in bounds),
        width=_over(sure, lambda pairs: float(np.median([s.high_d / max(s.low_d, 1e-3) for _, s in pairs]))),
    )


def _middle_d(point: Point) -> float:
    return math.sqrt(point.low_d * point.high_d) if point.middle_d is None else point.middle_d


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _over(values: Sequence[T], of: Callable[[Sequence[T]], float]) -> float | None:
    return of(values) if values else None
