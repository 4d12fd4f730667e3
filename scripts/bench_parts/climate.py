"""climate: recorded traces through the whole agent, and every cell looked for among what it told.

The judge reads the CSV by itself, with Python's csv module and rules of its own, and believes nothing the replay says
of it. Each row of the file must come out as one sample of each sensor it speaks of: a cell with a number as that
number within the chip's resolution, any other cell as no value, with a fault. Numbers come from the agent's messages,
live and backlog, each counted once by its sequence number.
"""

import argparse
import csv
import gzip
import json
import logging
import os
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure, skipped

from edge_agent.config import load
from edge_agent.mqtt.consumer import Consumer, Kind
from edge_agent.service.replaying import replay

ROOT = Path(__file__).resolve().parents[2]
A_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?$")
LATE_S = 1.0  # a chip that needs time is read a little after its row's stamp
ROUNDING = 0.00005 + 1e-9  # of a value in a message


@dataclass(frozen=True, slots=True)
class Column:
    """One recorded quantity and where it comes out again."""

    column: str
    point: str
    field: str  # of the message
    within: float  # the chip's resolution
    low: float  # what the chip can measure
    high: float
    scale: float = 1.0
    where: tuple[str, str] | None = None  # (column, word): only these rows
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    config: str  # below config/replay
    file: str  # below the data folder
    time_columns: tuple[str, ...]
    time_format: str
    columns: tuple[Column, ...]


PROBES = ("platform-1", "platform-2", "deepfreezer-1", "deepfreezer-2",
          *(f"freezer-{n}" for n in (1, 2, 3, 4)), "cooling-1", "cooling-2")  # fmt: skip
ROOMS = ("kitchen", "living-room", "laundry", "office", "bathroom", "outside", "ironing-room", "teenager-room",
         "parents-room")  # fmt: skip
HIVES = ("2120", "2129", "2137", "2142", "2158")
ISO = "%Y-%m-%d %H:%M:%S"


def _probe(column: str, point: str) -> Column:
    return Column(column, point, "temperature_c", 1 / 32, -55, 125)  # DS18B20: steps of 1/16 °C


