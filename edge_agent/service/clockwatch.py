"""Wall time from monotonic time, and the steps of a wall clock that nobody may believe."""

import threading
from dataclasses import dataclass

from edge_agent.domain.instant import Clock, ClockState, Instant

STEP_MS = 100  # a slewed clock moves monotonic time with it: every change beyond reading jitter is a step
_READ_JITTER_S = 0.01


@dataclass(frozen=True, slots=True)
class ClockNews:
    """What the last look found. ``step_ms`` is 0 while the wall clock runs on quietly."""

    step_ms: int = 0
    synchronised_now: bool = False  # the first synchronisation of this boot: earlier rows can be corrected


class ClockWatch:
    """Tells instants to every thread; ``look`` (the cycle alone) notices steps and synchronisation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._boot = clock.boot
        self._offset_ms = _offset_ms(clock)
        self._state = ClockState.SYNCED if clock.is_synchronised() else ClockState.UNSYNCED

    def now(self) -> Instant:
        mono_ms = round(self._clock.monotonic_s() * 1000)
        with self._lock:
            return Instant(mono_ms, mono_ms + self._offset_ms, self._boot, self._state)

    def look(self) -> ClockNews:
        """Compare the wall clock with what monotonic time makes of it."""
        offset_ms = _offset_ms(self._clock)
        synced = self._clock.is_synchronised()
        with self._lock:
            step_ms = offset_ms - self._offset_ms
            is_step = abs(step_ms) >= STEP_MS
            # Once synchronised stays synchronised: a server out of reach makes a good clock no bad one.
            first = synced and self._state is ClockState.UNSYNCED
            if is_step:
                self._offset_ms = offset_ms
            if first:
                self._state = ClockState.SYNCED
        return ClockNews(step_ms if is_step else 0, first)


def _offset_ms(clock: Clock) -> int:
    """Wall minus monotonic, read closely together; a thread that was held up in between reads again."""
    for _ in range(5):
        before_s = clock.monotonic_s()
        wall_s = clock.wall_s()
        if clock.monotonic_s() - before_s < _READ_JITTER_S:
            break
    return round((wall_s - before_s) * 1000)
