"""weighing-wear: bytes that busy shelves cost the card, beside what their readings cost.

The whole agent, stepped through --hours of simulated time on the disk that is to be measured, three times: the load
cells alone, shelves on them that nobody touches, and shelves with customers. Bytes are the kernel's account of this
process (write_bytes of /proc/self/io), the last checkpoint of the database included.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_parts.figures import Figure

from bench_parts import stepped_agent
from bench_parts.disk import require_disk
from bench_parts.stepped_agent import CELLS

VISITS_PER_H = 14.0  # of each shelf: as many in a day as in `scripts/bench weighing`


@dataclass(frozen=True, slots=True)
class Wear:
    mb_per_day: float
    visits: int
    commits: int
    rows: dict[str, int]  # bytes of a row of memory, by kind, as they lie in the file at the end


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    disk, hours = require_disk(folder), args.hours
    say(f"weighing-wear: {CELLS} cells at 10 samples/s for {hours:g} simulated hours, three times, on {disk}")
    folder = folder / "weighing-wear"
    bare = _worn(folder / "bare", hours, 0.0, has_shelves=False)
    say(f"weighing-wear: without shelves {bare.mb_per_day:.1f} MB/day, {bare.commits} commits")
    idle = _worn(folder / "idle", hours, 0.0)
    say(f"weighing-wear: untouched {idle.mb_per_day:.1f} MB/day, {idle.commits} commits")
    busy = _worn(folder / "busy", hours, VISITS_PER_H)
    say(f"weighing-wear: busy {busy.mb_per_day:.1f} MB/day, {busy.commits} commits")
    a_visit_kb = (busy.mb_per_day - idle.mb_per_day) * 1000 * hours / 24 / busy.visits if busy.visits else 0.0
    return [
        Figure(f"written a day for {CELLS} load cells, readings alone", round(bare.mb_per_day, 1), "MB"),
        Figure("written a day with a shelf on each, untouched", round(idle.mb_per_day, 1), "MB"),
        Figure("  of this each shelf", round((idle.mb_per_day - bare.mb_per_day) / CELLS, 2), "MB"),
        Figure(f"written a day with {VISITS_PER_H:g} visits an hour on each", round(busy.mb_per_day, 1), "MB"),
        Figure("  of this each shelf", round((busy.mb_per_day - bare.mb_per_day) / CELLS, 2), "MB"),
        Figure("  of this each visit", round(a_visit_kb, 1), "kB"),
        *(Figure(f"a row of memory, {kind}, mean", size, "bytes") for kind, size in sorted(busy.rows.items())),
    ]


def _worn(folder: Path, hours: float, visits_per_h: float, *, has_shelves: bool = True) -> Wear:
    with stepped_agent.built(folder, visits_per_h=visits_per_h, has_shelves=has_shelves) as (parts, shelves):
        stepped_agent.run(parts, 1 / 60)  # the start, with all it writes once
        before, commits = _bytes_written(), parts.keeper.commits
        stepped_agent.run(parts, hours)
        commits = parts.keeper.commits - commits
        sizes: dict[str, list[int]] = {}
        for key, value in parts.store.memory().items():
            sizes.setdefault(key.partition("/")[0], []).append(len(value))
    written = _bytes_written() - before
    rows = {kind: round(sum(found) / len(found)) for kind, found in sizes.items()}
    return Wear(written / 1e6 * 24 / hours, sum(shelf.visits for shelf in shelves), commits, rows)


def _bytes_written() -> int:
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["write_bytes"])
