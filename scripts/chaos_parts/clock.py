"""The whole agent on a simulated clock whose wall time steps, or begins in 1970 and is put right later."""

import io
import json
import tempfile
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

from chaos_parts.figures import Figure
from chaos_parts.scene import Act, Say, perform
from edge_agent.config import Settings, load
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped
from edge_agent.storage.archive import Archive
from edge_agent.storage.clocks import CREEP
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.simulated_board import SimulatedBoard, plan

SENSORS = 8
INTERVAL_S = 10
TURN_MS = 200  # a stepped run reads one sensor after another, and conversions take their time
HOUR_S, DAY_S, TEN_YEARS_S = 3600, 86_400, 3652 * 86_400
NOON_S = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
UNPLUGGED_S = 600  # air-0 is unplugged for so long, across the step
STEP_AT_S = 1800
STEPS = {"+1-hour": HOUR_S, "-1-hour": -HOUR_S, "+10-years": TEN_YEARS_S, "-30-seconds": -30}
MEMORY_DISK = Path("/dev/shm")  # simulated days of fsyncs are not what is measured

CONFIG = """
[node]
site = "chaos"
name = "n1"
[storage]
directory = "{state}"
[board]
kind = "simulated"
speed = 0.0
step_s = 60.0
[[board.fault]]
kind = "unplugged"
sensor = "air-0"
at_s = {fault_at_s}
for_s = {fault_s}
"""
SENSOR = """
[[sensor]]
name = "air-{n}"
driver = "sht3x"
interval_s = {interval_s}
bus = "i2c-{n}"
"""

Moment = Callable[[SimulatedClock], None]


