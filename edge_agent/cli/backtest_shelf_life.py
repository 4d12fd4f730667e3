"""Remaining shelf life on observed points, with the source of each point left out of everything believed.

  edge-agent backtest shelf-life points.csv
  edge-agent backtest shelf-life points.csv --leave-out none     with the whole table: says how well it is fitted
  edge-agent backtest shelf-life points.csv --without mushroom   without goods whose name has the word (also twice)
  edge-agent backtest shelf-life --milk cartons.csv              cartons of milk, by round

FILE is csv: product, profile (const:T, step:10@1d;5@rest, step:5 with 8h@25 once, cycle:2@12h;8@12h), observed_days
and/or obs_lo, obs_hi, and what there is of group, censoring, kind, source. Outputs of models and fitted estimates are
told apart and not scored. `model` is what the agent would tell at the start of the last stretch, `physics` the table
with its own band, `dates` a consumer's fixed days. Bias and accuracy factors count a prediction inside of an observed
interval as right. Lives known from one side: on how many the median is right, and how many the 90 % band allows.

--milk takes csv with VSLNumber (the round), Day_Initial, SPC_DI and lo_20k, hi_20k: between which days a carton kept at
6 °C passed 20,000 CFU/mL; empty hi: not within the test. What is learnt from rounds never comes from the scored one.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.cli.common import add_json, console, counted, print_json
from edge_agent.cli.exits import CliError, Exit

if TYPE_CHECKING:
    from edge_agent.exchange.milk_cartons import Cartons
    from edge_agent.exchange.shelf_life_points import Points
    from edge_agent.inference.model import Model
    from edge_agent.spoilage.judge import Judged, Scored
    from edge_agent.spoilage.milk_judge import Forecasts

MODEL = "spoilage-q5"
FIGURES = ("bias_factor", "accuracy_factor", "mae_d", "cov90", "n")
FISH_AND_MEAT = ("fish", "meat")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="observed shelf lives, csv")
    parser.add_argument("--milk", metavar="FILE", help="cartons of milk between two counts, csv")
    parser.add_argument(
        "--leave-out", choices=("source", "none"), default="source", help="what is not believed (default: %(default)s)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="WORD",
        type=_word,
        help="no goods whose name has it; repeatable",
    )
    parser.add_argument("--points", action="store_true", help="each point too")
    parser.add_argument("--no-model", action="store_true", help="as where the model is refused")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where the model lies (default: what is shipped)")
    add_json(parser)


def _word(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must be a part of a product's name")
    return text.strip().lower()


def run(args: argparse.Namespace) -> Exit:
    if args.file is None and args.milk is None:
        raise CliError(Exit.USAGE, "backtest shelf-life: a FILE of points, or --milk FILE, must be given")
    model, why = (None, "--no-model") if args.no_model else shipped_model(args.models)
    answer: dict[str, Any] = {
        "model": None if model is None else f"{model.name} {model.version}",
        "without_model": why or None,
    }
    if not args.json:
        print(f"model: {answer['model'] or f'none, {why}'}")
    if args.file is not None:
        answer |= _of_points(args, model)
    if args.milk is not None:
        answer["milk"] = _of_milk(args, model)
    if args.json:
        print_json(answer)
    return Exit.OK


def shipped_model(directory: Path | None) -> "tuple[Model | None, str]":
    """The spoilage model in use, or None and why there is none."""
    from edge_agent.decide.models import ModelSettings
    from edge_agent.service.model_store import FOLDER, ModelStore
    from edge_agent.service.models import Models, shipped_directory

    place = directory or shipped_directory()
    if place is None:
        return None, "no model came with this programme"
    used = Models(ModelSettings(), ModelStore(place / FOLDER), place).use(MODEL)
    return used.model, used.reason


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(Exit.FAULT, f"{path}: cannot be read: {error}") from error


# --- points ---------------------------------------------------------------------------------------------------------


def _of_points(args: argparse.Namespace, model: "Model | None") -> dict[str, Any]:
    from edge_agent.exchange.life_rows import TableFault
    from edge_agent.exchange.shelf_life_points import read_points
    from edge_agent.spoilage.judge import judged  # here: numpy is slow to import
    from edge_agent.spoilage.products import shipped

    try:
        points = read_points(_text(args.file))
    except TableFault as error:
        raise CliError(Exit.FAULT, f"{args.file}: {error}") from error
    chosen = [one for one in points.points if not any(word in one.product.lower() for word in args.without)]
    found = judged(chosen, shipped(), model, leave_out=args.leave_out == "source")
    told = told_points(points, found)
    if not args.json:
        _show_points(args, points, found, told)
    return {"file": args.file, "leave_out": args.leave_out, "without": args.without, **told}


def told_points(points: "Points", found: "Judged") -> dict[str, Any]:
    from edge_agent.spoilage.judge import METHODS

    scored = found.scored
    groups = {family: [one for one in scored if one.family == family] for family in sorted({s.family for s in scored})}
    groups["fish and meat"] = [one for one in scored if one.family in FISH_AND_MEAT]
    by_file = {name: [one for one in scored if one.point.group == name] for name in {s.point.group for s in scored}}
    kinds = {kind: [one for one in scored if one.point.kind == kind] for kind in sorted({s.point.kind for s in scored})}
    return {
        "points": len(scored),
        "methods": _methods(scored, METHODS),
        "groups": {name: _methods(some, METHODS) for name, some in groups.items() if some},
        "file_groups": {name: _methods(some, METHODS) for name, some in sorted(by_file.items())},
        "kinds": {name: _methods(some, METHODS) for name, some in kinds.items()},
        "not_scored": [asdict(one) for one in found.unscored],
        "set_aside": [asdict(one) for one in points.bad],
        "each": [_told(one) for one in scored],
    }


def _methods(scored: "list[Scored] | tuple[Scored, ...]", methods: tuple[str, ...]) -> dict[str, Any]:
    from edge_agent.spoilage.judge import figures

    return {name: _rounded(asdict(figures(scored, name))) for name in methods}


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def _told(one: "Scored") -> dict[str, Any]:
    point = one.point
    return {
        "row": point.row,
        "product": point.product,
        "profile": point.profile_text,
        "source": point.source,
        "observed_lo_d": point.low_d,
        "observed_hi_d": None if point.high_d == float("inf") else point.high_d,
        "taken_for": one.product,
        "found_by": one.matched,
        "net_used": one.is_net,
        "reasons": list(one.reasons),
        **{name: _rounded(asdict(said)) for name, said in one.said.items()},
    }


def _show_points(args: argparse.Namespace, points: "Points", found: "Judged", told: Mapping[str, Any]) -> None:
    for bad in points.bad:
        print(f"set aside: {bad}")
    for one in found.unscored:
        print(f"not scored: row {one.row}, {one.product}: {one.reason}")
    left = "each point's own source left out" if args.leave_out == "source" else "nothing left out"
    less = f"; without {', '.join(args.without)}" if args.without else ""
    print(f"{counted(told['points'], 'point')} scored; {left}{less}")
    from rich.table import Table

    shown = Table("goods", "method", *FIGURES, "bounds right", "possible")
    for name, methods in {"all": told["methods"], **told["groups"]}.items():
        for method, values in methods.items():
            cells = [_cell(values[figure]) for figure in FIGURES]
            bounds = values["bounds"]
            right, possible = (f"{values[key]} of {bounds}" for key in ("bounds_right", "bounds_possible"))
            shown.add_row(name, method, *cells, *((right, possible) if bounds else ("-", "-")))
    console().print(shown)
    if args.points:
        _show_each(found)


def _cell(value: float | int | None) -> str:
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


def _show_each(found: "Judged") -> None:
    from rich.table import Table

    shown = Table("row", "product", "profile", "taken for", "observed, d", "model, d", "physics, d", "dates, d")
    for one in found.scored:
        point = one.point
        said = [
            f"{s.middle_d:.1f} ({s.low_d:.1f}-{s.high_d:.1f})" if (s := one.said.get(name)) else "-"
            for name in ("model", "physics", "dates")
        ]
        shown.add_row(str(point.row), point.product, point.profile_text, f"{one.product} ({one.matched})",
                      f"{point.low_d:g}-{point.high_d:g}", *said)  # fmt: skip
    console().print(shown)


# --- milk -----------------------------------------------------------------------------------------------------------


def _of_milk(args: argparse.Namespace, model: "Model | None") -> dict[str, Any]:
    from edge_agent.exchange.life_rows import TableFault
    from edge_agent.exchange.milk_cartons import read_cartons
    from edge_agent.spoilage.milk_judge import forecast

    try:
        cartons = read_cartons(_text(args.milk))
    except TableFault as error:
        raise CliError(Exit.FAULT, f"{args.milk}: {error}") from error
    found = forecast(cartons.cartons, model)
    told = told_milk(cartons, found)
    if not args.json:
        _show_milk(told)
    return {"file": args.milk, **told}


def told_milk(cartons: "Cartons", found: "Forecasts") -> dict[str, Any]:
    from edge_agent.spoilage.milk_judge import scored

    return {
        "cartons": len(cartons.cartons),
        "rounds": len({one.round for one in cartons.cartons}),
        "set_aside": [asdict(one) for one in cartons.bad],
        "days": {
            str(day): {name: _rounded(asdict(scored(found, day, name))) for name in found.methods} for day in found.days
        },
        "by_round": {
            name: {str(day): _rounded(found.of_round(name, day)) for day in found.days} for name in found.rounds()
        },
    }


def _show_milk(told: Mapping[str, Any]) -> None:
    from rich.table import Table

    for bad in told["set_aside"]:
        print(f"set aside: row {bad['row']}, {bad['column']} = {bad['value']!r}: {bad['right']}")
    print(f"{counted(told['cartons'], 'carton')} of {counted(told['rounds'], 'round')}; each forecast from the others")
    shown = Table("P(> 20,000 CFU/mL)", "known", "n", "share", "Brier", "skill", "skill, other rounds", "ECE")
    for day, methods in told["days"].items():
        for name, values in methods.items():
            shown.add_row(f"by day {day}", name, str(values["n"]), *(
                _cell(values[key]) for key in ("share", "brier", "skill", "skill_other_rounds", "ece")
            ))  # fmt: skip
    console().print(shown)
