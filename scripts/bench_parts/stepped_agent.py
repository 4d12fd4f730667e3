"""The whole agent on busy shelves, stepped through simulated time: hours in minutes, on a real disk.

Counts come without driver and chip; queue, cycle, store and publisher are the real ones, and a broker in memory
acknowledges everything at once.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from bench_parts.shelf_agent import COUNTS_PER_GRAM, NOISE_G, ZERO_COUNTS, BareScale
from bench_parts.shelves import PIECE_G, write_config
from edge_agent.config import load
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import Parts, build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.polling import Polled
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell

CELLS = 8
DRIFT_G_PER_H = 3.0
FIRST, MOST = 12, 40  # pieces on a shelf
PRESS_G = (200.0, 1500.0)


class Visited:
    """A shelf and those who put and take: ``load_g(mono_s)`` for rising times."""

    def __init__(self, seed: int, visits_per_h: float) -> None:
        self._random, self._visits_per_h = Random(seed), visits_per_h
        self._pieces, self._press_g = FIRST, 0.0
        self._until_s = 0.0  # of the visit
        self._next_s = self._wait_s() if visits_per_h else float("inf")
        self.visits = 0

    def _wait_s(self) -> float:
        return 10.0 + self._random.expovariate(self._visits_per_h / 3600)

    def load_g(self, mono_s: float) -> float:
        if mono_s >= self._next_s:
            self._begin(mono_s)
        hand_g = self._press_g * self._random.uniform(0.6, 1.4) if mono_s < self._until_s else 0.0
        return self._pieces * PIECE_G + hand_g

    def _begin(self, mono_s: float) -> None:
        draw = self._random
        puts = draw.random() < 0.5 if 4 < self._pieces < MOST else self._pieces <= 4
        self._pieces += draw.randint(1, 4) * (1 if puts else -1)
        self._press_g = draw.uniform(*PRESS_G)
        self._until_s = mono_s + draw.uniform(0.3, 1.5)
        self._next_s = self._until_s + self._wait_s()
        self.visits += 1


@contextmanager
def built(folder: Path, *, visits_per_h: float, has_shelves: bool = True) -> Iterator[tuple[Parts, list[Visited]]]:
    """One cell to a shelf; without shelves the counts are kept and told all the same."""
    folder.mkdir(parents=True)
    settings = load(write_config(folder, 1883, CELLS))
    if not has_shelves:
        settings = replace(settings, shelves=())
    shelves = [Visited(index + 1, visits_per_h) for index in range(CELLS)]
    board = BenchBoard(SimulatedClock())
    with Path(os.devnull).open("wb") as nowhere, board.driving():

        def connect(identity: Identity, watch: ClockWatch) -> Recorder:
            return Recorder(nowhere, watch.now)

        parts = build(settings, board, connect)
        polled = [
            Polled(sensor.name, BareScale(sensor.place, _cell(index, shelf)), sensor.interval_s)
            for index, (sensor, shelf) in enumerate(zip(settings.sensors, shelves, strict=True))
        ]
        parts = replace(parts, polled=polled)
        try:
            yield parts, shelves
        finally:
            parts.close()


def _cell(index: int, shelf: Visited) -> LoadCell:
    cell = LoadCell(
        counts_per_gram=COUNTS_PER_GRAM,
        zero_counts=ZERO_COUNTS,
        noise_g=NOISE_G,
        drift_g_per_h=DRIFT_G_PER_H,
        seed=index + 1,
    )
    cell.load_at = shelf.load_g
    return cell


def run(parts: Parts, hours: float, each_hour: Callable[[int], None] = lambda _hour: None) -> None:
    """``each_hour`` of simulated time, as it ends."""
    stop = threading.Event()
    began_s = parts.board.clock.monotonic_s()
    done = 0

    def look(_decision: Decision, now: Instant) -> None:
        nonlocal done
        passed_h = (now.mono_ms / 1000 - began_s) / 3600
        if int(passed_h) > done:
            done = int(passed_h)
            each_hour(done)
        if passed_h >= hours:
            stop.set()

    run_stepped(parts, stop, look)
