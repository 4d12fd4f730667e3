"""Lines of the record that an inspector reads: what was measured, what went wrong, what was done.

HACCP: Regulation (EC) 852/2004, Art. 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from edge_agent.domain.instant import ClockState, Instant

NODE_RECORD = "node"  # in the place of a place's name, for what concerns all of them


class RecordKind(StrEnum):
    SETTINGS = "settings"  # limits in force, sensors with their calibration dates: at the start and when they change
    INTERVAL = "interval"  # what a place was like for a quarter of an hour
    GAP = "gap"  # nothing was measured: switched off, sensor dead
    EXCURSION_BEGUN = "excursion-begun"
    EXCURSION_ENDED = "excursion-ended"
    DEFROST = "defrost"  # recognised, and not alarmed
    DOOR = "door"  # left open long enough to be worth a line
    ALARM = "alarm"  # a transition: raised, acknowledged, shelved, ...
    CORRECTIVE_ACTION = "corrective-action"
    DELIVERY = "delivery"  # received: product, lot, supplier, how much, how warm, until when it may be used
    WASTE = "waste"  # thrown away: what, how much, why
    CLOCK = "clock"  # the wall clock was synchronised or stepped
    DIGEST = "digest"  # of a day: how many lines, and the last hash
    CHAIN = "chain"  # the first line of a file: what is known of the chain before it
    PRUNED = "pruned"  # lines older than the days they are kept for were deleted


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One line before it has its place in the chain. Corrections are new lines; nothing is ever changed."""

    kind: RecordKind
    at: Instant
    place: str  # "" where it concerns the whole node
    body: Mapping[str, object]  # JSON-ready, units in the names


def head_of(kind: RecordKind, at: Instant, place: str = "") -> dict[str, object]:
    """What every line begins with. The time is the one known then; of a clock that was not set, with what puts it
    right once the clock line of that boot is there.
    """
    head: dict[str, object] = {"kind": kind.value, "place": place, "at": at.rfc3339()}
    if at.clock is ClockState.UNSYNCED:
        head |= {"at_clock": at.clock.value, "boot": at.boot, "at_mono_ms": at.mono_ms}
    return head


class KeptLine(NamedTuple):  # a tuple: a report reads some hundred thousand
    """One line as it is read back, possibly by a later version: of an unknown kind, with unknown fields."""

    file: str  # it was read from
    number: int  # in the chain of that file
    kind: str
    place: str
    at: str  # RFC 3339 UTC, as known when it was written
    wall_ms: int | None  # put right by the clock line of that boot; None: that clock was never set
    near_ms: int | None  # that, else the wall time of the line before
    is_corrected: bool  # taken while the clock was not set
    body: Mapping[str, object]
    hash: str


@dataclass(frozen=True, slots=True)
class ChainFault:
    """What is wrong with the chain, and where."""

    file: str
    number: int  # the line it is about
    what: str  # changed, removed, inserted, unreadable
    words: str
    at: str = ""  # of the last sound line before it, as it is written there


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    lines: int
    first: int  # of the newest file
    last: int
    head: str  # hash of the last line
    faults: tuple[ChainFault, ...] = ()
    notes: tuple[str, ...] = ()  # what an inspector is told, and is no fault: pruned lines, a file that was lost

    @property
    def is_sound(self) -> bool:
        return not self.faults
