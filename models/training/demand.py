"""The demand model from raw data to file and card.

    python models/training/demand.py --data FOLDER --out models --seed 1

FOLDER, or `demand` in it, holds `bakery_de/long.parquet` and `tafeng/long.parquet` (trained on), and where they are
there `kiel_bakery` and `breadbasket_edinburgh` (never trained on). Needs TensorFlow and pyarrow (extra `train`).
First a net is trained without the held-out stores, items and the last half-year, and judged on them; then the net that
ships, with the same settings on everything. Figures are printed as lines of JSON.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package need not be installed beside TensorFlow
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from demand_sets import Examples, examples, joined, read_set, sets_below
from demand_shops import town
from tflite import Facts, answers, converted, seen_ranges, write

from edge_agent.demand.features import LIMIT, METHODS, NAMES, rows
from edge_agent.demand.net import CORRECTION_STEPS, OUTPUTS, combined
from edge_agent.demand.panel import Panel
from edge_agent.domain.forecast import LEVELS
from edge_agent.inference.card import TrainingSet

NAME, VERSION = "demand-q11", "1.0"
HELD_EVERY = 4  # each fourth store and item is held out
HELD_DAYS = 183  # and of the bakery chain the last half-year
MEMBERS, LAYERS = 3, (64, 40, 16)
DECAY = 1e-3  # of the weights, a step at the full rate
SHARES = {"bakery_de": 0.35, "tafeng": 0.25, "town": 0.40}  # of the loss
GROUPS = tuple(SHARES)
SIZE_POWER = 0.7  # how far large sellers count more: 1 is the judge's own weighting, 0 none
MOST_WEIGHT = 10.0
BATCH, EPOCHS, RATE = 512, 14, 2e-3
REACH = 6.0  # of the graph's outputs: one int8 scale serves them all, so none should go far alone
VALIDATION_ORIGINS, VALIDATION_STEP_D, HORIZON_D = 12, 14, 7
TERMS = {
    "bakery_de": ("BSD-3-Clause (distributed inside an open package)", "daily sales of a German bakery chain"),
    "tafeng": ("MIT (distributed inside an open package)", "Ta-Feng grocery, transactions by day"),
    "town": ("simulated", "models/training/demand_shops.py"),
}


@dataclass(frozen=True)
class Effort:
    towns: int
    tafeng_rows: int
    epochs: int


FULL, SMOKE = Effort(6, 700, EPOCHS), Effort(1, 40, 1)


# --- what is trained on ----------------------------------------------------------------------------------------------


def held(panel: Panel, name: str) -> np.ndarray:
    """Series that are held out: whole stores of the bakery chain, single items elsewhere."""
    keys = [series.split("_")[0] for series in panel.names] if name == "bakery_de" else list(panel.names)
    order = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([order[key] % HELD_EVERY == 1 for key in keys])


def parts(folder: Path, seed: int, effort: Effort, everything: bool, without: str = "") -> Iterator[Examples]:
    rng = np.random.default_rng(seed)
    bakery, tafeng = read_set(folder, "bakery_de"), read_set(folder, "tafeng")
    last = bakery.days - 15
    if not everything:
        bakery = bakery.only(np.flatnonzero(~held(bakery, "bakery_de")))
        tafeng = tafeng.only(np.flatnonzero(~held(tafeng, "tafeng")))
        last -= HELD_DAYS
    step = 4 if effort is FULL else 60
    if without != "bakery_de":
        yield from examples(bakery, range(40, last, step), GROUPS.index("bakery_de"), rng)
    if without != "tafeng":
        origins = range(30, tafeng.days - 5, 4)
        yield from examples(tafeng, origins, GROUPS.index("tafeng"), rng, effort.tafeng_rows, year_dropout=0.8)
    for _ in range(effort.towns):
        panel = town(rng, days=int(rng.choice([300, 700, 1000])))
        yield from examples(panel, range(40, panel.days - 15, panel.days // 28), GROUPS.index("town"), rng)


def weights(found: Examples) -> np.ndarray:
    """Large sellers count for more, each set for its share."""
    weight = np.empty(len(found.y))
    for number, name in enumerate(GROUPS):
        of = found.group == number
        if of.any():
            scale = found.scale[of] / found.scale[of].mean() if name != "town" else np.ones(of.sum())
            size = np.minimum(scale**SIZE_POWER, MOST_WEIGHT)
            weight[of] = size / size.mean() * SHARES[name] * len(found.y) / of.sum()
    return weight


# --- the net ---------------------------------------------------------------------------------------------------------


def net() -> tf.keras.Model:
    """Dense layers only; the last starts near zero, which is the mean of all methods."""
    into = flow = tf.keras.Input((len(NAMES),))
    for size in LAYERS:
        flow = tf.keras.layers.Dense(size, "relu")(flow)
    small = tf.keras.initializers.RandomNormal(stddev=0.01)
    return tf.keras.Model(into, tf.keras.layers.Dense(len(OUTPUTS), kernel_initializer=small)(flow))


def packed(found: Examples) -> np.ndarray:
    """What the loss needs of a row: what came, its weight, log1p of the methods' quantiles."""
    z = np.log1p(np.maximum(found.methods, 0.0)).reshape(len(found.y), -1)
    return np.concatenate([found.y[:, None], weights(found)[:, None], z], axis=1).astype(np.float32)


