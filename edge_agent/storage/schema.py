"""The tables of agent.db as the code uses them; ``migrations`` makes them.

Rows are appended: a table's key is the sequence number of its stream, so a batch fills the last page and no index.
"""

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table

from edge_agent.domain.message import VOLATILE, Stream

metadata = MetaData()

# The hot table: history and outbox in one. A row is one sample; its payload is written when it is sent.
telemetry = Table(
    "telemetry",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("shape", Integer, nullable=False),
    Column("clock", Integer, nullable=False),
    Column("mono_ms", Integer, nullable=False),
    Column("readings", LargeBinary, nullable=False),  # see packing
)
QUEUED = tuple(stream for stream in Stream if stream not in VOLATILE)
MESSAGES = tuple(stream for stream in QUEUED if stream is not Stream.TELEMETRY)


def _message_table(stream: Stream) -> Table:
    return Table(
        f"outbox_{stream}",
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("topic", String, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("clock", Integer, nullable=False),
        Column("mono_ms", Integer, nullable=False),
        Column("retain", Integer, nullable=False),
        Column("expiry_s", Integer),
        Column("correlation", LargeBinary),
    )


TABLES = {Stream.TELEMETRY: telemetry} | {stream: _message_table(stream) for stream in MESSAGES}

shape = Table(  # a point and its channels: what telemetry rows have in common
    "shape",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("point", String, nullable=False),
    Column("channels", String, nullable=False),  # one a line
)
fault = Table("fault", metadata, Column("id", Integer, primary_key=True), Column("code", String, nullable=False))
clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("boot", String, nullable=False),
    Column("offset_ms", Integer, nullable=False),  # wall = mono + offset
    Column("state", String, nullable=False),
)
settled = Table(  # accepted, refused or dropped: what the publisher need not look at again
    "settled",
    metadata,
    Column("stream", String, primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
)
again = Table(  # settled, and asked for once more
    "again",
    metadata,
    Column("stream", String, primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
)
note = Table(  # what was refused by the broker, or dropped by retention before it was sent
    "note",
    metadata,
    Column("stream", String, primary_key=True),
    Column("kind", String, primary_key=True),  # refused, dropped
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("reason", String, nullable=False),
)
removed = Table(  # how many rows retention took away, ever
    "removed",
    metadata,
    Column("stream", String, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("rows", Integer, nullable=False),
)
watermark = Table(  # everything up to `seq` was settled at this instant: the grace period counts from it
    "watermark",
    metadata,
    Column("stream", String, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("clock", Integer, nullable=False),
    Column("mono_ms", Integer, nullable=False),
)
memory = Table(
    "memory",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
state = Table(
    "state",
    metadata,
    Column("key", String, primary_key=True),  # epoch, node, running, volatile/<stream>, thinned_upto
    Column("value", String, nullable=False),
)
inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cmd_id", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("arguments", String, nullable=False),  # JSON
    Column("source", String, nullable=False),
    # Instants are whole here, not segments: another process writes commands too.
    Column("boot", String, nullable=False),
    Column("mono_ms", Integer, nullable=False),
    Column("wall_ms", Integer, nullable=False),
    Column("clock", String, nullable=False),
    Column("expires_s", Float),
    Column("response_topic", String),
    Column("correlation", LargeBinary),
    Column("code", String),  # empty until the cycle has obeyed
    Column("message", String),
    Column("detail", String),  # JSON
    Column("done_boot", String),
    Column("done_mono_ms", Integer),
    Column("done_wall_ms", Integer),
    Column("done_clock", String),
    Column("signed_by", String),  # name of the key; empty: nobody signed it
    Column("nonce", String),  # of the signature: used once, and then this row stands in its way
    Column("peer", String),  # of the local socket
)
