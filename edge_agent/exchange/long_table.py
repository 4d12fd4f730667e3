"""A long table of daily sales, csv or parquet: one row for each series and day. Becomes a panel to forecast and judge.

What is off is told with its row, column and value, and does not count; nothing of it stops the rest.
"""

import csv
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Bools, Floats, Ints, Panel, relative_price, starts
from edge_agent.domain.forecast import MAX_HORIZON_D
from edge_agent.domain.shop import Remark
from edge_agent.exchange.text_file import FileFault, scanned

NEEDED = ("series_id", "date", "qty")
# column -> least and largest value that can be
USED = {
    "open": (0.0, 1.0),
    "promo": (0.0, math.inf),
    "price": (0.0, math.inf),
    "holiday": (0.0, 1.0),
    "holiday_next2d": (0.0, 1.0),
    "school_holiday": (0.0, 1.0),
    "event": (0.0, math.inf),
    "temp": (-70.0, 60.0),
    "precip": (0.0, 2000.0),
}
CATEGORY = ("category", "subclass")
# Realised prices tell on the day itself whether something was sold: REALISED is never looked at.
NOT_USED = ("unit_cost", "wind", "clouds", "sunshine", "store", "item", "promo_lastweek")
REALISED = ("price_realised", "promo_realised")
MAX_SERIES = 300
FAR_D = 60  # days without any row that cut a stray date off the rest
STRAY_SHARE = 0.02  # of the rows: more of them are no stray
LARGEST = 60_000_000  # series x days
TELL = 20  # remarks in full; the others are counted
MISSING_IS_NO_SALE = 0.5  # of the prices on days without a sale: then prices are those of sales
_TRUE, _FALSE = ("true", "yes"), ("false", "no")
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = date(2199, 12, 31).toordinal() - _EPOCH
_DAY_RIGHT = "must be a day such as 2026-11-23, from 1970 to 2199"
MOST_SEEN = 100_000  # cells of a column whose meaning is kept in mind


@dataclass(slots=True)
class Told:
    """Remarks, the first TELL in full, and how many there are of each kind."""

    file: str
    remarks: list[Remark] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, code: str, row: int, column: str, value: object, right: str, count: int = 1) -> None:
        self.counts[code] += count
        if len(self.remarks) < TELL:
            self.remarks.append(Remark(self.file, row, column, str(value)[:60], right, is_aside=True, code=code))

    def rows(self, code: str, rows: Ints, column: str, values: Sequence[object], right: str) -> None:
        """The first of them in full."""
        if len(rows):
            self.note(code, int(rows[0]), column, values[0], right, len(rows))


@dataclass(frozen=True, slots=True)
class LongTable:
    panel: Panel
    series: int  # in the file; ``panel`` may have fewer
    columns: tuple[str, ...]  # that were used
    remarks: tuple[Remark, ...]
    set_aside: Mapping[str, int]  # reason -> rows, cells or series


@dataclass(slots=True)
class _Columns:
    """Of all rows, in the file's order. A day that is none is -1, a number that is none NaN."""

    row: Ints
    names: list[str]
    series: Ints  # places in ``names``
    day: Ints  # since 1970
    numbers: dict[str, Floats]
    category: list[str]  # of each row; empty where no column tells


def read_long_table(path: Path, max_series: int | None = MAX_SERIES, seed: int = 0) -> LongTable:
    """``max_series``: so many, drawn as the yardstick draws them; None: all. Raises FileFault."""
    told = Told(path.name)
    columns = _parquet(path, told) if _is_parquet(path) else _csv(path, told)
    columns = _sound(columns, told)
    return _table(columns, told, max_series, seed)


def _is_parquet(path: Path) -> bool:
    """By its name or its first bytes. Raises FileFault."""
    try:
        with path.open("rb") as found:
            return path.suffix == ".parquet" or found.read(4) == b"PAR1"
    except OSError as error:
        raise FileFault(f"{path}: {error.strerror}") from error


# --- csv ------------------------------------------------------------------------------------------------------------


