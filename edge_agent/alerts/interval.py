"""What a place was like for a quarter of an hour, and over the day: the line of the record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edge_agent.alerts.product_temperature import arrhenius, mean_kinetic_c
from edge_agent.domain.instant import ClockState, Instant

INTERVAL_MS = 900_000  # on the quarter hours of the wall clock, all places together
WHOLE_S = 2.0  # a line about a quarter hour that misses so little of it is about all of it
DAY_MS = 86_400_000  # UTC


@dataclass(frozen=True, slots=True)
class Spread:
    count: int = 0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0

    def plus(self, value: float) -> "Spread":
        if self.count == 0:
            return Spread(1, value, value, value)
        return Spread(self.count + 1, self.total + value, min(self.least, value), max(self.most, value))

    def field(self, name: str, digits: int = 2) -> dict[str, object]:
        """Least, mean and most; nothing where nothing was seen.

        >>> Spread().plus(2.0).plus(4.0).field("air_c"), Spread().field("air_c")
        ({'air_c': [2.0, 3.0, 4.0]}, {})
        """
        if self.count == 0:
            return {}
        return {name: [round(value, digits) for value in (self.least, self.total / self.count, self.most)]}


@dataclass(frozen=True, slots=True)
class Day:
    """Mean kinetic temperature and extremes of the goods; only of time in which somebody measured."""

    index: int = -1  # days since 1970, UTC
    measured_s: float = 0.0
    arrhenius_s: float = 0.0
    above_s: float = 0.0  # of the product, above its food limit
    product: Spread = field(default_factory=Spread)

    def body(self) -> dict[str, object]:
        """
        >>> body = Day(20_000, 3600.0, 3600.0 * arrhenius(4.0), 0.0, Spread().plus(4.0)).body()
        >>> body["day"], body["mean_kinetic_c"]
        ('2024-10-04', 4.0)
        """
        date = Instant(0, self.index * DAY_MS, "").utc.date().isoformat()
        mean_c = mean_kinetic_c(self.arrhenius_s / self.measured_s) if self.measured_s > 0 else None
        return {
            "day": date,
            "measured_s": round(self.measured_s),
            "mean_kinetic_c": None if mean_c is None else round(mean_c, 2),
            "above_food_limit_s": round(self.above_s),
            **self.product.field("product_c"),
        }


@dataclass(frozen=True, slots=True)
class Interval:
    begun: Instant | None = None
    readings: int = 0
    raw: Spread = field(default_factory=Spread)  # every reading of the air, as the sensors said it
    air: Spread = field(default_factory=Spread)  # corrected, the median of the trusted
    product: Spread = field(default_factory=Spread)
    humidity: Spread = field(default_factory=Spread)
    defrosting_s: float = 0.0
    door_open_s: float = 0.0
    day: Day = field(default_factory=Day)


@dataclass(frozen=True, slots=True)
class Noted:
    """What one moment adds."""

    raw_c: tuple[float, ...]
    air_c: float | None
    product_c: float | None
    humidity_pct: float | None
    measured_s: float  # since the moment before, 0 after a gap
    above_s: float
    is_defrosting: bool
    is_door_open: bool


def noted(interval: Interval, seen: Noted, at: Instant) -> Interval:
    return Interval(
        begun=interval.begun or at,
        readings=interval.readings + len(seen.raw_c),
        raw=_all(interval.raw, seen.raw_c),
        air=_all(interval.air, (seen.air_c,)),
        product=_all(interval.product, (seen.product_c,)),
        humidity=_all(interval.humidity, (seen.humidity_pct,)),
        defrosting_s=interval.defrosting_s + (seen.measured_s if seen.is_defrosting else 0.0),
        door_open_s=interval.door_open_s + (seen.measured_s if seen.is_door_open else 0.0),
        day=_day(interval.day, seen, at.wall_ms // DAY_MS),
    )


def is_over(interval: Interval, now: Instant) -> bool:
    """On the quarter hour, and when the wall clock steps or the machine starts anew."""
    if interval.begun is None:
        return False
    return interval.begun.boot != now.boot or _quarter(interval.begun) != _quarter(now)


def closed(interval: Interval, until: Instant, now: Instant) -> tuple[Interval, Mapping[str, object]]:
    """The next interval, and the body of the line on this one; with the day's, where a day is over with it."""
    begun = interval.begun or until
    is_whole = until == now and abs(begun.age_s(until) - INTERVAL_MS / 1000) <= WHOLE_S
    raw, air = interval.raw.field("raw_c"), interval.air.field("air_c")
    body: dict[str, object] = {} if is_whole else {"from": begun.rfc3339()}  # a whole quarter needs no word
    body["readings"] = interval.readings
    if until != now:
        body["to"] = until.rfc3339()  # the line was written later
    body |= raw
    if air.get("air_c") != raw.get("raw_c"):
        body |= air
    body |= interval.product.field("product_c") | interval.humidity.field("humidity_pct", 1)
    if interval.defrosting_s:
        body["defrost_s"] = round(interval.defrosting_s)
    if interval.door_open_s:
        body["door_s"] = round(interval.door_open_s)
    today = now.wall_ms // DAY_MS
    day = interval.day
    if day.index not in (-1, today) and until.clock is not ClockState.UNSYNCED:
        body["of_day"] = day.body()
    return Interval(begun=now, day=day if day.index == today else Day(today)), body


def _quarter(at: Instant) -> int:
    return at.wall_ms // INTERVAL_MS


def _day(day: Day, seen: Noted, today: int) -> Day:
    if seen.product_c is None:
        return day
    return Day(
        index=today if day.index < 0 else day.index,
        measured_s=day.measured_s + seen.measured_s,
        arrhenius_s=day.arrhenius_s + seen.measured_s * arrhenius(seen.product_c),
        above_s=day.above_s + seen.above_s,
        product=day.product.plus(seen.product_c),
    )


def _all(spread: Spread, values: Iterable[float | None]) -> Spread:
    for value in values:
        if value is not None:
            spread = spread.plus(value)
    return spread
