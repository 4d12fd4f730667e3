"""The panel's one button: what is pressed, and what a press of that length means."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.alerts.condition import Condition
from edge_agent.domain.alarm import Priority
from edge_agent.domain.annunciation import Press
from edge_agent.domain.instant import Instant

SHORTEST_S = 0.02  # less is a bounce, or a wire that picks something up
LONG_S = 2.0
VERY_LONG_S = 6.0
STUCK_S = 60.0
LENGTHS_S = (LONG_S, VERY_LONG_S)  # act while the button is still held: the light says when to let go


class Act(StrEnum):
    ACKNOWLEDGE = "acknowledge"  # all that stands
    SILENCE = "silence"
    ADDRESS = "address"  # which node is this?


@dataclass(frozen=True, slots=True)
class Held:
    """The button between two looks at it."""

    since: Instant | None = None  # it went down; None: it is up
    acted: int = 0  # of LENGTHS_S, since then


def act_of(press: Press) -> Act:
    """
    >>> [act_of(Press(Instant(0, 0, "boot"), held_s)).value for held_s in (0.1, 1.9, 2.0, 6.0)]
    ['acknowledge', 'acknowledge', 'silence', 'address']
    """
    if press.held_s < LONG_S:
        return Act.ACKNOWLEDGE
    return Act.SILENCE if press.held_s < VERY_LONG_S else Act.ADDRESS


def follow(held: Held, is_down: bool, at: Instant) -> tuple[Held, Sequence[Press]]:
    """A short press counts when it is let go, a long one as soon as it is long; each length once."""
    if held.since is None:
        return (Held(at) if is_down else held), ()
    held_s = held.since.age_s(at)
    reached = [length_s for length_s in LENGTHS_S if held_s >= length_s]
    presses = [Press(at, length_s) for length_s in reached[held.acted :]]
    if is_down:
        return Held(held.since, len(reached)), presses
    if not reached and held_s >= SHORTEST_S:
        presses = [Press(at, held_s)]
    return Held(), presses


def next_look_ms(held: Held) -> int | None:
    """The monotonic ms at which a button that is held reaches its next length."""
    if held.since is None or held.acted == len(LENGTHS_S):
        return None
    return held.since.mono_ms + round(1000 * LENGTHS_S[held.acted])


def condition(held: Held, now: Instant) -> Condition:
    """Something leans on it, or its wire touches ground: until that is over, nobody can acknowledge with it."""
    held_s = 0.0 if held.since is None else held.since.age_s(now)
    is_stuck = held_s >= STUCK_S
    return Condition(
        "button",
        is_stuck,
        Priority.LOW,
        f"The panel's button has been down for {STUCK_S:.0f} s" if is_stuck else "The panel's button is free again",
        "See what leans on it; if nothing does, look for a short in its wire",
        f"down since {held.since.rfc3339()}" if is_stuck and held.since is not None else "",
    )
