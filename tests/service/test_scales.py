"""Calibration in its own file: the newest counts, and the configuration counts as new only when it was edited."""

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.service.scales import calibrated, mirror
from edge_agent.storage.errors import StorageReadOnly
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


class Card:
    """A settings file's mirror on a card that refuses writes for a while."""

    def __init__(self) -> None:
        self.takes_writes = True
        self.kept: dict[str, bytes] = {}
        self.reconnected = 0

    def mirror(self, key, value):
        if not self.takes_writes:
            raise StorageReadOnly("read-only")
        self.kept[key] = value

    def reconnect(self):
        self.reconnected += 1


def test_a_tare_that_the_card_did_not_take_is_mirrored_with_the_next_one():
    card = Card()
    keep = mirror(card)
    card.takes_writes = False
    keep("scale/shelf-1", b"old")
    keep("scale/shelf-1", b"new")
    assert (card.kept, card.reconnected) == ({}, 2)
    card.takes_writes = True
    keep("scale/shelf-2", b"2")
    assert card.kept == {"scale/shelf-1": b"new", "scale/shelf-2": b"2"}
