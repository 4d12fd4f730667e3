"""Power cuts while lots are received, moved, sold and thrown away: SIGKILL in the middle of anything.

The agent runs on simulated chips and a simulated clock, in a process of its own. What it has told is what counts.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_agent.decide.memory import from_rows
from edge_agent.domain.lot import Lot
from tests.lots.shops import GTIN, PRODUCT, one_shelf, places

KILLS = 3
ROOT = Path(__file__).parents[2]
STREAMS = ("event", "shelflife", "record", "rsp", "stock")
CONFIG = one_shelf(0.5, 30.0, 0.5) + places(cold_room=None, cellar="cold-room") + PRODUCT
AGENT = """
import json, random, sys
from pathlib import Path
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from tests.service.conftest import Room

folder, life, load_g, again, config, gtin, streams = (
    Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), *map(json.loads, sys.argv[4:8]))
def say(kind, found):
    sys.stdout.write(json.dumps([kind, found]) + "\\n")
    sys.stdout.flush()

room = Room(folder)
room.settings = room.configured(config)
room.clock = SimulatedClock(1_790_000_000.0 + 3600 * life, boot=f"boot-{life}")
room.climate, room.scale = Sht3xChip(room.clock, temperature_c=4.0), Nau7802Chip(room.clock, room.cell)
room.cell.load_g = load_g
draw, codes = random.Random(life), []

def pass_time(cycles):
    for _ in range(cycles):
        room.cycle(0.5)
        for message in room.send():
            payload = message["payload"] or {}  # nothing: a topic was emptied
            stream = payload.get("stream")
            for record in payload.get("records", [payload]) if stream in streams else ():
                say("told", {**record, "stream": stream})

def ask(verb, **body):
    asked = {"cmd_id": f"{life}-{verb}-{draw.getrandbits(32)}", **body}
    say("asked", [verb, asked])
    room.ask(verb, **asked)

def weigh(by_g):
    say("load_g", room.cell.load_g + by_g)
    room.cell.load_g += by_g

with room.running():
    pass_time(14)
    for verb, asked in again:  # as a redelivery would
        room.ask(verb, **asked)
    for step in range(1000):
        units = draw.randrange(6, 12)
        codes.append(f"L{life}-{step}")
        ask("receive", product=gtin, lot=codes[-1], supplier="farm-a", units=units, use_by=f"2026-12-{30 - life}")
        pass_time(1)
        if room.cell.load_g < 10_000:
            weigh(500.0 * units)
            pass_time(8)
        ask("waste", lot=codes[-1], units=1, reason="damaged")  # the scale sees it go later, or in the next life
        pass_time(draw.randrange(1, 3))
        for _ in range(3):
            ask("move", lot=draw.choice(codes), place=draw.choice(["cellar", "cold-room"]))
            if room.cell.load_g >= 2000:
                weigh(-500.0 * draw.randrange(1, 3))
                pass_time(7)
            ask("waste", lot=codes[-1], units=1, reason="spoiled")
            pass_time(draw.randrange(1, 3))
