"""demand: our forecasts on every set of daily sales that is here, against the best simple method in hindsight.

Each set is a folder with a `long.parquet` below `demand` in the data. The shipped model and what each shop teaches it,
as `edge-agent backtest demand` judges them: 12 origins, 14 days apart, a week ahead. Then without the shop's lesson,
with perfect and without any weather, and what 500 products cost.

  scripts/bench demand --only kiel      one set
  scripts/bench demand --quick          3 origins, and the weather without the shop's lesson
  scripts/bench demand --float FILE     the same net in float32, to see what int8 costs
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from chaos_parts.figures import Figure, skipped

from bench_parts.climate import data_folder
from edge_agent.cli.backtest_demand import forecaster, shipped_model
from edge_agent.demand.backtest import OURS, Result, backtest, origins_of
from edge_agent.demand.forecaster import forecast
from edge_agent.demand.local import learn
from edge_agent.demand.panel import Panel, starts
from edge_agent.demand.scoring import loss, ratios
from edge_agent.demand.weather import WEATHER, Weather
from edge_agent.domain.forecast import MAX_HORIZON_D
from edge_agent.exchange.long_table import read_long_table

STEP_D, HORIZON_D = 14, 7
PRODUCTS, HISTORY_D = 500, 400
Say = Callable[[str], None]


def measure(args: argparse.Namespace, folder: Path, say: Say, names: Sequence[str]) -> list[Figure]:
    found = tables(args.only)
    model, why = shipped_model(None)
    if model is None:
        say(f"demand: no model: {why}")
    figures = [Figure("the model takes part", "no" if model is None else "yes", "", "yes")]
    if model is not None:
        quantised = list(_recorded(model))
        figures += [Figure("sets of which the card tells what int8 costs", len(quantised), "sets", ">= 1"), *quantised]
    if not found:
        say("demand: SKIPPED: no demand/*/long.parquet (EDGE_AGENT_DATA names the folder of the data)")
        figures.append(skipped("the sets", "none is here"))
    for table in found:
        figures += _judged(table, model, args, say)
    return figures + _cost(model, say)


def tables(only: str | None) -> list[Path]:
    place = data_folder()
    if place is None:
        return []
    around = (place / "demand", place.parent / "demand", place)
    folder = next((each for each in around if any(each.glob("*/long.parquet"))), place)
    return sorted(file for file in folder.glob("*/long.parquet") if (only or "") in file.parent.name)


def _recorded(model: Any) -> Iterator[Figure]:
    """What training wrote into the card: sets that this training kept back, int8 against float."""
    for name, value in model.card.metrics.items():
        if name.endswith("int8_to_float"):
            yield Figure(f"the card: {name}", value, "", "<= 1.005")


def _judged(file: Path, model: Any, args: argparse.Namespace, say: Say) -> list[Figure]:
    panel, name = read_long_table(file).panel, file.parent.name
    origins = origins_of(panel.days, 3 if args.quick else 12, STEP_D, HORIZON_D)

    def run(words: str, *, learns: bool, weather: Weather = Weather.NOISY, using: Any = model) -> Result:
        began_s = time.monotonic()
        found = backtest(panel, origins, HORIZON_D, forecaster(using, learns=learns), weather)
        say(f"demand: {name}, {words}: WQL {found.scores[OURS].wql:.4f}, {time.monotonic() - began_s:.0f} s")
        return found

    taught, cold = run("learnt", learns=True), run("cold", learns=False)
    figures = [*_against_simple(name, taught, "<= 1.01"), *_calibration(name, taught)]
    figures += _against_simple(f"{name}, cold", cold, "<= 1")
    if set(WEATHER) & set(panel.known):
        learns, noisy = (False, cold) if args.quick else (True, taught)
        none = run("no weather", learns=learns, weather=Weather.NONE)
        perfect = run("perfect weather", learns=learns, weather=Weather.PERFECT)
        figures += [_gain(f"{name}: weather as a forecast has it", none, noisy)]
        figures += [_gain(f"{name}: weather as it came", none, perfect)]
    if args.float is not None:
        other = run("cold, float", learns=False, using=_FloatModel(Path(args.float), model))
        share = cold.scores[OURS].wql / other.scores[OURS].wql
        figures.append(Figure(f"{name}, cold: WQL of int8 over float", round(share, 5), "", "<= 1.005"))
    return figures


def _against_simple(name: str, found: Result, goal: str) -> list[Figure]:
    ratio = found.ratios[found.best]
    words = f"{name}: WQL over that of {found.best}, the best simple method"
    return [
        Figure(f"{name}: WQL", round(found.scores[OURS].wql, 4)),
        Figure(words, round(ratio.ratio, 4), "", goal),
        Figure(f"{name}: the ratio's 95 % interval", f"{ratio.low:.3f} to {ratio.high:.3f}"),
    ]


def _calibration(name: str, found: Result) -> list[Figure]:
    score = found.scores[OURS]
    return [
        Figure(f"{name}: share of days in the 80 % interval, at least", round(score.cov80, 4), "", ">= 0.77"),
        Figure(f"{name}: and at most", round(score.cov80, 4), "", "<= 0.84"),
        Figure(f"{name}: share of days up to the 0.9 quantile, at least", round(score.cov90, 4), "", ">= 0.88"),
        Figure(f"{name}: and at most", round(score.cov90, 4), "", "<= 0.93"),
    ]


def _gain(words: str, none: Result, other: Result) -> Figure:
    """What WQL falls by; resampled over series."""
    losses = [loss(each.truth, each.predicted[OURS].quantiles) for each in (none, other)]
    ratio = ratios(losses[1], {"none": losses[0]}, np.random.default_rng(0))["none"]
    low, high = 100 * (1 - ratio.high), 100 * (1 - ratio.low)
    return Figure(f"{words}, WQL lower by", f"{100 * (1 - ratio.ratio):+.2f} ({low:+.2f} to {high:+.2f})", "%")


def _cost(model: Any, say: Say) -> list[Figure]:
    """A shop of 500 products: a night's lesson, and the forecast of two weeks with all its inputs."""
    panel, origin = _shop(), HISTORY_D - 1
    began_s, before_s = time.monotonic(), time.process_time()
    state = learn(panel, origin, model)
    learn_s, learn_cpu_s = time.monotonic() - began_s, time.process_time() - before_s
    began_s, before_s = time.monotonic(), time.process_time()
    forecast(panel, origin, model, state, MAX_HORIZON_D)
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - before_s
    say(f"demand: {PRODUCTS} products: learnt in {learn_s:.1f} s, forecast in {took_s:.2f} s")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure(f"{PRODUCTS} products x {MAX_HORIZON_D} days, processor time", round(cpu_s, 2), "s", "<= 2"),
        Figure("on the clock", round(took_s, 2), "s"),
        Figure(f"a night's learning of {PRODUCTS} products, processor time", round(learn_cpu_s, 1), "s", "<= 60"),
        Figure("on the clock", round(learn_s, 1), "s"),
        Figure("peak memory of this measurement, tables and all", round(peak_mib), "MiB"),
    ]


