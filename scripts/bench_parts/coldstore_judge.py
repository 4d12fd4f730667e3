"""The judge of `scripts/bench coldstore`: reads the recordings by itself, and uses none of the agent's code.

**Episodes.** From the first reading above 5.0 °C to the first one that is not; an hour without a reading ends one.

**Causes.** An alarm has one where the raw trace shows it, by what the alarm is about:

* too warm, too cold: beyond the alarm's own limit for at least the site's 45 min before it, one reading between let
  off; on a freezer not when all of it is one of its defrosts, an hour at most;
* compressor, defrost, weak cooling: the room is worse off than it was. Within two hours before and three after there
  are 45 min above the place's limit, or above all but 2 % of the readings of the fortnight before, or the lowest
  reading of the last 24 h is 1 K above what it was then;
* compressor: also a rise without a break (less than 0.3 K back) around the alarm, of 0.6 K at least, that lasts longer
  than all but 1 % of those of the fortnight before;
* a doubted sensor: no number, a step of 5 K, or the same number for three hours, within the last six hours;
* a door: never, four readings an hour do not show one.

**Defrosts.** The period is the lag at which the trace, less its own running median and cut at 3 K, is most like
itself (autocorrelation), where that is above chance; defrosts are humps of which three or more follow one another
by a period. Humps are many and a quarter of an hour is coarse, so some do that by chance: as many as at a period
that is none.
"""

import csv
import gzip
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

HOUR_S, DAY_S = 3600.0, 86_400.0
STEP_S = 900.0
ZONES = ("platform-1", "platform-2", "deepfreezer-1", "deepfreezer-2",
         *(f"freezer-{n}" for n in (1, 2, 3, 4)), "cooling-1", "cooling-2")  # fmt: skip
CHILLED = ("platform-1", "platform-2", "cooling-1", "cooling-2")
FROZEN = tuple(zone for zone in ZONES if "freezer" in zone)
A_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?$")
LIMIT_C, LONG_S, GAP_S = 5.0, 4 * HOUR_S, HOUR_S
PRACTICE_S = 2700.0
WARM = ("temperature-high", "critical-high", "food-safety", "food-warning")
COLD = ("temperature-low", "critical-low", "freezing", "chilling")
MACHINE = ("compressor", "cooling-weak", "defrost")
ROUNDING_K = 0.06  # a DS18B20 says sixteenths, the file tenths
FORTNIGHT_S = 14 * DAY_S
FROZEN_C = -18.0
WORST, WORSE_K = 0.98, 1.0
BACK_K, RISE_K, LONGEST = 0.3, 0.6, 0.99
STEP_K, STUCK_S, DOUBT_S = 5.0, 3 * HOUR_S, 6 * HOUR_S
HUMP_K, HUMP_HALF = 0.4, 12  # readings: the running median is over three hours to each side
PERIODS_H = (4.0, 16.0)
CERTAIN = 6.0  # standard deviations above chance
NEAR_S = 1800.0


@dataclass(frozen=True, slots=True)
class Readings:
    """Of one zone, in the order of the file; what is no number is in ``bad_s``."""

    at_s: NDArray[np.float64]
    celsius: NDArray[np.float64]
    bad_s: NDArray[np.float64]

    def between(self, begin_s: float, end_s: float) -> slice:
        """Inclusive."""
        return slice(int(np.searchsorted(self.at_s, begin_s)), int(np.searchsorted(self.at_s, end_s, "right")))


@dataclass(frozen=True, slots=True)
class Episode:
    begin_s: float
    end_s: float
    most_c: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Alarm:
    """From when it was raised until its condition was over."""

    zone: str
    what: str
    raised_s: float
    over_s: float = math.inf
    limit: float | None = None
    message: str = ""


# --- the recordings -----------------------------------------------------------------------------------------------


def read(source: Path, time_columns: Sequence[str], time_format: str, columns: Sequence[str]) -> dict[str, Readings]:
    """Time goes on by a step where the logger's clock went back."""
    good: dict[str, list[tuple[float, float]]] = defaultdict(list)
    bad: dict[str, list[float]] = defaultdict(list)
    with gzip.open(source, "rt", newline="") as file:
        for row in csv.DictReader(file):
            text = " ".join(row[name] for name in time_columns)
            at_s = datetime.strptime(text, time_format).replace(tzinfo=UTC).timestamp()
            for zone, column in zip(ZONES, columns, strict=True):
                value = row[column].strip()
                if A_NUMBER.match(value):
                    good[zone].append((at_s, float(value)))
                elif value:
                    bad[zone].append(at_s)
    return {zone: _sorted(good[zone], bad[zone]) for zone in ZONES}


