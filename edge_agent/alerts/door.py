"""A door left open: by its contact, else by the warm, damp air that comes in.

Inferred only from a sample a minute or more often; with fewer, nothing is known of doors. What tells a door from a
compressor at rest, or from a defrost, is that water comes in with the heat: the vapour pressure jumps, where
otherwise the relative humidity falls or stays as the air warms.
"""

import math
from dataclasses import dataclass, replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.moment import Moment
from edge_agent.domain.alarm import Priority

DOOR_S = 180.0
MOST_APART_S = 60.0  # between samples, for inferring
WINDOW_S = 120.0  # in which a door shows
MARK_S = 10.0
HUMIDITY_PCT = 8.0  # points that the relative humidity jumps
VAPOUR_SHARE = 0.15  # that the vapour pressure jumps, though ...
VAPOUR_K = 0.8  # ... the air warms by so much ...
VAPOUR_PCT = -1.0  # ... and the relative humidity does not give way for it
COLDER_K = 0.2  # the air may have cooled by so much meanwhile; more: the sensor was carried somewhere colder
WARM_K = 2.0  # in the window, where humidity is not known
LITTLE_SHARE = 0.25  # of the rise that shows a door: before it was shut
NEAR_K = 0.1  # below the warmest since, or a twentieth of the rise: still open as far as can be seen
NEAR_SHARE = 0.05
BACK_K = 0.2  # cooler again by so much, and by such a share of what it rose: shut, be it from one load to the next
BACK_SHARE = 0.06
DRY_SHARE = 0.4  # of the jump's vapour is gone: shut
# Without a contact: a visit leaves the air warm until the compressor starts, which it must not for some minutes after
# it stopped (3 min is usual); then a room that is shut cools.
SURE_S = 255.0
SOON_S = 75.0  # almost all of the rise in so short a time was a visit, ...
SOON_SHARE = 0.8
VISIT_S = 600.0  # ... unless the air stays so warm for so long
CONTACT_S = 120.0  # a contact that says nothing for so long is not known


@dataclass(frozen=True, slots=True)
class Mark:
    at_s: float
    air_c: float
    humidity_pct: float | None


@dataclass(frozen=True, slots=True)
class State:
    """Nothing of it outlives a restart: a door that stands open is seen again at once, or by its contact."""

    now_s: float = 0.0
    marks: tuple[Mark, ...] = ()  # of the last two minutes
    contact_s: float | None = None  # when the contact said something
    opened_s: float | None = None
    is_inferred: bool = False
    warm_s: float = 0.0  # when the air was last as warm as ever since
    from_c: float = 0.0  # before it opened
    from_pa: float | None = None
    most_c: float = 0.0  # since
    most_pa: float | None = None
    soon_c: float = 0.0  # the air SOON_S after it opened
    openings: int = 0  # since the start


@dataclass(frozen=True, slots=True)
class Watched:
    state: State
    is_open: bool | None  # None: not known, no contact and too few samples
    open_s: float = 0.0
    is_inferred: bool = False
    sure_after_s: float = 0.0  # until then it may have been a visit
    closed_after_s: float | None = None  # it was shut just now, after so long


def follow(state: State, moment: Moment) -> Watched:
    state = replace(state, now_s=state.now_s + moment.after_s)
    if moment.is_door_open is not None:
        return _by_contact(replace(state, contact_s=state.now_s), moment.is_door_open)
    if state.contact_s is not None and state.now_s - state.contact_s <= CONTACT_S:
        return _said(state)
    if state.opened_s is not None and not state.is_inferred:
        state = replace(state, opened_s=None)  # its contact is gone: not known
    return _by_air(replace(state, contact_s=None), moment)


def condition(place: str, watched: Watched, door_s: float = DOOR_S) -> Condition:
    holds = bool(watched.is_open) and watched.open_s > max(door_s, watched.sure_after_s)
    how = "seems to be open" if watched.is_inferred else "is open"
    return Condition(
        name=f"{place}-door",
        holds=holds,
        priority=Priority.MEDIUM,
        message=f"The door of {place} {how}, for {watched.open_s / 60:.0f} min already"
        if holds
        else f"The door of {place} is shut",
        action="Shut the door; if it is shut, look at its seal and its contact",
        evidence=("warm, damp air comes in" if watched.is_inferred else "contact") if holds else "",
        place=place,
        value=round(watched.open_s) if holds else None,
        limit=door_s if holds else None,
        unit="s",
    )


def vapour_pa(air_c: float, humidity_pct: float) -> float:
    """Vapour pressure, Magnus form over water (Alduchov and Eskridge 1996).

    >>> round(vapour_pa(20.0, 50.0))
    1167
    """
    return humidity_pct / 100 * 610.94 * math.exp(17.625 * air_c / (243.04 + air_c))


def _said(state: State) -> Watched:
    if state.opened_s is None:
        return Watched(state, False)
    if not state.is_inferred:
        return Watched(state, True, state.now_s - state.opened_s)
    is_visit = state.soon_c - state.from_c >= SOON_SHARE * (state.most_c - state.from_c)
    return Watched(state, True, state.warm_s - state.opened_s, True, VISIT_S if is_visit else SURE_S)


