"""What comes again after the same time, from samples too rare to show the shape of a defrost: a quarter of an hour.

A defrost is then one or two samples high and no higher than a door, and the period wanders, since running hours say
when it is due. So no single hump counts, but the rises of weeks: once a day they are correlated with themselves, and
the period is the lag at which they are most alike. What is due now is the echo of what was a period ago, and two, and
three, each weaker and wider than the one after it; several evaporators on one timer give several echoes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

SLOT_S = 900.0
RISE_SLOTS = 2  # heaters warm the air within half an hour
DAY = 96  # slots
LAGS = 112  # 28 h: a little beyond the longest period
SHORTEST, LONGEST = 15, 104  # slots: 6 a day, and once a day and a bit
MEMORY_DAYS = 28
LEAST_REPEATS = 4
CERTAIN = 3.4  # over the root of the slots seen; the best lag of doors alone came to 3.3 in 14 of 15 times 60 days
HELD = 1.5  # the same: a period that was certain is let go below
FUNDAMENTAL_SHARE = 0.6  # of the best: a half, third or quarter of its lag is the period itself
HIGHEST = 6.0  # times the usual rise: one door that stood open is not a fortnight of defrosts
LEAST_USUAL_K = 0.02  # a chip that says tenths, in a room where nothing moves
FADES = 0.7  # from one period to the next
WANDERS = 0.04  # of the period, standard deviation, from one to the next: running hours, not a clock
REACH = 12  # slots: three of these, of the longest period
SETTLES = 64  # slots, until the echoes' usual size is known
BRIDGED = 4  # slots without a sample: an hour is drawn through


@dataclass(frozen=True, slots=True)
class Learnt:
    """What outlives a power cut: changes once a day."""

    days: int = 0
    usual_k: float = 0.0  # mean rise in half an hour
    mean: float = 0.0  # of the rises, in usual ones
    likeness: tuple[float, ...] = ()  # covariance by lag in slots
    period: float | None = None  # slots
    slot: int = 0  # of the last in ``heard``
    heard: tuple[float, ...] = ()  # rises and their echoes, one a slot
    strength: float = 0.0  # mean square of the echoes


@dataclass(frozen=True, slots=True)
class State:
    learnt: Learnt = field(default_factory=Learnt)
    slot: int | None = None  # of the last sample
    airs: tuple[float, ...] = ()  # of the last slots
    rises: tuple[float, ...] = ()  # K, of the last two days
    heard: tuple[float, ...] = ()
    strength: float = 0.0
    until_day: int = DAY  # slots


def knowing(learnt: Learnt) -> State:
    return State(learnt, slot=learnt.slot if learnt.heard else None, heard=learnt.heard, strength=learnt.strength)


def without_phase(learnt: Learnt) -> Learnt:
    """On another clock: the period holds, and when the last one was is not known."""
    return replace(learnt, slot=0, heard=(), strength=0.0)


def follow(state: State, air_c: float, now_s: float) -> State:
    """One sample on; the first in each quarter of an hour counts."""
    slot = slot_of(now_s)
    after = 1 if state.slot is None else slot - state.slot
    if after > DAY or after < -BRIDGED:
        learnt = without_phase(state.learnt)
        state, after = State(learnt), 1
    if after <= 0:
        return state
    from_c = state.airs[-1] if state.airs and after <= BRIDGED else None
    for step in range(1, after + 1):
        value = air_c if from_c is None else from_c + (air_c - from_c) * step / after
        is_seen = from_c is not None or step == after
        state = _step(state, value if is_seen else None, slot - after + step)
    return state


def slot_of(now_s: float) -> int:
    return round(now_s / SLOT_S)


def due(state: State, at_s: float) -> float | None:
    """How loud the echo is at this time or next to it, in its own standard deviations; None while none is known."""
    if state.slot is None or state.learnt.period is None or state.strength <= 0:
        return None
    ahead = slot_of(at_s) - state.slot
    echoes = (_echo(state.heard, state.learnt.period, ahead + off) for off in (-1, 0, 1))
    return max(echoes) / math.sqrt(state.strength)


def _step(state: State, air_c: float | None, slot: int) -> State:
    airs: tuple[float, ...] = () if air_c is None else (*state.airs, air_c)[-RISE_SLOTS - 1 :]
    is_seen = len(airs) > RISE_SLOTS
    rise_k = max(0.0, airs[-1] - airs[0]) if is_seen else 0.0
    learnt = state.learnt
    echo = 0.0 if learnt.period is None else _echo(state.heard, learnt.period, 1)
    sound = _relative(rise_k, learnt) - learnt.mean if is_seen and learnt.days else 0.0
    state = State(
        learnt,
        slot,
        airs,
        (*state.rises, rise_k)[-DAY - LAGS :],
        (*state.heard, round(sound + echo, 2))[-LAGS - REACH :],
        state.strength + (echo * echo - state.strength) / SETTLES,
        state.until_day - 1,
    )
    return _day_over(state) if state.until_day <= 0 else state


def _relative(rise_k: float, learnt: Learnt) -> float:
    return min(HIGHEST, rise_k / max(LEAST_USUAL_K, learnt.usual_k))


def _echo(heard: Sequence[float], period: float, ahead: int) -> float:
    """Of what was heard a period before the slot that comes ``ahead`` of the last one (1: the next)."""
    middle = len(heard) - 1 + ahead - period
    width = WANDERS * period
    first, last = max(0, math.ceil(middle - 3 * width)), min(len(heard) - 1, math.floor(middle + 3 * width))
    total = sum(heard[n] * math.exp(-(((n - middle) / width) ** 2) / 2) for n in range(first, last + 1))
    return FADES * total / (width * math.sqrt(2 * math.pi))


def _day_over(state: State) -> State:
    """The day's rises against those up to 28 h before; the period anew."""
    before = state.learnt
    weight = max(1 / MEMORY_DAYS, 1 / (before.days + 1))
    today_k = state.rises[-DAY:]
    usual_k = before.usual_k + (sum(today_k) / DAY - before.usual_k) * weight
    learnt = replace(before, days=before.days + 1, usual_k=usual_k)
    sizes = [_relative(rise_k, learnt) for rise_k in state.rises]
    mean = before.mean + (sum(sizes[-DAY:]) / DAY - before.mean) * weight
    sizes = [0.0] * (DAY + LAGS - len(sizes)) + [size - mean for size in sizes]
    today = sizes[-DAY:]
    alike = [
        sum(a * b for a, b in zip(today, sizes[LAGS - lag : LAGS - lag + DAY], strict=True)) / DAY
        for lag in range(LAGS + 1)
    ]
    old = before.likeness or (0.0,) * (LAGS + 1)
    likeness = tuple(round(each + (new - each) * weight, 4) for each, new in zip(old, alike, strict=True))
    learnt = replace(
        learnt,
        usual_k=round(usual_k, 4),
        mean=round(mean, 4),
        likeness=likeness,
        period=period(likeness, learnt.days) or _held(before.period, likeness, learnt.days),
        slot=state.slot or 0,
        heard=state.heard,
        strength=round(state.strength, 4),
    )
    return replace(state, learnt=learnt, until_day=DAY)


