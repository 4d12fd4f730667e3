"""The air that lots lay in: what a place's thermometers said all the time, as means of five minutes.

A lot's condition is reckoned from these each hour. Between two means the air changes evenly, so the integral over a day
is that of the readings themselves, five minutes aside.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from edge_agent.domain.instant import Instant
from edge_agent.lots.dating import dated, passed_s, since_s

STEP_S = 300.0
KEEP_S = 900.0  # so often the steps are written down: a power cut loses a quarter of an hour of air, no more
MOST_STEPS = 600  # of two days; older ones are put together
GAP_S = 1800.0  # without a reading nobody knows (EN 12830, 30 min): what lay there is reckoned the careful way


@dataclass(frozen=True, slots=True)
class AirStep:
    until: Instant
    seconds: float
    mean_c: float | None  # None: not measured
    rh_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Air:
    """Of one place; ``kept``: as it was written last."""

    steps: tuple[AirStep, ...] = ()
    kept: tuple[AirStep, ...] = ()
    kept_at: Instant | None = None
    # The step that is not over yet:
    at: Instant | None = None  # of the last reading
    air_c: float = 0.0  # of then
    seconds: float = 0.0
    integral_c_s: float = 0.0


def breathed(air: Air, at: Instant, air_c: float, rh_pct: float | None) -> Air:
    """One reading on. ``at`` of the last reading again: nothing happened."""
    if air.at == at:
        return air
    before = air.at or (air.steps[-1].until if air.steps else None)
    if before is None:
        return _kept(replace(air, at=at, air_c=air_c))
    after_s = passed_s(before, at)
    if after_s > GAP_S:
        return _kept(_after_gap(air, at, air_c, after_s))
    before_c = air.air_c if air.at is not None else air_c
    air = replace(
        air,
        at=at,
        air_c=air_c,
        seconds=air.seconds + after_s,
        integral_c_s=air.integral_c_s + after_s * (before_c + air_c) / 2,
    )
    return _kept(_closed(air, rh_pct)) if air.seconds >= STEP_S else air


def _after_gap(air: Air, at: Instant, air_c: float, after_s: float) -> Air:
    """``after_s`` infinite: as long as it takes to be worth a word, for nobody knows; ``with_dates`` may come to."""
    air = _closed(air, None) if air.seconds > 0 else air
    gap = AirStep(at, GAP_S if after_s == inf else after_s, None)
    return replace(air, steps=_bounded((*air.steps, gap)), at=at, air_c=air_c, seconds=0.0, integral_c_s=0.0)


def _closed(air: Air, rh_pct: float | None) -> Air:
    if air.at is None:
        return air
    step = AirStep(air.at, air.seconds, air.integral_c_s / air.seconds, rh_pct)
    return replace(air, steps=_bounded((*air.steps, step)), seconds=0.0, integral_c_s=0.0)


def _bounded(steps: tuple[AirStep, ...]) -> tuple[AirStep, ...]:
    """Where nobody has used them for two days, the oldest two become one."""
    if len(steps) <= MOST_STEPS:
        return steps
    first, second, *rest = steps
    return (_together(first, second), *rest)


def _together(first: AirStep, second: AirStep) -> AirStep:
    seconds = first.seconds + second.seconds
    if first.mean_c is None or second.mean_c is None:
        return AirStep(second.until, seconds, None)
    mean_c = (first.mean_c * first.seconds + second.mean_c * second.seconds) / seconds
    return AirStep(second.until, seconds, mean_c, second.rh_pct)


def _kept(air: Air) -> Air:
    """An SD card bears few writes: the row changes each quarter of an hour."""
    newest = air.steps[-1].until if air.steps else None
    if newest is None or (air.kept_at is not None and 0 <= air.kept_at.age_s(newest) < KEEP_S):
        return air
    return replace(air, kept=air.steps, kept_at=newest)


def used_upto(air: Air, uptos: Collection[Instant], now: Instant) -> Air:
    """Without the steps that every lot has been through; ``uptos``: how far each was reckoned."""
    left = tuple(step for step in air.steps if any(since_s(upto, step.until, now) > 0 for upto in uptos))
    return air if len(left) == len(air.steps) else replace(air, steps=left)


def with_dates(air: Air, now: Instant) -> Air:
    """This boot's clock was set: its steps have their dates, and a power cut before it has its length."""
    air = dated(air, now)
    steps = air.steps
    for place, (before, gap) in enumerate(pairwise(air.steps), 1):
        seconds = passed_s(before.until, gap.until)
        if _is_unmeasured_cut(before, gap) and GAP_S < seconds < inf:
            steps = (*steps[:place], replace(gap, seconds=seconds), *steps[place + 1 :])
    return _kept(replace(air, steps=steps, kept_at=None)) if steps != air.steps else air


def _is_unmeasured_cut(before: AirStep, gap: AirStep) -> bool:
    return gap.mean_c is None and gap.seconds == GAP_S and before.until.boot != gap.until.boot
