"""Figures about the file for the health message and the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from edge_agent.domain.message import Stream
from edge_agent.storage.errors import free_bytes, named_faults
from edge_agent.storage.ledger import Kind, Ledger


@dataclass(frozen=True, slots=True)
class StreamStats:
    last_seq: int
    rows: int  # on the disk
    pending: int
    refused: Mapping[str, int]  # by reason
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stats:
    epoch: str
    streams: Mapping[Stream, StreamStats]
    removed: Mapping[str, int]  # rows retention took away, by reason
    used_bytes: int  # of the database, what is not free inside
    file_bytes: int  # with what lies beside it
    free_disk_bytes: int
    is_disk_full: bool


@dataclass(frozen=True, slots=True)
class Pages:
    """SQLite's own account of the file."""

    total: int
    free: int  # inside the file, taken before it grows
    page_bytes: int

    @property
    def used_bytes(self) -> int:
        return (self.total - self.free) * self.page_bytes


def count_pages(tx: Connection) -> Pages:
    pragmas = ("page_count", "freelist_count", "page_size")
    return Pages(*(int(tx.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()) for pragma in pragmas))


def summarise(ledger: Ledger, pages: Pages, path: Path, *, is_disk_full: bool) -> Stats:
    removed: dict[str, int] = {}
    for (_, reason), rows in ledger.removed.items():
        removed[reason] = removed.get(reason, 0) + rows
    beside = (Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm"))
    with named_faults(path):
        file_bytes = sum(file.stat().st_size for file in beside if file.exists())
    return Stats(
        epoch=ledger.state["epoch"],
        streams={stream: _of_stream(ledger, stream) for stream in ledger.books},
        removed=removed,
        used_bytes=pages.used_bytes,
        file_bytes=file_bytes,
        free_disk_bytes=free_bytes(path.parent),
        is_disk_full=is_disk_full,
    )


def _of_stream(ledger: Ledger, stream: Stream) -> StreamStats:
    book = ledger.books[stream]
    return StreamStats(
        last_seq=book.last,
        rows=ledger.rows(stream),
        pending=book.pending,
        refused=_by_reason(ledger, stream, Kind.REFUSED),
        dropped=_by_reason(ledger, stream, Kind.DROPPED),
    )


def _by_reason(ledger: Ledger, stream: Stream, kind: Kind) -> dict[str, int]:
    counts: dict[str, int] = {}
    for note in ledger.noted(stream, kind):
        counts[note.reason] = counts.get(note.reason, 0) + note.rows
    return counts
