"""For all tests."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.append(str(Path(__file__).parent / "inference"))  # model_files: bundles of the tiny model, for several rooms
sys.path.append(str(Path(__file__).parents[1] / "scripts"))  # bench_parts.shadow: worlds that scripts/bench judges, too

# An example's time says how busy the machine is; what is too slow is seen by scripts/bench. CI looks at the same
# examples each time, as Hypothesis does there of itself; everyone else's machine looks for new ones.
settings.register_profile("edge-agent", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("edge-agent")


def _levels() -> dict[str, int]:
    known = logging.root.manager.loggerDict
    return {name: logging.getLogger(name).level for name in list(known) if name.startswith("edge_agent")}


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    """A logger left quiet would hide what a later test on the same worker looks for."""
    before = _levels()
    yield
    left = {name: level for name, level in _levels().items() if level != before.get(name, logging.NOTSET)}
    for name in left:
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))
    assert not left, f"left quiet: {left}"
