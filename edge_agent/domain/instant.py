"""One instant as a board without a battery clock knows it, and the clock that tells it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClockState(StrEnum):
    """How far the wall time of a record can be trusted."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    CORRECTED = "corrected"  # taken unsynchronised, put right when the synchronisation came


@dataclass(frozen=True, slots=True)
class Instant:
    """Monotonic and wall time of one moment.

    Durations come from ``mono_ms`` (comparable within one ``boot`` only), calendars from ``wall_ms``.
    """

    mono_ms: int  # since an arbitrary start, never steps back within one boot
    wall_ms: int  # Unix time, UTC; may be years off while the clock is unsynced
    boot: str  # names the boot (or the run, for a simulated clock) that mono_ms counts in
    clock: ClockState = ClockState.SYNCED

    @property
    def offset_ms(self) -> int:
        """Wall minus monotonic: constant until the wall clock steps."""
        return self.wall_ms - self.mono_ms

    @property
    def utc(self) -> datetime:
        """
        >>> Instant(5, 1_795_417_200_250, "b").utc.isoformat()
        '2026-11-23T07:00:00.250000+00:00'
        """
        return _EPOCH + timedelta(milliseconds=self.wall_ms)

    def rfc3339(self) -> str:
        """
        >>> Instant(5, 1_795_417_200_250, "b").rfc3339()
        '2026-11-23T07:00:00.250Z'
        """
        return self.utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def age_s(self, now: "Instant") -> float:
        """Seconds from this instant to ``now``; infinite when it belongs to an earlier boot."""
        return (now.mono_ms - self.mono_ms) / 1000 if now.boot == self.boot else float("inf")

    def passed_s(self, now: "Instant") -> float:
        """As ``age_s``, but across boots by wall time; infinite when either wall clock was not synchronised.

        >>> then, unset = Instant(9000, 60_000, "a"), ClockState.UNSYNCED
        >>> then.passed_s(Instant(9500, 99_000, "a")), then.passed_s(Instant(0, 90_000, "b"))
        (0.5, 30.0)
        >>> then.passed_s(Instant(0, 90_000, "b", unset))
        inf
        """
        if now.boot == self.boot or ClockState.UNSYNCED in (self.clock, now.clock):
            return self.age_s(now)
        return (now.wall_ms - self.wall_ms) / 1000


class Clock(Protocol):
    """Where instants come from: the system's clock, or a simulated one."""

    @property
    def boot(self) -> str: ...

    def monotonic_s(self) -> float: ...

    def wall_s(self) -> float:
        """Unix time, seconds."""

    def is_synchronised(self) -> bool: ...

    def sleep(self, seconds: float) -> None:
        """Let time pass: really, or by moving the simulated clock on."""
