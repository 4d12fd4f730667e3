"""A shop beside the scales of the rig: goods that come, lie, go and are thrown away, a till, and new models."""

import base64
import json
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chaos_parts.children import CampaignError
from edge_agent.domain.product import check_digit
from edge_agent.inference.bundle import TYPE, packed
from edge_agent.inference.card import read_card, written
from edge_agent.mqtt.signed import encoded, envelope
from edge_agent.service.models import shipped_directory

SHELF, PIECE_G = "shelf-3", 500.0
PLACES = ("air-0", "air-1")  # where lots lie that are on no shelf
PRODUCTS = tuple(f"40063813339{n}" + check_digit(f"40063813339{n}") for n in range(6))  # of the first is a shelf
MODEL = "spoilage-q5"
KEY = Ed25519PrivateKey.from_private_bytes(b"edge-agent chaos: nobody's keys.")
HISTORY_D = 240  # of sales
MOST_G = 20_000.0
MOST_LOTS = 12  # that are talked of at a time
MOST_WASTED = 4  # pieces of one lot; less than any lot has
IMPORT_S = 60.0
LEAST_REST_S = 3.0  # of the shelf, for a scale to tell what moved
CHANGE = "change "  # and its number: why a model is changed
FIRST_VERSION = 100  # no model that was shipped is so late


def tables(zone: str, hour: int) -> str:
    """``hour``: local time at which a night's work is due; so another hour makes another day's work due."""
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    head = f"""
[shop]
time_zone = "{zone}"

[demand]
hour = {hour}

[models]
shadow_days = 0  # nobody but the campaign promotes

[[models.key]]
name = "office"
public_key = "{public}"

[[sensor]]
name = "scale-3"
driver = "nau7802"
place = "{PLACES[0]}"
interval_s = 0.1
bus = "i2c-21"
rate_sps = 80

[[shelf]]
name = "{SHELF}"
capacity_g = 60_000.0
stable_s = 0.3
product = "{PRODUCTS[0]}"

[[shelf.cell]]
sensor = "scale-3"
zero_counts = 84_000
counts_per_gram = 100.0
"""
    places = [f'[[place]]\nname = "{name}"\nkind = "ambient"\nsensors = ["{name}"]\n' for name in PLACES]
    products = [
        f'[[product]]\ngtin = "{gtin}"\nname = "Goods {number}"\npiece_g = {PIECE_G}\nkeeps_like = "strawberry"\n'
        f'category = "fruit-{number % 2}"\n'
        for number, gtin in enumerate(PRODUCTS)
    ]
    return "\n".join([head, *places, *products])


def board(hands: Path) -> Sequence[str]:
    return (
        f'hands_file = "{hands}"',
        f'[[board.shelf]]\nname = "{SHELF}"\ncells = ["scale-3"]\nlevel = 0',
    )


def noon_zone(now: datetime) -> str:
    """A time zone in which the day began half a day ago: no campaign sees it end.

    >>> noon_zone(datetime(2026, 11, 23, 3, 30, tzinfo=UTC)), noon_zone(datetime(2026, 11, 23, 22, 30, tzinfo=UTC))
    ('Etc/GMT-9', 'Etc/GMT+10')
    """
    ahead = 12 - now.hour
    return f"Etc/GMT{-ahead:+d}"


# --- people -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Grocer:
    """Wishes about goods, and hands that put them on the shelf and take them."""

    hands: Path
    random: Random
    lots: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_LOTS))
    wasted: dict[str, int] = field(default_factory=dict)
    grams: float = 0.0
    clock_s: Callable[[], float] = time.monotonic
    _lots_named: int = 0
    _changes: int = 0  # that were asked of the model
    _touched_s: float = 0.0

    def __post_init__(self) -> None:
        self._put(0.0)

    def wish(self) -> tuple[str, Mapping[str, Any]] | None:
        draw = self.random
        if self.clock_s() - self._touched_s > draw.uniform(LEAST_REST_S, 2 * LEAST_REST_S):
            self._move_goods()
        if len(self.lots) < 3:
            return self._receive()
        kinds = ("receive", "waste", "move", "outcome", "model")
        match draw.choices(kinds, (25, 30, 25, 12, 8))[0]:
            case "receive":
                return self._receive()
            case "waste":
                return self._waste()
            case "move":
                return "move", {"lot": draw.choice(self.lots), "place": draw.choice(PLACES)}
            case "outcome":
                return self._outcome()
            case _:
                return self._change_model()

    def _receive(self) -> tuple[str, Mapping[str, Any]]:
        self._lots_named += 1
        code = f"L{self._lots_named}"
        self.lots.append(code)
        use_by = datetime.now(UTC).date() + timedelta(days=self.random.randrange(2, 20))
        return "receive", {
            "product": PRODUCTS[0],
            "lot": code,
            "supplier": self.random.choice(("farm-a", "farm-b")),
            "units": self.random.randrange(MOST_WASTED + 2, 16),
            "use_by": use_by.isoformat(),
        }

    def _waste(self) -> tuple[str, Mapping[str, Any]] | None:
        code = self.random.choice(self.lots)
        units = self.random.randrange(1, 3)
        if self.wasted.get(code, 0) + units > MOST_WASTED:
            return None
        self.wasted[code] = self.wasted.get(code, 0) + units
        of_product = {"product": PRODUCTS[0]} if self.random.random() < 0.5 else {}  # who holds the box reads its code
        return "waste", {**of_product, "lot": code, "units": units, "reason": "damaged"}

    def _outcome(self) -> tuple[str, Mapping[str, Any]]:
        code = self.random.choice(self.lots)
        outcome = self.random.choice(("marked-down", "sold-fresh", "wasted"))
        if outcome != "marked-down":
            self.lots.remove(code)  # nothing more is told of it
        return "outcome", {"lot": code, "outcome": outcome} | ({"reason": "spoiled"} if outcome == "wasted" else {})

    def _change_model(self) -> tuple[str, Mapping[str, Any]]:
        number, self._changes = self._changes, self._changes + 1
        said = {"reason": f"{CHANGE}{number}"}
        if number % 2 == 0:
            return "model", {"action": "install", "bundle": bundle(version_of(number)), **said}
        return "model", {"action": self.random.choice(("promote", "promote", "rollback")), "name": MODEL, **said}

    def _move_goods(self) -> None:
        """Some pieces put down or taken, whatever anybody told."""
        pieces = self.random.randrange(1, 8)
        if self.grams + PIECE_G * pieces <= MOST_G and (self.grams < 2000 or self.random.random() < 0.4):
            self._put(self.grams + PIECE_G * pieces)
        else:
            self._put(max(0.0, self.grams - PIECE_G * self.random.randrange(1, 4)))

    def _put(self, grams: float) -> None:
        self.grams, self._touched_s = grams, self.clock_s()
        self.hands.write_text(json.dumps({SHELF: grams}))


