"""place-cost: what it costs to watch one place, with every function on: three thermometers, humidity, a contact."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from chaos_parts.figures import Figure

from edge_agent.alerts.place import PlaceState, watch
from edge_agent.alerts.seen import Said, Seen
from edge_agent.alerts.settings import FoodSettings, PlaceSettings, Region
from edge_agent.domain.instant import Instant

PLACE = PlaceSettings(
    "cold-room",
    sensors=("a", "b"),
    core=("core",),
    door="door",
    goods=("milk", "bananas"),
    critical_low_c=-3.0,
    dry_pct=50.0,
    humid_pct=98.0,
)
FOOD = FoodSettings(Region.ENGLAND)
EVERY_S = (60.0, 2.0)
MOMENTS = 3000
SETTLING = 300  # not counted: the detectors begin to learn
CYCLE_S = 1800.0  # of the compressor
BEGIN_MS = 1_780_272_000_000


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    return [
        Figure(f"a moment of one place, a sample in {every_s:g} s, median", round(_median_us(every_s)), "us")
        for every_s in EVERY_S
    ]


def _median_us(every_s: float) -> float:
    state, took_us = PlaceState(), []
    for seen in _day(every_s):
        if state.started is None:
            state = replace(state, started=seen.at)
        began_s = time.perf_counter()
        state = watch(PLACE, FOOD, state, seen, "milk").state
        took_us.append(1e6 * (time.perf_counter() - began_s))
    return statistics.median(took_us[SETTLING:])


def _day(every_s: float) -> Iterator[Seen]:
    random = Random(1)
    for index in range(MOMENTS):
        now = Instant(round(1000 * every_s * index), BEGIN_MS + round(1000 * every_s * index), "boot")
        air_c = 3.5 + 1.5 * (every_s * index % CYCLE_S) / CYCLE_S
        said = (
            Said("a", now, air_c + random.gauss(0, 0.03), 80.0 + random.gauss(0, 0.3), raw_c=air_c),
            Said("b", now, air_c + 0.2 + random.gauss(0, 0.03), 80.0, raw_c=air_c),
            Said("core", now, 4.0 + random.gauss(0, 0.02)),
            Said("door", now, is_open=False),
        )
        yield Seen(now, said)
