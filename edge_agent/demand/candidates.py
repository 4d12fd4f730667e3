"""What everybody says of the next days: the simple methods, the shop's own grove, the global net."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand import features, net
from edge_agent.demand.grove import Grove
from edge_agent.demand.past import Past, described
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D
from edge_agent.inference.model import Model

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

GROVE, NET = "grove", "net"
CANDIDATES = (*features.METHODS, GROVE, NET)


@dataclass(frozen=True, eq=False)
class Said:
    quantiles: Singles  # [candidates, rows, days, levels], units a day; NaN: nothing said
    scale: Floats  # [rows], units a day


def said(
    past: Past, series: Ints, origins: Ints, horizons: Ints, model: Model | None, grove: Grove | None = None
) -> Said:
    """Of each (series, origin) pair, for the days ``horizons`` (from 1) ahead. Looks at nothing after the origins."""
    rows = features.rows(past.panel, past.imputed, series, origins, int(horizons.max(initial=1)))
    found = np.full((len(CANDIDATES), len(series), len(horizons), len(LEVELS)), np.nan, np.float32)
    days = horizons - 1
    found[: len(features.METHODS)] = np.moveaxis(rows.methods[:, days], 2, 0)
    if model is not None and len(series):
        found[CANDIDATES.index(NET)] = net.estimate(rows, model).quantiles[:, days]
    found[CANDIDATES.index(NET), ~rows.has_enough] = np.nan
    if grove is not None:
        found[CANDIDATES.index(GROVE)] = grown(past, series, origins, horizons, grove)
    return Said(found, past.scale(series, origins))


def fits(model: Model) -> bool:
    """Whether its inputs and outputs are those of this program's demand model."""
    inputs, outputs = (tuple(spec.name for spec in specs) for specs in (model.card.inputs, model.card.outputs))
    return inputs == features.NAMES and outputs == tuple(spec.name for spec in net.OUTPUTS)


def grown(past: Past, series: Ints, origins: Ints, horizons: Ints, grove: Grove) -> Floats:
    """[rows, days, levels], units a day."""
    shape = (len(series), len(horizons))
    pairs = [np.broadcast_to(values, shape).ravel() for values in (series[:, None], origins[:, None], horizons)]
    quantiles = grove.predict(described(past, *pairs)) * past.scale(pairs[0], pairs[1])[:, None]
    return quantiles.reshape(*shape, len(LEVELS))


def all_horizons(horizon: int) -> Ints:
    if not 1 <= horizon <= MAX_HORIZON_D:
        raise ValueError(f"horizon = {horizon}: must be 1 to {MAX_HORIZON_D} days")
    return np.arange(1, horizon + 1)
