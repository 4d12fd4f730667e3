"""The life of the process: build, run, build anew when a reload is asked for, end."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_agent.config import ConfigError, Settings
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.embedded import EmbeddedBroker
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import Connection, build, open_board
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.run import OnCycle, run_live, run_stepped

log = logging.getLogger(__name__)


def serve(
    load: Callable[[], Settings],
    stop: threading.Event,
    directory: str | None = None,
    on_cycle: OnCycle | None = None,
) -> None:
    """Run until ``stop`` is set. A reload reads the configuration again; one with faults is refused beforehand.

    ``directory`` takes the place of ``storage.directory``. Raises ConfigError, BoardError, StorageError.
    """
    while not stop.is_set():
        settings = load()
        if directory is not None:
            settings = replace(settings, storage=replace(settings.storage, directory=directory))
        broker = EmbeddedBroker(settings.mqtt.port) if settings.mqtt.embedded else None
        if broker is not None:
            broker.start()
        try:
            _run_once(settings, stop, faults_of(load), on_cycle)
        finally:
            if broker is not None:
                broker.stop()


def faults_of(load: Callable[[], Settings]) -> Callable[[], Sequence[str]]:
    def check() -> Sequence[str]:
        try:
            load()
        except ConfigError as error:
            return [str(fault) for fault in error.faults]
        return ()

    return check


def _run_once(
    settings: Settings, stop: threading.Event, check: Callable[[], Sequence[str]], on_cycle: OnCycle | None
) -> None:
    def connect(identity: Identity, watch: ClockWatch) -> Connection:
        return MqttConnection(settings.mqtt, identity, watch.now)

    board = open_board(settings)
    with board.driving():
        parts = build(settings, board, connect, check)
        try:
            if board.is_stepped():
                run_stepped(parts, stop, on_cycle, pace=board.pace())
            else:
                run_live(parts, stop, on_cycle)
        finally:
            parts.close()
