"""Half a minute of counts, and what it says of a scale."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.weighing.diagnosis import Diagnosis, Known, countable, diagnosed
from edge_agent.weighing.settings import CellSettings, ShelfSettings

CELLS = (CellSettings("left", 84_000, 100.0), CellSettings("right", -5_000, -80.0))
SHELF = ShelfSettings("shelf-1", CELLS, 30_000.0)
INTERVALS = {"left": 0.1, "right": 0.1}
APPLES, GOODS = Known(INTERVALS, piece_g=180.0), Known(INTERVALS)


def said(cell: CellSettings, mono_ms: int, grams: float | None, fault: str | None = None) -> Sample:
    at = Instant(mono_ms, mono_ms, "b")
    value = None if grams is None else float(round(cell.zero_counts + grams * cell.counts_per_gram))
    quality = Quality.GOOD if value is not None else Quality.BAD
    return Sample(cell.sensor, at, (Reading(Channel(cell.sensor, "counts"), value, at, quality, fault),))


Grams = Callable[[CellSettings, float, Random], float | None]


def taken(grams: Grams, seconds: float = 30.0, interval_s: float = 0.1, fault: str = "saturated") -> list[Sample]:
    random = Random(1)
    samples = []
    for tick in range(round(seconds / interval_s)):
        for cell in CELLS:
            value = grams(cell, tick * interval_s, random)
            samples.append(said(cell, round(1_000 * tick * interval_s), value, None if value is not None else fault))
    return samples


def quiet(cell: CellSettings, _at_s: float, random: Random) -> float:
    return 3_000.0 + random.gauss(0, 0.5)


def found(grams: Grams, known: Known = APPLES, **others) -> Diagnosis:
    return diagnosed(SHELF, taken(grams, **others), known)


def test_a_scale_that_is_well_is_told_in_figures() -> None:
    well = found(quiet)
    assert well.problems == ()
    assert well.gross_g == pytest.approx(6_000, abs=1)
    assert well.noise_g == pytest.approx(0.5 * 2**0.5, rel=0.15)
    assert well.least_piece_g == pytest.approx(7.1, rel=0.15)
    assert well.noise_pieces == pytest.approx(0.7 / 180, rel=0.2)
    assert (well.seconds, well.most_pieces, well.was_at_rest) == (29.9, 26, True)
    for cell in well.cells:
        assert (cell.samples, cell.bad, cell.spikes) == (300, {}, 0)
        assert cell.measured_sps == pytest.approx(10)
        assert cell.share == pytest.approx(0.5, abs=0.01)


def test_the_drift_is_told_with_its_uncertainty() -> None:
    steady, fast = found(quiet), found(lambda cell, s, r: quiet(cell, s, r) + 0.05 * s)
    assert abs(steady.drift_g_per_h) < 3 * steady.u_drift_g_per_h
    assert fast.drift_g_per_h == pytest.approx(360, abs=3 * fast.u_drift_g_per_h)
    assert fast.problems == (f"drift of {fast.drift_g_per_h:+.0f} +- {fast.u_drift_g_per_h:.0f} g/h: "
                             "faster than the 60 g/h that are followed",)  # fmt: skip


def problem(grams: Grams, known: Known = GOODS, **others) -> str:
    return "; ".join(found(grams, known, **others).problems)


def test_the_zero_that_was_commanded_is_taken_off() -> None:
    assert found(quiet, Known(INTERVALS, zero_g=-40.0)).gross_g == pytest.approx(6_040, abs=1)


def test_what_is_wrong_is_said_in_words() -> None:
    assert "left: 10 samples/s, and 80 are configured" in problem(quiet, Known({"left": 0.0125}))
    assert "g: above 10 g, a 3000th of the capacity" in problem(lambda c, s, r: 3_000 + r.gauss(0, 14.3))
    assert "something moved" in problem(lambda c, s, r: quiet(c, s, r) + (200 if 10 < s < 14 else 0))
    assert "right: carries 0.3 % of the load" in problem(
        lambda c, s, r: quiet(c, s, r) * (1 if c is CELLS[0] else 0.003)
    )
    assert "of 300 samples are spikes" in problem(lambda c, s, r: quiet(c, s, r) + (900 if r.random() < 0.08 else 0))
    assert "right: not the least noise" in problem(lambda c, s, r: quiet(c, s, r) if c is CELLS[0] else 3_000.0)
    assert "good samples are too few" in problem(quiet, seconds=1.0)
    assert problem(lambda c, s, r: None).startswith("left: 300 of 300 samples are bad (300 saturated)")


def test_bad_samples_are_counted_by_kind() -> None:
    some = found(lambda c, s, r: None if c is CELLS[0] and r.random() < 0.05 else quiet(c, s, r), fault="not-ready")
    assert some.cells[0].bad == {"not-ready": pytest.approx(15, abs=10)}
    assert some.cells[0].saturated == 0
    assert "left:" in some.problems[0]
    assert "not-ready)" in some.problems[0]


def test_codes_that_are_no_weight_count_as_saturated_whatever_the_driver_thinks() -> None:
    samples = taken(quiet)
    ends = [said(CellSettings("left", 0, 1.0), sample.at.mono_ms, 2**23 - 1) for sample in samples[:20:2]]
    kept = [sample for sample in samples if sample.point == "right" or sample.at.mono_ms >= 1_000]
    left = diagnosed(SHELF, [*ends, *kept], Known(INTERVALS)).cells[0]
    assert left.saturated == 10
    assert left.level_g == pytest.approx(3_000, abs=1)


def test_faults_that_the_agent_would_raise_are_named() -> None:
    stands = found(lambda c, s, r: 3_000.0 if c is CELLS[0] and s >= 12 else quiet(c, s, r))
    assert [(fault.code, fault.cell) for fault in stands.faults] == [("stuck", "left")]
    assert stands.problems[0].startswith("left: stuck: ")


def test_a_calibration_that_is_due_is_said() -> None:
    known = Known(INTERVALS, calibrated_days={"left": 400.0, "right": 20.0})
    assert diagnosed(SHELF, taken(quiet), known).problems == ("left: calibrated 400 days ago, due every 365",)


def test_nothing_said_is_the_verdict_on_nothing() -> None:
    nothing = diagnosed(SHELF, [])
    assert nothing.problems == ("left: said nothing", "right: said nothing")
    assert (nothing.gross_g, nothing.noise_g, nothing.least_piece_g) == (None, None, None)


def test_noise_hides_pieces() -> None:
    hidden = found(lambda c, s, r: 3_000.0 + r.gauss(0, 4.0), Known(INTERVALS, piece_g=15.0))
    assert "of a piece of 15 g: above 10 % pieces are not counted" in hidden.problems[-1]


@given(st.floats(0.5, 5_000), st.floats(0, 0.3), st.floats(0.002, 0.1))
def test_more_noise_or_more_variation_never_counts_further(piece_g, noise_share, variation) -> None:
    pieces = countable(piece_g, noise_share * piece_g, variation)
    assert countable(piece_g, 1.1 * noise_share * piece_g, variation) <= pieces
    assert countable(piece_g, noise_share * piece_g, 1.2 * variation) <= pieces
    assert countable(2 * piece_g, 2 * noise_share * piece_g, variation) == pieces, "only shares matter"
