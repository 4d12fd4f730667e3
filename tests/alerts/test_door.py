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
OPEN = [  # a simulated dairy room whose door stays open: its air, and its relative humidity
    (2.95, 82.0), (4.24, 86.8), (7.14, 89.6), (9.23, 86.6), (10.03, 81.8), (10.33, 78.8), (10.52, 76.8), (10.68, 75.3),
    (10.76, 74.7), (10.8, 74.5), (10.85, 74.3), (10.9, 74.1), (10.95, 74.0), (11.0, 73.9),
]  # fmt: skip
VISIT = [  # half a minute of it; then the compressor rests, and the air warms slowly
    (2.53, 82.7), (4.25, 86.1), (7.06, 86.2), (7.12, 85.4), (7.26, 84.9), (7.33, 84.4), (7.42, 83.9), (7.5, 83.5),
    (7.58, 83.1), (7.66, 82.7), (7.74, 82.3), (7.82, 81.9), (7.9, 81.5), (7.98, 81.1),
]  # fmt: skip


def told_s(seen, seconds_between=HALF_MINUTES):
    """When it was told, from the opening on, which comes with the second value."""
    watching = Watching().see(
        moments([air_c for air_c, _ in seen], seconds_between, [humidity_pct for _, humidity_pct in seen])
    )
    return [at_s - seconds_between * (len(CALM)) for at_s in watching.raised("door")]


CALM = [(2.9, 82.0)] * 10


def test_a_door_that_stays_open_is_told_after_a_compressor_would_have_started_and_within_five_minutes():
    assert told_s([*CALM, *OPEN]) == [270.0]


def test_a_visit_after_which_the_air_stays_warm_is_no_open_door():
    assert told_s([*CALM, *VISIT]) == []


def test_but_when_it_stays_so_warm_for_ten_minutes_it_is_told():
    ever_warmer = [*VISIT, *((8.0 + 0.01 * k, 81.0 - 0.05 * k) for k in range(20))]
    (told,) = told_s([*CALM, *ever_warmer])
    assert 570 <= told <= 660


def test_a_contact_is_told_as_early_as_is_asked_for():
    watched = last(by_contact([True] * 200))
    assert (watched.sure_after_s, door.condition("room", watched).holds) == (0.0, True)


@pytest.mark.parametrize(("dip_k", "is_open"), [(0.3, True), (0.6, False)])
def test_air_that_cools_by_a_share_of_its_rise_shows_a_door_that_was_shut(dip_k, is_open):
    seen = [*CALM, *OPEN[:10], (OPEN[9][0] - dip_k, 74.5)]
    watched = last(moments([air_c for air_c, _ in seen], HALF_MINUTES, [humidity for _, humidity in seen]))
    assert watched.is_open is is_open


@pytest.mark.traces
def test_on_a_real_refrigerator_each_carrying_out_and_the_opened_door_are_found_and_nothing_else():
    found = {}
    for run, seen in fridge().items():
        state, begins = State(), []
        for moment in seen:
            was = state.opened_s
            state = door.follow(state, moment).state
            if state.opened_s is not None and was is None:
                begins.append(round(state.opened_s / 60))
        found[run] = begins
    assert found == {
        "20170224_214000_fridge_data.TXT": [32, 74],
        "20170226_000000_morning_response.txt": [],
        "20170325_Response_Testing.TXT": [42, 169],
        "20170329_Response_Test.TXT": [76],
    }
