"""wear and lean: the whole agent in real time on simulated chips, publishing to a Mosquitto.

Bytes are the kernel's account of the agent alone (write_bytes of /proc/PID/io, and at the end getrusage's), from five
seconds after its first commit until it has stopped, the last checkpoint of the database included.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, linear_regression

from chaos_parts.children import CampaignError, Mosquitto, free_port
from chaos_parts.figures import Figure

from bench_parts import rig
from bench_parts.agent import AgentProcess, make_bytecode
from bench_parts.disk import require_disk
from edge_agent.config import Settings, load
from edge_agent.domain.message import Stream
from edge_agent.service.build import open_board, open_sensors
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.storage.archive import Archive

SETTLE_S = 5.0
LOOK_S = 5.0
LONG_MIN = 30.0  # of a shorter run the growth of memory is told, and not judged
CHIP_READS = 50  # of each sensor, to tell the chips' share


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    disk = require_disk(folder)
    folder = folder / "live"
    folder.mkdir()
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        first = folder / "first"  # with files of its own: its rows are not counted
        first.mkdir()
        make_bytecode(rig.write_config(first, broker.port), first)
        config = rig.write_config(folder, broker.port)
        say(f"{' and '.join(names)}: {rig.CHANNELS} channels at 1 Hz for {args.minutes:g} minutes, on {disk}")
        found = _run(config, folder, args.minutes, say)
    finally:
        broker.stop()
    wear, lean = found
    return [*(wear if "wear" in names else ()), *(lean if "lean" in names else ())]


def _run(config: Path, folder: Path, minutes: float, say: Callable[[str], None]) -> tuple[list[Figure], list[Figure]]:
    settings = load(config)
    directory = Path(settings.storage.directory)
    agent = AgentProcess(config, folder)
    ready_at_s = time.monotonic()
    try:
        time.sleep(SETTLE_S)
        rows_before, began_s = _rows(directory), time.monotonic()
        written, processor_s = agent.written_bytes(), agent.processor_s()
        memory = []
        while (ran_s := time.monotonic() - began_s) < 60 * minutes:
            time.sleep(min(LOOK_S, 60 * minutes - ran_s))
            memory.append((time.monotonic() - began_s, agent.rss_mib()))
            if len(memory) % 24 == 0:
                say(f"  {memory[-1][0] / 60:.0f} min: {memory[-1][1]:.1f} MiB")
        busy = (agent.processor_s() - processor_s) / (time.monotonic() - began_s)
        peak_mib, during = agent.peak_mib(), agent.written_bytes() - written
    finally:
        ended, lived_s = agent.stop(), time.monotonic() - ready_at_s
    if ended.exit_code:
        raise CampaignError(f"the agent ended with {ended.exit_code}:\n{agent.log()}")
    rows = _rows(directory)
    readings = 2 * (rows - rows_before)
    waiting = Archive.open(directory).stats().streams[Stream.TELEMETRY].pending
    total = ended.written_bytes - written
    wear = [
        Figure("readings kept, of those due", round(100 * rows / (rig.ROOMS * lived_s), 1), "%", ">= 99"),
        Figure("telemetry the broker has not acknowledged at the end", waiting, "rows", "0"),
        Figure("bytes written per reading, publishing included", round(total / readings, 1), "bytes", "<= 150"),
        Figure("  of these before the stop", round(during / readings, 1), "bytes"),
        Figure("bytes written a day at this rate", round(total / readings * 16 * 86_400 / 1e6), "MB"),
    ]
    return wear, _lean(settings, agent.ready_s, busy, peak_mib, memory, minutes)


def _lean(
    settings: Settings,
    ready_s: float,
    busy: float,
    peak_mib: float,
    memory: Sequence[tuple[float, float]],
    minutes: float,
) -> list[Figure]:
    chips = _chips_share(settings)
    later = memory[len(memory) // 4 :]  # the first quarter fills caches
    slope = linear_regression(*zip(*later, strict=True)).slope * 3600 if len(later) > 2 else 0.0
    flat = "<= 1" if minutes >= LONG_MIN else ""
    return [
        Figure("processor, of one core", round(100 * busy, 2), "%", "<= 1.5"),
        Figure("  of this simulated chips and their world", round(100 * chips, 2), "%"),
        Figure("memory (RSS), highest", round(peak_mib, 1), "MiB", "<= 64"),
        Figure("memory (RSS), mean", round(fmean(mib for _, mib in memory), 1), "MiB"),
        Figure(f"growth of memory, over {minutes:g} min", round(slope, 2), "MiB/h", flat),
        Figure("ready: first cycle committed", round(ready_s, 2), "s after the start", "<= 1.5"),
    ]


def _rows(directory: Path) -> int:
    stats = Archive.open(directory).stats()
    return stats.streams[Stream.TELEMETRY].last_seq


def _chips_share(settings: Settings) -> float:
    """Of one core: what the same reads a second, and the world's own thread, cost in a process that does only that."""
    board = open_board(settings)
    watch = ClockWatch(board.clock)
    try:
        with board.driving():
            idle_s = _busy_s(lambda: time.sleep(3.0)) / 3.0
            polled = open_sensors(settings, board)
            for found in polled:
                found.take(watch.now())
            reads = _busy_s(lambda: [found.take(watch.now()) for _ in range(CHIP_READS) for found in polled])
            for found in polled:
                found.sensor.close()
    finally:
        board.close()
    return idle_s + reads / CHIP_READS


def _busy_s(act: Callable[[], object]) -> float:
    began_s = time.process_time()
    act()
    return time.process_time() - began_s
