"""Defrosts learnt by their period: recorded, not alarmed; alarmed when one lasts, or the room recovers slowly.

A defrost is a hump in the air's temperature that comes again after the same time. Of all humps the largest of each
day are kept; the period is the time by which most of them repeat themselves (correlation of their peaks), and
the next one is expected a period after the last. A room whose evaporators are defrosted in turn shows the strongest
of them only. Where samples are rarer than each 5 min, a hump's shape and time say too little: see ``defrost_echo``.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from edge_agent.alerts import defrost_echo
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.swings import DEADBAND_K, GAP_S, median, smoothed, spread
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import ClockState, Instant

RISE_K = 0.5  # a hump begins
BACK_SHARE = 0.5  # of its height; lower again, and it is over
LONGEST_HUMP_S = 4 * 3600.0  # longer: the room has another level now
TIMES_USUAL = 1.0  # the size of a hump worth keeping, against all humps, the compressor's cycles included
HUMPS_A_DAY = 6  # the largest of 24 h are kept: timers go up to 6 a day, people make humps too
HUMPS_KEPT = 96  # two weeks
PERIODS_S = (5400.0, 26 * 3600.0)  # demand, 90 min at the least; once a day and a bit
GRID_S = 300.0
ECHOES = 3  # a hump repeats itself after one, two and three periods
LEAST_REPEATS = 4
LONGEST_RISE_S = 3600.0  # of a defrost; seen longer where samples are too rare
CERTAIN = 5.5  # standard deviations above what as many humps at random would repeat
JITTER_S = 480.0  # of the peaks: heaters go off by a timer or a thermostat, then the coil drips
RUNNING_SHARE = 0.06  # of the period: where running hours, not a clock, say when to defrost, it wanders
STEP_SHARE = 0.6  # of the time between samples: so far a peak is missed
RARE_S = 300.0  # from sample to sample
WANDER_SHARE = 0.04
EARLY_SHARE = 1.3  # of the usual rise before the usual peak: a rise that is underway now may be the defrost's
FUNDAMENTAL_SHARE = 0.6  # of the best score: a half, third or quarter of its period is the period itself
LOST_PERIODS = 4  # none seen for so many: the phase is to be found anew
LEAST_SIZE = 0.35  # of the usual one: less is no defrost, the coil was free already
LOUD = 0.7  # of the echo, in its standard deviations, and the logarithm of the height: once a period or a little more
HEATED_C = -5.0  # in warmer rooms the fan's own air thaws the coil: no heat, and no hump that rare samples show
LEAST_HEIGHT = 0.6  # of those that came when due: where defrosts are high, what is low is none
HUMPS_USUAL = 24  # some days of them say how high one is
SAMPLES_A_DEFROST = 8  # on its length, to say that one is longer
LONG_SHARE = 1.25
LONG_S = 120.0
SLOW_S = 600.0
CAME_SHARE = 0.1  # what one that came, or did not, counts among the last ones
SURE_SHARE = 0.7  # of the due ones came lately: sure enough of them to alarm
SLOW_SHARE = 2.0
DURATIONS = 24


@dataclass(frozen=True, slots=True)
class Hump:
    peak_s: float  # wall time where it is known, else monotonic; see Learnt.timeline
    rise_s: float  # from the trough to the peak
    size_kmin: float  # height times width


@dataclass(frozen=True, slots=True)
class Defrost:
    """One that was recognised and is over."""

    for_s: float  # from the first rise until half of it is gone
    rise_k: float
    peak_c: float
    recovery_s: float  # from the peak until half of the rise is gone
    period_s: float
    is_long: bool
    is_slow: bool


@dataclass(frozen=True, slots=True)
class Learnt:
    """What outlives a power cut: changes with a hump worth keeping, a dozen times a day."""

    timeline: str = ""  # "wall", or the boot whose monotonic time the peaks are in
    humps: tuple[Hump, ...] = ()
    period_s: float | None = None
    expected_s: float | None = None  # peak of the next; None: period known, phase not
    jitter_s: float = JITTER_S
    recognised: int = 0
    came_share: float = 0.5  # of those that were due lately
    durations_s: tuple[float, ...] = ()  # of the last ones
    rises_s: tuple[float, ...] = ()
    recoveries_s: tuple[float, ...] = ()
    sizes_kmin: tuple[float, ...] = ()
    echo: defrost_echo.Learnt = field(default_factory=defrost_echo.Learnt)  # where samples are rare, instead of humps


@dataclass(frozen=True, slots=True)
class State:
    learnt: Learnt = field(default_factory=Learnt)
    # Built anew after a start:
    level_c: float | None = None
    now_s: float = 0.0  # on the timeline
    step_s: float = 0.0  # usual time between samples
    is_rising: bool = False
    trough_c: float = 0.0
    trough_s: float = 0.0
    peak_c: float = 0.0
    peak_s: float = 0.0
    usual_kmin: float | None = None  # size of any hump, the compressor's cycles included
    usual_k: float | None = None  # height of any hump, where samples are rare
    due_k: float | None = None  # of those that came when one was due, the more so the more
    is_ours: bool = False  # a defrost is due, and the air warms
    echo: defrost_echo.State | None = None  # where samples are rare


@dataclass(frozen=True, slots=True)
class Defrosted:
    state: State
    is_defrosting: bool
    is_long: bool = False
    is_slow: bool = False
    for_s: float = 0.0
    recovers_s: float = 0.0  # since its peak
    ended: Defrost | None = None


def follow(state: State, moment: Moment) -> Defrosted:
    """One moment on. ``is_defrosting`` from the first rise in the expected time until the room recovers."""
    now_s, timeline = _time(moment.at)
    state = _on_timeline(state, timeline, moment.at, now_s)
    if moment.air_c is None:
        return _said(state, None)
    after_s = now_s - state.now_s
    if state.level_c is None or not 0 <= after_s <= GAP_S:
        return _said(_anew(state, moment.air_c, now_s), None)
    level_c = smoothed(state.level_c, moment.air_c, after_s)
    step_s = smoothed(state.step_s or None, after_s, 1.0, 20.0)
    state = replace(state, level_c=level_c, now_s=now_s, step_s=step_s)
    if _is_rare(state):
        state = _listened(state, moment.air_c)
    if not state.is_rising:
        return _said(_look_for_rise(state, level_c), None)
    if level_c > state.peak_c:
        state = replace(state, peak_c=level_c, peak_s=now_s)
        state = replace(state, is_ours=_is_echoed(state) if _is_rare(state) else state.is_ours or _is_due_now(state))
    if level_c <= state.peak_c - _back_k(state):
        return _finish_rare(state, level_c) if _is_rare(state) else _finish(state, level_c)
    if now_s - state.trough_s > LONGEST_HUMP_S:
        return _said(_anew(state, level_c, now_s), None)
    return _said(state, None)


def is_known(state: State) -> bool:
    """True when the next one is expected at a certain time."""
    learnt = state.learnt
    if learnt.period_s is None or learnt.expected_s is None:
        return False
    return state.now_s <= learnt.expected_s + LOST_PERIODS * learnt.period_s


def conditions(place: str, found: Defrosted) -> tuple[Condition, ...]:
    learnt = found.state.learnt
    holds = found.is_long or found.is_slow
    usual_s = learnt.durations_s if found.is_long else learnt.recoveries_s
    usual_min = median(usual_s) / 60 if usual_s else 0.0
    since_min = (found.for_s if found.is_long else found.recovers_s) / 60
    limit_s = _limit_s(learnt) if found.is_long else _slow_s(learnt)
    what = f"The defrost of {place} lasts" if found.is_long else f"{place} recovers slowly from its defrost, since"
    return (
        Condition(
            name=f"{place}-defrost",
            holds=holds,
            priority=Priority.LOW,
            message=f"{what} {since_min:.0f} min; {usual_min:.0f} min is usual"
            if holds
            else f"The defrost of {place} is over",
            action="Look at the evaporator: ice, heater, fan, and the defrost's timer",
            evidence=("long" if found.is_long else "slow recovery") if holds else "",
            place=place,
            value=round(since_min, 1) if holds else None,
            limit=round(limit_s / 60, 1) if holds else None,
            unit="min",
        ),
    )


def record(ended: Defrost) -> dict[str, object]:
    """The body of a line of the record."""
    return {
        "for_min": round(ended.for_s / 60, 1),
        "rise_k": round(ended.rise_k, 1),
        "peak_c": round(ended.peak_c, 1),
        "recovery_min": round(ended.recovery_s / 60, 1),
        "period_h": round(ended.period_s / 3600, 2),
        "long": ended.is_long,
        "slow_recovery": ended.is_slow,
    }


def _time(at: Instant) -> tuple[float, str]:
    if at.clock is ClockState.UNSYNCED:
        return at.mono_ms / 1000, at.boot
    return at.wall_ms / 1000, "wall"


def _on_timeline(state: State, timeline: str, at: Instant, now_s: float) -> State:
    """When the clock is synchronised, what was learnt since the boot moves along; else the phase is lost."""
    learnt = state.learnt
    if learnt.timeline == timeline:
        return state
    if learnt.timeline == at.boot and timeline == "wall":
        by_s = at.offset_ms / 1000
        humps = tuple(replace(hump, peak_s=hump.peak_s + by_s) for hump in learnt.humps)
        expected_s = None if learnt.expected_s is None else learnt.expected_s + by_s
        echo = defrost_echo.without_phase(learnt.echo)
        moved = replace(learnt, timeline=timeline, humps=humps, expected_s=expected_s, echo=echo)
        return replace(
            state,
            learnt=moved,
            echo=None,
            now_s=state.now_s + by_s,
            trough_s=state.trough_s + by_s,
            peak_s=state.peak_s + by_s,
        )
    echo = defrost_echo.without_phase(learnt.echo)
    fresh = replace(learnt, timeline=timeline, humps=(), expected_s=None, echo=echo)
    return State(fresh, now_s=now_s)


def _anew(state: State, level_c: float, now_s: float) -> State:
    return replace(
        state,
        level_c=level_c,
        now_s=now_s,
        is_rising=False,
        trough_c=level_c,
        trough_s=now_s,
        peak_c=level_c,
        peak_s=now_s,
        is_ours=False,
    )


def _look_for_rise(state: State, level_c: float) -> State:
    if level_c <= state.trough_c:
        return replace(state, trough_c=level_c, trough_s=state.now_s)
    if level_c < state.trough_c + RISE_K:
        return state
    state = replace(state, is_rising=True, peak_c=level_c, peak_s=state.now_s)
    return replace(state, is_ours=_is_echoed(state) if _is_rare(state) else _is_due_now(state))


def _tolerance_s(learnt: Learnt, step_s: float) -> float:
    """Where samples are rare, a peak that lies between two of them may be taken for the next one."""
    rare_s = WANDER_SHARE * (learnt.period_s or 0.0) if step_s > RARE_S else 0.0
    return max(learnt.jitter_s, rare_s) + STEP_SHARE * step_s


def _nearest_due_s(learnt: Learnt, peak_s: float) -> float | None:
    """When the peak nearest to this time is expected; None where that is not known, or none was seen for long."""
    if learnt.period_s is None or learnt.expected_s is None:
        return None
    periods = round((peak_s - learnt.expected_s) / learnt.period_s)
    return learnt.expected_s + periods * learnt.period_s if -1 <= periods <= LOST_PERIODS else None


def _rise_s(learnt: Learnt) -> float:
    return min(median(learnt.rises_s), LONGEST_RISE_S) if learnt.rises_s else 0.0


def _is_due_now(state: State) -> bool:
    learnt, now_s, step_s = state.learnt, state.now_s, state.step_s
    rise_s = _rise_s(learnt)
    due_s = _nearest_due_s(learnt, now_s + EARLY_SHARE * rise_s / 2)
    if due_s is None:
        return False
    within_s = _tolerance_s(learnt, step_s)
    return due_s - EARLY_SHARE * rise_s - within_s <= now_s <= due_s + within_s


def _limit_s(learnt: Learnt) -> float:
    """Longer than this is long: a quarter more than usual, three spreads, and longer than all but one of the last."""
    if len(learnt.durations_s) < LEAST_REPEATS:
        return LONGEST_HUMP_S
    usual_s = median(learnt.durations_s)
    second_s = sorted(learnt.durations_s)[-2]
    return max(LONG_SHARE * usual_s, usual_s + 3 * spread(learnt.durations_s), second_s) + LONG_S


def _is_measured(state: State) -> bool:
    """Most of them come, and samples often enough to say how long one lasts; every 15 min they are not."""
    if _is_rare(state):
        return False
    durations_s = state.learnt.durations_s
    is_sure = state.learnt.came_share >= SURE_SHARE
    return is_sure and bool(durations_s) and SAMPLES_A_DEFROST * state.step_s <= median(durations_s)


def _slow_s(learnt: Learnt) -> float:
    if len(learnt.recoveries_s) < LEAST_REPEATS:
        return LONGEST_HUMP_S
    usual_s = median(learnt.recoveries_s)
    second_s = sorted(learnt.recoveries_s)[-2]
    return max(SLOW_SHARE * usual_s, usual_s + 3 * spread(learnt.recoveries_s), second_s) + SLOW_S


def _is_rare(state: State) -> bool:
    """A defrost is one or two samples: its shape and its peak's time say little, its return says more."""
    return state.step_s > RARE_S


