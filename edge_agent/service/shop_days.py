"""The shop's days out of the store's rows: which source counts, when the shop was open, what ran out. No store here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

import numpy as np

from edge_agent.config.shop import ShopSettings
from edge_agent.demand.calendar import calendar_of
from edge_agent.demand.panel import Bools, Floats, Panel, starts
from edge_agent.demand.recovery import recovered, share_before
from edge_agent.domain.forecast import MAX_HORIZON_D
from edge_agent.domain.product import Product
from edge_agent.domain.shop import Empty, PlanKind, Planned, Sale, Source, Unit, WeatherDay
from edge_agent.service.local_days import local

LEAST_OUT_MIN = 30  # empty for less than so long of a day's opening: nobody was sent away
ALL_DAY = 0.05  # of a usual day's demand before the shelf was empty: such a day says nothing of demand
USUAL_D = 56  # a weekday on which nothing was sold for so long ...
USUAL_OPEN_D = 14  # ... while on so many other days it was, is a day on which the shop is shut
PRICE_D = 56


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds of a span of days."""

    first: date
    last: date  # of the sales; plans and weather reach MAX_HORIZON_D further
    opened: Mapping[date, Collection[Source]]  # days of which a source knows anything, not all of it "shut"
    plans: Sequence[Planned] = ()
    weather: Sequence[WeatherDay] = ()
    empties: Sequence[Empty] = ()
    holidays: Collection[date] = ()


@dataclass(frozen=True, eq=False)
class ShopDays:
    panel: Panel
    units: tuple[Unit, ...]  # of each series
    reasons: tuple[tuple[str, ...], ...]  # of each series: what was done to its days
    will_open: Bools  # [MAX_HORIZON_D]
    recovered: int  # days with a demand above what was sold
    ran_out: Bools  # [series, days]: what was sold is less than what was wanted


@dataclass(slots=True)
class _Draft:
    qty: Floats
    is_open: Bools
    ran_out: Bools
    share: Floats
    price: Floats
    reasons: list[set[str]] = field(default_factory=list)


def shop_days(
    products: Sequence[Product], sales: Iterable[Sale], known: Known, shop: ShopSettings, zone: tzinfo
) -> ShopDays:
    """One series a product. Of a day that both sources know the till's word counts; the scales say when it ran out."""
    days = (known.last - known.first).days + 1
    shape = (len(products), days)
    draft = _Draft(
        np.zeros(shape), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.full(shape, np.nan),
        np.full(shape, np.nan), [set() for _ in products],
    )  # fmt: skip
    rows = _by_product(sales)
    units = []
    for row, product in enumerate(products):
        found = rows.get(product.gtin, [])
        units.append(_unit(product, found))
        _fill(draft, row, product, found, units[-1], known)
    _shut(draft, known)
    _run_out_by_scale(draft, products, known, shop, zone)
    panel = Panel(
        tuple(product.gtin for product in products),
        known.first,
        draft.qty,
        draft.is_open,
        _covariates(products, draft, known, shop),
        starts(draft.qty * draft.is_open),
        tuple(product.category or "" for product in products),
    )
    ran_out = draft.ran_out & panel.is_open
    count = _recover(panel, draft)
    reasons = tuple(tuple(sorted(found)) for found in draft.reasons)
    return ShopDays(panel, tuple(units), reasons, will_open(known, shop), count, ran_out)


def _by_product(sales: Iterable[Sale]) -> dict[str, list[Sale]]:
    found: dict[str, list[Sale]] = {}
    for sale in sales:
        found.setdefault(sale.product, []).append(sale)
    return found


def _unit(product: Product, rows: Sequence[Sale]) -> Unit:
    is_counted = product.piece_g is not None or any(row.unit is Unit.UNITS for row in rows) or not rows
    return Unit.UNITS if is_counted and not product.is_catch_weight else Unit.G


def _piece_g(product: Product, rows: Sequence[Sale]) -> float | None:
    """As configured; else what the pieces weighed that a scale saw go."""
    if product.piece_g is not None:
        return product.piece_g
    seen = [row for row in rows if row.unit is Unit.UNITS and row.weight_g > 0]
    pieces = sum(row.qty for row in seen)
    return sum(row.weight_g for row in seen) / pieces if pieces > 0 else None


def _fill(draft: _Draft, row: int, product: Product, sales: Sequence[Sale], unit: Unit, known: Known) -> None:
    piece_g = _piece_g(product, sales)
    days: dict[date, list[Sale]] = {}
    for sale in sales:
        days.setdefault(sale.day, []).append(sale)
    _open_days(draft, row, {sale.source for sale in sales}, known)
    for day, found in days.items():
        column = (day - known.first).days
        told = [sale for sale in found if sale.source is Source.IMPORT] or found
        amounts = [_amount(sale, unit, piece_g) for sale in told]
        if None in amounts:
            draft.reasons[row].add("other_unit_left_out")
        draft.qty[row, column] = max(0.0, sum(amount for amount in amounts if amount is not None))
        draft.is_open[row, column] = any(sale.is_open is not False for sale in told)
        _note_stockout(draft, row, column, told, known)
        prices = [sale.price for sale in told if sale.price is not None]
        if prices:
            draft.price[row, column] = prices[-1]


