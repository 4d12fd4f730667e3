"""Bring in what the agent cannot weigh: what the till sold, the weather to come, promotions and holidays.

  edge-agent import sales november.csv
  edge-agent import sales till-2.csv --add             a second till's file for the same days
  edge-agent import weather forecast.csv
  edge-agent import plans december.csv
  edge-agent import plans december.csv --withdraw      take those plans back

Works while the agent runs and after it was stopped; docs/sales.md describes the columns. The same file twice changes
nothing. Every row that does not count is told with its row, column, value and what would be right, and is kept aside.
Exit code 1 when rows were set aside. Forecasts follow with the next night.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    counted,
    machine_now,
    print_json,
    settings,
    state_directory,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import Settings
from edge_agent.domain.product import Product
from edge_agent.domain.shop import AsideRow, Remark, Unit
from edge_agent.exchange.plans import read_plans
from edge_agent.exchange.rows import LARGEST, FileFault
from edge_agent.exchange.sales import Reading, read_sales
from edge_agent.exchange.weather import read_weather
from edge_agent.service.local_days import day_of, zone_of
from edge_agent.storage.errors import StorageError
from edge_agent.storage.shop import Imported, ShopFile

KINDS = {"sales": "what the till sold", "weather": "a weather forecast", "plans": "promotions, prices, closed days"}
SHOWN = 20  # remarks of one code; the others are counted


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, words in KINDS.items():
        found = kinds.add_parser(kind, help=words)
        found.add_argument("file", type=Path, metavar="FILE", help="a table as text: csv")
        if kind == "sales":
            found.add_argument("--add", action="store_true", help="to what is there of the same days, not in its place")
            found.add_argument("--keep-duplicates", action="store_true", help="count rows that are the same twice")
        if kind == "plans":
            found.add_argument("--withdraw", action="store_true", help="take the plans of this file back")
        found.add_argument("--all", action="store_true", help="show every remark")
        add_config(found)
        add_state(found)
        add_json(found)


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    content = _content(args.file)
    try:
        file = ShopFile.open(state_directory(chosen, args.state))
    except StorageError as error:
        raise CliError(Exit.NO_AGENT, str(error)) from error
    try:
        done, remarks, aside = _READ[args.kind](args, chosen, content, file)
    except FileFault as error:
        raise CliError(Exit.USAGE, str(error)) from error
    except StorageError as error:
        raise CliError(Exit.FAULT, f"{error}; nothing is lost: import the file again") from error
    _tell(args, done, remarks, aside)
    return Exit.FAULT if aside and not done.is_known else Exit.OK


_Done = tuple[Imported, Sequence[Remark], Sequence[AsideRow]]


def _sales(args: argparse.Namespace, chosen: Settings, content: bytes, file: ShopFile) -> _Done:
    zone = zone_of(chosen.shop)
    now = machine_now()
    units = {product.gtin: unit_of(product) for product in chosen.products}
    reading = Reading(day_of(now.wall_ms, zone), zone, units)
    found = read_sales(content, args.file.name, reading, keep_duplicates=args.keep_duplicates)
    done = file.import_sales(content, args.file.name, found.sales, found.aside, now, add=args.add)
    return done, found.remarks, found.aside


def unit_of(product: Product) -> Unit:
    return Unit.G if product.is_catch_weight else Unit.UNITS


def _weather(args: argparse.Namespace, chosen: Settings, content: bytes, file: ShopFile) -> _Done:
    zone = zone_of(chosen.shop)
    now = machine_now()
    found = read_weather(content, args.file.name, day_of(now.wall_ms, zone), zone)
    done = file.import_weather(content, args.file.name, found.days, found.aside, now)
    return done, found.remarks, found.aside


def _plans(args: argparse.Namespace, chosen: Settings, content: bytes, file: ShopFile) -> _Done:
    now = machine_now()
    today = day_of(now.wall_ms, zone_of(chosen.shop))
    found = read_plans(content, args.file.name, today, [product.gtin for product in chosen.products])
    if args.withdraw:
        return Imported(False, file.withdraw_plans(found.plans)), found.remarks, found.aside
    return file.import_plans(content, args.file.name, found.plans, found.aside, now), found.remarks, found.aside


_READ = {"sales": _sales, "weather": _weather, "plans": _plans}


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as found:
            content = found.read(LARGEST + 1)
    except OSError as error:
        raise CliError(Exit.USAGE, f"{file}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise CliError(Exit.USAGE, f"{file}: is larger than {LARGEST >> 20} MiB: split it by months")
    return content


def _tell(args: argparse.Namespace, done: Imported, remarks: Sequence[Remark], aside: Sequence[AsideRow]) -> None:
    if args.json:
        for remark in remarks:
            print_json(
                {
                    "file": remark.file,
                    "row": remark.row,
                    "column": remark.column,
                    "value": remark.value,
                    "right": remark.right,
                    "code": remark.code,
                    "aside": remark.is_aside,
                }
            )
        print_json(
            {
                "kind": args.kind,
                "known": done.is_known,
                "rows": done.rows,
                "replaced": done.replaced,
                "aside": len(aside),
            }
        )
        return
    _show(remarks, show_all=args.all)
    if done.is_known:
        print(f"{args.file}: was imported before, and changes nothing")
        return
    if getattr(args, "withdraw", False):
        print(f"{args.file}: {counted(done.rows, 'plan')} taken back")
        return
    what = {"sales": "product and day", "weather": "day", "plans": "plan"}[args.kind]
    many = {"sales": "products and days", "weather": "days", "plans": "plans"}[args.kind]
    words = f"{counted(done.rows, what, many)} imported"
    if done.replaced:
        words += f", {done.replaced} of them otherwise than before"
    if aside:
        words += f"; {counted(len(aside), 'row')} set aside, each told above and kept with its reason"
    print(f"{args.file}: {words}")


def _show(remarks: Sequence[Remark], *, show_all: bool) -> None:
    seen: dict[str, int] = {}
    for remark in remarks:
        seen[remark.code] = seen.get(remark.code, 0) + 1
        if show_all or seen[remark.code] <= SHOWN:
            print(remark, file=sys.stderr)
    for code, count in seen.items():
        if count > SHOWN and not show_all:
            print(f"and {count - SHOWN} more of the kind {code!r}: --all shows them", file=sys.stderr)
