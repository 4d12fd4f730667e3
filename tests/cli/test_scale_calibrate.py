"""`calibrate`: through the inbox to a live agent, step by step."""

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
