"""forecast: the night's work for a shop of 500 products: learning, forecasts for 14 days, the whole agent's memory.

A process of its own holds the agent on the simulated board, with both models opened, and a file with two years of
sales; the work is done in the thinker's thread, as in real life.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
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
    done = subprocess.run([sys.executable, "-m", "bench_parts.forecast", str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise CampaignError(f"forecast: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return [
        Figure(f"forecasts of {found['products']} products for 14 days", found["forecast_s"], "s", "<= 2"),
        Figure("learning of the same", found["learn_s"], "s", "<= 60"),
        Figure("memory of the whole agent before it, both models opened", found["before_mib"], "MiB"),
        Figure("at most while it learns and forecasts", found["peak_mib"], "MiB", "<= 100"),
    ]


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


def night(folder: Path) -> dict[str, Any]:
    """The agent, ready to run, and its night's work."""
    from edge_agent.config import load
    from edge_agent.mqtt.connection import MqttConnection
    from edge_agent.service.build import build, open_board
    from edge_agent.service.demand import DemandJob, Night
    from edge_agent.service.run import Routine, demand_places

    settings = load(folder / "agent.toml")
    board = open_board(settings)
    with board.driving():
        begun = datetime.combine(END + timedelta(days=1), datetime.min.time(), UTC).timestamp() + 3600
        board.clock.synchronise(begun)
        parts = build(settings, board, lambda identity, watch: MqttConnection(settings.mqtt, identity, watch.now))
        for known in parts.models.opened().known():
            parts.models.use(known.name)
        routine = Routine(parts)
        job = DemandJob(demand_places(parts), routine.thinker)
        before_mib = _rss_mib()
        routine.thinker.start()
        job.look(parts.watch.now())
        pause, done = threading.Event(), None
        while done is None:
            pause.wait(0.05)
            for thought in routine.thinker.take():
                done = job.take(thought, parts.watch.now())
                if not isinstance(done, Night):
                    raise CampaignError(f"forecast: {thought.error}")
        parts.close()
    return {
        "products": len(done.forecasts),
        "forecast_s": round(done.forecast_s, 2),
        "learn_s": round(done.learn_s, 1),
        "before_mib": round(before_mib, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


if __name__ == "__main__":
    print(json.dumps(night(Path(sys.argv[1]))))
