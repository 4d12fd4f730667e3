"""The judge of `scripts/bench weighing`: what was published against what was true. It believes nobody.

**True movements.** Rest is a stretch without hands, gusts and lorries. Movements with less than 2 s of rest between
them cannot be expected to be told apart by any scale, and with less than 3 s not reliably, as rest has to be proved
before it is known: up to there one event with their net change is as right as one for each, and what was missed of
them counts once. With more rest they must be told apart. A net change of no pieces (touched and back, an elbow, a
piece exchanged for its like) is no movement: nothing is expected, and a published change is false, but for the
exchanged piece's difference, if it is right within half of it. What was taken while the container was away shows when
it comes back: one event or two are right for that.

**Matching.** In order of time, one to one, such that the fewest movements are missed and the fewest events are false
(dynamic programming, so no choice of the matching can help either side). An event fits a movement when it was published
between the movement's first touch and 15 s after its end (the next one may have begun), and when its grams are right
within half a piece and 0.2 % of the change. So a wrong number of pieces taken from right grams is a found movement
with wrong pieces; one event for two separate movements is two missed and one false.

**False** is every other published change of stock, and a "touched and back" where nothing was felt within 15 s: no
hand, no gust, no lorry.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

TOLD = 1e-6  # of a flaw: of two assignments with as many flaws, the one that tells more
SAFE = 0.99
TOUCHED = "disturbance"
BOOKKEEPING = ("tare", "zero", "count")


@dataclass(frozen=True, slots=True)
class Rules:
    """What is close enough."""

    off_g: float  # of an event's grams
    off_share: float = 0.002  # and of the change
    close_s: float = 2.0  # of rest between two movements; less: nobody expects them to be told apart
    either_s: float = 3.0  # less: one event or several, both are right
    window_s: float = 15.0  # from the end of a movement to its event

    @classmethod
    def of_pieces(cls, piece_g: float) -> "Rules":
        return cls(off_g=piece_g / 2)


@dataclass(frozen=True, slots=True)
class Movement:
    """What really happened, or several such things in one."""

    start_s: float
    end_s: float
    delta_g: float  # of the stock
    units: int
    kind: str  # "pick", "restock", "removal", "return", "touch"
    step_g: float  # of the platform
    is_clean: bool = False
    rest_s: float = float("inf")  # before it

    @property
    def is_expected(self) -> bool:
        return bool(self.units) or self.kind in ("removal", "return")


@dataclass(frozen=True, slots=True)
class Published:
    """One event as anybody may read it."""

    published_s: float
    kind: str
    delta_g: float
    units: int | None = None  # signed
    confidence: float = 0.0  # of units
    after_units: int | None = None
    after_confidence: float = 0.0


@dataclass(slots=True)
class Run:
    """What one follower said of one shelf and day."""

    published: list[Published] = field(default_factory=list)
    balances: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)  # second: net_g, its u_g
    stable: int = 0  # seconds
    tracked_g: float = 0.0  # most drift that was said to be tracked, either way
    writes: int = 0  # of what lasts, to the card
    written_bytes: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """A true movement and the event that tells it."""

    movement: Movement
    event: Published
    units_after: int  # truly on the shelf


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one shelf."""

    found: tuple[Match, ...]
    missed: tuple[Movement, ...]
    false: tuple[Published, ...]
    joined: int  # of the false ones, those that tell several movements in one though there was rest between
    groundless: tuple[Published, ...]  # "touched and back" without anything felt
    touches_seen: int
    touches: int
    close: int  # movements with less than 2 s of rest before them
    either: int  # movements with 2 to 3 s of rest before them


def in_order(touches: Iterable[Movement], shaken: Sequence[tuple[float, float]] = ()) -> list[Movement]:
    """By their start, each with the rest before it: none where hands overlap."""
    movements: list[Movement] = []
    end_s = float("-inf")
    for touch in sorted(touches, key=lambda one: (one.start_s, one.end_s)):
        movements.append(replace(touch, rest_s=_longest_rest_s(end_s, touch.start_s, shaken)))
        end_s = max(end_s, touch.end_s)
    return movements


def _longest_rest_s(from_s: float, to_s: float, shaken: Sequence[tuple[float, float]]) -> float:
    """Between two movements; a gust or a lorry is no rest.

    >>> _longest_rest_s(10.0, 14.0, []), _longest_rest_s(10.0, 14.0, [(11.0, 12.5), (20.0, 21.0)])
    (4.0, 1.5)
    """
    longest_s = 0.0
    for felt_s, until_s in shaken:
        if felt_s < to_s and until_s > from_s:
            longest_s = max(longest_s, felt_s - from_s)
            from_s = until_s
    return max(longest_s, to_s - from_s)


