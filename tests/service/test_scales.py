"""Calibration in its own file: the newest counts, and the configuration counts as new only when it was edited."""

from dataclasses import replace

import pytest

from edge_agent.config import check
from edge_agent.decide import Calibrated
from edge_agent.domain.alarm import Priority
from edge_agent.domain.command import Command
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.service.scales import (
    calibrated,
    conditions,
    histories,
    keep,
    mirror,
    with_calibration,
)
from edge_agent.setup.probe import Spot
from edge_agent.setup.proposal import Answers, Broker, Cell, text
from edge_agent.storage.errors import StorageReadOnly
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing.calibration import Calibration
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


def later(days: float, clock: ClockState = ClockState.SYNCED) -> Instant:
    ms = round(days * 86_400_000)
    return Instant(NOW.mono_ms + ms, NOW.wall_ms + ms, "boot", clock)


def asked(*cells: CellSettings) -> Calibrated:
    made = Calibration(cells, (10_000.0, 20_000.0), (0.41, -0.2), 0.02)
    command = Command("id", "calibrate", {}, "test", NOW)
    return Calibrated(command, "shelf-1", "anna", made, "calibrated with 2 placings", {}, 4.5)


def condition(shelves, file, now):
    (found,) = conditions(shelves, histories(shelves, file), now)
    return found


def test_a_calibration_at_the_scale_is_kept_with_all_it_was_made_of_and_used_from_then_on(file):
    bent = CellSettings("scale-1", 120, 51.0, points=((120, 0.0), (510_000, 10_000.0), (1_010_000, 20_000.0)))
    shelves = calibrated(shelf(100, 50.0), file, NOW)
    keep(file, asked(bent), later(1))
    record = file.calibrations("shelf-1")[-1]
    assert (record.who, record.temperature_c, record.weights_g) == ("anna", 4.5, (10_000.0, 20_000.0))
    assert (record.residuals_g, record.note) == ((0.41, -0.2), "calibrated with 2 placings")
    assert with_calibration(shelves, asked(bent))[0].cells == (bent,)
    assert calibrated(shelf(100, 50.0), file, later(2))[0].cells == (bent,), "after a restart as well"


def test_points_of_the_configuration_count_as_new_when_they_change(file):
    (plain,) = shelf(100, 50.0)
    calibrated((plain,), file, NOW)
    bent = replace(plain.cells[0], points=((100, 0.0), (500_000, 10_000.0), (1_000_000, 20_100.0)))
    assert calibrated((replace(plain, cells=(bent,)),), file, NOW)[0].cells == (bent,)
    assert calibrated((plain,), file, NOW)[0].cells == plain.cells


def test_another_shelf_keeps_its_calibration(file):
    (first,) = shelf(100, 50.0)
    second = replace(first, name="shelf-2")
    assert with_calibration((first, second), asked(CellSettings("scale-1", 1, 2.0)))[1] == second


@pytest.mark.parametrize(
    ("days", "holds", "words"),
    [
        (0, False, ""),
        (350, False, ""),
        (352, True, "due in 13 days"),
        (400, True, "overdue by 35 days: last on 2026-11-23"),
    ],
)
def test_a_calibration_becomes_due_and_says_so_before(file, days, holds, words):
    found = condition(calibrated(shelf(100, 50.0), file, NOW), file, later(days))
    assert (found.name, found.holds) == ("cal-shelf-1", holds)
    assert words in found.evidence
    assert "edge-agent calibrate shelf-1" in found.action


def test_a_calibration_at_the_scale_begins_the_time_anew(file):
    shelves = calibrated(shelf(100, 50.0), file, NOW)
    keep(file, asked(CellSettings("scale-1", 120, 50.1)), later(400))
    assert not condition(shelves, file, later(401)).holds


def test_without_a_right_clock_nothing_is_due(file):
    shelves = calibrated(shelf(101, 50.0), file, NOW)
    assert not condition(shelves, file, later(400, ClockState.UNSYNCED)).holds
    assert condition(shelves, file, later(400, ClockState.CORRECTED)).holds


IN_1970 = replace(NOW, wall_ms=0, clock=ClockState.UNSYNCED)


