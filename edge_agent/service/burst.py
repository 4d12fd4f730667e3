"""What may happen any number of times a second is logged twice: when it begins, and how much it was when it ends."""

import logging

log = logging.getLogger(__name__)


class Burst:
    def __init__(self, what: str) -> None:
        self._what = what
        self._total = 0
        self._since: int | None = None  # the total before it began; None while there is none

    def look(self, total: int) -> None:
        """In every cycle, with the count since the start."""
        if total > self._total and self._since is None:
            self._since = self._total
            log.warning("%s: %d, and counting", self._what, total - self._total)
        elif total == self._total and self._since is not None:
            log.warning("%s: %d in all, for now it is over", self._what, total - self._since)
            self._since = None
        self._total = total
