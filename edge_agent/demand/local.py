"""What a shop teaches: rolling origins in its own past, the candidates' forecasts there, and what came.

Learnt are the weights of the candidates (shop, category, product), the grove, and the shifts of the quantiles. The last
weeks are held out first: weights that would have been worse there than the prior's, or than those of the night before,
are not taken.

What the candidates say is made anew for the weights, for the blends that are judged and for the one that is taken, and
never kept: for 500 products it would be 18 MB, and time is cheaper at night than RAM.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.blend import GROUPS, Losses, Outcomes, Singles, learnt, mixed, picked, pinball, tilted
from edge_agent.demand.candidates import CANDIDATES, GROVE, NET, fits, grown, said
from edge_agent.demand.chance import Chance
from edge_agent.demand.conformal import Shifts, learnt_shifts, shifted
from edge_agent.demand.grove import DEPTH, ROUNDS, Coded, Grove, coded, grow
from edge_agent.demand.panel import Panel
from edge_agent.demand.past import Past, described, past_of
from edge_agent.demand.pieces import in_pieces, pieces
from edge_agent.demand.shop_state import ShopState
from edge_agent.demand.sound import sound
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D
from edge_agent.inference.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Halves = NDArray[np.float16]

LEARN_HORIZONS = np.array([1, 2, 3, 4, 5, 6, 7, 9, 11, 14])
NEWEST_D = 7  # the newest origin has so many days after it
PAIRS = 32  # of series and origins at a time: bounds the memory
ROWS = 512  # of the grove at a time
STRIDE_D = 6  # between origins: not a whole week, so every weekday is met at every horizon
KEEP = 0.97  # of an outcome's weight, for each week it is older
MOST_WEIGHT = 10.0  # of a product against the mean, by its scale
LEAST_HISTORY_D = 28  # before an origin counts
JUDGE_ORIGINS = 4  # held out
LEAST_ORIGINS = 2 * JUDGE_ORIGINS + 1
FOLDS = 2  # of the origins: each half is told by a grove that never saw it
CATEGORY_HALF_D, PRODUCT_HALF_D = 200.0, 100.0
GROVE_HISTORY_D = 900
LEAST_GROVE_ROWS = 400
TRIES = 3  # for each row wanted
MOST_TARGET = 15.0  # scales
SAME = 1.005  # a loss up to so many times the prior's is as good
SEEN = 1.02  # the night before had seen the weeks held out
LOSS_RISE, LOSS_SLACK = 0.5, 0.1  # CUSUM of the relative loss, origin by origin
MOST_MISCOVERAGE = 0.06
LEAST_OUTCOMES = 200  # for a word about coverage
EVERY = slice(None)
MOST_HALF = 6e4  # scales: the end of float16

# What is believed before a shop has taught anything; without the net, or too early for the grove, the rest shares.
PRIOR = {
    **{"snaive7": 0.01, "ma28": 0.02, "climatology": 0.06, "ses": 0.02, "tsb": 0.02, "theta": 0.05, "profile": 0.06},
    GROVE: 0.12,
    NET: 0.64,
}


@dataclass(frozen=True)
class Budget:
    """Of one night: work, not time, so that a slow board learns the same as a fast one."""

    origins: int = 14
    pairs: int = 4_500  # of series and origins: a large shop looks back less far, but at LEAST_ORIGINS
    rows: int = 12_000  # that the grove is grown on; half of them for those that only tell the weights
    rounds: int = ROUNDS
    depth: int = DEPTH
    seed: int = 1


BUDGET = Budget()


def prior() -> Floats:
    """[candidates], sums to 1."""
    found = np.array([PRIOR[name] for name in CANDIDATES])
    return np.asarray(found / found.sum())


@dataclass(frozen=True, eq=False)
class _Lesson:
    """Pairs of a series and an origin, the oldest first; what came of them is looked up when it is asked for."""

    past: Past
    model: Model | None
    groves: tuple[tuple[int, int, Grove], ...]  # tell the pairs of origins from the first to the last number
    series: Ints
    origins: Ints
    scale: Floats  # [pairs]

    def parts(self, begin: int = 0) -> Iterator[tuple[slice, Singles]]:
        """Some pairs at a time with what the candidates say of them."""
        for first in range(begin, len(self.series), PAIRS):
            part = slice(first, min(first + PAIRS, len(self.series)))
            series, origins = self.series[part], self.origins[part]
            told = said(self.past, series, origins, LEARN_HORIZONS, self.model).quantiles
            for oldest, newest, grove in self.groves:
                own = (origins >= oldest) & (origins <= newest)
                if own.any():
                    told[CANDIDATES.index(GROVE), own] = grown(
                        self.past, series[own], origins[own], LEARN_HORIZONS, grove
                    )
            yield part, told

    def row_of(self, origin: int) -> int:
        """The first pair of this origin or a later one."""
        return int(np.searchsorted(self.origins, origin))

    def outcomes(self, part: slice = EVERY, known_at: int | None = None) -> tuple[Floats, Floats]:
        """What was sold on LEARN_HORIZONS after each origin, and how much it counts, [pairs, days]; 0: nobody knows.

        ``known_at``: what counted when that day was over: earlier origins, and of what came only the days until then.
        """
        panel, series, origins = self.past.panel, self.series[part, None], self.origins[part]
        days = origins[:, None] + LEARN_HORIZONS
        inside = np.minimum(days, panel.days - 1)
        came = panel.qty[series, inside].astype(np.float64)
        use = (days < panel.days) & panel.is_open[series, inside] & np.isfinite(came)
        if known_at is not None:
            use &= (origins < known_at)[:, None] & (days <= known_at)
        age_weeks = (panel.days - 1 - NEWEST_D - origins) / 7.0
        return np.where(use, came, 0.0), use * (KEEP**age_weeks)[:, None]


class _Seen:
    """What one pass over a lesson leaves of it, for the weights: a sample for the shop's, losses for the rest."""

    def __init__(self, lesson: _Lesson, known_at: int | None, seed: int) -> None:
        self.known_at = known_at
        self.rows, self.days = picked(lesson.outcomes(known_at=known_at)[1], seed)
        self.said = np.empty((len(CANDIDATES), len(self.rows), len(LEVELS)), np.float16)  # in scales
        self.losses = Losses(len(lesson.past.panel.names), len(CANDIDATES))

    def add(self, lesson: _Lesson, part: slice, told: Singles) -> None:
        begin, end = np.searchsorted(self.rows, [part.start, part.stop])
        rows = self.rows[begin:end]
        said = told[:, rows - part.start, self.days[begin:end]] / lesson.scale[rows, None]
        self.said[:, begin:end] = np.minimum(said, MOST_HALF)
        came, weight = lesson.outcomes(part, self.known_at)
        if weight.any():
            self.losses.add(Outcomes(told, came, weight, lesson.scale[part]), lesson.series[part])


