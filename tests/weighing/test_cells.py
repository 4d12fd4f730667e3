"""What the cells of a shelf say becomes weights: together, in order of time, and never a number that is none."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.weighing.cells import CellTrace, Weighed, weighed
from edge_agent.weighing.settings import CellSettings, ShelfSettings

LEFT, RIGHT = CellSettings("left", 1_000, 10.0), CellSettings("right", -500, -20.0)
ONE = ShelfSettings("s", (LEFT,), 10_000.0)
TWO = ShelfSettings("s", (LEFT, RIGHT), 10_000.0)


def said(cell: CellSettings, mono_ms: int, grams: float) -> Sample:
    return counted(cell.sensor, mono_ms, cell.zero_counts + round(grams * cell.counts_per_gram))


def counted(sensor: str, mono_ms: int, counts: int) -> Sample:
    at = Instant(mono_ms, mono_ms, "b")
    return Sample(sensor, at, (Reading(Channel(sensor, "counts"), float(counts), at),))


def bad(sensor: str, mono_ms: int, fault: str = "no-answer") -> Sample:
    at = Instant(mono_ms, mono_ms, "b")
    return Sample(sensor, at, (Reading(Channel(sensor, "counts"), None, at, Quality.BAD, fault),))


def run(
    shelf: ShelfSettings, samples: list[Sample], cycle_ms: int = 1_000, until_ms: int | None = None
) -> list[Weighed]:
    """Cycle by cycle, as the agent does it."""
    trace, told, at_ms = CellTrace(), [], 0
    waiting = sorted(samples, key=lambda sample: sample.at.mono_ms)
    last_ms = until_ms if until_ms is not None else waiting[-1].at.mono_ms
    while at_ms < last_ms:
        at_ms += cycle_ms
        now = [sample for sample in waiting if at_ms - cycle_ms < sample.at.mono_ms <= at_ms]
        told.append(weighed(shelf, trace, now, at_ms))
        trace = told[-1].trace
    return told


def weights(told: list[Weighed]) -> list[tuple[int, float | str | None]]:
    found = [weight for one in told for weight in one.weights]
    return [(w.mono_ms, w.fault if w.gross_g is None else round(w.gross_g, 3)) for w in found]


def test_a_single_cell_gives_a_weight_for_every_sample() -> None:
    assert weights(run(ONE, [said(LEFT, ms, 100.0 + ms) for ms in (100, 200, 300)])) == [
        (100, 200.0),
        (200, 300.0),
        (300, 400.0),
    ]


def test_cells_a_little_apart_give_one_weight_a_round_with_the_time_of_the_last() -> None:
    samples = [said(LEFT, ms, 300.0) for ms in range(100, 1_001, 100)]
    samples += [said(RIGHT, ms + 37, 200.0) for ms in range(100, 901, 100)]
    assert weights(run(TWO, samples)) == [(ms + 37, 500.0) for ms in range(100, 901, 100)]


@pytest.mark.parametrize(("fast_ms", "slow_ms"), [(13, 100), (100, 1_000), (1_000, 300_000)])
def test_the_slower_cell_sets_the_pace_and_the_newest_counts_of_the_faster_are_taken(fast_ms, slow_ms) -> None:
    samples = [said(LEFT, ms, ms / 1_000) for ms in range(fast_ms, 10 * slow_ms, fast_ms)]
    samples += [said(RIGHT, ms, 0.0) for ms in range(slow_ms, 10 * slow_ms, slow_ms)]
    found = weights(run(TWO, samples, cycle_ms=max(1_000, slow_ms)))
    assert [ms for ms, _ in found] == pytest.approx(list(range(slow_ms, 10 * slow_ms, slow_ms)), abs=fast_ms)
    assert all(grams == pytest.approx(ms / 1_000, abs=0.1 + fast_ms / 1_000) for ms, grams in found)


def test_samples_may_come_cell_by_cell_and_twice() -> None:
    samples = [*(said(LEFT, ms, ms) for ms in (100, 200)), *(said(RIGHT, ms, 1.0) for ms in (110, 210))]
    first = weighed(TWO, CellTrace(), samples, 300)
    assert weights([first]) == [(110, 101.0), (210, 201.0)]
    assert weighed(TWO, first.trace, samples, 400).weights == ()


def test_samples_of_other_sensors_are_none_of_ours() -> None:
    assert weighed(ONE, CellTrace(), [counted("door", 100, 5)], 100).weights == ()


@pytest.mark.parametrize("code", [-(2**23), 2**23 - 1, -1])
@pytest.mark.parametrize("shelf", [ONE, TWO])
def test_a_code_that_is_no_weight_is_a_gap_and_if_it_stays_a_fault_of_that_cell(shelf, code) -> None:
    others = [said(cell, ms, 50.0) for cell in shelf.cells[1:] for ms in range(105, 5_000, 100)]
    good = [said(LEFT, ms, 50.0) for ms in range(100, 3_000, 100)]
    once = run(shelf, [*others, *good[:9], counted("left", 1_000, code), *good[10:]], cycle_ms=100, until_ms=2_900)
    grams = 50.0 * len(shelf.cells)
    assert {value for _, value in weights(once)} == {grams}
    stays = run(shelf, [*others, *good, *(counted("left", ms, code) for ms in range(3_000, 5_000, 100))], cycle_ms=100)
    assert {value for ms, value in weights(stays) if ms < 3_000} == {grams}
    assert {value for ms, value in weights(stays) if ms > 3_300} == {"left: saturated"}
    (fault,) = stays[-1].faults
    assert (fault.code, fault.cell) == ("saturated", "left")
    assert fault.evidence.startswith("bad samples (saturated), the last good one 2")


@pytest.mark.parametrize(
    ("interval_ms", "misses", "is_fault"),
    [(100, 2, False), (100, 4, True), (1_000, 2, False), (1_000, 3, True), (300_000, 1, True)],
)
def test_three_bad_samples_in_a_row_are_a_fault_and_one_of_a_sparse_scale(interval_ms, misses, is_fault) -> None:
    times = range(interval_ms, 40 * interval_ms, interval_ms)
    samples = [bad("left", ms) if 20 <= i < 20 + misses else said(LEFT, ms, 5.0) for i, ms in enumerate(times)]
    found = {value for _, value in weights(run(ONE, samples, cycle_ms=interval_ms))}
    assert found == ({5.0, "left: no-answer"} if is_fault else {5.0})


@pytest.mark.parametrize(
    ("interval_ms", "patience_ms"), [(13, 2_000), (100, 2_000), (1_000, 3_500), (300_000, 1_050_000)]
)
def test_a_cell_that_falls_silent_is_a_fault_after_a_few_of_its_own_intervals(interval_ms, patience_ms) -> None:
    times = range(interval_ms, 100 * interval_ms, interval_ms)
    samples = [said(LEFT, ms, 5.0) for ms in times if ms < 60 * interval_ms]
    samples += [said(RIGHT, ms + 1, 5.0) for ms in range(interval_ms, 60 * interval_ms + 3 * patience_ms, interval_ms)]
    told = run(TWO, samples, cycle_ms=max(100, interval_ms))
    ended_ms = max(ms for ms in times if ms < 60 * interval_ms)
    silent = [ms for ms, value in weights(told) if value == "left: silent"]
    assert 0 < silent[0] - ended_ms - patience_ms <= max(100, interval_ms)
    assert {value for ms, value in weights(told) if ms < silent[0]} == {10.0}
    assert "it used to speak every" in told[-1].faults[0].evidence


def test_a_silent_cell_that_speaks_again_gives_weights_again() -> None:
    samples = [said(LEFT, ms, 5.0) for ms in range(100, 20_000, 100) if not 5_000 <= ms < 12_000]
    found = weights(run(ONE, samples, cycle_ms=100))
    assert {value for ms, value in found if ms < 6_900 or ms > 12_000} == {5.0}
    assert {value for ms, value in found if 7_100 < ms < 11_900} == {"left: silent"}


def test_a_sample_that_comes_late_after_a_fault_does_not_turn_time_back() -> None:
    before = weighed(ONE, CellTrace(), [said(LEFT, 100, 5.0), said(LEFT, 200, 5.0)], 200)
    silent = weighed(ONE, before.trace, [], 5_000)
    assert weights([silent]) == [(5_000, "left: silent")]
    assert weights([weighed(ONE, silent.trace, [said(LEFT, 4_990, 5.0)], 5_100)]) == [(5_000, 5.0)]


def test_a_gap_of_the_whole_trace_is_no_fault_of_a_cell() -> None:
    """A recording that stood still for two days: nothing was asked in between."""
    times = [*range(300_000, 3_000_000, 300_000), *range(180_000_000, 183_000_000, 300_000)]
    trace = CellTrace()
    for ms in times:
        found = weighed(ONE, trace, [said(LEFT, ms, 7.0)], ms)
        trace = found.trace
        assert [weight.gross_g for weight in found.weights] == [7.0]


def test_a_cell_that_never_spoke_is_missed_once_the_others_do() -> None:
    told = run(TWO, [said(LEFT, ms, 5.0) for ms in range(100, 20_000, 100)], cycle_ms=100)
    first_ms, value = weights(told)[0]
    assert value == "right: silent"
    assert 10_000 < first_ms < 11_000


def test_overload_and_underload_are_faults_when_they_last() -> None:
    def value_after(ms: int, grams: float) -> object:
        samples = [said(LEFT, each, 500.0 if each < 2_000 else grams) for each in range(100, 2_000 + ms + 1, 100)]
        return weights(run(ONE, samples, cycle_ms=100))[-1][1]

    assert value_after(900, 12_000.0) == 12_000.0, "a hand that presses"
    assert value_after(1_000, 12_000.0) == "overload"
    assert value_after(1_000, 10_400.0) == 10_400.0
    assert value_after(1_000, -250.0) == "underload"
    assert value_after(1_000, -150.0) == -150.0


def test_one_spike_to_the_end_of_the_range_is_no_open_bridge_and_three_in_a_row_are() -> None:
    def values(spikes: int) -> set[object]:
        samples = [counted("left", 100 * i, 8_100_000 if 20 <= i < 20 + spikes else 1_500) for i in range(1, 40)]
        return {value for _, value in weights(run(ONE, samples, cycle_ms=100))}

    assert values(1) == {50.0, 809_900.0}, "the filters know a spike"
    assert values(3) >= {50.0, "left: unplugged"}


def test_an_overload_ends_below_full_scale_and_not_at_its_own_limit() -> None:
    grams = [500.0] * 10 + [11_000.0] * 20 + [10_200.0] * 20 + [9_900.0] * 20
    samples = [said(LEFT, 100 * (i + 1), each) for i, each in enumerate(grams)]
    found = [value for _, value in weights(run(ONE, samples, cycle_ms=100))]
    assert found[20:50] == ["overload"] * 30
    assert found[50:] == [9_900.0] * 20


def test_an_overload_of_a_sparse_scale_does_not_wait_for_the_next_sample() -> None:
    samples = [said(LEFT, 300_000 * i, 20_000.0 if i == 5 else 100.0) for i in range(1, 10)]
    assert [value for _, value in weights(run(ONE, samples, cycle_ms=300_000))][4] == "overload"


@pytest.mark.parametrize(("zero_g", "grams", "expected"), [(-180.0, -350.0, -350.0), (180.0, -100.0, "underload")])
def test_the_zero_command_moves_the_limits_and_not_the_weights(zero_g, grams, expected) -> None:
    trace = CellTrace()
    for ms in range(100, 3_000, 100):
        found = weighed(ONE, trace, [said(LEFT, ms, grams)], ms, zero_g=zero_g)
        trace = found.trace
    assert weights([found]) == [(2_900, expected)]


@given(
    st.lists(st.tuples(st.sampled_from((LEFT, RIGHT)), st.integers(1, 400), st.booleans()), max_size=80),
    st.integers(50, 3_000),
)
def test_weights_never_go_back_in_time_and_need_every_cell_anew(spoken, cycle_ms) -> None:
    samples, mono_ms = [], 0
    for cell, later_ms, is_good in spoken:
        mono_ms += later_ms
        samples.append(said(cell, mono_ms, 1.0) if is_good else bad(cell.sensor, mono_ms))
    told = run(TWO, samples, cycle_ms, until_ms=mono_ms)
    found = [weight for one in told for weight in one.weights]
    assert all(a.mono_ms <= b.mono_ms for a, b in pairwise(found))
    good = [w for w in found if w.gross_g is not None]
    for cell in TWO.cells:
        assert len(good) <= sum(1 for each, _, is_good in spoken if each is cell and is_good)
    assert all(w.gross_g == pytest.approx(2.0, abs=0.1) for w in good)
