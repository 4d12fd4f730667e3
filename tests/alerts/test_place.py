"""A place through a day: excursions, the food clock across power cuts, freezing, dew, and the lines of the record."""

from dataclasses import replace
from random import Random

import pytest

from edge_agent.alerts.door import State as DoorState
from edge_agent.alerts.door_air import Mark, Opening
from edge_agent.alerts.door_air import State as AirState
from edge_agent.alerts.machinery import Machinery, around
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.place import judged
from edge_agent.alerts.seen import Said, Seen
from edge_agent.alerts.settings import FoodSettings, Kind, PlaceSettings, Region
from edge_agent.domain.instant import ClockState
from edge_agent.domain.record import RecordKind
from tests.alerts.places import COLD_ROOM, ENGLAND, EU, US, Watching, air, at, steady

HOUR = 3600.0
IN_THE_AIR = replace(COLD_ROOM, pack="air")  # the product follows at once


@pytest.mark.parametrize("every_s", [1.0, 10.0, 60.0, 300.0, 900.0])
def test_a_warm_room_is_told_after_its_dwell_whatever_the_rate(every_s):
    room = Watching(replace(COLD_ROOM, start_s=0.0))
    room.live(steady(0, HOUR, every_s, 4.0))
    room.live(steady(HOUR + every_s, 2.5 * HOUR, every_s, 6.0))
    told_s = (room.first["temperature-high"].wall_ms - at(HOUR).wall_ms) / 1000
    assert COLD_ROOM.dwell_s <= told_s <= COLD_ROOM.dwell_s + 2 * every_s


def test_air_that_comes_back_within_the_dwell_is_nobodys_business():
    room = Watching(replace(COLD_ROOM, start_s=0.0))
    for hour in range(12):
        room.live(steady(hour * HOUR, (hour + 0.4) * HOUR, 60, 9.0))
        room.live(steady((hour + 0.42) * HOUR, (hour + 0.98) * HOUR, 60, 2.0))
    assert "temperature-high" not in room.first


def test_a_single_warm_sample_of_four_an_hour_is_no_excursion():
    room = Watching(replace(COLD_ROOM, start_s=0.0, dwell_s=2700))
    room.live([(900.0 * n, 9.0 if n % 4 == 2 else 3.0) for n in range(200)])
    assert room.first == {}


def test_a_normal_limit_waits_for_the_start_and_a_critical_one_does_not():
    place = replace(COLD_ROOM, start_s=2 * HOUR, dwell_s=600, critical_on="air", critical_dwell_s=600)
    room = Watching(place)
    room.live(steady(0, 3 * HOUR, 60, 12.0))
    assert room.first["critical-high"] == at(600)
    assert room.first["temperature-high"] == at(2 * HOUR + 600 - 60)


def test_it_ends_only_well_inside_and_after_a_while():
    room = Watching(replace(COLD_ROOM, start_s=0.0, dwell_s=0))
    room.live([(0, 4.0), (60, 6.0), (120, 4.8), (180, 4.8), (900, 4.6)])
    assert "temperature-high" in room.holding(), "in the deadband it goes on"
    room.live([(960, 4.4), (1020, 4.4)])
    assert "temperature-high" in room.holding(), "not yet for long enough"
    room.live(steady(1080, 1320, 60, 4.4))
    assert room.ended["temperature-high"] == at(1260)
    (begun,), (ended,) = room.lines(RecordKind.EXCURSION_BEGUN), room.lines(RecordKind.EXCURSION_ENDED)
    assert (begun["limit"], begun["limit_c"], begun["from"]) == ("temperature-high", 5.0, at(60).rfc3339())
    assert (ended["extreme_c"], ended["from"], ended["to"]) == (6.0, at(60).rfc3339(), at(1260).rfc3339())


