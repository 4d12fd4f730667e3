"""Moments and places for the tests of this room."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.place import PlaceState, watch
from edge_agent.alerts.seen import Said, Seen
from edge_agent.alerts.settings import FoodSettings, PlaceSettings, Region
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.record import RecordKind, RecordLine

MIDNIGHT_MS = 1_795_392_000_000  # 2026-11-23T00:00:00Z
COLD_ROOM = PlaceSettings("cold-room", sensors=("air",), goods=("milk",))
ENGLAND = FoodSettings(Region.ENGLAND)
US = FoodSettings(Region.US)
EU = FoodSettings(Region.EU)


def at(seconds: float, boot: str = "boot-1", clock: ClockState = ClockState.SYNCED, *, up_s: float = 0.0) -> Instant:
    """``seconds`` since midnight; the boot began ``up_s`` after it."""
    return Instant(round(1000 * (seconds - up_s)), MIDNIGHT_MS + round(1000 * seconds), boot, clock)


def air(now: Instant, temperature_c: float, humidity_pct: float | None = None) -> Seen:
    return Seen(now, (Said("air", now, temperature_c, humidity_pct, raw_c=temperature_c),))


class Watching:
    """A place through time, and all that was said of it."""

    def __init__(self, place: PlaceSettings = COLD_ROOM, food: FoodSettings = ENGLAND) -> None:
        self.place, self.food = place, food
        self.state = PlaceState()
        self.records: list[RecordLine] = []
        self.first: dict[str, Instant] = {}  # when each condition began to hold
        self.ended: dict[str, Instant] = {}

    def see(self, seen: Seen) -> Mapping[str, Condition]:
        if self.state.started is None:
            self.state = replace(self.state, started=seen.at)
        before = {each.name for each in self.state.conditions if each.holds}
        watched = watch(self.place, self.food, self.state, seen, goods="24 x Milk 1 l")
        self.state = watched.state
        self.records += watched.records
        for each in watched.conditions:
            name = each.name.removeprefix(f"{self.place.name}-")
            if each.holds and each.name not in before:
                self.first.setdefault(name, seen.at)
            if not each.holds and each.name in before:
                self.ended[name] = seen.at
        return self.conditions()

    def conditions(self) -> Mapping[str, Condition]:
        return {each.name.removeprefix(f"{self.place.name}-"): each for each in self.state.conditions}

    def holding(self) -> set[str]:
        return {name for name, each in self.conditions().items() if each.holds}

    def live(self, course: Iterable[tuple[float, float]], *, humidity_pct: float | None = None) -> None:
        """Of (seconds since midnight, air)."""
        for seconds, air_c in course:
            self.see(air(at(seconds), air_c, humidity_pct))

    def restart(self, started: Instant) -> None:
        """A power cut: only what was kept is left."""
        self.state = PlaceState(now=self.state.kept, kept=self.state.kept, started=started)

    def lines(self, kind: RecordKind) -> list[Mapping[str, object]]:
        return [line.body for line in self.records if line.kind is kind]


def steady(begin_s: float, end_s: float, every_s: float, air_c: float) -> list[tuple[float, float]]:
    """Air that stays, from ``begin_s`` to ``end_s`` inclusive."""
    count = round((end_s - begin_s) / every_s)
    return [(begin_s + index * every_s, air_c) for index in range(count + 1)]
