"""Profiles of temperatures as trials write them."""

import math

import pytest

from edge_agent.spoilage.profile import ProfileFault, read_profile


@pytest.mark.parametrize(
    ("text", "stretches", "repeats"),
    [
        ("const:4", [(4.0, math.inf)], False),
        ("const: -0.5C", [(-0.5, math.inf)], False),
        ("step:10@1d;5@rest", [(10.0, 1.0), (5.0, math.inf)], False),
        ("step: 2 @ 36h ; 8@2d", [(2.0, 1.5), (8.0, math.inf)], False),
        ("step:5 with 8h@25 once", [(5.0, 1.0), (25.0, 8 / 24), (5.0, math.inf)], False),
        ("step:5 with 6h@25", [(5.0, 1.0), (25.0, 0.25), (5.0, math.inf)], False),
        ("step:4 with 4h@15 twice", [(4.0, 1.0), (15.0, 4 / 24), (4.0, 1.0), (15.0, 4 / 24), (4.0, math.inf)], False),
        ("step:4 with 4h@15 daily", [(4.0, 20 / 24), (15.0, 4 / 24)], True),
        ("cycle:0@12h;8@12h", [(0.0, 0.5), (8.0, 0.5)], True),
    ],
)
def test_the_forms_of_a_profile(text: str, stretches: list[tuple[float, float]], repeats: bool) -> None:
    profile = read_profile(text)
    assert [(s.temp_c, s.days) for s in profile.stretches] == [pytest.approx(pair) for pair in stretches]
    assert profile.repeats is repeats


@pytest.mark.parametrize(
    "text",
    ["", "4", "const:", "const:warm", "const:nan", "const:90", "step:", "step:10@rest;5@1d", "step:10@1x;5@rest",
     "step:5 with 8h@25 sometimes", "step:5 with 30h@25 daily", "ramp:1-5", "step:4@0d;5@rest", "step:4@1min;5@rest",
     "step:4@3651d;5@rest", "step:4 with 1h@9 101 times", "step:4 with 1h@9 0 times", "cycle:4@1min;5@1min"],
)  # fmt: skip
def test_what_is_no_profile_is_said(text: str) -> None:
    with pytest.raises(ProfileFault, match="must"):
        read_profile(text)


def test_the_mean_of_a_cycle_counts_the_time() -> None:
    assert read_profile("cycle:0@18h;8@6h").mean_c == pytest.approx(2.0)
