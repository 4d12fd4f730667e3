from datetime import UTC, datetime
from typing import Any

import pytest

from edge_agent.domain.command import CommandResult, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Outcome, Queued, Stream
from edge_agent.domain.reading import Channel, Reading, Sample


def everything(store: Any, stream: Stream) -> list[Queued]:
    found: list[Queued] = store.pending(stream, 0, 10_000)
    return found


def test_what_is_committed_comes_back_as_it_was(open_store: Any, build: Any) -> None:
    store = open_store()
    samples = [build.sample(build.at(1), 4.123456789), build.sample(build.at(2), None, "shelf-1")]
    answer = Message(Stream.RSP, "storeroom/v1/s/n/rsp/tare", b"{}", build.at(2), False, 300, b"\x00\x01")
    committed = store.commit(samples, [build.event(build.at(1)), answer])
    assert committed.spans == {Stream.TELEMETRY: (1, 2), Stream.EVENT: (1, 1), Stream.RSP: (1, 1)}
    assert [queued.content for queued in everything(store, Stream.TELEMETRY)] == samples
    assert [queued.content for queued in everything(store, Stream.RSP)] == [answer]
    store.close()
    assert [queued.content for queued in everything(open_store(), Stream.TELEMETRY)] == samples


def test_numbers_go_on_after_a_restart_in_the_same_epoch(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit(messages=[build.event(build.at(n)) for n in range(3)])
    epoch = store.epoch
    store.close()
    store = open_store()
    assert store.epoch == epoch
    assert epoch.isalnum()
    assert epoch == epoch.lower()
    assert store.commit(messages=[build.event(build.at(9))]).spans == {Stream.EVENT: (4, 4)}


def test_a_volatile_stream_is_never_committed(open_store: Any, build: Any) -> None:
    store = open_store()
    for stream in (Stream.HEALTH, Stream.STATUS, Stream.TELEMETRY):
        with pytest.raises(ValueError, match="takes no queued messages"):
            store.commit([build.sample(build.at(1))], [Message(stream, "health", b"{}", build.at(1))])
    assert everything(store, Stream.TELEMETRY) == []


def test_a_reading_of_another_instant_than_its_sample_is_refused_rather_than_moved(open_store: Any, build: Any) -> None:
    reading = Reading(Channel("a", "temperature"), 1.0, build.at(1))
    with pytest.raises(ValueError, match="a/temperature"):
        open_store().commit([Sample("a", build.at(2), (reading,))])


def test_a_transaction_that_fails_leaves_no_trace_and_no_gap(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit(messages=[build.event(build.at(1))])
    bad = Message(Stream.EVENT, "event/shelf-1", object(), build.at(2))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="bytes-like"):
        store.commit([build.sample(build.at(2), point="new")], [build.stock(build.at(2)), bad], {"tare": b"1"})
    assert store.memory() == {}
    assert everything(store, Stream.STOCK) == everything(store, Stream.TELEMETRY) == []
    spans = store.commit([build.sample(build.at(3), point="new")], [build.event(build.at(3))]).spans
    assert spans == {Stream.TELEMETRY: (1, 1), Stream.EVENT: (2, 2)}
    store.close()
    (found,) = everything(open_store(), Stream.TELEMETRY)
    assert found.content.point == "new"


def test_memory_is_kept_changed_and_forgotten(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit(memory={"a": b"1", "b": b"2"})
    store.commit(memory={"a": b"3", "b": None, "never-there": None})
    store.close()
    assert open_store().memory() == {"a": b"3"}


def test_marks_ride_along_with_the_next_commit(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit([build.sample(build.at(n)) for n in range(5)])
    store.mark(Stream.TELEMETRY, [1, 2, 4], Outcome.ACCEPTED)
    store.commit(memory={"a": b"1"})
    store._database.close()  # no clean stop
    assert [queued.seq for queued in everything(open_store(), Stream.TELEMETRY)] == [3, 5]


def test_marks_are_written_without_a_commit_when_asked(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit([build.sample(build.at(n)) for n in range(3)])
    store.mark(Stream.TELEMETRY, [1], Outcome.ACCEPTED)
    store.flush_marks()
    store.mark(Stream.TELEMETRY, [2], Outcome.ACCEPTED)
    store._database.close()
    assert [queued.seq for queued in everything(open_store(), Stream.TELEMETRY)] == [2, 3]


def test_volatile_numbers_never_repeat_even_after_a_crash(open_store: Any, build: Any) -> None:
    store = open_store()
    given = [store.next_volatile(Stream.HEALTH) for _ in range(700)]
    assert given == list(range(1, 701))
    store.close()
    store = open_store()
    assert store.next_volatile(Stream.HEALTH) == 701, "a clean stop leaves no gap"
    store._database.close()  # a crash before any commit
    after = open_store().next_volatile(Stream.HEALTH)
    assert 701 < after < 3000


def test_volatile_numbers_are_promised_ahead_by_the_commits(open_store: Any, build: Any) -> None:
    store = open_store()
    for n in range(50):
        last = [store.next_volatile(Stream.HEALTH) for _ in range(100)][-1]
        store.commit([build.sample(build.at(n))])
    store._database.close()
    assert open_store().next_volatile(Stream.HEALTH) > last == 5000


class TestClock:
    def test_rows_before_the_first_synchronisation_are_corrected(self, open_store: Any, build: Any) -> None:
        store = open_store()
        early = Instant(1000, 1000, "boot-1", ClockState.UNSYNCED)  # 1970
        store.commit([build.sample(early)], [build.event(early)])
        store.receive(build.command("c", early))
        store.correct_clock("boot-1", 1_795_417_200_000)
        waited = Instant(2000, 2000, "boot-1", ClockState.UNSYNCED)  # was still in RAM
        store.commit([build.sample(waited)])
        for again in range(2):
            first, second = everything(store, Stream.TELEMETRY)
            assert first.at == Instant(1000, 1_795_417_201_000, "boot-1", ClockState.CORRECTED), again
            assert second.at == Instant(2000, 1_795_417_202_000, "boot-1", ClockState.CORRECTED)
            assert first.content.readings[0].at == first.at
            assert everything(store, Stream.EVENT)[0].at == first.at
            (command,) = store.waiting_commands()
            assert command.received == first.at
            store.close()
            store = open_store()

    def test_results_given_before_the_synchronisation_are_corrected_too(self, open_store: Any, build: Any) -> None:
        store = open_store()
        early = Instant(1000, 1000, "boot-1", ClockState.UNSYNCED)
        store.commit(results=[CommandResult(build.command("c", early), ResultCode.DONE, early)])
        store.correct_clock("boot-1", 77)
        found = store.result_of("c")
        assert found.at == found.command.received == Instant(1000, 1077, "boot-1", ClockState.CORRECTED)

    def test_other_boots_and_synchronised_rows_are_left_alone(self, open_store: Any, build: Any) -> None:
        store = open_store()
        other = Instant(1000, 1000, "boot-0", ClockState.UNSYNCED)
        synced = build.at(5)
        store.commit([build.sample(other), build.sample(synced)])
        store.correct_clock("boot-1", 77)
        assert [queued.at for queued in everything(store, Stream.TELEMETRY)] == [other, synced]

    @pytest.mark.parametrize("step_s", [3600, -3600, 315_360_000, -30, -1_795_417_000])
    def test_a_step_of_the_wall_clock_reorders_and_loses_nothing(
        self, open_store: Any, build: Any, step_s: float
    ) -> None:
        store = open_store()
        instants = [build.at(n, wall_s=step_s if n > 5 else 0) for n in range(10)]
        store.commit([build.sample(at, float(n)) for n, at in enumerate(instants)])
        found = everything(store, Stream.TELEMETRY)
        assert [queued.at for queued in found] == instants
        assert [queued.seq for queued in found] == list(range(1, 11))

    def test_wall_times_before_1970_and_far_ahead_can_be_stored(self, open_store: Any, build: Any) -> None:
        store = open_store()
        odd = [Instant(5, -5_000, "b"), Instant(5, int(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000), "b")]
        store.commit([build.sample(at) for at in odd])
        assert [queued.at for queued in everything(store, Stream.TELEMETRY)] == odd


def test_results_settle_their_commands_in_the_same_transaction(open_store: Any, build: Any) -> None:
    store = open_store()
    command = build.command("c-1", build.at(1))
    store.receive(command)
    done = CommandResult(command, ResultCode.DONE, build.at(2), "tared", {"tare_g": 120.5})
    store.commit(memory={"tare": b"120.5"}, results=[done])
    assert store.waiting_commands() == []
    assert store.result_of("c-1") == done