def loss(target: tf.Tensor, out: tf.Tensor) -> tf.Tensor:
    """Pinball in units of the scale; a little for corrections, so that without cause the methods are left alone."""
    y, weight = target[:, :1], target[:, 1]
    z = tf.reshape(target[:, 2:], (-1, len(METHODS), len(LEVELS)))
    gate = tf.nn.softmax(out[:, : len(METHODS)])
    correction = out[:, len(METHODS) :] / CORRECTION_STEPS
    q = tf.math.expm1(tf.minimum(tf.reduce_sum(gate[:, :, None] * z, axis=1) + correction, 5.0))
    error = y - q
    levels = tf.constant(LEVELS, tf.float32)
    pinball = tf.reduce_mean(tf.maximum(levels * error, (levels - 1.0) * error), axis=1)
    beyond = tf.reduce_mean(tf.square(tf.nn.relu(tf.abs(out) - REACH)))
    return tf.reduce_mean(weight * pinball) + 2e-3 * tf.reduce_mean(tf.square(correction)) + 1e-2 * beyond


def trained(found: Examples, seed: int, epochs: int) -> tf.keras.Model:
    """The mean of MEMBERS nets that differ in their first weights and in the order of the rows."""
    target = packed(found)
    return mean_of([_trained(found.x, target, MEMBERS * seed + number, epochs) for number in range(MEMBERS)])


