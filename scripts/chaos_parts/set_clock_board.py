"""The simulated board on a machine whose clock counts as set: what belongs to the calendar has not to wait.

A campaign lends it to the processes it starts, as a package would: by an entry point on their path.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge_agent.drivers.system_clock import SystemClock
from hardware_mocks.fitting import ConfiguredSensor
from hardware_mocks.simulated_board import Settings, SimulatedBoard, faults, plan

__all__ = ["KIND", "Settings", "faults", "lent", "open_board"]  # the second and third are the board's own

KIND = "simulated-set-clock"


def open_board(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> SimulatedBoard:
    return SimulatedBoard(settings, sensors, plan(settings, sensors), SystemClock(max_error_us=lambda: 0))


@contextmanager
def lent(folder: Path) -> Iterator[None]:
    """``board.kind`` may be KIND, here and in the processes started meanwhile."""
    own = folder / "chaos-1.dist-info"
    own.mkdir(parents=True)
    (own / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos\nVersion: 1\n")
    (own / "entry_points.txt").write_text(f"[edge_agent.boards]\n{KIND} = {__name__}\n")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *([before] if before else [])])
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
