"""Readings of one channel as CSV, oldest first: at, value, unit, quality, fault, clock.

edge-agent history cold-room/temperature --since 2026-11-01 > november.csv
edge-agent history shelf-1/net --since 2026-11-23T06:00 --until 2026-11-23T18:00
"""

import argparse
import csv
import sys
from datetime import UTC, datetime

from edge_agent.cli.common import add_config, add_json, add_state, open_archive, print_json, settings, state_directory
from edge_agent.cli.exits import CliError, Exit


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
    archive = open_archive(state_directory(settings(args.config), args.state))
    known = archive.channels()
    if args.channel not in known:
        raise CliError(Exit.FAULT, f"no channel {args.channel!r}; there are: {', '.join(sorted(known)) or 'none yet'}")
    rows = archive.history(args.channel, args.since, args.until)
    if args.json:
        for reading in rows:
            print_json(
                {
                    "at": reading.at.rfc3339(),
                    "value": reading.value,
                    "unit": reading.channel.unit,
                    "quality": reading.quality.value,
                    "fault": reading.fault,
                    "clock": reading.at.clock.value,
                }
            )
        return Exit.OK
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("at", "value", "unit", "quality", "fault", "clock"))
    for reading in rows:
        value = "" if reading.value is None else repr(reading.value)
        out.writerow(
            (
                reading.at.rfc3339(),
                value,
                reading.channel.unit,
                reading.quality.value,
                reading.fault or "",
                reading.at.clock.value,
            )
        )
    return Exit.OK