def _trained(x: np.ndarray, target: np.ndarray, seed: int, epochs: int) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(seed)
    model = net()
    steps = epochs * -(-len(x) // BATCH)
    rate = tf.keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.01, warmup_target=RATE, warmup_steps=steps // 20
    )
    best = tf.keras.optimizers.AdamW(rate, weight_decay=DECAY, clipnorm=1.0)
    model.compile(optimizer=best, loss=loss, jit_compile=False)
    model.fit(x, target, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def mean_of(members: list[tf.keras.Model]) -> tf.keras.Model:
    """One net that answers the members' mean: their layers beside one another, no weights between them."""
    into = flow = tf.keras.Input((len(NAMES),))
    for size in LAYERS:
        flow = tf.keras.layers.Dense(len(members) * size, "relu")(flow)
    whole = tf.keras.Model(into, tf.keras.layers.Dense(len(OUTPUTS))(flow))
    kernels, biases = ([member.get_weights()[part::2] for member in members] for part in (0, 1))
    values = [np.concatenate([kernel[0] for kernel in kernels], axis=1), np.concatenate([bias[0] for bias in biases])]
    for depth in range(1, len(LAYERS)):
        values += [beside([kernel[depth] for kernel in kernels]), np.concatenate([bias[depth] for bias in biases])]
    last = np.concatenate([kernel[-1] for kernel in kernels]) / len(members)
    whole.set_weights([*values, last, np.mean([bias[-1] for bias in biases], axis=0)])
    return whole


def beside(kernels: list[np.ndarray]) -> np.ndarray:
    """A block of zeros with the kernels along its diagonal."""
    rows_of, columns_of = ([0, *np.cumsum([kernel.shape[axis] for kernel in kernels])] for axis in (0, 1))
    whole = np.zeros((rows_of[-1], columns_of[-1]), np.float32)
    for number, kernel in enumerate(kernels):
        whole[rows_of[number] : rows_of[number + 1], columns_of[number] : columns_of[number + 1]] = kernel
    return whole


def spread_rows(found: Examples, rng: np.random.Generator, count: int = 3000) -> np.ndarray:
    """Rows of all sets alike for the quantisation's ranges, and the corners of the inputs' range."""
    chosen = np.concatenate(
        [rng.choice(np.flatnonzero(found.group == group), count // 3) for group in np.unique(found.group)]
    )
    x = found.x[chosen].copy()
    x[:2] = found.x.min(axis=0), found.x.max(axis=0)
    x[0, 0], x[1, 0] = -LIMIT, LIMIT
    return x


# --- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """Rows of a set as the yardstick scores them."""

    name: str
    x: np.ndarray  # [rows, inputs]
    scale: np.ndarray
    methods: np.ndarray  # [rows, methods, levels], units
    y: np.ndarray


def judged(name: str, panel: Panel) -> Judged:
    """Rolling origins to the end of the set; only open days, only series of 56 days with a sale in the last 56."""
    origins = [panel.days - 1 - HORIZON_D - VALIDATION_STEP_D * back for back in range(VALIDATION_ORIGINS)]
    series, at = np.meshgrid(np.arange(len(panel.names)), [origin for origin in origins if origin >= 60], indexing="ij")
    series, at = series.ravel(), at.ravel()
    imputed = panel.imputed()
    sums = np.cumsum(np.pad(imputed, ((0, 0), (1, 0))), axis=1)
    ok = (at + 1 - panel.start[series] >= 56) & (sums[series, at + 1] - sums[series, np.maximum(at - 55, 0)] > 0)
    series, at = series[ok], at[ok]
    found = rows(panel, imputed, series, at, HORIZON_D)
    ahead = at[:, None] + np.arange(1, HORIZON_D + 1)
    opened = panel.is_open[series[:, None], ahead]
    scale = np.broadcast_to(found.scale[:, None], opened.shape)
    sold = panel.qty[series[:, None], ahead]
    return Judged(name, found.x[opened], scale[opened], found.methods[opened], sold[opened])


def wql(y: np.ndarray, q: np.ndarray) -> float:
    """Mean over the levels 0.1 to 0.9, as the yardstick has it."""
    levels = np.array(LEVELS[1:-1])
    error = y[:, None] - q[:, 1:-1]
    return float((2 * np.maximum(levels * error, (levels - 1) * error).sum(axis=0) / y.sum()).mean())


def figures(on: Judged, outs: dict[str, np.ndarray]) -> dict[str, float | str | int]:
    found: dict[str, float | str | int] = {"set": on.name, "rows": len(on.y)}
    for number, method in enumerate(METHODS):
        found[method] = wql(on.y, on.methods[:, number])
    best = min(float(found[method]) for method in METHODS[:-1])
    for kind, out in outs.items():
        q = combined(out, on.methods, on.scale)[0]
        found[kind] = wql(on.y, q)
        found[f"{kind}_to_best"] = wql(on.y, q) / best
        found[f"{kind}_cov80"] = float(((on.y >= q[:, 1]) & (on.y <= q[:, -2])).mean())
        found[f"{kind}_cov90"] = float((on.y <= q[:, -2] + 1e-9).mean())
    if {"int8", "float"} <= set(outs):
        found["int8_to_float"] = float(found["int8"]) / float(found["float"])
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in found.items()}


def validation(folder: Path) -> list[Judged]:
    """The held-out part of the sets trained on, and the sets that are never trained on."""
    bakery, tafeng = read_set(folder, "bakery_de"), read_set(folder, "tafeng")
    is_held, few = held(bakery, "bakery_de"), np.flatnonzero(held(tafeng, "tafeng"))[:400]
    sets = [
        judged("bakery_de: unseen stores, last half-year", bakery.only(np.flatnonzero(is_held))),
        judged("bakery_de: seen stores, last half-year", bakery.only(np.flatnonzero(~is_held))),
        judged("tafeng: unseen items", tafeng.only(few)),
    ]
    others = [name for name in ("kiel_bakery", "breadbasket_edinburgh") if (folder / name).is_dir()]
    return [*sets, *(judged(name, read_set(folder, name)) for name in others)]


def said(**line: object) -> None:
    print(json.dumps(line), flush=True)


def measured(model: tf.keras.Model, found: Examples, sets: list[Judged], which: str) -> list[dict[str, object]]:
    some = spread_rows(found, np.random.default_rng(5))
    file = converted(model, some)
    lines = []
    for on in sets:
        outs = {"float": model.predict(on.x, batch_size=4096, verbose=0), "int8": answers(file, on.x)}
        lines.append(figures(on, outs))
        said(trained=which, **lines[-1])
    return lines


# --- the whole way ---------------------------------------------------------------------------------------------------


def shipped(folder: Path, found: Examples, model: tf.keras.Model, metrics: dict[str, float], notes: str) -> None:
    counts = np.bincount(found.group, minlength=len(GROUPS))
    facts = Facts(
        name=NAME,
        version=VERSION,
        task="demand",
        inputs=seen_ranges([(name, "1") for name in NAMES], found.x),
        outputs=OUTPUTS,
        made_at=datetime.now(UTC).replace(microsecond=0),
        training=tuple(
            TrainingSet(name, terms, int(counts[number]), source)
            for number, (name, (terms, source)) in enumerate(TERMS.items())
            if counts[number]
        ),
        metrics=metrics,
        notes=f"Weights of simple methods and corrections of their quantiles (edge_agent/demand/net.py). {notes}",
    )
    some = spread_rows(found, np.random.default_rng(5))
    file = write(folder, model, some, facts)
    said(written=str(folder / f"{NAME}.tflite"), size_bytes=len(file))


def judge(given: argparse.Namespace, effort: Effort) -> dict[str, float]:
    """Trains without what is held out, judges on it; the figures for the card."""
    sets = validation(given.data)
    begun = time.process_time()
    found = joined(parts(given.data, given.seed, effort, everything=False))
    said(rows=len(found.y), made_in_s=round(time.process_time() - begun, 1))
    model = trained(found, given.seed, effort.epochs)
    said(trained_in_s=round(time.process_time() - begun, 1))
    metrics: dict[str, float] = {}
    for line in measured(model, found, sets, "without the held-out"):
        short = str(line["set"]).replace(": ", " ").replace(",", "").replace(" ", "_")
        metrics |= {f"{short}_{key}": float(line[key]) for key in ("int8", "int8_to_best", "int8_to_float")}
    return metrics


def ship(given: argparse.Namespace, effort: Effort, metrics: dict[str, float]) -> None:
    """Trains on everything, or on everything but one set, on which it then is judged; writes the file and its card."""
    found = joined(parts(given.data, given.seed, effort, everything=True, without=given.without))
    model = trained(found, given.seed, effort.epochs)
    notes = "Metrics are of a net trained the same way without the stores, items and half-year they are measured on."
    if given.without:
        measured(model, found, [judged(given.without, read_set(given.data, given.without))], f"without {given.without}")
        notes = f"Trained without {given.without}."
    shipped(given.out, found, model, metrics, notes)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, required=True, help="FOLDER with the sets, or with demand/ that has them")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", choices=("judge", "ship"), help="one of the two trainings")
    options.add_argument(
        "--without", default="", choices=("bakery_de", "tafeng"), help="ship without one set, to judge it"
    )
    options.add_argument("--smoke", action="store_true", help="a few rows and one epoch: does it run")
    given = options.parse_args()
    try:
        given.data = sets_below(given.data, "bakery_de", "tafeng")
    except FileNotFoundError as error:
        options.error(f"--data: {error}")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    effort = SMOKE if given.smoke else FULL
    metrics = judge(given, effort) if given.only != "ship" and not given.without else {}
    if given.only != "judge":
        ship(given, effort, metrics)


if __name__ == "__main__":
    main()
