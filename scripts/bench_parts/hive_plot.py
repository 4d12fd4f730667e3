"""The pictures of `scripts/bench hive --plot`: the season of one scale, and each visit of the beekeeper."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench_parts.hive import Heard, Reading, Verdict

mpl.use("Agg")
from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

APART_S = 6 * 3600.0  # between visits
AROUND_S = 2400.0
COLUMNS = 4
COLOURS = {"restock": "tab:green", "pick": "tab:red", "disturbance": "tab:grey"}


def draw(folder: Path, name: str, readings: Sequence[Reading], heard: Heard, verdict: Verdict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    visits = _visits([*_moments(heard, verdict)])
    rows = 1 + -(-len(visits) // COLUMNS)
    figure = plt.figure(figsize=(5 * COLUMNS, 4 * rows))
    grid = figure.add_gridspec(rows, COLUMNS, hspace=0.35, left=0.04, right=0.98, top=0.97, bottom=0.04)
    _draw(figure.add_subplot(grid[0, :]), f"scale {name}", readings, heard, verdict, with_words=False)
    for number, (begin_s, end_s) in enumerate(visits):
        axes = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
        some = [one for one in readings if begin_s - AROUND_S <= one[0] <= end_s + AROUND_S]
        _draw(axes, f"{datetime.fromtimestamp(begin_s, UTC):%d %B}", some, heard, verdict, with_words=True)
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    path = folder / f"hive-{name}.png"
    figure.savefig(path, dpi=70)
    plt.close(figure)
    return path


def _moments(heard: Heard, verdict: Verdict) -> Sequence[float]:
    changes = (*verdict.found, *verdict.missed)
    return sorted(
        [event.at_s for event in heard.events]
        + [change.start_s for change in changes]
        + [drop_out.start_s for drop_out in verdict.drop_outs]
    )


def _visits(moments: Sequence[float]) -> list[tuple[float, float]]:
    visits: list[tuple[float, float]] = []
    for at_s in moments:
        if visits and at_s - visits[-1][1] < APART_S:
            visits[-1] = (visits[-1][0], at_s)
        else:
            visits.append((at_s, at_s))
    return visits


def _draw(
    axes: Axes, title: str, readings: Sequence[Reading], heard: Heard, verdict: Verdict, *, with_words: bool
) -> None:
    """Events at the weight of their time; grey: a change that was not found; dotted: a fault begins."""
    times_s, weights_kg = [at_s for at_s, _ in readings], [kg for _, kg in readings]
    axes.plot([_utc(at_s) for at_s in times_s], weights_kg, ".-", lw=0.5, ms=3, color="tab:blue")
    axes.set_title(title)
    axes.set_ylabel("kg")
    axes.grid(alpha=0.4)
    first_s, last_s = times_s[0], times_s[-1]
    for event in heard.events:
        if first_s <= event.at_s <= last_s:
            place = (_utc(event.at_s), float(np.interp(event.at_s, times_s, weights_kg)))
            sign = "X" if event in verdict.false else "o"
            axes.plot(*place, sign, ms=9, mfc="none", color=COLOURS.get(event.kind, "tab:purple"))
            if with_words:
                words = f"{event.kind} {event.delta_kg:+.2f}"
                axes.annotate(words, place, textcoords="offset points", xytext=(4, -12), size=8)
    for change in verdict.missed:
        if first_s <= change.start_s <= last_s:
            axes.axvspan(_utc(change.start_s), _utc(change.end_s), color="black", alpha=0.3)
    for at_s, _ in heard.faults:
        if first_s <= at_s <= last_s:
            axes.axvline(_utc(at_s), ls=":", lw=1, color="tab:orange")


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
