"""The agent's file while the agent runs: commit, inbox, retention, and what to do when the disk fails."""

import logging
import secrets
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, delete, insert, select, update

from edge_agent.domain.command import Command, CommandResult
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Queued, Stream
from edge_agent.domain.reading import Sample
from edge_agent.domain.record import NODE_RECORD
from edge_agent.storage import annex, chain, inbox, retention, schema
from edge_agent.storage.annex import Annex
from edge_agent.storage.clocks import Cutoff
from edge_agent.storage.database import Database, Turn, looking, set_aside
from edge_agent.storage.errors import StorageCorrupt, StorageError, StorageFull, free_bytes, named_faults
from edge_agent.storage.ledger import (
    VOLATILE_AHEAD,
    Kind,
    Ledger,
    Shape,
    load,
    put,
    put_back,
    take_changes,
    volatile_key,
    write_changes,
    write_fresh,
)
from edge_agent.storage.migrations import AGENT
from edge_agent.storage.outbox import Outbox, Resend, decoding
from edge_agent.storage.packing import pack
from edge_agent.storage.reserve import RESERVE_BYTES, Reserve
from edge_agent.storage.schema import MESSAGES, QUEUED, TABLES
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.stats import Stats, count_pages, summarise

if TYPE_CHECKING:  # loaded by what needs it: an agent without a shop stays as small as it was
    from edge_agent.domain.forecast import Forecast
    from edge_agent.domain.shop import Empty, Sold
    from edge_agent.storage.salvage import Salvage, Salvaged

log = logging.getLogger(__name__)

Done = TypeVar("Done")
_ROOM_INSIDE_PAGES = 256  # free pages within the file that let telemetry go on while the disk is full
_ROOM_WANTED_PAGES = 1024
# After an unclean stop a file up to this size is checked whole (0.1 to 0.2 s on the x86 it was measured on). Of a
# larger one everything but telemetry and record: 512 MB take 3 to 6 s, and damage there shows when it is read.
_CHECK_WHOLE_BYTES = 16 * 1024 * 1024
_SALVAGED = "salvaged"  # a key of the table state
AFTER = "record/after"  # another: the head of the record in the file before, which this one's first line will name
_SALVAGED_AT_ONCE = 500  # messages in RAM
_INSERTS: Mapping[Stream, Any] = {stream: insert(TABLES[stream]) for stream in QUEUED}


