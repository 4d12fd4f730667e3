"""From what was found and answered to a configuration; the file itself; answers that will not do."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import ConfigError, check
from edge_agent.setup import ask, keep, pins
from edge_agent.setup.buses import Plugged, header_buses, look
from edge_agent.setup.interview import Interview, Question, Unanswered, left_over, of_answers, of_nobody
from edge_agent.setup.pins import NotUnderstood, Wired
from edge_agent.setup.probe import Found, Spot
from edge_agent.setup.proposal import text
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.sht4x_chip import Sht4xChip
from hardware_mocks.tca9548a_chip import Tca9548aChip
from hardware_mocks.vendor_time import vendor_time

COLD = Found(Spot("i2c-1", 0x44), "sht3x", "SHT3x")
FREEZER = Found(Spot("i2c-1", 0x45), "sht4x", "SHT4x, serial number 12345678")
CELLS = [Found(Spot("i2c-1", 0x2A, 0x70, channel), "nau7802", "NAU7802") for channel in range(3)]
PLUGGED = Plugged(
    (COLD, FREEZER, *CELLS),
    ("28-0316a2794bff",),
    values={COLD.spot.key: "4.2 °C, 81.0 %", FREEZER.spot.key: "-19.0 °C"},
    temperatures_c={COLD.spot.key: 4.2, FREEZER.spot.key: -19.0},
    has_power_flags=True,
)


def made(plugged: Plugged = PLUGGED, **answers: str) -> tuple[str, Interview]:
    interview = Interview(of_answers({key.replace("__", "."): value for key, value in answers.items()}), None)
    found = ask.ask(interview, plugged, hostname="cellar-pi", timezone="Europe/Rome", board="raspberry-pi", state="")
    return text(found), interview


def settings_of(written: str):
    found = check(written, "made.toml")
    assert not isinstance(found, list), found
    return found


def test_with_every_default_what_was_found_becomes_a_configuration_without_a_fault() -> None:
    written, interview = made()
    found = settings_of(written)
    assert (found.node.site, found.node.name, found.mqtt.host) == ("shop", "cellar-pi", "localhost")
    assert [(sensor.name, sensor.driver) for sensor in found.sensors] == [
        ("cold-room", "sht3x"),
        ("freezer", "sht4x"),
        ("storeroom", "ds18b20"),
        ("scale-1", "nau7802"),
        ("scale-2", "nau7802"),
        ("scale-3", "nau7802"),
        ("power", "power"),
    ]
    assert found.sensors[3].settings.mux_channel == 0
    assert [(place.name, place.kind.value) for place in found.places] == [
        ("cold-room", "chilled"),
        ("freezer", "frozen"),
        ("storeroom", "ambient"),
    ]
    assert [(shelf.name, shelf.capacity_g) for shelf in found.shelves] == [(f"shelf-{n}", 20_000.0) for n in (1, 2, 3)]
    assert found.food.region is not None
    assert found.food.region.value == "eu"
    assert len(interview.asked) == 3 + 3 + 3 + 1 + 3 + 1


def test_two_thermometers_in_a_room_and_two_cells_below_a_shelf_belong_together() -> None:
    answers = {FREEZER.spot.key: "cold-room", CELLS[1].spot.key: "shelf-1", CELLS[2].spot.key: "skip"}
    interview = Interview(of_answers({**answers, "shelf-1.kg": "60"}), None)
    found = settings_of(
        text(ask.ask(interview, PLUGGED, hostname="a1", timezone="UTC", board="raspberry-pi", state=""))
    )
    assert found.places[0].sensors == ("cold-room", "cold-room-2")
    (shelf,) = found.shelves
    assert ([cell.sensor for cell in shelf.cells], shelf.capacity_g) == (["scale-1", "scale-2"], 60_000.0)


def test_what_hangs_on_pins_comes_in_and_the_door_belongs_to_its_room() -> None:
    written, _ = made(pins="contact 22 cold-room, hx711 5 6 shelf-9, dht22 17 cellar, led 23, buzzer 18, button 25")
    found = settings_of(written)
    assert found.places[0].door == "cold-room-door"
    assert found.shelves[-1].name == "shelf-9"
    assert (found.panel.led_pin, found.panel.buzzer_pin, found.panel.button_pin) == (23, 18, 25)
    assert {"hx711", "dht22", "contact"} <= {sensor.driver for sensor in found.sensors}


def test_a_broker_elsewhere_is_reached_by_tls_unless_somebody_says_otherwise() -> None:
    found = settings_of(made(broker="broker.example")[0])
    assert (found.mqtt.port, found.mqtt.tls is not None, found.mqtt.insecure) == (8883, True, False)
    found = settings_of(made(broker="broker.example", broker__tls="no")[0])
    assert (found.mqtt.port, found.mqtt.tls, found.mqtt.insecure) == (1883, None, True)


def test_no_question_lacks_a_default_and_no_place_needs_a_law_that_is_not_cold() -> None:
    _, interview = made(Plugged())
    assert all(question.default for question in interview.asked)
    assert [question.key for question in interview.asked] == ["site", "node", "broker", "pins"]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"site": "My Shop"}, "site: 'My Shop' will not do: must be 1 to 32 of the characters"),
        ({"node": "all"}, "every node"),
        ({"broker": "mqtt://broker"}, "without a scheme"),
        ({"broker": "b.example", "broker__port": "0"}, "1 to 65535"),
        ({"broker": "b.example", "broker__tls": "perhaps"}, "yes or no"),
        ({"pins": "contakt 22 cold-room"}, "did you mean contact?"),
        ({"region": "mars"}, "one of england"),
        ({"shelf-1__kg": "-3"}, "0.1 to 2000"),
        ({"shelf-1__kg": "nan"}, "0.1 to 2000"),
    ],
)
def test_an_answer_that_will_not_do_is_named_with_what_would(answers, says) -> None:
    with pytest.raises(Unanswered, match=says.replace("(", r"\(")):
        made(**answers)


def test_a_person_is_told_what_was_wrong_and_asked_again() -> None:
    told: list[str] = []
    given = iter(["My Shop", "my-shop"])
    interview = Interview(lambda question: next(given), told.append)
    assert interview(Question("site", "?", "shop", lambda a: None if a.islower() else "small letters")) == "my-shop"
    assert told == ["'My Shop' will not do: must be small letters"]
    assert len(interview.asked) == 1


def test_answers_nobody_asked_for_are_named() -> None:
    answers = {"sight": "shop", "i2c-1 0x40": "cellar"}
    interview = Interview(of_answers(answers), None)
    interview(Question("site", "?", "shop"))
    assert left_over(answers, interview) == [
        "sight: nobody asked that; did you mean 'site'?",
        "i2c-1 0x40: nobody asked that; asked were site",
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("contact", "contact with the pin"),
        ("contact 28 cold-room", "0 to 27"),
        ("contact -1 cold-room", "BCM"),
        ("contact 22", "then one name"),
        ("contact 22 Cold", "1 to 15"),
        ("hx711 5 shelf-1", "DOUT, then PD_SCK"),
        ("led 23 red", "and no name"),
        ("led 23, contact 23 door", "GPIO23 stands there twice"),
        ("led 23, led 24", "one led at most"),
        ("led 23,", "one of contact"),
    ],
)
def test_wiring_that_is_not_understood_says_what_would_be(answer, says) -> None:
    with pytest.raises(NotUnderstood, match=says):
        pins.pins(answer)


@given(st.text(max_size=60))
def test_any_text_about_pins_is_understood_or_refused_in_words(answer) -> None:
    right = pins.fault(answer)
    assert right is None or right
    if right is None:
        assert all(isinstance(each, Wired) for each in pins.pins(answer))


def test_a_board_is_looked_at_with_the_values_its_thermometers_show() -> None:
    clock = SimulatedClock()
    board, mux = BenchBoard(clock), Tca9548aChip()
    mux.attach(2, Nau7802Chip(clock, LoadCell()))
    board.plug_in(mux, Sht3xChip(clock, temperature_c=3.5), Sht4xChip(clock, address=0x45, temperature_c=-20.0))
    with vendor_time(clock):
        seen = look(board, ["i2c-1"], board.now())
    assert {chip.driver for chip in seen.chips} == {"sht3x", "sht4x", "nau7802", None}
    assert seen.values["i2c-1 0x44"].startswith("3.5 °C")
    assert seen.temperatures_c["i2c-1 0x45"] == pytest.approx(-20, abs=0.1)
    assert not seen.has_power_flags


def test_the_buses_of_the_header_are_looked_at_and_those_of_displays_are_not(tmp_path) -> None:
    for name in ("i2c-3", "i2c-20", "i2c-1"):
        (tmp_path / name).touch()
    assert header_buses(tmp_path) == ["i2c-1", "i2c-3"]
    assert header_buses(tmp_path / "none") == ["i2c-1"]


# --- the file ---------------------------------------------------------------------------------------------------------


def test_what_would_be_wrong_is_not_written_and_named_by_its_place(tmp_path) -> None:
    path = tmp_path / "edge-agent.toml"
    with pytest.raises(ConfigError) as caught:
        keep.checked('[node]\nsite = "shop"\nname = "a1"\n', path)
    assert caught.value.faults[0].file == str(path)
    assert not path.exists()


def test_files_that_the_configuration_names_must_be_there(tmp_path) -> None:
    written, _ = made(broker="b.example", broker__ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigError, match="must be a file that exists"):
        keep.checked(written, tmp_path / "edge-agent.toml")


def test_the_file_before_stays_as_a_copy(tmp_path) -> None:
    path = tmp_path / "etc" / "edge-agent.toml"
    keep.put("old", path, None)
    copy = keep.copy_name(path, datetime(2026, 11, 23, 7, 5, 9, tzinfo=UTC))
    keep.put("new", path, copy)
    assert (path.read_text(), copy.read_text()) == ("new", "old")
    assert path.stat().st_mode & 0o777 == 0o644
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, copy.name]


def test_a_card_that_takes_nothing_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "edge-agent.toml"
    keep.put("old", path, None)
    with pytest.raises(OSError, match="No space left"):
        keep.put("new", path, None, sync=full)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_nobody_answers_with_the_default() -> None:
    assert Interview(of_nobody, None)(Question("site", "?", "shop")) == "shop"


def test_the_page_of_the_first_evening_counts_steps_and_questions_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "first-evening.md").read_text("utf-8")
    steps = [int(number) for number in re.findall(r"^([0-9]+)\. \*\*", page, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert f"with a screwdriver: {len(steps)} steps" in page
    one_of_each = Plugged((COLD, CELLS[0]), temperatures_c={COLD.spot.key: 4.0})
    assert f"asks {len(made(one_of_each)[1].asked)} questions" in page
