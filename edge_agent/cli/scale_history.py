"""`scale history`: every calibration of a shelf's load cells, oldest first, from settings.db; the agent may run."""

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.table import Table

from edge_agent.cli.common import console, machine_now, print_json, state_directory
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import Settings
from edge_agent.domain.instant import ClockState
from edge_agent.service.scales import CONFIGURATION, span_change
from edge_agent.storage import settings_file
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing.calibration import SPAN_WARNING
from edge_agent.weighing.settings import ShelfSettings

COLUMNS = ("when (UTC)", "who", "cell", "zero counts", "counts/g", "span", "°C", "known weights, g", "note")


def run(args: argparse.Namespace, chosen: Settings, shelf: ShelfSettings) -> Exit:
    told = told_of(calibrations(state_directory(chosen, args.state), shelf))
    if args.json:
        for each in told:
            print_json(each)
    elif not told:
        print(f"{shelf.name} was never calibrated, and no agent has run with its configuration yet")
    else:
        table = Table(*COLUMNS, title=f"{shelf.name}, the newest of each cell is in force", title_justify="left")
        for each in told:
            table.add_row(*row(each))
        console().print(table)
    return Exit.OK


def calibrations(directory: Path, shelf: ShelfSettings) -> list[CalibrationRecord]:
    """Oldest first. Raises CliError."""
    if not (directory / settings_file.FILE_NAME).exists():
        return []
    try:
        with closing(SettingsFile.open(directory, machine_now())) as found:
            return found.calibrations(shelf.name)
    except StorageError as error:
        raise CliError(Exit.FAULT, str(error)) from error


def told_of(history: Sequence[CalibrationRecord]) -> list[dict[str, Any]]:
    """Ready for JSON; the change of span is against the same cell's calibration before."""
    told: list[dict[str, Any]] = []
    before: dict[str, CalibrationRecord] = {}
    for record in history:
        last, before[record.sensor] = before.get(record.sensor), record
        told.append(
            {
                "at": None if record.at.clock is ClockState.UNSYNCED else record.at.rfc3339(),
                "who": record.who,
                "shelf": record.shelf,
                "sensor": record.sensor,
                "zero_counts": record.zero_counts,
                "counts_per_gram": record.counts_per_gram,
                "points": [list(point) for point in record.points],
                "span_change_pct": None if last is None else round(100 * span_change(last, record), 3),
                "temperature_c": record.temperature_c,
                "weights_g": list(record.weights_g),
                "residuals_g": list(record.residuals_g),
                "note": record.note,
            }
        )
    return told


def row(told: dict[str, Any]) -> tuple[str, ...]:
    change_pct, temperature_c = told["span_change_pct"], told["temperature_c"]
    is_warning = change_pct is not None and abs(change_pct) > 100 * SPAN_WARNING and told["who"] != CONFIGURATION
    return (
        "before the clock was set" if told["at"] is None else told["at"][:16].replace("T", " "),
        told["who"],
        told["sensor"],
        str(told["zero_counts"]),
        f"{told['counts_per_gram']:.6g}",
        "-" if change_pct is None else f"{change_pct:+.2f} %{' (!)' if is_warning else ''}",
        "-" if temperature_c is None else f"{temperature_c:.1f}",
        ", ".join(f"{weight_g:g}" for weight_g in told["weights_g"]) or "-",
        told["note"] or "-",
    )
