"""A nonce is used once: through kills, restarts and damaged files."""

from dataclasses import replace
from typing import Any

from edge_agent.domain.command import CommandResult, ResultCode, Seal

NONCE = "n" * 22


def sealed(build: Any, cmd_id: str, key: str = "office", nonce: str = NONCE) -> Any:
    return replace(build.command(cmd_id, build.at(1)), seal=Seal(key, nonce), peer="ann uid=1000 pid=7")


def test_a_nonce_used_before_is_a_replay_also_after_a_kill(open_store: Any, build: Any) -> None:
    store = open_store()
    assert not store.receive(sealed(build, "c-1")).is_replay
    assert store.receive(sealed(build, "c-2")).is_replay
    assert [command.cmd_id for command in store.waiting_commands()] == ["c-1"]
    store._database.close()
    store = open_store()
    assert store.receive(sealed(build, "c-3")).is_replay
    assert store.waiting_commands() == [sealed(build, "c-1")]


def test_the_same_command_again_is_a_duplicate(open_store: Any, build: Any) -> None:
    store = open_store()
    store.receive(sealed(build, "c-1"))
    again = store.receive(sealed(build, "c-1"))
    assert (again.is_duplicate, again.is_replay) == (True, False)


def test_another_key_has_nonces_of_its_own(open_store: Any, build: Any) -> None:
    store = open_store()
    store.receive(sealed(build, "c-1"))
    assert not store.receive(sealed(build, "c-2", key="till")).is_replay
    assert not store.receive(sealed(build, "c-3", nonce="m" * 22)).is_replay


def test_an_obeyed_one_keeps_its_nonce_and_is_audited_with_it(open_store: Any, build: Any) -> None:
    store = open_store()
    command = sealed(build, "c-1")
    store.receive(command)
    store.commit(results=[CommandResult(command, ResultCode.DONE, build.at(2))])
    assert store.result_of("c-1").command == command
    assert store.receive(sealed(build, "c-2")).is_replay


def test_a_damaged_file_hands_its_nonces_on(open_store: Any, build: Any) -> None:
    store = open_store()
    command = sealed(build, "c-1")
    store.receive(command)
    store.commit(results=[CommandResult(command, ResultCode.DONE, build.at(2))])
    store.quarantine(build.at(3))
    assert store.receive(sealed(build, "c-2")).is_replay