def _listened(state: State, air_c: float) -> State:
    """The period is known once a day anew; what else is learnt stays as it is."""
    before = state.echo or defrost_echo.knowing(state.learnt.echo)
    echo = defrost_echo.follow(before, air_c, state.now_s)
    if echo.learnt is state.learnt.echo:
        return replace(state, echo=echo)
    period_s = None if echo.learnt.period is None else echo.learnt.period * defrost_echo.SLOT_S
    expected_s = None if period_s is None else state.learnt.expected_s
    learnt = replace(state.learnt, echo=echo.learnt, period_s=period_s, expected_s=expected_s)
    return replace(state, echo=echo, learnt=learnt)


def _is_echoed(state: State) -> bool:
    """What rises now came a period ago too; the higher it is, the less of an echo it needs, and the reverse."""
    loud = _loud(state)
    height_k = state.peak_c - state.trough_c
    if state.trough_c > HEATED_C or loud <= 0 or height_k < LEAST_HEIGHT * (state.due_k or 0.0):
        return False
    return loud + math.log(height_k / (state.usual_k or height_k)) > LOUD


def _loud(state: State) -> float:
    loud = None if state.echo is None else defrost_echo.due(state.echo, state.peak_s)
    return 0.0 if loud is None else max(0.0, loud)


