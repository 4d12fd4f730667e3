"""The goods of one place through time: their temperature, the food clock, and the times in which nobody measured."""

from dataclasses import dataclass, replace
from math import inf

from edge_agent.alerts import food_clock
from edge_agent.alerts.food_clock import FoodClock
from edge_agent.alerts.settings import FoodSettings
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.thermal import Course, above_at_most_s, above_s, followed

GAP_S = 1800.0  # between two readings: recorders of storage may take no longer (EN 12830, 30 min)
UNSURE_S = 1800.0  # so long after a gap of unknown length the clock may come; then the worst is assumed


@dataclass(frozen=True, slots=True)
class Unsure:
    """A gap that nobody knows the length of yet: the clock was not synchronised on one of its sides."""

    before: Instant
    since: Instant


@dataclass(frozen=True, slots=True)
class Warmth:
    at: Instant | None = None  # of the last known temperature
    product_c: float | None = None
    air_c: float | None = None  # of then
    followed_s: float = 0.0  # since the first moment of all: how far the start value is forgotten
    clock: FoodClock = FoodClock()  # noqa: RUF009 (frozen)
    unsure: Unsure | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """From ``begun`` on nothing was measured; ``duration_s`` None: nobody knows for how long."""

    begun: Instant
    duration_s: float | None
    product_before_c: float | None
    product_after_c: float | None
    assumed_above_s: float  # what the food clock took it for


@dataclass(frozen=True, slots=True)
class Goods:
    """What one place's goods are judged by."""

    time_constant_s: float
    limit_c: float | None  # of the food clock; None: there is none
    food: FoodSettings


def between_s(before: Instant, now: Instant) -> float:
    """Infinite where a power cut lies between and one of the clocks was not right.

    >>> between_s(Instant(9_000, 1_000_000, "boot-1"), Instant(5_000, 1_300_000, "boot-2"))
    300.0
    """
    if before.boot == now.boot:
        return max(0.0, before.age_s(now))
    wall_s = (now.wall_ms - before.wall_ms) / 1000
    is_right = before.clock is ClockState.SYNCED and now.clock is ClockState.SYNCED
    return wall_s if is_right and wall_s >= 0 else inf


def follow(
    warmth: Warmth, goods: Goods, air_c: float | None, core_c: float | None, at: Instant
) -> tuple[Warmth, Gap | None]:
    """One moment on. Without any temperature nothing is known, and the time until the next one is waited for."""
    air_c = core_c if air_c is None else air_c
    if air_c is None:
        return _sure(warmth, goods, at), None
    if warmth.at is None or warmth.product_c is None or warmth.air_c is None:
        product_c = air_c if core_c is None else core_c  # nobody knows better
        clock = _counted(warmth.clock, goods, Course(product_c, product_c, 0.0), at)
        return replace(warmth, at=at, product_c=product_c, air_c=air_c, clock=clock), None
    after_s = between_s(warmth.at, at)
    if after_s > GAP_S or warmth.at.boot != at.boot:
        return _after_gap(warmth, goods, air_c, core_c, after_s, at)
    followed_s = warmth.followed_s + after_s
    # Nobody knows how warm the goods are at first: the mean of the air since then is the best guess until the pack's
    # time constant has passed. A start amid a defrost is no excursion.
    time_constant_s = min(goods.time_constant_s, followed_s)
    product_c = followed(warmth.product_c, warmth.air_c, air_c, after_s, time_constant_s)
    course = Course(warmth.product_c, product_c if core_c is None else core_c, after_s)
    clock = _counted(warmth.clock, goods, course, at)
    return _sure(Warmth(at, course.after_c, air_c, followed_s, clock, warmth.unsure), goods, at), None


def _counted(clock: FoodClock, goods: Goods, course: Course, at: Instant) -> FoodClock:
    if goods.limit_c is None:
        return clock
    carry_h = food_clock.carry_h(goods.food)
    warm_s = above_s(course, goods.limit_c)
    return food_clock.passed(clock, goods.limit_c, course.after_c, warm_s, course.duration_s, at, carry_h=carry_h)


def _after_gap(
    warmth: Warmth, goods: Goods, air_c: float, core_c: float | None, after_s: float, at: Instant
) -> tuple[Warmth, Gap]:
    """The clock goes the careful way: as if the air had been at the warmer of the two ends all along. What the goods
    are like now is reckoned from both ends: air that was warm at first only is forgotten in a long gap."""
    before_c, air_before_c = _known(warmth)
    begun = warmth.at or at
    warmest_c = max(air_c, air_before_c)
    if core_c is not None:
        product_c = core_c
    elif after_s == inf:
        product_c = max(before_c, warmest_c)
    else:
        product_c = followed(before_c, warmest_c, air_c, after_s, goods.time_constant_s)
    now = replace(warmth, at=at, product_c=product_c, air_c=air_c)
    warm_s = 0.0
    if goods.limit_c is not None:
        is_warm = max(before_c, product_c) > goods.limit_c
        if after_s == inf:
            first = warmth.unsure.before if warmth.unsure is not None else begun
            now = replace(now, unsure=Unsure(first, at) if is_warm else None)
        else:
            warm_s = _warm_s(before_c, product_c, warmest_c, after_s, goods, is_measured=core_c is not None)
        now = _assumed(now, goods, warm_s, at)
    return now, Gap(begun, None if after_s == inf else after_s, before_c, product_c, warm_s)


def _known(warmth: Warmth) -> tuple[float, float]:
    return warmth.product_c or 0.0, warmth.air_c or 0.0


def _warm_s(
    before_c: float, product_c: float, warmest_c: float, after_s: float, goods: Goods, *, is_measured: bool
) -> float:
    limit_c = goods.limit_c or 0.0
    if is_measured:  # at both ends only: one above, and all of it counts
        return after_s if max(before_c, product_c) > limit_c else 0.0
    return above_at_most_s(before_c, warmest_c, after_s, goods.time_constant_s, limit_c)


def _assumed(warmth: Warmth, goods: Goods, warm_s: float, at: Instant) -> Warmth:
    """Time in which nobody measured counts as warm where it may have been, and never as cold."""
    clock = food_clock.passed(
        warmth.clock,
        goods.limit_c or 0.0,
        warmth.product_c or 0.0,
        warm_s,
        0.0,
        at,
        carry_h=food_clock.carry_h(goods.food),
        is_assumed=True,
    )
    return replace(warmth, clock=clock)


def _sure(warmth: Warmth, goods: Goods, at: Instant) -> Warmth:
    """Once the clock is synchronised the gap gets its length; where it does not come, it was too long."""
    unsure = warmth.unsure
    if unsure is None:
        return warmth
    sure = replace(warmth, unsure=None)
    in_all_s = between_s(unsure.before, at)
    since_s = unsure.since.age_s(at)
    if in_all_s < inf:
        return _assumed(sure, goods, max(0.0, in_all_s - since_s), at)
    if since_s >= UNSURE_S:
        return _assumed(sure, goods, 3600 * goods.food.tolerance_h, at)
    return warmth
