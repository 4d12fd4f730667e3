"""Customers, staff and deliveries: what they want, when they come, and how a hand feels to a scale."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from edge_agent.domain.settings import SettingFault, identifier, require, within

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Share of the day's customers by hour in a neighbourhood shop: before noon and after work.
RUSH = (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 9, 7, 6, 7, 9, 12, 11, 7, 4, 2, 1, 1)
PICKS_A_VISIT = 2.0
SETTLE_S = 0.13  # decay of the platform's swing: within 2 % after half a second
SWING_HZ = 6.0
SETTLED_AFTER_S = 10 * SETTLE_S
RAMP_S = 0.15  # a hand comes and goes in this time


def clock_time(key: str, text: str) -> SettingFault | None:
    try:
        minutes_of(text)
    except ValueError:
        return SettingFault(key, text, 'a time of day like "08:00"')
    return None


def minutes_of(text: str) -> int:
    """
    >>> minutes_of("07:30")
    450
    """
    hours, minutes = text.split(":")
    if not (len(hours) == len(minutes) == 2 and 0 <= int(hours) <= 24 and 0 <= int(minutes) < 60):
        raise ValueError(text)
    return 60 * int(hours) + int(minutes)


def weekdays(key: str, days: Sequence[str]) -> SettingFault | None:
    wrong = [day for day in days if day not in DAYS]
    return SettingFault(key, wrong[0], "among " + ", ".join(DAYS)) if wrong else None


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """``[board.shop]``"""

    opens: str = "08:00"
    closes: str = "20:00"
    days: tuple[str, ...] = DAYS[:6]
    customers_per_hour: float = 5.0  # to these shelves, on average over the opening hours; each takes two pieces
    errands_per_hour: float = 1.0  # somebody goes into a room for something else, each room
    moves_per_day: float = 4.0  # staff put some pieces elsewhere
    touches_per_day: float = 12.0  # somebody leans on a shelf
    temperature_c: float = 20.5
    humidity_pct: float = 50.0

    def __post_init__(self) -> None:
        require(
            clock_time("opens", self.opens),
            clock_time("closes", self.closes),
            weekdays("days", self.days),
            within("customers_per_hour", self.customers_per_hour, 0, 1000),
            within("errands_per_hour", self.errands_per_hour, 0, 1000),
            within("moves_per_day", self.moves_per_day, 0, 10_000),
            within("touches_per_day", self.touches_per_day, 0, 10_000),
            within("temperature_c", self.temperature_c, -20, 45, "°C"),
            within("humidity_pct", self.humidity_pct, 0, 100, "%"),
            SettingFault("closes", self.closes, f"after opens ({self.opens})")
            if not clock_time("opens", self.opens)
            and not clock_time("closes", self.closes)
            and minutes_of(self.closes) <= minutes_of(self.opens)
            else None,
        )


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """``[[board.delivery]]``: shelves below their level are filled again."""

    at: str = "06:30"
    days: tuple[str, ...] = DAYS[:6]
    warmer_k: float = 4.0  # goods against the room they go to

    def __post_init__(self) -> None:
        require(clock_time("at", self.at), weekdays("days", self.days), within("warmer_k", self.warmer_k, 0, 40, "K"))


@dataclass(frozen=True, slots=True)
class ShelfStock:
    """``[[board.shelf]]``: what lies on a shelf, and on which load cells it stands."""

    name: str
    cells: tuple[str, ...]  # sensors; the load is spread evenly
    room: str | None = None
    product: str = ""  # the shelf's name when not given
    piece_g: float = 500.0
    piece_sd_g: float | None = None  # 2 % when not given
    level: int = 24  # pieces after restocking
    case_pieces: int = 6
    platform_g: float = 0.0  # the empty platform, when the calibration does not contain it
    popularity: float = 1.0  # how often customers go there, against the other shelves

    def __post_init__(self) -> None:
        require(
            identifier("name", self.name),
            None if self.cells else SettingFault("cells", (), "at least one sensor"),
            within("piece_g", self.piece_g, 1, 50_000, "g"),
            within("piece_sd_g", self.piece_sd_g, 0, self.piece_g / 4, "g"),
            within("level", self.level, 0, 10_000, "pieces"),
            within("case_pieces", self.case_pieces, 1, 1000, "pieces"),
            within("platform_g", self.platform_g, 0, 1e6, "g"),
            within("popularity", self.popularity, 0, 1000),
        )


@dataclass(frozen=True, slots=True)
class Piece:
    product: str
    grams: float


@dataclass(frozen=True, slots=True)
class Touch:
    """A hand on the shelf: it presses with ``force_g`` and trembles."""

    from_s: float
    until_s: float
    force_g: float
    phase: float

    def seen_g(self, at_s: float) -> float:
        if not self.from_s <= at_s <= self.until_s + RAMP_S:
            return 0.0
        ramp = min(1.0, (at_s - self.from_s) / RAMP_S, (self.until_s + RAMP_S - at_s) / RAMP_S)
        tremble = 0.10 * math.sin(2 * math.pi * 3.1 * at_s + self.phase) + 0.05 * math.sin(
            2 * math.pi * 7.3 * at_s + 2 * self.phase
        )
        return self.force_g * ramp * (1 + tremble)


class Shelf:
    """The pieces on one shelf, and what its scale feels of them."""

    def __init__(self, stock: ShelfStock, random: Random) -> None:
        self.name = stock.name
        self.stock = stock
        self.product = stock.product or stock.name
        self.pieces = [self.new_piece(random) for _ in range(stock.level)]
        self.load_g = math.fsum(piece.grams for piece in self.pieces)
        self._steps: list[tuple[float, float]] = []  # when, by how much: still swinging
        self._touches: list[Touch] = []

    def new_piece(self, random: Random) -> Piece:
        sd_g = self.stock.piece_g * 0.02 if self.stock.piece_sd_g is None else self.stock.piece_sd_g
        spread_g = min(3.0, max(-3.0, random.gauss(0.0, 1.0))) * sd_g
        return Piece(self.product, round(self.stock.piece_g + spread_g, 1))

    def put(self, at_s: float, pieces: Sequence[Piece]) -> None:
        self.pieces.extend(pieces)
        self._moved(at_s, math.fsum(piece.grams for piece in pieces))

    def take(self, at_s: float, count: int, random: Random) -> list[Piece]:
        taken = [self.pieces.pop(random.randrange(len(self.pieces))) for _ in range(min(count, len(self.pieces)))]
        self._moved(at_s, -math.fsum(piece.grams for piece in taken))
        return taken

    def _moved(self, at_s: float, grams: float) -> None:
        self.load_g = math.fsum(piece.grams for piece in self.pieces)  # summed anew: no rounding piles up
        self._steps = [step for step in self._steps if at_s - step[0] < SETTLED_AFTER_S]
        self._steps.append((at_s, grams))

    def touch(self, touch: Touch) -> None:
        self._touches = [old for old in self._touches if old.until_s > touch.from_s - 1]
        self._touches.append(touch)

    def seen_g(self, at_s: float) -> float:
        """On the platform at that time: the load, the swing after a step, and hands."""
        seen_g = self.stock.platform_g + self.load_g
        for since_s, grams in self._steps:
            age_s = max(0.0, at_s - since_s)
            if age_s < SETTLED_AFTER_S:
                seen_g -= grams * math.exp(-age_s / SETTLE_S) * math.cos(2 * math.pi * SWING_HZ * age_s)
        for touch in self._touches:
            seen_g += touch.seen_g(at_s)
        return seen_g


def is_open(shop: ShopSettings, local: datetime) -> bool:
    minutes = 60 * local.hour + local.minute
    return DAYS[local.weekday()] in shop.days and minutes_of(shop.opens) <= minutes < minutes_of(shop.closes)


def customers_per_hour(shop: ShopSettings, local: datetime) -> float:
    """The rush of the hour, scaled so that the opening hours' mean is as set; 0 when closed."""
    if not is_open(shop, local):
        return 0.0
    return shop.customers_per_hour * RUSH[local.hour] / _mean_rush(shop)


def most_customers_per_hour(shop: ShopSettings) -> float:
    return shop.customers_per_hour * max(RUSH) / _mean_rush(shop)


def _mean_rush(shop: ShopSettings) -> float:
    first, last = minutes_of(shop.opens), minutes_of(shop.closes)
    return sum(RUSH[minute // 60] for minute in range(first, last)) / (last - first)


def choose(shelves: Sequence[Shelf], random: Random) -> Shelf:
    """By popularity."""
    total, sums = 0.0, []
    for shelf in shelves:
        total += shelf.stock.popularity
        sums.append(total)
    return shelves[min(len(shelves) - 1, bisect_right(sums, random.random() * total))]
