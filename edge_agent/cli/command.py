"""Ask the running agent for something, over its socket or through its inbox: the next cycle obeys and answers.

edge-agent tare shelf-1                      what lies there now is the container
edge-agent tare shelf-1 --container-g 350    a container of known weight
edge-agent zero shelf-1                      the platform is empty: correct its zero (at most 2 % of full scale)
edge-agent count shelf-1 24                  24 pieces lie there
"""

import argparse
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from edge_agent.cli.common import add_config, add_json, add_state, print_json, settings, state_directory
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.local import ask_locally
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.storage.errors import StorageError
from edge_agent.storage.inbox import Inbox

ANSWER_S = 5.0
LOOK_S = 0.1


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("shelf", help="name of the shelf, as in the configuration")
    if name == "tare":
        parser.add_argument("--container-g", type=float, metavar="G", help="weight of the container, when known")
    if name == "count":
        parser.add_argument("units", type=int, help="pieces on the shelf")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def arguments(args: argparse.Namespace) -> dict[str, object]:
    wanted: dict[str, object] = {"shelf": args.shelf}
    if getattr(args, "container_g", None) is not None:
        wanted["tare_g"] = args.container_g
    if args.command == "count":
        wanted["units"] = args.units
    return wanted


def run(args: argparse.Namespace) -> Exit:
    return tell(ask_agent(args, args.command, arguments(args)), as_json=args.json)


def ask_agent(args: argparse.Namespace, verb: str, wanted: Mapping[str, object]) -> CommandResult:
    """Over the socket of the agent that runs here, else through its inbox. Raises CliError as ``ask`` does."""
    chosen = settings(args.config)
    answer = ask_locally(chosen, verb, wanted) if args.state is None else None
    return answer or ask(state_directory(chosen, args.state), verb, wanted)


def tell(result: CommandResult, *, as_json: bool, in_words: bool = False) -> Exit:
    """``in_words``: the answer's own sentence rather than its figures."""
    if as_json:
        print_json({"code": result.code.value, "message": result.message, "detail": result.detail})
    elif result.detail and not in_words:
        told = {key: value for key, value in result.detail.items() if value is not None}
        print(f"{result.code.value}: " + ", ".join(f"{key} {value}" for key, value in told.items()))
    else:
        print(f"{result.code.value}: {result.message}")
    return Exit.OK if result.code is ResultCode.DONE else Exit.REFUSED


def ask(directory: Path, verb: str, wanted: Mapping[str, object]) -> CommandResult:
    """Put the command into the inbox and wait for the cycle's answer.

    Raises CliError when no agent keeps its files there, or none answers in time.
    """
    watch = ClockWatch(SystemClock())
    command = Command(
        cmd_id=f"cli-{uuid.uuid4()}",
        verb=verb,
        arguments=wanted,
        source="cli",
        received=watch.now(),
        expires_s=ANSWER_S,
    )
    deadline = time.monotonic() + ANSWER_S
    try:
        inbox = Inbox.open(directory)
        inbox.receive(command)
        while time.monotonic() < deadline:
            result = inbox.result_of(command.cmd_id)
            if result is not None:
                return result
            time.sleep(LOOK_S)
    except StorageError as error:
        raise CliError(Exit.NO_AGENT, str(error)) from error
    raise CliError(Exit.NO_AGENT, f"no agent answered within {ANSWER_S:g} s: is it running on {directory}?")
