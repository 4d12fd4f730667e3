"""What a shop plans, as a table of text: kind, from, to, product, value, name. docs/sales.md describes it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches

from edge_agent.domain.shop import OF_A_PRODUCT, AsideRow, PlanKind, Planned, Remark
from edge_agent.exchange.rows import CellFault, Row, Table, Told, day_of, number, read_table
from edge_agent.exchange.text_file import TextFile

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "kind": ("type", "art"),
    "from": ("first", "day", "date", "von"),
    "to": ("last", "until", "bis"),
    "product": ("gtin", "ean", "sku", "plu"),
    "value": ("price", "strength", "wert"),
    "name": ("note", "title"),
}
FURTHEST_D = 731
LONGEST_D = 366


@dataclass(frozen=True, slots=True)
class PlansFile:
    plans: tuple[Planned, ...]
    remarks: tuple[Remark, ...]
    aside: tuple[AsideRow, ...]
    set_aside: int  # rows; of very many only the first are in ``aside``


def read_plans(
    text: TextFile, today: date, products: Collection[str], tell: Callable[[Remark], None] | None = None
) -> PlansFile:
    """Raises FileFault when nothing of it can be read."""
    told = Told(text.name, tell)
    table = read_table(text, told, COLUMNS, ("kind", "from"))
    plans: dict[Planned, None] = {}
    for row in table.rows():
        try:
            plan = _plan(row, table, today, products)
        except CellFault as fault:
            told.set_aside(row, fault)
            continue
        if plan in plans:
            told.note(row.number, "", row.text[:60], "said before", "duplicate")
        plans[plan] = None
    return PlansFile(tuple(plans), tuple(told.remarks), tuple(told.aside), told.set_aside_rows)


def _plan(row: Row, table: Table, today: date, products: Collection[str]) -> Planned:
    kind = _kind(row)
    furthest = today + timedelta(days=FURTHEST_D)
    first = day_of(row, "from", table.is_day_first, today, furthest)
    last = day_of(row, "to", table.is_day_first, today, furthest) if row.get("to") else first
    if not 0 <= (last - first).days < LONGEST_D:
        raise CellFault("to", row.get("to"), f"must not be before from = {first}, nor {LONGEST_D} days later", "span")
    product = row.get("product")
    if kind in OF_A_PRODUCT and product not in products:
        near = get_close_matches(product, products, 1)
        hint = f" (is it {near[0]}?)" if near else ""
        raise CellFault("product", product, f"must be the gtin of a [[product]] of the configuration{hint}", "product")
    if kind not in OF_A_PRODUCT and product:
        raise CellFault("product", product, f"must be left out: {kind} concerns the whole shop", "product")
    return Planned(kind, first, last, product, _value(row, kind), row.get("name")[:64])


def _kind(row: Row) -> PlanKind:
    text = row.get("kind").lower().replace("_", "-")
    kinds = [kind.value for kind in PlanKind]
    if text in kinds:
        return PlanKind(text)
    near = get_close_matches(text, kinds, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise CellFault("kind", row.get("kind"), f"must be one of {', '.join(kinds)}{hint}", "kind")


def _value(row: Row, kind: PlanKind) -> float | None:
    value = number(row, "value")
    if kind is PlanKind.PRICE and (value is None or value <= 0):
        raise CellFault("value", row.get("value"), "must be the price, above 0", "price")
    if value is not None and value < 0:
        raise CellFault("value", row.get("value"), "must be 0 or more", "value")
    return value
