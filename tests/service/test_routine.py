"""What every cycle does besides deciding, and what systemd hears of it."""

import logging
import threading
from dataclasses import replace

import pytest

from edge_agent.alerts import sensor_fault
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Stream
from edge_agent.domain.reading import Channel, Reading
from edge_agent.service.leaving import NotKept
from edge_agent.service.leftovers import NOT_CONFIGURED, orphaned_alarms, orphaned_stock
from edge_agent.service.polling import Polled
from edge_agent.service.run import run_live
from edge_agent.service.stepped import run_stepped
from edge_agent.storage.archive import Archive
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip

YEAR_S = 365 * 86_400.0
DAY_S = 86_400.0


def raised(decision) -> set[str]:
    return {found.alarm.name for found in decision.transitions if found.alarm.state is AlarmState.UNACKNOWLEDGED}


# --- the agent's own alarms -----------------------------------------------------------------------------------------


def refuse_a_topic(room) -> None:
    room.desk.refusals.add("stock/shelf-1")
    for _ in range(30):  # until the scale is at rest, and its stock committed
        room.cycle()
    room.send()
    room.send()


def lose_samples(room) -> None:
    room.parts.keeper.samples_lost = 3


def lose_messages(room) -> None:
    room.parts.keeper.messages_lost = 1


@pytest.mark.parametrize(
    ("alarm", "happens"),
    [("broker-refuses", refuse_a_topic), ("data-lost", lose_samples), ("data-lost", lose_messages)],
)
def test_what_is_wrong_with_the_agent_is_an_alarm_in_the_very_cycle(room, alarm, happens):
    with room.running():
        assert raised(room.cycle()) == set()
        happens(room)
        assert raised(room.cycle()) == {alarm}


def test_samples_that_a_standing_cycle_could_not_take_are_lost_data(room):
    lost = [0]
    with room.running(lambda: lost[0]):
        room.cycle()
        lost[0] = 2
        (transition,) = room.cycle().transitions
    assert transition.alarm.name == "data-lost"
    assert transition.alarm.evidence == "2 since the start"


def test_a_file_that_was_set_aside_is_an_alarm_as_long_as_it_lies_there(room):
    room.directory.mkdir()
    aside = room.directory / "agent.db.corrupt-20261123T070000Z"
    aside.write_bytes(b"x")
    with room.running():
        assert raised(room.cycle()) == {"storage-corrupt"}
    aside.unlink()
    with room.running():
        (transition,) = room.cycle(61).transitions
    assert (transition.alarm.name, transition.alarm.state) == ("storage-corrupt", AlarmState.NORMAL)


def test_a_configuration_that_is_not_at_work_is_an_alarm(room):
    with room.running():
        room.parts.reload_failure = "GPIO 17 is in use"
        (transition,) = room.cycle().transitions
    assert (transition.alarm.name, transition.alarm.evidence) == ("reload-failed", "GPIO 17 is in use")


# --- the routine ----------------------------------------------------------------------------------------------------


def test_a_new_file_is_a_new_epoch_and_the_agent_begins_anew(room):
    with room.running():
        room.cycle()
        assert not room.parts.agent.reload_asked
        room.parts.store.quarantine(room.parts.watch.now())
        room.cycle()
        assert room.parts.agent.reload_asked


def test_health_is_told_at_once_with_an_alarm_and_else_each_minute(room):
    with room.running():
        room.cycle()
        assert [found["alarms"] for found in room.of(room.send(), "health")] == [[]]
        room.climate.unplugged = True
        told = [room.cycle() and room.of(room.send(), "health") for _ in range(5)]
        (health,) = [found for some in told for found in some]
        assert [alarm["alarm"] for alarm in health["alarms"]] == ["sensor-cold-room"]
        room.cycle(50)
        assert room.of(room.send(), "health") == []
        room.cycle(10)
        assert len(room.of(room.send(), "health")) == 1


def test_the_house_is_kept_every_hour(room):
    with room.running():
        room.cycle()
        room.cycle(20)
        room.send()
        assert list(Archive.open(room.directory).history("cold-room/temperature"))
        room.cycle(room.settings.storage.telemetry_days * DAY_S + 2 * DAY_S)
        for _ in range(3):
            room.cycle()
        oldest = next(iter(Archive.open(room.directory).history("cold-room/temperature")))
        assert oldest.at.age_s(room.parts.watch.now()) < DAY_S


