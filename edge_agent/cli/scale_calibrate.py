"""Calibrate a shelf's scale with known weights, one step after the other; each answer says what to do next.

edge-agent calibrate shelf-1 zero                            the platform is empty
edge-agent calibrate shelf-1 span --known-g 20000            20 kg stand on its middle; more weights if you have them
edge-agent calibrate shelf-1 corner --corner scale-2         the same weight right above that cell, or on a corner
edge-agent calibrate shelf-1 finish                          the goods are back: compute, keep, use
edge-agent calibrate shelf-1 cancel                          leave everything as it was
"""

import argparse
import getpass
import time

from edge_agent.cli.command import ask
from edge_agent.cli.common import add_config, add_json, add_state, print_json, settings, state_directory
from edge_agent.cli.exits import Exit
from edge_agent.decide.calibrate import STEPS
from edge_agent.domain.command import CommandResult, ResultCode

REST_S = 30.0  # the hands have just left the platform: ask again until it rests
AGAIN_S = 2.0


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("shelf", help="name of the shelf, as in the configuration")
    parser.add_argument("step", choices=STEPS)
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
    directory = state_directory(settings(args.config), args.state)
    wanted: dict[str, object] = {"shelf": args.shelf, "step": args.step}
    given = {"known_g": args.known_g, "corner": args.corner, "who": args.who if args.step == "zero" else None}
    wanted |= {key: value for key, value in given.items() if value is not None}
    deadline = time.monotonic() + REST_S
    result = ask(directory, args.command, wanted)
    while result.code is ResultCode.UNSTABLE and time.monotonic() < deadline:
        time.sleep(AGAIN_S)
        result = ask(directory, args.command, wanted)
    tell(result, as_json=args.json)
    return Exit.OK if result.code is ResultCode.DONE else Exit.REFUSED


def tell(result: CommandResult, *, as_json: bool) -> None:
    if as_json:
        print_json({"code": result.code.value, "message": result.message, "detail": result.detail})
        return
    print(f"{result.code.value}: {result.message}")
    for key, value in result.detail.items():
        if key not in ("shelf", "step"):
            print(f"  {key}: {value}")
