"""A place in RAM for the whole agent while its card takes no writes, so that a start does not end in silence.

docs/decisions/007-cards-that-take-no-writes.md tells why.
"""

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.config import Settings
from edge_agent.decide.memory import LOT_KINDS, OUTCOMES, from_rows
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Stream
from edge_agent.lots.keeping import Told
from edge_agent.lots.register import Register
from edge_agent.service.keeper import TakeRefuge
from edge_agent.service.lock import refuse_if_held
from edge_agent.service.notify import notify
from edge_agent.service.scales import calibrated
from edge_agent.storage import inbox, settings_file
from edge_agent.storage.archive import Archive
from edge_agent.storage.carry import adopt, belongings, hand_over, holds_more
from edge_agent.storage.database import can_commit, takes_writes
from edge_agent.storage.errors import StorageBusy, StorageCorrupt, StorageError, StorageNewer, free_bytes
from edge_agent.storage.reserve import RESERVE_BYTES
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.settings_file import SettingsFile
from edge_agent.storage.store import Store
from edge_agent.weighing.settings import ShelfSettings

log = logging.getLogger(__name__)

PLACES = (Path("/dev/shm"), Path("/run"), Path(tempfile.gettempdir()))
PREFIX = "edge-agent-refuge-"
MARKER = "instead-of"  # holds the directory that takes no writes; written last, when all is prepared
BUDGET_MB = 32
_FILES = (settings_file.FILE_NAME, inbox.FILE_NAME)


