"""replay: generated recordings of sixteen channels through the whole agent, into files on the disk."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from chaos_parts.figures import Figure

from edge_agent.cli.bench import replay_speed

TIMES = 3
PACES = ((60.0, "one sample a minute", 4320, ">= 5000"), (1.0, "1 Hz", 3600, ">= 300"))


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "replay"
    folder.mkdir()
    figures, times = [], args.times or TIMES
    for every_s, words, rows, goal in PACES:
        say(f"replay: {rows} moments of 16 channels at {words}, {times} times")
        speeds = [replay_speed(folder, every_s, rows) for _ in range(times)]
        name = f"replay of 16 channels at {words}, median of {times}"
        figures.append(Figure(name, round(median(speeds)), "x real time", goal))
    return figures
