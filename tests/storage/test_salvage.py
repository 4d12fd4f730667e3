import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.domain.instant import ClockState
from edge_agent.domain.message import Message, Outcome, Queued, Stream
from edge_agent.storage.errors import StorageError
from edge_agent.storage.ledger import Kind
from edge_agent.storage.schema import MESSAGES, QUEUED, TABLES
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store
from tests.storage.conftest import Build

PAGE = 512
SAMPLES, EVENTS = 4000, 300


def body(n: int) -> bytes:
    return b'{"kind":"pick","n":%d,"pad":"%s"}' % (n, b"x" * (n * 37 % 700))


def garble(file: Path, page: int, seed: int = 1) -> None:
    """``page``: from 1, as SQLite counts."""
    with file.open("r+b") as raw:
        raw.seek((page - 1) * PAGE)
        raw.write(random.Random(seed).randbytes(PAGE))


def root(file: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as plain:
        (number,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(number)


def children(file: Path, page: int) -> list[int]:
    """Of an interior page of a table (SQLite's file format, section 1.6); a leaf has none."""
    raw = file.read_bytes()[(page - 1) * PAGE : page * PAGE]
    if raw[0] != 0x05:
        return []
    cells, right = struct.unpack_from(">H", raw, 3)[0], struct.unpack_from(">I", raw, 8)[0]
    places = struct.unpack_from(f">{cells}H", raw, 12)
    return [*(struct.unpack_from(">I", raw, place)[0] for place in places), right]


def leaves(file: Path, table: str) -> list[int]:
    def below(page: int) -> Iterator[int]:
        under = children(file, page)
        for child in under:
            yield from below(child)
        if not under:
            yield page

    return list(below(root(file, table)))


def rows_on(file: Path, page: int) -> set[int]:
    """The numbers of a leaf's rows."""
    raw = file.read_bytes()[(page - 1) * PAGE : page * PAGE]
    places = struct.unpack_from(f">{struct.unpack_from('>H', raw, 3)[0]}H", raw, 8)
    return {varint(raw, varint(raw, place)[1])[0] for place in places}


def varint(raw: bytes, at: int) -> tuple[int, int]:
    """Its value, and where it ends."""
    number = 0
    while raw[at] & 0x80:
        number, at = number << 7 | raw[at] & 0x7F, at + 1
    return number << 7 | raw[at], at + 1


def pending(store: Any, stream: Stream) -> list[Queued]:
    found: list[Queued] = []
    while some := store.pending(stream, found[-1].seq if found else 0, 150):
        found += some
    return found


def waiting_rows(store: Any) -> dict[Stream, list[Queued]]:
    return {stream: pending(store, stream) for stream in QUEUED}


def waiting(store: Any) -> dict[Stream, list[Any]]:
    return {stream: [row.content for row in rows] for stream, rows in waiting_rows(store).items()}


def states(store: Any) -> dict[str, Any]:
    return {row.content.topic: row.content for row in store.latest_retained()}


@dataclass(frozen=True)
class Filled:
    """A file with much that waits for the broker, after an unclean stop, and what that was."""

    file: Path
    rows: dict[Stream, list[Queued]]
    states: dict[str, Any]

    def without(self, stream: Stream, lost: Iterable[int] = ()) -> list[Any]:
        return [row.content for row in self.rows[stream] if row.seq not in set(lost)]


def made(folder: Path, samples: int, events: int) -> Filled:
    build = Build()
    store = Store.open(StorageSettings(directory=str(folder)), "node-1", build.at(0))
    fill(store, build, samples, events)
    found = Filled(folder / "agent.db", waiting_rows(store), states(store))
    store._database.close()
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return made(tmp_path_factory.mktemp("original"), SAMPLES, EVENTS)


@pytest.fixture
def filled(tmp_path: Path, original: Filled) -> Filled:
    shutil.copyfile(original.file, tmp_path / "agent.db")
    return replace(original, file=tmp_path / "agent.db")


def fill(store: Any, build: Any, samples: int = SAMPLES, events: int = EVENTS) -> None:
    for n in range(0, samples, 100):
        store.commit([build.sample(build.at(n + k), (n + k) / 7) for k in range(100)])
    lines = [build.event(build.at(n), body(n)) for n in range(events)]
    stock = [build.stock(build.at(n), f"shelf-{n % 3}", body(n)) for n in range(60)]
    alarms = [Message(Stream.ALARM, f"alarm/a-{n % 4}", body(n), build.at(n), retain=True) for n in range(20)]
    store.commit(messages=[*lines, *stock, *alarms], memory={"scale/shelf-1": b'{"tare_g":5}'})
    store.receive(build.command("waits", build.at(1)))
    store.mark(Stream.TELEMETRY, range(1, 101), Outcome.ACCEPTED)
    store.mark(Stream.EVENT, range(1, 11), Outcome.ACCEPTED)
    store.flush_marks()
    with store._database.reading() as tx:
        tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()


def at_run(filled: Filled, open_store: Any, build: Any, pages: Iterable[int]) -> Any:
    store = open_store()
    for page in pages:
        garble(filled.file, page)
    store.quarantine(build.at(9000))
    return store


def at_start(filled: Filled, open_store: Any, build: Any, pages: Iterable[int]) -> Any:
    for page in pages:
        garble(filled.file, page)
    return open_store(build.at(9000))


Damaged = Callable[..., Any]
WHEN = pytest.mark.parametrize("damaged", [at_run, at_start])
WHICH = pytest.mark.parametrize(
    "pick",
    [
        lambda leaves: leaves[:1],
        lambda leaves: leaves[-1:],
        lambda leaves: leaves[len(leaves) // 4 :][:1],
        lambda leaves: leaves[len(leaves) // 2 :][:3],
        lambda leaves: leaves[3::5],
        lambda leaves: [leaves[0], leaves[-2], leaves[-1]],
    ],
    ids=["first", "last", "one", "three neighbours", "every fifth", "both ends"],
)


@WHEN
@WHICH
@pytest.mark.parametrize("stream", [Stream.TELEMETRY, Stream.EVENT])
def test_a_damaged_page_costs_its_rows_and_no_others(
    filled: Filled, open_store: Any, build: Any, damaged: Damaged, pick: Any, stream: Stream
) -> None:
    pages = pick(leaves(filled.file, TABLES[stream].name))
    lost = set().union(*(rows_on(filled.file, page) for page in pages))
    store = damaged(filled, open_store, build, pages)
    assert store.quarantined is not None
    found = waiting(store)
    for each in QUEUED:
        assert found[each] == filled.without(each, lost if each is stream else ())
    assert states(store) == filled.states


def test_numbers_that_cannot_be_read_are_told_as_dropped(filled: Filled, open_store: Any, build: Any) -> None:
    page = leaves(filled.file, "telemetry")[40]
    lost = rows_on(filled.file, page)
    store = at_run(filled, open_store, build, [page])
    seqs = [row.seq for row in pending(store, Stream.TELEMETRY)]
    (note,) = store.dropped(Stream.TELEMETRY)
    assert (note.kind, note.reason, note.rows) == (Kind.DROPPED, "damaged", len(lost))
    assert sorted([*seqs, *range(note.first, note.last + 1)]) == list(range(1, SAMPLES - 100 + 1)), "and no gap besides"
    assert f"{len(lost)} are unreadable" in store.salvaged()
    assert f"event {EVENTS - 10}" in store.salvaged()
    store.close()
    assert open_store(build.at(9100)).dropped(Stream.TELEMETRY) == [note]


@pytest.mark.parametrize("level", [0, 1])
def test_above_the_rows_a_damaged_page_costs_those_below_it(
    filled: Filled, open_store: Any, build: Any, level: int
) -> None:
    page = root(filled.file, "telemetry")
    if level:
        page = children(filled.file, page)[1]
    below = [leaf for leaf in leaves(filled.file, "telemetry") if level == 0 or leaf in children(filled.file, page)]
    lost = set().union(*(rows_on(filled.file, leaf) for leaf in below))
    store = at_run(filled, open_store, build, [page])
    assert 0 < len(lost) < SAMPLES or level == 0
    assert waiting(store) == {
        stream: filled.without(stream, lost if stream is Stream.TELEMETRY else ()) for stream in QUEUED
    }


def test_the_damaged_file_is_left_as_it_is(filled: Filled, open_store: Any, build: Any) -> None:
    garble(filled.file, leaves(filled.file, "telemetry")[40])
    evidence = filled.file.read_bytes()
    store = open_store(build.at(9000))
    pending(store, Stream.TELEMETRY)
    store.close()
    assert store.quarantined.read_bytes() == evidence
    assert [path.name for path in filled.file.parent.glob("*.corrupt-*")] == [store.quarantined.name]


def test_rows_that_are_only_in_the_log_are_read_too(tmp_path: Path, open_store: Any, build: Any) -> None:
    """The log of an agent that was killed: its last rows are nowhere else."""
    store = open_store(directory=tmp_path / "live")
    fill(store, build)
    events = [build.event(build.at(n), body(n)) for n in range(EVENTS, EVENTS + 9)]
    store.commit([build.sample(build.at(SAMPLES), 1.5)], events)
    expected = waiting(store)
    (tmp_path / "killed").mkdir()
    for name in ("agent.db", "agent.db-wal"):
        shutil.copyfile(tmp_path / "live" / name, tmp_path / "killed" / name)
    killed = tmp_path / "killed" / "agent.db"
    page = leaves(killed, "telemetry")[40]
    lost = {sample.at for sample in expected[Stream.TELEMETRY]} - instants_without(killed, page, build)
    garble(killed, page)
    again = open_store(build.at(9000), directory=tmp_path / "killed")
    assert again.quarantined is not None
    found = waiting(again)
    assert found[Stream.EVENT] == expected[Stream.EVENT]
    assert found[Stream.TELEMETRY] == [sample for sample in expected[Stream.TELEMETRY] if sample.at not in lost]


def instants_without(file: Path, page: int, build: Any) -> set[Any]:
    return {build.at(seq - 1) for seq in set(range(1, SAMPLES + 2)) - rows_on(file, page)}


@pytest.mark.parametrize("table", ["clock", "shape", "fault", "settled", "memory", "inbox", "state", "outbox_event"])
def test_a_small_table_lost_at_start_costs_only_what_needs_it(
    filled: Filled, open_store: Any, build: Any, table: str
) -> None:
    store = at_start(filled, open_store, build, [root(filled.file, table)])
    found = waiting(store)
    as_before = {stream: filled.without(stream) for stream in QUEUED}
    assert (store.memory() == {}) is (table == "memory")
    assert [command.cmd_id for command in store.waiting_commands()] == ([] if table == "inbox" else ["waits"])
    if table == "clock":
        for stream in MESSAGES:
            assert [(m.topic, m.body, m.at.mono_ms) for m in found[stream]] == [
                (m.topic, m.body, m.at.mono_ms) for m in as_before[stream]
            ]
            assert {m.at.clock for m in found[stream]} <= {ClockState.UNSYNCED}
    elif table == "settled":  # better twice than never
        assert found[Stream.EVENT][10:] == as_before[Stream.EVENT]
        assert len(found[Stream.EVENT]) == EVENTS
        assert len(found[Stream.TELEMETRY]) == SAMPLES
    elif table == "outbox_event":
        assert len(found[Stream.EVENT]) < EVENTS - 10
    else:
        assert {stream: found[stream] for stream in MESSAGES} == {stream: as_before[stream] for stream in MESSAGES}
    if table in ("clock", "shape"):
        assert found[Stream.TELEMETRY] == []
    elif table != "settled":
        assert found[Stream.TELEMETRY] == as_before[Stream.TELEMETRY]


def test_an_older_state_never_passes_for_the_newest(open_store: Any, build: Any, tmp_path: Path) -> None:
    store = open_store()
    stock = [build.stock(build.at(n), "shelf-1", body(n)) for n in range(60)]
    store.commit(messages=stock)
    store.mark(Stream.STOCK, range(1, 61), Outcome.ACCEPTED)
    store.resend(Stream.STOCK, 5, 6)
    store.quarantine(build.at(100))
    assert waiting(store)[Stream.STOCK] == [stock[4], stock[5], stock[59]], "the newest comes along"
    assert states(store) == {"stock/shelf-1": stock[59]}
    store.mark(Stream.STOCK, range(1, 4), Outcome.ACCEPTED)
    store.resend(Stream.STOCK, 1, 2)
    store.flush_marks()
    with store._database.writing() as tx:  # the newest cannot be read
        tx.exec_driver_sql("UPDATE outbox_stock SET body = x'00' WHERE seq = 3")
    store.quarantine(build.at(200))
    assert [m.retain for m in waiting(store)[Stream.STOCK]] == [False, False]
    assert states(store) == {}


def test_a_kill_between_setting_aside_and_beginning_loses_nothing(filled: Filled, open_store: Any, build: Any) -> None:
    store = open_store()
    store._database.set_aside(build.at(9000))
    store._database.close()
    again = open_store(build.at(9001))
    assert waiting(again) == {stream: filled.without(stream) for stream in QUEUED}
    assert again.memory() == {"scale/shelf-1": b'{"tare_g":5}'}
    found = waiting(again)
    again.close()
    assert waiting(open_store(build.at(9002))) == found, "and nothing is doubled by the next start"


def test_what_was_told_is_not_told_again_after_a_start(filled: Filled, open_store: Any, build: Any) -> None:
    store = at_run(filled, open_store, build, [])
    store.mark(Stream.TELEMETRY, range(1, 1501), Outcome.ACCEPTED)
    store.mark(Stream.EVENT, range(1, 51), Outcome.ACCEPTED)
    store.close()
    found = waiting(open_store(build.at(9100)))
    assert found[Stream.TELEMETRY] == filled.without(Stream.TELEMETRY)[1500:]
    assert found[Stream.EVENT] == filled.without(Stream.EVENT)[50:]


def test_new_samples_follow_those_that_wait(filled: Filled, open_store: Any, build: Any) -> None:
    store = at_run(filled, open_store, build, [])
    store.close()
    store = open_store(build.at(9100))
    new = build.sample(build.at(9101))
    assert store.commit([new]).spans == {Stream.TELEMETRY: (SAMPLES - 100 + 1, SAMPLES - 100 + 1)}
    assert waiting(store)[Stream.TELEMETRY] == [*filled.without(Stream.TELEMETRY), new]


@pytest.mark.parametrize("older_than_s", [0, 50, 100.5, 2000, 3999.5, 9000, 9200])
def test_where_backlog_ends_is_found_in_the_damaged_file_too(
    filled: Filled, open_store: Any, build: Any, older_than_s: float
) -> None:
    store = at_run(filled, open_store, build, [leaves(filled.file, "telemetry")[40]])
    store.commit([build.sample(build.at(9100))])
    found = store.newest_older_than(Stream.TELEMETRY, "boot-1", int(older_than_s * 1000))
    older = [row.seq for row in pending(store, Stream.TELEMETRY) if row.at.mono_ms < older_than_s * 1000] or [0]
    assert found == older[-1]


def test_a_file_damaged_again_takes_along_what_waits_in_the_first(filled: Filled, open_store: Any, build: Any) -> None:
    store = at_run(filled, open_store, build, [])
    new = [build.sample(build.at(9100 + n), None, "elsewhere") for n in range(50)]
    store.commit(new)
    store.mark(Stream.TELEMETRY, [*range(1, 1501), SAMPLES - 99], Outcome.ACCEPTED)
    store.flush_marks()
    expected = [*filled.without(Stream.TELEMETRY)[1500:], *new[1:]]
    store.quarantine(build.at(9200))
    assert waiting(store)[Stream.TELEMETRY] == expected
    assert store.dropped(Stream.TELEMETRY) == []
    store._database.set_aside(build.at(9300))
    store._database.close()
    assert waiting(open_store(build.at(9400)))[Stream.TELEMETRY] == expected, "found by its own tables"


def test_a_replay_of_numbers_in_the_damaged_file_is_served(filled: Filled, open_store: Any, build: Any) -> None:
    page = leaves(filled.file, "telemetry")[40]
    store = at_run(filled, open_store, build, [page])
    store.commit([build.sample(build.at(9100))])
    last = store.last_seq(Stream.TELEMETRY)
    rows = pending(store, Stream.TELEMETRY)
    store.mark(Stream.TELEMETRY, range(1, last + 1), Outcome.ACCEPTED)
    answer = store.resend(Stream.TELEMETRY, 1, last)
    (note,) = store.dropped(Stream.TELEMETRY)
    assert (answer.first, answer.last, answer.available) == (1, last, len(rows))
    assert answer.dropped == ((note.first, note.last),)
    assert pending(store, Stream.TELEMETRY) == rows


def test_somebody_deletes_the_file_and_nothing_that_waits_is_lost(filled: Filled, open_store: Any, build: Any) -> None:
    store = at_run(filled, open_store, build, [])
    store.quarantined.unlink()
    store.close()
    assert waiting(open_store(build.at(9100)))[Stream.TELEMETRY] == filled.without(Stream.TELEMETRY)


def test_when_all_was_told_the_second_name_of_the_file_goes(filled: Filled, open_store: Any, build: Any) -> None:
    store = at_run(filled, open_store, build, [])
    folder = filled.file.parent / "salvage"
    assert list(folder.iterdir())
    store.mark(Stream.TELEMETRY, range(1, SAMPLES - 99), Outcome.ACCEPTED)
    store.housekeeping(build.at(9001))
    assert folder.exists(), "its last number keeps the next ones from being given twice"
    store.commit([build.sample(build.at(9002))])
    store.housekeeping(build.at(9003))
    assert not folder.exists()
    store.close()
    store = open_store(build.at(9100))
    assert store.commit([build.sample(build.at(9101))]).spans == {Stream.TELEMETRY: (SAMPLES - 98, SAMPLES - 98)}
    assert len(pending(store, Stream.TELEMETRY)) == 2


@pytest.mark.parametrize("page", [1, None], ids=["unreadable", "nothing waits"])
def test_a_file_in_which_nothing_waits_gets_no_lasting_second_name(
    filled: Filled, open_store: Any, build: Any, page: int | None
) -> None:
    if page:
        garble(filled.file, page)
    store = open_store(build.at(9000))
    if not page:
        store.mark(Stream.TELEMETRY, range(1, SAMPLES + 1), Outcome.ACCEPTED)
        store.quarantine(build.at(9001))
    assert not (filled.file.parent / "salvage").exists(), "it would keep the room of a file that somebody deletes"


def test_a_clock_that_comes_later_dates_what_waits(open_store: Any, build: Any) -> None:
    store = open_store()
    early = build.at(5, clock=ClockState.UNSYNCED)
    store.commit([build.sample(early)], [build.event(early)])
    store.quarantine(build.at(9, clock=ClockState.UNSYNCED))
    store.correct_clock("boot-1", 77)
    store.close()
    store = open_store(build.at(20))
    for stream in (Stream.TELEMETRY, Stream.EVENT):
        (row,) = pending(store, stream)
        assert (row.at.wall_ms, row.at.clock) == (5077, ClockState.CORRECTED)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[Stream, set[Any]]]:
    """A small file, and all that is in it, accepted or not."""
    build = Build()
    found = made(tmp_path_factory.mktemp("image"), 600, 40)
    told = {stream: set(found.without(stream)) for stream in QUEUED}
    told[Stream.EVENT] |= {build.event(build.at(n), body(n)) for n in range(10)}
    told[Stream.TELEMETRY] |= {build.sample(build.at(n), n / 7) for n in range(100)}
    return found.file.read_bytes(), told


def damaged_copy(raw: bytes, places: Iterable[int], noise: str) -> bytes:
    count, found = len(raw) // PAGE, bytearray(raw)
    for place in places:
        start = place % count * PAGE
        found[start : start + PAGE] = {
            "random": random.Random(place).randbytes(PAGE),
            "zero": bytes(PAGE),
            "erased": b"\xff" * PAGE,
        }[noise]
    return bytes(found)


@given(
    places=st.lists(st.integers(0, 10_000), min_size=1, max_size=12),
    noise=st.sampled_from(["random", "zero", "erased"]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_pages_are_garbled_what_comes_out_is_what_went_in(image: Any, places: list[int], noise: str) -> None:
    """Only the wall time may be lost, with the clocks; and a state whose newer one is lost becomes history."""
    raw, told = image
    build = Build()
    with TemporaryDirectory() as folder:
        (Path(folder) / "agent.db").write_bytes(damaged_copy(raw, places, noise))
        chosen = StorageSettings(directory=folder)
        with suppress(StorageError), closing(Store.open(chosen, "node-1", build.at(9000))) as store:
            if store.quarantined is None:
                store.quarantine(build.at(9000))
            for stream, contents in waiting(store).items():
                for content in contents:
                    if isinstance(content, Message):
                        content = replace(content, at=build.at(content.at.mono_ms / 1000))
                        content = content if content in told[stream] else replace(content, retain=True)
                    is_original = content in told[stream]
                    assert is_original, f"{stream}: {content!s:.200}"
