"""Whole cycles on plain values: no clock, no file, no broker."""

from dataclasses import replace

import pytest

from edge_agent.decide import Decision, Gathered, Identify, Memory, Plan, Reload, Resend, SensorPlan, decide
from edge_agent.decide.memory import changed_rows, from_rows, to_rows
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Stream
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.stock import EventKind
from edge_agent.weighing.settings import CellSettings, ShelfSettings

SHELF = ShelfSettings("shelf-1", (CellSettings("scale-1", 0, 100.0),), capacity_g=10_000, product="8711000123")
PLAN = Plan(
    sensors={"scale-1": SensorPlan(1.0, 1.0), "cold-room": SensorPlan(1.0, 60.0)},
    shelves=(SHELF,),
)


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def load(seconds: float, grams: float | None) -> Sample:
    value, quality, fault = (grams * 100, Quality.GOOD, None) if grams is not None else (None, Quality.BAD, "saturated")
    return Sample("scale-1", at(seconds), (Reading(Channel("scale-1", "counts"), value, at(seconds), quality, fault),))


def climate(seconds: float, temperature_c: float | None) -> Sample:
    quality, fault = (Quality.GOOD, None) if temperature_c is not None else (Quality.BAD, "checksum")
    reading = Reading(Channel("cold-room", "temperature"), temperature_c, at(seconds), quality, fault)
    return Sample("cold-room", at(seconds), (reading,))


def command(verb: str, received_s: float = 0.0, expires_s: float | None = None, **arguments: object) -> Command:
    return Command(f"id-{verb}", verb, arguments, "test", at(received_s), expires_s)


def rested(grams: float, memory: Memory | None = None, start_s: float = 0.0) -> Memory:
    """The memory after the shelf has lain still for three seconds."""
    memory = memory or Memory()
    for second in range(4):
        now = start_s + second
        memory = decide(memory, PLAN, Gathered(at(now), [load(now, grams)])).memory
    return memory


def asked(memory: Memory, *commands: Command, seconds: float = 3.5) -> Decision:
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
    assert {(r.value, r.quality, r.fault) for s in decision.samples for r in s.readings} == {
        (None, Quality.BAD, "saturated")
    }
    assert decision.stocks[0].balance.net_g is None


def test_a_tare_sets_the_container_aside_and_writes_a_line_of_the_ledger():
    decision = asked(rested(350.0), command("tare", shelf="shelf-1"))
    assert decision.results[0].code is ResultCode.DONE
    assert decision.results[0].detail["net_g"] == 0.0
    event = decision.events[0]
    assert (event.kind, event.before.net_g, event.after.net_g, event.delta_g) == (EventKind.TARE, 350.0, 0.0, -350.0)
    assert decision.stocks[0].tare_g == 350.0
    assert decision.is_critical


def test_a_tare_of_a_known_container_needs_no_empty_one():
    decision = asked(rested(1350.0), command("tare", shelf="shelf-1", tare_g=350))
    assert decision.results[0].detail["net_g"] == 1000.0


def test_zero_corrects_the_gross_and_the_net():
    decision = asked(rested(40.0), command("zero", shelf="shelf-1"))
    assert decision.results[0].detail == {
        "shelf": "shelf-1", "gross_g": 0.0, "tare_g": 0.0, "net_g": 0.0, "zero_g": 40.0, "units": None,
    }  # fmt: skip
    later = decide(decision.memory, PLAN, Gathered(at(4), [load(4, 40.0)]))
    assert later.samples[-1].readings[0].value == pytest.approx(0.0)


def test_a_count_is_told_with_the_stock_until_the_weight_moves_on():
    decision = asked(rested(1200.0), command("count", shelf="shelf-1", units=12))
    assert decision.stocks[0].balance.units == 12
    assert decision.events[0].after.units == 12
    moved = decision.memory
    for second in range(4, 9):
        told = decide(moved, PLAN, Gathered(at(second), [load(second, 1100.0)]))
        moved = told.memory
    assert moved.stocks["shelf-1"].balance.units is None
    assert moved.stocks["shelf-1"].balance.net_g == pytest.approx(1100.0)


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
        (command("selfdestruct"), ResultCode.UNSUPPORTED, "'selfdestruct' is none of count, identify"),
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
    memory = decide(rested(350.0), PLAN, Gathered(at(4), [load(4, 900.0)])).memory
    assert asked(memory, command("tare", shelf="shelf-1")).results[0].code is ResultCode.UNSTABLE


def test_a_scale_without_a_weight_cannot_be_tared():
    memory = decide(rested(350.0), PLAN, Gathered(at(4), [load(4, None)])).memory
    assert asked(memory, command("tare", shelf="shelf-1")).results[0].code is ResultCode.HW_FAULT


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
    decision = decide(memory, PLAN, Gathered(at(4), [load(4, 501.0)]))
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
    assert decision.samples[-1].readings[1].value == 1000.0


@pytest.mark.parametrize("rows", [{"scale/x": b"{"}, {"scale/x": b'{"tare":1}'}, {"alarm/x": b'{"name":"x"}'}])
def test_a_memory_row_that_cannot_be_read_is_named(rows):
    with pytest.raises(ValueError, match=next(iter(rows))):
        from_rows(rows)
