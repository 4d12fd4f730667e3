"""When the net's answer is used."""

import math
from pathlib import Path

import numpy as np
import pytest

from edge_agent.service import life_work
from edge_agent.spoilage import guard

NAMES = ("a", "b")


def verdict(ratio: float, outside: tuple[bool, bool] = (False, False), blind: float = 0.0) -> guard.Verdict:
    return guard.judged(np.array([math.log(ratio)]), np.array([outside]), np.array([blind]), NAMES)


@pytest.mark.parametrize(
    ("ratio", "outside", "blind", "is_net", "shift", "reasons"),
    [
        (1.0, (False, False), 0.0, True, 1.0, ()),
        (0.65, (False, False), 0.0, True, 0.65, ()),  # shortens freely
        (1.29, (False, False), 0.0, True, 1.29, ()),
        (1.5, (False, False), 0.0, True, 1.3, (guard.CAPPED,)),  # lengthens to 1.3
        (1.61, (False, False), 0.0, False, 1.0, (guard.FAR_FROM_PHYSICS,)),
        (0.62, (False, False), 0.0, False, 1.0, (guard.FAR_FROM_PHYSICS,)),
        (1.0, (False, True), 0.0, False, 1.0, ("outside_training:b",)),
        (1.0, (False, False), 0.11, False, 1.0, (guard.SENSOR_GAPS,)),
        (1.0, (False, False), 0.10, True, 1.0, ()),
        (2.0, (True, False), 0.5, False, 1.0, (guard.FAR_FROM_PHYSICS, "outside_training:a", guard.SENSOR_GAPS)),
    ],
)
def test_the_net_is_used_near_the_physics_within_what_it_learnt_and_on_good_readings(
    ratio: float, outside: tuple[bool, bool], blind: float, is_net: bool, shift: float, reasons: tuple[str, ...]
) -> None:
    found = verdict(ratio, outside, blind)
    assert bool(found.is_net[0]) is is_net
    assert math.exp(float(found.shift[0])) == pytest.approx(shift)
    assert found.reasons == (reasons,)


def test_every_code_that_is_told_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "shelf-life.md").read_text(encoding="utf-8")
    codes = {value for name, value in vars(guard).items() if name.isupper() and isinstance(value, str)}
    codes |= {life_work.UNKNOWN_AGE, life_work.UNKNOWN_PRODUCT, life_work.PACK_ASSUMED, life_work.CLASS_DEFAULT}
    assert len(codes) > 15
    missing = {code for code in codes if f"`{code}`" not in page and f"`{code}:" not in page}
    assert not missing
