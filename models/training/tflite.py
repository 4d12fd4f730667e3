"""From a Keras model to the file and card that `edge_agent.inference` opens: int8 in, int8 out, one tensor each."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from edge_agent.inference.card import (
    MAX_FILE_BYTES,
    InputSpec,
    ModelCard,
    OutputSpec,
    RecordedCheck,
    TrainingSet,
    fingerprint,
    written,
)

CHECK_ROWS = 12
RECORDED_DIGITS = 4  # of a recorded input: enough for its int8 code, short enough to read


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card says that the graph does not."""

    name: str
    version: str
    task: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    made_at: datetime
    training: tuple[TrainingSet, ...]
    metrics: Mapping[str, float]
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Quantisation:
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int


def converted(net: tf.keras.Model, rows: np.ndarray) -> bytes:
    """Full-integer TFLite of a net of dense or convolutional layers; `rows` (float32, at least 100) set the ranges of
    all tensors, so the lowest and highest inputs should be among them."""
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in rows.astype(np.float32))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def quantisation(file: bytes) -> Quantisation:
    graph = tf.lite.Interpreter(model_content=file)
    (into,), (out,) = graph.get_input_details(), graph.get_output_details()
    (scale, zero), (out_scale, out_zero) = into["quantization"], out["quantization"]
    return Quantisation(float(scale), int(zero), float(out_scale), int(out_zero))


def answers(file: bytes, rows: np.ndarray, batch: int = 1024) -> np.ndarray:
    """What the int8 graph says to float rows, dequantised."""
    graph = tf.lite.Interpreter(model_content=file, num_threads=1)
    (into,), (out,) = graph.get_input_details(), graph.get_output_details()
    codes = quantisation(file)
    graph.resize_tensor_input(into["index"], [batch, rows.shape[1]])
    graph.allocate_tensors()
    found = []
    for start in range(0, len(rows), batch):
        some = np.zeros((batch, rows.shape[1]), np.float64)
        size = len(rows[start : start + batch])
        some[:size] = rows[start : start + batch]
        steps = np.rint(some / codes.input_scale) + codes.input_zero_point
        graph.set_tensor(into["index"], np.clip(steps, -128, 127).astype(np.int8))
        graph.invoke()
        found.append(graph.get_tensor(out["index"])[:size])
    steps = np.concatenate(found).astype(np.float32) - codes.output_zero_point
    return np.asarray(steps * np.float32(codes.output_scale), np.float32)


def seen_ranges(names: Sequence[tuple[str, str]], rows: np.ndarray) -> tuple[InputSpec, ...]:
    """Inputs (name, unit) with the lowest and highest value of the training rows; a constant one gets a width."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    wide = np.maximum(high, low + 1e-3)
    return tuple(
        InputSpec(name, unit, math.floor(1e4 * float(a)) / 1e4, math.ceil(1e4 * float(b)) / 1e4)
        for (name, unit), a, b in zip(names, low, wide, strict=True)
    )


def card(file: bytes, facts: Facts, rows: np.ndarray) -> ModelCard:
    """With `CHECK_ROWS` of the rows, spread evenly, and the graph's answers to them."""
    some = rows[np.linspace(0, len(rows) - 1, CHECK_ROWS).astype(int)].astype(np.float64).round(RECORDED_DIGITS)
    codes = quantisation(file)
    return ModelCard(
        name=facts.name,
        version=facts.version,
        task=facts.task,
        inputs=facts.inputs,
        outputs=facts.outputs,
        input_scale=codes.input_scale,
        input_zero_point=codes.input_zero_point,
        output_scale=codes.output_scale,
        output_zero_point=codes.output_zero_point,
        sha256=fingerprint(file),
        size_bytes=len(file),
        made_at=facts.made_at,
        check=RecordedCheck(_listed(some), _listed(answers(file, some))),
        training=facts.training,
        metrics=facts.metrics,
        notes=facts.notes,
    )


def _listed(rows: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in rows)


def write(folder: Path, net: tf.keras.Model, rows: np.ndarray, facts: Facts) -> bytes:
    """`<name>.tflite` and `<name>.json`; the file is given back. Raises ValueError if it is too large to ship."""
    file = converted(net, rows)
    if len(file) > MAX_FILE_BYTES:
        raise ValueError(f"{facts.name}: the file has {len(file)} bytes: must be at most {MAX_FILE_BYTES}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{facts.name}.tflite").write_bytes(file)
    (folder / f"{facts.name}.json").write_bytes(written(card(file, facts, rows)))
    return file
