from typing import Any

import pytest

from edge_agent.domain.message import Outcome, Queued, Stream
from edge_agent.storage.ledger import Kind


def seqs(found: list[Queued]) -> list[int]:
    return [queued.seq for queued in found]


@pytest.fixture
def store(open_store: Any, build: Any) -> Any:
    """Ten samples of the cold room, ten events and three stock messages of two shelves."""
    opened = open_store()
    opened.commit([build.sample(build.at(n)) for n in range(1, 11)], [build.event(build.at(n)) for n in range(1, 11)])
    opened.commit(messages=[build.stock(build.at(1)), build.stock(build.at(2), "shelf-2"), build.stock(build.at(3))])
    return opened


def test_pending_is_ascending_and_bounded_on_every_side(store: Any) -> None:
    assert seqs(store.pending(Stream.EVENT, 0, 3)) == [1, 2, 3]
    assert seqs(store.pending(Stream.EVENT, 3, 100)) == [4, 5, 6, 7, 8, 9, 10]
    assert seqs(store.pending(Stream.EVENT, 3, 100, upto=5)) == [4, 5]
    assert seqs(store.pending(Stream.EVENT, 10, 5)) == []
    assert seqs(store.pending(Stream.EVENT, 0, 0)) == []
    assert store.pending(Stream.META, 0, 5) == []


def test_live_rows_may_overtake_the_backlog(store: Any) -> None:
    store.mark(Stream.EVENT, [10, 8], Outcome.ACCEPTED)
    assert seqs(store.pending(Stream.EVENT, 0, 100)) == [1, 2, 3, 4, 5, 6, 7, 9]


def test_refused_rows_are_kept_counted_and_not_pending(store: Any, open_store: Any) -> None:
    store.mark(Stream.EVENT, [2, 3], Outcome.REFUSED, "not authorised")
    store.mark(Stream.EVENT, [1, 4], Outcome.ACCEPTED)
    store.mark(Stream.EVENT, [5], Outcome.REFUSED, "too large")
    for _ in range(2):
        assert seqs(store.pending(Stream.EVENT, 0, 100)) == [6, 7, 8, 9, 10]
        assert store.stats().streams[Stream.EVENT].refused == {"not authorised": 2, "too large": 1}
        assert [(note.first, note.last, note.kind) for note in store.refused(Stream.EVENT)] == [
            (2, 3, Kind.REFUSED),
            (5, 5, Kind.REFUSED),
        ]
        store.close()
        store = open_store()
    assert store.resend(Stream.EVENT, 2, 3).available == 2
    assert seqs(store.pending(Stream.EVENT, 0, 3)) == [2, 3, 6]


def test_a_refused_topic_among_accepted_ones_takes_no_room(store: Any, build: Any) -> None:
    store.commit([build.sample(build.at(n)) for n in range(20, 620)])
    for seq in range(1, 611):
        store.mark(Stream.TELEMETRY, [seq], Outcome.REFUSED if seq % 8 == 0 else Outcome.ACCEPTED, "not authorised")
    (note,) = store.refused(Stream.TELEMETRY)
    assert (note.first, note.last, note.rows) == (8, 608, 76)
    assert list(store._ledger.books[Stream.TELEMETRY].settled) == [(1, 610)]


def test_the_backlog_says_how_much_and_since_when(store: Any, build: Any) -> None:
    assert store.backlog(Stream.EVENT).count == 10
    store.mark(Stream.EVENT, [1, 2, 10], Outcome.ACCEPTED)
    assert store.backlog(Stream.EVENT).count == 7
    assert store.backlog(Stream.EVENT).oldest == build.at(3)
    store.mark(Stream.EVENT, range(1, 11), Outcome.ACCEPTED)
    assert store.backlog(Stream.EVENT).count == 0
    assert store.backlog(Stream.EVENT).oldest is None


@pytest.mark.parametrize(("mono_s", "expected"), [(0, 0), (1, 0), (1.5, 1), (5.5, 5), (10, 9), (10.1, 10), (99, 10)])
def test_the_newest_row_older_than_an_instant_is_found(store: Any, mono_s: float, expected: int) -> None:
    assert store.newest_older_than(Stream.EVENT, "boot-1", int(mono_s * 1000)) == expected
    assert store.newest_older_than(Stream.META, "boot-1", int(mono_s * 1000)) == 0


def test_rows_of_an_earlier_boot_are_older_than_any_of_this_one(store: Any, build: Any) -> None:
    store.commit(messages=[build.event(build.at(n, boot="boot-2")) for n in (1, 2)])
    assert store.newest_older_than(Stream.EVENT, "boot-2", 500) == 10
    assert store.newest_older_than(Stream.EVENT, "boot-2", 1500) == 11
    assert store.newest_older_than(Stream.EVENT, "boot-3", 0) == 12