def test_the_calendar_follows_a_step_of_the_wall_clock_back(room, caplog):
    caplog.set_level(logging.INFO)
    with room.running():
        room.clock.step_wall(YEAR_S)
        room.cycle()
        room.clock.step_wall(-YEAR_S)
        room.cycle()
        for _ in range(25):
            room.cycle(3600)
    assert len([record for record in caplog.records if record.message.startswith("nightly:")]) == 1


def test_rows_of_a_start_in_1970_are_dated_when_the_clock_comes(room):
    room.clock = SimulatedClock(wall_s=0.0, synchronised=False)
    room.climate, room.scale = Sht3xChip(room.clock), Nau7802Chip(room.clock, room.cell)
    with room.running():
        room.cycle()
        room.cycle(20)
        room.clock.synchronise(1_795_392_000.0)
        room.cycle()
        offset_ms = room.parts.watch.now().offset_ms
        readings = list(Archive.open(room.directory).history("cold-room/temperature"))
        (configured,) = room.parts.calibrations["shelf-1"]
    assert [reading.at.clock for reading in readings] == [ClockState.CORRECTED] * 2
    assert {reading.at.offset_ms for reading in readings} == {offset_ms}
    assert (configured.at.clock, configured.at.offset_ms) == (ClockState.CORRECTED, offset_ms)


# --- what an earlier configuration left standing --------------------------------------------------------------------


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def alarm(name: str, state: AlarmState) -> Alarm:
    return Alarm(name, Priority.MEDIUM, state, at(1), at(1), "what", "do", "no-answer")


def test_alarms_end_with_their_sensor_and_no_others_do():
    name = sensor_fault.condition("old", SensorHealth(since=at(0)), 1.0, at(1)).name
    standing = [
        alarm(name, AlarmState.UNACKNOWLEDGED),
        alarm("sensor-new", AlarmState.UNACKNOWLEDGED),
        alarm("sensor-older", AlarmState.NORMAL),
        alarm("storage", AlarmState.UNACKNOWLEDGED),
    ]
    (transition,) = orphaned_alarms({found.name: found for found in standing}, {"new"}, set(), at(9))
    assert transition.before is AlarmState.UNACKNOWLEDGED
    assert (transition.alarm.name, transition.alarm.state, transition.alarm.at) == (name, AlarmState.NORMAL, at(9))
    assert "not configured" in transition.alarm.evidence


@pytest.mark.parametrize("name", ["scale-old", "cal-old"])
def test_alarms_end_with_their_shelf(name):
    standing = {name: alarm(name, AlarmState.UNACKNOWLEDGED)}
    (transition,) = orphaned_alarms(standing, set(), {"new"}, at(9))
    assert (transition.alarm.name, transition.alarm.state) == (name, AlarmState.NORMAL)
    assert not orphaned_alarms(standing, set(), {"old"}, at(9))


def test_alarms_end_with_their_place_whatever_their_state():
    standing = replace(alarm("cellar-dry", AlarmState.SHELVED), place="cellar", shelved_until=at(500))
    (transition,) = orphaned_alarms({standing.name: standing}, set(), set(), at(9), {"cold-room"})
    assert (transition.alarm.state, transition.alarm.shelved_until) == (AlarmState.NORMAL, None)
    assert transition.alarm.evidence == "the place is not configured any more"
    assert not orphaned_alarms({standing.name: standing}, set(), set(), at(9), {"cellar"})


def test_of_a_shelf_that_is_no_more_nothing_is_known():
    (stock,) = orphaned_stock(["stock/old", "stock/new"], {"new"}, at(9))
    assert (stock.shelf, stock.gross_g, stock.balance.net_g, stock.fault) == ("old", None, None, NOT_CONFIGURED)


