"""A compressor that stopped: the air goes above where cooling usually sets in, and does not come back.

Where it usually sets in, how far peaks stray, and how long the air usually stays above it (doors, warm goods) is
learnt in blocks of six hours from what the room does by itself. A room that nobody entered is told after three
minutes above. After a door or a defrost a compressor that runs pulls the air down within minutes, each room in its own
time: one that stays warm for longer than it ever took since the door was shut, or the defrost's heat ended, is told.
With a sample every 15 min it takes at least three of them, so 15 min cannot be kept there; a room whose cycles are not
seen is judged by its half-hour means.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.swings import GAP_S, Leg, Swing, median, smoothed, spread
from edge_agent.alerts.swings import follow as swing_on
from edge_agent.domain.alarm import Priority

BLOCK_S = 6 * 3600.0
BLOCKS_KEPT = 28  # a week
LEAST_BLOCKS = 4
DEFROST_BLOCKS = 5  # 30 h: a defrost comes once a day at the least, where there are any
KNOWN_BLOCKS = 12  # three days: whatever comes daily was seen
DEFROST_S = 2700.0  # a defrost that nobody knows of yet
LEGS_KEPT = 64
LEAST_LEGS = 3  # in a block, for its peaks to be the compressor's
MARGIN_K = 0.25
SPREADS = 4.0
MEAN_S = 1800.0
QUIET_S = 180.0  # above, in a room nobody entered
CALM_S = 900.0  # so long after a door or a defrost a rise may still be theirs
AFTER_DOOR_S = 420.0  # above, since the door was shut: it must rest for 3 min, then pulls the air down; without ...
AFTER_UNSEEN_S = 1500.0  # ... a contact not every load is seen that is carried in, which takes 20 min; since ...
AFTER_DEFROST_S = 480.0  # ... a defrost's heat ended: the coil drips, the fan waits, the air is pulled down; or ...
RECOVERY_SHARE = 1.3  # ... so many times as long as it usually takes at most, ...
RECOVERY_S = 120.0  # ... and so much
PULL_S = 240.0
PULLED_SHARE = 0.5  # of how fast the room is usually cooled: it runs. Air that falls back to its goods falls slower
ENTERED_S = 600.0  # above, in a room that was entered; more where it is used to more
STAY_SHARE = 1.3
STAY_S = 300.0
LONGEST_STAY_S = 3 * 3600.0
NEW_S = 3600.0  # of a rise, while nothing is learnt ...
NEW_K = 3.0  # ... and so much
SAMPLES = 3.5  # at least so many of them above
RARE_MARGIN_K = 1.5  # where samples are too rare to see a cycle, its peak may lie between two of them
OFTEN_S = 120.0  # a sample so often or more: a rise is followed, not guessed
TREND_S = 600.0
FALLING_K = 0.15  # in a trend's time: it cools, so the compressor runs; or, where it is known, ...
COOLING_SHARE = 0.25  # ... of how fast the room is usually cooled, ...
MOST_K = 1.0  # ... but no more than that is asked for
BELOW_K = 0.3  # below the threshold again: over; or back ...
BACK_K = 1.0  # ... by so much from where it was told (what came in by a door since goes by itself) ...
BACK_SHARE = 0.5  # ... and by half of what it was above
MARKS = 24  # of the warming, thinned out by halves
MARK_S = 60.0
HORIZON_S = 48 * 3600.0
SURROUNDINGS_C = (10.0, 40.0)  # what a room without cooling may tend to


@dataclass(frozen=True, slots=True)
class Learnt:
    """What outlives a power cut: changes every six hours."""

    peaks_c: tuple[float, ...] = ()  # of each block: where cooling sets in
    strays_k: tuple[float, ...] = ()  # how far single peaks lie from it
    stays_s: tuple[float, ...] = ()  # the longest time above in a block
    defrosts: tuple[bool, ...] = ()  # whether one was recognised in it
    cooling_k_min: float = 0.0  # how fast the compressor usually cools; 0: not known
    after_doors_s: tuple[float, ...] = ()  # the longest in a block until the air was back, since a door was shut ...
    after_defrosts_s: tuple[float, ...] = ()  # ... or a defrost's heat ended


@dataclass(frozen=True, slots=True)
class Mark:
    at_s: float
    air_c: float


@dataclass(frozen=True, slots=True)
class Block:
    """What the present block has seen so far."""

    lasted_s: float = 0.0
    peaks_c: tuple[float, ...] = ()  # of legs that nothing disturbed
    cooling_k_min: tuple[float, ...] = ()  # of those
    mean_c: float | None = None  # of half an hour
    warmest_c: float | None = None  # such mean, outside defrosts
    stay_s: float = 0.0
    after_door_s: float = 0.0
    after_defrost_s: float = 0.0
    has_defrosted: bool = False


@dataclass(frozen=True, slots=True)
class State:
    learnt: Learnt = field(default_factory=Learnt)
    # Built anew after a start:
    swing: Swing = field(default_factory=Swing)
    block: Block = field(default_factory=Block)
    step_s: float = 0.0
    entered_s: float | None = None  # when a door was last open
    defrosted_s: float | None = None  # when a defrost was last underway
    heated_s: float | None = None  # when a defrost last heated the air
    warm_s: float | None = None  # since when the air is above where cooling sets in, be it for a defrost
    cooled_s: float | None = None  # when it last fell as only a compressor makes it
    watched_s: float = 0.0  # since which nothing was missed
    above_s: float | None = None  # since when the air is above, and no defrost makes it so
    told_c: float = 0.0  # how warm it was when it was told
    trend: tuple[Mark, ...] = ()  # of the last ten minutes
    marks: tuple[Mark, ...] = ()  # since the rise began
    is_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Crossing:
    limit_c: float
    in_s: float  # from now; 0: passed already


@dataclass(frozen=True, slots=True)
class Followed:
    state: State
    is_stopped: bool
    above_s: float = 0.0
    threshold_c: float | None = None  # None: not learnt yet
    air_c: float | None = None
    crossings: tuple[Crossing, ...] = ()  # of the product, when it is stopped; limits not reached in 48 h are left out


def follow(
    state: State,
    moment: Moment,
    limits_c: Sequence[float] = (5.0, 8.0),
    product_s: float = 7200.0,
    is_door_known: bool = True,
    are_defrosts_known: bool = False,
    has_contact: bool = False,
    heat_ends_in_s: float | None = None,
) -> Followed:
    """One moment on; ``limits_c`` and ``product_s`` (time constant of the product behind the air) for the forecast.

    ``moment.is_door_open`` should be the door's state as far as it is known, inferred or by contact.
    ``moment.is_defrosting`` is relied on where it was true lately, or ``are_defrosts_known``; that every opening is
    known only where the door ``has_contact``. ``heat_ends_in_s``: until the heat of the defrost that is due usually
    ends, or since (negative); None where none is due, or it is not known.
    """
    if moment.air_c is None:
        swing = replace(state.swing, now_s=state.swing.now_s + moment.after_s)
        return _said(replace(state, swing=swing), moment, limits_c, product_s)
    before = state.swing
    swing, leg = swing_on(before, moment.air_c, moment.after_s)
    is_anew = before.level_c is None or moment.after_s > GAP_S
    state = _disturbed(replace(state, swing=swing), moment)
    if is_anew:
        state = replace(state, watched_s=swing.now_s, above_s=None, warm_s=None, trend=(), marks=(), step_s=0.0)
        return _said(state, moment, limits_c, product_s)
    state = replace(state, step_s=smoothed(state.step_s or None, moment.after_s, 1.0, 20.0))
    if leg is not None and _is_undisturbed(state, before.from_s):
        state = replace(state, block=_counted(state.block, leg))
    if leg is not None and _is_cooling(state.learnt, leg):
        state = replace(state, cooled_s=swing.now_s)
    state = _marked(state, is_turned=leg is not None)
    # Without a contact nothing is known of the door in a defrost, and none is taken to be open.
    is_door_known = is_door_known or moment.is_defrosting
    is_clear = is_door_known and (are_defrosts_known or _are_defrosts_seen(state) or _is_never_long(state.learnt))
    state = _above(state, moment)
    state = _recovering(_heated(state, moment, heat_ends_in_s), moment, is_clear=is_clear)
    state = _blocked(state, moment)
    return _said(_judged(state, moment, is_clear=is_clear, has_contact=has_contact), moment, limits_c, product_s)


def condition(place: str, followed: Followed, goods: str = "") -> Condition:
    holds = followed.is_stopped
    ahead = "; ".join(
        f"the goods are above {crossing.limit_c:g} °C"
        if crossing.in_s <= 0
        else f"the goods may pass {crossing.limit_c:g} °C in {_duration(crossing.in_s)}"
        for crossing in followed.crossings
    )
    return Condition(
        name=f"{place}-compressor",
        holds=holds,
        priority=Priority.HIGH,
        message=f"{place} is not being cooled" + (f": {ahead}" if ahead else "") + (f" ({goods})" if goods else "")
        if holds
        else f"{place} is being cooled again",
        action="Look at the compressor, its fuse and its condenser; keep the door shut; call the engineer",
        evidence=f"{followed.above_s / 60:.0f} min above where cooling sets in" if holds else "",
        place=place,
        value=None if followed.air_c is None else round(followed.air_c, 2),
        limit=None if followed.threshold_c is None else round(followed.threshold_c, 2),
        unit="°C",
        needs_acknowledgement=True,
    )


def threshold_c(learnt: Learnt, step_s: float = 0.0) -> float | None:
    """Where cooling has usually set in for sure, sampled every ``step_s``; None while less than a day is known."""
    if len(learnt.peaks_c) < LEAST_BLOCKS:
        return None
    strays = max(median(learnt.strays_k), spread(learnt.peaks_c))
    return median(learnt.peaks_c) + max(MARGIN_K if step_s <= OFTEN_S else RARE_MARGIN_K, SPREADS * strays)


def _disturbed(state: State, moment: Moment) -> State:
    now_s = state.swing.now_s
    if moment.is_door_open:
        state = replace(state, entered_s=now_s)
    if moment.is_defrosting:
        state = replace(state, defrosted_s=now_s)
    return state


def _is_undisturbed(state: State, since_s: float) -> bool:
    """Nothing but the compressor moved the air since."""
    known_s = (each_s for each_s in (state.entered_s, state.defrosted_s, state.heated_s) if each_s is not None)
    last_s = max((*known_s, state.watched_s - CALM_S / 2))
    return since_s - last_s > (CALM_S / 2 if last_s == state.watched_s - CALM_S / 2 else CALM_S)


def _marked(state: State, is_turned: bool) -> State:
    """Marks of the last ten minutes for the trend, and of the whole rise for the forecast."""
    now = Mark(state.swing.now_s, _level(state))
    trend = tuple(mark for mark in state.trend if mark.at_s >= now.at_s - TREND_S - max(MARK_S, state.step_s))
    if not trend or now.at_s - trend[-1].at_s >= MARK_S:
        trend = (*trend, now)
    marks = () if is_turned and state.above_s is None else state.marks
    apart_s = max(MARK_S, (marks[-1].at_s - marks[0].at_s) / (MARKS - 1)) if len(marks) > 1 else MARK_S
    if not marks or now.at_s - marks[-1].at_s >= apart_s:
        marks = (*marks, now)
    if len(marks) > MARKS:
        marks = (*marks[:-1:2], marks[-1])
    return replace(state, trend=trend, marks=marks)


def _level(state: State) -> float:
    assert state.swing.level_c is not None
    return state.swing.level_c


def _above(state: State, moment: Moment) -> State:
    limit_c = threshold_c(state.learnt, state.step_s)
    level_c = _level(state)
    if limit_c is None:  # nothing is learnt yet
        return state
    if moment.is_defrosting and not state.is_stopped:
        return replace(state, above_s=None)
    if state.above_s is None:
        return replace(state, above_s=state.swing.now_s) if level_c > limit_c else state
    stay_s = _above_for_s(state)
    if level_c > limit_c - (BELOW_K if state.is_stopped else 0.0):
        return state
    block = state.block
    if not state.is_stopped:
        block = replace(block, stay_s=max(block.stay_s, min(stay_s, LONGEST_STAY_S)))
    return replace(state, above_s=None, block=block)


def _above_for_s(state: State) -> float:
    """Since the door was last open, or the air last cooled: what came in meanwhile is no fault of the compressor."""
    if state.above_s is None:
        return 0.0
    return state.swing.now_s - max(state.above_s, state.entered_s or 0.0, state.cooled_s or 0.0)


def _heated(state: State, moment: Moment, heat_ends_in_s: float | None) -> State:
    """By a defrost: until its usual end, though a door's warm air hide it, and longer while the air goes on warming."""
    swing = state.swing
    heated_s = state.heated_s or 0.0
    if moment.is_defrosting:
        heated_s = max(heated_s, swing.to_s if swing.rises else swing.from_s)
    if heat_ends_in_s is not None and (moment.is_defrosting or heat_ends_in_s > 0):
        heated_s = max(heated_s, swing.now_s + min(heat_ends_in_s, 0.0))
    return replace(state, heated_s=heated_s) if heated_s else state


