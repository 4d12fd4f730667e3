"""Compares what was committed with what arrived. Pure; the agent's own word is not asked."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_ENVELOPE = frozenset({"v", "node", "epoch", "stream", "seq", "ts", "clock", "mono_ms"})
_CORRECTED = "corrected"


class Identity(NamedTuple):
    """What makes a message that message, on the way and for ever."""

    epoch: str
    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a row says."""

    content: bytes  # digest of the body and the monotonic instant
    ts: str
    clock: str

    def is_same(self, other: "Told") -> bool:
        """The wall time may change once: when the clock was synchronised and the row put right."""
        is_corrected = self.clock != other.clock and _CORRECTED in (self.clock, other.clock)
        return self.content == other.content and (self.ts == other.ts or is_corrected)


def told(record: Mapping[str, Any]) -> Told:
    """Of a live message or of one record of backlog: the same row gives the same either way."""
    body = {key: value for key, value in record.items() if key not in _ENVELOPE}
    text = json.dumps([body, record["mono_ms"]], sort_keys=True, separators=(",", ":"))
    return Told(hashlib.sha256(text.encode()).digest(), record["ts"], record["clock"])


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record as it reached the consumer, before anybody removed duplicates."""

    at_s: float  # the consumer's monotonic clock
    way: str  # "live" or "hist"
    identity: Identity
    told: Told
    is_stored: bool = False  # the broker had kept it: it came when the consumer subscribed, out of its turn


@dataclass(frozen=True, slots=True)
class Verdict:
    accepted: int
    lost: Sequence[Identity]  # committed, and never arrived
    altered: Sequence[Identity]  # arrived with another content than was committed, or twice with different ones
    phantoms: Sequence[Identity]  # arrived without ever having been committed
    gaps: Sequence[Identity]  # numbers nobody heard, below the highest of their stream
    inversions: Mapping[str, int]  # by way: first arrivals after a higher number of their stream
    raw_duplicates: int  # arrivals of what had arrived before
    residual_duplicates: int  # of these, what the consumer passed on all the same


def judge(
    committed: Mapping[Identity, Told],
    arrivals: Iterable[Arrival],
    passed_on: Counter[Identity],
    asked: frozenset[Identity] = frozenset(),
) -> Verdict:
    """``passed_on``: how often the consumer gave each record on as new. ``asked``: what a replay was asked for."""
    arrived = _Arrived(asked)
    for arrival in arrivals:
        arrived.take(arrival)
    missing = [identity for identity in committed if identity not in arrived.first]
    altered = {i for i, found in arrived.first.items() if i in committed and not committed[i].is_same(found)}
    return Verdict(
        accepted=len(committed),
        lost=missing,
        altered=sorted(altered | arrived.conflicting),
        phantoms=[identity for identity in arrived.first if identity not in committed],
        gaps=gaps(arrived.first),
        inversions=arrived.inversions,
        raw_duplicates=arrived.duplicates,
        residual_duplicates=sum(times - 1 for times in passed_on.values()),
    )


@dataclass(slots=True)
class _Arrived:
    asked: frozenset[Identity]
    first: dict[Identity, Told] = field(default_factory=dict)
    conflicting: set[Identity] = field(default_factory=set)
    duplicates: int = 0
    inversions: Counter[str] = field(default_factory=lambda: Counter({"live": 0, "hist": 0}))
    _highest: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def take(self, arrival: Arrival) -> None:
        identity = arrival.identity
        known = self.first.get(identity)
        if known is not None:
            self.duplicates += 1
            if not known.is_same(arrival.told):
                self.conflicting.add(identity)
            return
        self.first[identity] = arrival.told
        if arrival.is_stored or identity in self.asked:
            return  # a replay comes when it is asked for
        place = (arrival.way, identity.epoch, identity.stream)
        if identity.seq < self._highest.get(place, 0):
            self.inversions[arrival.way] += 1
        self._highest[place] = max(identity.seq, self._highest.get(place, 0))


def gaps(identities: Iterable[Identity]) -> list[Identity]:
    """Missing numbers of each stream, from 1 to its highest."""
    seqs: dict[tuple[str, str], set[int]] = {}
    for identity in identities:
        seqs.setdefault((identity.epoch, identity.stream), set()).add(identity.seq)
    return [
        Identity(epoch, stream, seq)
        for (epoch, stream), found in sorted(seqs.items())
        for seq in range(1, max(found) + 1)
        if seq not in found
    ]


def most_in_a_second(at_s: Sequence[float]) -> int:
    """The most of these ascending instants that lie within any one second.

    >>> most_in_a_second([0.0, 0.4, 0.9, 1.0, 1.3]), most_in_a_second([])
    (4, 0)
    """
    most = first = 0
    for count, now_s in enumerate(at_s, 1):
        while now_s - at_s[first] >= 1.0:
            first += 1
        most = max(most, count - first)
    return most