@dataclass(frozen=True, eq=False)
class _Weights:
    shop: Floats
    by_category: Floats
    by_product: Floats


@dataclass(frozen=True, eq=False)
class _Fit:
    weights: _Weights
    shifts: Shifts


@dataclass(frozen=True, eq=False)
class _Scores:
    """By origin: losses, what was sold, outcomes, and how many of them lay within the quantile of 0.9."""

    loss: Floats
    sold: Floats
    count: Ints
    within: Ints

    def total(self, origins: slice) -> float:
        """Mean over the levels of the weighted quantile loss, as the judge counts it."""
        sold = float(self.sold[origins].sum())
        return float(self.loss[origins].sum()) / sold if sold > 0 else 0.0


def learn(
    panel: Panel,
    upto: int,
    model: Model | None = None,
    budget: Budget = BUDGET,
    previous: ShopState | None = None,
    give_back: Callable[[], object] = lambda: None,
) -> ShopState:
    """From the days up to column ``upto``, and never from one after it.

    ``give_back`` is called between the steps: what one of them needed is free then.
    """
    known, _ = sound(panel.upto(upto))
    past = past_of(in_pieces(known, pieces(known)))
    model = model if model is not None and fits(model) else None
    origins = _origins(past, budget)
    grove = _grove(past, upto, budget) if len(origins) else None
    give_back()
    lesson = _lesson(past, origins, model, budget)
    give_back()
    fit, kept, losses, drift = _chosen(lesson, origins, budget, previous, give_back)
    return ShopState(
        upto=past.panel.day(upto),
        names=past.panel.names,
        shop=fit.weights.shop,
        categories=_categories(past.panel),
        by_category=fit.weights.by_category.astype(np.float32),
        by_product=fit.weights.by_product.astype(np.float32),
        shifts=fit.shifts,
        grove=grove,
        kept=kept,
        losses=losses,
        drift=drift,
        days=int((lesson.outcomes()[1] > 0).sum()),
        model=None if model is None else model.version,
    )