@pytest.mark.parametrize(("days", "holds"), [(350, False), (352, True)])
def test_before_the_clock_came_a_calibration_is_dated_by_the_monotonic_clock_of_its_boot(file, days, holds):
    shelves = calibrated(shelf(100, 50.0), file, IN_1970)
    assert condition(shelves, file, later(days)).holds is holds


def test_a_calibration_of_an_earlier_boot_without_a_clock_is_due(file):
    shelves = calibrated(shelf(100, 50.0), file, IN_1970)
    found = condition(shelves, file, replace(later(1), boot="another"))
    assert (found.holds, "before the clock was set" in found.evidence) == (True, True)


def test_when_the_clock_comes_the_calibrations_of_this_boot_are_dated(file):
    calibrated(shelf(100, 50.0), file, replace(IN_1970, boot="earlier"))
    keep(file, asked(CellSettings("scale-1", 120, 51.0)), IN_1970)
    file.correct_clock("boot", NOW.offset_ms)
    earlier, done = (record.at for record in file.calibrations("shelf-1"))
    assert earlier == replace(IN_1970, boot="earlier")
    assert done == replace(NOW, clock=ClockState.CORRECTED)


@pytest.mark.parametrize(
    ("span", "days", "holds"), [(51.5, 1, True), (50.9, 1, False), (48.5, 6, True), (51.5, 8, False)]
)
def test_a_span_that_changed_by_more_than_2_percent_wants_somebody_to_look_for_a_week(file, span, days, holds):
    shelves = calibrated(shelf(100, 50.0), file, NOW)
    keep(file, asked(CellSettings("scale-1", 100, 50.0)), NOW)
    keep(file, asked(CellSettings("scale-1", 100, span)), NOW)
    found = condition(shelves, file, later(days))
    assert found.holds is holds
    assert ("the span of scale-1 changed by" in found.evidence) is holds


@pytest.mark.parametrize("configured", [(0, 215.1), (84_000, 100.0)])
def test_a_first_calibration_at_the_scale_may_differ_from_the_configuration_as_it_likes(file, configured):
    shelves = calibrated(shelf(*configured), file, NOW)
    keep(file, asked(CellSettings("scale-1", 84_120, 99.7 if configured[0] == 0 else 51.5)), NOW)
    assert not condition(shelves, file, later(1)).holds


@pytest.mark.parametrize("clock", [ClockState.SYNCED, ClockState.UNSYNCED])
def test_a_shelf_with_the_figures_of_setup_asks_for_its_calibration_until_it_has_one(file, clock):
    guess = shelf(0, 215.093)  # as `edge-agent setup` writes it
    shelves = calibrated(guess, file, NOW)
    found = condition(shelves, file, later(0.01, clock))
    assert (found.name, found.holds, found.priority) == ("cal-shelf-1", True, Priority.LOW)
    assert "never calibrated" in found.evidence
    keep(file, asked(CellSettings("scale-1", 84_120, 99.7)), later(0.02))
    assert not condition(calibrated(guess, file, later(1)), file, later(1, clock)).holds


def test_one_cell_of_two_without_a_calibration_is_named(file):
    cells = (CellSettings("scale-1", 84_000, 100.0), CellSettings("scale-2", 0, 100.0))
    shelves = calibrated((ShelfSettings("shelf-1", cells, capacity_g=10_000),), file, NOW)
    found = condition(shelves, file, NOW)
    assert "scale-2" in found.evidence
    assert "scale-1" not in found.evidence


def test_what_setup_writes_is_told_as_never_calibrated(file):
    answers = Answers(
        "shop", "a1", Broker(), cells=[Cell("shelf-1", Spot("i2c-1", 0x2A))], capacities_g={"shelf-1": 2e4}
    )
    settings = check(text(answers), "x.toml")
    assert not isinstance(settings, list), settings
    shelves = calibrated(settings.shelves, file, NOW)
    assert condition(shelves, file, NOW).holds


def test_an_edit_of_the_configuration_is_no_change_of_span(file):
    calibrated(shelf(100, 50.0), file, NOW)
    shelves = calibrated(shelf(100, 99.0), file, NOW)
    assert not condition(shelves, file, later(1)).holds


def test_the_alarm_of_the_longest_shelf_name_fits_into_a_topic(file):
    (short,) = shelf(100, 50.0)
    shelves = (replace(short, name="a" * 26),)
    assert len(condition(shelves, file, NOW).name) <= 32
