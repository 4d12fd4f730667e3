import json
from dataclasses import asdict, replace

import pytest

from edge_agent.decide.restore import restored
from edge_agent.domain.instant import Instant
from edge_agent.weighing import scale
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import CellSettings, ShelfSettings
from edge_agent.weighing.trace import Moving, Phase, Rest, Signal, Trace

SHELF = ShelfSettings("shelf-1", (CellSettings("cell", 0, 100.0),), capacity_g=10_000)
AT = Instant(5000, 1_790_000_005_000, "boot")


def resting(level_g: float = 500.0) -> Trace:
    return Trace(phase=Phase.REST, rest=Rest(level_g=level_g, weighs_s=3.0, guard=((900, level_g),)))


def test_zero_takes_away_what_the_empty_platform_shows_and_with_it_what_was_tracked():
    before = ScaleState(zero_g=10, net_g=0.0, reference_g=25.0, reference_u_g=0.5, drift_tracked_g=25.0)
    after = scale.zero(before, 25.0, SHELF.capacity_g)
    assert (after.zero_g, after.reference_g, after.net_g, after.drift_tracked_g) == (35.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("already_g", "shown_g"), [(0, 201), (0, -201), (150, 60)])
def test_zero_refuses_more_than_2_percent_of_full_scale_in_total(already_g, shown_g):
    with pytest.raises(ValueError, match="at most 200 g"):
        scale.zero(ScaleState(zero_g=already_g), shown_g, SHELF.capacity_g)


def test_zero_while_the_container_is_away_leaves_what_is_in_it():
    away = ScaleState(tare_g=300, net_g=1200.0, away_g=1500.0, reference_g=4.0)
    assert scale.zero(away, 4.0, SHELF.capacity_g).net_g == 1200.0


@pytest.mark.parametrize(
    ("container_g", "gross_g", "net_g"),
    [(300.0, None, 0.0), (300.0, 300.0, 0.0), (300.0, 1500.0, 1200.0)],
)
def test_a_tare_sets_the_container_aside_and_the_reference_agrees_with_it(container_g, gross_g, net_g):
    after = scale.tare(ScaleState(net_g=77.0, reference_g=1.0), container_g, gross_g)
    assert (after.tare_g, after.net_g, after.u_g) == (container_g, net_g, 0.0)
    assert after.reference_g == net_g + container_g


def test_a_command_may_act_upon_rest_only():
    assert scale.is_stable(resting(), SHELF)
    assert scale.settled_g(resting(500.0)) == 500.0
    moving = replace(resting(), phase=Phase.MOVING)
    assert not scale.is_stable(moving, SHELF)
    assert not scale.is_stable(replace(resting(), signal=Signal(broken=True)), SHELF)
    with pytest.raises(ValueError, match="no weight"):
        scale.settled_g(moving)


def test_a_new_zero_moves_everything_in_the_trace_that_is_gross():
    trace = Trace(
        phase=Phase.MOVING,
        signal=Signal(recent=((1, 510.0),), sum_g=1020.0, sum_n=2),
        rest=Rest(level_g=500.0, guard=((1, 501.0),)),
        moving=Moving(1, True, 500.0, ((1, 510.0),)),
    )
    after = scale.rezeroed(trace, 10.0)
    assert (after.signal.recent, after.signal.sum_g) == (((1, 500.0),), 1000.0)
    assert (after.rest.level_g, after.rest.guard) == (490.0, ((1, 491.0),))
    assert (after.moving.from_g, after.moving.looks) == (490.0, ((1, 500.0),))
    assert scale.rezeroed(after, 10.0) is after


def test_a_state_survives_json():
    state = ScaleState(tare_g=1.5, net_g=3.0, reference_g=4.5, confirmed=AT, spread=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    assert restored(ScaleState, json.loads(json.dumps(asdict(state)))) == state


def test_an_old_row_loads():
    assert restored(ScaleState, {"tare_g": 350.0, "zero_g": 1.0}) == ScaleState(tare_g=350.0, zero_g=1.0)
