"""inference: what the models cost: time a row, memory before and after many, and the whole agent with all of them.

The models are those that are shipped; each is measured in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos_parts.children import CampaignError, Mosquitto, free_port
from chaos_parts.figures import Figure, yes

from bench_parts import rig
from bench_parts.agent import AgentProcess, make_bytecode

INFERENCES = 30_000
WARM = 1_000  # before the first look at the memory
LOOK_S = 20.0
PAGE = os.sysconf("SC_PAGE_SIZE")


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    from edge_agent.service.models import shipped_directory

    shipped = shipped_directory()
    models = sorted(file.stem for file in shipped.glob("*.tflite")) if shipped is not None else []
    if not models:
        raise CampaignError("inference: no models are shipped with these sources")
    folder = folder / "inference"
    folder.mkdir()
    figures = []
    for name in models:
        say(f"inference: {name}")
        figures += _of_model(name)
    say(f"inference: the whole agent with {' and '.join(models)}")
    return [*figures, *_of_agent(folder)]


def _of_model(name: str) -> list[Figure]:
    done = subprocess.run([sys.executable, "-m", "bench_parts.inference", name], capture_output=True, text=True)
    if done.returncode:
        raise CampaignError(f"inference: {name}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return [
        Figure(f"{name}: a row by itself", round(found["single_us"], 1), "µs"),
        Figure(f"{name}: a row of 7,000", round(found["batch_us"], 2), "µs"),
        Figure(f"{name}: opened and checked", round(found["open_ms"]), "ms"),
        Figure(f"{name}: memory that it takes, numpy and runtime included", round(found["taken_mib"], 1), "MiB"),
        Figure(f"{name}: growth over {INFERENCES} inferences", round(found["growth_mib"], 2), "MiB", "<= 0.5"),
    ]


def _of_agent(folder: Path) -> list[Figure]:
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        config = rig.write_config(folder, broker.port)
        make_bytecode(config, folder)
        figures = []
        ways = (("without a model", (), ""), ("with all models", _with_models(config), "<= 100"))
        for words, module, goal in ways:
            agent = AgentProcess(config, folder, module)
            try:
                time.sleep(LOOK_S)
                figures.append(Figure(f"whole agent {words}, memory at most", round(agent.peak_mib(), 1), "MiB", goal))
                has_numpy = "numpy" in agent.mapped()
            finally:
                agent.stop()
            if not module:
                figures.append(Figure("and nothing of numpy in it", yes(not has_numpy), "", "yes"))
        return figures
    finally:
        broker.stop()


def _with_models(config: Path) -> tuple[str, str]:
    return "bench_parts.inference_agent", str(config)


def _rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def _alone(name: str) -> None:
    """In a process of its own."""
    from edge_agent.decide.models import ModelSettings
    from edge_agent.service.models import models_of

    models = models_of(ModelSettings(), Path("/nonexistent"))
    models.known()
    before_mib, began_s = _rss_mib(), time.perf_counter()
    model = models.use(name).model
    opened_s = time.perf_counter() - began_s
    if model is None:
        raise CampaignError(f"{name}: {models.use(name).reason}")
    rows = [list(row) for row in model.card.check.inputs]
    for number in range(WARM):
        model.predict([rows[number % len(rows)]])
    warm_mib, began_s = _rss_mib(), time.perf_counter()
    for number in range(INFERENCES):
        model.predict([rows[number % len(rows)]])
    single_s, grown_mib = time.perf_counter() - began_s, _rss_mib() - warm_mib
    import numpy as np

    many = np.resize(np.array(rows), (7_000, len(rows[0])))
    began_s = time.perf_counter()
    model.predict(many)
    batch_s = time.perf_counter() - began_s
    found = {
        "open_ms": 1000 * opened_s,
        "taken_mib": warm_mib - before_mib,
        "growth_mib": grown_mib,
        "single_us": 1e6 * single_s / INFERENCES,
        "batch_us": 1e6 * batch_s / len(many),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _alone(sys.argv[1])
