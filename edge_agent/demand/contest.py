"""A new model beside the one in use, on a day that has come: both forecast it from the days before. Pure."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.experts import MIN_HISTORY_D
from edge_agent.demand.forecaster import MODEL, forecast
from edge_agent.demand.panel import Panel
from edge_agent.demand.shop_state import ShopState
from edge_agent.domain.forecast import LEVELS
from edge_agent.inference.model import Model

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEADS_D = (1, 7)  # told the evening before, and a week before


def losses(
    panel: Panel, column: int, scored: Bools, new: Model, old: Model, state: ShopState | None
) -> list[tuple[float, float]]:
    """(new, old) of each product that counts: pinball losses, the mean over LEVELS and LEADS_D.

    ``scored`` [series]; a product in whose forecast no model takes part does not count. Both go through ``state``, the
    shop's weights, which were learnt with the old one: a new one has to be better by what that is worth.
    """
    y = panel.qty[:, column].astype(np.float64)
    counts = scored & panel.is_open[:, column]
    sums, leads = np.zeros((2, len(panel.names))), 0
    for lead in LEADS_D:
        origin = column - lead
        if origin + 1 < MIN_HISTORY_D or not counts.any():
            continue
        told = [forecast(panel, origin, model, state, lead) for model in (new, old)]
        counts = counts & np.array([told[0].basis[row] == told[1].basis[row] == MODEL for row in range(len(y))])
        sums += np.stack([pinball(y, each.quantiles[:, lead - 1]) for each in told])
        leads += 1
    if not leads:
        return []
    return [(float(one), float(other)) for one, other in sums[:, counts].T / leads]


def pinball(y: Floats, quantiles: Floats) -> Floats:
    """Mean over LEVELS; ``quantiles`` [series, levels].

    >>> [round(loss, 3) for loss in pinball(np.array([4.0]), np.full((1, 11), 2.0)).tolist()]  # half of 2
    [1.0]
    """
    levels, error = np.asarray(LEVELS), y[:, None] - quantiles
    found: Floats = np.maximum(levels * error, (levels - 1.0) * error).mean(axis=1)
    return found
