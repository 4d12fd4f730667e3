"""A place that is watched, as the configuration describes it, and the law that holds there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.alerts import goods as table
from edge_agent.alerts.goods import GOODS
from edge_agent.domain.settings import SettingFault, identifier, one_of, require, within

LONGEST_NAME = 15  # its alarms are "<name>-temperature-high" and such, one level of a topic

# From the air to the goods, h: how long until 63 % of a step (presets of practice; 1 l of milk in its carton measured
# 3.0 to 4.2 h for the whole way, which is 1 to 2 h for 63 %).
PACKS = {
    "air": 0.0,  # the air is taken for the goods: nothing is more careful
    "loose": 0.35,  # berries, bagged leaves: 0.2 to 0.5 h
    "bottle": 2.0,  # bottles and cartons of a litre: 1 to 3 h
    "crate": 8.0,  # full crates: 4 to 12 h
}


class Kind(StrEnum):
    CHILLED = "chilled"
    FROZEN = "frozen"
    AMBIENT = "ambient"


class Region(StrEnum):
    ENGLAND = "england"
    WALES = "wales"
    NORTHERN_IRELAND = "northern-ireland"
    SCOTLAND = "scotland"
    EU = "eu"
    US = "us"


@dataclass(frozen=True, slots=True)
class Law:
    limit_c: float  # of the product; its clock runs above
    source: str
    is_recommended: bool = False  # no number in the law itself
    may_be_higher: bool = False  # where the site can justify it


_SCHEDULE_4 = "Schedule 4, 8 °C"
LAWS: Mapping[Region, Law] = {
    Region.ENGLAND: Law(8.0, f"Food Safety and Hygiene (England) Regulations 2013, {_SCHEDULE_4}", may_be_higher=True),
    Region.WALES: Law(8.0, f"Food Hygiene (Wales) Regulations 2006, {_SCHEDULE_4}", may_be_higher=True),
    Region.NORTHERN_IRELAND: Law(
        8.0, f"Food Hygiene Regulations (Northern Ireland) 2006, {_SCHEDULE_4}", may_be_higher=True
    ),
    Region.SCOTLAND: Law(
        8.0,
        "Food Hygiene (Scotland) Regulations 2006, Schedule 4 (no number; 8 °C recommended)",
        is_recommended=True,
        may_be_higher=True,
    ),
    # Beyond the classes of EC 853/2004 EU law has no number: WHO, Five Keys to Safer Food, key 4: below 5 °C.
    Region.EU: Law(5.0, "EC 852/2004 (no number; WHO recommends 5 °C)", is_recommended=True, may_be_higher=True),
    Region.US: Law(5.0, "US Food Code 3-501.16, 5 °C (41 °F)"),
}


@dataclass(frozen=True, slots=True)
class FoodSettings:
    """`[food]`: the law of the region, and the site's own practice within it."""

    region: Region | None = None  # whose law; None: none chosen, and then no place has perishable goods
    tolerance_h: float = 4.0  # of product above its limit, in all; US up to 6 as long as it was never above 21 °C
    warn_h: float = 2.0  # of it
    carry_h: float | None = None  # cold for so long without a break sets the clock back; None: by region (food_clock)

    def __post_init__(self) -> None:
        most_h = 6.0 if self.region is Region.US else 4.0
        require(
            within("tolerance_h", self.tolerance_h, 0.25, most_h, "h"),
            within("warn_h", self.warn_h, 0, self.tolerance_h, "h (not after tolerance_h)"),
            within("carry_h", self.carry_h, 4, 168, "h"),
        )


