"""The record that an inspector reads: whether it is still what was written.

  edge-agent record verify
  edge-agent record verify --from 2026-11-01 --to 2026-11-30
  edge-agent record verify --json

--head LINE:HASH names a line that is known from elsewhere, as from a digest that a central system keeps. Works while
the agent runs, and on the files of one that was stopped. Exit code 0 when the chain is whole; 1 when a line was
changed, removed or inserted, each named.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from tzlocal import get_localzone

from edge_agent.cli.common import add_config, add_json, add_state, print_json, settings, state_directory
from edge_agent.cli.exits import CliError, Exit
from edge_agent.domain.record import ChainFault, ChainVerdict
from edge_agent.exchange.haccp import Period, moment_ms
from edge_agent.storage.chain import Head
from edge_agent.storage.errors import StorageError
from edge_agent.storage.record import Record, open_record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = date(1970, 1, 1), date(9999, 12, 30)
_HASH_DIGITS = 64


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check the chain of hashes, line by line")
    add_period(verify, is_required=False)
    verify.add_argument(
        "--head", type=head, metavar="LINE:HASH", action="append", default=[], help="a line known from elsewhere"
    )
    add_config(verify)
    add_state(verify)
    add_json(verify)


def add_period(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    day = "a day, the local one and whole, or an ISO time (UTC unless it says otherwise)"
    parser.add_argument("--from", dest="begin", type=bound, metavar="DAY", required=is_required, help=day)
    parser.add_argument("--to", dest="end", type=bound, metavar="DAY", help="to its end (default: all there is)")
    parser.add_argument(
        "--timezone", type=zone, metavar="NAME", help="of the days, such as Europe/Berlin (default: this machine's)"
    )


def bound(text: str) -> date | datetime:
    """
    >>> bound("2026-11-01"), bound("2026-11-01T06:00").isoformat()
    (datetime.date(2026, 11, 1), '2026-11-01T06:00:00+00:00')
    """
    try:
        if len(text) <= len("2026-11-01"):
            return date.fromisoformat(text)
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-01, nor a time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time zone such as Europe/Berlin") from error


def head(text: str) -> Head:
    """
    >>> head("12:" + "0a" * 32).line
    12
    """
    line, _, found = text.partition(":")
    is_hash = len(found) == _HASH_DIGITS and not set(found) - set("0123456789abcdef")
    if not (line.isdigit() and int(line) > 0 and is_hash):
        raise argparse.ArgumentTypeError(f"{text!r}: must be a line's number, a colon and the 64 digits of its hash")
    return Head("", int(line), found)


def zone_of(args: argparse.Namespace) -> tzinfo:
    found: tzinfo = args.timezone or get_localzone()
    return found


def period_of(args: argparse.Namespace, local: tzinfo) -> Period:
    """Days from the first one's midnight to the last one's. Raises CliError for one that ends before it begins."""
    begin, end = args.begin or _FIRST, args.end or _LAST
    found = Period(_ms(begin, local), _ms(end + timedelta(days=1) if type(end) is date else end, local))
    if found.begin_ms >= found.end_ms:
        raise CliError(Exit.USAGE, f"--from {begin} must be before --to {end}")
    return found


def _ms(moment: date | datetime, local: tzinfo) -> int:
    at = moment if isinstance(moment, datetime) else datetime.combine(moment, time(), local)
    return (at - _EPOCH) // timedelta(milliseconds=1)


@contextmanager
def opened(directory: Path, heads: list[Head]) -> Iterator[Record]:
    """Raises CliError where there is no record, and for its faults inside."""
    try:
        found = open_record(directory, [("--head", known) for known in heads])
    except StorageError as error:
        raise CliError(Exit.NO_AGENT, str(error)) from error
    try:
        yield found
    except StorageError as error:
        raise CliError(Exit.FAULT, str(error)) from error
    finally:
        found.close()


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    period = period_of(args, zone_of(args))
    with opened(state_directory(chosen, args.state), args.head) as record:
        verdict = record.check()
    faults = [fault for fault in verdict.faults if _is_within(fault, period)]
    if args.json:
        print_json(told(verdict, faults))
    else:
        _show(verdict, faults)
    return Exit.FAULT if faults else Exit.OK


def _is_within(fault: ChainFault, period: Period) -> bool:
    """By the line before it; what comes before the first line is in every period."""
    at_ms = moment_ms(fault.at)
    return at_ms is None or period.has(at_ms)


def told(verdict: ChainVerdict, faults: list[ChainFault]) -> dict[str, object]:
    return {
        "lines": verdict.lines,
        "first": verdict.first,
        "last": verdict.last,
        "head": verdict.head,
        "sound": not faults,
        "faults": [
            {"file": fault.file, "line": fault.number, "what": fault.what, "words": fault.words, "after": fault.at}
            for fault in faults
        ],
        "notes": list(verdict.notes),
    }


def _show(verdict: ChainVerdict, faults: list[ChainFault]) -> None:
    say = partial(print, flush=False)
    for fault in faults:
        say(f"{fault.file}: {fault.what}: {fault.words}{f' (after {fault.at})' if fault.at else ''}")
    for note in verdict.notes:
        say(f"note: {note}")
    state = f"broken at {len(faults)} places" if faults else "whole: no line was changed, removed or inserted"
    span = f"{verdict.lines} lines, {verdict.first} to {verdict.last}" if verdict.lines else "no line yet"
    say(f"{span}: the chain is {state}")
    if verdict.lines:
        say(f"head {verdict.last}:{verdict.head}")
