"""How right the forecasts of the last weeks were that were really told, against the simple methods on the same days;
what became of lots has taught of the suppliers; and how new models do beside those in use.

edge-agent models report                          tables, and plots of the weeks for the terminal
edge-agent models report --weeks 4 --json
edge-agent models report --html report.html       one page with plots that needs nothing else
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.common import (
    add_config,
    add_state,
    archive,
    console,
    machine_now,
    print_json,
    settings,
    state_directory,
    without_complaints,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import Settings
from edge_agent.decide.memory import LEARNT_LIVES
from edge_agent.exchange.models_html import Plot, Table, cell, page
from edge_agent.exchange.models_text import ASCII, LINES, dots, legend
from edge_agent.service.demand import Told, last_night, read_from
from edge_agent.service.local_days import day_of, zone_of
from edge_agent.service.models import Models, models_of
from edge_agent.storage import shop
from edge_agent.storage.errors import StorageError
from edge_agent.storage.shop import ShopFile

if TYPE_CHECKING:
    from edge_agent.demand.report import Judged
    from edge_agent.demand.scoring import Score

HORIZON_D = 7
MOST_WEEKS = 16
OURS = "ours"
FIGURES = ("wql", "wql_hi", "wape", "mase", "bias", "cov80", "cov90")
RATIO = ("ratio", "low", "high")
OUTCOMES = ("product", "supplier", "outcomes", "factor", "sd")
SHADOWS = ("model", "version", "against", "days", "outcomes", "ends", "says")


@dataclass(frozen=True, slots=True)
class _Report:
    weeks: int  # looked back
    told: Told
    judged: "Judged | None"
    fault: str
    outcomes: list[dict[str, str | float]]
    shadows: list[dict[str, str | int]]


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--weeks", type=_weeks, default=8, metavar="N", help="to look back (default: %(default)d)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--html", type=Path, metavar="FILE", help="one page with plots; - is standard output")
    add_config(parser)
    add_state(parser)


def _weeks(text: str) -> int:
    """
    >>> _weeks("8")
    8
    """
    if not text.isdigit() or not 1 <= int(text) <= MOST_WEEKS:
        raise argparse.ArgumentTypeError(f"{text!r}: must be 1 to {MOST_WEEKS} weeks")
    return int(text)


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    directory = state_directory(chosen, args.state)
    with archive(directory) as found:
        memory = found.memory()
    try:
        judged, fault = _judged(chosen, ShopFile.open(directory), args.weeks), ""
    except ValueError as error:
        judged, fault = None, str(error)
    except StorageError as error:
        raise CliError(Exit.FAULT, str(error)) from error
    with without_complaints("edge_agent.service"):  # of files that are refused: `models list` is for that
        shadows = _shadows(models_of(chosen.models, directory))
    report = _Report(args.weeks, last_night(memory), judged, fault, _outcomes(memory), shadows)
    if args.json:
        print_json(_body(report))
    elif args.html is not None:
        title = f"Forecasts of {chosen.node.site}, the last {args.weeks} weeks"
        _write("".join(page(title, _notes(report), [*_tables(report), *_plots(report)])), args.html)
    else:
        _show(_tables(report), _text_plots(report))
        for note in _notes(report):
            print(note)
    return Exit.OK if judged is not None else Exit.FAULT


def _judged(chosen: Settings, file: ShopFile, weeks: int) -> "Judged":
    """Raises ValueError where there is nothing to compare yet."""
    import numpy as np

    from edge_agent.demand.report import judged

    now = machine_now()
    with file.reading() as tx:
        end = _last_whole(shop.extent(tx).last, day_of(now.wall_ms, zone_of(chosen.shop)))
        kept = shop.forecasts(tx, end - timedelta(weeks=weeks, days=HORIZON_D), end)
    if not chosen.products or not kept:
        raise ValueError("no forecast was made yet: they come with the first night after sales were imported")
    days = read_from(file.reading, chosen.products, chosen.shop, chosen.demand, end + timedelta(days=1), now.wall_ms)
    units = {name: unit.value for name, unit in zip(days.panel.names, days.units, strict=True)}
    made: dict[date, dict[str, np.ndarray]] = {}
    for found in kept:
        if units.get(found.product) == found.unit:  # one told in grams says nothing of the pieces counted since
            quantiles = np.array([day.quantiles for day in found.days], np.float64)
            made.setdefault(found.days[0].day, {})[found.product] = quantiles
    return judged(days.panel, days.ran_out, made, HORIZON_D)


def _last_whole(last: date | None, today: date) -> date:
    """Of today nobody knows yet what will have been sold.

    >>> _last_whole(date(2026, 11, 23), date(2026, 11, 23)).isoformat()
    '2026-11-22'
    >>> _last_whole(date(2026, 11, 20), date(2026, 11, 23)).isoformat()
    '2026-11-20'
    """
    yesterday = today - timedelta(days=1)
    return yesterday if last is None else min(last, yesterday)


def _outcomes(memory: Mapping[str, bytes]) -> list[dict[str, str | float]]:
    """What is known of each supplier's goods: a row that cannot be read teaches nothing, as in the agent itself."""
    from edge_agent.spoilage import offsets

    try:
        learnt = offsets.read(json.loads(memory.get(LEARNT_LIVES, b"")))
    except ValueError:
        return []
    found: list[dict[str, str | float]] = []
    for key in sorted(learnt.tallies):
        if key.count("|") == 2:  # the supplier's own
            group, product, supplier = key.split("|")
            known = offsets.offset(learnt, group, product, supplier)
            row: dict[str, str | float] = {"product": product, "supplier": supplier}
            found.append(row | {"outcomes": known.outcomes, "factor": round(known.factor, 4), "sd": known.sd})
    return found


