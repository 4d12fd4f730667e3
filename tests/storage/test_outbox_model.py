"""The outbox against a model of plain sets, under any order of commits, marks, replays, restarts and crashes."""

from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

STREAMS = (Stream.TELEMETRY, Stream.EVENT)
streams = st.sampled_from(STREAMS)
numbers = st.integers(1, 40)


def instant(n: int) -> Instant:
    return Instant(n * 1000, 1_795_417_200_000 + n * 1000, "boot")


class OutboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(TemporaryDirectory())
        self.settings = StorageSettings(directory=folder)
        self.now = 0
        self.last: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self.pending: dict[Stream, set[int]] = {stream: set() for stream in STREAMS}
        self.written = {stream: set[int]() for stream in STREAMS}  # pending, as the disk has it
        self.store = Store.open(self.settings, "node", instant(0))

    def teardown(self) -> None:
        self.store.close()
        self.stack.close()

    @rule(samples=st.integers(0, 6), events=st.integers(0, 3))
    def commit(self, samples: int, events: int) -> None:
        self.now += 1
        at = instant(self.now)
        reading = Reading(Channel("p", "temperature"), float(self.now), at)
        committed = self.store.commit(
            [Sample("p", at, (reading,))] * samples, [Message(Stream.EVENT, "event/s", b"{}", at)] * events
        )
        for stream, count in ((Stream.TELEMETRY, samples), (Stream.EVENT, events)):
            expected = (self.last[stream] + 1, self.last[stream] + count) if count else None
            assert committed.spans.get(stream) == expected, "numbers without gaps"
            self.last[stream] += count
            self.pending[stream] |= set(range(self.last[stream] - count + 1, self.last[stream] + 1))
        self.written = {stream: set(found) for stream, found in self.pending.items()}

    @rule(stream=streams, seqs=st.sets(numbers, max_size=12), outcome=st.sampled_from(Outcome))
    def mark(self, stream: Stream, seqs: set[int], outcome: Outcome) -> None:
        self.store.mark(stream, seqs, outcome, "said so")
        self.pending[stream] -= seqs

    @rule(stream=streams, first=numbers, length=st.integers(0, 15))
    def resend(self, stream: Stream, first: int, length: int) -> None:
        asked = set(range(first, min(first + length, self.last[stream]) + 1))
        assert self.store.resend(stream, first, first + length).available == len(asked)
        self.pending[stream] |= asked

    @rule()
    def flush(self) -> None:
        self.store.flush_marks()
        self.written = {stream: set(found) for stream, found in self.pending.items()}

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store.open(self.settings, "node", instant(self.now))
        self.written = {stream: set(found) for stream, found in self.pending.items()}

    @rule()
    def crash(self) -> None:
        """What was marked and not yet written is sent once more; nothing else changes."""
        self.store._database.close()
        self.store = Store.open(self.settings, "node", instant(self.now))
        self.pending = {stream: set(found) for stream, found in self.written.items()}

    @rule(stream=streams, after=st.integers(0, 40), limit=st.integers(1, 7), upto=st.none() | numbers)
    def read(self, stream: Stream, after: int, limit: int, upto: int | None) -> None:
        expected = sorted(n for n in self.pending[stream] if n > after and (upto is None or n <= upto))[:limit]
        assert self.seqs(stream, after, limit, upto) == expected

    def seqs(self, stream: Stream, after: int, limit: int, upto: int | None = None) -> list[int]:
        return [queued.seq for queued in self.store.pending(stream, after, limit, upto)]

    @invariant()
    def pending_is_what_the_model_says(self) -> None:
        for stream in STREAMS:
            expected: Any = sorted(self.pending[stream])
            assert self.seqs(stream, 0, 10_000) == expected
            assert self.store.backlog(stream).count == len(expected)
            assert self.store.last_seq(stream) == self.last[stream]


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