def _by_contact(state: State, is_open: bool) -> Watched:
    if is_open == (state.opened_s is not None and not state.is_inferred):
        return _said(state)
    if is_open:
        return _said(replace(state, opened_s=state.now_s, is_inferred=False, openings=state.openings + 1, marks=()))
    return _shut(state)


def _shut(state: State) -> Watched:
    assert state.opened_s is not None
    for_s = (state.warm_s if state.is_inferred else state.now_s) - state.opened_s
    return Watched(replace(state, opened_s=None, is_inferred=False, marks=()), False, closed_after_s=for_s)


def _by_air(state: State, moment: Moment) -> Watched:
    """Too rare a sample, or no air: not known, and an open door that was inferred is forgotten."""
    if moment.air_c is None:
        is_lost = not state.marks or state.now_s - state.marks[-1].at_s > MOST_APART_S
        return Watched(State(state.now_s, openings=state.openings), None) if is_lost else _said(state)
    newest = Mark(state.now_s, moment.air_c, moment.humidity_pct)
    if not 0 < moment.after_s <= MOST_APART_S or not state.marks:
        return Watched(State(state.now_s, (newest,), openings=state.openings), None)
    if moment.is_defrosting:  # the air warms by itself
        return Watched(State(state.now_s, (newest,), openings=state.openings), None)
    if state.opened_s is not None:
        return _until_shut(replace(state, marks=(newest,)), newest)
    before = _opened(state.marks, newest)
    if before is None:
        return Watched(replace(state, marks=_marked(state, newest)), False)
    begin = _begin(state.marks, before, newest)
    opened = replace(
        state,
        marks=(newest,),
        opened_s=begin.at_s,
        is_inferred=True,
        warm_s=state.now_s,
        from_c=before.air_c,
        from_pa=_pa(before),
        most_c=newest.air_c,
        most_pa=_pa(newest),
        soon_c=newest.air_c,
        openings=state.openings + 1,
    )
    return _said(opened)


def _marked(state: State, newest: Mark) -> tuple[Mark, ...]:
    kept = tuple(mark for mark in state.marks if mark.at_s >= newest.at_s - WINDOW_S)
    if kept and newest.at_s - kept[-1].at_s < MARK_S:
        return kept
    return (*kept, newest)


def _opened(marks: tuple[Mark, ...], newest: Mark) -> Mark | None:
    """The latest mark since which the air became so much warmer and damper that a door must be open."""
    for mark in reversed(marks):
        if newest.at_s - mark.at_s <= WINDOW_S and _lets_in(mark, newest):
            return mark
    return None


def _begin(marks: tuple[Mark, ...], before: Mark, newest: Mark) -> Mark:
    """The last mark before most of the rise: the air may have warmed a little already, for other reasons."""
    little_c = before.air_c + LITTLE_SHARE * (newest.air_c - before.air_c)
    return [before, *(mark for mark in marks if mark.at_s > before.at_s and mark.air_c <= little_c)][-1]


def _lets_in(before: Mark, now: Mark) -> bool:
    warmer_k = now.air_c - before.air_c
    before_pa, now_pa = _pa(before), _pa(now)
    if before.humidity_pct is None or now.humidity_pct is None or before_pa is None or now_pa is None:
        return warmer_k >= WARM_K
    damper_pct = now.humidity_pct - before.humidity_pct
    if damper_pct >= HUMIDITY_PCT and warmer_k >= -COLDER_K:
        return now_pa > before_pa
    is_vapour = now_pa >= (1 + VAPOUR_SHARE) * before_pa
    return is_vapour and warmer_k >= VAPOUR_K and damper_pct >= VAPOUR_PCT


def _pa(mark: Mark) -> float | None:
    return None if mark.humidity_pct is None else vapour_pa(mark.air_c, mark.humidity_pct)


def _until_shut(state: State, newest: Mark) -> Watched:
    most_c = max(state.most_c, newest.air_c)
    now_pa = _pa(newest)
    most_pa = state.most_pa if now_pa is None else max(state.most_pa or 0.0, now_pa)
    rise_k = most_c - state.from_c
    is_near = newest.air_c >= most_c - max(NEAR_K, NEAR_SHARE * rise_k)
    is_soon = state.opened_s is not None and state.now_s - state.opened_s <= SOON_S
    state = replace(
        state,
        most_c=most_c,
        most_pa=most_pa,
        soon_c=newest.air_c if is_soon else state.soon_c,
        warm_s=state.now_s if is_near else state.warm_s,
    )
    is_cooler = newest.air_c <= most_c - max(BACK_K, BACK_SHARE * rise_k)
    is_drier = (
        now_pa is not None
        and most_pa is not None
        and state.from_pa is not None
        and now_pa <= most_pa - DRY_SHARE * (most_pa - state.from_pa)
    )
    return _shut(state) if is_cooler or is_drier else _said(state)
