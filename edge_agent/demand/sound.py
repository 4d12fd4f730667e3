"""Days that cannot be believed, before anything is forecast or learnt from them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Panel

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TOO_MUCH = 1000.0  # times the median of the days with sales: a barcode or a price that was typed as a quantity
LEAST_DAYS = 14  # with sales, for a word about the usual
MOST = 1e15  # units a day, of anything
SERIES = 32  # at once: bounds the memory


def sound(panel: Panel) -> tuple[Panel, tuple[tuple[str, ...], ...]]:
    """Days whose quantity is no number or far too much count as shut, negative ones as 0; codes say where that was."""
    bad: Bools = ~np.isfinite(panel.qty) & panel.is_open
    negative: Bools = panel.qty < 0
    much = _too_much(panel)
    found = zip(_any(bad).tolist(), _any(negative).tolist(), _any(much).tolist(), strict=True)
    names = ("not_a_number", "negative_sales", "too_much_sold")
    codes = tuple(tuple(code for code, has in zip(names, row, strict=True) if has) for row in found)
    bad |= much
    if not bad.any() and not negative.any() and np.isfinite(panel.qty).all():
        return panel, codes
    qty = np.maximum(np.nan_to_num(panel.qty, nan=0.0, posinf=0.0, neginf=0.0), 0.0)
    return replace(panel, qty=np.where(bad, 0.0, qty), is_open=panel.is_open & ~bad), codes


def _too_much(panel: Panel) -> Bools:
    found = np.zeros(panel.qty.shape, bool)
    for begin in range(0, len(found), SERIES):
        part = slice(begin, begin + SERIES)
        qty = panel.qty[part]
        sold = panel.is_open[part] & (qty > 0) & np.isfinite(qty)
        days = sold.sum(axis=1)
        ordered = np.sort(np.where(sold, qty, np.inf), axis=1)
        usual = np.take_along_axis(ordered, np.maximum(days - 1, 0)[:, None] // 2, axis=1)
        most = np.where(days >= LEAST_DAYS, np.minimum(TOO_MUCH * usual[:, 0], MOST), MOST)
        found[part] = sold & (qty > most[:, None])
    return found


def _any(values: Bools) -> Bools:
    """Of each row."""
    found: Bools = np.asarray(values.any(axis=1))
    return found