def _csv(path: Path, told: Told) -> _Columns:
    text = scanned(lambda: path.open("rb"), path.name)
    if text.misread:
        told.note("encoding", text.misread, "", "", "the file is not UTF-8, and was read as Windows-1252")
    lines = (f"{line}\n" for _, line in text.lines())
    head = next(lines, "")
    separator = max(",;\t", key=head.count)
    names = next(csv.reader([head], delimiter=separator), [])
    try:
        return _from_rows(names, csv.reader(lines, delimiter=separator), told)
    except csv.Error as error:
        raise FileFault(f"{path.name}: {error}: must be a csv file, or .parquet") from error


def _from_rows(names: list[str], rows: Iterable[list[str]], told: Told) -> _Columns:
    """Eight bytes a cell: a table of some gigabytes is read on a desk."""
    names = [name.strip() for name in names]
    wanted = _wanted(names, told)
    place = {name: names.index(name) for name in wanted}
    numbers = {name: array("d") for name in wanted if _is_number(name)}
    reads = [(place[name], numbers[name].append, _number_in(name, told)) for name in numbers]
    known: dict[str, int] = {}
    series, day, row, category = array("q"), array("d"), array("q"), list[str]()
    read_day = _day_in(told)
    of_category = next((place[name] for name in CATEGORY if name in place), None)
    for number, cells in enumerate(rows, 2):
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if len(cells) != len(names):
            right = f"{len(cells)} cells: must be {len(names)}, as the line of names has"
            told.note("cells", number, "", ",".join(cells), right)
            continue
        row.append(number)
        series.append(known.setdefault(cells[place["series_id"]].strip(), len(known)))
        day.append(read_day(cells[place["date"]], number))
        for index, append, read in reads:
            append(read(cells[index], number))
        if of_category is not None:
            category.append(intern(cells[of_category]))
    if not row:
        raise FileFault(f"{told.file}: has no rows: needs one for each series and day")
    found = {name: np.array(values, np.float64) for name, values in numbers.items()}
    days = np.array(day, np.float64).astype(np.int64)
    return _Columns(np.array(row, np.int64), list(known), np.array(series, np.int64), days, found, category)


def _wanted(names: Sequence[str], told: Told) -> list[str]:
    """Raises FileFault for names that are missing or there twice."""
    missing = [name for name in NEEDED if name not in names]
    if missing:
        found = ", ".join(filter(None, names)) or "nothing"
        raise FileFault(f"{told.file}: column {missing[0]} is missing: needs {', '.join(NEEDED)}; there is: {found}")
    known = (*NEEDED, *USED, *CATEGORY)
    for name in names:
        if name in known and names.count(name) > 1:
            raise FileFault(f"{told.file}: two columns are named {name}: leave one of them out")
        if name not in (*known, *NOT_USED, *REALISED):
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            told.note("unknown column", 1, name, "", f"not read: {hint}Known are {', '.join(known)}")
    return [name for name in names if name in known]


Read = Callable[[str, int], float]  # a cell of a row


def _number_in(column: str, told: Told) -> Read:
    """NaN for what is empty; for what cannot be read too, which is told, and a sale of it is infinite."""
    return _read(
        _number, column, "must be a number such as 12.5, or empty", math.inf if column == "qty" else math.nan, told
    )


def _day_in(told: Told) -> Read:
    """-1 for what is none, which is told."""
    return _read(_day, "date", _DAY_RIGHT, -1.0, told)


def _read(parse: Callable[[str], float], column: str, right: str, none: float, told: Told) -> Read:
    seen: dict[str, float] = {}

    def read(cell: str, row: int) -> float:
        value = seen.get(cell)
        if value is None:
            try:
                value = parse(cell.strip())
            except ValueError:
                told.note(f"{column} not readable", row, column, cell, right)
                return none
            if len(seen) < MOST_SEEN:
                seen[cell] = value
        return value

    return read


def _number(text: str) -> float:
    """
    >>> [_number(text) for text in ("1.5", "1,5", "", "true")]
    [1.5, 1.5, nan, 1.0]
    """
    word = text.lower()
    if word in ("", "nan", "na", "null", "none"):
        return math.nan
    if word in _TRUE or word in _FALSE:
        return float(word in _TRUE)
    return float(text if "." in text else text.replace(",", "."))  # a comma in a cell is a decimal one


