"""Tell the running agent where a lot lies now, or what became of it. A lot is named as printed, or as `lots` shows it.

edge-agent move L2411 --shelf shelf-2
edge-agent move L2411 --place cellar
edge-agent outcome L2411 sold-fresh
edge-agent outcome L2411 marked-down
edge-agent outcome L2411 wasted --reason spoiled
"""

import argparse

from edge_agent.cli.alarm_command import user_name
from edge_agent.cli.command import ask_agent, tell
from edge_agent.cli.common import add_config, add_json, add_state
from edge_agent.cli.exits import Exit
from edge_agent.decide.goods import REASONS
from edge_agent.decide.lots import OUTCOMES

_KEYS = ("lot", "product", "shelf", "place", "outcome", "reason")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("lot", help="its code, or its name among the lots")
    if name == "move":
        parser.add_argument("--shelf", help="where it lies from now on")
        parser.add_argument("--place", help="the same, without a shelf")
    else:
        parser.add_argument("outcome", choices=OUTCOMES)
        parser.add_argument("--reason", choices=REASONS, help="why it was wasted or marked down")
    parser.add_argument("--product", help="its GTIN, where several lots have this code")
    parser.add_argument("--who", default=None, help="who says so (default: the user's name)")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    given = {key: getattr(args, key, None) for key in _KEYS}
    asked = {"who": args.who or user_name()} | {key: value for key, value in given.items() if value is not None}
    return tell(ask_agent(args, args.command, asked), as_json=args.json, in_words=True)