def _sorted(good: Sequence[tuple[float, float]], bad: Sequence[float]) -> Readings:
    """The hour that the clock told twice is merged: stable, so that its readings stay in order."""
    pairs = np.array(good)
    order = np.argsort(pairs[:, 0], kind="stable")
    return Readings(pairs[order, 0], pairs[order, 1], np.sort(np.array(bad)))


# --- episodes -----------------------------------------------------------------------------------------------------


def episodes(readings: Readings, limit_c: float = LIMIT_C, *, with_limit: bool = False) -> list[Episode]:
    """All of them, short ones too. ``with_limit``: a reading at the limit counts as above."""
    above = readings.celsius >= limit_c if with_limit else readings.celsius > limit_c
    found: list[Episode] = []
    begin: int | None = None
    for index, is_above in enumerate(above):
        is_gap = index > 0 and readings.at_s[index] - readings.at_s[index - 1] > GAP_S
        if begin is not None and (is_gap or not is_above):
            end = index - 1 if is_gap else index
            found.append(_episode(readings, begin, end))
            begin = None
        if begin is None and is_above:
            begin = index
    if begin is not None:
        found.append(_episode(readings, begin, len(above) - 1))
    return found


def _episode(readings: Readings, begin: int, end: int) -> Episode:
    most_c = float(readings.celsius[begin : end + 1].max())
    return Episode(float(readings.at_s[begin]), float(readings.at_s[end]), most_c)


def finder(episode: Episode, alarms: Sequence[Alarm]) -> Alarm | None:
    """The first alarm about warmth that stood in the episode."""
    about = (alarm for alarm in alarms if alarm.what in WARM and alarm.raised_s <= episode.end_s + STEP_S)
    return next((alarm for alarm in about if alarm.over_s >= episode.begin_s), None)


# --- causes -------------------------------------------------------------------------------------------------------


def has_cause(alarm: Alarm, readings: Readings, defrosts: Sequence[float]) -> bool:
    is_frozen = alarm.zone in FROZEN
    if alarm.what in WARM:
        return _is_beyond(alarm, readings, defrosts if is_frozen else (), +1)
    if alarm.what in COLD:
        return _is_beyond(alarm, readings, (), -1)
    if alarm.what == "compressor" and _stands_still(readings, alarm.raised_s):
        return True
    if alarm.what.startswith(MACHINE):
        return _is_worse(readings, alarm.raised_s, FROZEN_C if is_frozen else LIMIT_C)
    if alarm.what in ("sensor", "doubt"):
        return _is_odd(readings, alarm.raised_s)
    return False


def _is_beyond(alarm: Alarm, readings: Readings, defrosts: Sequence[float], sign: int) -> bool:
    """The food's clock adds up over a day; its alarm may come when the last of it is over."""
    if alarm.limit is None:
        return False
    back_s = DAY_S if alarm.what.startswith("food-") else 2 * PRACTICE_S
    part = readings.between(alarm.raised_s - back_s - PRACTICE_S, alarm.raised_s)
    beyond = sign * readings.celsius[part] > sign * alarm.limit - ROUNDING_K
    return any(
        end_s - begin_s >= PRACTICE_S - 1 and not _is_all_defrost(begin_s, end_s, defrosts)
        for begin_s, end_s in _stretches(readings.at_s[part], beyond)
    )


