"""weighing-cost: what eight load cells at 10 samples/s behind a TCA9548A cost the processor.

The agent runs twice in real time, with the cells and without; all else is the same, and the difference is what the
cells cost: reading them through the vendor's library, weighing, publishing. On this machine the chips are simulated
in the same process, and a Pi has real ones: their share is measured by a run that only reads the same cells and has
a meter at the bus, below the drivers. Both figures are told.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Any

from chaos_parts.children import CampaignError, Mosquitto, free_port
from chaos_parts.figures import Figure

from bench_parts.agent import AgentProcess
from bench_parts.counting_agent import SAID
from edge_agent.config import Settings, load
from edge_agent.drivers.seam import Board
from edge_agent.service.build import open_board, open_sensors
from edge_agent.service.clockwatch import ClockWatch

CELLS, SHELVES, SAMPLES_PER_S = 8, 4, 10
SETTLE_S = 30.0  # eight chips are set up one after another ...
SETUP_S = 20.0  # ... which takes so long at most
LOOK_S = 5.0
WARM_MIN = 30.0  # the windows of a cell's health reach back half an hour, and SQLite's pages fill: told by itself
LONG_MIN = 60.0  # of a shorter run the growth of memory is told, and not judged
WITHOUT_MIN = 3.0  # at most: a run without cells is always alike
IDLE_S = 10.0
READS = 300  # of each cell, to tell the chips' share
CUSTOMERS_PER_HOUR = 30.0
PIECE_G = 400.0


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "weighing-cost"
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        without_min = min(args.minutes, WITHOUT_MIN)
        say(f"weighing-cost: {without_min:g} minutes without cells")
        bare = _write_config(folder / "without", broker.port, cells=0)
        without, _, _ = _run(bare, without_min)
        say(f"weighing-cost: {args.minutes:g} minutes with {CELLS} cells at {SAMPLES_PER_S} samples/s")
        config = _write_config(folder / "with", broker.port, cells=CELLS)
        with_cells, memory, good_per_s = _run(config, args.minutes)
    finally:
        broker.stop()
    say("weighing-cost: the chips' share")
    world = _idle(load(config)) - _idle(load(bare))
    chips, reading = _chips_and_reading(load(config))
    is_long = args.minutes >= LONG_MIN
    later = [look for look in memory if look[0] >= WARM_MIN] if is_long else memory[len(memory) // 4 :]
    slope = linear_regression(*zip(*later, strict=True)).slope * 60 if len(later) > 2 else 0.0
    on_top = with_cells - without
    return [
        Figure(
            "samples of the cells a second", round(good_per_s, 1), "samples/s", f">= {0.98 * CELLS * SAMPLES_PER_S:g}"
        ),
        Figure("processor of the agent with the cells, of one core", _pct(with_cells), "%"),
        Figure("processor of the same agent without them", _pct(without), "%"),
        Figure("what the cells cost on top", _pct(on_top), "%"),
        Figure("  of this simulated chips and their world", _pct(chips + world), "%"),
        Figure("  of this the agent's own", _pct(on_top - chips - world), "%", "<= 2"),
        Figure("    drivers and the vendor's library alone", _pct(reading), "%"),
        Figure("memory (RSS) with the cells, mean", round(fmean(mib for _, mib in memory), 1), "MiB"),
        Figure(
            f"growth of memory from minute {later[0][0]:.0f} to {args.minutes:g}",
            round(slope, 2),
            "MiB/h",
            "<= 1" if is_long else "",
        ),
        Figure("  and before it", round(later[0][1] - memory[0][1], 2), "MiB"),
    ]


def _pct(share: float) -> float:
    return round(100 * share, 2)


def _run(config: Path, minutes: float) -> tuple[float, list[tuple[float, float]], float]:
    """Share of one core after the start; (minutes, MiB); good samples a second in all its life but the start."""
    agent = AgentProcess(config, config.parent, ("bench_parts.counting_agent", str(config)))
    try:
        time.sleep(SETTLE_S)
        began_s, processor_s = time.monotonic(), agent.processor_s()
        memory = []
        while (ran_s := time.monotonic() - began_s) < 60 * minutes:
            time.sleep(min(LOOK_S, 60 * minutes - ran_s))
            memory.append(((time.monotonic() - began_s) / 60, agent.rss_mib()))
        lasted_s = time.monotonic() - began_s
        busy = (agent.processor_s() - processor_s) / lasted_s
    finally:
        ended = agent.stop()
    if ended.exit_code:
        raise CampaignError(f"the agent ended with {ended.exit_code}:\n{agent.log()}")
    return busy, memory, _good(agent.log()) / (lasted_s + SETTLE_S - SETUP_S)


def _good(log: str) -> int:
    return int(log.rpartition(SAID)[2].split()[0])


def _write_config(folder: Path, port: int, cells: int) -> Path:
    folder.mkdir(parents=True)
    path = folder / "agent.toml"
    path.write_text(
        f'[node]\nsite = "bench"\nname = "bench"\n\n[storage]\ndirectory = "{folder / "state"}"\n\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n\n'
        f'[board]\nkind = "simulated"\n\n[board.shop]\nopens = "00:00"\ncloses = "23:59"\n'
        f'days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]\ncustomers_per_hour = {CUSTOMERS_PER_HOUR}\n\n'
        '[[sensor]]\nname = "cold-room"\ndriver = "sht3x"\ninterval_s = 10.0\nbus = "i2c-0"\n\n'
        '[[product]]\ngtin = "4006381333931"\nname = "Honey"\n'
        f"piece_g = {PIECE_G}\n\n" + (_cells() if cells else "")
    )
    return path


def _cells() -> str:
    """Two to a shelf. Converting twice as often as it is read, a chip has always a fresh code."""
    sensors = "".join(
        f'[[sensor]]\nname = "scale-{cell}"\nplace = "place-{cell // 2}-{cell % 2}"\ndriver = "nau7802"\n'
        f"interval_s = {1 / SAMPLES_PER_S}\nreport_s = 10.0\nrate_sps = 20\n"
        f"mux_address = 0x70\nmux_channel = {cell}\n\n"
        for cell in range(CELLS)
    )
    shelves = "".join(
        f'[[shelf]]\nname = "shelf-{shelf}"\ncapacity_g = 40_000.0\nproduct = "4006381333931"\n'
        + "".join(
            f'[[shelf.cell]]\nsensor = "scale-{2 * shelf + side}"\nzero_counts = 84_000\ncounts_per_gram = 100.0\n'
            for side in range(2)
        )
        for shelf in range(SHELVES)
    )
    worlds = "".join(
        f'[[board.shelf]]\nname = "shelf-{shelf}"\ncells = ["scale-{2 * shelf}", "scale-{2 * shelf + 1}"]\n'
        f"piece_g = {PIECE_G}\nlevel = 24\n\n"
        for shelf in range(SHELVES)
    )
    return worlds + sensors + shelves


def _idle(settings: Settings) -> float:
    """Of one core: the world's own thread, while nobody reads."""
    board = open_board(settings)
    try:
        with board.driving():
            return _busy_s(lambda: time.sleep(IDLE_S)) / IDLE_S
    finally:
        board.close()


