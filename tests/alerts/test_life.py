"""One alarm's life, step by step, on a clock that is an argument."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge_agent.alerts import life
from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.condition import Condition
from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Change, Priority
from edge_agent.domain.instant import ClockState, Instant

WALL_MS = 1_790_000_000_000
SETTINGS = AlarmSettings()
HOUR_S = 3600.0

NORMAL, UNSEEN, SEEN, RETURNED, SHELVED, OUT = (
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED_UNACKNOWLEDGED,
    AlarmState.SHELVED,
    AlarmState.OUT_OF_SERVICE,
)


def at(seconds: float, boot: str = "boot", clock: ClockState = ClockState.SYNCED, off_s: float = 0.0) -> Instant:
    """``off_s``: how long the machine was off before this boot."""
    return Instant(round(seconds * 1000), WALL_MS + round((seconds + off_s) * 1000), boot, clock)


START = at(0)


def machine(holds: bool) -> Condition:
    return Condition("storage", holds, Priority.HIGH, "The card is full", "Free some space", "0 MB left")


def goods(holds: bool, priority: Priority = Priority.MEDIUM, *, asks: bool = False) -> Condition:
    return Condition(
        "cold-room-temperature-high",
        holds,
        priority,
        "Cold room above 8 °C",
        "Check the door",
        place="cold-room",
        value=8.6,
        limit=8.0,
        unit="°C",
        needs_acknowledgement=True,
        asks_correction=asks,
    )


def made(transition: AlarmTransition | None) -> Alarm:
    assert transition is not None
    return transition.alarm


def raised(condition: Condition, seconds: float = 0.0) -> Alarm:
    return made(life.observe(None, condition, at(seconds)))


# --- by itself ------------------------------------------------------------------------------------------------------


def test_an_alarm_about_the_machine_ends_with_its_condition():
    first = life.observe(None, machine(True), at(0))
    assert first is not None
    assert (first.before, first.alarm.state, first.change, first.who) == (NORMAL, UNSEEN, Change.RAISED, "agent")
    assert life.observe(first.alarm, machine(True), at(100)) is None
    returned = life.observe(first.alarm, machine(False), at(100))
    assert returned is not None
    assert (returned.before, returned.alarm.state, returned.change) == (UNSEEN, NORMAL, Change.RETURNED)
    assert (returned.alarm.since, returned.alarm.is_active) == (at(0), False)


def test_nothing_is_said_of_a_condition_that_never_held():
    assert life.observe(None, machine(False), at(0)) is None


def test_at_most_one_transition_a_minute_and_a_flicker_within_it_is_not_told():
    alarm = raised(machine(True))
    assert life.observe(alarm, machine(False), at(59)) is None
    assert life.observe(alarm, machine(True), at(59.5)) is None
    assert life.observe(alarm, machine(False), at(60)) is not None


def test_an_acknowledgement_does_not_make_the_end_wait():
    alarm = made(life.acknowledge(raised(machine(True)), "button", at(100)))
    assert made(life.observe(alarm, machine(False), at(101))).state is NORMAL


def test_an_alarm_remembered_from_before_a_power_cut_returns_at_once():
    before = made(life.observe(None, machine(True), at(5_000, "boot-before")))
    assert life.observe(before, machine(False), at(1)) is not None


def test_an_alarm_about_the_goods_stays_until_somebody_has_seen_it():
    over = life.observe(raised(goods(True)), goods(False), at(100))
    assert made(over).state is RETURNED
    assert made(life.acknowledge(made(over), "button", at(200))).state is NORMAL


def test_one_that_was_seen_ends_with_its_condition():
    seen = made(life.acknowledge(raised(goods(True)), "button", at(30)))
    assert (seen.state, seen.who, seen.acknowledged) == (SEEN, "button", at(30))
    assert made(life.observe(seen, goods(False), at(100))).state is NORMAL


def test_an_alarm_that_is_over_and_comes_back_is_unacknowledged_again():
    over = made(life.observe(raised(goods(True)), goods(False), at(100)))
    again = life.observe(over, goods(True), at(200))
    assert (made(again).state, made(again).since, len(made(again).raised)) == (UNSEEN, at(200), 2)


def test_what_was_done_is_asked_for_before_it_ends():
    seen = made(life.acknowledge(raised(goods(True, asks=True)), "button", at(30)))
    over = made(life.observe(seen, goods(False, asks=True), at(100)))
    assert (over.state, over.is_active, over.asks_correction) == (SEEN, False, True)
    told = life.correct(over, "Moved to  the freezer", "cli:ann", at(200))
    assert (told.alarm.state, told.alarm.corrective_action, told.reason) == (
        *(NORMAL, "Moved to the freezer"),
        "Moved to the freezer",
    )
    assert (told.change, told.who) == (Change.CORRECTED, "cli:ann")


@pytest.mark.parametrize("is_corrected_first", [True, False])
def test_acknowledged_and_corrected_in_either_order_it_ends(is_corrected_first):
    alarm = made(life.observe(raised(goods(True, asks=True)), goods(False), at(100)))
    assert alarm.state is RETURNED
    if is_corrected_first:
        alarm = made(life.correct(alarm, "Thrown away", "cli:ann", at(150)))
        assert alarm.state is RETURNED
        alarm = made(life.acknowledge(alarm, "button", at(160)))
    else:
        alarm = made(life.acknowledge(alarm, "button", at(150)))
        assert alarm.state is SEEN
        alarm = made(life.correct(alarm, "Thrown away", "cli:ann", at(160)))
    assert alarm.state is NORMAL


def test_one_that_comes_back_while_it_asks_is_unacknowledged():
    over = made(
        life.observe(made(life.acknowledge(raised(goods(True, asks=True)), "button", at(9))), goods(False), at(99))
    )
    assert made(life.observe(over, goods(True, asks=True), at(200))).state is UNSEEN


def test_how_often_it_was_raised_is_counted_within_a_day():
    alarm: Alarm | None = None
    for hour in range(30):
        alarm = made(life.observe(alarm, machine(True), at(hour * HOUR_S)))
        alarm = made(life.observe(alarm, machine(False), at(hour * HOUR_S + 600)))
    assert len(made(life.observe(alarm, machine(True), at(30 * HOUR_S))).raised) == 25
    for minute in range(100):
        alarm = made(life.observe(alarm, machine(True), at(31 * HOUR_S + 240 * minute)))
        alarm = made(life.observe(alarm, machine(False), at(31 * HOUR_S + 240 * minute + 120)))
    assert len(alarm.raised) == life.MOST_COUNTED


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        (ClockState.SYNCED, at(0, "boot-2", off_s=23 * HOUR_S), 2),
        (ClockState.SYNCED, at(0, "boot-2", off_s=25 * HOUR_S), 1),
        (ClockState.SYNCED, at(0, "boot-2", ClockState.UNSYNCED, off_s=-1e6), 2),
        (ClockState.UNSYNCED, at(0, "boot-2", off_s=23 * HOUR_S), 1),
    ],
)
def test_how_often_it_was_raised_is_counted_across_power_cuts_where_the_time_is_known(before, now, count):
    alarm = made(life.observe(None, machine(True), at(0, clock=before)))
    alarm = made(life.observe(alarm, machine(False), at(60, clock=before)))
    assert len(made(life.observe(alarm, machine(True), now)).raised) == count


# --- what keeps coming back -----------------------------------------------------------------------------------------

DAY_S = 24 * HOUR_S
STEP_S = 300.0


def freezing(holds: bool) -> Condition:
    """Goods in the draught, below a thermostat that runs on: each defrost ends it for a while."""
    return replace(goods(holds, Priority.HIGH, asks=True), name="cold-room-freezing", swings=True)


def lived(
    course: Sequence[tuple[float, float]], until_s: float, *, is_seen: bool = True, condition=freezing
) -> tuple[Alarm | None, list[tuple[float, Change]]]:
    """What the agent did by itself to an alarm that is seen at once, while its condition holds and is over for these
    seconds in turn, and is over at last."""
    ends: list[float] = []
    for on_s, off_s in course:
        begin_s = ends[-1] if ends else 0.0
        ends += [begin_s + on_s, begin_s + on_s + off_s]
    alarm: Alarm | None = None
    found, seconds = [], 0.0
    while seconds < until_s:
        turns = bisect_right(ends, seconds)
        now, told = at(seconds), condition(turns % 2 == 0 and turns < len(ends))
        if alarm is not None:
            alarm = life.noticed(alarm, told, now)
        transition = life.observe(alarm, told, now)
        if transition is None and alarm is not None:
            transition = life.tick(alarm, SETTINGS, now, START)
        if transition is not None:
            alarm = transition.alarm
            found.append((seconds, transition.change))
        if is_seen and alarm is not None and alarm.state is UNSEEN:
            alarm = made(life.acknowledge(alarm, "button", now))
        seconds += STEP_S
    return alarm, found


def times(found: Sequence[tuple[float, Change]], change: Change) -> list[float]:
    return [seconds for seconds, made_of_it in found if made_of_it is change]


def test_a_thermostat_that_runs_on_is_told_twice_and_then_stands():
    """On for 40 min and off for half an hour, twenty times in a day."""
    alarm, found = lived([(2400, 1800)] * 20, 20 * 4200)
    assert times(found, Change.RAISED) == [0, 4200]
    assert times(found, Change.REALARMED) == [], "it never held for an hour, and somebody knows"
    assert alarm is not None
    assert alarm.message.endswith("; 2 times within a day, so this stands until it is over for 1 h")
    assert (alarm.state, alarm.is_active, alarm.back_since) == (SEEN, True, at(19 * 4200))


def test_the_third_time_within_a_day_it_stands_until_it_is_over_for_a_shift():
    alarm, found = lived([(HOUR_S, 2 * HOUR_S)] * 4, 40 * HOUR_S)
    assert times(found, Change.RAISED) == [0, 3 * HOUR_S, 6 * HOUR_S]
    assert times(found, Change.RETURNED) == [HOUR_S, 5 * HOUR_S, 18 * HOUR_S], "8 h after the last, which made no word"
    assert alarm is not None
    assert (alarm.calm_since, alarm.back_since) == (None, None)


def test_one_that_came_back_is_told_again_once_it_holds_without_a_break_for_as_long_as_any_other():
    _, found = lived([(2400, 1800), (2400, 1800), (3 * HOUR_S, 0)], 4200 * 2 + 3 * HOUR_S)
    assert times(found, Change.REALARMED) == [8400 + HOUR_S, 8400 + 2 * HOUR_S]


def test_an_alarm_of_a_critical_limit_ends_and_comes_each_time():
    course = [(HOUR_S, 2 * HOUR_S)] * 6
    _, found = lived(course, 19 * HOUR_S, condition=lambda holds: replace(freezing(holds), swings=False))
    assert times(found, Change.RAISED) == [3 * HOUR_S * n for n in range(6)]


def test_nobody_is_called_for_what_is_over_at_the_moment():
    alarm, _ = lived([(600, 2400), (600, 2400)], 3600, is_seen=False)
    assert alarm is not None
    assert (alarm.is_active, alarm.calm_since) == (True, None)
    alarm = life.noticed(replace(alarm, moved=at(3000)), freezing(False), at(3600))
    assert alarm.calm_since == at(3600)
    assert life.tick(alarm, SETTINGS, at(3000 + 1800), START) is None
    assert life.tick(life.noticed(alarm, freezing(True), at(5000)), SETTINGS, at(5000), START) is not None


@pytest.mark.parametrize(
    "act",
    [
        lambda alarm: life.correct(alarm, "Set the thermostat higher", "cli:ann", at(3601)),
        lambda alarm: life.shelve(alarm, 30, "cli:ann", at(3601)),
        lambda alarm: life.out_of_service(alarm, "cli:ann", at(3601), "stands empty"),
    ],
)
def test_who_did_something_about_it_hears_of_the_next_time(act):
    alarm, _ = lived([(600, 1200)] * 3, 3600)
    assert alarm is not None
    waiting = life.noticed(alarm, freezing(False), at(3600))
    assert life.observe(waiting, freezing(False), at(3700)) is None
    over = made(life.observe(made(act(waiting)), freezing(False), at(3700)))
    assert (over.is_active, over.calm_since) == (False, None)


@pytest.mark.parametrize(
    ("now", "is_over"),
    [
        (at(0, "boot-2", off_s=8.2 * HOUR_S), True),
        (at(0, "boot-2", off_s=7.9 * HOUR_S), False),
        (at(7.9 * HOUR_S, "boot-2", ClockState.UNSYNCED, off_s=-1e6), False),  # counted from the start on
        (at(8.2 * HOUR_S, "boot-2", ClockState.UNSYNCED, off_s=-1e6), True),
    ],
)
def test_how_long_it_is_over_is_known_across_a_power_cut(now, is_over):
    alarm: Alarm | None = None
    turns = [(-7600, True), (-7540, False), (-7480, True), (-3800, False), (-180, False), (-100, True), (0, False)]
    for seconds, holds in turns:
        if alarm is not None:
            alarm = life.noticed(alarm, freezing(holds), at(seconds))
        found = life.observe(alarm, freezing(holds), at(seconds))
        alarm = alarm if found is None else found.alarm
    assert alarm is not None
    assert (len(alarm.raised), alarm.calm_since) == (3, at(0))
    first = replace(now, mono_ms=0, wall_ms=now.wall_ms - now.mono_ms)
    for instant in (first, now):
        alarm = life.noticed(alarm, freezing(False), instant)
    assert (life.observe(alarm, freezing(False), now) is not None) is is_over


ON_S = st.integers(1, 60).map(lambda steps: STEP_S * steps)
SHORT_OFF_S = st.integers(1, 95).map(lambda steps: STEP_S * steps)  # less than 8 h: one cause
SWINGS = st.lists(st.tuples(ON_S, SHORT_OFF_S), min_size=1, max_size=60)


@hypothesis_settings(max_examples=40, deadline=None)
@given(SWINGS)
def test_a_cause_that_swings_is_raised_at_most_three_times_in_a_day(course):
    ends_s = sum(on_s + off_s for on_s, off_s in course)
    alarm, found = lived(course, ends_s + 8 * HOUR_S + 2 * STEP_S)
    raised_s = times(found, Change.RAISED)
    assert raised_s[0] == 0, "the first one at once"
    assert all(fourth_s - first_s > DAY_S for first_s, fourth_s in zip(raised_s, raised_s[3:], strict=False))
    longest_s = max(on_s + off_s for on_s, off_s in course)
    told_s = [*raised_s, ends_s]
    assert all(after_s - before_s <= DAY_S + 2 * longest_s for before_s, after_s in pairwise(told_s)), "nor forgotten"
    assert alarm is not None
    assert not alarm.is_active, "what is over for good ends"


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 400))
def test_no_even_swing_however_slow_is_raised_more_than_three_times_in_a_day(on_steps, off_steps):
    _, found = lived([(STEP_S * on_steps, STEP_S * off_steps)] * 10, 72 * HOUR_S)
    raised_s = times(found, Change.RAISED)
    assert all(fourth_s - first_s > DAY_S for first_s, fourth_s in zip(raised_s, raised_s[3:], strict=False))


# --- time alone -----------------------------------------------------------------------------------------------------


def ticks(alarm: Alarm, until_s: float, step_s: float = 10.0) -> list[tuple[float, Change, Alarm]]:
    """What time does to it, and when."""
    found, seconds = [], 0.0
    while seconds <= until_s:
        transition = life.tick(alarm, SETTINGS, at(seconds), START)
        if transition is not None:
            alarm = transition.alarm
            found.append((seconds, transition.change, alarm))
        seconds += step_s
    return found


def test_nobody_comes_and_the_alarm_is_escalated_twice():
    found = ticks(raised(goods(True)), 5 * HOUR_S)
    assert [(s, change, a.priority, a.escalations) for s, change, a in found] == [
        (600, Change.ESCALATED, Priority.HIGH, 1),
        (1800, Change.ESCALATED, Priority.HIGH, 2),
    ]


@pytest.mark.parametrize("condition", [machine(True), goods(True, Priority.LOW)])
def test_nobody_is_called_at_night_for_dry_air_or_a_card(condition):
    assert ticks(raised(condition), 5 * HOUR_S) == []


def test_an_escalation_takes_the_silence_away():
    alarm = made(life.silence(raised(goods(True)), 30, "button", at(1)))
    assert life.is_silenced(alarm, at(599))
    assert not life.is_silenced(made(life.tick(alarm, SETTINGS, at(600), START)), at(601))


@pytest.mark.parametrize(("priority", "hours"), [(Priority.HIGH, 1), (Priority.MEDIUM, 4), (Priority.LOW, 24)])
def test_an_acknowledged_alarm_whose_condition_holds_comes_back(priority, hours):
    seen = made(life.acknowledge(raised(goods(True, priority)), "button", at(0)))
    (found,) = ticks(seen, hours * HOUR_S)
    assert found[:2] == (hours * HOUR_S, Change.REALARMED)
    assert (found[2].state, found[2].acknowledged) == (UNSEEN, None)


def test_one_that_only_waits_for_words_does_not_come_back():
    seen = made(life.acknowledge(raised(goods(True, asks=True)), "button", at(0)))
    assert ticks(made(life.observe(seen, goods(False), at(100))), 48 * HOUR_S) == []


def test_silence_is_the_sound_only_and_comes_back_by_itself():
    quiet = life.silence(raised(goods(True)), 5, "button", at(10))
    assert (quiet.alarm.state, quiet.change) == (UNSEEN, Change.SILENCED)
    assert [life.is_silenced(quiet.alarm, at(s)) for s in (10, 309, 310)] == [True, True, False]
    assert not life.is_silenced(quiet.alarm, at(1, "boot-2")), "a power cut ends it"


def test_a_shelved_alarm_comes_back_by_itself():
    shelved = made(life.shelve(raised(goods(True)), 480, "cli:ann", at(100), "cleaning"))
    assert shelved.shelved_until == at(100 + 8 * HOUR_S)
    ((seconds, change, alarm),) = ticks(shelved, 9 * HOUR_S)[:1]
    assert (seconds, change, alarm.state) == (100 + 8 * HOUR_S, Change.UNSHELVED, UNSEEN)


def test_what_came_and_went_while_it_was_shelved_is_not_lost():
    alarm = made(life.shelve(raised(goods(True)), 60, "cli:ann", at(100)))
    ended = life.observe(alarm, goods(False), at(200))
    assert (made(ended).state, made(ended).is_active, ended and ended.change) == (SHELVED, False, Change.RETURNED)
    assert made(life.unshelve(made(ended), "cli:ann", at(300))).state is NORMAL, "who shelved it had seen it"
    again = made(life.observe(made(ended), goods(True), at(400)))
    assert (again.state, again.is_active, again.shelved_until) == (SHELVED, True, alarm.shelved_until)
    gone = made(life.observe(again, goods(False), at(500)))
    assert made(life.unshelve(gone, "cli:ann", at(600))).state is RETURNED, "nobody saw that one"


def test_what_was_done_last_time_does_not_count_for_a_shelving_of_today():
    """Or its end would pass for somebody's judgement of the goods."""
    alarm = made(life.acknowledge(raised(goods(True, asks=True)), "button", at(9)))
    alarm = made(life.correct(made(life.observe(alarm, goods(False), at(99))), "Thrown away", "cli:ann", at(100)))
    assert (alarm.state, alarm.corrective_action) == (NORMAL, "Thrown away")
    for hidden in (life.shelve(alarm, 5, "cli:ann", at(200)), life.out_of_service(alarm, "cli:ann", at(200), "why")):
        assert hidden.alarm.corrective_action == ""
    standing = made(life.correct(raised(goods(True, asks=True)), "Moved", "cli:ann", at(9)))
    assert made(life.shelve(standing, 5, "cli:ann", at(10))).corrective_action == "Moved"


