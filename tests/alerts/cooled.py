"""Rooms that are cooled, for the tests of the machines: simulated ones, drawn ones and recorded ones."""

import csv
import gzip
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from edge_agent.alerts import compressor, cooling_wear, defrost, door
from edge_agent.alerts.compressor import Followed
from edge_agent.alerts.compressor import State as CompressorState
from edge_agent.alerts.cooling_wear import State as WearState
from edge_agent.alerts.defrost import Defrost
from edge_agent.alerts.defrost import State as DefrostState
from edge_agent.alerts.door import State as DoorState
from edge_agent.alerts.moment import Moment
from edge_agent.domain.instant import ClockState, Instant
from hardware_mocks.people import ShopSettings
from hardware_mocks.rooms import RoomSettings
from hardware_mocks.storeroom import Storeroom
from hardware_mocks.truth import Truth

WALL_MS = 1_795_392_000_000  # 2026-11-23T00:00:00Z
HOUR, DAY = 3600.0, 86_400.0
DATA = Path(os.environ.get("EDGE_AGENT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "sensors"


def at(seconds: float, boot: str = "boot-1", clock: ClockState = ClockState.SYNCED) -> Instant:
    return Instant(round(1000 * seconds), WALL_MS + round(1000 * seconds), boot, clock)


def moments(air_c: Iterable[float], every_s: float, humidity_pct: Sequence[float] | None = None) -> Iterator[Moment]:
    for index, value in enumerate(air_c):
        humidity = None if humidity_pct is None else humidity_pct[index]
        yield Moment(at(index * every_s), value, None, humidity, after_s=every_s if index else 0.0)


@dataclass
class Simulated:
    every_s: float
    moments: list[Moment]
    truth: Truth


def simulated(
    kind: str,
    days: float,
    every_s: float,
    *,
    seed: int = 1,
    errands: float = 1.0,
    plan: Callable[[Storeroom], None] | None = None,
) -> Simulated:
    """A room of the simulated storeroom, seen by a sensor with 0.03 K and 0.3 % of noise; no contact at its door."""
    truth = Truth(WALL_MS / 1000)
    shop = ShopSettings(errands_per_hour=errands)
    room = RoomSettings("room", kind)
    world = Storeroom(rooms=[room], shelves=[], truth=truth, shop=shop, seed=seed, step_s=min(every_s, 10.0))
    if plan is not None:
        plan(world)
    noise = Random(seed)
    airs, humidities = [], []
    for index in range(int(days * DAY / every_s)):
        air_c, humidity = world.air("room", index * every_s)
        airs.append(air_c + noise.gauss(0, 0.03))
        humidities.append(min(100.0, humidity + noise.gauss(0, 0.3)))
    return Simulated(every_s, list(moments(airs, every_s, humidities)), truth)


@dataclass
class Watching:
    """All the detectors of the machines, one after the other, as a place asks them."""

    defrost: DefrostState = field(default_factory=DefrostState)
    door: DoorState = field(default_factory=DoorState)
    compressor: CompressorState = field(default_factory=CompressorState)
    wear: WearState = field(default_factory=WearState)
    defrosts: list[tuple[float, Defrost]] = field(default_factory=list)  # with their ends
    openings: list[tuple[float, float]] = field(default_factory=list)  # begin, and how long
    alarms: list[tuple[str, float, str]] = field(default_factory=list)  # name, when, message
    standing: set[str] = field(default_factory=set)
    followed: Followed | None = None

    def see(self, seen: Iterable[Moment]) -> "Watching":
        for moment in seen:
            self._see(moment)
        return self

    def _see(self, moment: Moment) -> None:
        now_s = (moment.at.wall_ms - WALL_MS) / 1000
        defrosted = defrost.follow(self.defrost, moment)
        self.defrost = defrosted.state
        if defrosted.ended is not None:
            self.defrosts.append((now_s, defrosted.ended))
        moment = replace(moment, is_defrosting=defrosted.is_defrosting)
        watched = door.follow(self.door, moment)
        self.door = watched.state
        if watched.closed_after_s is not None:
            self.openings.append((now_s - watched.closed_after_s, watched.closed_after_s))
        moment = replace(moment, is_door_open=watched.is_open)
        self.followed = compressor.follow(self.compressor, moment, (5.0, 8.0), 7200.0, watched.is_open is not None)
        self.compressor = self.followed.state
        worn = cooling_wear.follow(self.wear, moment)
        self.wear = worn.state
        for condition in (
            *defrost.conditions("room", defrosted),
            door.condition("room", watched),
            compressor.condition("room", self.followed),
            cooling_wear.condition("room", worn),
        ):
            if condition.holds and condition.name not in self.standing:
                self.alarms.append((condition.name, now_s, condition.message))
                self.standing.add(condition.name)
            elif not condition.holds:
                self.standing.discard(condition.name)

    def raised(self, name: str) -> list[float]:
        return [when for alarm, when, _ in self.alarms if alarm == f"room-{name}"]


def recorded(path: str) -> list[dict[str, str]]:
    file = DATA / path
    if not file.exists():
        pytest.skip(f"{file} is not here")
    with gzip.open(file, "rt") as lines:
        return list(csv.DictReader(lines))


def saveris(place: str) -> list[Moment]:
    """Seven months at 15 min; the clock's one step back is left out, as a monotonic clock would."""
    rows = recorded("saveris_coldstore/saveris_values_complete.csv.gz")
    return list(moments((float(row[place]) for row in rows if row[place]), 900.0))


def fridge() -> dict[str, list[Moment]]:
    """By run: a sensor at 1 Hz, in a refrigerator and beside it."""
    runs: dict[str, list[Moment]] = {}
    for row in recorded("fridge_door_1hz/fridge_door_1hz.csv.gz"):
        seen = runs.setdefault(row["run"], [])
        wall_ms = round(1000 * datetime.fromisoformat(row["t"]).replace(tzinfo=UTC).timestamp())
        after_s = (wall_ms - seen[-1].at.wall_ms) / 1000 if seen else 0.0
        now = Instant(wall_ms, wall_ms, "boot-1")
        seen.append(Moment(now, float(row["temp_c"]), None, float(row["rh_pct"]), after_s=after_s))
    return runs
