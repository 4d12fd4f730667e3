"""Golden topic and payload of every kind of message, and the envelope under any content."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Priority
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Queued, Stream
from edge_agent.domain.quantity import QUANTITIES
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.stock import Balance, EventKind, StockEvent, StockState
from edge_agent.mqtt import messages
from edge_agent.mqtt.messages import Identity, batch_size, render, render_backlog

NODE = Identity("s0412", "a1", "k3f9")
AT = Instant(8_810_000, 1_795_417_200_250, "boot-1")
HEAD = '"seq":918,"ts":"2026-11-23T07:00:00.250Z","clock":"synced","mono_ms":8810000'


def sample(*readings):
    return Sample("cold-room", AT, readings)


def temperature(value, quality=Quality.GOOD, fault=None):
    return Reading(Channel("cold-room", "temperature"), value, AT, quality, fault)


DOOR = Alarm(
    *("door", Priority.HIGH, AlarmState.UNACKNOWLEDGED, AT, AT, "The door is open", "Close it", "open 900 s"),
    raised=(AT,),
)
STOCK = StockState("shelf-3", AT, Quality.GOOD, 13218.04, 1016.0, Balance(12202.04, 24), True, "8711000123")
COUNT = StockEvent(
    "shelf-3", EventKind.COUNT, AT, Balance(13218.0, 26), Balance(12202.0, 24), "8711000123", 22.0, 0.998, 2.4, "c-7"
)
COMMAND = Command("c-7", "tare", {}, "mqtt", AT, response_topic="storeroom/v1/s0412/a1/rsp/desk", correlation=b"\x01")

GOLDEN = {
    "telemetry": (
        sample(
            temperature(3.42),
            Reading(Channel("cold-room", "humidity"), None, AT, Quality.BAD, "no-answer"),
        ),
        "telemetry/cold-room",
        '"point":"cold-room","readings":{"temperature_c":{"value":3.42,"quality":"good"},'
        '"humidity_pct":{"value":null,"quality":"bad","fault":"no-answer"}}',
    ),
    "stock": (
        messages.stock(STOCK),
        "stock/shelf-3",
        '"shelf":"shelf-3","product":"8711000123","quality":"good","gross_g":13218.04,"tare_g":1016,'
        '"balance":{"net_g":12202.04,"units":24},"stable":true,"noise_g":null,"drift_tracked_g":0',
    ),
    "event": (
        messages.event(COUNT),
        "event/shelf-3",
        '"shelf":"shelf-3","product":"8711000123","kind":"count","delta_g":-1016,"u_g":22,"delta_units":-2,'
        '"confidence":0.998,"balance_before":{"net_g":13218,"units":26},"balance_after":{"net_g":12202,"units":24},'
        '"duration_s":2.4,"source":"c-7"',
    ),
    "alarm": (
        messages.alarm(DOOR),
        "alarm/door",
        '"alarm":"door","priority":"high","state":"unacknowledged","since":"2026-11-23T07:00:00.250Z",'
        '"message":"The door is open","action":"Close it","active":true,"asks_correction":false,"count_24h":1,'
        '"evidence":"open 900 s"',
    ),
    "alarmlog": (
        messages.alarmlog(AlarmTransition(AlarmState.NORMAL, DOOR, "agent")),
        "alarmlog",
        '"alarm":"door","priority":"high","state":"unacknowledged","since":"2026-11-23T07:00:00.250Z",'
        '"message":"The door is open","action":"Close it","active":true,"asks_correction":false,"count_24h":1,'
        '"evidence":"open 900 s","before":"normal","change":"raised","who":"agent"',
    ),
    "rsp": (
        messages.response(CommandResult(COMMAND, ResultCode.UNSTABLE, AT, "the shelf moves", {"band_g": 12.5})),
        "rsp/desk",
        '"cmd_id":"c-7","verb":"tare","code":"unstable","message":"the shelf moves","detail":{"band_g":12.5}',
    ),
    "meta": (
        messages.meta(
            AT,
            messages.NodeDescription(
                version="0.1",
                points=[messages.PointDescription("cold-room", "sht3x", 60.0, 180.0, {"temperature_c": "Cel"})],
                shelves=[messages.ShelfDescription("shelf-3", None, 50_000.0)],
                verbs=["tare"],
                signed=["tare"],
                keys=["desk"],
            ),
        ),
        "meta",
        f'"boot":"boot-1","version":"0.1","schemas":"{messages.schema_hash()}",'
        '"points":[{"point":"cold-room","driver":"sht3x","interval_s":60,"live_s":180,"units":{"temperature_c":"Cel"}}],'
        '"shelves":[{"shelf":"shelf-3","product":null,"capacity_g":50000}],"places":[],"verbs":["tare"],"signed":["tare"],"keys":["desk"],"models":[]',
    ),
    "status": (
        messages.birth(AT, messages.Link(3, "5", True, ("a note",))),
        "status",
        '"state":"online","boot":"boot-1","session":3,"protocol":"5","encrypted":true,"notes":["a note"]',
    ),
    "health": (
        messages.health(
            AT,
            messages.Health(
                12.3456789,
                "synced",
                {"event": messages.StreamHealth(3, 1.5, 1, {"budget": 2})},
                {"cold-room": messages.PointHealth(0.99, 2.0, None)},
                cpu_c=51.2,
                command_path="ok",
            ),
            expiry_s=180,
        ),
        "health",
        '"boot":"boot-1","uptime_s":12.3457,"system_clock":"synced",'
        '"outbox":{"event":{"waiting":3,"oldest_s":1.5,"refused":1,"dropped":{"budget":2}}},'
        '"points":{"cold-room":{"good_ratio":0.99,"last_good_s":2,"fault":null}},"disk_free_mb":null,'
        '"database_mb":null,"rss_mb":null,"cpu_c":51.2,"throttled":null,"under_voltage":null,"command_path":"ok",'
        '"faults":[],"alarms":[]',
    ),
}


PICK = StockEvent(
    *("shelf-3", EventKind.PICK, AT, Balance(13218.0, None, 3.0, 0.61), Balance(12202.0, None, 3.2, 0.63)),
    *("8711000123", 2.5, 0.998, 2.4),
    drift_tracked_g=-4.25,
    moved_units=-2,
)
EVENTS = {
    "pieces that moved are told also where the rest is not known": (
        PICK,
        '"shelf":"shelf-3","product":"8711000123","kind":"pick","delta_g":-1016,"u_g":2.5,"delta_units":-2,'
        '"confidence":0.998,"balance_before":{"net_g":13218,"units":null,"u_g":3,"confidence":0.61},'
        '"balance_after":{"net_g":12202,"units":null,"u_g":3.2,"confidence":0.63},'
        '"duration_s":2.4,"drift_tracked_g":-4.25',
    ),
    "below 0.99 grams are told, and ambiguous": (
        replace(PICK, confidence=0.98, drift_tracked_g=0.0, before=Balance(13218.0, 26), after=Balance(12202.0, 24)),
        '"shelf":"shelf-3","product":"8711000123","kind":"pick","delta_g":-1016,"u_g":2.5,"delta_units":null,'
        '"confidence":0.98,"balance_before":{"net_g":13218,"units":26},"balance_after":{"net_g":12202,"units":24},'
        '"duration_s":2.4,"ambiguous":true',
    ),
    "an unsafe number in a balance is not told either": (
        replace(PICK, drift_tracked_g=0.0, before=Balance(13218.0, 26, confidence=0.98), after=Balance(None)),
        '"shelf":"shelf-3","product":"8711000123","kind":"pick","delta_g":null,"u_g":2.5,"delta_units":-2,'
        '"confidence":0.998,"balance_before":{"net_g":13218,"units":null,"confidence":0.98},'
        '"balance_after":{"net_g":null,"units":null},"duration_s":2.4',
    ),
    "a move names the shelf it came from": (
        StockEvent(
            *("shelf-4", EventKind.MOVE, AT, Balance(0.0), Balance(1016.0), None, 2.5),
            evidence="carried over",
            counterpart="shelf-3",
        ),
        '"shelf":"shelf-4","product":null,"kind":"move","delta_g":1016,"u_g":2.5,"delta_units":null,"confidence":1,'
        '"balance_before":{"net_g":0,"units":null},"balance_after":{"net_g":1016,"units":null},"duration_s":0,'
        '"counterpart":"shelf-3","evidence":"carried over"',
    ),
}


@pytest.mark.parametrize(("happened", "body"), EVENTS.values(), ids=EVENTS.keys())
def test_what_a_scale_saw_is_told_with_how_sure_it_is(happened, body):
    assert messages.event(happened).body.decode() == f"{{{body}}}"


@pytest.mark.parametrize("stream", GOLDEN)
def test_topic_and_payload_are_these(stream):
    content, topic, body = GOLDEN[stream]
    outgoing = render(NODE, Queued(Stream(stream), 918, content))
    assert outgoing.topic == f"storeroom/v1/s0412/a1/{topic}"
    assert outgoing.payload.decode() == f'{{"v":1,"node":"a1","epoch":"k3f9","stream":"{stream}",{HEAD},{body}}}'


@pytest.mark.parametrize(
    ("stream", "retain", "expiry_s"),
    [
        ("telemetry", True, 180),
        ("stock", True, None),
        ("event", False, None),
        ("alarm", True, None),
        ("alarmlog", False, None),
        ("rsp", False, 300),
        ("meta", True, None),
        ("status", True, None),
        ("health", True, 180),
    ],
)
def test_state_is_retained_and_what_ages_expires(stream, retain, expiry_s):
    outgoing = render(
        NODE, Queued(Stream(stream), 1, GOLDEN[stream][0]), expiry_s=180 if stream == "telemetry" else None
    )
    assert (outgoing.qos, outgoing.retain, outgoing.expiry_s) == (1, retain, expiry_s)


def test_an_answer_carries_its_requests_correlation_data():
    assert render(NODE, Queued(Stream.RSP, 1, GOLDEN["rsp"][0])).correlation == b"\x01"


def test_the_will_has_the_number_0_and_says_lost():
    will = messages.will(NODE, AT, 4)
    assert will.retain
    assert will.topic.endswith("/status")
    body = json.loads(will.payload)
    assert (body["seq"], body["state"], body["reason"], body["session"]) == (0, "offline", "lost", 4)


def test_backlog_is_one_array_of_records_with_times_of_their_own():
    later = Instant(8_811_000, 1_795_417_201_250, "boot-1", ClockState.CORRECTED)
    rows = [
        Queued(Stream.TELEMETRY, 918, sample(temperature(3.42))),
        Queued(Stream.TELEMETRY, 920, Sample("cold-room", later, (temperature(3.5),))),
    ]
    outgoing = render_backlog(NODE, rows)
    assert (outgoing.topic, outgoing.retain, outgoing.expiry_s) == ("storeroom/v1/s0412/a1/hist/telemetry", False, None)
    assert outgoing.payload.decode() == (
        f'{{"v":1,"node":"a1","epoch":"k3f9","stream":"telemetry",{HEAD},"historical":true,"boot":"boot-1","count":2,'
        f'"records":[{{{HEAD},"point":"cold-room","readings":{{"temperature_c":{{"value":3.42,"quality":"good"}}}}}},'
        '{"seq":920,"ts":"2026-11-23T07:00:01.250Z","clock":"corrected","mono_ms":8811000,"point":"cold-room",'
        '"readings":{"temperature_c":{"value":3.5,"quality":"good"}}}]}'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.421836, "3.4218"),
        (1e-05, "0"),
        (-1e-09, "0"),
        (0.0001, "0.0001"),
        (8388607.0, "8388607"),
        (-40.0, "-40"),
        (0.1 + 0.2, "0.3"),
        (1013.2518, "1013.2518"),
        (float("nan"), "null"),
        (float("inf"), "null"),
    ],
)
def test_numbers_are_written_as_a_person_would(value, shown):
    body = render(NODE, Queued(Stream.TELEMETRY, 1, sample(temperature(value)))).payload.decode()
    assert f'"value":{shown},' in body
    assert messages.compact({"x": value}).decode() == f'{{"x":{shown}}}'


def test_rounding_loses_no_step_of_a_chip():
    """SHT3x datasheet, section 4.13: T = -45 + 175 · code / 65535; each code comes back from the message."""
    for code in range(0, 65536, 7):
        value = -45 + 175 * code / 65535
        shown = json.loads(render(NODE, Queued(Stream.TELEMETRY, 1, sample(temperature(value)))).payload)
        assert round((shown["readings"]["temperature_c"]["value"] + 45) * 65535 / 175) == code


# --- anything at all --------------------------------------------------------------------------------------------------

TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
INSTANTS = st.builds(
    Instant,
    st.integers(0, 10**12),
    st.integers(0, 4_102_444_799_999),
    st.sampled_from(["b1", 'b"2']),
    st.sampled_from(ClockState),
)
READINGS = st.sampled_from(sorted(QUANTITIES)).flatmap(
    lambda name: st.floats(allow_nan=False).map(lambda value: (name, value))
)


def strict(payload):
    def no_constant(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(payload.decode("utf-8"), parse_constant=no_constant)


@given(body=st.dictionaries(TEXT, JSON, max_size=5), at=INSTANTS, seq=st.integers(1, 10**12))
def test_whatever_a_body_holds_the_envelope_comes_back(body, at, seq):
    row = Queued(Stream.EVENT, seq, Message(Stream.EVENT, "event/s", messages.compact(body), at))
    for found in (
        strict(render(NODE, row).payload),
        strict(render_backlog(NODE, [row]).payload)["records"][0] | {"stream": "event"},
    ):
        kept = {key for key in body if key not in ("v", "node", "epoch", "stream", "seq", "ts", "clock", "mono_ms")}
        if kept == set(body):
            assert (found["seq"], found["ts"], found["clock"]) == (seq, at.rfc3339(), at.clock)
            assert found["mono_ms"] == at.mono_ms
        assert {key.encode("utf-8", "replace") for key in kept} <= {key.encode() for key in found}


@given(
    pages=st.lists(
        st.tuples(st.lists(READINGS, min_size=1, max_size=9), st.sampled_from(["b1", "b2"])), min_size=1, max_size=60
    ),
    records=st.integers(1, 80),
    max_bytes=st.integers(2000, 20_000),
)
def test_a_batch_of_backlog_is_never_empty_too_large_or_of_two_boots(pages, records, max_bytes):
    rows = []
    for seq, (found, boot) in enumerate(pages, 1):
        at = Instant(seq * 1000, 1_795_417_200_250, boot)
        readings = tuple(Reading(Channel("x" * 32, name), value, at) for name, value in found)
        rows.append(Queued(Stream.TELEMETRY, seq, Sample("x" * 32, at, readings)))
    count = batch_size(rows, records, max_bytes)
    assert 1 <= count <= min(records, len(rows))
    assert len({row.at.boot for row in rows[:count]}) == 1
    assert count == 1 or len(render_backlog(NODE, rows[:count]).payload) <= max_bytes


@given(value=st.floats())
def test_no_number_in_any_message_needs_an_exponent_or_is_none(value):
    shown = messages.compact({"x": value}).decode()
    if math.isfinite(value) and abs(value) < 1e15:
        assert "e" not in shown
        assert math.isclose(json.loads(shown)["x"], value, abs_tol=0.5e-4)
    elif not math.isfinite(value):
        assert shown == '{"x":null}'
