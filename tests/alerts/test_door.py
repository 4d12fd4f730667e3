"""A door left open is told by its contact, else by the damp air that comes in; a defrost or a compressor is no door."""

from dataclasses import replace

import pytest

from edge_agent.alerts import door
from edge_agent.alerts.door import State
from edge_agent.alerts.moment import Moment
from tests.alerts.cooled import HOUR, Watching, at, fridge, moments, simulated


def by_contact(opened, every_s=1.0):
    for index, is_open in enumerate(opened):
        yield Moment(at(index * every_s), 4.0, is_door_open=is_open, after_s=every_s if index else 0.0)


def last(seen, state=None):
    watched = None
    for moment in seen:
        watched = door.follow(state or State(), moment)
        state = watched.state
    assert watched is not None
    return watched


def test_a_contact_is_believed_and_says_how_long():
    watched = last(by_contact([False] * 10 + [True] * 200))
    assert (watched.is_open, watched.open_s, watched.is_inferred) == (True, 199.0, False)
    condition = door.condition("cold-room", watched)
    assert (condition.name, condition.holds, condition.evidence) == ("cold-room-door", True, "contact")
    shut = door.follow(watched.state, Moment(at(210), 4.0, is_door_open=False, after_s=1.0))
    assert (shut.is_open, shut.closed_after_s) == (False, 200.0)
    assert not door.condition("cold-room", shut).holds


@pytest.mark.parametrize(("door_s", "open_s", "holds"), [(180.0, 180, False), (180.0, 182, True), (60.0, 62, True)])
def test_it_is_told_after_its_time(door_s, open_s, holds):
    assert door.condition("room", last(by_contact([True] * (open_s + 1))), door_s).holds is holds


def test_a_contact_that_falls_silent_is_not_known_any_more():
    silent = (replace(moment, is_door_open=None) for moment in by_contact([True] * 300))
    watched = last([*by_contact([True] * 10), *silent])
    assert watched.is_open is not True


@pytest.mark.parametrize("kind", ["cold-room", "freezer"])
@pytest.mark.parametrize("every_s", [1.0, 10.0, 60.0])
def test_a_door_held_open_is_told_within_five_minutes_from_the_air_alone_and_ends_when_shut(kind, every_s):
    held_s = 1.2 * HOUR
    room = simulated(kind, 0.065, every_s, errands=0.0, plan=lambda world: world.plan_open_door("room", held_s, 900.0))
    watching = Watching().see(room.moments)
    (told_s,) = watching.raised("door")
    assert 180 <= told_s - held_s <= 300
    assert "room-door" not in watching.standing
    assert [begun for begun, _ in watching.openings] == [pytest.approx(held_s, abs=120)]


@pytest.mark.parametrize(("kind", "every_s"), [("cold-room", 10.0), ("freezer", 10.0), ("cold-room", 60.0)])
def test_most_errands_are_seen_and_nothing_is_told_of_them(kind, every_s):
    room = simulated(kind, 1.2, every_s, errands=2.0)
    watching = Watching().see(room.moments)
    true = [(event.at_s, event.until_s) for event in room.truth.openings("room") if event.until_s - event.at_s >= 30]
    seen = [any(begin - 60 <= at_s <= end + 120 for at_s, _ in watching.openings) for begin, end in true]
    assert sum(seen) >= 0.8 * len(true) > 5
    every = [(event.at_s, event.until_s) for event in room.truth.openings("room")]
    wrong = [at_s for at_s, _ in watching.openings if not any(a - 120 <= at_s <= b + 180 for a, b in every)]
    assert len(wrong) <= 1


def test_with_a_sample_in_five_minutes_nothing_is_known_of_doors():
    room = simulated("cold-room", 0.2, 300.0)
    state = State()
    for moment in room.moments:
        watched = door.follow(state, moment)
        state = watched.state
        assert watched.is_open is None


def test_warming_without_damp_is_no_door():
    """A defrost: the air warms, and its relative humidity gives way."""
    airs = [3.0] * 60 + [3.0 + 0.05 * k for k in range(100)]
    humidities = [85.0] * 60 + [85.0 - 0.3 * k for k in range(100)]
    assert last(moments(airs, 10.0, humidities)).is_open is False


