"""What a till says was sold, as a table of text: one row a product and day, or one row a sale with its time.

docs/sales.md describes the columns. Rows of one product and day are summed; what came back is kept apart from what
was sold, and nothing is thrown away: a row that does not count is set aside with its reason.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from itertools import pairwise

from edge_agent.domain.product import GTIN_LENGTHS, Product
from edge_agent.domain.settings import SettingsError
from edge_agent.domain.shop import AsideRow, Remark, Sale, Source, Unit
from edge_agent.exchange.rows import (
    MOST_ASIDE,
    CellFault,
    Row,
    Table,
    Told,
    day_of,
    moment_of,
    number,
    read_table,
    yes_no,
)
from edge_agent.exchange.text_file import FileFault, TextFile, line_mark

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "day": ("date", "datum", "ds"),
    "timestamp": ("time", "datetime", "zeitpunkt", "sold_at"),
    "product": ("gtin", "ean", "sku", "plu", "article", "artikel", "item"),
    "qty": ("quantity", "menge", "units_sold", "sold", "anzahl"),
    "unit": ("uom", "einheit"),
    "price": ("unit_price", "preis"),
    "promo": ("promotion", "aktion"),
    "open": ("is_open", "geoeffnet"),
    "sold_out_at": ("stockout_at", "stock_out", "sold_out", "ausverkauft"),
    "stockout_min": ("stockout_minutes",),
    "receipt": ("receipt_line", "bon", "transaction", "id"),
}
MAX_QTY = 1e6  # of one row, pieces or grams: more is a slip of the pen
_PIECES = ("units", "unit", "pc", "pcs", "stk", "st", "ea")
_GRAMS = {"g": 1.0, "gram": 1.0, "grams": 1.0, "kg": 1000.0}
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,](?!000)\d{3}", re.ASCII)  # 1.234 pieces
_GAP_D = 31  # a run of days without any sale that is longer is told as one


@dataclass(frozen=True, slots=True)
class SalesFile:
    sales: tuple[Sale, ...]  # by product and day
    remarks: tuple[Remark, ...]
    aside: tuple[AsideRow, ...]
    set_aside: int  # rows; of very many only the first are in ``aside``


@dataclass(slots=True)
class _Day:
    """What the rows of one product and day add up to."""

    qty: float = 0.0
    back: float = 0.0
    paid: float = 0.0  # price x qty, of rows that name a price
    priced: float = 0.0
    price: float | None = None  # of a row that sold nothing
    promo: float | None = None
    is_open: bool | None = None
    sold_out_at: str | None = None
    stockout_min: int | None = None
    row: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader must know to read a till's file."""

    today: date  # the shop's
    zone: tzinfo
    products: Mapping[str, Unit]  # of the configuration, with what each is counted in

    def unit_of(self, product: str) -> Unit:
        return self.products.get(product, Unit.UNITS)


@dataclass(slots=True)
class _Sums:
    """What is known of the file so far. It grows with products and days, and not with rows."""

    reading: Reading
    told: Told
    days: dict[tuple[str, date, Unit], _Day] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)  # as they are written -> as the configuration has them
    unknown: dict[str, int] = field(default_factory=dict)  # -> its first row
    first: dict[str, int] = field(default_factory=dict)  # a line that stands there again -> its first row
    rows: int = 0  # that count


def read_sales(
    text: TextFile,
    reading: Reading,
    *,
    keep_duplicates: bool = False,
    tell: Callable[[Remark], None] | None = None,
) -> SalesFile:
    """``tell``: takes the remarks, which are else answered. Raises FileFault when nothing of it can be used."""
    told = Told(text.name, tell)
    table = read_table(text, told, COLUMNS, ("day|timestamp", "product", "qty"))
    sums = _Sums(reading, told)
    repeated = frozenset[int]() if keep_duplicates else text.repeated()
    for row in table.rows():
        try:
            if line_mark(row.text) in repeated:
                _not_again(row, sums.first)
            _take(row, table, sums)
        except CellFault as fault:
            told.set_aside(row, fault)
    if told.set_aside_rows > max(MOST_ASIDE, sums.rows):
        raise FileFault(f"{text.name}: {_mostly_unread(told, sums.rows)}")
    _tell_unknown(sums.unknown, told)
    _tell_returns(sums.days, told)
    _tell_gaps({day for _, day, _ in sums.days}, told)
    sales = tuple(_sale(*key, sums.days.pop(key)) for key in sorted(sums.days))
    return SalesFile(sales, tuple(told.remarks), tuple(told.aside), told.set_aside_rows)


