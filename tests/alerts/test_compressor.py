"""A compressor that stopped is told in time; a defrost, a door and warm goods are not taken for it."""

import json
from dataclasses import asdict

import pytest

from edge_agent.alerts import compressor
from edge_agent.alerts.compressor import Learnt, Mark, State, forecast, warming
from edge_agent.alerts.moment import Moment
from tests.alerts.cooled import DAY, HOUR, Watching, at, moments, saveris, simulated

FOR_EVER = 1e9


@pytest.mark.parametrize(
    ("kind", "every_s", "within_min"), [("cold-room", 60.0, 17), ("freezer", 60.0, 17), ("cold-room", 900.0, 120)]
)
def test_a_stop_is_told_in_its_time_with_what_is_ahead_and_nothing_before(kind, every_s, within_min):
    """The worst is a stop just when the compressor would have rested: 8 to 12 min until it is missed."""
    stops_s = 4.2 * DAY
    room = simulated(kind, 4.35, every_s, plan=lambda world: world.plan_compressor_failure("room", stops_s, FOR_EVER))
    watching = Watching().see(room.moments)
    (told_s,) = watching.raised("compressor")
    assert 0 < told_s - stops_s <= within_min * 60 + every_s
    assert "room-compressor" in watching.standing
    message = next(text for name, _, text in watching.alarms if name == "room-compressor")
    assert "pass 5 °C in" in message or "above 5 °C" in message


def test_it_is_over_when_the_room_is_cooled_again():
    stops_s = 3.6 * DAY
    room = simulated(
        "cold-room", 3.9, 60.0, plan=lambda world: world.plan_compressor_failure("room", stops_s, 2 * HOUR)
    )
    watching = Watching().see(room.moments)
    assert len(watching.raised("compressor")) == 1
    assert watching.standing == set()


@pytest.mark.parametrize(("kind", "every_s"), [("cold-room", 60.0), ("freezer", 120.0), ("cold-room", 900.0)])
def test_defrosts_doors_and_nothing_else_are_no_stop(kind, every_s):
    watching = Watching().see(simulated(kind, 5, every_s, seed=2, errands=2.0).moments)
    assert watching.raised("compressor") == []


def test_warm_goods_carried_in_are_no_stop():
    def plan(world):
        for hours in range(72, 108, 12):
            world._at(hours * HOUR, lambda at_s: world.open_door("room", 60.0, at_s))
            world._at(hours * HOUR, lambda _: world.rooms["room"].receive_goods(80.0, 12.0))

    assert Watching().see(simulated("cold-room", 4.6, 60.0, plan=plan).moments).raised("compressor") == []


def with_contact(visits_s, stops_s=float("inf"), every_s=30.0, usually_s=240.0):
    """Two days known of a room that cycles between 2.5 and 4.2 °C; then visits that leave its air at 7 °C, from which
    it is cooled at 0.5 K/min unless the compressor has stopped. When it was told, in seconds."""
    kept = Learnt((4.2,) * 8, (0.05,) * 8, (2400.0,) * 8, (False,) * 8, 0.5, (usually_s,) * 8)
    state, air_c, is_cooling, told = State(learnt=kept), 3.0, False, []
    for index in range(int(3 * HOUR / every_s)):
        now_s = index * every_s
        is_open = any(begin_s <= now_s < begin_s + 60 for begin_s in visits_s)
        is_cooling = now_s < stops_s and (air_c > 2.5 if is_cooling else air_c > 4.2)
        air_c = 7.0 if is_open else air_c - 0.5 * every_s / 60 if is_cooling else min(air_c + 0.002 * every_s, 7.2)
        moment = Moment(at(now_s), air_c, is_door_open=is_open, after_s=every_s if index else 0.0)
        followed = compressor.follow(state, moment, are_defrosts_known=True, has_contact=True)
        state = followed.state
        told += [now_s] if followed.is_stopped else []
    return told


@pytest.mark.parametrize(
    ("usually_s", "within_s"),
    [(240.0, (420, 540)), (900.0, (1290, 1410)), (0.0, (1500, 1620))],
    ids=["minutes", "a slow room", "not known yet"],
)
def test_a_stop_after_a_visit_is_told_when_the_room_is_not_cooled_in_its_usual_time(usually_s, within_s):
    """Since the last visit: loads that kept the room warm for longer do not count."""
    told = with_contact([HOUR, HOUR + 300], stops_s=HOUR, usually_s=usually_s)
    least_s, most_s = within_s
    assert least_s <= told[0] - (HOUR + 330) <= most_s


HEAT_S, DRIP_S = 1200.0, 240.0


