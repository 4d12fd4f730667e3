"""A door seen without a contact: by the warm, damp air that comes in, and by what happens to it afterwards.

Only from a sample a minute or more often. What tells a door from a compressor at rest, or from a defrost, is that
water comes in with the heat: the vapour pressure jumps, where otherwise the relative humidity falls or stays as the
air warms.

A door in use is not a door left open. The vapour follows a door within seconds: beside one that stands open it rises
ever more slowly, and then stands; each time somebody opens it anew it rises faster than in the step before, and the
time counts from there. A single visit warms the air once, and then no more.
"""

import math
from dataclasses import dataclass, replace

from edge_agent.alerts.moment import Moment

MOST_APART_S = 60.0  # between samples
WINDOW_S = 120.0  # in which a door shows
MARK_S = 10.0
HUMIDITY_PCT = 8.0  # points that the relative humidity jumps
VAPOUR_SHARE = 0.15  # that the vapour pressure jumps, though ...
VAPOUR_K = 0.8  # ... the air warms by so much ...
VAPOUR_PCT = -1.0  # ... and the relative humidity does not give way for it
COLDER_K = 0.2  # the air may have cooled by so much meanwhile; more: the sensor was carried somewhere colder
WARM_K = 2.0  # in the window, where humidity is not known
DEFROST_WINDOW_S = 75.0  # a defrost warms and wets the air too, but by 0.2 to 0.4 K in a minute
DEFROST_K = 1.0
LITTLE_SHARE = 0.25  # of the rise that shows a door: before it was shut

STEP_S = 25.0  # of the vapour
AGAIN_SHARE = 0.05  # of its jump: so much faster than in the step before, and the door was opened anew
AGAIN_NOISES = 6.0  # four standard deviations
AGAIN_AFTER_S = 45.0  # the first step may have begun with the door shut
NOISE_PA = 4.0  # as long as it is not known
NOISE_STEP = 1.03
AIR_PA_K = 65.0  # where humidity is not known: as damp as air of 20 °C and 60 % beside air of 3 °C

BACK_K = 0.2  # cooler again by so much, and by such a share of what it rose: shut, be it from one load to the next
BACK_SHARE = 0.06
DRY_SHARE = 0.4  # of the jump's vapour is gone: shut
FALL_SHARE = 0.10  # of the jump within a step, ...
COOL_SHARE = 0.05  # ... or of the rise: cooling runs
HIGH_SHARE = 0.6  # of the rise: it stands as high as that although cooling runs, ...
STANDS_SHARE = 0.04  # ... and moves by no more than that of it within two steps: open all the same
STANDS_S = 180.0  # since it seemed to be shut
OVER_SHARE = 0.25  # of the rise is left
OVER_S = 1200.0  # since it was shut

# A visit leaves the air warm until the compressor starts, which it must not for some minutes after it stopped (3 min
# is usual); then a room that is shut cools.
SURE_S = 255.0
VISIT_END_S = 120.0  # whoever went in is out again, and the sensor has followed
LATER_SHARE = 0.18  # of the rise comes after that where the door stays open
HEATERS_K_S = 0.5 / 60  # faster than the heaters of a defrost warm the air, or walls where the compressor failed
HEATERS_K = 0.6  # within two steps is more than the heaters of a defrost make
HEATERS_SHARE = 0.26  # of the rise of a visit is theirs by SURE_S, and so on
RECOVERS_S = 480.0  # after a defrost the coil drips, then cools before its fan starts
VISIT_S = 600.0  # warm for so long, and as damp as ever, is no visit either
KEPT_SHARE = 0.7  # of the jump's vapour
STILL_S = 180.0  # the very same values for so long are a sensor's fault, not the air's


@dataclass(frozen=True, slots=True)
class Mark:
    at_s: float
    air_c: float
    humidity_pct: float | None
    vapour_pa: float  # where humidity is not known, as far as the air's warmth tells


