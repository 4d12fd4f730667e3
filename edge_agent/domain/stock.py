"""What lies on a shelf, and what changed it: the lines of the ledger."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality


@dataclass(frozen=True, slots=True)
class Balance:
    """How much there is; None where it is not known."""

    net_g: float | None
    units: int | None = None


class EventKind(StrEnum):
    TARE = "tare"  # a container was set aside: net changed, nothing moved
    ZERO = "zero"  # the empty scale was corrected
    COUNT = "count"  # a person counted the pieces


@dataclass(frozen=True, slots=True)
class StockEvent:
    """One line of the ledger. The absolute balance stands in every line, so a lost one heals itself."""

    shelf: str
    kind: EventKind
    at: Instant
    before: Balance
    after: Balance
    product: str | None = None
    u_g: float = 0.0  # standard uncertainty of the change, g
    confidence: float = 1.0  # of the number of pieces
    duration_s: float = 0.0
    source: str = ""  # who asked, for events that a command made: its cmd_id

    @property
    def delta_g(self) -> float | None:
        if self.before.net_g is None or self.after.net_g is None:
            return None
        return self.after.net_g - self.before.net_g

    @property
    def delta_units(self) -> int | None:
        if self.before.units is None or self.after.units is None:
            return None
        return self.after.units - self.before.units


@dataclass(frozen=True, slots=True)
class StockState:
    """The present of one shelf."""

    shelf: str
    at: Instant
    quality: Quality
    gross_g: float | None
    tare_g: float
    balance: Balance
    is_stable: bool
    product: str | None = None
    fault: str | None = None
