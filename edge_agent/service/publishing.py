"""The thread that keeps the publisher going, and shows that it does."""

import logging
import threading
from collections.abc import Callable

from edge_agent.domain.instant import Instant
from edge_agent.mqtt.publisher import Publisher
from edge_agent.storage.errors import StorageError

log = logging.getLogger(__name__)

STORE_RETRY_S = 5.0
MAX_WAIT_S = 5.0  # a sign of life at least so often
FINISH_STEP_S = 0.05


class PublisherThread:
    """Runs ``publisher.step`` whenever something is to be done; ``wake`` says so at once."""

    def __init__(self, publisher: Publisher, now: Callable[[], Instant]) -> None:
        self._publisher, self._now = publisher, now
        self._woken = threading.Event()
        self._finishing = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_step = now()
        self._failing = False

    def wake(self) -> None:
        self._woken.set()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def idle_s(self) -> float:
        """Seconds since the last completed step: the watchdog's proof that sending is tried."""
        return self._last_step.age_s(self._now())

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def finish(self, timeout_s: float) -> bool:
        """Send what is live, then "offline", then end; True when the broker has acknowledged it all in time."""
        self._finishing.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._stopping.set()
        self.wake()
        return self._publisher.has_left

    def _run(self) -> None:
        while not (self._stopping.is_set() or self._publisher.has_left):
            wait_s = min(self._step(), MAX_WAIT_S)
            self._last_step = self._now()
            if self._finishing.is_set() and self._publisher.in_flight == 0 and wait_s > 0:
                self._publisher.leave()  # nothing live is left to send
                wait_s = min(wait_s, FINISH_STEP_S)
            if wait_s > 0:
                self._woken.wait(wait_s)
            self._woken.clear()

    def _step(self) -> float:
        try:
            wait_s = self._publisher.step(self._now())
        except StorageError as error:
            if not self._failing:
                log.error("publisher: the store cannot be read: %s", error)
            self._failing = True
            return STORE_RETRY_S
        self._failing = False
        return wait_s