@dataclass(slots=True)
class Run:
    """One life of the agent, and everything it told."""

    told: list[Mapping[str, Any]] = field(default_factory=list)  # topic, payload
    lost_in_ram: int = 0

    def records(self, stream: str) -> list[Mapping[str, Any]]:
        """In the order they were told, live and backlog."""
        bodies = [line["payload"] for line in self.told if line["payload"].get("stream") == stream]
        return [record for body in bodies for record in body.get("records", [body])]


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: quick, only."""
    days = 0.1 if args.quick else 2.0
    place = MEMORY_DISK if MEMORY_DISK.is_dir() else None

    def run(name: str, act: Act) -> list[Figure]:
        say(f"clock: {name}")
        with tempfile.TemporaryDirectory(prefix="chaos-clock-", dir=place) as folder:
            return act(Path(folder), name, days)

    return perform(ACTS, args.only, run)


# --- the stage ------------------------------------------------------------------------------------------------------


def configured(folder: Path, *, interval_s: int = INTERVAL_S) -> Settings:
    file = folder / "agent.toml"
    head = CONFIG.format(state=folder / "state", fault_at_s=STEP_AT_S - UNPLUGGED_S // 2, fault_s=UNPLUGGED_S)
    file.write_text(head + "".join(SENSOR.format(n=n, interval_s=interval_s) for n in range(SENSORS)))
    return load(file)


def live(settings: Settings, clock: SimulatedClock, seconds: float, then: Mapping[float, Moment]) -> Run:
    """So many simulated seconds; ``then`` says what happens to the clock, by seconds since the start."""
    sensors = settings.sensors
    board = SimulatedBoard(settings.board.settings, sensors, plan(settings.board.settings, sensors), clock)
    out, stop = io.BytesIO(), Event()
    waiting = dict(then)
    began_s = clock.monotonic_s()

    def connect(identity: Identity, watch: ClockWatch) -> Recorder:
        return Recorder(out, watch.now)

    def look(decision: Decision, now: Instant) -> None:
        passed_s = clock.monotonic_s() - began_s
        for at_s in [at_s for at_s in waiting if at_s <= passed_s]:
            waiting.pop(at_s)(clock)
        if passed_s >= seconds:
            stop.set()

    with board.driving():
        parts = build(settings, board, connect)
        try:
            run_stepped(parts, stop, look)
        finally:
            parts.close()
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    return Run(found, parts.keeper.samples_lost)


# --- judging --------------------------------------------------------------------------------------------------------


def complete(name: str, run: Run, seconds: float, wall_s: Callable[[Mapping[str, Any]], float]) -> list[Figure]:
    """One reading an interval and sensor, in order, each at the wall time that ``wall_s`` says of it."""
    records = run.records("telemetry")
    by_point: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_point[record["point"]].append(record)
    seqs = [record["seq"] for record in records]
    expected = int(seconds) // INTERVAL_S
    missing = sum(max(0, expected - len(found)) for found in by_point.values()) + expected * (SENSORS - len(by_point))
    off_grid = sum(
        abs(later["mono_ms"] - earlier["mono_ms"] - 1000 * INTERVAL_S) > TURN_MS
        for found in by_point.values()
        for earlier, later in pairwise(found)
    )
    wrong_s = [abs(_wall_s(record) - wall_s(record)) for record in records]
    return [
        Figure(f"{name}: readings told", len(records), "rows", f">= {expected * SENSORS}"),
        Figure(f"{name}: readings missing", missing + run.lost_in_ram, "rows", "0"),
        Figure(f"{name}: readings off their interval", off_grid, "rows", "0"),
        Figure(f"{name}: readings out of order", _inversions(seqs), "rows", "0"),
        Figure(f"{name}: readings told twice", len(seqs) - len(set(seqs)), "rows", "0"),
        Figure(f"{name}: sequence gaps", max(seqs) - len(set(seqs)), "numbers", "0"),
        Figure(f"{name}: readings with a wrong wall time", sum(off > 0.001 for off in wrong_s), "rows", "0"),
    ]


def _wall_s(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(record["ts"]).timestamp()


def _inversions(numbers: Sequence[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(numbers))


def durations(name: str, run: Run) -> list[Figure]:
    """What lasted across the step, by its instants: the unplugged sensor's alarm, and the uptime."""
    found = [r for r in run.records("alarmlog") if r["alarm"] == "sensor-air-0"]
    lasted_s = (found[1]["mono_ms"] - found[0]["mono_ms"]) / 1000 if len(found) == 2 else float("nan")
    health = run.records("health")
    uptimes = [h["uptime_s"] for h in health]
    passed = [(h["mono_ms"] - health[0]["mono_ms"]) / 1000 + uptimes[0] for h in health]
    worst_s = max(abs(told - really) for told, really in zip(uptimes, passed, strict=True))
    return [
        # Raised after three bad intervals; gone with the first good read after a back-off of up to 60 s.
        Figure(f"{name}: alarm of a sensor unplugged for {UNPLUGGED_S} s", lasted_s, "s"),
        Figure(f"{name}: its error", round(abs(lasted_s - UNPLUGGED_S), 1), "s", "<= 80"),
        Figure(f"{name}: uptime, worst error", round(worst_s, 3), "s", "<= 0.001"),
    ]


def kept(folder: Path) -> list[tuple[int, float, str]]:
    """mono_ms, wall time and clock state of every reading of temperature in the file."""
    archive = Archive.open(folder / "state")
    readings = [r for n in range(SENSORS) for r in archive.history(f"air-{n}/temperature")]
    return [(reading.at.mono_ms, reading.at.wall_ms / 1000, reading.at.clock.value) for reading in readings]


# --- acts -----------------------------------------------------------------------------------------------------------


def _step(folder: Path, name: str, days: float) -> list[Figure]:
    step_s, seconds = STEPS[name], 2 * STEP_AT_S
    clock = SimulatedClock(wall_s=NOON_S)
    stepped_ms: list[float] = []

    def step(clock: SimulatedClock) -> None:
        stepped_ms.append(clock.monotonic_s() * 1000)
        clock.step_wall(step_s)

    run = live(configured(folder), clock, seconds, {STEP_AT_S: step})

    def wall_s(record: Mapping[str, Any]) -> float:
        return NOON_S + record["mono_ms"] / 1000 + (step_s if record["mono_ms"] > stepped_ms[0] else 0)

    rows = kept(folder)
    return [
        Figure(f"{name}: steps made", len(stepped_ms), "", "1"),
        *complete(name, run, seconds, wall_s),
        *durations(name, run),
        Figure(f"{name}: readings missing in the history", len(run.records("telemetry")) - len(rows), "rows", "0"),
    ]