def test_an_alarm_is_shelved_beforehand():
    normal = life.never_raised(goods(False), at(0))
    alarm = made(life.shelve(normal, 120, "cli:ann", at(0), "defrosting by hand"))
    assert ticks(alarm, 3 * HOUR_S)[0][2].state is NORMAL


@pytest.mark.parametrize(
    ("now", "is_back"),
    [
        (at(5, "boot-2", off_s=7.9 * HOUR_S), False),  # the right time is known: until its end
        (at(5, "boot-2", off_s=8.1 * HOUR_S), True),
        (at(29 * 60, "boot-2", ClockState.UNSYNCED, off_s=-1e6), False),  # not known: half an hour more
        (at(31 * 60, "boot-2", ClockState.UNSYNCED, off_s=-1e6), True),
        (at(8.1 * HOUR_S, "boot-2", off_s=-1e6), True),  # a clock that stepped years back
    ],
)
def test_shelving_ends_also_across_a_power_cut(now, is_back):
    shelved = made(life.shelve(raised(goods(True)), 480, "cli:ann", at(0)))
    found = life.tick(shelved, SETTINGS, now, replace(now, mono_ms=0))
    assert (found is not None) is is_back


def test_of_a_short_shelving_no_more_is_left_after_a_power_cut_than_before():
    shelved = made(life.shelve(raised(goods(True)), 10, "cli:ann", at(0)))
    start = at(0, "boot-2", ClockState.UNSYNCED)
    assert life.tick(shelved, SETTINGS, at(599, "boot-2", ClockState.UNSYNCED), start) is None
    assert life.tick(shelved, SETTINGS, at(600, "boot-2", ClockState.UNSYNCED), start) is not None


