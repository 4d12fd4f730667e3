"""Sales by formula, the same for every test and for the yardstick that its expected figures come from."""

from datetime import date

import numpy as np

from edge_agent.demand.panel import Panel, starts
from edge_agent.domain.forecast import MAX_HORIZON_D

FIRST = date(2026, 1, 5)  # a Monday
_T = np.arange(120)
WEEKLY = np.round(20 + 6 * np.sin(2 * np.pi * _T / 7) + 0.05 * _T + 5 * ((_T * 37) % 11) / 11)
SPARSE = ((_T * 29) % 13 < 3) * (1.0 + (_T * 17) % 4)
WANDERING = np.round(12 + 4 * np.sin(_T / 9) + ((_T * 53) % 17) / 4)
ALL = np.stack([WEEKLY, SPARSE, WANDERING])


def panel_of(qty, is_open=None, known=None, category=()) -> Panel:
    qty = np.asarray(qty, np.float64)
    is_open = np.ones(qty.shape, bool) if is_open is None else is_open
    names = tuple(f"series-{row}" for row in range(len(qty)))
    return Panel(names, FIRST, qty, is_open, known or {}, starts(qty), category)


def ahead(values) -> np.ndarray:
    """Of a known covariate: the days of the horizon follow, not told."""
    values = np.asarray(values, np.float64)
    return np.concatenate([values, np.full((len(values), MAX_HORIZON_D), np.nan)], axis=1)
