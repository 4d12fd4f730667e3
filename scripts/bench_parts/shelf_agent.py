"""The whole agent on shelves whose loads another process sets: a child of the weighing benches.

  python -m bench_parts.shelf_agent CONFIG LOADS          real drivers on simulated chips
  python -m bench_parts.shelf_agent CONFIG LOADS --bare   the counts without driver and chip, which take 2 s to set up

LOADS is a file of doubles in the machine's byte order: grams on each sensor, in the order of the configuration. It
is mapped, so that a load changes at once, and outlives an agent that is killed.
"""

import argparse
import logging
import mmap
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edge_agent.config import Settings, load
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import Connection, build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.polling import Polled
from edge_agent.service.run import run_live
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.tca9548a_chip import Tca9548aChip

ZERO_COUNTS, COUNTS_PER_GRAM = 84_000, 100.0
NOISE_G = 0.5


class Loads:
    """Grams on each sensor, shared between processes; a double is written and read in one piece."""

    def __init__(self, file: Path, count: int) -> None:
        if not file.exists():
            file.write_bytes(bytes(8 * count))
        self._file = file.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), 8 * count)
        self._grams = memoryview(self._map).cast("d")

    def __getitem__(self, index: int) -> float:
        return self._grams[index]

    def __setitem__(self, index: int, grams: float) -> None:
        self._grams[index] = grams

    def close(self) -> None:
        self._grams.release()
        self._map.close()
        self._file.close()


class BareScale:
    """A sensor that gives the counts of a load cell at once."""

    bus, min_interval_s, patience_s = "bare", 0.01, 1.0

    def __init__(self, place: str, cell: LoadCell) -> None:
        self.channels = (Channel(place, "counts"),)
        self._cell = cell

    def read(self, at: Instant) -> Sequence[Reading]:
        return (Reading(self.channels[0], float(self._cell.counts(at.mono_ms / 1000)), at),)

    def close(self) -> None: ...


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("loads", type=Path)
    parser.add_argument("--bare", action="store_true")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = load(args.config)
    loads = Loads(args.loads, len(settings.sensors))
    cells = [_cell(loads, index) for index in range(len(settings.sensors))]
    board = BenchBoard(SystemClock())
    if not args.bare:
        _plug_in(board, settings, cells)

    def connect(identity: Identity, watch: ClockWatch) -> Connection:
        return MqttConnection(settings.mqtt, identity, watch.now)

    with board.driving():
        parts = build(settings, board, connect)
        if args.bare:
            bare = [
                (sensor, BareScale(sensor.place, cell)) for sensor, cell in zip(settings.sensors, cells, strict=True)
            ]
            parts = replace(parts, polled=[Polled(sensor.name, scale, sensor.interval_s) for sensor, scale in bare])
        try:
            run_live(parts, stop)
        finally:
            parts.close()
    return 0


def _cell(loads: Loads, index: int) -> LoadCell:
    cell = LoadCell(counts_per_gram=COUNTS_PER_GRAM, zero_counts=ZERO_COUNTS, noise_g=NOISE_G, seed=index + 1)
    cell.load_at = _asking(loads, index)
    return cell


def _asking(loads: Loads, index: int) -> Callable[[float], float]:
    return lambda _mono_s: loads[index]


def _plug_in(board: BenchBoard, settings: Settings, cells: Sequence[LoadCell]) -> None:
    muxes: dict[tuple[str, int], Tca9548aChip] = {}
    for sensor, cell in zip(settings.sensors, cells, strict=True):
        place = (sensor.settings.bus, sensor.settings.mux_address)
        if place not in muxes:
            muxes[place] = Tca9548aChip(sensor.settings.mux_address)
            board.plug_in(muxes[place], bus=sensor.settings.bus)
        muxes[place].attach(sensor.settings.mux_channel, Nau7802Chip(board.clock, cell, cell))


if __name__ == "__main__":
    sys.exit(main())
