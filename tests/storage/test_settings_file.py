from dataclasses import replace
from pathlib import Path
from typing import Any

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
