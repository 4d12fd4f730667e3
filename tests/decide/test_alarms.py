"""Alarms in whole cycles: what people ask, what is answered, what is logged; and random lives of many alarms."""

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.alerts import flood, life
from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.condition import Condition
from edge_agent.decide import Decision, Gathered, Memory, Plan, decide
from edge_agent.decide.alarms import acknowledge_all, silence_all
from edge_agent.decide.authority import CommandSettings
from edge_agent.decide.memory import changed_rows, from_rows, to_rows
from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Change, Priority
from edge_agent.domain.annunciation import Light, Press
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.record import RecordKind

WALL_MS = 1_790_000_000_000
PLAN = Plan(sensors={}, commands=CommandSettings(signatures="off"))
WARM = "cold-room-temperature-high"


def at(seconds: float, boot: str = "boot") -> Instant:
    return Instant(round(seconds * 1000), WALL_MS + round(seconds * 1000), boot)


def warm(holds: bool = True, *, asks: bool = True) -> Condition:
    return Condition(
        *(WARM, holds, Priority.MEDIUM, "Cold room above 8 °C", "Check the door"),
        **{"place": "cold-room", "value": 8.6, "limit": 8.0, "unit": "°C"},
        needs_acknowledgement=True,
        asks_correction=asks,
    )


def command(verb: str, source: str = "cli", **arguments: object) -> Command:
    return Command(f"id-{verb}", verb, arguments, source, at(0))


def cycle(memory: Memory, seconds: float, *conditions: Condition, asked: tuple[Command, ...] = ()) -> Decision:
    return decide(memory, PLAN, Gathered(at(seconds), (), asked, conditions))


def standing(*conditions: Condition) -> Memory:
    return cycle(Memory(), 0, *(conditions or (warm(),))).memory


