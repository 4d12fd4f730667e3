"""demand-agreement: the figures of our backtest beside those of the yardstick, for every simple method and set.

The yardstick is a script of its own with statsforecast below it, which the product does not need:

  scripts/bench demand-agreement --yardstick demand_baselines.py --yardstick-python /path/to/python
"""

import argparse
import csv
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure, skipped

from bench_parts.demand import HORIZON_D, STEP_D, tables
from edge_agent.demand.backtest import backtest, origins_of
from edge_agent.demand.scoring import Score
from edge_agent.exchange.long_table import read_long_table

ORIGINS, HIST_D = 12, 400
# ours -> the yardstick's name, how far WQL may be from it (relative)
METHODS = {
    "snaive7": ("snaive7", 1e-6),
    "ma28": ("ma28", 1e-6),
    "climatology": ("clim_wd13", 1e-6),
    "tsb": ("tsb", 1e-6),
    "ses": ("ses", 0.002),
    "theta": ("theta_dot", 0.02),  # the yardstick draws its quantiles from 200 paths; ours are the normal's
}
FIGURES = {
    "wql": "WQL", "wql_hi": "WQLhi", "wape": "WAPE", "mase": "MASE", "bias": "bias", "cov80": "cov80", "cov90": "cov90",
}  # fmt: skip


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    found = tables(args.only)
    if args.yardstick is None or not found:
        why = "--yardstick is not told" if found else "no set is here"
        return [skipped("agreement with the yardstick", why)]
    return [figure for table in found for figure in _compared(table, args, folder, say)]


def _compared(file: Path, args: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> list[Figure]:
    name = file.parent.name
    say(f"demand-agreement: {name}")
    theirs = yardstick(file, [other for other, _ in METHODS.values()], args, folder / f"{name}.csv")
    panel = read_long_table(file).panel
    ours = backtest(panel, origins_of(panel.days, ORIGINS, STEP_D, HORIZON_D), HORIZON_D, None, hist=HIST_D).scores
    figures = []
    for method, (other, near) in METHODS.items():
        say(f"  {method:12}" + "".join(f"  {short} {_pair(ours[method], theirs[other], short)}" for short in FIGURES))
        apart = abs(ours[method].wql / float(theirs[other]["WQL"]) - 1)
        figures.append(Figure(f"{name}: WQL of {method}, relative difference", round(apart, 7), "", f"<= {near:g}"))
    return figures


def _pair(ours: Score, theirs: Mapping[str, str], short: str) -> str:
    return f"{getattr(ours, short):.4f} | {float(theirs[FIGURES[short]]):.4f}"


def yardstick(file: Path, methods: Sequence[str], args: argparse.Namespace, out: Path) -> dict[str, dict[str, str]]:
    """What it says of each method, by its name there."""
    words = ["--origins", str(ORIGINS), "--step", str(STEP_D), "--hist", str(HIST_D), "--methods", ",".join(methods)]
    command = [args.yardstick_python, str(args.yardstick), str(file), *words, "--out", str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise CampaignError(f"the yardstick: {args.yardstick_python}: {error.strerror}") from error
    if done.returncode:
        raise CampaignError(f"the yardstick: {' '.join(command)}: {done.stderr[-1000:]}")
    with out.open(newline="") as lines:
        return {row["method"]: row for row in csv.DictReader(lines)}
