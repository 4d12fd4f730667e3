"""The record in the store: chained with the commit, kept for years, through damage and refuges, told as it is."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.domain.record import ChainVerdict, KeptLine, RecordKind, RecordLine
from edge_agent.mqtt import messages
from edge_agent.storage import chain
from edge_agent.storage.carry import adopt, belongings, hand_over
from edge_agent.storage.chain import GENESIS, Head
from edge_agent.storage.errors import StorageError
from edge_agent.storage.record import HEAD_MIRROR, open_record
from edge_agent.storage.settings_file import SettingsFile

DAY_S = 86_400


def line(at: Instant, kind: RecordKind = RecordKind.INTERVAL, place: str = "cold-room", **body: Any) -> Message:
    return messages.record(RecordLine(kind, at, place, body))


def read(directory: Path, *heads: tuple[str, Head]) -> tuple[list[KeptLine], ChainVerdict]:
    with closing(open_record(directory, heads)) as record:
        lines = list(record.lines())
        return lines, record.verdict()


def told(store: Any) -> list[dict[str, Any]]:
    """What a consumer gets, without the envelope."""
    return [json.loads(row.content.body) for row in store.pending(Stream.RECORD, 0, 10_000)]


def faults(verdict: ChainVerdict) -> list[tuple[str, str, int]]:
    return [(fault.file, fault.what, fault.number) for fault in verdict.faults]


@pytest.fixture
def filled(open_store: Any, build: Any) -> Any:
    """Ten intervals in three commits, after the line that opens the chain."""
    store = open_store()
    for n in range(0, 9, 3):
        store.commit(messages=[line(build.at(n + k), n=n + k) for k in range(3)])
    store.commit(messages=[line(build.at(9), n=9)])
    return store


def test_the_first_line_opens_the_chain_and_each_names_the_one_before(filled: Any) -> None:
    found = told(filled)
    assert [entry["line"] for entry in found] == list(range(1, 12))
    assert (found[0]["kind"], found[0]["prev"], found[0]["epoch"]) == ("chain", GENESIS, filled.epoch)
    assert "after" not in found[0]
    assert [entry["prev"] for entry in found[1:]] == [entry["hash"] for entry in found[:-1]]
    assert filled.record_head() == Head(filled.epoch, 11, found[-1]["hash"])


def test_it_is_read_beside_the_agent_and_goes_on_after_a_restart(
    filled: Any, tmp_path: Path, open_store: Any, build: Any
) -> None:
    lines, verdict = read(tmp_path)
    assert [entry.body.get("n") for entry in lines] == [None, *range(10)]
    assert verdict.is_sound
    filled.close()
    store = open_store()
    store.commit(messages=[line(build.at(10), n=10)])
    lines, verdict = read(tmp_path)
    assert (verdict.lines, verdict.head, verdict.faults, verdict.notes) == (12, lines[-1].hash, (), ())


def test_a_commit_that_failed_leaves_no_hole(filled: Any, tmp_path: Path, build: Any) -> None:
    with filled._database.writing() as tx:
        tx.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON outbox_record BEGIN SELECT RAISE(FAIL, 'no'); END")
    with pytest.raises(StorageError):
        filled.commit(messages=[line(build.at(11))])
    with filled._database.writing() as tx:
        tx.exec_driver_sql("DROP TRIGGER full")
    filled.commit(messages=[line(build.at(12))])
    assert read(tmp_path)[1].is_sound


@pytest.mark.parametrize(
    ("sql", "what", "number"),
    [
        (
            "UPDATE outbox_record SET body = CAST(replace(body, '\"n\":4', '\"n\":5') AS BLOB) WHERE seq = 6",
            "changed",
            6,
        ),
        ("UPDATE outbox_record SET topic = 'record/freezer' WHERE seq = 6", "changed", 6),
        ("DELETE FROM outbox_record WHERE seq = 6", "removed", 6),
        ("DELETE FROM outbox_record WHERE seq <= 3", "removed", 1),
        ("DELETE FROM outbox_record WHERE seq >= 9", "removed", 9),
        (
            "UPDATE outbox_record SET seq = 12 WHERE seq = 11;"
            "INSERT INTO outbox_record SELECT 11, topic, body, clock, mono_ms, retain, NULL, NULL"
            " FROM outbox_record WHERE seq = 4",
            "inserted",
            11,
        ),
    ],
)
def test_who_tampers_with_the_file_is_found(filled: Any, tmp_path: Path, sql: str, what: str, number: int) -> None:
    """The agent was stopped; the outbox knows how many lines were told."""
    filled.mark(Stream.RECORD, range(1, 12), Outcome.ACCEPTED)
    filled.close()
    with closing(sqlite3.connect(tmp_path / "agent.db")) as database:
        database.executescript(sql)
    assert faults(read(tmp_path)[1]) == [("agent.db", what, number)]


def test_the_settings_file_and_a_head_from_elsewhere_find_a_chain_written_anew(
    filled: Any, tmp_path: Path, build: Any
) -> None:
    head = filled.record_head()
    filled.close()
    with closing(sqlite3.connect(tmp_path / "agent.db")) as database:
        rows = database.execute("SELECT seq, body FROM outbox_record ORDER BY seq").fetchall()
        prev = GENESIS
        for seq, body in rows:
            content = json.loads(body.replace(b'"n":4', b'"n":5'))
            del content["hash"], content["line"], content["prev"]
            forged = chain.sealed(json.dumps(content).encode(), seq, prev)
            prev = chain.hash_of(forged)
            database.execute("UPDATE outbox_record SET body = ? WHERE seq = ?", (forged, seq))
        database.commit()
    assert read(tmp_path)[1].is_sound
    assert faults(read(tmp_path, ("--head", Head("", head.line, head.hash)))[1]) == [("agent.db", "changed", 11)]
    with closing(SettingsFile.open(tmp_path, build.at(0))) as file:
        file.mirror(HEAD_MIRROR, head.written().encode())
    (fault,) = read(tmp_path)[1].faults
    assert "line 11 is not the one that the settings file knows" in fault.words


class TestClock:
    def test_a_line_keeps_the_time_it_was_written_with_and_the_clock_line_puts_it_right(
        self, open_store: Any, build: Any, tmp_path: Path
    ) -> None:
        early = Instant(5000, 1_000_000, "boot-1", ClockState.UNSYNCED)
        now = build.at(60)
        store = open_store(now=early)
        store.commit(messages=[line(early)])
        before = told(store)
        store.correct_clock("boot-1", now.offset_ms)
        store.commit(messages=[line(now, RecordKind.CLOCK, "", clock_boot="boot-1", offset_ms=now.offset_ms)])
        assert told(store)[:2] == before
        assert before[1]["at"] == "1970-01-01T00:16:40.000Z"
        lines, verdict = read(tmp_path)
        assert verdict.is_sound
        assert [(entry.wall_ms, entry.is_corrected) for entry in lines] == [
            (build.at(5).wall_ms, True),
            (build.at(5).wall_ms, True),
            (now.wall_ms, False),
        ]

    def test_of_a_clock_that_was_never_set_nobody_says_the_time(self, open_store: Any, tmp_path: Path) -> None:
        early = Instant(5000, 1_000_000, "boot-1", ClockState.UNSYNCED)
        open_store(now=early).commit(messages=[line(early)])
        assert [(entry.wall_ms, entry.near_ms) for entry in read(tmp_path)[0]] == [(None, None)] * 2


class TestRetention:
    def days(self, build: Any, *ages: float) -> Iterator[Message]:
        for age in ages:
            yield line(build.at(2000 * DAY_S - age * DAY_S, "boot-0", wall_s=-2000 * DAY_S), n=age)

    def keep_house(self, store: Any, build: Any, hours: int) -> None:
        for hour in range(hours):
            store.housekeeping(build.at(3600 * hour))

    def test_nothing_is_thinned_and_nothing_goes_because_the_broker_has_it(
        self, open_store: Any, build: Any, tmp_path: Path
    ) -> None:
        store = open_store(grace_days=0)
        store.commit(messages=list(self.days(build, 1000, 500, 3, 2)))
        store.mark(Stream.RECORD, range(1, 6), Outcome.ACCEPTED)
        self.keep_house(store, build, 50)
        assert len(read(tmp_path)[0]) == 5

    def test_what_is_older_than_its_days_goes_with_a_line_that_says_so(
        self, open_store: Any, build: Any, tmp_path: Path
    ) -> None:
        store = open_store(record_days=800)
        store.commit(messages=list(self.days(build, 802, 801.5, 790, 3)))
        assert len(read(tmp_path)[0]) == 5
        self.keep_house(store, build, 50)
        lines, verdict = read(tmp_path)
        assert [entry.body.get("n") for entry in lines[:2]] == [790, 3]
        assert {entry.kind for entry in lines[2:]} == {"pruned"}
        assert (lines[0].number, lines[-1].body["upto"]) == (4, 3)
        assert verdict.is_sound
        assert verdict.notes == ("lines 1 to 3 were deleted after the days they are kept for",)
        store.close()
        assert read(tmp_path)[1].is_sound

    def test_who_takes_more_than_that_line_says_is_found(self, open_store: Any, build: Any, tmp_path: Path) -> None:
        store = open_store(record_days=800)
        store.commit(messages=list(self.days(build, 802, 801.5, 790, 3)))
        self.keep_house(store, build, 50)
        store.close()
        with closing(sqlite3.connect(tmp_path / "agent.db")) as database:
            database.execute("DELETE FROM outbox_record WHERE seq = 4")
            database.commit()
        assert faults(read(tmp_path)[1]) == [("agent.db", "removed", 4)]

    def test_a_clock_that_is_not_set_deletes_nothing(self, open_store: Any, build: Any, tmp_path: Path) -> None:
        store = open_store(record_days=800)
        store.commit(messages=list(self.days(build, 900, 1)))
        for hour in range(50):
            store.housekeeping(build.at(3600 * hour, clock=ClockState.UNSYNCED))
        assert len(read(tmp_path)[0]) == 3


class TestDamage:
    def test_a_new_file_names_the_last_line_of_the_one_set_aside(self, filled: Any, tmp_path: Path, build: Any) -> None:
        filled.mark(Stream.RECORD, range(1, 10), Outcome.ACCEPTED)
        head = filled.record_head()
        aside = filled.quarantine(build.at(20))
        filled.commit(messages=[line(build.at(21), n=21)])
        found = told(filled)
        assert found[0]["after"] == {"epoch": head.epoch, "line": 11, "hash": head.hash}
        assert [(entry["carried"]["line"], entry["n"]) for entry in found[1:3]] == [(10, 8), (11, 9)]
        lines, verdict = read(tmp_path)
        assert verdict.is_sound
        assert [entry.body.get("n") for entry in lines] == [None, *range(10), None, 21]  # each once
        assert {entry.file for entry in lines} == {aside.name, "agent.db"}

    def test_at_a_start_too(self, filled: Any, tmp_path: Path, open_store: Any, build: Any) -> None:
        filled.mark(Stream.RECORD, range(1, 12), Outcome.ACCEPTED)
        head = filled.record_head()
        filled.close()
        file = tmp_path / "agent.db"
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'state'").fetchone()
        raw = bytearray(file.read_bytes())
        raw[(page - 1) * 512 + 8 : page * 512] = b"\xa5" * 504
        file.write_bytes(raw)
        store = open_store()
        assert store.quarantined is not None
        store.commit(messages=[line(build.at(21))])
        assert told(store)[0]["after"]["hash"] == head.hash

    def test_a_file_that_was_removed_is_told_and_is_no_fault(self, filled: Any, tmp_path: Path, build: Any) -> None:
        filled.mark(Stream.RECORD, range(1, 12), Outcome.ACCEPTED)
        epoch = filled.epoch
        aside = filled.quarantine(build.at(20))
        filled.commit(messages=[line(build.at(21))])
        for file in tmp_path.glob(f"{aside.name}*"):
            file.unlink()
        _, verdict = read(tmp_path)
        assert verdict.is_sound
        assert f"lines 1 to 11 of epoch {epoch}" in verdict.notes[0]

    def test_lines_of_a_damaged_file_that_cannot_be_read_are_named(
        self, filled: Any, tmp_path: Path, build: Any
    ) -> None:
        filled.mark(Stream.RECORD, range(1, 12), Outcome.ACCEPTED)
        with filled._database.writing() as tx:
            tx.exec_driver_sql("DELETE FROM outbox_record WHERE seq = 5")  # as good as a page that cannot be read
        aside = filled.quarantine(build.at(20))
        filled.commit(messages=[line(build.at(21))])
        assert faults(read(tmp_path)[1]) == [(aside.name, "unreadable", 5)]

    def test_a_card_without_a_file_names_what_the_settings_file_remembers(self, open_store: Any, build: Any) -> None:
        store = open_store()
        store.follow_record(Head("k3f9", 812, "ab" * 32))
        store.commit(messages=[line(build.at(1))])
        store.follow_record(Head("k3f9", 900, "cd" * 32))  # too late: it has begun
        assert told(store)[0]["after"] == {"epoch": "k3f9", "line": 812, "hash": "ab" * 32}


class TestRefuge:
    def test_everything_written_in_ram_comes_over_told_or_not(
        self, filled: Any, tmp_path: Path, open_store: Any, build: Any
    ) -> None:
        head = filled.record_head()
        ram = open_store(directory=tmp_path / "ram")
        hand_over(belongings(tmp_path / "agent.db"), ram)
        ram.commit(messages=[line(build.at(30 + n), n=30 + n) for n in range(3)])
        assert told(ram)[0]["after"]["hash"] == head.hash
        ram.mark(Stream.RECORD, [1, 2], Outcome.ACCEPTED)
        assert adopt(ram, filled) == 4
        lines, verdict = read(tmp_path)
        assert verdict.is_sound
        assert [entry.body.get("n") for entry in lines[-3:]] == [30, 31, 32]
        assert adopt(ram, filled) == 0


def test_a_directory_without_a_record_says_so(tmp_path: Path, open_store: Any) -> None:
    with pytest.raises(StorageError, match="no such file"):
        open_record(tmp_path)
    open_store()
    lines, verdict = read(tmp_path)
    assert (lines, verdict.lines, verdict.is_sound, verdict.head) == ([], 0, True, "")