def test_a_life_from_the_raise_to_the_corrective_action_with_who_and_when():
    memory, log = Memory(), []
    steps = [
        (0, warm(), ()),
        (70, warm(), (command("acknowledge", "mqtt", alarm=WARM, who="desk"),)),
        (140, warm(False), ()),
        (200, warm(False), (command("correct", alarm=WARM, action="Moved to the freezer", who="ann"),)),
    ]
    records = []
    for seconds, condition, asked in steps:
        decision = cycle(memory, seconds, condition, asked=asked)
        memory = decision.memory
        log += [(t.alarm.at.mono_ms // 1000, t.change.value, t.alarm.state.value, t.who) for t in decision.transitions]
        records += decision.records
        assert decision.is_critical
    assert log == [
        (0, "raised", "unacknowledged", "agent"),
        (70, "acknowledged", "acknowledged", "mqtt:desk"),
        (140, "returned", "acknowledged", "agent"),
        (200, "corrected", "normal", "cli:ann"),
    ]
    assert [line.kind for line in records] == [RecordKind.ALARM] * 3 + [RecordKind.CORRECTIVE_ACTION]
    assert {line.place for line in records} == {"cold-room"}
    assert records[-1].body["reason"] == "Moved to the freezer"
    assert (records[0].body["value"], records[0].body["limit"], records[0].body["unit"]) == (8.6, 8.0, "°C")
    json.dumps([line.body for line in records])


def test_what_a_person_asks_for_is_done_before_anything_new_is_seen():
    """Or it would acknowledge an alarm nobody has seen yet."""
    decision = cycle(Memory(), 0, warm(), asked=(command("acknowledge", alarm="all"),))
    assert decision.results[0].code is ResultCode.INVALID
    assert decision.memory.alarms[WARM].state is AlarmState.UNACKNOWLEDGED


def test_a_condition_that_is_not_given_leaves_its_alarm_as_it_is():
    decision = cycle(standing(), 300)
    assert decision.transitions == []
    assert decision.memory.alarms[WARM].state is AlarmState.UNACKNOWLEDGED


def test_a_quiet_cycle_writes_nothing():
    memory = standing()
    assert changed_rows(memory, cycle(memory, 1, warm()).memory) == {}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (command("acknowledge"), "alarm = None: must be the name of an alarm"),
        (command("acknowledge", alarm=["x"]), "alarm = ['x']: must be the name of an alarm"),
        (command("acknowledge", alarm="cold-room-temperature-hih"), f"no such alarm (did you mean {WARM}?)"),
        (command("acknowledge", alarm="nothing"), f"there is no such alarm; now stand {WARM}"),
        (command("acknowledge", alarm="storage"), "it is normal, and never was anything else"),
        (command("acknowledge", alarm="ended"), "ended is normal: nothing to acknowledge"),
        (command("silence", alarm="ended"), "ended is normal: it makes no sound"),
        (command("silence", alarm=WARM, minutes=31), "minutes = 31: must be above 0, at most 30"),
        (command("silence", alarm=WARM, minutes="a"), "minutes = 'a': must be a number"),
        (command("shelve", alarm=WARM), f"minutes is missing: an alarm is shelved with an end, {WARM} for 480 min"),
        (command("shelve", alarm=WARM, minutes=None), "minutes is missing"),
        (command("shelve", alarm=WARM, minutes=481), "minutes = 481: must be above 0, at most 480"),
        (command("shelve", alarm=WARM, minutes=0), "minutes = 0: must be above 0"),
        (command("shelve", alarm=WARM, minutes=True), "minutes = True: must be a number"),
        (command("shelve", alarm=WARM, minutes=10, reason=5), "reason = 5: must be 1 to 500 characters"),
        (command("shelve", alarm="all", minutes=10), "alarm = 'all': there is no such alarm"),
        (command("unshelve", alarm=WARM), f"{WARM} is unacknowledged, and not shelved"),
        (command("out-of-service", alarm=WARM), "reason = '': must be 1 to 500 characters, in words"),
        (command("in-service", alarm=WARM), f"{WARM} is unacknowledged, and not out of service"),
        (command("correct", alarm=WARM), "action = '': must be 1 to 500 characters, in words"),
        (command("correct", alarm="ended", action="x"), "ended is normal: it asks for no corrective action"),
        (command("acknowledge", alarm=WARM, who="a\n"), "who = 'a\\n': must be up to 64 printable characters"),
        (command("acknowledge", alarm=WARM, who=7), "who = 7"),
    ],
)
def test_what_cannot_be_done_to_an_alarm_is_answered_in_words_and_changes_nothing(asked, words):
    ended = Condition("ended", True, Priority.LOW, "what", "do")
    storage = Condition("storage", False, Priority.HIGH, "what", "do")
    memory = cycle(standing(warm(), ended, storage), 100, warm(), replace(ended, holds=False), storage).memory
    decision = cycle(memory, 101, warm(), storage, asked=(asked,))
    assert decision.results[0].code is ResultCode.INVALID
    assert words in decision.results[0].message
    assert decision.transitions == []
    assert decision.memory.alarms == memory.alarms


@pytest.mark.parametrize(
    ("asked", "state", "detail"),
    [
        (command("acknowledge", alarm=WARM, who="ann"), "acknowledged", {"who": "cli:ann", "until": None}),
        (command("acknowledge", "mqtt", alarm="all"), "acknowledged", {"who": "mqtt"}),
        (command("silence", alarm=WARM), "unacknowledged", {"until": at(601).rfc3339()}),
        (command("silence", alarm="all", minutes=1), "unacknowledged", {"until": at(61).rfc3339()}),
        (command("shelve", alarm=WARM, minutes=480), "shelved", {"until": at(28_801).rfc3339()}),
        (command("out-of-service", alarm=WARM, reason="empty"), "out-of-service", {}),
    ],
)
def test_what_is_done_is_answered_with_the_state_and_the_end(asked, state, detail):
    decision = cycle(standing(), 1, warm(), asked=(asked,))
    (result,) = decision.results
    assert (result.code, result.message) == (ResultCode.DONE, f"{WARM} is {state}")
    assert result.detail["alarms"] == {WARM: state}
    assert {key: result.detail[key] for key in detail} == detail
    json.dumps(dict(result.detail))


