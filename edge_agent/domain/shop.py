"""What a shop knows of its own days: what was sold, what weather was expected, what is planned."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from edge_agent.domain.instant import Instant


class Source(StrEnum):
    LEDGER = "ledger"  # what left the shelves, by weight
    IMPORT = "import"  # what the till says


class Unit(StrEnum):
    UNITS = "units"
    G = "g"


class PlanKind(StrEnum):
    PROMO = "promo"  # of a product: its strength, 1 where nothing is said
    PRICE = "price"  # of a product
    CLOSED = "closed"  # the shop is shut
    OPEN = "open"  # it is open, though the weekday or the holiday says otherwise
    EVENT = "event"  # something draws people: a fair, a match
    SCHOOL_HOLIDAY = "school-holiday"


OF_A_PRODUCT = (PlanKind.PROMO, PlanKind.PRICE)


@dataclass(frozen=True, slots=True)
class Sale:
    """One product on one local day, from one source. What was sold is ``qty - back``."""

    product: str  # GTIN
    day: date
    source: Source
    unit: Unit
    qty: float  # sold or taken, returns not yet taken off
    back: float = 0.0  # came back, was only moved, or was thrown away: no customer asked for it
    weight_g: float = 0.0  # of ``qty``, where a scale saw it go
    is_open: bool | None = None  # None: not said
    promo: float | None = None
    price: float | None = None
    stockout_min: int | None = None  # while the shop was open; None: not known
    sold_out_at: str | None = None  # local time, "17:30"

    @property
    def sold(self) -> float:
        return max(0.0, self.qty - self.back)


@dataclass(frozen=True, slots=True)
class Sold:
    """What one event took from a product's shelves, or brought back without being a delivery."""

    product: str
    at: Instant
    day: date | None  # the local one; None while nobody knows it, because the clock is not set
    unit: Unit
    qty: float = 0.0
    back: float = 0.0
    weight_g: float = 0.0


@dataclass(frozen=True, slots=True)
class Empty:
    """All shelves of a product are empty since, or filled again at, this instant."""

    product: str
    at: Instant
    is_empty: bool


@dataclass(frozen=True, slots=True)
class WeatherDay:
    """As it was expected by a forecast issued at an instant; issued after the day, it is what was measured."""

    day: date
    issued_ms: int  # Unix time, UTC
    temp_c: float | None
    precip_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    kind: PlanKind
    first: date
    last: date  # included
    product: str = ""  # empty: the whole shop
    value: float | None = None  # of a price; of a promotion its strength
    name: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader of a file has to tell about one of its places."""

    file: str
    row: int  # of the file, counted from 1; 0: the whole file
    column: str  # empty: the whole row
    value: str  # as it is written
    right: str  # what it was taken for, or what would be right
    is_aside: bool = False  # the row does not count, and is kept with this reason
    code: str = ""  # the reason in one word, for a report

    def __str__(self) -> str:
        where = f"{self.file}, row {self.row}" if self.row else self.file
        what = f"{self.column} = {self.value!r}: " if self.column else ""
        return f"{where}: {what}{self.right}"


@dataclass(frozen=True, slots=True)
class AsideRow:
    """A row that does not count, as it was written."""

    row: int
    text: str
    reason: str
