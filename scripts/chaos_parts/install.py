"""An upgrade cut at any moment, and one on a full card: what starts next is one version or the other, whole.

install.sh works below a root of its own with small wheels of an agent that knows when its files are of two versions.
"""

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure, yes
from chaos_parts.filesystems import Ballast, Card, card, is_root

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "deploy" / "install.sh"
QUICK_TIMES = 5
MODULES = 30  # of the small agent, each with its version: files of two versions are noticed
SCRATCH_MB = 8  # what the small agent needs, and does not get on a full card

_MAIN = """
import importlib, sys
import edge_agent

def main():
    found = {importlib.import_module(f"edge_agent.part{n}").VERSION for n in range(PARTS)} | {edge_agent.__version__}
    print("edge-agent", *found)
    return len(found) - 1
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    root: Path
    wheels: Sequence[Path]

    def upgrade(self, wheel: Path, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", str(INSTALL), "--wheel", str(wheel)],
            env=os.environ | {"EDGE_AGENT_ROOT": str(self.root), "EDGE_AGENT_NEEDED_MB": "1"} | environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def whole_version(self) -> str | None:
        """What the next start would run; None when there is none, or files of two versions."""
        agent = self.root / "opt/edge-agent/current/bin/edge-agent"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        try:
            done = subprocess.run([agent, "--version"], env=environment, capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.split()[1] if done.returncode == 0 else None


def campaign(args: argparse.Namespace, say: Say) -> list[Figure]:
    if not is_root():
        raise CampaignError("install.sh wants root")
    acts = {"cut": _cut, "full": _full}
    if args.only is not None and args.only not in acts:
        raise CampaignError(f"no act {args.only}: {', '.join(acts)}")
    figures: list[Figure] = []
    for name, act in acts.items():
        if args.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="edge-agent-install-") as folder:
                figures += act(Path(folder), args, say)
    return figures


def _cut(folder: Path, args: argparse.Namespace, say: Say) -> list[Figure]:
    """SIGKILL to all that install.sh runs, at a random moment: what starts, and what does a second go make of it?"""
    times = QUICK_TIMES if args.quick else args.times
    rng = random.Random(args.seed)
    trial = Trial(folder / "root", [_wheel(folder, "1.0"), _wheel(folder, "2.0")])
    config = _installed(trial)
    began_s = time.monotonic()
    _finished(trial.upgrade(trial.wheels[1]))
    takes_s = time.monotonic() - began_s
    torn = unfinished = touched = old = 0
    for number in range(times):
        before, after = trial.whole_version(), f"{number + 3}.0"
        wheel = _wheel(folder, after)
        child = trial.upgrade(wheel)
        try:
            child.wait(rng.uniform(0, 1.1 * takes_s))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        found = trial.whole_version()
        torn += found not in (before, after)
        old += found == before
        touched += config.read_text() != "[node]\n"
        _finished(trial.upgrade(wheel))
        unfinished += trial.whole_version() != after
        if number % 20 == 19:
            say(f"{number + 1} upgrades cut")
    return [
        Figure("upgrades cut at a random moment", times, ""),
        Figure("the old version ran on", old, ""),
        Figure("no whole version to start", torn, "", "0"),
        Figure("not finished by running it again", unfinished, "", "0"),
        Figure("configuration touched", touched, "", "0"),
    ]


def _full(folder: Path, args: argparse.Namespace, say: Say) -> list[Figure]:
    """On a card with no room, and on one that fills while the new version is laid down."""
    with card(folder / "root") as found:
        trial = Trial(found.folder, [_wheel(folder, "1.0"), _wheel(folder, "2.0", padding_mb=2 * SCRATCH_MB)])
        config = _installed(trial)
        told = trial.upgrade(trial.wheels[1], EDGE_AGENT_NEEDED_MB="450")
        beforehand = _refused(told)
        meanwhile = _fills_meanwhile(trial, found)
        return [
            Figure("full card told beforehand, with the cure", yes("Make room" in beforehand), "", "yes"),
            Figure("full card told meanwhile, with the cure", yes("make room" in meanwhile.lower()), "", "yes"),
            Figure("the old version runs on", yes(trial.whole_version() == "1.0"), "", "yes"),
            Figure("configuration touched", int(config.read_text() != "[node]\n"), "", "0"),
        ]


def _fills_meanwhile(trial: Trial, found: Card) -> str:
    ballast = Ballast(found.folder)
    room = found.folder / "room"
    room.write_bytes(bytes(SCRATCH_MB * 2**20))
    ballast.take()
    room.unlink()
    try:
        return _refused(trial.upgrade(trial.wheels[1]))
    finally:
        ballast.give_back()


def _installed(trial: Trial) -> Path:
    _finished(trial.upgrade(trial.wheels[0]))
    config = trial.root / "etc/edge-agent/edge-agent.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[node]\n")
    return config


def _finished(child: "subprocess.Popen[str]") -> None:
    _, told = child.communicate()
    if child.returncode:
        raise CampaignError(f"install.sh did not work: {told[-400:]}")


def _refused(child: "subprocess.Popen[str]") -> str:
    _, told = child.communicate()
    if child.returncode == 0:
        raise CampaignError("install.sh went through on a full card")
    return told


def _wheel(folder: Path, version: str, padding_mb: int = 0) -> Path:
    file = folder / f"edge_agent-{version}-py3-none-any.whl"
    info = f"edge_agent-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: edge-agent\nVersion: {version}\nProvides-Extra: pi\n"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("edge_agent/__init__.py", f'__version__ = "{version}"\n')
        made.writestr("edge_agent/main.py", f"PARTS = {MODULES}\n{_MAIN}")
        made.writestr("edge_agent/storage/__init__.py", "")
        made.writestr("edge_agent/storage/migrations.py", "AGENT = ((1, None),)\nSETTINGS = ((1, None),)\n")
        for number in range(MODULES):
            made.writestr(f"edge_agent/part{number}.py", f'VERSION = "{version}"\n')
        made.writestr("edge_agent/padding.bin", bytes(padding_mb * 2**20))
        made.writestr(f"{info}/METADATA", metadata)
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/entry_points.txt", "[console_scripts]\nedge-agent = edge_agent.main:main\n")
        made.writestr(f"{info}/RECORD", "")
    return file