@pytest.mark.parametrize(
    ("clock", "off_s", "change"),
    [
        (ClockState.SYNCED, 0.0, None),
        (ClockState.SYNCED, 700.0, Change.ESCALATED),
        (ClockState.UNSYNCED, 700.0, None),  # nobody knows how long it was off: counted from the start on
    ],
)
def test_nobody_came_while_the_power_was_off(clock, off_s, change):
    start = at(0, "boot-2", clock, off_s)
    found = life.tick(raised(goods(True)), SETTINGS, at(5, "boot-2", clock, off_s), start)
    assert (found and found.change) == change
    found = life.tick(raised(goods(True)), SETTINGS, at(600, "boot-2", clock, off_s), start)
    assert found is not None


def test_out_of_service_has_no_end_and_is_followed_all_the_same():
    out = made(life.out_of_service(raised(goods(True)), "mqtt:desk", at(10), "stands empty"))
    assert ticks(out, 100 * HOUR_S, 600) == []
    assert made(life.observe(out, goods(False), at(100))).is_active is False
    back = life.in_service(out, "mqtt:desk", at(200))
    assert (back.alarm.state, back.alarm.acknowledged, back.change) == (UNSEEN, None, Change.IN_SERVICE)


# --- what cannot be done --------------------------------------------------------------------------------------------


