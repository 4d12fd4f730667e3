from typing import Any

import pytest

from edge_agent.domain.command import CommandResult, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.storage import retention
from edge_agent.storage.ledger import Kind

DAY_S = 86_400
ALL = 10**6


def seqs(store: Any, stream: Stream = Stream.TELEMETRY) -> list[int]:
    """Every row on the disk, whatever was sent."""
    with store._database.reading() as tx:
        return list(tx.scalars(retention.select(retention.TABLES[stream].c.seq)))


def days(build: Any, *ages: float, boot: str = "boot-0", clock: ClockState = ClockState.SYNCED) -> list[Any]:
    """Samples of an earlier boot, each so many days before `build.at(0)`."""
    instants = [build.at(1000 * DAY_S - age * DAY_S, boot, clock, wall_s=-1000 * DAY_S) for age in ages]
    return [build.sample(at) for at in instants]


def keep_house(store: Any, build: Any, calls: int, every_s: float = 60, start_s: float = 0, **at: Any) -> list[Any]:
    return [store.housekeeping(build.at(start_s + n * every_s, **at)) for n in range(calls)]


class TestAge:
    def test_telemetry_past_its_days_goes_and_the_rest_stays(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=10)
        store.commit(days(build, 10.02, 10.01, 9.9, 5, 0))
        store.mark(Stream.TELEMETRY, [1], Outcome.ACCEPTED)
        keep_house(store, build, 5)
        assert seqs(store) == [3, 4, 5]
        assert store.stats().removed == {"age": 2}
        assert store.stats().streams[Stream.TELEMETRY].rows == 3
        (note,) = store.dropped(Stream.TELEMETRY)
        assert (note.first, note.last, note.rows, note.reason, note.kind) == (2, 2, 1, "age", Kind.DROPPED)
        assert store.backlog(Stream.TELEMETRY).count == 3

    def test_nothing_goes_while_the_clock_is_unsynchronised(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=10)
        store.commit(days(build, 400, 300))
        keep_house(store, build, 10, every_s=DAY_S, clock=ClockState.UNSYNCED)
        assert seqs(store) == [1, 2]

    def test_a_wall_clock_ten_years_ahead_for_an_hour_costs_at_most_a_day(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=400)
        store.commit(days(build, *(30 - n / 4 for n in range(100))))
        keep_house(store, build, 61, wall_s=10 * 365 * DAY_S)
        assert len(seqs(store)) >= 100 - 5
        keep_house(store, build, 61, start_s=3660)
        assert len(seqs(store)) >= 100 - 5

    def test_a_long_time_without_a_look_is_no_licence(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=400)
        store.commit(days(build, *(30 - n / 4 for n in range(100))))
        store.housekeeping(build.at(0))
        store.housekeeping(build.at(20 * DAY_S, wall_s=10 * 365 * DAY_S))
        assert len(seqs(store)) >= 100 - 5

    def test_rows_of_this_boot_do_not_age_by_the_wall_clock(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=1)
        store.commit([build.sample(build.at(n)) for n in range(10)])
        keep_house(store, build, 500, every_s=100, start_s=100, wall_s=10 * 365 * DAY_S)
        assert len(seqs(store)) == 10
        keep_house(store, build, 3, every_s=DAY_S, start_s=DAY_S)
        assert seqs(store) == [10], "but by the monotonic one; and the newest row keeps the numbers going"

    def test_rows_of_unknown_time_go_with_the_first_known_one_after_them(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=10)
        unknown = [build.sample(Instant(n, n, "boot-u", ClockState.UNSYNCED)) for n in range(3000)]
        store.commit([*unknown, *days(build, 20, 3, 2)])
        keep_house(store, build, 15, every_s=3600)
        assert seqs(store) == [3002, 3003]

    def test_a_restart_begins_carefully(self, open_store: Any, build: Any) -> None:
        store = open_store(telemetry_days=10)
        store.commit(days(build, 50, 40, 0))
        assert store.housekeeping(build.at(0)).removed == {}, "no time has passed that could prove anything"


