"""What an agent loads that only measures: 64 MiB is its goal, and each of these rooms would cost a part of it."""

import os
import subprocess
import sys
from pathlib import Path

LATE = (
    "numpy",
    "holidays",
    "cryptography",
    "ai_edge_litert",
    "tflite_runtime",
    "edge_agent.demand",
    "edge_agent.spoilage",
    "edge_agent.inference",
    "edge_agent.exchange",
    "edge_agent.domain.shop",
    "edge_agent.lots.events",
    "edge_agent.service.demand",
    "edge_agent.service.life_work",
    "edge_agent.service.models",
    "edge_agent.storage.salvage",
    "edge_agent.storage.shop",
    "edge_agent.storage.shop_schema",
)
CONFIG = """
[node]
site = "elm-street"
name = "a1"

[storage]
directory = "{directory}"

[mqtt]
port = 1

[commands]
signatures = "off"

[board]
kind = "simulated"

[[sensor]]
name = "cold-room"
driver = "sht3x"
"""
RUN = """
import sys
from edge_agent.cli.main import main
assert main(["run", "--config", sys.argv[1], "--for", "1.5"]) == 0
print(*sys.modules, sep="\\n")
"""


def test_an_agent_that_only_measures_loads_neither_models_nor_the_shop(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(directory=tmp_path / "state"))
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(config)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.split())
    assert "edge_agent.service.run" in loaded
    assert "the first cycle is on the disk" in ran.stderr
    assert [name for name in LATE if name in loaded] == []
