"""What one file hands on to another: memory, commands and their answers, and what waits for the broker.

Into a refuge when a card takes no writes, and back (service/refuge.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from edge_agent.domain.command import Command, CommandResult
from edge_agent.domain.message import Message, Outcome, Queued, Stream
from edge_agent.domain.reading import Sample
from edge_agent.storage import inbox, schema
from edge_agent.storage.database import looking
from edge_agent.storage.outbox import decoding
from edge_agent.storage.store import Store

_BATCH_ROWS = 2000
_COMMANDS = 1000  # the newest: more than anybody sends a node in the day for which a cmd_id is the same command
_OWN = "health"  # the memory row that each file has of its own


@dataclass(frozen=True, slots=True)
class Belongings:
    """What the next cycle depends on."""

    memory: Mapping[str, bytes]
    results: Sequence[CommandResult]  # a command that is sent again must be known
    waiting: Sequence[Command]


def belongings(file: Path) -> Belongings:
    """Of a file that nobody writes now, on a card that may take no writes. Raises StorageError."""
    with looking(file) as tx, decoding(file):
        memory = {row.key: row.value for row in tx.execute(select(schema.memory)) if row.key != _OWN}
        newest = select(schema.inbox.c.cmd_id).order_by(schema.inbox.c.id.desc()).limit(_COMMANDS)
        known = dict.fromkeys(reversed(tx.scalars(newest).all()))
        results = [inbox.result_of(tx, cmd_id) for cmd_id in known]
        return Belongings(memory, [result for result in results if result is not None], inbox.waiting(tx))


def hand_over(found: Belongings, target: Store) -> None:
    """Done twice it changes nothing more."""
    target.commit(memory=found.memory, results=found.results)
    for command in found.waiting:
        target.receive(command)


def adopt(source: Store, target: Store, on_batch: Callable[[], None] = lambda: None) -> int:
    """Rows that the broker has not acknowledged move over as new ones; answers how many.

    The newest of each retained topic comes along though the broker has it: else an older one in ``target`` would pass
    for the newest. What has moved is settled in ``source``: after an interruption at most one batch moves twice.
    """
    moved = 0
    for stream in source.streams():
        for rows in _batches(source, stream):
            contents = [row.content for row in rows]
            target.commit(
                [content for content in contents if isinstance(content, Sample)],
                [content for content in contents if isinstance(content, Message)],
            )
            source.mark(stream, [row.seq for row in rows], Outcome.ACCEPTED)
            source.flush_marks()
            moved += len(rows)
            on_batch()
    return moved


def _batches(source: Store, stream: Stream) -> Iterator[list[Queued]]:
    """In the order of their numbers."""
    told = [row for row in source.latest_retained() if row.stream is stream]
    after = 0
    while rows := source.pending(stream, after, _BATCH_ROWS):
        first, last = after, rows[-1].seq
        between = {row.seq: row for row in told if first < row.seq <= last}
        yield [row for _, row in sorted((between | {row.seq: row for row in rows}).items())]
        after = last
    if rest := [row for row in told if row.seq > after]:
        yield rest
