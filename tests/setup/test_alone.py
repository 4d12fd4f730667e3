"""An agent for as long as a calibration lasts, in this process and without a broker."""

import os
from pathlib import Path

import pytest

from edge_agent.config import load
from edge_agent.domain.instant import Instant
from edge_agent.service.lock import StateLock
from edge_agent.setup import alone, running
from edge_agent.weighing.cell_watch import CellWatch, Watch
from edge_agent.weighing.cells import CellTrace
from edge_agent.weighing.settings import CellSettings

CONFIG = """
[node]
site = "bench"
name = "a1"
[agent]
cycle_s = 0.1
[storage]
directory = "{state}"
[board]
kind = "simulated"
[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 0.1
rate_sps = 80
[[shelf]]
name = "shelf-1"
capacity_g = 60_000.0
cells = [{{ sensor = "scale-1", zero_counts = 84_000, counts_per_gram = 100.0 }}]
"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(state=tmp_path / "state"))
    return path


def test_one_that_cannot_start_says_why(config, tmp_path) -> None:
    (tmp_path / "state").mkdir()
    lock = StateLock()
    lock.hold(tmp_path / "state")
    try:
        with pytest.raises(alone.NotStarted, match="another agent uses it"), alone.agent(
            load(config), tmp_path / "state", "shelf-1"
        ):  # fmt: skip
            pytest.fail("it started")
    finally:
        lock.release()
    assert running.holder(tmp_path / "state") is None


@pytest.mark.parametrize(
    ("tails", "is_heard"),
    [
        ((), False),
        ((((100, 1), (200, 1), (300, 1)),), True),
        ((((100, 1), (200, 1)),), False),
        ((((100, 1), (200, 1), (300, 1)), ((100, 1),)), False),
        ((((-9_000, 1), (-8_900, 1), (-8_800, 1)),), False),
    ],
)
def test_it_is_ready_when_every_cell_speaks(tails, is_heard) -> None:
    cells = tuple(CellWatch(CellSettings("scale-1", 0, 1.0), tail=tail) for tail in tails)
    assert alone.is_heard(CellTrace(watch=Watch(cells=cells)), Instant(500, 500, "boot")) is is_heard
    assert not alone.is_heard(None, Instant(500, 500, "boot"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand files over")
def test_what_root_makes_belongs_to_the_directorys_owner(tmp_path) -> None:
    old, new = tmp_path / "settings.db", tmp_path / "agent.db"
    old.touch()
    before = frozenset({old})
    new.touch()
    os.chown(tmp_path, 12345, 12345)
    alone.hand_over(tmp_path, before)
    assert (old.stat().st_uid, new.stat().st_uid) == (os.geteuid(), 12345)
    os.chown(tmp_path, os.geteuid(), os.getegid())
