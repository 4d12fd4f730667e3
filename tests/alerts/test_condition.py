from edge_agent.alerts.condition import Condition, observe
from edge_agent.domain.alarm import AlarmState, Priority
from edge_agent.domain.instant import Instant


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def condition(holds: bool) -> Condition:
    return Condition("disk-full", holds, Priority.HIGH, "The card is full", "Free some space", "0 MB left")


def test_a_condition_that_begins_raises_its_alarm_and_one_that_ends_returns_it():
    raised = observe(None, condition(True), at(0))
    assert raised is not None
    assert (raised.before, raised.alarm.state) == (AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED)
    assert observe(raised.alarm, condition(True), at(100)) is None
    returned = observe(raised.alarm, condition(False), at(100))
    assert returned is not None
    assert (returned.before, returned.alarm.state) == (AlarmState.UNACKNOWLEDGED, AlarmState.NORMAL)
    assert returned.alarm.since == at(0)


def test_nothing_is_said_of_a_condition_that_never_held():
    assert observe(None, condition(False), at(0)) is None


def test_at_most_one_transition_a_minute_and_a_flicker_within_it_is_not_told():
    raised = observe(None, condition(True), at(0))
    assert raised is not None
    assert observe(raised.alarm, condition(False), at(59)) is None
    assert observe(raised.alarm, condition(True), at(59.5)) is None
    assert observe(raised.alarm, condition(False), at(60)) is not None


def test_an_alarm_remembered_from_before_a_power_cut_returns_at_once():
    before = Instant(5_000_000, 1_789_999_000_000, "boot-before")
    raised = observe(None, condition(True), before)
    assert raised is not None
    assert observe(raised.alarm, condition(False), at(1)) is not None
