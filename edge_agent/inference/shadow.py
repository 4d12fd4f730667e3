"""A new model beside the one in use: both answer, what happened judges them, and neither is trusted on its word.

Losses come in pairs, new and old on the same outcome. Outcomes of one day share its weather and its customers, so the
day is the unit: r = sum of (new - old) / sum of old over the days, with the ratio estimator's standard error from the
days' own residuals (Cochran, Sampling Techniques, eq. 6.9, without the finite correction) and Student's t.

Some outcomes only say "at least so long" (a lot that was sold fresh). They count, but whoever promises everything for
ever wins on them: nothing is said before FEWEST_ENDS others have come.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import NamedTuple

FEWEST_DAYS = 7  # before anything is said of a model: each weekday once
FEWEST_OUTCOMES = 30
FEWEST_ENDS = 10  # outcomes that say where something ended, not only that it went on so far
MARGIN = 0.02  # relative: what "not worse" allows
MOST_DAYS = 4  # times the days wanted, and no more than are kept: then it is decided either way
KEPT_DAYS = 120
KEPT_NAMES = 512  # of what was counted: a shop's lots of a month or more
# One-sided quantiles of Student's t at 95 % and 99 % by degrees of freedom, the next lower row counts (NIST handbook
# 1.3.6.7.2).
_T = {
    1: (6.314, 31.82), 2: (2.920, 6.965), 3: (2.353, 4.541), 4: (2.132, 3.747), 5: (2.015, 3.365), 6: (1.943, 3.143),
    8: (1.860, 2.896), 10: (1.812, 2.764), 13: (1.771, 2.650), 17: (1.740, 2.567), 20: (1.725, 2.528),
    30: (1.697, 2.457), 60: (1.671, 2.390), 100: (1.660, 2.364),
}  # fmt: skip


class Verdict(StrEnum):
    WATCH = "watch"
    PROMOTE = "promote"
    REJECT = "reject"


class Pair(NamedTuple):
    """What one outcome cost both."""

    new: float  # 0 or more
    old: float
    of: str = ""  # what it is an outcome of, to be counted once; "": each by itself
    is_end: bool = True  # False: it went on at least so long


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    outcomes: int
    new: float  # sum of the losses, 0 or more
    old: float
    ends: int  # of the outcomes


@dataclass(frozen=True, slots=True)
class Shadow:
    """What is known of one pair of models. A loss is 0 or more, lower is better, of the same kind for both."""

    version: str  # of the new one
    against: str  # version, or name of the fall-back, that it is compared with
    days: tuple[Day, ...] = ()  # in order
    counted: tuple[str, ...] = ()  # names of what is in the sums, the last ones

    @property
    def outcomes(self) -> int:
        return sum(day.outcomes for day in self.days)

    @property
    def ends(self) -> int:
        return sum(day.ends for day in self.days)


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    reason: str


def with_losses(shadow: Shadow, day: date, pairs: Iterable[Pair | tuple[float, float]]) -> Shadow:
    """With outcomes of a day: (loss of the new model, loss of the old one). What was counted before is left out.

    Raises ValueError for what is no loss.
    """
    named = dict.fromkeys(shadow.counted)  # in order
    found = []
    for pair in (Pair(*each) for each in pairs):
        if not (math.isfinite(pair.new) and math.isfinite(pair.old) and pair.new >= 0 and pair.old >= 0):
            raise ValueError(f"losses ({pair.new}, {pair.old}) on {day}: must be finite numbers of 0 or more")
        if not pair.of or pair.of not in named:
            found.append(pair)
            named |= {pair.of: None} if pair.of else {}
    if not found:
        return shadow
    known = {one.day: one for one in shadow.days}
    before = known.get(day, Day(day, 0, 0.0, 0.0, 0))
    known[day] = Day(
        day,
        before.outcomes + len(found),
        before.new + math.fsum(pair.new for pair in found),
        before.old + math.fsum(pair.old for pair in found),
        before.ends + sum(pair.is_end for pair in found),
    )
    days = tuple(known[one] for one in sorted(known))[-KEPT_DAYS:]
    return replace(shadow, days=days, counted=tuple(named)[-KEPT_NAMES:])


def judged(shadow: Shadow, days_wanted: int, outcomes_wanted: int) -> Judgement:
    """Rejected as soon as it is surely worse, and not by a hair; promoted once it is surely not worse by more than
    MARGIN, after the days and outcomes wanted; at MOST_DAYS times the days by the sign alone. ``days_wanted`` 0: it is
    only ever rejected, and somebody has to promote it."""
    count, old = len(shadow.days), math.fsum(day.old for day in shadow.days)
    if count < FEWEST_DAYS or shadow.outcomes < FEWEST_OUTCOMES or shadow.ends < FEWEST_ENDS or old <= 0:
        return Judgement(Verdict.WATCH, f"{_seen(shadow)}: too few to say anything")
    ratio, error = _ratio(shadow)
    bound_95, bound_99 = (ratio + quantile * error for quantile in _t(count - 1))
    worst_99 = ratio - (bound_99 - ratio)
    told = f"its loss is {ratio:+.1%} (± {error:.1%}) of that of {shadow.against} over {_seen(shadow)}"
    if worst_99 > 0 and ratio > MARGIN / 2:
        return Judgement(Verdict.REJECT, f"worse: {told}")
    if days_wanted == 0:
        return Judgement(Verdict.WATCH, f"{told}; it waits for somebody to promote it")
    if count < days_wanted or shadow.outcomes < outcomes_wanted:
        return Judgement(Verdict.WATCH, f"{told}; wanted are {days_wanted} days and {outcomes_wanted} outcomes")
    if bound_95 <= MARGIN:
        return Judgement(Verdict.PROMOTE, f"not worse: {told}")
    if count < min(MOST_DAYS * days_wanted, KEPT_DAYS):
        return Judgement(Verdict.WATCH, f"{told}: not sure yet")
    verdict = Verdict.PROMOTE if ratio <= 0 else Verdict.REJECT
    return Judgement(verdict, f"{'not worse' if ratio <= 0 else 'not shown to be as good'}: {told}")


def _seen(shadow: Shadow) -> str:
    told = f"{len(shadow.days)} days with {shadow.outcomes} outcomes"
    return told if shadow.ends == shadow.outcomes else f"{told}, {shadow.ends} of them ends"


def _ratio(shadow: Shadow) -> tuple[float, float]:
    """Estimate and standard error."""
    count, old = len(shadow.days), math.fsum(day.old for day in shadow.days)
    ratio = math.fsum(day.new - day.old for day in shadow.days) / old
    residuals = math.fsum((day.new - day.old - ratio * day.old) ** 2 for day in shadow.days)
    return ratio, math.sqrt(residuals * count / (count - 1)) / old


def _t(freedom: int) -> tuple[float, float]:
    return _T[max(known for known in _T if known <= freedom)]


# --- bytes ----------------------------------------------------------------------------------------------------------


def to_text(shadow: Shadow) -> str:
    days = [[one.day.isoformat(), one.outcomes, one.new, one.old, one.ends] for one in shadow.days]
    body = {"version": shadow.version, "against": shadow.against, "days": days, "counted": shadow.counted}
    return json.dumps(body)


def from_text(text: str) -> Shadow:
    """Raises ValueError for what `to_text` never wrote."""
    try:
        body = json.loads(text)
        days = tuple(
            Day(date.fromisoformat(day), int(count), float(new), float(old), int(ends))
            for day, count, new, old, ends in body["days"]
        )
        return Shadow(str(body["version"]), str(body["against"]), days, tuple(map(str, body["counted"])))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} is no record of a comparison: {error}") from error
