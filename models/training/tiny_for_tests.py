"""Makes the tiny models of tests/inference, with TensorFlow (extra `train`):

    python models/training/tiny_for_tests.py tests/inference

They are dense nets of three inputs and two outputs, seeded; nobody's data is in them.

* tiny.tflite, tiny.json: what the tests call a good model.
* other.tflite: the same shapes and scales of its own, other weights: a file swapped with another model's.
* float_io.tflite: float in and out.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tensorflow as tf

from edge_agent.inference.card import InputSpec, ModelCard, OutputSpec, RecordedCheck, TrainingSet, fingerprint, written

LOW, HIGH = -2.0, 2.0
INPUTS = ("a", "b", "c")
OUTPUTS = ("p", "q")


def graph(seed: int, io: tf.DType) -> bytes:
    tf.keras.utils.set_random_seed(seed)
    net = tf.keras.Sequential(
        [tf.keras.Input((len(INPUTS),)), tf.keras.layers.Dense(4, "relu"), tf.keras.layers.Dense(len(OUTPUTS))]
    )
    rows = np.random.default_rng(seed).uniform(LOW, HIGH, (200, 1, len(INPUTS))).astype(np.float32)
    rows[0], rows[1] = LOW, HIGH
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row] for row in rows)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = io
    return bytes(converter.convert())


def card(file: bytes, name: str) -> ModelCard:
    found = tf.lite.Interpreter(model_content=file)
    found.allocate_tensors()
    (into,), (out,) = found.get_input_details(), found.get_output_details()
    (scale, zero), (out_scale, out_zero) = into["quantization"], out["quantization"]
    rows = np.random.default_rng(3).uniform(LOW, HIGH, (6, len(INPUTS))).round(3)
    answers = []
    for row in rows:
        codes = np.clip(np.rint(row / scale) + zero, -128, 127).astype(np.int8)
        found.set_tensor(into["index"], codes[None])
        found.invoke()
        answers.append(tuple(float(v) for v in (found.get_tensor(out["index"])[0] - float(out_zero)) * out_scale))
    return ModelCard(
        name=name,
        version="1.0",
        task="demand",
        inputs=tuple(InputSpec(name, "1", LOW, HIGH) for name in INPUTS),
        outputs=tuple(OutputSpec(name, "1") for name in OUTPUTS),
        input_scale=float(scale),
        input_zero_point=int(zero),
        output_scale=float(out_scale),
        output_zero_point=int(out_zero),
        sha256=fingerprint(file),
        size_bytes=len(file),
        made_at=datetime(2026, 3, 1, tzinfo=UTC),
        check=RecordedCheck(tuple(tuple(map(float, row)) for row in rows), tuple(answers)),
        training=(TrainingSet("random numbers", "simulated", 200, "models/training/tiny_for_tests.py"),),
        notes="a net of random weights for tests",
    )


def main(folder: Path) -> None:
    file = graph(1, tf.int8)
    (folder / "tiny.tflite").write_bytes(file)
    (folder / "tiny.json").write_bytes(written(card(file, "tiny")))
    (folder / "other.tflite").write_bytes(graph(2, tf.int8))
    (folder / "float_io.tflite").write_bytes(graph(1, tf.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