def _recovering(state: State, moment: Moment, *, is_clear: bool) -> State:
    """How long the air is above, a defrost or not; what it took after a door or a defrost is learnt."""
    limit_c = threshold_c(state.learnt, state.step_s)
    if limit_c is None:
        return state
    is_above = _level(state) > limit_c - (BELOW_K if state.is_stopped else 0.0)
    if state.warm_s is None:
        return replace(state, warm_s=state.swing.now_s) if is_above else state
    if is_above:
        return state
    block = state.block
    if is_clear and not state.is_stopped and not moment.is_door_open:
        uncooled_s, after_s = _uncooled_s(state), _disturbed_s(state)
        if after_s is not None and after_s == state.heated_s:
            block = replace(block, after_defrost_s=max(block.after_defrost_s, uncooled_s))
        elif after_s is not None:
            block = replace(block, after_door_s=max(block.after_door_s, uncooled_s))
    return replace(state, warm_s=None, block=block)


def _disturbed_s(state: State) -> float | None:
    """When a door or a defrost last had to do with the air's being above; None: neither had."""
    last_s = max(state.entered_s or -math.inf, state.heated_s or -math.inf)
    return last_s if state.warm_s is not None and last_s > state.warm_s - CALM_S else None


def _uncooled_s(state: State) -> float:
    """How long the air has been above with nothing to keep it there but a compressor that stands."""
    if state.warm_s is None:
        return 0.0
    return state.swing.now_s - max(state.warm_s, state.entered_s or 0.0, state.heated_s or 0.0)


