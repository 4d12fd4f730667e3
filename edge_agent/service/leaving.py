"""The end of a run: what waits in RAM, and what of it goes."""

import logging

from edge_agent.service.build import Parts
from edge_agent.storage.errors import StorageError

log = logging.getLogger(__name__)

STOP_CONNECTION_S = 1.0


class NotKept(StorageError):
    """The agent was stopped while the card took nothing: what waited in RAM is gone."""


def complain_of_what_goes(parts: Parts) -> None:
    samples, told = parts.keeper.waiting()
    if samples or told:
        log.error("storage: %s", _what_goes(parts))


def require_all_kept(parts: Parts) -> None:
    """Raises NotKept, so that a stop which lost something does not pass for a clean one; a reload goes on."""
    if any(parts.keeper.waiting()) and not parts.agent.reload_asked:
        raise NotKept(_what_goes(parts))


def _what_goes(parts: Parts) -> str:
    samples, told = parts.keeper.waiting()
    lost = f"{samples} readings and {told} messages or answers are lost with this stop"
    return f"{lost}: {parts.keeper.fault}"


def keep_marks(parts: Parts) -> None:
    try:
        parts.store.flush_marks()
    except StorageError as error:
        log.warning("storage: the last acknowledgements were not kept, and will be sent again: %s", error)
