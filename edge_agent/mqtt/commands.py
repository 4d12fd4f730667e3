"""What comes in on ``cmd/{verb}``: a Command for the next cycle, an answer at once, or silence. Pure; never raises.

The local socket comes in here too: the same envelope, the same answers.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NoReturn

from edge_agent.domain.command import Command, CommandResult, ResultCode, Seal, Verb
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.mqtt.messages import EVERY_NODE, ROOT, Identity
from edge_agent.mqtt.signed import Sealed, TooMany, Verify, encoded, no_key, sealed_in
from edge_agent.mqtt.wire import Incoming

MAX_BYTES = 16_384
MAX_MODEL_BYTES = 131_072  # of the verb that carries a model of up to 64 KiB
MAX_DEPTH = 16  # of arrays and objects in one another: no command needs more than three
MAX_AGE_S = 60.0  # a command is for now
MAX_SIGNED_S = 600.0  # from issued_at to expires_at of a signed one: it may be carried there by hand
MAX_SKEW_S = 30.0  # how far ahead of ours a sender's clock may be
PING = "ping"  # answered without the cycle: proves the way there and back
_VERB = re.compile(r"[a-z_-]{1,32}")
_CMD_ID_CHARS = 64
_LEVEL = re.compile(r"[A-Za-z0-9_-]+")
_MAX_LEVELS = 7
_TOPIC_CHARS = 200
_CORRELATION_BYTES = 1024
_MOST_WHOLE = 2**63 - 1
_ENVELOPE = frozenset({"cmd_id", "issued_at", "expires_at"})
_SIGNED_ENVELOPE = _ENVELOPE | {"site", "node", "verb", "nonce"}
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not answered: not meant for us, or nobody asked now."""

    reason: str


def parse(incoming: Incoming, identity: Identity, verify: Verify = no_key) -> Command | CommandResult | Ignored:
    """A Command goes to the inbox; a CommandResult is the whole answer; Ignored goes no further than the debug log."""
    verb = _verb(incoming.topic, identity)
    if isinstance(verb, Ignored):
        return verb
    if incoming.retain:
        return Ignored("a retained command: it was left there once, nobody asks now")
    try:
        body = _decoded(incoming.payload, longest(verb))
        sealed = _sealed(body)
        if sealed is None:
            command = _command(incoming, identity, verb, body)
        else:
            body = _verified(sealed, verify)
            command = _signed(incoming, identity, verb, body, sealed.key)
        expires_s = _expires_s(incoming, body, is_signed=sealed is not None)
    except _Refusal as refusal:
        known = refusal.cmd_id or ""
        return CommandResult(_unread(incoming, identity, verb, known), refusal.code, incoming.received, str(refusal))
    if verb == PING:
        return CommandResult(command, ResultCode.DONE, incoming.received, "pong")
    if verb not in set(Verb):
        obeyed = ", ".join([*(known.value for known in Verb), PING])
        return CommandResult(command, ResultCode.UNSUPPORTED, incoming.received, f"cmd/{verb}: must be one of {obeyed}")
    return replace(command, expires_s=expires_s)