def _back_k(state: State) -> float:
    """Where samples are rare, the room's other swings hide half of a defrost's fall."""
    return DEADBAND_K if _is_rare(state) else BACK_SHARE * (state.peak_c - state.trough_c)


def _finish_rare(state: State, level_c: float) -> Defrosted:
    height_k = state.peak_c - state.trough_c
    learnt, ended = state.learnt, None
    if state.is_ours and learnt.period_s is not None:
        ended = _ended(state, height_k, state.now_s - state.peak_s)
        expected_s = state.peak_s + learnt.period_s
        learnt = replace(learnt, recognised=learnt.recognised + 1, expected_s=expected_s)
    usual_k = _nearer(state.usual_k, height_k, 1.0)
    due_k = _nearer(state.due_k, height_k, _loud(state) ** 3)
    return _said(replace(_anew(state, level_c, state.now_s), learnt=learnt, usual_k=usual_k, due_k=due_k), ended)


def _nearer(usual_k: float | None, height_k: float, weight: float) -> float | None:
    """By its logarithm, so that a high one weighs no more than a low one."""
    if usual_k is None:
        return height_k if weight else None
    share = weight / (weight + HUMPS_USUAL)
    return math.exp((1 - share) * math.log(usual_k) + share * math.log(height_k))


def _said(state: State, ended: Defrost | None) -> Defrosted:
    if not (state.is_rising and state.is_ours):
        return Defrosted(state, False, ended=ended)
    for_s = _lasts_s(state)
    step_s = state.step_s
    is_long = _is_measured(state) and for_s > _limit_s(state.learnt) + step_s
    recovers_s = state.now_s - state.peak_s
    is_slow = _is_measured(state) and recovers_s > _slow_s(state.learnt) + step_s
    return Defrosted(state, not (is_long or _is_late(state)), is_long, is_slow, for_s, recovers_s, ended)


