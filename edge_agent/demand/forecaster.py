"""The one function that makes forecasts: candidates, the shop's weights and shifts, and what to do without them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.blend import GROUPS, mixed
from edge_agent.demand.candidates import all_horizons, fits, said
from edge_agent.demand.coldstart import Own, fellows_of, from_fellows, from_own_days
from edge_agent.demand.conformal import NO_SHIFTS, shifted
from edge_agent.demand.experts import MIN_HISTORY_D
from edge_agent.demand.local import LEAST_OUTCOMES, prior
from edge_agent.demand.panel import Panel
from edge_agent.demand.past import SCALE_D, Past, past_of
from edge_agent.demand.pieces import in_pieces, pieces
from edge_agent.demand.shop_state import ShopState
from edge_agent.demand.sound import sound
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D
from edge_agent.inference.model import Model

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

SHORT_D = 28  # from here on a product's own forecast stands alone
GAP_D = 14  # without an open day before the origin
STALE_D = 35  # since the shop was last learnt from
LEAST_TOLD = 0.05  # pieces: what a blend leaves above 0 where most say 0; until shifts are learnt it counts as 0
CHUNK = 32  # products at once: bounds the memory

# What a series' forecast rests on
MODEL: Final = "model"  # the net, with the shop's weights or the first day's
BLEND: Final = "blend"  # the simple methods and the grove, with the shop's weights
SIMPLE: Final = "simple"  # the simple methods, with the first day's weights
CATEGORY: Final = "category"  # products of the same category
SHOP: Final = "shop"  # the shop's other products
OWN: Final = "own"  # its own few days
NOTHING: Final = "nothing"  # nothing sold for SCALE_D days, or never anything here or beside it: 0


@dataclass(frozen=True, eq=False)
class Forecasts:
    quantiles: Floats  # [series, days, levels], sorted, 0 or more
    basis: tuple[str, ...]  # of each series
    reasons: tuple[tuple[str, ...], ...]  # codes


def forecast(
    panel: Panel,
    origin: int,
    model: Model | None = None,
    state: ShopState | None = None,
    horizon: int = MAX_HORIZON_D,
    is_open: Bools | None = None,
) -> Forecasts:
    """For the days ``origin + 1`` to ``origin + horizon``; looks at no sale after ``origin``.

    ``is_open`` [days]: False where the calendar says that the shop will be shut; nothing is asked for then.
    """
    horizons = all_horizons(horizon)
    used = model if model is not None and fits(model) else None
    known, odd = sound(panel.upto(origin))
    past = past_of(known)
    age = origin + 1 - known.start
    settled = np.flatnonzero(age >= MIN_HISTORY_D)
    each = pieces(known)
    counted = past if (each == 1.0).all() else past_of(in_pieces(known, each))
    quantiles = np.zeros((len(known.names), horizon, len(LEVELS)))
    basis = [NOTHING] * len(known.names)
    for begin in range(0, len(settled), CHUNK):
        rows = settled[begin : begin + CHUNK]
        quantiles[rows] = _settled(counted, rows, origin, horizons, used, state) / each[rows, None, None]
    asleep = age >= SCALE_D
    asleep[asleep] = past.mean(np.flatnonzero(asleep), np.full(int(asleep.sum()), origin), SCALE_D) <= 0
    quantiles[asleep] = 0.0
    for row in settled:
        basis[row] = NOTHING if asleep[row] else MODEL if used is not None else BLEND if state is not None else SIMPLE
    _begin_young(past, origin, quantiles, basis)
    if is_open is not None:
        quantiles[:, ~is_open] = 0.0
    missing = () if used is not None else ("no_model",) if model is None else ("model_does_not_fit",)
    return Forecasts(quantiles, tuple(basis), _reasons(past, origin, odd, missing, state))


def _any(values: Bools) -> Bools:
    """Of each row."""
    found: Bools = np.asarray(values.any(axis=1))
    return found


def _settled(
    past: Past, rows: Ints, origin: int, horizons: Ints, model: Model | None, state: ShopState | None
) -> Floats:
    panel = past.panel
    told = said(past, rows, np.full(len(rows), origin), horizons, model, None if state is None else state.grove)
    weights = np.repeat(prior()[None], GROUPS, axis=0)
    shifts = NO_SHIFTS
    if state is not None:
        category = tuple(panel.category[row] for row in rows) if panel.category else ()
        weights, shifts = state.weights(tuple(panel.names[row] for row in rows), category), state.shifts
    found = shifted(mixed(told.quantiles, weights), told.scale, horizons, shifts)
    is_learnt = state is not None and state.days >= LEAST_OUTCOMES
    return found if is_learnt else np.where(found < LEAST_TOLD, 0.0, found)


def _begin_young(past: Past, origin: int, quantiles: Floats, basis: list[str]) -> None:
    """Products with few days of their own lean on their fellows, the less the more days there are."""
    panel = past.panel
    age = origin + 1 - panel.start
    old = np.flatnonzero((age >= SHORT_D) & (quantiles[:, :, -1] > 0).any(axis=1))
    levels = past.mean(old, np.full(len(old), origin), SCALE_D)
    for row in np.flatnonzero(age < SHORT_D):
        begin = min(int(panel.start[row]), origin + 1)
        open_days = np.flatnonzero(panel.is_open[row, begin:]) + begin
        sold = panel.qty[row, open_days].astype(np.float64)
        own = Own(len(sold), float(sold.sum()))
        fellows, whose = fellows_of(int(row), panel.category, old)
        young = from_own_days(sold, quantiles.shape[1])
        name = OWN if len(sold) else NOTHING
        if len(fellows):
            young = from_fellows(quantiles[fellows], levels[np.searchsorted(old, fellows)], own)
            name = CATEGORY if whose == "category" else SHOP
        share = float(np.clip((age[row] - MIN_HISTORY_D) / (SHORT_D - MIN_HISTORY_D), 0.0, 1.0))
        quantiles[row] = (1.0 - share) * young + share * quantiles[row]
        basis[row] = name


def _reasons(
    past: Past, origin: int, odd: tuple[tuple[str, ...], ...], missing: tuple[str, ...], state: ShopState | None
) -> tuple[tuple[str, ...], ...]:
    panel = past.panel
    shared = [*missing]
    if state is None:
        shared.append("not_learnt")
    elif (panel.day(origin) - state.upto).days > STALE_D:
        shared.append("learnt_long_ago")
    elif (panel.day(origin) - state.upto).days < 0:
        shared.append("learnt_later")
    age = origin + 1 - panel.start
    begin = max(0, origin + 1 - GAP_D)
    sales = ((panel.qty > 0) & panel.is_open).sum(axis=1)
    recent = past.mean(np.arange(len(age)), np.full(len(age), origin), SCALE_D)
    codes: tuple[tuple[str, Bools], ...] = (
        ("nothing_sold", age <= 0),
        ("short_history", (age > 0) & (age < SHORT_D)),
        ("one_sale", np.asarray(sales == 1)),
        ("silent", np.asarray((age > 0) & (recent <= 0))),
        ("gap", ~_any(panel.is_open[:, begin:])),
    )
    return tuple((*shared, *(code for code, has in codes if has[row]), *odd[row]) for row in range(len(panel.names)))
