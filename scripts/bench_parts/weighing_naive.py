"""Two who follow a simulated shelf as is usually done: see lessons.md 24. Half a piece is their threshold."""

import time

import numpy as np

from bench_parts.weighing_judge import Published, Run
from bench_parts.weighing_world import ShelfDay


def one_second_means(day: ShelfDay) -> Run:
    """The mean of each second against the level last published."""
    began_s = time.process_time()
    seconds = day.mono_ms // 1000
    starts = np.flatnonzero(np.diff(seconds, prepend=seconds[0] - 1))
    means = np.add.reduceat(day.gross_g, starts) / np.diff(starts, append=len(seconds))
    ends_s = (seconds[starts] + 1).tolist()
    return _steps(day, [float(end_s) for end_s in ends_s], means.tolist(), began_s)


def raw_threshold(day: ShelfDay) -> Run:
    """Each reading against the level last published."""
    began_s = time.process_time()
    return _steps(day, (day.mono_ms / 1000).tolist(), day.gross_g.tolist(), began_s)


def _steps(day: ShelfDay, times_s: list[float], weights_g: list[float], began_s: float) -> Run:
    """The balance follows the level; both take their number of pieces for certain, and know no uncertainty."""
    piece_g, tare_g = day.physics.goods.piece_g, day.physics.container_g
    level_g, threshold_g = weights_g[0], piece_g / 2
    run = Run()
    published, balances = run.published, run.balances
    for at_s, weight_g in zip(times_s, weights_g, strict=True):
        delta_g = weight_g - level_g
        if delta_g > threshold_g or delta_g < -threshold_g:
            level_g = weight_g
            kind = "restock" if delta_g > 0 else "pick"
            published.append(Published(at_s, kind, delta_g, round(delta_g / piece_g), 1.0))
        balances[int(at_s)] = (level_g - tare_g, None)
    run.cpu_s = time.process_time() - began_s
    return run