HALF_MINUTES = 30.0
CALM = [(2.9, 82.0)] * 10
# A simulated dairy room, by a sensor that follows in 45 s: its air, and its relative humidity.
OPEN = [  # its door stays open
    (3.85, 79.5), (5.37, 94.0), (6.97, 91.7), (8.38, 86.2), (9.47, 81.7), (10.26, 77.6), (10.84, 74.6), (11.22, 72.7),
    (11.53, 71.2), (11.72, 70.3), (11.88, 69.4), (11.99, 69.0), (12.08, 68.6), (12.1, 68.2), (12.15, 68.0),
]  # fmt: skip
VISIT = [  # half a minute of it; then the compressor rests, and the air warms slowly
    (2.53, 82.7), (4.25, 86.1), (7.06, 86.2), (7.12, 85.4), (7.26, 84.9), (7.33, 84.4), (7.42, 83.9), (7.5, 83.5),
    (7.58, 83.1), (7.66, 82.7), (7.74, 82.3), (7.82, 81.9), (7.9, 81.5), (7.98, 81.1),
]  # fmt: skip
TRAFFIC = [  # goods are carried in, the door half a minute open and half a minute shut; the compressor runs
    (2.98, 79.9), (2.77, 80.5), (3.98, 95.9), (5.46, 95.8), (6.96, 91.9), (8.22, 86.6), (9.29, 82.1), (10.08, 78.0),
    (10.44, 74.7), (11.11, 74.0), (11.35, 71.0), (11.89, 70.7), (11.72, 67.3), (11.99, 69.1), (11.96, 67.0),
]  # fmt: skip
LEFT_BEHIND = [  # and after that it stays open
    (12.1, 68.9), (12.3, 68.4), (12.45, 67.8), (12.55, 67.4), (12.6, 67.1), (12.64, 66.9), (12.66, 66.8),
    (12.67, 66.7), (12.68, 66.7), (12.69, 66.6), (12.69, 66.6), (12.7, 66.6), (12.7, 66.5), (12.71, 66.5),
]  # fmt: skip
DEFROST_OPEN = [  # opened a minute before the heaters start, and left
    (4.19, 80.1), (4.82, 86.7), (5.96, 93.3), (7.15, 91.7), (8.1, 87.9), (9.41, 86.6), (10.71, 82.4), (11.86, 77.9),
    (12.83, 73.8), (13.65, 70.6), (14.33, 67.7), (14.84, 65.6), (15.29, 63.6), (15.64, 62.1), (15.9, 61.1),
    (16.18, 59.8), (16.39, 59.1),
]  # fmt: skip
DEFROST_VISIT = [  # somebody goes in for half a minute; the heaters warm the air all the time
    (3.22, 83.4), (4.48, 96.4), (5.63, 94.8), (6.32, 90.0), (6.73, 87.0), (6.98, 85.0), (7.21, 83.5), (7.35, 82.3),
    (7.51, 81.3), (7.66, 80.2), (7.74, 79.3), (7.85, 78.7), (7.99, 77.7), (8.04, 77.1), (8.15, 76.5), (8.25, 76.0),
    (8.35, 75.5), (8.45, 75.0), (8.55, 74.5), (8.64, 74.0), (8.73, 73.6), (8.82, 73.2), (8.9, 72.8), (8.98, 72.4),
]  # fmt: skip


CARRIED_IN = [  # goods; shut for good at the last but one, when the compressor pulls the air down
    (2.81, 79.7), (4.52, 94.7), (7.31, 94.3), (10.18, 85.2), (11.53, 76.9), (12.22, 73.3), (12.99, 69.7),
    (13.64, 64.8), (14.11, 61.6), (13.58, 58.0), (12.47, 57.4), (11.4, 58.0), (10.3, 59.0),
]  # fmt: skip


def drawn(seen, is_defrosting=False):
    airs, humidities = zip(*[*CALM, *seen], strict=True)
    return [replace(moment, is_defrosting=is_defrosting) for moment in moments(airs, HALF_MINUTES, humidities)]


def told_s(seen, is_defrosting=False):
    """When it was told first, from the first value on, if ever."""
    state = State()
    for index, moment in enumerate(drawn(seen, is_defrosting)):
        watched = door.follow(state, moment)
        state = watched.state
        if door.condition("room", watched).holds:
            return HALF_MINUTES * (index - len(CALM))
    return None


