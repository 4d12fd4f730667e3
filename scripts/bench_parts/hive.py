"""hive: five real scales at five minutes, through the whole agent, against a detector of its own.

The detector reads the CSV by itself and believes nothing the agent says. It knows levels only: two readings or more of
which each is within 0.1 kg of the one before. Two levels that differ by more than 1 kg are a load or an unload that
must be told, right to 0.2 kg, within 45 minutes; after a level of two or three readings, one event for both changes is
right as well. What a single reading shows in passing is no level. A change of less than 1 kg may be told or not. Less
than a tenth of what usually lies there is no stock: it must be told as a fault, and no event may leave the ledger
there. Any other event is false, be it drift, the swing of a day, or a level that never was.

  scripts/bench hive --plot DIR     the weights with what was told of them, one picture for each scale

What was judged by eye stands in docs/recorded-scales.md.
"""

import argparse
import csv
import gzip
import json
import logging
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from chaos_parts.figures import Figure, skipped

from bench_parts.climate import data_folder
from bench_parts.weighing_judge import Movement, Published, Rules, judged
from bench_parts.weighing_pictures import drawing
from edge_agent.config import load
from edge_agent.mqtt.consumer import Consumer, Kind
from edge_agent.service.replaying import replay

ROOT = Path(__file__).resolve().parents[2]
CONFIG, FILE = "hive.toml", "hive_scale_tucson2022/hive_scale_5min.csv.gz"
QUIET_KG, LEAST_KG = 0.1, 1.0
LEVEL_READINGS = 2
TOLD_S = 2700.0  # for the agent to be sure, from the first reading of a level
RULES = Rules(off_g=200.0, off_share=0.0, close_s=0.0, either_s=900.0, window_s=TOLD_S)
NOTHING = 0.1  # of the usual weight
STOCK_KINDS = ("restock", "pick", "move", "removal", "return", "water-loss", "damage", "unexplained")

Reading = tuple[float, float]  # (Unix seconds, kg)


@dataclass(frozen=True, slots=True)
class Level:
    start_s: float
    end_s: float
    first_kg: float
    last_kg: float


@dataclass(frozen=True, slots=True)
class Change:
    """From one level to the next."""

    start_s: float  # the last reading before
    end_s: float  # the first one after
    delta_kg: float


@dataclass(frozen=True, slots=True)
class DropOut:
    start_s: float
    end_s: float
    lowest_kg: float


@dataclass(frozen=True, slots=True)
class Told:
    at_s: float  # when it was published
    kind: str
    delta_kg: float
    after_kg: float


@dataclass(slots=True)
class Heard:
    """What the agent said of one scale."""

    events: list[Told] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)  # (since, words)


@dataclass(frozen=True, slots=True)
class Verdict:
    found: tuple[Change, ...]
    missed: tuple[Change, ...]
    false: tuple[Told, ...]
    drop_outs: tuple[DropOut, ...]
    silent: tuple[DropOut, ...]  # no fault was told
    sold: tuple[DropOut, ...]  # told as stock


# --- the detector -------------------------------------------------------------------------------------------------