def test_a_defrost_of_half_an_hour_leaves_the_goods_and_the_critical_limit_alone():
    room = Watching(COLD_ROOM)
    room.live(steady(0, 3 * HOUR, 60, 3.0))
    room.live(steady(3 * HOUR, 3.5 * HOUR, 60, 11.0))
    room.live(steady(3.52 * HOUR, 6 * HOUR, 60, 3.0))
    assert not {"critical-high", "food-warning", "food-safety"} & set(room.first)
    assert 4.5 < max(line["product_c"][2] for line in room.lines(RecordKind.INTERVAL)) < 5.0


def test_a_start_amid_a_defrost_is_forgotten_as_the_air_is_seen():
    freezer = PlaceSettings("freezer", Kind.FROZEN, sensors=("air",), pack="crate", low_c=None, high_c=-15.0,
                            critical_high_c=-12.0, critical_dwell_s=2700)  # fmt: skip
    room = Watching(freezer, EU)
    room.live([*steady(0, 1200, 120, -6.0), *steady(1320, 8 * HOUR, 120, -20.0)])
    assert room.first == {}


CLOCKS = [
    (ENGLAND, ("milk",), 8.0, 4.0),
    (FoodSettings(Region.SCOTLAND), ("milk",), 8.0, 4.0),
    (US, ("milk",), 5.0, 4.0),
    (EU, ("milk",), 5.0, 4.0),
    (EU, ("meat", "poultry"), 4.0, 4.0),
    (EU, ("fresh-fish",), 2.0, 4.0),
    (FoodSettings(Region.US, tolerance_h=6.0), ("milk",), 5.0, 6.0),
    (FoodSettings(Region.EU, tolerance_h=1.0, warn_h=0.5), ("milk",), 5.0, 1.0),
]


@pytest.mark.parametrize(("food", "goods", "limit_c", "hours"), CLOCKS)
def test_the_clock_runs_above_the_limit_of_the_region_and_ends_its_tolerance(food, goods, limit_c, hours):
    place = replace(IN_THE_AIR, goods=goods, low_c=-5.0, high_c=1.5, critical_high_c=20.0, dwell_s=DAY)
    below = Watching(place, food)
    below.live(steady(0, 8 * HOUR, 60, limit_c))
    assert below.first == {}
    above = Watching(place, food)
    above.live(steady(0, 8 * HOUR, 60, limit_c + 0.2))
    assert above.first["food-warning"] == at(HOUR * food.warn_h)
    assert above.first["food-safety"] == at(HOUR * hours)
    assert above.conditions()["food-safety"].limit == limit_c
    assert not {"food-warning"} & above.holding(), "the alarm takes the warning's place"


DAY = 24 * HOUR
QUARTER_MS = 900_000


def test_six_hours_become_four_once_the_goods_were_above_21():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), FoodSettings(Region.US, tolerance_h=6.0))
    room.live(steady(0, HOUR, 60, 21.5))
    room.live(steady(HOUR + 60, 6 * HOUR, 60, 15.0))
    assert room.first["food-safety"] == at(4 * HOUR)


def test_cooling_the_goods_stops_the_clock_and_does_not_set_it_back():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), US)
    for period in range(5):
        begin_s = period * 2 * HOUR
        room.live(steady(begin_s, begin_s + HOUR, 60, 7.0))
        room.live(steady(begin_s + HOUR + 60, begin_s + 2 * HOUR - 60, 60, 3.0))
    assert room.first["food-safety"].wall_ms == pytest.approx(at(7 * HOUR).wall_ms, abs=240_000)


def test_a_second_period_in_england_is_told_at_once():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), ENGLAND)
    room.live(steady(0, HOUR, 120, 9.0))
    room.live(steady(HOUR + 120, 3 * HOUR, 120, 3.0))
    assert "food-warning" not in room.first
    room.live(steady(3 * HOUR + 120, 3 * HOUR + 720, 120, 9.0))
    assert "period 2" in room.conditions()["food-warning"].evidence
    assert "food-warning" in room.holding()


