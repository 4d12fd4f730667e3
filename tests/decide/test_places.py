"""Places in whole cycles: from samples to alarms, rows and lines of the record."""

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from edge_agent.alerts.place import never_raised
from edge_agent.alerts.settings import FoodSettings, Kind, PlaceSettings, Region
from edge_agent.decide import Gathered, Memory, Plan, SensorPlan, decide
from edge_agent.decide.memory import changed_rows, from_rows, to_rows
from edge_agent.decide.places import watch
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.stock import Balance
from edge_agent.weighing.nouns import Present
from edge_agent.weighing.settings import CellSettings, ShelfSettings

MIDNIGHT_MS = 1_795_392_000_000  # 2026-11-23T00:00:00Z
HOUR = 3600.0
ROOM = PlaceSettings("cold-room", sensors=("air-1", "air-2"), door="door", goods=("milk",), start_s=0.0)
SENSORS = {
    "air-1": SensorPlan(60.0, 60.0, "cold-room", "sht4x", -0.5, "2026-05-04", "K-17"),
    "air-2": SensorPlan(60.0, 60.0, "beside", "ds18b20"),
    "door": SensorPlan(60.0, 60.0, "door", "contact"),
    "scale": SensorPlan(1.0, 10.0, "cold-room", "nau7802"),
}
PLAN = Plan(sensors=SENSORS, places=(ROOM,), food=FoodSettings(Region.ENGLAND))


def at(seconds: float, boot: str = "boot-1") -> Instant:
    return Instant(round(1000 * seconds), MIDNIGHT_MS + round(1000 * seconds), boot)


def said(point: str, now: Instant, value: float | None, quantity: str = "temperature") -> Sample:
    quality, fault = (Quality.BAD, "checksum") if value is None else (Quality.GOOD, None)
    return Sample(point, now, (Reading(Channel(point, quantity), value, now, quality, fault),))


def lived(memory: Memory, plan: Plan, seconds: Iterable[float], air_c: float) -> tuple[Memory, list[RecordLine], int]:
    """Cycles in which both sensors speak; with the lines of the record, and how often the place's row was written."""
    lines, written = [], 0
    for second in seconds:
        now = at(second)
        samples = [said("air-1", now, air_c + 0.5 + second % 120 / 6000), said("air-2", now, air_c)]
        decision = decide(memory, plan, Gathered(now, samples))
        written += "place/cold-room" in changed_rows(memory, decision.memory)
        memory, lines = decision.memory, [*lines, *decision.records]
    return memory, lines, written


def minutes(first: int, last: int) -> list[float]:
    return [60.0 * minute for minute in range(first, last + 1)]


def test_without_a_place_nothing_is_watched_or_recorded():
    plan = replace(PLAN, places=())
    decision = decide(Memory(), plan, Gathered(at(0), [said("air-1", at(0), 30.0)]))
    assert (decision.records, decision.transitions) == ([], [])
    assert not [key for key in to_rows(decision.memory) if key.startswith(("place/", "learnt/"))]


def test_a_warm_room_becomes_an_alarm_after_its_dwell():
    memory, _, _ = lived(Memory(), PLAN, minutes(0, 29), 7.0)
    assert "cold-room-temperature-high" not in memory.alarms
    memory, lines, _ = lived(memory, PLAN, minutes(30, 31), 7.0)
    alarm = memory.alarms["cold-room-temperature-high"]
    assert (alarm.state, alarm.place, alarm.limit, alarm.unit) == (AlarmState.UNACKNOWLEDGED, "cold-room", 5.0, "°C")
    assert alarm.message == "Cold room: air above 5 °C for 30 min, 7.0 °C now"
    assert {RecordKind.EXCURSION_BEGUN, RecordKind.ALARM} <= {line.kind for line in lines}


def test_a_thermometer_is_corrected_and_its_reading_recorded_as_it_was():
    memory = Memory()
    plan = replace(PLAN, places=(replace(ROOM, sensors=("air-1",)),))
    for second in minutes(0, 15):
        decision = decide(memory, plan, Gathered(at(second), [said("air-1", at(second), 4.0)]))
        memory = decision.memory
    (line,) = [line for line in decision.records if line.kind is RecordKind.INTERVAL]
    assert (line.body["raw_c"], line.body["air_c"]) == ([4.0] * 3, [3.5] * 3)


