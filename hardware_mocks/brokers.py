"""A broker in memory that behaves: goes away, is slow, refuses, freezes, forgets, loses its answers, comes back.

``SimulatedBroker.connect`` gives what the publisher takes for its link. All time is the simulated clock's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hardware_mocks.clock import SimulatedClock

WINDOW = 20
REFUSED_FOR_GOOD = 0x87  # not authorised, MQTT 5.0 section 3.4.2.1
QUOTA_EXCEEDED = 0x97


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the broker took and passed on to its subscribers."""

    at_s: float
    topic: str
    payload: bytes
    retain: bool


@dataclass(slots=True)
class Refusal:
    """An ACL line, or a quota: topics beginning so are refused, for ever or a number of times."""

    prefix: str
    code: int
    times: int | None = None


@dataclass(frozen=True, slots=True)
class SimulatedLink:
    session: int
    protocol: str = "5"
    is_encrypted: bool = False
    notes: tuple[str, ...] = ()


class SimulatedBroker:
    """Takes messages from its links at once (unless frozen), acknowledges after ``latency_s``."""

    def __init__(self, clock: SimulatedClock, *, latency_s: float = 0.0, random: Random | None = None) -> None:
        """``random``: acknowledgements that are due together come in any order."""
        self.clock = clock
        self.latency_s = latency_s
        self.random = random
        self.is_away = False
        self.is_frozen = False
        self.refusals: list[Refusal] = []
        self.delivered: list[Delivered] = []
        self.retained: dict[str, bytes] = {}
        self.subscribers: list[Callable[[str, bytes], object]] = []
        self._links: list[SimulatedConnection] = []
        self._in_the_kernel: list[Any] = []  # sent over links that are gone, unread while frozen

    def connect(self, *, window: int = WINDOW) -> "SimulatedConnection":
        link = SimulatedConnection(self, window)
        self._links.append(link)
        return link

    def go_away(self) -> None:
        """Stopped: every link breaks, what was not acknowledged may or may not have been passed on."""
        self.is_away = True
        self._in_the_kernel.clear()
        for link in self._links:
            link.drop()

    def come_back(self) -> None:
        self.is_away = False

    def cut(self) -> None:
        """The cable, for a moment: links break and acknowledgements on their way are lost."""
        for link in self._links:
            link.drop()

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes our bytes, nobody reads them."""
        self.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT: reads what lies in the sockets, also of links given up meanwhile."""
        self.is_frozen = False
        waiting, self._in_the_kernel = self._in_the_kernel, []
        for outgoing in waiting:
            self.take(outgoing)
        for link in self._links:
            link.read_on()

    def forget(self) -> None:
        """Its database is deleted."""
        self.retained.clear()

    def refuse(self, prefix: str, code: int = REFUSED_FOR_GOOD, times: int | None = None) -> None:
        self.refusals.append(Refusal(prefix, code, times))

    def allow_all(self) -> None:
        self.refusals.clear()

    def take(self, outgoing: Any) -> int | None:
        """Judge one message and pass it on; None or the reason code of its PUBACK."""
        for refusal in self.refusals:
            if outgoing.topic.startswith(refusal.prefix) and refusal.times != 0:
                if refusal.times is not None:
                    refusal.times -= 1
                return refusal.code
        self.delivered.append(Delivered(self.clock.monotonic_s(), outgoing.topic, outgoing.payload, outgoing.retain))
        if outgoing.retain and outgoing.payload:
            self.retained[outgoing.topic] = outgoing.payload
        elif outgoing.retain:
            self.retained.pop(outgoing.topic, None)  # MQTT 5.0, 3.3.1.3
        for subscriber in self.subscribers:
            subscriber(outgoing.topic, outgoing.payload)
        return None

    def keep_in_kernel(self, waiting: list[Any]) -> None:
        if self.is_frozen:
            self._in_the_kernel.extend(waiting)


@dataclass(slots=True)
class _Due:
    at_s: float
    token: int
    reason: int | None


@dataclass(slots=True)
class SimulatedConnection:
    """One client's link. Reconnects by itself, as soon as it is looked at while the broker answers."""

    broker: SimulatedBroker
    window: int
    generation: int = 0
    restarts: list[str] = field(default_factory=list)  # the reasons we were told to begin anew
    _is_linked: bool = False
    _next_token: int = 0
    _unread: list[tuple[int, Any]] = field(default_factory=list)
    _due: list[_Due] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        if not self._is_linked and not self.broker.is_away and not self.broker.is_frozen:
            self._is_linked = True
            self.generation += 1
        return self._is_linked

    @property
    def in_flight(self) -> int:
        return len(self._unread) + len(self._due)

    @property
    def link(self) -> SimulatedLink:
        return SimulatedLink(self.generation)

    def send(self, outgoing: Any, generation: int) -> int:
        if self.in_flight >= self.window:
            raise OverflowError(f"more than {self.window} messages in flight")
        self._next_token += 1
        if self._is_linked and generation == self.generation:
            self._unread.append((self._next_token, outgoing))
            self.read_on()
        return self._next_token

    def read_on(self) -> None:
        """The broker reads what lies in its socket."""
        if self.broker.is_frozen or not self._is_linked:
            return
        waiting, self._unread = self._unread, []
        due_s = self.broker.clock.monotonic_s() + self.broker.latency_s
        self._due.extend(_Due(due_s, token, self.broker.take(outgoing)) for token, outgoing in waiting)

    def acks(self) -> list[tuple[int, int | None]]:
        now_s = self.broker.clock.monotonic_s()
        if self.broker.is_frozen:
            return []
        found = [due for due in self._due if due.at_s <= now_s]
        self._due = [due for due in self._due if due.at_s > now_s]
        if self.broker.random is not None:
            self.broker.random.shuffle(found)
        return [(due.token, due.reason) for due in found]

    def drop(self) -> None:
        self._is_linked = False
        self.broker.keep_in_kernel([outgoing for _, outgoing in self._unread])
        self._unread.clear()
        self._due.clear()

    def restart(self, reason: str) -> None:
        self.restarts.append(reason)
        self.drop()
