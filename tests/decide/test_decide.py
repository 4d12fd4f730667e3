"""Whole cycles on plain values: no clock, no file, no broker."""

import json
from dataclasses import asdict, replace

import pytest

from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.decide import Decision, Gathered, Identify, Memory, Plan, Reload, Resend, SensorPlan, decide
from edge_agent.decide.memory import changed_rows, from_rows, kept_with, mirrored_rows, pressing_rows, to_rows
from edge_agent.decide.shelves import surroundings
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Stream
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.stock import EventKind
from edge_agent.weighing.nouns import Surroundings
from edge_agent.weighing.settings import CellSettings, ShelfSettings

SHELF = ShelfSettings("shelf-1", (CellSettings("scale-1", 0, 100.0),), capacity_g=10_000, product="8711000123")
PLAN = Plan(
    sensors={"scale-1": SensorPlan(0.1, 1.0), "cold-room": SensorPlan(1.0, 60.0)},
    shelves=(SHELF,),
)
RESTED_S = 8.0


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def load(seconds: float, grams: float | None, point: str = "scale-1") -> Sample:
    value, quality, fault = (grams * 100, Quality.GOOD, None) if grams is not None else (None, Quality.BAD, "saturated")
    return Sample(point, at(seconds), (Reading(Channel(point, "counts"), value, at(seconds), quality, fault),))


def climate(seconds: float, temperature_c: float | None) -> Sample:
    quality, fault = (Quality.GOOD, None) if temperature_c is not None else (Quality.BAD, "checksum")
    reading = Reading(Channel("cold-room", "temperature"), temperature_c, at(seconds), quality, fault)
    return Sample("cold-room", at(seconds), (reading,))


def command(verb: str, received_s: float = 0.0, expires_s: float | None = None, **arguments: object) -> Command:
    return Command(f"id-{verb}", verb, arguments, "test", at(received_s), expires_s)


def weighed(grams: float | None, memory: Memory, start_s: float, seconds: float = 1.0) -> Decision:
    """One cycle on what the shelf said since ``start_s``, ten times a second, with a little noise."""
    count = round(10 * seconds)
    samples = [
        load(start_s + n / 10, None if grams is None else grams + 0.2 * (-1) ** n * (n % 3)) for n in range(count)
    ]
    return decide(memory, PLAN, Gathered(at(start_s + seconds), samples))


def grams(value: float) -> object:
    return pytest.approx(value, abs=0.1)


def rested(grams: float, memory: Memory | None = None, start_s: float = 0.0) -> Memory:
    """The memory after the shelf has lain still for a while."""
    return weighed(grams, memory or Memory(), start_s, RESTED_S).memory


def asked(memory: Memory, *commands: Command, seconds: float = RESTED_S + 0.1) -> Decision:
    return decide(memory, PLAN, Gathered(at(seconds), (), commands))


def test_counts_become_gross_and_net_of_the_shelf():
    decision = decide(Memory(), PLAN, Gathered(at(0), [load(0, 1200.0)]))
    assert [sample.point for sample in decision.samples] == ["scale-1", "shelf-1"]
    assert {r.channel.name: r.value for r in decision.samples[1].readings} == {
        "shelf-1/gross": 1200.0,
        "shelf-1/net": 1200.0,
    }


def test_a_saturated_cell_gives_a_bad_shelf_and_never_a_number():
    decision = decide(Memory(), PLAN, Gathered(at(0), [load(0, None)]))
    assert {(r.value, r.quality) for s in decision.samples for r in s.readings} == {(None, Quality.BAD)}
    assert {s.readings[0].fault for s in decision.samples} == {"saturated", "scale-1: saturated"}
    assert (decision.stocks[0].balance.net_g, decision.stocks[0].fault) == (None, "scale-1: saturated")


