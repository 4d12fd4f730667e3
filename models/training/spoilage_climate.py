"""Air as lots lie in it: stretches of recorded cold stores where the folder has them, shifted and scaled, else made up.

All courses are at even steps of STEP_H hours. Blocks of a day are drawn and joined, so that defrosts, working hours and
drifts come as they are; warm episodes (a lorry, a door, a compressor that stood) are put on top.
"""

import csv
import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP_H = 2.0
BLOCK = int(24 / STEP_H)
PROBES = ("cooling_1", "cooling_2", "platform_1", "platform_2")
HELD_OUT = "cooling_2"  # its days are seen by the held-out lots only
FILE = Path("sensors") / "saveris_coldstore" / "saveris_values_complete.csv.gz"


def recorded(folder: Path | None) -> dict[str, Array]:
    """Days of each probe as deviations from the probe's median, [days, BLOCK]; empty without the file."""
    if folder is None or not (folder / FILE).exists():
        return {}
    with gzip.open(folder / FILE, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if all(row[name] for name in PROBES)]
    per = int(STEP_H * 4)
    begin = next(i for i, row in enumerate(rows) if datetime.fromisoformat(row["date"]).hour == 0)
    out = {}
    for name in PROBES:
        values = np.array([float(row[name]) for row in rows[begin:]])
        values = values[: len(values) // per * per].reshape(-1, per).mean(axis=1)
        days = values[: len(values) // BLOCK * BLOCK].reshape(-1, BLOCK)
        out[name] = np.clip(days - np.median(days), -4.0, 12.0)
    return out


def made_up(generator: np.random.Generator, days: int = 400) -> Array:
    """A controlled room: hysteresis noise, a daily swing, defrosts, a slow drift."""
    hours = np.arange(BLOCK) * STEP_H
    swing = generator.gamma(2.0, 0.25, (days, 1)) * np.sin((hours - 9.0) / 24 * 2 * np.pi)
    noise = generator.normal(0.0, 0.35, (days, BLOCK))
    defrost = (generator.random((days, BLOCK)) < 0.15) * generator.gamma(2.0, 0.5, (days, BLOCK))
    return swing + noise + defrost + generator.normal(0.0, 0.3, (days, 1))


def courses(generator: np.random.Generator, blocks: Array, level_c: Array, steps: int, calm: Array) -> Array:
    """Air about each lot, [steps, n]: blocks joined about a level; ``calm``: share of the blocks' swing it feels."""
    n = len(level_c)
    days = -(-steps // BLOCK)
    drawn = blocks[generator.integers(0, len(blocks), (n, days))].reshape(n, -1)[:, :steps]
    drift = np.cumsum(generator.normal(0.0, 0.15, (n, days)), axis=1).repeat(BLOCK, axis=1)[:, :steps]
    air = level_c[:, None] + drawn * calm[:, None] + np.clip(drift, -1.5, 1.5)
    return np.ascontiguousarray((air + warm_episodes(generator, n, steps)).T)


def warm_episodes(generator: np.random.Generator, n: int, steps: int) -> Array:
    """Half of the lots have some: 2 to 30 h, to 20 K above; early ones (the lorry) are as likely as late ones."""
    out = np.zeros((n, steps))
    count = np.where(generator.random(n) < 0.5, generator.integers(1, 4, n), 0)
    for which in range(3):
        chosen = np.nonzero(count > which)[0]
        start = (generator.beta(0.7, 1.6, chosen.size) * steps).astype(int)
        length = np.clip(generator.gamma(1.3, 5.0 / STEP_H, chosen.size).astype(int) + 1, 1, int(30 / STEP_H))
        rise = generator.uniform(2.0, 20.0, chosen.size)
        for lot, begin, long, kelvin in zip(chosen, start, length, rise, strict=True):
            out[lot, begin : begin + long] += kelvin
    return out
