"""weighing-latency: how long after a step on the scale its event is at the broker.

The whole agent in real time, four NAU7802 behind a TCA9548A read 10 times a second by the real driver, a Mosquitto,
and somebody who listens there. A step is clean: from one load to the next at once, at any moment of the cycle.
"""

import argparse
import json
import queue
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median

from chaos_parts.children import Agent, CampaignError, Mosquitto, free_port
from chaos_parts.figures import Figure
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from bench_parts.shelf_agent import Loads
from bench_parts.shelves import PIECE_G, shelf_name, write_config
from edge_agent.mqtt.messages import ROOT

SHELVES = 4
STEPS = 40
FIRST_G = 8 * PIECE_G
SETTLE_S = 15.0  # eight seconds of them are the chips' set-up
PATIENCE_S = 20.0


class Listening:
    """Notes when each event came; on paho's own thread."""

    def __init__(self, port: int) -> None:
        self.events: queue.SimpleQueue[tuple[float, str, float]] = queue.SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"{ROOT}/+/+/event/#", qos=1)
        self._client.loop_start()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        body = json.loads(message.payload)
        self.events.put((time.monotonic(), body["shelf"], body["delta_g"]))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "weighing-latency"
    folder.mkdir()
    say(f"weighing-latency: {STEPS} clean steps on {SHELVES} shelves")
    loads = Loads(folder / "loads", SHELVES)
    for index in range(SHELVES):
        loads[index] = FIRST_G
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    try:
        config = write_config(folder, broker.port, SHELVES)
        agent = Agent(config, folder / "agent.log", ("bench_parts.shelf_agent", str(config), str(folder / "loads")))
        try:
            agent.wait_until_ready()
            listening = Listening(broker.port)
            try:
                waits_s = _stepped(loads, listening)
            finally:
                listening.close()
        finally:
            agent.stop()
    finally:
        broker.stop()
    return [
        Figure(f"step to its event at the broker, median of {len(waits_s)}", round(median(waits_s), 2), "s", "<= 4"),
        Figure("step to its event at the broker, slowest", round(max(waits_s), 2), "s", "<= 4"),
        Figure("step to its event at the broker, quickest", round(min(waits_s), 2), "s"),
        Figure("events that no step made", listening.events.qsize(), "events", "0"),
    ]


def _stepped(loads: Loads, listening: Listening) -> list[float]:
    random = Random(1)
    time.sleep(SETTLE_S)
    if not listening.events.empty():
        raise CampaignError(f"an event before any step: {listening.events.get()}")
    waits_s = []
    for number in range(STEPS):
        shelf = number % SHELVES
        pieces = random.choice((-3, -2, -1, 1, 2, 3))
        pieces = abs(pieces) if loads[shelf] + pieces * PIECE_G < PIECE_G else pieces
        time.sleep(random.uniform(1.0, 2.0))  # at any moment of the cycle
        began_s = time.monotonic()
        loads[shelf] = loads[shelf] + pieces * PIECE_G
        waits_s.append(_told(listening, shelf_name(shelf), pieces * PIECE_G) - began_s)
    return waits_s


def _told(listening: Listening, shelf: str, delta_g: float) -> float:
    try:
        at_s, told_shelf, told_g = listening.events.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise CampaignError(f"no event within {PATIENCE_S:g} s of a step of {delta_g:g} g on {shelf}") from None
    if told_shelf != shelf or abs(told_g - delta_g) > PIECE_G / 4:
        raise CampaignError(f"a step of {delta_g:g} g on {shelf} was told as {told_g:g} g on {told_shelf}")
    return at_s
