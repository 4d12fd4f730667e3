"""Observed shelf lives: what a trial of the literature found for a product in a profile of temperatures."""

import math
from dataclasses import dataclass

from edge_agent.spoilage.profile import Profile

SCORED = ("observed", "observed_aggregate", "handbook", "derived_from_text")
NOT_SCORED = {
    "model_prediction": "the output of a model is no observation",
    "fitted": "a fitted estimate is no observation",
    "fitted_from_data": "a fitted estimate is no observation",
}


@dataclass(frozen=True, slots=True)
class Point:
    row: int  # of the file, the header being row 1
    product: str
    group: str
    profile: Profile
    profile_text: str
    low_d: float  # the life lies in [low_d, high_d]; 0 or infinite where it is known from one side only
    high_d: float
    middle_d: float | None  # the figure the source gives, or the geometric middle; None for a bound
    kind: str
    source: str
    criterion: str = ""

    @property
    def is_scored(self) -> bool:
        return self.kind not in NOT_SCORED

    @property
    def is_bound(self) -> bool:
        return self.low_d <= 0 or math.isinf(self.high_d)

    def nearest(self, days: float) -> float:
        """The observed life nearest to ``days``: itself inside of the interval."""
        return min(max(days, self.low_d), self.high_d)
