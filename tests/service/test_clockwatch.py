import pytest

from edge_agent.domain.instant import ClockState
from edge_agent.service.clockwatch import ClockNews, ClockWatch
from hardware_mocks.clock import SimulatedClock


def test_wall_time_follows_monotonic_time_until_a_step_is_seen():
    clock = SimulatedClock(wall_s=1_800_000_000.0)
    watch = ClockWatch(clock)
    clock.sleep(10)
    assert watch.now().wall_ms == 1_800_000_010_000
    assert watch.look() == ClockNews()


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, -30.0, 10 * 365.25 * 86400])
def test_a_step_is_told_once_with_its_size_and_durations_stay_right(step_s):
    clock = SimulatedClock()
    watch = ClockWatch(clock)
    before = watch.now()
    clock.sleep(5)
    clock.step_wall(step_s)
    assert watch.look().step_ms == round(step_s * 1000)
    assert watch.look().step_ms == 0
    after = watch.now()
    assert before.age_s(after) == 5.0
    assert after.wall_ms - before.wall_ms == 5000 + round(step_s * 1000)


def test_a_jitter_below_a_tenth_of_a_second_is_no_step():
    clock = SimulatedClock()
    watch = ClockWatch(clock)
    clock.step_wall(0.09)
    assert watch.look() == ClockNews()


def test_the_first_synchronisation_of_a_boot_is_told_once():
    clock = SimulatedClock(wall_s=0.0, synchronised=False)
    watch = ClockWatch(clock)
    clock.sleep(60)
    assert watch.now().clock is ClockState.UNSYNCED
    clock.synchronise(1_800_000_000.0)
    assert watch.look() == ClockNews(step_ms=1_800_000_000_000 - 60_000, synchronised_now=True)
    assert watch.look() == ClockNews()
    assert (watch.now().clock, watch.now().wall_ms) == (ClockState.SYNCED, 1_800_000_000_000)