@dataclass(frozen=True, slots=True)
class Committed:
    """First and last number that each stream's messages were given."""

    spans: Mapping[Stream, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction stores."""

    samples: Sequence[Sample]
    messages: Sequence[Message]
    memory: Mapping[str, bytes | None]
    results: Sequence[CommandResult]
    sold: "Sequence[Sold]" = ()
    emptied: "Sequence[Empty]" = ()

    def __post_init__(self) -> None:
        for message in self.messages:
            if message.stream not in QUEUED or message.stream is Stream.TELEMETRY:
                raise ValueError(f"{message.topic}: stream {message.stream} takes no queued messages")
        for sample in self.samples:
            for reading in sample.readings:
                if reading.at is not sample.at and reading.at != sample.at:
                    raise ValueError(f"{reading.channel.name}: read at {reading.at}, its sample at {sample.at}")

    def __bool__(self) -> bool:
        return bool(self.samples or self.messages or self.memory or self.results or self.sold or self.emptied)


class Store(Outbox):
    """Made by ``open``. Safe to use from several threads; a second process has ``Inbox`` and ``Archive``."""

    def __init__(self, settings: StorageSettings, node: str) -> None:
        super().__init__()
        self._settings = settings
        self._directory = Path(settings.directory)
        self._reserve = Reserve(self._directory)
        self._committing = Lock()  # one transaction at a time, held over its fsync
        self._is_full = False
        self._telemetry_cutoff = Cutoff(settings.telemetry_days)
        self._record_cutoff = Cutoff(settings.record_days)
        self._audit_cutoff = Cutoff(inbox.AUDIT_DAYS)
        self.node = node
        self.quarantined: Path | None = None  # where a damaged file was set aside
        self._is_set_aside = False  # but the new one has not begun
        self._annex: Annex | None = None

    @classmethod
    def open(cls, settings: StorageSettings, node: str, now: Instant) -> "Store":
        """Make or open ``<directory>/agent.db``; a damaged one is set aside and a new one made.

        Raises StorageReadOnly, StorageFull, StorageNewer, StorageBusy.
        """
        store = cls(settings, node)
        store._connect(now)
        return store

    def _connect(self, now: Instant) -> None:
        with named_faults(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
        self._database = self._opened(now)
        try:
            try:
                self._begin()
            except StorageCorrupt as error:
                log.error("%s", error)
                self.quarantined = self._database.set_aside(now)
                self._begin()
            self._is_full = not self._reserve.make()
        except StorageError:
            self._database.close()
            raise

    def _opened(self, now: Instant) -> Database:
        path = self._directory / inbox.FILE_NAME
        try:
            return Database.open(path, AGENT, inbox.APPLICATION_ID)
        except StorageCorrupt as error:
            log.error("%s", error)
            self.quarantined = set_aside(path, now)
        except StorageFull:
            if not self._reserve.release():
                raise
        return Database.open(path, AGENT, inbox.APPLICATION_ID)

    def _begin(self, before: Ledger | None = None) -> None:
        """Check what a power cut may have left, load the ledger, note that we run.

        A new file begins with what waits in the one set aside before it, in the transaction that gives it its epoch:
        a kill before that finds a file without epoch again. ``before``: what was known of the damaged file in use.
        """
        with self._database.reading() as tx, decoding(self._database.path):
            _check_after_unclean_stop(tx, self._database.path)
            ledger = load(tx)
        earlier = ledger.state.get("node", self.node)
        if earlier != self.node:
            log.warning("%s was written by node %s; this is %s", self._database.path, earlier, self.node)
        begun = {"epoch": ledger.state.get("epoch") or _new_epoch(), "node": self.node, "running": "1"}
        begun |= ledger.promises(at_least=VOLATILE_AHEAD)
        found = None if "epoch" in ledger.state else self._surveyed(before)
        try:
            self._write_beginning(begun, found)
        except StorageFull:
            if not self._reserve.release():
                raise
            self._write_beginning(begun, found)
        finally:
            if found is not None:
                found.wreck.close()
        if found is not None:
            volatile = ledger.volatile
            with self._database.reading() as tx, decoding(self._database.path):
                ledger = load(tx)
            ledger.volatile = volatile
        ledger.state |= begun
        self._enter(ledger)

    def _enter(self, ledger: Ledger) -> None:
        new = Annex.of(self._directory, ledger)
        if new is not None:
            book = ledger.books[Stream.TELEMETRY]
            book.last = max(book.last, new.last)
        with self._lock:
            self._ledger, self._annex, old = ledger, new, self._annex
        if old is not None:
            old.close()
        annex.tidy(self._directory, ledger.state.get(annex.STATE))
        self._damage = None

    def _surveyed(self, before: Ledger | None) -> "Salvage | None":
        """Never stands in the way of going on."""
        aside = self.quarantined
        if aside is None or not aside.exists():
            aside = _last_set_aside(self._directory)
        if aside is None:
            return None
        from edge_agent.storage.salvage import survey  # here, as below: few files are ever damaged

        try:
            return survey(aside, before)
        except StorageError as error:
            log.error("%s: nothing that waited in it can be read: %s", aside.name, error)
            return None

    def _write_beginning(self, begun: Mapping[str, str], found: "Salvage | None") -> None:
        with self._database.reading() as tx:
            ledger = load(tx)
        ledger.state |= begun
        with self._database.writing() as tx:
            if found is not None:
                salvaged = _take_over(tx, ledger, found)
                begun = {**begun, _SALVAGED: salvaged.written()}
            put(tx, schema.state, _state_rows(begun))
        if found is not None:
            log.warning("salvage: %s", salvaged.words(salvaged.telemetry, 0))

    def _write_state(self, rows: Mapping[str, str]) -> None:
        with self._database.writing() as tx:
            put(tx, schema.state, _state_rows(rows))

    def _write_end(self, rows: Mapping[str, str]) -> None:
        if self._has_changes():
            with self._transaction():
                pass
        self._write_state(rows)

    def _with_reserve(self, write: Callable[[], Done]) -> Done:
        """Under ``_committing``. What must get onto the disk, though it is full: the reserve is given up for it."""
        try:
            return write()
        except StorageFull:
            self._is_full = True
            if not self._reserve.release():
                raise
            return write()

    def close(self) -> None:
        """Everything marked is written; the next start knows that this was a clean stop."""
        try:
            exact = {volatile_key(stream): str(number) for stream, number in self._ledger.volatile.items()}
            with self._committing:
                self._with_reserve(lambda: self._write_end(exact | {"running": "0"}))
        finally:
            if self._annex is not None:
                self._annex.close()
            self._database.close()

    def quarantine(self, now: Instant) -> Path:
        """Set the file aside while running, and go on with a new one: another epoch, numbers from 1.

        What waited for the broker in the old one waits in the new one, as far as it can be read. The caller commits
        the memory it holds again. After a fault half-way it may be called again.
        """
        with self._committing:
            if not self._is_set_aside:
                self.quarantined = self._database.set_aside(now)
                self._is_set_aside = True
            with self._lock:
                before = self._ledger
            self._begin(before)
            self._is_set_aside = False
            assert self.quarantined is not None
            return self.quarantined

    def salvaged(self) -> str:
        """For people: what was got out of the file that was set aside last, and what not; empty without one."""
        with self._lock:
            ledger, told = self._ledger, self._annex
            text = ledger.state.get(_SALVAGED)
            if not text:
                return ""
            book = ledger.books[Stream.TELEMETRY]
            waiting = 0 if told is None else sum(last - first + 1 for first, last in book.ahead(0, told.last))
            notes = ledger.noted(Stream.TELEMETRY, Kind.DROPPED)
        from edge_agent.storage.salvage import Salvaged

        return Salvaged.parsed(text).words(waiting, sum(n.rows for n in notes if n.reason == annex.DAMAGED))

    # --- telemetry that waits in files set aside --------------------------------------------------------------------

    def _annexed(self, ledger: Ledger, stream: Stream, first: int) -> Annex | None:
        with self._lock:
            found = self._annex
        is_in_it = found is not None and stream is Stream.TELEMETRY and first <= found.last
        return found if is_in_it and found is not None and found.is_of(ledger) else None

    def _rows(self, ledger: Ledger, stream: Stream, first: int, last: int, limit: int) -> list[Queued]:
        found = self._annexed(ledger, stream, first)
        if found is None:
            return super()._rows(ledger, stream, first, last, limit)
        rows = found.read(first, min(last, found.last), limit)
        if len(rows) < limit and last > found.last:
            rows += super()._rows(ledger, stream, found.last + 1, last, limit - len(rows))
        return rows

    def _account_for_missing(
        self, ledger: Ledger, stream: Stream, first: int, last: int, rows: Sequence[Queued]
    ) -> None:
        """In a damaged file rows are missing without being told so again and again: they are dropped, and noted."""
        found = self._annexed(ledger, stream, first)
        if found is not None:
            self._drop_unreadable(ledger, found, first, min(last, found.last), rows)
        super()._account_for_missing(ledger, stream, first, last, rows)

    def _drop_unreadable(self, ledger: Ledger, found: Annex, first: int, last: int, rows: Sequence[Queued]) -> None:
        with self._lock:
            if ledger is not self._ledger:
                return
            book, before = ledger.books[Stream.TELEMETRY], first - 1
            for seq in (*(row.seq for row in rows if row.seq <= last), last + 1):
                for low, high in list(book.settled.gaps(before, seq - 1)):
                    if found.is_known(low):
                        ledger.drop(Stream.TELEMETRY, low, high, annex.DAMAGED)
                if seq - before > 1:
                    book.settle(before + 1, seq - 1)
                before = seq

    def newest_older_than(self, stream: Stream, boot: str, mono_ms: int) -> int:
        with self._lock:
            ledger = self._ledger
        number = super().newest_older_than(stream, boot, mono_ms)
        found = self._annexed(ledger, stream, number + 1)
        if found is None:
            return number
        with self._lock:
            is_waiting = next(ledger.books[stream].ahead(0, found.last), None) is not None
        return found.newest_before(lambda at: at.boot != boot or at.mono_ms < mono_ms) if is_waiting else found.last

    def resend(self, stream: Stream, first: int, last: int) -> Resend:
        with self._lock:
            ledger = self._ledger
        found = self._annexed(ledger, stream, first)
        if found is None or first > last:
            return super().resend(stream, first, last)
        low, high = max(first, 1), min(last, found.last)
        with self._lock:
            book = ledger.books[stream]
            notes = [note for note in ledger.noted(stream, Kind.DROPPED) if note.first <= high and note.last >= low]
            gone = tuple((max(note.first, low), min(note.last, high)) for note in notes)
            book.ask_again(low, high)
            for span in gone:
                book.again.remove(*span)
        available = high - low + 1 - sum(end - begin + 1 for begin, end in gone)
        if last <= found.last:
            return Resend(low, high, available, gone)
        rest = super().resend(stream, found.last + 1, last)
        return Resend(low, rest.last, available + rest.available, (*gone, *rest.dropped))

    def _leave_annex(self) -> None:
        """Everything in it was told, and the numbers go on without it: its second names go."""
        with self._lock:
            ledger, found = self._ledger, self._annex
            book = ledger.books[Stream.TELEMETRY]
            if found is None or book.last == found.last or next(book.ahead(0, found.last), None) is not None:
                return
        with self._transaction() as tx:
            tx.execute(delete(schema.state).where(schema.state.c.key == annex.STATE))
        with self._lock:
            del ledger.state[annex.STATE]
            self._annex = None
        found.close()
        annex.tidy(self._directory, None)

    def reconnect(self, now: Instant) -> "Store":
        """After writes failed: this store, with new connections where that may help, or another in its place.

        Another one when the path leads to another file by now: a card that was mounted anew, or a new one. This one
        is of no use then. Raises StorageError while there is nothing to go on with.
        """
        with self._committing:
            turn = self._database.reconnect()
        if turn is Turn.LET_GO:
            raise StorageError(f"{self._database.path} is not there any more; it is looked for again and again")
        if turn is not Turn.ELSEWHERE:
            return self
        successor = Store.open(self._settings, self.node, now)
        try:
            with self._lock:
                before = self._ledger
            successor._go_on_after(before)
        except StorageError:
            successor._database.close()
            raise
        return successor

    def _go_on_after(self, before: Ledger) -> None:
        """Of our own file: no number that was given is given again, whatever the card has lost of its rows."""
        ledger = self._ledger
        if ledger.state["epoch"] != before.state["epoch"]:
            return
        books = retention.Books(ledger)
        lost: list[retention.Removal] = []
        with self._lock:
            for stream, known in before.books.items():
                book = ledger.books[stream]
                if book.last < known.last:
                    lost.append(retention.Removal(stream, book.last + 1, known.last, "card"))
                    book.last = known.last
                    ledger.head = before.head if stream is Stream.RECORD else ledger.head
                for first, last in known.settled:
                    book.settle(first, last)
                for first, last in known.again:
                    book.ask_again(first, last)
            for removal in lost:
                books.enter(removal, removal.last - removal.first + 1)
            for stream, number in before.volatile.items():
                ledger.volatile[stream] = max(ledger.volatile[stream], number)
        if lost:
            log.error(
                "%s: the card has lost %d rows that were committed", self._database.path, sum(books.rows.values())
            )
        with self._committing, self._transaction() as tx:
            retention.write_figures(tx, ledger, lost)

    def record_head(self) -> chain.Head:
        """The last line of the record: who keeps it elsewhere knows all before it. Line 0 while there is none."""
        with self._lock:
            ledger = self._ledger
            return chain.Head(ledger.state["epoch"], ledger.books[Stream.RECORD].last, ledger.head)

    def follow_record(self, after: chain.Head) -> None:
        """A file whose record has not begun, nor knows of one before it: its first line will name this one."""
        with self._committing:
            with self._lock:
                ledger = self._ledger
                is_needless = ledger.books[Stream.RECORD].last > 0 or AFTER in ledger.state
            if not is_needless and after.line > 0:
                self._write_state({AFTER: after.written()})
                with self._lock:
                    ledger.state[AFTER] = after.written()

    @property
    def epoch(self) -> str:
        """Made with the file: the same number in another epoch is another message."""
        with self._lock:
            return self._ledger.state["epoch"]

    def commit(
        self,
        samples: Sequence[Sample] = (),
        messages: Sequence[Message] = (),
        memory: Mapping[str, bytes | None] | None = None,
        results: Sequence[CommandResult] = (),
        *,
        sold: "Sequence[Sold]" = (),
        emptied: "Sequence[Empty]" = (),
        critical: bool = False,
    ) -> Committed:
        """All of it on the disk, or none of it. Marks that wait in RAM ride along.

        ``critical`` rows (stock events, alarm transitions, results) may use the reserve of a full disk. None as a
        memory's value forgets it. Raises StorageCorrupt also when another thread met the damage while reading: it
        is the committing caller who can ``quarantine``. Raises ValueError for a stream that is not queued, or a
        reading whose instant is not its sample's.
        """
        batch = _Batch(samples, messages, memory or {}, results, sold, emptied)
        if not batch and not self._has_changes():
            return Committed()
        if self._damage is not None:
            raise StorageCorrupt(str(self._damage))
        with self._committing:
            if self._is_full and not critical and not self._has_room_inside():
                raise StorageFull(f"{self._database.path}: disk full, what is left is for critical rows")
            if critical:
                return self._with_reserve(lambda: self._commit(batch))
            try:
                return self._commit(batch)
            except StorageFull:
                self._is_full = True
                raise

    def _commit(self, batch: _Batch) -> Committed:
        ledger = self._ledger
        with self._transaction() as tx:
            rows = {Stream.TELEMETRY: _sample_rows(ledger, batch.samples)} | _message_rows(ledger, batch.messages)
            rows = {stream: found for stream, found in rows.items() if found}
            for stream, found in rows.items():
                tx.execute(_INSERTS[stream], found)
            _write_memory(tx, batch.memory)
            for result in batch.results:
                inbox.settle(tx, result)
            if batch.sold or batch.emptied:
                _write_sold(tx, ledger, batch)
        with self._lock:
            for stream, found in rows.items():
                _enter_rows(ledger, stream, found)
        return Committed({stream: (found[0]["seq"], found[-1]["seq"]) for stream, found in rows.items()})

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Under ``_committing``. What the ledger has gathered is written with what the caller writes."""
        ledger = self._ledger
        changes = None
        try:
            with self._noticing(), self._database.writing() as tx:
                yield tx
                with self._lock:
                    changes = take_changes(ledger)
                    promises = ledger.promises()
                write_changes(tx, changes)
                write_fresh(tx, ledger)
                put(tx, schema.state, _state_rows(promises))
        except BaseException:
            if changes is not None:
                with self._lock:
                    put_back(ledger, changes)
            raise
        with self._lock:
            ledger.stored()
            ledger.state |= promises

    def _has_changes(self) -> bool:
        with self._lock:
            return self._ledger.has_changes

    def flush_marks(self) -> None:
        """Write marks that wait for a commit which may not come soon."""
        if self._has_changes():
            with self._committing, self._transaction():
                pass

    def memory(self) -> dict[str, bytes]:
        with self._reading() as tx:
            return {row.key: row.value for row in tx.execute(select(schema.memory))}

    def correct_clock(self, boot: str, offset_ms: int) -> None:
        """The clock came: rows of this boot written before have now the wall time mono + ``offset_ms``."""
        with self._committing:
            with self._database.writing() as tx:
                unsynced = (schema.clock.c.boot == boot, schema.clock.c.state == ClockState.UNSYNCED.value)
                corrected = {"offset_ms": offset_ms, "state": ClockState.CORRECTED.value}
                tx.execute(update(schema.clock).where(*unsynced).values(**corrected))
                inbox.correct(tx, boot, offset_ms)
            with self._lock:
                self._ledger.clocks.correct(boot, offset_ms)

    @contextmanager
    def shop(self) -> Iterator[Connection]:
        """To read what ``storage.shop`` reads, from any thread. Keep it short: a long one holds the checkpoint up."""
        with self._reading() as tx:
            yield tx

    def date_sales(self, day_of: Callable[[int], date]) -> tuple[int, int]:
        """What was taken before the clock came gets its day: (how many did, how many wait on)."""
        from edge_agent.storage.shop import date_sales

        with self._committing, self._database.writing() as tx:
            return date_sales(tx, self._ledger.clocks, day_of)

    def keep_forecasts(self, made: date, forecasts: "Iterable[Forecast]") -> None:
        """As they are told, to be measured later; made anew on the same day they take the place of the earlier."""
        from edge_agent.storage.shop import keep_forecasts

        with self._committing, self._database.writing() as tx:
            keep_forecasts(tx, made, forecasts)

    def bring_shop(self, file: Path) -> int:
        """Into a refuge, from the file of a card that takes no writes; answers how many rows. Raises StorageError."""
        from edge_agent.storage import shop_rows

        ledger, rows = self._ledger, 0
        with looking(file) as old:
            for piece in shop_rows.brought(old, ledger.clocks.number_of):
                with self._committing, self._transaction() as tx:
                    rows += shop_rows.write(tx, piece)
        self._write_state({shop_rows.BROUGHT: "1"})
        return rows

    def take_shop_back(self, refuge: "Store") -> int:
        """What was sold, imported and planned there; answers how many rows are otherwise now. Done twice it changes
        nothing more.
        """
        from edge_agent.storage import shop_rows

        ledger = self._ledger
        with refuge.shop() as old:
            for segment in shop_rows.segments_of(old).values():
                if segment.state is ClockState.CORRECTED:  # the clock came while this file could not be told
                    self.correct_clock(segment.boot, segment.offset_ms)
            with self._committing, self._transaction() as tx:
                return shop_rows.taken_back(tx, old, ledger.clocks.number_of)

    def prune_shop(self, today: date, keep_days: int) -> int:
        from edge_agent.storage.shop import prune

        with self._committing, self._database.writing() as tx:
            return prune(tx, today, keep_days)

    def receive(self, command: Command) -> inbox.Receipt:
        """Store a command for the next cycle; on the disk when this returns. It may use the reserve of a full one."""
        with self._committing:
            return self._with_reserve(lambda: self._receive(command))

    def _receive(self, command: Command) -> inbox.Receipt:
        with self._database.writing() as tx:
            return inbox.receive(tx, command)

    def waiting_commands(self) -> list[Command]:
        with self._reading() as tx:
            return inbox.waiting(tx)

    def result_of(self, cmd_id: str) -> CommandResult | None:
        with self._reading() as tx:
            return inbox.result_of(tx, cmd_id)

    def housekeeping(self, now: Instant) -> retention.Kept:
        """One bounded step of retention, and of tending a full disk. Once an hour; sooner while there is ``more``."""
        with self._committing:
            if self._is_full:
                self._make_room()
            return self._with_reserve(lambda: self._kept(now))

    def _kept(self, now: Instant) -> retention.Kept:
        self._leave_annex()
        return self._retain(now)

    def _retain(self, now: Instant) -> retention.Kept:
        ledger = self._ledger
        with self._reading() as tx:
            removals = retention.aged(tx, ledger, now, self._telemetry_cutoff)
            outlived, told = retention.pruned(tx, ledger, now, self._record_cutoff)
            removals += outlived
            removals += retention.graced(tx, ledger, now, self._settings.grace_days)
            if not removals and self._is_over_budget(tx):
                removals += retention.thinned(tx, ledger)
            watermarks = retention.watermarks(tx, ledger, now)
            commands = inbox.outlived(tx, now, self._audit_cutoff)
        if not (removals or watermarks or commands):
            return retention.Kept()
        books = retention.Books(ledger)
        try:
            with self._transaction() as tx:
                sealed = _message_rows(ledger, [told] if told is not None else []).get(Stream.RECORD, [])
                if sealed:
                    tx.execute(_INSERTS[Stream.RECORD], sealed)
                for removal in removals:
                    rows = retention.remove(tx, removal)
                    with self._lock:
                        books.enter(removal, rows)
                retention.write_figures(tx, ledger, removals)
                for stream, seq in watermarks:
                    retention.write_watermark(tx, ledger, stream, seq, now)
                inbox.prune(tx, commands)
        except BaseException:
            with self._lock:
                books.undo()
            raise
        if sealed:
            with self._lock:
                _enter_rows(ledger, Stream.RECORD, sealed)
        return books.closed(removals)

    def _is_over_budget(self, tx: Connection) -> bool:
        pages = count_pages(tx)
        is_wanting = self._is_full and pages.free < _ROOM_WANTED_PAGES
        return is_wanting or pages.used_bytes > self._settings.budget_mb * 1_000_000

    def _has_room_inside(self) -> bool:
        with self._database.reading() as tx:
            return count_pages(tx).free >= _ROOM_INSIDE_PAGES

    def _make_room(self) -> None:
        """Give back what the write-ahead log took, then see whether the disk has room again."""
        try:
            with self._database.reading() as tx:
                tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        except StorageFull:
            self._reserve.release()
        self._is_full = not (self._reserve.make() and free_bytes(self._directory) >= RESERVE_BYTES)
        if not self._is_full:
            log.info("%s has room again", self._directory)

    def stats(self) -> Stats:
        """For the health message."""
        with self._database.reading() as tx:
            pages = count_pages(tx)
        with self._lock:
            return summarise(self._ledger, pages, self._database.path, is_disk_full=self._is_full)


def _new_epoch() -> str:
    """Short, for it travels with every message; 36^6 are enough for the files one node ever makes."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(6))


def _check_after_unclean_stop(tx: Connection, path: Path) -> None:
    running = tx.scalar(select(schema.state.c.value).where(schema.state.c.key == "running"))
    if running != "1":
        return
    from edge_agent.storage.shop_schema import all_tables

    is_small = path.stat().st_size <= _CHECK_WHOLE_BYTES
    long = (schema.telemetry.name, TABLES[Stream.RECORD].name)
    tables = [name for name in all_tables() if name not in long]
    for check in ["quick_check(1)"] if is_small else [f"quick_check('{name}')" for name in tables]:
        found = tx.exec_driver_sql(f"PRAGMA {check}").scalar()
        if found != "ok":
            raise StorageCorrupt(f"{path}: {check}: {found}")


def _last_set_aside(directory: Path) -> Path | None:
    """The wall clock in the names may have been anything: when it was renamed tells."""
    found = directory.glob(f"{inbox.FILE_NAME}.corrupt-*")
    files = [file for file in found if not file.name.endswith(("-wal", "-shm"))]
    return max(files, key=lambda file: file.stat().st_ctime_ns, default=None)


def _take_over(tx: Connection, ledger: Ledger, found: "Salvage") -> "Salvaged":
    """Into a new file, of which ``ledger`` knows that it is empty."""
    from edge_agent.storage import salvage

    saved: dict[str, int] = {}
    if found.head is not None:
        ledger.state[AFTER] = found.head.written()
        put(tx, schema.state, _state_rows({AFTER: ledger.state[AFTER]}))
    for stream in MESSAGES:
        waiting, saved[stream.value] = salvage.messages(found, stream), 0
        while some := list(islice(waiting, _SALVAGED_AT_ONCE)):
            rows = _message_rows(ledger, some)[stream]
            tx.execute(_INSERTS[stream], rows)
            _enter_rows(ledger, stream, rows)
            saved[stream.value] += len(some)
    if found.inbox:
        tx.execute(insert(schema.inbox), list(found.inbox))
    _write_memory(tx, found.memory)
    parts = salvage.parts_of(found, ledger)
    telemetry = sum(part.rows for part in parts)
    if parts:
        put(tx, schema.state, _state_rows({annex.STATE: annex.written(parts)}))
        row: dict[str, object] = {"stream": Stream.TELEMETRY.value, "reason": annex.SET_ASIDE, "rows": telemetry}
        put(tx, schema.removed, [row])
    days, is_whole = _take_days_over(tx, ledger, found)
    write_fresh(tx, ledger)
    lost = {
        stream.value: wanted.rows - saved[stream.value]
        for stream, wanted in found.wanted.items()
        if stream in MESSAGES and wanted.is_known
    }
    return salvage.Salvaged(found.aside.name, saved, lost, telemetry, days, is_whole)


def _take_days_over(tx: Connection, ledger: Ledger, found: "Salvage") -> tuple[int, bool]:
    """The shop's: (how many rows, whether all could be read)."""
    from edge_agent.storage import shop_rows

    days, is_whole = 0, True
    for piece in shop_rows.readable(found.wreck, found.legend.clocks.values, ledger.clocks.number_of):
        days += shop_rows.write(tx, piece)
        is_whole = is_whole and piece.is_whole
    return days, is_whole


def _state_rows(rows: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"key": key, "value": value} for key, value in rows.items()]


