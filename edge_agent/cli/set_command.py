"""Set limits of a place on the running agent. They outlive a restart, stand in the record, and can be taken back.

edge-agent set cold-room high_c=6 dwell_s=900
edge-agent set cold-room --default                    all as the configuration says, again
edge-agent set cold-room --default high_c             one of them
"""

import argparse

from edge_agent.cli.alarm_command import user_name
from edge_agent.cli.command import ask_agent, tell
from edge_agent.cli.common import add_config, add_json, add_state
from edge_agent.cli.exits import Exit
from edge_agent.cli.pairs import pair
from edge_agent.decide.set_limits import SETTABLE


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("place", help="name of the place, as in the configuration")
    known = ", ".join(SETTABLE)
    parser.add_argument("limits", nargs="*", type=pair, metavar="KEY=VALUE", default=[], help=f"of {known}")
    parser.add_argument("--default", nargs="*", metavar="KEY", help="take these back; without a key: all of them")
    parser.add_argument("--who", default=None, help="who does it (default: the user's name)")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def arguments(args: argparse.Namespace) -> dict[str, object]:
    back: dict[str, object] = {} if args.default is None else {"default": args.default or True}
    return {"place": args.place, "who": args.who or user_name(), **dict(args.limits), **back}


def run(args: argparse.Namespace) -> Exit:
    return tell(ask_agent(args, args.command, arguments(args)), as_json=args.json, in_words=True)
