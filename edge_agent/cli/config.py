"""Check a configuration: every fault at once, each with file, line, key, value and what would be right.

edge-agent config check config/edge-agent.toml
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from edge_agent.cli.common import counted, print_json
from edge_agent.cli.exits import Exit
from edge_agent.config import ConfigError, load
from edge_agent.config.faults import printable


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say every fault of FILE, or that it has none")
    check.add_argument("file", metavar="FILE", type=Path)
    check.add_argument("--json", action="store_true", help="one JSON object a fault")


def run(args: argparse.Namespace) -> Exit:
    try:
        settings = load(args.file)
    except ConfigError as error:
        for fault in error.faults:
            if args.json:
                print_json({key: value if _is_plain(value) else repr(value) for key, value in asdict(fault).items()})
            else:
                print(fault)
        if not args.json:
            print(counted(len(error.faults), "fault"))
        return Exit.CONFIG
    if not args.json:
        print(
            f"{printable(str(args.file))}: no fault; "
            f"node {settings.node.site}/{settings.node.name}, board {settings.board.kind}, "
            f"{counted(len(settings.sensors), 'sensor')}, {counted(len(settings.shelves), 'shelf', 'shelves')}"
        )
    return Exit.OK


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))
