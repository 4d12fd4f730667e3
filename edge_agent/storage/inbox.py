"""Commands waiting for the next cycle, and what became of the earlier ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from edge_agent.domain.command import Command, CommandResult, ResultCode, Seal
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.storage.clocks import Cutoff, age_days
from edge_agent.storage.database import Database
from edge_agent.storage.migrations import AGENT
from edge_agent.storage.schema import inbox

APPLICATION_ID = 0x65646741  # "edgA"
FILE_NAME = "agent.db"
SAME_COMMAND_DAYS = 1.0  # the same cmd_id within this time is the same command
AUDIT_DAYS = 400.0
_PRUNE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the inbox made of a command."""

    is_duplicate: bool
    earlier: CommandResult | None = None  # of a duplicate that has been obeyed
    is_replay: bool = False  # its nonce was used before, for another command


class Inbox:
    """The command line's way in, from a process of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, directory: Path) -> "Inbox":
        return cls(Database.visit(directory / FILE_NAME, AGENT, APPLICATION_ID))

    def receive(self, command: Command) -> Receipt:
        with self._database.writing() as tx:
            return receive(tx, command)

    def result_of(self, cmd_id: str) -> CommandResult | None:
        with self._database.reading() as tx:
            return result_of(tx, cmd_id)


def receive(tx: Connection, command: Command) -> Receipt:
    """Store a command, or say that we have it. One whose age nobody can tell counts as the same."""
    newest = _newest(tx, command.cmd_id)
    if newest is not None:
        age = age_days(_received(newest), command.received)
        if age is None or age < SAME_COMMAND_DAYS:
            return Receipt(is_duplicate=True, earlier=_result(newest))
    if command.seal is not None and _is_used(tx, command.seal):
        return Receipt(is_duplicate=False, is_replay=True)
    tx.execute(insert(inbox), _columns(command))
    return Receipt(is_duplicate=False)


def _is_used(tx: Connection, seal: Seal) -> bool:
    """The row that obeyed it is the memory of a nonce: written with the command, kept as long as the audit."""
    used = select(inbox.c.id).where(inbox.c.nonce == seal.nonce, inbox.c.signed_by == seal.key)
    return tx.execute(used.limit(1)).first() is not None


def waiting(tx: Connection) -> list[Command]:
    """In the order they came."""
    return [_command(row) for row in tx.execute(_WAITING)]


_WAITING = select(inbox).where(inbox.c.code.is_(None)).order_by(inbox.c.id)


def settle(tx: Connection, result: CommandResult) -> None:
    """Store what became of a command. One that the inbox never saw is stored too, and one without an id each time."""
    newest = _newest(tx, result.command.cmd_id) if result.command.cmd_id else None
    done = {
        "code": result.code.value,
        "message": result.message,
        "detail": json.dumps(dict(result.detail)),
        "done_boot": result.at.boot,
        "done_mono_ms": result.at.mono_ms,
        "done_wall_ms": result.at.wall_ms,
        "done_clock": result.at.clock.value,
    }
    if newest is None:
        tx.execute(insert(inbox), _columns(result.command) | done)
    elif newest.code is None:
        tx.execute(update(inbox).where(inbox.c.id == newest.id).values(**done))


def result_of(tx: Connection, cmd_id: str) -> CommandResult | None:
    newest = _newest(tx, cmd_id)
    return None if newest is None else _result(newest)


def correct(tx: Connection, boot: str, offset_ms: int) -> None:
    """Put the wall times of a boot's unsynchronised rows right."""
    unsynced, corrected = ClockState.UNSYNCED.value, ClockState.CORRECTED.value
    for of_boot, clock, mono_ms, wall_ms in (
        (inbox.c.boot, inbox.c.clock, inbox.c.mono_ms, inbox.c.wall_ms),
        (inbox.c.done_boot, inbox.c.done_clock, inbox.c.done_mono_ms, inbox.c.done_wall_ms),
    ):
        tx.execute(
            update(inbox)
            .where(of_boot == boot, clock == unsynced)
            .values({clock: corrected, wall_ms: mono_ms + offset_ms})
        )


def outlived(tx: Connection, now: Instant, cutoff: Cutoff) -> list[int]:
    """Rows of obeyed commands old enough to go."""
    if now.clock is not ClockState.SYNCED:
        return []
    rows = tx.execute(select(inbox).where(inbox.c.code.is_not(None)).order_by(inbox.c.id).limit(_PRUNE_ROWS))
    instants = [(row.id, _received(row)) for row in rows]
    known = [(number, at) for number, at in instants if age_days(at, now) is not None]
    if not known:
        return []
    cutoff.move(known[0][1].wall_ms, now)
    return [number for number, at in known if cutoff.has_passed(at, now)]


def prune(tx: Connection, numbers: list[int]) -> None:
    if numbers:
        tx.execute(delete(inbox).where(inbox.c.id.in_(numbers)))


def _newest(tx: Connection, cmd_id: str) -> Row[Any] | None:
    return tx.execute(select(inbox).where(inbox.c.cmd_id == cmd_id).order_by(inbox.c.id.desc()).limit(1)).first()


def _received(row: Row[Any]) -> Instant:
    return Instant(row.mono_ms, row.wall_ms, row.boot, ClockState(row.clock))


def _columns(command: Command) -> dict[str, object]:
    return {
        "cmd_id": command.cmd_id,
        "verb": command.verb,
        "arguments": json.dumps(dict(command.arguments)),
        "source": command.source,
        "boot": command.received.boot,
        "mono_ms": command.received.mono_ms,
        "wall_ms": command.received.wall_ms,
        "clock": command.received.clock.value,
        "expires_s": command.expires_s,
        "response_topic": command.response_topic,
        "correlation": command.correlation,
        "signed_by": None if command.seal is None else command.seal.key,
        "nonce": None if command.seal is None else command.seal.nonce,
        "peer": command.peer or None,
    }


def _command(row: Row[Any]) -> Command:
    arguments: Mapping[str, object] = json.loads(row.arguments)
    return Command(
        cmd_id=row.cmd_id,
        verb=row.verb,
        arguments=arguments,
        source=row.source,
        received=_received(row),
        expires_s=row.expires_s,
        response_topic=row.response_topic,
        correlation=row.correlation,
        seal=None if row.nonce is None else Seal(row.signed_by, row.nonce),
        peer=row.peer or "",
    )


def _result(row: Row[Any]) -> CommandResult | None:
    if row.code is None:
        return None
    return CommandResult(
        command=_command(row),
        code=ResultCode(row.code),
        at=Instant(row.done_mono_ms, row.done_wall_ms, row.done_boot, ClockState(row.done_clock)),
        message=row.message,
        detail=json.loads(row.detail),
    )
