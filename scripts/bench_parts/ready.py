"""ready: from the start of the process to its first committed cycle, as systemd is told."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from chaos_parts.children import Mosquitto, free_port
from chaos_parts.figures import Figure

from bench_parts import rig
from bench_parts.agent import AgentProcess, make_bytecode

STARTS = 5


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "ready"
    folder.mkdir()
    say(f"ready: {STARTS} starts")
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        config = rig.write_config(folder, broker.port)
        make_bytecode(config, folder)
        took_s = []
        for _ in range(STARTS):
            agent = AgentProcess(config, folder)
            agent.stop()
            took_s.append(agent.ready_s)
    finally:
        broker.stop()
    return [
        Figure(f"ready, median of {STARTS} starts", round(median(took_s), 2), "s after the start", "<= 1.5"),
        Figure("ready, slowest", round(max(took_s), 2), "s after the start"),
    ]