def version_of(change: int) -> str:
    """Of what the change with that number installs, if it does."""
    return f"{FIRST_VERSION + change}.0"


def change_of(payload: bytes) -> tuple[str, str]:
    """What a command asked of the model: the action, and the version of what it would bring."""
    body = json.loads(payload)
    return body["action"], version_of(int(body["reason"].removeprefix(CHANGE)))


def bundle(version: str) -> dict[str, str]:
    """The shipped model once more, under another version, signed."""
    directory = shipped_directory()
    if directory is None:
        raise CampaignError("no model came with this programme: there is nothing to install anew")
    card = replace(read_card((directory / f"{MODEL}.json").read_bytes()), version=version)
    now = datetime.now(UTC)
    file = (directory / f"{MODEL}.tflite").read_bytes()
    body = packed(written(card), file, now - timedelta(days=1), now + timedelta(days=30))
    return envelope("office", body, KEY.sign(encoded(body, TYPE)))


# --- the till ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Till:
    """Imports one file after another by the command line; some are killed, and begun again until they are through."""

    folder: Path
    config: Path
    random: Random
    today: date  # the shop's
    sold: dict[tuple[str, int], float] = field(default_factory=dict)  # by product and day: what all files say together
    through: int = 0
    killed: int = 0
    adds: int = 0  # of those that are through
    _files: int = 0
    _now: "_File | None" = None
    _process: subprocess.Popen[bytes] | None = None

    def first(self) -> None:
        """Enough to learn from, in peace. Raises CampaignError."""
        self._now = self._next(HISTORY_D, adds=False)
        self.begin()
        self.end(killed=False)
        if self.through != 1:
            raise CampaignError(f"the first import failed: {(self.folder / 'import.log').read_text()[-2000:]}")

    def begin(self) -> None:
        self._now = self._now or self._next(self.random.randrange(60, HISTORY_D), adds=self.random.random() < 0.5)
        command = [sys.executable, "-m", "edge_agent.cli.main", "import", "sales", str(self._now.path)]
        command += ["--config", str(self.config), *(["--add"] if self._now.adds else [])]
        with (self.folder / "import.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, *, killed: bool) -> None:
        """Of the import that was begun, if any."""
        if self._process is None or self._now is None:
            return
        if killed:
            self._process.send_signal(signal.SIGKILL)
        code = self._process.wait(IMPORT_S)
        self._process = None
        self.killed += code == -signal.SIGKILL
        if code != 0:
            return  # begun again in the next life
        for key, qty in self._now.rows.items():
            self.sold[key] = qty + (self.sold.get(key, 0.0) if self._now.adds else 0.0)
        self.through += 1
        self.adds += self._now.adds
        self._now = None

    @property
    def is_between_files(self) -> bool:
        """All that was begun is through."""
        return self._now is None

    def _next(self, days: int, *, adds: bool) -> "_File":
        self._files += 1
        path = self.folder / f"sales-{self._files}.csv"
        rows = {
            (gtin, self.today.toordinal() - ago): float(self.random.randrange(0, 30))
            for gtin in PRODUCTS
            for ago in range(1, days)
        }
        lines = [f"{date.fromordinal(day).isoformat()},{gtin},{qty:g}" for (gtin, day), qty in rows.items()]
        path.write_text("\n".join(["day,product,qty", *lines]) + "\n")
        return _File(path, rows, adds)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    rows: Mapping[tuple[str, int], float]
    adds: bool
