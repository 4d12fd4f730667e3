"""Somebody who keeps asking for tares, zeros and counts, and asks again when no answer comes."""

import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import paho.mqtt.client as mqtt

from chaos_parts.children import comes_true, wait_for
from chaos_parts.rig import SHELVES, TOPICS
from chaos_parts.witness import Witness

EVERY_S = 0.15
PATIENCE_S = 0.7  # then the same command again, with the same cmd_id
TRIES = 8
AT_ONCE = 3
TWICE = 0.3  # of the commands come a second time after they were answered, as a redelivery would

Wish = Callable[[], tuple[str, Mapping[str, Any]] | None]


@dataclass(slots=True)
class Asked:
    cmd_id: str
    verb: str
    payload: bytes
    sent_s: list[float] = field(default_factory=list)
    again: bool = False  # once more, although it was answered


class Staff:
    """A thread that sends commands over a connection of its own; answers are heard by the witness.

    ``wish``: the next command with its arguments; None for nothing at the moment.
    """

    def __init__(self, port: int, witness: Witness, seed: int, wish: Wish | None = None) -> None:
        self.asked: dict[str, Asked] = {}
        self._port, self._witness, self._random = port, witness, Random(seed)
        self._wish = wish or partial(scale_wish, self._random)
        self._listening = threading.Lock()
        self._listened_upto = 0
        self._answers: dict[str, list[str]] = defaultdict(list)  # cmd_id -> codes
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="staff", daemon=True)

    def connect(self) -> None:
        if not self._client.is_connected():
            self._client.reconnect_delay_set(1, 1)
            self._client.connect("127.0.0.1", self._port)
            self._client.loop_start()

    def start(self) -> None:
        """Begin to wish."""
        self.connect()
        self._thread.start()

    def rest(self) -> None:
        """No more wishes of their own."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)

    def stop(self) -> None:
        self.rest()
        self._client.disconnect()
        self._client.loop_stop()

    def answers(self) -> Mapping[str, list[str]]:
        """Codes by cmd_id, from everything heard so far."""
        with self._listening:
            mark = self._witness.mark()
            for found in self._witness.heard("rsp/", self._listened_upto, mark):
                if found.body["cmd_id"] in self.asked:
                    self._answers[found.body["cmd_id"]].append(found.body["code"])
            self._listened_upto = mark
            return dict(self._answers)

    def ask(self, verb: str, arguments: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any]:
        """One command, asked anew until it is done; the detail of its answer. Raises CampaignError."""
        details: list[Mapping[str, Any]] = []

        def is_done() -> bool:
            mark, asked = self._witness.mark(), self._command(verb, arguments)
            self._send(asked)
            answered = comes_true(lambda: self._answer(asked.cmd_id, mark), 2)
            body = self._answer(asked.cmd_id, mark) if answered else None
            if body is not None and body["code"] == "done":
                details.append(body["detail"])
            return bool(details)

        wait_for(is_done, timeout_s, f"cmd/{verb} {dict(arguments)} done")
        return details[0]

    def _answer(self, cmd_id: str, since: int) -> Mapping[str, Any] | None:
        bodies = (heard.body for heard in self._witness.heard("rsp/", since))
        return next((body for body in bodies if body["cmd_id"] == cmd_id), None)

    def codes(self) -> set[str]:
        """Every kind of answer heard so far."""
        return {code for codes in self.answers().values() for code in codes}

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            for asked in self._due():
                self._send(asked)

    def _send(self, asked: Asked) -> None:
        asked.sent_s.append(time.monotonic())
        self._client.publish(f"{TOPICS}/cmd/{asked.verb}", asked.payload, qos=1)

    def _due(self) -> list[Asked]:
        answers, now_s = self.answers(), time.monotonic()
        open_ = [a for a in self.asked.values() if a.cmd_id not in answers and len(a.sent_s) < TRIES]
        late = [asked for asked in open_ if now_s - asked.sent_s[-1] > PATIENCE_S]
        for asked in self.asked.values():
            if asked.again and asked.cmd_id in answers:
                asked.again = False
                late.append(asked)
        wish = self._wish() if len(open_) < AT_ONCE else None
        if wish is not None:
            late.append(self._new(*wish))
        return late

    def _new(self, verb: str, arguments: Mapping[str, Any]) -> Asked:
        asked = self._command(verb, arguments)
        asked.again = self._random.random() < TWICE
        self.asked[asked.cmd_id] = asked
        return asked

    def _command(self, verb: str, arguments: Mapping[str, Any]) -> Asked:
        cmd_id = uuid.UUID(int=self._random.getrandbits(128)).hex
        return Asked(cmd_id, verb, json.dumps({"cmd_id": cmd_id, **arguments}).encode())


def scale_wish(draw: Random) -> tuple[str, dict[str, Any]]:
    """Each with figures of its own, so that one cannot pass for another."""
    shelf = draw.choice(SHELVES)
    return draw.choice(
        [
            ("tare", {"shelf": shelf, "tare_g": round(draw.uniform(0, 900), 3)}),
            ("count", {"shelf": shelf, "units": draw.randrange(1, 100_000)}),
            ("zero", {"shelf": shelf}),
        ]
    )
