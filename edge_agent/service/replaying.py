"""Play recorded traces through the whole agent, and write down what it would have told the broker."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO

from edge_agent.config import Settings
from edge_agent.decide import Decision, Memory
from edge_agent.domain.command import Command, CommandResult, ResultCode, Verb
from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import BoardError
from edge_agent.exchange.lots import LotRow, due
from edge_agent.lots.register import fefo
from edge_agent.service.build import build, open_board
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.lock import StateLock
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped


@dataclass(frozen=True, slots=True)
class Summary:
    cycles: int
    messages: int
    simulated_s: float
    remarks: Sequence[str]  # rows that could not be played, and why
    lots: Sequence[Mapping[str, object]] = ()  # each as it stood in the end


def replay(
    settings: Settings,
    traces: Sequence[str],
    out: BinaryIO,
    directory: str,
    stop: threading.Event,
    progress: Callable[[int, Instant], None] | None = None,
    lots: Sequence[LotRow] = (),
) -> Summary:
    """The whole agent on the recording's clock, as fast as it can; ``lots`` are told of when they came.

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
        for number, row in enumerate(due(waiting, now.wall_ms)):
            parts.agent.receive(_delivery(row, f"lot-{cycles}-{number}", now))
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
        waiting, refused = list(lots), list[str]()
        parts.agent.tell_answers(lambda results: refused.extend(_refusals(results)))
        began_s = board.clock.monotonic_s()
        try:
            run_stepped(parts, stop, count)
        finally:
            parts.close()
    late = [f"lot {row.arguments['lot']}: came after the recording" for row in waiting]
    return Summary(
        cycles,
        recorder.written if recorder else 0,
        board.clock.monotonic_s() - began_s,
        [*board.remarks(), *refused, *late],
        _as_they_stand(parts.agent.memory),
    )


def _delivery(row: LotRow, cmd_id: str, now: Instant) -> Command:
    return Command(cmd_id, Verb.RECEIVE, row.arguments, "replay", now)


def _refusals(results: Sequence[CommandResult]) -> list[str]:
    return [
        f"lot {result.command.arguments.get('lot')}: {result.message}"
        for result in results
        if result.command.source == "replay" and result.code is not ResultCode.DONE
    ]


def _as_they_stand(memory: Memory) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for lot in sorted(memory.register.lots.values(), key=fefo):
        life = memory.keepings[lot.id].life if lot.id in memory.keepings else None
        found.append(
            {
                "lot": lot.id,
                "product": lot.product,
                "reckoned": None if life is None else life.at.rfc3339(),
                "remaining_d": None if life is None else [round(each, 3) for each in life.remaining_d],
                "p_spoiled": None if life is None else [round(each, 4) for each in life.p_spoiled],
                "used": None if life is None else round(life.used, 4),
                "product_c": None if life is None or life.product_c is None else round(life.product_c, 2),
                "basis": None if life is None else life.basis,
                "reasons": [] if life is None else list(life.reasons),
            }
        )
    return found
