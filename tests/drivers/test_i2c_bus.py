"""The shared bus: locks that time out, limits that hold, and what is left behind is freed."""

import errno
import threading

import pytest

from edge_agent.drivers.i2c import OutOfTime, SharedI2C, as_sensor_error, crc8
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.i2c_bus import SimulatedI2C
from hardware_mocks.sht3x_chip import Sht3xChip


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def shared(clock):
    return SharedI2C(SimulatedI2C(clock, Sht3xChip(clock)), "i2c-1", timeout_s=0.02)


def in_another_thread(function):
    """What it returned or raised there."""
    found = []

    def run():
        try:
            found.append(function())
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    return found[0]


def test_a_held_bus_times_out_naming_itself_and_its_holder(shared, clock):
    shared.hold("cold-room (i2c-1 0x44)", 1.0, clock.monotonic_s)
    error = in_another_thread(shared.try_lock)
    assert isinstance(error, TimeoutError)
    assert "i2c-1 has been held by cold-room (i2c-1 0x44)" in str(error)
    assert shared.holder == "cold-room (i2c-1 0x44)"
    shared.let_go()
    assert shared.holder is None
    assert in_another_thread(shared.try_lock) is True


def test_locks_within_a_hold_are_granted_at_once_and_freed_with_it(shared, clock):
    shared.hold("a", 1.0, clock.monotonic_s)
    assert shared.try_lock()
    assert shared.try_lock()
    shared.unlock()
    assert isinstance(in_another_thread(shared.try_lock), TimeoutError), "one lock was left behind; the hold goes on"
    shared.let_go()
    assert in_another_thread(shared.try_lock) is True


def test_a_library_may_lock_the_bus_by_itself(shared):
    assert shared.try_lock()
    assert shared.try_lock()
    shared.unlock()
    assert isinstance(in_another_thread(shared.try_lock), TimeoutError)
    shared.unlock()
    assert in_another_thread(lambda: (shared.try_lock(), shared.unlock())) == (True, None)


def test_another_threads_unlock_frees_nothing(shared, clock):
    shared.hold("a", 1.0, clock.monotonic_s)
    in_another_thread(shared.unlock)
    assert shared.holder == "a"


def test_asking_twice_in_one_thread_is_a_bug_that_shows(shared, clock):
    shared.hold("a", 1.0, clock.monotonic_s)
    with pytest.raises(RuntimeError, match="b asks for the bus while its thread holds it as a"):
        shared.hold("b", 1.0, clock.monotonic_s)


@pytest.mark.parametrize(
    "transfer",
    [
        lambda bus: bus.writeto(0x44, b""),
        lambda bus: bus.readfrom_into(0x44, bytearray(1)),
        lambda bus: bus.writeto_then_readfrom(0x44, b"\xf3\x2d", bytearray(3)),
    ],
)
def test_transfers_after_the_limit_are_refused(shared, clock, transfer):
    shared.hold("a", 0.5, clock.monotonic_s)
    shared.writeto(0x44, b"\xf3\x2d")
    clock.sleep(0.6)
    with pytest.raises(OutOfTime, match="a has used up its time on i2c-1"):
        transfer(shared)
    shared.let_go()
    shared.hold("a", 0.5, clock.monotonic_s)
    shared.writeto(0x44, b"")


def test_a_scan_finds_what_acknowledges(shared):
    assert shared.scan() == [0x44]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError(errno.EREMOTEIO, "Remote I/O error"), "no-answer"),
        (OSError(errno.ENXIO, "No such device or address"), "no-answer"),
        (OSError(errno.EIO, "Input/output error"), "no-answer"),
        (OSError(errno.ENODEV, "No such device"), "no-answer"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "bus-held"),
        (OSError(errno.EBUSY, "Device or resource busy"), "bus-held"),
        (OSError(errno.EAGAIN, "Arbitration lost"), "bus-held"),
        (OutOfTime(errno.ETIMEDOUT, "limit"), "not-ready"),
    ],
)
def test_every_error_of_the_bus_has_its_fault(error, fault):
    found = as_sensor_error(error, "cold-room")
    assert found.fault == fault
    assert str(found).startswith("cold-room")


@pytest.mark.parametrize(
    ("frame", "crc"),
    [("beef", 0x92), ("0000", 0x81), ("ffff", 0xAC), ("1c3b5e8688b2", 0xD2)],  # SHT3x datasheet; the last off an AHT20
)
def test_crc8(frame, crc):
    assert crc8(bytes.fromhex(frame)) == crc