class TestGrace:
    def test_acknowledged_messages_go_after_the_grace_period_but_not_before(self, open_store: Any, build: Any) -> None:
        store = open_store(grace_days=7)
        store.commit(messages=[build.event(build.at(n)) for n in range(5)])
        store.mark(Stream.EVENT, [1, 2, 4, 5], Outcome.ACCEPTED)
        keep_house(store, build, 8, every_s=0.9 * DAY_S)
        assert seqs(store, Stream.EVENT) == [1, 2, 3, 4, 5]
        keep_house(store, build, 3, every_s=DAY_S, start_s=7 * DAY_S)
        assert seqs(store, Stream.EVENT) == [3, 4, 5], "3 was never acknowledged, and what follows waits for it"
        store.mark(Stream.EVENT, [3], Outcome.ACCEPTED)
        keep_house(store, build, 20, every_s=DAY_S, start_s=11 * DAY_S)
        assert seqs(store, Stream.EVENT) == [5], "the newest keeps the numbers going"
        assert store.stats().removed == {"grace": 4}
        assert store.stats().streams[Stream.EVENT].dropped == {}

    def test_the_grace_begins_with_the_acknowledgement_not_with_the_event(self, open_store: Any, build: Any) -> None:
        store = open_store(grace_days=7)
        store.commit(messages=[build.event(build.at(n)) for n in range(5)])
        keep_house(store, build, 30, every_s=DAY_S)
        store.mark(Stream.EVENT, range(1, 6), Outcome.ACCEPTED)
        keep_house(store, build, 7, every_s=DAY_S, start_s=30 * DAY_S)
        assert len(seqs(store, Stream.EVENT)) == 5

    def test_what_was_refused_and_the_newest_of_a_retained_topic_stay(self, open_store: Any, build: Any) -> None:
        store = open_store(grace_days=0)
        messages = [build.stock(build.at(1), "gone")] + [build.stock(build.at(n)) for n in range(2, 10)]
        store.commit(messages=messages)
        store.mark(Stream.STOCK, [4], Outcome.REFUSED, "not authorised")
        store.mark(Stream.STOCK, [1, 2, 3, 5, 6, 7, 8, 9], Outcome.ACCEPTED)
        keep_house(store, build, 3)
        assert seqs(store, Stream.STOCK) == [1, 4, 9]
        assert [queued.content.topic for queued in store.latest_retained()] == ["stock/gone", "stock/shelf-1"]

    def test_estimates_leave_the_file_though_each_was_the_newest_of_its_topic(
        self, open_store: Any, build: Any
    ) -> None:
        """A lot that was sold is told of no more: else the file would keep a row of each for ever."""
        store = open_store(grace_days=7)
        told = [
            Message(Stream.SHELFLIFE, f"shelflife/{lot}", b"{}", build.at(n), retain=True, expiry_s=10_800)
            for n, lot in enumerate(["sold", "sold", "wasted", "kept"])
        ]
        store.commit(messages=told)
        store.mark(Stream.SHELFLIFE, [1, 2, 3, 4], Outcome.ACCEPTED)
        keep_house(store, build, 6, every_s=DAY_S)
        assert seqs(store, Stream.SHELFLIFE) == [1, 2, 3, 4]
        keep_house(store, build, 10, every_s=DAY_S, start_s=6 * DAY_S)
        assert seqs(store, Stream.SHELFLIFE) == [4], "the newest keeps the numbers going"
        assert [queued.seq for queued in store.latest_retained()] == [4]
        assert set(store._ledger.books[Stream.SHELFLIFE].latest) == {"shelflife/kept"}, "nor are topics for ever"
        assert store.stats().removed == {"grace": 3}

    def test_a_replay_that_is_under_way_is_not_cut_short(self, open_store: Any, build: Any) -> None:
        store = open_store(grace_days=0)
        store.commit(messages=[build.event(build.at(n)) for n in range(5)])
        store.mark(Stream.EVENT, range(1, 6), Outcome.ACCEPTED)
        store.resend(Stream.EVENT, 3, 4)
        keep_house(store, build, 3)
        assert seqs(store, Stream.EVENT) == [3, 4, 5]


@pytest.fixture
def over_budget(open_store: Any, build: Any) -> Any:
    """A store of 16 MB budget with 40,000 samples, and the file made larger by acknowledged events."""
    store = open_store(budget_mb=16)
    store.commit([build.sample(build.at(n)) for n in range(40_000)])
    store.commit(messages=[build.event(build.at(1), b"x" * 16_000_000)])
    return store


