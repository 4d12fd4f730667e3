"""What people and central systems ask of the agent; obeyed by the next cycle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.domain.instant import Instant


class Verb(StrEnum):
    TARE = "tare"
    ZERO = "zero"
    COUNT = "count"
    CALIBRATE = "calibrate"
    ACKNOWLEDGE = "acknowledge"
    SILENCE = "silence"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"
    CORRECT = "correct"
    TEST_ALARM = "test-alarm"
    SET = "set"
    RECEIVE = "receive"
    WASTE = "waste"
    MOVE = "move"
    OUTCOME = "outcome"
    IDENTIFY = "identify"
    REPLAY = "replay"
    RELOAD = "reload"
    MODEL = "model"


class ResultCode(StrEnum):
    DONE = "done"
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    UNAUTHORIZED = "unauthorized"
    INVALID = "invalid"
    UNSTABLE = "unstable"
    BUSY = "busy"
    HW_FAULT = "hw_fault"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature that was found right: by which key, and the nonce that makes it good for one time."""

    key: str  # its name in the configuration
    nonce: str


@dataclass(frozen=True, slots=True)
class Command:
    cmd_id: str  # chosen by the sender; the same id within 24 h is the same command
    verb: str  # a Verb; another word is answered `unsupported`
    arguments: Mapping[str, object]  # the JSON object the sender gave, already decoded
    source: str  # the way it came: "mqtt", "local" (the socket), "cli" (written into the inbox by this machine's user)
    received: Instant
    expires_s: float | None = None  # after `received`
    response_topic: str | None = None
    correlation: bytes | None = None
    seal: Seal | None = None  # None: nobody signed it
    peer: str = ""  # of the socket, as the kernel says: "ann uid=1000 pid=4711"


@dataclass(frozen=True, slots=True)
class CommandResult:
    command: Command
    code: ResultCode
    at: Instant
    message: str = ""  # for a person: what was wrong, with which value, what would be right
    detail: Mapping[str, object] = field(default_factory=dict)  # JSON-ready
