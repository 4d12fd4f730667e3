"""The life of an alarm after ISA-18.2: each function gives the one transition it makes of an alarm, or none.

What people do is taken at once, or refused in words (``NotPossible``). What the agent does by itself (``observe``,
``tick``) happens at most once a minute to each alarm.

    normal -> unacknowledged -> acknowledged -> normal
                     |               |
                     |               +-> acknowledged, over: asks what was done -> (correct) -> normal
                     +-> returned-unacknowledged -> (acknowledge) -> as above
    any of them <-> shelved (with an end), out of service (with a reason)

One that keeps coming back within a day (a thermostat that runs on, interrupted by each defrost) ends later each time:
an off-delay that grows with repetition (EEMUA 191 on repeating and fleeting alarms; ISA-18.2, 10.5). It is raised at
once all the same, and the record has each excursion.
"""

from dataclasses import replace

from edge_agent.alerts.alarm_settings import MAX_SHELVE_FOOD_MIN, MAX_SHELVE_MIN, MAX_SILENCE_MIN, AlarmSettings
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.elapsed import are_right, at_least_s, later, wall_s
from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Change, Priority
from edge_agent.domain.instant import Instant

MIN_BETWEEN_S = 60.0  # at most one transition per alarm and minute
COUNTED_S = 86_400.0
MOST_COUNTED = 30  # more within a day is said as so many: each instant is kept with the alarm
MAX_REASON_CHARS = 500
# How long a condition that swings must be over before its alarm ends, by how often that was raised within a day. The
# last holds for more: three times eight hours are a day, so no even swing is told more than three times in one.
CALM_S = (0.0, 3600.0, 8 * 3600.0)
UNKNOWN_CLOCK_SHELVE_MIN = 30.0  # after a power cut, while nobody knows how long it took

HIDDEN = (AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE)
AGENT = "agent"


class NotPossible(ValueError):
    """What a person asks for cannot be done to this alarm; the words say why, and what can."""


# --- by itself ------------------------------------------------------------------------------------------------------


def observe(alarm: Alarm | None, condition: Condition, now: Instant) -> AlarmTransition | None:
    """The transition this condition asks for now, if any.

    One that comes within a minute of the last one waits; if the condition is back by then, nothing is said.
    """
    if alarm is not None and _has_just_moved(alarm, now):
        return None
    if not condition.is_watched:
        if alarm is None or alarm.state is AlarmState.NORMAL:
            return None
        return ended(alarm, now, condition.evidence)
    if condition.holds == _stands(alarm):
        return None
    if alarm is None or condition.holds:
        return _raised(alarm, condition, now)
    return None if _may_come_back(alarm, condition, now) else _returned(alarm, condition, now)


def noticed(alarm: Alarm, condition: Condition, now: Instant) -> Alarm:
    """The alarm before ``observe``, with the comings and goings through which it stands; the same one if none."""
    if not _stands(alarm) or condition.holds == (alarm.calm_since is None):
        # An instant of before a power cut, while the clock is not right, says nothing of how long it is over.
        is_lost = alarm.calm_since is not None and _passed_s(alarm.calm_since, now) is None
        return replace(alarm, calm_since=now) if is_lost else alarm
    if condition.holds:
        return replace(alarm, calm_since=None, back_since=now)
    return replace(alarm, calm_since=now) if _calm_s(alarm, condition, now) > 0 else alarm


def tick(alarm: Alarm, settings: AlarmSettings, now: Instant, started: Instant) -> AlarmTransition | None:
    """What time alone does: shelving ends, an acknowledged alarm comes back, one that nobody sees is escalated."""
    if alarm.state is AlarmState.NORMAL or _has_just_moved(alarm, now):
        return None
    if alarm.state is AlarmState.SHELVED and _is_shelving_over(alarm, now, started):
        return _shown(alarm, now, AGENT, Change.UNSHELVED)
    if not alarm.is_active or alarm.calm_since is not None:
        return None
    if alarm.state is AlarmState.ACKNOWLEDGED and alarm.acknowledged is not None:
        held = (alarm.acknowledged, alarm.back_since or alarm.acknowledged)  # without a break since the later one
        if min(at_least_s(since, now, started) for since in held) < settings.realarm_s(alarm.priority):
            return None
        after = replace(alarm, state=AlarmState.UNACKNOWLEDGED, acknowledged=None, silenced_until=None, escalations=0)
        return _moved(alarm, after, now, AGENT, Change.REALARMED)
    return _escalated(alarm, settings, now, started) if alarm.state is AlarmState.UNACKNOWLEDGED else None


