"""A shop by formula and seeded chance, for the tests of what is learnt from one."""

from datetime import date

import numpy as np

from edge_agent.demand.local import Budget
from edge_agent.demand.panel import Panel, starts

FIRST = date(2025, 1, 6)  # a Monday
WEEK = np.array([1.0, 0.8, 0.8, 1.0, 1.4, 2.0, 0.6])
SMALL = Budget(origins=6, rows=1500, rounds=8, depth=3)  # learns in a moment


def shop(days: int = 200, products: int = 6, seed: int = 7, category: tuple[str, ...] = ()) -> Panel:
    """Weekday-driven products of rising size, the first one sparse."""
    rng = np.random.default_rng(seed)
    level = np.array([0.3, 2.0, 5.0, 10.0, 20.0, 40.0])[np.arange(products) % 6]
    qty = rng.poisson(level[:, None] * WEEK[np.arange(days) % 7]).astype(np.float64)
    return panel_of(qty, category)


def panel_of(qty: np.ndarray, category: tuple[str, ...] = (), is_open: np.ndarray | None = None) -> Panel:
    qty = np.asarray(qty, np.float64)
    names = tuple(f"product-{row}" for row in range(len(qty)))
    is_open = np.ones(qty.shape, bool) if is_open is None else is_open
    return Panel(names, FIRST, qty, is_open, {}, starts(np.nan_to_num(qty)), category)
