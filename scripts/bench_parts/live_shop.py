"""wear-shop: what lots and forecasts cost the card and the memory, beside sixteen channels at 1 Hz, in real time.

Two agents run at the same time, one as `wear` has it, the other with a shop too: first its night's work, then
deliveries, then a lot that is carried about every two minutes, which makes all lots be reckoned anew. What the second
writes more than the first is told for each of these, and reckoned for a day of 24 hours' lives and one night.
"""

import argparse
import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from chaos_parts import set_clock_board
from chaos_parts.children import CampaignError, Mosquitto, free_port, wait_for
from chaos_parts.figures import Figure
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench_parts import rig
from bench_parts.agent import AgentProcess, make_bytecode
from bench_parts.disk import require_disk
from edge_agent.domain.message import Stream
from edge_agent.mqtt.messages import ROOT
from edge_agent.storage.archive import Archive

PRODUCTS, HISTORY_D, LOTS = 50, 180, 100
ROOMS = ("room-0", "room-1")
FIRST_GTIN = 4100
PACE_S = 0.05  # between two deliveries: an inbox takes so many a cycle
SETTLE_S = 5.0
NIGHT_S = 300.0  # at most
AGAIN_S = 125.0  # from one reckoning to the next: they are a minute apart at least
FEWEST_MINUTES = 8.0  # night and deliveries, and the lives reckoned again at least once
HOURS_A_DAY = 24
A_DAY = 86_400 * rig.CHANNELS  # readings
EARLY, LATE = 0, 23  # of the night's work: the one makes today's due, the other yesterday's
KINDS = ("strawberry", "broccoli", "pear", "apple")


@dataclass(frozen=True, slots=True)
class Mark:
    """What was written, and told, up to a moment."""

    written: int
    rows: Mapping[Stream, int]

    def since(self, earlier: "Mark") -> "Mark":
        return Mark(
            self.written - earlier.written, {name: rows - earlier.rows[name] for name, rows in self.rows.items()}
        )

    @property
    def readings(self) -> int:
        return 2 * self.rows[Stream.TELEMETRY]


@dataclass(slots=True)
class Run:
    """One agent, from its first commit until it has stopped."""

    folder: Path
    agent: AgentProcess
    began_s: float
    marks: list[Mark] = field(default_factory=list)
    processor: float = 0.0  # of one core
    peak_mib: float = 0.0

    def mark(self) -> None:
        self.marks.append(Mark(self.agent.written_bytes(), _rows(self.folder)))
        self.peak_mib = max(self.peak_mib, self.agent.peak_mib())

    def end(self) -> None:
        lived_s = time.monotonic() - self.began_s
        ended = self.agent.stop()
        if ended.exit_code:
            raise CampaignError(f"the agent ended with {ended.exit_code}:\n{self.agent.log()}")
        self.marks.append(Mark(ended.written_bytes, _rows(self.folder)))
        self.processor = ended.processor_s / lived_s

    def told(self, stream: Stream) -> int:
        return _rows(self.folder)[stream] - self.marks[0].rows[stream]


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    if args.minutes < FEWEST_MINUTES:
        raise CampaignError(f"wear-shop: --minutes {args.minutes:g}: must be at least {FEWEST_MINUTES:g}")
    disk = require_disk(folder)
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    runs: list[Run] = []
    try:
        with set_clock_board.lent(folder / "path"):
            configs = [_prepared(folder / name, broker.port, name == "shop") for name in ("plain", "shop")]
            say(f"wear-shop: {PRODUCTS} products, {LOTS} lots, {args.minutes:g} minutes, on {disk}")
            try:
                runs += [_begun(config) for config in configs]
                _live(runs, broker.port, time.monotonic() + 60 * args.minutes, say)
            finally:
                for run in runs:
                    run.end()
    finally:
        broker.stop()
    return _figures(*runs)


def _live(runs: Sequence[Run], port: int, until_s: float, say: Callable[[str], None]) -> None:
    """Marks of both runs: at the start, after the night, after deliveries and their first lives, and at the end."""

    def mark(words: str) -> None:
        time.sleep(SETTLE_S)
        for run in runs:
            run.mark()
        say(f"wear-shop: {words}: {runs[1].peak_mib:.1f} MiB")

    shop = runs[1]
    wait_for(lambda: shop.told(Stream.FORECAST) >= PRODUCTS, NIGHT_S, "the night's forecasts told")
    mark("the night")
    with _client(port) as client:
        for n in range(LOTS):
            _ask(client, "receive", _delivery(n))
        wait_for(lambda: shop.told(Stream.SHELFLIFE) >= LOTS, NIGHT_S, "the lives of all lots told")
        mark("the deliveries")
        for turn in range(1_000_000):
            if time.monotonic() + AGAIN_S > until_s:
                break
            _ask(client, "move", {"lot": "L0", "place": ROOMS[turn % 2 - 1]})
            time.sleep(AGAIN_S)
        mark("lives, again and again")


