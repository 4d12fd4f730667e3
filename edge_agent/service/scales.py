"""Calibration, tare and zero in the settings file: they outlive a lost database and a changed configuration."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_agent.domain.instant import Instant
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing.settings import CellSettings, ShelfSettings

log = logging.getLogger(__name__)

CONFIGURATION = "configuration"  # who calibrated, when the figures come from the configuration


def calibrated(shelves: Sequence[ShelfSettings], file: SettingsFile, now: Instant) -> tuple[ShelfSettings, ...]:
    """The shelves with the calibration in force: the newest of each cell.

    Figures of the configuration count as new when they differ from what the configuration said before; so one
    done at the scale stays in force until somebody edits the configuration.
    """
    return tuple(
        replace(shelf, cells=tuple(_calibrated(shelf, cell, file, now) for cell in shelf.cells)) for shelf in shelves
    )


def _calibrated(shelf: ShelfSettings, cell: CellSettings, file: SettingsFile, now: Instant) -> CellSettings:
    history = [record for record in file.calibrations(shelf.name) if record.sensor == cell.sensor]
    configured = [record for record in history if record.who == CONFIGURATION]
    if not configured or _figures(configured[-1]) != (cell.zero_counts, cell.counts_per_gram):
        record = CalibrationRecord(shelf.name, cell.sensor, cell.zero_counts, cell.counts_per_gram, CONFIGURATION, now)
        file.add_calibration(record)
        history.append(record)
    zero_counts, counts_per_gram = _figures(history[-1])
    return replace(cell, zero_counts=zero_counts, counts_per_gram=counts_per_gram)


def _figures(record: CalibrationRecord) -> tuple[int, float]:
    return record.zero_counts, record.counts_per_gram


def mirror(file: SettingsFile) -> Callable[[str, bytes], None]:
    """Keeps a copy of tare and zero; what the card does not take waits for the next one.

    That the card takes none is the commit's business to complain about.
    """
    waiting: dict[str, bytes] = {}

    def keep(key: str, value: bytes) -> None:
        waiting[key] = value
        try:
            for name in list(waiting):
                file.mirror(name, waiting[name])
                del waiting[name]
        except StorageError as error:
            log.warning("settings file: %s is not mirrored: %s", ", ".join(waiting), error)
            file.reconnect()

    return keep
