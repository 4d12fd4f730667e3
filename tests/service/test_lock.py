"""Two agents on one directory, and what a lock must not keep from happening."""

import os
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from edge_agent.service.lock import StateLock, refuse_if_held
from edge_agent.service.refuge import open_files, open_refuge
from edge_agent.storage.errors import StorageBusy, StorageReadOnly

CONFIG = """
[node]
site = "elm-street"
name = "a1"

[storage]
directory = "{directory}"

[board]
kind = "simulated"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0
"""


@pytest.fixture
def lock():
    with closing(StateLock()) as found:
        yield found


def test_a_second_agent_on_a_directory_is_refused_by_name_and_leaves_it_alone(tmp_path, lock):
    state = tmp_path / "state"
    lock.hold(state)
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(directory=state))
    second = subprocess.run(
        [sys.executable, "-m", "edge_agent.cli.main", "run", "--config", str(config), "--for", "5"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert f"{state}: another agent uses it (process {os.getpid()})" in second.stderr
    assert list(state.iterdir()) == []


def test_a_lock_goes_from_one_directory_to_the_next_and_never_stands_in_its_own_way(tmp_path, lock):
    lock.hold(tmp_path / "a")
    lock.hold(tmp_path / "a")
    lock.hold(tmp_path / "b")
    refuse_if_held(tmp_path / "a")
    with pytest.raises(StorageBusy, match="another agent"):
        refuse_if_held(tmp_path / "b")
    lock.release()
    refuse_if_held(tmp_path / "b")


def test_a_lock_that_is_refused_keeps_the_one_before(tmp_path, lock):
    with closing(StateLock()) as other:
        other.hold(tmp_path / "a")
        lock.hold(tmp_path / "b")
        with pytest.raises(StorageBusy):
            lock.hold(tmp_path / "a")
        with pytest.raises(StorageBusy):
            refuse_if_held(tmp_path / "b")


def test_a_directory_that_takes_no_writes_is_locked_all_the_same(tmp_path, lock):
    tmp_path.chmod(0o500)
    lock.hold(tmp_path)
    with pytest.raises(StorageBusy):
        refuse_if_held(tmp_path)
    tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_locked_is_said_and_left_to_whoever_opens_it(tmp_path, lock, caplog):
    (tmp_path / "file").touch()
    lock.hold(tmp_path / "file" / "below")
    assert "cannot be locked" in caplog.text


def test_a_card_that_was_taken_out_is_let_go_and_the_one_in_its_place_is_locked(tmp_path, lock):
    card = tmp_path / "card"
    lock.hold(card)
    card.rename(tmp_path / "taken-out")
    lock.follow()
    refuse_if_held(tmp_path / "taken-out")
    with pytest.raises(StorageBusy):
        refuse_if_held(card)


def test_the_lock_goes_with_the_files_when_a_card_is_taken_out_under_the_agent(room, lock):
    lock.hold(room.directory)
    with room.built(lock) as running:
        room.directory.rename(room.directory.parent / "taken-out")
        running.parts.keeper._reconnect_others()  # what a failed commit does before the next one
        refuse_if_held(room.directory.parent / "taken-out")


def test_the_files_in_ram_of_an_agent_at_work_are_not_taken_over(room, tmp_path, lock):
    (tmp_path / "ram").mkdir()
    with room.built():
        now = room.parts.watch.now()
    files = open_refuge(room.settings, StorageReadOnly("no"), now, [tmp_path / "ram"])
    files.close()
    lock.hold(files.refuge.directory)
    with pytest.raises(StorageBusy, match="refuge"):
        open_files(room.settings, now, [tmp_path / "ram"])
    assert files.refuge.directory.exists()
    lock.release()
    open_files(room.settings, now, [tmp_path / "ram"]).close()
    assert not files.refuge.directory.exists()


def test_while_the_files_are_in_ram_they_are_locked_and_the_card_can_be_taken_out(room, lock):
    with room.built():
        pass
    lose_agent_db(room)
    (room.directory / "agent.db").mkdir()  # nobody can open that
    lock.hold(room.directory)
    with room.built(lock) as running:
        refuge = running.parts.refuge.directory
        with pytest.raises(StorageBusy):
            refuse_if_held(refuge)
        refuse_if_held(room.directory)
    shutil.rmtree(refuge)


def lose_agent_db(room) -> None:
    for file in room.directory.glob("agent.db*"):
        file.unlink()