def _day(text: str) -> float:
    """Days since 1970, of a date or the date of a time."""
    day = date.fromisoformat(text[:10]).toordinal() - _EPOCH
    if not 0 <= day <= _LAST_DAY:
        raise ValueError(text)
    return float(day)


# --- parquet --------------------------------------------------------------------------------------------------------


def _parquet(path: Path, told: Told) -> _Columns:
    try:
        import pyarrow as pa  # optional, and 50 MB: only whoever reads parquet has it in memory
        import pyarrow.parquet as pq
    except ImportError as error:
        hint = "pip install 'edge-agent[parquet]', or write the table as csv"
        raise FileFault(f"{path}: parquet needs the extra parquet ({error}): {hint}") from error
    try:
        wanted = _wanted(pq.read_schema(path).names, told)
        table = pq.read_table(path, columns=wanted)
    except OSError as error:
        raise FileFault(f"{path}: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise FileFault(f"{path}: is no parquet file that can be read: {str(error).splitlines()[0]}") from error
    if not table.num_rows:
        raise FileFault(f"{told.file}: has no rows: needs one for each series and day")
    return _from_arrow(table, told)


def _from_arrow(table: Any, told: Told) -> _Columns:
    import pyarrow as pa
    import pyarrow.compute as pc

    row = np.arange(1, table.num_rows + 1)
    coded = pc.dictionary_encode(_cast(table, "series_id", pa.string(), "texts or numbers", told)).combine_chunks()
    names = [(name or "").strip() for name in coded.dictionary.to_pylist()]
    series = np.asarray(pc.fill_null(coded.indices, len(names)), np.int64)
    if coded.null_count:
        names.append("")
    numbers = {name: _arrow_numbers(table, name, row, told) for name in table.column_names if _is_number(name)}
    category = next((name for name in CATEGORY if name in table.column_names), None)
    words = [] if category is None else _arrow_texts(table, category, told)
    return _Columns(row, names, series, _arrow_days(table, row, told), numbers, words)


def _is_number(name: str) -> bool:
    return name in USED or name == "qty"


def _cast(table: Any, name: str, to: Any, right: str, told: Told) -> Any:
    """Raises FileFault for a column that holds something else altogether."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[name]
    try:
        if pa.types.is_dictionary(column.type):
            column = pc.cast(column, column.type.value_type)
        return pc.cast(column, to, safe=to == pa.string())
    except pa.ArrowException as error:
        raise FileFault(f"{told.file}: column {name} holds {table[name].type}: must be {right}") from error


def _arrow_texts(table: Any, name: str, told: Told) -> list[str]:
    import pyarrow as pa

    return [cell or "" for cell in _cast(table, name, pa.string(), "texts", told).to_pylist()]


def _arrow_days(table: Any, row: Ints, told: Told) -> Ints:
    """A time with a zone counts on its day there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = table["date"].type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        found = _cast(table, "date", pa.date32(), "days", told)
        days = np.asarray(pc.fill_null(pc.cast(found, pa.int32()), -1), np.int64)
        return np.where((days < 0) | (days > _LAST_DAY), -1, days)
    read = _day_in(told)
    return np.array([read(cell, int(row[n])) for n, cell in enumerate(_arrow_texts(table, "date", told))], np.int64)


def _arrow_numbers(table: Any, name: str, row: Ints, told: Told) -> Floats:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = table[name].type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if any(is_one(kind) for is_one in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)) or kind in (
        pa.bool_(),
        pa.null(),
    ):
        column = _cast(table, name, pa.float64(), "numbers", told)
        return np.asarray(pc.fill_null(column, math.nan), np.float64)
    read = _number_in(name, told)
    texts = _cast(table, name, pa.string(), "numbers", told).to_pylist()
    return np.array([read(cell or "", int(row[n])) for n, cell in enumerate(texts)], np.float64)