@dataclass(frozen=True, slots=True)
class PlaceSettings:
    """`[[place]]`: one climate, its sensors, its limits. The defaults are a chilled place's; others: ``BY_KIND``.

    Limits of None are not watched. ``low_c`` and ``high_c`` hold for the air, the critical ones for ``critical_on``.
    """

    name: str
    kind: Kind = Kind.CHILLED
    sensors: tuple[str, ...] = ()  # in the air: temperature, humidity; (): those whose `place` has this name
    core: tuple[str, ...] = ()  # in or between the goods; then the product's temperature is measured, not reckoned
    door: str | None = None  # a contact
    goods: tuple[str, ...] = ()  # keys of GOODS: what lies there, as far as the rules ask
    pack: str = "bottle"  # the smallest that lies there: how fast it follows the air
    time_constant_h: float | None = None  # instead of the pack's
    low_c: float | None = 0.0
    high_c: float | None = 5.0
    dwell_s: float = 1800.0  # outside before it counts
    critical_low_c: float | None = None
    critical_high_c: float | None = 8.0
    critical_on: str = "product"  # or "air"
    critical_dwell_s: float = 300.0
    deadband_c: float = 0.5  # so far back inside before it ends
    off_delay_s: float = 300.0  # and for so long
    start_s: float = 1800.0  # after the start of the agent low_c and high_c wait; critical limits never do
    food_limit_c: float | None = None  # instead of the region's: stricter, or higher where the law lets the site say so
    freezing_c: float | None = None  # instead of the goods'
    chilling_c: float | None = None  # instead of the goods'
    dry_pct: float | None = None
    humid_pct: float | None = None
    door_s: float = 180.0  # open longer is worth a call

    def __post_init__(self) -> None:
        require(
            identifier("name", self.name, LONGEST_NAME),
            one_of("pack", self.pack, PACKS),
            one_of("critical_on", self.critical_on, ("product", "air")),
            *(one_of("goods", each, GOODS) for each in self.goods),
            within("time_constant_h", self.time_constant_h, 0, 72, "h"),
            *self._ranges(),
            *self._contradictions(),
        )

    def _ranges(self) -> Iterator[SettingFault | None]:
        limits = ("low_c", "high_c", "critical_low_c", "critical_high_c", "food_limit_c", "freezing_c", "chilling_c")
        for key in limits:
            yield within(key, getattr(self, key), -60, 60, "°C")
        yield within("dwell_s", self.dwell_s, 0, 86_400, "s")
        yield within("critical_dwell_s", self.critical_dwell_s, 0, 4 * 3600, "s")
        yield within("deadband_c", self.deadband_c, 0, 5, "°C")
        yield within("off_delay_s", self.off_delay_s, 0, 3600, "s")
        yield within("start_s", self.start_s, 0, 4 * 3600, "s")
        yield within("dry_pct", self.dry_pct, 1, 99, "%")
        yield within("humid_pct", self.humid_pct, 1, 100, "%")
        yield within("door_s", self.door_s, 10, 3600, "s")

    def _contradictions(self) -> Iterator[SettingFault | None]:
        """Each names the key that has to give way, and the one it runs against."""
        yield _above("high_c", self.high_c, "low_c", self.low_c)
        yield _above("critical_high_c", self.critical_high_c, "high_c", self.high_c)
        yield _below("critical_low_c", self.critical_low_c, "low_c", self.low_c)
        yield _above("critical_high_c", self.critical_high_c, "critical_low_c", self.critical_low_c)
        yield _above("critical_high_c", self.critical_high_c, "low_c", self.low_c)
        yield _below("critical_low_c", self.critical_low_c, "high_c", self.high_c)
        yield _above("humid_pct", self.humid_pct, "dry_pct", self.dry_pct)
        if self.low_c is not None and self.high_c is not None and self.deadband_c > (self.high_c - self.low_c) / 2 > 0:
            right = f"at most half of what lies between low_c = {self.low_c:g} and high_c = {self.high_c:g}"
            yield SettingFault("deadband_c", self.deadband_c, right)

    @property
    def time_constant_s(self) -> float:
        """Of the goods behind the air.

        >>> PlaceSettings("dairy").time_constant_s, PlaceSettings("dairy", time_constant_h=0.5).time_constant_s
        (7200.0, 1800.0)
        """
        hours = PACKS[self.pack] if self.time_constant_h is None else self.time_constant_h
        return 3600.0 * hours

    @property
    def is_perishable(self) -> bool:
        """The food clock runs: not where nothing needs the cold."""
        return self.kind is not Kind.AMBIENT or self.food_limit_c is not None

    @property
    def freezes_c(self) -> float | None:
        """Goods that must not freeze do so here: as configured, the first of the goods, or milk where nobody says."""
        if self.freezing_c is not None:
            return self.freezing_c
        if self.kind is Kind.FROZEN:
            return None
        return table.freezing_c(self.goods or (("milk",) if self.kind is Kind.CHILLED else ()))

    @property
    def chills_c(self) -> float | None:
        return table.chilling_c(self.goods) if self.chilling_c is None else self.chilling_c


# What other kinds of place have for defaults; the rest is as in a chilled one.
BY_KIND: Mapping[Kind, Mapping[str, object]] = {
    Kind.CHILLED: {},
    # EU 89/108/EEC: -18 °C or colder; up to 3 K warmer for a while
    Kind.FROZEN: {"pack": "crate", "low_c": None, "high_c": -15.0, "critical_high_c": -12.0},
    Kind.AMBIENT: {"low_c": 5.0, "high_c": 30.0, "critical_high_c": None},
}


@dataclass(frozen=True, slots=True)
class FoodLimit:
    """The product's limit in a place, and where it comes from."""

    limit_c: float
    source: str
    is_recommended: bool = False
    may_be_higher: bool = False


def food_limit(place: PlaceSettings, food: FoodSettings) -> FoodLimit | None:
    """Where the food clock runs; None where there is nothing to keep cold, or no region is chosen.

    >>> food_limit(PlaceSettings("fish", goods=("fresh-fish",)), FoodSettings(Region.EU)).limit_c
    2.0
    """
    if not place.is_perishable:
        return None
    if place.food_limit_c is not None:
        return FoodLimit(place.food_limit_c, "set by the site: food_limit_c")
    return None if food.region is None else legal_limit(place, food.region)


def legal_limit(place: PlaceSettings, region: Region) -> FoodLimit:
    law = LAWS[region]
    by_class_c = table.eu_limit_c(place.goods) if region is Region.EU else None
    if by_class_c is not None:
        return FoodLimit(by_class_c, f"EC 853/2004, annex III, {by_class_c:g} °C")
    return FoodLimit(law.limit_c, law.source, law.is_recommended, law.may_be_higher)


def _above(key: str, value: float | None, other_key: str, other: float | None) -> SettingFault | None:
    if value is None or other is None or value > other:
        return None
    return SettingFault(key, value, f"above {other_key} = {other:g}")


def _below(key: str, value: float | None, other_key: str, other: float | None) -> SettingFault | None:
    if value is None or other is None or value < other:
        return None
    return SettingFault(key, value, f"below {other_key} = {other:g}")
