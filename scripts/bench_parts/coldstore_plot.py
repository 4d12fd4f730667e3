"""The pictures of `scripts/bench coldstore --plot`: seven months of one zone, its long episodes, its false alarms."""

from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench_parts.coldstore import Found, Heard
from bench_parts.coldstore_judge import HOUR_S, Readings

mpl.use("Agg")
from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLUMNS = 4
MOST = 24
AROUND_S = 8 * HOUR_S


def draw(folder: Path, zone: str, readings: Readings, heard: Heard, found: Found) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    moments = [episode.begin_s for episode, _ in found.episodes] + [alarm.raised_s for alarm in found.false]
    moments = moments[:MOST]
    rows = 1 + -(-len(moments) // COLUMNS)
    figure = plt.figure(figsize=(6 * COLUMNS, 4 * rows))
    grid = figure.add_gridspec(rows, COLUMNS, hspace=0.35, left=0.04, right=0.98, top=0.96, bottom=0.04)
    _draw(figure.add_subplot(grid[0, :]), zone, readings, heard, found, None)
    for number, at_s in enumerate(moments):
        _draw(figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS]), zone, readings, heard, found, at_s)
    path = folder / f"coldstore-{zone}.png"
    figure.savefig(path, dpi=60)
    plt.close(figure)
    return path


def _draw(axes: Axes, zone: str, readings: Readings, heard: Heard, found: Found, at_s: float | None) -> None:
    """Circles: alarms; crosses: without a cause; triangles: defrosts, the judge's below, the record's above."""
    begin_s, end_s = (readings.at_s[0], readings.at_s[-1]) if at_s is None else (at_s - AROUND_S, at_s + AROUND_S)
    part = readings.between(begin_s, end_s)
    axes.plot([_utc(each) for each in readings.at_s[part]], readings.celsius[part], ".-", lw=0.5, ms=2)
    axes.set_title(zone if at_s is None else f"{_utc(at_s):%Y-%m-%d}")
    axes.grid(alpha=0.4)
    for alarm in heard.alarms[zone]:
        if begin_s <= alarm.raised_s <= end_s:
            place = (_utc(alarm.raised_s), float(np.interp(alarm.raised_s, readings.at_s, readings.celsius)))
            axes.plot(*place, "X" if alarm in found.false else "o", ms=7, mfc="none", color="tab:red")
            if at_s is not None:
                axes.annotate(alarm.what, place, textcoords="offset points", xytext=(4, 4), size=7)
    if at_s is not None:
        low_c, high_c = float(readings.celsius[part].min()), float(readings.celsius[part].max())
        judged = [_utc(each) for each in found.defrosts if begin_s <= each <= end_s]
        recorded = [_utc(each) for each, _ in heard.defrosts[zone] if begin_s <= each <= end_s]
        axes.plot(judged, [low_c] * len(judged), "^", color="tab:green")
        axes.plot(recorded, [high_c] * len(recorded), "v", color="tab:purple")
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