def _sample_rows(ledger: Ledger, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    shape_number, fault_number, segment = ledger.shapes.number_of, ledger.faults.number_of, ledger.clocks.segment_of
    first = ledger.books[Stream.TELEMETRY].last + 1
    return [
        {
            "seq": seq,
            "shape": shape_number(Shape(sample.point, tuple([reading.channel for reading in sample.readings]))),
            "clock": segment(sample.at),
            "mono_ms": sample.at.mono_ms,
            "readings": pack(sample.readings, fault_number),
        }
        for seq, sample in enumerate(samples, first)
    ]


def _message_rows(ledger: Ledger, messages: Sequence[Message]) -> dict[Stream, list[dict[str, Any]]]:
    rows: dict[Stream, list[dict[str, Any]]] = {}
    for message in _sealed(ledger, messages):
        found = rows.setdefault(message.stream, [])
        found.append(
            {
                "seq": ledger.books[message.stream].last + len(found) + 1,
                "topic": message.topic,
                "body": message.body,
                "clock": ledger.clocks.segment_of(message.at),
                "mono_ms": message.at.mono_ms,
                "retain": int(message.retain),
                "expiry_s": message.expiry_s,
                "correlation": message.correlation,
            }
        )
    return rows


def _sealed(ledger: Ledger, messages: Iterable[Message]) -> Iterator[Message]:
    """Lines of the record get their place in the chain; the first of a file follows one that opens the chain."""
    line, head = ledger.books[Stream.RECORD].last, ledger.head
    for message in messages:
        if message.stream is not Stream.RECORD:
            yield message
            continue
        wanted = [message]
        if line == 0:
            body = chain.opening(ledger.state.get(AFTER), ledger.state.get("epoch", ""), message.at)
            wanted.insert(0, Message(Stream.RECORD, f"record/{NODE_RECORD}", body, message.at))
        for found in wanted:
            line += 1
            body = chain.sealed(found.body, line, head)
            head = chain.hash_of(body)
            yield replace(found, body=body)


def _enter_rows(ledger: Ledger, stream: Stream, rows: Sequence[Mapping[str, Any]]) -> None:
    """They are on the disk, or will be with the transaction that writes the whole file anew."""
    book = ledger.books[stream]
    book.last += len(rows)
    book.latest.update(_latest(ledger, stream, rows))
    if stream is Stream.RECORD:
        ledger.head = chain.hash_of(rows[-1]["body"])


def _latest(ledger: Ledger, stream: Stream, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    if stream is Stream.TELEMETRY:
        return {ledger.shapes.values[row["shape"]].point: row["seq"] for row in rows}
    return {row["topic"]: row["seq"] for row in rows if row["retain"]}


def _write_sold(tx: Connection, ledger: Ledger, batch: _Batch) -> None:
    from edge_agent.storage.shop import add_empty, add_sold

    add_sold(tx, batch.sold, ledger.clocks.segment_of)
    add_empty(tx, batch.emptied, ledger.clocks.segment_of)


def _write_memory(tx: Connection, memory: Mapping[str, bytes | None]) -> None:
    put(tx, schema.memory, ({"key": key, "value": value} for key, value in memory.items() if value is not None))
    forgotten = [key for key, value in memory.items() if value is None]
    if forgotten:
        tx.execute(delete(schema.memory).where(schema.memory.c.key.in_(forgotten)))
