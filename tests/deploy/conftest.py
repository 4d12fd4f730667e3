"""A machine to install on: a root of its own, a service manager that behaves, and small wheels of the agent."""

import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # the campaigns and the packager are part of what is tested

# Ready when the agent in `current` says so; the unit is a file that says what runs.
SYSTEMCTL = """#!/bin/sh
state=$EDGE_AGENT_ROOT/run/systemd/running
agent=$EDGE_AGENT_ROOT/opt/edge-agent/current/bin/edge-agent
case "$*" in
  --version) echo "systemd 252 (fake)" ;;
  start*|restart*) rm -f "$state"; said=$("$agent" run) || exit 1; echo "$said" >"$state" ;;
  stop*) rm -f "$state" ;;
  is-active*) [ -e "$state" ] ;;
  *ActiveState*) if [ -e "$state" ]; then echo active; else echo failed; fi ;;
  *NRestarts*) echo 0 ;;
esac
"""
JOURNALCTL = """#!/bin/sh
echo "no such thing as a cold room"
"""
AGENT = """
import sys
from pathlib import Path
from edge_agent import parts
from edge_agent import __version__

def main():
    if sys.argv[1:] == ["--version"]:
        print("edge-agent", __version__)
        sys.exit(0 if parts.WHOLE == __version__ else 9)
    if sys.argv[1] == "run":
        before_ready()
        print(__version__)
    if sys.argv[1] == "status":
        return STATUS
"""


@dataclass(frozen=True)
class Machine:
    root: Path
    wheels: Path

    def install(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment(**environment), capture_output=True, text=True, check=False
        )

    def command(self, *words: str) -> list[str]:
        return ["bash", str(ROOT / "deploy" / "install.sh"), *words]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.root}/fakes:{os.environ['PATH']}",
            "EDGE_AGENT_ROOT": str(self.root),
            "EDGE_AGENT_PYTHON": sys.executable,
            "EDGE_AGENT_NEEDED_MB": "1",
            "EDGE_AGENT_STEADY_S": "0",
            "PYTHONPATH": "",
            **more,
        }

    def wheel(self, version: str, *, before_ready: str = "pass", status: int = 0, schema: int = 1) -> str:
        file = self.wheels / f"edge_agent-{version}-py3-none-any.whl"
        info = f"edge_agent-{version}.dist-info"
        functions = f"\nSTATUS = {status}\n\ndef before_ready():\n    {before_ready}\n"
        with zipfile.ZipFile(file, "w") as made:
            made.writestr("edge_agent/__init__.py", f'__version__ = "{version}"\n')
            made.writestr("edge_agent/main.py", AGENT + functions)
            made.writestr("edge_agent/storage/__init__.py", "")
            made.writestr("edge_agent/storage/migrations.py", f"AGENT = (({schema}, None),)\nSETTINGS = ((1, None),)\n")
            made.writestr("edge_agent/parts.py", f'WHOLE = "{version}"\n')
            made.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: edge-agent\nVersion: {version}\nProvides-Extra: pi\n"
            )
            made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            made.writestr(f"{info}/entry_points.txt", "[console_scripts]\nedge-agent = edge_agent.main:main\n")
            made.writestr(f"{info}/RECORD", "")
        return str(file)

    @property
    def version(self) -> str:
        """That of `current`; it fails when its files are of two versions."""
        done = subprocess.run(
            [self.root / "opt/edge-agent/current/bin/edge-agent", "--version"],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[1]

    @property
    def running(self) -> str | None:
        state = self.root / "run/systemd/running"
        return state.read_text().strip() if state.exists() else None

    @property
    def state(self) -> Path:
        return self.root / "var/lib/edge-agent"

    def configure(self) -> None:
        file = self.root / "etc/edge-agent/edge-agent.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[node]\n")

    def write_database(self, schema: int, rows: int) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.state / "agent.db")) as db:
            db.execute("CREATE TABLE IF NOT EXISTS telemetry (seq INTEGER PRIMARY KEY)")
            db.executemany("INSERT OR IGNORE INTO telemetry VALUES (?)", [(seq,) for seq in range(1, rows + 1)])
            db.execute(f"PRAGMA user_version = {schema}")
            db.commit()

    def database(self) -> tuple[int, int]:
        """Schema version and rows."""
        with closing(sqlite3.connect(self.state / "agent.db")) as db:
            return db.execute("PRAGMA user_version").fetchone()[0], db.execute(
                "SELECT count(*) FROM telemetry"
            ).fetchone()[0]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path / "root", tmp_path / "wheels")
    found.wheels.mkdir()
    (found.root / "run/systemd/system").mkdir(parents=True)
    (found.root / "fakes").mkdir()
    for name, text in (
        ("systemctl", SYSTEMCTL),
        ("journalctl", JOURNALCTL),
        ("udevadm", "#!/bin/sh\n"),
        ("modprobe", "#!/bin/sh\n"),
    ):
        file = found.root / "fakes" / name
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return found
