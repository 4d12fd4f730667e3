"""What a file puts on a shelf."""

import os

import pytest

from hardware_mocks.hands import Hands


@pytest.mark.parametrize(
    ("placed", "first", "second"),
    [
        ('{"shelf-1": 20000}', 10_000.0, 10_000.0),
        ('{"shelf-1": 20000, "scale-2": 14000}', 10_000.0, 14_000.0),
        ('{"shelf-9": 1}', None, None),
        ("{", None, None),
    ],
)
def test_a_shelf_or_one_cell_feels_what_the_file_says(tmp_path, placed, first, second) -> None:
    file = tmp_path / "hands.json"
    file.write_text(placed)
    hands = Hands(file)
    assert (hands.grams("shelf-1", "scale-1", 2), hands.grams("shelf-1", "scale-2", 2)) == (first, second)


def test_a_change_is_felt_and_a_half_written_one_is_not(tmp_path) -> None:
    file = tmp_path / "hands.json"
    hands = Hands(file)
    assert hands.grams("shelf-1", "scale-1", 1) is None
    for number, (content, grams) in enumerate([('{"shelf-1": 5}', 5.0), ('{"shelf-', 5.0), ('{"shelf-1": 7}', 7.0)], 1):
        file.write_text(content)
        os.utime(file, ns=(number, number))
        assert hands.grams("shelf-1", "scale-1", 1) == grams
