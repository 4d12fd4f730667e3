"""The spoilage model from simulation to file and card.

  python models/training/spoilage.py --data FOLDER --out models --seed 1

Needs TensorFlow (extra `train`). Without --data the climates are made up instead of cut from recorded cold stores. What
the net is worth is measured on lots of climates it never saw, against the physics with its own band and with fixed
bands; on real points and cartons `edge-agent backtest shelf-life` tells it.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from spoilage_climate import HELD_OUT, made_up, recorded
from spoilage_lots import MOST_LABEL, Looks, joined, looks
from spoilage_worth import worth
from tflite import Facts, answers, card, converted, seen_ranges

from edge_agent.domain.shelf_life import LEVELS
from edge_agent.inference.card import InputSpec, OutputSpec, TrainingSet, written
from edge_agent.spoilage.conformal import learnt, side_scores
from edge_agent.spoilage.estimate import DECIDES
from edge_agent.spoilage.features import GROUPS, NAMES
from edge_agent.spoilage.net import LEAST_GAP, MEDIAN_SCALE, MOST_GAP, MOST_LN_RATIO, OUTPUTS, Physics, quantiles_ln

Array = NDArray[np.float64]

NAME, VERSION = "spoilage-q5", "1.0"
CHUNK = 5000  # lots simulated at a time
REACH = 4.0  # of an input in training: what is farther out is drawn to it
MAX_BYTES = 30_000
AIR = 0.02  # beside the range of an input; less than a step of its int8 code
LEVEL = np.array(LEVELS)


def simulated(seed: int, blocks: Sequence[Array], lots: int) -> Looks:
    generator = np.random.default_rng(seed)
    parts = [
        looks(generator, blocks[i % len(blocks)], min(CHUNK, lots - i * CHUNK)) for i in range(math.ceil(lots / CHUNK))
    ]
    found = joined(parts)
    np.clip(found.inputs, -REACH, REACH, out=found.inputs)
    return found


def pinball(label: Array, ln: Array) -> Array:
    """Mean over the levels, one a look."""
    error = label[:, None] - ln
    return np.maximum(LEVEL * error, (LEVEL - 1) * error).mean(axis=1)


def interval_score(label: Array, ln: Array) -> Array:
    """Of the 90 % interval (Gneiting and Raftery 2007), one a look."""
    low, high = ln[:, 0], ln[:, -1]
    return (high - low) + 20 * (np.maximum(low - label, 0) + np.maximum(label - high, 0))


def ratios(found: Looks, outputs: Array) -> Array:
    """Quantiles of ln(remaining / physics)."""
    return quantiles_ln(Physics(found.rest, found.gaps), outputs) - np.log(found.rest + 0.25)[:, None]


def physics_of(found: Looks) -> Array:
    """The same by the physics and its own band."""
    return ratios(found, np.zeros((len(found.rest), len(LEVELS))))


def net() -> tf.keras.Model:
    layer = tf.keras.layers.Dense
    return tf.keras.Sequential(
        [
            tf.keras.Input((len(NAMES),)),
            *(layer(size, "relu") for size in (64, 64, 32)),
            layer(len(OUTPUTS), kernel_initializer="zeros"),  # training starts from the physics
        ]
    )


def loss(truth: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Pinball of what `net.quantiles_ln` makes of the outputs; ``truth`` = label and the physics' four gaps."""
    label, gaps = truth[:, :1], truth[:, 1:]
    median = tf.clip_by_value(outputs[:, :1] * MEDIAN_SCALE, -MOST_LN_RATIO, MOST_LN_RATIO)
    wide = gaps * tf.math.softplus(tf.clip_by_value(outputs[:, 1:], -MOST_GAP, MOST_GAP)) / math.log(2.0)
    down, up = median - wide[:, 1:2], median + wide[:, 2:3]
    ln = tf.concat([down - wide[:, :1], down, median, up, up + wide[:, 3:]], axis=1)
    error = label - ln
    level = tf.constant(LEVELS, tf.float32)
    beyond = tf.nn.relu(
        tf.abs(outputs[:, 1:]) - MOST_GAP
    )  # what is clipped anyway would cost the int8 scale its digits
    return tf.reduce_mean(tf.maximum(level * error, (level - 1) * error)) + 0.02 * tf.reduce_mean(beyond * beyond)


def trained(found: Looks, seed: int, epochs: int) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(seed)
    model = net()
    steps = epochs * math.ceil(len(found.rest) / 1024)
    rate = tf.keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(optimizer=tf.keras.optimizers.Adam(rate), loss=loss)
    label = np.clip(found.label, -MOST_LABEL, MOST_LABEL)[:, None]
    truth = np.concatenate((label, np.maximum(found.gaps, LEAST_GAP)), axis=1).astype(np.float32)
    model.fit(found.inputs, truth, batch_size=1024, epochs=epochs, verbose=2)
    return model


def fixed_band(found: Looks, shape: tuple[int, int]) -> Array:
    """The physics' median and the same errors for every look: the best constants of the training lots."""
    label = np.clip(found.label, -MOST_LABEL, MOST_LABEL)
    return np.broadcast_to(np.quantile(label, LEVEL), shape)


def group_bands(found: Looks, held: Looks) -> Array:
    """The same, by group of goods."""
    label = np.clip(found.label, -MOST_LABEL, MOST_LABEL)
    table = np.stack([np.quantile(label[found.group == place], LEVEL) for place in range(len(GROUPS))])
    return table[held.group]


