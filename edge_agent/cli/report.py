"""The record as an inspector wants it: a table (CSV), or one page to print with plots, excursions and what was done.

  edge-agent report haccp --from 2026-11-01 --to 2026-11-30 --html --out november.html
  edge-agent report haccp --from 2026-11-01 --to 2026-11-30 --csv --place cold-room > cold-room.csv
  edge-agent report haccp --from 2026-11-01 --json | jq .kind

Works while the agent runs, and on the files of one that was stopped. The chain of hashes is checked on the way: where
it is broken the report says so, and the exit code is 1.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TextIO

from edge_agent import __version__
from edge_agent.cli.common import add_config, add_state, name_word, print_json, settings, state_directory
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.record import add_period, opened, period_of, zone_of
from edge_agent.config.settings import NodeSettings
from edge_agent.domain.record import KeptLine
from edge_agent.exchange import haccp_csv
from edge_agent.exchange.haccp import Period, belongs, gather
from edge_agent.exchange.haccp_html import Heading, page
from edge_agent.storage.record import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    haccp = kinds.add_parser("haccp", help="temperatures, excursions, alarms, corrective actions of a period")
    add_period(haccp, is_required=True)
    haccp.add_argument("--place", type=name_word, metavar="PLACE", help="this one alone")
    haccp.add_argument("--out", metavar="FILE|DIR", help="where it goes (default: standard output)")
    form = haccp.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="one row a line of the record")
    form.add_argument("--html", dest="form", action="store_const", const="html", help="one page to print")
    form.add_argument("--json", dest="form", action="store_const", const="json", help="one JSON object a line")
    add_config(haccp)
    add_state(haccp)


@dataclass(frozen=True, slots=True)
class _Asked:
    node: NodeSettings
    period: Period
    place: str  # empty: all
    zone: tzinfo


def run(args: argparse.Namespace) -> Exit:
    chosen, local = settings(args.config), zone_of(args)
    asked = _Asked(chosen.node, _until_now(period_of(args, local), args.end is None), args.place or "", local)
    with opened(state_directory(chosen, args.state), []) as record, _output(args, chosen.node) as out:
        _WRITE[args.form](asked, record, out)
        verdict = record.verdict()
    for fault in verdict.faults:
        print(f"edge-agent: {fault.file}: {fault.what}: {fault.words}", file=sys.stderr)
    return Exit.OK if verdict.is_sound else Exit.FAULT


def _until_now(period: Period, is_open: bool) -> Period:
    """Without --to: to the present, or a plot would end in emptiness."""
    end_ms = max(period.begin_ms + 1, _now_ms())
    return Period(period.begin_ms, end_ms) if is_open else period


def _now_ms() -> int:
    return (datetime.now(UTC) - _EPOCH) // timedelta(milliseconds=1)


@contextmanager
def _output(args: argparse.Namespace, node: NodeSettings) -> Iterator[TextIO]:
    """A file appears when it is complete."""
    if args.out is None or args.out == "-":
        with nullcontext(sys.stdout) as out:
            yield out
        return
    path = Path(args.out)
    if path.is_dir():
        end = f"-{args.end:%Y-%m-%d}" if args.end else ""
        path /= f"haccp-{node.site}-{node.name}-{args.begin:%Y-%m-%d}{end}.{args.form}"
    half = path.with_name(f".{path.name}.half")
    try:
        with half.open("w", encoding="utf-8", newline="") as out:
            yield out
        os.replace(half, path)
    except OSError as error:
        raise CliError(Exit.FAULT, f"--out {path}: {error.strerror}") from error
    finally:
        half.unlink(missing_ok=True)


def _within(record: Record, asked: _Asked) -> Iterator[KeptLine]:
    for line in record.lines():
        if belongs(line, asked.period) and (not asked.place or line.place in ("", asked.place)):
            yield line


def _write_csv(asked: _Asked, record: Record, out: TextIO) -> None:
    table = csv.writer(out, lineterminator="\n")
    table.writerow(haccp_csv.COLUMNS)
    table.writerows(haccp_csv.row(line, asked.zone) for line in _within(record, asked))


def _write_json(asked: _Asked, record: Record, out: TextIO) -> None:
    for line in _within(record, asked):
        head = {"file": line.file, "line": line.number, "at": line.at, "kind": line.kind, "place": line.place}
        print_json({**line.body, **head, "wall_ms": line.wall_ms, "hash": line.hash}, out)


def _write_html(asked: _Asked, record: Record, out: TextIO) -> None:
    report = gather(record.lines(), asked.period, asked.place)
    heading = Heading(asked.node.site, asked.node.name, __version__, _now_ms(), asked.zone, str(asked.zone))
    out.writelines(page(report, heading, record.verdict()))


_WRITE: dict[str, Callable[[_Asked, Record, TextIO], None]] = {
    "csv": _write_csv,
    "html": _write_html,
    "json": _write_json,
}
