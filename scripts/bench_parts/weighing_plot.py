"""The pictures of `scripts/bench weighing --plot`: what the scale showed, what happened and what was said of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench_parts.weighing_judge import Verdict
from bench_parts.weighing_world import ShelfDay

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

AROUND_S = 20.0
COLUMNS, ROWS = 4, 5


def flaws(folder: Path, day: ShelfDay, verdict: Verdict, say: Callable[[str], None]) -> None:
    """The first twenty flaws of one shelf, each with twenty seconds around it."""
    moments = list(_moments(verdict))[: COLUMNS * ROWS]
    if not moments:
        return
    rows = -(-len(moments) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(6 * COLUMNS, 4 * rows), layout="constrained", squeeze=False)
    for place, (begin_s, end_s, words) in zip(axes.flat, moments, strict=False):
        _draw(place, day, verdict, begin_s - AROUND_S, end_s + AROUND_S)
        place.set_title(f"{_clock(begin_s)} {words}", fontsize=9)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{day.name}.png"
    figure.suptitle(f"{day.name}: {day.physics.goods.name}, {day.physics.goods.piece_g:g} g a piece")
    figure.savefig(path, dpi=60)
    plt.close(figure)
    say(f"weighing: {path}")


def _moments(verdict: Verdict) -> Iterator[tuple[float, float, str]]:
    flawed = [(one.start_s, one.end_s, f"missed: {one.kind} {one.delta_g:+.1f} g") for one in verdict.missed]
    for event in (*verdict.false, *verdict.groundless):
        flawed.append((event.published_s, event.published_s, f"false: {event.kind} {event.delta_g:+.1f} g"))
    last_s = float("-inf")
    for begin_s, end_s, words in sorted(flawed):
        if begin_s > last_s + AROUND_S:
            yield begin_s, end_s, words
            last_s = begin_s


def _draw(axes: Axes, day: ShelfDay, verdict: Verdict, begin_s: float, end_s: float) -> None:
    """Spikes run out of the picture: its height is that of the readings within the middle 98 %."""
    here = slice(*np.searchsorted(day.mono_ms, (begin_s * 1000, end_s * 1000)))
    seconds, grams = day.mono_ms[here] / 1000 - begin_s, day.gross_g[here]
    axes.plot(seconds, grams, ".-", lw=0.4, ms=2)
    low_g, high_g = np.quantile(grams, (0.01, 0.99))
    room_g = 0.1 * (high_g - low_g) + day.physics.goods.piece_g / 4
    axes.set_ylim(low_g - room_g, high_g + room_g)
    for touch in day.touches:
        if touch.end_s > begin_s and touch.start_s < end_s:
            axes.axvspan(touch.start_s - begin_s, touch.end_s - begin_s, alpha=0.2, color="tab:green")
            axes.text(touch.start_s - begin_s, high_g, f"{touch.kind} {touch.delta_g:+.0f}", fontsize=7)
    for felt_s, until_s in day.shaken:
        if until_s > begin_s and felt_s < end_s:
            axes.axvspan(felt_s - begin_s, until_s - begin_s, alpha=0.2, color="tab:orange")
    for event in verdict.false:
        if begin_s < event.published_s < end_s:
            axes.axvline(event.published_s - begin_s, color="tab:red")
            axes.text(event.published_s - begin_s, low_g, f"{event.kind} {event.delta_g:+.1f}", fontsize=7, rotation=90)
    for match in verdict.found:
        if begin_s < match.event.published_s < end_s:
            axes.axvline(match.event.published_s - begin_s, color="tab:blue", lw=0.8)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 3600):02d}:{int(seconds // 60 % 60):02d}:{seconds % 60:04.1f}"
