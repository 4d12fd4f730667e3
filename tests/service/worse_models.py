"""The shipped demand model in other versions: the very same, and one whose last layer says far too much."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_agent.inference.card import ModelCard, RecordedCheck, fingerprint, read_card
from edge_agent.inference.runtime import interpreter

FOLDER = Path(__file__).parents[2] / "models"
FILE = (FOLDER / "demand-q11.tflite").read_bytes()
CARD = read_card((FOLDER / "demand-q11.json").read_bytes())


def same(version: str) -> tuple[ModelCard, bytes]:
    return replace(CARD, version=version), FILE


def worse(version: str, more: float = 4.0) -> tuple[ModelCard, bytes]:
    """Sound in itself, recorded rows included: only its forecasts are worse. ``more``: on every output of the graph,
    where 8 is one unit of log1p."""
    graph = interpreter(FILE)
    graph.allocate_tensors()
    (bias,) = (
        each
        for each in graph.get_tensor_details()
        if each["dtype"] is np.int32 and each["shape"].tolist() == [len(CARD.outputs)]
    )
    before = graph.get_tensor(bias["index"])
    after = before + np.round(more / bias["quantization_parameters"]["scales"]).astype(np.int32)
    assert FILE.count(before.tobytes()) == 1
    file = FILE.replace(before.tobytes(), after.tobytes())
    card = replace(CARD, version=version, sha256=fingerprint(file), size_bytes=len(file))
    return replace(card, check=RecordedCheck(CARD.check.inputs, _answers(file))), file


def _answers(file: bytes) -> tuple[tuple[float, ...], ...]:
    graph = interpreter(file)
    graph.allocate_tensors()
    (ins,), (outs,) = graph.get_input_details(), graph.get_output_details()
    rows = np.asarray(CARD.check.inputs, np.float32)
    codes = np.clip(np.round(rows / CARD.input_scale) + CARD.input_zero_point, -128, 127).astype(np.int8)
    graph.resize_tensor_input(ins["index"], codes.shape)
    graph.allocate_tensors()
    graph.set_tensor(ins["index"], codes)
    graph.invoke()
    said = (graph.get_tensor(outs["index"]).astype(np.float64) - CARD.output_zero_point) * CARD.output_scale
    return tuple(tuple(float(value) for value in row) for row in said)
