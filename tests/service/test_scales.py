"""Calibration in its own file: the newest counts, and the configuration counts as new only when it was edited."""

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.service.scales import calibrated, mirror
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing.settings import CellSettings, ShelfSettings

NOW = Instant(1000, 1_795_417_200_000, "boot")


def shelf(zero_counts: int, counts_per_gram: float) -> tuple[ShelfSettings, ...]:
    return (ShelfSettings("shelf-1", (CellSettings("scale-1", zero_counts, counts_per_gram),), capacity_g=10_000),)


def figures(shelves) -> tuple[int, float]:
    cell = shelves[0].cells[0]
    return cell.zero_counts, cell.counts_per_gram


@pytest.fixture
def file(tmp_path):
    found = SettingsFile.open(tmp_path, NOW)
    yield found
    found.close()


def test_the_first_calibration_comes_from_the_configuration_and_is_kept(file):
    assert figures(calibrated(shelf(100, 50.0), file, NOW)) == (100, 50.0)
    (record,) = file.calibrations("shelf-1")
    assert (record.who, record.zero_counts, record.counts_per_gram) == ("configuration", 100, 50.0)
    calibrated(shelf(100, 50.0), file, NOW)
    assert len(file.calibrations("shelf-1")) == 1, "the same again is no new calibration"


def test_one_done_at_the_scale_stays_in_force_until_the_configuration_is_edited(file):
    calibrated(shelf(100, 50.0), file, NOW)
    file.add_calibration(CalibrationRecord("shelf-1", "scale-1", 120, 51.0, "anna", NOW))
    assert figures(calibrated(shelf(100, 50.0), file, NOW)) == (120, 51.0)
    assert figures(calibrated(shelf(105, 50.0), file, NOW)) == (105, 50.0)
    assert [record.who for record in file.calibrations("shelf-1")] == ["configuration", "anna", "configuration"]


def test_tare_and_zero_are_mirrored(file):
    mirror(file)("scale/shelf-1", b'{"tare_g":350.0}')
    assert file.mirrored() == {"scale/shelf-1": b'{"tare_g":350.0}'}
