"""A damaged file that was set aside, read around the pages that cannot be read.

Plain sqlite3, not SQLAlchemy: a cursor that meets a damaged page must keep the rows it gave before, and each piece is
asked for again from its other end.

The damaged file is evidence and is only ever opened for reading. SQLite needs a file of shared memory for the rows
that are still in the log; so the file gets a second name (a hard link, no copy) in the folder ``salvage``, with a copy
of its log beside it.
"""

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Table

from edge_agent.domain.message import Stream
from edge_agent.storage.errors import StorageError, named_faults
from edge_agent.storage.schema import TABLES

log = logging.getLogger(__name__)

FOLDER = "salvage"
_CHUNK = 128  # numbers asked for at once
_BARREN_CHUNK = 1024  # after a chunk in which nothing could be read ...
_BARREN_FINEST = 128  # ... and how finely this one is searched, until something can
_FINEST = 4  # telemetry: a page holds more rows than this
_LONGEST_BYTES = 4_000_000  # of a row: what a garbled length may make SQLite ask for
_SMALL_ROWS = 100_000  # of a table that is read as a whole
_FINEST_DAYS = 16  # of a product's rows, where nothing was found yet
_LAST_DAY = date.max.toordinal()
_FIRST_LIKELY, _LAST_LIKELY = date(2000, 1, 1).toordinal(), date(2100, 1, 1).toordinal()

Row = tuple[Any, ...]
Span = tuple[int, int]


class _Days(list[dict[str, Any]]):
    """Rows by day, and whether there were no more."""

    def __init__(self, rows: Iterable[dict[str, Any]] = (), *, is_whole: bool) -> None:
        super().__init__(rows)
        self.is_whole = is_whole


