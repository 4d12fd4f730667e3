"""What the cycle decided, from the decision until the disk has it; through a full, dead or broken disk."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from edge_agent.domain.command import CommandResult
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message
from edge_agent.domain.reading import Sample
from edge_agent.storage.errors import StorageBusy, StorageCorrupt, StorageError, StorageFull
from edge_agent.storage.store import Store

if TYPE_CHECKING:
    from edge_agent.domain.shop import Empty, Sold

log = logging.getLogger(__name__)

MAX_SAMPLES = 20_000  # kept in RAM while the disk takes nothing: 20 minutes of 16 sensors at 1 Hz, about 15 MB
MAX_MESSAGES = 10_000  # ledger lines, alarms and answers: the last to go
RETRY_S = 5.0
REFUGE_AFTER_S = 60.0  # a card that took nothing for so long may never take anything again


Rows = Callable[[], Mapping[str, bytes]]
# A store in RAM in place of the card's; None while there is none, or no need: ``is_pressed`` says that RAM fills up.
TakeRefuge = Callable[[StorageError, Instant, bool], Store | None]


def no_refuge(reason: StorageError, now: Instant, is_pressed: bool) -> None:
    """RAM is no refuge from RAM."""


class Keeper:
    """The commit policy: what a person or the ledger depends on at once, telemetry with the batch."""

    def __init__(
        self,
        store: Store,
        batch_s: float,
        reconnect_others: Callable[[], object] = lambda: None,
        take_refuge: TakeRefuge = no_refuge,
    ) -> None:
        """``reconnect_others``: files open on the same card keep it from being mounted anew just as well."""
        self._store = store
        self._reconnect_others, self._take_refuge = reconnect_others, take_refuge
        self._batch_ms = round(1000 * batch_s)
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self._messages: deque[Message] = deque(maxlen=MAX_MESSAGES)
        self._rows: dict[str, bytes | None] = {}
        self._results: list[CommandResult] = []
        self._sold: deque[Sold] = deque(maxlen=MAX_MESSAGES)
        self._emptied: deque[Empty] = deque(maxlen=MAX_MESSAGES)
        self._oldest_mono_ms: int | None = None
        self._retry_mono_ms = 0
        self._failing_since_ms = 0
        self._urgent = False
        self._reserve_takes = False  # the disk is full, but not for what matters: that need not wait for the retry
        self._successors: list[Store] = []  # opened in the place of a store whose file is not there any more
        self.fault: StorageError | None = None  # why the last commit failed; None when it did not
        self.commits = 0
        self.samples_lost = 0
        self.messages_lost = 0

    def add(
        self,
        at: Instant,
        samples: Sequence[Sample] = (),
        messages: Sequence[Message] = (),
        rows: Mapping[str, bytes | None] | None = None,
        results: Sequence[CommandResult] = (),
        *,
        sold: "Sequence[Sold]" = (),
        emptied: "Sequence[Empty]" = (),
        urgent: bool = False,
    ) -> None:
        self.samples_lost += max(0, len(self._samples) + len(samples) - MAX_SAMPLES)
        self.messages_lost += max(0, len(self._messages) + len(messages) - MAX_MESSAGES)
        self._samples.extend(samples)
        self._messages.extend(messages)
        self._rows.update(rows or {})
        self._results.extend(results)
        self._sold.extend(sold)
        self._emptied.extend(emptied)
        self._urgent = self._urgent or urgent
        if self._oldest_mono_ms is None and (samples or messages or rows or sold or emptied):
            self._oldest_mono_ms = at.mono_ms

    def answered(self) -> set[str]:
        """The cmd_ids whose results wait for the disk."""
        return {result.command.cmd_id for result in self._results}

    def waiting(self) -> tuple[int, int]:
        """Readings, and messages or answers, that are in RAM only."""
        return len(self._samples), len(self._messages) + len(self._results)

    def due_mono_ms(self) -> int | None:
        """When the next commit is wanted; None while nothing waits."""
        if self.fault is not None and not (self._urgent and self._reserve_takes):
            return self._retry_mono_ms
        if self._urgent:
            return 0
        return None if self._oldest_mono_ms is None else self._oldest_mono_ms + self._batch_ms

    def commit_if_due(self, now: Instant, everything: Rows) -> bool:
        """True when something was committed. ``everything``: the whole lasting memory, asked for by a new file only."""
        due = self.due_mono_ms()
        return due is not None and now.mono_ms >= due and self.commit(now, everything)

    def commit(self, now: Instant, everything: Rows) -> bool:
        """Try to commit all that waits. Never raises for the disk's faults: what it could not take, waits on."""
        try:
            self._mend_connections(now, everything)
            self._commit_all()
        except StorageFull as full:
            self._failed(full, now)
            self._reserve_takes = self._commit_what_matters()
        except StorageCorrupt as corrupt:
            self._failed(corrupt, now)
            self._start_anew(now, everything)
        except StorageError as error:
            self._failed(error, now)
        else:
            if self.fault is not None:
                log.warning("storage: takes commits again")
            self.fault = None
            return True
        return False

    @property
    def has_moved(self) -> bool:
        """To a card that was mounted anew, or into RAM: what waited goes there, and the agent must begin there too."""
        return bool(self._successors)

    def close(self) -> None:
        """The stores it opened itself."""
        for store in self._successors:
            store.close()

    def _mend_connections(self, now: Instant, everything: Rows) -> None:
        """Before a retry: connections that have outlived their mount would go on failing for ever."""
        if self.fault is None or isinstance(self.fault, StorageFull | StorageBusy | StorageCorrupt):
            return
        self._reconnect_others()
        found = self._reconnected(self.fault, now)
        if found is not self._store:
            log.warning("storage: what waited goes to another file now")
            self._store = found
            self._successors.append(found)
            self._rows = {**everything(), **self._rows}

    def _reconnected(self, fault: StorageError, now: Instant) -> Store:
        """Raises StorageError while there is nothing to go on with."""
        is_pressed = len(self._samples) > MAX_SAMPLES // 2
        is_refuge_wanted = now.mono_ms - self._failing_since_ms >= 1000 * REFUGE_AFTER_S
        try:
            found = self._store.reconnect(now)
        except StorageError as error:
            refuge = self._take_refuge(error, now, is_pressed) if is_refuge_wanted else None
            if refuge is None:
                raise
            return refuge
        if found is self._store and is_refuge_wanted:
            return self._take_refuge(fault, now, is_pressed) or found
        return found

    def _commit_all(self) -> None:
        self._store.commit(
            self._samples, self._messages, self._rows, self._results, sold=self._sold, emptied=self._emptied
        )
        self.commits += 1
        self._samples.clear()
        self._oldest_mono_ms = None
        self._forget_what_matters()

    def _commit_what_matters(self) -> bool:
        """On a full disk the reserve still takes the ledger, the alarms and the answers; False when it does not."""
        if not (self._messages or self._results):
            return True
        try:
            self._store.commit(
                *((), self._messages, self._rows, self._results),
                sold=self._sold,
                emptied=self._emptied,
                critical=True,
            )
        except StorageError as error:
            log.debug("storage: not even the reserve took it: %s", error)
            return False
        self._forget_what_matters()
        return True

    def _forget_what_matters(self) -> None:
        self._messages.clear()
        self._rows.clear()
        self._results.clear()
        self._sold.clear()
        self._emptied.clear()
        self._urgent = False

    def _start_anew(self, now: Instant, everything: Rows) -> None:
        try:
            aside = self._store.quarantine(now)
        except StorageError as error:
            log.error("storage: could not set the corrupt file aside: %s", error)
            return
        log.error("storage: the corrupt file is kept as %s; going on with a new one", aside)
        self._rows = {**everything(), **self._rows}
        self._retry_mono_ms = now.mono_ms

    def _failed(self, error: StorageError, now: Instant) -> None:
        self._reserve_takes = False
        if type(error) is not type(self.fault):
            log.error("storage: %s; measuring and warning go on", error)
        if self.fault is None:
            self._failing_since_ms = now.mono_ms
        self.fault = error
        self._retry_mono_ms = now.mono_ms + round(1000 * RETRY_S)