def _shadows(models: Models) -> list[dict[str, str | int]]:
    """How each new model does beside the one in use."""
    found: list[dict[str, str | int]] = []
    for known in models.known():
        compared = models.compared(known.name)
        if compared is not None:
            shadow, judgement = compared
            counts = (len(shadow.days), shadow.outcomes, shadow.ends)
            row = (known.name, shadow.version, shadow.against, *counts, judgement.reason)
            found.append(dict(zip(SHADOWS, row, strict=True)))
    return found


def _figures(judged: "Judged | None") -> dict[str, dict[str, float]]:
    if judged is None:
        return {}
    return {
        name: {key: value for key, value in asdict(score).items() if key in FIGURES}
        for name, score in judged.scores.items()
    }


def _ratio_of_week(row: Mapping[str, float]) -> dict[str, float]:
    return {name: row[OURS] / value for name, value in row.items() if name != OURS and value > 0}


def _wql(judged: "Judged | None") -> dict[date, dict[str, float]]:
    weeks = {} if judged is None else judged.weeks
    return {day: {name: score.wql for name, score in row.items()} for day, row in weeks.items()}


def _body(report: _Report) -> dict[str, object]:
    judged = report.judged
    weeks = {}
    for day, losses in _wql(judged).items():
        ours = judged.weeks[day][OURS] if judged is not None else None
        own = {} if ours is None else {"cov80": ours.cov80, "cov90": ours.cov90, "bias": ours.bias, "days": ours.n}
        weeks[day.isoformat()] = {"wql": losses, "ratio": _ratio_of_week(losses), **own}
    return {
        "methods": _figures(judged),
        "ratios": {} if judged is None else {name: asdict(ratio) for name, ratio in judged.ratios.items()},
        "weeks": weeks,
        "days": judged.days if judged else 0,
        "left_out": judged.left_out if judged else 0,
        "outcomes": report.outcomes,
        "shadows": report.shadows,
        "drift": report.told.drift,
        "night": report.told.made and report.told.made.isoformat(),
        "fault": report.fault or None,
    }


