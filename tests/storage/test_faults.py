import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.domain.instant import ClockState
from edge_agent.domain.message import Outcome, Stream
from edge_agent.storage.errors import (
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageReadOnly,
    free_bytes,
    named_faults,
)
from edge_agent.storage.reserve import RESERVE_BYTES


def overwrite(path: Path, where: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        file.write(what)


def zeroed_header(path: Path) -> None:
    overwrite(path, 0, bytes(100))


def not_a_database(path: Path) -> None:
    path.write_text("nobody expects this here\n" * 4000)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 512 * 512)


def cut_within_the_header(path: Path) -> None:
    os.truncate(path, 50)


DAMAGES = [zeroed_header, not_a_database, truncated, cut_within_the_header]


@pytest.fixture
def filled(tmp_path: Path, open_store: Any, build: Any) -> Path:
    """A file after a clean stop."""
    store = open_store()
    store.commit([build.sample(build.at(n), n / 7) for n in range(15_000)], memory={"tare": b"1"})
    store.close()
    return tmp_path / "agent.db"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_the_agent_goes_on(
    filled: Path, open_store: Any, build: Any, damage: Callable[[Path], None]
) -> None:
    damage(filled)
    evidence = filled.read_bytes()
    store = open_store()
    assert store.quarantined == filled.with_name("agent.db.corrupt-20261123T070000Z")
    assert store.quarantined.read_bytes()[100:] == evidence[100:], "but for the header, which says WAL now"
    assert store.memory() == {}
    ((first, last),) = store.commit([build.sample(build.at(1))]).spans.values()
    assert first == last
    assert [row.seq for row in store.pending(Stream.TELEMETRY, first - 1, 10)] == [first]


def test_an_earlier_file_set_aside_is_never_overwritten(filled: Path, open_store: Any) -> None:
    names = []
    for _ in range(3):
        not_a_database(filled)
        store = open_store()
        names.append(store.quarantined.name)
        store.close()
    stamp = "agent.db.corrupt-20261123T070000Z"
    assert names == [stamp, f"{stamp}-2", f"{stamp}-3"]


def test_an_empty_file_is_a_new_one(tmp_path: Path, open_store: Any) -> None:
    (tmp_path / "agent.db").touch()
    assert open_store().quarantined is None


def garbage(seed: int) -> bytes:
    return random.Random(seed).randbytes(20_000)