def test_each_start_says_what_was_in_force_and_who_measured():
    (line,) = watch(Memory(), PLAN, (), at(0)).records
    assert line.kind is RecordKind.SETTINGS
    assert (line.body["high_c"], line.body["food_limit_c"], line.body["region"]) == (5.0, 8.0, "england")
    assert line.body["sensors"][0] == {
        "sensor": "air-1",
        "driver": "sht4x",
        "role": "air",
        "interval_s": 60.0,
        "calibrated_on": "2026-05-04",
        "certificate": "K-17",
        "correction_c": -0.5,
    }
    again = watch(replace(Memory(), places=watch(Memory(), PLAN, (), at(0)).places), PLAN, (), at(1))
    assert again.records == ()


def test_a_bad_reading_is_no_temperature_and_the_other_sensor_goes_on():
    memory, _, _ = lived(Memory(), PLAN, minutes(0, 2), 4.0)
    now = at(180)
    places = watch(memory, PLAN, [said("air-1", now, None), said("air-2", now, 4.4)], now).places
    assert places["cold-room"].now.warmth.air_c == pytest.approx(4.2, abs=0.03)  # what air-1 said lately still counts
    later = at(60.0 * 12)
    places = watch(memory, PLAN, [said("air-2", later, 4.4)], later).places
    assert places["cold-room"].now.warmth.air_c == 4.4


def test_samples_of_one_cycle_are_taken_one_instant_after_the_other():
    memory = Memory()
    samples = [said("air-2", at(second), 7.0 + second % 120 / 6000) for second in minutes(0, 40)]
    watched = watch(memory, PLAN, samples, at(2400))
    assert "cold-room-temperature-high" in {each.name for each in watched.conditions if each.holds}
    one_by_one = memory
    for sample in samples:
        one_by_one = replace(one_by_one, places=watch(one_by_one, PLAN, [sample], sample.at).places)
    assert one_by_one.places["cold-room"].now == watched.places["cold-room"].now


def test_a_power_cut_forgets_nothing_that_counts():
    memory, _, _ = lived(Memory(), PLAN, minutes(0, 4 * 60), 9.5)
    assert memory.alarms["cold-room-critical-high"].state is AlarmState.UNACKNOWLEDGED
    restored = from_rows(to_rows(memory))
    before, after = memory.places["cold-room"].now, restored.places["cold-room"].now
    assert after.warmth == before.warmth
    assert dict(after.excursions)["critical-high"].holds
    assert restored.learnt == memory.learnt
    decision = decide(restored, PLAN, Gathered(at(4 * HOUR + 60), [said("air-2", at(4 * HOUR + 60), 9.5)]))
    assert decision.memory.alarms["cold-room-critical-high"].state is AlarmState.UNACKNOWLEDGED


def test_a_day_without_an_event_writes_the_row_every_quarter_of_an_hour():
    memory, lines, _ = lived(Memory(), PLAN, minutes(0, 30), 3.0)
    _, lines, written = lived(memory, PLAN, minutes(31, 31 + 24 * 60), 3.0)
    assert written == 96
    lines = [line for line in lines if line.place == "cold-room"]
    assert {line.kind for line in lines} == {RecordKind.INTERVAL}
    assert max(len(json.dumps(dict(line.body))) for line in lines if "of_day" not in line.body) <= 190


def test_a_row_stays_small():
    memory, _, _ = lived(Memory(), PLAN, minutes(0, 120), 9.5)
    assert len(to_rows(memory)["place/cold-room"]) < 4096


@pytest.mark.parametrize("row", [b"{}", b'{"warmth":{}}'])
def test_a_row_of_an_earlier_version_is_taken_with_what_it_has(row):
    assert from_rows({"place/cold-room": row}).places["cold-room"].now.warmth.product_c is None


@pytest.mark.parametrize("row", [b"[]", b'{"warmth":{"product_c":"warm"}}', b'{"wormth":{}}'])
def test_a_row_that_cannot_be_read_is_named(row):
    with pytest.raises(ValueError, match="place/cold-room"):
        from_rows({"place/cold-room": row})


def test_the_food_alarm_says_what_lies_there():
    shelf = ShelfSettings("milk", (CellSettings("scale", 0, 100.0),), capacity_g=50_000, product="4123")
    plan = replace(PLAN, shelves=(shelf,), products={"4123": Product("4123", "Milk 1 l")})
    memory = replace(Memory(), presents={"milk": Present(25_500.0, Balance(25_500.0, 24), True, None, 0.0, None)})
    for second in minutes(0, 12):
        watched = watch(memory, plan, [said("air-2", at(second), 9.0 + second % 120 / 6000)], at(second))
        memory = replace(memory, places=watched.places)
    (critical,) = [each for each in watched.conditions if each.name == "cold-room-critical-high"]
    assert critical.holds
    assert critical.message.endswith("there lie 24 x Milk 1 l")


