"""Bytes that the storage writes per reading, and the processor time of its hot paths; real fsync, no waiting.

Commits follow one another, each holding what 10 s of sampling gives, marks of the batch before riding along; the final
checkpoint is counted. Linux only: the kernel's own account in /proc/self/io.
"""

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Outcome, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

_WALL_MS = 1_795_417_200_000
_BATCH_S = 10
_COMMITS = 360  # an hour
Result = dict[str, object]


def measure() -> list[Result]:
    """One dict a figure: name, value, unit, goal."""
    results = _wear("8 points of 2 channels, float64", 8, ("temperature", "humidity"), _sht3x)
    results += _wear("16 points of 1 channel, float64", 16, ("temperature",), _sht3x)
    results += _wear("8 points of 2 channels, decimals", 8, ("counts", "gross"), _scale)
    return results


def _sht3x(draw: random.Random) -> float:
    """A raw 16-bit code through the datasheet's formula: all 53 bits in use."""
    return -45 + 175 * draw.randrange(65536) / 65535


def _scale(draw: random.Random) -> float:
    return round(draw.uniform(-100, 200_000), draw.choice((0, 1)))


def _wear(what: str, points: int, quantities: tuple[str, ...], value: Callable[[random.Random], float]) -> list[Result]:
    draw = random.Random(1)
    # Days after the start, so that monotonic times have their usual length.
    batches = [_batch(draw, points, quantities, value, 500_000_000 + n * _BATCH_S * 1000) for n in range(_COMMITS)]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = Store.open(StorageSettings(directory=folder), "bench", batches[0][0].at)
        rows = len(batches[0])
        written, cpu, sent = _bytes_written(), 0.0, 0
        for batch in batches:
            store.mark(Stream.TELEMETRY, range(sent + 1, sent + rows + 1), Outcome.ACCEPTED)
            start = process_time()
            store.commit(batch)
            cpu += process_time() - start
            sent += rows
        reading = _reading_ms(store)
        store.close()
        written = _bytes_written() - written
        size = sum(file.stat().st_size for file in Path(folder).glob("agent.db*"))
    count = _COMMITS * rows
    return [
        _result(f"storage wear, {what}", written / count / len(quantities), "bytes written/reading", "<= 100"),
        _result(f"storage size, {what}", size / count / len(quantities), "bytes/reading", ""),
        _result(f"storage commit, {what}", cpu / count * 1e6, "µs CPU/row", "<= 15"),
        _result(f"storage pending 100, {what}", reading, "ms", "<= 1"),
    ]


def _batch(
    draw: random.Random, points: int, quantities: tuple[str, ...], value: Callable[[random.Random], float], mono_ms: int
) -> list[Sample]:
    samples = []
    for second in range(_BATCH_S):
        for point in range(points):
            at = Instant(mono_ms + second * 1000 + point * 7, _WALL_MS + mono_ms + second * 1000 + point * 7, "bench")
            channels = [Channel(f"point-{point}", quantity) for quantity in quantities]
            readings = tuple(Reading(channel, value(draw), at) for channel in channels)
            samples.append(Sample(f"point-{point}", at, readings))
    return samples


def _reading_ms(store: Store) -> float:
    """Best of twenty: what the code takes, not the machine's other work."""
    store.resend(Stream.TELEMETRY, 1, 2000)
    times = []
    for _ in range(20):
        start = perf_counter()
        store.pending(Stream.TELEMETRY, 0, 100)
        times.append(perf_counter() - start)
    return min(times) * 1000


def _bytes_written() -> int:
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["write_bytes"])


def _result(name: str, value: float, unit: str, goal: str) -> Result:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


if __name__ == "__main__":
    for result in measure():
        print(json.dumps(result, ensure_ascii=False))