def test_a_door_that_stays_open_is_told_after_a_compressor_would_have_started_and_within_five_minutes():
    assert told_s(OPEN) == 270.0


def test_a_visit_after_which_the_air_stays_warm_is_no_open_door():
    assert told_s(VISIT) is None


def test_but_when_it_stays_so_warm_and_damp_for_ten_minutes_it_is_told():
    told = told_s([*VISIT, *((8.0 + 0.01 * k, 81.0 - 0.05 * k) for k in range(20))])
    assert told is not None
    assert 570 <= told <= 660


def test_the_very_same_values_for_minutes_are_a_stuck_sensor_and_no_door():
    assert told_s([*VISIT, *([(8.0, 81.0)] * 30)]) is None


def test_a_door_in_use_is_not_told_however_warm_it_gets_inside():
    assert told_s(TRAFFIC) is None


def test_but_left_open_after_that_it_is_told_within_five_minutes():
    begun_s = HALF_MINUTES * len(TRAFFIC)
    told = told_s([*TRAFFIC, *LEFT_BEHIND])
    assert told is not None
    assert 150 <= told - begun_s <= 300


def test_while_the_air_is_just_being_cooled_nothing_is_told():
    assert told_s(CARRIED_IN) is None


def test_left_open_just_before_a_defrost_it_is_told_within_seven_minutes():
    told = told_s(DEFROST_OPEN, is_defrosting=True)
    assert told is not None
    assert 255 <= told <= 420


def test_a_visit_during_a_defrost_is_no_open_door_though_the_heaters_warm_the_air_and_no_cooling_runs():
    assert told_s(DEFROST_VISIT, is_defrosting=True) is None
    assert last(drawn(DEFROST_VISIT[:6], is_defrosting=True)).is_open is True


def test_nothing_is_known_of_a_shut_door_while_it_defrosts():
    slow = [(3.0 + 0.1 * k, 85.0 - 0.1 * k) for k in range(20)]
    assert last(drawn(slow, is_defrosting=True)).is_open is None


def test_a_defrost_that_begins_beside_an_open_door_ends_no_alarm():
    watched, state = None, State()
    for index, moment in enumerate(drawn([*OPEN, *((12.5 + 0.6 * k, 70.0 - k) for k in range(8))])):
        watched = door.follow(state, replace(moment, is_defrosting=index >= len(CALM) + len(OPEN)))
        state = watched.state
    assert watched is not None
    assert door.condition("room", watched).holds


def test_a_contact_is_told_as_early_as_is_asked_for():
    watched = last(by_contact([True] * 200))
    assert (watched.is_left, door.condition("room", watched).holds) == (True, True)


@pytest.mark.parametrize("trips", [4, 8])
@pytest.mark.parametrize("trip_s", [30.0, 50.0])
def test_goods_carried_in_raise_nothing_in_a_simulated_room(trips, trip_s):
    begun_s = 1.2 * HOUR

    def carry(world):
        for trip in range(trips):
            at_s = begun_s + 2 * trip_s * trip
            world.plan_open_door("room", at_s, trip_s)

    room = simulated("cold-room", 0.075, 30.0, errands=0.0, plan=carry)
    assert Watching().see(room.moments).raised("door") == []


@pytest.mark.parametrize(("dip_k", "is_open"), [(0.3, True), (0.6, False)])
def test_air_that_cools_by_a_share_of_its_rise_shows_a_door_that_was_shut(dip_k, is_open):
    watched = last(drawn([*OPEN[:10], (OPEN[9][0] - dip_k, 70.5)]))
    assert watched.is_open is is_open


@pytest.mark.traces
def test_on_a_real_refrigerator_each_carrying_out_and_the_opened_door_are_found_and_nothing_else():
    found = {}
    for run, seen in fridge().items():
        state, begins = State(), []
        for moment in seen:
            was = state.air.opening
            state = door.follow(state, moment).state
            if state.air.opening is not None and was is None:
                begins.append(round(state.air.opening.opened_s / 60))
        found[run] = begins
    assert found == {
        "20170224_214000_fridge_data.TXT": [32, 74],
        "20170226_000000_morning_response.txt": [],
        "20170325_Response_Testing.TXT": [42, 169],
        "20170329_Response_Test.TXT": [76],
    }
