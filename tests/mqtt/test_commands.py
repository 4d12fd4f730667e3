"""Commands from people, from machines and from enemies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.mqtt import messages
from edge_agent.mqtt.commands import Ignored, parse, response_topic
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.wire import Incoming

NODE = Identity("s0412", "a1", "k3f9")
BASE = "storeroom/v1/s0412/a1"
AT = Instant(8_810_000, 1_795_417_200_000, "boot-1")  # 2026-11-23T07:00:00Z
UNSYNCED = Instant(8_810_000, 60_000, "boot-1", ClockState.UNSYNCED)


def incoming(payload=b'{"cmd_id":"1","shelf":"shelf-3"}', *, verb="tare", topic=None, retain=False, at=AT, **more):
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    return Incoming(topic or f"{BASE}/cmd/{verb}", payload, retain, at, **more)


def test_a_command_is_read_with_its_arguments_and_its_minute():
    command = parse(incoming(correlation=b"7"), NODE)
    assert isinstance(command, Command)
    assert (command.cmd_id, command.verb, command.arguments) == ("1", "tare", {"shelf": "shelf-3"})
    assert (command.source, command.received, command.expires_s, command.correlation) == ("mqtt", AT, 60.0, b"7")
    assert command.response_topic == f"{BASE}/rsp/tare"


def test_a_command_to_every_node_of_the_site_is_ours_too_and_answered_on_our_own_topic():
    command = parse(incoming(topic="storeroom/v1/s0412/all/cmd/zero"), NODE)
    assert isinstance(command, Command)
    assert (command.verb, command.response_topic) == ("zero", f"{BASE}/rsp/zero")


@pytest.mark.parametrize(
    "topic",
    [
        "storeroom/v1/s0412/b2/cmd/tare",
        "storeroom/v1/s9999/a1/cmd/tare",
        "storeroom/v2/s0412/a1/cmd/tare",
        "storeroom/v1/s0412/a1/cmd",
        "storeroom/v1/s0412/a1/cmd/",
        "storeroom/v1/s0412/a1/cmd/tare/now",
        "storeroom/v1/s0412/a1/cmd/Tare!",
        "storeroom/v1/s0412/a1/rsp/tare",
        "",
        "/",
    ],
)
def test_what_is_not_for_us_is_not_answered(topic):
    assert isinstance(parse(incoming(topic=topic or "x"), NODE), Ignored)


def test_a_retained_command_is_not_answered():
    assert isinstance(parse(incoming(retain=True), NODE), Ignored)


REFUSED = [
    ("empty", b"", "not JSON"),
    ("not UTF-8", b"\xff\xfe{}", "not UTF-8"),
    ("half a surrogate pair", b'{"cmd_id":"1","x":"\\ud800"}', "not UTF-8"),
    ("no JSON", b"tare now!", "not JSON"),
    ("cut short", b'{"cmd_id":"1"', "not JSON"),
    ("huge", b'{"cmd_id":"1","x":"' + b"a" * 17_000 + b'"}', "more than 16384 bytes: at most 16384 are read"),
    ("too deep", b'{"cmd_id":"1","x":' + b"[" * 8000 + b"]" * 8000 + b"}", "nested too deeply"),
    ("an array", b"[1]", "JSON array: must be an object"),
    ("a string", b'"tare"', "JSON string: must be an object"),
    ("null", b"null", "JSON null: must be an object"),
    ("a number", b"42", "JSON number: must be an object"),
    ("a boolean", b"true", "JSON boolean: must be an object"),
    ("NaN", b'{"cmd_id":"1","g":NaN}', "NaN is no number of JSON"),
    ("-Infinity", b'{"cmd_id":"1","g":-Infinity}', "-Infinity is no number of JSON"),
    ("an infinite number", b'{"cmd_id":"1","g":1e999}', "1e999 is too large a number"),
    ("a whole number beyond 64 bits", b'{"cmd_id":"1","g":9223372036854775808}', "is too large a number"),
    ("one of 400 digits", b'{"cmd_id":"1","g":-' + b"9" * 400 + b"}", "-9999999999999999999... is too large a number"),
    ("an endless number", b'{"cmd_id":"1","g":' + b"9" * 6000 + b"}", "not JSON"),
    ("a key twice", b'{"cmd_id":"1","cmd_id":"2"}', "a key stands in it twice"),
    ("no cmd_id", b'{"shelf":"s"}', "cmd_id is missing"),
    ("cmd_id null", b'{"cmd_id":null}', "cmd_id is missing"),
    ("cmd_id empty", b'{"cmd_id":""}', "cmd_id of 0 characters"),
    ("cmd_id too long", b'{"cmd_id":"' + b"x" * 65 + b'"}', "cmd_id of 65 characters"),
    ("cmd_id a number", b'{"cmd_id":7}', "cmd_id is a JSON number: must be a string"),
    ("cmd_id unprintable", b'{"cmd_id":"a\\u0000b"}', "printable"),
    ("expires_at no time", b'{"cmd_id":"1","expires_at":"tomorrow"}', "expires_at = 'tomorrow': must be a time"),
    ("expires_at without zone", b'{"cmd_id":"1","expires_at":"2026-11-23T07:01:00"}', "must be a time"),
    ("issued_at a number", b'{"cmd_id":"1","issued_at":5}', "issued_at = '5': must be a time"),
    ("issued ahead", b'{"cmd_id":"1","issued_at":"2026-11-23T07:10:00Z"}', "600 s ahead of our clock"),
]


@pytest.mark.parametrize(("payload", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_read_is_answered_with_what_is_wrong(payload, message):
    answer = parse(incoming(payload, correlation=b"7"), NODE)
    assert isinstance(answer, CommandResult)
    assert answer.code is ResultCode.INVALID
    assert message in answer.message
    outgoing = messages.response(answer)
    assert (outgoing.topic, outgoing.correlation) == (f"{BASE}/rsp/tare", b"7")
    json.loads(outgoing.body)


@pytest.mark.parametrize(
    ("fields", "more", "code", "left_s"),
    [
        ({}, {}, None, 60),
        ({}, {"expiry_s": 20}, None, 20),
        ({}, {"expiry_s": 3600}, None, 60),
        ({}, {"expiry_s": 0}, ResultCode.EXPIRED, None),
        ({"expires_at": "2026-11-23T07:00:05Z"}, {}, None, 5),
        ({"expires_at": "2026-11-23T08:00:05+01:00"}, {}, None, 5),
        ({"expires_at": "2026-11-23T07:00:00Z"}, {}, ResultCode.EXPIRED, None),
        ({"issued_at": "2026-11-23T06:59:50Z"}, {}, None, 50),
        ({"issued_at": "2026-11-23T06:58:00Z"}, {}, ResultCode.EXPIRED, None),
        ({"issued_at": "2026-11-23T07:00:20Z"}, {}, None, 60),  # a clock a little ahead of ours
        ({"issued_at": "2020-01-01T00:00:00Z"}, {"at": UNSYNCED}, None, 60),  # our clock cannot judge it
        ({"expires_at": "2020-01-01T00:00:00Z"}, {"at": UNSYNCED, "expiry_s": 9}, None, 9),
    ],
)
def test_a_command_is_void_when_the_first_of_its_times_is_over(fields, more, code, left_s):
    found = parse(incoming({"cmd_id": "1"} | fields, **more), NODE)
    if code is None:
        assert isinstance(found, Command)
        assert found.expires_s == pytest.approx(left_s)
        assert found.arguments == {}
    else:
        assert isinstance(found, CommandResult)
        assert (found.code, found.command.cmd_id) == (code, "1")


def test_a_verb_nobody_knows_is_unsupported_and_the_known_ones_are_named():
    answer = parse(incoming(verb="explode"), NODE)
    assert isinstance(answer, CommandResult)
    assert answer.code is ResultCode.UNSUPPORTED
    known = (
        "tare, zero, count, calibrate, acknowledge, silence, shelve, unshelve, out-of-service, in-service, correct, "
        "test-alarm, set, receive, waste, move, outcome, "
    )
    assert f"must be one of {known}identify, replay, reload, model, ping" in answer.message


def test_a_ping_with_a_cmd_id_is_answered_at_once():
    answer = parse(incoming(verb="ping"), NODE)
    assert isinstance(answer, CommandResult)
    assert (answer.code, answer.message) == (ResultCode.DONE, "pong")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (f"{BASE}/rsp/desk-7", f"{BASE}/rsp/desk-7"),
        (None, f"{BASE}/rsp/tare"),
        ("", f"{BASE}/rsp/tare"),
        ("evil/topic", f"{BASE}/rsp/tare"),
        ("storeroom/v1/s0412/b2/rsp/x", f"{BASE}/rsp/tare"),
        (f"{BASE}/status", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/#", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/a+b", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/../status", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/a/b/c/d", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/a\x00b", f"{BASE}/rsp/tare"),
        (f"{BASE}/rsp/" + "x" * 300, f"{BASE}/rsp/tare"),
    ],
)
def test_answers_go_below_our_own_rsp_only(asked, given):
    assert response_topic(asked, NODE, "tare") == given


def test_correlation_data_that_is_no_correlation_is_not_sent_back():
    command = parse(incoming(correlation=b"x" * 5000), NODE)
    assert isinstance(command, Command)
    assert command.correlation is None


@given(
    payload=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    topic=st.text(max_size=40) | st.sampled_from([f"{BASE}/cmd/tare", "storeroom/v1/s0412/all/cmd/ping"]),
    response=st.none() | st.text(max_size=60) | st.text(max_size=20).map(lambda tail: f"{BASE}/rsp/{tail}"),
    retain=st.booleans(),
    expiry=st.none() | st.integers(0, 2**32 - 1),
)
def test_nothing_that_comes_in_raises_and_every_answer_can_be_sent(payload, topic, response, retain, expiry):
    found = parse(Incoming(topic, payload, retain, AT, expiry, response), NODE)
    if isinstance(found, CommandResult):
        outgoing = messages.response(found)
        assert outgoing.topic.startswith(f"{BASE}/rsp/")
        assert not set(outgoing.topic) & set("+#\x00")
        json.loads(outgoing.body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(
    body=st.dictionaries(st.sampled_from(["cmd_id", "issued_at", "expires_at", "shelf"]) | st.text(max_size=5), JSON)
)
def test_any_json_object_is_a_command_or_a_clear_refusal(body):
    found = parse(incoming(body), NODE)
    if isinstance(found, CommandResult):
        assert found.message
    else:
        assert isinstance(found, Command)
        assert found.cmd_id == body["cmd_id"]
