"""How long a lot will still be good, and how sure anybody can be of it."""

from dataclasses import dataclass

from edge_agent.domain.instant import Instant

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles of the remaining life
HORIZONS_H = (24, 48, 72)  # of the probabilities that the lot will be spoiled


@dataclass(frozen=True, slots=True)
class RemainingLife:
    """An estimate of quality, never of safety: it lengthens no use-by date and stops no clock of the food rules."""

    lot: str
    at: Instant
    remaining_d: tuple[float, ...]  # at LEVELS, rising, 0 or more
    p_spoiled: tuple[float, ...]  # within HORIZONS_H, rising, 0 to 1
    basis: str  # "model", "physics" or "date": what it was reckoned from
    used: float  # share of the life that is used up: 0 fresh, 1 spoiled
    reasons: tuple[str, ...] = ()  # codes: why it is not the model's own, what shortened it
    model: str | None = None  # version of the model, where basis is "model"
    product_c: float | None = None  # reckoned temperature of the goods

    def __post_init__(self) -> None:
        if len(self.remaining_d) != len(LEVELS) or list(self.remaining_d) != sorted(self.remaining_d):
            raise ValueError(f"remaining_d = {self.remaining_d}: must be {len(LEVELS)} rising numbers of days")
        if len(self.p_spoiled) != len(HORIZONS_H) or list(self.p_spoiled) != sorted(self.p_spoiled):
            raise ValueError(f"p_spoiled = {self.p_spoiled}: must be {len(HORIZONS_H)} rising probabilities")
        if self.remaining_d[0] < 0 or not 0 <= self.p_spoiled[0] <= self.p_spoiled[-1] <= 1:
            raise ValueError(f"remaining_d = {self.remaining_d}, p_spoiled = {self.p_spoiled}: out of their bounds")

    @property
    def median_d(self) -> float:
        return self.remaining_d[LEVELS.index(0.5)]