def _recovers_within_s(state: State, *, has_contact: bool) -> float:
    """After what there was last: somewhat longer than it takes. Defrosts are alike, and one that took longer had a
    door in it; of what people do the longest counts, one block of three days and more left out."""
    after_s, learnt = _disturbed_s(state), state.learnt
    if after_s is not None and after_s == state.heated_s:
        known_s = [each_s for each_s in learnt.after_defrosts_s if each_s > 0]
        return max(AFTER_DEFROST_S, RECOVERY_SHARE * median(known_s) + RECOVERY_S) if known_s else AFTER_UNSEEN_S
    known_s = sorted(learnt.after_doors_s)
    usual_s = known_s[-2 if len(known_s) >= KNOWN_BLOCKS else -1] if known_s else 0.0
    is_seen = has_contact and usual_s > 0
    return max(AFTER_DOOR_S if is_seen else AFTER_UNSEEN_S, RECOVERY_SHARE * usual_s + RECOVERY_S)


def _is_cooling(learnt: Learnt, leg: Leg) -> bool:
    return not leg.rises and learnt.cooling_k_min > 0 and leg.k_per_min >= COOLING_SHARE * learnt.cooling_k_min


def _blocked(state: State, moment: Moment) -> State:
    """Six hours of what the room does: where cooling set in, how long the air stayed above."""
    block = replace(state.block, lasted_s=state.block.lasted_s + moment.after_s)
    if moment.is_defrosting:
        block = replace(block, has_defrosted=True)
    elif not state.is_stopped:
        mean_c = smoothed(block.mean_c, _level(state), moment.after_s, MEAN_S)
        warmest_c = mean_c if block.warmest_c is None else max(block.warmest_c, mean_c)
        block = replace(block, mean_c=mean_c, warmest_c=warmest_c)
    if block.lasted_s < BLOCK_S:
        return replace(state, block=block)
    fresh = Block(mean_c=block.mean_c)
    if state.is_stopped or block.warmest_c is None:
        return replace(state, block=fresh)
    return replace(state, block=fresh, learnt=_learnt(state.learnt, block, block.warmest_c))


