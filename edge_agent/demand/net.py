"""From rows to quantiles through the int8 net: it weighs the simple methods and corrects their quantiles.

    z = sum of gate * log1p(method / scale) + correction;   quantile = scale * expm1(z), sorted, 0 or more

The net's answer of zeros is the plain mean of all methods; only weights and corrections pass through int8.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.features import METHODS, Rows
from edge_agent.domain.forecast import LEVELS
from edge_agent.inference.card import OutputSpec
from edge_agent.inference.model import Model

Floats = NDArray[np.float64]

CORRECTION_STEPS = 8.0  # the graph's correction is so many times what is added: fine steps of one shared int8 scale
PART = 32  # rows (series, origin) at once: bounds the memory
MOST_Z = 5.0  # 147 times the scale
OUTPUTS = (
    *(OutputSpec(f"gate_{method}", "logit") for method in METHODS),
    *(OutputSpec(f"correction_{level:g}", f"log1p/{CORRECTION_STEPS:g}") for level in LEVELS),
)


@dataclass(frozen=True, eq=False)
class NetForecast:
    """NaN throughout where a history is too short for the simple methods."""

    quantiles: Floats  # [N, horizon, levels], units a day; rising, 0 or more
    z: Floats  # [N, horizon, levels]: log1p of quantile / scale before sorting
    gate: Floats  # [N, horizon, methods]: weights, 1 in all


def estimate(of: Rows, model: Model) -> NetForecast:
    """Raises ValueError if the model was made for other inputs or outputs."""
    _check(of, model)
    shape = of.x.shape[:2]
    found = NetForecast(*(np.empty((*shape, values)) for values in (len(LEVELS), len(LEVELS), len(METHODS))))
    for begin in range(0, len(of.x), PART):
        part = slice(begin, begin + PART)
        answers = combined(_answers(of, part, model), of.methods[part], of.scale[part, None])
        found.quantiles[part], found.z[part], found.gate[part] = answers
    return found


def _answers(of: Rows, part: slice, model: Model) -> Floats:
    """[N, horizon, len(OUTPUTS)]; 0 where a history is too short."""
    x, enough = of.x[part], np.flatnonzero(of.has_enough[part])
    out = np.zeros((*x.shape[:2], len(OUTPUTS)))
    if enough.size:
        out[enough] = model.predict(x[enough].reshape(-1, x.shape[2])).reshape(len(enough), x.shape[1], -1)
    return out


def combined(out: Floats, methods: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Quantiles, z and gate; the last axis of `out` is OUTPUTS, of `methods` [methods, levels] in units."""
    logits = out[..., : len(METHODS)].astype(np.float64)
    gate = np.exp(logits - logits.max(axis=-1, keepdims=True))
    gate /= gate.sum(axis=-1, keepdims=True)
    said = np.log1p(methods / scale[..., None, None])
    correction = out[..., len(METHODS) :] / CORRECTION_STEPS
    z = np.minimum((gate[..., None] * said).sum(axis=-2) + correction, MOST_Z)
    return quantiles_of_z(z, scale), z, gate


def quantiles_of_z(z: Floats, scale: Floats) -> Floats:
    found: Floats = np.sort(np.maximum(np.expm1(z), 0.0) * scale[..., None], axis=-1)
    return found


def _check(of: Rows, model: Model) -> None:
    outputs = tuple(spec.name for spec in model.card.outputs)
    if len(model.card.inputs) != of.x.shape[2] or outputs != tuple(spec.name for spec in OUTPUTS):
        raise ValueError(
            f"{model.name} {model.version}: {len(model.card.inputs)} inputs and {len(outputs)} outputs: "
            f"this program's demand model has {of.x.shape[2]} and {len(OUTPUTS)}, by their names"
        )
