"""In place of a broker: writes every message down, one JSON object a line, and acknowledges it at once."""

import json
from collections.abc import Callable
from typing import BinaryIO

from edge_agent.domain.instant import Instant
from edge_agent.mqtt.messages import Link
from edge_agent.mqtt.wire import Incoming, Outgoing

WINDOW = 1000


class Recorder:
    """A ``publisher.Connection`` that is always up. A line: ``at, topic, qos, retain, payload``.

    ``at`` is when the message would have gone to the broker, ``payload`` the JSON object it carries.
    """

    is_up, generation, window, in_flight = True, 1, WINDOW, 0
    command_path, last_error, ping_refusal, unheard = "unproved", None, None, 0
    is_running, is_moving = True, True

    def __init__(self, out: BinaryIO, now: Callable[[], Instant]) -> None:
        self._out, self.now = out, now
        self._acks: list[tuple[int, int | None]] = []
        self._token = 0
        self.link = Link(session=1, protocol="5", is_encrypted=False, notes=("replayed",))
        self.written = 0

    def start(self, wake: Callable[[], None]) -> None:
        """Nothing to connect to."""

    def stop(self, timeout_s: float) -> None:
        self._out.flush()

    def send(self, outgoing: Outgoing, generation: int) -> int:
        head = f'{{"at":"{self.now().rfc3339()}","topic":{json.dumps(outgoing.topic)},"qos":{outgoing.qos}'
        retain = "true" if outgoing.retain else "false"
        self._out.write(f'{head},"retain":{retain},"payload":'.encode() + (outgoing.payload or b"null") + b"}\n")
        self.written += 1
        self._token += 1
        self._acks.append((self._token, None))
        return self._token

    def acks(self) -> list[tuple[int, int | None]]:
        taken, self._acks = self._acks, []
        return taken

    def received(self) -> list[Incoming]:
        return []

    def restart(self, reason: str) -> None:
        raise AssertionError(f"a recorder never freezes: {reason}")