def _shop() -> Panel:
    generator = np.random.default_rng(5)
    days = np.arange(HISTORY_D)
    level = generator.lognormal(1.5, 1.0, (PRODUCTS, 1)) * (1 + 0.4 * np.sin(2 * np.pi * days / 7))
    qty = generator.poisson(level).astype(np.float64)
    temp = np.repeat(generator.normal(10, 6, (1, HISTORY_D + MAX_HORIZON_D)), PRODUCTS, axis=0)
    known = {"temp": temp, "precip": np.maximum(temp - 8, 0), "holiday": 1.0 * (temp > 20), "promo": 1.0 * (temp < 0)}
    category = tuple(f"category-{row % 12}" for row in range(PRODUCTS))
    names = tuple(f"product-{row}" for row in range(PRODUCTS))
    return Panel(names, date(2025, 1, 1), qty, np.ones(qty.shape, bool), known, starts(qty), category)


class _FloatModel:
    """The net before it was quantised: answers as a `Model` does."""

    def __init__(self, file: Path, model: Any) -> None:
        from edge_agent.inference.runtime import interpreter

        self.card, self.name, self.version = model.card, model.name, f"{model.version}, float"
        self.outside = model.outside
        self._graph = interpreter(file.read_bytes())
        self._graph.allocate_tensors()
        self._input, self._output = self._graph.get_input_details()[0], self._graph.get_output_details()[0]

    def predict(self, rows: Any) -> Any:
        values = np.asarray(rows, np.float32)
        found = np.empty((len(values), len(self.card.outputs)), np.float32)
        batch = int(self._input["shape"][0])
        some = np.zeros((batch, values.shape[1]), np.float32)
        for start in range(0, len(values), batch):
            part = values[start : start + batch]
            some[: len(part)] = part
            self._graph.set_tensor(self._input["index"], some)
            self._graph.invoke()
            found[start : start + len(part)] = self._graph.get_tensor(self._output["index"])[: len(part)]
        return found
