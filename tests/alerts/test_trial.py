"""The test alarm: marked, over by itself, never in the way of a real one."""

from dataclasses import replace

import pytest

from edge_agent.alerts import trial
from edge_agent.alerts.life import NotPossible, observe
from edge_agent.alerts.trial import Trial
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import Instant

AT = Instant(100_000, 1_000_000, "boot")


def real(state: AlarmState) -> Alarm:
    return Alarm("cold-room-door", Priority.MEDIUM, state, AT, AT, "Door open", "Shut it")


def later(seconds: float, boot: str = "boot") -> Instant:
    return replace(AT, mono_ms=AT.mono_ms + round(1000 * seconds), boot=boot)


def begun(seconds: float = 120.0) -> Trial:
    return trial.begin({}, None, seconds, Priority.HIGH, "cli:ann", AT)


def raised(found: Trial) -> dict[str, Alarm]:
    condition = trial.condition(found, {}, AT)
    assert condition is not None
    transition = observe(None, condition, AT)
    assert transition is not None
    return {trial.NAME: transition.alarm}


def test_it_says_that_it_is_a_test_and_who_asked_for_it() -> None:
    alarm = raised(begun())["test"]
    assert alarm.message.startswith("TEST ALARM: nothing is wrong")
    assert alarm.evidence == "asked for by cli:ann"
    assert (alarm.priority, alarm.state) == (Priority.HIGH, AlarmState.UNACKNOWLEDGED)
    assert not alarm.needs_acknowledgement
    assert not alarm.asks_correction


@pytest.mark.parametrize(
    ("after_s", "boot", "holds"), [(0, "boot", True), (119.9, "boot", True), (120, "boot", False), (1, "next", False)]
)
def test_it_is_over_after_its_time_and_after_a_power_cut(after_s, boot, holds) -> None:
    found = begun()
    condition = trial.condition(found, raised(found), later(after_s, boot))
    assert condition is not None
    assert condition.holds is holds


def test_after_a_restart_nobody_knows_of_it_and_it_ends() -> None:
    condition = trial.condition(None, raised(begun()), later(5, "next"))
    assert condition is not None
    assert not condition.holds


def test_it_says_nothing_when_there_is_none() -> None:
    assert trial.condition(None, {}, AT) is None
    assert trial.condition(begun(), {}, later(1000)) is None


def test_a_real_alarm_ends_it_and_has_the_panel_for_itself() -> None:
    found = begun()
    alarms = raised(found) | {"cold-room-door": real(AlarmState.UNACKNOWLEDGED)}
    condition = trial.condition(found, alarms, later(1))
    assert condition is not None
    assert not condition.holds
    assert list(trial.aside(alarms)) == ["cold-room-door"]


def test_an_alarm_that_somebody_has_seen_is_not_in_its_way() -> None:
    alarms = raised(begun()) | {"cold-room-door": real(AlarmState.ACKNOWLEDGED)}
    assert set(trial.aside(alarms)) == {"test", "cold-room-door"}


@pytest.mark.parametrize("seconds", [59.9, 600.1, float("nan"), -1.0])
def test_a_wrong_length_is_refused(seconds) -> None:
    with pytest.raises(NotPossible, match="between 60 and 600"):
        begun(seconds)


def test_it_is_refused_while_a_real_alarm_calls_and_while_one_stands() -> None:
    with pytest.raises(NotPossible, match="cold-room-door calls for somebody"):
        trial.begin({"cold-room-door": real(AlarmState.UNACKNOWLEDGED)}, None, 60, Priority.LOW, "cli", AT)
    with pytest.raises(NotPossible, match="a test alarm stands"):
        trial.begin({}, begun(), 60, Priority.LOW, "cli", later(1))
    with pytest.raises(NotPossible, match="a test alarm stands"):
        trial.begin(raised(begun()), None, 60, Priority.LOW, "cli", later(1, "next"))