@pytest.mark.parametrize(("food", "cold_h", "is_forgotten"), [(EU, 23, False), (EU, 26, True), (US, 26, False)])
def test_only_so_long_in_the_cold_that_the_goods_are_others_sets_it_back(food, cold_h, is_forgotten):
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), food)
    room.live(steady(0, 3 * HOUR, 300, 9.0))
    room.live(
        (seconds, 3.0 + seconds % 600 / 3000) for seconds, _ in steady(3 * HOUR + 300, (3 + cold_h) * HOUR, 300, 0.0)
    )
    clock = room.state.now.warmth.clock
    assert (clock.above_s == 0) is is_forgotten


def test_the_time_in_the_cold_has_to_be_without_a_break():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), EU)
    room.live(steady(0, 3 * HOUR, 300, 9.0))
    for begin_h in (3, 18):  # twice 15 h cold, and a short warm spell between
        cold = steady(begin_h * HOUR + 300, (begin_h + 14.5) * HOUR, 300, 0.0)
        room.live((seconds, 3.0 + seconds % 600 / 3000) for seconds, _ in cold)
        room.live([((begin_h + 14.7) * HOUR, 6.0)])
    assert room.state.now.warmth.clock.above_s > 3 * HOUR


def test_what_somebody_did_with_the_goods_sets_it_back_once():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), US)
    room.live(steady(0, 5 * HOUR, 300, 9.0))
    said = at(5 * HOUR + 1)
    room.state = judged(room.state, said)
    assert room.state.now.warmth.clock.above_s == 0
    room.live(steady(5 * HOUR + 300, 6 * HOUR, 300, 9.0))
    counted_s = room.state.now.warmth.clock.above_s
    assert judged(room.state, said).now.warmth.clock.above_s == counted_s > 0


def test_a_core_probe_decides_and_not_the_air():
    place = replace(COLD_ROOM, core=("core",), dwell_s=DAY)
    room = Watching(place, US)
    for minute in range(300):
        now = at(60.0 * minute)
        room.see(Seen(now, (Said("air", now, 12.0, raw_c=12.0), Said("core", now, 3.5, raw_c=3.5))))
    assert not {"food-safety", "critical-high"} & set(room.first)
    assert room.conditions()["critical-high"].value == 3.5


# --- power cuts and gaps --------------------------------------------------------------------------------------------


def test_a_power_cut_while_the_goods_are_warm_counts():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), US)
    room.live(steady(0, HOUR, 60, 9.0))
    back = at(4.2 * HOUR, "boot-2", up_s=4.2 * HOUR)
    room.restart(back)
    room.see(air(back, 9.5))
    assert "food-safety" in room.holding()
    (gap,) = room.lines(RecordKind.GAP)
    assert gap["reason"] == "switched off"
    assert gap["duration_s"] == gap["counted_as_above_s"] == pytest.approx(3.2 * HOUR, abs=900)


def test_of_a_power_cut_that_warmed_the_goods_the_time_since_they_can_have_been_warm_counts():
    room = Watching(replace(COLD_ROOM, dwell_s=DAY), US)  # 2 h time constant
    room.live(steady(0, 2 * HOUR, 60, 3.0))
    back = at(12 * HOUR, "boot-2", up_s=12 * HOUR)
    room.restart(back)
    room.see(air(back, 13.0))
    (gap,) = room.lines(RecordKind.GAP)
    until_s = 2 * HOUR * 0.2231  # tau ln(10 / 8)
    assert gap["counted_as_above_s"] == pytest.approx(10 * HOUR - until_s, abs=900)
    assert gap["product_after_c"] == pytest.approx(12.93, abs=0.05)
    assert "food-safety" in room.holding()