def readings_of(source: Path) -> dict[str, list[Reading]]:
    """Of each scale, in order of time; rows without a time and a number are left out."""
    found: dict[str, list[Reading]] = defaultdict(list)
    with gzip.open(source, "rt", newline="") as file:
        for row in csv.DictReader(file):
            try:
                at = datetime.strptime(row["time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                found[row["hive"]].append((at.timestamp(), float(row["weight_kg"])))
            except (TypeError, ValueError, KeyError):
                continue
    return {name: sorted(readings) for name, readings in sorted(found.items())}


def drop_outs_of(readings: Sequence[Reading]) -> list[DropOut]:
    usual_kg = statistics.median(kg for _, kg in readings)
    found: list[DropOut] = []
    was_low = False
    for at_s, kg in readings:
        is_low = kg < NOTHING * usual_kg
        if is_low and was_low:
            found[-1] = DropOut(found[-1].start_s, at_s, min(found[-1].lowest_kg, kg))
        elif is_low:
            found.append(DropOut(at_s, at_s, kg))
        was_low = is_low
    return found


def levels_of(readings: Sequence[Reading], drop_outs: Sequence[DropOut] = ()) -> list[Level]:
    """Stretches of quiet readings; drop-outs end one and are none."""
    low = {at_s for drop_out in drop_outs for at_s, _ in readings if drop_out.start_s <= at_s <= drop_out.end_s}
    runs: list[list[Reading]] = [[]]
    for at_s, kg in readings:
        if at_s in low:
            runs.append([])
        elif runs[-1] and abs(kg - runs[-1][-1][1]) > QUIET_KG:
            runs.append([(at_s, kg)])
        else:
            runs[-1].append((at_s, kg))
    return [_level(run) for run in runs if len(run) >= LEVEL_READINGS]


def _level(run: Sequence[Reading]) -> Level:
    weights = [kg for _, kg in run]
    return Level(run[0][0], run[-1][0], statistics.median(weights[:3]), statistics.median(weights[-3:]))


def changes_of(levels: Sequence[Level]) -> list[Change]:
    return [Change(before.end_s, after.start_s, after.first_kg - before.last_kg) for before, after in pairwise(levels)]


# --- the judgement ------------------------------------------------------------------------------------------------


def judge(readings: Sequence[Reading], heard: Heard) -> Verdict:
    """With the alignment of `scripts/bench weighing`, in grams; a change is there from the last reading before it."""
    drop_outs = drop_outs_of(readings)
    movements = [_movement(change) for change in changes_of(levels_of(readings, drop_outs))]
    stock = [event for event in heard.events if event.kind in STOCK_KINDS]
    events = [Published(event.at_s, event.kind, 1000 * event.delta_kg) for event in stock]
    found = judged(movements, events, RULES)
    silent = [one for one in drop_outs if not _is_told(one, heard)]
    lowest_kg = NOTHING * statistics.median(kg for _, kg in readings)
    sold = [one for one in drop_outs if any(_is_sold(one, event, lowest_kg) for event in stock)]
    return Verdict(
        found=tuple(_change(match.movement) for match in found.found),
        missed=tuple(_change(movement) for movement in found.missed),
        false=tuple(stock[events.index(event)] for event in found.false),
        drop_outs=tuple(drop_outs),
        silent=tuple(silent),
        sold=tuple(sold),
    )


def _movement(change: Change) -> Movement:
    """Below LEAST_KG nothing is asked for; what is told of it must be right."""
    delta_g = 1000 * change.delta_kg
    units = 0 if abs(change.delta_kg) <= LEAST_KG else 1 if delta_g > 0 else -1
    kind = "restock" if delta_g > 0 else "pick"
    return Movement(change.start_s, change.end_s, delta_g, units, kind if units else "touch", delta_g)


def _change(movement: Movement) -> Change:
    return Change(movement.start_s, movement.end_s, movement.delta_g / 1000)


def _is_told(drop_out: DropOut, heard: Heard) -> bool:
    return any(drop_out.start_s - 1 <= at_s <= drop_out.end_s + TOLD_S for at_s, _ in heard.faults)


def _is_sold(drop_out: DropOut, event: Told, lowest_kg: float) -> bool:
    return drop_out.start_s <= event.at_s <= drop_out.end_s + TOLD_S and event.after_kg < lowest_kg


# --- the agent ----------------------------------------------------------------------------------------------------


def heard_of(source: Path, folder: Path) -> dict[str, Heard]:
    """Events and faults of each scale, by the name of its hive, from the agent's messages."""
    messages = folder / "hive.jsonl"
    with messages.open("wb") as out:
        replay(load(ROOT / "config" / "replay" / CONFIG), [str(source)], out, str(folder / "hive"), threading.Event())
    heard: dict[str, Heard] = defaultdict(Heard)
    consumer = Consumer(from_start=True)
    for line in _lines(messages):
        taken = consumer.take(line["topic"], json.dumps(line["payload"]).encode())
        if taken.kind is Kind.NEW:
            for record in taken.records:
                _hear(heard, record, datetime.fromisoformat(line["at"]).timestamp())
    messages.unlink()
    return heard


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def _hear(heard: dict[str, Heard], record: Mapping[str, Any], published_s: float) -> None:
    name = str(record.get("shelf", "")).removeprefix("hive-")
    if "balance_after" in record:
        after_g = record["balance_after"]["net_g"]
        delta_kg = (record["delta_g"] or 0.0) / 1000
        heard[name].events.append(Told(published_s, record["kind"], delta_kg, (after_g or 0.0) / 1000))
    elif "balance" in record and record.get("fault"):
        heard[name].faults.append((published_s, record["fault"]))


# --- the part -----------------------------------------------------------------------------------------------------


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    logging.getLogger("edge_agent").setLevel(logging.CRITICAL)  # the recording's faults are told below, as figures
    data = data_folder()
    source = data / FILE if data else None
    if source is None or not source.exists():
        say(f"hive: SKIPPED: no {FILE} (EDGE_AGENT_DATA names the folder of the data)")
        return [skipped("five hive scales", "their recording is not here")]
    recorded = readings_of(source)
    began_s = time.monotonic()
    heard = heard_of(source, folder)
    say(f"hive: {sum(map(len, recorded.values()))} readings in {time.monotonic() - began_s:.0f} s")
    figures: list[Figure] = []
    for name, readings in recorded.items():
        verdict = judge(readings, heard[name])
        for line in _account(name, verdict):
            say(line)
        figures += _figures(name, verdict)
        if args.plot:
            say(f"hive: {drawing('hive_plot').draw(Path(args.plot), name, readings, heard[name], verdict)}")
    return figures


def _account(name: str, verdict: Verdict) -> Iterator[str]:
    for words, some in (("missed", verdict.missed), ("false", verdict.false), ("not told as a fault", verdict.silent)):
        for one in some:
            at_s = one.at_s if isinstance(one, Told) else one.start_s
            yield f"hive {name}: {words} at {datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}: {one}"


def _figures(name: str, verdict: Verdict) -> list[Figure]:
    must, dropped = len(verdict.found) + len(verdict.missed), len(verdict.drop_outs)
    return [
        Figure(f"{name}: loads and unloads above 1 kg, found", len(verdict.found), f"of {must}", str(must)),
        Figure(f"{name}: false events, drift and daily swing included", len(verdict.false), "events", "0"),
        Figure(f"{name}: drop-outs told as a fault", dropped - len(verdict.silent), f"of {dropped}", str(dropped)),
        Figure(f"{name}: drop-outs told as stock", len(verdict.sold), "", "0"),
    ]