def _counted(block: Block, leg: Leg) -> Block:
    if leg.rises:
        return replace(block, peaks_c=(*block.peaks_c, leg.to_c)[-LEGS_KEPT:])
    return replace(block, cooling_k_min=(*block.cooling_k_min, leg.k_per_min)[-LEGS_KEPT:])


def _learnt(learnt: Learnt, block: Block, warmest_c: float) -> Learnt:
    is_cycling = len(block.peaks_c) >= LEAST_LEGS
    peak_c = median(block.peaks_c) if is_cycling else warmest_c
    stray_k = spread(block.peaks_c) if is_cycling else 0.0
    return Learnt(
        peaks_c=(*learnt.peaks_c, round(peak_c, 2))[-BLOCKS_KEPT:],
        strays_k=(*learnt.strays_k, round(stray_k, 2))[-BLOCKS_KEPT:],
        stays_s=(*learnt.stays_s, round(block.stay_s))[-BLOCKS_KEPT:],
        defrosts=(*learnt.defrosts, block.has_defrosted)[-BLOCKS_KEPT:],
        after_doors_s=(*learnt.after_doors_s, round(block.after_door_s))[-BLOCKS_KEPT:],
        after_defrosts_s=(*learnt.after_defrosts_s, round(block.after_defrost_s))[-BLOCKS_KEPT:],
        cooling_k_min=round(median(block.cooling_k_min), 3) if is_cycling and block.cooling_k_min else 0.0,
    )


