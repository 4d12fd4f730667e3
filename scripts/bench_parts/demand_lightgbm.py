"""demand-lightgbm: our forecasts beside LightGBM's: nine quantile models of the shop's own history at each origin.

The yardstick grows them, without the weather and where the set has one with it as it came, in a Python with lightgbm:

  scripts/bench demand-lightgbm --yardstick demand_baselines.py --yardstick-python /path/to/python
  scripts/bench demand-lightgbm ... --only bakery --models DIR     with a model that never saw this set
"""

import argparse
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos_parts.figures import Figure, skipped

from bench_parts.demand import HORIZON_D, STEP_D, tables
from bench_parts.demand_agreement import HIST_D, ORIGINS, yardstick
from edge_agent.cli.backtest_demand import forecaster, shipped_model
from edge_agent.demand.backtest import OURS, backtest, origins_of
from edge_agent.exchange.long_table import read_long_table

WITH_WEATHER, WITHOUT = "lgbm", "lgbm_noweather"
LARGER = 40  # series: from here on LightGBM is to be beaten; on few it has too little to learn from


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    found = tables(args.only)
    if args.yardstick is None or not found:
        return [skipped("LightGBM", "--yardstick is not told" if found else "no set is here")]
    if not _has_lightgbm(args.yardstick_python):
        why = f"{args.yardstick_python} has no lightgbm: pip install lightgbm there, or name another --yardstick-python"
        say(f"demand-lightgbm: SKIPPED: {why}")
        return [skipped("LightGBM", why)]
    return [figure for table in found for figure in _compared(table, args, folder, say)]


def _has_lightgbm(python: str) -> bool:
    try:
        return subprocess.run([python, "-c", "import lightgbm"], capture_output=True).returncode == 0
    except OSError:
        return False


def _compared(file: Path, args: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> list[Figure]:
    name, table = file.parent.name, read_long_table(file)
    methods = [WITHOUT, WITH_WEATHER] if "temp" in table.columns else [WITHOUT]
    say(f"demand-lightgbm: {name}: {' and '.join(methods)}, which takes minutes")
    found = yardstick(file, methods, args, folder / f"{name}.csv")
    each = {method: float(found[method]["WQL"]) for method in methods}
    theirs = min(each.values())
    model, why = shipped_model(args.models)
    say(f"demand-lightgbm: {name}: ours, with {f'no model: {why}' if model is None else model.name}")
    panel = table.panel
    origins = origins_of(panel.days, ORIGINS, STEP_D, HORIZON_D)
    ours = backtest(panel, origins, HORIZON_D, forecaster(model, learns=True), hist=HIST_D).scores[OURS].wql
    goal = "< 1" if len(panel.names) >= LARGER else ""
    return [
        *(Figure(f"{name}: WQL of {method}", round(wql, 4)) for method, wql in each.items()),
        Figure(f"{name}: WQL of ours, learnt", round(ours, 4)),
        Figure(f"{name}: WQL of ours over the better LightGBM's", round(ours / theirs, 4), "", goal),
    ]