def with_defrost(stops_s=float("inf"), visit_s=float("inf"), every_s=30.0, is_recognised=True):
    """The same room, defrosted for 20 min from one hour on; its coil drips for four. When it was told, in seconds since
    the heat ended, and its state in the end."""
    kept = Learnt((4.2,) * 8, (0.05,) * 8, (2400.0,) * 8, (True,) * 8, 0.5, (240.0,) * 8, (420.0,) * 8)
    state, air_c, is_cooling, told = State(learnt=kept), 3.0, False, []
    for index in range(int(2.5 * HOUR / every_s)):
        now_s = index * every_s
        heated_s = now_s - HOUR
        is_open = visit_s <= now_s < visit_s + 60
        may_cool = now_s < stops_s and not 0 <= heated_s < HEAT_S + DRIP_S
        is_cooling = may_cool and (air_c > 2.5 if is_cooling else air_c > 4.2)
        rest_c = 9.0 if 0 <= heated_s < HEAT_S else 5.5
        warms_k = (rest_c - air_c) * every_s / 900 if heated_s >= 0 or air_c > 4.2 else 0.05 * every_s / 60
        air_c = 14.0 if is_open else air_c - 0.7 * every_s / 60 if is_cooling else air_c + warms_k
        is_seen = is_recognised and heated_s >= 180 and air_c > 5.0
        moment = Moment(at(now_s), air_c, is_door_open=is_open, is_defrosting=is_seen, after_s=every_s if index else 0)
        ends_in_s = HEAT_S - heated_s if -HOUR <= heated_s - HEAT_S <= HEAT_S and heated_s >= 0 else None
        followed = compressor.follow(state, moment, are_defrosts_known=True, has_contact=True, heat_ends_in_s=ends_in_s)
        state = followed.state
        told += [heated_s - HEAT_S] if followed.is_stopped else []
    return told, state


@pytest.mark.parametrize("visit_s", [float("inf"), HOUR - 120, HOUR + 300, HOUR + 900])
@pytest.mark.parametrize("is_recognised", [True, False])
def test_a_defrost_with_or_without_a_visit_is_no_stop(visit_s, is_recognised):
    assert with_defrost(visit_s=visit_s, is_recognised=is_recognised)[0] == []


@pytest.mark.parametrize("stops_s", [HOUR + 60, HOUR + 1100, HOUR + HEAT_S + 60])
@pytest.mark.parametrize("visit_s", [float("inf"), HOUR + 900])
def test_a_stop_in_a_defrost_is_told_when_the_air_is_not_pulled_down_after_it(stops_s, visit_s):
    told, _ = with_defrost(stops_s, visit_s)
    assert 480 <= told[0] <= DRIP_S + 600


def test_what_it_takes_after_a_defrost_is_learnt_from_the_end_of_its_heat():
    _, state = with_defrost()
    assert DRIP_S <= state.block.after_defrost_s <= DRIP_S + 600
    _, stopped = with_defrost(HOUR + 60)
    assert stopped.block.after_defrost_s == 0.0


def test_one_visit_after_another_in_a_room_that_is_cooled_is_no_stop():
    assert with_contact([HOUR + 240 * k for k in range(20)]) == []


def test_nothing_is_known_in_the_first_hours_but_a_long_steep_rise_is_told():
    calm = Watching().see(moments([4.0 + 0.001 * k for k in range(300)], 60.0))
    assert calm.raised("compressor") == []
    steep = Watching().see(moments([4.0 + 0.05 * k for k in range(120)], 60.0))
    assert steep.raised("compressor")
    assert compressor.threshold_c(steep.compressor.learnt) is None


def test_what_was_learnt_serves_at_once_after_a_power_cut():
    learnt = Watching().see(simulated("cold-room", 3, 60.0).moments).compressor.learnt
    row = json.loads(json.dumps(asdict(learnt)))
    kept = Learnt(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
    assert kept == learnt
    watching = Watching(compressor=State(learnt=kept))
    watching.see(moments([4.2 + 0.05 * k for k in range(60)], 60.0))
    (told_s,) = watching.raised("compressor")
    assert told_s <= 50 * 60


def test_the_warming_curve_finds_its_end_and_its_time_constant():
    marks = [Mark(60.0 * k, 20.0 - 16.0 * 2.718281828 ** (-60.0 * k / 14_400)) for k in range(24)]
    curve = warming(marks)
    assert curve is not None
    assert curve.air_c(3600.0) == pytest.approx(20.0 - 16.0 * 2.718281828 ** (-(23 * 60 + 3600) / 14_400), abs=0.3)


@pytest.mark.parametrize(
    ("product_c", "expected_h"),
    [(3.0, (1.7, 2.6)), (5.5, (0.0, 0.0)), (4.9, (0.5, 1.1))],
)
def test_the_forecast_follows_the_product_behind_the_air(product_c, expected_h):
    marks = [Mark(60.0 * k, 20.0 - 16.0 * 2.718281828 ** (-60.0 * k / 36_000)) for k in range(24)]
    (crossing, *_) = forecast(marks, product_c, (5.0, 8.0), 7200.0)
    low_h, high_h = expected_h
    assert low_h <= crossing.in_s / 3600 <= high_h
    assert crossing.limit_c == 5.0


def test_limits_out_of_reach_are_left_out():
    marks = [Mark(60.0 * k, 4.0) for k in range(24)]
    assert forecast(marks, 3.0, (45.0,), 7200.0) == ()
    assert forecast((), 9.0, (5.0, 12.0), 7200.0) == (compressor.Crossing(5.0, 0.0),)


def test_the_lasting_part_changes_four_times_a_day():
    watching, changes = Watching(), 0
    for moment in simulated("freezer", 2, 120.0).moments:
        before = watching.compressor.learnt
        watching.see([moment])
        changes += watching.compressor.learnt is not before
    assert changes == 7  # each six hours, the first begun by the first sample
    assert at(0) is not None


@pytest.mark.traces
@pytest.mark.parametrize(("place", "most"), [("freezer_4", 7), ("cooling_2", 14)])
def test_seven_months_of_a_real_cold_store_have_few_stops(place, most):
    """`cooling_2` was above 5 °C for hours eleven times."""
    watching = Watching().see(saveris(place))
    assert len(watching.raised("compressor")) <= most