def _are_defrosts_seen(state: State) -> bool:
    """One was recognised within the longest time between two."""
    return state.block.has_defrosted or any(state.learnt.defrosts[-DEFROST_BLOCKS:])


def _is_never_long(learnt: Learnt) -> bool:
    """In a whole week nothing, no defrost either, kept the air above for long."""
    return len(learnt.stays_s) == BLOCKS_KEPT and max(learnt.stays_s) <= ENTERED_S


def _judged(state: State, moment: Moment, *, is_clear: bool, has_contact: bool) -> State:
    limit_c = threshold_c(state.learnt, state.step_s)
    if limit_c is None:
        swing = state.swing
        new_s = NEW_S if state.step_s <= OFTEN_S else LONGEST_STAY_S
        is_long = swing.rises is True and swing.leg_s >= new_s and swing.to_c - swing.from_c >= NEW_K
        return replace(state, is_stopped=is_long and not moment.is_door_open)
    is_quick = is_clear and state.step_s <= OFTEN_S and state.learnt.cooling_k_min > 0
    if state.is_stopped and state.above_s is not None:
        is_back = _level(state) <= state.told_c - max(BACK_K, BACK_SHARE * (state.told_c - limit_c))
        if not is_back or (is_quick and not _is_pulled_down(state)):
            return state
        return replace(state, is_stopped=False, above_s=state.swing.now_s, warm_s=state.swing.now_s)
    if is_quick:
        return _judged_quickly(state, moment, has_contact=has_contact)
    if state.above_s is None:
        return replace(state, is_stopped=False)
    stay_s = _above_for_s(state)
    is_explained = moment.is_door_open or _is_falling(state)
    is_stopped = stay_s >= _allowed_s(state, is_clear=is_clear, has_contact=has_contact) and not is_explained
    return replace(state, is_stopped=is_stopped, told_c=_level(state))


def _judged_quickly(state: State, moment: Moment, *, has_contact: bool) -> State:
    """Doors, defrosts and the compressor's cycles are known: it is cooled within its usual time, or it has stopped."""
    least_s = SAMPLES * state.step_s
    is_calm = state.swing.rises is True and _is_undisturbed(state, state.swing.from_s)
    allowed_s = QUIET_S if is_calm else _recovers_within_s(state, has_contact=has_contact)
    is_long = state.warm_s is not None and _uncooled_s(state) >= max(allowed_s, least_s)
    if not is_long or moment.is_door_open or _is_pulled_down(state):
        return replace(state, is_stopped=False)
    return replace(state, is_stopped=True, above_s=state.warm_s, told_c=_level(state))


def _is_pulled_down(state: State) -> bool:
    """In the last minutes as only a compressor does it; before them it may have had to wait."""
    recent = [mark for mark in state.trend if mark.at_s >= state.swing.now_s - PULL_S]
    if not recent:
        return False
    for_s = max(state.swing.now_s - recent[0].at_s, MARK_S)
    return _level(state) <= recent[0].air_c - max(FALLING_K, PULLED_SHARE * state.learnt.cooling_k_min * for_s / 60)


def _allowed_s(state: State, *, is_clear: bool, has_contact: bool) -> float:
    """How long the air may be above: minutes when nothing else can be the reason, else as long as it ever was."""
    least_s = SAMPLES * state.step_s
    is_often = state.step_s <= OFTEN_S
    if is_clear and is_often and state.swing.rises is True and _is_undisturbed(state, state.swing.from_s):
        return max(QUIET_S, least_s)
    if is_clear and is_often and has_contact and state.learnt.cooling_k_min > 0:
        return max(ENTERED_S, least_s)  # nobody came since, and it does not cool as it does: see _is_falling
    stays_s = sorted(state.learnt.stays_s)
    usual_s = stays_s[-2] if len(stays_s) == BLOCKS_KEPT else stays_s[-1]
    least_s = max(least_s, ENTERED_S if is_clear or len(stays_s) >= KNOWN_BLOCKS else DEFROST_S)
    return max(least_s, min(STAY_SHARE * usual_s + STAY_S + state.step_s, LONGEST_STAY_S))


