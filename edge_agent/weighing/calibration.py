"""From known weights to the calibration of a shelf's cells, and how good the scale is. Pure.

What is put on the empty platform is a ``Placing``; everything is reckoned in counts of each cell above its own zero.
Limits are those of a class III scale with 3000 intervals in service: twice the maximum permissible errors of OIML
R76-1 (2006), Table 6 and 3.5.2; eccentricity by 3.6.2, repeatability by 3.6.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, stdev

from edge_agent.domain.instant import Instant
from edge_agent.weighing.settings import CellSettings

DIVISIONS = 3000  # e = capacity / 3000
LEAST_SHARE = 0.1  # of the capacity: a lighter weight says little about the span
SPAN_WARNING = 0.02  # a span that changed so much since the calibration before wants a reason
REPEATS = 3
LONGEST_S = 3600.0
MIDDLE = "middle"
_STEADY_TIMES = 4.0  # standard deviations of a mean
_STEADY_SHARE = 2e-5  # of the ADC's range either side of zero: the least that passes for movement
_LEAST_SAMPLES = 6
_FULL_COUNTS = 2**23


class Refused(ValueError):
    """No calibration can be made of this; the text says why, and what to do."""


class Unsteady(Refused):
    """Not now: wait, and try again."""


@dataclass(frozen=True, slots=True)
class Placing:
    """A known weight, and what the cells said."""

    known_g: float
    counts: tuple[float, ...]  # of each cell, at rest
    place: str = MIDDLE  # where it stood: the sensor of the cell below it, or any other word for a corner


@dataclass(frozen=True, slots=True)
class Session:
    """A calibration in progress."""

    began: Instant
    who: str
    empty: tuple[float, ...]  # counts of each cell
    placings: tuple[Placing, ...] = ()

    def is_open(self, now: Instant) -> bool:
        """Left alone for too long, the shelf is a shelf again."""
        return self.began.age_s(now) <= LONGEST_S


@dataclass(frozen=True, slots=True)
class Corners:
    """The same weight in several places."""

    worst: str
    deviation_g: float  # there, from the middle
    limit_g: float
    off: tuple[tuple[str, float], ...]  # (sensor, share by which its counts_per_gram was off), where it can be told

    @property
    def is_good(self) -> bool:
        return abs(self.deviation_g) <= self.limit_g


@dataclass(frozen=True, slots=True)
class Repeatability:
    """The same weight in the same place, several times."""

    n: int
    sd_g: float
    range_g: float
    limit_g: float

    @property
    def is_good(self) -> bool:
        return self.range_g <= self.limit_g


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came of it."""

    cells: tuple[CellSettings, ...]
    weights_g: tuple[float, ...]  # used, in order
    residuals_g: tuple[float, ...]  # shown with the new calibration less known
    span_change: float  # largest of the cells, as a share
    corners: Corners | None = None
    repeatability: Repeatability | None = None
    warnings: tuple[str, ...] = ()  # in words, for the person at the scale

    @property
    def residual_g(self) -> float:
        """The largest, with its sign."""
        return max(self.residuals_g, key=abs)


def grams(counts: float, cell: CellSettings) -> float:
    """Grams on one cell: by its points where it has some (straight between and beyond them), else by zero and span.

    >>> grams(10_500, CellSettings("s", zero_counts=500, counts_per_gram=20.0))
    500.0
    >>> bent = CellSettings("s", 0, 10.0, points=((0, 0.0), (100, 10.0), (180, 20.0)))
    >>> grams(50, bent), grams(140, bent), grams(220, bent), grams(-10, bent)
    (5.0, 15.0, 25.0, -1.0)
    """
    if not cell.points:
        return (counts - cell.zero_counts) / cell.counts_per_gram
    low, high = next(
        (pair for pair in pairwise(cell.points) if _lies_before(counts, pair[1][0], cell)), cell.points[-2:]
    )
    return low[1] + (high[1] - low[1]) * (counts - low[0]) / (high[0] - low[0])


