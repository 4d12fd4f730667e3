"""Every configured sensor is asked; where one is silent, what answers in its place is named."""

from pathlib import Path

import pytest

from edge_agent.config import check
from edge_agent.setup.chip_check import as_told, chips
from edge_agent.setup.finding import Finding, Verdict
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.i2c_bus import Chip
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.sht4x_chip import Sht4xChip
from hardware_mocks.tca9548a_chip import Tca9548aChip

HEAD = '[node]\nsite = "shop"\nname = "a1"\n'
SHT3X = '[[sensor]]\nname = "cold-room"\ndriver = "sht3x"\naddress = 0x44\n'
OTHER = '[[sensor]]\nname = "cellar"\ndriver = "sht3x"\naddress = 0x45\n'
CELL = '[[sensor]]\nname = "scale-1"\ndriver = "nau7802"\nmux_address = 0x70\nmux_channel = 0\n'
PROBE = '[[sensor]]\nname = "core"\ndriver = "ds18b20"\ndevice = "28-0316a2794bff"\n'
CLOCK = SimulatedClock()


def examined(text: str, *plugged: Chip, one_wire: Path | None = None, stuck: bool = False) -> list[Finding]:
    settings = check(HEAD + text, "x.toml")
    assert not isinstance(settings, list), settings
    board = BenchBoard(CLOCK)
    board.plug_in(*plugged)
    board.one_wire_path = one_wire
    board.bus().stuck = stuck
    with board.driving():
        return list(chips(settings.sensors, board))


def test_a_chip_that_answers_says_what_it_measures() -> None:
    (finding,) = examined(SHT3X, Sht3xChip(CLOCK, temperature_c=4.0))
    assert finding.verdict is Verdict.OK
    assert "cold-room (sht3x) says temperature 4 °C, humidity 80" in finding.words


def test_at_a_wrong_address_the_right_one_is_named() -> None:
    (finding,) = examined(SHT3X, Sht3xChip(CLOCK, address=0x45))
    assert finding.verdict is Verdict.FAIL
    assert "0x44" in finding.words
    assert finding.cure == "an SHT3x answers at 0x45: address = 0x45"


def test_an_address_that_another_sensor_has_is_not_proposed() -> None:
    silent, well = examined(SHT3X + OTHER, Sht3xChip(CLOCK, address=0x45))
    assert well.verdict is Verdict.OK
    assert silent.cure == "see its plug and its supply; on i2c-1 there answers: SHT3x at 0x45"


def test_another_chip_at_the_address_is_named_with_its_driver() -> None:
    (finding,) = examined(SHT3X, Sht4xChip(CLOCK, address=0x44))
    assert 'driver = "sht4x"' in finding.cure


def test_a_chip_behind_another_channel_is_found() -> None:
    mux = Tca9548aChip()
    mux.attach(5, Nau7802Chip(CLOCK, LoadCell()))
    (finding,) = examined(CELL, mux)
    assert finding.cure.endswith("address = 0x2a, mux_address = 0x70, mux_channel = 5")


def test_without_the_multiplexer_what_there_is_is_told() -> None:
    (finding,) = examined(CELL, Sht3xChip(CLOCK))
    assert "on i2c-1 there answers: SHT3x at 0x44" in finding.cure
    (finding,) = examined(CELL)
    assert "there answers: nothing at all" in finding.cure


def test_a_held_bus_says_how_to_find_the_culprit() -> None:
    (finding,) = examined(SHT3X, Sht3xChip(CLOCK), stuck=True)
    assert finding.verdict is Verdict.FAIL
    assert "Unplug the chips one after another" in finding.cure


def test_a_bad_checksum_is_the_wires_fault() -> None:
    chip = Sht3xChip(CLOCK)
    chip.bad_crc = 1.0
    (finding,) = examined(SHT3X, chip)
    assert finding.verdict is Verdict.FAIL
    assert "CRC mismatch" in finding.words
    assert "length of its cable" in finding.cure


def test_a_missing_probe_names_those_that_are_there(tmp_path) -> None:
    (tmp_path / "28-00000abcdef1").mkdir()
    (tmp_path / "w1_bus_master1").mkdir()
    (finding,) = examined(PROBE, one_wire=tmp_path)
    assert "one of those on the bus: 28-00000abcdef1;" in finding.cure


@pytest.mark.parametrize(
    ("point", "verdict", "says"),
    [
        ({"good_ratio": 0.99, "last_good_s": 1.0, "fault": None}, Verdict.OK, "99 % good"),
        ({"good_ratio": 0.7, "last_good_s": 60.0, "fault": "checksum"}, Verdict.WARN, "checksum, last good 60 s ago"),
        ({"good_ratio": 0.0, "last_good_s": None, "fault": "no-answer"}, Verdict.FAIL, "no-answer, last good never"),
    ],
)
def test_a_running_agent_is_asked_instead_of_its_chips(point, verdict, says) -> None:
    (finding,) = as_told({"points": {"cold-room": point}})
    assert finding.verdict is verdict
    assert says in finding.words
