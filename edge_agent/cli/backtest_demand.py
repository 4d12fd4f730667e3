"""Demand forecasts on a long table of daily sales, as they would have been made at past origins.

  edge-agent backtest demand sales.csv
  edge-agent backtest demand sales.parquet --origins 12 --step 14 --horizon 7 --hist 400
  edge-agent backtest demand sales.parquet --cold          nothing learnt from the shop
  edge-agent backtest demand sales.parquet --weather none  and what the weather is worth

FILE is csv or parquet (extra `parquet`) with a row for each series and day: series_id, date, qty, and what there is of
open, promo, price, temp, precip, holiday, holiday_next2d, school_holiday, event, category. Promotions and prices must
be planned ones; price_realised and promo_realised are never looked at. A day without row, or with open = 0, counts as
closed: it is not scored. Weather after an origin is a forecast with errors of a usual size, unless --weather says
otherwise. Of a file with more than 300 series, 300 are drawn, unless --all.
"""

import argparse
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.cli.common import add_json, console, counted, print_json
from edge_agent.cli.exits import CliError, Exit
from edge_agent.exchange.rows import FileFault

if TYPE_CHECKING:
    from edge_agent.demand.backtest import Forecaster, Result
    from edge_agent.demand.scoring import Score
    from edge_agent.exchange.long_table import LongTable
    from edge_agent.inference.model import Model

FIGURES = ("wql", "wql_hi", "wape", "mase", "bias", "cov80", "cov90")
MODEL = "demand"  # the shipped model's name begins so
MOST_SERIES = 300
WEATHER = ("noisy", "perfect", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the table: .csv or .parquet")
    parser.add_argument("--origins", type=_above_0, default=12, metavar="N", help="how many (default: %(default)d)")
    parser.add_argument("--step", type=_above_0, default=14, metavar="DAYS", help="between them (default: %(default)d)")
    parser.add_argument("--horizon", type=_horizon, default=7, metavar="DAYS", help="1 to 14 (default: %(default)d)")
    parser.add_argument(
        "--hist", type=_hist, default=400, metavar="DAYS", help="that the simple methods see (default: %(default)d)"
    )
    parser.add_argument("--cold", action="store_true", help="nothing is learnt from this shop")
    parser.add_argument(
        "--no-model", action="store_true", help="as where the model is refused: the simple methods, mixed"
    )
    parser.add_argument(
        "--weather", choices=WEATHER, default="noisy", help="after an origin: with errors of a forecast, or as it came"
    )
    parser.add_argument("--no-weather", action="store_const", const="none", dest="weather", help="--weather none")
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "--max-series", type=_above_0, default=MOST_SERIES, metavar="N", help="draw so many (default: %(default)d)"
    )
    many.add_argument("--all", action="store_const", const=None, dest="max_series", help="all series of the file")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn (default: %(default)d)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where the model lies (default: what is shipped)")
    add_json(parser)


def _above_0(text: str) -> int:
    return _between(text, 1, 100_000)


def _horizon(text: str) -> int:
    return _between(text, 1, 14)


def _hist(text: str) -> int:
    return _between(text, 28, 100_000)


def _between(text: str, low: int, high: int) -> int:
    """
    >>> _between("7", 1, 14)
    7
    """
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number, {low} to {high}")
    return int(text)


def run(args: argparse.Namespace) -> Exit:
    from edge_agent.demand.backtest import backtest, origins_of  # here: numpy is slow to import
    from edge_agent.demand.weather import Weather
    from edge_agent.exchange.long_table import read_long_table

    try:
        table = read_long_table(Path(args.file), args.max_series, args.seed)
    except FileFault as error:
        raise CliError(Exit.FAULT, str(error)) from error
    model, why_none = (None, "--no-model") if args.no_model else shipped_model(args.models)
    ours = forecaster(model, learns=not args.cold)
    origins = origins_of(table.panel.days, args.origins, args.step, args.horizon)
    began_s = time.perf_counter()
    try:
        result = backtest(table.panel, origins, args.horizon, ours, Weather(args.weather), args.seed, args.hist)
    except ValueError as error:
        raise CliError(Exit.FAULT, f"{args.file}: {error}") from error
    took_s = time.perf_counter() - began_s
    about = {
        "file": args.file,
        "model": None if model is None else f"{model.name} {model.version}",
        "without_model": why_none,
        "cold": args.cold,
        "weather": args.weather,
        "horizon": args.horizon,
        "seconds": round(took_s, 2),
    }
    if args.json:
        print_json(told(table, result, about))
    else:
        _show(table, result, about)
    return Exit.OK