def test_a_power_cut_that_found_and_left_the_goods_cold_counts_nothing():
    room = Watching(replace(COLD_ROOM, dwell_s=DAY), US)
    room.live(steady(0, 2 * HOUR, 60, 3.0))
    back = at(12 * HOUR, "boot-2", up_s=12 * HOUR)
    room.restart(back)
    room.see(air(back, 3.5))
    assert room.holding() == set()
    assert room.state.now.warmth.clock.above_s == 0


def test_a_gap_of_unknown_length_waits_for_the_clock_and_then_counts():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), US)
    room.live(steady(0, HOUR, 60, 9.0))
    up_s = 5 * HOUR
    back = replace(at(5 * HOUR, "boot-2", ClockState.UNSYNCED, up_s=up_s), wall_ms=0)
    room.restart(back)
    room.see(air(back, 9.0))
    room.see(air(replace(at(5 * HOUR + 60, "boot-2", ClockState.UNSYNCED, up_s=up_s), wall_ms=60_000), 9.0))
    assert "food-safety" not in room.holding()
    assert "not known yet" in room.conditions()["food-safety"].evidence
    room.see(air(at(5 * HOUR + 120, "boot-2", up_s=up_s), 9.0))
    assert "food-safety" in room.holding()
    assert room.state.now.warmth.clock.above_s >= 4 * HOUR


def test_a_gap_whose_length_nobody_will_ever_know_is_taken_for_too_long():
    room = Watching(replace(IN_THE_AIR, dwell_s=DAY), US)
    room.live(steady(0, HOUR, 60, 9.0))
    back = replace(at(HOUR, "boot-2", ClockState.UNSYNCED, up_s=HOUR), wall_ms=0)
    room.restart(back)
    for minute in range(0, 40):
        now = replace(back, mono_ms=60_000 * minute, wall_ms=60_000 * minute)
        room.see(air(now, 9.0))
    assert "food-safety" in room.first
    assert room.first["food-safety"].mono_ms == 30 * 60_000


def test_a_dead_sensor_is_a_gap_in_the_record():
    room = Watching()
    room.live(steady(0, HOUR, 60, 3.0))
    for minute in range(61, 180):
        room.see(Seen(at(60.0 * minute)))
    room.live([(3 * HOUR, 3.0)])
    (gap,) = room.lines(RecordKind.GAP)
    assert (gap["reason"], gap["duration_s"]) == ("no reading", round(2 * HOUR))
    assert [line["readings"] for line in room.lines(RecordKind.INTERVAL)][5:11] == [0] * 6


def test_what_was_kept_is_enough_to_go_on():
    """The state that a power cut leaves is the one of a quarter of an hour ago at most."""
    whole, cut = Watching(IN_THE_AIR, US), Watching(IN_THE_AIR, US)
    course = steady(0, 3 * HOUR, 60, 7.0)
    for moment in course:
        whole.live([moment])
        cut.live([moment])
        if moment[0] % 1500 == 0:
            cut.restart(at(moment[0]))
    more_s = cut.state.now.warmth.clock.above_s - whole.state.now.warmth.clock.above_s
    assert abs(more_s) <= 1


# --- cold, wet, dry -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every_s", [1.0, 30.0, 120.0, 300.0])
def test_air_that_falls_below_freezing_is_told_before_anything_is_frozen(every_s):
    room = Watching(replace(COLD_ROOM, low_c=-1.0))
    room.live(steady(0, HOUR, every_s, 2.5))
    fall = [(seconds, 2.5 - 6.0 * (seconds - HOUR) / 1800) for seconds, _ in steady(HOUR, 1.5 * HOUR, every_s, 0.0)]
    room.live(fall)
    room.live(steady(1.5 * HOUR + every_s, 6 * HOUR, every_s, -3.5))
    told_s = (room.first["freezing"].wall_ms - at(HOUR).wall_ms) / 1000
    below_at_s = 1800 * 3.0 / 6.0
    assert below_at_s < told_s <= below_at_s + 1000 + 2 * every_s
    lines = [line for line in room.records if line.kind is RecordKind.INTERVAL]
    frozen = next(line for line in lines if line.body["product_c"][0] <= -0.5)
    assert room.first["freezing"].wall_ms < frozen.at.wall_ms - QUARTER_MS


