"""`calibrate`: through the inbox to a live agent, step by step."""

import io
import sys

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.cli.scale_calibrate import tell
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant


def test_an_answer_is_told_in_words_with_its_figures_below(capsys) -> None:
    command = Command("id", "calibrate", {}, "cli", Instant(0, 0, "boot"))
    detail = {"shelf": "shelf-1", "step": "span", "shown_g": 20_003.5}
    tell(
        CommandResult(command, ResultCode.DONE, command.received, "20 kg are shown as 20.0035 kg", detail),
        as_json=False,
    )
    assert capsys.readouterr().out == "done: 20 kg are shown as 20.0035 kg\n  shown_g: 20003.5\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("shelf-9", "zero"), "shelf = 'shelf-9'"),
        (("shelf-1", "finish"), "is not being calibrated"),
        (("shelf-1", "span", "--known-g", 20_000), "empty its platform and send step zero"),
    ],
)
def test_what_the_agent_refuses_it_says_why(call, live, words, says) -> None:
    told = call("calibrate", *words, "--config", live)
    assert told.code == Exit.REFUSED
    assert says in told.out


def test_a_step_that_does_not_exist_is_told_before_anybody_is_asked(call, live) -> None:
    told = call("calibrate", "shelf-1", "weigh", "--config", live)
    assert told.code == Exit.USAGE
    assert "zero" in told.err


def test_the_guide_asks_the_running_agent_and_leaves_everything_as_it_was_when_stopped(call, live, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("later\nstop\n"))
    told = call("calibrate", "shelf-1", "--config", live)
    assert told.code == Exit.REFUSED
    assert "Take everything off shelf-1" in told.out
    assert "'later' will not do: must be one of go, stop" in told.out
    assert "everything is as it was" in told.out
    assert "No agent runs" not in told.out


def test_the_guide_needs_somebody_who_answers(call, live, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    told = call("calibrate", "shelf-1", "--config", live)
    assert told.code == Exit.USAGE
    assert "without a terminal use the steps" in told.err


def test_the_guide_knows_no_shelf_that_is_not_configured(call, live) -> None:
    told = call("calibrate", "shelf-9", "--config", live)
    assert told.code == Exit.USAGE
    assert "no shelf 'shelf-9'" in told.err
