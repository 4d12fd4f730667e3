"""The card comes back: connections that have outlived their mount are let go, and no number is given twice."""

import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.storage.database import Turn, next_turn, takes_writes
from edge_agent.storage.errors import StorageError
from edge_agent.storage.record import open_record

OURS, OTHER = (8, 1), (9, 1)


@pytest.mark.parametrize(
    ("held", "found", "can_write", "turn"),
    [
        (OURS, OURS, False, Turn.STAY),
        (OURS, OURS, True, Turn.ANEW),
        (OURS, OTHER, True, Turn.ELSEWHERE),
        (OURS, OTHER, False, Turn.LET_GO),
        (OURS, None, True, Turn.LET_GO),
        (OURS, None, False, Turn.LET_GO),
        (None, None, True, Turn.ELSEWHERE),
        (None, None, False, Turn.LET_GO),
        (None, OURS, True, Turn.ELSEWHERE),
        (None, OURS, False, Turn.LET_GO),
    ],
)
def test_what_to_do_follows_from_what_the_path_leads_to(held, found, can_write, turn):
    assert next_turn(held, found, can_write=can_write) is turn


def test_a_directory_takes_writes_or_does_not_and_no_trace_of_the_question_is_left(tmp_path):
    assert takes_writes(tmp_path)
    assert not takes_writes(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(open_store, build, state):
    """With five samples and three events, of which the first two of each were accepted."""
    found = open_store(directory=state)
    found.commit([build.sample(build.at(n)) for n in range(5)], [build.event(build.at(n)) for n in range(3)])
    for stream in (Stream.TELEMETRY, Stream.EVENT):
        found.mark(stream, [1, 2], Outcome.ACCEPTED)
    found.flush_marks()
    return found


def replace_by_copy(state: Path, copy: Path) -> None:
    """As a card that was mounted anew: another file at the same path, the old one stays open."""
    os.rename(state, state.with_name("unmounted"))
    shutil.copytree(copy, state)


def copied(state: Path, name: str) -> Path:
    return Path(shutil.copytree(state, state.with_name(name)))


def test_the_same_file_gets_new_connections_and_goes_on(store, build):
    assert store.reconnect(build.at(9)) is store
    assert store.commit([build.sample(build.at(9))]).spans == {Stream.TELEMETRY: (6, 6)}
    assert [row.seq for row in store.pending(Stream.TELEMETRY, 0, 9)] == [3, 4, 5, 6]


def test_our_own_file_mounted_anew_goes_on_with_its_numbers_and_marks(store, build, state):
    store.mark(Stream.TELEMETRY, [3], Outcome.ACCEPTED)  # not on the disk when the card failed
    replace_by_copy(state, copied(state, "copy"))
    found = store.reconnect(build.at(9))
    assert found is not store
    assert found.epoch == store.epoch
    assert [row.seq for row in found.pending(Stream.TELEMETRY, 0, 9)] == [4, 5]
    assert found.commit([build.sample(build.at(9))], [build.event(build.at(9))]).spans == {
        Stream.TELEMETRY: (6, 6),
        Stream.EVENT: (4, 4),
    }
    found.close()
    with pytest.raises(StorageError, match="not there any more"):
        store.pending(Stream.TELEMETRY, 0, 9)


@pytest.mark.parametrize("is_written_again", [False, True])
def test_a_card_that_lost_rows_never_gives_their_numbers_again(store, build, state, open_store, is_written_again):
    older = copied(state, "older")
    store.commit([build.sample(build.at(n)) for n in (5, 6)], [build.event(build.at(5))])
    store.mark(Stream.TELEMETRY, [6], Outcome.ACCEPTED)
    health = [store.next_volatile(Stream.HEALTH) for _ in range(5000)][-1]  # beyond what the card was promised
    replace_by_copy(state, older)
    found = store.reconnect(build.at(9))
    assert found.epoch == store.epoch
    assert [(note.first, note.last) for note in found.dropped(Stream.TELEMETRY)] == [(7, 7)], "the 6th was told"
    assert [(note.first, note.last) for note in found.dropped(Stream.EVENT)] == [(4, 4)]
    if is_written_again:
        found.commit([build.sample(build.at(9))])
    found._database.close()  # no clean stop
    again = open_store(directory=state)
    assert again.last_seq(Stream.TELEMETRY) == 7 + is_written_again
    assert again.commit(messages=[build.event(build.at(10))]).spans == {Stream.EVENT: (5, 5)}
    assert again.next_volatile(Stream.HEALTH) > health
    assert [row.seq for row in again.pending(Stream.TELEMETRY, 0, 99)] == [3, 4, 5, 8][: 3 + is_written_again]
    assert again.stats().streams[Stream.TELEMETRY].rows == 5 + is_written_again


def test_lines_of_the_record_that_a_card_lost_are_named_and_the_next_line_knows_them(store, build, state):
    lines = [Message(Stream.RECORD, "record/node", b'{"kind":"alarm","n":%d}' % n, build.at(n)) for n in range(4)]
    store.commit(messages=lines[:1])
    older = copied(state, "older")
    store.commit(messages=lines[1:3])
    lost = store.record_head()
    replace_by_copy(state, older)
    found = store.reconnect(build.at(9))
    found.commit(messages=lines[3:])
    with closing(open_record(state)) as record:
        assert [(fault.what, fault.words) for fault in record.check().faults] == [
            ("removed", "lines 3 to 4 are missing")
        ]
    (row,) = found.pending(Stream.RECORD, 4, 1)
    assert json.loads(row.content.body)["prev"] == lost.hash
    found._database.close()


def test_where_the_file_is_gone_a_new_one_is_begun_at_the_second_look(store, build, state):
    os.rename(state, state.with_name("unmounted"))
    state.mkdir()
    with pytest.raises(StorageError, match="not there any more"):
        store.reconnect(build.at(9))
    assert list(state.iterdir()) == [], "a card may be about to be mounted there"
    found = store.reconnect(build.at(14))
    assert found.epoch != store.epoch
    assert found.commit([build.sample(build.at(14))]).spans == {Stream.TELEMETRY: (1, 1)}
    found.close()


def test_the_file_of_another_card_keeps_its_own_numbers(store, build, state, open_store):
    other = open_store(directory=state.with_name("other"))
    other.commit([build.sample(build.at(1))])
    other.close()
    replace_by_copy(state, state.with_name("other"))
    found = store.reconnect(build.at(9))
    assert found.epoch == other.epoch
    assert found.commit([build.sample(build.at(9))]).spans == {Stream.TELEMETRY: (2, 2)}
    assert found.dropped(Stream.TELEMETRY) == []
    found.close()


def test_a_damaged_file_on_the_card_is_set_aside(store, build, state):
    copy = copied(state, "copy")
    for file in copy.glob("agent.db*"):
        file.write_bytes(b"no database at all" * 1000)
    replace_by_copy(state, copy)
    found = store.reconnect(build.at(9))
    assert found.quarantined is not None
    assert found.epoch != store.epoch
    found.close()


def test_a_place_without_a_card_holds_no_file_open(store, build, state):
    """An open file would keep the kernel from mounting the card anew."""
    os.rename(state, state.with_name("unmounted"))
    for _ in range(3):
        with pytest.raises(StorageError, match=r"agent\.db is not there any more"):
            store.reconnect(build.at(9))
    held = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    assert not [name for name in held if "unmounted" in name]


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@pytest.fixture
def ext4(tmp_path):
    """A card of our own: (where it is mounted, its image)."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("AN ABORTED EXT4 WAS NOT TRIED: it needs root and mkfs.ext4")
    image, folder = tmp_path / "card.img", tmp_path / "card"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(24 * 2**20)
    run("mkfs.ext4", "-q", "-m", "0", image)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("AN ABORTED EXT4 WAS NOT TRIED: no loop mounts here")
    yield folder, image
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def test_an_aborted_ext4_that_was_mounted_anew_is_written_again(ext4, open_store, build):
    folder, image = ext4
    store = open_store(directory=folder / "state")
    store.commit([build.sample(build.at(1))])
    run("mount", "-o", "remount,abort", folder)
    with pytest.raises(StorageError):
        store.commit([build.sample(build.at(2))])
    assert store.reconnect(build.at(3)) is store
    assert len(store.pending(Stream.TELEMETRY, 0, 9)) == 1, "what it holds can still be told"
    run("umount", "--lazy", folder)
    with pytest.raises(StorageError, match="not there any more"):
        store.reconnect(build.at(4))
    subprocess.run(["fsck.ext4", "-p", str(image)], capture_output=True, check=False)
    run("mount", "-o", "loop", image, folder)
    found = store.reconnect(build.at(5))
    assert found.epoch == store.epoch
    assert found.commit([build.sample(build.at(5))]).spans == {Stream.TELEMETRY: (2, 2)}
    found.close()
