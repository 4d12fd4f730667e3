"""One delivery of one product with one date: what came, what became of it, and where it lies."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant
from edge_agent.domain.shelf_life import RemainingLife

# How goods are packed, from loose to a sack: each follows the air in its own time (spoilage/thermal.py).
PACKAGINGS = (
    *("bare", "bunch", "punnet", "bag", "tray", "vacuum"),
    *("bottle", "cup", "carton", "crate", "ice", "sack"),
)


class Measure(StrEnum):
    """What a lot is counted in."""

    UNITS = "units"
    GRAMS = "g"


class Ending(StrEnum):
    """How a lot came to its end."""

    SOLD_OUT = "sold-out"  # taken from the shelf, to the last
    SOLD_FRESH = "sold-fresh"  # somebody said so
    WASTED = "wasted"
    MERGED = "merged"  # it had no name, and then its delivery was told


class Origin(StrEnum):
    """How a lot is known."""

    DELIVERY = "delivery"  # somebody told it
    RESTOCK = "restock-without-delivery"  # the scale saw it put down
    FOUND = "found"  # it lay there before lots were kept, or after a fault


@dataclass(frozen=True, slots=True)
class Stay:
    place: str  # "" where nobody knows
    since: Instant


@dataclass(frozen=True, slots=True)
class Shelved:
    """What a scale has under it of a lot, in the lot's measure."""

    shelf: str
    amount: float


@dataclass(frozen=True, slots=True)
class Lot:
    """``amount`` = ``left`` + ``drawn`` + ``wasted`` + ``corrected``, all in ``measure``."""

    id: str  # [a-z0-9-]{1,32}: the last level of its topic
    product: str  # GTIN
    received: Instant
    measure: Measure
    amount: float  # received; at least 0
    left: float  # on shelves and in the back
    drawn: float = 0.0  # taken from the shelf by somebody
    wasted: float = 0.0
    corrected: float = 0.0  # dried, damaged, counted otherwise; below 0: it was more than told
    unit_g: float | None = None  # of one piece, g; None: not known
    code: str = ""  # as printed on it; "" where nobody knows
    supplier: str = ""
    stays: tuple[Stay, ...] = ()  # where it lay, the last one now; those before its reckoned condition are forgotten
    shelf: str | None = None  # where it belongs
    shelved: tuple[Shelved, ...] = ()  # what scales have seen of it
    packaging: str | None = None
    packed: str | None = None  # days as YYYY-MM-DD
    best_before: str | None = None
    use_by: str | None = None
    temperature_c: float | None = None  # of the goods as they came
    origin: Origin = Origin.DELIVERY
    marked_down: Instant | None = None
    closed: Instant | None = None
    ending: Ending | None = None
    cause: str = ""  # why it was wasted

    @property
    def is_open(self) -> bool:
        return self.closed is None

    @property
    def place(self) -> str:
        return self.stays[-1].place if self.stays else ""

    @property
    def on_shelves(self) -> float:
        return sum(part.amount for part in self.shelved)

    @property
    def in_back(self) -> float:
        """What is left and on no scale."""
        return max(0.0, self.left - self.on_shelves)

    def on(self, shelf: str) -> float:
        return sum(part.amount for part in self.shelved if part.shelf == shelf)

    def grams(self, amount: float) -> float | None:
        """None where the weight of a piece is not known.

        >>> at = Instant(0, 0, "boot")
        >>> known = Lot("a", "1", at, Measure.UNITS, 10, 10, unit_g=250.0)
        >>> known.grams(2), Lot("a", "1", at, Measure.UNITS, 1, 1).grams(1)
        (500.0, None)
        """
        if self.measure is Measure.GRAMS:
            return amount
        return None if self.unit_g is None else amount * self.unit_g

    def units(self, amount: float) -> float | None:
        if self.measure is Measure.UNITS:
            return amount
        return None if self.unit_g is None else amount / self.unit_g


@dataclass(frozen=True, slots=True)
class LotPart:
    """So much of a lot: on a shelf, or moved by an event (below 0: taken); None where it cannot be told."""

    lot: str  # its id
    units: float | None
    g: float | None


@dataclass(frozen=True, slots=True)
class Unsold:
    """Taken from a shelf, and no sale: put back, or thrown away."""

    product: str  # GTIN
    at: Instant  # when it was taken; where nobody saw it go: when that was told
    units: float | None  # at least 0, as grams; None where it cannot be told
    g: float | None


@dataclass(frozen=True, slots=True)
class NextLot:
    """Of the open lots in a place the one that will be spoiled first, as estimated."""

    place: str
    lot: Lot
    name: str  # of its product
    life: RemainingLife
    lots: int  # open ones in that place
