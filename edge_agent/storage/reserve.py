"""A file of real blocks that is given up when the disk is full, so that what people depend on is still committed."""

import logging
import os
from pathlib import Path

from edge_agent.storage.errors import StorageError, StorageFull, free_bytes, named_faults

log = logging.getLogger(__name__)

RESERVE_BYTES = 2 * 1024 * 1024
FILE_NAME = "reserve.bin"


class Reserve:
    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    @property
    def held(self) -> bool:
        try:
            return self._path.stat().st_size >= RESERVE_BYTES
        except FileNotFoundError:
            return False

    def make(self) -> bool:
        """Take the blocks, if as much again stays free; True when they are held."""
        if self.held:
            return True
        if free_bytes(self._path.parent) < 2 * RESERVE_BYTES:
            return False
        try:
            with named_faults(self._path), self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except StorageFull:
            self.release()
            return False
        log.info("%s: %d bytes reserved for a full disk", self._path, RESERVE_BYTES)
        return True

    def release(self) -> bool:
        """Give the blocks back; False when there were none."""
        try:
            with named_faults(self._path):
                held = self.held
                self._path.unlink(missing_ok=True)
        except StorageError as error:
            log.warning("the reserve cannot be released: %s", error)
            return False
        if held:
            log.warning("%s released: the disk is full", self._path)
        return held