RECORDINGS = (
    Recording(
        "cold store, raw export",
        "saveris.toml",
        "saveris_coldstore/saveris_values.csv.gz",
        ("date", "hour"),
        "%d/%m/%y %H:%M:%S",
        tuple(_probe(letter, point) for letter, point in zip("abcdefghij", PROBES, strict=True)),
    ),
    Recording(
        "cold store, regular grid",
        "saveris-complete.toml",
        "saveris_coldstore/saveris_values_complete.csv.gz",
        ("date",),
        ISO,
        tuple(_probe(point.replace("-", "_"), point) for point in PROBES),
    ),
    Recording(
        "refrigerator, 1 Hz",
        "fridge.toml",
        "fridge_door_1hz/fridge_door_1hz.csv.gz",
        ("t",),
        ISO,
        (  # BME280, through its compensation formulas
            Column("temp_c", "fridge", "temperature_c", 0.006, -40, 85),
            Column("rh_pct", "fridge", "humidity_pct", 0.006, 0, 100),
            Column("press_hpa", "fridge", "pressure_hpa", 0.01, 300, 1100),
        ),
    ),
    Recording(
        "nine rooms",
        "appliances.toml",
        "appliances_dht22/rooms_T_RH_10min_subset.csv.gz",
        ("date",),
        ISO,
        tuple(  # SHT3x: 175 °C and 100 % in 65535 steps
            column
            for number, room in enumerate(ROOMS, start=1)
            for column in (
                Column(f"T{number}", room, "temperature_c", 175 / 65535 / 2, -45, 130),
                Column(f"RH_{number}", room, "humidity_pct", 100 / 65535 / 2, 0, 100),
            )
        ),
    ),
    Recording(
        "five hive scales",
        "hive.toml",
        "hive_scale_tucson2022/hive_scale_5min.csv.gz",
        ("time",),
        ISO,
        tuple(  # as counts, 40 a gram: what the agent makes of them is for `scripts/bench hive`
            Column("weight_kg", f"scale-{hive}", "counts", 0.5, -(2**23), 2**23 - 1, 40_000.0, ("hive", hive), 84_000)
            for hive in HIVES
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Cell:
    stamp_s: float
    value: float | None  # None: the file has no number there


@dataclass(slots=True)
class Verdict:
    """How the cells of one recording fared."""

    rows: int = 0
    set_aside: int = 0
    valid: int = 0
    bad: int = 0
    once: int = 0  # valid cells that came, once, as they were
    wrong: int = 0  # valid cells that came as another number
    withheld: int = 0  # valid cells that came as a fault
    silent: int = 0  # of the bad ones, those that came as a fault
    invented: int = 0  # bad cells that came as numbers
    lost: int = 0  # cells of which nothing came
    extra: int = 0  # samples of which no cell is known
    late: int = 0  # samples whose time is not their row's
    steps_back: int = 0  # of the logger's clock
    farthest: float = 0.0  # from the recorded value, in resolutions


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    logging.getLogger("edge_agent").setLevel(logging.CRITICAL)  # the recordings' faults are told below, as figures
    data = data_folder()
    figures: list[Figure] = []
    wanted = [recording for recording in RECORDINGS if not args.only or args.only in recording.name]
    if not wanted:
        raise CampaignError(f"--only {args.only}: none of {', '.join(recording.name for recording in RECORDINGS)}")
    for recording in wanted:
        source = data / recording.file if data else None
        if source is None or not source.exists():
            say(
                f"climate: SKIPPED {recording.name}: no {recording.file} (EDGE_AGENT_DATA names the folder of the data)"
            )
            figures.append(skipped(recording.name, "its recording is not here"))
            continue
        say(f"climate: {recording.name}")
        figures += _judged(recording, source, folder, say)
    return figures


def data_folder() -> Path | None:
    named = os.environ.get("EDGE_AGENT_DATA")
    candidates = [Path(named)] if named else [ROOT.parent / "shared" / "data", ROOT.parent / "data"]
    for folder in candidates:
        for found in (folder / "sensors", folder):
            if found.is_dir():
                return found
    return None


def _judged(recording: Recording, source: Path, folder: Path, say: Callable[[str], None]) -> list[Figure]:
    verdict = Verdict()
    expected = read_cells(recording, source, verdict)
    began_s = time.monotonic()
    told, set_aside, simulated_s = _played(recording, source, folder)
    took_s = time.monotonic() - began_s
    judge(recording, expected, told.samples, verdict)
    say(f"  {verdict.rows} rows in {took_s:.0f} s: {simulated_s / took_s:,.0f} x real time")
    name = recording.name
    return [
        Figure(f"{name}: rows", verdict.rows, "rows"),
        Figure(f"{name}: valid cells", verdict.valid, "cells"),
        Figure(f"{name}: delivered once, as recorded", verdict.once, "cells", str(verdict.valid)),
        Figure(f"{name}: delivered as another number", verdict.wrong, "cells", "0"),
        Figure(f"{name}: farthest from the recorded value", round(verdict.farthest, 2), "resolutions", "<= 1"),
        Figure(f"{name}: lost", verdict.lost, "cells", "0"),
        Figure(f"{name}: of nowhere, or twice", verdict.extra, "samples", "0"),
        Figure(f"{name}: not at their row's time", verdict.late, "samples", "0"),
        Figure(f"{name}: bad cells (###, blank, junk, impossible)", verdict.bad, "cells"),
        Figure(f"{name}: bad cells delivered as a fault", verdict.silent, "cells", str(verdict.bad)),
        Figure(f"{name}: bad cells delivered as numbers", verdict.invented, "cells", "0"),
        Figure(f"{name}: rows set aside", set_aside, "rows", str(verdict.set_aside)),
        Figure(f"{name}: steps back of the logger's clock", verdict.steps_back, "steps"),
        Figure(f"{name}: order inversions within a stream", told.inversions, "messages", "0"),
        Figure(f"{name}: duplicates and gaps in the numbers", told.flaws, "messages", "0"),
    ]


# --- what the file says ---------------------------------------------------------------------------------------------


def read_cells(recording: Recording, source: Path, verdict: Verdict) -> dict[tuple[str, str], list[Cell]]:
    """The cells of each (point, field), in the order of the file."""
    cells: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    before_s: dict[str, float] = {}
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines)
        for row in lines:
            if not row:
                continue
            verdict.rows += 1
            stamp_s = _stamp_s(recording, header, row)
            if len(row) != len(header) or stamp_s is None:
                verdict.set_aside += 1
                continue
            by_name = dict(zip(header, row, strict=True))
            points = set()
            for column in recording.columns:
                if column.where is None or by_name[column.where[0]] == column.where[1]:
                    cells[column.point, column.field].append(Cell(stamp_s, _value(column, by_name[column.column])))
                    points.add(column.point)
            first = min(points, default=None)
            if first is not None:
                verdict.steps_back += stamp_s <= before_s.get(first, float("-inf"))
                before_s[first] = stamp_s
    return cells


def _stamp_s(recording: Recording, header: Sequence[str], row: Sequence[str]) -> float | None:
    try:
        text = " ".join(row[header.index(name)] for name in recording.time_columns)
        return datetime.strptime(text, recording.time_format).replace(tzinfo=UTC).timestamp()
    except (ValueError, IndexError):
        return None


def _value(column: Column, text: str) -> float | None:
    text = text.strip()
    if not A_NUMBER.match(text):
        return None
    value = float(text) * column.scale + column.offset
    return value if column.low <= value <= column.high else None


# --- what the agent says --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """Telemetry by point: (sequence number, time, readings)."""

    samples: dict[str, list[tuple[int, float, Mapping[str, Any]]]] = field(default_factory=lambda: defaultdict(list))
    inversions: int = 0
    flaws: int = 0


def _played(recording: Recording, source: Path, folder: Path) -> tuple[Told, int, float]:
    settings = load(ROOT / "config" / "replay" / recording.config)
    messages = folder / "messages.jsonl"
    state = folder / recording.config.removesuffix(".toml")
    with messages.open("wb") as out:
        summary = replay(settings, [str(source)], out, str(state), threading.Event())
    told = Told()
    consumer = Consumer(from_start=True)
    for line in _lines(messages):
        topic = line["topic"]
        taken = consumer.take(topic, json.dumps(line["payload"]).encode())
        if taken.kind is Kind.NEW and topic.split("/")[4] in ("telemetry", "hist"):
            for record in taken.records:
                if "readings" in record:
                    told.samples[record["point"]].append((record["seq"], _seconds(record["ts"]), record["readings"]))
    missing = sum(last - first + 1 for spans in consumer.gaps().values() for first, last in spans)
    told.inversions = sum(consumer.inversions.values())
    told.flaws = consumer.duplicates + missing + consumer.dropped() + consumer.counts[Kind.GARBAGE]
    for samples in told.samples.values():
        samples.sort(key=lambda sample: sample[0])
    messages.unlink()
    return told, len(summary.remarks), summary.simulated_s


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def _seconds(ts: str) -> float:
    return datetime.fromisoformat(ts).timestamp()


# --- judged ---------------------------------------------------------------------------------------------------------


def judge(
    recording: Recording,
    expected: Mapping[tuple[str, str], Sequence[Cell]],
    samples: Mapping[str, Sequence[tuple[int, float, Mapping[str, Any]]]],
    verdict: Verdict,
) -> None:
    """Cell by cell, the n-th of a column against the n-th sample of its point."""
    for column in recording.columns:
        cells = expected.get((column.point, column.field), ())
        came = samples.get(column.point, ())
        verdict.lost += max(0, len(cells) - len(came))
        verdict.extra += max(0, len(came) - len(cells))
        counts = Counter(cell.value is None for cell in cells)
        verdict.valid += counts[False]
        verdict.bad += counts[True]
        for cell, (_, at_s, readings) in zip(cells, came, strict=False):
            verdict.late += not -0.001 <= at_s - cell.stamp_s <= LATE_S
            _judge_cell(column, cell, readings.get(column.field, {}), verdict)


def _judge_cell(column: Column, cell: Cell, reading: Mapping[str, Any], verdict: Verdict) -> None:
    value = reading.get("value")
    if cell.value is None:
        verdict.invented += value is not None
        verdict.silent += value is None and bool(reading.get("fault"))
        return
    if value is None:
        verdict.withheld += 1
        return
    off = max(0.0, abs(value - cell.value) - ROUNDING) / column.within
    verdict.farthest = max(verdict.farthest, off)
    verdict.once += off <= 1
    verdict.wrong += off > 1
