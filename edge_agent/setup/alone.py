"""An agent for as long as somebody needs one: run in this process while the service stands still."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edge_agent.config import ConfigError, Settings
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import BoardError, SensorError
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.service.main import serve
from edge_agent.storage.errors import StorageError
from edge_agent.weighing.cells import CellTrace

START_S = 60.0
STOP_S = 15.0
HEARD, FRESH_MS = 3, 2_000  # samples of a cell, the last of them so new
NOWHERE = MqttSettings(host="127.0.0.1", port=9)  # discard: messages wait for the agent that comes after this one


class NotStarted(Exception):
    """Why no agent runs."""


@contextmanager
def agent(chosen: Settings, directory: Path, shelf: str) -> Iterator[None]:
    """The whole agent but for the broker, from the first samples of the shelf's cells on. Raises NotStarted."""
    settings = replace(chosen, mqtt=NOWHERE, storage=replace(chosen.storage, directory=str(directory)))
    before = _files(directory)
    stop, is_ready, ended = threading.Event(), threading.Event(), list[BaseException]()

    def on_cycle(decision: Decision, now: Instant) -> None:
        if is_heard(decision.memory.cells.get(shelf), now):
            is_ready.set()

    def run() -> None:
        try:
            serve(lambda: settings, stop, on_cycle=on_cycle)
        except (ConfigError, BoardError, SensorError, StorageError, OSError) as error:
            ended.append(error)
        finally:
            is_ready.set()

    thread = threading.Thread(target=run, name="agent", daemon=True)
    thread.start()
    try:
        if not is_ready.wait(START_S) or ended:
            raise NotStarted(str(ended[0]) if ended else f"the cells of {shelf} gave nothing within {START_S:g} s")
        yield
    finally:
        stop.set()
        thread.join(STOP_S)
        hand_over(directory, before)


def is_heard(trace: CellTrace | None, now: Instant) -> bool:
    """The cells speak one after another: each set-up on their bus keeps the others waiting for a second or two."""
    tails = [cell.tail for cell in trace.watch.cells] if trace is not None else []
    return bool(tails) and all(len(tail) >= HEARD and now.mono_ms - tail[-1][0] <= FRESH_MS for tail in tails)


def hand_over(directory: Path, before: frozenset[Path]) -> None:
    """What root made here belongs to whom the directory belongs to: the agent could not write it otherwise."""
    if os.geteuid() != 0 or not directory.exists():
        return
    owner = directory.stat()
    for path in _files(directory) - before:
        os.chown(path, owner.st_uid, owner.st_gid)


def _files(directory: Path) -> frozenset[Path]:
    return frozenset(directory.glob("*")) if directory.is_dir() else frozenset()
