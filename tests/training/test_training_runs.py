"""The whole way from tables to file and card, small; only where TensorFlow is."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demand_shops import town

from edge_agent.demand.panel import Panel

tensorflow = pytest.importorskip("tensorflow")
arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

TRAIN = Path(__file__).parents[2] / "models" / "training" / "demand.py"


def _written(panel: Panel, names: list[str], path: Path) -> None:
    days = np.datetime64(panel.first, "D") + np.arange(panel.days)
    columns = {
        "series_id": np.repeat(names, panel.days),
        "date": np.tile(days, len(names)),
        "qty": panel.qty.ravel(),
        "open": panel.is_open.ravel().astype(int),
        "temp": panel.known["temp"][:, : panel.days].ravel(),
    }
    path.mkdir()
    parquet.write_table(arrow.table(columns), path / "long.parquet")


def test_one_command_makes_a_file_and_a_card_that_open(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    _written(town(rng, shops=8, goods=1, days=420), [f"s{number}_p1" for number in range(8)], tmp_path / "bakery_de")
    _written(town(rng, shops=8, goods=1, days=120), [str(number) for number in range(8)], tmp_path / "tafeng")
    command = [sys.executable, str(TRAIN), "--data", str(tmp_path), "--out", str(tmp_path / "models"), "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["set"] for line in lines if "set" in line][-1] == "tafeng: unseen items"
    assert (tmp_path / "models" / "demand-q11.tflite").stat().st_size < 64_000
    card = json.loads((tmp_path / "models" / "demand-q11.json").read_text())
    assert card["task"] == "demand"
    assert [entry["name"] for entry in card["training"]] == ["bakery_de", "tafeng", "town"]