def test_a_renamed_sensor_and_shelf_leave_nothing_standing_at_the_broker(room):
    with room.running():
        room.climate.unplugged = True
        for _ in range(30):  # until the scale is at rest, and its stock committed
            room.cycle()
        told = room.send()
        assert room.of(told, "alarm/sensor-cold-room")[-1]["state"] == "unacknowledged"
        assert room.of(told, "stock/shelf-1")[-1]["quality"] == "good"
    text = CONFIG_OF_ANOTHER_ROOM
    room.settings = room.configured(text)
    with room.running():
        room.cycle()
        told = room.send()
        (ended,) = room.of(told, "alarm/sensor-cold-room")
        assert (ended["state"], "not configured" in ended["evidence"]) == ("normal", True)
        assert room.of(told, "alarmlog")[0]["alarm"] == "sensor-cold-room"
        (stock,) = room.of(told, "stock/shelf-1")
        assert (stock["quality"], stock["gross_g"], stock["fault"]) == ("bad", None, NOT_CONFIGURED)
        assert room.of(told, "health")[-1]["alarms"] == []
        last = {stream: room.parts.store.last_seq(stream) for stream in (Stream.ALARM, Stream.STOCK)}
    with room.running():
        room.cycle()
        told = room.send()
        assert room.of(told, "stock/shelf-1")[0]["fault"] == NOT_CONFIGURED, "what is retained is told again"
        assert room.parts.store.last_seq(Stream.ALARM) == last[Stream.ALARM], "but it is said once"
        assert room.parts.store.last_seq(Stream.STOCK) == last[Stream.STOCK], "and so is this"


CONFIG_OF_ANOTHER_ROOM = """
[node]
site = "elm-street"
name = "a1"

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0

[[shelf]]
name = "shelf-9"
capacity_g = 20_000.0

[[shelf.cell]]
sensor = "scale-1"
zero_counts = 1000
counts_per_gram = 100.0
"""


# --- systemd --------------------------------------------------------------------------------------------------------


class Probe:
    """A sensor that answers at once, or holds its bus for ever: a worker from which nothing comes."""

    bus, channels, min_interval_s, patience_s = "i2c-9", (Channel("cold-room", "temperature"),), 0.0, 1e6

    def __init__(self) -> None:
        self.go = threading.Event()

    def read(self, at):
        self.go.wait(10)
        return [Reading(self.channels[0], 4.0, at)]

    def close(self) -> None:
        self.go.set()


def live(room, systemd, cycles: int, *, at_cycle=lambda number: None, is_publishing: bool = True) -> list[list[str]]:
    """Run the threads on the simulated clock, which jumps with each cycle; what systemd heard, cycle by cycle."""
    stop, heard, cycle, steps = threading.Event(), [], [0], threading.Semaphore(0)
    acks = room.desk.acks

    def count_a_step():
        steps.release()
        return acks()

    room.desk.acks = count_a_step

    def on_cycle(decision, now) -> None:
        cycle[0] += 1
        heard.append(systemd.told())
        at_cycle(cycle[0])
        if is_publishing:
            steps.acquire(timeout=10)  # the clock jumps only as fast as the publisher steps
        while steps.acquire(blocking=False):
            pass
        room.clock.sleep(10)
        if cycle[0] >= cycles:
            stop.set()

    try:
        run_live(room.parts, stop, on_cycle)
    finally:
        heard.append(systemd.told())
    return heard


def test_systemd_hears_ready_then_signs_of_life_then_stopping(room, systemd):
    with room.built():
        room.parts.polled = []
        heard = live(room, systemd, 12)
    assert heard[0][0] == "READY=1"
    assert sum(some.count("READY=1") for some in heard) == 1
    signs = [number for number, some in enumerate(heard[:-1]) if "WATCHDOG=1" in some]
    assert signs == [0, 2, 4, 6, 8, 10], "three times in the time that systemd allows"
    assert heard[-1] == ["STOPPING=1"]


def test_without_samples_the_watchdog_is_not_fed(room, systemd):
    probe = Probe()
    with room.built():
        room.parts.polled = [Polled("cold-room", probe, 1.0)]
        heard = live(room, systemd, 12, at_cycle=lambda number: number == 12 and probe.close())
    assert ["WATCHDOG=1" in some for some in heard[4:-1]] == [False] * 8, "30 s and two intervals"