@dataclass(frozen=True, slots=True)
class Opening:
    """From the first time it was opened until the air is what it was before."""

    opened_s: float  # the last time
    from_c: float  # before the first
    from_pa: float
    most_c: float  # since the last
    most_pa: float
    rise_k: float  # since the first
    jump_pa: float
    base_c: float  # at the last
    early_c: float  # VISIT_END_S after it
    shut_s: float | None = None
    is_cooled: bool = False  # cooling has run since the first
    is_left: bool = False


@dataclass(frozen=True, slots=True)
class State:
    now_s: float = 0.0
    marks: tuple[Mark, ...] = ()  # of the last two minutes
    steps: tuple[Mark, ...] = ()  # the last three, STEP_S apart
    opening: Opening | None = None
    noise_pa: float = NOISE_PA  # median of the vapour's change of pace from step to step
    moved_s: float = 0.0  # when it last said another value
    defrost_s: float = -math.inf  # when it last defrosted
    openings: int = 0  # since the start


@dataclass(frozen=True, slots=True)
class Felt:
    state: State
    is_open: bool | None  # None: not known
    open_s: float = 0.0
    is_left: bool = False  # no visit, and nobody goes in and out
    closed_after_s: float | None = None  # it was shut just now, after so long


def follow(state: State, moment: Moment) -> Felt:
    """Too rare a sample, or no air: not known, and an open door is forgotten."""
    now_s = state.now_s + moment.after_s
    if moment.air_c is None:
        is_lost = not state.marks or now_s - state.marks[-1].at_s > MOST_APART_S
        kept = replace(state, now_s=now_s)
        return Felt(_fresh(kept), None) if is_lost else _said(kept)
    newest = _mark(now_s, moment.air_c, moment.humidity_pct)
    if not 0 < moment.after_s <= MOST_APART_S or not state.marks:
        return Felt(_fresh(replace(state, now_s=now_s), newest), None)
    is_step = now_s - state.steps[-1].at_s >= STEP_S
    if moment.is_defrosting:
        state = replace(state, defrost_s=now_s)
    is_defrosting = now_s - state.defrost_s <= RECOVERS_S
    steps = (*state.steps[-2:], newest) if is_step else state.steps
    if state.opening is None:
        return _look_for_opening(state, newest, steps, is_step=is_step, is_defrosting=moment.is_defrosting)
    opening = state.opening
    if is_step:
        opening = _stepped(opening, steps, state.noise_pa, is_defrosting=is_defrosting)
    opening = _warmed(opening, newest)
    return _until_over(_moved(state, newest, steps, opening), opening, newest, is_defrosting=is_defrosting)


def vapour_pa(air_c: float, humidity_pct: float) -> float:
    """Vapour pressure, Magnus form over water (Alduchov and Eskridge 1996).

    >>> round(vapour_pa(20.0, 50.0))
    1167
    """
    return humidity_pct / 100 * 610.94 * math.exp(17.625 * air_c / (243.04 + air_c))


def _mark(at_s: float, air_c: float, humidity_pct: float | None) -> Mark:
    pa = AIR_PA_K * air_c if humidity_pct is None else vapour_pa(air_c, humidity_pct)
    return Mark(at_s, air_c, humidity_pct, pa)


def _fresh(state: State, *newest: Mark) -> State:
    return State(state.now_s, newest, newest, None, state.noise_pa, state.now_s, state.defrost_s, state.openings)


def _moved(state: State, newest: Mark, steps: tuple[Mark, ...], opening: Opening | None) -> State:
    last = state.marks[-1]
    is_same = (last.air_c, last.humidity_pct) == (newest.air_c, newest.humidity_pct)
    marks = tuple(mark for mark in state.marks if mark.at_s >= newest.at_s - WINDOW_S)
    if not marks or newest.at_s - marks[-1].at_s >= MARK_S:
        marks = (*marks, newest)
    moved_s = state.moved_s if is_same else newest.at_s
    return State(newest.at_s, marks, steps, opening, state.noise_pa, moved_s, state.defrost_s, state.openings)


def _said(state: State, closed_after_s: float | None = None) -> Felt:
    opening = state.opening
    if opening is None or opening.shut_s is not None:
        return Felt(state, False, closed_after_s=closed_after_s)
    return Felt(state, True, state.now_s - opening.opened_s, opening.is_left)