def is_silenced(alarm: Alarm, now: Instant) -> bool:
    """A power cut ends it: the sound comes back early rather than late."""
    until = alarm.silenced_until
    return until is not None and until.boot == now.boot and now.mono_ms < until.mono_ms


def ended(alarm: Alarm, now: Instant, why: str) -> AlarmTransition:
    """Nothing observes its condition any more, so nothing else would ever end it."""
    after = replace(
        alarm,
        state=AlarmState.NORMAL,
        is_active=False,
        asks_correction=False,
        shelved_until=None,
        evidence=why,
        calm_since=None,
        back_since=None,
    )
    return _moved(alarm, after, now, AGENT, Change.RETURNED)


def _stands(alarm: Alarm | None) -> bool:
    return alarm is not None and alarm.is_active and alarm.state is not AlarmState.NORMAL


def _may_come_back(alarm: Alarm, condition: Condition, now: Instant) -> bool:
    """It is not over for long enough to be sure, after all the times that it was raised within a day."""
    since = alarm.calm_since or now
    return (_passed_s(since, now) or 0.0) < _calm_s(alarm, condition, now)


def _calm_s(alarm: Alarm, condition: Condition, now: Instant) -> float:
    """How long it must be over. Whoever set it aside, or has said what was done about it, is told of the next time."""
    if not condition.swings or alarm.state in HIDDEN or alarm.corrective_action:
        return 0.0
    return _calm_after_s(sum(_is_counted(each, now) for each in alarm.raised))


def _calm_after_s(times: int) -> float:
    return CALM_S[min(max(times, 1), len(CALM_S)) - 1]


def _passed_s(since: Instant, now: Instant) -> float | None:
    """None across a power cut where one of the clocks was not right."""
    if since.boot == now.boot:
        return since.age_s(now)
    return max(0.0, wall_s(since, now)) if are_right(since, now) else None


def _raised(alarm: Alarm | None, condition: Condition, now: Instant) -> AlarmTransition:
    earlier = () if alarm is None else alarm.raised
    times = 1 + sum(_is_counted(each, now) for each in earlier)
    fresh = Alarm(
        name=condition.name,
        priority=condition.priority,
        state=AlarmState.UNACKNOWLEDGED,
        at=now,
        since=condition.began or now,
        message=condition.message + (_again(times) if condition.swings else ""),
        action=condition.action,
        evidence=condition.evidence,
        place=condition.place,
        value=condition.value,
        limit=condition.limit,
        unit=condition.unit,
        deadband=condition.deadband,
        dwell_s=condition.dwell_s,
        needs_acknowledgement=condition.needs_acknowledgement,
        asks_correction=condition.asks_correction,
        raised=(*earlier, now),
    )
    if alarm is None:
        return _moved(_unheard_of(condition, now), fresh, now, AGENT, Change.RAISED)
    if alarm.state in HIDDEN:
        fresh = replace(fresh, state=alarm.state, who=alarm.who, shelved_until=alarm.shelved_until)
    return _moved(alarm, fresh, now, AGENT, Change.RAISED)


def _returned(alarm: Alarm, condition: Condition, now: Instant) -> AlarmTransition:
    after = replace(
        alarm,
        is_active=False,
        evidence=condition.evidence,
        silenced_until=None,
        calm_since=None,
        back_since=None,
    )
    if alarm.state not in HIDDEN:
        after = replace(after, state=_state_when_over(after))
    return _moved(alarm, after, now, AGENT, Change.RETURNED)


def _again(times: int) -> str:
    """
    >>> _again(1), _again(2)
    ('', '; 2 times within a day, so this stands until it is over for 1 h')
    """
    hours = _calm_after_s(times) / 3600
    return f"; {times} times within a day, so this stands until it is over for {hours:g} h" if hours else ""


def _state_when_over(alarm: Alarm) -> AlarmState:
    is_unseen = alarm.acknowledged is None
    if is_unseen and (alarm.needs_acknowledgement or alarm.asks_correction):
        return AlarmState.RETURNED_UNACKNOWLEDGED
    return AlarmState.ACKNOWLEDGED if alarm.asks_correction else AlarmState.NORMAL


def _shown(alarm: Alarm, now: Instant, who: str, change: Change, reason: str = "") -> AlarmTransition:
    """No longer hidden. One that holds asks for somebody anew, also of whom saw it before."""
    after = replace(alarm, shelved_until=None, who="", escalations=0)
    if alarm.is_active:
        after = replace(after, state=AlarmState.UNACKNOWLEDGED, acknowledged=None, silenced_until=None)
    else:
        after = replace(after, state=_state_when_over(after))
    return _moved(alarm, after, now, who, change, reason)


