"""The agent's files, read as a guest: nothing is made, migrated or locked, whichever version wrote them."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_agent.domain.instant import Instant
from edge_agent.service.health import LastHealth, last_health
from edge_agent.service.scales import CONFIGURATION, guessed_cells
from edge_agent.setup.finding import Finding, fail, ok, warn
from edge_agent.storage.inbox import FILE_NAME
from edge_agent.storage.settings_file import CalibrationRecord
from edge_agent.weighing.settings import ShelfSettings

SETTINGS_NAME = "settings.db"
CORRUPT = "*.corrupt-*"
AS_ROOT = "`sudo edge-agent doctor`; the members of the group edge-agent may look, too: `sudo adduser NAME edge-agent`"
PATIENCE_S = 20.0  # a large file on a slow card is checked in part
_STEPS = 100_000  # of SQLite's machine, from one look at the time to the next


def databases(directory: Path) -> Iterator[Finding]:
    """Each is read through; a running agent goes on writing meanwhile."""
    if os.path.isdir(directory) and not os.access(directory, os.R_OK | os.X_OK, effective_ids=True):
        yield fail("database", f"{directory}: this user may not look into it", AS_ROOT)
        return
    for name in (FILE_NAME, SETTINGS_NAME):
        path = directory / name
        if path.exists():
            yield integrity(path)
        else:
            yield ok("database", f"{path}: none yet; the agent makes it when it first runs")
    aside = sorted(path.name for path in directory.glob(CORRUPT) if not path.name.endswith(("-wal", "-shm")))
    if aside:
        words = f"{', '.join(aside)}: a damaged file was set aside; what waited in it is told all the same"
        yield warn("database", words, "keep it for whoever looks into it, or delete it; consider a new card")


def integrity(path: Path, patience_s: float = PATIENCE_S) -> Finding:
    try:
        with closing(_guest(path)) as database:
            deadline = time.monotonic() + patience_s
            database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            told = [row[0] for row in database.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return warn(
                "database", f"{path}: too large to be read through in {patience_s:g} s; no fault so far", "none"
            )
        return fail("database", f"{path}: cannot be read: {error}", "run it as the agent's user or with sudo")
    except sqlite3.DatabaseError as error:
        told = [str(error)]
    size_mb = path.stat().st_size / 1e6
    if told == ["ok"]:
        return ok("database", f"{path}: sound, {size_mb:.1f} MB")
    cure = "restart the agent: it sets the file aside, saves what can be read and begins a new one; consider a new card"
    return fail("database", f"{path}: damaged: {'; '.join(told)}", cure)


def health(directory: Path) -> LastHealth | None:
    """What the agent last said of itself; None where there is no such file or it says nothing yet."""
    try:
        with closing(_guest(directory / FILE_NAME)) as database:
            row = database.execute("SELECT value FROM memory WHERE key = 'health'").fetchone()
    except sqlite3.Error:
        return None
    try:
        return None if row is None else last_health(row[0])
    except (ValueError, KeyError, TypeError, json.JSONDecodeError):
        return None


def scales(shelves: Sequence[ShelfSettings], directory: Path) -> Iterator[Finding]:
    """Whether each was calibrated with a weight, or still works with what `edge-agent setup` guessed."""
    for shelf in shelves:
        guessed = guessed_cells(shelf, _calibrations(shelf, directory / SETTINGS_NAME))
        if guessed:
            words = f"{shelf.name} was never calibrated: no weight of it is right ({', '.join(guessed)})"
            yield warn("scale", words, f"`sudo edge-agent calibrate {shelf.name}`, with a known weight")
        else:
            yield ok("scale", f"{shelf.name} is calibrated")


def _calibrations(shelf: ShelfSettings, path: Path) -> list[CalibrationRecord]:
    """What is kept, oldest first, after what the configuration says: it is in force until the agent first ran."""
    nowhere = Instant(0, 0, "")
    configured = [
        CalibrationRecord(
            shelf.name, cell.sensor, cell.zero_counts, cell.counts_per_gram, CONFIGURATION, nowhere, points=cell.points
        )
        for cell in shelf.cells
    ]
    wanted = "SELECT sensor, zero_counts, counts_per_gram, who, points FROM calibration WHERE shelf = ? ORDER BY id"
    try:
        with closing(_guest(path)) as database:
            rows = database.execute(wanted, (shelf.name,)).fetchall()
    except sqlite3.Error:  # none yet, or one that `databases` complains of
        return configured
    kept = [
        CalibrationRecord(shelf.name, sensor, zero, span, who, nowhere, points=tuple(json.loads(points or "[]")))
        for sensor, zero, span, who, points in rows
    ]
    return [*configured, *kept]


def as_told(told: Mapping[str, Any]) -> Iterator[Finding]:
    """What a running agent says of the rest of itself."""
    path = told.get("command_path")
    if path == "ok":
        yield ok("broker", "the agent is connected, and commands reach it")
    else:
        cure = "see the broker's access rules for this node's cmd/#, and `edge-agent status`"
        yield warn("broker", "the agent has not proved that commands reach it", cure)
    for sentence in told.get("faults", ()):
        yield warn("agent", str(sentence), "`edge-agent alarms` says what to do")


def _guest(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