def _is_falling(state: State) -> bool:
    """In a trend's time by a good part of what the compressor does: air that falls back to its goods falls slower."""
    if len(state.trend) < 2:
        return False
    for_s = max(state.swing.now_s - state.trend[0].at_s, MARK_S)
    usual_k = COOLING_SHARE * state.learnt.cooling_k_min * for_s / 60
    return _level(state) <= state.trend[0].air_c - min(max(FALLING_K, usual_k), MOST_K)


def _said(state: State, moment: Moment, limits_c: Sequence[float], product_s: float) -> Followed:
    limit_c = threshold_c(state.learnt, state.step_s)
    above_s = 0.0 if state.above_s is None else state.swing.now_s - state.above_s
    if not state.is_stopped or state.swing.level_c is None:
        return Followed(state, False, above_s, limit_c, state.swing.level_c)
    product_c = state.swing.level_c if moment.product_c is None else moment.product_c
    crossings = forecast(state.marks, product_c, limits_c, product_s)
    return Followed(state, True, above_s, limit_c, state.swing.level_c, crossings)


def _duration(seconds: float) -> str:
    """
    >>> _duration(1500), _duration(9000)
    ('25 min', '2.5 h')
    """
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# ----- the forecast ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Warming:
    """Newton's law: the air tends to ``end_c`` with one time constant, from ``begin_c`` now."""

    begin_c: float
    end_c: float
    time_constant_s: float

    def air_c(self, in_s: float) -> float:
        return self.end_c + (self.begin_c - self.end_c) * math.exp(-in_s / self.time_constant_s)


def warming(marks: Sequence[Mark]) -> Warming | None:
    """The curve through the later half of the marks, when the air alone has come to rest and the goods warm with it.

    Of all time constants from a quarter of an hour to four days the one that fits best, its end kept to what
    surroundings can be. In the first hour the air still runs ahead of the goods that hold it back, so what follows from
    it comes early rather than late. None: nothing to fit.
    """
    later = marks[len(marks) // 2 :] if len(marks) >= 8 else marks
    if len(later) < 3:
        return None
    now_s = later[-1].at_s
    best, best_error = None, math.inf
    for step in range(25):
        time_constant_s = 900.0 * 384.0 ** (step / 24)
        fitted = _fitted(later, now_s, time_constant_s)
        error = sum((fitted.air_c(mark.at_s - now_s) - mark.air_c) ** 2 for mark in later)
        if error < best_error:
            best, best_error = fitted, error
    return best


def _fitted(marks: Sequence[Mark], now_s: float, time_constant_s: float) -> Warming:
    """Least squares for begin and end at this time constant, the end within what surroundings can be."""
    falls = [math.exp((now_s - mark.at_s) / time_constant_s) for mark in marks]
    mean_x = sum(falls) / len(falls)
    mean_y = sum(mark.air_c for mark in marks) / len(marks)
    square = sum((fall - mean_x) ** 2 for fall in falls)
    product = sum((fall - mean_x) * (mark.air_c - mean_y) for fall, mark in zip(falls, marks, strict=True))
    slope = product / square if square else 0.0
    end_c = min(max(mean_y - slope * mean_x, SURROUNDINGS_C[0]), SURROUNDINGS_C[1])
    # With the end given, the begin alone: through the origin.
    weight = sum(fall * fall for fall in falls)
    height = sum(fall * (mark.air_c - end_c) for fall, mark in zip(falls, marks, strict=True)) / weight
    return Warming(end_c + height, end_c, time_constant_s)


def forecast(
    marks: Sequence[Mark], product_c: float, limits_c: Sequence[float], product_s: float
) -> tuple[Crossing, ...]:
    """When the product, first-order behind the warming air, passes each limit; what takes over 48 h is left out."""
    curve = warming(marks)
    if curve is None:
        return tuple(Crossing(limit_c, 0.0) for limit_c in limits_c if product_c > limit_c)
    found: list[Crossing] = []
    ahead = sorted(limits_c)
    in_s, step_s = 0.0, 60.0
    keep = math.exp(-step_s / product_s) if product_s > 0 else 0.0
    while ahead and in_s <= HORIZON_S:
        if product_c > ahead[0]:
            found.append(Crossing(ahead.pop(0), in_s))
            continue
        in_s += step_s
        air_c = curve.air_c(in_s - step_s / 2)
        product_c = air_c + (product_c - air_c) * keep
    return tuple(found)
