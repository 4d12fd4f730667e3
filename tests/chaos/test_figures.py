import json

import pytest
from chaos_parts.figures import Figure, as_json, skipped
from chaos_parts.judge import most_in_a_second


@pytest.mark.parametrize(
    ("value", "goal", "is_met"),
    [
        (0, "0", True),
        (1, "0", False),
        (50, "<= 50", True),
        (50.1, "<= 50", False),
        (5, "< 5", False),
        (0, ">= 1", False),
        (1, ">= 1", True),
        ("yes", "yes", True),
        ("no", "yes", False),
        (float("nan"), "<= 50", False),
        (float("inf"), "<= 3", False),
        (17, "", True),
    ],
)
def test_a_goal_is_met_or_missed(value, goal, is_met):
    assert Figure("x", value, "", goal).is_met is is_met


def test_what_was_skipped_is_never_a_success():
    figure = skipped("disk, full", "needs root")
    assert figure.is_skipped
    assert not figure.is_met


def test_json_is_one_object_a_line():
    lines = as_json([Figure("rows lost", 0, "rows", "0"), Figure("minutes", 1.5)]).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"name": "rows lost", "value": 0, "unit": "rows", "goal": "0"},
        {"name": "minutes", "value": 1.5, "unit": "", "goal": ""},
    ]


@pytest.mark.parametrize(
    ("at_s", "most"), [([], 0), ([5.0], 1), ([0.0, 0.999, 1.0, 1.9], 3), ([n / 64 for n in range(200)], 64)]
)
def test_the_busiest_second_is_found(at_s, most):
    assert most_in_a_second(at_s) == most
