"""What takes longer than a cycle may, one task after another in a thread of its own: learning, estimates.

A task reads what it needs and answers a value; the cycle takes the answers and decides. A task that fails, also by a
bug, costs its answer and no more: the next one is done, and whoever asked has an alarm (``trouble``). One that hangs is
left to itself, and a fresh thread serves the others; one takes the place of a thread that died, too. In a stepped run,
whose clock stands still meanwhile, ``take`` itself does the work, and a bug goes up.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.domain.instant import Instant
from edge_agent.storage.errors import StorageError

log = logging.getLogger(__name__)

NICE = 10  # of the thread: measuring and warning come first
LIMIT_S = 3600.0  # of a task that says nothing else
FAULTS = (StorageError, OSError, ValueError, ArithmeticError, LookupError, MemoryError)

Task = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Thought:
    name: str
    result: object
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    task: Task
    limit_s: float


@dataclass(slots=True)
class _Running:
    """``since``: when a cycle saw it first; the thread itself has no clock."""

    limit_s: float
    since: Instant | None = None
    age_s: float = 0.0

    @property
    def hangs(self) -> bool:
        return self.age_s >= self.limit_s


def step_back() -> None:
    """Lower the calling thread's priority, on Linux its alone. Raises OSError where a unit's filter forbids it."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class Thinker:
    def __init__(self, step_back: Callable[[], None] = step_back) -> None:
        self._step_back = step_back
        self._condition = threading.Condition()
        self._asked: deque[_Asked] = deque()
        self._thoughts: deque[Thought] = deque()
        self._running: dict[str, _Running] = {}
        self._faults: dict[str, str] = {}  # of the last answers
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        self._generation = 0

    def start(self) -> None:
        with self._condition:
            self._start_thread()

    def stop(self, timeout_s: float) -> bool:
        """False when a task goes on; it is left behind, and what it would have answered is asked for again."""
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()
            return self._condition.wait_for(lambda: not self._running, timeout_s)

    def ask(self, name: str, task: Task, limit_s: float = LIMIT_S) -> bool:
        """False when a task of this name waits or runs already. Past ``limit_s`` it counts as one that hangs."""
        with self._condition:
            if self._is_stopped or name in self._running or any(name == each.name for each in self._asked):
                return False
            self._asked.append(_Asked(name, task, limit_s))
            self._condition.notify_all()
            return True

    def supervise(self, now: Instant) -> None:
        """Each cycle: a task that has run for too long gets no more of the others' time."""
        with self._condition:
            if self._thread is not None and not self._thread.is_alive() and not self._is_stopped:
                for asked in self._asked:
                    self._faults.setdefault(asked.name, "the thread that thinks has died")
                log.error("the thread that thinks has died; another takes its place")
                self._start_thread()
            for name, running in self._running.items():
                was_hanging = running.hangs
                running.since = running.since or now
                running.age_s = running.since.age_s(now)
                if running.hangs and not was_hanging:
                    log.error("%s: no answer for %.0f min; going on without it", name, running.age_s / 60)
                    self._start_thread()

    def take(self) -> list[Thought]:
        """The answers since the last call; without a thread the tasks are done now."""
        while self._thread is None and self._asked:
            asked = self._asked.popleft()
            try:
                thought = Thought(asked.name, asked.task())
            except FAULTS as error:
                if self._is_news(asked.name, error):
                    log.exception("%s: no answer", asked.name)
                thought = Thought(asked.name, None, error)
            self._answer(thought)
        with self._condition:
            thoughts = list(self._thoughts)
            self._thoughts.clear()
        return thoughts

    def trouble(self, name: str) -> str:
        """Why there is no answer: the last task failed, or the present one hangs. Empty while all is well."""
        with self._condition:
            running = self._running.get(name)
            if running is not None and running.hangs:
                return f"no answer for {running.age_s / 60:.0f} min"
            return self._faults.get(name, "")

    @property
    def is_busy(self) -> bool:
        """Not with one that hangs."""
        with self._condition:
            return bool(self._asked) or not all(running.hangs for running in self._running.values())

    def _start_thread(self) -> None:
        self._generation += 1
        self._thread = threading.Thread(target=self._run, args=(self._generation,), name="thinker", daemon=True)
        self._thread.start()

    def _run(self, generation: int) -> None:
        with contextlib.suppress(OSError):  # systemd's filter @resources forbids it: as an equal of the others, then
            self._step_back()
        while (asked := self._next(generation)) is not None:
            try:
                thought = Thought(asked.name, asked.task())
            except Exception as error:
                # The outermost edge of the thread: lesson 16, one exception must not end the thinking of the others.
                if self._is_news(asked.name, error):
                    log.exception("%s: no answer", asked.name)
                thought = Thought(asked.name, None, error)
            self._answer(thought)

    def _next(self, generation: int) -> _Asked | None:
        """None when this thread is to end: the agent stops, or another serves in its place."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_stopped or generation != self._generation or bool(self._asked))
            if self._is_stopped or generation != self._generation:
                return None
            asked = self._asked.popleft()
            self._running[asked.name] = _Running(asked.limit_s)
            return asked

    def _answer(self, thought: Thought) -> None:
        with self._condition:
            running = self._running.pop(thought.name, None)
            if running is not None and running.hangs:
                log.warning("%s: what hung has come back", thought.name)
            if thought.error is None and self._faults.pop(thought.name, ""):
                log.warning("%s: there is an answer again", thought.name)
            self._thoughts.append(thought)
            self._condition.notify_all()

    def _is_news(self, name: str, error: Exception) -> bool:
        """The same failure stands in the log once."""
        words = f"{type(error).__name__}: {error}"
        with self._condition:
            is_news = self._faults.get(name) != words
            self._faults[name] = words
        return is_news
