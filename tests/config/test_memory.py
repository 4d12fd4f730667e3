import gc
from pathlib import Path

from pydantic import TypeAdapter

from edge_agent.config import load

SAMPLE = Path(__file__).parents[2] / "config" / "edge-agent.toml"


def test_nothing_of_the_validation_stays_alive_after_loading():
    load(SAMPLE)
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, TypeAdapter)]
