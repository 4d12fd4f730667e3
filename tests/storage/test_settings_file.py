from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from edge_agent.storage.errors import StorageError
from edge_agent.storage.migrations import SETTINGS, migrate
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile


def test_identity_calibrations_and_mirror_survive_a_restart(tmp_path: Path, build: Any) -> None:
    file = SettingsFile.open(tmp_path, build.at(0))
    first = CalibrationRecord("shelf-1", "cell-1", 8123, 21.375, "anna", build.at(1), 4.5)
    second = replace(first, counts_per_gram=21.4, at=build.at(2), temperature_c=None)
    file.add_calibration(first)
    file.add_calibration(replace(first, shelf="shelf-2"))
    file.add_calibration(second)
    file.mirror("tare/shelf-1", b"1")
    file.mirror("tare/shelf-1", b"2")
    serial = file.identity().serial
    file.close()
    file = SettingsFile.open(tmp_path, build.at(9))
    assert file.identity().serial == serial
    assert len(serial) == 16
    assert file.calibrations("shelf-1") == [first, second]
    assert file.calibrations("shelf-9") == []
    assert file.mirrored() == {"tare/shelf-1": b"2"}
    assert file.quarantined is None
    file.close()


def test_it_outlives_a_lost_agent_db(tmp_path: Path, open_store: Any, build: Any) -> None:
    store = open_store()
    file = SettingsFile.open(tmp_path, build.at(0))
    file.mirror("tare/shelf-1", b"2")
    store.commit(memory={"tare/shelf-1": b"2"})
    store.quarantine(build.at(5))
    assert store.memory() == {}
    assert file.mirrored() == {"tare/shelf-1": b"2"}
    file.close()


def test_a_damaged_one_is_set_aside(tmp_path: Path, build: Any) -> None:
    (tmp_path / "settings.db").write_bytes(b"not a database at all" * 100)
    file = SettingsFile.open(tmp_path, build.at(0))
    assert file.quarantined == tmp_path / "settings.db.corrupt-20261123T070000Z"
    assert file.quarantined.exists()
    assert file.calibrations("shelf-1") == []
    file.close()


def test_a_calibration_keeps_what_it_was_made_of(tmp_path: Path, build: Any) -> None:
    made = CalibrationRecord(
        "shelf-1",
        "cell-1",
        8123,
        -21.375,
        "anna",
        build.at(1),
        4.5,
        points=((8123.0, 0.0), (-205_000.0, 10_000.0), (-418_500.5, 20_000.0)),
        weights_g=(10_000.0, 20_000.0),
        residuals_g=(0.4, -0.2),
        note="all well",
    )
    file = SettingsFile.open(tmp_path, build.at(0))
    file.add_calibration(made, replace(made, sensor="cell-2"))
    file.close()
    file = SettingsFile.open(tmp_path, build.at(9))
    assert file.calibrations("shelf-1") == [made, replace(made, sensor="cell-2")]
    file.close()


def test_the_cells_of_a_shelf_are_calibrated_together_or_not_at_all(tmp_path: Path, build: Any) -> None:
    good = CalibrationRecord("shelf-1", "cell-1", 8123, 21.375, "anna", build.at(1))
    no_figure: Any = None
    file = SettingsFile.open(tmp_path, build.at(0))
    with pytest.raises(StorageError):
        file.add_calibration(good, replace(good, sensor="cell-2", counts_per_gram=no_figure))
    assert file.calibrations("shelf-1") == []
    file.close()


def test_calibrations_of_the_first_version_are_read_as_they_were(tmp_path: Path, build: Any) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'settings.db'}")
    migrate(engine, SETTINGS[:1], 0x65646753)
    with engine.connect() as tx:
        tx.exec_driver_sql(
            "INSERT INTO calibration (shelf, sensor, zero_counts, counts_per_gram, who, temperature_c, boot, mono_ms,"
            " wall_ms, clock) VALUES ('shelf-1', 'cell-1', 8123, 21.375, 'anna', 4.5, 'boot-1', 1000,"
            f" {build.at(1).wall_ms}, 'synced')"
        )
        tx.commit()
    engine.dispose()
    file = SettingsFile.open(tmp_path, build.at(9))
    assert file.calibrations("shelf-1") == [
        CalibrationRecord("shelf-1", "cell-1", 8123, 21.375, "anna", build.at(1), 4.5)
    ]  # fmt: skip
    file.close()