def _chips_and_reading(settings: Settings) -> tuple[float, float]:
    """Of one core, in a process that only reads: simulated chips; drivers with the vendor's library."""
    board = open_board(settings)
    watch = ClockWatch(board.clock)
    try:
        with board.driving():
            scales = [found for found in open_sensors(settings, board) if found.name.startswith("scale-")]
            for found in scales:
                found.take(watch.now())
            meter = _metered(board)
            total_s = 0.0
            for _ in range(READS):
                time.sleep(1 / SAMPLES_PER_S)  # a fresh conversion, as in the agent
                total_s += _busy_s(lambda: [found.take(watch.now()) for found in scales])
            for found in scales:
                found.sensor.close()
    finally:
        board.close()
    per_s = SAMPLES_PER_S / READS
    return meter[0] * per_s, (total_s - meter[0]) * per_s


def _metered(board: Board) -> list[float]:
    """Processor seconds spent in the simulated wires and what hangs on them, added up as transfers go by."""
    spent_s = [0.0]
    bus: Any = board.bus("i2c-1")  # type: ignore[attr-defined]

    def meter(transfer: Callable[..., None]) -> Callable[..., None]:
        def metered(*args: Any, **keywords: Any) -> None:
            began_s = time.thread_time()
            try:
                transfer(*args, **keywords)
            finally:
                spent_s[0] += time.thread_time() - began_s

        return metered

    for name in ("writeto", "readfrom_into", "writeto_then_readfrom"):
        setattr(bus, name, meter(getattr(bus, name)))
    return spent_s


def _busy_s(act: Callable[[], object]) -> float:
    began_s = time.process_time()
    act()
    return time.process_time() - began_s