def _mostly_unread(told: Told, rows: int) -> str:
    reasons = ", ".join(f"{code} {count}" for code, count in told.reasons.most_common())
    words = f"{told.set_aside_rows} of its {told.set_aside_rows + rows} rows do not count ({reasons}): is it the right"
    hint = ". --keep-duplicates counts rows that are the same" if told.reasons["duplicate"] else ""
    return f"{words} file? Nothing of it was imported{hint}"


def _not_again(row: Row, first: dict[str, int]) -> None:
    """The same row to the letter is the same sale. Raises CellFault."""
    number = first.setdefault(row.text.strip(), row.number)
    if number != row.number:
        right = f"the same as row {number}, and counted once (--keep-duplicates counts both)"
        raise CellFault("", row.text[:60], right, "duplicate")


def _take(row: Row, table: Table, sums: _Sums) -> None:
    """Raises CellFault where the row does not count."""
    reading, told = sums.reading, sums.told
    product = sums.products.get(row.get("product")) or _product(row, reading.products, told)
    if row.get("timestamp"):
        day = moment_of(row, "timestamp", table.is_day_first, reading.today, reading.zone).date()
    else:
        day = day_of(row, "day", table.is_day_first, reading.today, reading.today)
    unit, factor = _unit(row, reading.unit_of(product))
    is_open = yes_no(row, "open")
    qty = _qty(row, unit, is_open) * factor
    if abs(qty) > MAX_QTY:
        raise CellFault("qty", row.get("qty"), f"must be at most {MAX_QTY:g} in size", "qty")
    _add(sums.days.setdefault((product, day, unit), _Day(row=row.number)), row, qty, is_open, told)
    sums.products[row.get("product")] = product
    sums.rows += 1
    if product not in reading.products:
        sums.unknown.setdefault(product, row.number)


def _qty(row: Row, unit: Unit, is_open: bool | None) -> float:
    """As it is written. Raises CellFault."""
    if unit is Unit.UNITS and _EITHER.fullmatch(row.get("qty")):
        right = "thousands, or a part of a piece? Must be without the separator, or with the unit g or kg"
        raise CellFault("qty", row.get("qty"), right, "number")
    qty = number(row, "qty")
    if qty is None and is_open is not False:
        raise CellFault("qty", row.get("qty"), "nothing is said: must be a number, 0 for a day without a sale", "gap")
    return qty or 0.0


def _add(day: _Day, row: Row, qty: float, is_open: bool | None, told: Told) -> None:
    price, promo = _optional(row, "price", told), _optional(row, "promo", told)
    if qty >= 0:
        day.qty += qty
    else:
        day.back -= qty
    if price is not None:
        day.price = price
        day.paid += price * max(0.0, qty)
        day.priced += max(0.0, qty)
    if promo is not None:
        day.promo = max(promo, day.promo or 0.0)
    if is_open is not None:
        day.is_open = is_open or bool(day.is_open)
    _add_stockout(day, row, told)
    if day.is_open is False and day.qty > 0:
        told.note(row.number, "open", row.get("open"), "the shop sold on this day: it counts as open", "open")
        day.is_open = True


