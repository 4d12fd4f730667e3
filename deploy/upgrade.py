"""What an upgrade does besides laying down files; the Debian package and install.sh use it alike.

  upgrade.py keep SITE      before: copy the databases that the version in SITE would migrate; needs room for that
  upgrade.py try SITE       start the service anew, and see whether it becomes ready, stays so, and says so
  upgrade.py restore        after a failed try: the copies back, if nothing was accepted in between
  upgrade.py forget         after a good one: the copies go

Exit codes: 0 done; 1 not, and the sentence on standard error says why and what would help. Only the standard library
is imported, but for SITE's own numbers of its schemas. Runs as root.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

STATE = "var/lib/edge-agent"
CONFIG = "etc/edge-agent/edge-agent.toml"
SYSTEMD_RUNS = "run/systemd/system"
COPIES = "before-upgrade"  # in the state directory, so that a rename brings them back
UNIT = "edge-agent.service"
SPARE_BYTES = 64 * 2**20  # beside the copies: the agent goes on writing, and keeps a reserve of its own
READY_S = 330  # the unit's TimeoutStartSec, and a little
STEADY_S = float(os.environ.get("EDGE_AGENT_STEADY_S", "15"))  # so long it must stay up after it was ready
STATUS_TRIES = 5

_NEWEST = """
import sys
sys.path.insert(0, sys.argv[1])
from edge_agent.storage.migrations import AGENT, SETTINGS
print(AGENT[-1][0], SETTINGS[-1][0])
"""


class Refused(Exception):
    """Said in one sentence, with the cure."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("keep", "try", "restore", "forget"))
    parser.add_argument("site", nargs="?", type=Path, help="the folder that holds the package edge_agent")
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine, for a trial elsewhere")
    parser.add_argument("--agent", default="/usr/bin/edge-agent", help="the command")
    args = parser.parse_args(argv)
    state = args.root / STATE
    try:
        if args.what == "keep":
            keep(state, newest(args.site))
        elif args.what == "restore":
            restore(state)
        elif args.what == "forget":
            shutil.rmtree(state / COPIES, ignore_errors=True)
        else:
            attempt(args.agent, args.root)
    except (Refused, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


# --- the databases ----------------------------------------------------------------------------------------------------


def newest(site: Path) -> Mapping[str, int]:
    """The schema versions that the agent in ``site`` writes. Raises Refused when it cannot even be imported."""
    done = subprocess.run(
        [sys.executable, "-sP", "-c", _NEWEST, str(site)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"the new version does not run with this Python: {_last_line(done.stderr)}")
    agent, settings = map(int, done.stdout.split())
    return {"agent.db": agent, "settings.db": settings}


def schema_version(file: Path) -> int | None:
    """None where there is no file yet, or not one to read."""
    if not file.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return None


def keep(state: Path, schemas: Mapping[str, int]) -> None:
    """Copy what would be migrated. A copy begun and cut off by power bears another name, and is made again."""
    old = {name: schema_version(state / name) for name in schemas}
    if all(found is None or found >= schemas[name] for name, found in old.items()):
        shutil.rmtree(state / COPIES, ignore_errors=True)
        return
    if (state / COPIES).is_dir() and all(schema_version(state / COPIES / name) == old[name] for name in schemas):
        shutil.rmtree(state / COPIES)  # from a try before: what was accepted since then is not in it
    files = [name for name, found in old.items() if found is not None]
    wanted = sum((state / name).stat().st_size for name in files) + SPARE_BYTES
    free = shutil.disk_usage(state).free
    if free < wanted:
        raise Refused(
            f"{state}: the new version changes the databases, and a copy of them needs {wanted / 1e6:.0f} MB; "
            f"{free / 1e6:.0f} MB are free. Make room (apt-get clean; journalctl --vacuum-size=50M), then upgrade again"
        )
    unfinished = state / f"{COPIES}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    for name in files:
        _copy(state / name, unfinished / name)
    _sync(unfinished)
    shutil.rmtree(state / COPIES, ignore_errors=True)
    unfinished.rename(state / COPIES)
    _sync(state)


def restore(state: Path) -> None:
    """Exact or not at all: numbers that were given twice would look like repetitions to whoever received them."""
    copies = state / COPIES
    migrated = [
        copy for copy in sorted(copies.glob("*.db")) if schema_version(state / copy.name) != schema_version(copy)
    ]
    if not migrated:
        shutil.rmtree(copies, ignore_errors=True)
        return
    for copy in migrated:
        if _last_numbers(state / copy.name) != _last_numbers(copy):
            raise Refused(
                f"{state / copy.name}: the new version has already accepted readings in its own schema, so the old one "
                "is not put back; see journalctl -u edge-agent, and send in what it says"
            )
    for copy in migrated:
        there = state / copy.name
        owner = there.stat()
        os.chown(copy, owner.st_uid, owner.st_gid)
        os.chmod(copy, owner.st_mode & 0o777)
        for leftover in (f"{copy.name}-wal", f"{copy.name}-shm"):
            (state / leftover).unlink(missing_ok=True)
        copy.replace(there)
    _sync(state)
    shutil.rmtree(copies, ignore_errors=True)


def _copy(source: Path, copy: Path) -> None:
    """Whole, also while the agent writes it (SQLite's own backup)."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as db, closing(sqlite3.connect(copy)) as other:
        db.backup(other)


def _last_numbers(file: Path) -> dict[str, int]:
    """What the file has accepted: the last number of every stream that both schemas have."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        wanted = [name for name in tables if name in ("telemetry", "calibration") or name.startswith("outbox_")]
        found = {name: db.execute(f'SELECT max(rowid) FROM "{name}"').fetchone()[0] for name in wanted}
    return {name: last for name, last in found.items() if last is not None}


def _sync(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- the service ------------------------------------------------------------------------------------------------------


def attempt(agent: str, root: Path) -> None:
    """Start it anew and look. Raises Refused when it is not well."""
    config = root / CONFIG
    told = _run([agent, "--version"])
    if told.returncode:
        raise Refused(f"it does not start: {_last_line(told.stderr)}")
    if not config.exists():
        return  # nothing to start yet: `edge-agent setup` comes first
    if not (root / SYSTEMD_RUNS).is_dir():
        return  # in a chroot or a container: the next start is the trial
    started = _run(["systemctl", "restart", UNIT], timeout_s=READY_S)
    if started.returncode:
        raise Refused(f"it did not become ready: {_why()}")
    restarts = _property("NRestarts")
    time.sleep(STEADY_S)
    if _property("ActiveState") != "active" or _property("NRestarts") != restarts:
        raise Refused(f"it did not stay up for {STEADY_S:.0f} s: {_why()}")
    for left in reversed(range(STATUS_TRIES)):
        if _run([agent, "status", "--json", "--config", str(config)]).returncode in (0, 1):  # 1: an alarm stands
            return
        if left:
            time.sleep(min(2.0, STEADY_S))
    raise Refused(f"it runs, but `edge-agent status` sees no sign of life: {_why()}")


def _why() -> str:
    said = _run(["journalctl", "-u", UNIT, "-n", "5", "--no-pager", "-o", "cat"]).stdout.split("\n")
    return "; ".join(line.strip() for line in said if line.strip())[-600:] or "journalctl -u edge-agent tells more"


def _last_line(text: str) -> str:
    """Of a traceback: what went wrong."""
    return text.strip().rpartition("\n")[2][-300:]


def _property(name: str) -> str:
    return _run(["systemctl", "show", "--value", "-p", name, UNIT]).stdout.strip()


def _run(command: Sequence[str], timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no end within {timeout_s:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
