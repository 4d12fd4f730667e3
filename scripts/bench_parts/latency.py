"""latency: how long a person waits for an answer, and how old telemetry is when it arrives.

The whole agent in real time, a Mosquitto, and a central system that sends tare commands to a shelf at rest. The issue
of these figures: a command is answered within 2 s; telemetry waits for its batch (10 s by default), and no longer
than two cycles more.
"""

import argparse
import json
import queue
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from chaos_parts.children import CampaignError, Mosquitto, free_port
from chaos_parts.figures import Figure
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from bench_parts import rig
from bench_parts.agent import AgentProcess
from edge_agent.mqtt.messages import ROOT

BASE = f"{ROOT}/bench/bench"
COMMANDS = 15
APART_S = 1.37  # never in step with the cycle
SETTLE_S = 15.0  # until the scale rests
ANSWER_S = 10.0


class Central:
    """Notes when each message came; on paho's own thread."""

    def __init__(self, port: int) -> None:
        self.arrived: queue.SimpleQueue[tuple[str, dict[str, Any], float]] = queue.SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"{BASE}/#", qos=1)
        self._client.loop_start()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if not message.retain and "/cmd/" not in message.topic:
            self.arrived.put((message.topic, json.loads(message.payload), time.time()))

    def ask(self, verb: str, wanted: dict[str, object]) -> str:
        cmd_id = uuid.uuid4().hex
        self._client.publish(f"{BASE}/cmd/{verb}", json.dumps({"cmd_id": cmd_id} | wanted), qos=1)
        return cmd_id

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "latency"
    folder.mkdir()
    say(f"latency: {COMMANDS} commands")
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        agent = AgentProcess(rig.write_config(folder, broker.port, with_shelf=True), folder)
        try:
            central = Central(broker.port)
            try:
                answers_s, ages_s = _asked(central)
            finally:
                central.close()
        finally:
            agent.stop()
    finally:
        broker.stop()
    return [
        Figure(f"answer to a tare, median of {COMMANDS}", round(median(answers_s), 2), "s", "<= 2"),
        Figure("answer to a tare, slowest", round(max(answers_s), 2), "s", "<= 2"),
        Figure("age of live telemetry on arrival, median", round(median(ages_s), 2), "s"),
        Figure("age of live telemetry on arrival, oldest", round(max(ages_s), 2), "s", "<= 13"),
    ]


def _asked(central: Central) -> tuple[list[float], list[float]]:
    time.sleep(SETTLE_S)
    answers_s: list[float] = []
    ages_s: list[float] = []
    for _ in range(COMMANDS):
        began_s = time.time()
        cmd_id = central.ask("tare", {"shelf": "shelf-1"})
        answers_s.append(_answered(central, cmd_id, ages_s) - began_s)
        time.sleep(APART_S)
    return answers_s, ages_s


def _answered(central: Central, cmd_id: str, ages_s: list[float]) -> float:
    """When the answer came; the telemetry on the way is noted."""
    while True:
        try:
            topic, body, at_s = central.arrived.get(timeout=ANSWER_S)
        except queue.Empty:
            raise CampaignError(f"no answer to a command within {ANSWER_S:g} s") from None
        if body.get("stream") == "telemetry" and "/telemetry/" in topic:
            ages_s.append(at_s - datetime.fromisoformat(body["ts"]).timestamp())
        if body.get("cmd_id") == cmd_id:
            if body["code"] != "done":
                raise CampaignError(f"a tare was answered {body['code']}: {body['message']}")
            return at_s