def _held(before: float | None, likeness: Sequence[float], days: int) -> float | None:
    """The period as it was, while it is still something; a quiet week does not undo it."""
    if before is None or likeness[0] <= 0:
        return None
    lag = round(before)
    smooth = (likeness[lag - 1] + 2 * likeness[lag] + likeness[lag + 1]) / (4 * likeness[0])
    return before if smooth * math.sqrt(DAY * min(days, MEMORY_DAYS)) >= HELD else None


def period(likeness: Sequence[float], days: int) -> float | None:
    """The lag, in slots, at which the rises are most like themselves; None when none stands out.

    >>> period([1.0 if lag % 32 == 0 else 0.0 for lag in range(113)], 7)
    32.0
    """
    slots = DAY * min(days, MEMORY_DAYS)
    longest = min(LONGEST, slots // LEAST_REPEATS)
    if longest <= SHORTEST or likeness[0] <= 0:
        return None
    smooth = {
        lag: (likeness[lag - 1] + 2 * likeness[lag] + likeness[lag + 1]) / (4 * likeness[0])
        for lag in range(SHORTEST - 1, longest + 2)
    }
    tops = [lag for lag in range(SHORTEST, longest + 1) if smooth[lag - 1] <= smooth[lag] > smooth[lag + 1]]
    best = max(tops, key=smooth.__getitem__, default=0)
    if not best or smooth[best] * math.sqrt(slots) < CERTAIN:
        return None
    for part in (4, 3, 2):
        near = [lag for lag in tops if abs(lag - best / part) <= 1.5]
        if near and smooth[near[0]] >= FUNDAMENTAL_SHARE * smooth[best]:
            best = near[0]
            break
    left, middle, right = smooth[best - 1], smooth[best], smooth[best + 1]
    return round(best + (left - right) / 2 / (left - 2 * middle + right), 2)  # a parabola's top
