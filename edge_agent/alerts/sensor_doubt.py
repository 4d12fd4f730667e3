"""A sensor that answers and should not be believed, told apart from a room that really is so.

Air cannot jump there and back, does not stand still to the last digit for hours where it never did, and is not 30 °C
beside one sensor and 4 °C beside the next. A jump is judged only between samples up to a minute apart, since in a
quarter of an hour air may do anything. Of two sensors that disagree, the one that left its own usual level while the
other keeps to its own is named and set aside; of three the odd one out. A reason to doubt stands for an hour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.swings import median, smoothed
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import Instant

JUMP_K = 3.0
SURE_K = 10.0  # more than an opened door does to a sensor in a minute
FASTEST_K_MIN = 5.0  # of air at a sensor; one carried from a refrigerator into a room did 2.5
MOST_APART_S = 60.0
BACK_SHARE = 0.5  # of a jump: gone again as fast, it was a spike
HOLD_S = 300.0  # a jump that stays so long may be true after all, unless a neighbour says otherwise
FOLLOWS_SHARE = 0.25  # of the jump, by a neighbour: then it is true
SPIKES = 3  # in an hour
HOUR_S = 3600.0
DAY_S = 86_400.0
STUCK_S = 3600.0
STILL_S = 600.0  # a chip whose last digits always moved is not listened to after so long ...
LIVELY_S = 120.0  # ... if it never stood still for longer than this
STUCK_TIMES = 4.0  # the longest that it ever stood still
SLOW_S = 1800.0  # a sensor that stands still for so long by nature (tenths, a slow place) ...
SLOW_STUCK_S = DAY_S  # ... is given a day
MOVES_K = 1.5  # a neighbour meanwhile
WET_PCT, WET_S = 99.9, 6 * HOUR_S
DRY_PCT, DRY_S = 1.0, 1800.0
APART_K = 2.0
APART_SPREADS = 5.0
APART_S = 1800.0
STRAYS_K = 0.3  # what a drift adds to the spread in a moment is cut off at so much, or at ...
STRAYS_SPREADS = 2.0  # ... so many spreads: it must not become usual
USUAL_S = 7 * DAY_S  # time constant of what is usual: far longer than a drift takes to do harm
LEARN_S = 6 * HOUR_S  # of it, before a neighbour's word counts; and between two writings


@dataclass(frozen=True, slots=True)
class Values:
    """Of one sensor at one instant; None is not known."""

    temperature_c: float | None = None
    humidity_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    known_s: float = 0.0  # how long it was watched
    still_s: float = 0.0  # the longest it gave the very same values
    level_c: float | None = None
    others_c: float | None = None  # median of its neighbours
    beside_s: float = 0.0  # how long it was watched beside neighbours
    apart_k: float | None = None  # it minus its neighbours
    apart_var: float = 0.0


@dataclass(frozen=True, slots=True)
class Still:
    """How long it gave the very same values, and between what its neighbours moved meanwhile."""

    for_s: float = 0.0
    others_low_c: float | None = None
    others_high_c: float | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    """One that is not settled."""

    before_c: float  # what it said before
    others_before_c: float | None
    ago_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pinned:
    wet_s: float = 0.0
    dry_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """The last reason to doubt it: it stands for an hour."""

    why: str
    said: str
    ago_s: float = 0.0


NEVER_PINNED = Pinned()


@dataclass(frozen=True, slots=True)
class State:
    learnt: Usual = field(default_factory=Usual)  # outlives a power cut: changes every six hours
    # Built anew after a start:
    usual_now: Usual | None = None
    at: Instant | None = None
    last: Values = field(default_factory=Values)
    others_c: float | None = None  # median of its neighbours then
    still: Still = field(default_factory=Still)
    jump: Jump | None = None
    spikes: tuple[float, ...] = ()  # how long ago each
    pinned: Pinned = NEVER_PINNED
    apart_s: float = 0.0
    told: Told | None = None

    @property
    def usual(self) -> Usual:
        return self.usual_now or self.learnt


@dataclass(frozen=True, slots=True)
class Doubt:
    state: State
    is_trusted: bool = True  # its temperature
    is_humidity_trusted: bool = True
    why: str = ""  # a short code: stuck, jumped, spikes, disagrees, humidity-pinned; "" when nothing is to be said
    said: str = ""  # in words


def follow(state: State, values: Values, neighbours: Sequence[Values], at: Instant) -> Doubt:
    """One sample on; ``neighbours``: what the other sensors of the same place say, those that are believed."""
    others = [other.temperature_c for other in neighbours if other.temperature_c is not None]
    others_c = median(others) if others else None
    after_s = state.at.age_s(at) if state.at is not None else 0.0
    air_c, last_c = values.temperature_c, state.last.temperature_c
    if air_c is None:
        return _held(_judged(state, len(others)), 0.0)
    if last_c is None or not 0 <= after_s <= HOUR_S:
        state = State(learnt=state.learnt, usual_now=state.usual, at=at, last=values, others_c=others_c)
        return _judged(state, len(others))
    usual, is_apart = _compared(state.usual, _longest_s(state, values), air_c, others_c, after_s)
    jump, spikes = _jumped(state, last_c, air_c, others_c, after_s)
    state = State(
        learnt=state.learnt if usual.known_s - state.learnt.known_s < LEARN_S else usual,
        usual_now=usual,
        at=at,
        last=values,
        others_c=others_c,
        still=_stood(state, values, others_c, after_s),
        jump=jump,
        spikes=spikes,
        pinned=_pinned(state.pinned, values.humidity_pct, after_s),
        apart_s=state.apart_s + after_s if is_apart else 0.0,
        told=state.told,
    )
    return _held(_judged(state, len(others)), after_s)


def condition(sensor: str, doubt: Doubt) -> Condition:
    holds = bool(doubt.why)
    return Condition(
        name=f"doubt-{sensor}",
        holds=holds,
        priority=Priority.LOW if doubt.why == "humidity-pinned" else Priority.MEDIUM,
        message=f"Sensor {sensor} is not to be believed: {doubt.said}" if holds else f"Sensor {sensor} is plausible",
        action="Compare it with a thermometer beside it; then clean, dry or replace it",
        evidence=doubt.why,
        swings=True,
    )


def _stood(state: State, values: Values, others_c: float | None, after_s: float) -> Still:
    if values != state.last:
        return Still(0.0, others_c, others_c)
    still = state.still
    return Still(still.for_s + after_s, *_widened(still.others_low_c, still.others_high_c, others_c))


def _longest_s(state: State, values: Values) -> float:
    """That it ever stood still; a stuck one is not learnt from."""
    if values == state.last or _is_stuck(state):
        return state.usual.still_s
    return max(state.usual.still_s, state.still.for_s)


def _widened(low_c: float | None, high_c: float | None, value_c: float | None) -> tuple[float | None, float | None]:
    if value_c is None:
        return low_c, high_c
    return min(value_c, value_c if low_c is None else low_c), max(value_c, value_c if high_c is None else high_c)


def _is_stuck(state: State) -> bool:
    usual, still = state.usual, state.still
    if usual.known_s < DAY_S:
        return False
    least_s = SLOW_STUCK_S if usual.still_s > SLOW_S else STUCK_S
    if still.others_low_c is not None and still.others_high_c is not None:
        moved_k = still.others_high_c - still.others_low_c
        if moved_k >= MOVES_K and still.for_s >= max(STUCK_S, 2 * usual.still_s):
            return True
    return still.for_s >= max(least_s, STUCK_TIMES * usual.still_s)


def _jumped(
    state: State, last_c: float, air_c: float, others_c: float | None, after_s: float
) -> tuple[Jump | None, tuple[float, ...]]:
    """The jump that is not settled, and the spikes of the last hour."""
    spikes = tuple(ago_s + after_s for ago_s in state.spikes if ago_s + after_s <= HOUR_S)
    jump = state.jump
    if jump is None:
        return (Jump(last_c, state.others_c) if _is_jump(last_c, air_c, after_s) else None), spikes
    height_k = last_c - jump.before_c
    if abs(air_c - jump.before_c) <= max(JUMP_K / 2, BACK_SHARE * abs(height_k)):
        # A room that was opened cools again slowly; a spike goes as it came.
        return None, (*spikes, 0.0)[-2 * SPIKES :] if _is_jump(last_c, air_c, after_s) else spikes
    follows = (
        others_c is not None
        and jump.others_before_c is not None
        and (others_c - jump.others_before_c) / (air_c - jump.before_c) >= FOLLOWS_SHARE
    )
    ago_s = jump.ago_s + after_s
    return (None if follows or ago_s > HOUR_S else Jump(jump.before_c, jump.others_before_c, ago_s)), spikes


def _is_impossible(jump: Jump, last_c: float | None) -> bool:
    """It is larger than what a door lets in."""
    return last_c is not None and abs(last_c - jump.before_c) >= SURE_K


def _is_too_still(state: State) -> bool:
    """Not stuck for long enough to be told, but it never was like that."""
    usual = state.usual
    return usual.known_s >= DAY_S and usual.still_s <= LIVELY_S and state.still.for_s >= STILL_S


def _is_jump(from_c: float, to_c: float, after_s: float) -> bool:
    return 0 < after_s <= MOST_APART_S and abs(to_c - from_c) >= max(JUMP_K, FASTEST_K_MIN * after_s / 60)


def _pinned(pinned: Pinned, humidity_pct: float | None, after_s: float) -> Pinned:
    if humidity_pct is None or DRY_PCT < humidity_pct < WET_PCT:
        return NEVER_PINNED
    is_wet = humidity_pct >= WET_PCT
    return Pinned(pinned.wet_s + after_s, 0.0) if is_wet else Pinned(0.0, pinned.dry_s + after_s)


def _compared(
    usual: Usual, still_s: float, air_c: float, others_c: float | None, after_s: float
) -> tuple[Usual, bool]:  # fmt: skip
    """What is usual of it, and beside its neighbours; and whether it is apart from them, which is not learnt."""
    known_s = usual.known_s + after_s
    if others_c is None:
        level_c = smoothed(usual.level_c, air_c, after_s, min(USUAL_S, known_s))
        return replace(usual, known_s=known_s, still_s=still_s, level_c=level_c), False
    apart_k = air_c - others_c
    if usual.beside_s >= LEARN_S and _is_apart(usual, apart_k):
        return replace(usual, known_s=known_s, still_s=still_s), True
    # A plain mean at first, so that the very first value does not weigh for a week.
    over_s = min(USUAL_S, usual.beside_s + after_s)
    mean_k = smoothed(usual.apart_k, apart_k, after_s, over_s)
    most_k = max(STRAYS_K, STRAYS_SPREADS * math.sqrt(usual.apart_var))
    strays_k = min(abs(apart_k - mean_k), most_k)
    learnt = Usual(
        known_s=known_s,
        still_s=still_s,
        level_c=smoothed(usual.level_c, air_c, after_s, min(USUAL_S, known_s)),
        others_c=smoothed(usual.others_c, others_c, after_s, over_s),
        beside_s=usual.beside_s + after_s,
        apart_k=mean_k,
        apart_var=smoothed(usual.apart_var, strays_k * strays_k, after_s, over_s),
    )
    return learnt, False


def _is_apart(usual: Usual, apart_k: float) -> bool:
    strange_k = abs(apart_k - (usual.apart_k or 0.0))
    return strange_k > APART_K and strange_k > APART_SPREADS * math.sqrt(usual.apart_var)


def _is_odd(state: State, others: int) -> bool:
    """Beside two or more it is odd when it differs from their median; beside one when it moved away further."""
    usual = state.usual
    if state.apart_s < APART_S or state.last.temperature_c is None:
        return False
    if others >= 2 or usual.level_c is None or usual.others_c is None or usual.apart_k is None:
        return True
    moved_k = abs(state.last.temperature_c - usual.level_c)
    other_moved_k = abs((state.others_c if state.others_c is not None else usual.others_c) - usual.others_c)
    return moved_k >= APART_K and moved_k >= other_moved_k + APART_K / 2


def _held(doubt: Doubt, after_s: float) -> Doubt:
    """What was a reason to doubt stands for an hour after it was one last, or it would come and go with each spike."""
    state = doubt.state
    if doubt.why:
        return replace(doubt, state=replace(state, told=Told(doubt.why, doubt.said)))
    if state.told is None:
        return doubt
    told = Told(state.told.why, state.told.said, state.told.ago_s + after_s)
    if told.ago_s > HOUR_S:
        return replace(doubt, state=replace(state, told=None))
    is_trusted = doubt.is_trusted and told.why != "disagrees"
    return Doubt(replace(state, told=told), is_trusted, doubt.is_humidity_trusted, told.why, told.said)


def _judged(state: State, others: int) -> Doubt:
    wet, dry = state.pinned.wet_s >= WET_S, state.pinned.dry_s >= DRY_S
    humidity = not (wet or dry)
    usual, jump = state.usual, state.jump
    if _is_stuck(state):
        said = f"it gives {state.last.temperature_c:.2f} °C to the last digit for {state.still.for_s / 3600:.1f} h"
        return Doubt(state, False, False, "stuck", said)
    if _is_too_still(state):
        return Doubt(state, False, False)
    if jump is not None and _is_impossible(jump, state.last.temperature_c):
        is_alone = others == 0
        is_trusted = is_alone and jump.ago_s >= HOLD_S
        said = f"it jumped from {jump.before_c:.1f} to {state.last.temperature_c:.1f} °C, faster than air can"
        return Doubt(state, is_trusted, humidity, "jumped" if jump.ago_s >= MOST_APART_S else "", said)
    if _is_odd(state, others):
        apart_k = (state.last.temperature_c or 0.0) - (usual.others_c or 0.0)
        said = f"it reads {apart_k:+.1f} K beside its neighbours; {usual.apart_k or 0.0:+.1f} K is usual"
        return Doubt(state, False, humidity, "disagrees", said)
    if len(state.spikes) >= SPIKES:
        return Doubt(state, True, humidity, "spikes", f"{len(state.spikes)} spikes in an hour")
    if not humidity:
        return Doubt(state, True, False, "humidity-pinned", f"its humidity stands at {state.last.humidity_pct:.1f} %")
    return Doubt(state)
