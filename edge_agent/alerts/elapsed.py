"""Time between two instants that a power cut may lie between."""

from dataclasses import replace

from edge_agent.domain.instant import ClockState, Instant


def at_least_s(since: Instant, now: Instant, started: Instant) -> float:
    """Seconds that have certainly passed: across a boot by wall time where both clocks were right, else from the start
    of the agent on.

    >>> before, now = Instant(9_000, 1_000_000, "boot-1"), Instant(5_000, 1_300_000, "boot-2")
    >>> at_least_s(before, now, started=Instant(1_000, 1_296_000, "boot-2"))
    300.0
    """
    if since.boot == now.boot:
        return since.age_s(now)
    own_s = started.age_s(now)
    return max(own_s, wall_s(since, now)) if are_right(since, now) else own_s


def are_right(*instants: Instant) -> bool:
    return all(each.clock is ClockState.SYNCED for each in instants)


def wall_s(since: Instant, now: Instant) -> float:
    return (now.wall_ms - since.wall_ms) / 1000


def later(at: Instant, seconds: float) -> Instant:
    """
    >>> later(Instant(1_000, 5_000, "boot"), 2).wall_ms
    7000
    """
    ms = round(1000 * seconds)
    return replace(at, mono_ms=at.mono_ms + ms, wall_ms=at.wall_ms + ms)
