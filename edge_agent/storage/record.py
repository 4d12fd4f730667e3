"""Reading the record from another process: from agent.db, and from the damaged files set aside beside it.

A file that was set aside keeps its lines where they are (docs/decisions/011): only those that the broker had not
acknowledged were copied into the file after it. So the record is read from all of them, each a chain of its own; the
first line of one names the last line known of the one before.
"""

import logging
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from edge_agent.domain.message import Stream
from edge_agent.domain.record import NODE_RECORD, ChainFault, ChainVerdict, KeptLine, RecordKind
from edge_agent.storage import chain, settings_file
from edge_agent.storage.archive import Archive
from edge_agent.storage.chain import Head, Line, Row, Walk
from edge_agent.storage.errors import StorageError
from edge_agent.storage.inbox import FILE_NAME
from edge_agent.storage.wreck import FOLDER, Wreck

log = logging.getLogger(__name__)

HEAD_MIRROR = "record/head"  # a row of the settings file: the head at the last digest
KNOWN_ELSEWHERE = "the settings file"
_ROWS = 2000  # read at a time: a longer read would hold the agent's checkpoint up
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SET_BY_STORAGE = frozenset({"at", "kind", "place", "line", "prev", "hash"})


class Source(Protocol):
    """One file that holds lines."""

    name: str
    is_damaged: bool

    def rows(self, topic: str | None = None) -> Iterator[Row]: ...

    def given(self) -> int:
        """The highest number that is known to have been given."""

    def close(self) -> None: ...


class _InUse:
    """agent.db, of which the agent may be writing."""

    is_damaged = False

    def __init__(self, directory: Path, archive: Archive) -> None:
        self.name = FILE_NAME
        self._archive = archive

    def rows(self, topic: str | None = None) -> Iterator[Row]:
        after, found = 0, [Row(0, "", b"")]
        while found:
            found = self._archive.rows_of_record(after, _ROWS, topic)
            yield from found
            after = found[-1].number if found else after

    def given(self) -> int:
        return self._archive.settled_of_record()

    def close(self) -> None: ...


class _SetAside:
    """A damaged file."""

    is_damaged = True

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._folder, readable = _with_its_log(path)
        try:
            self._wreck = Wreck.open(readable)
        except StorageError:
            self._remove()
            raise

    def rows(self, topic: str | None = None) -> Iterator[Row]:
        extent = self._wreck.extent(Stream.RECORD)
        if extent is not None:
            for number, found, body in self._wreck.rows(Stream.RECORD, *extent, "seq, topic, body"):
                if type(found) is str and type(body) is bytes and topic in (None, found):
                    yield Row(number, found, body)

    def given(self) -> int:
        return 0

    def close(self) -> None:
        self._wreck.close()
        self._remove()

    def _remove(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _with_its_log(path: Path) -> tuple[Path | None, Path]:
    """A folder of our own with a second name for the file, because SQLite writes beside one that has a log (see
    ``wreck``); where none can be made, the file without its log. The agent may be using its own second name.
    """
    if not Path(f"{path}-wal").exists():
        return None, path
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=".record-", dir=path.parent))
        readable = folder / FOLDER / path.name
        readable.parent.mkdir()
        os.link(path, readable)
        shutil.copyfile(f"{path}-wal", f"{readable}-wal")
    except OSError as error:
        log.debug("%s is read without its log: %s", path, error)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return None, path
    return folder, readable


