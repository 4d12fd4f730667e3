"""How much of a product will be asked for, day by day, and how sure anybody can be of it."""

from dataclasses import dataclass
from datetime import date

from edge_agent.domain.instant import Instant

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of the quantiles
MAX_HORIZON_D = 14


@dataclass(frozen=True, slots=True)
class ForecastDay:
    day: date
    quantiles: tuple[float, ...]  # of the day's demand at LEVELS, rising, 0 or more; in the forecast's unit
    is_open: bool = True  # False: the shop is shut, and nothing is asked for

    def __post_init__(self) -> None:
        if (
            len(self.quantiles) != len(LEVELS)
            or list(self.quantiles) != sorted(self.quantiles)
            or self.quantiles[0] < 0
        ):
            raise ValueError(f"quantiles = {self.quantiles}: must be {len(LEVELS)} rising numbers of 0 or more")

    @property
    def median(self) -> float:
        return self.quantiles[LEVELS.index(0.5)]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of one product, made at an instant from what was known then."""

    product: str  # GTIN
    at: Instant
    days: tuple[ForecastDay, ...]  # the next 1 to MAX_HORIZON_D days, in order
    unit: str  # "units" or "g"
    basis: str  # "model", or the fall-back's name
    reasons: tuple[str, ...] = ()  # codes: why it is a fall-back, what was missing
    model: str | None = None  # version of the model, where it took part
