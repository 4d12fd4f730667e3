"""How right the forecasts were that were really told, against the simple methods on the same days. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.experts import EXPERTS, forecasts, histories
from edge_agent.demand.panel import Panel
from edge_agent.demand.scoring import DECILES, Ratio, Score, Truth, loss, ratios, score, truth
from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OURS = "ours"
MIN_ORIGIN_D = 14
_DECILES = np.array([LEVELS.index(level) for level in DECILES])
_MEDIAN = LEVELS.index(0.5)
_SEED = 1  # of the resamples: the same report twice


@dataclass(frozen=True, eq=False)
class Judged:
    scores: Mapping[str, Score]  # "ours" first
    ratios: Mapping[str, Ratio]  # of our loss to each method's
    weeks: Mapping[date, Mapping[str, Score]]  # by the Monday of the week in which they were told
    days: int  # that were scored
    left_out: int  # days of products that ran out: nobody knows what would have been sold


def judged(panel: Panel, ran_out: Bools, made: Mapping[date, Mapping[str, Floats]], horizon: int) -> Judged:
    """``made``: of each morning the quantiles told of each product, [days, levels]. ValueError where nothing counts.

    Of the youngest forecasts those days count that have come. A product that was told nothing that morning does not
    count then, for no method; nor does a day on which it ran out (``ran_out`` [series, days]), whose demand is a guess
    of our own.
    """
    origins = [(day - panel.first).days - 1 for day in sorted(made)]
    kept = [origin for origin in origins if MIN_ORIGIN_D <= origin < panel.days - 1]
    if not kept:
        raise ValueError("no forecast is old enough to be compared with what was sold")
    panel, ran_out = _with_days_to_come(panel, horizon), np.pad(ran_out, ((0, 0), (0, horizon)))
    of = truth(panel, kept, horizon)
    told = _told(panel, kept, made, horizon)
    counts = of.counts & np.isfinite(told).all(axis=-1)
    is_out = ran_out[:, np.asarray(kept)[:, None] + 1 + np.arange(horizon)]
    left_out = int((counts & is_out).sum())
    of = Truth(of.y, counts & ~is_out, of.scale)
    if not of.counts.any():
        raise ValueError("no forecast of a product with eight weeks of sales can be compared yet")
    said = {OURS: (told[..., _MEDIAN], told[..., _DECILES]), **_simple(panel, kept, horizon)}
    losses = {name: loss(of, quantiles) for name, (_, quantiles) in said.items()}
    others = {name: each for name, each in losses.items() if name != OURS}
    return Judged(
        {name: score(of, point, quantiles) for name, (point, quantiles) in said.items()},
        ratios(losses[OURS], others, np.random.default_rng(_SEED)),
        _by_week(panel, kept, of, said),
        int(of.counts.sum()),
        left_out,
    )


def _with_days_to_come(panel: Panel, count: int) -> Panel:
    """As shut ones, which nobody counts; what is known in advance the simple methods do not ask for."""
    ahead = ((0, 0), (0, count))
    start = np.where(panel.start < panel.days, panel.start, panel.days + count)
    qty: Floats = np.pad(panel.qty.astype(np.float64), ahead)
    return replace(panel, qty=qty, is_open=np.pad(panel.is_open, ahead), known={}, start=start)


def _told(panel: Panel, origins: Sequence[int], made: Mapping[date, Mapping[str, Floats]], horizon: int) -> Floats:
    """[series, origins, days, levels]; NaN where nothing was told."""
    told = np.full((len(panel.names), len(origins), horizon, len(LEVELS)), np.nan)
    for place, origin in enumerate(origins):
        for row, name in enumerate(panel.names):
            found = made[panel.day(origin + 1)].get(name)
            if found is not None and len(found) >= horizon:
                told[row, place] = found[:horizon]
    return told


def _simple(panel: Panel, origins: Sequence[int], horizon: int) -> dict[str, tuple[Floats, Floats]]:
    imputed, rows = panel.imputed(), np.arange(len(panel.names))
    each = [
        forecasts(histories(imputed, panel.start, rows, np.full(len(rows), origin)), horizon, DECILES)
        for origin in origins
    ]
    return {
        name: (np.stack([one[name].point for one in each], 1), np.stack([one[name].quantiles for one in each], 1))
        for name in EXPERTS
    }


def _by_week(
    panel: Panel, origins: Sequence[int], of: Truth, said: Mapping[str, tuple[Floats, Floats]]
) -> dict[date, dict[str, Score]]:
    weeks: dict[date, list[int]] = {}
    for place, origin in enumerate(origins):
        day = panel.day(origin + 1)
        weeks.setdefault(date.fromordinal(day.toordinal() - day.weekday()), []).append(place)
    found: dict[date, dict[str, Score]] = {}
    for week, places in weeks.items():
        part = Truth(of.y[:, places], of.counts[:, places], of.scale[:, places])
        if part.y[part.counts].sum() > 0:
            found[week] = {
                name: score(part, point[:, places], quantiles[:, places]) for name, (point, quantiles) in said.items()
            }
    return found