def _lasts_s(state: State) -> float:
    """Since the first rise; since its usual begin, where a door had warmed the air well before that."""
    learnt, rise_s = state.learnt, _rise_s(state.learnt)
    due_s = _nearest_due_s(learnt, state.trough_s + rise_s)
    begin_s = -math.inf if due_s is None or _is_rare(state) else due_s - rise_s
    is_earlier = state.trough_s < begin_s - _tolerance_s(learnt, state.step_s)
    return max(0.0, state.now_s - (begin_s if is_earlier else state.trough_s))


def _is_late(state: State) -> bool:
    """It still warms when every defrost so far was over: this is something else, or more than that."""
    if _is_rare(state):
        return state.now_s - state.trough_s > LONGEST_RISE_S + state.step_s
    within_s = _tolerance_s(state.learnt, state.step_s)
    due_s = _nearest_due_s(state.learnt, state.trough_s)
    rise_s = _rise_s(state.learnt)
    if due_s is not None and due_s < state.trough_s:
        due_s = max(due_s, state.trough_s + rise_s)
    is_warming = state.now_s - state.peak_s <= max(120.0, state.step_s)
    return due_s is not None and is_warming and state.now_s > due_s + 2 * within_s


def _finish(state: State, level_c: float) -> Defrosted:
    """The hump is over: keep it if it is a large one, and learn from it."""
    height_k = state.peak_c - state.trough_c
    recovery_s = state.now_s - state.peak_s
    width_s = recovery_s + (state.peak_s - state.trough_s) / 2
    size_kmin = height_k * width_s / 60
    usual = size_kmin if state.usual_kmin is None else state.usual_kmin
    learnt = state.learnt
    is_defrost = state.is_ours and _is_like_one(state, size_kmin)
    is_large = is_defrost or size_kmin >= TIMES_USUAL * usual
    ended = None
    if is_defrost:
        ended = _ended(state, height_k, recovery_s)
        learnt = _counted(state, ended, size_kmin)
    humps = _kept(learnt.humps, Hump(state.peak_s, state.peak_s - state.trough_s, size_kmin)) if is_large else None
    if humps is not None:
        learnt = _relearnt(replace(learnt, humps=humps), state.now_s, state.step_s)
    # An hour or two of cycles says what is usual; one large hump hardly moves it.
    usual += (min(size_kmin, 3 * usual) - usual) / 12
    after = replace(_anew(state, level_c, state.now_s), learnt=learnt, usual_kmin=usual)
    return _said(after, ended)


