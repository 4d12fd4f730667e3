from edge_agent.alerts.sensor_fault import SensorHealth, condition, follow
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading, Sample


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def sample(seconds: float, fault: str | None = None) -> Sample:
    value, quality = (4.0, Quality.GOOD) if fault is None else (None, Quality.BAD)
    return Sample(
        "cold-room", at(seconds), (Reading(Channel("cold-room", "temperature"), value, at(seconds), quality, fault),)
    )


def after(*faults: str | None) -> SensorHealth:
    health = SensorHealth(since=at(0))
    for i, fault in enumerate(faults):
        health = follow(health, sample(i, fault))
    return health


def test_the_third_bad_sample_in_a_row_is_a_fault_and_one_good_one_ends_it():
    assert not condition("cold-room", after("checksum", "checksum"), 1.0, at(2)).holds
    third = condition("cold-room", after("checksum", "no-answer", "no-answer"), 1.0, at(2))
    assert (third.holds, third.evidence) == (True, "no-answer")
    assert not condition("cold-room", after("checksum", "checksum", "checksum", None), 1.0, at(3)).holds
    assert not condition("cold-room", after("checksum", None, "checksum", None, "checksum"), 1.0, at(4)).holds


def test_a_sensor_of_which_nothing_comes_is_a_fault_too():
    silent = SensorHealth(since=at(0))
    assert not condition("cold-room", silent, 10.0, at(39)).holds
    assert condition("cold-room", silent, 10.0, at(41)).evidence == "nothing for 41 s"
    fell_silent = follow(silent, sample(100))
    assert not condition("cold-room", fell_silent, 1.0, at(104)).holds
    assert condition("cold-room", fell_silent, 1.0, at(105)).holds


def test_silence_is_no_fault_while_a_bus_may_still_set_its_chips_up():
    never_heard = SensorHealth(since=at(0))
    heard_once = follow(never_heard, sample(2))
    for silent in (never_heard, heard_once):
        assert not condition("shelf-cell", silent, 0.1, at(30)).holds
        assert condition("shelf-cell", silent, 0.1, at(31)).holds


def test_a_sensor_read_ten_times_a_second_may_hiccup():
    health = follow(SensorHealth(since=at(0)), sample(100))
    for tenths in range(1, 40):
        health = follow(health, sample(100 + tenths / 10, "no-answer"))
        assert condition("scale", health, 0.1, at(100 + tenths / 10)).holds is (tenths >= 30)
    quiet = follow(health, sample(110))
    assert not condition("scale", quiet, 0.1, at(113)).holds
    assert condition("scale", quiet, 0.1, at(113.1)).holds


def test_good_and_bad_are_counted_and_the_last_good_sample_is_kept():
    health = after(None, "checksum", None, "no-answer")
    assert (health.good, health.bad, health.bad_in_a_row, health.fault) == (2, 2, 1, "no-answer")
    assert health.last_good == sample(2)
