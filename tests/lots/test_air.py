"""The air of a room as means of five minutes, over power cuts and a clock that comes late."""

from dataclasses import replace

import pytest

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.lots.air import GAP_S, KEEP_S, MOST_STEPS, STEP_S, Air, breathed, used_upto, with_dates

WALL_MS = 1_795_417_200_000


def at(seconds: float, boot: str = "a", wall_s: float | None = None, clock=ClockState.SYNCED) -> Instant:
    """``wall_s``: since the beginning of the first boot, where that differs."""
    return Instant(
        round(1000 * seconds), WALL_MS + round(1000 * (seconds if wall_s is None else wall_s)), boot, clock
    )  # fmt: skip


def unset(seconds: float, boot: str = "b") -> Instant:
    return Instant(round(1000 * seconds), round(1000 * seconds), boot, ClockState.UNSYNCED)


def measured(air: Air, *readings: tuple[Instant, float]) -> Air:
    for when, air_c in readings:
        air = breathed(air, when, air_c, 90.0)
    return air


def hour(boot: str = "a", begin_s: float = 0.0, air_c: float = 4.0, clock=ClockState.SYNCED) -> list:
    when = unset if clock is ClockState.UNSYNCED else at
    return [(when(begin_s + 60 * n, boot), air_c) for n in range(61)]


def test_the_mean_of_a_step_is_the_integral_of_its_readings():
    air = measured(Air(), (at(0), 2.0), (at(150), 4.0), (at(300), 8.0), (at(300), 99.0))
    (step,) = air.steps
    assert (step.until, step.seconds, step.mean_c, step.rh_pct) == (at(300), STEP_S, (3 + 6) / 2, 90.0)


def test_they_are_written_down_each_quarter_of_an_hour():
    air, kept = Air(), []
    for when, air_c in hour():
        before, air = air.kept, breathed(air, when, air_c, None)
        kept += [when.mono_ms / 1000] if air.kept is not before else []
    assert kept == [STEP_S + n * KEEP_S for n in range(4)]


@pytest.mark.parametrize(
    ("then", "gap_s"),
    [
        (at(3600 + 7200), 7200.0),
        (at(5, "b", wall_s=3600 + 7200), 7200.0),
        (unset(5), GAP_S),  # nobody knows
        (at(5, "b", wall_s=-500), GAP_S),  # the wall clock went back
    ],
)
def test_where_nobody_measured_is_a_step_without_a_mean(then, gap_s):
    air = measured(Air(), *hour(), (then, 20.0))
    assert (air.steps[-1].mean_c, air.steps[-1].seconds, air.steps[-1].until) == (None, gap_s, then)


def test_when_the_clock_comes_the_power_cut_has_its_length_and_each_step_its_date():
    air = measured(Air(), *hour())
    air = replace(air, at=None)  # as it is read from its row
    air = measured(air, *hour("b", 30.0, clock=ClockState.UNSYNCED))
    now = at(30 + 3600, "b", wall_s=3600 + 5400 + 3600)
    dated = with_dates(air, now)
    (gap,) = [step for step in dated.steps if step.mean_c is None]
    assert gap.seconds == 5400.0
    assert {step.until.clock for step in dated.steps if step.until.boot == "b"} == {ClockState.CORRECTED}
    assert dated.kept == dated.steps, "on the card with the next commit"
    assert with_dates(dated, now) is dated
    assert sum(step.seconds for step in dated.steps) == pytest.approx(3600 + 5400 + 3600)


def test_only_what_every_lot_has_been_through_is_forgotten():
    air = measured(Air(), *hour(), *hour("b", 0.0, clock=ClockState.UNSYNCED))
    now = unset(3600)
    of_b = [step for step in air.steps if step.until.boot == "b"]
    assert used_upto(air, {at(3600), unset(1800)}, now).steps == tuple(of_b)
    assert used_upto(air, {unset(1800)}, now).steps == tuple(step for step in of_b if step.until.mono_ms > 1_800_000)
    assert used_upto(air, {at(0)}, now) is air


def test_what_nobody_uses_is_put_together():
    air = Air()
    for n in range(2 * MOST_STEPS):
        air = breathed(air, at(STEP_S * n), 4.0 + n % 2, None)
    assert len(air.steps) == MOST_STEPS
    assert sum(step.seconds for step in air.steps) == pytest.approx(STEP_S * (2 * MOST_STEPS - 1))
