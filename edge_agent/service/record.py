"""What the service itself adds to the inspector's record: the clock, and the daily digest."""

import logging
from datetime import timedelta

from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.mqtt import messages
from edge_agent.service.clockwatch import ClockNews
from edge_agent.service.keeper import Keeper
from edge_agent.storage.chain import Head
from edge_agent.storage.errors import StorageError
from edge_agent.storage.record import HEAD_MIRROR
from edge_agent.storage.settings_file import SettingsFile
from edge_agent.storage.store import Store

log = logging.getLogger(__name__)


def follow(store: Store, settings_file: SettingsFile) -> None:
    """A new file's record names the last line that the settings file remembers, if nobody knows a later one."""
    try:
        known = _remembered(settings_file)
        if known is not None:
            store.follow_record(known)
    except StorageError as error:
        log.error("record: its first line will not name the one before: %s", error)


def clock_line(news: ClockNews, now: Instant) -> RecordLine | None:
    """The wall clock is not where it was; None when it is."""
    if not (news.step_ms or news.synchronised_now):
        return None
    body: dict[str, object] = {
        "what": "synchronised" if news.synchronised_now else "stepped",
        "step_s": news.step_ms / 1000,
        "clock_boot": now.boot,
        "offset_ms": now.offset_ms,
    }
    return RecordLine(RecordKind.CLOCK, now, "", body)


def tell_digest(keeper: Keeper, store: Store, settings_file: SettingsFile, now: Instant) -> None:
    """Once a day: which lines there are since the last time, and the hash of the newest, which vouches for them all.

    It leaves the building, and it lies in the settings file: who rewrites the chain must reach both.
    """
    head = store.record_head()
    try:
        before = _remembered(settings_file)
        told = before.line if before is not None and before.epoch == head.epoch else 0
        if head.line <= told + 1:  # nothing but the last digest
            return
        settings_file.mirror(HEAD_MIRROR, head.written().encode())
    except StorageError as error:
        log.error("record: no digest: %s", error)
        return
    body: dict[str, object] = {
        "day": (now.utc - timedelta(hours=12)).date().isoformat(),  # told shortly after midnight, of the day before
        "epoch": head.epoch,
        "first": told + 1,
        "last": head.line,
        "lines": head.line - told,
        "head": head.hash,
    }
    keeper.add(now, messages=[messages.record(RecordLine(RecordKind.DIGEST, now, "", body))])


def _remembered(settings_file: SettingsFile) -> Head | None:
    found = settings_file.mirrored().get(HEAD_MIRROR)
    try:
        return None if found is None else Head.parsed(found)
    except (ValueError, KeyError, TypeError) as error:
        log.error("record: the settings file holds %r: %s", found, error)
        return None
