"""Readings of one channel as CSV, oldest first: at, value, unit, quality, fault, clock.

edge-agent history cold-room/temperature --since 2026-11-01 > november.csv
edge-agent history shelf-1/net --since 2026-11-23T06:00 --until 2026-11-23T18:00
"""

import argparse
import csv
import sys
from datetime import UTC, datetime

from edge_agent.cli.common import add_config, add_json, add_state, archive, print_json, settings, state_directory
from edge_agent.cli.exits import CliError, Exit
from edge_agent.domain.reading import Reading

COLUMNS = ("at", "value", "unit", "quality", "fault", "clock")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("channel", metavar="PLACE/QUANTITY", help="e.g. cold-room/temperature; `sensors` lists them")
    parser.add_argument("--since", type=moment, metavar="TIME", help="ISO date or time, UTC unless it says otherwise")
    parser.add_argument("--until", type=moment, metavar="TIME")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def moment(text: str) -> datetime:
    """
    >>> moment("2026-11-23").isoformat()
    '2026-11-23T00:00:00+00:00'
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO time such as 2026-11-23 or 2026-11-23T14:30Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def run(args: argparse.Namespace) -> Exit:
    if args.since and args.until and args.since >= args.until:
        raise CliError(Exit.USAGE, f"--since {args.since} must be before --until {args.until}")
    with archive(state_directory(settings(args.config), args.state)) as found:
        known = found.channels()
        if args.channel not in known:
            there = ", ".join(known) or "none yet"
            raise CliError(Exit.FAULT, f"no channel {args.channel!r}; there are: {there}")
        rows = found.history(args.channel, args.since, args.until)
        if args.json:
            for reading in rows:
                print_json(dict(zip(COLUMNS, _cells(reading), strict=True)))
            return Exit.OK
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows(_cells(reading) for reading in rows)
    return Exit.OK


def _cells(reading: Reading) -> tuple[str | float | None, ...]:
    """``repr`` of a float (what csv writes) gives the very same float back; None is an empty cell."""
    at = reading.at
    return at.rfc3339(), reading.value, reading.channel.unit, reading.quality.value, reading.fault, at.clock.value
