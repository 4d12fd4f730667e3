"""What the cycle decided, from the decision until the disk has it; through a full, dead or broken disk."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence

from edge_agent.domain.command import CommandResult
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message
from edge_agent.domain.reading import Sample
from edge_agent.storage.errors import StorageCorrupt, StorageError, StorageFull
from edge_agent.storage.store import Store

log = logging.getLogger(__name__)

MAX_SAMPLES = 20_000  # kept in RAM while the disk takes nothing: 20 minutes of 16 sensors at 1 Hz, about 15 MB
MAX_MESSAGES = 10_000  # ledger lines, alarms and answers: the last to go
RETRY_S = 5.0


class Keeper:
    """The commit policy: what a person or the ledger depends on at once, telemetry with the batch."""

    def __init__(self, store: Store, batch_s: float) -> None:
        self._store = store
        self._batch_ms = round(1000 * batch_s)
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self._messages: deque[Message] = deque(maxlen=MAX_MESSAGES)
        self._rows: dict[str, bytes | None] = {}
        self._results: list[CommandResult] = []
        self._oldest_mono_ms: int | None = None
        self._retry_mono_ms = 0
        self._urgent = False
        self._reserve_takes = False  # the disk is full, but not for what matters: that need not wait for the retry
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
        urgent: bool = False,
    ) -> None:
        self.samples_lost += max(0, len(self._samples) + len(samples) - MAX_SAMPLES)
        self.messages_lost += max(0, len(self._messages) + len(messages) - MAX_MESSAGES)
        self._samples.extend(samples)
        self._messages.extend(messages)
        self._rows.update(rows or {})
        self._results.extend(results)
        self._urgent = self._urgent or urgent
        if self._oldest_mono_ms is None and (samples or messages or rows):
            self._oldest_mono_ms = at.mono_ms

    def answered(self) -> set[str]:
        """The cmd_ids whose results wait for the disk."""
        return {result.command.cmd_id for result in self._results}

    def due_mono_ms(self) -> int | None:
        """When the next commit is wanted; None while nothing waits."""
        if self.fault is not None and not (self._urgent and self._reserve_takes):
            return self._retry_mono_ms
        if self._urgent:
            return 0
        return None if self._oldest_mono_ms is None else self._oldest_mono_ms + self._batch_ms

    def commit_if_due(self, now: Instant, everything: Mapping[str, bytes]) -> bool:
        """True when something was committed. ``everything``: the whole lasting memory, for a new file."""
        due = self.due_mono_ms()
        return due is not None and now.mono_ms >= due and self.commit(now, everything)

    def commit(self, now: Instant, everything: Mapping[str, bytes]) -> bool:
        """Try to commit all that waits. Never raises for the disk's faults: what it could not take, waits on."""
        try:
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

    def _commit_all(self) -> None:
        self._store.commit(self._samples, self._messages, self._rows, self._results)
        self.commits += 1
        self._samples.clear()
        self._oldest_mono_ms = None
        self._forget_what_matters()

    def _commit_what_matters(self) -> bool:
        """On a full disk the reserve still takes the ledger, the alarms and the answers; False when it does not."""
        if not (self._messages or self._results):
            return True
        try:
            self._store.commit((), self._messages, self._rows, self._results, critical=True)
        except StorageError as error:
            log.debug("storage: not even the reserve took it: %s", error)
            return False
        self._forget_what_matters()
        return True

    def _forget_what_matters(self) -> None:
        self._messages.clear()
        self._rows.clear()
        self._results.clear()
        self._urgent = False

    def _start_anew(self, now: Instant, everything: Mapping[str, bytes]) -> None:
        try:
            aside = self._store.quarantine(now)
        except StorageError as error:
            log.error("storage: could not set the corrupt file aside: %s", error)
            return
        log.error("storage: the corrupt file is kept as %s; going on with a new one", aside)
        self._rows = {**everything, **self._rows}
        self._retry_mono_ms = now.mono_ms

    def _failed(self, error: StorageError, now: Instant) -> None:
        self._reserve_takes = False
        if type(error) is not type(self.fault):
            log.error("storage: %s; measuring and warning go on", error)
        self.fault = error
        self._retry_mono_ms = now.mono_ms + round(1000 * RETRY_S)