"""


class World:
    """What is outside the agent, and what was heard of it."""

    def __init__(self) -> None:
        self.load_g = 0.0
        self.asked: list[Any] = []
        self.told: dict[tuple[str, int], dict[str, Any]] = {}

    def hear(self, line: str) -> None:
        kind, found = json.loads(line)
        if kind == "load_g":
            self.load_g = found
        elif kind == "asked":
            self.asked.append(found)
        else:
            key = found["stream"], found["seq"]
            assert self.told.setdefault(key, found)["mono_ms"] == found["mono_ms"], f"{key} is two messages"

    def live(self, folder: Path, life: int, messages: int) -> None:
        """Until so many messages were told, and the power goes."""
        values = [folder, life, self.load_g, *map(json.dumps, (self.asked[-4:], CONFIG, GTIN, STREAMS))]
        command = [sys.executable, "-c", AGENT, *map(str, values)]
        path = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=path)
        with child:
            assert child.stdout is not None
            for _ in range(messages):
                line = child.stdout.readline()
                assert line, "the agent ended by itself"
                self.hear(line)
            child.send_signal(signal.SIGKILL)
            for line in child.stdout.read().splitlines(keepends=True):  # told before the power went
                if line.endswith("\n"):
                    self.hear(line)


class Kept:
    """What the file holds after a power cut."""

    def __init__(self, file: Path) -> None:
        with closing(sqlite3.connect(file)) as plain:
            self.rows = {
                stream: list(plain.execute(f"SELECT seq, mono_ms, body FROM outbox_{stream} ORDER BY seq"))
                for stream in STREAMS
            }
            rows = dict(plain.execute("SELECT key, value FROM memory"))
            (self.sold,) = plain.execute("SELECT total(qty) FROM sale WHERE source = 'ledger'").fetchone()
        self.memory = from_rows(rows)
        self.bodies = {stream: [json.loads(body) for _, _, body in found] for stream, found in self.rows.items()}

    @property
    def lots(self) -> Iterable[Lot]:
        return self.memory.register.lots.values()

    def done(self, verb: str) -> list[dict[str, Any]]:
        return [body["detail"] for body in self.bodies["rsp"] if (body["verb"], body["code"]) == (verb, "done")]


def check_messages(kept: Kept, world: World) -> None:
    for stream, rows in kept.rows.items():
        assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1)), f"{stream} has gaps"
    for (stream, seq), told in world.told.items():
        assert seq <= len(kept.rows[stream]), f"{stream} {seq} was told and is gone"
        _, mono_ms, _ = kept.rows[stream][seq - 1]
        body = kept.bodies[stream][seq - 1]
        assert (mono_ms, {key: told.get(key) for key in body}) == (told["mono_ms"], body)


def check_commands(kept: Kept) -> None:
    received, wasted = kept.done("receive"), kept.done("waste")
    amounts = Counter({detail["lot"]: detail["units"] for detail in received})
    assert len(received) == len(amounts), "one delivery was carried out twice"
    named = [lot for lot in kept.lots if lot.code]
    assert {lot.code: lot.amount for lot in named} == amounts
    assert len(named) == len(amounts)
    thrown = Counter(detail["lot"] for detail in wasted)
    assert {lot.code: lot.wasted for lot in named if lot.wasted} == pytest.approx(dict(thrown))
    kinds = Counter(body["kind"] for body in kept.bodies["record"])
    assert (kinds["delivery"], kinds["waste"]) == (len(received), len(wasted)), "each stands in the record once"


def owed(kept: Kept) -> float:
    """Pieces told as thrown away, and still on the scale."""
    return sum(draw.amount for draw in kept.memory.register.books["shelf-1"].owed)


def check_balances(kept: Kept) -> None:
    for lot in kept.lots:
        assert lot.amount == pytest.approx(lot.left + lot.drawn + lot.wasted + lot.corrected)
    events = kept.bodies["event"]
    seen: Counter[str] = Counter()
    for event in events:
        for part in event.get("lots", ()):
            seen[part["lot"]] += part["delta_units"]
    on_shelf = {lot.id: lot.on("shelf-1") for lot in kept.lots if not lot.wasted}
    assert on_shelf == pytest.approx({name: seen[name] for name in on_shelf})
    book = kept.memory.register.books["shelf-1"]
    lying = sum(lot.on("shelf-1") for lot in kept.lots) + owed(kept)
    assert book.unattributed_g is not None
    told_g = sum(event["delta_g"] for event in events)
    assert 500.0 * lying + book.unattributed_g == pytest.approx(told_g, abs=50.0)
    assert abs(book.unattributed_g) <= 50.0
    if events:
        assert book.last.split("/")[::2] == [events[-1]["kind"], str(kept.rows["event"][-1][1])]
        assert book.net_g == pytest.approx(events[-1]["balance_after"]["net_g"], abs=0.01)
    picked = -sum(event["delta_units"] for event in events if event["kind"] == "pick")
    assert kept.sold == picked


def test_after_each_power_cut_lots_sales_and_messages_tell_of_the_same(tmp_path: Path) -> None:
    draw, world = random.Random(5), World()
    for life in range(KILLS):
        world.live(tmp_path, life, draw.randrange(15, 60))
        kept = Kept(tmp_path / "agent.db")
        check_messages(kept, world)
        check_commands(kept)
        check_balances(kept)
    assert min(len(kept.done(verb)) for verb in ("receive", "move", "waste")) >= KILLS
    assert {"restock", "pick"} <= {event["kind"] for event in kept.bodies["event"]}
    assert len(kept.rows["shelflife"]) >= KILLS
