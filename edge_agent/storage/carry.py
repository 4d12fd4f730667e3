"""What one file hands on to another: memory, commands and their answers, and what waits for the broker.

Into a refuge when a card takes no writes, and back (service/refuge.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select, text

from edge_agent.domain.command import Command, CommandResult
from edge_agent.domain.message import Message, Outcome, Queued, Stream
from edge_agent.domain.reading import Sample
from edge_agent.storage import inbox, schema
from edge_agent.storage.chain import Head, hash_of
from edge_agent.storage.database import looking
from edge_agent.storage.outbox import decoding
from edge_agent.storage.schema import TABLES
from edge_agent.storage.store import Store

_BATCH_ROWS = 2000
_COMMANDS = 1000  # the newest: more than anybody sends a node in the day for which a cmd_id is the same command
_RECORD_ASKED = "record/asked"
_OWN = ("health", _RECORD_ASKED)  # the memory rows that each file has of its own


@dataclass(frozen=True, slots=True)
class Belongings:
    """What the next cycle depends on."""

    memory: Mapping[str, bytes]
    results: Sequence[CommandResult]  # a command that is sent again must be known
    waiting: Sequence[Command]
    head: Head | None = None  # of the record, which begins anew in the other file
    is_heir: bool = False  # it began with all that the other file had: what it has not was forgotten in it


def belongings(file: Path) -> Belongings:
    """Of a file that nobody writes now, on a card that may take no writes. Raises StorageError."""
    from edge_agent.storage.shop_rows import BROUGHT

    with looking(file) as tx, decoding(file):
        memory = {row.key: row.value for row in tx.execute(select(schema.memory)) if row.key not in _OWN}
        newest = select(schema.inbox.c.cmd_id).order_by(schema.inbox.c.id.desc()).limit(_COMMANDS)
        known = dict.fromkeys(reversed(tx.scalars(newest).all()))
        results = [inbox.result_of(tx, cmd_id) for cmd_id in known]
        answered = [result for result in results if result is not None]
        is_heir = tx.scalar(select(schema.state.c.value).where(schema.state.c.key == BROUGHT)) is not None
        return Belongings(memory, answered, inbox.waiting(tx), _head(tx), is_heir)


def _head(tx: Connection) -> Head | None:
    """None too in a file of a version before there was a record: it was never opened to be written since."""
    record = TABLES[Stream.RECORD]
    if tx.scalar(text("SELECT 1 FROM sqlite_master WHERE name = :name"), {"name": record.name}) is None:
        return None
    last = tx.execute(select(record.c.seq, record.c.body).order_by(record.c.seq.desc()).limit(1)).first()
    epoch = tx.scalar(select(schema.state.c.value).where(schema.state.c.key == "epoch"))
    return None if last is None or epoch is None else Head(epoch, last.seq, hash_of(last.body))


def hand_over(found: Belongings, target: Store) -> None:
    """Done twice it changes nothing more."""
    gone = [key for key in target.memory() if key not in found.memory and key not in _OWN] if found.is_heir else []
    target.commit(memory={**found.memory, **dict.fromkeys(gone)}, results=found.results)
    if found.head is not None:
        target.follow_record(found.head)
    for command in found.waiting:
        target.receive(command)


def adopt(source: Store, target: Store, on_batch: Callable[[], None] = lambda: None) -> int:
    """The shop's days, and rows that the broker has not acknowledged, of the record all; answers how many rows.

    The newest of each retained topic comes along though the broker has it: else an older one in ``target`` would pass
    for the newest. What has moved is settled in ``source``: after an interruption at most one batch moves twice.
    """
    moved = target.take_shop_back(source)
    on_batch()
    _ask_for_the_record(source)
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


def _ask_for_the_record(source: Store) -> None:
    """Told or not, each line belongs to the record. Once: after an interruption the marks say what is left."""
    if _RECORD_ASKED in source.memory():
        return
    first, upto = 1, source.last_seq(Stream.RECORD)
    while first <= upto:
        first = source.resend(Stream.RECORD, first, upto).last + 1
    source.commit(memory={_RECORD_ASKED: b"1"})


def holds_more(refuge: Path, card: Path) -> bool:
    """Of the shop's days. Raises StorageError."""
    from edge_agent.storage import shop_rows

    with looking(refuge) as here, looking(card) as there:
        return shop_rows.holds_more(here, there)


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
