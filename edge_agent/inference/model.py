"""A model that has passed its card: float rows in, float rows out, int8 between."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_agent.inference.card import ModelCard, check_file
from edge_agent.inference.errors import ModelRefused
from edge_agent.inference.runtime import Interpreter, interpreter

BATCH = 64  # rows at a time; fixed, so the tensors are allocated once and the memory stays as it is
SAME_SCALE = 1e-5  # relative: the card's decimal against the graph's float32
MOST_STEPS = 1  # of the output's scale: how far another machine's kernels may be from what was recorded

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]


class Model:
    """One interpreter: to be used by one thread at a time. Made by `open_model`."""

    def __init__(self, card: ModelCard, graph: Interpreter) -> None:
        self.card = card
        self._graph = graph
        self._input = int(graph.get_input_details()[0]["index"])
        self._output = int(graph.get_output_details()[0]["index"])
        self._low = np.array([spec.low for spec in card.inputs])
        self._high = np.array([spec.high for spec in card.inputs])
        self._rows = np.zeros((BATCH, len(card.inputs)), np.int8)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def version(self) -> str:
        return self.card.version

    def predict(self, rows: ArrayLike) -> Floats:
        """One row of outputs for each row of inputs, in the card's order and units.

        What lies beyond int8's reach is clipped to it; `outside` tells. Raises ValueError for a wrong number of
        columns, and for a value that is no number, naming the input.
        """
        codes = self.quantised(rows)
        found = np.empty((len(codes), len(self.card.outputs)), np.int8)
        for start in range(0, len(codes), BATCH):
            some = codes[start : start + BATCH]
            self._rows[: len(some)] = some
            self._graph.set_tensor(self._input, self._rows)
            self._graph.invoke()
            found[start : start + len(some)] = self._graph.get_tensor(self._output)[: len(some)]
        steps = found.astype(np.float32) - np.float32(self.card.output_zero_point)
        return np.asarray(steps * np.float32(self.card.output_scale), np.float32)

    def quantised(self, rows: ArrayLike) -> Codes:
        """The int8 codes that the graph is given."""
        values = self._checked(rows)
        steps = np.rint(values / self.card.input_scale) + self.card.input_zero_point
        return np.asarray(np.clip(steps, -128, 127), np.int8)

    def outside(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """Where an input lies beyond what training saw; a value that is no number is outside too."""
        values = self._shaped(rows)
        return np.asarray(~((values >= self._low) & (values <= self._high)))

    def _checked(self, rows: ArrayLike) -> NDArray[np.float64]:
        values = self._shaped(rows)
        is_number = np.isfinite(values)
        if not is_number.all():
            row, column = (int(found[0]) for found in np.nonzero(~is_number))
            raise ValueError(
                f"{self.name}: input {self.card.inputs[column].name} = {values[row, column]} in row {row}: "
                "must be a finite number"
            )
        return values

    def _shaped(self, rows: ArrayLike) -> NDArray[np.float64]:
        values = np.asarray(rows, np.float64)
        wanted = len(self.card.inputs)
        if values.ndim != 2 or values.shape[1] != wanted:
            raise ValueError(f"{self.name}: rows of shape {values.shape}: must be (rows, {wanted})")
        return values


def open_model(file: bytes, card: ModelCard) -> Model:
    """Raises ModelRefused with the reason: size, hash, graph, shape, type, quantisation, recorded answers."""
    check_file(file, card)
    _check_ranges(card)
    graph = interpreter(file)
    _check_tensor(graph.get_input_details(), "input", len(card.inputs), card.input_scale, card.input_zero_point)
    _check_tensor(graph.get_output_details(), "output", len(card.outputs), card.output_scale, card.output_zero_point)
    try:
        graph.resize_tensor_input(int(graph.get_input_details()[0]["index"]), [BATCH, len(card.inputs)])
        graph.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelRefused(f"the graph takes no {BATCH} rows at a time: {error}") from error
    rows = graph.get_output_details()[0]["shape"]
    if list(rows) != [BATCH, len(card.outputs)]:
        raise ModelRefused(f"the graph answers {BATCH} rows with shape {list(rows)}: must be one row each")
    model = Model(card, graph)
    check_health(model)
    return model


def check_health(model: Model) -> None:
    """The recorded inputs answered as recorded, but for one step. Raises ModelRefused."""
    check, card = model.card.check, model.card
    steps = np.abs(model.predict(check.inputs) - np.array(check.outputs)) / card.output_scale
    worst = float(steps.max())
    if worst > MOST_STEPS + 1e-3:
        row, column = (int(found[0]) for found in np.nonzero(steps == worst))
        raise ModelRefused(
            f"recorded input {row} is answered with {card.outputs[column].name} {worst:.1f} steps of "
            f"{card.output_scale:g} away from what was recorded: at most {MOST_STEPS} may be"
        )


def _check_ranges(card: ModelCard) -> None:
    """A range beyond what the codes can tell apart would call a clipped input a known one."""
    low, high = ((code - card.input_zero_point) * card.input_scale for code in (-128, 127))
    for spec in card.inputs:
        if spec.low < low - card.input_scale or spec.high > high + card.input_scale:
            said = f"input {spec.name} ranges from {spec.low:g} to {spec.high:g}"
            raise ModelRefused(f"{said}, the graph's codes from {low:g} to {high:g}")


def _check_tensor(details: Sequence[dict[str, Any]], which: str, columns: int, scale: float, zero: int) -> None:
    if len(details) != 1:
        raise ModelRefused(f"the graph has {len(details)} {which}s: must be one tensor")
    (found,) = details
    if found["dtype"] is not np.int8:
        raise ModelRefused(f"the graph's {which} is {np.dtype(found['dtype']).name}: must be int8")
    shape = [int(size) for size in found["shape"]]
    if len(shape) != 2 or shape[1] != columns:
        raise ModelRefused(f"the graph's {which} has shape {shape}: the card has {columns} {which}s")
    graph_scale, graph_zero = found["quantization"]
    if abs(float(graph_scale) - scale) > SAME_SCALE * scale or int(graph_zero) != zero:
        raise ModelRefused(
            f"the graph's {which} is quantised by scale {float(graph_scale):g} and zero point {int(graph_zero)}, "
            f"the card says {scale:g} and {zero}"
        )