# --- it opens -----------------------------------------------------------------------------------------------------


def _look_for_opening(
    state: State, newest: Mark, steps: tuple[Mark, ...], *, is_step: bool, is_defrosting: bool
) -> Felt:  # fmt: skip
    before = _opened(state.marks, newest, is_defrosting=is_defrosting)
    if before is None:
        calm = _moved(state, newest, steps, None)
        if is_step and not is_defrosting and len(steps) > 2:
            calm = replace(calm, noise_pa=_learnt(state.noise_pa, abs(_quicker_pa(steps))))
        return Felt(calm, None if is_defrosting else False)
    begin = _begin(state.marks, before, newest)
    opening = Opening(
        opened_s=begin.at_s,
        from_c=before.air_c,
        from_pa=before.vapour_pa,
        most_c=newest.air_c,
        most_pa=newest.vapour_pa,
        rise_k=newest.air_c - before.air_c,
        jump_pa=newest.vapour_pa - before.vapour_pa,
        base_c=before.air_c,
        early_c=newest.air_c,
    )
    return _said(replace(_moved(state, newest, steps, opening), openings=state.openings + 1))


def _opened(marks: tuple[Mark, ...], newest: Mark, *, is_defrosting: bool) -> Mark | None:
    """The latest mark since which the air became so much warmer and damper that a door must be open."""
    window_s = DEFROST_WINDOW_S if is_defrosting else WINDOW_S
    for mark in reversed(marks):
        if newest.at_s - mark.at_s <= window_s and _lets_in(mark, newest, is_defrosting=is_defrosting):
            return mark
    return None


def _begin(marks: tuple[Mark, ...], before: Mark, newest: Mark) -> Mark:
    """The last mark before most of the rise: the air may have warmed a little already, for other reasons."""
    little_c = before.air_c + LITTLE_SHARE * (newest.air_c - before.air_c)
    return [before, *(mark for mark in marks if mark.at_s > before.at_s and mark.air_c <= little_c)][-1]


def _lets_in(before: Mark, now: Mark, *, is_defrosting: bool) -> bool:
    warmer_k = now.air_c - before.air_c
    if before.humidity_pct is None or now.humidity_pct is None:
        return warmer_k >= WARM_K and not is_defrosting
    damper_pct = now.humidity_pct - before.humidity_pct
    if damper_pct >= HUMIDITY_PCT and warmer_k >= -COLDER_K and not is_defrosting:
        return now.vapour_pa > before.vapour_pa
    is_vapour = now.vapour_pa >= (1 + VAPOUR_SHARE) * before.vapour_pa
    return is_vapour and warmer_k >= (DEFROST_K if is_defrosting else VAPOUR_K) and damper_pct >= VAPOUR_PCT


def _quicker_pa(steps: tuple[Mark, ...]) -> float:
    """How much more vapour the last step brought than the one before."""
    first, second, third = steps
    return (third.vapour_pa - second.vapour_pa) - (second.vapour_pa - first.vapour_pa)


def _learnt(noise_pa: float, quicker_pa: float) -> float:
    """The median, step by step: cycles of the compressor hardly move it."""
    return noise_pa * NOISE_STEP if quicker_pa > noise_pa else max(0.1, noise_pa / NOISE_STEP)


# --- it is open ---------------------------------------------------------------------------------------------------


def _stepped(opening: Opening, steps: tuple[Mark, ...], noise_pa: float, *, is_defrosting: bool) -> Opening:
    """Opened anew, or cooling runs: what the last step says."""
    before, newest = steps[-2:]
    if _falls(opening, steps):
        opening = replace(opening, is_cooled=True)
    if not _is_again(opening, steps, noise_pa):
        if opening.shut_s is not None and not is_defrosting and _stands(opening, opening.shut_s, steps):
            return replace(opening, shut_s=None, most_c=newest.air_c, most_pa=newest.vapour_pa)
        return opening
    if opening.is_left:
        return opening
    return replace(
        opening,
        opened_s=before.at_s,
        most_c=newest.air_c,
        most_pa=newest.vapour_pa,
        base_c=before.air_c,
        early_c=newest.air_c,
        shut_s=None,
    )


