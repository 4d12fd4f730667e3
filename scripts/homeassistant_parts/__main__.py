"""Runs the simulated storeroom on a Mosquitto, and holds what it tells to Home Assistant's own code.

Home Assistant needs a Python of its own (3.13 and newer) and some hundred packages; it is no part of the tests.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as paho
from bench_parts.agent import AgentProcess
from chaos_parts.children import CampaignError, Mosquitto, free_port
from paho.mqtt.enums import CallbackAPIVersion

HERE = Path(__file__).resolve().parent
SIMULATED = HERE.parent.parent / "config" / "simulated.toml"
REQUIREMENTS = ("homeassistant>=2024.11", "paho-mqtt>=2.1,<3")  # the first with device discovery
PYTHONS = ("python3.14", "python3.13")
LISTEN_S = 75.0  # health is told every minute, telemetry as often as it is reported


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/homeassistant", description=__doc__)
    parser.add_argument("--python", metavar="COMMAND", help="a Python that has Home Assistant (default: one is made)")
    parser.add_argument("--venv", metavar="DIR", type=Path, default=Path(".homeassistant"), help="where it is made")
    parser.add_argument("--seconds", type=float, default=LISTEN_S, metavar="S", help=f"listen so long ({LISTEN_S:g})")
    args = parser.parse_args()
    try:
        command = args.python.split() if args.python else [str(_made(args.venv))]
        with tempfile.TemporaryDirectory(prefix="homeassistant-") as folder:
            told = _listen(Path(folder), args.seconds)
        held = subprocess.run([*command, str(HERE / "validate.py")], input=json.dumps(told), text=True, check=False)
    except (CampaignError, subprocess.CalledProcessError, OSError) as error:
        print(f"scripts/homeassistant: {error}", file=sys.stderr)
        return 2
    return held.returncode


def _made(venv: Path) -> Path:
    python = venv / "bin" / "python"
    if not python.exists():
        base = next((name for name in PYTHONS if _is_there(name)), None)
        if base is None:
            raise CampaignError(f"Home Assistant needs one of {', '.join(PYTHONS)}: install it, or name it by --python")
        subprocess.run([base, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)
    return python


def _is_there(name: str) -> bool:
    return any((Path(folder) / name).exists() for folder in os.get_exec_path())


def _listen(folder: Path, seconds: float) -> dict[str, list[str]]:
    """Topic -> the payloads told there, of the simulated storeroom."""
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    told: dict[str, list[str]] = {}
    listener = paho.Client(CallbackAPIVersion.VERSION2, "listener")
    listener.on_message = lambda _client, _data, said: told.setdefault(said.topic, []).append(said.payload.decode())
    try:
        listener.connect("127.0.0.1", broker.port)
        listener.subscribe("#")
        listener.loop_start()
        text = SIMULATED.read_text().replace("port = 18830", f"port = {broker.port}").replace("embedded = true", "")
        config = folder / "agent.toml"
        config.write_text(text.replace('"edge-agent-simulated"', json.dumps(str(folder / "state"))))
        agent = AgentProcess(config, folder)
        time.sleep(seconds)
        agent.stop()
    finally:
        listener.loop_stop()
        broker.stop()
    return told


sys.exit(main())