def test_a_tare_sets_the_container_aside_and_writes_a_line_of_the_ledger():
    decision = asked(rested(350.0), command("tare", shelf="shelf-1"))
    assert decision.results[0].code is ResultCode.DONE
    assert decision.results[0].detail["net_g"] == grams(0)
    event = decision.events[0]
    assert (event.kind, event.before.net_g, event.after.net_g, event.delta_g) == (
        EventKind.TARE, grams(350), grams(0), grams(-350),
    )  # fmt: skip
    assert decision.stocks[0].tare_g == grams(350)
    assert decision.is_critical


def test_a_tare_of_a_known_container_needs_no_empty_one():
    decision = asked(rested(1350.0), command("tare", shelf="shelf-1", tare_g=350))
    assert decision.results[0].detail["net_g"] == grams(1000)


def test_zero_corrects_the_gross_and_the_net():
    decision = asked(rested(40.0), command("zero", shelf="shelf-1"))
    assert decision.results[0].detail == {
        "shelf": "shelf-1", "gross_g": grams(0), "tare_g": 0.0, "net_g": grams(0), "zero_g": grams(40), "units": None,
    }  # fmt: skip
    later = weighed(40.0, decision.memory, RESTED_S + 0.2)
    assert later.samples[-1].readings[0].value == grams(0)


def test_a_pick_is_a_line_of_the_ledger_with_the_balance_before_and_after():
    memory = rested(1200.0)
    events, stocks = [], []
    for second in range(6):
        decision = weighed(1000.0, memory, RESTED_S + second)
        memory = decision.memory
        events += decision.events
        stocks += [stock for stock in decision.stocks if decision.events]
    (event,) = events
    assert (event.kind, event.shelf, event.product) == (EventKind.PICK, "shelf-1", "8711000123")
    assert (event.before.net_g, event.after.net_g, event.delta_g) == (grams(1200), grams(1000), grams(-200))
    assert 0 < event.u_g < 2
    assert stocks[0].balance == event.after
    assert memory.stocks["shelf-1"].gross_g == grams(1000)


def test_pieces_are_counted_on_from_a_count():
    memory = asked(rested(1200.0), command("count", shelf="shelf-1", units=12)).memory
    assert memory.stocks["shelf-1"].balance.units == 12
    moved = [weighed(1000.0, memory, RESTED_S + 0.2, 6.0)]
    (event,) = moved[0].events
    assert (event.delta_units, event.after.units) == (-2, 10)
    assert event.confidence >= 0.99


def test_what_was_taken_here_and_put_there_is_told_as_a_move():
    shelves = (SHELF, replace(SHELF, name="shelf-2", cells=(CellSettings("scale-2", 0, 100.0),)))
    plan = Plan({"scale-1": SensorPlan(0.1, 1.0), "scale-2": SensorPlan(0.1, 1.0)}, shelves)
    memory, told = Memory(), []
    for second in range(40):
        here = 1200.0 if second < 10 else 1000.0
        there = 500.0 if second < 20 else 700.0
        samples = [
            load(second + n / 10, grams + 0.2 * (-1) ** n, point)
            for n in range(10)
            for point, grams in (("scale-1", here), ("scale-2", there))
        ]
        decision = decide(memory, plan, Gathered(at(second + 1), samples))
        memory = decision.memory
        told += [(event.kind, event.shelf, event.delta_g, event.counterpart) for event in decision.events]
    assert told == [
        (EventKind.PICK, "shelf-1", grams(-200), None),
        (EventKind.MOVE, "shelf-2", grams(200), "shelf-1"),
    ]


def test_a_scale_that_cannot_be_trusted_is_an_alarm_with_its_evidence_and_no_stock():
    memory, transitions, events = rested(1200.0), [], []
    for second in range(8):
        decision = weighed(11_000.0, memory, RESTED_S + second)  # of 10 kg
        memory = decision.memory
        transitions += decision.transitions
        events += decision.events
    (raised,) = transitions
    assert (raised.alarm.name, raised.alarm.state.value) == ("scale-shelf-1", "unacknowledged")
    assert "overload" in raised.alarm.evidence
    assert raised.alarm.action
    assert events == []
    assert (memory.stocks["shelf-1"].quality, memory.stocks["shelf-1"].balance.net_g) == (Quality.BAD, grams(1200))