def _tables(report: _Report) -> list[Table]:
    judged = report.judged
    figures: list[tuple[str | float, ...]] = [
        (name, *(row[key] for key in FIGURES)) for name, row in _figures(judged).items()
    ]
    ratios: list[tuple[str | float, ...]] = (
        [] if judged is None else [(name, *asdict(each).values()) for name, each in judged.ratios.items()]
    )
    weeks = [] if judged is None else [_week(day, row) for day, row in sorted(judged.weeks.items())]
    outcomes = [tuple(row[key] for key in OUTCOMES) for row in report.outcomes]
    return [
        Table("Forecasts of seven days", ("method", *FIGURES), figures),
        Table("Our loss as a share of each method's, 95 % of resampled products", ("method", *RATIO), ratios),
        Table("Week by week", ("week", "days", "wql", "cov80", "cov90", "bias", "ratio to the best"), weeks),
        Table("What became of lots: life as a factor of the table's", OUTCOMES, outcomes),
        Table("New models beside those in use", SHADOWS, [tuple(row.values()) for row in report.shadows]),
    ]


def _week(day: date, row: Mapping[str, "Score"]) -> tuple[str | int | float, ...]:
    ours = row[OURS]
    best = min(score.wql for name, score in row.items() if name != OURS)
    ratio = ours.wql / best if best > 0 else float("nan")
    return (day.isoformat(), ours.n, ours.wql, ours.cov80, ours.cov90, ours.bias, ratio)


def _plots(report: _Report) -> list[Plot]:
    weeks = {} if report.judged is None else report.judged.weeks
    coverage = {
        day: {
            "within 80 %": row[OURS].cov80,
            "wanted: 0.80": 0.8,
            "not above q90": row[OURS].cov90,
            "wanted: 0.90": 0.9,
        }
        for day, row in weeks.items()
    }
    return [
        Plot("Weighted quantile loss, week by week: the lower the better", _wql(report.judged)),
        Plot("Share of days within what was told", coverage),
    ]


def _text_plots(report: _Report) -> list[tuple[Plot, str]]:
    """Each with what the others are in it."""
    weeks = {} if report.judged is None else {day: row[OURS] for day, row in report.judged.weeks.items()}
    within = {day: {OURS: ours.cov80, "wanted": 0.8} for day, ours in weeks.items()}
    below = {day: {OURS: ours.cov90, "wanted": 0.9} for day, ours in weeks.items()}
    loss = Plot("Weighted quantile loss, week by week: the further left the better", _wql(report.judged))
    return [
        (loss, "the simple methods, from the best to the worst"),
        (Plot("Share of days within the 80 % that were told", within), "wanted: 0.80"),
        (Plot("Share of days not above the 0.9 quantile", below), "wanted: 0.90"),
    ]


def _notes(report: _Report) -> list[str]:
    told, judged = report.told, report.judged
    notes = [f"last night's work: {told.made or 'none yet'}; drift: {', '.join(told.drift) or 'none'}"]
    if judged is None:
        return [*notes, report.fault]
    best = min((name for name in judged.scores if name != OURS), key=lambda name: judged.scores[name].wql)
    ratio = judged.scores[OURS].wql / judged.scores[best].wql if judged.scores[best].wql > 0 else float("nan")
    return [
        *notes,
        f"{judged.days} forecasts of a product's day in {report.weeks} weeks: our loss is {ratio:.2f} times that of "
        f"the best method, {best}",
        f"{judged.left_out} more were not compared: the product ran out that day",
    ]


def _show(tables: list[Table], plots: list[tuple[Plot, str]]) -> None:
    from rich.table import Table as Rich

    screen = console()
    for of in tables:
        if of.rows:
            shown = Rich(*of.columns, title=of.title, title_justify="left")
            for row in of.rows:
                shown.add_row(*map(cell, row))
            screen.print(shown)
    marks = LINES if screen.encoding.startswith("utf") else ASCII
    for plot, others in plots:
        if plot.weeks:
            is_range = any(len(row) > 2 for row in plot.weeks.values())
            print("\n".join((*dots(plot, screen.width, marks), legend(others, marks, is_range=is_range), "")))


def _write(text: str, out: Path) -> None:
    if str(out) == "-":
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise CliError(Exit.FAULT, f"--html {out}: {error.strerror}") from error
