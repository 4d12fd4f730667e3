"""All lots one after the other: what each has been through since the last time, and how long it will keep.

Imports numpy: only where there are lots, by the thread that works it out. No clock, no file but the table of products.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cached_property
from math import hypot, inf, log

import numpy as np

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Lot, Origin
from edge_agent.domain.product import Product as Sold
from edge_agent.inference.model import Model
from edge_agent.lots.air import GAP_S, Air
from edge_agent.lots.dating import since_s
from edge_agent.lots.keeping import Keeping, Lives, Told
from edge_agent.lots.register import Rest
from edge_agent.service import life_shadow
from edge_agent.spoilage import ethylene, offsets
from edge_agent.spoilage.condition import (
    DAY_S,
    LONGEST_STEP_S,
    Condition,
    States,
    advance,
    exposure,
    read,
    received,
    stacked,
    unstacked,
    weighed,
    written,
)
from edge_agent.spoilage.estimate import LotView, estimate
from edge_agent.spoilage.offsets import Offsets, Outcome, with_outcome
from edge_agent.spoilage.products import Catalog, Product, shipped, traits
from edge_agent.spoilage.traits import Traits, together
from edge_agent.spoilage.water import Weighed, loss_pct_d, slope

UNKNOWN_AGE, UNKNOWN_PRODUCT, PACK_ASSUMED, CLASS_DEFAULT = (
    "age_unknown",
    "product_unknown",
    "pack_assumed",
    "class_default",
)
# When the scale is believed about water: half as unsure as the table is, or a loss that is none of its drift (whose
# limits are taken for two standard uncertainties; beyond them it is an alarm).
SURER, UNMISTAKABLE = 0.5, 3.0
# What people say of waste (decide/goods.py), in the words that outcomes are learnt by:
_REASONS = {"expired": "date", "temperature": "power-cut", "recalled": "recall"}


@dataclass(frozen=True, slots=True)
class Question:
    at: Instant
    lots: tuple[Lot, ...]  # open
    keepings: Mapping[str, Keeping]
    airs: Mapping[str, Air]  # by place
    products: Mapping[str, Sold]  # by GTIN
    zone: tzinfo
    learnt: str = ""
    outcomes: tuple[Told, ...] = ()
    weighings: Mapping[str, tuple[Rest, ...]] = field(default_factory=dict)  # of lots that lie alone on a scale


@dataclass(slots=True)
class _Kept:
    """One lot on its way."""

    lot: Lot
    product: Product | None
    traits: Traits
    upto: Instant
    condition: Condition | None
    weighed_from: Instant | None = None


def answer(question: Question, model: Model | None, shadow: Model | None = None) -> Lives:
    catalog = shipped()
    kept = [_kept(question, lot, catalog) for lot in question.lots]
    _advance(question, kept)
    for each in kept:
        _weigh(each, question.weighings.get(each.lot.id, ()))
    learnt, notes = _learnt(question, catalog)
    views = _views(question, kept, learnt)
    lives = estimate(views, model, question.at)
    rivals = life_shadow.rivals(views, question.keepings, model, shadow, question.at)
    keepings = {
        each.lot.id: Keeping(each.upto, _written(each.condition), life, each.weighed_from, rivals.get(each.lot.id, ()))
        for each, life in zip(kept, lives, strict=True)
    }
    return Lives(question.at, keepings, json.dumps(offsets.written(learnt)), len(question.outcomes), notes)


def table_product(sold: Sold | None, catalog: Catalog) -> Product | None:
    """What it keeps like: as configured, else by its name, else as its category."""
    if sold is None:
        return None
    return catalog.find(sold.keeps_like or sold.name, sold.category)


def _kept(question: Question, lot: Lot, catalog: Catalog) -> _Kept:
    product = table_product(question.products.get(lot.product), catalog)
    known = product or catalog.named(catalog.products()[0])  # stands in its place where only dates count
    lot_traits = traits(known, lot.packaging)
    keeping = question.keepings.get(lot.id)
    if keeping is None or not keeping.condition or product is None:
        return _Kept(lot, product, lot_traits, lot.received, None)
    try:
        condition = read(json.loads(keeping.condition))
        return _Kept(lot, product, lot_traits, keeping.upto, condition, keeping.weighed_from)
    except ValueError:  # of another version: from its receipt on, as far as the air is still known
        return _Kept(lot, product, lot_traits, lot.received, None)


def _written(condition: Condition | None) -> str:
    return "" if condition is None else json.dumps(written(condition))


# --- through the air --------------------------------------------------------------------------------------------------


def _advance(question: Question, kept: Sequence[_Kept]) -> None:
    """Lots that lay in one place for the same time go through its steps together."""
    groups: dict[tuple[Instant, object, bool], list[_Kept]] = {}
    for each in kept:
        if each.product is not None:
            groups.setdefault((each.upto, each.lot.stays, each.condition is not None), []).append(each)
    for (upto, _, is_known), lots in groups.items():
        steps = _steps(question, lots[0].lot, upto, is_known=is_known)
        if steps:
            _through(lots, steps)
        elif (now_c := _air_now_c(question, lots[0].lot)) is not None:
            _begin(lots, now_c)


def _air_now_c(question: Question, lot: Lot) -> float | None:
    air = question.airs.get(lot.place)
    return None if air is None or air.at is None else air.air_c


def _begin(kept: Sequence[_Kept], first_c: float | None) -> list[_Kept]:
    """As warm as was told when they came, else as the air; where nobody knows either, not at all. Answers the rest."""
    for each in kept:
        begin_c = first_c if each.lot.temperature_c is None else each.lot.temperature_c
        if each.condition is None and begin_c is not None:
            each.condition = received(each.traits, begin_c)
    return [each for each in kept if each.condition is not None]


@dataclass(frozen=True, slots=True)
class _Step:
    until: Instant
    seconds: float
    air_c: float | None
    rh_pct: float | None


def _steps(question: Question, lot: Lot, upto: Instant, *, is_known: bool) -> list[_Step]:
    """What there is of the lot's places from ``upto`` on; and where nobody measures, that too.

    ``is_known``: what it was like before. Of a lot that never lay under a thermometer there is nothing to go on from.
    """
    found: list[_Step] = []
    for number, stay in enumerate(lot.stays):
        begin = stay.since if since_s(upto, stay.since, question.at) > 0 else upto
        end = lot.stays[number + 1].since if number + 1 < len(lot.stays) else question.at
        air = question.airs.get(stay.place)
        if air is None:
            if found or is_known:
                _add_blind(found, begin, end, question.at)
            continue
        for step in air.steps:
            part_s = min(step.seconds, since_s(begin, step.until, question.at))
            if part_s > 0 and since_s(step.until, end, question.at) >= 0:
                found.append(_Step(step.until, part_s, step.mean_c, step.rh_pct))
        last = air.at or (air.steps[-1].until if air.steps else begin)
        if number + 1 == len(lot.stays) and since_s(last, end, question.at) > GAP_S:
            _add_blind(found, found[-1].until if found else begin, end, question.at)
    return found


def _add_blind(found: list[_Step], begin: Instant, end: Instant, now: Instant) -> None:
    """Where nobody knows for how long: as long as a gap must be to be worth a word."""
    seconds = since_s(begin, end, now)
    seconds = GAP_S if seconds == inf else seconds
    if seconds > 0:
        found.append(_Step(end, min(seconds, LONGEST_STEP_S), None, None))


def _through(kept: Sequence[_Kept], steps: Sequence[_Step]) -> None:
    able = _begin(kept, next((step.air_c for step in steps if step.air_c is not None), None))
    if not able:
        return
    states = stacked([each.condition for each in able if each.condition is not None])
    all_traits = together([each.traits for each in able])
    for step in steps:
        states = _after(states, all_traits, step)
    for each, condition in zip(able, unstacked(states), strict=True):
        each.condition, each.upto = condition, steps[-1].until


def _after(states: States, all_traits: Traits, step: _Step) -> States:
    air_c = np.full(len(states), np.nan if step.air_c is None else step.air_c)
    rh_pct = np.full(len(states), np.nan if step.rh_pct is None else step.rh_pct)
    return advance(states, all_traits, air_c, rh_pct, step.seconds)


# --- on the scale -----------------------------------------------------------------------------------------------------


def _weigh(kept: _Kept, rests: Sequence[Rest]) -> None:
    """What the scale saw of a lot that lies alone is learnt once it is sure enough.

    The first look only begins: deficit and weights have to be of the same time.
    """
    condition = kept.condition
    if condition is None or not rests:
        kept.weighed_from = None
        return
    begin = kept.weighed_from
    if begin is None or begin.boot != rests[0].at.boot or begin.age_s(rests[0].at) > 0:
        kept.condition, kept.weighed_from = replace(condition, dry_kpa_d=0.0), kept.upto
        return
    over_d = since_s(begin, kept.upto, kept.upto) / DAY_S
    seen = _loss([rest for rest in rests if begin.age_s(rest.at) >= 0], over_d)
    if seen is None:
        return
    expected_pct_d = float(loss_pct_d(kept.traits.transpiration[:1], np.array([condition.dry_kpa_d]))[0]) / over_d
    if seen.loss_pct_d >= UNMISTAKABLE * seen.se_pct_d and expected_pct_d > 0:
        # Then the table, whose figures differ by 2 to 10 times, may be wrong by as much as the scale says.
        doubt = max(condition.factor_sd, seen.loss_pct_d / expected_pct_d)
        condition = replace(condition, factor_sd=doubt)
    elif seen.se_pct_d > SURER * condition.factor_sd * expected_pct_d:
        return
    kept.condition, kept.weighed_from = weighed(condition, kept.traits, seen, over_d), kept.upto


def _loss(rests: Sequence[Rest], over_d: float) -> Weighed | None:
    """The slope of its weights; its uncertainty holds what the scale may have drifted by itself."""
    if not rests or over_d <= 0:
        return None
    times_d = [rests[0].at.age_s(rest.at) / DAY_S for rest in rests]
    found = slope(times_d, [rest.net_g for rest in rests], noise_g=0.0)
    if found is None:
        return None
    drift_pct_d = 100.0 * rests[-1].u_g / rests[0].net_g / over_d
    return replace(found, se_pct_d=hypot(found.se_pct_d, drift_pct_d))


# --- what is left -----------------------------------------------------------------------------------------------------


def _views(question: Question, kept: Sequence[_Kept], learnt: Offsets) -> list[LotView]:
    ripening, means_c = _Neighbours(kept), _means_c(kept)
    return [_view(question, each, learnt, ripening, means_c.get(each.lot.id, 0.0)) for each in kept]


def _view(
    question: Question, kept: _Kept, learnt: Offsets, ripening: "_Neighbours", forecast_c: float
) -> LotView:  # fmt: skip
    lot, product = kept.lot, kept.product
    dates = {"use_by_d": _days_until(question, lot.use_by), "best_before_d": _days_until(question, lot.best_before)}
    if product is None:
        nothing = {"group": "other", "forecast_c": 0.0, "life_sd": 1.0, "slope_sd": 0.0}
        return LotView(lot.id, kept.traits, None, **nothing, **dates, reasons=(UNKNOWN_PRODUCT,))  # type: ignore[arg-type]
    known = offsets.offset(learnt, product.group, product.name, _plain(lot.supplier))
    is_learnt = known.outcomes >= 1.0
    return LotView(
        lot=lot.id,
        traits=kept.traits,
        condition=kept.condition,
        group=product.group,
        forecast_c=forecast_c,
        life_sd=min(product.life_sd, known.sd) if is_learnt else product.life_sd,
        slope_sd=product.slope_sd,
        offset=log(known.factor),
        ethylene=ripening.faster(kept, forecast_c),
        **dates,
        reasons=_reasons(lot, product),
    )


def _reasons(lot: Lot, product: Product) -> tuple[str, ...]:
    told = {
        UNKNOWN_AGE: lot.origin is not Origin.DELIVERY,
        PACK_ASSUMED: lot.packaging is None,
        CLASS_DEFAULT: product.matched == "group",
    }
    return tuple(reason for reason, holds in told.items() if holds)


def _means_c(kept: Sequence[_Kept]) -> dict[str, float]:
    """What the goods lay in for a day stands for the days to come."""
    known = [(each.lot.id, each.condition) for each in kept if each.condition is not None]
    if not known:
        return {}
    means = np.asarray(exposure(stacked([condition for _, condition in known]))["mean_c_24"])
    return {name: float(mean_c) for (name, _), mean_c in zip(known, means, strict=True)}


def _days_until(question: Question, day: str | None) -> float | None:
    """Until the end of that day at the shop; None also while nobody knows what day it is."""
    if day is None or question.at.clock is ClockState.UNSYNCED:
        return None
    end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), question.zone)
    return (end - question.at.utc).total_seconds() / 86_400


@dataclass
class _Neighbours:
    """Who ripens beside whom. Worked out once for each kind of goods in a place and on a shelf."""

    kept: Sequence[_Kept]
    known: dict[tuple[str, str, str | None], float] = field(default_factory=dict)

    @cached_property
    def _by_place(self) -> dict[str, dict[tuple[str, str | None], Product]]:
        found: dict[str, dict[tuple[str, str | None], Product]] = {}
        for each in self.kept:
            if each.product is not None and each.lot.place:
                found.setdefault(each.lot.place, {})[each.product.name, each.lot.shelf] = each.product
        return found

    def faster(self, kept: _Kept, product_c: float) -> float:
        product, lot = kept.product, kept.lot
        if product is None or not lot.place:
            return 1.0
        key = (product.name, lot.place, lot.shelf)
        if key not in self.known:
            around = [
                ethylene.Neighbour(other, is_beside=shelf is not None and shelf == lot.shelf)
                for (_, shelf), other in self._by_place[lot.place].items()
            ]
            self.known[key] = ethylene.effect(product, around, product_c).faster
        return self.known[key]


# --- what became of earlier ones ------------------------------------------------------------------------------------


def _learnt(question: Question, catalog: Catalog) -> tuple[Offsets, tuple[str, ...]]:
    """One that cannot be read is begun anew: it is worth less than the agent."""
    learnt, notes = Offsets(), []
    if question.learnt:
        try:
            learnt = offsets.read(json.loads(question.learnt))
        except ValueError as error:
            notes.append(f"what outcomes taught cannot be read and is begun anew: {error}")
    for told in question.outcomes:
        product = table_product(question.products.get(told.product), catalog)
        if product is None:
            continue
        supplier = _plain(told.supplier)
        factor = offsets.offset(learnt, product.group, product.name, supplier).factor
        reason = _REASONS.get(told.reason, told.reason) or None
        outcome = Outcome(supplier, product.name, product.group, told.kind, told.used * factor, reason)
        learnt, drift = with_outcome(learnt, outcome)
        notes += [] if drift is None else [str(drift)]
    return learnt, tuple(notes)


def _plain(supplier: str) -> str:
    return supplier.replace("|", "/") or "unknown"
