"""Play recorded traces through the whole agent, and write down what it would have told the broker."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO

from edge_agent.config import Settings
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import BoardError
from edge_agent.service.build import build, open_board
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.lock import StateLock
from edge_agent.service.recorder import Recorder
from edge_agent.service.run import run_stepped


@dataclass(frozen=True, slots=True)
class Summary:
    cycles: int
    messages: int
    simulated_s: float
    remarks: Sequence[str]  # rows that could not be played, and why


def replay(
    settings: Settings,
    traces: Sequence[str],
    out: BinaryIO,
    directory: str,
    stop: threading.Event,
    progress: Callable[[int, Instant], None] | None = None,
) -> Summary:
    """The whole agent on the recording's clock, as fast as it can.

    ``traces`` take the place of the configured ones. Raises BoardError for a trace that cannot be played and for
    a configuration whose board plays none; StorageError.
    """
    board_settings = settings.board.settings
    if "traces" not in {found.name for found in fields(board_settings)}:
        raise BoardError(f'board.kind = "{settings.board.kind}": must be "replay" to play a trace')
    if traces:
        board_settings = replace(board_settings, traces=tuple(traces))
    settings = replace(
        settings,
        board=replace(settings.board, settings=board_settings),
        storage=replace(settings.storage, directory=directory),
    )
    board = open_board(settings)
    cycles = 0

    def count(decision: Decision, now: Instant) -> None:
        nonlocal cycles
        cycles += 1
        if progress is not None:
            progress(cycles, now)

    with board.driving(), closing(StateLock()) as lock:
        lock.hold(Path(directory))
        recorder: Recorder | None = None

        def connect(identity: object, watch: ClockWatch) -> Recorder:
            nonlocal recorder
            recorder = Recorder(out, watch.now)
            return recorder

        parts = build(settings, board, connect)
        began_s = board.clock.monotonic_s()
        try:
            run_stepped(parts, stop, count)
        finally:
            parts.close()
    return Summary(cycles, recorder.written if recorder else 0, board.clock.monotonic_s() - began_s, board.remarks())
