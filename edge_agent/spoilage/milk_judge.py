"""Score the chance that cartons of milk pass 20,000 CFU/mL by a day, each round forecast from the others.

Kept at one temperature and without a count, cartons differ in nothing that is known: then no honest forecast can be
much better than the share of the other rounds (climatology), and the figures say so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edge_agent.inference.model import Model
from edge_agent.spoilage.estimate import quantiles
from edge_agent.spoilage.features import OFFSET_D, Outlook, group_place
from edge_agent.spoilage.growth import MILK_REF_C, Cartons, cartons, counted, kept, spoiled_within
from edge_agent.spoilage.judge import led_at, looked_up, trial, without
from edge_agent.spoilage.net import physics, quantiles_ln
from edge_agent.spoilage.net import spoiled_within as share_within
from edge_agent.spoilage.products import Product, shipped

Array = npt.NDArray[np.float64]

DAYS = (7, 14, 21)
SOURCE = "Cornell FSL-MQIP Combined-Spoilage-Model-App"  # of the cartons: nothing of it may be known
LEAST_P = 0.005
RIDGE = 4.0  # pulls the correction learnt from other rounds towards none, in cartons
BINS = 10


@dataclass(frozen=True, slots=True)
class Carton:
    round: str
    low_d: float  # last day below the limit
    high_d: float  # first day beyond it; infinite: not within the test
    first_d: float = 0.0  # age at the first count
    count: float | None = None  # CFU/mL then
    count_d7: float | None = None

    def is_beyond(self, day: float) -> bool | None:
        """Whether it was beyond the limit on a day; None: the counts do not tell."""
        return True if self.high_d <= day else False if self.low_d >= day else None


@dataclass(frozen=True, slots=True)
class Forecasts:
    """P(beyond the limit by each of DAYS) of each carton; NaN where a method does not apply."""

    cartons: tuple[Carton, ...]
    methods: Mapping[str, Array]  # [cartons, DAYS]
    days: tuple[int, ...] = DAYS

    def rounds(self) -> tuple[str, ...]:
        return tuple(sorted({carton.round for carton in self.cartons}))

    def of_round(self, name: str, day: int) -> dict[str, float | int | None]:
        """What came, and what the count-informed growth model said, on average."""
        place = self.days.index(day)
        told = [(one.is_beyond(day), i) for i, one in enumerate(self.cartons) if one.round == name]
        known = [(seen, i) for seen, i in told if seen is not None]
        if not known:
            return {"n": 0, "share": None, **dict.fromkeys(self.methods)}
        chosen = [i for _, i in known]
        said = {method: _mean(table[chosen, place]) for method, table in self.methods.items()}
        return {"n": len(known), "share": sum(bool(seen) for seen, _ in known) / len(known), **said}


@dataclass(frozen=True, slots=True)
class Score:
    n: int
    share: float | None
    brier: float | None
    climatology: float | None  # p (1 - p), the file's own share known beforehand
    skill: float | None  # 1 - brier / climatology
    skill_other_rounds: float | None  # against each round's share forecast by that of the other rounds
    ece: float | None


def forecast(items: Sequence[Carton], model: Model | None) -> Forecasts:
    """Corrections of the growth model and the shares of climatology are learnt from the other rounds only."""
    plain = {
        "growth_literature": _each(items, lambda carton, day: _grown(None, None, day)),
        "count_literature": _each(items, lambda carton, day: _grown(carton.first_d, carton.count, day)),
        "count_d7_literature": _each(items, _from_day_7),
    }
    learnt = {
        "other_rounds_share": np.full((len(items), len(DAYS)), 0.5),
        "growth": plain["growth_literature"],
        "growth_with_count": plain["count_literature"],
        "growth_with_count_d7": plain["count_d7_literature"],
    }
    product = looked_up(without(shipped(), SOURCE), "milk_pasteurised")
    lot = (
        {}
        if product is None
        else {name: _by_lot(items, product, one) for name, one in (("physics", None), ("model", model))}
    )
    corrected = {name: _corrected(items, table) for name, table in learnt.items()}
    return Forecasts(tuple(items), {**corrected, **lot, **plain})


def _each(items: Sequence[Carton], of: Callable[[Carton, int], float]) -> Array:
    return np.array([[of(carton, day) for day in DAYS] for carton in items]).reshape(len(items), len(DAYS))


@lru_cache(maxsize=1)
def _fresh() -> Cartons:
    return cartons()


@lru_cache(maxsize=4096)
def _grown(first_d: float | None, count: float | None, day: int) -> float:
    """P(beyond the limit by the day) at 6 °C, with or without a count on the first day."""
    if first_d is None or count is None:
        return spoiled_within(_fresh(), MILK_REF_C, float(day))
    cloud = counted(kept(_fresh(), MILK_REF_C, first_d), math.log10(max(count, 1.0)))
    return spoiled_within(cloud, MILK_REF_C, max(day - first_d, 0.0))


def _from_day_7(carton: Carton, day: int) -> float:
    if carton.count_d7 is None or day <= 7:
        return math.nan
    return max(_grown(7.0, carton.count_d7, day), float(carton.count_d7 > 20_000))


def _by_lot(items: Sequence[Carton], product: Product, model: Model | None) -> Array:
    """From the remaining life of a lot of milk, as any other product's: physics alone, or with the net."""
    table = np.empty((len(items), len(DAYS)))
    for first_d in sorted({carton.first_d for carton in items}):
        lots = trial(product)
        states = led_at(lots, MILK_REF_C, first_d)
        outlook = Outlook(
            forecast_c=np.array([MILK_REF_C]),
            life_sd=np.array([product.life_sd]),
            slope_sd=np.array([product.slope_sd]),
            group=np.array([group_place(product.family)], dtype=np.int64),
        )
        ln_days = quantiles_ln(physics(states, lots, outlook), np.zeros((1, 5)))
        if model is not None:
            ln_days, _, _ = quantiles(states, lots, outlook, model)
        chances = [float(share_within(ln_days, max(day - first_d, -OFFSET_D / 2))[0]) for day in DAYS]
        table[[i for i, carton in enumerate(items) if carton.first_d == first_d]] = chances
    return table


