"""What the weather is worth to the demand model: with what came, with forecasts that err as forecasts do, with none.

    python models/training/demand_weather.py --data FOLDER --model models/demand-q11 kiel_bakery breadbasket_edinburgh

Weekly origins to the end of the set, seven days each; on open days. The gain is the WQL that is saved, its interval is
from resampled weeks (2,000 times). Judge a set with a file that was trained without it (`demand.py --without`).
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from demand_sets import FORGETS, as_known, read_set, sets_below

from edge_agent.demand.features import rows
from edge_agent.demand.net import estimate
from edge_agent.demand.panel import WEATHER, Panel
from edge_agent.domain.forecast import LEVELS
from edge_agent.inference.card import read_card
from edge_agent.inference.model import Model, open_model

WAYS = ("none", "forecast", "actual")
WEEKS, HORIZON_D, MIN_DAYS = 52, 7, 56
DRAWS = 2000
KNOWS_ALL = dict.fromkeys(FORGETS, 0.0)


@dataclass(frozen=True)
class Week:
    """Sums over the goods and days of one origin."""

    loss: dict[str, float]  # of each way: twice the pinball loss, mean over the levels 0.1 to 0.9
    sold: float


def known_as(way: str, panel: Panel, origin: int, rng: np.random.Generator) -> Panel:
    if way == "forecast":
        return as_known(panel, origin, rng, KNOWS_ALL)
    seen = panel.upto(origin)
    if way == "actual":
        return seen
    return replace(seen, known={name: values for name, values in seen.known.items() if name not in WEATHER})


def week(panel: Panel, imputed: np.ndarray, origin: int, model: Model, rng: np.random.Generator) -> Week:
    series = np.flatnonzero(origin + 1 - panel.start >= MIN_DAYS)
    ahead = origin + np.arange(1, HORIZON_D + 1)
    is_open, sold = panel.is_open[series][:, ahead], panel.qty[series][:, ahead]
    levels = np.array(LEVELS[1:-1])
    loss = {}
    for way in WAYS:
        seen = known_as(way, panel, origin, rng)
        of = rows(seen, imputed[:, : origin + 1], series, np.full(len(series), origin), HORIZON_D)
        error = sold[:, :, None] - estimate(of, model).quantiles[:, :, 1:-1]
        pinball = np.maximum(levels * error, (levels - 1) * error).mean(axis=2)
        loss[way] = float(2 * pinball[is_open].sum())
    return Week(loss, float(sold[is_open].sum()))


def gain(weeks: list[Week], way: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """Share of the WQL without weather that is saved; middle, and the 95 % interval over weeks."""
    without, with_it = (np.array([each.loss[name] for each in weeks]) for name in ("none", way))
    drawn = rng.integers(0, len(weeks), (DRAWS, len(weeks)))
    saved = 1 - with_it[drawn].sum(axis=1) / without[drawn].sum(axis=1)
    return (1 - with_it.sum() / without.sum(), *(float(edge) for edge in np.quantile(saved, (0.025, 0.975))))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--model", type=Path, required=True, help="without .tflite and .json")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("sets", nargs="+")
    given = options.parse_args()
    try:
        given.data = sets_below(given.data, *given.sets)
    except FileNotFoundError as error:
        options.error(f"--data: {error}")
    card = read_card(given.model.with_suffix(".json").read_bytes())
    model = open_model(given.model.with_suffix(".tflite").read_bytes(), card)
    for name in given.sets:
        rng = np.random.default_rng(given.seed)
        panel = read_set(given.data, name)
        imputed = panel.imputed()
        origins = [panel.days - 1 - HORIZON_D * back for back in range(1, WEEKS + 1)]
        weeks = [week(panel, imputed, origin, model, rng) for origin in origins if origin >= MIN_DAYS]
        total = sum(each.sold for each in weeks)
        line: dict[str, object] = {"set": name, "weeks": len(weeks)}
        for way in WAYS:
            line[f"wql_{way}"] = round(sum(each.loss[way] for each in weeks) / total, 5)
        for way in WAYS[1:]:
            line[f"gain_{way}_pct"] = [round(100 * value, 2) for value in gain(weeks, way, rng)]
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
