"""What lies on a shelf, and what changed it: the lines of the ledger."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import LotPart
from edge_agent.domain.reading import Quality

SAFE_CONFIDENCE = 0.99  # of a number of pieces; below it grams are published, and "ambiguous"


@dataclass(frozen=True, slots=True)
class Balance:
    """How much there is; None where it is not known."""

    net_g: float | None
    units: int | None = None
    u_g: float | None = None  # standard uncertainty of net_g
    confidence: float | None = None  # of units


class EventKind(StrEnum):
    TARE = "tare"  # a container was set aside: net changed, nothing moved
    ZERO = "zero"  # the empty scale was corrected
    COUNT = "count"  # a person counted the pieces
    RESTOCK = "restock"  # something was put on the shelf
    PICK = "pick"  # something was taken from it
    MOVE = "move"  # put here what was just taken from another shelf: see ``counterpart``
    REMOVAL = "removal"  # the container went, with all that was in it
    RETURN = "return"  # the container came back
    DISTURBANCE = "disturbance"  # touched, and as before
    WATER_LOSS = "water-loss"  # slow and steady: the goods dry
    DAMAGE = "damage"  # a leak, a crushed crate: a loss or gain that nobody's hand explains
    UNEXPLAINED = "unexplained"  # another weight after a fault or an outage than before it


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
    drift_tracked_g: float = 0.0  # of the scale since the last zero, kept out of the balance
    evidence: str = ""  # in words, where the kind alone does not say why
    counterpart: str | None = None  # of a move: the shelf it came from
    moved_units: int | None = None  # pieces that moved, where the scale saw them move: known also where the rest is not
    lots: tuple[LotPart, ...] = ()  # by how much what lies there changed, lot by lot, first expired first

    @property
    def is_ambiguous(self) -> bool:
        """The pieces cannot be told safely: then grams are what counts."""
        return self.confidence < SAFE_CONFIDENCE

    @property
    def delta_g(self) -> float | None:
        if self.before.net_g is None or self.after.net_g is None:
            return None
        return self.after.net_g - self.before.net_g

    @property
    def delta_units(self) -> int | None:
        if self.moved_units is not None:
            return self.moved_units
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
    noise_g: float | None = None  # standard deviation of one reading at rest, as learnt
    drift_tracked_g: float = 0.0  # of the scale since the last zero, kept out of the balance
    lots: tuple[LotPart, ...] = ()  # what lies there by lots, first expired first
