"""Signed commands: verified as bytes, then read, bound to their node, verb and minutes."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decide.authority import CommandSettings, KeySettings
from edge_agent.domain.command import Command, CommandResult, ResultCode, Seal
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.mqtt.commands import parse
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.signed import TYPE, at_most, encoded, envelope, verifier
from edge_agent.mqtt.wire import Incoming

NODE = Identity("s0412", "a1", "k3f9")
AT = Instant(8_810_000, 1_795_417_200_000, "boot-1")  # 2026-11-23T07:00:00Z
# RFC 8032, section 7.1, test 1
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY = Ed25519PrivateKey.from_private_bytes(SECRET)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
VERIFY = verifier(CommandSettings(keys=(KeySettings("office", base64.b64encode(PUBLIC).decode()),)))
BODY = {
    "site": "s0412",
    "node": "a1",
    "verb": "tare",
    "cmd_id": "c-1",
    "nonce": "n" * 16,
    "issued_at": "2026-11-23T06:59:50Z",
    "expires_at": "2026-11-23T07:00:20Z",
    "shelf": "shelf-3",
}


def content(**changes):
    return json.dumps({key: value for key, value in (BODY | changes).items() if value is not None}).encode()


def sealed(body=None, key=KEY, name="office", **changes):
    body = content(**changes) if body is None else body
    return envelope(name, body, key.sign(encoded(body)))


def parsed(payload, *, verb="tare", at=AT, node="a1", **more):
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    return parse(Incoming(f"storeroom/v1/s0412/{node}/cmd/{verb}", payload, False, at, **more), NODE, VERIFY)


def test_the_key_of_rfc_8032_signs_what_the_node_believes():
    assert KEY.public_key().public_bytes_raw() == PUBLIC
    command = parsed(sealed(), correlation=b"7")
    assert isinstance(command, Command)
    assert (command.cmd_id, command.arguments, command.seal) == ("c-1", {"shelf": "shelf-3"}, Seal("office", "n" * 16))
    assert (command.expires_s, command.correlation) == (20.0, b"7")


def test_the_signed_bytes_are_these():
    assert encoded(b'{"a":1}') == b"DSSEv1 41 application/vnd.storeroom.command.v1+json 7 " + b'{"a":1}'
    assert len(TYPE) == 41


def test_a_command_to_every_node_may_be_signed_once():
    assert isinstance(parsed(sealed(node="all"), node="all"), Command)


def test_an_unsigned_command_stays_unsigned():
    assert parsed({"cmd_id": "c-1", "shelf": "shelf-3"}).seal is None


UNSYNCED = Instant(8_810_000, 60_000, "boot-1", ClockState.UNSYNCED)
REFUSED = [
    ("another's key", sealed(key=OTHER), ResultCode.UNAUTHORIZED, "not that of a key"),
    ("no such key", sealed(name="till"), ResultCode.UNAUTHORIZED, "not that of a key"),
    ("not the type", envelope("office", content(), KEY.sign(content())), ResultCode.UNAUTHORIZED, "not that of a key"),
    ("another site", sealed(site="s0413"), ResultCode.UNAUTHORIZED, "site = 's0413'"),
    ("another node", sealed(node="b2"), ResultCode.UNAUTHORIZED, "must be a1 or all"),
    ("no node", sealed(node=None), ResultCode.UNAUTHORIZED, "node = None"),
    ("a list of nodes", sealed(node=["a1"]), ResultCode.UNAUTHORIZED, "node = "),
    ("another verb", sealed(verb="zero"), ResultCode.UNAUTHORIZED, "verb = 'zero'"),
    ("no nonce", sealed(nonce=None), ResultCode.INVALID, "nonce: must be 16 to 64"),
    ("a short nonce", sealed(nonce="n" * 15), ResultCode.INVALID, "nonce: must be 16 to 64"),
    ("no cmd_id", sealed(cmd_id=None), ResultCode.INVALID, "cmd_id is missing"),
    ("no end", sealed(expires_at=None), ResultCode.INVALID, "has issued_at and expires_at"),
    ("no begin", sealed(issued_at=None), ResultCode.INVALID, "has issued_at and expires_at"),
    ("a day", sealed(expires_at="2026-11-24T06:59:50Z"), ResultCode.INVALID, "at most 600 s apart"),
    ("an end before the begin", sealed(expires_at="2026-11-23T06:59:49Z"), ResultCode.INVALID, "at most 600 s apart"),
    ("late", sealed(expires_at="2026-11-23T06:59:59Z"), ResultCode.EXPIRED, "expired 1 s before"),
    (
        "of tomorrow",
        sealed(issued_at="2026-11-24T07:00:00Z", expires_at="2026-11-24T07:01:00Z"),
        ResultCode.INVALID,
        "ahead",
    ),
    ("signed no JSON", sealed(body=b"tare now"), ResultCode.INVALID, "not JSON"),
    ("signed an array", sealed(body=b"[1]"), ResultCode.INVALID, "must be an object"),
    ("one member more", sealed() | {"cmd_id": "c-2"}, ResultCode.INVALID, "and no other: cmd_id"),
    ("no key", {"signed": "", "signature": ""}, ResultCode.INVALID, "and no other: key"),
    ("a key that is none", sealed() | {"key": ["office"]}, ResultCode.INVALID, "must be texts"),
    ("no base64", sealed() | {"signature": "!" * 88}, ResultCode.INVALID, "signature is not base64"),
    ("a short signature", sealed() | {"signature": "AAAA"}, ResultCode.INVALID, "signature has 3 bytes"),
]


@pytest.mark.parametrize(("payload", "code", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_not_signed_for_this_is_refused(payload, code, says):
    answer = parsed(payload)
    assert isinstance(answer, CommandResult)
    assert (answer.code, says in answer.message) == (code, True), answer.message


def test_without_a_clock_nothing_signed_is_obeyed():
    """A recording of it would be good for ever."""
    answer = parsed(sealed(), at=UNSYNCED)
    assert (answer.code, "clock is not set" in answer.message) == (ResultCode.UNAUTHORIZED, True)


def test_nobody_looks_at_more_signatures_than_one_cycle_has_time_for():
    verify = at_most(2, VERIFY)
    incoming = Incoming("storeroom/v1/s0412/a1/cmd/tare", json.dumps(sealed()).encode(), False, AT)
    first, second, third = (parse(incoming, NODE, verify) for _ in range(3))
    assert [type(found) for found in (first, second)] == [Command, Command]
    assert (third.code, "too many signed commands" in third.message) == (ResultCode.BUSY, True)


def test_without_a_configured_key_nobody_signs():
    answer = parse(Incoming("storeroom/v1/s0412/a1/cmd/tare", json.dumps(sealed()).encode(), False, AT), NODE)
    assert answer.code is ResultCode.UNAUTHORIZED


@given(st.sampled_from(["signed", "signature"]), st.data())
def test_no_bit_may_change(part, data):
    envelope_ = sealed()
    found = bytearray(base64.b64decode(envelope_[part]))
    found[data.draw(st.integers(0, len(found) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    answer = parsed(envelope_ | {part: base64.b64encode(bytes(found)).decode()})
    assert isinstance(answer, CommandResult)
    assert answer.code is ResultCode.UNAUTHORIZED
