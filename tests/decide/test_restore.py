"""What was written as JSON comes back as it was."""

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

import pytest

from edge_agent.decide.restore import plain, restored


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    grams: float
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True)
class Outer:
    name: str = ""
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    pair: tuple[int, float] = (0, 0.0)
    nested: Inner = field(default_factory=lambda: Inner(1.0))
    is_so: bool = False


EVERYTHING = Outer("x", Inner(1.5), (Inner(2.0), Inner(3.0)), (4, 0.25), Inner(9.0), True)


@pytest.mark.parametrize("written", [plain, asdict])
@pytest.mark.parametrize("value", [Outer(), EVERYTHING, replace(EVERYTHING, nested=Inner(1.0))])
def test_what_was_written_comes_back(value, written):
    assert restored(Outer, json.loads(json.dumps(written(value)))) == value


def test_what_has_its_default_is_not_written():
    assert plain(Outer()) == {}
    assert plain(Outer("x", Inner(1.5), (Inner(2.0),))) == {
        "name": "x", "inner": {"grams": 1.5}, "many": [{"grams": 2.0}],
    }  # fmt: skip


def test_a_field_that_the_row_does_not_have_has_its_default():
    assert restored(Outer, {"name": "x"}) == Outer("x")


def test_a_whole_number_serves_where_a_fraction_may_stand():
    found = restored(Inner, {"grams": 3})
    assert (found.grams, type(found.grams)) == (3.0, float)


@pytest.mark.parametrize(
    "row",
    [
        {"colour": "red"},  # grams is missing
        {"grams": "3"},
        {"grams": None},
        {"grams": 3.0, "colour": "blue"},
        {"grams": 3.0, "weight": 1.0},
    ],
)
def test_what_no_version_ever_wrote_is_refused(row):
    with pytest.raises((TypeError, ValueError)):
        restored(Inner, row)


@pytest.mark.parametrize("row", [{"pair": [1]}, {"many": [{}]}, {"many": "x"}, {"inner": 3}, {"is_so": "yes"}])
def test_a_wrong_shape_further_down_is_refused_too(row):
    with pytest.raises((TypeError, ValueError)):
        restored(Outer, row)
