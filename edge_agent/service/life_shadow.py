"""The comparison of a new model of remaining life with the one in use, lot by lot.

Both tell the life of each lot, once a day, and what they told is kept with it. When it is known what became of the lot,
the likelihoods of that by both are a pair of losses (``spoilage.contest``), summed by the day on which it was told.
A lot counts once, with the first thing that was told of it: its later ends hang together with that.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, tzinfo
from math import inf
from statistics import fmean

from edge_agent.domain.instant import Instant
from edge_agent.inference.model import Model
from edge_agent.inference.shadow import Judgement, Pair
from edge_agent.lots.keeping import Keeping, Rival, Told
from edge_agent.service.local_days import day_of
from edge_agent.spoilage.contest import loss, span
from edge_agent.spoilage.estimate import LotView, estimate

log = logging.getLogger(__name__)

EVERY_S = 23 * 3600.0  # from one estimate that is kept of a lot to the next
MOST_KEPT = 4  # of a lot: the first one, and the last ones

Record = Callable[[date, Iterable[Pair], Instant], Judgement | None]


def rivals(
    views: Sequence[LotView], keepings: Mapping[str, Keeping], model: Model | None, shadow: Model | None, at: Instant
) -> dict[str, tuple[Rival, ...]]:
    """By lot, what is to be kept now. Without a shadow nothing; nor of lots that nobody knows the warmth of."""
    if model is None or shadow is None:
        return {}
    versions = (shadow.version, model.version)
    known = {view.lot: keepings[view.lot].rivals if view.lot in keepings else () for view in views}
    kept = {lot: tuple(one for one in found if one.versions == versions) for lot, found in known.items()}
    due = [_dateless(view) for view in views if view.condition is not None and _is_due(kept[view.lot], at)]
    told = zip(due, estimate(due, shadow, at), estimate(due, model, at), strict=True)
    for view, new, old in told:
        said = Rival(at, _rounded(new.remaining_d), _rounded(old.remaining_d), versions)
        kept[view.lot] = _with(kept[view.lot], said)
    return kept


def _dateless(view: LotView) -> LotView:
    """A use-by date cuts what is told short, whoever tells it, and ends no life."""
    return replace(view, use_by_d=None, best_before_d=None)


def _rounded(remaining_d: tuple[float, ...]) -> tuple[float, ...]:
    """To a minute and a half: it is written with the lot, each hour."""
    return tuple(round(days, 3) for days in remaining_d)


def _is_due(kept: Sequence[Rival], at: Instant) -> bool:
    return not kept or kept[-1].at.passed_s(at) >= EVERY_S


def _with(kept: tuple[Rival, ...], one: Rival) -> tuple[Rival, ...]:
    return (*kept, one) if len(kept) < MOST_KEPT else (kept[0], *kept[2:], one)


def compare(
    outcomes: Iterable[Told],
    keepings: Mapping[str, Keeping],
    versions: tuple[str, str],
    zone: tzinfo,
    record: Record,
    now: Instant,
) -> int:
    """Answers how many outcomes were told of. ``versions``: of the shadow and of the model in use."""
    days: dict[date, list[Pair]] = {}
    for told in outcomes:
        pair = pair_of(told, keepings[told.lot].rivals if told.lot in keepings else (), versions)
        if pair is not None and told.at is not None:
            days.setdefault(day_of(told.at.wall_ms, zone), []).append(pair)
    count = 0
    for day in sorted(days):
        count += len(days[day])
        if record(day, days[day], now) is None:
            break  # decided meanwhile
    log.debug("lots: %d outcomes compared, of version %s", count, versions[0])
    return count


def pair_of(told: Told, kept: Iterable[Rival], versions: tuple[str, str]) -> Pair | None:
    """Its losses, the mean over what was told of the lot; None where the outcome says nothing of these models."""
    if told.at is None or told.received is None:
        return None
    age_s = told.received.passed_s(told.at)
    losses, is_end = [], False
    for one in kept:
        after_s = one.at.passed_s(told.at)
        if one.versions != versions or not (0 <= after_s < inf and age_s < inf):
            continue
        known = span(told.kind, told.reason, after_s / 86_400, age_s / 86_400)
        if known is not None:
            losses.append((loss(one.new, known), loss(one.old, known)))
            is_end = known.is_end
    if not losses:
        return None
    new, old = (fmean(each) for each in zip(*losses, strict=True))
    return Pair(new, old, f"{told.lot} {told.received.utc:%F}", is_end)
