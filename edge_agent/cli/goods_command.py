"""Tell the running agent what came in, or what was thrown away: a line of the record, and of the central system's.

edge-agent receive 4006381333931 --lot L2411 --supplier farm-a --units 24 --use-by 2026-12-01 --temperature-c 3.5
edge-agent waste --product 4006381333931 --lot L2411 --units 3 --reason expired
edge-agent waste --shelf shelf-1 --grams 1250 --reason spoiled --note "two crates at the back"
"""

import argparse
from math import isfinite

from edge_agent.cli.alarm_command import user_name
from edge_agent.cli.command import ask_agent, tell
from edge_agent.cli.common import add_config, add_json, add_state
from edge_agent.cli.exits import Exit
from edge_agent.decide.goods import REASONS
from edge_agent.domain.lot import PACKAGINGS

_KEYS = (
    *("product", "lot", "supplier", "grams", "units", "invoiced_g", "rejected_g", "packed", "use_by", "best_before"),
    *("packaging", "outcome", "temperature_c", "order", "shelf", "place", "reason", "note"),
)


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "receive":
        parser.add_argument("product", help="its GTIN, as in the configuration")
        parser.add_argument("--lot", required=True, help="as printed on it")
        parser.add_argument("--supplier", required=True, help="who delivered it")
        parser.add_argument("--packed", metavar="DAY", help="such as 2026-11-22")
        parser.add_argument("--packaging", choices=PACKAGINGS, help="default: as such goods mostly come")
        parser.add_argument("--use-by", metavar="DAY", help="such as 2026-12-01")
        parser.add_argument("--best-before", metavar="DAY")
        parser.add_argument("--temperature-c", type=_number, metavar="C", help="of the goods as they came")
        parser.add_argument("--invoiced-g", type=_number, metavar="G", help="what the papers say")
        parser.add_argument("--rejected-g", type=_number, metavar="G", help="what was sent back")
        parser.add_argument("--order", help="number of the order or delivery note")
    else:
        parser.add_argument("--product", help="its GTIN, as in the configuration")
        parser.add_argument("--lot", help="as printed on it")
        parser.add_argument("--reason", choices=REASONS, required=True)
    parser.add_argument("--units", type=int, metavar="N", help="pieces")
    parser.add_argument("--grams", type=_number, metavar="G")
    parser.add_argument("--shelf", help="where it goes, or was")
    parser.add_argument("--place", help="the same, without a shelf")
    parser.add_argument("--note", help="in words")
    parser.add_argument("--who", default=None, help="who says so (default: the user's name)")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def _number(text: str) -> float:
    """JSON has no NaN, and no scale shows one."""
    try:
        found = float(text)
        if isfinite(found):
            return found
    except ValueError:
        pass  # told below
    raise argparse.ArgumentTypeError(f"{text[:40]!r}: must be a number")


def arguments(args: argparse.Namespace) -> dict[str, object]:
    asked = {key: getattr(args, key, None) for key in _KEYS}
    return {"who": args.who or user_name()} | {key: value for key, value in asked.items() if value is not None}


def run(args: argparse.Namespace) -> Exit:
    return tell(ask_agent(args, args.command, arguments(args)), as_json=args.json, in_words=True)
