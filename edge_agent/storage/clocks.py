"""Clock segments: a row says (segment, monotonic ms), the segment says what the wall clock made of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.storage.interned import Interned

DAY_MS = 86_400_000
CREEP = 24.0  # days of history that may age away per day that really passed ...
_MOVE_MS = 3_600_000  # ... of which one call counts no more than this: the clock may just have become wrong


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one boot in which wall minus monotonic stayed the same."""

    boot: str
    offset_ms: int
    state: ClockState


class Clocks(Interned[Segment]):
    """All segments ever met.

    >>> clocks = Clocks()
    >>> early = Instant(mono_ms=500, wall_ms=1500, boot="a", clock=ClockState.UNSYNCED)
    >>> number = clocks.segment_of(early)
    >>> clocks.correct("a", 9000)
    >>> clocks.instant(number, 500).wall_ms, clocks.instant(clocks.segment_of(early), 500).clock.value
    (9500, 'corrected')
    """

    def __init__(self, rows: Iterable[tuple[int, Segment]] = ()) -> None:
        super().__init__(rows)
        self._corrected = {s.boot: s.offset_ms for s in self.values.values() if s.state is ClockState.CORRECTED}
        self._last: tuple[str, int, ClockState, int] | None = None  # one instant after another: nearly always the same

    def segment_of(self, at: Instant) -> int:
        """The number of the segment ``at`` lies in; a new one if need be."""
        last, offset_ms = self._last, at.wall_ms - at.mono_ms
        if last is not None and last[1] == offset_ms and last[0] == at.boot and last[2] is at.clock:
            return last[3]
        if at.clock is ClockState.UNSYNCED and at.boot in self._corrected:  # it waited in RAM while the clock came
            number = self.number_of(Segment(at.boot, self._corrected[at.boot], ClockState.CORRECTED))
        else:
            number = self.number_of(Segment(at.boot, offset_ms, at.clock))
        self._last = (at.boot, offset_ms, at.clock, number)
        return number

    def instant(self, number: int, mono_ms: int) -> Instant:
        segment = self.values[number]
        return Instant(mono_ms, mono_ms + segment.offset_ms, segment.boot, segment.state)

    def correct(self, boot: str, offset_ms: int) -> None:
        for number, segment in self.values.items():
            if segment.boot == boot and segment.state is ClockState.UNSYNCED:
                self.replace(number, Segment(boot, offset_ms, ClockState.CORRECTED))
        self._corrected[boot] = offset_ms
        self._last = None

    def boots(self) -> list[str]:
        """In the order they ran, which is the order of their rows."""
        return list(dict.fromkeys(segment.boot for segment in list(self.values.values())))


def age_days(then: Instant, now: Instant) -> float | None:
    """How old ``then`` is; None when nobody can know (another boot, and either wall clock unsynchronised).

    Within one boot the monotonic clock decides, so that a wall clock which jumps ages nothing.
    """
    if then.boot == now.boot:
        return (now.mono_ms - then.mono_ms) / DAY_MS
    if ClockState.UNSYNCED in (then.clock, now.clock):
        return None
    return (now.wall_ms - then.wall_ms) / DAY_MS


@dataclass(slots=True)
class Cutoff:
    """The wall time before which rows may go: ``days`` ago, but approached slowly.

    A wall clock that jumps ten years ahead makes everything old at once. So the cutoff starts at the oldest row and
    moves on by ``CREEP`` times the monotonic time that really passed: an hour of wrong clock costs at most a day of
    the oldest history.

    >>> cutoff = Cutoff(days=400)
    >>> day = 86_400_000
    >>> cutoff.move(oldest_ms=0, now=Instant(mono_ms=0, wall_ms=4050 * day, boot="b")) / day
    0.0
    >>> cutoff.move(oldest_ms=0, now=Instant(mono_ms=day // 24, wall_ms=4050 * day, boot="b")) / day
    1.0
    >>> cutoff.move(oldest_ms=0, now=Instant(mono_ms=day // 12, wall_ms=401 * day, boot="b")) / day
    1.0
    """

    days: float
    _wall_ms: float | None = None
    _moved: Instant | None = None

    def move(self, oldest_ms: int, now: Instant) -> float:
        passed_ms = 0
        if self._moved is not None and self._moved.boot == now.boot:
            passed_ms = min(now.mono_ms - self._moved.mono_ms, _MOVE_MS)
        start = oldest_ms if self._wall_ms is None else self._wall_ms
        self._wall_ms = min(now.wall_ms - self.days * DAY_MS, start + CREEP * passed_ms)
        self._moved = now
        return self._wall_ms

    def has_passed(self, at: Instant, now: Instant) -> bool | None:
        """Whether a row may go; None when its age cannot be known. ``move`` comes first."""
        age = age_days(at, now)
        if age is None or at.boot == now.boot:
            return None if age is None else age > self.days
        return self._wall_ms is not None and at.wall_ms < self._wall_ms
