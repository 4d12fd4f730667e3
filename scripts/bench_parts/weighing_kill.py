"""weighing-kill: the agent killed by SIGKILL at random moments around movements on its shelves.

Each life of the agent has eight shelves (their counts come without driver and chip, which would take 2 s each to set
up; worker, cycle, store and publisher are the real ones). On every shelf something is put or taken at a moment of
its own between four and a half seconds before the kill and two after it, hands and all: so one kill hits
eight movements, each at another place of its way to the disk, and --times counts these. What happens after the kill
happens to a shelf that nobody watches. When the next life has come to rest, the ledger in the file must be what
lies there.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chaos_parts.children import Agent, CampaignError, comes_true, free_port
from chaos_parts.committed import Committed
from chaos_parts.figures import Figure

from bench_parts.shelf_agent import Loads
from bench_parts.shelves import PIECE_G, shelf_name, write_config

TIMES = 500
MANY = 100  # of so few movements it is chance where the kill finds them
SHELVES = 8
SEED = 3
EARLIEST_S, LATEST_S = 4.5, -2.0  # of a movement's end, before the kill
WATCHED_S = 5.0  # from rest to the kill
REST_S = 30.0  # at most, from ready until every shelf rests and what is different is told
LOOK_S = 0.25
PIECE_SD_G = 4.0
FIRST = 12  # pieces on each shelf
MOST = 40


@dataclass(frozen=True, slots=True)
class Step:
    """A hand comes, presses, and leaves another load."""

    at_s: float  # when the hand comes, before or after the kill
    hand_s: float
    force_g: float
    shelf: int
    pieces: int
    grams: float

    @property
    def over_s(self) -> float:
        return self.at_s + self.hand_s


@dataclass(slots=True)
class Tally:
    kills: int = 0
    moments: int = 0
    told_before: int = 0  # movements whose event was on the disk when the kill came
    underway: int = 0  # movements that had begun, and were not on the disk
    unwatched: int = 0  # movements after the kill
    off: list[str] = field(default_factory=list)  # the ledger is not what lies there
    broken: list[str] = field(default_factory=list)  # a line does not go on where the last one ended
    wrong_units: list[str] = field(default_factory=list)
    safe_units: int = 0
    balances: int = 0
    within_u: int = 0  # of the balances, within two standard uncertainties
    tracebacks: int = 0


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    times = args.times or TIMES
    folder = folder / "weighing-kill"
    folder.mkdir()
    loads = Loads(folder / "loads", SHELVES)
    random, tally = Random(SEED), Tally()
    world = _World(loads, random)
    config = write_config(folder, free_port(), SHELVES, batch_s=0.5)  # nobody listens: what counts is on the disk
    ledger = _Ledger(folder / "state", world, tally)
    began_s = time.monotonic()
    while tally.moments < times:
        agent = _started(config, folder)
        try:
            ledger.settle(first=not tally.kills)
            steps = world.steps(min(SHELVES, times - tally.moments))
            killed_s = time.monotonic() + WATCHED_S
            world.play(steps, killed_s, until_s=killed_s)
        finally:
            agent.kill()
        tally.tracebacks += agent.tracebacks
        tally.kills += 1
        tally.moments += len(steps)
        ledger.note(steps)
        world.play(steps, killed_s, until_s=float("inf"))
        if tally.kills % 10 == 0:
            say(f"weighing-kill: {tally.moments} of {times} movements, {tally.kills} kills")
    agent = _started(config, folder)
    try:
        ledger.settle()
    finally:
        agent.stop()
    return _figures(tally, (time.monotonic() - began_s) / 60)


def _started(config: Path, folder: Path) -> Agent:
    loads = str(folder / "loads")
    agent = Agent(config, folder / "agent.log", ("bench_parts.shelf_agent", str(config), loads, "--bare"))
    agent.wait_until_ready()
    return agent


class _World:
    """What lies on the shelves, to the gram."""

    def __init__(self, loads: Loads, random: Random) -> None:
        self._loads, self._random = loads, random
        self.pieces = [[self._piece() for _ in range(FIRST)] for _ in range(SHELVES)]
        self._show()

    def _piece(self) -> float:
        return self._random.gauss(PIECE_G, PIECE_SD_G)

    def _show(self) -> None:
        for shelf in range(SHELVES):
            self._loads[shelf] = self.grams(shelf)

    def grams(self, shelf: int) -> float:
        return sum(self.pieces[shelf])

    def steps(self, count: int) -> list[Step]:
        """One on each of so many shelves; times are relative to the kill."""
        found = []
        for shelf in self._random.sample(range(SHELVES), count):
            there = self.pieces[shelf]
            puts = self._random.random() < 0.5 if 4 < len(there) < MOST else len(there) <= 4
            number, grams = self._random.randint(1, 4), sum(there)
            if puts:
                there += [self._piece() for _ in range(number)]
            else:
                for _ in range(number):
                    there.pop(self._random.randrange(len(there)))
            hand_s = self._random.uniform(0.3, 1.5)
            over_s = -self._random.uniform(LATEST_S, EARLIEST_S)
            force_g = self._random.uniform(200, 1500)
            pieces = number if puts else -number
            found.append(Step(over_s - hand_s, hand_s, force_g, shelf, pieces, sum(there) - grams))
        return found

    def play(self, steps: Sequence[Step], killed_s: float, until_s: float) -> None:
        """Move what is due until then; a hand trembles."""
        end_s = min(until_s, killed_s + max(step.over_s for step in steps) + 0.05)
        while (now_s := time.monotonic()) < end_s:
            for step in steps:
                self._loads[step.shelf] = self._seen_g(step, now_s - killed_s)
            time.sleep(0.02)
        if until_s == float("inf"):
            self._show()

    def _seen_g(self, step: Step, since_s: float) -> float:
        if since_s < step.at_s:
            return self.grams(step.shelf) - step.grams
        if since_s < step.over_s:
            return self.grams(step.shelf) - step.grams + step.force_g * self._random.uniform(0.6, 1.4)
        return self.grams(step.shelf)


class _Ledger:
    """The lines in the agent's file, held against what lies there."""

    def __init__(self, state: Path, world: _World, tally: Tally) -> None:
        self._state, self._world, self._tally = state, world, tally
        self._committed = Committed()
        self._checked = 0  # lines that were looked at
        self._last: dict[str, Mapping[str, Any]] = {}  # newest line

    def _lines(self) -> list[Mapping[str, Any]]:
        self._committed.look_at_running(self._state)
        return self._committed.of_stream("event")

    def settle(self, *, first: bool = False) -> None:
        """Wait until every shelf rests (what is different then is told in that very cycle), then compare."""
        since_ms = 1000 * time.monotonic()
        if not comes_true(lambda: self._rests(since_ms), REST_S):
            raise CampaignError(f"the shelves do not come to rest within {REST_S:g} s")
        lines = self._lines()[self._checked :]
        self._checked += len(lines)
        if first and lines:
            raise CampaignError(f"an event before anything moved: {lines[0]}")
        for line in lines:
            self._follow(line)
        for shelf in range(SHELVES):
            self._compare(shelf)

    def _rests(self, since_ms: float) -> bool:
        """A shelf's first rest after a start is told."""
        time.sleep(LOOK_S)
        self._committed.look_at_running(self._state)
        told = {
            stock["shelf"]
            for stock in self._committed.of_stream("stock")
            if stock["stable"] and stock["mono_ms"] > since_ms
        }
        return len(told) == SHELVES

    def note(self, steps: Sequence[Step]) -> None:
        """After a kill: how far each movement had come."""
        self._committed.look(self._state)
        told = Counter(line["shelf"] for line in self._committed.of_stream("event")[self._checked :])
        for step in steps:
            if step.at_s > 0:
                self._tally.unwatched += 1
            elif told[shelf_name(step.shelf)]:
                self._tally.told_before += 1
            else:
                self._tally.underway += 1

    def _follow(self, line: Mapping[str, Any]) -> None:
        """Each line begins where the last one ended; by then the scale may know it better, within its uncertainty."""
        last, self._last[line["shelf"]] = self._last.get(line["shelf"]), line
        if last is None:
            return
        ended, begins = last["balance_after"], line["balance_before"]
        if abs(begins["net_g"] - ended["net_g"]) > 3 * (ended["u_g"] + begins["u_g"]):
            self._tally.broken.append(f"{line['shelf']}: {ended['net_g']:g} g, then {begins['net_g']:g} g")

    def _compare(self, shelf: int) -> None:
        name, tally, world = shelf_name(shelf), self._tally, self._world
        last = self._last.get(name)
        if last is None:
            return
        balance, lies_g = last["balance_after"], world.grams(shelf)
        off_g = balance["net_g"] - lies_g
        tally.balances += 1
        tally.within_u += abs(off_g) <= 2 * balance["u_g"]
        if abs(off_g) > PIECE_G / 4:  # a movement lost or counted twice is a piece at least
            tally.off.append(f"{name}: {balance['net_g']:g} g in the ledger, {lies_g:.1f} g on the shelf")
        if balance["units"] is not None:
            tally.safe_units += 1
            if balance["units"] != len(world.pieces[shelf]):
                tally.wrong_units.append(f"{name}: {balance['units']}, not {len(world.pieces[shelf])}")


