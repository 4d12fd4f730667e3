"""In what a product is counted: what is sold by weight or for money has no pieces, so it is told in handy ones.

The net, the shifts by class and some small limits know 0.2 a day as a thing that is seldom sold. 0.2 kg of ham a day is
sold every day: such products are told in tenths, hundredths or thousandths, and grams by the ten or hundred.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import Amounts, Panel

Floats = NDArray[np.float64]

LEAST, MOST = 10.0, 1000.0  # on a mean day with sales
WHOLE_SHARE = 0.5  # of the days with sales: a product with so many whole ones is counted in pieces
MOST_POWER = 12.0  # of ten
SERIES = 32  # at once: bounds the memory
_NEAR = 1e-6  # of it, from a whole number


def pieces(panel: Panel) -> Floats:
    """[series]: how many pieces one unit is, a power of ten; 1 for what is counted, unless there are very many.

    >>> from datetime import date
    >>> qty = np.array([[0.2, 0.0, 0.25], [1.0, 0.0, 2.0], [90_000.0, 80_000.0, 0.0]])
    >>> pieces(Panel(("ham", "jam", "grams of ham"), date(2026, 1, 1), qty, qty >= 0, {}, np.zeros(3, int))).tolist()
    [100.0, 1.0, 0.01]
    """
    parts = [slice(begin, begin + SERIES) for begin in range(0, len(panel.names), SERIES)]
    return np.concatenate([np.ones(0), *(_pieces(panel.qty[part], panel.is_open[part]) for part in parts)])


def _pieces(qty: Amounts, is_open: NDArray[np.bool_]) -> Floats:
    sold = np.where(is_open & (qty > 0) & np.isfinite(qty), qty.astype(np.float64), 0.0)
    days = (sold > 0).sum(axis=1)
    usual = sold.sum(axis=1) / np.maximum(days, 1)
    whole = (sold > 0) & (np.abs(sold - np.round(sold)) <= _NEAR * sold)
    is_small = (usual < LEAST) & (whole.sum(axis=1) < WHOLE_SHARE * days)
    logs = np.log10(np.where(usual > 0, usual, 1.0))
    up, down = np.ceil(np.log10(LEAST) - logs), np.floor(np.log10(MOST) - logs)
    power = np.where(is_small, up, np.where(usual > MOST, down, 0.0))
    found: Floats = 10.0 ** np.clip(power, -MOST_POWER, MOST_POWER)
    return found


def in_pieces(panel: Panel, each: Floats) -> Panel:
    """The panel itself where every unit is one piece."""
    return panel if (each == 1.0).all() else replace(panel, qty=panel.qty * each[:, None].astype(panel.qty.dtype))
