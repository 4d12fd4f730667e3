"""Cooling that weakens over days, told before it fails: CUSUM charts (Page 1954) of daily figures.

* strength: how fast the air warms at rest plus how fast it cools when the compressor runs. Heat that comes in adds
  to the one what it takes from the other, so a hot day leaves the sum alone, and what is left is the coil's power.
* duty: the share of time in which the air cools.
* minimum: how cold the coldest half hour of a day was.

What is usual is learnt in the first week. Strength and duty need the compressor's cycles: at least three samples in
each half of them, and a swing of 0.3 K; with a sample every 15 min there is mostly the minimum alone.
"""

import math
from dataclasses import dataclass, field, replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.swings import GAP_S, Leg, Swing, median, smoothed, spread
from edge_agent.alerts.swings import follow as swing_on
from edge_agent.domain.alarm import Priority

DAY_S = 86_400.0
LEAST_DAY_S = 18 * 3600.0  # seen of a day, for its figures to count
LEARN_DAYS = 7
LEAST_DAYS = 4  # of a figure among those, else it is not known here
LEGS_KEPT = 96
LEAST_LEGS = 8  # in a day, of each direction
SAMPLES_A_LEG = 3.0
CALM_S = 900.0  # after a door or a defrost
MEAN_S = 1800.0
SLACK = 1.0  # standard deviations a day that are forgiven ...
ALARM = 6.0  # ... and how many of the rest add up to an alarm
MOST = 4.0  # a single day counts no more
MENDED_SHARE = 0.6  # of the sum is kept by a day as usual
OVER = 0.5  # of ALARM: below it the alarm is over
FORGETS_DAYS = 60.0  # what is usual follows the seasons
STRENGTH_SD = 0.05  # of its logarithm: no figure is steadier than this
DUTY_SD = 0.1  # hot days, a full room: only what goes on for a week is wear
MINIMUM_SD_K = 0.4


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure, a CUSUM upwards (a fall is charted by its negative)."""

    first: tuple[float, ...] = ()  # the days it learns from
    usual: float | None = None
    sd: float = 0.0
    sum: float = 0.0
    last: float | None = None


@dataclass(frozen=True, slots=True)
class Learnt:
    """What outlives a power cut: changes once a day."""

    days: int = 0
    weakness: Chart = field(default_factory=Chart)  # negative logarithm of the strength in K/min
    duty: Chart = field(default_factory=Chart)
    minimum: Chart = field(default_factory=Chart)
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class State:
    learnt: Learnt = field(default_factory=Learnt)
    # Built anew after a start; a day that was broken counts when enough of it is left:
    swing: Swing = field(default_factory=Swing)
    step_s: float = 0.0
    disturbed_s: float = -math.inf
    day_s: float = 0.0  # of which the day consists so far
    seen_s: float = 0.0
    warming: tuple[float, ...] = ()  # K/min
    cooling: tuple[float, ...] = ()
    warming_s: float = 0.0
    cooling_s: float = 0.0
    mean_c: float | None = None
    coldest_c: float | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    state: State
    is_weak: bool
    why: str = ""
    value: float | None = None
    usual: float | None = None
    unit: str = ""


def follow(state: State, moment: Moment) -> Followed:
    """One moment on; ``is_door_open`` and ``is_defrosting`` as far as they are known."""
    if moment.air_c is None:
        swing = replace(state.swing, now_s=state.swing.now_s + moment.after_s)
        return _said(replace(state, swing=swing, day_s=state.day_s + moment.after_s))
    before = state.swing
    swing, leg = swing_on(before, moment.air_c, moment.after_s)
    is_disturbed = bool(moment.is_door_open) or moment.is_defrosting
    state = replace(
        state,
        swing=swing,
        day_s=state.day_s + moment.after_s,
        disturbed_s=swing.now_s if is_disturbed else state.disturbed_s,
    )
    if before.level_c is None or moment.after_s > GAP_S:
        return _said(_day_over(replace(state, mean_c=moment.air_c)))
    state = replace(state, step_s=smoothed(state.step_s or None, moment.after_s, 1.0, 20.0))
    if leg is not None and before.from_s - state.disturbed_s > CALM_S:
        state = _counted(state, leg)
    mean_c = smoothed(state.mean_c, moment.air_c, moment.after_s, MEAN_S)
    coldest_c = state.coldest_c
    if state.seen_s > 2 * MEAN_S:
        coldest_c = mean_c if coldest_c is None else min(coldest_c, mean_c)
    state = replace(state, mean_c=mean_c, coldest_c=coldest_c, seen_s=state.seen_s + moment.after_s)
    return _said(_day_over(state))


def condition(place: str, followed: Followed) -> Condition:
    return Condition(
        name=f"{place}-cooling-weak",
        holds=followed.is_weak,
        priority=Priority.MEDIUM,
        message=f"The cooling of {place} gets weaker from day to day: {followed.why}"
        if followed.is_weak
        else f"The cooling of {place} is as usual",
        action="Have the condenser cleaned, the evaporator looked at for ice, and the refrigerant checked, soon",
        evidence=followed.why,
        place=place,
        value=followed.value,
        limit=followed.usual,
        unit=followed.unit,
    )


def _counted(state: State, leg: Leg) -> State:
    if leg.for_s < SAMPLES_A_LEG * state.step_s:
        return state
    if leg.rises:
        return replace(
            state, warming=(*state.warming, leg.k_per_min)[-LEGS_KEPT:], warming_s=state.warming_s + leg.for_s
        )
    return replace(state, cooling=(*state.cooling, leg.k_per_min)[-LEGS_KEPT:], cooling_s=state.cooling_s + leg.for_s)


def _day_over(state: State) -> State:
    if state.day_s < DAY_S:
        return state
    fresh = State(
        learnt=state.learnt,
        swing=state.swing,
        step_s=state.step_s,
        disturbed_s=state.disturbed_s,
        mean_c=state.mean_c,
    )
    if state.seen_s < LEAST_DAY_S:
        return fresh
    learnt = state.learnt
    days = learnt.days + 1
    minimum = _charted(learnt.minimum, days, state.coldest_c, MINIMUM_SD_K)
    weakness, duty = learnt.weakness, learnt.duty
    strength = duty_share = None
    if min(len(state.warming), len(state.cooling)) >= LEAST_LEGS:
        strength = -math.log(median(state.warming) + median(state.cooling))
        duty_share = state.cooling_s / (state.cooling_s + state.warming_s)
    weakness = _charted(weakness, days, strength, STRENGTH_SD)
    duty = _charted(duty, days, duty_share, DUTY_SD)
    most = max(weakness.sum, duty.sum, minimum.sum)
    is_weak = most > (OVER * ALARM if learnt.is_weak else ALARM)
    return replace(fresh, learnt=Learnt(days, weakness, duty, minimum, is_weak))


def _charted(chart: Chart, day: int, figure: float | None, least_sd: float) -> Chart:
    """One day more on the chart. What is not known today leaves it as it is."""
    if figure is None:
        return chart
    figure = round(figure, 4)
    if chart.usual is None:
        first = (*chart.first, figure)
        if day < LEARN_DAYS or len(first) < LEAST_DAYS:
            return replace(chart, first=first[-LEARN_DAYS:], last=figure)
        return Chart(usual=median(first), sd=max(spread(first), least_sd), last=figure)
    z = min(max((figure - chart.usual) / chart.sd, -MOST), MOST)
    kept = chart.sum if z >= SLACK else MENDED_SHARE * chart.sum
    total = min(max(0.0, kept + z - SLACK), 3 * ALARM)
    # While it looks usual, it says what is usual.
    usual = chart.usual + (figure - chart.usual) / FORGETS_DAYS if total < ALARM / 2 else chart.usual
    return replace(chart, usual=round(usual, 4), sum=round(total, 2), last=figure)


def _said(state: State) -> Followed:
    learnt = state.learnt
    if not learnt.is_weak:
        return Followed(state, False)
    worst = max((learnt.weakness, learnt.duty, learnt.minimum), key=lambda chart: chart.sum)
    last, usual = worst.last or 0.0, worst.usual or 0.0
    if worst is learnt.weakness:
        share = 100 * math.exp(usual - last)
        return Followed(state, True, f"it cools with {share:.0f} % of its usual strength", round(share), 100.0, "%")
    if worst is learnt.duty:
        why = f"it runs {100 * last:.0f} % of the time; {100 * usual:.0f} % is usual"
        return Followed(state, True, why, round(100 * last), round(100 * usual), "%")
    why = f"the coldest half hour of a day is {last:.1f} °C; {usual:.1f} °C is usual"
    return Followed(state, True, why, round(last, 1), round(usual, 1), "°C")