def test_two_cold_readings_of_a_slow_logger_freeze_nothing():
    room = Watching(replace(COLD_ROOM, goods=("meat",), low_c=-3.0))
    room.live([(900.0 * n, -2.0 if n % 8 in (4, 5) else -0.6) for n in range(100)])
    assert "freezing" not in room.first


def test_swings_of_the_thermostat_below_freezing_do_not_freeze_goods():
    room = Watching(replace(COLD_ROOM, low_c=-2.0))
    room.live([(30.0 * n, -1.2 if n % 24 < 10 else 3.0) for n in range(2000)])  # 5 min of 12
    assert "freezing" not in room.first


def test_goods_that_are_freezing_are_told_though_the_air_is_not_cold():
    room = Watching(replace(COLD_ROOM, core=("core",)))
    for minute in range(5):
        now = at(60.0 * minute)
        room.see(Seen(now, (Said("air", now, 3.0), Said("core", now, -0.4))))
    assert "freezing" in room.holding()


def test_frozen_goods_may_be_frozen():
    room = Watching(PlaceSettings("freezer", Kind.FROZEN, sensors=("air",), low_c=None, high_c=-15.0,
                                  critical_high_c=-12.0), EU)  # fmt: skip
    room.live(steady(0, 5 * HOUR, 300, -20.0))
    assert room.first == {}


def test_bananas_suffer_where_milk_does_not():
    ambient = PlaceSettings("shop", Kind.AMBIENT, sensors=("air",), goods=("bananas",), low_c=5.0, high_c=30.0,
                            critical_high_c=None)  # fmt: skip
    room = Watching(ambient)
    room.live(steady(0, HOUR, 120, 18.0))
    room.live(steady(HOUR + 120, 8 * HOUR, 120, 9.0))
    assert {"chilling"} == set(room.first)
    milk = Watching(replace(ambient, goods=("milk",)))
    milk.live(steady(0, 8 * HOUR, 60, 9.0))
    assert milk.first == {}


def test_a_summer_day_through_the_open_door_wets_the_goods():
    room = Watching(COLD_ROOM)
    room.live(steady(0, HOUR, 100, 4.0), humidity_pct=85.0)
    assert "condensation" not in room.first
    room.live(steady(HOUR + 100, HOUR + 1800, 100, 16.0), humidity_pct=75.0)
    assert room.first["condensation"] == at(HOUR + 100 + 900)


def test_dry_air_is_told_after_hours_and_not_after_a_defrost():
    room = Watching(replace(COLD_ROOM, dry_pct=70.0))
    room.live(steady(0, 2 * HOUR, 60, 3.0), humidity_pct=50.0)
    assert "dry" not in room.first
    room.live(steady(2 * HOUR + 60, 4 * HOUR, 60, 3.0), humidity_pct=50.0)
    assert room.first["dry"] == at(3 * HOUR)


# --- the record -----------------------------------------------------------------------------------------------------


def test_every_quarter_hour_has_its_line_with_the_readings_as_they_were():
    room = Watching()
    for minute in range(60):
        now = at(60.0 * minute)
        room.see(Seen(now, (Said("air", now, 3.0 + minute % 2, raw_c=3.2 + minute % 2),)))
    room.see(Seen(at(HOUR)))
    lines = room.lines(RecordKind.INTERVAL)
    assert [line["readings"] for line in lines] == [15] * 4
    assert lines[0]["raw_c"] == [3.2, pytest.approx(3.67), 4.2]
    assert lines[0]["air_c"] == [3.0, pytest.approx(3.47), 4.0]
    told = [line.at for line in room.records if line.kind is RecordKind.INTERVAL]
    assert told == [at(900.0 * n) for n in range(1, 5)]
    assert all("from" not in line for line in lines)  # each ends a whole quarter of an hour