def together(parts: Sequence[Movement], rest_s: float) -> Movement:
    units = sum(part.units for part in parts)
    return Movement(
        start_s=parts[0].start_s,
        end_s=max(part.end_s for part in parts),
        delta_g=sum(part.delta_g for part in parts),
        units=units,
        kind=_kind(parts, units),
        step_g=sum(part.step_g for part in parts),
        is_clean=len(parts) == 1 and parts[0].is_clean,
        rest_s=rest_s,
    )


def _kind(parts: Sequence[Movement], units: int) -> str:
    kinds = {part.kind for part in parts} - {"touch"}
    if "removal" in kinds and "return" not in kinds:
        return "removal"
    if "return" in kinds and "removal" not in kinds:
        return "return"
    return "pick" if units < 0 else "restock" if units > 0 else "touch"


def judged(
    touches: Iterable[Movement],
    published: Sequence[Published],
    rules: Rules,
    start_units: int = 0,
    shaken: Sequence[tuple[float, float]] = (),
) -> Verdict:
    """``published`` in order of time; ``shaken``: when gusts and lorries were felt."""
    movements = in_order(touches, sorted(shaken))
    units = list(accumulate((movement.units for movement in movements), initial=start_units))
    changes = [event for event in published if event.kind not in (TOUCHED, *BOOKKEEPING)]
    pairs = _aligned(movements, changes, rules)
    found = tuple(
        Match(together(movements[first:last], movements[first].rest_s), changes[event], units[last])
        for first, last, event in pairs
        if event is not None
    )
    false = tuple(event for number, event in enumerate(changes) if number not in {step[2] for step in pairs})
    untold = (together(movements[first:last], 0.0) for first, last, event in pairs if event is None)
    unmoved = [movement for movement in movements if movement.kind == "touch"]
    felt = [(movement.start_s, movement.end_s) for movement in movements] + list(shaken)
    said = [event for event in published if event.kind == TOUCHED]
    return Verdict(
        found=tuple(match for match in found if match.movement.is_expected),
        missed=tuple(one for one in untold if one.is_expected),
        false=false,
        joined=sum(_is_joined(event, movements, rules) for event in false),
        groundless=tuple(event for event in said if not _is_felt(event, felt, rules)),
        touches_seen=sum(any(_in_time(touch, event, rules) for event in said) for touch in unmoved),
        touches=len(unmoved),
        close=sum(one.rest_s < rules.close_s for one in movements),
        either=sum(rules.close_s <= one.rest_s < rules.either_s for one in movements),
    )  # fmt: skip


def _is_felt(event: Published, felt: Iterable[tuple[float, float]], rules: Rules) -> bool:
    return any(start_s <= event.published_s <= end_s + rules.window_s for start_s, end_s in felt)


def _is_joined(event: Published, movements: Sequence[Movement], rules: Rules) -> bool:
    """Some movements one after the other, the last of them just before the event, are right for it in sum."""
    last = bisect_right([movement.start_s for movement in movements], event.published_s)
    return any(
        _in_time(movements[end - 1], event, rules) and _fits(together(movements[first:end], 0.0), event, rules)
        for end in range(max(1, last - 3), last + 1)
        for first in range(max(0, end - 12), end - 1)
    )


def _in_time(movement: Movement, event: Published, rules: Rules) -> bool:
    return movement.start_s <= event.published_s <= movement.end_s + rules.window_s


def _fits(movement: Movement, event: Published, rules: Rules) -> bool:
    """In grams. The container's way is known by its kind, or by the grams of platform or stock."""
    if event.kind == movement.kind and movement.kind in ("removal", "return"):
        return True
    if movement.kind == "touch":
        return abs(event.delta_g - movement.delta_g) < abs(movement.delta_g) / 2
    changes = (movement.delta_g, movement.step_g)
    return any(abs(event.delta_g - change_g) <= rules.off_g + rules.off_share * abs(change_g) for change_g in changes)


Step = tuple[int, int, int | None]  # (first movement, one after the last, event or None): told by it, or not at all


class _Flaws:
    """The fewest flaws with the first i movements and the first j events done, and how that was come by."""

    def __init__(self, movements: int) -> None:
        self.costs: list[dict[int, float]] = [{} for _ in range(movements + 1)]
        self.came: list[dict[int, tuple[int, int, bool]]] = [{} for _ in range(movements + 1)]
        self.costs[0][0] = 0.0

    def reach(self, place: tuple[int, int], cost: float, origin: tuple[int, int, bool]) -> None:
        number, done = place
        if cost < self.costs[number].get(done, float("inf")):
            self.costs[number][done] = cost
            self.came[number][done] = origin

    def pass_over(self, number: int, upto: int) -> None:
        """Events that match nothing are false, one flaw each."""
        costs = self.costs[number]
        for done in range(min(costs), upto):
            if done in costs:
                self.reach((number, done + 1), costs[done] + 1, (number, done, False))

    def forget(self, number: int, before: int) -> None:
        """Events that came too early for this movement need not be kept open."""
        self.costs[number] = {done: cost for done, cost in self.costs[number].items() if done >= before}

    def steps(self, place: tuple[int, int]) -> list[Step]:
        found: list[Step] = []
        while place != (0, 0):
            number, done, is_match = self.came[place[0]][place[1]]
            if number != place[0]:
                found.append((number, place[0], done if is_match else None))
            place = (number, done)
        return found[::-1]


