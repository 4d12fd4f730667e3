"""The pictures of `scripts/bench alarms --plot`: each zone, and what was missed or false around its time."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench_parts.alarms_agent import Heard
from bench_parts.alarms_judge import HOUR_S, Fault, Raised, Trace, Verdict
from bench_parts.alarms_world import DAY_S

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLUMNS = 4
MOST = 24  # pictures of what went wrong, of each zone
AROUND_S = 3 * HOUR_S


def draw(folder: Path, heard: Heard, verdict: Verdict) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [_zone(folder, zone, heard, verdict) for zone in heard.traces]


def _zone(folder: Path, zone: str, heard: Heard, verdict: Verdict) -> Path:
    faults = [fault for fault in heard.faults if fault.zone == zone]
    raised = [alarm for alarm in heard.raised if alarm.zone == zone]
    missed = [row.since_s for row in verdict.rows if row.fault.zone == zone and not row.is_found]
    odd = sorted([*missed, *(alarm.at_s for alarm in verdict.false if alarm.zone == zone)])[:MOST]
    rows = 1 + -(-len(odd) // COLUMNS)
    figure = plt.figure(figsize=(6 * COLUMNS, 4 * rows))
    grid = figure.add_gridspec(rows, COLUMNS, hspace=0.35, left=0.04, right=0.98, top=0.96, bottom=0.04)
    _draw(figure.add_subplot(grid[0, :]), heard.traces[zone], faults, raised, verdict, None)
    for number, at_s in enumerate(odd):
        axes = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
        _draw(axes, heard.traces[zone], faults, raised, verdict, at_s)
    path = folder / f"alarms-{zone}.png"
    figure.savefig(path, dpi=60)
    plt.close(figure)
    return path


def _draw(
    axes: Axes,
    trace: Trace,
    faults: Sequence[Fault],
    raised: Sequence[Raised],
    verdict: Verdict,
    at_s: float | None,
) -> None:
    """All of it in days, or the hours around ``at_s``. Grey: planted; crosses: without a cause."""
    begin_s, end_s = (trace.at_s[0], trace.at_s[-1]) if at_s is None else (at_s - AROUND_S, at_s + AROUND_S)
    zero_s, unit_s = (0.0, DAY_S) if at_s is None else (at_s, HOUR_S)
    part = trace.between(begin_s, end_s)
    when = (trace.at_s[part] - zero_s) / unit_s
    axes.plot(when, trace.air_c[part], lw=0.5)
    axes.plot(when, trace.goods_c[part], lw=1.0)
    axes.set_title("days" if at_s is None else f"hours around day {at_s / DAY_S:.2f}")
    axes.grid(alpha=0.4)
    for fault in faults:
        if fault.at_s <= end_s and fault.until_s >= begin_s:
            axes.axvspan((fault.at_s - zero_s) / unit_s, (fault.until_s - zero_s) / unit_s, color="black", alpha=0.15)
    for alarm in raised:
        if begin_s <= alarm.at_s <= end_s:
            place = ((alarm.at_s - zero_s) / unit_s, float(np.interp(alarm.at_s, trace.at_s, trace.air_c)))
            axes.plot(*place, "X" if alarm in verdict.false else "o", ms=7, mfc="none", color="tab:red")
            if at_s is not None:
                axes.annotate(alarm.what, place, textcoords="offset points", xytext=(4, 4), size=7)
    axes.set_xlim((begin_s - zero_s) / unit_s, (end_s - zero_s) / unit_s)
