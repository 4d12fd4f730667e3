"""`tare`, `zero`, `count`: through the inbox, answered by the next cycle of a live agent."""

import os
import sqlite3
import threading
import time

import pytest

from edge_agent.cli.exits import Exit


@pytest.fixture
def at_rest(call, live):
    """A live agent whose shelf does not move: a count of what it bears is not refused as unstable."""
    pause, deadline = threading.Event(), time.monotonic() + 20
    while call("count", "shelf-1", 10, "--config", live).code != Exit.OK:
        assert time.monotonic() < deadline, "the shelf came to rest"
        pause.wait(0.1)
    return live


def test_a_tare_sets_aside_what_lies_there(call, at_rest) -> None:
    told = call("tare", "shelf-1", "--config", at_rest, "--json")
    assert told.code == Exit.OK, told
    (answer,) = told.json
    assert answer["code"] == "done"
    assert abs(answer["detail"]["net_g"]) < 5
    assert answer["detail"]["tare_g"] > 1000


def test_what_nobody_knows_is_not_told(call, at_rest) -> None:
    told = call("tare", "shelf-1", "--config", at_rest)
    assert told.out.startswith("done: shelf shelf-1, gross_g ")
    assert "None" not in told.out


def test_a_container_of_known_weight_is_set_aside(call, at_rest) -> None:
    (answer,) = call("tare", "shelf-1", "--container-g", 350.5, "--config", at_rest, "--json").json
    assert answer["detail"]["tare_g"] == 350.5
    assert answer["detail"]["net_g"] == pytest.approx(answer["detail"]["gross_g"] - 350.5, abs=0.01)


def test_pieces_are_counted(call, at_rest) -> None:
    told = call("count", "shelf-1", 24, "--config", at_rest)
    assert told.code == Exit.OK
    assert "done: shelf shelf-1" in told.out
    assert "units 24" in told.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("zero", "shelf-1"), "invalid", "2 %"),  # something lies there
        (("tare", "shelf-9"), "invalid", "shelf-9"),
        (("tare", "shelf-1", "--container-g", -5), "invalid", "must be between 0 and 60000 g"),
        (("count", "shelf-1", -1), "invalid", "units = -1"),
    ],
)
def test_what_the_agent_refuses_it_says_why(call, at_rest, words, code, says) -> None:
    told = call(*words, "--config", at_rest, "--json")
    assert told.code == Exit.REFUSED
    (answer,) = told.json
    assert answer["code"] == code
    assert says in answer["message"]


def test_a_running_agent_is_asked_over_its_socket_and_audits_who_asked(call, at_rest) -> None:
    call("count", "shelf-1", 7, "--config", at_rest)
    with sqlite3.connect(f"file:{at_rest.parent / 'state' / 'agent.db'}?mode=ro", uri=True) as file:
        audited = file.execute("SELECT source, peer, code FROM inbox WHERE arguments LIKE '%7%' AND verb = 'count'")
        source, peer, code = audited.fetchall()[-1]
    file.close()
    assert (source, code) == ("local", "done")
    assert f"pid={os.getpid()}" in peer


def test_with_the_agents_files_named_the_inbox_is_asked(call, at_rest) -> None:
    told = call("count", "shelf-1", 9, "--config", at_rest, "--state", at_rest.parent / "state")
    assert told.code == Exit.OK, told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("identify", "--seconds", 3), "done: it has no light"),
        (("resend", "event", 1, 2), "done: stream event"),
        (("set", "attic", "high_c=6"), "no place is configured"),
        (("receive", "4006381333931", "--lot", "L1", "--supplier", "farm", "--units", 3), "there is none"),
        (("waste", "--shelf", "shelf-1", "--grams", 3, "--reason", "expired"), "done: 3 g shelf-1 thrown away"),
    ],
)
def test_every_other_verb_comes_through(call, at_rest, words, says) -> None:
    told = call(*words, "--config", at_rest)
    assert says in told.out.replace("on hist/event", "stream event"), told


def test_without_a_running_agent_nobody_answers(call, healthy, elsewhere) -> None:
    began_s = time.monotonic()
    told = call("tare", "shelf-1", "--config", elsewhere(healthy))
    assert told.code == Exit.NO_AGENT
    assert "no agent answered within 5 s" in told.err
    assert time.monotonic() - began_s < 10


def test_without_files_there_is_nobody_to_ask(call, unused) -> None:
    told = call("zero", "shelf-1", "--config", unused)
    assert told.code == Exit.NO_AGENT
    assert "no such file" in told.err