def _lies_before(counts: float, end: float, cell: CellSettings) -> bool:
    """Counts fall with the load where the cell hangs the other way round."""
    return counts <= end if cell.points[0][0] < cell.points[-1][0] else counts >= end


def permissible_g(load_g: float, capacity_g: float) -> float:
    """Error that a scale in service may have at this load.

    >>> [round(permissible_g(load, 30_000), 1) for load in (1_000, 10_000, 30_000)]
    [10.0, 20.0, 30.0]
    """
    e_g = capacity_g / DIVISIONS
    return e_g * (1.0 if load_g <= 500 * e_g else 2.0 if load_g <= 2000 * e_g else 3.0)


def steady(level: float | None, newest: Sequence[float], noise: float | None) -> float:
    """The counts of a cell at rest: the level of the last seconds, which the newest samples must agree with.

    Raises Unsteady while they do not.
    """
    if level is None or len(newest) < _LEAST_SAMPLES:
        raise Unsteady("too few samples yet: wait some seconds and try again")
    off = abs(fmean(newest) - level)
    allowed = max(_STEADY_TIMES * (noise or 0.0) / math.sqrt(len(newest)), _STEADY_SHARE * _FULL_COUNTS)
    if off > allowed:
        raise Unsteady(
            f"the platform is moving: {off:.0f} counts within seconds, {allowed:.0f} are rest; wait and try again"
        )
    return level


def check_weight(known_g: float, capacity_g: float) -> None:
    """Raises Refused for a weight that no calibration can be based upon."""
    least_g = LEAST_SHARE * capacity_g
    if not least_g <= known_g <= capacity_g:
        raise Refused(
            f"known_g = {known_g:g}: must be between {least_g:g} and {capacity_g:g} g (10 to 100 % of the capacity)"
        )


def check_placing(cells: Sequence[CellSettings], empty: Sequence[float], placing: Placing) -> None:
    """Raises Refused where the cells contradict the weight: a sign is wrong, cells are swapped, nothing was felt."""
    felt_g = _felt_g(cells, empty, placing.counts)
    total_g = sum(felt_g)
    if abs(total_g) < 0.01 * placing.known_g:
        raise Refused(f"{placing.known_g:g} g were put on, and the cells felt {total_g:.1f} g: does it stand there?")
    for cell, one_g in zip(cells, felt_g, strict=True):
        if one_g < -0.05 * abs(total_g):
            raise Refused(
                f"{cell.sensor} goes down ({one_g:.0f} g) when {placing.known_g:g} g are put on: swap its signal wires"
                f" (S+, S-), or give its counts_per_gram the other sign ({-cell.counts_per_gram:g})"
            )
    sensors = [cell.sensor for cell in cells]
    if len(cells) > 1 and placing.place in sensors:
        most = sensors[felt_g.index(max(felt_g))]
        if max(felt_g) - felt_g[sensors.index(placing.place)] > 0.1 * total_g:
            raise Refused(
                f"the weight stands above {placing.place}, and {most} feels most of it: are the two swapped?"
                " exchange their names in the configuration, or their plugs"
            )


def calibrate(
    cells: Sequence[CellSettings], capacity_g: float, empty: Sequence[float], placings: Sequence[Placing]
) -> Calibration:
    """The new calibration from the empty platform and at least one known weight.

    One weight: zero and span. More of them: least squares, or straight pieces between them where the cell is bent
    by more than the permissible error. Weights above each of several cells: each cell's own span. Raises Refused.
    """
    if not placings:
        raise Refused("no known weight was put on yet: send step span with known_g")
    for placing in placings:
        check_weight(placing.known_g, capacity_g)
        check_placing(cells, empty, placing)
    gains = _gains(cells, empty, placings)
    fitted = tuple(
        replace(cell, zero_counts=round(zero), counts_per_gram=cell.counts_per_gram / gain, points=())
        for cell, zero, gain in zip(cells, empty, gains, strict=True)
    )
    if len(cells) == 1:
        fitted = (_bent(fitted[0], capacity_g, placings),)
    residuals_g = tuple(_shown_g(fitted, placing.counts) - placing.known_g for placing in placings)
    changes = [_span(new) / _span(old) - 1 for new, old in zip(fitted, cells, strict=True)]
    made = Calibration(
        fitted,
        tuple(placing.known_g for placing in placings),
        residuals_g,
        max(changes, key=abs),
        corners(cells, fitted, capacity_g, placings),
        repeatability(fitted, capacity_g, placings),
    )
    return replace(made, warnings=_warnings(made, cells, changes, capacity_g))


