"""settings.db: who this node is, how its scales were calibrated, and a copy of tares and zeros.

A file of its own, rarely written, because agent.db is the one that a worn card takes first.
"""

import json
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table, insert, select, update

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.storage.database import Database, looking, set_aside
from edge_agent.storage.errors import StorageCorrupt, StorageError, named_faults
from edge_agent.storage.ledger import put
from edge_agent.storage.migrations import SETTINGS

log = logging.getLogger(__name__)

FILE_NAME = "settings.db"
_APPLICATION_ID = 0x65646753  # "edgS"
_metadata = MetaData()
_identity = Table(
    "identity", _metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False)
)
_calibration = Table(
    "calibration",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("shelf", String, nullable=False),
    Column("sensor", String, nullable=False),
    Column("zero_counts", Integer, nullable=False),
    Column("counts_per_gram", Float, nullable=False),
    Column("who", String, nullable=False),
    Column("temperature_c", Float),
    Column("boot", String, nullable=False),
    Column("mono_ms", Integer, nullable=False),
    Column("wall_ms", Integer, nullable=False),
    Column("clock", String, nullable=False),
    Column("points", String),
    Column("weights_g", String),
    Column("residuals_g", String),
    Column("note", String, nullable=False),
)
_mirror = Table(
    "mirror", _metadata, Column("key", String, primary_key=True), Column("value", LargeBinary, nullable=False)
)


@dataclass(frozen=True, slots=True)
class Identity:
    serial: str  # 16 hexadecimal digits, made with the file: tells two cards of one node name apart


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """One calibration of one load cell, as it was done."""

    shelf: str
    sensor: str
    zero_counts: int
    counts_per_gram: float
    who: str
    at: Instant
    temperature_c: float | None = None  # of the cell, where it is measured
    points: tuple[tuple[float, float], ...] = ()  # (counts, grams) of a bent cell
    weights_g: tuple[float, ...] = ()  # known ones that were put on, in order
    residuals_g: tuple[float, ...] = ()  # shown of each with this calibration, less known
    note: str = ""  # corner test, repeatability, warnings


class SettingsFile:
    def __init__(self, database: Database, quarantined: Path | None) -> None:
        self._database = database
        self.quarantined = quarantined  # where a damaged file was set aside

    @classmethod
    def open(cls, directory: Path, now: Instant) -> "SettingsFile":
        """Make or open ``settings.db``; a damaged one is set aside and the history begins anew."""
        with named_faults(directory):
            directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE_NAME
        quarantined = None
        try:
            database = Database.open(path, SETTINGS, _APPLICATION_ID)
        except StorageCorrupt as error:
            log.error("%s", error)
            quarantined = set_aside(path, now)
            database = Database.open(path, SETTINGS, _APPLICATION_ID)
        found = cls(database, quarantined)
        try:
            found._check(now)
            found._identify()
        except StorageError:
            database.close()
            raise
        return found

    def _check(self, now: Instant) -> None:
        """Every time: the file is a few pages."""
        try:
            with self._database.reading() as tx:
                verdict = tx.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if verdict != "ok":
                raise StorageCorrupt(f"{self._database.path}: {verdict}")
        except StorageCorrupt as error:
            log.error("%s", error)
            self.quarantined = self._database.set_aside(now)

    def _identify(self) -> None:
        if self.noted("serial") is None:
            self.note("serial", secrets.token_hex(8))

    def identity(self) -> Identity:
        with self._database.reading() as tx:
            return Identity(serial=tx.scalars(select(_identity.c.value).where(_identity.c.key == "serial")).one())

    def noted(self, key: str) -> str | None:
        """What was noted under that name; None: nothing yet. "serial" is the node's own."""
        with self._database.reading() as tx:
            return tx.scalar(select(_identity.c.value).where(_identity.c.key == key))

    def note(self, key: str, value: str) -> None:
        """Keep a fact about how others know this node."""
        with self._database.writing() as tx:
            put(tx, _identity, [{"key": key, "value": value}])

    def calibrations(self, shelf: str) -> list[CalibrationRecord]:
        """The whole history, oldest first; the last one of each sensor is in force."""
        with self._database.reading() as tx:
            rows = tx.execute(select(_calibration).where(_calibration.c.shelf == shelf).order_by(_calibration.c.id))
            return [
                CalibrationRecord(
                    shelf=row.shelf,
                    sensor=row.sensor,
                    zero_counts=row.zero_counts,
                    counts_per_gram=row.counts_per_gram,
                    who=row.who,
                    at=Instant(row.mono_ms, row.wall_ms, row.boot, ClockState(row.clock)),
                    temperature_c=row.temperature_c,
                    points=tuple((counts, grams) for counts, grams in _list(row.points)),
                    weights_g=tuple(_list(row.weights_g)),
                    residuals_g=tuple(_list(row.residuals_g)),
                    note=row.note,
                )
                for row in rows
            ]

    def add_calibration(self, *records: CalibrationRecord) -> None:
        """All of them or none: the cells of a shelf are calibrated together."""
        with self._database.writing() as tx:
            for record in records:
                tx.execute(insert(_calibration).values(_row(record)))

    def correct_clock(self, boot: str, offset_ms: int) -> None:
        """The clock came: what was calibrated in this boot before has now the wall time mono + ``offset_ms``."""
        columns = _calibration.c
        unsynced = (columns.boot == boot, columns.clock == ClockState.UNSYNCED.value)
        corrected = {"wall_ms": columns.mono_ms + offset_ms, "clock": ClockState.CORRECTED.value}
        with self._database.writing() as tx:
            tx.execute(update(_calibration).where(*unsynced).values(corrected))

    def mirror(self, key: str, value: bytes) -> None:
        """Copy a piece of memory (tare, zero) that a lost agent.db must not take with it."""
        with self._database.writing() as tx:
            put(tx, _mirror, [{"key": key, "value": value}])

    def mirrored(self) -> dict[str, bytes]:
        with self._database.reading() as tx:
            return {row.key: row.value for row in tx.execute(select(_mirror))}

    def reconnect(self) -> None:
        """After a write failed. A file of another card is only read after a start anew, see ``Store.reconnect``."""
        self._database.reconnect()

    def close(self) -> None:
        self._database.close()


def mirrored_in(directory: Path) -> dict[str, bytes]:
    """For another process. Raises StorageError."""
    with looking(directory / FILE_NAME) as tx:
        return {row.key: row.value for row in tx.execute(select(_mirror))}


def _row(record: CalibrationRecord) -> dict[str, object]:
    return {
        "shelf": record.shelf,
        "sensor": record.sensor,
        "zero_counts": record.zero_counts,
        "counts_per_gram": record.counts_per_gram,
        "who": record.who,
        "temperature_c": record.temperature_c,
        "boot": record.at.boot,
        "mono_ms": record.at.mono_ms,
        "wall_ms": record.at.wall_ms,
        "clock": record.at.clock.value,
        "points": json.dumps(record.points) if record.points else None,
        "weights_g": json.dumps(record.weights_g) if record.weights_g else None,
        "residuals_g": json.dumps(record.residuals_g) if record.residuals_g else None,
        "note": record.note,
    }


def _list(text: str | None) -> list[Any]:
    return [] if text is None else list(json.loads(text))