def test_a_part_of_a_quarter_hour_says_when_it_began():
    room = Watching()
    room.live(steady(400, 900, 10, 3.0))
    (line,) = room.lines(RecordKind.INTERVAL)
    assert (line["from"], line["readings"]) == (at(400).rfc3339(), 50)


def test_the_day_gets_its_mean_kinetic_temperature():
    room = Watching(IN_THE_AIR)
    room.live(steady(0, DAY + HOUR, 300, 4.0))
    (day,) = [line["of_day"] for line in room.lines(RecordKind.INTERVAL) if "of_day" in line]
    assert day["day"] == "2026-11-23"
    assert day["mean_kinetic_c"] == pytest.approx(4.0)
    assert day["measured_s"] == DAY - 300


def test_the_card_is_written_with_the_quarter_hour_and_with_what_happens():
    room = Watching()
    written = 0
    for seconds, air_c in steady(0, DAY, 10, 3.0):
        before = room.state.kept
        room.see(air(at(seconds), air_c))
        written += room.state.kept != before
    assert written == 1 + 96


def test_goods_of_a_long_gap_that_ends_cold_are_cold_now_though_the_clock_counts_the_worst():
    """A sensor that stood still at a warm value for a day and came back: somebody has to look, but nothing is hot."""
    room = Watching(replace(COLD_ROOM, dwell_s=DAY), US)
    room.live(steady(0, 2 * HOUR, 60, 9.0))
    back = at(30 * HOUR)
    room.see(air(back, 3.0))
    (gap,) = room.lines(RecordKind.GAP)
    assert gap["product_after_c"] == pytest.approx(3.4, abs=0.2)
    assert gap["counted_as_above_s"] == pytest.approx(28 * HOUR, abs=900)


def test_a_sensor_that_drifts_upwards_beside_another_is_no_compressor_that_stopped():
    room = Watching(replace(COLD_ROOM, sensors=("air", "beside"), dwell_s=DAY))
    noise = Random(3)

    def see(minute: int, drift_k: float) -> None:
        air_c = 3.0 + abs(minute % 24 - 12) / 20 + noise.gauss(0.0, 0.03)  # a cycle of 24 min
        now = at(60.0 * minute)
        said = {"air": air_c + drift_k, "beside": air_c + noise.gauss(0.0, 0.03)}
        room.see(Seen(now, tuple(Said(name, now, value, 80.0, raw_c=value) for name, value in said.items())))

    for minute in range(4 * 1440):
        see(minute, 0.0)
    for minute in range(19 * 60):
        see(4 * 1440 + minute, 0.1 * minute / 60)
    assert "compressor" not in room.first
    for minute in range(40):  # and then it does stop
        now = at(60.0 * (4 * 1440 + 19 * 60 + minute))
        warm_c = 4.0 + 0.15 * minute
        room.see(Seen(now, (Said("air", now, warm_c + 1.8, 80.0), Said("beside", now, warm_c, 80.0))))
    assert "compressor" in room.first


@pytest.mark.parametrize(("open_min", "is_excused"), [(3, True), (8, False)])
def test_a_door_that_only_seems_open_excuses_the_compressor_for_a_few_minutes(open_min, is_excused):
    opening = Opening(0.0, 3.0, 600.0, 12.0, 1100.0, 9.0, 500.0, 3.0, 8.0)
    before = Mark(60.0 * open_min - 10.0, 12.0, 80.0, 1100.0)
    air_state = AirState(before.at_s, (before,), (before,), opening)
    machinery = Machinery(door=DoorState(air=air_state), seen=at(-10.0), measured=at(-10.0))
    found = around(COLD_ROOM, machinery, Moment(at(0.0), 12.01, humidity_pct=80.0, after_s=10.0), is_measured=True)
    assert found.moment.is_door_open
    assert found.is_door_doubted is not is_excused