class TestBudget:
    def test_acknowledged_telemetry_is_thinned_first_then_goes_and_events_stay(
        self, over_budget: Any, build: Any, open_store: Any
    ) -> None:
        store = over_budget
        store.mark(Stream.TELEMETRY, range(1, 40_001), Outcome.ACCEPTED)
        store.mark(Stream.EVENT, [1], Outcome.ACCEPTED)
        first = store.housekeeping(build.at(50_000))
        assert (first.removed, first.dropped, first.more) == ({"thinned": 1800}, 0, True)
        assert seqs(store)[:3] == [1, 11, 21]
        store.close()
        store = open_store(budget_mb=16)
        store.housekeeping(build.at(50_060))
        assert seqs(store)[:3] == [1, 11, 21], "what is thinned is not thinned again"
        keep_house(store, build, 60, start_s=50_120)
        left = seqs(store)
        assert left == list(range(40_000 - retention.SPARED_ROWS + 1, 40_001)), "the newest are spared"
        assert seqs(store, Stream.EVENT) == [1]
        assert store.stats().streams[Stream.TELEMETRY].rows == len(left)
        assert store.stats().streams[Stream.TELEMETRY].dropped == {}
        assert store.backlog(Stream.TELEMETRY).count == 0

    def test_thinning_keeps_one_in_ten_of_every_point(self, open_store: Any, build: Any) -> None:
        store = open_store(budget_mb=16)
        points = [("slow" if n % 10 == 5 else "fast") for n in range(12_000)]
        store.commit([build.sample(build.at(n), point=point) for n, point in enumerate(points)])
        store.commit(messages=[build.event(build.at(1), b"x" * 16_000_000)])
        store.mark(Stream.TELEMETRY, range(1, 12_001), Outcome.ACCEPTED)
        store.housekeeping(build.at(20_000))
        kept = [points[seq - 1] for seq in seqs(store) if seq <= 2000]
        assert (kept.count("slow"), kept.count("fast")) == (20, 180)

    def test_what_was_never_sent_goes_last_and_is_told(self, over_budget: Any, build: Any, open_store: Any) -> None:
        store = over_budget
        store.mark(Stream.TELEMETRY, range(1, 5001), Outcome.ACCEPTED)
        reports = keep_house(store, build, 30, start_s=50_000)
        assert all(report.dropped == 0 for report in reports[:4])
        (note,) = store.dropped(Stream.TELEMETRY)
        assert (note.first, note.last, note.reason) == (5001, 30_000, "budget")
        for _ in range(2):
            assert store.backlog(Stream.TELEMETRY).count == 10_000
            assert store.pending(Stream.TELEMETRY, 0, 1)[0].seq == 30_001
            assert store.stats().streams[Stream.TELEMETRY].dropped == {"budget": 25_000}
            assert store.resend(Stream.TELEMETRY, 29_990, 30_005).dropped == ((29_990, 30_000),)
            store.close()
            store = open_store(budget_mb=16)

    def test_within_the_budget_nothing_goes_and_nothing_is_written(self, open_store: Any, build: Any) -> None:
        store = open_store()
        store.commit([build.sample(build.at(n)) for n in range(20_000)])
        assert store.housekeeping(build.at(30_000)) == retention.Kept()

    def test_the_file_does_not_grow_beyond_its_budget(self, open_store: Any, build: Any) -> None:
        store = open_store(budget_mb=16)
        for n in range(30):  # 30 x 4,000 rows of 38 bytes and more beside 12 MB of events: more than there is room for
            samples = [build.sample(build.at(n * 4000 + k), 4 + k / 7919) for k in range(4000)]
            store.commit(samples, [build.event(build.at(n), b"x" * 400_000)])
            while store.housekeeping(build.at(n * 4000 + 4000)).more:
                pass
        assert store.stats().streams[Stream.TELEMETRY].dropped["budget"] > 0
        assert store.stats().used_bytes <= 16_000_000
        assert store.stats().streams[Stream.EVENT].rows == 30


def test_old_results_go_and_waiting_commands_do_not(open_store: Any, build: Any) -> None:
    store = open_store()
    old = [build.command(f"c-{n}", days(build, 401)[0].at) for n in range(2)]
    for command in (*old, build.command("new", build.at(0))):
        store.receive(command)
    store.commit(results=[CommandResult(old[0], ResultCode.DONE, old[0].received)])
    keep_house(store, build, 3, every_s=DAY_S)
    assert store.result_of("c-0") is None
    assert [command.cmd_id for command in store.waiting_commands()] == ["c-1", "new"]


def test_a_step_that_fails_leaves_the_books_as_they_were(over_budget: Any, build: Any, open_store: Any) -> None:
    """Another process holds the file: the step is undone, in the books too, and succeeds the next time."""
    store = over_budget
    with store._database.writing() as tx:
        tx.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON removed BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = (store.stats(), store.dropped(Stream.TELEMETRY), store.backlog(Stream.TELEMETRY))
    with pytest.raises(Exception, match="no"):
        store.housekeeping(build.at(50_000))
    assert (store.stats().streams, store.dropped(Stream.TELEMETRY), store.backlog(Stream.TELEMETRY)) == (
        before[0].streams,
        *before[1:],
    )
    with store._database.writing() as tx:
        tx.exec_driver_sql("DROP TRIGGER no")
    assert store.housekeeping(build.at(50_060)).dropped == 2000
    store._database.close()
    assert open_store().dropped(Stream.TELEMETRY)[0].last == 2000
