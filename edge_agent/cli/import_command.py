"""Bring in what the agent cannot weigh: what the till sold, the weather to come, promotions and holidays.

  edge-agent import sales november.csv
  edge-agent import sales till-2.csv --add             a second till's file for the same days
  edge-agent import weather forecast.csv
  edge-agent import plans december.csv
  edge-agent import plans december.csv --withdraw      take those plans back

Works while the agent runs and after it was stopped; docs/sales.md describes the columns. The same file twice changes
nothing, and one that was cut off goes on where it was. Every row that does not count is told with its row, column,
value and what would be right, and is kept aside.
Exit code 1 when rows were set aside. Forecasts follow with the next night.
"""

import argparse
import stat
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
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
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.shop import Remark, Unit
from edge_agent.exchange.plans import read_plans
from edge_agent.exchange.rows import EARLIEST, FileFault
from edge_agent.exchange.sales import Reading, read_sales
from edge_agent.exchange.text_file import TextFile, scanned
from edge_agent.exchange.weather import read_weather
from edge_agent.service.local_days import day_of, zone_of
from edge_agent.storage.errors import StorageError, StorageFull
from edge_agent.storage.shop_import import Imported, ShopFile

KINDS = {"sales": "what the till sold", "weather": "a weather forecast", "plans": "promotions, prices, closed days"}
SHOWN = 20  # remarks of one code; the others are counted


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, words in KINDS.items():
        found = kinds.add_parser(kind, help=words)
        found.add_argument("file", type=Path, metavar="FILE", help="a table as text: csv, or csv packed by gzip")
        if kind == "sales":
            way = found.add_mutually_exclusive_group()
            way.add_argument("--add", action="store_true", help="to what is there of the same days, not in its place")
            way.add_argument("--again", action="store_true", help="though this very file was imported before")
            found.add_argument("--keep-duplicates", action="store_true", help="count rows that are the same twice")
        if kind == "plans":
            found.add_argument("--withdraw", action="store_true", help="take the plans of this file back")
        found.add_argument("--all", action="store_true", help="show every remark")
        add_config(found)
        add_state(found)
        add_json(found)


@dataclass(frozen=True, slots=True)
class _Done:
    of: Imported
    aside: int = 0  # rows of it that do not count


@dataclass(frozen=True, slots=True)
class _Work:
    args: argparse.Namespace
    chosen: Settings
    file: ShopFile
    text: TextFile
    now: Instant
    today: date  # the shop's
    remarks: "_Remarks"


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    now = machine_now()
    today = day_of(now.wall_ms, zone_of(chosen.shop))
    if today < EARLIEST:
        raise CliError(Exit.FAULT, f"this machine's clock says {today}: set it first, or every row is in the future")
    remarks = _Remarks(show_all=args.all, as_json=args.json)
    try:
        text = _text(args.file)
        file = ShopFile.open(state_directory(chosen, args.state))
    except FileFault as error:
        raise CliError(Exit.USAGE, str(error)) from error
    except StorageError as error:
        raise CliError(Exit.NO_AGENT, str(error)) from error
    try:
        done = _READ[args.kind](_Work(args, chosen, file, text, now, today, remarks))
    except FileFault as error:
        raise CliError(Exit.USAGE, str(error)) from error
    except StorageError as error:
        what = "no room on the disk: " if isinstance(error, StorageFull) else ""
        hint = "Import the file again when that is mended: no row will count twice"
        raise CliError(Exit.FAULT, f"{what}{error}. {hint}") from error
    finally:
        remarks.end()
    _tell(args, done)
    return Exit.FAULT if done.aside else Exit.OK