def test_garbage_in_the_middle_is_found_after_an_unclean_stop(tmp_path: Path, open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit([build.sample(build.at(n), n / 7) for n in range(15_000)])
    with store._database.reading() as tx:
        tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    store._database.close()
    overwrite(tmp_path / "agent.db", 60_000, garbage(1))
    assert open_store().quarantined is not None


@pytest.mark.parametrize("seed", range(8))
def test_garbage_met_at_run_time_is_a_named_fault_and_the_store_goes_on(
    filled: Path, open_store: Any, build: Any, seed: int
) -> None:
    overwrite(filled, 60_000, garbage(seed))
    store = open_store()
    assert store.quarantined is None
    with pytest.raises(StorageCorrupt):
        store.pending(Stream.TELEMETRY, 0, 5000)
    with pytest.raises(StorageCorrupt):  # told again to who commits, and can act
        store.commit([build.sample(build.at(8))])
    epoch = store.epoch
    aside = store.quarantine(build.at(9))
    assert aside.exists()
    assert store.quarantined == aside
    assert store.epoch != epoch
    new = store.commit([build.sample(build.at(10))], memory={"tare": b"1"}).spans[Stream.TELEMETRY]
    assert new == (15_001, 15_001), "the numbers before stand for what waits in the damaged file"
    assert [row.at for row in store.pending(Stream.TELEMETRY, 15_000, 10)] == [build.at(10)]
    store.close()
    store = open_store()
    assert store.quarantined is None
    assert store.memory() == {"tare": b"1"}


def test_rows_that_silently_vanished_are_corruption(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit([build.sample(build.at(n)) for n in range(10)])
    with store._database.writing() as tx:
        tx.exec_driver_sql("DELETE FROM telemetry WHERE seq IN (4, 5, 6)")
    with pytest.raises(StorageCorrupt, match="telemetry 4 to 6 cannot be found"):
        store.pending(Stream.TELEMETRY, 0, 10)


def test_a_row_that_no_version_wrote_is_corruption(open_store: Any, build: Any) -> None:
    store = open_store()
    store.commit([build.sample(build.at(1))])
    for column in ("readings = x'18'", "shape = 99", "clock = 99", "readings = x''", "readings = x'0000000000'"):
        with store._database.writing() as tx:
            tx.exec_driver_sql(f"UPDATE telemetry SET {column}")
        with pytest.raises(StorageCorrupt, match="cannot be read"):
            store.pending(Stream.TELEMETRY, 0, 1)


def test_a_file_locked_by_another_process_is_busy_and_nothing_is_lost(
    tmp_path: Path, open_store: Any, build: Any
) -> None:
    store = open_store()
    with store._database.writing() as tx:
        tx.exec_driver_sql("CREATE TABLE other (x)")
    other = sqlite3.connect(tmp_path / "agent.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageBusy):
        store.commit([build.sample(build.at(1))])
    other.execute("ROLLBACK")
    other.close()
    assert store.commit([build.sample(build.at(1))]).spans == {Stream.TELEMETRY: (1, 1)}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the read-only mount below covers root")
def test_a_directory_without_permission_is_read_only(tmp_path: Path, open_store: Any) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(StorageReadOnly):
        open_store(directory=locked)


def test_a_directory_that_is_a_file_is_an_error_with_its_name(tmp_path: Path, open_store: Any) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        open_store(directory=tmp_path / "file")


@pytest.mark.parametrize(
    ("preparation", "statement", "kind"),
    [
        ("PRAGMA query_only = 1", "CREATE TABLE x (y)", StorageReadOnly),
        ("PRAGMA max_page_count = 1", "CREATE TABLE x (y)", StorageFull),
        ("SELECT 1", "SELECT * FROM nowhere", StorageError),
    ],
)
def test_faults_are_named_by_sqlites_code(
    tmp_path: Path, preparation: str, statement: str, kind: type[StorageError]
) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute(preparation)
    with pytest.raises(StorageError, match=r"x\.db") as caught, named_faults(tmp_path / "x.db"):
        connection.execute(statement)
    assert type(caught.value) is kind
    connection.close()


# A disk of our own, without being root: a tmpfs in a user namespace.
PRELUDE = """
import json, os, subprocess, sys
from pathlib import Path
from edge_agent.domain.instant import Instant
from edge_agent.domain.instant import ClockState
from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.storage.errors import StorageFull, StorageReadOnly
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

disk = Path(sys.argv[1])
def at(s): return Instant(int(s * 1000), 1_795_417_200_000 + int(s * 1000), "boot-1")
def batch(n, rows=80):
    return [Sample("p", at(n), (Reading(Channel("p", "temperature"), n / 7, at(n)),))] * rows
def event(n): return Message(Stream.EVENT, "event/s", b'{"n":%d}' % n, at(n))
def fill(name="other"):
    with open(disk / name, "ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
store = Store.open(StorageSettings(directory=str(disk / "agent"), budget_mb=16), "node-1", at(0))
told = {}
"""
FULL = """
for n in range(200):
    store.commit(batch(n))
committed = store.last_seq(Stream.TELEMETRY)
store.mark(Stream.TELEMETRY, range(1, committed + 1), Outcome.ACCEPTED)
fill()
try:
    for n in range(200, 5000):
        store.commit(batch(n))
    told["refused"] = False
except StorageFull:
    told["refused"] = True
told["before"] = store.last_seq(Stream.TELEMETRY)
critical = 0
for n in range(300):
    critical = store.commit(batch(n, 1), [event(n)], {"n": b"%d" % n}, critical=True).spans[Stream.EVENT][1]
told["critical"] = critical
told["reserve_used"] = not (disk / "agent" / "reserve.bin").exists()
try:
    store.commit(batch(6000))
    told["telemetry_waits"] = False
except StorageFull:
    told["telemetry_waits"] = True
told["is_disk_full"] = store.stats().is_disk_full
store.housekeeping(at(6900))
told["log_given_back"] = (disk / "agent" / "agent.db-wal").stat().st_size < 500_000
for n in range(60):  # room is made inside the file
    store.housekeeping(at(7000 + n * 60))
told["telemetry_goes_on"] = store.commit(batch(8000)).spans[Stream.TELEMETRY][1] > 0
(disk / "other").unlink()
store.housekeeping(at(20_000))
told["recovered"] = not store.stats().is_disk_full and (disk / "agent" / "reserve.bin").exists()
store.commit(batch(9000))
told["events"] = len(store.pending(Stream.EVENT, 0, 1000))
store.close()
store = Store.open(StorageSettings(directory=str(disk / "agent")), "node-1", at(30_000))
told["events_after"] = len(store.pending(Stream.EVENT, 0, 1000))
told["quarantined"] = store.quarantined is not None
store.close()
print(json.dumps(told))
"""
FULL_AT_START = """
place = disk / "agent"
for before in range(9):  # a block takes seven pages of the log: the disk is found full by each of the steps below
    store.commit(batch(1), [event(1)])
    for n in range(before):
        store.commit((), [], {"n": b"%d" % n})
    fill()
    store._database.close()  # no clean stop, and a disk without room
    store = Store.open(StorageSettings(directory=str(place)), "node-1", at(10))
    events = len(store.pending(Stream.EVENT, 0, 10))
    committed = store.commit((), [event(2)], critical=True).spans[Stream.EVENT][1]
    store.mark(Stream.EVENT, [1], Outcome.ACCEPTED)
    store.close()
    store = Store.open(StorageSettings(directory=str(place)), "node-1", at(20))
    waiting = [row.seq for row in store.pending(Stream.EVENT, 0, 10)]
    told[str(before)] = [events, committed, waiting, (place / "reserve.bin").exists()]
    store.close()
    (disk / "other").unlink()
    place = disk / f"agent-{before}"
    store = Store.open(StorageSettings(directory=str(place)), "node-1", at(0))
print(json.dumps(told))
"""
COMMAND_ON_FULL = """
from edge_agent.domain.command import Command
store.commit(batch(1))
fill()
try:
    for n in range(1, 5000):
        store.commit(batch(n))
except StorageFull:
    pass
told["reserve_left"] = (disk / "agent" / "reserve.bin").exists()
told["duplicate"] = [store.receive(Command(f"c{n}", "tare", {"pad": "x" * 400}, "cli", at(10))).is_duplicate
                     for n in range(100)].count(True)
told["waiting"] = len(store.waiting_commands())
store.close()
print(json.dumps(told))
"""
READ_ONLY = """
store.commit(batch(1), [event(1)])
remount = lambda mode: subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)
os.sync()
store.close()
remount("ro")
try:
    Store.open(StorageSettings(directory=str(disk / "agent")), "node-1", at(10))
except StorageReadOnly:
    told["named"] = True
try:
    Store.open(StorageSettings(directory=str(disk / "new")), "node-1", at(10))
except StorageReadOnly:
    told["new_named"] = True
remount("rw")
store = Store.open(StorageSettings(directory=str(disk / "agent")), "node-1", at(20))
told["again"] = store.commit((), [event(2)]).spans[Stream.EVENT][1]
store.close()
print(json.dumps(told))
"""


def on_a_disk_of_its_own(script: str, folder: Path, size_mb: int) -> Any:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    mount = f'mount -t tmpfs -o size={size_mb}m none "$0" || exit 77; exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
    child = subprocess.run(
        [*command, sys.executable, "-c", PRELUDE + script, str(folder)], capture_output=True, text=True, timeout=120
    )
    if child.returncode in (1, 77) and ("unshare" in child.stderr or "mount:" in child.stderr):
        pytest.skip(f"no user namespace here: {child.stderr.strip()}")
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


def test_on_a_full_disk_events_are_kept_telemetry_waits_and_all_recovers_without_a_restart(tmp_path: Path) -> None:
    told = on_a_disk_of_its_own(FULL, tmp_path, size_mb=12)
    assert told.pop("before") >= 200 * 80
    assert told == {
        "refused": True,
        "critical": 300,
        "reserve_used": True,
        "telemetry_waits": True,
        "is_disk_full": True,
        "log_given_back": True,
        "telemetry_goes_on": True,
        "recovered": True,
        "events": 300,
        "events_after": 300,
        "quarantined": False,
    }


def test_on_a_disk_that_is_full_at_the_start_the_agent_starts_commits_and_stops_cleanly(tmp_path: Path) -> None:
    """Whichever of them finds no room first takes the reserve."""
    told = on_a_disk_of_its_own(FULL_AT_START, tmp_path, size_mb=32)
    assert len(told) == 9
    assert [found[:3] for found in told.values()] == [[1, 2, [2]]] * 9
    assert {is_held for *_, is_held in told.values()} == {False, True}, "at some of them all fits into what is left"


def test_a_command_gets_into_the_inbox_of_a_full_disk(tmp_path: Path) -> None:
    told = on_a_disk_of_its_own(COMMAND_ON_FULL, tmp_path, size_mb=8)
    assert told == {"reserve_left": True, "duplicate": 0, "waiting": 100}


def test_the_room_left_on_a_folder_that_is_gone_is_a_named_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        free_bytes(tmp_path / "nowhere")


def test_a_card_that_turned_read_only_is_named_and_recovers(tmp_path: Path) -> None:
    assert on_a_disk_of_its_own(READ_ONLY, tmp_path, size_mb=12) == {"named": True, "new_named": True, "again": 2}


def test_the_reserve_takes_real_blocks(tmp_path: Path, open_store: Any) -> None:
    open_store()
    found = (tmp_path / "reserve.bin").stat()
    assert found.st_size == RESERVE_BYTES
    assert found.st_blocks * 512 >= RESERVE_BYTES


def test_marks_survive_a_commit_that_failed(open_store: Any, build: Any, tmp_path: Path) -> None:
    store = open_store()
    store.commit([build.sample(build.at(n)) for n in range(3)])
    store.mark(Stream.TELEMETRY, [1], Outcome.ACCEPTED)
    store.mark(Stream.TELEMETRY, [2], Outcome.REFUSED, "not authorised")
    with store._database.writing() as tx:
        tx.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON settled BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        store.flush_marks()
    with store._database.writing() as tx:
        tx.exec_driver_sql("DROP TRIGGER no")
    store.flush_marks()
    store._database.close()
    store = open_store()
    assert [queued.seq for queued in store.pending(Stream.TELEMETRY, 0, 9)] == [3]
    assert store.stats().streams[Stream.TELEMETRY].refused == {"not authorised": 1}


def test_what_a_failed_commit_met_first_is_stored_with_the_next(open_store: Any, build: Any) -> None:
    """A point, a fault code and a clock that were new in it; the clock is even corrected before the next."""
    store = open_store()
    early = build.at(1, clock=ClockState.UNSYNCED)
    with store._database.writing() as tx:
        tx.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON shape BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StorageError, match="no"):
        store.commit([build.sample(early, None)])
    with store._database.writing() as tx:
        tx.exec_driver_sql("DROP TRIGGER no")
    store.correct_clock("boot-1", 77)
    store.commit([build.sample(early, None)])
    (before,) = store.pending(Stream.TELEMETRY, 0, 9)
    store._database.close()
    (after,) = open_store().pending(Stream.TELEMETRY, 0, 9)
    assert before == after
    assert (after.at.wall_ms, after.at.clock) == (1077, ClockState.CORRECTED)