# --- learning from other rounds -------------------------------------------------------------------------------------


def _corrected(items: Sequence[Carton], table: Array) -> Array:
    """ln odds = a + b x ln odds of the model, a and b from the other rounds, drawn towards 0 and 1."""
    out = np.full_like(table, np.nan)
    for place, day in enumerate(DAYS):
        seen = np.array([math.nan if (told := one.is_beyond(day)) is None else float(told) for one in items])
        x = _ln_odds(table[:, place])
        for name in {one.round for one in items}:
            mine = np.array([one.round == name for one in items])
            use = ~mine & ~np.isnan(seen) & ~np.isnan(x)
            a, b = _fitted(x[use], seen[use])
            out[mine, place] = 1.0 / (1.0 + np.exp(-(a + b * x[mine])))
    return out


def _fitted(x: Array, seen: Array) -> tuple[float, float]:
    """Newton's steps of a ridge logistic regression; nothing seen: no correction."""
    a, b = 0.0, 1.0
    if x.size == 0:
        return a, b
    centre = float(x.mean())
    design = np.stack((np.ones_like(x), x - centre), axis=1)
    wanted = np.array([centre, 1.0])
    weights = wanted.copy()
    pull = np.diag([0.25, RIDGE])
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (p - seen) + pull @ (weights - wanted)
        curve = (design.T * (p * (1 - p))) @ design + pull
        weights = weights - np.linalg.solve(curve, slope)
    return float(weights[0] - weights[1] * centre), float(weights[1])


def _ln_odds(p: Array) -> Array:
    within = np.clip(p, LEAST_P, 1 - LEAST_P)
    return np.asarray(np.log(within / (1 - within)))


# --- figures --------------------------------------------------------------------------------------------------------


def scored(found: Forecasts, day: int, method: str) -> Score:
    place = found.days.index(day)
    p = found.methods[method][:, place]
    base = found.methods["other_rounds_share"][:, place]
    told = [one.is_beyond(day) for one in found.cartons]
    use = np.array([seen is not None and not math.isnan(p[i]) for i, seen in enumerate(told)], dtype=bool)
    if not use.any():
        return Score(0, None, None, None, None, None, None)
    seen = np.array([bool(value) for value in told], dtype=np.float64)[use]
    brier = float(np.mean((p[use] - seen) ** 2))
    share = float(seen.mean())
    others = float(np.mean((base[use] - seen) ** 2))
    known = share * (1 - share)
    return Score(
        n=int(use.sum()),
        share=share,
        brier=brier,
        climatology=known,
        skill=1 - brier / known if known > 0 else None,
        skill_other_rounds=1 - brier / others if others > 0 else None,
        ece=_calibration_error(p[use], seen),
    )


def _calibration_error(p: Array, seen: Array) -> float:
    """Expected calibration error over bins of equal numbers (equal forecasts stay together)."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    total = 0.0
    for which in np.unique(place):
        chosen = place == which
        total += float(chosen.mean()) * abs(float(p[chosen].mean()) - float(seen[chosen].mean()))
    return total


def _mean(values: Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None