def _open_days(draft: _Draft, row: int, sources: Collection[Source], known: Known) -> None:
    """A day of which its sources know anything at all, and nothing of this product, is a day without a sale of it."""
    for day, told in known.opened.items():
        if any(source in sources for source in told):
            draft.is_open[row, (day - known.first).days] = True


def _amount(sale: Sale, unit: Unit, piece_g: float | None) -> float | None:
    amount = sale.qty - sale.back
    if sale.unit is unit:
        return amount
    if piece_g is None:
        return None
    return amount / piece_g if unit is Unit.UNITS else amount * piece_g


def _note_stockout(draft: _Draft, row: int, column: int, told: Sequence[Sale], known: Known) -> None:
    """By the till's word. With the hour the rest of the day can be reckoned."""
    for sale in told:
        if sale.stockout_min is not None and sale.stockout_min < LEAST_OUT_MIN:
            continue
        if sale.sold_out_at is None and sale.stockout_min is None:
            continue
        draft.ran_out[row, column] = True
        if sale.sold_out_at is not None:
            draft.share[row, column] = int(sale.sold_out_at[:2]) * 60 + int(sale.sold_out_at[3:])  # minute, for now
        elif sale.stockout_min is not None:
            draft.share[row, column] = -float(sale.stockout_min)


def _shut(draft: _Draft, known: Known) -> None:
    """Days that were planned shut, unless something was sold."""
    for column in (
        (day - known.first).days for day in _planned_days(known, PlanKind.CLOSED) if known.first <= day <= known.last
    ):
        draft.is_open[:, column] &= draft.qty[:, column] > 0


def _planned_days(known: Known, kind: PlanKind) -> set[date]:
    end = known.last + timedelta(days=MAX_HORIZON_D)
    return {
        day
        for plan in known.plans
        if plan.kind is kind
        for day in _span(max(plan.first, known.first), min(plan.last, end))
    }


def _span(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=step) for step in range((last - first).days + 1))


def _run_out_by_scale(
    draft: _Draft, products: Sequence[Product], known: Known, shop: ShopSettings, zone: tzinfo
) -> None:
    """The minutes in ``share`` become shares of the day's demand, and the scales' empty shelves come to them."""
    opens, closes = shop.open_minutes
    told = np.flatnonzero(np.isfinite(draft.share))
    for cell in told:
        value = float(draft.share.flat[cell])
        draft.share.flat[cell] = share_before(round(value if value >= 0 else closes + value), opens, closes)
    row_of = {product.gtin: row for row, product in enumerate(products)}
    since: dict[str, datetime] = {}
    end = datetime.combine(known.last + timedelta(days=1), datetime.min.time(), zone)
    for found in known.empties:
        at = local(found.at.wall_ms, zone)
        if found.is_empty:
            since.setdefault(found.product, at)
        elif found.product in since:
            _out(draft, row_of.get(found.product), since.pop(found.product), at, known, shop)
    for gtin, begin in since.items():
        _out(draft, row_of.get(gtin), begin, end, known, shop)


def _out(draft: _Draft, row: int | None, begin: datetime, end: datetime, known: Known, shop: ShopSettings) -> None:
    if row is None or end <= begin:
        return
    opens, closes = shop.open_minutes
    for day in _span(max(begin.date(), known.first), min(end.date(), known.last)):
        first = max(opens, begin.hour * 60 + begin.minute if day == begin.date() else opens)
        last = min(closes, end.hour * 60 + end.minute if day == end.date() else closes)
        column = (day - known.first).days
        if last - first >= LEAST_OUT_MIN and not draft.ran_out[row, column]:
            draft.ran_out[row, column] = True
            draft.share[row, column] = 1.0 - (last - first) / (closes - opens)


def _recover(panel: Panel, draft: _Draft) -> int:
    """In place. A day that was empty from the beginning says nothing and counts as shut."""
    ran_out = draft.ran_out & panel.is_open
    all_day = ran_out & (draft.share < ALL_DAY) & (panel.qty <= 0)
    panel.is_open[all_day] = False
    ran_out &= ~all_day
    for row in np.flatnonzero(all_day.any(axis=1)):
        draft.reasons[row].add("empty_all_day")
    if not ran_out.any():
        return 0
    demand = recovered(panel.imputed().astype(np.float64), ran_out, np.clip(draft.share, 0.0, 0.99))
    panel.qty[ran_out] = demand[ran_out]
    for row in np.flatnonzero(ran_out.any(axis=1)):
        draft.reasons[row].add("demand_recovered")
    return int(ran_out.sum())


# --- what is known in advance -----------------------------------------------------------------------------------------


