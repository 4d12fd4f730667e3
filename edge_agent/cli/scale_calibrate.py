"""Calibrate a shelf's scale with a known weight: guided in plain words, or one step a call for a script.

The guide says what to put where, weighs it when it rests, tests whether the scale repeats itself and shows the same in
its corners, and keeps nothing before you say so. It asks the running agent; where none runs, one runs in this process
meanwhile, without the broker. The steps are for scripts; each answer says what to do next.

edge-agent calibrate shelf-1                                 guided: about ten minutes
edge-agent calibrate shelf-1 zero                            the platform is empty
edge-agent calibrate shelf-1 span --known-g 20000            20 kg stand on its middle; more weights if you have them
edge-agent calibrate shelf-1 corner --corner scale-2         the same weight right above that cell, or on a corner
edge-agent calibrate shelf-1 finish                          the goods are back: compute, keep, use
edge-agent calibrate shelf-1 cancel                          leave everything as it was
"""

import argparse
import getpass
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_agent.cli.command import ask_agent
from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    machine_now,
    print_json,
    settings,
    state_directory,
    without_complaints,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.scale import shelf_of
from edge_agent.config import Settings
from edge_agent.decide.calibrate import STEPS
from edge_agent.domain.command import CommandResult, ResultCode
from edge_agent.setup import alone, files_check, running
from edge_agent.setup.interview import Interview, Question
from edge_agent.setup.wizard import Guide, Outcome

REST_S = 30.0  # the hands have just left the platform: ask again until it rests
AGAIN_S = 2.0


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("shelf", help="name of the shelf, as in the configuration")
    parser.add_argument("step", nargs="?", choices=STEPS, help="one step; left out: the guide, who asks for each")
    parser.add_argument("--known-g", type=float, metavar="G", help="weight that was put on (corner: as before)")
    parser.add_argument("--corner", metavar="WHERE", help="the sensor of the cell below the weight, or a name")
    parser.add_argument("--who", metavar="NAME", help="for the history (default: %(default)s)", default=_me())
    add_config(parser)
    add_state(parser)
    add_json(parser)


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "cli"


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    if args.step is None:
        return _guide(args, chosen)
    wanted: dict[str, object] = {"shelf": args.shelf, "step": args.step}
    given = {"known_g": args.known_g, "corner": args.corner, "who": args.who if args.step == "zero" else None}
    wanted |= {key: value for key, value in given.items() if value is not None}
    result = ask_until_it_rests(args, wanted)
    tell(result, as_json=args.json)
    return Exit.OK if result.code is ResultCode.DONE else Exit.REFUSED


def ask_until_it_rests(args: argparse.Namespace, wanted: Mapping[str, object]) -> CommandResult:
    deadline = time.monotonic() + REST_S
    result = ask_agent(args, args.command, wanted)
    while result.code is ResultCode.UNSTABLE and time.monotonic() < deadline:
        time.sleep(AGAIN_S)
        result = ask_agent(args, args.command, wanted)
    return result


def _guide(args: argparse.Namespace, chosen: Settings) -> Exit:
    shelf = shelf_of(chosen, args.shelf)
    directory = state_directory(chosen, args.state)
    out = sys.stderr if args.json else sys.stdout

    def say(line: str) -> None:
        print(line, file=out, flush=True)

    def scale(step: Mapping[str, object]) -> CommandResult:
        return ask_until_it_rests(args, {"shelf": shelf.name, "who": args.who, **step})

    def person(question: Question) -> str:
        say(question.words)
        print(f"  [{question.default}]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise CliError(Exit.USAGE, "nobody answers: without a terminal use the steps (edge-agent calibrate --help)")
        return line

    with _an_agent(chosen, directory, shelf.name, say):
        guide = Guide(shelf, scale, Interview(person, say), say)
        outcome = guide.run()
        if outcome.is_kept:
            _acknowledge(args, shelf.name)
    _tell_outcome(outcome, guide.steps, len(guide.person.asked), as_json=args.json, say=say)
    if not outcome.is_kept:
        return Exit.REFUSED
    return Exit.OK if outcome.is_good else Exit.FAULT


def _acknowledge(args: argparse.Namespace, shelf: str) -> None:
    """Who has just done what the alarm `cal-...` asks for has seen it; where it does not stand, that is refused."""
    with suppress(CliError):
        ask_agent(args, "acknowledge", {"alarm": f"cal-{shelf}", "who": args.who})


@contextmanager
def _an_agent(chosen: Settings, directory: Path, shelf: str, say: Callable[[str], None]) -> Iterator[None]:
    """The one that runs, or one for as long as this lasts."""
    told = files_check.health(directory)
    if running.holder(directory) is not None or (told is not None and told.is_alive(machine_now())):
        yield
        return
    say("No agent runs: one runs here meanwhile, without the broker.")
    try:
        with without_complaints("edge_agent"), alone.agent(chosen, directory, shelf):
            yield
    except alone.NotStarted as error:
        raise CliError(Exit.FAULT, f"no agent could be started here: {error}: see `edge-agent doctor`") from error


def _tell_outcome(
    outcome: Outcome, steps: int, questions: int, *, as_json: bool, say: Callable[[str], None]
) -> None:  # fmt: skip
    if as_json:
        print_json(
            {
                "kept": outcome.is_kept,
                "good": outcome.is_good,
                "message": outcome.message,
                "steps": steps,
                "questions": questions,
                "detail": outcome.detail,
            }
        )
        return
    say("Kept, and used from now on." if outcome.is_kept else outcome.message)
    if outcome.is_kept and not outcome.is_good:
        say("It is kept and used, and the scale is not as good as it should be: mend what is said above, do it again.")
    say(f"{questions} questions, {steps} times a hand at the scale.")


def tell(result: CommandResult, *, as_json: bool) -> None:
    if as_json:
        print_json({"code": result.code.value, "message": result.message, "detail": result.detail})
        return
    print(f"{result.code.value}: {result.message}")
    for key, value in result.detail.items():
        if key not in ("shelf", "step"):
            print(f"  {key}: {value}")
