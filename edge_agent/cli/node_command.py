"""Ask the running agent about itself: which box it is, a new configuration, messages once more.

edge-agent identify --seconds 30            its light blinks: this is the node
edge-agent reload                           read the configuration again; refused, with its faults, when it has any
edge-agent resend event 910 917             these numbers of a stream go to the broker again, on hist/event
"""

import argparse

from edge_agent.cli.command import ask_agent, tell
from edge_agent.cli.common import add_config, add_json, add_state
from edge_agent.cli.exits import Exit
from edge_agent.domain.command import Verb
from edge_agent.domain.message import VOLATILE, Stream

_VERBS = {"resend": Verb.REPLAY}  # `replay` plays recordings


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "identify":
        parser.add_argument("--seconds", type=float, metavar="S", help="for so long (default: 15)")
    if name == "resend":
        parser.add_argument("stream", choices=[stream.value for stream in Stream if stream not in VOLATILE])
        parser.add_argument("from_seq", type=int, metavar="FROM", help="first number")
        parser.add_argument("to_seq", type=int, metavar="TO", help="last number")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def arguments(args: argparse.Namespace) -> dict[str, object]:
    asked = {key: getattr(args, key, None) for key in ("seconds", "stream", "from_seq", "to_seq")}
    return {key: value for key, value in asked.items() if value is not None}


def run(args: argparse.Namespace) -> Exit:
    verb = _VERBS.get(args.command, args.command)
    return tell(ask_agent(args, verb, arguments(args)), as_json=args.json, in_words=True)