def _aligned(movements: Sequence[Movement], events: Sequence[Published], rules: Rules) -> list[Step]:
    """The assignment in order of time with the fewest flaws.

    Only events that can concern a movement are looked at for it, so a day takes linear time.
    """
    published = [event.published_s for event in events]
    flaws = _Flaws(len(movements))
    reach = 0
    for number, movement in enumerate(movements):
        runs = _runs(movements, number, rules.either_s)
        too_early = bisect_left(published, movement.start_s)
        reach = max(reach, too_early, bisect_left(published, runs[-1][1].end_s + rules.window_s))
        flaws.pass_over(number, reach)
        flaws.forget(number, too_early)
        for done, cost in flaws.costs[number].items():
            for after, whole in runs:
                flaws.reach((after, done), cost + whole.is_expected, (number, done, False))
                if done < len(events) and _in_time(whole, events[done], rules) and _fits(whole, events[done], rules):
                    flaws.reach((after, done + 1), cost - TOLD * whole.is_expected, (number, done, True))
    flaws.pass_over(len(movements), len(events))
    return flaws.steps((len(movements), len(events)))


def _runs(movements: Sequence[Movement], first: int, either_s: float) -> list[tuple[int, Movement]]:
    """One movement, or it and those that follow after so little rest that one event for all is right."""
    after = first + 1
    runs = [(after, movements[first])]
    while after < len(movements) and movements[after].rest_s < either_s:
        after += 1
        runs.append((after, together(movements[first:after], movements[first].rest_s)))
    return runs


# --- balances and confidences -------------------------------------------------------------------------------------


def at_rest(touches: Iterable[Movement], seconds: int, start_s: float, *, after_s: float = 5.0) -> bytearray:
    """1 for each second of the day at whose end nobody has touched the shelf for ``after_s``.

    While the container is away there is no stock to be weighed, so no rest either.
    """
    rest = bytearray(b"\1") * seconds
    away_s: float | None = None
    for touch in touches:
        begin_s = touch.start_s if away_s is None else away_s
        away_s = begin_s if touch.kind == "removal" else None
        first, last = max(0, int(begin_s - start_s)), min(seconds, int(touch.end_s + after_s - start_s) + 1)
        rest[first:last] = bytes(max(0, last - first))
    return rest


@dataclass(frozen=True, slots=True)
class Bin:
    """Published numbers of pieces of about the same confidence."""

    low: float
    high: float
    count: int
    stated: float  # mean
    observed: float  # share that was right

    Z = 2.0  # standard deviations: 95 %
    ENOUGH = 50
    OFF = 0.02

    @property
    def interval(self) -> tuple[float, float]:
        """Between which the true share is with 95 %: Wilson's score interval (1927), right for shares near 1 as well.

        >>> [round(edge, 3) for edge in Bin(0.5, 0.7, 81, 0.6, 39 / 81).interval]
        [0.374, 0.591]
        """
        z2 = self.Z**2 / self.count
        middle = (self.observed + z2 / 2) / (1 + z2)
        half = (z2 * (self.observed * (1 - self.observed) + z2 / 4)) ** 0.5 / (1 + z2)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def is_right(self) -> bool:
        """Within 0.02 of what was stated, as far as chance lets that be told; too few are not judged."""
        low, high = self.interval
        return self.count < self.ENOUGH or low - self.OFF <= self.stated <= high + self.OFF

    @property
    def is_told(self) -> bool:
        """Enough of them, that 0.02 is not lost in chance."""
        low, high = self.interval
        return high - low <= 2 * self.OFF


EDGES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0 + 1e-9)


def binned(claims: Iterable[tuple[float, bool]]) -> list[Bin]:
    """(confidence, was it right) to bins."""
    ordered = sorted(claims)
    confidences = [confidence for confidence, _ in ordered]
    bins = []
    for low, high in pairwise(EDGES):
        some = ordered[bisect_left(confidences, low) : bisect_left(confidences, high)]
        if some:
            stated = sum(confidence for confidence, _ in some) / len(some)
            bins.append(Bin(low, min(high, 1.0), len(some), stated, sum(right for _, right in some) / len(some)))
    return bins


def quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values, nearest rank; nan of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
