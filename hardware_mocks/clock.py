"""A clock that stands still until somebody lets time pass."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

_runs = count(1)


class SimulatedClock:
    """Simulated time: ``sleep`` moves it on at once. The wall clock can step, or start unsynchronised in 1970.

    >>> clock = SimulatedClock(wall_s=1_800_000_000.0)
    >>> clock.sleep(90); clock.step_wall(-30); clock.monotonic_s(), clock.wall_s()
    (90.0, 1800000060.0)
    """

    def __init__(self, wall_s: float = 1_790_000_000.0, *, synchronised: bool = True, boot: str | None = None) -> None:
        self._mono_s = 0.0
        self._offset_s = wall_s
        self._synchronised = synchronised
        self.boot = boot or f"simulated-{next(_runs)}"
        self.on_advance: list[Callable[[float], None]] = []  # told the new monotonic time: a world that moves
        self._appointments: list[tuple[float, int, Callable[[], None]]] = []

    def monotonic_s(self) -> float:
        return self._mono_s

    def wall_s(self) -> float:
        return self._mono_s + self._offset_s

    def is_synchronised(self) -> bool:
        return self._synchronised

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            until_s = self._mono_s + seconds
            while self._appointments and self._appointments[0][0] <= until_s:
                self._mono_s, _, call = heappop(self._appointments)
                call()
            self._mono_s = until_s
            for told in self.on_advance:
                told(self._mono_s)

    def call_at(self, mono_s: float, call: Callable[[], None]) -> None:
        """At that very time, in the midst of a longer sleep."""
        heappush(self._appointments, (max(mono_s, self._mono_s), next(_runs), call))

    def advance_to(self, mono_s: float) -> None:
        self.sleep(mono_s - self._mono_s)

    def step_wall(self, seconds: float) -> None:
        """The wall clock jumps; monotonic time goes on."""
        self._offset_s += seconds

    def synchronise(self, wall_s: float) -> None:
        self._offset_s = wall_s - self._mono_s
        self._synchronised = True
