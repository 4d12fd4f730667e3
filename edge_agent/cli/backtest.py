"""Judge the models on data of your own: forecasts made again as they would have been, against what came.

  edge-agent backtest demand sales.parquet
  edge-agent backtest demand sales.csv --cold --json
  edge-agent backtest shelf-life points.csv

Nothing of the agent is needed and nothing of it is changed: it need not run, and needs no configuration.
"""

import argparse
from importlib import import_module

from edge_agent.cli.exits import Exit

# what is judged -> (module, one line of help)
SUBJECTS = {
    "demand": ("backtest_demand", "demand forecasts on a long table of daily sales, against six simple methods"),
    "shelf-life": ("backtest_shelf_life", "remaining shelf life on published points, against physics and fixed dates"),
}


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    for subject, (module_name, words) in SUBJECTS.items():
        module = import_module(f"edge_agent.cli.{module_name}")
        sub = subjects.add_parser(
            subject, help=words, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(sub)
        sub.set_defaults(judge=module.run)


def run(args: argparse.Namespace) -> Exit:
    found: Exit = args.judge(args)
    return found