def _sales(work: _Work) -> _Done:
    if work.file.is_known(work.text.digest) and not work.args.again:
        return _Done(Imported(is_known=True))
    units = {product.gtin: unit_of(product) for product in work.chosen.products}
    reading = Reading(work.today, zone_of(work.chosen.shop), units)
    before = _looks(work.args.file)
    keep = work.args.keep_duplicates
    found = read_sales(work.text, reading, keep_duplicates=keep, tell=work.remarks.tell)
    _require_same(work.args.file, before)
    done = work.file.import_sales(
        work.text.digest,
        work.text.name,
        found.sales,
        found.aside,
        work.now,
        add=work.args.add,
        again=work.args.again,
    )
    return _Done(done, found.set_aside)


def unit_of(product: Product) -> Unit:
    return Unit.G if product.is_catch_weight else Unit.UNITS


def _weather(work: _Work) -> _Done:
    if work.file.is_known(work.text.digest):
        return _Done(Imported(is_known=True))
    found = read_weather(work.text, work.today, zone_of(work.chosen.shop), work.remarks.tell)
    done = work.file.import_weather(work.text.digest, work.text.name, found.days, found.aside, work.now)
    return _Done(done, found.set_aside)


def _plans(work: _Work) -> _Done:
    products = [product.gtin for product in work.chosen.products]
    found = read_plans(work.text, work.today, products, work.remarks.tell)
    if work.args.withdraw:
        return _Done(Imported(False, work.file.withdraw_plans(found.plans)), found.set_aside)
    done = work.file.import_plans(work.text.digest, work.text.name, found.plans, found.aside, work.now)
    return _Done(done, found.set_aside)


_READ = {"sales": _sales, "weather": _weather, "plans": _plans}


def _text(file: Path) -> TextFile:
    """Raises FileFault."""
    try:
        is_file = stat.S_ISREG(file.stat().st_mode)
    except OSError as error:
        raise FileFault(f"{file}: {error.strerror}") from error
    if not is_file:
        raise FileFault(f"{file}: must be a file: it is read more than once")
    return scanned(lambda: file.open("rb"), file.name)


def _looks(file: Path) -> tuple[int, int]:
    """What changes when it is written to. Raises FileFault."""
    try:
        found = file.stat()
    except OSError as error:
        raise FileFault(f"{file}: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns


def _require_same(file: Path, before: tuple[int, int]) -> None:
    if _looks(file) != before:
        raise FileFault(f"{file}: was written to while it was read: import it when it is complete")


def _tell(args: argparse.Namespace, done: _Done) -> None:
    if args.json:
        print_json(
            {
                "kind": args.kind,
                "known": done.of.is_known,
                "rows": done.of.rows,
                "replaced": done.of.replaced,
                "aside": done.aside,
            }
        )
    else:
        print(f"{args.file}: {_words(args, done)}")


def _words(args: argparse.Namespace, done: _Done) -> str:
    if done.of.is_known:
        hint = "; --again reads it anew" if args.kind == "sales" else ""
        return f"was imported before, and changes nothing{hint}"
    if getattr(args, "withdraw", False):
        return f"{counted(done.of.rows, 'plan')} taken back"
    one, many = _COUNTED[args.kind]
    words = f"{counted(done.of.rows, one, many)} imported"
    if done.of.replaced:
        words += f", {done.of.replaced} of them otherwise than before"
    if done.aside:
        words += f"; {counted(done.aside, 'row')} set aside, each told above and kept with its reason"
    return words


_COUNTED = {"sales": ("product and day", "products and days"), "weather": ("day", "days"), "plans": ("plan", "plans")}


@dataclass(slots=True)
class _Remarks:
    """Shown as they come: a long file may have many."""

    show_all: bool
    as_json: bool
    seen: Counter[str] = field(default_factory=Counter)  # by code

    def tell(self, remark: Remark) -> None:
        self.seen[remark.code] += 1
        if self.as_json:
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
        elif self.show_all or self.seen[remark.code] <= SHOWN:
            print(remark, file=sys.stderr)

    def end(self) -> None:
        for code, count in self.seen.items():
            if count > SHOWN and not self.show_all and not self.as_json:
                print(f"and {count - SHOWN} more of the kind {code!r}: --all shows them", file=sys.stderr)
