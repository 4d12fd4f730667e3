"""The agent's files are read as a guest: sound, damaged, not there; nothing is made and nothing migrated."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.service import scales
from edge_agent.service.lock import StateLock
from edge_agent.setup import files_check, running
from edge_agent.setup.finding import Finding, Verdict
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing.settings import CellSettings, ShelfSettings


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "agent.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE memory (key TEXT PRIMARY KEY, value BLOB)")
        made.executemany("INSERT INTO memory VALUES (?, ?)", [(str(n), b"x" * 500) for n in range(2000)])
        made.commit()
    return path


def test_a_sound_file_is_sound_and_untouched(database) -> None:
    before = database.read_bytes()
    assert files_check.integrity(database).verdict is Verdict.OK
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["agent.db"]


@pytest.mark.parametrize("at", [0, 4096 * 20])
def test_a_damaged_file_is_told_with_its_cure(database, at) -> None:
    content = bytearray(database.read_bytes())
    content[at : at + 4096] = bytes(range(256)) * 16
    database.write_bytes(content)
    finding = files_check.integrity(database)
    assert finding.verdict is Verdict.FAIL
    assert "damaged" in finding.words
    assert "restart the agent" in finding.cure


def test_a_file_too_large_for_the_time_is_told_as_such(database, tmp_path) -> None:
    with closing(sqlite3.connect(database)) as made:
        made.executemany("INSERT INTO memory VALUES (?, ?)", [(f"more-{n}", b"x" * 50) for n in range(40_000)])
        made.commit()
    assert files_check.integrity(database, patience_s=0.0).verdict is Verdict.WARN


def test_no_file_yet_is_no_fault_and_none_is_made(tmp_path) -> None:
    assert {finding.verdict for finding in files_check.databases(tmp_path)} == {Verdict.OK}
    assert files_check.health(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_set_aside_is_told(tmp_path) -> None:
    (tmp_path / "agent.db.corrupt-20261123-070000").touch()
    *_, finding = files_check.databases(tmp_path)
    assert finding.verdict is Verdict.WARN
    assert "agent.db.corrupt-20261123-070000" in finding.words


@pytest.mark.parametrize("row", [b"", b"{}", b"\xff\x00", b'{"at": 5}'])
def test_a_health_row_that_cannot_be_read_is_as_none(database, row) -> None:
    with closing(sqlite3.connect(database)) as made:
        made.execute("INSERT INTO memory VALUES ('health', ?)", (row,))
        made.commit()
    assert files_check.health(database.parent) is None


def test_whoever_holds_the_directory_is_named_without_touching_the_lock(tmp_path) -> None:
    assert running.holder(tmp_path) is None
    with closing(StateLock()) as lock:
        lock.hold(tmp_path)
        assert running.holder(tmp_path) == os.getpid()
    assert running.holder(tmp_path) is None
    assert running.holder(tmp_path / "none") is None


# --- scales -----------------------------------------------------------------------------------------------------------

GUESS = CellSettings("scale-1", 0, 215.093)  # as `edge-agent setup` writes it
SHELF = ShelfSettings("shelf-1", (GUESS,), capacity_g=20_000)
NOW = Instant(1000, 1_795_417_200_000, "boot")


def scale(directory: Path, shelf: ShelfSettings = SHELF) -> Finding:
    (finding,) = files_check.scales([shelf], directory)
    return finding


@pytest.fixture
def kept(tmp_path) -> Iterator[SettingsFile]:
    found = SettingsFile.open(tmp_path, NOW)
    scales.calibrated([SHELF], found, NOW)
    yield found
    found.close()


def test_before_the_agent_first_ran_a_guess_of_setup_is_told_with_the_command(tmp_path) -> None:
    finding = scale(tmp_path)
    assert finding.verdict is Verdict.WARN
    assert "never calibrated" in finding.words
    assert "edge-agent calibrate shelf-1" in finding.cure
    assert list(tmp_path.iterdir()) == []


def test_figures_that_somebody_wrote_into_the_configuration_are_a_calibration(tmp_path) -> None:
    assert scale(tmp_path, replace(SHELF, cells=(CellSettings("scale-1", 84_000, 100.0),))).verdict is Verdict.OK


def test_a_shelf_is_calibrated_once_somebody_did_it_at_the_scale(kept, tmp_path) -> None:
    assert scale(tmp_path).verdict is Verdict.WARN
    kept.add_calibration(CalibrationRecord("shelf-1", "scale-1", 84_120, 99.7, "anna", NOW))
    assert scale(tmp_path).verdict is Verdict.OK
