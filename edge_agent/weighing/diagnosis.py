"""What half a minute of raw counts says of a scale: rate, noise, bad samples, drift, shares, and what it can count."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from statistics import fmean, median, pstdev

from edge_agent.domain.reading import Sample
from edge_agent.weighing.calibration import grams
from edge_agent.weighing.cells import NO_WEIGHT, CellTrace, name, weighed
from edge_agent.weighing.faults import CellFault, verification_g
from edge_agent.weighing.settings import CellSettings, ShelfSettings
from edge_agent.weighing.windows import WINDOW_SAMPLES, stretch

LEAST_SAMPLES = WINDOW_SAMPLES
NOISE_SHARE = 0.1  # of a piece: with more noise pieces are not counted (lesson 23)
VARIATION = 0.02  # standard deviation of a piece, as a share of it, where nobody knows
REFERENCE = 10  # pieces by which the piece weight was learnt
SURE = 2.576  # standard deviations either side: 99 %
MOST_PIECES = 1_000

SLOW_SHARE = 0.8  # of the configured rate
BAD_SHARE = 0.01
SPIKE_SHARE = 0.05  # lesson 20: 1 to 5 % are usual with an HX711
SPIKE_NOISES = 8.0
MOVED_TIMES = 3.0  # unrest of the whole window over the noise from sample to sample
LIGHT_SHARE, LEAST_LOAD_SHARE = 0.02, 0.05  # a cell that carries less of a load of at least that share of capacity
SURE_SLOPE = 3.0  # standard uncertainties


@dataclass(frozen=True, slots=True)
class CellReport:
    sensor: str
    samples: int
    bad: Mapping[str, int]  # fault -> how many
    measured_sps: float | None
    configured_sps: float | None  # None: a recording says when
    level_g: float | None = None
    noise_g: float | None = None  # of one sample
    spikes: int = 0
    share: float | None = None  # of the load; None while there is too little of it
    calibrated_days: float | None = None  # ago; None: not known

    @property
    def saturated(self) -> int:
        return self.bad.get("saturated", 0)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    shelf: str
    seconds: float
    cells: tuple[CellReport, ...]
    gross_g: float | None
    noise_g: float | None  # of one weight: all cells together
    drift_g_per_h: float | None
    u_drift_g_per_h: float | None  # its standard uncertainty: half a minute tells little
    was_at_rest: bool
    piece_g: float | None  # of the product that lies there
    noise_pieces: float | None
    least_piece_g: float | None  # that this scale can count
    most_pieces: int | None  # of this product, absolutely
    problems: tuple[str, ...] = ()  # in words; none: well
    faults: tuple[CellFault, ...] = ()

    @property
    def is_well(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the scale beside its counts."""

    intervals_s: Mapping[str, float] = field(default_factory=dict)  # configured, by sensor
    calibrated_days: Mapping[str, float] = field(default_factory=dict)  # ago, by sensor
    piece_g: float | None = None
    piece_sd_g: float | None = None
    zero_g: float = 0.0


def diagnosed(shelf: ShelfSettings, samples: Sequence[Sample], known: Known = Known()) -> Diagnosis:
    """``samples`` of the shelf's cells, oldest first, taken while nobody touched the shelf."""
    said = [_said(cell, samples) for cell in shelf.cells]
    reports = [_report(cell, each, known) for cell, each in zip(shelf.cells, said, strict=True)]
    levels_g = [report.level_g for report in reports]
    gross_g = sum(each for each in levels_g if each is not None) - known.zero_g if None not in levels_g else None
    reports = [_shared(report, gross_g, shelf.capacity_g) for report in reports]
    noises_g = [report.noise_g for report in reports]
    noise_g = sqrt(sum(each * each for each in noises_g if each is not None)) if None not in noises_g else None
    slopes = [_slope(cell, each, report.noise_g) for cell, each, report in zip(shelf.cells, said, reports, strict=True)]
    drifts = [each for each in slopes if each is not None]
    is_complete = len(drifts) == len(slopes)
    times_ms = [mono_ms for each in said for mono_ms, _, _ in each]
    variation = known.piece_sd_g / known.piece_g if known.piece_sd_g and known.piece_g else VARIATION
    found = Diagnosis(
        shelf=shelf.name,
        seconds=(max(times_ms) - min(times_ms)) / 1000 if times_ms else 0.0,
        cells=tuple(reports),
        gross_g=gross_g,
        noise_g=noise_g,
        drift_g_per_h=sum(drift for drift, _ in drifts) if is_complete else None,
        u_drift_g_per_h=sqrt(sum(u * u for _, u in drifts)) if is_complete else None,
        was_at_rest=all(
            _is_at_rest(cell, each, r.noise_g) for cell, each, r in zip(shelf.cells, said, reports, strict=True)
        ),
        piece_g=known.piece_g,
        noise_pieces=noise_g / known.piece_g if noise_g is not None and known.piece_g else None,
        least_piece_g=noise_g / NOISE_SHARE if noise_g is not None else None,
        most_pieces=countable(known.piece_g, noise_g, variation) if known.piece_g and noise_g is not None else None,
        faults=_faults(shelf, samples, known),
    )
    return _judged(shelf, found)


