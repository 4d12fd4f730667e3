"""A broker inside this process (amqtt, MQTT 3.1.1) for a first look without one. Imported only when asked for."""

import asyncio
import logging
import threading
from typing import Any

log = logging.getLogger(__name__)


class EmbeddedBrokerError(RuntimeError):
    """Says what is missing and how to get it."""


def _broker_class() -> Any:
    try:
        from amqtt.broker import Broker
    except ImportError as error:
        raise EmbeddedBrokerError(
            "mqtt.embedded = true needs the extra `demo`: pip install 'edge-agent[demo]'"
        ) from error
    return Broker


class EmbeddedBroker:
    """Anonymous, in memory, on 127.0.0.1 only."""

    def __init__(self, port: int = 1883) -> None:
        self.port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def start(self, timeout_s: float = 10.0) -> None:
        """Returns when the port is open; raises EmbeddedBrokerError when it cannot be."""
        if self._thread is not None:
            raise EmbeddedBrokerError("the embedded broker was started already")
        broker_class = _broker_class()
        # The library tells each client's coming and going as a warning or worse.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread = threading.Thread(target=self._run, args=(broker_class,), name="embedded-broker", daemon=True)
        self._thread.start()
        if not self._ready.wait(timeout_s):
            raise EmbeddedBrokerError(f"the embedded broker was not ready within {timeout_s:g} s")
        if self._failure is not None:
            self._thread.join(timeout_s)
            why = f"mqtt.port = {self.port}: the embedded broker cannot listen on 127.0.0.1:{self.port}"
            raise EmbeddedBrokerError(
                f"{why} ({self._failure}); is another broker running? Choose another port or embedded = false"
            ) from self._failure

    def stop(self, timeout_s: float = 5.0) -> None:
        loop, stop = self._loop, self._stop
        if self._thread is None or loop is None or stop is None:
            return
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(timeout_s)
        self._thread = None

    def _run(self, broker_class: Any) -> None:
        asyncio.run(self._serve(broker_class))

    async def _serve(self, broker_class: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            broker = broker_class(
                {
                    "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
                }
            )
            await broker.start()
        except Exception as error:  # noqa: BLE001 - the edge of a foreign library's thread; told by start()
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        await broker.shutdown()
