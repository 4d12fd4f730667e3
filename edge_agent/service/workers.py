"""One thread per bus, a hard time-out per read, and a bounded slot that the cycle empties."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Sample
from edge_agent.service.polling import Polled, bad_sample

log = logging.getLogger(__name__)

SLOT = 4096  # samples; beyond them the oldest go, counted: a cycle that stands still must not fill the memory


class Slot:
    """Samples on their way from the workers to the cycle."""

    def __init__(self, capacity: int = SLOT) -> None:
        self._samples: deque[Sample] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self.overflowed = 0

    def put(self, sample: Sample) -> None:
        with self._lock:
            if len(self._samples) == self._samples.maxlen:
                self.overflowed += 1
            self._samples.append(sample)

    def take_all(self) -> list[Sample]:
        with self._lock:
            taken = list(self._samples)
            self._samples.clear()
        return taken


class BusWorker:
    """Reads the sensors of one bus in turn, each at its interval.

    A read that does not come back within the time-out (or the device's own patience, if that is longer) is left
    to itself: its sensor gives bad samples until the read returns, and a fresh thread serves the rest of the bus.
    """

    def __init__(
        self, bus: str, polled: Sequence[Polled], slot: Slot, now: Callable[[], Instant], timeout_s: float
    ) -> None:
        self.bus = bus
        self._slot, self._now, self._timeout_ms = slot, now, round(timeout_s * 1000)
        self._due: dict[str, int] = {}
        self._serving = {p.name: p for p in polled}  # those that the current thread reads
        self._hung: dict[str, Polled] = {}
        self._reading: tuple[Polled, int] | None = None  # and the monotonic ms at which it must be back
        self._changed = threading.Condition()
        self._generation = 0
        self._stopping = False

    def start(self) -> None:
        start = self._now().mono_ms
        with self._changed:
            self._due = {name: start for name in self._serving}
            self._start_thread()

    def supervise(self) -> None:
        """Called by the cycle: notice a read that hangs, and speak for the sensors that hang."""
        now = self._now()
        with self._changed:
            if self._reading is not None and now.mono_ms > self._reading[1]:
                self._abandon(self._reading[0])
            hung = [p for p in self._hung.values() if self._is_due(p, now)]
        for polled in hung:
            self._slot.put(bad_sample(polled, now, "hung"))

    def ask_to_stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; True when it did in time. A hung read is left behind (a daemon thread)."""
        self.ask_to_stop()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _start_thread(self) -> None:
        self._generation += 1
        self._thread = threading.Thread(target=self._run, args=(self._generation,), name=f"bus-{self.bus}", daemon=True)
        self._thread.start()

    def _run(self, generation: int) -> None:
        while (polled := self._next(generation)) is not None:
            sample = polled.take(self._now())
            if not self._finished(polled, generation):
                return  # abandoned meanwhile: what came too late is not told
            self._slot.put(sample)

    def _next(self, generation: int) -> Polled | None:
        """Wait until a sensor is due; None when this thread is to end."""
        with self._changed:
            while not self._stopping and generation == self._generation:
                now = self._now()
                name = min(self._serving, key=self._due.__getitem__, default=None)
                if name is None:
                    self._changed.wait()
                    continue
                wait_ms = self._due[name] - now.mono_ms
                if wait_ms <= 0:
                    polled = self._serving[name]
                    self._is_due(polled, now)
                    allowed_ms = max(self._timeout_ms, round(1000 * polled.sensor.patience_s))
                    self._reading = (polled, now.mono_ms + allowed_ms)
                    return polled
                self._changed.wait(wait_ms / 1000)
        return None

    def _is_due(self, polled: Polled, now: Instant) -> bool:
        """Whether its time has come; then the next time is set, on the grid, leaving out what was missed."""
        due = self._due[polled.name]
        if now.mono_ms < due:
            return False
        interval_ms = max(1, round(1000 * (polled.interval_s or 1)))
        self._due[polled.name] = due + interval_ms * ((now.mono_ms - due) // interval_ms + 1)
        return True

    def _finished(self, polled: Polled, generation: int) -> bool:
        with self._changed:
            if generation == self._generation:
                self._reading = None
                return True
            # The abandoned read came back: the sensor is served again.
            log.warning("sensor %s: the read that hung came back", polled.name)
            self._hung.pop(polled.name, None)
            self._serving[polled.name] = polled
            self._changed.notify_all()
            return False

    def _abandon(self, polled: Polled) -> None:
        log.error("sensor %s: its read does not return: reading on without it", polled.name)
        self._hung[polled.name] = self._serving.pop(polled.name)
        self._due[polled.name] = self._now().mono_ms  # its first bad sample now
        self._reading = None
        self._start_thread()


def start_workers(
    polled: Iterable[Polled], slot: Slot, now: Callable[[], Instant], timeout_s: float
) -> list[BusWorker]:
    by_bus = sorted(polled, key=lambda p: p.sensor.bus)
    workers = [
        BusWorker(bus, list(group), slot, now, timeout_s) for bus, group in groupby(by_bus, lambda p: p.sensor.bus)
    ]
    for worker in workers:
        worker.start()
    return workers


def stop_workers(workers: Sequence[BusWorker], timeout_s: float) -> bool:
    """All of them within this time; False when one hangs in a read and is left behind."""
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        worker.ask_to_stop()
    return all([worker.stop(max(0.0, deadline - time.monotonic())) for worker in workers])
