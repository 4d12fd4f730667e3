"""Relative rates against the literature's own figures, and the parameter and the temperature back from them."""

import math

import numpy as np
import pytest

from edge_agent.spoilage.kinetics import LEAST_RATE, NAMES, Kinetics, lag_share_at, rates, relative_rate

FOUR = (
    Kinetics("q10", 2.6, 4.0),
    Kinetics("arrhenius", 75.0, 4.0),
    Kinetics("square_root", -8.0, 4.0),
    Kinetics("exponential", 0.12, 4.0),
)


@pytest.mark.parametrize("kinetics", FOUR, ids=lambda one: one.kind)
def test_the_rate_is_one_at_the_reference_and_rises_with_the_temperature(kinetics):
    rising = [relative_rate(kinetics, at_c) for at_c in (-2.0, 0.0, 4.0, 10.0, 25.0)]
    assert rising == sorted(rising)
    assert relative_rate(kinetics, 4.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kinetics", "at_c", "rate"),
    [
        (Kinetics("square_root", -10.0, 0.0), 10.0, 4.0),  # FSSP, fresh fish: (1 + 0.1 T)²
        (Kinetics("exponential", 0.089, 5.0), 15.0, math.exp(0.89)),  # FSSP, cold-smoked salmon
        (Kinetics("q10", 2.0, 0.0), 25.0, 2**2.5),
        (Kinetics("arrhenius", 73.0, 5.0), 15.0, 2.99),  # Q10 of 3 about 10 °C
    ],
)
def test_the_rate_is_the_literature_s(kinetics, at_c, rate):
    assert relative_rate(kinetics, at_c) == pytest.approx(rate, rel=0.005)


def test_below_its_least_temperature_a_flora_stands_all_but_still():
    assert relative_rate(Kinetics("square_root", 2.0, 8.0), 0.0) == LEAST_RATE


def test_beyond_what_was_ever_measured_the_rate_stays_where_it_is():
    warm = Kinetics("q10", 3.0, 0.0)
    assert relative_rate(warm, 80.0) == relative_rate(warm, 45.0)


def test_lots_of_all_kinds_age_side_by_side_as_they_do_alone():
    at_c = np.array([1.0, 5.0, 9.0, 13.0])
    kinds = np.array([float(NAMES.index(one.kind)) for one in FOUR])
    side_by_side = rates(kinds, np.array([one.parameter for one in FOUR]), np.array([one.ref_c for one in FOUR]), at_c)
    assert side_by_side.tolist() == [relative_rate(one, at) for one, at in zip(FOUR, at_c, strict=True)]


def test_warmth_shortens_the_lag_more_than_it_speeds_the_growth():
    cold, warm = lag_share_at(np.array([1.0, 4.0]), np.array(0.3), np.array(1.4))
    assert cold == pytest.approx(0.3)
    assert warm < 0.2


@pytest.mark.parametrize(
    ("kind", "parameter", "ref_c", "told"),
    [
        ("linear", 1.0, 0.0, "one of q10, arrhenius, square_root, exponential"),
        ("q10", 0.5, 0.0, "1.0 to 12.0"),
        ("square_root", 3.0, 2.0, "below the reference"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_would_be_right(kind, parameter, ref_c, told):
    with pytest.raises(ValueError, match=told):
        Kinetics(kind, parameter, ref_c)