# --- what counts ----------------------------------------------------------------------------------------------------


def _sound(of: _Columns, told: Told) -> _Columns:
    """Only rows that can count, and of their cells those that can be."""
    qty = of.numbers["qty"]
    nameless = np.isin(of.series, [place for place, name in enumerate(of.names) if not name])
    told.rows("series_id empty", of.row[nameless], "series_id", [""], "must name the series")
    dateless = of.day < 0
    known = sum(count for code, count in told.counts.items() if code == "date not readable")
    if dateless.sum() > known:  # those of a csv file are told one by one
        told.rows("date empty", of.row[dateless], "date", [""], _DAY_RIGHT)
    keep = ~nameless & ~dateless & ~np.isinf(qty)
    if np.isposinf(qty).sum() > told.counts["qty not readable"]:
        told.rows("qty not finite", of.row[np.isinf(qty)], "qty", ["inf"], "must be a finite number of 0 or more")
    if not keep.any():
        raise FileFault(f"{told.file}: no row can be used: {_words(told)}")
    keep &= ~_stray(of, keep, told)
    negative = keep & (qty < 0)
    right = "must be 0 or more; the day counts as not told"
    told.rows("qty negative", of.row[negative], "qty", qty[negative].tolist(), right)
    missing = keep & np.isnan(qty)
    told.rows("qty missing", of.row[missing], "qty", [""], "must be a number; the day counts as not told")
    return _within(_chosen(of, np.flatnonzero(keep & ~negative & ~missing)), told)


def _stray(of: _Columns, keep: Bools, told: Told) -> Bools:
    """Dates that stand apart, FAR_D days and few: a clock that was wrong for a while."""
    days, rows = np.unique(of.day[keep], return_counts=True)
    block = np.concatenate([[0], np.cumsum(np.diff(days) > FAR_D)])
    share = np.bincount(block, rows) / rows.sum()
    strays = days[(share[block] <= STRAY_SHARE) & (share[block] < share.max())]
    found: Bools = keep & np.isin(of.day, strays)
    if found.any():
        kept = days[~np.isin(days, strays)]
        right = f"far from the other days ({_date(kept[0])} to {_date(kept[-1])}): was a clock wrong?"
        told.rows("date far away", of.row[found], "date", [_date(of.day[found][0])], right)
    return found


def _within(of: _Columns, told: Told) -> _Columns:
    for name, values in of.numbers.items():
        if name == "qty":
            continue
        low, high = USED[name]
        off = (values < low) | (values > high) | np.isinf(values)
        words = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
        told.rows(
            f"{name} out of range", of.row[off], name, values[off].tolist(), f"must be {words}; counts as not told"
        )
        of.numbers[name] = np.where(off, math.nan, values)
    return of


def _chosen(of: _Columns, rows: NDArray[np.intp]) -> _Columns:
    return _Columns(
        of.row[rows],
        of.names,
        of.series[rows],
        of.day[rows],
        {name: values[rows] for name, values in of.numbers.items()},
        [of.category[row] for row in rows] if of.category else [],
    )


def _words(told: Told) -> str:
    """How many rows there are of each fault, and the first remark in full."""
    counts = "; ".join(f"{code}: {count}" for code, count in told.counts.items()) or "nothing is in it"
    first = next((remark for remark in told.remarks if remark.row > 1), None)
    return counts if first is None else f"{counts}. {first}"


def _date(day: int) -> date:
    return date.fromordinal(int(day) + _EPOCH)


# --- the panel ------------------------------------------------------------------------------------------------------