def test_an_alarm_that_never_was_is_shelved_beforehand():
    memory = cycle(Memory(), 0, warm(False)).memory
    decision = cycle(memory, 1, warm(False), asked=(command("shelve", alarm=WARM, minutes=60, reason="cleaning"),))
    assert decision.results[0].code is ResultCode.DONE
    hidden = cycle(decision.memory, 100, warm())
    assert [(t.change, t.alarm.state) for t in hidden.transitions] == [(Change.RAISED, AlarmState.SHELVED)]
    back = cycle(hidden.memory, 3700, warm())
    assert [(t.change, t.alarm.state) for t in back.transitions] == [(Change.UNSHELVED, AlarmState.UNACKNOWLEDGED)]


def test_a_condition_that_comes_and_goes_does_not_put_off_the_end_of_a_shelving():
    memory = cycle(standing(), 1, warm(), asked=(command("shelve", alarm=WARM, minutes=10),)).memory
    shown = []
    for minute in range(1, 13):
        decision = cycle(memory, 60 * minute + 1, warm(minute % 2 == 0))
        memory = decision.memory
        shown += [60 * minute + 1 for found in decision.transitions if found.change is Change.UNSHELVED]
    assert shown == [601]


def test_the_button_acknowledges_and_silences_what_there_is():
    storage = Condition("storage", True, Priority.HIGH, "what", "do")
    alarms = standing(warm(), storage).alarms
    assert [t.alarm.silenced_until for t in silence_all(alarms, AlarmSettings(), "button", at(5))] == [at(605)] * 2
    acts = acknowledge_all(alarms, "button", at(5))
    assert {(t.alarm.name, t.alarm.state, t.who) for t in acts} == {
        (WARM, AlarmState.ACKNOWLEDGED, "button"),
        ("storage", AlarmState.ACKNOWLEDGED, "button"),
    }
    after = {t.alarm.name: t.alarm for t in acts}
    assert acknowledge_all(after, "button", at(6)) == silence_all(after, AlarmSettings(), "button", at(6)) == []


def test_a_flood_is_one_alarm_for_all_of_them():
    many = [Condition(f"sensor-{n}", True, Priority.MEDIUM, "what", "do") for n in range(11)]
    decision = cycle(Memory(), 0, *many)
    assert [t.alarm.name for t in decision.transitions][-1] == flood.NAME
    assert len(decision.transitions) == 12, "the single ones are logged"
    assert decision.annunciation.pulses == 5, "the flood's own sound"
    seen = cycle(decision.memory, 1, *many, asked=(command("acknowledge", alarm=flood.NAME),))
    assert (seen.annunciation.pulses, seen.annunciation.light) == (0, Light.FLASHING)
    fresh = cycle(seen.memory, 2, *many, replace(warm(), priority=Priority.HIGH))
    assert fresh.annunciation.pulses == 5, "what comes after it was seen is heard by itself"
    later = cycle(decision.memory, 601, *many)
    assert [(t.alarm.name, t.alarm.state) for t in later.transitions] == [(flood.NAME, AlarmState.NORMAL)]


def test_alarms_come_back_from_their_rows_with_all_of_their_life():
    memory = standing()
    for verb, more in [("silence", {}), ("shelve", {"minutes": 60}), ("correct", {"action": "Moved"})]:
        memory = cycle(memory, 1, warm(), asked=(command(verb, alarm=WARM, **more),)).memory
    found = from_rows(to_rows(memory)).alarms
    assert found == memory.alarms
    assert found[WARM].shelved_until == at(3601)


@pytest.mark.parametrize(("state", "is_active"), [("unacknowledged", True), ("normal", False)])
def test_an_alarm_row_of_the_version_before_still_loads_and_goes_on(state, is_active):
    row = {
        **{"name": "storage", "priority": "high", "state": state, "message": "The card is full", "action": "Free"},
        **{"at": {"mono_ms": 5, "wall_ms": 6, "boot": "old", "clock": "synced"}, "evidence": "0 MB"},
        "since": {"mono_ms": 5, "wall_ms": 6, "boot": "old", "clock": "unsynced"},
    }
    alarm = from_rows({"alarm/storage": json.dumps(row).encode()}).alarms["storage"]
    assert (alarm.is_active, alarm.raised, alarm.moved) == (is_active, (), None)
    memory = replace(Memory(), alarms={"storage": alarm})
    decision = cycle(memory, 0, Condition("storage", not is_active, Priority.HIGH, "what", "do"))
    assert [t.alarm.is_active for t in decision.transitions] == [not is_active]


