"""Tasks beside the cycle: one at a time and in order; one that fails or hangs costs its answer and nothing else."""

import logging
import sqlite3
import threading

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.service.thinker import Thinker, Thought
from edge_agent.storage.errors import StorageError


def at(seconds: float) -> Instant:
    return Instant(round(1000 * seconds), 1_795_417_200_000 + round(1000 * seconds), "boot-1")


def taken(thinker: Thinker, count: int) -> list[Thought]:
    """The next so many answers, as the cycles would find them."""
    found: list[Thought] = []
    pause = threading.Event()
    for _ in range(1000):
        found += thinker.take()
        if len(found) >= count:
            break
        pause.wait(0.01)
    return found


@pytest.fixture
def thinker():
    made = Thinker()
    made.start()
    yield made
    made.stop(10.0)


def raises(error: Exception):
    def task() -> None:
        raise error

    return task


def test_without_a_thread_the_work_is_done_when_the_answer_is_taken():
    thinker, order = Thinker(), []
    assert thinker.ask("a", lambda: order.append("a"))
    assert order == []
    assert [thought.name for thought in thinker.take()] == ["a"]
    assert (order, thinker.take()) == (["a"], [])


def test_what_may_not_lower_its_priority_works_as_an_equal():
    thinker = Thinker(raises(PermissionError(1, "Operation not permitted")))
    thinker.start()
    thinker.ask("a", lambda: "done")
    assert [thought.result for thought in taken(thinker, 1)] == ["done"]
    thinker.stop(10.0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_told_and_another_takes_its_place(caplog):
    deaths, dead = [TypeError("a bug in the thread itself")], threading.Event()

    def die_once() -> None:
        if deaths:
            dead.set()
            raise deaths.pop()

    thinker = Thinker(die_once)
    thinker.start()
    assert dead.wait(10.0)
    thinker.ask("lives", lambda: "done")
    for second in range(1000):
        thinker.supervise(at(second))
        if "has died; another takes its place" in caplog.text:
            break
        threading.Event().wait(0.01)
    assert [thought.result for thought in taken(thinker, 1)] == ["done"]
    assert (thinker.trouble("lives"), deaths) == ("", [])
    thinker.stop(10.0)


def test_without_a_thread_a_fault_is_an_answer_and_a_bug_goes_up():
    thinker = Thinker()
    thinker.ask("lives", raises(ValueError("no table")))
    (thought,) = thinker.take()
    assert (thought.result, str(thought.error), thinker.trouble("lives")) == (None, "no table", "ValueError: no table")
    thinker.ask("lives", raises(TypeError("a bug")))
    with pytest.raises(TypeError, match="a bug"):
        thinker.take()


def test_one_at_a_time_and_in_order(thinker):
    gate, order = threading.Event(), []
    thinker.ask("first", lambda: (gate.wait(10.0), order.append("first")))
    thinker.ask("second", lambda: order.append("second"))
    assert (thinker.take(), order) == ([], [])
    assert not thinker.ask("second", lambda: 0), "it waits already"
    assert thinker.is_busy
    gate.set()
    assert [thought.name for thought in taken(thinker, 2)] == ["first", "second"]
    assert order == ["first", "second"]
    assert not thinker.is_busy


@pytest.mark.parametrize(
    "error",
    [
        StorageError("the disk is gone"),
        OSError(5, "Input/output error"),
        ZeroDivisionError("division by zero"),
        MemoryError(),
        TypeError("a bug"),
        AttributeError("a bug"),
        AssertionError("a bug"),
        RecursionError("a bug"),
        sqlite3.ProgrammingError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_or_a_bug_is_an_answer_and_the_next_task_is_done(thinker, error):
    thinker.ask("lives", raises(error))
    thinker.ask("demand", lambda: 2)
    failed, done = taken(thinker, 2)
    assert (failed.name, failed.result, failed.error) == ("lives", None, error)
    assert done == Thought("demand", 2)
    assert thinker.trouble("lives") == f"{type(error).__name__}: {error}"
    assert thinker.trouble("demand") == ""


def test_the_trouble_is_over_with_the_next_answer(thinker):
    thinker.ask("lives", raises(TypeError("a bug")))
    taken(thinker, 1)
    thinker.ask("lives", lambda: 1)
    assert taken(thinker, 1) == [Thought("lives", 1)]
    assert thinker.trouble("lives") == ""


def test_the_same_bug_stands_in_the_log_once_with_where_it_came_from(thinker, caplog):
    for number in range(5):
        thinker.ask("demand", raises(TypeError("a bug" if number < 4 else "another")))
        taken(thinker, 1)
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [str(record.exc_info[1]) for record in told] == ["a bug", "another"]
    assert all(record.exc_info[2] is not None for record in told)


def test_a_task_that_hangs_is_told_of_and_the_others_go_on(thinker):
    gate, began = threading.Event(), threading.Event()
    thinker.ask("stuck", lambda: (began.set(), gate.wait(), 7)[-1], limit_s=60.0)
    assert began.wait(10.0)
    thinker.ask("next", lambda: 1)
    for seconds, trouble in ((0, ""), (59, ""), (60, "no answer for 1 min"), (180, "no answer for 3 min")):
        thinker.supervise(at(seconds))
        assert thinker.trouble("stuck") == trouble, seconds
    assert taken(thinker, 1) == [Thought("next", 1)]
    assert not thinker.ask("stuck", lambda: 0), "one that hangs is not asked twice"
    threads = [thread for thread in threading.enumerate() if thread.name == "thinker"]
    assert len(threads) == 2, "one for what hangs and one for all the others"
    gate.set()
    assert taken(thinker, 1) == [Thought("stuck", 7)]
    assert thinker.trouble("stuck") == ""
    assert thinker.ask("stuck", lambda: 8)
    assert taken(thinker, 1) == [Thought("stuck", 8)]


def test_a_task_that_waits_for_its_turn_does_not_hang(thinker):
    gate, began = threading.Event(), threading.Event()
    thinker.ask("long", lambda: (began.set(), gate.wait()), limit_s=7200.0)
    assert began.wait(10.0)
    thinker.ask("short", lambda: 1, limit_s=60.0)
    thinker.supervise(at(0))
    thinker.supervise(at(3600))
    assert (thinker.trouble("long"), thinker.trouble("short")) == ("", "")
    gate.set()


def test_a_task_that_hangs_keeps_no_stop_waiting():
    thinker, gate, began = Thinker(), threading.Event(), threading.Event()
    thinker.start()
    thinker.ask("stuck", lambda: (began.set(), gate.wait()), limit_s=60.0)
    assert began.wait(10.0)
    assert not thinker.stop(0.05)
    assert not thinker.ask("more", lambda: 0), "stopped"
    gate.set()
    assert thinker.stop(10.0)


def test_one_that_was_left_behind_is_missed_by_the_stop_too():
    thinker, gate, began = Thinker(), threading.Event(), threading.Event()
    thinker.start()
    thinker.ask("stuck", lambda: (began.set(), gate.wait()), limit_s=60.0)
    assert began.wait(10.0)
    thinker.supervise(at(0))
    thinker.supervise(at(61))
    assert not thinker.stop(0.05)
    gate.set()
    assert thinker.stop(10.0)
