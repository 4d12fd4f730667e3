"""record: a year of four zones: how long the report takes, how long the chain; and whether a tampered line is named."""

import argparse
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure, yes

from bench_parts import record_year

DAYS = 365
CONFIG = '[node]\nsite = "bench"\nname = "bench"\n[storage]\ndirectory = "{state}"\n[board]\nkind = "simulated"\n'
CONFIG += '[[sensor]]\nname = "cold-room"\ndriver = "sht4x"\n'
PERIOD = ("--from", "2025-12-01", "--to", "2026-11-30", "--timezone", "Europe/Berlin")
COUNT = 'SELECT count(*), max(length(body)) FROM outbox_record WHERE instr(body, \'"kind":"interval"\')'


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "record"
    state = folder / "state"
    state.mkdir(parents=True)
    say(f"record: {DAYS} days of {len(record_year.ZONES)} zones")
    lines = record_year.write(state, DAYS, args.seed)
    config = folder / "agent.toml"
    config.write_text(CONFIG.format(state=state))
    with closing(sqlite3.connect(state / "agent.db")) as database:
        intervals, longest = database.execute(COUNT).fetchone()
    figures = [
        Figure("lines of the record", lines, "lines"),
        Figure("intervals among them", intervals, "lines"),
        Figure("longest line of an interval", longest, "bytes", "<= 400"),
        Figure("file", round((state / "agent.db").stat().st_size / 1e6, 1), "MB a year"),
    ]
    for form in ("html", "csv"):
        say(f"record: report, {form}")
        out = folder / f"year.{form}"
        took, code, _ = _run("report", "haccp", f"--{form}", "--out", str(out), *PERIOD, "--config", str(config))
        if code:
            raise CampaignError(f"report haccp --{form}: exit code {code}")
        figures.append(Figure(f"report of a year, {form}", round(took.wall_s, 1), "s", "<= 10"))
        figures.append(Figure(f"its processor time, {form}", round(took.processor_s, 1), "s"))
        figures.append(Figure(f"its size, {form}", round(out.stat().st_size / 1e6, 2), "MB"))
    say("record: the chain")
    took, code, told = _run("record", "verify", "--json", "--config", str(config))
    figures.append(Figure("chain verified", round(took.wall_s, 1), "s", "<= 5"))
    figures.append(Figure("its processor time", round(took.processor_s, 1), "s"))
    figures.append(Figure("and found whole", yes(code == 0 and json.loads(told)["sound"]), "", "yes"))
    return figures + [_tampered(folder, config, how, lines // 2, say) for how in _TAMPERING]


class _Took(NamedTuple):
    wall_s: float
    processor_s: float  # of a machine that does other things too, the fairer figure


def _run(*words: str) -> tuple[_Took, int, str]:
    """As a person calls it, the interpreter's start included."""
    began_s, before_s = time.monotonic(), _children_s()
    done = subprocess.run([sys.executable, "-m", "edge_agent.cli.main", *words], capture_output=True, text=True)
    return _Took(time.monotonic() - began_s, _children_s() - before_s), done.returncode, done.stdout


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _change(database: sqlite3.Connection, line: int) -> None:
    database.execute("UPDATE outbox_record SET body = CAST(replace(body, '\"readings\":90', '\"readings\":91') AS BLOB)"
                     " WHERE seq = ?", (line,))  # fmt: skip


def _remove(database: sqlite3.Connection, line: int) -> None:
    database.execute("DELETE FROM outbox_record WHERE seq = ?", (line,))


def _insert(database: sqlite3.Connection, line: int) -> None:
    """All rows after it make room, and the new one is a copy of the one before."""
    database.execute("UPDATE outbox_record SET seq = -seq - 1 WHERE seq >= ?", (line,))
    database.execute("UPDATE outbox_record SET seq = -seq WHERE seq < 0")
    columns = "topic, body, clock, mono_ms, retain"
    copy = f"INSERT INTO outbox_record (seq, {columns}) SELECT seq + 1, {columns} FROM outbox_record WHERE seq = ?"
    database.execute(copy, (line - 1,))


_TAMPERING = {"changed": _change, "removed": _remove, "inserted": _insert}


def _tampered(folder: Path, config: Path, how: str, line: int, say: Callable[[str], None]) -> Figure:
    say(f"record: line {line} {how}")
    state = folder / how
    state.mkdir()
    shutil.copyfile(folder / "state" / "agent.db", state / "agent.db")
    with closing(sqlite3.connect(state / "agent.db")) as database:
        find = "SELECT min(seq) FROM outbox_record WHERE seq >= ? AND instr(body, '\"readings\":90')"
        (line,) = database.execute(find, (line,)).fetchone()
        _TAMPERING[how](database, line)
        database.commit()
    _, code, told = _run("record", "verify", "--json", "--config", str(config), "--state", str(state))
    found = [(fault["what"], fault["line"]) for fault in json.loads(told)["faults"]]
    return Figure(f"a line {how} is named, and no other", yes(code == 1 and found == [(how, line)]), "", "yes")