def _escalated(alarm: Alarm, settings: AlarmSettings, now: Instant, started: Instant) -> AlarmTransition | None:
    """Only of the goods, and not of the lowest priority: nobody is called at night for dry air or a calibration."""
    if not alarm.needs_acknowledgement or alarm.priority is Priority.LOW or alarm.escalations >= 2:
        return None
    wait_min = settings.escalate_min
    if alarm.escalations == 1:
        wait_min = settings.escalate_again_min - settings.escalate_min
    if at_least_s(alarm.moved or alarm.at, now, started) < 60 * wait_min:
        return None
    after = replace(alarm, priority=Priority.HIGH, escalations=alarm.escalations + 1, silenced_until=None)
    return _moved(alarm, after, now, AGENT, Change.ESCALATED)


def _is_shelving_over(alarm: Alarm, now: Instant, started: Instant) -> bool:
    """Across a power cut by wall time. While that is not known: what was left, half an hour at most."""
    until = alarm.shelved_until
    if until is None:
        return True
    if until.boot == now.boot:
        return now.mono_ms >= until.mono_ms
    since_start_s = started.age_s(now)
    if are_right(until, now):
        return now.wall_ms >= until.wall_ms or since_start_s >= 60 * MAX_SHELVE_MIN
    left_s = (until.mono_ms - alarm.at.mono_ms) / 1000 if alarm.at.boot == until.boot else float("inf")
    return since_start_s >= min(left_s, 60 * UNKNOWN_CLOCK_SHELVE_MIN)


def _has_just_moved(alarm: Alarm, now: Instant) -> bool:
    return alarm.moved is not None and alarm.moved.age_s(now) < MIN_BETWEEN_S


# --- by people ------------------------------------------------------------------------------------------------------


def acknowledge(alarm: Alarm, who: str, at: Instant) -> AlarmTransition:
    """Seen. An alarm that is over and asks nothing more ends with it."""
    if alarm.state is AlarmState.ACKNOWLEDGED:
        raise NotPossible(f"{alarm.name} is acknowledged already, {_by(alarm)}")
    if alarm.state not in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED):
        raise NotPossible(f"{_as_it_is(alarm)}: nothing to acknowledge")
    seen = replace(alarm, acknowledged=at, who=who, silenced_until=None)
    state = AlarmState.ACKNOWLEDGED if alarm.is_active else _state_when_over(seen)
    return _done(alarm, replace(seen, state=state), at, who, Change.ACKNOWLEDGED)


def silence(alarm: Alarm, minutes: float, who: str, at: Instant) -> AlarmTransition:
    """The sound only, for a while."""
    if not 0 < minutes <= MAX_SILENCE_MIN:
        raise NotPossible(f"minutes = {minutes:g}: must be above 0, at most {MAX_SILENCE_MIN:g}")
    if alarm.state is not AlarmState.UNACKNOWLEDGED:
        raise NotPossible(f"{_as_it_is(alarm)}: it makes no sound")
    return _done(alarm, replace(alarm, silenced_until=later(at, 60 * minutes)), at, who, Change.SILENCED)


def shelve(alarm: Alarm, minutes: float, who: str, at: Instant, reason: str = "") -> AlarmTransition:
    """Set aside until a time; also an alarm that is normal, before a cleaning. Whoever shelves it has seen it."""
    most = longest_shelving_min(alarm)
    if not 0 < minutes <= most:
        why = " (of high priority and about the goods)" if most < MAX_SHELVE_MIN else ""
        raise NotPossible(f"minutes = {minutes:g}: must be above 0, at most {most:g} for {alarm.name}{why}")
    if alarm.state is AlarmState.OUT_OF_SERVICE:
        raise NotPossible(f"{_as_it_is(alarm)}: put it back in service first")
    after = replace(_hidden(alarm, who, at), state=AlarmState.SHELVED, shelved_until=later(at, 60 * minutes))
    return _done(alarm, after, at, who, Change.SHELVED, reason)


def longest_shelving_min(alarm: Alarm) -> float:
    is_food = alarm.needs_acknowledgement and alarm.priority is Priority.HIGH
    return MAX_SHELVE_FOOD_MIN if is_food else MAX_SHELVE_MIN


