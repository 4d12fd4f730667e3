"""The life of the process: build, run, build anew when a reload is asked for, end."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from edge_agent.config import ConfigError, Settings
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.embedded import EmbeddedBroker
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import Connection, Parts, build, open_board
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.lock import StateLock
from edge_agent.service.precheck import unusable
from edge_agent.service.routine import OnCycle
from edge_agent.service.run import run_live
from edge_agent.service.stepped import run_stepped

log = logging.getLogger(__name__)


def serve(
    load: Callable[[], Settings],
    stop: threading.Event,
    directory: str | None = None,
    on_cycle: OnCycle | None = None,
    first: Settings | None = None,
) -> None:
    """Run until ``stop`` is set. A reload reads the configuration again; one with faults is refused beforehand.

    What cannot be seen beforehand shows when the parts are built: then the last configuration that worked goes on,
    and an alarm says so. ``directory`` takes the place of ``storage.directory``; ``first`` is what ``load`` gave a
    moment ago. Raises what the first configuration meets: ConfigError, BoardError, StorageError.
    """

    def read(found: Settings | None = None) -> Settings:
        found = found or load()
        return found if directory is None else replace(found, storage=replace(found.storage, directory=directory))

    good: Settings | None = None
    failure: str | None = None
    with closing(StateLock()) as lock:
        settings = read(first)
        while not stop.is_set():
            try:
                with _built(settings, faults_of(read, settings), lock, failure) as parts:
                    good = settings
                    _run(parts, stop, on_cycle)
            except Exception as error:
                # The outermost edge: whatever keeps a new configuration from being put to work, the old one goes on.
                if good is None or settings is good:
                    raise
                settings, failure = good, _told("the new configuration cannot be put to work", error)
            else:
                if not stop.is_set():
                    settings, failure = _again(read, settings)


def faults_of(load: Callable[[], Settings], present: Settings) -> Callable[[], Sequence[str]]:
    """What keeps the configuration on the disk from taking the place of the present one."""

    def check() -> Sequence[str]:
        try:
            return unusable(load(), present)
        except ConfigError as error:
            return [str(fault) for fault in error.faults]

    return check


def _again(read: Callable[[], Settings], present: Settings) -> tuple[Settings, str | None]:
    """The configuration for the next life, and why it is not the one on the disk."""
    try:
        return read(), None
    except ConfigError as error:
        return present, _told("the configuration cannot be read again", error)


def _told(what: str, error: Exception) -> str:
    words = "; ".join(str(error).splitlines()) or type(error).__name__
    log.error("reload: %s; going on with the last one that worked: %s", what, words)
    return words


@contextmanager
def _built(
    settings: Settings, check: Callable[[], Sequence[str]], lock: StateLock, failure: str | None
) -> Iterator[Parts]:
    def connect(identity: Identity, watch: ClockWatch) -> Connection:
        return MqttConnection(settings.mqtt, identity, watch.now)

    lock.hold(Path(settings.storage.directory))
    with ExitStack() as ending:
        if settings.mqtt.embedded:
            broker = EmbeddedBroker(settings.mqtt.port)
            broker.start()
            ending.callback(broker.stop)
        board = open_board(settings)
        ending.enter_context(board.driving())
        parts = build(settings, board, connect, check, lock)
        ending.callback(parts.close)
        parts.reload_failure = failure
        yield parts


def _run(parts: Parts, stop: threading.Event, on_cycle: OnCycle | None) -> None:
    if parts.board.is_stepped():
        run_stepped(parts, stop, on_cycle, pace=parts.board.pace())
    else:
        run_live(parts, stop, on_cycle)