def _covariates(products: Sequence[Product], draft: _Draft, known: Known, shop: ShopSettings) -> dict[str, Floats]:
    """Views of one row where all series share it: a copy for each would be most of the memory."""
    series, days = draft.qty.shape
    width = days + MAX_HORIZON_D
    events = _planned_days(known, PlanKind.EVENT)
    school = shop.school_days() | _planned_days(known, PlanKind.SCHOOL_HOLIDAY)
    shared = dict(calendar_of(known.first, width, set(known.holidays), school, events))
    if not known.holidays:
        del shared["holiday"], shared["holiday_next2d"]
    for name, values in (
        ("temp", {each.day: each.temp_c for each in known.weather}),
        ("precip", {each.day: each.precip_mm for each in known.weather}),
    ):
        row = np.array([_or_nan(values.get(day)) for day in _span(known.first, _end(known))])
        if np.isfinite(row).any():
            shared[name] = row
    found: dict[str, Floats] = {name: np.broadcast_to(row, (series, width)) for name, row in shared.items()}
    return found | _planned(products, draft, known, width)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _end(known: Known) -> date:
    return known.last + timedelta(days=MAX_HORIZON_D)


def _planned(products: Sequence[Product], draft: _Draft, known: Known, width: int) -> dict[str, Floats]:
    """Promotions and prices as they were planned: what was realised tells whether the product sold, and is not used."""
    row_of = {product.gtin: row for row, product in enumerate(products)}
    found: dict[str, Floats] = {}
    for plan in known.plans:
        if plan.product not in row_of or plan.kind not in (PlanKind.PROMO, PlanKind.PRICE):
            continue
        row = row_of[plan.product]
        begin = max(0, (plan.first - known.first).days)
        end = min(width, (plan.last - known.first).days + 1)
        if begin >= end:
            continue
        if plan.kind is PlanKind.PROMO:
            promo = found.setdefault("promo", np.zeros((len(products), width)))
            promo[row, begin:end] = 1.0 if plan.value is None else min(plan.value, 1.0)
        else:
            before = draft.price[row, max(0, begin - PRICE_D) : begin]
            usual = float(np.nanmedian(before)) if np.isfinite(before).any() else 0.0
            if usual > 0 and plan.value is not None:
                price = found.setdefault("price_rel", np.ones((len(products), width)))
                price[row, begin:end] = plan.value / usual
    return found


def will_open(known: Known, shop: ShopSettings) -> Bools:
    """The next MAX_HORIZON_D days, by what is planned, the settings, the holidays, and what is usual."""
    shut = _never_open(known)
    planned_open, planned_shut = _planned_days(known, PlanKind.OPEN), _planned_days(known, PlanKind.CLOSED)
    answers = []
    for day in _span(known.last + timedelta(days=1), _end(known)):
        is_usual = shop.is_weekday_open(day) and day.weekday() not in shut
        is_holiday = shop.closed_on_holidays and day in known.holidays
        answers.append(day in planned_open or (is_usual and not is_holiday and day not in planned_shut))
    return np.array(answers, np.bool_)


def _never_open(known: Known) -> set[int]:
    since = known.last - timedelta(days=USUAL_D - 1)
    recent = [day for day in known.opened if since <= day <= known.last]
    if len(recent) < USUAL_OPEN_D:
        return set()
    return set(range(7)) - {day.weekday() for day in recent}


def merged(parts: Iterable[ShopDays], series: int) -> ShopDays:
    """``series`` in all, of parts that know the same days: read in parts, because a row of a table is large in RAM.

    Each part is put in its place and let go. Closed days are filled already, so that learning needs no second copy.
    """
    qty, is_open = np.zeros((0, 0), np.float32), np.zeros((0, 0), np.bool_)
    ran_out = is_open
    start = np.zeros(series, np.int64)
    known: dict[str, Floats] = {}
    names: list[str] = []
    categories: list[str] = []
    units: list[Unit] = []
    reasons: list[tuple[str, ...]] = []
    count, last = 0, None
    for part in parts:
        panel = part.panel
        if last is None:
            shape = (series, panel.days)
            qty, is_open, ran_out = np.zeros(shape, np.float32), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        place = slice(len(names), len(names) + len(panel.names))
        qty[place], is_open[place], start[place] = panel.imputed(), panel.is_open, panel.start
        ran_out[place] = part.ran_out
        _join(known, panel, place, series)
        names += panel.names
        categories += panel.category
        units += part.units
        reasons += part.reasons
        count, last = count + part.recovered, part
    if last is None:
        raise ValueError("no part: must be one at least")
    panel = Panel(tuple(names), last.panel.first, qty, is_open, dict(sorted(known.items())), start, tuple(categories))
    return ShopDays(panel, tuple(units), tuple(reasons), last.will_open, count, ran_out)


_OF_A_PRODUCT = {"promo": 0.0, "price_rel": 1.0}  # what a product without plans has


def _join(known: dict[str, Floats], panel: Panel, place: slice, series: int) -> None:
    shape = (series, panel.days + MAX_HORIZON_D)
    for name, values in panel.known.items():
        if name in _OF_A_PRODUCT:
            known.setdefault(name, np.full(shape, _OF_A_PRODUCT[name]))[place] = values
        elif name not in known:
            known[name] = np.broadcast_to(values[0].copy(), shape)
