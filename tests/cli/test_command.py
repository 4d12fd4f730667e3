"""`tare`, `zero`, `count`: through the inbox, answered by the next cycle of a live agent."""

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
