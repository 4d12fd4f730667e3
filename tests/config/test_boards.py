"""The tables of a board that needs no Pi, and the sensors they name."""

from pathlib import Path

import pytest

from edge_agent.config import Settings, check
from edge_agent.drivers.errors import BoardError
from edge_agent.drivers.table import DRIVERS
from hardware_mocks import replay_board, simulated_board
from hardware_mocks.fitting import ABILITIES, Abilities

CONFIG = Path(__file__).parents[2] / "config"

# every driver, and what its sensor needs beside a name
WIRED = {
    "sht3x": "address = 0x45",
    "sht4x": 'bus = "i2c-2"',
    "bme280": "",
    "aht20": "",
    "nau7802": "",
    "dht22": "pin = 4",
    "dht11": "pin = 5",
    "ds18b20": 'device = "28-0316a2794bff"',
    "hx711": "data_pin = 6\nclock_pin = 7",
    "contact": "pin = 8",
    "power": "",
}

# sample, the text it replaces, with what, the key blamed, words of the message
MISTAKES = [
    ("simulated", "[board.shop]", "[[board.shop]]", "board.shop", "must be a table headed [board.shop]"),
    ("simulated", "[[board.shelf]]", "[[board.shelves]]", "board.shelves", "unknown key: did you mean shelf"),
    ("simulated", "customers_per_hour", "customers", "board.shop.customers", "did you mean customers_per_hour"),
    ("simulated", 'opens = "00:00"', 'opens = "8 am"', "board.shop.opens", '"8 am": must be'),
    ("simulated", '"scale-1", "scale-2"]', '"scale-1", "scale-9"]', "board.shelf[1].cells[2]", 'mean "scale-4"?'),
    ("simulated", "speed = 1.0", "speed = -1", "board.speed", "between 0 and 1e+06"),
    ("simulated", '"mon", "tue"', '1, "tue"', "board.shop.days[1]", "1: must be a text"),
    ("replay", 'sensor = "cold-room"', 'sensor = "coldroom"', "board.source[1].sensor", 'did you mean "cold-room"?'),
    ("replay", 'column = "temp"\n', "", "board.source[1].column", "missing: must be a text"),
    ("replay", '{scale = "left"}', "{scale = 1}", "board.source[3].where.scale", "= 1: "),
    ("replay", '"Europe/Rome"', '"Europe/Roma"', "board.timezone", "must be an IANA name"),
    ("replay", '["time"]', '"time"', "board.time_columns", '"time": must be a list such as'),
    # what the board itself knows of the sensors
    ("simulated", 'room = "cold-room"', 'room = "attic"', "board.shelf[2].room", "a room: cold-room, freezer"),
    ("simulated", 'cells = ["scale-3"]', 'cells = ["freezer"]', "board.shelf[2].cells[1]", "that weighs: scale-1"),
    ("simulated", "[board.shop]", '[[board.room]]\nname = "a"\nsurroundings = "moon"\n[board.shop]',
     "board.room[1].surroundings", '"moon": must be the name of a room: shop, outdoors, a'),
    ("simulated", "[board.shop]", '[[board.fault]]\nkind = "hang"\nat_s = 1\nsensor = "cold-room-door"\n[board.shop]',
     "board.fault[1].kind", "what a contact can suffer: frozen, unplugged"),
    ("simulated", "[board.shop]", '[[board.fault]]\nkind = "door-left-open"\nat_s = 1\nroom = "attic"\n[board.shop]',
     "board.fault[1].room", '"attic": must be the name of a room'),
    ("replay", 'quantity = "temperature"', 'quantity = "temperatur"', "board.source[1].quantity", "measures, a "),
    ("replay", 'quantity = "temperature"', 'quantity = "counts"', "board.source[1].quantity", "temperature, humidity"),
    ("replay", 'kind = "replay"', 'kind = "replays"', "board.kind", 'did you mean "replay"?'),
]  # fmt: skip


@pytest.mark.parametrize(("sample", "old", "new", "key", "words"), MISTAKES)
def test_a_mistake_below_the_board_tells_its_key_and_line(sample, old, new, key, words):
    name = {"simulated": "simulated.toml", "replay": "replay-example.toml"}[sample]
    text = (CONFIG / name).read_text("utf-8")
    assert old in text
    wrong = text.replace(old, new, 1)
    faults = check(wrong, name)
    assert isinstance(faults, list)
    (fault,) = faults
    assert fault.key == key
    assert words in str(fault)
    assert fault.line is not None
    added = new.count("\n") - old.count("\n")
    first_changed = next(
        number for number, (a, b) in enumerate(zip(text.split("\n"), wrong.split("\n"), strict=False), 1) if a != b
    )
    assert first_changed - 4 <= fault.line <= first_changed + added, "at the change, or at the head of its table"


def test_a_fault_of_a_whole_array_is_told_at_its_first_table():
    text = (CONFIG / "simulated.toml").read_text("utf-8")
    faults = check(text.replace('["scale-3"]', '["scale-1"]'), "simulated.toml")
    assert isinstance(faults, list)
    (fault,) = faults
    assert str(fault).endswith('board.shelf: cells = "scale-1": must be given once')
    assert fault.line == text[: text.index("[[board.shelf]]")].count("\n") + 1


def test_every_configuration_for_a_known_recording_is_right():
    samples = sorted((CONFIG / "replay").glob("*.toml"))
    assert samples
    for path in samples:
        assert isinstance(check(path.read_text("utf-8"), path.name), Settings)


def test_a_quantity_without_a_source_is_told_at_the_sensors_first_source():
    text = (CONFIG / "replay-example.toml").read_text("utf-8")
    start = text.index("[[board.source]]", text.index('quantity = "temperature"'))
    end = text.index("[[board.source]]", start + 1)
    assert 'quantity = "humidity"' in text[start:end]
    faults = check(text[:start] + text[end:], "replay-example.toml")
    assert isinstance(faults, list)
    (fault,) = faults
    assert fault.line == text[: text.index("[[board.source]]")].count("\n") + 1
    assert "one for every quantity of a" in fault.right


@pytest.mark.parametrize("name", ["edge-agent.toml", "simulated.toml", "replay-example.toml"])
def test_what_the_check_lets_pass_the_board_does_not_refuse(name, tmp_path):
    """The other way round: the same faults stop a board that is opened without the check."""
    settings = check((CONFIG / name).read_text("utf-8"), name)
    assert isinstance(settings, Settings)
    module = {"simulated": simulated_board, "replay": replay_board}.get(settings.board.kind)
    if module is not None:
        assert module.faults(settings.board.settings, settings.sensors) == []
        with pytest.raises(BoardError, match="board: "):
            module.open_board(settings.board.settings, settings.sensors[:1])


def test_every_driver_has_a_simulated_chip_that_is_fitted_as_it_is_described():
    sensors = "".join(f'[[sensor]]\nname = "{driver}"\ndriver = "{driver}"\n{keys}\n' for driver, keys in WIRED.items())
    settings = check(f'[node]\nsite = "s"\nname = "n"\n[board]\nkind = "simulated"\n{sensors}', "a.toml")
    assert isinstance(settings, Settings), settings
    assert set(WIRED) == set(DRIVERS) == set(ABILITIES)
    board = simulated_board.open_board(settings.board.settings, settings.sensors)
    try:
        fitted = {name: Abilities(fitting.ranges, fitting.faults) for name, fitting in board.fittings.items()}
    finally:
        board.close()
    assert fitted == ABILITIES
