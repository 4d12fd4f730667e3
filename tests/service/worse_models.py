"""Shipped models in other versions: the very same, and one whose last layer says too much or too little."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from edge_agent.inference.card import ModelCard, RecordedCheck, fingerprint, read_card
from edge_agent.inference.runtime import interpreter

FOLDER = Path(__file__).parents[2] / "models"


def shipped(name: str) -> tuple[ModelCard, bytes]:
    return read_card((FOLDER / f"{name}.json").read_bytes()), (FOLDER / f"{name}.tflite").read_bytes()


CARD, FILE = shipped("demand-q11")


def same(version: str) -> tuple[ModelCard, bytes]:
    return replace(CARD, version=version), FILE


def worse(version: str, more: float = 4.0) -> tuple[ModelCard, bytes]:
    """Its forecasts only. ``more``: on every output of the graph, where 8 is one unit of log1p."""
    return moved(CARD, FILE, version, more)


def moved(card: ModelCard, file: bytes, version: str, more: ArrayLike) -> tuple[ModelCard, bytes]:
    """Sound in itself, recorded rows included. ``more``: on every output of the graph, or on each."""
    graph = interpreter(file)
    graph.allocate_tensors()
    (bias,) = (
        each
        for each in graph.get_tensor_details()
        if each["dtype"] is np.int32 and each["shape"].tolist() == [len(card.outputs)]
    )
    before = graph.get_tensor(bias["index"])
    after = before + np.round(np.asarray(more) / bias["quantization_parameters"]["scales"]).astype(np.int32)
    assert file.count(before.tobytes()) == 1
    file = file.replace(before.tobytes(), after.tobytes())
    card = replace(card, version=version, sha256=fingerprint(file), size_bytes=len(file))
    return replace(card, check=RecordedCheck(card.check.inputs, _answers(card, file))), file


def _answers(card: ModelCard, file: bytes) -> tuple[tuple[float, ...], ...]:
    graph = interpreter(file)
    graph.allocate_tensors()
    (ins,), (outs,) = graph.get_input_details(), graph.get_output_details()
    rows = np.asarray(card.check.inputs, np.float32)
    codes = np.clip(np.round(rows / card.input_scale) + card.input_zero_point, -128, 127).astype(np.int8)
    graph.resize_tensor_input(ins["index"], codes.shape)
    graph.allocate_tensors()
    graph.set_tensor(ins["index"], codes)
    graph.invoke()
    said = (graph.get_tensor(outs["index"]).astype(np.float64) - card.output_zero_point) * card.output_scale
    return tuple(tuple(float(value) for value in row) for row in said)