def _figures(plain: Run, shop: Run) -> list[Figure]:
    quiet = plain.marks[-1].since(plain.marks[0])
    usual = plain.marks[-2].since(plain.marks[0])
    usual_bytes = usual.written / usual.readings
    checkpoints = quiet.written / quiet.readings / usual_bytes  # what the stop writes again, as a share
    night, deliveries, lives = (later.since(earlier) for earlier, later in pairwise(shop.marks[:-1]))
    more = [found.written - usual_bytes * found.readings for found in (night, deliveries, lives)]
    a_life = more[2] / max(lives.rows[Stream.SHELFLIFE], 1)
    a_day = checkpoints * (HOURS_A_DAY * LOTS * a_life + more[0])
    return [
        Figure("sensing alone, bytes a reading, the stop included", round(usual_bytes * checkpoints, 1), "bytes"),
        Figure("sensing alone, a day at this rate", round(usual_bytes * checkpoints * A_DAY / 1e6), "MB"),
        Figure(f"a night of {PRODUCTS} products: forecasts told", night.rows[Stream.FORECAST], "messages", ">= 1"),
        Figure("  written more by it", round(more[0] / 1e3), "kB"),
        Figure(f"{LOTS} deliveries by command, and the first lives: written more", round(more[1] / 1e3), "kB"),
        Figure("lives told again", lives.rows[Stream.SHELFLIFE], "messages", f">= {LOTS}"),
        Figure("  written more for each, the commands that asked for it included", round(a_life), "bytes"),
        Figure(f"a day of {LOTS} lots reckoned each hour and a night: more by", round(a_day / 1e6, 1), "MB"),
        Figure("sensing alone, processor, of one core", round(100 * plain.processor, 2), "%"),
        Figure("with the shop, its night included", round(100 * shop.processor, 2), "%"),
        Figure("sensing alone, memory (RSS), highest", round(plain.peak_mib, 1), "MiB", "<= 64"),
        Figure("with the shop, its night included", round(shop.peak_mib, 1), "MiB", "<= 100"),
    ]


# --- before -----------------------------------------------------------------------------------------------------------


def _prepared(folder: Path, port: int, has_shop: bool) -> Path:
    """The configuration; with a shop also a file that holds its sales, and no night's work of the day that is due."""
    folder.mkdir()
    config = rig.write_config(folder, port)
    node = f'name = "{folder.name}"'
    config.write_text(config.read_text().replace('name = "bench"', node, 1))
    if not has_shop:
        make_bytecode(config, folder)
        return config
    plain = config.read_text().replace('kind = "simulated"', f'kind = "{set_clock_board.KIND}"', 1)
    config.write_text(plain + _shop(EARLY))
    make_bytecode(config, folder)
    sales = folder / "sales.csv"
    sales.write_text(_sales())
    command = [sys.executable, "-m", "edge_agent.cli.main", "import", "sales", str(sales), "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CampaignError(f"wear-shop: {done.stderr[-2000:]}")
    config.write_text(plain + _shop(LATE))
    return config


def _shop(hour: int) -> str:
    places = "".join(f'[[place]]\nname = "{name}"\nkind = "ambient"\nsensors = ["{name}"]\n' for name in ROOMS)
    products = "".join(
        f'[[product]]\ngtin = "{FIRST_GTIN + n}"\nname = "Product {n}"\npiece_g = 500.0\n'
        f'keeps_like = "{KINDS[n % len(KINDS)]}"\ncategory = "c{n % 5}"\n'
        for n in range(PRODUCTS)
    )
    zone = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"  # it is noon there: no day ends meanwhile
    return f'\n[shop]\ntime_zone = "{zone}"\n[demand]\nhour = {hour}\n{places}{products}'


def _sales() -> str:
    draw, today = random.Random(1), datetime.now(UTC).date()
    lines = [
        f"{today - timedelta(days=ago)},{FIRST_GTIN + n},{draw.randrange(0, 30)}"
        for n in range(PRODUCTS)
        for ago in range(2, HISTORY_D)
    ]
    return "\n".join(["day,product,qty", *lines]) + "\n"


def _delivery(n: int) -> dict[str, object]:
    use_by = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    return {
        "product": str(FIRST_GTIN + n % PRODUCTS),
        "lot": f"L{n}",
        "supplier": f"farm-{n % 7}",
        "units": 20,
        "use_by": use_by,
        "place": ROOMS[n % 2],
    }


@contextmanager
def _client(port: int) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def _ask(client: Client, verb: str, wanted: Mapping[str, object]) -> None:
    body = json.dumps({"cmd_id": uuid.uuid4().hex, **wanted})
    client.publish(f"{ROOT}/bench/shop/cmd/{verb}", body, qos=1).wait_for_publish(10)
    time.sleep(PACE_S)


# --- the two ----------------------------------------------------------------------------------------------------------


def _begun(config: Path) -> Run:
    run = Run(config.parent, AgentProcess(config, config.parent), time.monotonic())
    run.mark()
    return run


def _rows(folder: Path) -> dict[Stream, int]:
    stats = Archive.open(folder / "state").stats()
    wanted = (Stream.TELEMETRY, Stream.SHELFLIFE, Stream.FORECAST)
    return {stream: stats.streams[stream].last_seq for stream in wanted}