def test_a_condition_that_comes_and_goes_while_its_alarm_stands_is_kept_on_the_disk_and_told_to_nobody():
    memory = Memory()
    for seconds, holds in [(0, True), (60, False), (120, True), (200, False)]:
        decision = cycle(memory, seconds, replace(warm(holds), swings=True))
        before, memory = memory, decision.memory
    assert decision.transitions == []
    assert memory.alarms[WARM].calm_since == at(200)
    assert from_rows(changed_rows(before, memory)).alarms == memory.alarms
    assert changed_rows(memory, cycle(memory, 201, replace(warm(False), swings=True)).memory) == {}
    assert cycle(memory, 260 + 3600, replace(warm(False), swings=True)).transitions[0].change is Change.RETURNED


# --- random lives ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Truth:
    """What we did to one alarm, by itself, for the judgement of what became of it."""

    holds: bool = False
    held_since_ms: int | None = None  # of this boot
    over_since_ms: int | None = None
    was_told: int = 0  # times it was raised


NAMES = {
    WARM: (Priority.MEDIUM, True, True),
    "cold-room-food-safety": (Priority.HIGH, True, False),
    "sensor-cold-room": (Priority.MEDIUM, False, False),
}
LEGAL = {
    (AlarmState.NORMAL, Change.RAISED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.NORMAL, Change.SHELVED): {AlarmState.SHELVED},
    (AlarmState.NORMAL, Change.OUT_OF_SERVICE): {AlarmState.OUT_OF_SERVICE},
    (AlarmState.UNACKNOWLEDGED, Change.ACKNOWLEDGED): {AlarmState.ACKNOWLEDGED},
    (AlarmState.UNACKNOWLEDGED, Change.RETURNED): {AlarmState.NORMAL, AlarmState.RETURNED_UNACKNOWLEDGED},
    (AlarmState.UNACKNOWLEDGED, Change.SILENCED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.UNACKNOWLEDGED, Change.ESCALATED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.UNACKNOWLEDGED, Change.CORRECTED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.ACKNOWLEDGED, Change.RETURNED): {AlarmState.NORMAL, AlarmState.ACKNOWLEDGED},
    (AlarmState.ACKNOWLEDGED, Change.RAISED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.ACKNOWLEDGED, Change.REALARMED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.ACKNOWLEDGED, Change.CORRECTED): {AlarmState.ACKNOWLEDGED, AlarmState.NORMAL},
    (AlarmState.RETURNED_UNACKNOWLEDGED, Change.RAISED): {AlarmState.UNACKNOWLEDGED},
    (AlarmState.RETURNED_UNACKNOWLEDGED, Change.ACKNOWLEDGED): {AlarmState.NORMAL, AlarmState.ACKNOWLEDGED},
    (AlarmState.RETURNED_UNACKNOWLEDGED, Change.CORRECTED): {AlarmState.RETURNED_UNACKNOWLEDGED},
} | {
    (state, change): after
    for state in AlarmState
    for change, after in {
        Change.SHELVED: {AlarmState.SHELVED},
        Change.OUT_OF_SERVICE: {AlarmState.OUT_OF_SERVICE},
    }.items()
    if state is not AlarmState.OUT_OF_SERVICE
}
WAITING = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)
SHOWN = {
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED_UNACKNOWLEDGED,
}
for hidden, change in ((AlarmState.SHELVED, Change.UNSHELVED), (AlarmState.OUT_OF_SERVICE, Change.IN_SERVICE)):
    LEGAL[hidden, change] = SHOWN
    for stays in (Change.RAISED, Change.RETURNED, Change.CORRECTED):
        LEGAL[hidden, stays] = {hidden}


