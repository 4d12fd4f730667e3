"""The publisher's thread, and the sign of life that the watchdog goes by."""

import threading
import time
from dataclasses import replace

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.service.publishing import PublisherThread
from edge_agent.service.run import PUBLISHER_STALE_S
from edge_agent.storage.errors import StorageError

DEADLINE_S = 10.0
START = Instant(0, 0, "boot")


class Steps:
    """A publisher whose step does not come back while it is held up."""

    has_left, in_flight = False, 0

    def __init__(self) -> None:
        self.goes_on, self.is_in = threading.Event(), threading.Event()
        self.fault: StorageError | None = None
        self.goes_on.set()

    def step(self, now: Instant) -> float:
        self.is_in.set()
        self.goes_on.wait()
        if self.fault is not None:
            raise self.fault
        return 0.01

    def leave(self) -> None:
        self.has_left = True


@pytest.fixture
def steps():
    found = Steps()
    yield found
    found.goes_on.set()


def eventually(holds) -> bool:
    deadline_s = time.monotonic() + DEADLINE_S
    while not holds() and time.monotonic() < deadline_s:
        threading.Event().wait(0.005)
    return holds()


@pytest.mark.parametrize("fault", [None, StorageError("the card is away")])
def test_a_step_that_does_not_come_back_is_no_sign_of_life_and_a_step_that_fails_is_one(steps, fault):
    passed_s = 0.0
    thread = PublisherThread(steps, lambda: replace(START, mono_ms=round(1000 * passed_s)))
    steps.fault = fault
    thread.start()
    for passed_s in (100.0, 200.0, 300.0):  # noqa: B007 (the thread's clock)
        thread.wake()
        assert eventually(lambda: thread.idle_s() < PUBLISHER_STALE_S)
    steps.goes_on.clear()
    steps.is_in.clear()
    thread.wake()
    assert steps.is_in.wait(DEADLINE_S)
    passed_s = 300.0 + PUBLISHER_STALE_S
    assert thread.idle_s() >= PUBLISHER_STALE_S
    assert thread.is_alive()
    steps.goes_on.set()
    assert eventually(lambda: thread.idle_s() < PUBLISHER_STALE_S)
    assert thread.finish(DEADLINE_S)