def shipped_model(directory: Path | None) -> "tuple[Model | None, str]":
    """The demand model in use, or None and why there is none."""
    from edge_agent.decide.models import ModelSettings
    from edge_agent.service.model_store import FOLDER, ModelStore
    from edge_agent.service.models import Models, shipped_directory

    place = directory or shipped_directory()
    if place is None:
        return None, "no model came with this programme"
    models = Models(ModelSettings(), ModelStore(place / FOLDER), place)
    names = [known.name for known in models.known() if known.name.startswith(MODEL)]
    if not names:
        return None, f"{place} holds no {MODEL}*.tflite"
    used = models.use(names[0])
    if used.model is not None and not _is_of_this_programme(used.model):
        return None, f"{used.model.name} {used.model.version} was made for another version of this programme"
    return used.model, used.reason


def _is_of_this_programme(model: "Model") -> bool:
    from edge_agent.demand.features import NAMES
    from edge_agent.demand.net import OUTPUTS

    inputs, outputs = (tuple(spec.name for spec in specs) for specs in (model.card.inputs, model.card.outputs))
    return inputs == tuple(NAMES) and outputs == tuple(spec.name for spec in OUTPUTS)


def forecaster(model: "Model | None", *, learns: bool) -> "Forecaster":
    """The forecasts of the agent: at each origin the shop layer is learnt anew, from what lies before it."""
    from edge_agent.demand.backtest import Made
    from edge_agent.demand.forecaster import forecast
    from edge_agent.demand.local import learn
    from edge_agent.demand.panel import Panel

    def ours(panel: Panel, horizon: int) -> Made:
        origin = panel.days - 1
        shop = learn(panel, origin, model) if learns else None
        made = forecast(panel, origin, model, shop, horizon)
        return Made(made.quantiles, made.basis, made.reasons)

    return ours


def told(table: "LongTable", result: "Result", about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **about,
        "series": result.series,
        "series_in_file": table.series,
        "origins": len(result.origins),
        "origin_days": [table.panel.day(origin).isoformat() for origin in result.origins],
        "methods": {name: _figures(score) for name, score in result.scores.items()},
        "days_scored": result.scores[result.best].n,
        "best_simple": result.best,
        "ratios": {
            name: {"wql": _number(ratio.ratio), "low": _number(ratio.low), "high": _number(ratio.high)}
            for name, ratio in result.ratios.items()
        },
        "basis": dict(result.basis),
        "reasons": dict(result.reasons),
        "set_aside": dict(table.set_aside),
        "remarks": [str(remark) for remark in table.remarks],
    }


def _figures(score: "Score") -> dict[str, float | None]:
    return {name: _number(getattr(score, name)) for name in FIGURES}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return round(value, 6) if math.isfinite(value) else None


def _show(table: "LongTable", result: "Result", about: Mapping[str, Any]) -> None:
    from rich.table import Table

    for remark in table.remarks:
        print(f"edge-agent: {remark}", file=sys.stderr)
    panel = table.panel
    first, last = panel.day(result.origins[0]), panel.day(result.origins[-1])
    drawn = (
        "" if len(panel.names) == table.series else f", {len(panel.names)} drawn of {table.series} (--all takes all)"
    )
    print(
        f"{counted(result.series, 'series', 'series')} scored{drawn}; {first} to {last}, {about['horizon']} days ahead"
    )
    print(f"{counted(len(result.origins), 'origin')}; weather after them: {about['weather']}")
    if about["model"] is None:
        print(f"no model: {about['without_model']}")
    else:
        print(f"{about['model']}{', nothing learnt from the shop' if about['cold'] else ''}; {about['seconds']:.1f} s")
    shown = Table("method", *FIGURES, "our WQL / its (95 %)")
    for name, score in result.scores.items():
        ratio = result.ratios.get(name)
        against = "" if ratio is None else f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
        mark = " *" if name == result.best else ""
        shown.add_row(name + mark, *(f"{getattr(score, figure):.4f}" for figure in FIGURES), against)
    console().print(shown)
    print("* the best simple method, known only in hindsight")
    for words, counts in (("rest on", result.basis), ("reasons", result.reasons), ("set aside", table.set_aside)):
        if counts:
            print(f"{words}: {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}")