def _table(of: _Columns, told: Told, max_series: int | None, seed: int) -> LongTable:
    if not len(of.row):
        raise FileFault(f"{told.file}: no row can be used: {_words(told)}")
    first, last = int(of.day.min()), int(of.day.max())
    names = sorted({of.names[place] for place in np.unique(of.series)})
    chosen = _drawn(names, max_series, seed)
    if len(chosen) * (last - first + 1) > LARGEST:
        raise FileFault(f"{told.file}: {len(chosen)} series from {_date(first)} to {_date(last)} are too many for here")
    line = {name: place for place, name in enumerate(chosen)}
    lines = np.array([line.get(name, -1) for name in of.names], np.int64)[of.series]
    of, lines = _chosen(of, np.flatnonzero(lines >= 0)), lines[lines >= 0]
    cells = lines * (last - first + 1) + of.day - first
    _, once = np.unique(cells, return_index=True)
    if len(once) < len(cells):
        twice = np.setdiff1d(np.arange(len(cells)), once)
        value = f"{of.names[of.series[twice[0]]]} {_date(of.day[twice[0]])}"
        told.rows("day twice", of.row[twice], "date", [value], "the series has this day already; its first row counts")
    of, cells = _chosen(of, once), cells[once]
    wide = _Wide((len(chosen), last - first + 1), cells, of.numbers)
    return _judged(wide, chosen, of, lines[once], first, told, len(names))


def _drawn(names: Sequence[str], max_series: int | None, seed: int) -> list[str]:
    if max_series is None or len(names) <= max_series:
        return list(names)
    places = np.random.RandomState(seed).choice(len(names), max_series, replace=False)
    return sorted(names[place] for place in places)


@dataclass(frozen=True, slots=True)
class _Wide:
    shape: tuple[int, int]
    cells: Ints
    numbers: Mapping[str, Floats]

    def of(self, name: str) -> Floats:
        """[series, days]; NaN where no row tells."""
        flat = np.full(self.shape[0] * self.shape[1], np.nan)
        flat[self.cells] = self.numbers[name]
        return flat.reshape(self.shape)


def _judged(wide: _Wide, names: list[str], of: _Columns, lines: Ints, first: int, told: Told, series: int) -> LongTable:
    qty = wide.of("qty")
    is_told = np.isfinite(qty)
    is_open = is_told & (np.nan_to_num(wide.of("open")) > 0) if "open" in of.numbers else is_told
    qty = np.nan_to_num(qty)
    start = starts(qty)
    _tell_gaps(is_told, start, told)
    silent = int((start == wide.shape[1]).sum())
    if silent:
        told.note("series without a sale", 0, "", "", "nothing to forecast from; not scored", silent)
    used = [name for name in USED if name in of.numbers and name != "open"]
    known = {name: _ahead(wide.of(name)) for name in used if name != "price"}
    if "price" in used and not _is_realised(wide.of("price"), qty, is_open, told):
        known["price_rel"] = _ahead(relative_price(wide.of("price")))
    category = [""] * len(names)
    for line, word in zip(lines.tolist(), of.category, strict=False):
        category[line] = word
    panel = Panel(tuple(names), _date(first), qty, is_open, known, start, tuple(category) if of.category else ())
    columns = tuple(name for name in ("open", *used) if name in of.numbers)
    return LongTable(panel, series, columns, tuple(told.remarks), dict(told.counts))


def _ahead(values: Floats) -> Floats:
    """A table says nothing of the days after its last one."""
    return np.concatenate([values, np.full((len(values), MAX_HORIZON_D), np.nan)], axis=1)


def _tell_gaps(is_told: Bools, start: Ints, told: Told) -> None:
    since = np.arange(is_told.shape[1]) >= start[:, None]
    missing = int((since & ~is_told).sum())
    if missing:
        told.note("day missing", 0, "", "", "counts as closed: not scored, and filled from the week before", missing)


def _is_realised(price: Floats, qty: Floats, is_open: Bools, told: Told) -> bool:
    """A price that is missing where nothing was sold comes from the sales: on a day ahead it would tell of them."""
    unsold, sold = is_open & (qty == 0), is_open & (qty > 0)
    if not unsold.any() or not sold.any():
        return False
    gaps, gaps_sold = np.isnan(price[unsold]).mean(), np.isnan(price[sold]).mean()
    is_realised = bool(gaps > MISSING_IS_NO_SALE and gaps_sold < gaps / 2)
    if is_realised:
        right = "is missing where nothing was sold, so it is no plan: not used. Planned prices stand on every day"
        told.note("price not planned", 0, "price", "", right)
    return is_realised
