"""An interval outside a limit: it counts after its dwell, and ends well inside and after a while.

Counted in seconds that passed and not in samples, so that it reads the same ten times a second and four times an hour.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from edge_agent.domain.instant import Instant


class Side(StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Limit:
    """What is outside, and for how long before it counts."""

    value: float
    side: Side
    dwell_s: float
    deadband: float
    off_delay_s: float

    def depth(self, value: float) -> float:
        """How far outside; below 0 inside.

        >>> Limit(5.0, Side.ABOVE, 0, 0, 0).depth(7.0), Limit(0.0, Side.BELOW, 0, 0, 0).depth(1.0)
        (2.0, -1.0)
        """
        return value - self.value if self.side is Side.ABOVE else self.value - value


@dataclass(frozen=True, slots=True)
class Excursion:
    """Where one limit stands."""

    holds: bool = False  # it counts
    begun: Instant | None = None  # first moment outside; None: inside
    outside_s: float = 0.0  # since then, in all
    inside_s: float = 0.0  # without a break
    extreme: float | None = None  # the value farthest outside
    last: float | None = None  # the value known last
    waited_s: float = 0.0  # since that value


class Turn(StrEnum):
    BEGUN = "begun"
    ENDED = "ended"


def follow(
    before: Excursion, limit: Limit, value: float | None, after_s: float, at: Instant, *, is_excused: bool = False
) -> tuple[Excursion, Turn | None]:
    """``after_s`` since the moment before; infinite after a gap of which nobody knows the length.

    ``is_excused``: a defrost, a start. What is outside meanwhile does not count, and what counted goes on to.
    """
    waited_s = before.waited_s + after_s
    if value is None:
        return replace(before, waited_s=min(waited_s, limit.dwell_s + limit.off_delay_s)), None
    depth = limit.depth(value)
    was_outside = before.last is not None and limit.depth(before.last) > 0
    was_clear = before.last is not None and limit.depth(before.last) <= -limit.deadband
    if depth > 0:
        return _outside(before, limit, value, waited_s if was_outside else 0.0, at, is_excused=is_excused)
    if before.begun is None:
        return _over(value), None
    is_clear = depth <= -limit.deadband
    if not before.holds:
        inside_s = before.inside_s + (0.0 if was_outside else waited_s)
        is_over = is_clear or inside_s >= limit.off_delay_s
        return (_over(value) if is_over else replace(before, last=value, waited_s=0.0, inside_s=inside_s)), None
    inside_s = before.inside_s + waited_s if is_clear and was_clear else 0.0
    if is_clear and inside_s >= limit.off_delay_s:
        return _over(value), Turn.ENDED
    return replace(before, last=value, waited_s=0.0, inside_s=min(inside_s, limit.off_delay_s)), None


def _outside(
    before: Excursion, limit: Limit, value: float, since_s: float, at: Instant, *, is_excused: bool
) -> tuple[Excursion, Turn | None]:
    if is_excused and not before.holds:
        return Excursion(begun=at, extreme=value, last=value), None
    # A gap that nobody knows the length of is taken for long enough.
    outside_s = max(before.outside_s, limit.dwell_s) if since_s == float("inf") else before.outside_s + since_s
    is_farthest = before.extreme is None or limit.depth(value) > limit.depth(before.extreme)
    counts = before.holds or outside_s >= limit.dwell_s
    now = Excursion(
        holds=counts,
        begun=before.begun or at,
        outside_s=outside_s,
        extreme=value if is_farthest else before.extreme,
        last=value,
    )
    return now, Turn.BEGUN if counts and not before.holds else None


def _over(value: float) -> Excursion:
    return Excursion(last=value)
