"""The board that plays a recording: ``kind = "replay"``.

Every row of the trace is a moment at which the sensors it speaks of are read, by the real drivers, from chips that
feel the recorded value. So a value comes back as exactly as its chip can say it: 1/16 °C of a DS18B20, 0.003 °C and
0.002 % of an SHT3x, 0.003 °C and 0.015 hPa of a BME280, 0.01 g of a load cell at the default 100 counts a gram.

A cell that says "no value", or holds no number, makes the chip answer with a bad checksum (or not at all, where a
chip has no checksum); a blank one unplugs it. A chip of several quantities answers for all of them or for none, and a
door contact, which cannot fail visibly, is not read then.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.domain.settings import SettingFault, require
from edge_agent.drivers.seam import Moment
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.fitting import (
    ABILITIES,
    CellSettings,
    ConfiguredSensor,
    DoorFitting,
    FittedBoard,
    Fitting,
    refuse,
    without_a_chip,
)
from hardware_mocks.trace import Form, Rejected, Row, Source, State, Trace, load

log = logging.getLogger(__name__)

SHOWN_REJECTIONS = 5  # in the log; all of them stay in `rejected`


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """``[[board.source]]``: the column of the trace that is one quantity of one sensor."""

    sensor: str  # the name of a [[sensor]]
    quantity: str  # "temperature" °C, "humidity" %, "pressure" hPa, "weight" g, "open" 0 or 1
    column: str
    scale: float = 1.0
    offset: float = 0.0  # value = cell * scale + offset
    where: dict[str, str] = field(default_factory=dict)  # only rows in which that column holds that word

    def __post_init__(self) -> None:
        finite = abs(self.scale) < float("inf") and abs(self.offset) < float("inf")
        require(
            None if self.scale else SettingFault("scale", self.scale, "other than 0"),
            None if finite else SettingFault("scale, offset", (self.scale, self.offset), "finite numbers"),
            None if self.column else SettingFault("column", self.column, "the name of a column"),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    trace: str = ""  # a CSV file, packed or not
    traces: tuple[str, ...] = ()  # several of the same form, played the earliest first; these win over `trace`
    time_columns: tuple[str, ...] = ("time",)  # joined with a blank
    time_format: str = "%Y-%m-%d %H:%M:%S"
    timezone: str = "UTC"  # of the stamps
    missing: tuple[str, ...] = ("###",)  # words that mean: no value
    delimiter: str = ","
    source: tuple[SourceSettings, ...] = ()
    cell: CellSettings = field(default_factory=CellSettings)

    def __post_init__(self) -> None:
        require(
            None if self.time_columns else SettingFault("time_columns", (), "at least one column"),
            None if self.source else SettingFault("source", (), "at least one [[board.source]]"),
            None if len(self.delimiter) == 1 else SettingFault("delimiter", self.delimiter, "one character"),
            _time_format(self.time_format),
            _timezone(self.timezone),
            *_repeated(self.source),
        )

    @property
    def files(self) -> tuple[str, ...]:
        return self.traces or ((self.trace,) if self.trace else ())


def _time_format(time_format: str) -> SettingFault | None:
    try:
        told = datetime(2021, 6, 24, 13, 41, 55, tzinfo=UTC).strftime(time_format)
        good = datetime.strptime(told, time_format).date() == datetime(2021, 6, 24, tzinfo=UTC).date()  # noqa: DTZ007
    except ValueError:
        good = False
    return None if good else SettingFault("time_format", time_format, 'date and time, as "%Y-%m-%d %H:%M:%S"')


def _timezone(name: str) -> SettingFault | None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        return SettingFault("timezone", name, 'an IANA name such as "UTC" or "Europe/Rome"')
    return None


def _repeated(sources: Sequence[SourceSettings]) -> Iterator[SettingFault]:
    seen: set[object] = set()
    for source in sources:
        key = (source.sensor, source.quantity, tuple(sorted(source.where.items())))
        if key in seen:
            yield SettingFault("source", f"{source.sensor} {source.quantity}", "given once for the same rows")
        seen.add(key)


def open_board(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> "ReplayBoard":
    """Raises BoardError for sources that do not go with the sensors, and for a file that cannot be played."""
    if not settings.files:
        refuse([SettingFault("trace", "", "a CSV file (or give --trace FILE)")])
    refuse(faults(settings, sensors))
    clock = SimulatedClock()
    board = ReplayBoard(clock, sensors, settings.cell)
    try:
        sources = [_source(source, board.fittings[source.sensor]) for source in settings.source]
        form = Form(
            settings.time_columns,
            settings.time_format,
            settings.timezone,
            frozenset(settings.missing),
            settings.delimiter,
        )
        board.insert(load([Path(name) for name in settings.files], form, sources))
    except BaseException:
        board.close()
        raise
    return board


def faults(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> list[SettingFault]:
    """What is right in itself and does not go with the sensors; the keys count tables from 1: ``source[2].quantity``.

    Sources are only missed once those that are given are right.
    """
    drivers = {sensor.name: sensor.driver for sensor in sensors if sensor.driver in ABILITIES}
    found = without_a_chip(sensors)
    for number, source in enumerate(settings.source, 1):
        ranges = ABILITIES[drivers[source.sensor]].ranges if source.sensor in drivers else None
        if ranges is None:
            right = f"the name of a [[sensor]]: {', '.join(sorted(drivers)) or 'there is none'}"
            found.append(SettingFault(f"source[{number}].sensor", source.sensor, right))
        elif source.quantity not in ranges:
            right = f"what {source.sensor} measures, a {drivers[source.sensor]}: {', '.join(ranges)}"
            found.append(SettingFault(f"source[{number}].quantity", source.quantity, right))
    return found or [fault for sensor in sensors for fault in _lacking(sensor, settings.source)]


def _source(given: SourceSettings, fitting: Fitting) -> Source:
    low, high = fitting.ranges[given.quantity]
    return Source(
        given.sensor, given.quantity, given.column, given.scale, given.offset, given.where, low=low, high=high
    )


def _lacking(sensor: ConfiguredSensor, sources: Sequence[SourceSettings]) -> Iterator[SettingFault]:
    """A chip measures all its quantities at once: one without a source would be a number nobody recorded."""
    rows: dict[tuple[tuple[str, str], ...], set[str]] = {}
    numbers = []
    for number, source in enumerate(sources, 1):
        if source.sensor == sensor.name:
            rows.setdefault(tuple(sorted(source.where.items())), set()).add(source.quantity)
            numbers.append(number)
    for where, given in (rows or {(): set()}).items():
        lacking = [quantity for quantity in ABILITIES[sensor.driver].ranges if quantity not in given]
        if lacking:
            of = " and ".join(f"{column} = {word}" for column, word in where)
            value = f"none for {sensor.name} {', '.join(lacking)}" + (f" in the rows with {of}" if of else "")
            at = f"source[{numbers[0]}]" if numbers else "source"
            yield SettingFault(at, value, f"one for every quantity of a {sensor.driver}, in the same rows")


class ReplayBoard(FittedBoard):
    """Chips on a recording; ``moments`` plays it once, and ``played`` counts what was."""

    def __init__(self, clock: SimulatedClock, sensors: Sequence[ConfiguredSensor], cells: CellSettings) -> None:
        super().__init__(clock, sensors, cells)
        self._simulated = clock
        self._trace: Trace | None = None
        self._suffers: dict[str, str | None] = dict.fromkeys(self.fittings)
        self._plans: dict[tuple[int, ...], list[_Deal]] = {}

    @property
    def rejected(self) -> Sequence[Rejected]:
        """Rows that were set aside, with their lines and the reasons."""
        return self._trace.rejected if self._trace is not None else ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Cells by what they were: value, blank, missing, junk, impossible; rows that no source wants: unmatched."""
        return self._trace.counts if self._trace is not None else {}

    def insert(self, trace: Trace) -> None:
        """Start the clock at the first row. Silent sensors and set-aside rows are told in the log."""
        self._trace = trace
        first = trace.order[0]
        self._simulated.synchronise(trace.wall_s[first] + self._simulated.monotonic_s() - trace.mono_s[first])
        self._warn(trace)

    def _warn(self, trace: Trace) -> None:
        heard = {trace.sources[index].sensor for group in trace.groups for index in group}
        for name in sorted({source.sensor for source in trace.sources} - heard):
            log.warning("replay: no row of the trace is for sensor %s", name)
        for rejected in trace.rejected[:SHOWN_REJECTIONS]:
            log.warning("replay: set aside %s", rejected)
        if len(trace.rejected) > SHOWN_REJECTIONS:
            log.warning("replay: set aside %d rows in all", len(trace.rejected))

    def is_stepped(self) -> bool:
        return True

    def remarks(self) -> Sequence[str]:
        return [str(rejected) for rejected in self.rejected]

    def moments(self) -> Iterator[Moment]:
        """Each row, or rows of one instant together; a stamp that went back has become a step of the wall clock."""
        trace = self._trace
        if trace is None:
            return
        clock = self._simulated
        begin_s = clock.monotonic_s()  # reading before the first moment has taken time
        for rows in together(trace):
            mono_s = begin_s + rows[0].mono_s
            clock.advance_to(mono_s)
            # Where slow reads have overrun a short gap, clock and stamp are late together: that is no step.
            step_s = rows[0].wall_s - (mono_s + clock.wall_s() - clock.monotonic_s())
            if abs(step_s) > 1e-3:
                clock.step_wall(step_s)
            heard: set[str] = set()
            for row in rows:
                self._feed(trace, row, heard)
            yield Moment(clock.monotonic_s(), frozenset(heard))

    def _feed(self, trace: Trace, row: Row, heard: set[str]) -> None:
        deals = self._plans.get(row.sources)
        if deals is None:
            deals = self._plans[row.sources] = self._planned(trace, row.sources)
        states, values = trace.states, trace.values
        for deal in deals:
            worst: int = State.VALUE
            for place, _ in deal.cells:
                worst = max(worst, states[row.first + place])
            if worst == State.VALUE:
                for place, quantity in deal.cells:
                    deal.fitting.feel(quantity, values[row.first + place])
            elif isinstance(deal.fitting, DoorFitting):
                continue
            fault = deal.faults[worst]
            if self._suffers[deal.sensor] != fault:
                self._suffers[deal.sensor] = fault
                deal.fitting.suffer(fault)
            heard.add(deal.sensor)

    def _planned(self, trace: Trace, sources: Sequence[int]) -> "list[_Deal]":
        deals: dict[str, _Deal] = {}
        for place, index in enumerate(sources):
            source = trace.sources[index]
            fitting = self.fittings[source.sensor]
            spoilt = "bad-checksum" if "bad-checksum" in fitting.faults else "unplugged"
            deal = deals.setdefault(source.sensor, _Deal(source.sensor, fitting, (None, "unplugged", spoilt), []))
            deal.cells.append((place, source.quantity))
        return list(deals.values())


@dataclass(frozen=True, slots=True)
class _Deal:
    """What a row of one kind means for one sensor."""

    sensor: str
    fitting: Fitting
    faults: tuple[str | None, ...]  # by State
    cells: list[tuple[int, str]]  # place in the row, quantity


def together(trace: Trace) -> Iterator[list[Row]]:
    """Rows of one instant that speak of different sensors: several scales in one file, each on its own line."""
    of = {group: {trace.sources[index].sensor for index in group} for group in trace.groups}
    rows: list[Row] = []
    spoken: set[str] = set()
    for row in trace.rows():
        sensors = of[row.sources]
        if rows and not (row.mono_s == rows[0].mono_s and row.wall_s == rows[0].wall_s and spoken.isdisjoint(sensors)):
            yield rows
            rows, spoken = [], set()
        rows.append(row)
        spoken |= sensors
    if rows:
        yield rows