def _add_stockout(day: _Day, row: Row, told: Told) -> None:
    at = row.get("sold_out_at").replace(".", ":")
    if at and at.lower() not in ("0", "-", "no"):
        clock = at.rpartition(" ")[2][:5].zfill(5)
        is_time = clock[:2].isdigit() and clock[2:3] == ":" and clock[3:].isdigit()
        if is_time and int(clock[:2]) < 25 and int(clock[3:]) < 60:
            day.sold_out_at = clock
        else:
            told.note(row.number, "sold_out_at", at, "must be a time such as 17:30; not read", "time")
    minutes = _optional(row, "stockout_min", told)
    if minutes is not None:
        day.stockout_min = max(day.stockout_min or 0, min(24 * 60, round(minutes)))


def _optional(row: Row, column: str, told: Told) -> float | None:
    """A fault in what only helps costs the cell, not the row."""
    try:
        value = number(row, column)
    except CellFault:
        said = yes_or_none(row, column)
        if said is not None:
            return said
        told.note(row.number, column, row.get(column), "must be a number; not read", "number")
        return None
    if value is not None and value < 0:
        told.note(row.number, column, row.get(column), "must be 0 or more; not read", "number")
        return None
    return value


def yes_or_none(row: Row, column: str) -> float | None:
    try:
        said = yes_no(row, column)
    except CellFault:
        return None
    return None if said is None else float(said)


def _unit(row: Row, usual: Unit) -> tuple[Unit, float]:
    text = row.get("unit").lower().rstrip(".")
    if text in _GRAMS:
        return Unit.G, _GRAMS[text]
    if not text or text in _PIECES:
        return (Unit.UNITS if text else usual), 1.0
    raise CellFault("unit", row.get("unit"), "must be units, g or kg", "unit")


def _product(row: Row, known: Collection[str], told: Told) -> str:
    """As the configuration writes it. A spreadsheet may have cost a GTIN its leading zeros."""
    text = row.get("product").replace(" ", "").removesuffix(".0")
    if text in known:
        return text
    for length in GTIN_LENGTHS:
        padded = text.zfill(length)
        if padded in known:
            told.note(row.number, "product", text, f"taken for {padded}, which lost its leading zeros", "zeros")
            return padded
    try:
        Product(text, "of a till")
    except SettingsError as error:
        raise CellFault("product", row.get("product"), f"must be {error.faults[0].right}", "product") from error
    return text


def _tell_unknown(unknown: Mapping[str, int], told: Told) -> None:
    for product, row in unknown.items():
        right = "no [[product]] of the configuration: kept, and forecast once there is one"
        told.note(row, "product", product, right, "unknown")


def _tell_returns(days: Mapping[tuple[str, date, Unit], _Day], told: Told) -> None:
    for (product, day, unit), found in days.items():
        if found.back > found.qty:
            right = f"more came back than was sold ({product} on {day}: {found.back:g} of {found.qty:g} {unit}): 0 sold"
            told.note(found.row, "qty", f"{found.qty - found.back:g}", right, "returns")
        elif found.back:
            right = f"{found.back:g} {unit} came back ({product} on {day}) and are taken off what was sold"
            told.note(found.row, "qty", f"-{found.back:g}", right, "returns")


def _tell_gaps(days: Collection[date], told: Told) -> None:
    """Days on which nothing at all was sold, between the first and the last."""
    ordered = sorted(days)
    for before, after in pairwise(ordered):
        missing = (after - before).days - 1
        if missing > 0:
            first, last = before + timedelta(days=1), after - timedelta(days=1)
            span = str(first) if missing == 1 else f"{first} to {last}, {missing} days"
            right = "no sale of anything: taken for closed, and never for a demand of 0"
            right += ". Was a clock wrong?" if missing > _GAP_D else ""
            told.note(0, "day", span, right, "gap-long" if missing > _GAP_D else "gap-days")


def _sale(product: str, day: date, unit: Unit, found: _Day) -> Sale:
    price = found.paid / found.priced if found.priced else found.price
    return Sale(
        product, day, Source.IMPORT, unit, found.qty, found.back, 0.0, found.is_open, found.promo, price,
        found.stockout_min, found.sold_out_at,
    )  # fmt: skip
