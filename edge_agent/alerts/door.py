"""A door left open: by its contact, else by the warm, damp air that comes in."""

from dataclasses import dataclass, field, replace

from edge_agent.alerts import door_air
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.moment import Moment
from edge_agent.domain.alarm import Priority

DOOR_S = 180.0
CONTACT_S = 120.0  # a contact that says nothing for so long is not known


@dataclass(frozen=True, slots=True)
class State:
    """Nothing of it outlives a restart: a door that stands open is seen again at once, or by its contact."""

    now_s: float = 0.0
    contact_s: float | None = None  # when the contact said something
    opened_s: float | None = None  # by the contact
    air: door_air.State = field(default_factory=door_air.State)


@dataclass(frozen=True, slots=True)
class Watched:
    state: State
    is_open: bool | None  # None: not known, no contact and too few samples
    open_s: float = 0.0
    is_inferred: bool = False
    is_left: bool = True  # open, and known to be more than a visit, or than people who go in and out
    closed_after_s: float | None = None  # it was shut just now, after so long


def follow(state: State, moment: Moment) -> Watched:
    now_s = state.now_s + moment.after_s
    if moment.is_door_open is not None:
        return _by_contact(replace(state, now_s=now_s, contact_s=now_s, air=door_air.State()), moment.is_door_open)
    if state.contact_s is not None and now_s - state.contact_s <= CONTACT_S:
        return _said(replace(state, now_s=now_s))
    felt = door_air.follow(state.air, moment)
    return Watched(
        State(now_s, air=felt.state),
        felt.is_open,
        felt.open_s,
        is_inferred=felt.is_open is True,
        is_left=felt.is_left,
        closed_after_s=felt.closed_after_s,
    )


def condition(place: str, watched: Watched, door_s: float = DOOR_S) -> Condition:
    holds = watched.is_open is True and watched.is_left and watched.open_s > door_s
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


def _said(state: State) -> Watched:
    if state.opened_s is None:
        return Watched(state, False)
    return Watched(state, True, state.now_s - state.opened_s)


def _by_contact(state: State, is_open: bool) -> Watched:
    if is_open == (state.opened_s is not None):
        return _said(state)
    if is_open:
        return _said(replace(state, opened_s=state.now_s))
    assert state.opened_s is not None
    return Watched(replace(state, opened_s=None), False, closed_after_s=state.now_s - state.opened_s)