@dataclass(slots=True)
class Record:
    """All files of one directory. ``lines`` is gone through once, and then ``verdict`` tells; or ``check``."""

    sources: Sequence[Source]
    heads: Sequence[tuple[str, Head]] = ()  # (who says so, line): known from elsewhere
    notes: list[str] = field(default_factory=list)
    _walks: list[tuple[Walk, Source]] = field(default_factory=list)
    _faults: list[ChainFault] = field(default_factory=list)

    def close(self) -> None:
        for source in self.sources:
            source.close()

    def lines(self) -> Iterator[KeptLine]:
        """All that can be read, in the order they were written; each is checked on the way."""
        offsets = _offsets(self.sources)
        seen: set[str] = set()
        wall_ms: int | None = None
        for source, line in self._walk():
            if (source.is_damaged or line.original != line.hash) and _is_seen(line, seen):
                continue
            kept = _kept(source.name, line, offsets, wall_ms)
            wall_ms = kept.near_ms
            yield kept

    def check(self) -> ChainVerdict:
        """Without telling what the lines say."""
        deque(self._walk(), maxlen=0)
        return self.verdict()

    def _walk(self) -> Iterator[tuple[Source, Line]]:
        openings = [_opening(source) for source in self.sources]
        for source, opening in zip(self.sources, openings, strict=True):
            walk = Walk(source.name, is_damaged=source.is_damaged)
            heads = self._heads_of(_epoch_of(opening), openings, is_last=source is self.sources[-1])
            known = {head.line for _, head in heads}
            pruned: dict[int, str] = {}
            for line in walk.lines(source.rows()):
                if known and line.number in known:
                    wrong = chain.disagreement(source.name, line, heads)
                    self._faults += [wrong] if wrong is not None else []
                if line.content.get("kind") == RecordKind.PRUNED and line.is_sound:
                    pruned[line.content.get("upto", 0)] = line.content.get("upto_hash", "")
                yield source, line
            walk.close(heads, pruned, source.given())
            self._note(opening, pruned)
            self._walks.append((walk, source))

    def _heads_of(
        self, epoch: str | None, openings: Sequence[Line | None], *, is_last: bool
    ) -> list[tuple[str, Head]]:  # fmt: skip
        """Lines of a file that somebody else knows: the files after it, the settings file, who asks."""
        named = [chain.after_of(opening) for opening in openings if opening is not None]
        known = [("the first line of the file after it", head) for head in named if head is not None]
        found = [(who, head) for who, head in (*known, *self.heads) if head.epoch == epoch]
        return found + [(who, head) for who, head in self.heads if not head.epoch and is_last]

    def _note(self, opening: Line | None, pruned: Mapping[int, str]) -> None:
        if pruned:
            self.notes.append(f"lines 1 to {max(pruned)} were deleted after the days they are kept for")
        after = chain.after_of(opening) if opening is not None else None
        if after is not None and after.epoch not in {_epoch_of(walk.first) for walk, _ in self._walks}:
            self.notes.append(
                f"lines 1 to {after.line} of epoch {after.epoch}, written before this file, are not here:"
                " their file was damaged and removed, or lies on another card"
            )

    def verdict(self) -> ChainVerdict:
        walk = self._walks[-1][0]
        first, last = walk.first, walk.last
        return ChainVerdict(
            lines=sum(found.count for found, _ in self._walks),
            first=0 if first is None else first.number or first.row.number,
            last=0 if last is None else last.number or last.row.number,
            head="" if last is None else last.stated or last.hash,
            faults=(*(fault for found, _ in self._walks for fault in found.faults), *self._faults),
            notes=tuple(self.notes),
        )


def open_record(directory: Path, heads: Sequence[tuple[str, Head]] = ()) -> Record:
    """Raises StorageError when there is no agent.db, or none that was begun."""
    archive = Archive.open(directory)
    record = Record([], [*_mirrored(directory), *heads])
    sources: list[Source] = []
    for path in set_aside_in(directory):
        try:
            sources.append(_SetAside(path))
        except StorageError as error:
            record.notes.append(f"{path.name} was damaged and set aside, and no line in it can be read: {error}")
    record.sources = [*sources, _InUse(directory, archive)]
    return record


def set_aside_in(directory: Path) -> list[Path]:
    """Damaged files, the oldest first, by when they were renamed: the clock in their names may have been wrong."""
    found = directory.glob(f"{FILE_NAME}.corrupt-*")
    files = [file for file in found if not file.name.endswith(("-wal", "-shm"))]
    return sorted(files, key=lambda file: file.stat().st_ctime_ns)


def _mirrored(directory: Path) -> list[tuple[str, Head]]:
    """What the settings file remembers of the last digest."""
    try:
        found = settings_file.mirrored_in(directory).get(HEAD_MIRROR)
        return [] if found is None else [(KNOWN_ELSEWHERE, Head.parsed(found))]
    except (StorageError, ValueError, KeyError, TypeError) as error:
        log.debug("record: %s", error)
        return []


def _opening(source: Source) -> Line | None:
    """Its first line, if that is still there."""
    row = next(source.rows(), None)
    return None if row is None or row.number != 1 else chain.read(row)


def _epoch_of(opening: Line | None) -> str | None:
    found = None if opening is None else opening.content.get("epoch")
    return found if isinstance(found, str) else None


def _offsets(sources: Sequence[Source]) -> dict[str, int]:
    """By boot: what puts right the times that were taken before its clock was set."""
    offsets: dict[str, int] = {}
    for source in sources:
        for row in source.rows(f"record/{NODE_RECORD}"):
            if b'"kind":"clock"' in row.body:
                content = chain.read(row).content
                boot, offset_ms = content.get("clock_boot"), content.get("offset_ms")
                if isinstance(boot, str) and type(offset_ms) is int:
                    offsets[boot] = offset_ms
    return offsets


def _is_seen(line: Line, seen: set[str]) -> bool:
    found = line.original in seen
    seen.add(line.original)
    return found


def _kept(file: str, line: Line, offsets: Mapping[str, int], before_ms: int | None) -> KeptLine:
    content = line.content
    is_unset, mono_ms = "at_clock" in content, content.get("at_mono_ms")
    wall_ms = _wall_ms(line.at)
    if is_unset:
        offset_ms = offsets.get(str(content.get("boot")))
        wall_ms = mono_ms + offset_ms if offset_ms is not None and type(mono_ms) is int else None
    return KeptLine(
        file=file,
        number=line.number or line.row.number,
        kind=str(content.get("kind", "")),
        place=str(content.get("place", "")),
        at=line.at,
        wall_ms=wall_ms,
        near_ms=before_ms if wall_ms is None else wall_ms,
        is_corrected=is_unset,
        body={key: value for key, value in content.items() if key not in _SET_BY_STORAGE},
        hash=line.stated or line.hash,
    )


@lru_cache(maxsize=64)  # the places' lines of one quarter have the same
def _wall_ms(text: str) -> int | None:
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return None
