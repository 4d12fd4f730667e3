"""More than anybody can read."""

from edge_agent.alerts import flood, life
from edge_agent.alerts.condition import Condition
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import Instant


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def alarms(count: int, seconds: float = 0.0) -> dict[str, Alarm]:
    found = {}
    for number in range(count):
        condition = Condition(f"sensor-{number}", True, Priority.MEDIUM, "what", "do")
        transition = life.observe(None, condition, at(seconds + number))
        assert transition is not None
        found[f"sensor-{number}"] = transition.alarm
    return found


def with_flood(found: dict[str, Alarm], seconds: float) -> dict[str, Alarm]:
    transition = life.observe(found.get(flood.NAME), flood.condition(found, at(seconds)), at(seconds))
    assert transition is not None
    return found | {flood.NAME: transition.alarm}


def names(found: dict[str, Alarm], seconds: float) -> list[str]:
    """Which of them are heard."""
    return sorted(
        alarm.name
        for alarm in flood.hushed(found, at(seconds))
        if alarm.state is AlarmState.UNACKNOWLEDGED and not life.is_silenced(alarm, at(seconds))
    )


def test_ten_within_ten_minutes_are_no_flood_and_eleven_are():
    assert not flood.condition(alarms(10), at(20)).holds
    condition = flood.condition(alarms(11), at(20))
    assert (condition.holds, condition.evidence) == (True, "11 raised within 10 min")
    assert not flood.condition(alarms(11), at(601)).holds


def test_one_alarm_that_comes_and_goes_counts_each_time():
    alarm: Alarm | None = None
    for second in range(0, 601, 60):
        holds = second % 120 == 0
        transition = life.observe(alarm, Condition("x", holds, Priority.LOW, "what", "do"), at(second))
        assert transition is not None
        alarm = transition.alarm
    assert alarm is not None
    assert flood.raised_lately({"x": alarm}, at(600)) == 6


def test_it_is_over_when_fewer_than_five_came_lately():
    found = with_flood(alarms(11), 11)
    assert flood.condition(found, at(606)).holds  # 5 of them within ten minutes
    assert not flood.condition(found, at(606.5)).holds


def test_the_group_sounds_and_the_single_ones_stay_visible_and_silent():
    found = with_flood(alarms(11), 11)
    assert names(found, 12) == ["flood"]
    assert all(alarm.state is AlarmState.UNACKNOWLEDGED for alarm in found.values())


def test_what_comes_after_the_flood_was_acknowledged_sounds_by_itself():
    found = with_flood(alarms(11), 11)
    found |= {flood.NAME: life.acknowledge(found[flood.NAME], "button", at(30)).alarm}
    assert names(found, 31) == []
    condition = Condition("cold-room-food-safety", True, Priority.HIGH, "what", "do")
    late = life.observe(None, condition, at(40))
    assert late is not None
    assert names(found | {late.alarm.name: late.alarm}, 41) == ["cold-room-food-safety"]


def test_without_a_flood_each_unacknowledged_one_sounds_unless_it_is_silenced():
    found = alarms(3)
    found["sensor-0"] = life.acknowledge(found["sensor-0"], "button", at(5)).alarm
    found["sensor-1"] = life.silence(found["sensor-1"], 5, "button", at(5)).alarm
    assert names(found, 6) == ["sensor-2"]
    assert names(found, 306) == ["sensor-1", "sensor-2"]


def test_the_single_ones_sound_again_when_the_flood_is_over():
    found = with_flood(alarms(11), 11)
    over = life.observe(found[flood.NAME], flood.condition(found, at(700)), at(700))
    assert over is not None
    assert len(names(found | {flood.NAME: over.alarm}, 701)) == 11
