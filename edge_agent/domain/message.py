"""What leaves the building, before and after it has its place in a stream."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Sample


class Stream(StrEnum):
    """Each stream numbers its messages from 1 without gaps; (node, epoch, stream, seq) is an identity."""

    TELEMETRY = "telemetry"
    STOCK = "stock"
    EVENT = "event"
    ALARM = "alarm"
    ALARMLOG = "alarmlog"
    RECORD = "record"  # the inspector's: its rows are the record itself, chained by their hashes
    META = "meta"
    SHELFLIFE = "shelflife"  # of each lot; told anew each hour, and the broker lets go of what is not
    FORECAST = "forecast"  # of each product
    RSP = "rsp"
    # Volatile: told from memory while it is true, not queued; numbers may skip after a crash.
    HEALTH = "health"
    STATUS = "status"


VOLATILE = frozenset({Stream.HEALTH, Stream.STATUS})
ESTIMATES = frozenset({Stream.SHELFLIFE, Stream.FORECAST})  # retained with an end: past it they are state no more


@dataclass(frozen=True, slots=True)
class Message:
    """A message without its envelope: the sequence number comes with the commit, the time may be corrected."""

    stream: Stream
    topic: str  # below storeroom/v1/{site}/{node}/, e.g. "stock/shelf-3"; a full topic for responses
    body: bytes  # a JSON object, UTF-8, without the envelope's fields
    at: Instant
    retain: bool = False
    expiry_s: int | None = None
    correlation: bytes | None = None  # MQTT 5 correlation data of a response


@dataclass(frozen=True, slots=True)
class Queued:
    """A committed message or telemetry sample with its number: what the publisher sends."""

    stream: Stream
    seq: int
    content: Message | Sample

    @property
    def at(self) -> Instant:
        return self.content.at


class Outcome(StrEnum):
    """What became of a queued message at the broker."""

    ACCEPTED = "accepted"  # acknowledged with a success code
    REFUSED = "refused"  # refused for good (not authorised, topic invalid, too large): kept aside