@dataclass(frozen=True, slots=True)
class Refuge:
    directory: Path
    instead_of: Path
    reason: StorageError

    def is_over(self) -> bool:
        """The card takes writes again, with room for what is kept here."""
        try:
            directory = _nearest(self.instead_of)
            here = sum(file.stat().st_size for file in self.directory.glob(f"{inbox.FILE_NAME}*"))
            has_room = free_bytes(directory) >= 3 * RESERVE_BYTES + 2 * here
            return has_room and takes_writes(directory) and all(can_commit(self.instead_of / name) for name in _FILES)
        except (OSError, StorageError) as error:
            log.debug("storage: %s: %s", self.instead_of, error)
            return False

    def leave(self) -> None:
        """After the agent was stopped: remove it, unless it holds what nobody else has."""
        file = self.directory / inbox.FILE_NAME
        try:
            streams = Archive.open(self.directory).stats().streams
            waiting = sum(found.pending for found in streams.values()) + streams[Stream.RECORD].rows
            card = self.instead_of / inbox.FILE_NAME
            is_known = _goods(file) == _goods(card) and not (card.exists() and holds_more(file, card))
        except StorageError as error:
            log.warning("storage: %s stays: %s", self.directory, error)
            return
        if waiting or not is_known:
            log.warning("storage: %s stays, the next start takes it over; a reboot loses it", self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Files:
    """What the agent keeps its data in."""

    settings_file: SettingsFile
    store: Store
    shelves: tuple[ShelfSettings, ...]  # with the calibration in force
    refuge: Refuge | None = None

    def close(self) -> None:
        self.settings_file.close()
        self.store.close()


def open_files(settings: Settings, now: Instant, places: Sequence[Path] = PLACES) -> Files:
    """Those in ``storage.directory``, and into them what an earlier refuge holds; else those of a refuge.

    Raises StorageError where the directory is wrong rather than the card (see ``is_card_at_fault``).
    """
    wanted = Path(settings.storage.directory)
    try:
        return _open_and_adopt(settings, now, places)
    except StorageBusy:
        raise  # another agent is at work there, or in the refuge: none of them is ours
    except StorageError as error:
        if not (refuges_of(wanted, places) or is_card_at_fault(wanted, error)):
            raise
        reason = error
    return open_refuge(settings, reason, now, places)


def open_refuge(settings: Settings, reason: StorageError, now: Instant, places: Sequence[Path] = PLACES) -> Files:
    """The one there is already, or a new one with what can be read on the card. Raises ``reason`` where none can be."""
    wanted = Path(settings.storage.directory)
    directory = next(iter(reversed(refuges_of(wanted, places))), None)
    is_new = directory is None
    directory = directory or _make(places, reason)
    log.error("storage: %s", reason)
    log.error("storage: going on in RAM, in %s, until %s takes writes; a reboot loses it", directory, wanted)
    if is_new:
        _bring_settings(wanted, directory)
    in_ram = replace(settings.storage, directory=str(directory), budget_mb=min(BUDGET_MB, settings.storage.budget_mb))
    files = _open(settings, in_ram, now)
    if is_new:
        _bring_belongings(wanted, files.store)
        (directory / MARKER).write_text(str(wanted.resolve()))
    return replace(files, refuge=Refuge(directory, wanted, reason))


def while_it_runs(settings: Settings, store: Store) -> TakeRefuge:
    """For a card that fails under the running agent: its place is taken once it has told the broker all it holds."""

    def take(reason: StorageError, now: Instant, is_pressed: bool) -> Store | None:
        if _has_backlog(store) and not is_pressed:
            return None
        try:
            files = open_refuge(settings, reason, now)
        except (StorageError, OSError) as error:
            log.error("storage: no refuge: %s", error)
            return None
        files.settings_file.close()
        return files.store

    return take


def _has_backlog(store: Store) -> bool:
    try:
        return any(store.pending(stream, 0, 1) for stream in store.streams())
    except StorageError as error:
        log.debug("storage: what waits on the card cannot be read: %s", error)
        return False


def is_card_at_fault(wanted: Path, error: StorageError) -> bool:
    """As against a wrong configuration: our files lie there, or the file system is mounted read-only, or broken."""
    if isinstance(error, StorageBusy | StorageNewer | StorageCorrupt):
        return False
    try:
        if any((wanted / name).exists() and (wanted / name).stat().st_size for name in _FILES):
            return True
        nearest = _nearest(wanted)
        return nearest.is_dir() and bool(os.statvfs(nearest).f_flag & os.ST_RDONLY)
    except OSError as failure:
        return failure.errno == errno.EIO


def refuges_of(wanted: Path, places: Sequence[Path] = PLACES, owner: int | None = None) -> list[Path]:
    """Those that were not adopted yet, the oldest first. Only our own: anybody may write into /dev/shm."""
    of = os.geteuid() if owner is None else owner
    found = [directory for place in places for directory in place.glob(f"{PREFIX}*") if _is_of(directory, wanted, of)]
    return sorted(set(found), key=lambda directory: directory.stat().st_mtime)


def in_use(wanted: Path, places: Sequence[Path] = PLACES) -> Path:
    """Where the agent of that directory keeps its files now, for whoever reads them from another process."""
    try:
        owner = wanted.stat().st_uid
    except OSError:
        return wanted
    return next(reversed(refuges_of(wanted, places, owner)), wanted)


def _is_of(directory: Path, wanted: Path, of: int) -> bool:
    try:
        owner = directory.lstat().st_uid
        return owner == of and (directory / MARKER).read_text() == str(wanted.resolve())
    except OSError:
        return False


def _nearest(wanted: Path) -> Path:
    """The directory itself, or what exists of the way to it."""
    return next((path for path in (wanted, *wanted.parents) if path.exists()), wanted)


def _open(settings: Settings, storage: StorageSettings, now: Instant) -> Files:
    file = SettingsFile.open(Path(storage.directory), now)
    try:
        shelves = calibrated(settings.shelves, file, now)
        return Files(file, Store.open(storage, settings.node.name, now), shelves)
    except BaseException:
        file.close()
        raise


def _open_and_adopt(settings: Settings, now: Instant, places: Sequence[Path]) -> Files:
    files = _open(settings, settings.storage, now)
    try:
        for directory in refuges_of(Path(settings.storage.directory), places):
            _adopt(directory, files, settings, now)
    except StorageCorrupt as error:
        log.error("storage: %s; what is kept in RAM waits for the next start", error)
    except BaseException:
        _close_broken(files)
        raise
    return files


def _close_broken(files: Files) -> None:
    try:
        files.close()
    except StorageError as error:
        log.debug("storage: %s", error)


def _adopt(directory: Path, files: Files, settings: Settings, now: Instant) -> None:
    refuse_if_held(directory)
    with closing(SettingsFile.open(directory, now)) as kept:
        for key, value in kept.mirrored().items():
            files.settings_file.mirror(key, value)
    hand_over(belongings(directory / inbox.FILE_NAME), files.store)
    with closing(Store.open(replace(settings.storage, directory=str(directory)), settings.node.name, now)) as source:
        moved = adopt(source, files.store, on_batch=_show_progress)
    shutil.rmtree(directory, ignore_errors=True)
    log.warning("storage: %s takes writes again; %d rows came over from RAM", settings.storage.directory, moved)


def _show_progress() -> None:
    """Many rows may wait; systemd must not think that the agent hangs."""
    notify("WATCHDOG=1")


def _make(places: Sequence[Path], reason: StorageError) -> Path:
    for place in places:
        try:
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        except OSError as error:
            log.warning("storage: no refuge in %s: %s", place, error)
    raise reason


def _bring_settings(wanted: Path, directory: Path) -> None:
    for name in (settings_file.FILE_NAME, f"{settings_file.FILE_NAME}-wal"):
        try:
            shutil.copyfile(wanted / name, directory / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.error("storage: calibration, tare and zero could not be brought along: %s", error)


def _bring_belongings(wanted: Path, store: Store) -> None:
    if not (wanted / inbox.FILE_NAME).exists():
        return
    try:
        hand_over(belongings(wanted / inbox.FILE_NAME), store)
        store.bring_shop(wanted / inbox.FILE_NAME)
    except StorageError as error:
        log.error("storage: what was remembered could not be brought along, but for tare and zero: %s", error)


def _goods(file: Path) -> tuple[dict[str, tuple[float, float, int]], Register, tuple[Told, ...]]:
    """Tare, zero and the ledger's balance in grams, by shelf, and the lots; not what a scale learns while it rests."""
    if not file.exists():
        return {}, Register(), ()
    kinds = ("scale", OUTCOMES, *LOT_KINDS)
    rows = {key: value for key, value in belongings(file).memory.items() if key.partition("/")[0] in kinds}
    try:
        memory = from_rows(rows)
    except ValueError as error:
        raise StorageError(f"{file}: {error}") from error
    scales = {shelf: (state.tare_g, state.zero_g, round(state.net_g or 0)) for shelf, state in memory.scales.items()}
    return scales, memory.register, memory.outcomes
