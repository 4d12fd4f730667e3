"""forecast: the night's work for a shop of 500 products: learning, forecasts for 14 days, the whole agent's memory.

A process of its own (forecast_agent) holds the agent on the simulated board, with both models opened, and a file with
two years of sales. A second one makes forecasts alone, by what the first one has learnt.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure

PRODUCTS, DAYS = 500, 730
END = date(2026, 11, 22)
CONFIG = """
[node]
site = "elm-street"
name = "a1"
[mqtt]
port = 1
[board]
kind = "simulated"
speed = 0.0
[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 10.0
[shop]
time_zone = "UTC"
[demand]
hour = 0
"""


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "forecast"
    folder.mkdir()
    say(f"forecast: {PRODUCTS} products, {DAYS} days of sales")
    prepare(folder, PRODUCTS, DAYS)
    say("forecast: the night")
    found = _asked(folder, "night")
    say("forecast: forecasts alone")
    alone = _asked(folder, "forecast")
    return [
        Figure(f"forecasts of {found['products']} products for 14 days", found["forecast_s"], "s", "<= 2"),
        Figure("learning of the same", found["learn_s"], "s", "<= 60"),
        Figure("memory of the whole agent before it, both models opened", found["before_mib"], "MiB"),
        Figure("at most while it learns, forecasts and tells", found["peak_mib"], "MiB", "<= 100"),
        Figure("at most while it forecasts by what was learnt before", alone["peak_mib"], "MiB", "<= 100"),
    ]


def _asked(folder: Path, what: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench_parts.forecast_agent", str(folder), (END + timedelta(days=1)).isoformat()]
    done = subprocess.run([*command, what], capture_output=True, text=True)
    if done.returncode:
        raise CampaignError(f"forecast: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def prepare(folder: Path, products: int, days: int) -> None:
    """A configuration and a file with sales; the same ones each time."""
    from edge_agent.domain.instant import Instant
    from edge_agent.domain.shop import Sale, Source, Unit
    from edge_agent.storage.settings import StorageSettings
    from edge_agent.storage.shop import ShopFile
    from edge_agent.storage.store import Store

    tables = "".join(
        f'[[product]]\ngtin = "{1000 + number}"\nname = "Product {number}"\ncategory = "c{number % 12}"\n'
        for number in range(products)
    )
    (folder / "agent.toml").write_text(f'{CONFIG}\n[storage]\ndirectory = "{folder / "state"}"\n{tables}')
    at = Instant(0, 0, "prepared")
    Store.open(StorageSettings(directory=str(folder / "state")), "a1", at).close()
    file = ShopFile.open(folder / "state")
    chance = random.Random(1)
    for number in range(products):
        level = chance.lognormvariate(1.5, 1.0)
        sales = [
            Sale(str(1000 + number), day, Source.IMPORT, Unit.UNITS, float(round(chance.expovariate(1 / usual))))
            for step in range(days)
            for day in [END - timedelta(days=step)]
            for usual in [level * (1.6 if day.weekday() == 5 else 1.0)]
            if day.weekday() != 6
        ]
        file.import_sales(f"{number}".encode(), "simulated", sales, (), at, add=False)