def unshelve(alarm: Alarm, who: str, at: Instant) -> AlarmTransition:
    if alarm.state is not AlarmState.SHELVED:
        raise NotPossible(f"{_as_it_is(alarm)}, and not shelved")
    return _shown(alarm, at, who, Change.UNSHELVED)


def out_of_service(alarm: Alarm, who: str, at: Instant, reason: str) -> AlarmTransition:
    """Without an end, so never without a reason: a room that stands empty, a sensor on its way to be repaired."""
    if alarm.state is AlarmState.OUT_OF_SERVICE:
        raise NotPossible(f"{_as_it_is(alarm)} already, {_by(alarm)}")
    after = replace(_hidden(alarm, who, at), state=AlarmState.OUT_OF_SERVICE, shelved_until=None)
    return _done(alarm, after, at, who, Change.OUT_OF_SERVICE, _words("reason", reason))


def in_service(alarm: Alarm, who: str, at: Instant) -> AlarmTransition:
    if alarm.state is not AlarmState.OUT_OF_SERVICE:
        raise NotPossible(f"{_as_it_is(alarm)}, and not out of service")
    return _shown(alarm, at, who, Change.IN_SERVICE)


def correct(alarm: Alarm, action: str, who: str, at: Instant) -> AlarmTransition:
    """What was done about it. An alarm that is over and acknowledged ends with it."""
    if alarm.state is AlarmState.NORMAL:
        raise NotPossible(f"{_as_it_is(alarm)}: it asks for no corrective action")
    words = _words("action", action)
    after = replace(alarm, asks_correction=False, corrective_action=words)
    if alarm.state is AlarmState.ACKNOWLEDGED and not alarm.is_active:
        after = replace(after, state=AlarmState.NORMAL)
    return _done(alarm, after, at, who, Change.CORRECTED, words)


def _hidden(alarm: Alarm, who: str, at: Instant) -> Alarm:
    """Of one that is normal what was done belongs to its last time, and must not count for this one."""
    if alarm.state is AlarmState.NORMAL:
        return replace(alarm, who=who, acknowledged=at, corrective_action="")
    return replace(alarm, who=who, acknowledged=alarm.acknowledged or at, silenced_until=None)


def never_raised(condition: Condition, at: Instant) -> Alarm:
    """The alarm of a condition that never held yet, to be shelved or taken out of service."""
    return _unheard_of(condition, at)


# --- the transition -------------------------------------------------------------------------------------------------


def _moved(before: Alarm, after: Alarm, now: Instant, who: str, change: Change, reason: str = "") -> AlarmTransition:
    """A change of the agent's own, or to a state of the agent's choice: the next one is a minute away."""
    raised = tuple(each for each in after.raised if _is_counted(each, now))[-MOST_COUNTED:]
    after = replace(after, at=now, moved=now, raised=raised)
    return AlarmTransition(before.state, after, who, change, reason)


def _done(before: Alarm, after: Alarm, at: Instant, who: str, change: Change, reason: str = "") -> AlarmTransition:
    raised = tuple(each for each in after.raised if _is_counted(each, at))
    return AlarmTransition(before.state, replace(after, at=at, raised=raised), who, change, reason)


def _is_counted(raised: Instant, now: Instant) -> bool:
    """Within 24 h. Of an earlier boot only if its time was known; while ours is not, all of those."""
    if raised.boot == now.boot:
        return raised.age_s(now) <= COUNTED_S
    if not are_right(raised):
        return False
    return not are_right(now) or 0 <= wall_s(raised, now) <= COUNTED_S


def _unheard_of(condition: Condition, at: Instant) -> Alarm:
    return Alarm(
        name=condition.name,
        priority=condition.priority,
        state=AlarmState.NORMAL,
        at=at,
        since=at,
        message=condition.message,
        action=condition.action,
        place=condition.place,
        is_active=False,
        needs_acknowledgement=condition.needs_acknowledgement,
    )


def _words(key: str, text: str) -> str:
    said = " ".join(text.split())
    if not 1 <= len(said) <= MAX_REASON_CHARS:
        raise NotPossible(f"{key} of {len(said)} characters: must be 1 to {MAX_REASON_CHARS}, in words")
    return said


def _as_it_is(alarm: Alarm) -> str:
    if alarm.state is AlarmState.SHELVED and alarm.shelved_until is not None:
        return f"{alarm.name} is shelved until {alarm.shelved_until.rfc3339()}, {_by(alarm)}"
    return f"{alarm.name} is {alarm.state.value}"


def _by(alarm: Alarm) -> str:
    return f"by {alarm.who or 'somebody'} at {(alarm.acknowledged or alarm.at).rfc3339()}"
