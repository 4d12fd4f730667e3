"""imports: a till's file comes in while the agent runs: how long the agent waits, what a kill or a second import costs,
and whether memory grows with the file.

The agent's side is its store, which commits an event every 0.2 s: what a lamp waits for. The import is the command, in
a process of its own; the file has 500 products and a year.
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure, yes

from bench_parts.disk import require_disk
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

PRODUCTS, DAYS, KEPT_DAYS = 500, 365, 1100
LAST = date(2026, 1, 31)
COMMIT_S = 0.2
KILLS = 3
SHORT_B = 16 << 20
CONFIG = """
[node]
site = "bench"
name = "bench"

[storage]
directory = "{state}"

[shop]
time_zone = "Europe/Berlin"

[board]
kind = "simulated"

[[sensor]]
name = "cold-room"
driver = "sht3x"
"""


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "imports"
    folder.mkdir()
    require_disk(folder)
    table = folder / "till.csv"
    expected = _write_days(table)
    parts: dict[str, Callable[[], list[Figure]]] = {
        "beside": lambda: _beside(folder, table, expected, say),
        "killed": lambda: [_killed(folder, table, expected, say)],
        "two": lambda: [_two(folder, table, expected, say)],
        "lengths": lambda: _lengths(folder, int(args.gigabytes * 2**30), say),
        "tidied": lambda: [_tidied(folder, say)],
    }
    return [figure for name, part in parts.items() if (args.only or "") in name for figure in part()]


def _beside(folder: Path, table: Path, expected: tuple[int, float], say: Callable[[str], None]) -> list[Figure]:
    say(f"imports: {expected[0]} products and days beside the agent")
    shop = _Shop(folder / "beside")
    before_s = shop.longest_commit(time.monotonic() + 5.0)
    begun = time.monotonic()
    code, memory_mib = _ended(shop.importing(table), shop.commit)
    took_s = time.monotonic() - begun
    figures = [
        Figure("the agent's longest commit alone", round(before_s, 3), "s"),
        Figure("the same while a year of 500 products is imported", round(shop.longest_s, 3), "s", "<= 1"),
        Figure("the import takes", round(took_s, 1), "s"),
        Figure("and in memory at most", round(memory_mib), "MiB"),
        Figure("all of it is in", yes(code == 0 and shop.found() == expected), "", "yes"),
    ]
    shop.close()
    return figures


def _killed(folder: Path, table: Path, expected: tuple[int, float], say: Callable[[str], None]) -> Figure:
    say(f"imports: killed {KILLS} times in the middle, --add, and done again")
    shop, chance = _Shop(folder / "killed"), random.Random(1)
    for _ in range(KILLS):
        rows = shop.found()[0]
        child = shop.importing(table, "--add")
        while child.poll() is None and shop.found()[0] < rows + chance.randint(1000, 40_000):
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
    code = shop.importing(table, "--add").wait()
    shop.close()
    return Figure(
        "after kill -9 and again each row counts once", yes(code == 0 and shop.found() == expected), "", "yes"
    )


def _two(folder: Path, table: Path, expected: tuple[int, float], say: Callable[[str], None]) -> Figure:
    say("imports: the same file twice at once, --add")
    shop = _Shop(folder / "two")
    both = [shop.importing(table, "--add") for _ in range(2)]
    codes = [child.wait() for child in both]
    shop.close()
    right = not any(codes) and shop.found() == expected
    return Figure("two imports of one file at once count it once", yes(right), "", "yes")


def _lengths(folder: Path, long_b: int, say: Callable[[str], None]) -> list[Figure]:
    """Sales of the same products and days, so that only the rows become more."""
    shop, peaks, figures = _Shop(folder / "lengths"), [], []
    for length_b in (SHORT_B, long_b):
        table = folder / f"{length_b}.csv"
        rows = _write_sales(table, length_b)
        say(f"imports: {rows} sales, {length_b >> 20} MiB")
        begun = time.monotonic()
        code, memory_mib = _ended(shop.importing(table), lambda: time.sleep(COMMIT_S))
        if code:
            raise CampaignError(f"imports: {length_b >> 20} MiB: exit code {code}")
        peaks.append(memory_mib)
        figures.append(Figure(f"memory of the import of {length_b >> 20} MiB", round(peaks[-1]), "MiB"))
        figures.append(Figure(f"{rows} rows in", round(time.monotonic() - begun, 1), "s"))
        table.unlink()
    shop.close()
    return [*figures, Figure("more memory for the longer", round(peaks[1] - peaks[0]), "MiB", "<= 64")]


def _tidied(folder: Path, say: Callable[[str], None]) -> Figure:
    """What is past its days goes in one transaction: the agent waits for it, once a night."""
    say(f"imports: {PRODUCTS} products, {KEPT_DAYS} days: a night's tidying")
    shop = _Shop(folder / "tidied")
    with closing(sqlite3.connect(shop.folder / "state" / "agent.db", isolation_level=None)) as file:
        file.execute("BEGIN")
        rows = ((_code(n), LAST.toordinal() - ago) for n in range(PRODUCTS) for ago in range(KEPT_DAYS + 2))
        columns = "product, day, source, unit, qty, back, weight_g"
        file.executemany(f"INSERT INTO sale ({columns}) VALUES (?, ?, 'ledger', 'g', 1, 0, 1)", rows)
        file.execute("COMMIT")
    begun = time.monotonic()
    gone = shop.store.prune_shop(LAST, KEPT_DAYS)
    took_s = time.monotonic() - begun
    shop.close()
    return Figure(f"the agent's wait while the night tidies ({gone} rows go)", round(took_s, 2), "s", "<= 1")


def _ended(child: subprocess.Popen[bytes], meanwhile: Callable[[], None]) -> tuple[int, float]:
    """Its exit code, and the most memory it had, in MiB."""
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, used.ru_maxrss / 1024
        meanwhile()


class _Shop:
    """The agent's file, and the command beside it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.longest_s, self._count = folder, 0.0, 0
        (folder / "agent.toml").write_text(CONFIG.format(state=folder / "state"))
        self.store = Store.open(StorageSettings(directory=str(folder / "state")), "bench", self._now())

    def _now(self) -> Instant:
        return Instant(round(1000 * time.monotonic()), round(1000 * time.time()), "bench", ClockState.SYNCED)

    def commit(self) -> None:
        """An event, as a pick is one; then the rest of the time till the next."""
        self._count += 1
        begun = time.monotonic()
        event = Message(Stream.EVENT, "event/shelf-1", b'{"kind":"pick"}', self._now())
        self.store.commit(messages=[event], memory={"count": b"%d" % self._count})
        took_s = time.monotonic() - begun
        self.longest_s = max(self.longest_s, took_s)
        time.sleep(max(0.0, COMMIT_S - took_s))

    def longest_commit(self, until_s: float) -> float:
        """And forgets it."""
        while time.monotonic() < until_s:
            self.commit()
        longest_s, self.longest_s = self.longest_s, 0.0
        return longest_s

    def importing(self, table: Path, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "edge_agent.cli.main", "import", "sales", str(table)]
        config = ["--config", str(self.folder / "agent.toml")]
        return subprocess.Popen([*command, *config, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def found(self) -> tuple[int, float]:
        """Rows that were imported, and what they sum to."""
        with closing(sqlite3.connect(self.folder / "state" / "agent.db", timeout=10)) as file:
            rows, sold = file.execute("SELECT count(*), total(qty) FROM sale WHERE source = 'import'").fetchone()
        return int(rows), float(sold)

    def close(self) -> None:
        self.store.close()


def _code(product: int) -> str:
    return f"{10_000 + product}"


def _write_days(table: Path) -> tuple[int, float]:
    """A row a product and day; answers how many, and their sum."""
    chance, total = random.Random(1), 0
    with table.open("w") as out:
        out.write("day,product,qty,price\n")
        for ago in range(DAYS):
            for product in range(PRODUCTS):
                qty = chance.randint(0, 60)
                total += qty
                out.write(f"{LAST - timedelta(days=ago)},{_code(product)},{qty},{0.5 + product % 90 / 10:.2f}\n")
    return DAYS * PRODUCTS, float(total)


def _write_sales(table: Path, length_b: int) -> int:
    """A row a sale, with its time and receipt."""
    written_b = rows = 0
    with table.open("w") as out:
        out.write("timestamp;product;qty;price;receipt\n")
        for row in _sales():
            if written_b >= length_b:
                break
            written_b += out.write(row)
            rows += 1
    return rows


def _sales() -> Iterator[str]:
    chance, number = random.Random(1), 0
    while True:
        number += 1
        day, second = LAST - timedelta(days=number % 90), number % 36_000
        time_of_day = f"{8 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        yield f"{day} {time_of_day};{_code(chance.randrange(PRODUCTS))};{number % 3 + 1};1,99;{number}\n"