def _ended(state: State, height_k: float, recovery_s: float) -> Defrost:
    for_s = _lasts_s(state)
    return Defrost(
        for_s=for_s,
        rise_k=height_k,
        peak_c=state.peak_c,
        recovery_s=recovery_s,
        period_s=state.learnt.period_s or 0.0,
        is_long=_is_measured(state) and for_s > _limit_s(state.learnt) + state.step_s,
        is_slow=_is_measured(state) and recovery_s > _slow_s(state.learnt) + state.step_s,
    )


def _is_like_one(state: State, size_kmin: float) -> bool:
    """Large enough, and its peak in time; one that lasts too long has it later."""
    learnt = state.learnt
    due_s = _nearest_due_s(learnt, state.peak_s)
    if due_s is None or (learnt.sizes_kmin and size_kmin < LEAST_SIZE * median(learnt.sizes_kmin)):
        return False
    late_s = state.peak_s - due_s
    is_long = state.now_s - state.trough_s > _limit_s(learnt) + state.step_s
    return abs(late_s) <= _tolerance_s(learnt, state.step_s) or (is_long and late_s > 0)


def _counted(state: State, ended: Defrost, size_kmin: float) -> Learnt:
    """The phase follows by a half; what is usual follows the last ones, and a long one is not usual."""
    learnt = state.learnt
    due_s = _nearest_due_s(learnt, state.peak_s)
    assert due_s is not None
    assert learnt.period_s is not None
    late_s = state.peak_s - due_s
    step_s = 0.5 * late_s if abs(late_s) <= _tolerance_s(learnt, state.step_s) else 0.0
    learnt = replace(
        learnt,
        recognised=learnt.recognised + 1,
        expected_s=due_s + step_s + learnt.period_s,
        came_share=_came_share(learnt, due_s),
    )
    if ended.is_long or ended.is_slow:
        return learnt
    return replace(
        learnt,
        durations_s=(*learnt.durations_s, round(ended.for_s))[-DURATIONS:],
        rises_s=(*learnt.rises_s, round(ended.for_s - ended.recovery_s))[-DURATIONS:],
        recoveries_s=(*learnt.recoveries_s, round(ended.recovery_s))[-DURATIONS:],
        sizes_kmin=(*learnt.sizes_kmin, round(size_kmin, 2))[-DURATIONS:],
    )