def _from_1970(folder: Path, name: str, days: float) -> list[Figure]:
    """Half an hour by a clock that nobody has set; then the network comes."""
    seconds, synced_ms = 2 * STEP_AT_S, []
    clock = SimulatedClock(wall_s=12.0, synchronised=False)

    def synchronise(clock: SimulatedClock) -> None:
        synced_ms.append(clock.monotonic_s() * 1000)
        clock.synchronise(NOON_S + clock.monotonic_s())

    run = live(configured(folder), clock, seconds, {STEP_AT_S: synchronise})

    def wall_s(record: Mapping[str, Any]) -> float:
        """By the wrong clock until the network came; what waited for its batch then was put right first."""
        is_early = record["mono_ms"] <= synced_ms[0] and record["clock"] != "corrected"
        return record["mono_ms"] / 1000 + (12.0 if is_early else NOON_S)

    early = Counter(r["clock"] for r in run.records("telemetry") if r["mono_ms"] <= synced_ms[0])
    late = Counter(r["clock"] for r in run.records("telemetry") if r["mono_ms"] > synced_ms[0])
    rows = kept(folder)
    wrong = sum(abs(wall - (NOON_S + mono_ms / 1000)) > 0.001 for mono_ms, wall, _ in rows)
    corrected = sum(state == "corrected" for _, _, state in rows)
    return [
        Figure(f"{name}: synchronised", len(synced_ms), "times", "1"),
        *complete(name, run, seconds, wall_s),
        *durations(name, run),
        Figure(f"{name}: told before it, saying unsynced", early["unsynced"], "rows", f">= {SENSORS * 170}"),
        Figure(f"{name}: told before it, saying synced", early["synced"], "rows", "0"),
        Figure(f"{name}: told after it, saying anything but synced", late.total() - late["synced"], "rows", "0"),
        Figure(f"{name}: rows corrected in the file", corrected, "rows", f">= {early['unsynced']}"),
        Figure(f"{name}: wrong wall times in the history", wrong, "rows", "0"),
        Figure(f"{name}: readings missing in the history", len(run.records("telemetry")) - len(rows), "rows", "0"),
    ]


def _ages_nothing(folder: Path, name: str, days: float) -> list[Figure]:
    """Days of an earlier boot are in the file when the clock goes ten years wrong for half an hour."""
    settings = configured(folder, interval_s=60)
    settings = replace(settings, board=replace(settings.board, settings=replace(settings.board.settings, fault=())))
    live(settings, SimulatedClock(wall_s=NOON_S, boot="earlier"), days * DAY_S, {})
    before, restart_s = len(kept(folder)), NOON_S + days * DAY_S + HOUR_S
    wrong = {600: lambda clock: clock.step_wall(TEN_YEARS_S), 2400: lambda clock: clock.step_wall(-TEN_YEARS_S)}
    live(settings, SimulatedClock(wall_s=restart_s, boot="later"), HOUR_S, wrong)
    rows = [row for row in kept(folder) if row[1] < restart_s]
    gone_h = (before - len(rows)) / SENSORS / 60
    return [
        Figure(f"{name}: rows of an earlier boot", before, "rows", f">= {int(0.99 * days * 1440 * SENSORS)}"),
        # An hour of wrong clock may cost a day of the oldest history, which the broker has.
        Figure(f"{name}: oldest history that aged away", round(gone_h, 1), "h", f"<= {CREEP / 2:g}"),
    ]


ACTS: Mapping[str, Act] = {
    **dict.fromkeys(STEPS, _step),
    "from-1970": _from_1970,
    "ten-years-for-half-an-hour": _ages_nothing,
}