def corners(
    before: Sequence[CellSettings], fitted: Sequence[CellSettings], capacity_g: float, placings: Sequence[Placing]
) -> Corners | None:
    """The largest difference between the same weight in a corner and in the middle; None without both."""
    middles = [placing for placing in placings if placing.place == MIDDLE]
    elsewhere = [placing for placing in placings if placing.place != MIDDLE]
    found: list[tuple[float, Placing]] = []
    for placing in elsewhere:
        same = [_shown_g(fitted, m.counts) for m in middles if math.isclose(m.known_g, placing.known_g)]
        if same:
            found.append((_shown_g(fitted, placing.counts) - fmean(same), placing))
    if not found:
        return None
    deviation_g, worst = max(found, key=lambda pair: abs(pair[0]))
    off: tuple[tuple[str, float], ...] = ()
    if _tells_cells_apart(before, placings):
        common = fmean([_span(new) / _span(old) for new, old in zip(fitted, before, strict=True)])
        off = tuple(
            (old.sensor, _span(old) * common / _span(new) - 1)
            for new, old in zip(fitted, before, strict=True)
            if abs(_span(old) * common / _span(new) - 1) > 1 / DIVISIONS
        )
    return Corners(worst.place, deviation_g, permissible_g(worst.known_g, capacity_g), off)


def repeatability(
    cells: Sequence[CellSettings], capacity_g: float, placings: Sequence[Placing]
) -> Repeatability | None:
    """Of the weight that was put on the middle most often; None below three times."""
    by_weight: dict[float, list[float]] = {}
    for placing in placings:
        if placing.place == MIDDLE:
            by_weight.setdefault(placing.known_g, []).append(_shown_g(cells, placing.counts))
    known_g, shown_g = max(by_weight.items(), key=lambda item: len(item[1]), default=(0.0, []))
    if len(shown_g) < REPEATS:
        return None
    return Repeatability(len(shown_g), stdev(shown_g), max(shown_g) - min(shown_g), permissible_g(known_g, capacity_g))


# --- the fit ----------------------------------------------------------------------------------------------------------


def _felt_g(cells: Sequence[CellSettings], empty: Sequence[float], counts: Sequence[float]) -> list[float]:
    """Of each cell above the empty platform, by the spans until now."""
    return [(now - zero) / _span(cell) for cell, zero, now in zip(cells, empty, counts, strict=True)]


def _span(cell: CellSettings) -> float:
    """Counts per gram over the whole range."""
    if not cell.points:
        return cell.counts_per_gram
    (low, low_g), (high, high_g) = cell.points[0], cell.points[-1]
    return (high - low) / (high_g - low_g)


def _shown_g(cells: Sequence[CellSettings], counts: Sequence[float]) -> float:
    return sum(grams(now, cell) for now, cell in zip(counts, cells, strict=True))


def _gains(cells: Sequence[CellSettings], empty: Sequence[float], placings: Sequence[Placing]) -> list[float]:
    """By how much what each cell felt must be multiplied: least squares over all placings."""
    rows = [_felt_g(cells, empty, placing.counts) for placing in placings]
    known_g = [placing.known_g for placing in placings]
    if _tells_cells_apart(cells, placings):
        return _least_squares(rows, known_g)
    sums_g = [[sum(row)] for row in rows]
    return _least_squares(sums_g, known_g) * len(cells)


def _tells_cells_apart(cells: Sequence[CellSettings], placings: Sequence[Placing]) -> bool:
    """A weight stood above each of several cells."""
    return len(cells) > 1 and {cell.sensor for cell in cells} <= {placing.place for placing in placings}


