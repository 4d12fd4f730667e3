"""The tables of a board that needs no Pi, and the sensors they name."""

from pathlib import Path

import pytest

from edge_agent.config import Settings, check

CONFIG = Path(__file__).parents[2] / "config"

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
    ("replay", 'kind = "replay"', 'kind = "replays"', "board.kind", 'did you mean "replay"?'),
]


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
    first_changed = next(
        number for number, (a, b) in enumerate(zip(text.split("\n"), wrong.split("\n"), strict=False), 1) if a != b
    )
    assert first_changed - 4 <= fault.line <= first_changed, "at the change, or at the head of its table"


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