class Wreck:
    """A damaged file, open for reading. Safe to use from several threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = Lock()
        self._is_open = True

    @classmethod
    def open(cls, path: Path) -> "Wreck":
        """Raises StorageError when the file is gone, or nothing in it can be read."""
        has_log = path.parent.name == FOLDER and _size(Path(f"{path}-wal")) > 0
        with named_faults(path):
            name = f"{path.resolve().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"
            connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
            try:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_BYTES)
                for pragma in ("query_only = ON", "cell_size_check = ON", "cache_size = -1024"):
                    connection.execute(f"PRAGMA {pragma}")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.Error:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        with self._lock:
            self._is_open = False
            self._connection.close()

    def rows(self, stream: Stream, first: int, last: int, columns: str = "") -> Iterator[Row]:
        """What can be read of the numbers from ``first`` to ``last``, ascending. Raises StorageError when closed."""
        is_barren = False
        while first <= last:
            upto = min(last, first + (_BARREN_CHUNK if is_barren else _CHUNK) - 1)
            finest = _BARREN_FINEST if is_barren else (_FINEST if stream is Stream.TELEMETRY else 1)
            columns = columns or ", ".join(TABLES[stream].c.keys())
            found = self._piece(TABLES[stream].name, columns, first, upto, finest)
            if found and is_barren:  # land again: now with care
                found = self._piece(TABLES[stream].name, columns, first, upto, 1)
            is_barren = not found
            yield from found
            first = upto + 1

    def _piece(self, table: str, columns: str, first: int, last: int, finest: int) -> list[Row]:
        """From the low end, else from the high end, else by halves; the same for each hole between what was found."""
        rows = self._scan(table, columns, first, last, "ASC") or self._scan(table, columns, first, last, "DESC")
        if not rows:
            if last - first < finest:
                return []
            middle = (first + last) // 2
            return self._piece(table, columns, first, middle, finest) + self._piece(
                table, columns, middle + 1, last, finest
            )
        found: list[Row] = []
        before = first - 1
        for row in rows:
            if row[0] - before > 1:
                found += self._piece(table, columns, before + 1, row[0] - 1, finest)
            found.append(row)
            before = row[0]
        return found + (self._piece(table, columns, before + 1, last, finest) if before < last else [])

    def _scan(self, table: str, columns: str, first: int, last: int, order: str) -> list[Row]:
        """As far as one reading from one end comes, ascending. A number that is not in its place ends it."""
        statement = f"SELECT {columns} FROM {table} WHERE seq BETWEEN ? AND ? ORDER BY seq {order} LIMIT ?"
        rows: list[Row] = []
        try:
            self._step(statement, first, last, last - first + 1, rows)
        except sqlite3.Error:
            # Python asks for the next row before it gives one: the last before the damage is lost with the error.
            again: list[Row] = []
            with suppress(sqlite3.Error):
                self._step(statement, first, last, len(rows) + 1, again)
                rows = again
        return rows if order == "ASC" else rows[::-1]

    def _step(self, statement: str, first: int, last: int, limit: int, rows: list[Row]) -> None:
        low, high = first, last
        is_up = "ASC" in statement
        with self._lock:
            self._must_be_open()
            for row in self._connection.execute(statement, (first, last, limit)):
                if not low <= row[0] <= high:
                    break
                rows.append(row)
                low, high = (row[0] + 1, high) if is_up else (low, row[0] - 1)

    def extent(self, stream: Stream) -> Span | None:
        """The lowest and the highest number that can be read; None for an empty or wholly unreadable table."""
        first = self._first(stream)
        if first is None:
            return None
        # A row takes more than a byte: a higher number is none of ours.
        far = first + _size(self.path) + _size(Path(f"{self.path}-wal"))
        last = first
        while (found := self._last_before_damage(stream, last, far)) is not None:
            last = found
            steps = (last + (1 << power) for power in range(4, 32))  # over what is damaged, to an island behind it
            beyond = next((number for step in steps if (number := self._next(stream, step)) is not None), None)
            if beyond is None or not last < beyond <= far:
                break
            last = beyond
        return first, last

    def _first(self, stream: Stream) -> int | None:
        """The lowest number, else the first one behind some damage."""
        found = self._next(stream, 0)
        if found is not None:
            return found
        high = next((1 << power for power in range(40) if self._next(stream, 1 << power) is not None), None)
        if high is None:
            return None
        low = 0
        while low + 1 < high:
            middle = (low + high) // 2
            if self._next(stream, middle) is None:
                low = middle
            else:
                high = middle
        return self._next(stream, high)

    def _last_before_damage(self, stream: Stream, known: int, far: int) -> int | None:
        """From ``known`` on: the newest row, else the last one below some damage."""
        low, high = known, far
        newest = self._previous(stream, high)
        while newest is None and low + 1 < high:
            middle = (low + high) // 2
            if self._previous(stream, middle) is None:
                high = middle
            else:
                low = middle
        return newest or self._previous(stream, low)

    def _next(self, stream: Stream, number: int) -> int | None:
        return self._one(f"SELECT seq FROM {TABLES[stream].name} WHERE seq >= ? ORDER BY seq LIMIT 1", number, 1)

    def _previous(self, stream: Stream, number: int) -> int | None:
        return self._one(f"SELECT seq FROM {TABLES[stream].name} WHERE seq <= ? ORDER BY seq DESC LIMIT 1", number, -1)

    def _one(self, statement: str, number: int, way: int) -> int | None:
        with suppress(sqlite3.Error), self._lock:
            self._must_be_open()
            row = self._connection.execute(statement, (number,)).fetchone()
            if row is not None and (row[0] - number) * way >= 0 and row[0] > 0:
                return int(row[0])
        return None

    def table(self, table: Table) -> tuple[list[dict[str, Any]], bool]:
        """The rows of a small table from its low end, and if that breaks off from its high end; whether it is all."""
        keys = [column.name for column in table.primary_key]
        found: dict[Row, dict[str, Any]] = {}
        for order in ("ASC", "DESC"):
            columns = ", ".join(f"{key} {order}" for key in keys)
            statement = f"SELECT {', '.join(table.c.keys())} FROM {table.name} ORDER BY {columns} LIMIT {_SMALL_ROWS}"
            try:
                with self._lock:
                    self._must_be_open()
                    for row in self._connection.execute(statement):
                        named = dict(zip(table.c.keys(), row, strict=True))
                        found[tuple(named[key] for key in keys)] = named
            except sqlite3.Error as error:
                log.warning("%s: table %s: %s", self.path, table.name, error)
                continue
            return list(found.values()), order == "ASC"
        return list(found.values()), False

    def has(self, table: Table) -> bool:
        """A version before it wrote none."""
        statement = "SELECT 1 FROM sqlite_master WHERE name = ?"
        with suppress(sqlite3.Error):
            return self._first_of(statement, table.name) is not None
        return True

    def by_product(self, table: Table, day: str) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """Of a table whose key is a product, a day and more: the rows of each product, and whether they are all."""
        products, is_whole = self._products(table.name)
        for product in products:
            rows = self._days(table, day, product, 1, _LAST_DAY)
            yield list(rows), rows.is_whole
        if not is_whole:
            yield [], False

    def _products(self, table: str) -> tuple[list[str], bool]:
        """From the low end, and if that breaks off from the high end."""
        found: dict[str, None] = {}
        for way, order, far in ((">", "ASC", ""), ("<", "DESC", "\U0010ffff")):
            statement = f"SELECT product FROM {table} WHERE product {way} ? ORDER BY product {order} LIMIT 1"
            with suppress(sqlite3.Error):
                while (row := self._first_of(statement, far)) is not None:
                    is_on_its_way = type(row[0]) is str and (row[0] > far if way == ">" else row[0] < far)
                    if not is_on_its_way or (far := row[0]) in found:
                        break
                    found[far] = None
                if row is None and way == ">":
                    return list(found), True
        return list(found), False

    def _first_of(self, statement: str, *values: Any) -> Row | None:
        with self._lock:
            self._must_be_open()
            row: Row | None = self._connection.execute(statement, values).fetchone()
            return row

    def _days(self, table: Table, day: str, product: str, first: int, last: int) -> "_Days":
        """As ``_piece``: from the low end, from the high end, by halves what lies between."""
        low = self._one_way(table, day, product, first, last, "ASC")
        if low.is_whole:
            return low
        high = self._one_way(table, day, product, first, last, "DESC")
        begins = low[-1][day] + 1 if low else first
        ends = high[-1][day] - 1 if high else last
        if not (low or high):
            begins, ends = max(first, _FIRST_LIKELY), min(last, _LAST_LIKELY)
            return self._halves(table, day, product, begins, ends, _FINEST_DAYS)
        between = self._halves(table, day, product, begins, ends, 1)
        return _Days([*low, *between, *high[::-1]], is_whole=False)

    def _halves(self, table: Table, day: str, product: str, first: int, last: int, finest: int) -> "_Days":
        if last < first or last - first < finest - 1:
            return _Days(is_whole=False)
        if first == last:
            return self._one_way(table, day, product, first, last, "ASC")
        middle = (first + last) // 2
        halves = [self._days(table, day, product, *half) for half in ((first, middle), (middle + 1, last))]
        return _Days([row for half in halves for row in half], is_whole=False)

    def _one_way(self, table: Table, day: str, product: str, first: int, last: int, order: str) -> "_Days":
        """Until something that cannot be read, or is not in its place."""
        names = table.c.keys()
        statement = (
            f"SELECT {', '.join(names)} FROM {table.name} WHERE product = ? AND {day} BETWEEN ? AND ?"
            f" ORDER BY {day} {order} LIMIT {_SMALL_ROWS}"
        )
        found = _Days(is_whole=False)
        before = first if order == "ASC" else last
        with suppress(sqlite3.Error), self._lock:
            self._must_be_open()
            for row in self._connection.execute(statement, (product, first, last)):
                named = dict(zip(names, row, strict=True))
                at = named[day]
                is_on_its_way = type(at) is int and (before <= at <= last if order == "ASC" else first <= at <= before)
                if named["product"] != product or not is_on_its_way:
                    return found
                found.append(named)
                before = at
            found.is_whole = True
        return found

    def _must_be_open(self) -> None:
        if not self._is_open:
            raise StorageError(f"{self.path}: closed")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def second_name(aside: Path) -> Path:
    """Where the file can be read with its log, see above. The file itself, without its log, where nothing can be made.

    It also keeps what waits from going when somebody deletes the file under its first name.
    """
    target = aside.parent / FOLDER / aside.name
    try:
        target.parent.mkdir(exist_ok=True)
        forget(target)
        os.link(aside, target)
        if Path(f"{aside}-wal").exists():
            shutil.copyfile(f"{aside}-wal", f"{target}-wal")
    except OSError as error:
        log.warning("%s cannot be read with its log: %s", aside, error)
        forget(target)
        return aside
    return target


def forget(path: Path) -> None:
    """Remove a second name and what lies beside it; never anything outside the folder."""
    if path.parent.name == FOLDER:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