class _Refusal(Exception):
    def __init__(self, code: ResultCode, message: str, cmd_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.cmd_id = cmd_id


def _invalid(message: str, cmd_id: str | None = None) -> _Refusal:
    return _Refusal(ResultCode.INVALID, message, cmd_id)


# --- the topic ------------------------------------------------------------------------------------------------------


def _verb(topic: str, identity: Identity) -> str | Ignored:
    levels = topic.split("/")
    own = [*ROOT.split("/"), identity.site]
    if len(levels) != len(own) + 3 or levels[: len(own)] != own or levels[-2] != "cmd":
        return Ignored("not a command's topic")
    if levels[-3] not in (identity.node, EVERY_NODE):
        return Ignored("for another node")
    if not _VERB.fullmatch(levels[-1]):
        return Ignored("no verb")  # its answer would need a topic that cannot be
    return levels[-1]


def response_topic(asked: str | None, identity: Identity, verb: str) -> str:
    """The asked one when it lies below the node's own ``rsp/``, or else the verb's own there.

    >>> node = Identity("s1", "a1", "k3f9")
    >>> response_topic("storeroom/v1/s1/a1/rsp/desk-7", node, "tare"), response_topic("evil/topic", node, "tare")
    ('storeroom/v1/s1/a1/rsp/desk-7', 'storeroom/v1/s1/a1/rsp/tare')
    """
    below = identity.topic("rsp/")
    is_ours = (
        asked is not None
        and asked.startswith(below)
        and len(asked) <= _TOPIC_CHARS
        and all(_LEVEL.fullmatch(level) for level in asked.removeprefix(below).split("/"))
        and asked.count("/") < _MAX_LEVELS
    )
    return asked if asked is not None and is_ours else f"{below}{verb}"


# --- the payload ----------------------------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _whole(text: str) -> int:
    """Beyond 64 bits a number fits neither a float nor SQLite; whoever computes with it later would fail."""
    value = int(text)
    if not -_MOST_WHOLE <= value <= _MOST_WHOLE:
        raise ValueError(f"{text[:20]}... is too large a number")
    return value


def longest(verb: str) -> int:
    """Bytes of a payload that are read.

    >>> longest("tare"), longest("model")
    (16384, 131072)
    """
    return MAX_MODEL_BYTES if verb == Verb.MODEL else MAX_BYTES


def _decoded(payload: bytes, most: int) -> Mapping[str, object]:
    if len(payload) > most:
        raise _invalid(f"payload of more than {most} bytes: at most {most} are read")
    try:
        text = payload.decode("utf-8")
        body = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
        )
        if "\\u" in text:
            json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except UnicodeError as error:
        raise _invalid(f"payload is not UTF-8: {error}") from error
    except RecursionError as error:
        raise _invalid("payload is nested too deeply") from error
    except ValueError as error:
        raise _invalid(f"payload is not JSON: {error}") from error
    if _is_deeper(body, MAX_DEPTH):
        raise _invalid(f"payload is nested too deeply: at most {MAX_DEPTH} arrays and objects in one another")
    if not isinstance(body, dict):
        raise _invalid(f'payload is a JSON {_json_type(body)}: must be an object such as {{"cmd_id": "42"}}')
    return body


def _is_deeper(value: object, most: int) -> bool:
    """Without recursion: what passes here must not overflow the stack of whoever writes it down later.

    >>> _is_deeper({"a": [1, [2]]}, 3), _is_deeper({"a": [1, [2]]}, 2)
    (False, True)
    """
    level = [value]
    for _ in range(most + 1):
        inside = [each for each in level if isinstance(each, dict | list)]
        if not inside:
            return False
        level = [inner for each in inside for inner in (each.values() if isinstance(each, dict) else each)]
    return True


def _json_type(value: object) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _cmd_id(body: Mapping[str, object]) -> str:
    found = body.get("cmd_id")
    if found is None:
        raise _invalid("cmd_id is missing: must be 1 to 64 characters, new for each command")
    if not isinstance(found, str):
        raise _invalid(f"cmd_id is a JSON {_json_type(found)}: must be a string of 1 to 64 characters")
    if not 1 <= len(found) <= _CMD_ID_CHARS or not found.isprintable():
        raise _invalid(f"cmd_id of {len(found)} characters: must be 1 to 64 printable ones")
    return found


def _command(incoming: Incoming, identity: Identity, verb: str, body: Mapping[str, object]) -> Command:
    arguments = {key: value for key, value in body.items() if key not in _ENVELOPE}
    return replace(_unread(incoming, identity, verb, _cmd_id(body)), arguments=arguments)


def _unread(incoming: Incoming, identity: Identity, verb: str, cmd_id: str) -> Command:
    """As much of the command as an answer needs."""
    correlation = incoming.correlation
    if correlation is not None and len(correlation) > _CORRELATION_BYTES:
        correlation = None
    topic = response_topic(incoming.response_topic, identity, verb)
    return Command(cmd_id, verb, {}, "mqtt", incoming.received, response_topic=topic, correlation=correlation)


# --- its signature --------------------------------------------------------------------------------------------------


def _sealed(body: Mapping[str, object]) -> Sealed | None:
    try:
        return sealed_in(body)
    except ValueError as error:
        raise _invalid(str(error)) from error