def countable(piece_g: float, noise_g: float, variation: float = VARIATION, reference: int = REFERENCE) -> int:
    """Up to how many pieces a weight says the number of, to 99 %: it must be known to half a piece.

    Pieces differ by ``variation`` (a share of one), their mean was learnt from ``reference`` of them.

    >>> countable(500.0, 1.0), countable(500.0, 1.0, reference=80), countable(15.0, 1.5), countable(15.0, 6.0)
    (26, 55, 21, 0)
    """
    pieces = 0
    while pieces < MOST_PIECES:
        more = pieces + 1
        u_pieces = sqrt(more * variation**2 + (more * variation) ** 2 / reference + (noise_g / piece_g) ** 2)
        if SURE * u_pieces > 0.5:
            break
        pieces = more
    return pieces


# --- a cell ---------------------------------------------------------------------------------------------------------


Said = tuple[int, float | None, str | None]  # (mono_ms, counts, fault)


def _said(cell: CellSettings, samples: Sequence[Sample]) -> list[Said]:
    found: list[Said] = []
    for sample in samples:
        for reading in sample.readings:
            if sample.point == cell.sensor and reading.channel.quantity == "counts":
                is_weight = reading.value is not None and reading.value not in NO_WEIGHT
                fault = reading.fault if reading.value is None else "saturated"
                found.append(
                    (sample.at.mono_ms, reading.value, None) if is_weight else (sample.at.mono_ms, None, fault)
                )
    return found


def _report(cell: CellSettings, said: Sequence[Said], known: Known) -> CellReport:
    counts = [each for _, each, _ in said if each is not None]
    window = stretch(counts)
    interval_s = known.intervals_s.get(cell.sensor)
    passed_ms = said[-1][0] - said[0][0] if said else 0
    return CellReport(
        sensor=cell.sensor,
        samples=len(said),
        bad=dict(Counter(fault or "fault" for _, each, fault in said if each is None)),
        measured_sps=1000 * (len(said) - 1) / passed_ms if passed_ms else None,
        configured_sps=None if interval_s is None else 1 / interval_s,
        level_g=grams(median(counts), cell) if counts else None,
        noise_g=None if window is None else abs(window.noise / cell.counts_per_gram),
        spikes=0 if window is None else len(_spikes(counts, window.noise)),
        calibrated_days=known.calibrated_days.get(cell.sensor),
    )


def _spikes(counts: Sequence[float], noise: float) -> list[int]:
    """Samples that stand alone: far from those before and after."""
    limit = SPIKE_NOISES * max(noise, 0.5)
    return [at for at in range(len(counts)) if abs(counts[at] - median(counts[max(0, at - 2) : at + 3])) > limit]


def _calm(cell: CellSettings, said: Sequence[Said], noise_g: float | None) -> list[tuple[float, float]]:
    """(s, g) without spikes."""
    good = [(mono_ms / 1000, counts) for mono_ms, counts, _ in said if counts is not None]
    noise = 0.0 if noise_g is None else abs(noise_g * cell.counts_per_gram)
    spikes = set(_spikes([counts for _, counts in good], noise))
    return [(at_s, grams(counts, cell)) for index, (at_s, counts) in enumerate(good) if index not in spikes]


def _slope(cell: CellSettings, said: Sequence[Said], noise_g: float | None) -> tuple[float, float] | None:
    """Least squares: (g/h, standard uncertainty)."""
    calm = _calm(cell, said, noise_g)
    if noise_g is None or len(calm) < LEAST_SAMPLES:
        return None
    middle_s = fmean(at_s for at_s, _ in calm)
    squares = sum((at_s - middle_s) ** 2 for at_s, _ in calm)
    if not squares:
        return None
    per_s = sum((at_s - middle_s) * each_g for at_s, each_g in calm) / squares
    return 3600 * per_s, 3600 * noise_g / sqrt(squares)


