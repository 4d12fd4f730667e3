"""What passes between the connection and everybody else: plain values, no client library in them."""

from dataclasses import dataclass

from edge_agent.domain.instant import Instant

# MQTT 5.0 section 2.4: reason codes of PUBACK, CONNACK and DISCONNECT that we meet.
REASONS = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8D: "keep alive time-out",
    0x8E: "session taken over",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x99: "payload format invalid",
}
UNSUPPORTED_VERSION = 0x84
PACKET_TOO_LARGE = 0x95


def reason_text(code: int) -> str:
    """
    >>> reason_text(0x87)
    'not authorised (0x87)'
    """
    return f"{REASONS.get(code, 'refused')} (0x{code:02x})"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One PUBLISH packet; always QoS 1."""

    topic: str
    payload: bytes  # JSON, UTF-8
    retain: bool = False
    expiry_s: int | None = None  # MQTT 5 message expiry; dropped on 3.1.1
    correlation: bytes | None = None
    qos: int = 1
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message that came from the broker."""

    topic: str
    payload: bytes
    retain: bool
    received: Instant
    expiry_s: int | None = None  # what was left of it when the broker passed it on
    response_topic: str | None = None
    correlation: bytes | None = None