def _verified(sealed: Sealed, verify: Verify) -> Mapping[str, object]:
    """What was signed; not a byte of it is read before."""
    try:
        is_right = verify(sealed.key, encoded(sealed.body), sealed.signature)
    except TooMany as error:
        why = "too many signed commands came within one cycle: send it again, more slowly"
        raise _Refusal(ResultCode.BUSY, why) from error
    if not is_right:
        raise _Refusal(ResultCode.UNAUTHORIZED, "the signature is not that of a key configured here over these bytes")
    return _decoded(sealed.body, len(sealed.body))  # no longer than what it came in


def _signed(
    incoming: Incoming, identity: Identity, verb: str, body: Mapping[str, object], key: str
) -> Command:  # fmt: skip
    """Bound to its verb, its node and its time, or it could be carried from one to another."""
    cmd_id = _cmd_id(body)
    for name, right in (("site", (identity.site,)), ("node", (identity.node, EVERY_NODE)), ("verb", (verb,))):
        if body.get(name) not in right:
            said = repr(body.get(name))[:40]
            why = f"{name} = {said}: {key} signed it for another, or for none; here it must be {' or '.join(right)}"
            raise _Refusal(ResultCode.UNAUTHORIZED, why, cmd_id)
    nonce = body.get("nonce")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise _invalid("nonce: must be 16 to 64 of the characters A-Z, a-z, 0-9, - and _, new for each command", cmd_id)
    arguments = {name: value for name, value in body.items() if name not in _SIGNED_ENVELOPE}
    return replace(_unread(incoming, identity, verb, cmd_id), arguments=arguments, seal=Seal(key, nonce))


# --- its time -------------------------------------------------------------------------------------------------------


def _wall_s(body: Mapping[str, object], key: str, cmd_id: str) -> float | None:
    found = body.get(key)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _invalid(f"{key} = {str(found)[:40]!r}: must be a time such as 2026-11-23T07:00:00Z", cmd_id)
    return moment.timestamp()


def _expires_s(incoming: Incoming, body: Mapping[str, object], *, is_signed: bool) -> float:
    """Seconds from reception until the command is void: the nearest of what the sender and the broker say.

    The sender's times count only while our own clock is synchronised; a signature's count always, so without the
    clock nothing signed is obeyed: a recording of it would be good for ever.
    """
    cmd_id = _cmd_id(body)
    issued_s, until_s = _wall_s(body, "issued_at", cmd_id), _wall_s(body, "expires_at", cmd_id)
    if is_signed:
        _require_times(incoming.received, issued_s, until_s, cmd_id)
    ends = [MAX_AGE_S]
    if incoming.expiry_s is not None:
        ends.append(float(incoming.expiry_s))
    if _is_synced(incoming.received):
        now_s = incoming.received.wall_ms / 1000
        if issued_s is not None:
            if issued_s > now_s + MAX_SKEW_S:
                ahead = f"issued_at is {issued_s - now_s:.0f} s ahead of our clock: at most {MAX_SKEW_S:g} s may be"
                raise _invalid(ahead, cmd_id)
            if not is_signed:
                ends.append(issued_s + MAX_AGE_S - now_s)
        if until_s is not None:
            ends.append(until_s - now_s)
    left_s = min(ends)
    if left_s <= 0:
        late = f"expired {-left_s:.0f} s before it arrived: a command is for the next {MAX_AGE_S:g} s"
        raise _Refusal(ResultCode.EXPIRED, late, cmd_id)
    return left_s


def _require_times(received: Instant, issued_s: float | None, until_s: float | None, cmd_id: str) -> None:
    """Raises _Refusal unless a signature's own times can be judged."""
    if issued_s is None or until_s is None or not 0 < until_s - issued_s <= MAX_SIGNED_S:
        limits = f"a signed command has issued_at and expires_at, at most {MAX_SIGNED_S:g} s apart"
        raise _invalid(limits, cmd_id)
    if not _is_synced(received):
        why = "the node's clock is not set, so the age of a signed command cannot be judged: wait, or ask at the node"
        raise _Refusal(ResultCode.UNAUTHORIZED, why, cmd_id)


def _is_synced(at: Instant) -> bool:
    return at.clock is ClockState.SYNCED
