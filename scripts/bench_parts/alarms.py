"""alarms: a storeroom of four zones for ninety days, normal life and planted faults, and a judge who knows the truth.

Two chilled rooms, a freezer and a store at room temperature, each with its own sensors (one chilled room with two and a
door contact, the other with neither), live through defrosts, deliveries of warm goods, people in the door and hot
days. From a seed, which the agent does not know, come faults of the building and of sensors. Drivers read simulated
chips every 30 s, and every decision is the agent's; storage and publisher are left out. Each zone has an agent of its
own, in a process of its own, so that ninety days take minutes. Staff acknowledge the alarms.
The judge (`alarms_judge.py`) uses the world's own temperatures, doors and faults, and none of the agent's code.

  scripts/bench alarms --days 10 --seed 3      a shorter campaign, another world
  scripts/bench alarms --plot DIR              each zone, with what was planted and what was raised

A compressor's time counts from when its thermostat asks for it in vain and the door has been shut for 20 min, freezing
from when the goods are at -0.5 °C.
"""

import argparse
import logging
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos_parts.figures import Figure

from bench_parts.alarms_agent import Heard, joined, run
from bench_parts.alarms_judge import HOUR_S, Row, Verdict, judge
from bench_parts.alarms_world import DAY_S, START, ZONES, config, schedule
from bench_parts.weighing_pictures import drawing

MONTH_DAYS = 30.0
TOLD_DAYS = 10
OFTEN = 3
SECONDS, MINUTES = "s", "min"
TITLES = {
    "door-left-open": "doors left open, told within 5 min",
    "compressor-fails": "compressors that stopped, told within 15 min",
    "runs-on": "goods that froze, told within 10 min",
    "compressor-wears": "failing compressors, told before they stopped",
    "evaporator-ices": "iced evaporators, told before they were thawed",
    "defrost-hangs": "defrosts that hung, told within 30 min",
    "frozen": "stuck sensors, told as such within 2 h",
    "spikes": "sensors with spikes, told as such within 30 min",
    "drift": "drifting sensor beside another, told before 3 K",
    "pinned-humidity": "wet sensors, told as such within 6 h",
    "unplugged": "sensors cut off, told within 5 min",
}


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    began_s = time.monotonic()
    with ProcessPoolExecutor(len(ZONES), multiprocessing.get_context("spawn")) as pool:
        watched = [pool.submit(_watch, zone.name, args.days, args.seed, folder) for zone in ZONES]
        heard = joined([each.result() for each in watched])
    say(f"alarms: {heard.cycles} cycles in {time.monotonic() - began_s:.0f} s")
    verdict = judge(heard.traces, heard.faults, heard.raised)
    for line in account(verdict):
        say(line)
    if args.plot:
        drawing("alarms_plot").draw(Path(args.plot), heard, verdict)
    return [*figures(verdict, args.days), *_told(heard)]


def _watch(name: str, days: float, seed: int, folder: Path) -> Heard:
    """One zone, in a process of its own."""
    logging.getLogger("edge_agent").setLevel(logging.CRITICAL)  # planted faults are told below, as figures
    path = folder / f"{name}.toml"
    zones = [zone for zone in ZONES if zone.name == name]
    path.write_text(config(days, seed, schedule(days, seed), str(folder / name), zones))

    def tell(at_s: float) -> None:
        if round(at_s / DAY_S) % TOLD_DAYS == 0:
            print(f"           alarms: {name}: day {at_s / DAY_S:.0f}", file=sys.stderr, flush=True)

    return run(path, days, tell)


# --- in words -----------------------------------------------------------------------------------------------------


def account(verdict: Verdict) -> Iterator[str]:
    """A line for each planted fault, and for each alarm without a cause."""
    for row in sorted(verdict.rows, key=lambda row: (row.fault.zone, row.fault.at_s)):
        yield f"alarms: {_row(row)}"
    for alarm in verdict.false:
        yield f"alarms: FALSE {when(alarm.at_s)} {alarm.name}: {alarm.message}"
    for name, times in Counter(alarm.name for alarm in verdict.true).most_common():
        yield f"alarms: {times} x {name}, with a cause"
    for (name, day), times in sorted(often(verdict).items()):
        yield f"alarms: AGAIN {times} x {name} on day {day}"