def _is_at_rest(cell: CellSettings, said: Sequence[Said], noise_g: float | None) -> bool:
    calm = _calm(cell, said, noise_g)
    if noise_g is None or len(calm) < LEAST_SAMPLES:
        return True  # nothing can be said
    return pstdev(each_g for _, each_g in calm) <= MOVED_TIMES * max(noise_g, abs(1 / cell.counts_per_gram))


def _shared(report: CellReport, gross_g: float | None, capacity_g: float) -> CellReport:
    if report.level_g is None or gross_g is None or gross_g < LEAST_LOAD_SHARE * capacity_g:
        return report
    return replace(report, share=report.level_g / gross_g)


# --- the verdict ----------------------------------------------------------------------------------------------------


def _faults(shelf: ShelfSettings, samples: Sequence[Sample], known: Known) -> tuple[CellFault, ...]:
    """That the agent would have raised over the same counts, a second at a time."""
    found: dict[str, CellFault] = {}
    trace = CellTrace()
    if not samples:
        return ()
    ordered = sorted(samples, key=lambda sample: sample.at.mono_ms)
    begin_ms, at = ordered[0].at.mono_ms, 0
    for end_ms in range(begin_ms + 1_000, ordered[-1].at.mono_ms + 1_000, 1_000):
        batch = []
        while at < len(ordered) and ordered[at].at.mono_ms <= end_ms:
            batch.append(ordered[at])
            at += 1
        weights = weighed(shelf, trace, batch, end_ms, zero_g=known.zero_g, piece_g=known.piece_g)
        trace = weights.trace
        found |= {name(fault): fault for fault in weights.faults}
    return tuple(found.values())


def _judged(shelf: ShelfSettings, found: Diagnosis) -> Diagnosis:
    problems = [each for report in found.cells for each in _problems_of(report, shelf)]
    counted = {(report.sensor, code) for report in found.cells for code in report.bad}  # said already, in figures
    problems += [f"{name(each)}: {each.evidence}" for each in found.faults if (each.cell, each.code) not in counted]
    if not found.was_at_rest:
        problems.append("something moved on the platform meanwhile: noise and drift are too high; once more, hands off")
    e_g = verification_g(shelf)
    if found.noise_g is not None and found.noise_g > e_g:
        problems.append(f"noise of {found.noise_g:.3g} g: above {e_g:.3g} g, a 3000th of the capacity")
    if found.noise_pieces is not None and found.noise_pieces > NOISE_SHARE:
        share = 100 * found.noise_pieces
        problems.append(
            f"noise of {share:.0f} % of a piece of {found.piece_g:.4g} g: above 10 % pieces are not counted"
        )
    drift, u_drift, limit = found.drift_g_per_h, found.u_drift_g_per_h, shelf.drift_limit_g_per_h
    if drift is not None and u_drift is not None and found.was_at_rest and abs(drift) > limit + SURE_SLOPE * u_drift:
        problems.append(
            f"drift of {drift:+.0f} +- {u_drift:.0f} g/h: faster than the {limit:.0f} g/h that are followed"
        )
    return replace(found, problems=tuple(problems))


def _problems_of(report: CellReport, shelf: ShelfSettings) -> list[str]:
    sensor = report.sensor
    if not report.samples:
        return [f"{sensor}: said nothing"]
    bad = sum(report.bad.values())
    problems = []
    if bad > BAD_SHARE * report.samples:
        kinds = ", ".join(f"{count} {fault}" for fault, count in report.bad.items())
        problems.append(f"{sensor}: {bad} of {report.samples} samples are bad ({kinds})")
    elif report.samples - bad < LEAST_SAMPLES:
        problems.append(f"{sensor}: {report.samples - bad} good samples are too few to judge; take longer")
    elif report.noise_g == 0:
        problems.append(f"{sensor}: not the least noise, and no ADC of 24 bits is so quiet: is it stuck?")
    measured, configured = report.measured_sps, report.configured_sps
    if measured is not None and configured is not None and measured < SLOW_SHARE * configured:
        problems.append(f"{sensor}: {measured:.3g} samples/s, and {configured:.3g} are configured")
    if report.spikes > max(1.0, SPIKE_SHARE * report.samples):
        problems.append(f"{sensor}: {report.spikes} of {report.samples} samples are spikes: check cable and shield")
    if report.share is not None and report.share < LIGHT_SHARE:
        problems.append(f"{sensor}: carries {100 * report.share:.1f} % of the load: does it carry the platform at all?")
    days = report.calibrated_days
    if days is not None and days > shelf.calibrate_every_days:
        problems.append(f"{sensor}: calibrated {days:.0f} days ago, due every {shelf.calibrate_every_days:.0f}")
    return problems
