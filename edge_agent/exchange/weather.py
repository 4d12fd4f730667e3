"""A weather forecast as a table of text: issued_at, day, temp_c, precip_mm. docs/sales.md describes it.

Each row says what was expected for a day when the forecast was issued; a row issued after its day is what was
measured. The agent itself asks nobody for the weather.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from edge_agent.domain.shop import AsideRow, Remark, WeatherDay
from edge_agent.exchange.rows import CellFault, Row, Table, Told, day_of, epoch_ms, moment_of, number, read_table
from edge_agent.exchange.text_file import TextFile

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "issued_at": ("issued", "run", "made_at", "timestamp"),
    "day": ("date", "datum", "valid"),
    "temp_c": ("temp", "temperature", "temperature_c", "temp_max_c"),
    "precip_mm": ("precip", "rain", "rain_mm", "precipitation"),
}
LONGEST_D = 30  # a forecast reaches no further
_COLDEST_C, _WARMEST_C, _WETTEST_MM = -60.0, 60.0, 1000.0


@dataclass(frozen=True, slots=True)
class WeatherFile:
    days: tuple[WeatherDay, ...]
    remarks: tuple[Remark, ...]
    aside: tuple[AsideRow, ...]
    set_aside: int  # rows; of very many only the first are in ``aside``


def read_weather(
    text: TextFile, today: date, zone: tzinfo, tell: Callable[[Remark], None] | None = None
) -> WeatherFile:
    """Raises FileFault when nothing of it can be read."""
    told = Told(text.name, tell)
    table = read_table(text, told, COLUMNS, ("issued_at", "day", "temp_c|precip_mm"))
    days: dict[tuple[date, int], WeatherDay] = {}
    for row in table.rows():
        try:
            said = _day(row, table, today, zone)
        except CellFault as fault:
            told.set_aside(row, fault)
            continue
        key = said.day, said.issued_ms
        if key in days and days[key] != said:
            told.note(row.number, "day", row.get("day"), "said twice of one issue: the later row counts", "duplicate")
        days[key] = said
    return WeatherFile(
        tuple(days[key] for key in sorted(days)), tuple(told.remarks), tuple(told.aside), told.set_aside_rows
    )


def _day(row: Row, table: Table, today: date, zone: tzinfo) -> WeatherDay:
    issued = moment_of(row, "issued_at", table.is_day_first, today + timedelta(days=1), zone)
    day = day_of(row, "day", table.is_day_first, today, today + timedelta(days=LONGEST_D))
    if (day - issued.date()).days > LONGEST_D:
        right = f"must be at most {LONGEST_D} days after issued_at"
        raise CellFault("day", row.get("day"), right, "horizon")
    temp_c = _within(row, "temp_c", _COLDEST_C, _WARMEST_C, "°C")
    precip_mm = _within(row, "precip_mm", 0.0, _WETTEST_MM, "mm")
    if temp_c is None and precip_mm is None:
        raise CellFault("temp_c", row.get("temp_c"), "must be a number, or precip_mm must: the row says nothing", "gap")
    return WeatherDay(day, epoch_ms(issued), temp_c, precip_mm)


def _within(row: Row, column: str, low: float, high: float, unit: str) -> float | None:
    value = number(row, column)
    if value is not None and not low <= value <= high:
        raise CellFault(column, row.get(column), f"must be between {low:g} and {high:g} {unit}", "range")
    return value
