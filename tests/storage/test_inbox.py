import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_agent.domain.command import CommandResult, ResultCode
from edge_agent.domain.instant import ClockState
from edge_agent.storage.errors import StorageError
from edge_agent.storage.inbox import Inbox

DAY_S = 86_400


def test_commands_wait_in_the_order_they_came_and_survive_a_restart(open_store: Any, build: Any) -> None:
    store = open_store()
    commands = [build.command(f"c-{n}", build.at(n)) for n in range(3)]
    assert not any(store.receive(command).is_duplicate for command in commands)
    store._database.close()
    assert open_store().waiting_commands() == commands


def test_a_command_sent_twice_is_obeyed_once_and_answered_twice(open_store: Any, build: Any) -> None:
    store = open_store()
    command = build.command("c-1", build.at(1))
    store.receive(command)
    again = store.receive(build.command("c-1", build.at(2), verb="zero"))
    assert (again.is_duplicate, again.earlier) == (True, None)
    assert store.waiting_commands() == [command]
    done = CommandResult(command, ResultCode.UNSTABLE, build.at(3), "moved by 12 g", {"range_g": 12.0})
    store.commit(results=[done])
    after = store.receive(build.command("c-1", build.at(4)))
    assert (after.is_duplicate, after.earlier) == (True, done)
    assert store.waiting_commands() == []


@pytest.mark.parametrize(
    ("later", "is_duplicate"),
    [
        ({"seconds": DAY_S - 1}, True),
        ({"seconds": DAY_S + 2}, False),
        ({"seconds": 60, "wall_s": 10 * 365 * DAY_S}, True),  # the wall clock jumped; an hour did not pass
        ({"seconds": 60, "boot": "boot-2", "wall_s": 2 * DAY_S}, False),
        ({"seconds": 60, "boot": "boot-2"}, True),
        ({"seconds": 60, "boot": "boot-2", "wall_s": 2 * DAY_S, "clock": ClockState.UNSYNCED}, True),  # nobody knows
    ],
)
def test_the_same_id_is_the_same_command_for_a_day(open_store: Any, build: Any, later: Any, is_duplicate: bool) -> None:
    store = open_store()
    store.receive(build.command("c-1", build.at(0)))
    assert store.receive(build.command("c-1", build.at(**later))).is_duplicate is is_duplicate


def test_a_result_is_written_once_and_one_without_a_command_is_audited(open_store: Any, build: Any) -> None:
    store = open_store()
    command = build.command("lost", build.at(1))
    first = CommandResult(command, ResultCode.DONE, build.at(2), "counted")
    store.commit(results=[first])
    store.commit(results=[CommandResult(command, ResultCode.BUSY, build.at(3))])
    assert store.result_of("lost") == first
    assert store.result_of("never") is None
    assert store.waiting_commands() == []


def test_another_process_adds_commands_and_waits_for_the_result(tmp_path: Path, open_store: Any, build: Any) -> None:
    store = open_store()
    script = """
import sys
from pathlib import Path
from edge_agent.domain.command import Command
from edge_agent.domain.instant import Instant
from edge_agent.storage.inbox import Inbox
inbox = Inbox.open(Path(sys.argv[1]))
for n in range(20):
    inbox.receive(Command(f"cli-{n}", "tare", {"shelf": "shelf-1"}, "cli", Instant(n, n, "boot-1")))
sys.stdout.write("sent\\n"); sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write(inbox.result_of("cli-19").code)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        for n in range(200):  # both write at the same time
            store.commit([build.sample(build.at(n))], [build.event(build.at(n))])
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "sent\n"
        commands = store.waiting_commands()
        assert [command.cmd_id for command in commands] == [f"cli-{n}" for n in range(20)]
        store.commit(results=[CommandResult(command, ResultCode.DONE, build.at(300)) for command in commands])
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.read() == "done"
    assert child.returncode == 0


def test_the_command_line_does_not_make_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        Inbox.open(tmp_path)
    assert list(tmp_path.iterdir()) == []