def test_an_unplugged_cell_is_the_sensors_alarm_alone():
    memory, names = rested(1200.0), []
    for second in range(8):
        decision = weighed(None, memory, RESTED_S + second)
        memory = decision.memory
        names += [transition.alarm.name for transition in decision.transitions]
    assert names == ["sensor-scale-1"]


@pytest.mark.parametrize(
    ("said", "asked_at_s", "around"),
    [
        ({"door": 1.0, "cold-room": 4.5}, 2.0, Surroundings(True, 4.5)),
        ({"door": 0.0}, 2.0, Surroundings(False, None)),
        ({}, 2.0, Surroundings(None, None)),
        ({"door": 1.0, "cold-room": 4.5}, 30.0, Surroundings(None, 4.5)),  # a door that speaks every second, silent
    ],
)
def test_the_surroundings_of_a_shelf_are_what_its_sensors_said_lately(said, asked_at_s, around):
    shelf = replace(SHELF, door="door", temperature="cold-room")
    plan = Plan({"door": SensorPlan(1.0, 60.0), "cold-room": SensorPlan(10.0, 60.0)}, (shelf,))
    quantities = {"door": "open", "cold-room": "temperature"}
    sensors = {
        point: SensorHealth(
            at(0), last_good=Sample(point, at(0), (Reading(Channel(point, quantities[point]), value, at(0)),))
        )
        for point, value in said.items()
    }
    assert surroundings(shelf, plan, sensors, at(asked_at_s)) == around


@pytest.mark.parametrize(
    ("asked_for", "code", "words"),
    [
        (command("tare"), ResultCode.INVALID, "shelf = None: must be one of shelf-1"),
        (command("tare", shelf="shelf-9"), ResultCode.INVALID, "shelf = 'shelf-9'"),
        (command("tare", shelf="shelf-1", tare_g=-1), ResultCode.INVALID, "tare_g = -1: must be between 0 and 10000 g"),
        (command("tare", shelf="shelf-1", tare_g="a"), ResultCode.INVALID, "tare_g = 'a'"),
        (command("tare", shelf="shelf-1", tare_g=float("nan")), ResultCode.INVALID, "tare_g = nan"),
        (command("tare", shelf=["shelf-1"]), ResultCode.INVALID, "shelf = ['shelf-1']"),
        (command("zero", shelf="shelf-1"), ResultCode.INVALID, "at most 200 g"),
        (command("count", shelf="shelf-1"), ResultCode.INVALID, "units = None"),
        (command("count", shelf="shelf-1", units=-1), ResultCode.INVALID, "units = -1"),
        (command("count", shelf="shelf-1", units=True), ResultCode.INVALID, "units = True"),
        (command("count", shelf="shelf-1", units=1.5), ResultCode.INVALID, "units = 1.5"),
        (command("identify", seconds=0), ResultCode.INVALID, "seconds = 0: must be between 1 and 600 s"),
        (command("replay"), ResultCode.INVALID, "stream = None: must be one of telemetry"),
        (command("replay", stream="health", from_seq=1, to_seq=2), ResultCode.INVALID, "stream = 'health'"),
        (command("replay", stream="event", from_seq=2, to_seq=1), ResultCode.INVALID, "from_seq = 2"),
        (command("replay", stream="event", from_seq=0, to_seq=1), ResultCode.INVALID, "from_seq = 0"),
        (command("replay", stream="event", from_seq=1, to_seq=10**9), ResultCode.INVALID, "at most 1000000"),
        (command("selfdestruct"), ResultCode.UNSUPPORTED, "'selfdestruct' is none of acknowledge, calibrate"),
        (command("tare", expires_s=2.0, shelf="shelf-1"), ResultCode.EXPIRED, "valid for 2 s"),
    ],
)
def test_a_command_that_cannot_be_obeyed_changes_nothing_and_says_why(asked_for, code, words):
    memory = rested(1350.0)
    decision = asked(memory, asked_for)
    assert decision.results[0].code is code
    assert words in decision.results[0].message
    assert decision.memory.scales == memory.scales
    assert not decision.events


