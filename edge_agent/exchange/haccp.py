"""What an inspector asks of the record, gathered from its lines. Pure.

Lines are read as they were written, possibly by another version: what is missing or of another type is not known, and
never a reason to leave a line out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from edge_agent.domain.alarm import Change
from edge_agent.domain.record import KeptLine, RecordKind

GOODS = (RecordKind.DELIVERY, RecordKind.WASTE)  # kinds of lines
BUCKETS = 720  # of a plot: about one for each point of its width on paper
LEAST_BUCKET_MS = 900_000  # an interval of the record
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = (int, float)  # of their types; a bool is of its own
_FOOD = {"food": "food-safety"}  # the excursion's word, and its alarm's


@dataclass(frozen=True, slots=True)
class Period:
    begin_ms: int
    end_ms: int  # the first instant that is not in it

    def touches(self, begin_ms: int | None, end_ms: int | None) -> bool:
        """Whether [begin, end] has a part in it; an end of None is still to come."""
        return begin_ms is not None and begin_ms < self.end_ms and (end_ms is None or end_ms >= self.begin_ms)

    def has(self, at_ms: int | None) -> bool:
        return at_ms is not None and self.begin_ms <= at_ms < self.end_ms


@dataclass(slots=True)
class Range:
    """Of one quantity: what it was at least, on the mean and at most."""

    least: float
    total: float
    most: float
    count: int = 1

    def add(self, least: float, mean: float, most: float) -> None:
        self.least, self.most = min(self.least, least), max(self.most, most)
        self.total += mean
        self.count += 1

    @property
    def mean(self) -> float:
        return self.total / self.count


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did about an alarm."""

    at_ms: int | None
    who: str
    words: str


@dataclass(frozen=True, slots=True)
class Excursion:
    what: str  # the limit: temperature-high, critical-high, food, ...
    of: str  # air, product
    limit: float | None
    begin_ms: int | None
    end_ms: int | None  # None: it had not ended with the last line
    extreme: float | None
    outside_s: float | None
    acknowledged: Deed | None = None
    corrected: Deed | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A gap, a defrost, an open door."""

    begin_ms: int | None
    end_ms: int | None
    words: str


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings of a place from one instant on."""

    from_ms: int | None
    body: Mapping[str, Any]

    def limit(self, key: str) -> float | None:
        return number(self.body.get(key))


@dataclass(frozen=True, slots=True)
class AlarmLine:
    at_ms: int | None
    place: str
    body: Mapping[str, Any]
    is_correction: bool

    @property
    def name(self) -> str:
        return str(self.body.get("alarm", ""))

    @property
    def change(self) -> str:
        return Change.CORRECTED.value if self.is_correction else str(self.body.get("change", ""))


@dataclass(slots=True)
class Place:
    name: str
    bucket_ms: int
    air: dict[int, Range] = field(default_factory=dict)  # by bucket of the period
    product: dict[int, Range] = field(default_factory=dict)
    humidity: dict[int, Range] = field(default_factory=dict)
    intervals: int = 0
    readings: int = 0
    settings: list[InForce] = field(default_factory=list)  # the last before the period, and those within
    excursions: list[Excursion] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    defrosts: list[Span] = field(default_factory=list)
    doors: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    period: Period
    places: dict[str, Place] = field(default_factory=dict)
    alarms: list[AlarmLine] = field(default_factory=list)  # within the period
    deliveries: list[KeptLine] = field(default_factory=list)  # within the period
    waste: list[KeptLine] = field(default_factory=list)  # within the period
    node: list[KeptLine] = field(default_factory=list)  # clock, digest, chain, pruned, within the period
    lines: int = 0  # within the period
    unset_clock: int = 0  # of them, taken by a clock that was never set
    undated: int = 0  # in no period: before any clock was set
    corrected: int = 0  # taken by one that was set later


def gather(lines: Iterable[KeptLine], period: Period, only: str = "") -> Report:
    """``lines``: all there are. ``only``: this place's, and what concerns the whole node."""
    report = Report(period)
    open_ones: dict[tuple[str, str, str], KeptLine] = {}
    deeds: list[AlarmLine] = []
    for line in lines:
        if only and line.place not in ("", only):
            continue
        report.undated += line.near_ms is None
        if belongs(line, period):
            report.lines += 1
            report.unset_clock += line.wall_ms is None
            report.corrected += line.is_corrected and line.wall_ms is not None
        _take(report, line, open_ones, deeds)
    for line in open_ones.values():
        _add_excursion(report, line, None, line)
    for place in report.places.values():
        place.settings = _in_force(place.settings, period)
        place.excursions = [_with_deeds(place.name, found, deeds, place.excursions) for found in place.excursions]
    report.places = {name: place for name, place in report.places.items() if _is_told(place)}
    return report