def _figures(tally: Tally, minutes: float) -> list[Figure]:
    some = (">= 1",) if tally.moments >= MANY else ()
    return [
        Figure("movements hit by a kill", tally.moments, "movements"),
        Figure("  kills, each of them at eight movements", tally.kills, "kills"),
        Figure("  movements told before the kill", tally.told_before, "movements", *some),
        Figure("  movements underway, not on the disk", tally.underway, "movements", *some),
        Figure("  movements while no agent ran", tally.unwatched, "movements"),
        Figure(f"balances that are not what lies there{_as(tally.off)}", len(tally.off), f"of {tally.balances}", "0"),
        Figure(f"lines that do not go on where the last one ended{_as(tally.broken)}", len(tally.broken), "lines", "0"),
        Figure("balances within twice their uncertainty", _share(tally.within_u, tally.balances), "%", ">= 95"),
        Figure(
            f"published numbers of pieces that are wrong{_as(tally.wrong_units)}",
            len(tally.wrong_units),
            f"of {tally.safe_units}",
            "0",
        ),
        Figure("unhandled errors in the log", tally.tracebacks, "tracebacks", "0"),
        Figure("duration", round(minutes, 1), "min"),
    ]


def _as(found: Sequence[str]) -> str:
    return f" (as {found[0]})" if found else ""


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
