"""Real threads, sensors that answer or hang at the test's word; events instead of sleeping."""

import threading

import pytest

from edge_agent.domain.reading import Channel, Quality, Reading
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.polling import Polled
from edge_agent.service.workers import BusWorker, Slot, start_workers

DEADLINE_S = 10.0


class Probe:
    """Counts its reads; hangs while told to."""

    min_interval_s = patience_s = 0.0

    def __init__(self, place: str, bus: str = "i2c-1") -> None:
        self.bus, self.channels = bus, (Channel(place, "temperature"),)
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Semaphore(0)

    def read(self, at):
        self.entered.release()
        self.go.wait(DEADLINE_S)
        return [Reading(self.channels[0], 4.0, at)]

    def close(self):
        pass


class WakingSlot(Slot):
    """A slot whose arrivals can be waited for."""

    def __init__(self, capacity: int = 4096) -> None:
        super().__init__(capacity)
        self.arrived = threading.Condition()
        self.seen: list = []

    def put(self, sample):
        super().put(sample)
        with self.arrived:
            self.seen.append(sample)
            self.arrived.notify_all()

    def wait_for(self, condition) -> bool:
        with self.arrived:
            return self.arrived.wait_for(lambda: condition(self.seen), DEADLINE_S)


@pytest.fixture
def now():
    return ClockWatch(SystemClock()).now


def of(samples, point):
    return [sample for sample in samples if sample.point == point]


def test_each_sensor_is_read_at_its_interval_on_a_steady_grid(now):
    slot = WakingSlot()
    worker = BusWorker("i2c-1", [Polled("a", Probe("a"), 0.02), Polled("b", Probe("b"), 0.05)], slot, now, 1.0)
    began_ms = now().mono_ms
    worker.start()
    assert slot.wait_for(lambda seen: len(of(seen, "a")) >= 10 and len(of(seen, "b")) >= 4)
    assert worker.stop(DEADLINE_S)
    for point, interval_ms in (("a", 20), ("b", 50)):
        taken = [sample.at.mono_ms for sample in of(slot.seen, point)]
        early = [at for number, at in enumerate(taken) if at < began_ms + number * interval_ms]
        assert early == [], "the n-th read of a grid is never before its n-th line"
    assert {sample.readings[0].quality for sample in slot.take_all()} == {Quality.GOOD}


def test_a_hung_read_gives_bad_samples_while_its_neighbour_on_the_bus_is_read_on(now):
    hung, alive, slot = Probe("hung"), Probe("alive"), WakingSlot()
    worker = BusWorker("i2c-1", [Polled("hung", hung, 0.02), Polled("alive", alive, 0.02)], slot, now, 0.05)
    hung.go.clear()
    worker.start()
    assert hung.entered.acquire(timeout=DEADLINE_S)

    def supervised(condition):
        def check(seen):
            worker.supervise()
            return condition(seen)

        deadline = now().mono_ms + 1000 * DEADLINE_S
        while now().mono_ms < deadline:
            with slot.arrived:
                if check(slot.seen):
                    return True
                slot.arrived.wait(0.01)
        return False

    assert supervised(lambda seen: len(of(seen, "hung")) >= 3 and len(of(seen, "alive")) >= 3)
    assert {(r.value, r.quality, r.fault) for s in of(slot.seen, "hung") for r in s.readings} == {
        (None, Quality.BAD, "hung")
    }

    hung.go.set()
    assert supervised(lambda seen: of(seen, "hung")[-1].readings[0].value == 4.0), "served again without a restart"
    assert worker.stop(DEADLINE_S)


def test_a_bus_that_hangs_does_not_touch_another_bus(now):
    hung, alive, slot = Probe("hung", "i2c-1"), Probe("alive", "i2c-3"), WakingSlot()
    hung.go.clear()
    workers = start_workers([Polled("hung", hung, 0.02), Polled("alive", alive, 0.02)], slot, now, 60.0)
    assert [worker.bus for worker in workers] == ["i2c-1", "i2c-3"]
    assert slot.wait_for(lambda seen: len(of(seen, "alive")) >= 5)
    assert not of(slot.seen, "hung")
    hung.go.set()
    assert all(worker.stop(DEADLINE_S) for worker in workers)


def test_a_slot_that_nobody_empties_keeps_the_newest_and_counts_the_rest(now):
    slot = Slot(capacity=3)
    polled = Polled("a", Probe("a"), 1.0)
    for _ in range(5):
        slot.put(polled.take(now()))
    assert (len(slot.take_all()), slot.overflowed) == (3, 2)
    assert slot.take_all() == []