def scores(prefix: str, label: Array, ln: Array) -> dict[str, float]:
    covered = np.mean((label >= ln[:, 0]) & (label <= ln[:, -1]))
    return {
        f"{prefix}_pinball": round(float(pinball(label, ln).mean()), 4),
        f"{prefix}_interval_score": round(float(interval_score(label, ln).mean()), 4),
        f"{prefix}_cov90": round(float(covered), 4),
    }


def conformal(held: Looks, ln: Array) -> dict[str, float]:
    """A factor for each group of goods, from lots kept back for it."""
    label = np.clip(held.label, -MOST_LABEL, MOST_LABEL)
    score = side_scores(label - ln[:, 2], ln[:, 2] - ln[:, 0], ln[:, -1] - ln[:, 2])
    found = {f"conformal_{GROUPS[i]}": learnt(score[held.group == i].tolist()) for i in range(len(GROUPS))}
    return {name: round(value, 3) for name, value in found.items()}


def calibrated(held: Looks, ln: Array, factors: dict[str, float]) -> Array:
    """As `estimate` stretches the bands."""
    by = np.array([factors[f"conformal_{GROUPS[place]}"] for place in held.group])[:, None]
    return ln[:, 2:3] + (ln - ln[:, 2:3]) * by


def with_air(specs: tuple[InputSpec, ...]) -> tuple[InputSpec, ...]:
    """A range that ends at the very rim of what was drawn would call goods at the rim strange."""
    return tuple(
        replace(spec, low=max(round(spec.low - AIR, 4), -REACH), high=min(round(spec.high + AIR, 4), REACH))
        for spec in specs
    )


def spread_rows(rows: NDArray[np.float32], count: int = 2000) -> NDArray[np.float32]:
    """For the converter: every input's extremes, and a sample."""
    extremes = np.unique(np.concatenate((rows.argmin(axis=0), rows.argmax(axis=0))))
    return np.concatenate((rows[extremes], rows[:: max(1, len(rows) // count)]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with sensors/ (recorded cold stores); none: made up")
    parser.add_argument("--out", type=Path, default=Path("models"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lots", type=int, default=100_000, help="simulated lots (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()
    probes = recorded(args.data)
    generator = np.random.default_rng(args.seed)
    learning = [made_up(generator), *(days for name, days in probes.items() if name != HELD_OUT)]
    unseen = [probes[HELD_OUT]] if probes else [made_up(np.random.default_rng(args.seed + 77))]
    found = simulated(args.seed, learning, args.lots)
    kept = simulated(args.seed + 1000, learning, args.lots // 10)  # for the conformal factors
    held = simulated(args.seed + 2000, unseen, args.lots // 10)  # for the figures
    print(f"{len(found.rest)} looks at {args.lots} lots; {len(held.rest)} held out in unseen climates")
    model = trained(found, args.seed, args.epochs)
    file = converted(model, spread_rows(found.inputs))
    if len(file) > MAX_BYTES:
        print(f"the file has {len(file)} bytes: must be at most {MAX_BYTES}", file=sys.stderr)
        return 1
    bands = {
        "net": conformal(kept, ratios(kept, answers(file, kept.inputs))),
        "physics": conformal(kept, physics_of(kept)),
    }
    figures = measured(model, file, (found, held), bands)
    for name, value in figures.items():
        print(f"{name:32} {value:g}")
    args.out.mkdir(parents=True, exist_ok=True)
    facts = Facts(
        name=NAME,
        version=VERSION,
        task="spoilage",
        inputs=with_air(seen_ranges(NAMES, found.inputs)),
        outputs=tuple(OutputSpec(name, "1") for name in OUTPUTS),
        made_at=datetime.now(UTC).replace(microsecond=0),
        training=(TrainingSet("simulated lots", "simulated", len(found.rest), "models/training/spoilage_lots.py"),),
        metrics=figures,
        notes="Residual of ln(remaining life) to the physics, and stretch of its band; outputs of 0 are the physics. "
        "No observed shelf life and no carton of milk was trained on. It decides only where the metric `decides` is 1: "
        "where it was better than the physics on real sources and rounds too. Quality, never safety.",
    )
    made = card(file, facts, found.inputs)
    real = worth(file, made, bands, args.data)
    real |= bands["net" if real[DECIDES] else "physics"]  # the card stretches the band that is told
    for name, value in real.items():
        print(f"{name:32} {value:g}")
    (args.out / f"{NAME}.tflite").write_bytes(file)
    (args.out / f"{NAME}.json").write_bytes(written(replace(made, metrics={**made.metrics, **real})))
    return 0


def measured(
    model: tf.keras.Model, file: bytes, parts: tuple[Looks, Looks], bands: dict[str, dict[str, float]]
) -> dict[str, float]:
    found, held = parts
    label = np.clip(held.label, -MOST_LABEL, MOST_LABEL)
    by_float = ratios(held, model.predict(held.inputs, batch_size=4096, verbose=0))
    by_int8 = ratios(held, answers(file, held.inputs))
    by_physics = physics_of(held)
    off = np.abs(by_int8[:, 2] - by_float[:, 2])
    return {
        **scores("physics", label, by_physics),
        **scores("physics_calibrated", label, calibrated(held, by_physics, bands["physics"])),
        **scores("fixed_band", label, fixed_band(found, by_physics.shape)),
        **scores("group_band", label, group_bands(found, held)),
        **scores("net_float", label, by_float),
        **scores("net", label, by_int8),
        **scores("net_calibrated", label, calibrated(held, by_int8, bands["net"])),
        "int8_off_median": round(float(np.median(off)), 4),
        "int8_off_p99": round(float(np.quantile(off, 0.99)), 4),
        "int8_loss": round(float(pinball(label, by_int8).mean() / pinball(label, by_float).mean()), 4),
    }


if __name__ == "__main__":
    sys.exit(main())