def test_a_corrective_action_that_was_given_sets_the_food_clock_back():
    memory, _, _ = lived(Memory(), PLAN, minutes(0, 5 * 60), 9.5)
    memory, _, _ = lived(memory, PLAN, minutes(5 * 60 + 1, 6 * 60), 3.0)
    alarm = memory.alarms["cold-room-food-safety"]
    assert alarm.asks_correction
    assert memory.places["cold-room"].now.warmth.clock.above_s > 4 * HOUR
    said_so = replace(alarm, state=AlarmState.NORMAL, corrective_action="discarded", at=at(6 * HOUR + 1))
    memory = replace(memory, alarms={**memory.alarms, alarm.name: said_so})
    memory, _, _ = lived(memory, PLAN, minutes(6 * 60 + 1, 6 * 60 + 1), 3.0)
    assert memory.places["cold-room"].now.warmth.clock.above_s == 0


def test_an_alarm_that_asks_for_nothing_more_without_a_word_sets_nothing_back():
    memory, _, _ = lived(Memory(), PLAN, minutes(0, 5 * 60), 9.5)
    quiet = Alarm("cold-room-food-safety", Priority.HIGH, AlarmState.NORMAL, at(1), at(1), "", "")
    memory = replace(memory, alarms={quiet.name: quiet})
    clock_s = memory.places["cold-room"].now.warmth.clock.above_s
    assert watch(memory, PLAN, (), at(5 * HOUR + 1)).places["cold-room"].now.warmth.clock.above_s == clock_s


@pytest.mark.parametrize(
    ("standing", "change", "is_over"),
    [
        ("temperature-high", {"high_c": None}, True),
        ("temperature-high", {"critical_high_c": None}, False),
        ("critical-high", {"critical_high_c": None, "kind": Kind.AMBIENT}, True),
        ("food-safety", {"kind": Kind.AMBIENT, "freezing_c": -0.5}, True),
        ("food-warning", {}, False),
        ("freezing", {"kind": Kind.FROZEN}, True),
        ("compressor", {"kind": Kind.AMBIENT}, True),
        ("compressor", {}, False),
        ("door", {"door": None}, False),  # inferred then
        ("door", {"door": None, "kind": Kind.AMBIENT}, True),
        ("door", {"kind": Kind.AMBIENT}, False),
    ],
)
@pytest.mark.parametrize("state", [AlarmState.UNACKNOWLEDGED, AlarmState.OUT_OF_SERVICE])
def test_an_alarm_whose_limit_was_taken_out_of_the_configuration_ends_and_says_so(standing, change, is_over, state):
    """With the first cycle, though no sensor has said anything yet."""
    alarm = Alarm(f"cold-room-{standing}", Priority.HIGH, state, at(1), at(1), "", "", place="cold-room")
    memory = Memory(alarms={alarm.name: alarm, "storage": replace(alarm, name="storage", place="")})
    plan = replace(PLAN, places=(replace(ROOM, **change),))
    decision = decide(memory, plan, Gathered(at(0, "boot-2")))
    assert [found.alarm.name for found in decision.transitions] == ([alarm.name] if is_over else [])
    if is_over:
        (found,) = decision.transitions
        assert (found.before, found.alarm.state, found.alarm.is_active) == (state, AlarmState.NORMAL, False)
        assert found.alarm.evidence == "its limit is not configured any more"
        assert [line.body.get("evidence") for line in decision.records if line.kind is RecordKind.ALARM] == [
            found.alarm.evidence
        ]
        assert decide(decision.memory, plan, Gathered(at(1, "boot-2"))).transitions == []


def test_no_place_has_an_alarm_that_is_ended_as_not_configured():
    everything = replace(ROOM, critical_low_c=-3.0, goods=("milk", "bananas"), dry_pct=50.0, humid_pct=95.0)
    for place in (everything, ROOM, replace(ROOM, kind=Kind.FROZEN), replace(ROOM, kind=Kind.AMBIENT, door=None)):
        now = at(0)
        watched = watch(Memory(), replace(PLAN, places=(place,)), [said("air-2", now, 4.0)], now)
        names = {each.name for each in watched.conditions if each.place == place.name}
        assert len(names) > 3
        assert never_raised(place, PLAN.food).isdisjoint(names)
        if place is everything:
            assert never_raised(place, PLAN.food) == frozenset()


def test_an_open_door_is_told_by_its_contact():
    memory = Memory()
    for second in range(0, 400, 10):
        now = at(second)
        watched = watch(memory, PLAN, [said("door", now, 1.0, "open"), said("air-2", now, 4.0)], now)
        memory = replace(memory, places=watched.places)
    assert "cold-room-door" in {each.name for each in watched.conditions if each.holds}
