"""Remaining lives of many lots at once: the one function that the rest of the agent calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_agent.domain.instant import Instant
from edge_agent.domain.shelf_life import HORIZONS_H, LEVELS, RemainingLife
from edge_agent.inference.model import Model
from edge_agent.spoilage import guard
from edge_agent.spoilage.condition import Condition, States, exposure, stacked, used, used_water
from edge_agent.spoilage.conformal import factor
from edge_agent.spoilage.features import OFFSET_D, Outlook, group_place
from edge_agent.spoilage.net import Z, days, moved, physics, predicted, quantiles_ln, spoiled_within
from edge_agent.spoilage.traits import Traits, together

Array = npt.NDArray[np.float64]

DATE_SD = 0.25  # of ln days, where a printed date is all that is known
DECIDES = "decides"  # metric of the card: 1 where the net was better than the physics on real sources and rounds
SEEN_CHILL, SEEN_WATER = 0.2, 0.8  # shares from which the reason is told


@dataclass(frozen=True, slots=True)
class LotView:
    """A lot as the estimate needs it. ``condition`` None: nobody knows how warm it was."""

    lot: str
    traits: Traits  # of one lot
    condition: Condition | None
    group: str  # of the product: leaf, vegetable, fruit, meat, fish, dairy, other
    forecast_c: float  # of the zone, for the coming days
    life_sd: float  # of ln life: Product.life_sd, or what the supplier's offset leaves of it
    slope_sd: float  # of ln rate per 10 K: Product.kinetics_sd
    offset: float = 0.0  # of ln life: what outcomes taught of this supplier and product
    ethylene: float = 1.0  # ageing by neighbours that ripen: 1 none, 2 twice as fast
    use_by_d: float | None = None  # days until the end of the use-by day: never lengthened
    best_before_d: float | None = None  # the same of the best-before day: told from only where nothing else is known
    reasons: tuple[str, ...] = ()  # what the caller wants told: a class default, a pack assumed


def estimate(lots: Sequence[LotView], model: Model | None, at: Instant) -> list[RemainingLife]:
    """In the order given. ``model`` None, refused, or out of its depth: the physics with a wider band, and why."""
    known = [place for place, lot in enumerate(lots) if lot.condition is not None]
    lives: dict[int, RemainingLife] = {}
    if known:
        lives = dict(zip(known, _from_conditions([lots[place] for place in known], model, at), strict=True))
    return [lives[place] if place in lives else _from_dates(lot, at) for place, lot in enumerate(lots)]


def _from_conditions(lots: Sequence[LotView], model: Model | None, at: Instant) -> list[RemainingLife]:
    traits = _aged_faster(together([lot.traits for lot in lots]), lots)
    states = stacked([lot.condition for lot in lots if lot.condition is not None])
    outlook = outlook_of(lots)
    spent = used(states, traits)
    ln_days, is_net, reasons = quantiles(states, traits, outlook, model)
    lives = days(ln_days)
    p = np.stack([spoiled_within(ln_days, hours / 24) for hours in HORIZONS_H], axis=1)
    told = _told(states, traits)
    product_c = states.of("product_c")
    figures = [_Figures(lives[i], p[i], float(spent[i]), float(product_c[i])) for i in range(len(lots))]
    return [
        _one(lot, at, figures[i], model if is_net[i] else None, (*lot.reasons, *reasons[i], *told[i]))
        for i, lot in enumerate(lots)
    ]


def outlook_of(lots: Sequence[LotView]) -> Outlook:
    return Outlook(
        forecast_c=np.array([lot.forecast_c for lot in lots], dtype=np.float64),
        life_sd=np.array([lot.life_sd for lot in lots], dtype=np.float64),
        slope_sd=np.array([lot.slope_sd for lot in lots], dtype=np.float64),
        group=np.array([group_place(lot.group) for lot in lots], dtype=np.int64),
    )


def quantiles(
    states: States, traits: Traits, outlook: Outlook, model: Model | None
) -> tuple[Array, npt.NDArray[np.bool_], tuple[tuple[str, ...], ...]]:
    """ln(d + 0.25) at LEVELS; where the net was used; why it was not."""
    blind = np.asarray(exposure(states)["blind_share_72"])
    base = physics(states, traits, outlook)
    nothing = np.zeros((len(states), len(LEVELS)))
    wide = quantiles_ln(physics(states, traits, outlook, guard.WIDER), nothing)
    is_blind = blind > guard.MOST_BLIND
    if model is None:
        gaps = (guard.NO_MODEL, guard.SENSOR_GAPS)
        return wide, np.zeros(len(states), dtype=bool), tuple(gaps[: 1 + one] for one in is_blind)
    if not model.card.metrics.get(DECIDES):
        gaps = (guard.NOT_BETTER, guard.SENSOR_GAPS)
        plain = calibrated(quantiles_ln(base, nothing), model.card.metrics, outlook)
        chosen = np.where(is_blind[:, None], wide, plain)
        return chosen, np.zeros(len(states), dtype=bool), tuple(gaps[: 1 + one] for one in is_blind)
    outputs, outside = predicted(model, states, traits, outlook, base)
    verdict = guard.judged(moved(outputs), outside, blind, [spec.name for spec in model.card.inputs])
    by_net = quantiles_ln(base, outputs)
    by_net += (verdict.shift - moved(outputs))[:, None]
    by_net = calibrated(by_net, model.card.metrics, outlook)
    chosen = np.where(verdict.is_net[:, None], by_net, wide)
    return chosen, verdict.is_net, verdict.reasons


def calibrated(ln_days: Array, metrics: Mapping[str, float], outlook: Outlook) -> Array:
    """The band about the median, stretched by the group's conformal factor."""
    stretch = np.array([factor(metrics, int(place)) for place in outlook.group])
    median = ln_days[:, 2:3]
    return np.asarray(median + (ln_days - median) * stretch[:, None])