def _came_share(learnt: Learnt, due_s: float) -> float:
    """After one that came, and those before it that did not."""
    assert learnt.expected_s is not None
    assert learnt.period_s is not None
    missed = max(0, round((due_s - learnt.expected_s) / learnt.period_s))
    share = learnt.came_share * (1 - CAME_SHARE) ** missed
    return round(share + CAME_SHARE * (1 - share), 3)


def _kept(humps: tuple[Hump, ...], hump: Hump) -> tuple[Hump, ...] | None:
    """With the largest of the last 24 h, and the older ones as they are; None when this one is not among them."""
    rounded = Hump(round(hump.peak_s), round(hump.rise_s), round(hump.size_kmin, 2))
    humps = (*humps, rounded)
    today = [each for each in humps if each.peak_s > hump.peak_s - 86_400]
    if len(today) > HUMPS_A_DAY:
        least = min(today, key=lambda each: each.size_kmin)
        if least is rounded:
            return None
        humps = tuple(each for each in humps if each is not least)
    return humps[-HUMPS_KEPT:]


def _relearnt(learnt: Learnt, now_s: float, step_s: float) -> Learnt:
    """The period anew, and the phase where it is not known or lost."""
    within_s = JITTER_S + STEP_SHARE * step_s
    found = period([hump.peak_s for hump in learnt.humps], within_s) or learnt.period_s
    if found is None:
        return learnt
    is_lost = learnt.expected_s is None or now_s > learnt.expected_s + LOST_PERIODS * found
    is_other = learnt.period_s is None or abs(found - learnt.period_s) > 2 * within_s
    if not (is_lost or is_other):
        return replace(learnt, period_s=found)
    chain, jitter_s = _chain(learnt.humps, found, max(within_s, RUNNING_SHARE * found))
    if len(chain) < 2:  # a single hump may be a door
        return replace(learnt, period_s=found, expected_s=None) if is_other else learnt
    phased = replace(learnt, period_s=found, expected_s=chain[0].peak_s + found, jitter_s=jitter_s)
    if not is_other:
        return phased
    rises_s = tuple(hump.rise_s for hump in chain)
    sizes = tuple(hump.size_kmin for hump in chain)
    return replace(phased, rises_s=rises_s, sizes_kmin=sizes, durations_s=(), recoveries_s=())