def test_a_moving_shelf_is_not_tared():
    memory = weighed(900.0, rested(350.0), RESTED_S).memory
    assert asked(memory, command("tare", shelf="shelf-1"), seconds=9.1).results[0].code is ResultCode.UNSTABLE


def test_a_scale_without_a_weight_cannot_be_tared():
    memory = weighed(None, rested(350.0), RESTED_S).memory
    assert asked(memory, command("tare", shelf="shelf-1"), seconds=9.1).results[0].code is ResultCode.HW_FAULT


def test_what_only_the_world_can_do_becomes_a_request():
    decision = asked(
        Memory(),
        command("identify", seconds=5),
        command("replay", stream="event", from_seq=3, to_seq=7),
        command("reload"),
    )
    identify, resend, reload = decision.requests
    assert isinstance(identify, Identify)
    assert identify.seconds == 5
    assert isinstance(resend, Resend)
    assert (resend.stream, resend.first, resend.last) == (Stream.EVENT, 3, 7)
    assert isinstance(reload, Reload)
    assert not decision.results


def test_telemetry_goes_out_at_its_own_interval_and_a_change_of_quality_at_once():
    memory, told = Memory(), []
    for second in range(150):
        decision = decide(
            memory, PLAN, Gathered(at(second), [climate(second, 4.0 if second not in (100, 101) else None)])
        )
        memory = decision.memory
        told += [sample.at.mono_ms // 1000 for sample in decision.samples]
    assert told == [0, 60, 100, 102]


def test_three_bad_samples_raise_the_sensors_alarm_and_a_good_one_returns_it():
    memory, states = Memory(), []
    for second in range(200):
        bad = 10 <= second < 100
        decision = decide(
            memory, PLAN, Gathered(at(second), [climate(second, None if bad else 4.0), load(second, 0.0)])
        )
        memory = decision.memory
        states += [(second, t.alarm.name, t.alarm.state.value) for t in decision.transitions]
    assert states == [(12, "sensor-cold-room", "unacknowledged"), (100, "sensor-cold-room", "normal")]


def test_a_quiet_cycle_changes_no_row_and_tells_no_stock_twice():
    memory = rested(500.0)
    decision = weighed(501.0, memory, RESTED_S)
    assert decision.stocks == []
    assert changed_rows(memory, decision.memory) == {}
    assert not decision.is_critical


def test_the_lasting_memory_comes_back_from_its_rows():
    memory = asked(rested(350.0), command("tare", shelf="shelf-1"), command("count", shelf="shelf-1", units=3)).memory
    for second in range(10, 15):
        memory = decide(memory, PLAN, Gathered(at(second), [climate(second, None)])).memory
    restored = from_rows(to_rows(memory))
    assert (restored.scales, restored.alarms) == (memory.scales, memory.alarms)
    assert memory.alarms
    assert memory.scales


def test_nothing_is_tared_by_a_restart():
    tared = asked(rested(350.0), command("tare", shelf="shelf-1")).memory
    restarted = replace(Memory(), scales=from_rows(to_rows(tared)).scales)
    decision = decide(restarted, PLAN, Gathered(at(0), [load(0, 1350.0)]))
    assert decision.samples[-1].readings[1].value == grams(1000)


def test_what_was_taken_while_nobody_looked_is_told_as_unexplained_and_not_as_a_pick():
    before = rested(1200.0)
    events, memory = [], replace(Memory(), scales=from_rows(to_rows(before)).scales)
    for second in range(300, 312):
        decision = weighed(1000.0, memory, second)
        memory = decision.memory
        events += decision.events
    (event,) = events
    assert (event.kind, event.delta_g, event.after.net_g) == (EventKind.UNEXPLAINED, grams(-200), grams(1000))
    assert event.evidence


def told_by(decision: Decision) -> set[str]:
    return {event.shelf for event in decision.events}


def test_the_first_rest_is_written_at_once():
    memory = rested(500.0)
    assert pressing_rows(Memory(), memory, ()).keys() == {"scale/shelf-1", "pieces/shelf-1"}


def test_a_reference_that_only_follows_the_scale_does_not_press_and_is_one_short_row():
    kept = memory = rested(500.0)
    for second in range(130):
        memory = replace(weighed(500.0 + second / 400, memory, RESTED_S + second).memory, alarms={})
    assert memory.scales["shelf-1"].reference_g != kept.scales["shelf-1"].reference_g
    assert pressing_rows(kept, memory, ()) == {}
    (key,) = changed_rows(kept, memory)
    assert key == "scale/shelf-1"
    kept = kept_with(kept, memory, [key])
    assert changed_rows(kept, memory) == {}


def test_the_row_of_a_shelf_with_an_event_goes_with_the_event_whatever_it_changed():
    """Goods sold by weight have no number of pieces that could change."""
    memory = rested(1200.0)
    for second in range(6):
        before, decision = memory, weighed(1000.0, memory, RESTED_S + second)
        memory = decision.memory
        if decision.events:
            break
    assert before.scales["shelf-1"].pieces == memory.scales["shelf-1"].pieces
    rows = pressing_rows(before, memory, told_by(decision))
    assert from_rows(rows).scales["shelf-1"].net_g == grams(1000)


@pytest.mark.parametrize(("verb", "arguments"), [("tare", {}), ("zero", {}), ("count", {"units": 3})])
def test_what_a_command_changed_goes_with_its_answer(verb, arguments):
    before = rested(40.0)
    decision = asked(before, command(verb, shelf="shelf-1", **arguments))
    rows = pressing_rows(before, decision.memory, told_by(decision))
    kept = from_rows(to_rows(before) | rows)
    assert kept.scales == decision.memory.scales


def test_a_row_with_the_pieces_inside_still_loads_and_is_written_as_two():
    memory = asked(rested(350.0), command("count", shelf="shelf-1", units=3)).memory
    state = memory.scales["shelf-1"]
    assert state.pieces.guesses
    row = json.dumps(asdict(state)).encode()
    found = from_rows({"scale/shelf-1": row})
    assert found.scales == memory.scales
    rows = changed_rows(Memory(), found)
    assert rows.keys() == {"scale/shelf-1", "pieces/shelf-1"}
    assert from_rows(rows).scales == memory.scales


def test_pieces_without_their_scale_say_nothing():
    memory = asked(rested(350.0), command("count", shelf="shelf-1", units=3)).memory
    assert from_rows({"pieces/shelf-1": to_rows(memory)["pieces/shelf-1"]}).scales == {}


def test_a_row_of_an_earlier_version_still_loads():
    row = b'{"tare_g":350.0,"zero_g":2.5,"units":12,"units_net_g":1200.0}'
    found = from_rows({"scale/shelf-1": row}).scales["shelf-1"]
    assert (found.tare_g, found.zero_g, found.reference_g) == (350.0, 2.5, None)


def test_tare_and_zero_go_into_the_mirror_when_they_change_and_the_balance_does_not():
    before = rested(350.0)
    tared = asked(before, command("tare", shelf="shelf-1")).memory
    assert mirrored_rows(Memory(), before) == {}
    kept = from_rows(mirrored_rows(before, tared)).scales["shelf-1"]
    assert (kept.tare_g, kept.net_g, kept.reference_g) == (grams(350), None, None)
    assert mirrored_rows(tared, weighed(350.0, tared, RESTED_S + 0.2).memory) == {}


@pytest.mark.parametrize(
    "rows",
    [
        {"scale/x": b"{"},
        {"scale/x": b'{"tare":1}'},
        {"pieces/x": b'{"guesses":3}'},
        {"alarm/x": b'{"name":"x"}'},
    ],
)
def test_a_memory_row_that_cannot_be_read_is_named(rows):
    with pytest.raises(ValueError, match=next(iter(rows))):
        from_rows(rows)