class Lives(RuleBasedStateMachine):
    """Readings, commands, presses, waiting and power cuts in any order; the agent writes its rows at each change."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.rows: dict[str, bytes] = {}
        self.mono_ms, self.wall_ms = 0, WALL_MS
        self.boot, self.boots, self.clock = "boot-0", 0, ClockState.SYNCED
        self.truth = {name: Truth() for name in NAMES}
        self.own: dict[str, Instant] = {}  # of the agent's last own transition
        self.seen: set[str] = set()  # since it was raised last

    def now(self) -> Instant:
        return Instant(self.mono_ms, self.wall_ms, self.boot, self.clock)

    def run(self, *asked: Command, presses: tuple[Press, ...] = ()) -> Decision:
        conditions = [
            Condition(
                *(name, self.truth[name].holds, priority, "what", "do"),
                needs_acknowledgement=is_goods,
                asks_correction=asks,
                swings=name == WARM,
            )
            for name, (priority, is_goods, asks) in NAMES.items()
        ]
        decision = decide(self.memory, PLAN, Gathered(self.now(), (), asked, conditions, presses))
        for transition in decision.transitions:
            self.judge(transition)
        self.rows |= changed_rows(self.memory, decision.memory)
        self.memory = decision.memory
        return decision

    def judge(self, found: AlarmTransition) -> None:
        name = found.alarm.name
        assert found.alarm.state in LEGAL[found.before, found.change], (found.before, found.change, found.alarm.state)
        if found.who == life.AGENT:
            last = self.own.get(name)
            assert last is None or last.age_s(self.now()) >= 60, "no chatter"
            self.own[name] = self.now()
        if name == flood.NAME:
            return
        if found.change is Change.RAISED:
            self.truth[name].was_told += 1
            self.seen.discard(name)
        if found.change in (Change.ACKNOWLEDGED, Change.SHELVED, Change.OUT_OF_SERVICE):
            self.seen.add(name)
        if found.change is Change.SHELVED:
            assert found.alarm.shelved_until is not None

    # --- what happens ---

    @initialize()
    def begin(self) -> None:
        self.run()

    @rule(name=st.sampled_from(sorted(NAMES)), holds=st.booleans())
    def reading(self, name: str, holds: bool) -> None:
        truth = self.truth[name]
        if truth.holds is not holds:
            truth.holds, truth.held_since_ms = holds, self.mono_ms if holds else None
            truth.over_since_ms = None if holds else self.mono_ms
        self.run()

    @rule(seconds=st.sampled_from([1, 59, 60, 61, 600, 3600, 9 * 3600]))
    def wait(self, seconds: int) -> None:
        """Cycles are a second apart: a minute before the end is one too, as a transition keeps the next waiting."""
        for part_s in (seconds - 60, 60) if seconds > 60 else (seconds,):
            self.mono_ms += 1000 * part_s
            self.wall_ms += 1000 * part_s
            self.run()

    @rule(
        verb=st.sampled_from(
            ["acknowledge", "silence", "shelve", "unshelve", "out-of-service", "in-service", "correct"]
        ),
        name=st.sampled_from([*sorted(NAMES), *sorted(NAMES), "all", "nobody"]),
        minutes=st.sampled_from([10, 30, 480]),
    )
    def ask(self, verb: str, name: str, minutes: int) -> None:
        before = self.memory.alarms.get(name)
        asked = Command(
            *("c", verb, {"alarm": name, "minutes": minutes, "reason": "why", "action": "what", "who": "ann"}, "mqtt"),
            self.now(),
        )
        decision = self.run(asked)
        (result,) = decision.results
        assert result.message
        if result.code is ResultCode.DONE:
            assert any(found.who == "mqtt:ann" and found.alarm.at == self.now() for found in decision.transitions)
        elif before is not None and before.state is AlarmState.UNACKNOWLEDGED:
            assert verb in ("unshelve", "in-service") or (verb in ("shelve", "silence") and minutes > 30)

    @rule(held_s=st.sampled_from([0.2, 4.0, 30.0]))
    def press(self, held_s: float) -> None:
        """At most what stood before is seen by it."""
        waiting = {alarm.name for alarm in self.memory.alarms.values() if alarm.state in WAITING}
        decision = self.run(presses=(Press(self.now(), held_s),))
        by_button = [found for found in decision.transitions if found.who == "button"]
        assert {found.alarm.name for found in by_button} <= waiting
        if held_s == 0.2:
            assert {found.alarm.name for found in by_button if found.change is Change.ACKNOWLEDGED} == waiting

    @rule(off_s=st.integers(1, 100_000), is_synced=st.booleans())
    def power_cut(self, off_s: int, is_synced: bool) -> None:
        self.boots += 1
        self.boot, self.mono_ms = f"boot-{self.boots}", 0
        self.wall_ms += 1000 * off_s
        self.clock = ClockState.SYNCED if is_synced else ClockState.UNSYNCED
        restored = from_rows(self.rows)
        assert restored.alarms == self.memory.alarms, "nothing is forgotten"
        self.memory = replace(Memory(), alarms=restored.alarms)
        for truth in self.truth.values():
            truth.held_since_ms = 0 if truth.holds else None
            truth.over_since_ms = None if truth.holds else 0
        self.run()

    @precondition(lambda self: self.clock is ClockState.UNSYNCED)
    @rule()
    def synchronise(self) -> None:
        self.clock = ClockState.SYNCED
        self.run()

    # --- what always holds ---

    @invariant()
    def no_alarm_is_lost(self) -> None:
        for name, truth in self.truth.items():
            alarm = self.memory.alarms.get(name)
            if truth.held_since_ms is not None and self.mono_ms - truth.held_since_ms >= 60_000:
                assert alarm is not None
                assert alarm.is_active
                assert alarm.state not in (AlarmState.NORMAL, AlarmState.RETURNED_UNACKNOWLEDGED)

    @invariant()
    def what_is_over_for_a_shift_is_over(self) -> None:
        for name, truth in self.truth.items():
            alarm = self.memory.alarms.get(name)
            if truth.over_since_ms is not None and self.mono_ms - truth.over_since_ms >= 8 * 3_600_000 + 60_000:
                assert alarm is None or not alarm.is_active

    @invariant()
    def what_nobody_saw_stands(self) -> None:
        for name, (_, needs_acknowledgement, _) in NAMES.items():
            if needs_acknowledgement and self.truth[name].was_told and name not in self.seen:
                assert self.memory.alarms[name].state is not AlarmState.NORMAL

    @invariant()
    def states_are_whole(self) -> None:
        for alarm in self.memory.alarms.values():
            self.look_at(alarm)

    def look_at(self, alarm: Alarm) -> None:
        assert (alarm.shelved_until is not None) == (alarm.state is AlarmState.SHELVED)
        assert len(alarm.raised) <= life.MOST_COUNTED
        if not alarm.is_active:
            assert (alarm.calm_since, alarm.back_since) == (None, None)
        if alarm.state is AlarmState.NORMAL:
            assert not alarm.is_active
            assert not alarm.asks_correction
        if alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED:
            assert not alarm.is_active
        if alarm.state is AlarmState.UNACKNOWLEDGED:
            assert alarm.is_active
            assert alarm.acknowledged is None
        if alarm.state is AlarmState.ACKNOWLEDGED:
            assert alarm.acknowledged is not None
            assert alarm.is_active or alarm.asks_correction
        if life.is_silenced(alarm, self.now()):
            assert alarm.state is AlarmState.UNACKNOWLEDGED
            assert alarm.silenced_until is not None
            assert alarm.silenced_until.mono_ms - self.mono_ms <= 30 * 60_000

    @invariant()
    def no_shelving_outlasts_a_shift(self) -> None:
        for alarm in self.memory.alarms.values():
            until = alarm.shelved_until
            if until is not None and until.boot == self.boot:
                assert self.mono_ms < until.mono_ms + 60_000, "a minute for a transition just before"
            elif until is not None:
                assert self.mono_ms < 8 * 3_600_000 + 60_000


TestLives = Lives.TestCase
TestLives.settings = hypothesis_settings(max_examples=100, stateful_step_count=50, deadline=None)