def belongs(line: KeptLine, period: Period) -> bool:
    """An interval ends with its line: midnight's belongs to the day before."""
    is_interval = line.kind == RecordKind.INTERVAL and line.near_ms is not None
    return period.has((line.near_ms or 0) - 1 if is_interval else line.near_ms)


def _take(
    report: Report, line: KeptLine, open_ones: dict[tuple[str, str, str], KeptLine], deeds: list[AlarmLine]
) -> None:
    body, place = line.body, line.place
    match line.kind:
        case RecordKind.INTERVAL:
            if belongs(line, report.period):
                _add_interval(_place(report, place), line, report.period)
        case RecordKind.SETTINGS:
            _place(report, place).settings.append(InForce(line.wall_ms, body))
        case RecordKind.EXCURSION_BEGUN:
            open_ones[place, str(body.get("limit")), str(body.get("from"))] = line
        case RecordKind.EXCURSION_ENDED:
            begun = open_ones.pop((place, str(body.get("limit")), str(body.get("from"))), line)
            _add_excursion(report, line, told_ms(line, "to") or line.near_ms, begun)
        case RecordKind.ALARM | RecordKind.CORRECTIVE_ACTION:
            found = AlarmLine(line.wall_ms, place, body, line.kind == RecordKind.CORRECTIVE_ACTION)
            deeds.append(found)
            if report.period.has(line.near_ms):
                report.alarms.append(found)
        case RecordKind.GAP | RecordKind.DEFROST | RecordKind.DOOR:
            _add_span(report, line)
        case _:
            if report.period.has(line.near_ms):
                _of_kind(report, line.kind).append(line)


def _of_kind(report: Report, kind: str) -> list[KeptLine]:
    match kind:
        case RecordKind.DELIVERY:
            return report.deliveries
        case RecordKind.WASTE:
            return report.waste
    return report.node