def test_with_a_publisher_that_stands_still_the_watchdog_is_not_fed(room, systemd):
    standing, go = threading.Event(), threading.Event()

    with room.built():
        room.parts.polled = []
        acks = room.desk.acks

        def stand_still():
            standing.set()
            go.wait(10)
            return acks()

        def at_cycle(number: int) -> None:
            standing.wait(10)
            if number == 20:
                go.set()

        room.desk.acks = stand_still
        heard = live(room, systemd, 20, at_cycle=at_cycle, is_publishing=False)
    assert any("WATCHDOG=1" in some for some in heard[:7])
    assert ["WATCHDOG=1" in some for some in heard[8:-1]] == [False] * 12, "60 s without a step"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_death_of_the_publishers_thread_ends_the_process_instead_of_its_telling(room, systemd):
    dead = threading.Event()

    def fail():
        threading.current_thread().name = "dead"
        dead.set()
        raise ZeroDivisionError

    with room.built():
        room.parts.polled = []
        room.desk.acks = fail

        def wait_for_it(number: int) -> None:
            dead.wait(10)
            for thread in threading.enumerate():
                if thread.name == "dead":
                    thread.join(10)

        with pytest.raises(RuntimeError, match="publisher died"):
            live(room, systemd, 50, at_cycle=wait_for_it, is_publishing=False)


def in_no_hurry(room) -> None:
    """Simulated time goes on by a cycle each, as real time does: a minute of it would send the agent into RAM."""
    room.settings = replace(room.settings, agent=replace(room.settings.agent, cycle_s=0.1))


def test_an_agent_that_measures_is_ready_though_its_card_takes_nothing(room, systemd):
    in_no_hurry(room)
    with room.built(), room.broken("clock"):
        stop, heard, seen = threading.Event(), [], []

        def on_cycle(decision, now) -> None:
            heard.extend(systemd.told())
            seen.extend(decision.samples)
            room.clock.sleep(0.1)
            if "READY=1" in heard or now.mono_ms > 30_000:
                stop.set()

        with pytest.raises(NotKept):
            run_live(room.parts, stop, on_cycle)
        assert room.parts.keeper.commits == 0
    assert "READY=1" in heard
    assert seen


def test_samples_that_come_faster_than_a_cycle_takes_them_are_told_as_lost(room, systemd):
    """The cycle stands still while a sensor is read 5,000 times."""

    class Flood(Probe):
        reads = 0

        def read(self, at):
            standing.wait(10)
            self.reads += 1
            if self.reads == 5000:
                flooded.set()
                self.go.wait(10)
            room.clock.sleep(1)
            return [Reading(self.channels[0], 4.0, at)]

    stop, standing, flooded = threading.Event(), threading.Event(), threading.Event()
    lost, cycles, probe = [], [], Flood()

    def on_cycle(decision, now) -> None:
        standing.set()
        flooded.wait(10)
        lost.extend(found.alarm for found in decision.transitions if found.alarm.name == "data-lost")
        room.clock.sleep(1)
        cycles.append(now)
        if len(cycles) == 3:
            probe.close()
            stop.set()

    with room.built():
        room.parts.polled = [Polled("cold-room", probe, 1.0)]
        run_live(room.parts, stop, on_cycle)
    assert lost


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_stepped", [True, False])
def test_a_stop_that_loses_what_waits_in_ram_says_how_much_and_is_no_clean_one(room, systemd, caplog, is_stepped):
    stop, seen = threading.Event(), []

    def on_cycle(decision, now) -> None:
        seen.extend(decision.samples)
        room.clock.sleep(0 if is_stepped else 0.1)
        if seen:
            stop.set()

    in_no_hurry(room)
    with room.built(), room.broken("clock"), pytest.raises(NotKept, match="readings and"):
        (run_stepped if is_stepped else run_live)(room.parts, stop, on_cycle)
    assert any("are lost with this stop" in record.message for record in caplog.records)


def test_a_stop_on_a_sound_card_loses_nothing_and_is_silent(room, systemd):
    stop = threading.Event()
    with room.built():
        run_stepped(room.parts, stop, lambda decision, now: stop.set())
        assert room.parts.keeper.waiting() == (0, 0)


def test_an_answer_that_waits_is_counted_among_what_a_stop_would_lose(room):
    with room.running():
        room.cycle(20)
        command = Command("c", "tare", {}, "test", room.parts.watch.now())
        result = CommandResult(command, ResultCode.DONE, room.parts.watch.now())
        room.parts.keeper.add(room.parts.watch.now(), results=[result])
        assert room.parts.keeper.waiting()[1] == 1


def test_a_second_sensor_on_the_bench_is_read_at_its_own_interval(room):
    """What the configuration says is what the workers get."""
    room.settings = room.configured(CONFIG_OF_ANOTHER_ROOM.replace("interval_s = 1.0", "interval_s = 2.5"))
    with room.built():
        assert [polled.interval_s for polled in room.parts.polled] == [2.5]