def _aged_faster(traits: Traits, lots: Sequence[LotView]) -> Traits:
    """Offsets of the supplier lengthen or shorten the whole life; ethylene makes what is left of it shorter."""
    shift = np.array([lot.offset for lot in lots]) - np.log([max(lot.ethylene, 1.0) for lot in lots])
    return replace(traits, life_d=traits.life_d * np.exp(shift))


def _told(states: States, traits: Traits) -> list[tuple[str, ...]]:
    """What shortened the lives, for people."""
    chill, water = states.of("chill"), used_water(states, traits)
    frozen, spent = states.of("frozen_h"), used(states, traits)
    return [
        (
            *((guard.CHILLED,) if chill[i] > SEEN_CHILL else ()),
            *((guard.FROZEN,) if frozen[i] > 0.5 else ()),
            *((guard.DRYING,) if water[i] > SEEN_WATER else ()),
            *((guard.SPOILED,) if spent[i] >= 1.0 else ()),
        )
        for i in range(len(states))
    ]


@dataclass(frozen=True, slots=True)
class _Figures:
    lives: Array
    p: Array
    used: float
    product_c: float


def _one(lot: LotView, at: Instant, figures: _Figures, model: Model | None, reasons: tuple[str, ...]) -> RemainingLife:
    """``model``: the one that was used, if any."""
    remaining, p, capped = _within_use_by(lot, [float(d) for d in figures.lives], [float(x) for x in figures.p])
    more = (*((guard.ETHYLENE,) if lot.ethylene > 1.0 else ()), *((guard.USE_BY,) if capped else ()))
    return RemainingLife(
        lot=lot.lot,
        at=at,
        remaining_d=tuple(remaining),
        p_spoiled=tuple(p),
        basis="physics" if model is None else "model",
        used=min(max(figures.used, 0.0), 9.99),
        reasons=(*reasons, *more),
        model=None if model is None else model.version,
        product_c=figures.product_c,
    )


def _within_use_by(lot: LotView, lives: list[float], p: list[float]) -> tuple[list[float], list[float], bool]:
    """No quantile beyond the use-by day, and nothing to sell after it."""
    lives = [float(x) for x in np.maximum.accumulate(lives)]
    p = [float(x) for x in np.clip(np.maximum.accumulate(p), 0.0, 1.0)]
    if lot.use_by_d is None:
        return lives, p, False
    most = max(lot.use_by_d, 0.0)
    capped = [min(value, most) for value in lives]
    sure = [1.0 if most * 24 <= hours else share for share, hours in zip(p, HORIZONS_H, strict=True)]
    return capped, sure, capped != lives or sure != p


def _from_dates(lot: LotView, at: Instant) -> RemainingLife:
    """Nothing was measured: the printed date with a band, or nothing but doubt."""
    printed = [value for value in (lot.use_by_d, lot.best_before_d) if value is not None]
    middle = max(min(printed), 0.0) if printed else 0.0
    lives = days(np.log(middle + OFFSET_D) + DATE_SD * Z[None, :])[0] if middle > 0 else np.zeros(len(LEVELS))
    ln_days = np.log(lives + OFFSET_D)[None, :]
    p = [float(spoiled_within(ln_days, hours / 24)[0]) if middle > 0 else 1.0 for hours in HORIZONS_H]
    remaining, p, capped = _within_use_by(lot, [float(value) for value in lives], p)
    why = (guard.NO_CONDITION, *(() if printed else (guard.NO_DATE,)), *((guard.USE_BY,) if capped else ()))
    return RemainingLife(lot.lot, at, tuple(remaining), tuple(p), "date", 0.0, (*lot.reasons, *why))