def test_the_newest_of_every_retained_topic_is_known_whatever_was_accepted(store: Any, open_store: Any) -> None:
    store.mark(Stream.STOCK, [1, 2, 3], Outcome.ACCEPTED)
    for _ in range(2):
        found = store.latest_retained()
        assert [(queued.content.topic, queued.seq) for queued in found] == [("stock/shelf-2", 2), ("stock/shelf-1", 3)]
        store.close()
        store = open_store()


def test_the_newest_sample_of_every_point_is_known(store: Any, open_store: Any, build: Any) -> None:
    store.commit([build.sample(build.at(20), point="freezer"), build.sample(build.at(21))])
    for _ in range(2):
        found = store.latest_samples()
        assert [(queued.content.point, queued.seq) for queued in found] == [("freezer", 11), ("cold-room", 12)]
        store.close()
        store = open_store()


class TestResend:
    def test_accepted_rows_go_out_again_and_are_done_when_accepted_again(self, store: Any) -> None:
        store.mark(Stream.EVENT, range(1, 11), Outcome.ACCEPTED)
        answer = store.resend(Stream.EVENT, 3, 5)
        assert (answer.available, answer.dropped) == (3, ())
        assert store.backlog(Stream.EVENT).count == 3
        assert seqs(store.pending(Stream.EVENT, 0, 100)) == [3, 4, 5]
        store.mark(Stream.EVENT, [3, 4, 5], Outcome.ACCEPTED)
        assert store.pending(Stream.EVENT, 0, 100) == []

    def test_a_replay_survives_a_restart(self, store: Any, open_store: Any) -> None:
        store.mark(Stream.EVENT, range(1, 11), Outcome.ACCEPTED)
        store.resend(Stream.EVENT, 3, 5)
        store.mark(Stream.EVENT, [4], Outcome.ACCEPTED)
        store.close()
        assert seqs(open_store().pending(Stream.EVENT, 0, 100)) == [3, 5]

    def test_numbers_that_were_never_given_are_not_promised(self, store: Any) -> None:
        answer = store.resend(Stream.EVENT, -5, 99)
        assert (answer.first, answer.last, answer.available, answer.dropped) == (1, 10, 10, ())
        assert store.resend(Stream.META, 1, 9).available == 0
        assert store.resend(Stream.HEALTH, 4, 6).dropped == ((4, 6),)

    def test_a_range_upside_down_is_empty(self, store: Any) -> None:
        assert store.resend(Stream.EVENT, 7, 3).available == 0

    def test_missing_rows_are_told_and_not_waited_for(self, store: Any) -> None:
        store.mark(Stream.TELEMETRY, range(1, 11), Outcome.ACCEPTED)
        with store._database.writing() as tx:
            tx.exec_driver_sql("DELETE FROM telemetry WHERE seq IN (3, 4, 8)")
        answer = store.resend(Stream.TELEMETRY, 2, 9)
        assert (answer.available, answer.dropped) == (5, ((3, 4), (8, 8)))
        assert seqs(store.pending(Stream.TELEMETRY, 0, 100)) == [2, 5, 6, 7, 9]
        assert store.backlog(Stream.TELEMETRY).count == 5

    def test_rows_that_retention_takes_during_a_replay_do_not_block_it(self, store: Any) -> None:
        store.mark(Stream.TELEMETRY, range(1, 11), Outcome.ACCEPTED)
        store.resend(Stream.TELEMETRY, 1, 10)
        with store._database.writing() as tx:
            tx.exec_driver_sql("DELETE FROM telemetry WHERE seq BETWEEN 2 AND 8 OR seq = 10")
        assert seqs(store.pending(Stream.TELEMETRY, 0, 2)) == [1, 9]
        store.mark(Stream.TELEMETRY, [1, 9], Outcome.ACCEPTED)
        assert store.pending(Stream.TELEMETRY, 0, 2) == []
        assert store.backlog(Stream.TELEMETRY).count == 0


def test_answers_to_a_file_that_was_set_aside_are_ignored(store: Any, build: Any) -> None:
    old_epoch = store.epoch
    store.quarantine(build.at(50))
    assert store.epoch != old_epoch
    last = store.last_seq(Stream.EVENT)  # of those that waited, and wait again
    store.mark(Stream.EVENT, [last + 1, last + 2], Outcome.ACCEPTED)  # beyond the last
    store.commit(messages=[build.event(build.at(51)), build.event(build.at(52))])
    store.mark(Stream.EVENT, [last + 1], Outcome.ACCEPTED, epoch=old_epoch)
    assert seqs(store.pending(Stream.EVENT, last, 10)) == [last + 1, last + 2]
    store.mark(Stream.EVENT, [last + 1], Outcome.ACCEPTED, epoch=store.epoch)
    assert seqs(store.pending(Stream.EVENT, last, 10)) == [last + 2]