def _place(report: Report, name: str) -> Place:
    period = report.period
    if name not in report.places:
        width_ms = max(LEAST_BUCKET_MS, -(-(period.end_ms - period.begin_ms) // BUCKETS))
        report.places[name] = Place(name, width_ms)
    return report.places[name]


def _is_told(place: Place) -> bool:
    return bool(place.intervals or place.excursions or place.gaps or place.defrosts or place.doors)


def _add_interval(place: Place, line: KeptLine, period: Period) -> None:
    body, end_ms = line.body, line.near_ms or period.begin_ms
    begin_ms = begun_ms(line)
    middle_ms = end_ms - LEAST_BUCKET_MS // 2 if begin_ms is None else (begin_ms + end_ms) // 2
    bucket = max(0, middle_ms - period.begin_ms) // place.bucket_ms
    place.intervals += 1
    place.readings += int(number(body.get("readings")) or 0)
    for ranges, found in (
        (place.air, air(body)),
        (place.product, triple(body.get("product_c"))),
        (place.humidity, triple(body.get("humidity_pct"))),
    ):
        if found is None:
            continue
        if bucket in ranges:
            ranges[bucket].add(*found)
        else:
            ranges[bucket] = Range(*found)


def _add_excursion(report: Report, line: KeptLine, end_ms: int | None, begun: KeptLine) -> None:
    """``begun``: the line that was written then, by the clock that its begin was taken with."""
    body = line.body
    begin_ms = told_ms(begun, "from") or begun.near_ms
    if not report.period.touches(begin_ms, end_ms):
        return
    _place(report, line.place).excursions.append(
        Excursion(
            what=str(body.get("limit", "")),
            of=str(body.get("of", "")),
            limit=number(body.get("limit_c")),
            begin_ms=begin_ms,
            end_ms=end_ms,
            extreme=number(body.get("extreme_c")),
            outside_s=number(body.get("outside_s")),
        )
    )


def _add_span(report: Report, line: KeptLine) -> None:
    body = line.body
    end_ms = told_ms(line, "to") or line.near_ms
    begin_ms = told_ms(line, "from") or end_ms
    if not report.period.touches(begin_ms, end_ms):
        return
    place = _place(report, line.place)
    spans = {RecordKind.GAP: place.gaps, RecordKind.DEFROST: place.defrosts, RecordKind.DOOR: place.doors}
    rest = {key: value for key, value in body.items() if key not in ("from", "to") and value is not None}
    spans[RecordKind(line.kind)].append(Span(begin_ms, end_ms, in_words(rest)))


def _in_force(found: list[InForce], period: Period) -> list[InForce]:
    """The last ones before the period and those within, but for those that say nothing new."""
    before = [each for each in found if each.from_ms is not None and each.from_ms < period.begin_ms][-1:]
    within = [each for each in found if each.from_ms is None or period.has(each.from_ms)]
    told: list[InForce] = []
    for each in (*before, *within):
        if not told or dict(each.body) != dict(told[-1].body):
            told.append(each)
    return told


def _with_deeds(place: str, found: Excursion, deeds: Iterable[AlarmLine], others: Iterable[Excursion]) -> Excursion:
    """Who acknowledged its alarm, and what was done: the first of each before the next excursion of the kind."""
    following = [
        each.begin_ms
        for each in others
        if each.what == found.what and each.begin_ms is not None and each.begin_ms > (found.begin_ms or 0)
    ]
    period = Period(found.begin_ms or 0, min(following, default=2**62))
    name = f"{place}-{_FOOD.get(found.what, found.what)}"
    own = [deed for deed in deeds if deed.name == name and period.has(deed.at_ms)]
    return Excursion(
        *(found.what, found.of, found.limit, found.begin_ms, found.end_ms, found.extreme, found.outside_s),
        acknowledged=_first(own, Change.ACKNOWLEDGED),
        corrected=_first(own, Change.CORRECTED),
    )


def _first(deeds: Iterable[AlarmLine], change: Change) -> Deed | None:
    found = next((deed for deed in deeds if deed.change == change.value), None)
    if found is None:
        return None
    words = found.body.get("reason") or found.body.get("action") or ""
    return Deed(found.at_ms, str(found.body.get("who", "")), str(words))


# --- what a body holds ----------------------------------------------------------------------------------------------


def number(value: object) -> float | None:
    """
    >>> number(4), number(None), number("4"), number(True)
    (4.0, None, None, None)
    """
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def triple(value: object) -> tuple[float, float, float] | None:
    """Least, mean and most of a quantity, as an interval line gives them.

    >>> triple([1, 2.5, 4]), triple([1, None, 4]), triple(None)
    ((1, 2.5, 4), None, None)
    """
    if not isinstance(value, list) or len(value) != 3:
        return None
    least, mean, most = value
    are_numbers = type(least) in _NUMBERS and type(mean) in _NUMBERS and type(most) in _NUMBERS
    return (least, mean, most) if are_numbers else None


def air(body: Mapping[str, object]) -> tuple[float, float, float] | None:
    """Corrected; where nothing had to be, as it was read."""
    return triple(body.get("air_c")) or triple(body.get("raw_c"))


def begun_ms(line: KeptLine) -> int | None:
    """An interval that does not say when it began is a whole one."""
    found = told_ms(line, "from")
    if found is None and line.kind == RecordKind.INTERVAL and line.wall_ms is not None:
        return line.wall_ms - LEAST_BUCKET_MS
    return found


def told_ms(line: KeptLine, key: str) -> int | None:
    """An instant in a line's body. It was taken with the line's clock, so it is put right with the line."""
    found = moment_ms(line.body.get(key))
    if found is None or not line.is_corrected:
        return found
    at_ms = moment_ms(line.at)
    return None if line.wall_ms is None or at_ms is None else found + line.wall_ms - at_ms


def moment_ms(value: object) -> int | None:
    """
    >>> moment_ms("1970-01-01T00:00:01.500Z"), moment_ms("soon"), moment_ms(None)
    (1500, None, None)
    """
    return _parsed_ms(value) if isinstance(value, str) else None


@lru_cache(maxsize=64)  # the places' lines of one quarter say the same
def _parsed_ms(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else (found - _EPOCH) // timedelta(milliseconds=1)


def in_words(body: Mapping[str, object]) -> str:
    """
    >>> in_words({"for_min": 22.5, "reason": "no-reading", "long": False})
    'for_min 22.5, reason no-reading, long no'
    """
    return ", ".join(f"{key} {_word(value)}" for key, value in body.items())


def _word(value: object) -> str:
    return "yes" if value is True else "no" if value is False else "-" if value is None else str(value)
