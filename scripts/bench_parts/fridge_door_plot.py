"""The pictures of `scripts/bench fridge-door --plot`: temperature, humidity and pressure of one run, with its door."""

from pathlib import Path

import matplotlib as mpl

from bench_parts.fridge_door import Run, Verdict

mpl.use("Agg")
from matplotlib import pyplot as plt


def draw(folder: Path, run: Run, verdict: Verdict) -> Path:
    """Green: found; red: missed; orange, dotted: false; grey: put in."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, panels = plt.subplots(3, 1, figsize=(20, 10), sharex=True)
    minutes = (run.at_s - run.at_s[0]) / 60
    columns = (("°C", run.air_c), ("%", run.humidity_pct), ("hPa", run.pressure_hpa))
    marks = (
        ("tab:green", "-", [at_s for at_s, _ in verdict.found]),
        ("tab:red", "-", verdict.missed),
        ("tab:orange", ":", verdict.false),
        ("tab:grey", "--", verdict.put_in),
    )
    for axes, (unit, values) in zip(panels, columns, strict=True):
        axes.plot(minutes, values, lw=0.7)
        axes.set_ylabel(unit)
        axes.grid(alpha=0.4)
        for colour, style, moments in marks:
            for at_s in moments:
                axes.axvline((at_s - run.at_s[0]) / 60, color=colour, ls=style, lw=1)
    panels[0].set_title(run.name)
    path = folder / f"fridge-{Path(run.name).stem}.png"
    figure.savefig(path, dpi=60)
    plt.close(figure)
    return path