def in_state(state: AlarmState) -> Alarm:
    alarm = replace(raised(goods(True)), state=state, acknowledged=START, who="ann", shelved_until=at(600))
    return replace(alarm, is_active=state not in (NORMAL, RETURNED))


DOES = {
    "acknowledge": lambda alarm: life.acknowledge(alarm, "ann", at(99)),
    "silence": lambda alarm: life.silence(alarm, 10, "ann", at(99)),
    "shelve": lambda alarm: life.shelve(alarm, 10, "ann", at(99)),
    "unshelve": lambda alarm: life.unshelve(alarm, "ann", at(99)),
    "out-of-service": lambda alarm: life.out_of_service(alarm, "ann", at(99), "why"),
    "in-service": lambda alarm: life.in_service(alarm, "ann", at(99)),
    "correct": lambda alarm: life.correct(alarm, "done", "ann", at(99)),
}
POSSIBLE = {
    "acknowledge": {UNSEEN, RETURNED},
    "silence": {UNSEEN},
    "shelve": {NORMAL, UNSEEN, SEEN, RETURNED, SHELVED},
    "unshelve": {SHELVED},
    "out-of-service": {NORMAL, UNSEEN, SEEN, RETURNED, SHELVED},
    "in-service": {OUT},
    "correct": {UNSEEN, SEEN, RETURNED, SHELVED, OUT},
}


