"""Act on an alarm of the running agent: the next cycle obeys and answers, and the record keeps who did it.

edge-agent acknowledge cold-room-door                     seen; "all" for every one that waits for it
edge-agent silence all --minutes 10                       the sound only, 30 min at most
edge-agent shelve cold-room-dry --minutes 120 --reason "cleaning"     set aside, with an end (8 h at most)
edge-agent unshelve cold-room-dry
edge-agent out-of-service freezer-door --reason "stands empty"        until it is put back
edge-agent in-service freezer-door
edge-agent correct cold-room-food-safety "Milk thrown away, door seal ordered"
"""

import argparse
import getpass

from edge_agent.cli.command import ask_agent, tell
from edge_agent.cli.common import add_config, add_json, add_state
from edge_agent.cli.exits import Exit


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    all_too = ', or "all"' if name in ("acknowledge", "silence") else ""
    parser.add_argument("alarm", help=f"name of the alarm, as `edge-agent alarms` lists it{all_too}")
    if name in ("silence", "shelve"):
        parser.add_argument("--minutes", type=float, required=name == "shelve", metavar="MIN", help="how long from now")
    if name in ("shelve", "out-of-service"):
        parser.add_argument("--reason", required=name == "out-of-service", help="why, in words; kept in the record")
    if name == "correct":
        parser.add_argument("action", help="what was done about it, in words; kept in the record")
    parser.add_argument("--who", default=None, help="who does it (default: the user's name)")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def arguments(args: argparse.Namespace) -> dict[str, object]:
    asked = {key: getattr(args, key, None) for key in ("alarm", "minutes", "reason", "action")}
    return {"who": args.who or user_name()} | {key: value for key, value in asked.items() if value is not None}


def run(args: argparse.Namespace) -> Exit:
    return tell(ask_agent(args, args.command, arguments(args)), as_json=args.json, in_words=True)


def user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return ""
