"""fridge-door: a refrigerator at 1 Hz through drivers and decisions, and its door against a detector of its own.

The sensor was carried into the refrigerator and out of it, four times; nobody wrote down when the door was open. The
judge reads the CSV by itself. Room air holds more water than cold air: where the vapour pressure rises by 5 % within
20 s, and the air is at least 5 K colder than the room was, the door was opened; openings within a minute are one. Each
must be found within two minutes. Any other is false, but for those while the sensor was put in (the vapour falls by
as much): a door was opened then, and nobody who starts in a warm room can know of what. The pressure, which the agent
does not look at, is a witness: a door that moves shows as a glitch of 0.22 hPa.

  scripts/bench fridge-door --plot DIR     the four runs, with what was found
"""

import argparse
import csv
import gzip
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from chaos_parts.figures import Figure, skipped
from numpy.typing import NDArray

from bench_parts.climate import data_folder
from bench_parts.fridge_door_agent import openings_of
from bench_parts.weighing_pictures import drawing

FILE = "fridge_door_1hz/fridge_door_1hz.csv.gz"
WITHIN_S, RISE, FALL = 20.0, 1.05, 0.97
COLDER_K = 5.0
ONE_S = 60.0  # openings so close are one
FOUND_S = 120.0
EARLY_S = 15.0  # the agent may see it before the vapour has risen by so much
GLITCH_HPA, GLITCH_WITHIN_S = 0.22, 30.0


@dataclass(frozen=True, slots=True)
class Run:
    name: str
    at_s: NDArray[np.float64]
    air_c: NDArray[np.float64]
    humidity_pct: NDArray[np.float64]
    pressure_hpa: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    found: tuple[tuple[float, float], ...]  # (opened, told)
    missed: tuple[float, ...]
    false: tuple[float, ...]
    put_in: tuple[float, ...]
    witnessed: tuple[float, ...]  # openings at which the pressure glitched


def runs_of(source: Path) -> list[Run]:
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    with gzip.open(source, "rt", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.strptime(row["t"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            rows[row["run"]].append((at.timestamp(), *(float(row[key]) for key in ("temp_c", "rh_pct", "press_hpa"))))
    return [Run(name, *np.array(readings).T) for name, readings in rows.items()]


def vapour_pa(run: Run) -> NDArray[np.float64]:
    """Over water, Magnus form."""
    return run.humidity_pct / 100 * 610.94 * np.exp(17.625 * run.air_c / (243.04 + run.air_c))


def openings(run: Run) -> list[float]:
    vapour = vapour_pa(run)
    before = np.interp(run.at_s - WITHIN_S, run.at_s, vapour)
    cold = np.interp(run.at_s - WITHIN_S, run.at_s, run.air_c) <= _warmest_so_far(run) - COLDER_K
    return _first_of_each(run.at_s[(vapour >= RISE * before) & cold])


def put_in(run: Run) -> list[float]:
    """Into the cold: the vapour falls while the air is about as warm as the room."""
    vapour = vapour_pa(run)
    before = np.interp(run.at_s - WITHIN_S, run.at_s, vapour)
    warm = np.interp(run.at_s - WITHIN_S, run.at_s, run.air_c) > _warmest_so_far(run) - COLDER_K
    return _first_of_each(run.at_s[(vapour <= FALL * before) & warm & (run.air_c < _warmest_so_far(run) - 0.2)])


def _warmest_so_far(run: Run) -> NDArray[np.float64]:
    return np.maximum.accumulate(run.air_c)


def _first_of_each(at_s: NDArray[np.float64]) -> list[float]:
    if not len(at_s):
        return []
    return [float(at_s[0]), *(float(one) for one in at_s[1:][np.diff(at_s) > ONE_S])]


def is_witnessed(run: Run, at_s: float) -> bool:
    """The pressure jumped: against the median of half a minute."""
    near = np.abs(run.at_s - at_s) <= GLITCH_WITHIN_S
    return bool(np.any(np.abs(run.pressure_hpa[near] - np.median(run.pressure_hpa[near])) >= GLITCH_HPA))


def judge(run: Run, told_s: Sequence[float]) -> Verdict:
    """``told_s``: when the agent saw each of its openings."""
    opened, entered = openings(run), put_in(run)
    found, left = [], list(told_s)
    for at_s in opened:
        mine = next((one for one in left if -EARLY_S <= one - at_s <= FOUND_S), None)
        if mine is not None:
            left.remove(mine)
            found.append((at_s, mine))
    false = [told for told in left if not any(-ONE_S <= told - at_s <= FOUND_S for at_s in (*entered, *opened))]
    met = [at_s for at_s, _ in found]
    return Verdict(
        tuple(found),
        tuple(at_s for at_s in opened if at_s not in met),
        tuple(false),
        tuple(entered),
        tuple(at_s for at_s in opened if is_witnessed(run, at_s)),
    )


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    logging.getLogger("edge_agent").setLevel(logging.CRITICAL)
    data = data_folder()
    source = data / FILE if data else None
    if source is None or not source.exists():
        say(f"fridge-door: SKIPPED: no {FILE} (EDGE_AGENT_DATA names the folder of the data)")
        return [skipped("a refrigerator's door", "its recording is not here")]
    began_s = time.monotonic()
    told = openings_of(source)
    say(f"fridge-door: played in {time.monotonic() - began_s:.0f} s")
    verdicts = []
    for run in runs_of(source):
        mine = [one for one in told if run.at_s[0] <= one <= run.at_s[-1]]
        verdicts.append(judge(run, mine))
        for line in _account(run, verdicts[-1]):
            say(f"fridge-door: {run.name}: {line}")
        if args.plot:
            say(f"fridge-door: {drawing('fridge_door_plot').draw(Path(args.plot), run, verdicts[-1])}")
    found, missed = sum(len(one.found) for one in verdicts), sum(len(one.missed) for one in verdicts)
    return [
        Figure("openings of the door, found", found, f"of {found + missed}", str(found + missed)),
        Figure("  of these and the missed, with a glitch of the pressure", sum(len(one.witnessed) for one in verdicts)),
        Figure("false openings", sum(len(one.false) for one in verdicts), "", "0"),
    ]


def _account(run: Run, verdict: Verdict) -> Iterator[str]:
    def minute(at_s: float) -> str:
        glitch = ", the pressure too" if is_witnessed(run, at_s) else ""
        return f"minute {(at_s - run.at_s[0]) / 60:.1f}{glitch}"

    yield from (f"opened at {minute(at_s)}: found {told - at_s:.0f} s later" for at_s, told in verdict.found)
    yield from (f"opened at {minute(at_s)}: MISSED" for at_s in verdict.missed)
    yield from (f"FALSE at {minute(at_s)}" for at_s in verdict.false)
    yield from (f"put into the refrigerator at {minute(at_s)}" for at_s in verdict.put_in)