def period(peaks_s: Sequence[float], within_s: float) -> float | None:
    """The time after which most peaks repeat themselves; None when none stands out.

    Scored by how many pairs lie one, two and three periods apart, against as many peaks at random.

    >>> period([6 * 3600.0 * k for k in range(12)], 600.0) / 3600
    6.0
    """
    if len(peaks_s) < LEAST_REPEATS + 1:
        return None
    ordered = sorted(peaks_s)
    span_s = ordered[-1] - ordered[0]
    longest_s = min(PERIODS_S[1], span_s / LEAST_REPEATS)
    apart = sorted(
        later - earlier
        for index, earlier in enumerate(ordered)
        for later in ordered[index + 1 :]
        if later - earlier <= ECHOES * PERIODS_S[1] + within_s
    )

    def score(period_s: float) -> float:
        return _score(apart, period_s, within_s, len(ordered), span_s)

    grid = [PERIODS_S[0] + step * GRID_S for step in range(int((longest_s - PERIODS_S[0]) // GRID_S) + 1)]
    best_s = max(grid, key=score, default=0.0)
    best = score(best_s) if best_s else 0.0
    if best < CERTAIN:
        return None
    parts = [_refined(apart, best_s / part, within_s) for part in (4, 3, 2) if best_s / part >= PERIODS_S[0]]
    fundamental_s = next((part_s for part_s in parts if score(part_s) >= FUNDAMENTAL_SHARE * best), best_s)
    return _refined(apart, fundamental_s, within_s)


def _score(apart: Sequence[float], period_s: float, within_s: float, humps: int, span_s: float) -> float:
    score = 0.0
    for echo in range(1, ECHOES + 1):
        lag_s = echo * period_s
        repeats = bisect_right(apart, lag_s + within_s) - bisect_left(apart, lag_s - within_s)
        if echo == 1 and repeats < LEAST_REPEATS:
            return 0.0
        by_chance = max(1.0, humps * humps * 2 * within_s * max(0.0, span_s - lag_s) / span_s**2)
        score += (repeats - by_chance) / math.sqrt(by_chance)
    return score / math.sqrt(ECHOES)


def _refined(apart: Sequence[float], period_s: float, within_s: float) -> float:
    """The mean of what lies one and two periods apart."""
    for _ in range(2):
        near = [lag / echo for echo in (1, 2) for lag in apart if abs(lag - echo * period_s) <= within_s]
        if near:
            period_s = sum(near) / len(near)
    return period_s


def _chain(humps: Sequence[Hump], period_s: float, within_s: float) -> tuple[tuple[Hump, ...], float]:
    """Of the humps a period apart those that weigh most, newest first, and how far they stray from their time."""
    best = tuple(humps[-1:])
    for last in humps[-2 * HUMPS_A_DAY :]:
        chain, due_s = [last], last.peak_s - period_s
        for hump in reversed([each for each in humps if each.peak_s < last.peak_s]):
            while hump.peak_s < due_s - within_s:
                due_s -= period_s
            if abs(hump.peak_s - due_s) <= within_s:
                chain.append(hump)
                due_s = hump.peak_s - period_s
        if _weight(chain) > _weight(best):
            best = tuple(chain)
    strays = [
        abs((later.peak_s - earlier.peak_s + period_s / 2) % period_s - period_s / 2)
        for later, earlier in pairwise(best)
    ]
    stray_s = median(strays) if strays else within_s
    return best, min(max(JITTER_S, 2.5 * stray_s), period_s / 8)


def _weight(humps: Sequence[Hump]) -> float:
    return sum(hump.size_kmin for hump in humps)
