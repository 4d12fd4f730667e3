"""What lies where, first expired first, and how long each lot will keep.

Reads the agent's files, so it works without a broker. The remaining life is an estimate of quality: the median, and in
brackets what 9 of 10 such lots keep between. It lengthens no use-by date. Exit code 0.

  edge-agent lots
  edge-agent lots --json | jq -r 'select(.p_spoiled[0] > 0.5) | .lot'
  edge-agent lots --all     also those that were closed lately
"""

import argparse
from typing import Any

from rich.table import Table

from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    archive,
    console,
    print_json,
    settings,
    state_directory,
)
from edge_agent.cli.exits import Exit
from edge_agent.config import Settings
from edge_agent.decide import Memory
from edge_agent.decide.lives import NOTHING_KNOWN
from edge_agent.decide.memory import LOT_KINDS, from_rows
from edge_agent.domain.lot import Lot, Origin
from edge_agent.lots.register import fefo


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--all", action="store_true", help="also lots that were closed lately")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    with archive(state_directory(chosen, args.state)) as found:
        rows = found.memory()
    memory = from_rows({key: row for key, row in rows.items() if key.partition("/")[0] in LOT_KINDS})
    shown = sorted((lot for lot in memory.register.lots.values() if args.all or lot.is_open), key=fefo)
    lines = [told(lot, memory, chosen) for lot in shown]
    if args.json:
        for line in lines:
            print_json(line)
    elif lines:
        _show(lines)
    else:
        console().print("no lot: edge-agent receive tells of a delivery")
    return Exit.OK


def told(lot: Lot, memory: Memory, chosen: Settings) -> dict[str, Any]:
    """One lot as JSON; None where nobody knows."""
    keeping = memory.keepings.get(lot.id)
    life = None if keeping is None or not lot.is_open else keeping.life
    known = None if life is None or NOTHING_KNOWN in life.reasons else life
    name = next((product.name for product in chosen.products if product.gtin == lot.product), None)
    return {
        "lot": lot.id,
        "code": lot.code or None,
        "product": lot.product,
        "name": name,
        "supplier": lot.supplier or None,
        "place": lot.place or None,
        "shelf": lot.shelf,
        "received": lot.received.rfc3339(),
        "units": _rounded(lot.units(lot.left)),
        "net_g": _rounded(lot.grams(lot.left)),
        "use_by": lot.use_by,
        "best_before": lot.best_before,
        "origin": lot.origin.value,
        "marked_down": None if lot.marked_down is None else lot.marked_down.rfc3339(),
        "ending": None if lot.ending is None else lot.ending.value,
        "remaining_d": None if known is None else list(known.remaining_d),
        "p_spoiled": None if known is None else list(known.p_spoiled),
        "basis": None if life is None else life.basis,
        "reasons": [] if life is None else list(life.reasons),
        "reckoned": None if life is None else life.at.rfc3339(),
    }


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 3)


def _show(lines: list[dict[str, Any]]) -> None:
    table = Table("lot", "product", "left", "where", "use by", "best before", "keeps, days", "spoiled in 24 h", "why")
    for line in lines:
        table.add_row(
            line["lot"],
            line["name"] or line["product"],
            line["ending"] or _left(line),
            line["shelf"] or line["place"] or "-",
            line["use_by"] or "-",
            line["best_before"] or "-",
            _days(line["remaining_d"]),
            "-" if line["p_spoiled"] is None else f"{line['p_spoiled'][0]:.0%}",
            ", ".join([*([] if line["origin"] == Origin.DELIVERY else [line["origin"]]), *line["reasons"]]),
        )
    console().print(table)


def _left(line: dict[str, Any]) -> str:
    """
    >>> [_left({"units": units, "net_g": 2500.0}) for units in (12.0, 2.4, None)]
    ['12', '2.4', '2.50 kg']
    """
    if line["units"] is not None:
        return f"{line['units']:.1f}".removesuffix(".0")
    return "-" if line["net_g"] is None else f"{line['net_g'] / 1000:.2f} kg"


def _days(quantiles: list[float] | None) -> str:
    """
    >>> _days([0.5, 1.0, 2.25, 3.0, 4.0]), _days(None)
    ('2.2 (0.5 to 4.0)', '-')
    """
    if quantiles is None:
        return "-"
    return f"{quantiles[2]:.1f} ({quantiles[0]:.1f} to {quantiles[4]:.1f})"