def _stretches(at_s: NDArray[np.float64], beyond: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    """From the first reading beyond to the last, with at most one other between two of them, and one step after."""
    found = np.flatnonzero(beyond)
    if len(found):
        breaks = np.flatnonzero(np.diff(found) > 2)
        for first, last in zip(found[[0, *(breaks + 1)]], found[[*breaks, len(found) - 1]], strict=True):
            yield float(at_s[first]), float(at_s[last]) + STEP_S


def _is_all_defrost(begin_s: float, end_s: float, defrosts: Sequence[float]) -> bool:
    return end_s - begin_s <= HOUR_S and any(begin_s - STEP_S <= peak_s <= end_s for peak_s in defrosts)


def _is_worse(readings: Readings, at_s: float, limit_c: float) -> bool:
    part = readings.between(at_s - 2 * HOUR_S, at_s + 3 * HOUR_S)
    if _lasts(readings, part, limit_c):
        return True
    before = readings.celsius[readings.between(at_s - DAY_S - FORTNIGHT_S, at_s - DAY_S)]
    if len(before) < 96:
        return False
    if _lasts(readings, part, float(np.quantile(before, WORST))):
        return True
    day = readings.celsius[readings.between(at_s - DAY_S, at_s)]
    lows = [before[first : first + 96].min() for first in range(0, len(before) - 95, 96)]
    return bool(len(day) and day.min() - np.median(lows) >= WORSE_K)


def _lasts(readings: Readings, part: slice, above_c: float) -> bool:
    stretches = _stretches(readings.at_s[part], readings.celsius[part] > above_c)
    return any(end_s - begin_s >= PRACTICE_S - 1 for begin_s, end_s in stretches)


def _stands_still(readings: Readings, at_s: float) -> bool:
    part = readings.between(at_s - FORTNIGHT_S, at_s + 3 * HOUR_S)
    rises = list(_rises(readings.at_s[part], readings.celsius[part]))
    mine = next((rise for rise in rises if rise[0] <= at_s <= rise[1]), None)
    if mine is None or mine[2] < RISE_K:
        return False
    others = [end_s - begin_s for begin_s, end_s, _ in rises if end_s < at_s]
    return not others or mine[1] - mine[0] > float(np.quantile(others, LONGEST))


def _rises(at_s: NDArray[np.float64], celsius: NDArray[np.float64]) -> Iterator[tuple[float, float, float]]:
    """(begin, end, height) of each rise that is not broken by ``BACK_K``."""
    low = high = 0
    for index in range(1, len(celsius)):
        if celsius[index] >= celsius[high]:
            high = index
        elif celsius[index] <= celsius[high] - BACK_K or celsius[index] < celsius[low]:
            if high > low:
                yield float(at_s[low]), float(at_s[high]), float(celsius[high] - celsius[low])
            low = high = index
    if high > low:
        yield float(at_s[low]), float(at_s[high]), float(celsius[high] - celsius[low])


def _is_odd(readings: Readings, at_s: float) -> bool:
    part = readings.between(at_s - DOUBT_S - STUCK_S, at_s)
    values = readings.celsius[part]
    is_bad = np.any((readings.bad_s >= at_s - DOUBT_S) & (readings.bad_s <= at_s))
    is_step = np.any(np.abs(np.diff(values)) >= STEP_K)
    run = round(STUCK_S / STEP_S)
    is_stuck = len(values) >= run and np.any(np.ptp(sliding_window_view(values, run), axis=1) == 0)
    return bool(is_bad or is_step or is_stuck)


# --- defrosts -----------------------------------------------------------------------------------------------------


def humps(readings: Readings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times of the peaks, and the trace less its running median."""
    window = 2 * HUMP_HALF + 1
    padded = np.pad(readings.celsius, HUMP_HALF, mode="edge")
    less = readings.celsius - np.median(sliding_window_view(padded, window), axis=1)
    peaks = [
        index
        for index in range(2, len(less) - 3)
        if less[index] >= HUMP_K
        and less[index] == less[index - 2 : index + 3].max()
        and less[index] - less[index - 2] > 0.3
        and less[index] - less[index + 1 : index + 4].min() > 0.3
    ]
    return readings.at_s[peaks], less


def period_h(less: NDArray[np.float64]) -> float | None:
    """Where the trace is most like itself; readings are taken as a quarter of an hour apart."""
    trace = np.clip(less, -1, 3)
    trace = trace - trace.mean()
    power = float(np.dot(trace, trace))
    if power == 0 or len(trace) < 96 * 7:
        return None
    lags = np.arange(round(PERIODS_H[0] * 4), round(PERIODS_H[1] * 4) + 1)
    like = np.array([np.dot(trace[:-lag], trace[lag:]) for lag in lags]) / power
    best = int(like.argmax())
    return float(lags[best]) / 4 if like[best] * math.sqrt(len(trace)) >= CERTAIN else None


def defrosts(peaks_s: NDArray[np.float64], period: float) -> list[float]:
    """Three peaks or more, each a period after the one before."""
    apart_s = peaks_s[None, :] - peaks_s[:, None]
    after = np.abs(apart_s - HOUR_S * period) <= NEAR_S  # column comes a period after row
    is_middle = after.any(axis=0) & after.any(axis=1)
    is_one = is_middle | (after & is_middle[None, :]).any(axis=1) | (after & is_middle[:, None]).any(axis=0)
    return [float(at_s) for at_s in peaks_s[is_one]]


def by_chance(peaks_s: NDArray[np.float64], period: float) -> float:
    """As many as would be found at a period that is none: median over those that are no multiple or part of it."""
    shares = np.arange(0.5, 1.7, 0.03)
    others = [each for each in shares if min(abs(each - near) for near in (0.5, 1.0, 1.5)) > 0.1]
    return float(np.median([len(defrosts(peaks_s, period * each)) for each in others]))


def months(readings: Readings) -> float:
    """Of thirty days."""
    return (float(readings.at_s[-1]) - float(readings.at_s[0])) / (30 * DAY_S)