def _row(row: Row) -> str:
    fault = row.fault
    mark = "      " if row.due_s is None else "ok    " if row.is_found else "MISSED"
    where = fault.sensor or fault.zone
    words = f"{mark} {when(fault.at_s)} {where} {fault.kind} for {(fault.until_s - fault.at_s) / HOUR_S:.1f} h:"
    if row.told is not None:
        words += f" {row.told.name} after {span(row.told.at_s - row.since_s)}"
    elif row.due_s is None:
        words += " never came so far"
    if row.due_s is not None:
        words += f" (due after {span(row.due_s - row.since_s)})"
    believed = Counter(alarm.name for alarm in row.taken_for_place)
    return words + (f"; BELIEVED: {', '.join(believed)}" if believed else "")


def when(at_s: float) -> str:
    at = datetime.fromisoformat(START).astimezone(UTC) + timedelta(seconds=at_s)
    return f"day {at_s / DAY_S:5.2f} ({at:%d %b %H:%M})"


def span(seconds: float) -> str:
    """
    >>> span(-120.0), span(5400.0), span(200_000.0)
    ('-2 min', '1.5 h', '2.3 d')
    """
    if abs(seconds) < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR_S:.1f} h" if abs(seconds) < 2 * DAY_S else f"{seconds / DAY_S:.1f} d"


# --- in figures ---------------------------------------------------------------------------------------------------


def figures(verdict: Verdict, days: float) -> list[Figure]:
    found: list[Figure] = []
    for kind, title in TITLES.items():
        rows = [row for row in verdict.rows if row.fault.kind == kind and row.due_s is not None]
        if rows:
            found.append(Figure(title, sum(row.is_found for row in rows), f"of {len(rows)}", str(len(rows))))
            found += _delays(kind, rows)
    for zone in (*(zone.name for zone in ZONES), ""):
        false = [alarm for alarm in verdict.false if alarm.zone == zone]
        if zone or false:
            monthly = round(len(false) * MONTH_DAYS / days, 2)
            found.append(Figure(f"{zone or 'the node'}: false alarms", monthly, "a month", "<= 1"))
    believed = sum(bool(row.taken_for_place) for row in verdict.rows)
    found.append(Figure("lying sensors taken for an excursion", believed, "", "0"))
    found.append(Figure("alarms with a cause", len(verdict.true), "raised"))
    words = f"the same alarm more than {OFTEN} times in a day"
    found.append(Figure(words, len(often(verdict)), "alarms and days", "0"))
    return found


def _delays(kind: str, rows: Sequence[Row]) -> Iterator[Figure]:
    delays = [row.told.at_s - row.since_s for row in rows if row.told is not None]
    if delays and kind in ("door-left-open", "compressor-fails", "runs-on", "defrost-hangs"):
        words = f"  {kind}: time to the alarm, median / longest"
        yield Figure(words, f"{statistics.median(delays) / 60:.1f} / {max(delays) / 60:.1f}", MINUTES)


def often(verdict: Verdict) -> dict[tuple[str, int], int]:
    """(alarm, day) -> how often it was raised, where that is too often."""
    counts = Counter((alarm.name, int(alarm.at_s // DAY_S)) for alarm in (*verdict.true, *verdict.false))
    return {which: times for which, times in counts.items() if times > OFTEN}


def _told(heard: Heard) -> Iterator[Figure]:
    """Not judged: defrosts in the record against those there were."""
    for zone, defrosts in heard.defrosts.items():
        if defrosts:
            recorded = heard.recognised.get(zone, [])
            known = sum(any(begin_s <= at_s <= end_s + 2 * HOUR_S for at_s in recorded) for begin_s, end_s in defrosts)
            yield Figure(f"{zone}: defrosts in the record", known, f"of {len(defrosts)}")