def _falls(opening: Opening, steps: tuple[Mark, ...]) -> bool:
    """Cooling gets on, in the last step."""
    if len(steps) < 2:
        return False
    before, newest = steps[-2:]
    is_drying = before.vapour_pa - newest.vapour_pa >= FALL_SHARE * opening.jump_pa
    return is_drying or before.air_c - newest.air_c >= COOL_SHARE * opening.rise_k


def _is_again(opening: Opening, steps: tuple[Mark, ...], noise_pa: float) -> bool:
    if len(steps) < 3:
        return False
    least_pa = max(AGAIN_NOISES * noise_pa, AGAIN_SHARE * opening.jump_pa)
    more_pa = steps[2].vapour_pa - steps[1].vapour_pa
    if opening.shut_s is not None:
        return more_pa >= least_pa
    is_later = steps[1].at_s - opening.opened_s >= AGAIN_AFTER_S
    return is_later and more_pa > 0 and _quicker_pa(steps) >= least_pa


def _stands(opening: Opening, shut_s: float, steps: tuple[Mark, ...]) -> bool:
    """It fell, and goes on no more though it is far from cold: cooling cannot get on against what comes in."""
    first, newest = steps[0], steps[-1]
    is_high = newest.air_c >= opening.from_c + HIGH_SHARE * opening.rise_k
    is_level = abs(first.air_c - newest.air_c) <= STANDS_SHARE * opening.rise_k
    return opening.is_cooled and is_high and is_level and newest.at_s - shut_s <= STANDS_S


def _warmed(opening: Opening, newest: Mark) -> Opening:
    return replace(
        opening,
        most_c=max(opening.most_c, newest.air_c),
        most_pa=max(opening.most_pa, newest.vapour_pa),
        rise_k=max(opening.rise_k, newest.air_c - opening.from_c),
        jump_pa=max(opening.jump_pa, newest.vapour_pa - opening.from_pa),
        early_c=newest.air_c if newest.at_s - opening.opened_s <= VISIT_END_S else opening.early_c,
    )


def _until_over(state: State, opening: Opening, newest: Mark, *, is_defrosting: bool) -> Felt:
    if opening.shut_s is not None:
        is_back = newest.air_c <= opening.from_c + OVER_SHARE * opening.rise_k
        is_over = is_back or state.now_s - opening.shut_s > OVER_S
        return _said(replace(state, opening=None) if is_over else state)
    is_cooler = newest.air_c <= opening.most_c - max(BACK_K, BACK_SHARE * opening.rise_k)
    is_drier = newest.vapour_pa <= opening.most_pa - DRY_SHARE * opening.jump_pa
    if is_cooler or is_drier:
        shut = replace(opening, shut_s=state.now_s, is_left=False)
        return _said(replace(state, opening=shut), state.now_s - opening.opened_s)
    if opening.is_left or not _is_left(state, opening, newest, is_defrosting=is_defrosting):
        return _said(state)
    return _said(replace(state, opening=replace(opening, is_left=True)))


def _is_left(state: State, opening: Opening, newest: Mark, *, is_defrosting: bool) -> bool:
    open_s = newest.at_s - opening.opened_s
    if open_s < SURE_S or newest.at_s - state.moved_s >= STILL_S:
        return False
    if _falls(opening, state.steps):  # the next step says whether it goes on, shut, or stands, open
        return False
    later_k, warmer_k = newest.air_c - opening.early_c, newest.air_c - opening.base_c
    since_s = (open_s if is_defrosting else SURE_S) - VISIT_END_S
    is_later = later_k >= max(LATER_SHARE * warmer_k, HEATERS_K_S * since_s)
    if is_defrosting:
        is_faster = newest.air_c - state.steps[0].air_c >= HEATERS_K
        is_more = later_k >= HEATERS_SHARE * warmer_k * (open_s - VISIT_END_S) / (SURE_S - VISIT_END_S)
        return is_later and (is_faster or is_more)
    if is_later or opening.is_cooled:
        return True
    return open_s >= VISIT_S and newest.vapour_pa >= opening.from_pa + KEPT_SHARE * opening.jump_pa