def _least_squares(rows: Sequence[Sequence[float]], wanted: Sequence[float]) -> list[float]:
    """Normal equations, Gauss with pivoting: at most a few cells."""
    size = len(rows[0])
    matrix = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)]
        + [sum(row[i] * want for row, want in zip(rows, wanted, strict=True))]
        for i in range(size)
    ]
    largest = max(abs(value) for line in matrix for value in line[:-1])
    for column in range(size):
        pivot = max(range(column, size), key=lambda line: abs(matrix[line][column]))
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        if abs(matrix[column][column]) < 1e-9 * largest:
            raise Refused("the placings do not tell the cells apart: put the weight right above each cell in turn")
        for line in range(size):
            if line != column:
                factor = matrix[line][column] / matrix[column][column]
                matrix[line] = [a - factor * b for a, b in zip(matrix[line], matrix[column], strict=True)]
    gains = [matrix[line][-1] / matrix[line][line] for line in range(size)]
    if min(gains) <= 0:
        raise Refused("no positive span fits these weights: was each weight given as it is, and put where it was said?")
    return gains


def _bent(cell: CellSettings, capacity_g: float, placings: Sequence[Placing]) -> CellSettings:
    """A cell whose line misses a weight by more than may be gets straight pieces between the weights."""
    by_weight: dict[float, list[float]] = {}
    for placing in placings:
        by_weight.setdefault(placing.known_g, []).append(placing.counts[0])
    points = ((float(cell.zero_counts), 0.0), *((fmean(by_weight[g]), g) for g in sorted(by_weight)))
    steps = [(b[0] - a[0]) * math.copysign(1, cell.counts_per_gram) for a, b in pairwise(points)]
    if min(steps) <= 0:
        index = steps.index(min(steps))
        raise Refused(
            f"{points[index + 1][1]:g} g gave no more counts ({points[index + 1][0]:.0f}) than {points[index][1]:g} g"
            f" ({points[index][0]:.0f}): were two weights mixed up?"
        )
    misses = [abs(grams(counts, cell) - known_g) > permissible_g(known_g, capacity_g) for counts, known_g in points]
    return replace(cell, points=points) if len(points) > 2 and any(misses) else cell


def _warnings(
    made: Calibration, cells: Sequence[CellSettings], changes: Sequence[float], capacity_g: float
) -> tuple[str, ...]:
    found = [
        f"the span of {cell.sensor} changed by {100 * change:+.1f} % since the calibration before (more than"
        f" {100 * SPAN_WARNING:g} %): was known_g right? else the cell or its mounting has suffered"
        for cell, change in zip(cells, changes, strict=True)
        if abs(change) > SPAN_WARNING
    ]
    worst = max(zip(made.residuals_g, made.weights_g, strict=True), key=lambda pair: abs(pair[0]))
    if abs(worst[0]) > permissible_g(worst[1], capacity_g):
        found.append(
            f"{worst[1]:g} g are shown {worst[0]:+.1f} g off ({permissible_g(worst[1], capacity_g):g} g may be):"
            " was each weight given as it is?"
        )
    if made.corners is not None and not made.corners.is_good:
        found.append(
            f"at {made.corners.worst} the same weight shows {made.corners.deviation_g:+.1f} g more than in the middle"
            f" ({made.corners.limit_g:g} g may be): level the feet, free the platform; put the weight above each cell"
            " (corner = its sensor) and each cell gets its own span"
        )
    if made.repeatability is not None and not made.repeatability.is_good:
        found.append(
            f"the same weight {made.repeatability.n} times lies within {made.repeatability.range_g:.1f} g"
            f" ({made.repeatability.limit_g:g} g may be): something rubs, or the platform rocks"
        )
    return tuple(found)


# --- when it is due ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    days_left: float  # negative: overdue


def due(calibrated_wall_ms: int, now_wall_ms: int, every_days: float) -> Due:
    """
    >>> due(0, 360 * 86_400_000, 365).days_left
    5.0
    """
    return Due(every_days - (now_wall_ms - calibrated_wall_ms) / 86_400_000)