def _origins(past: Past, budget: Budget) -> Ints:
    """The newest last; fewer in a large shop, and none before any product has LEAST_HISTORY_D days."""
    count = min(budget.origins, max(LEAST_ORIGINS, budget.pairs // max(len(past.panel.names), 1)))
    newest = past.panel.days - 1 - NEWEST_D
    found = newest - STRIDE_D * np.arange(count - 1, -1, -1)
    first = int(past.panel.start.min(initial=past.panel.days)) + LEAST_HISTORY_D - 1
    return np.asarray(found[found >= first])


def _lesson(past: Past, origins: Ints, model: Model | None, budget: Budget) -> _Lesson:
    panel = past.panel
    places, series = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for origin in origins:
        is_old = origin + 1 - panel.start >= LEAST_HISTORY_D
        rows = np.flatnonzero(is_old & (past.imputed[:, : origin + 1].sum(axis=1) > 0))
        series.append(rows)
        places.append(np.full(len(rows), origin))
    who, at = np.concatenate(series), np.concatenate(places)
    return _Lesson(past, model, _groves(past, origins, budget), who, at, past.scale(who, at))


def _groves(past: Past, origins: Ints, budget: Budget) -> tuple[tuple[int, int, Grove], ...]:
    """For each fold of the origins a grove that knew only the days up to its first one."""
    found = []
    for fold in np.array_split(origins, FOLDS):
        grove = _grove(past, int(fold[0]), replace(budget, rows=budget.rows // 2)) if len(fold) else None
        if grove is not None:
            found.append((int(fold[0]), int(fold[-1]), grove))
    return tuple(found)


def _grove(past: Past, upto: int, budget: Budget) -> Grove | None:
    """From a sample of the days up to ``upto``; None where there are too few."""
    series, origins, horizons = _sample(past, upto, budget.rows, Chance(budget.seed))
    if len(series) < LEAST_GROVE_ROWS:
        return None
    scale = past.scale(series, origins)
    target = np.minimum(past.panel.qty[series, origins + horizons] / scale, MOST_TARGET)
    weight = np.minimum(scale / scale.mean(), MOST_WEIGHT)
    rows = _coded(past, series, origins, horizons)
    return grow(rows, target, weight / weight.mean(), budget.seed, budget.rounds, budget.depth)


def _coded(past: Past, series: Ints, origins: Ints, horizons: Ints) -> Coded:
    """The rows are sorted by series, so each part of them asks for few."""
    rows = np.empty((len(series), 0), np.float32)
    for begin in range(0, len(series), ROWS):
        part = slice(begin, begin + ROWS)
        found = described(past, series[part], origins[part], horizons[part])
        if not begin:
            rows = np.empty((len(series), found.shape[1]), np.float32)
        rows[part] = found
    return coded(rows)


def _sample(past: Past, upto: int, count: int, chance: Chance) -> tuple[Ints, Ints, Ints]:
    """(series, origin, horizon) with an open day, each at most once; two of three within the next week."""
    panel, first = past.panel, max(LEAST_HISTORY_D, upto - GROVE_HISTORY_D)
    if upto - 1 <= first or not panel.names:
        none = np.zeros(0, np.int64)
        return none, none, none
    code = np.unique(np.concatenate([_codes(panel, first, upto, count, chance) for _ in range(TRIES)]))
    code = code[chance.some(count, len(code))]
    pair, horizon = np.divmod(code, MAX_HORIZON_D + 1)
    return pair // panel.days, pair % panel.days, horizon


def _codes(panel: Panel, first: int, upto: int, tries: int, chance: Chance) -> Ints:
    """One number each for series, origin, and horizon, where they can be used."""
    series, origins = chance.integers(0, len(panel.names), tries), chance.integers(first, upto, tries)
    near, far = chance.integers(1, 8, tries), chance.integers(1, MAX_HORIZON_D + 1, tries)
    horizons = np.where(chance.shares(tries) < 0.5, near, far)
    use = (origins + horizons <= upto) & (origins + 1 - panel.start[series] >= LEAST_HISTORY_D)
    series, origins, horizons = series[use], origins[use], horizons[use]
    use = panel.is_open[series, origins + horizons] & np.isfinite(panel.qty[series, origins + horizons])
    found: Ints = ((series * panel.days + origins) * (MAX_HORIZON_D + 1) + horizons)[use]
    return found


def _in_units(said: Halves, scale: Floats) -> Singles:
    found = said.astype(np.float32)
    found *= scale[:, None]
    return found


def _learnt_weights(lesson: _Lesson, seen: _Seen) -> _Weights:
    panel = lesson.past.panel
    came, weight = lesson.outcomes(known_at=seen.known_at)
    counts = (weight > 0).any(axis=1)
    mean_scale = float(lesson.scale[counts].mean()) if counts.any() else 1.0
    scale = lesson.scale[seen.rows]
    money = np.minimum(scale / mean_scale, MOST_WEIGHT) / np.maximum(scale, 1e-9)
    came, weight = came[seen.rows, seen.days], weight[seen.rows, seen.days] * money
    shop = learnt(_in_units(seen.said, scale), came, weight, prior())
    names = _categories(panel)
    row_of = {name: row for row, name in enumerate(names)}
    category = panel.category or ("",) * len(panel.names)
    own = np.array([row_of.get(name, -1) for name in category], np.int64)
    of_categories = np.repeat(shop[None], len(names), axis=0)
    by_category = tilted(of_categories, *seen.losses.by(own, len(names)).mean(), CATEGORY_HALF_D)
    base = np.repeat(shop[None], len(panel.names), axis=0)
    base[own >= 0] = by_category[own[own >= 0]]
    return _Weights(shop, by_category, tilted(base, *seen.losses.mean(), PRODUCT_HALF_D))


def _prior_weights(panel: Panel) -> _Weights:
    shop = np.repeat(prior()[None], GROUPS, axis=0)
    return _Weights(
        shop,
        np.repeat(shop[None], len(_categories(panel)), axis=0),
        np.repeat(shop[None], len(panel.names), axis=0),
    )


def _previous_weights(panel: Panel, state: ShopState) -> _Weights:
    names = _categories(panel)
    by_category = state.weights(tuple("" for _ in names), names) if names else np.zeros((0, *state.shop.shape))
    return _Weights(state.shop, by_category, state.weights(panel.names, panel.category))


def _categories(panel: Panel) -> tuple[str, ...]:
    return tuple(sorted({name for name in panel.category if name}))


def _chosen(
    lesson: _Lesson, origins: Ints, budget: Budget, previous: ShopState | None, give_back: Callable[[], object]
) -> tuple[_Fit, str, dict[str, float], tuple[str, ...]]:
    """The weights to take, whose they are, the losses in the weeks held out, and what drifted there."""
    panel = lesson.past.panel
    if len(origins) <= 2 * JUDGE_ORIGINS:
        weights = _learnt_weights(lesson, *_seen(lesson, [None], budget))
        blend = _blends(lesson, {"new": (weights, 0)})["new"]
        return _Fit(weights, _shifts(lesson, blend)), "new" if len(origins) else "prior", {}, ()
    first_held = int(origins[-JUDGE_ORIGINS])
    whole, early = (_learnt_weights(lesson, seen) for seen in _seen(lesson, [None, first_held], budget))
    asked = {"new": (early, 0), "prior": (_prior_weights(panel), 0)}
    give_back()
    if previous is not None:
        asked["previous"] = (_previous_weights(panel, previous), lesson.row_of(first_held))
    blends = _blends(lesson, asked)
    shifts = {whose: _shifts(lesson, blends[whose], first_held) for whose in ("new", "prior")}
    if previous is not None:
        shifts["previous"] = previous.shifts
    scores = {whose: _scores(lesson, blends[whose], of, asked[whose][1], origins) for whose, of in shifts.items()}
    losses = {whose: found.total(slice(-JUDGE_ORIGINS, None)) for whose, found in scores.items()}
    kept = "new" if losses["new"] <= SAME * losses["prior"] else "prior"
    drift = _drift(scores["new"])
    if previous is not None and losses[kept] > SEEN * losses["previous"]:
        return _Fit(asked["previous"][0], previous.shifts), "previous", losses, drift
    if kept == "prior":
        return _Fit(asked[kept][0], _shifts(lesson, blends[kept])), kept, losses, drift
    blends.clear()  # one more pass takes time, and a blend beside the others 1 MB for 4,500 pairs
    give_back()
    return _Fit(whole, _shifts(lesson, _blends(lesson, {"new": (whole, 0)})["new"])), kept, losses, drift


def _seen(lesson: _Lesson, known_at: Sequence[int | None], budget: Budget) -> list[_Seen]:
    """By what counts: one pass for all of them."""
    found = [_Seen(lesson, day, budget.seed) for day in known_at]
    for part, told in lesson.parts():
        for seen in found:
            seen.add(lesson, part, told)
    return found


def _blends(lesson: _Lesson, asked: Mapping[str, tuple[_Weights, int]]) -> dict[str, Halves]:
    """[pairs, days, levels] in scales, from each one's first pair on: another pass for all of them."""
    shape, pairs = (len(LEARN_HORIZONS), len(LEVELS)), len(lesson.series)
    found = {whose: np.empty((pairs - first, *shape), np.float16) for whose, (_, first) in asked.items()}
    for part, told in lesson.parts():
        for whose, (weights, first) in asked.items():
            begin = max(part.start, first)
            if part.stop > begin:
                own = slice(begin, part.stop)
                blend = mixed(told[:, begin - part.start :], weights.by_product[lesson.series[own]])
                found[whose][begin - first : part.stop - first] = np.minimum(
                    blend / lesson.scale[own, None, None], MOST_HALF
                )
    return found


def _shifts(lesson: _Lesson, blend: Halves, known_at: int | None = None) -> Shifts:
    return learnt_shifts(blend, *lesson.outcomes(known_at=known_at), lesson.scale, LEARN_HORIZONS)


def _scores(lesson: _Lesson, blend: Halves, shifts: Shifts, first: int, origins: Ints) -> _Scores:
    """Of the pairs from the first on, which the blend begins with."""
    loss, sold = np.zeros(len(origins)), np.zeros(len(origins))
    count, within = np.zeros(len(origins), np.int64), np.zeros(len(origins), np.int64)
    for begin in range(first, len(lesson.series), PAIRS):
        part = slice(begin, begin + PAIRS)
        scale, (came, weight) = lesson.scale[part], lesson.outcomes(part)
        place, use = np.searchsorted(origins, lesson.origins[part]), weight > 0
        told = blend[begin - first : begin - first + PAIRS].astype(np.float64) * scale[:, None, None]
        quantiles = shifted(told, scale, LEARN_HORIZONS, shifts)
        np.add.at(loss, place, np.where(use, pinball(came, quantiles).mean(axis=2), 0.0).sum(axis=1))
        np.add.at(sold, place, np.where(use, came, 0.0).sum(axis=1))
        np.add.at(count, place, use.sum(axis=1))
        np.add.at(within, place, (use & (came <= quantiles[:, :, LEVELS.index(0.9)] + 1e-9)).sum(axis=1))
    return _Scores(loss, sold, count, within)


def _drift(scores: _Scores) -> tuple[str, ...]:
    """Codes: the loss rises (CUSUM over the origins held out), a tail holds more or less than it says."""
    by_origin = [scores.total(slice(place, place + 1)) for place in range(len(scores.loss))]
    usual = float(np.median([loss for loss in by_origin[:-JUDGE_ORIGINS] if loss > 0] or [0.0]))
    rise = 0.0
    for loss in by_origin[-JUDGE_ORIGINS:]:
        if usual > 0:
            rise = max(0.0, rise + loss / usual - 1.0 - LOSS_SLACK)
    found = ["loss_rising"] if rise > LOSS_RISE else []
    count, within = (int(values[-JUDGE_ORIGINS:].sum()) for values in (scores.count, scores.within))
    if count >= LEAST_OUTCOMES and abs(within / count - 0.9) > MOST_MISCOVERAGE:
        found.append("upper_quantile_low" if within / count < 0.9 else "upper_quantile_high")
    return tuple(found)