@pytest.mark.parametrize("state", AlarmState)
@pytest.mark.parametrize("verb", DOES)
def test_each_act_is_done_or_refused_in_words_that_name_the_alarm(verb, state):
    if state in POSSIBLE[verb]:
        assert DOES[verb](in_state(state)).who == "ann"
    else:
        with pytest.raises(life.NotPossible, match="cold-room-temperature-high is"):
            DOES[verb](in_state(state))


@pytest.mark.parametrize("minutes", [0, -1, 481, float("inf"), float("nan")])
def test_no_alarm_is_shelved_longer_than_a_shift(minutes):
    with pytest.raises(life.NotPossible, match="at most 480 for cold-room-temperature-high"):
        life.shelve(raised(goods(True)), minutes, "ann", at(1))


def test_a_high_alarm_about_food_is_shelved_for_half_an_hour_at_most():
    with pytest.raises(life.NotPossible, match=r"at most 30 for .* \(of high priority and about the goods\)"):
        life.shelve(raised(goods(True, Priority.HIGH)), 31, "ann", at(1))
    assert life.shelve(raised(goods(True, Priority.HIGH)), 30, "ann", at(1))
    assert life.shelve(raised(machine(True)), 480, "ann", at(1))


@pytest.mark.parametrize("minutes", [0, -5, 30.1, float("nan")])
def test_no_sound_is_silenced_for_longer_than_half_an_hour(minutes):
    with pytest.raises(life.NotPossible, match="at most 30"):
        life.silence(raised(goods(True)), minutes, "ann", at(1))


@pytest.mark.parametrize("words", ["", "  ", "x" * 501])
def test_out_of_service_wants_a_reason_and_a_correction_wants_words(words):
    with pytest.raises(life.NotPossible, match=r"reason of .* characters: must be 1 to 500"):
        life.out_of_service(raised(goods(True)), "ann", at(1), words)
    with pytest.raises(life.NotPossible, match=r"action of .* characters"):
        life.correct(raised(goods(True)), words, "ann", at(1))
