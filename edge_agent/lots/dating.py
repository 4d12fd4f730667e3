"""Time over a power cut, on a board that has no clock of its own: what is known of an age, and dates filled in later.

Between two boots only wall clocks tell how much time passed. Until this boot's is set nobody knows: then nothing is
too old, and what was promised before the power went is kept.
"""

from dataclasses import fields, is_dataclass, replace
from math import inf
from typing import Any, TypeVar

from edge_agent.domain.instant import ClockState, Instant

Value = TypeVar("Value")


def may_be_within(before: Instant, now: Instant, seconds: float) -> bool:
    """Whether so little time can have passed; true also where nobody knows.

    >>> then, unset = Instant(9_000, 60_000, "a"), ClockState.UNSYNCED
    >>> [may_be_within(then, now, 30.0) for now in (Instant(0, 95_000, "b"), Instant(0, 95_000, "b", unset))]
    [False, True]
    """
    passed_s = before.passed_s(now)
    return passed_s <= seconds or passed_s == inf


def since_s(before: Instant, then: Instant, now: Instant) -> float:
    """Seconds from one to the other, below 0 where ``then`` was earlier.

    Where a power cut lies between and a clock was not set, or went back, their order is known at most: what is of
    ``now``'s boot came after all others. Infinite, or its opposite, for nobody knows by how much. Of two earlier boots
    not even that is known: infinite.

    >>> kept, first, unset = Instant(9_000, 60_000, "a"), Instant(1_000, 5_000, "b"), ClockState.UNSYNCED
    >>> since_s(kept, Instant(1_000, 75_000, "b"), first), since_s(kept, first, first), since_s(first, kept, first)
    (15.0, inf, -inf)
    """
    if before.boot == then.boot:
        return before.age_s(then)
    is_set = ClockState.UNSYNCED not in (before.clock, then.clock)
    wall_s = (then.wall_ms - before.wall_ms) / 1000
    if then.boot == now.boot:
        return wall_s if is_set and wall_s >= 0 else inf
    if before.boot == now.boot:
        return wall_s if is_set and wall_s <= 0 else -inf
    return wall_s if is_set else inf


def passed_s(before: Instant, now: Instant) -> float:
    """At least 0; infinite where nobody knows."""
    return max(0.0, since_s(before, now, now))


def dated(value: Value, now: Instant) -> Value:
    """With the wall time of all that this boot saw before its clock was set; the same object where there is none.

    While the clock is not set, that is all of it.
    """
    found: Any = value
    if now.clock is ClockState.UNSYNCED:
        return value
    if isinstance(found, Instant):
        is_early = found.boot == now.boot and found.clock is ClockState.UNSYNCED
        wall_ms = found.mono_ms + now.offset_ms
        found = replace(found, wall_ms=wall_ms, clock=ClockState.CORRECTED) if is_early else found
    elif isinstance(found, tuple):
        parts = tuple(dated(part, now) for part in found)
        found = found if all(new is old for new, old in zip(parts, found, strict=True)) else parts
    elif is_dataclass(found) and not isinstance(found, type):
        olds = {field.name: getattr(found, field.name) for field in fields(found)}
        changes = {name: new for name, old in olds.items() if (new := dated(old, now)) is not old}
        found = replace(found, **changes) if changes else found
    result: Value = found
    return result
