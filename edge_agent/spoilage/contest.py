"""A new model beside the one in use, on lots whose end is known: what each said is scored by what became of them. Pure.

Nobody sees a lot spoil: staff find it spoiled some time after they looked last, or it is sold and nobody will know how
long it would have kept. So the life is an interval, open above for what was sold, and the score is the likelihood that
the told distribution gave it: -ln(F(high) - F(low)), the logarithmic score for interval-censored lives. Right as long
as what is sold is not sold because it is about to spoil; goods that are marked down for that have an end of their own.
"""

import math
from dataclasses import dataclass

import numpy as np

from edge_agent.domain.shelf_life import LEVELS
from edge_agent.spoilage.features import OFFSET_D
from edge_agent.spoilage.net import spoiled_within
from edge_agent.spoilage.offsets import MARKED_DOWN_AT, SPOILED_REASONS

LOOKED_D = 1.0  # staff look at the goods once a day: what they throw away was good a day before
SLIP = 0.01  # share of outcomes that are slips of the hand: none costs more than -ln of it, 4.6


@dataclass(frozen=True, slots=True)
class Span:
    """The life ended between these, in days after it was told."""

    low_d: float  # 0 or less: it may have been over then
    high_d: float  # infinite: it was still good, and nobody knows more

    @property
    def is_end(self) -> bool:
        return math.isfinite(self.high_d)


def span(kind: str, reason: str, after_d: float, age_d: float) -> Span | None:
    """What an outcome says; None: nothing. ``after_d`` it was told, ``age_d`` after the lot came.

    Marked down for its looks is expected at MARKED_DOWN_AT of the life; up to twice of what that leaves is allowed.

    >>> span("wasted", "spoiled", 3.5, 6.0)
    Span(low_d=2.5, high_d=3.5)
    >>> span("sold", "", 3.5, 6.0).is_end, span("wasted", "damaged", 3.5, 6.0)
    (False, None)
    >>> round(span("marked-down", "spoiled", 3.5, 8.5).high_d, 2)
    6.5
    """
    if kind == "sold":
        return Span(after_d, math.inf)
    if reason not in SPOILED_REASONS:
        return None
    if kind == "wasted":
        return Span(after_d - LOOKED_D, after_d)
    return Span(after_d, after_d + max(LOOKED_D, 2 * age_d * (1 / MARKED_DOWN_AT - 1)))


def loss(remaining_d: tuple[float, ...], known: Span) -> float:
    """0 (it was sure of what came) to 4.6. ``remaining_d``: days at LEVELS, as told, and no date's cap in them.

    >>> told = (3.0, 4.0, 5.0, 6.0, 7.0)
    >>> [round(loss(told, each), 2) for each in (Span(4.5, 5.5), Span(3.0, math.inf), Span(9.0, 10.0))]
    [1.31, 0.05, 4.55]
    """
    if len(remaining_d) != len(LEVELS):
        raise ValueError(f"remaining_d = {remaining_d}: must be {len(LEVELS)} numbers of days")
    ln_days = np.log(np.array([remaining_d]) + OFFSET_D)
    below = 0.0 if known.low_d <= 0 else float(spoiled_within(ln_days, known.low_d)[0])
    upto = float(spoiled_within(ln_days, known.high_d)[0]) if known.is_end else 1.0
    share = min(max(upto - below, 0.0), 1.0)
    return max(0.0, -math.log(SLIP + (1 - SLIP) * share))
