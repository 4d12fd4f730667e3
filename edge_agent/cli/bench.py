"""Measure this machine in some fifteen seconds: what it could do if it did nothing else.

Everything is the agent's own code: deciding, commits with fsync, rendering messages, drivers on simulated chips, and a
recording played through the whole agent. Files go into a directory of their own below --directory, and are removed.

  edge-agent bench
  edge-agent bench --directory /var/lib/edge-agent --json
"""

import argparse
import io
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge_agent.cli.common import add_json, console, positive_seconds, print_json
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import Settings, check
from edge_agent.decide import Gathered, Memory, decide
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Outcome, Queued, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.drivers.errors import BoardError
from edge_agent.mqtt.messages import Identity, render
from edge_agent.service.build import open_board, open_sensors, plan_of
from edge_agent.service.replaying import replay
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

SECONDS = 2.0  # for each figure
ROOMS = 8  # two channels each: the sixteen channels of a storeroom
ROWS_PER_S = 1000  # of a recording at 1 Hz, for each second that a figure may take
START_MS = 1_795_417_200_000
BATCH_S = 10
SHELVES = """
[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0
bus = "i2c-2"

[[shelf]]
name = "shelf-1"
capacity_g = 20_000.0
cells = [{ sensor = "scale-1", zero_counts = 84_000, counts_per_gram = 100.0 }]
"""


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        "--directory", metavar="DIR", default=".", help="on the disk that is to be measured (default: the current one)"
    )
    parser.add_argument(
        "--seconds", type=positive_seconds, default=SECONDS, metavar="S", help="for each figure (default: %(default)g)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    figures = []
    progress = Console(stderr=True)
    try:
        with (
            tempfile.TemporaryDirectory(dir=args.directory, prefix="edge-agent-bench-") as folder,
            progress.status("measuring") as status,
        ):
            for measure in MEASURES:
                status.update(f"measuring: {measure.__name__.replace('_', ' ')}")
                figures += measure(Path(folder), args.seconds)
    except OSError as error:
        raise CliError(Exit.USAGE, f"--directory {args.directory}: {error.strerror}") from error
    except (BoardError, StorageError) as error:
        raise CliError(Exit.FAULT, str(error)) from error
    if args.json:
        for figure in figures:
            print_json({"name": figure.name, "value": round(figure.value, 1), "unit": figure.unit})
        return Exit.OK
    table = Table("figure", title="This machine", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:,.1f}", figure.unit)
    console().print(table)
    return Exit.OK


# --- what is measured -----------------------------------------------------------------------------------------------


def deciding(folder: Path, seconds: float) -> list[Figure]:
    """One decision over a sample of every sensor."""
    settings = configured(simulated_config(), folder)
    plan = plan_of(settings, is_recording=False)
    memory = Memory()

    def one(number: int) -> None:
        nonlocal memory
        at = instant(number * 1000)
        memory = decide(memory, plan, Gathered(at, [*air_samples(at), scale_sample(at)])).memory

    return [Figure("decide: cycles of 16 channels and a shelf", rate(one, seconds), "cycles/s")]


def committing(folder: Path, seconds: float) -> list[Figure]:
    """Batches of ten seconds, each with its fsync; the marks of the one before ride along."""
    store = Store.open(StorageSettings(directory=str(folder / "commit")), "bench", instant(0))
    readings = 0
    before = bytes_written()

    def one(number: int) -> None:
        nonlocal readings
        last = store.last_seq(Stream.TELEMETRY)
        store.mark(Stream.TELEMETRY, range(last - BATCH_S * ROOMS + 1, last + 1), Outcome.ACCEPTED)
        seconds_of_it = range(number * BATCH_S, (number + 1) * BATCH_S)
        samples = [sample for second in seconds_of_it for sample in air_samples(instant(second * 1000))]
        store.commit(samples)
        readings += 2 * len(samples)

    try:
        commits = rate(one, seconds)
    finally:
        store.close()
    written = bytes_written()
    figures = [Figure("commit: readings on the disk, 10 s a batch", commits * 2 * ROOMS * BATCH_S, "readings/s")]
    figures.append(Figure("commit: batches, each with its fsync", commits, "commits/s"))
    if before is not None and written is not None and written > before:
        figures.append(Figure("commit: bytes written to the disk", (written - before) / readings, "bytes/reading"))
    return figures


def rendering(folder: Path, seconds: float) -> list[Figure]:
    """Telemetry messages of two readings."""
    identity = Identity("bench", "bench", "k3f9qz")
    (sample, *_) = air_samples(instant(0))
    made = rate(lambda number: render(identity, Queued(Stream.TELEMETRY, number, sample), expiry_s=180.0), seconds)
    return [Figure("render: telemetry messages", made, "messages/s")]


def reading(folder: Path, seconds: float) -> list[Figure]:
    """Through the real drivers from simulated chips: what this machine's processor does, without the bus's time."""
    settings = configured(simulated_config(), folder)
    board = open_board(settings)
    figures = []
    try:
        with board.driving():
            polled = {found.name: found for found in open_sensors(settings, board)}
            for name, words in (("room-0", "sht3x, 2 channels"), ("scale-1", "nau7802")):
                sensor = polled[name]

                def one(number: int, sensor=sensor) -> None:  # type: ignore[no-untyped-def]
                    board.clock.sleep(1.0)
                    sensor.take(instant(number * 1000))

                figures.append(Figure(f"driver: read of a simulated {words}", 1e6 / rate(one, seconds / 2), "µs"))
            for found in polled.values():
                found.sensor.close()
    finally:
        board.close()
    return figures


def replaying(folder: Path, seconds: float) -> list[Figure]:
    """A recording of 16 channels through the whole agent, at two paces."""
    figures = []
    for every_s, words in ((60, "one sample a minute"), (1, "1 Hz")):
        speed = replay_speed(folder, every_s, max(10, round(seconds * ROWS_PER_S / (1 if every_s == 1 else 2))))
        figures.append(Figure(f"replay: 16 channels, {words}", speed, "x real time"))
    return figures


MEASURES: Sequence[Callable[[Path, float], list[Figure]]] = (deciding, committing, rendering, reading, replaying)


def replay_speed(folder: Path, every_s: float, rows: int) -> float:
    """How many times faster than it was recorded a generated recording plays."""
    trace = folder / f"trace-{every_s:g}s.csv"
    write_trace(trace, every_s, rows)
    settings = configured(replay_config(every_s), folder)
    out = io.BytesIO()
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        began_s = time.perf_counter()
        summary = replay(settings, [str(trace)], out, directory, threading.Event())
        took_s = time.perf_counter() - began_s
    if summary.cycles != rows:
        raise CliError(Exit.FAULT, f"the replay played {summary.cycles} of {rows} moments")
    return summary.simulated_s / took_s


# --- what it is measured on -----------------------------------------------------------------------------------------


def rate(one: Callable[[int], object], seconds: float) -> float:
    """Calls a second, after one that warms up."""
    one(0)
    began_s = time.perf_counter()
    calls = 0
    while (took_s := time.perf_counter() - began_s) < seconds or not calls:
        calls += 1
        one(calls)
    return calls / took_s


def bytes_written() -> int | None:
    """By this process, to a disk; None where the kernel does not tell."""
    try:
        lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    except OSError:
        return None
    return int(lines["write_bytes"])


def instant(mono_ms: int) -> Instant:
    return Instant(mono_ms, START_MS + mono_ms, "bench")


def air(number: int, room: int) -> tuple[float, float]:
    """A temperature and a humidity that move: a compressor's cycle of twenty samples."""
    phase = math.sin((number + 3 * room) / 20 * 2 * math.pi)
    return round(4 + 0.6 * phase + 0.05 * room, 2), round(80 - 4 * phase, 1)


def air_samples(at: Instant) -> Iterator[Sample]:
    for room in range(ROOMS):
        name = f"room-{room}"
        temperature_c, humidity_pct = air(at.mono_ms // 1000, room)
        yield Sample(
            name,
            at,
            (
                Reading(Channel(name, "temperature"), temperature_c, at),
                Reading(Channel(name, "humidity"), humidity_pct, at),
            ),
        )


def scale_sample(at: Instant) -> Sample:
    counts = 84_000 + 100 * (5000 + at.mono_ms // 1000 % 3)
    return Sample("scale-1", at, (Reading(Channel("scale-1", "counts"), counts, at),))


def write_trace(path: Path, every_s: float, rows: int) -> None:
    """One row each ``every_s``, all rooms in it."""
    columns = ",".join(f"t{room},h{room}" for room in range(ROOMS))
    with path.open("w") as file:
        file.write(f"time,{columns}\n")
        for number in range(rows):
            at = replace(instant(0), wall_ms=START_MS + round(1000 * every_s * number))
            cells = ",".join(f"{temperature_c},{humidity_pct}" for temperature_c, humidity_pct in _row(number))
            file.write(f"{at.utc:%Y-%m-%d %H:%M:%S},{cells}\n")


def _row(number: int) -> list[tuple[float, float]]:
    return [air(number, room) for room in range(ROOMS)]


def configured(text: str, folder: Path) -> Settings:
    settings = check(text, "bench")
    if not isinstance(settings, Settings):
        raise CliError(Exit.CONFIG, "; ".join(map(str, settings)))
    return replace(settings, storage=replace(settings.storage, directory=str(folder / "state")))


def simulated_config() -> str:
    board = 'kind = "simulated"\nspeed = 0.0'
    return f"{_head(board)}{_rooms(1.0)}{SHELVES}"


def replay_config(every_s: float) -> str:
    board = 'kind = "replay"'
    return f"{_head(board)}{_sources()}{_rooms(every_s)}"


def _head(board: str) -> str:
    return f'[node]\nsite = "bench"\nname = "bench"\n\n[board]\n{board}\n'


def _sources() -> str:
    pairs = ((room, *pair) for room in range(ROOMS) for pair in (("temperature", "t"), ("humidity", "h")))
    return "".join(
        f'[[board.source]]\nsensor = "room-{room}"\nquantity = "{quantity}"\ncolumn = "{letter}{room}"\n'
        for room, quantity, letter in pairs
    )


def _rooms(interval_s: float) -> str:
    return "".join(
        f'[[sensor]]\nname = "room-{room}"\ndriver = "sht3x"\ninterval_s = {interval_s}\n'
        f"mux_address = 0x70\nmux_channel = {room}\n"
        for room in range(ROOMS)
    )
