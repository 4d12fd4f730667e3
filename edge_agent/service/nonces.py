"""Nonces of the last minutes once more, in the settings file.

The inbox remembers each for 400 days; but it lies in the file that may be damaged, or left for a refuge in RAM, and a
signed command that somebody recorded is still valid then.
"""

import json
import logging

from edge_agent.domain.command import Seal
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.commands import MAX_SIGNED_S, MAX_SKEW_S
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings_file import SettingsFile

log = logging.getLogger(__name__)

NOTED = "used-nonces"
KEPT_S = MAX_SIGNED_S + MAX_SKEW_S  # after its arrival no signed command is valid for longer


class UsedNonces:
    def __init__(self, settings_file: SettingsFile) -> None:
        """Raises StorageError when the file cannot be read."""
        self._file = settings_file
        self._used = {(key, nonce): wall_ms for key, nonce, wall_ms in json.loads(settings_file.noted(NOTED) or "[]")}

    def has(self, seal: Seal) -> bool:
        return (seal.key, seal.nonce) in self._used

    def add(self, seal: Seal, at: Instant) -> None:
        """Signed commands are taken with a synchronised clock only, so the wall time may be compared over restarts."""
        since_ms = at.wall_ms - round(1000 * KEPT_S)
        self._used = {used: wall_ms for used, wall_ms in self._used.items() if wall_ms >= since_ms}
        self._used[seal.key, seal.nonce] = at.wall_ms
        rows = [[key, nonce, wall_ms] for (key, nonce), wall_ms in self._used.items()]
        try:
            self._file.note(NOTED, json.dumps(rows, separators=(",", ":")))
        except StorageError as error:
            log.warning("a used nonce is in the inbox only: %s", error)
