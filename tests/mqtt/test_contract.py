"""Every message the code can make holds to its schema; the AsyncAPI document is whole and names every topic."""

import json
import re
from dataclasses import replace
from datetime import date
from importlib import resources
from itertools import count
from pathlib import Path

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition, Change, Priority
from edge_agent.domain.command import Command, CommandResult, ResultCode, Verb
from edge_agent.domain.forecast import Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Ending, Lot, LotPart, Measure, NextLot, Origin, Stay
from edge_agent.domain.message import Queued, Stream
from edge_agent.domain.quantity import QUANTITIES
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.domain.stock import Balance, EventKind, StockEvent, StockState
from edge_agent.mqtt import messages
from edge_agent.mqtt.messages import Identity
from edge_agent.storage import chain

NODE = Identity("s0412", "a1", "k3f9")
AT = Instant(8_810_000, 1_795_417_200_250, "boot-1")
SCHEMAS = messages.schemas()
FOLDER = resources.files("edge_agent.mqtt")


def closed(schema):
    """The same schema, refusing fields it does not name: consumers accept additions, this test does not."""
    return schema | {"unevaluatedProperties": False} if "allOf" in schema else schema


REGISTRY = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in SCHEMAS.values())


def validate(name, payload, *, is_closed=True):
    schema = SCHEMAS[f"{name}.json"]
    validator = jsonschema.Draft202012Validator(
        closed(schema) if is_closed else schema,
        registry=REGISTRY,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    validator.validate(json.loads(payload))


def readings():
    every = tuple(Reading(Channel("p", name), 1.5, AT) for name in QUANTITIES)
    bad = Reading(Channel("p", "temperature"), None, AT, Quality.BAD, "no-answer")
    stale = Reading(Channel("p", "humidity"), None, AT, Quality.STALE)
    uncertain = Reading(Channel("p", "gross"), 12.0, AT, Quality.UNCERTAIN, "unconfirmed")
    return [every, (bad, stale), (uncertain,)]


def alarms():
    for state in AlarmState:
        for priority in Priority:
            yield Alarm(
                "door", priority, state, AT, AT, "Open", "Close it", "fault" if priority is Priority.LOW else ""
            )
    yield Alarm(
        *("door", Priority.HIGH, AlarmState.SHELVED, AT, AT, "Open", "Close it", "fault"),
        **{"place": "cold-room", "value": 8.6, "limit": 8.0, "unit": "°C", "deadband": 0.5, "dwell_s": 900.0},
        **{"acknowledged": AT, "who": "cli:ann", "silenced_until": AT, "shelved_until": AT, "escalations": 1},
        **{"asks_correction": True, "corrective_action": "Moved", "raised": (AT, AT), "moved": AT},
    )


def stocks():
    yield StockState("s1", AT, Quality.GOOD, 10.0, 0.0, Balance(10.0, 3), True, "871")
    yield StockState("s1", AT, Quality.BAD, None, 5.5, Balance(None), False, None, "saturated")
    yield StockState(
        *("s1", AT, Quality.GOOD, 10.0, 0.0, Balance(10.0, None, 0.5, 0.7), True),
        noise_g=0.2,
        drift_tracked_g=-3.0,
        lots=(LotPart("l1", 2.5, None), LotPart("l2", None, 7.5)),
    )


def events():
    for kind in EventKind:
        yield StockEvent("s1", kind, AT, Balance(1.0, 1), Balance(2.0, 2), "871", 0.5, 0.9, 1.0, "c1")
        yield StockEvent("s1", kind, AT, Balance(None), Balance(2.0))
        before, after = Balance(1.0, 1, 0.5, 0.999), Balance(2.0, 2, 0.6, 0.4)
        yield StockEvent(
            *("s1", kind, AT, before, after),
            lots=(LotPart("l1", -2.0, -8.5), LotPart("l2", None, -1.0)),
            drift_tracked_g=-2.5,
            evidence="why",
            counterpart="s2",
            moved_units=1,
        )


def lot_messages():
    bare = Lot("l1", "871", AT, Measure.GRAMS, 5.0, 5.0, origin=Origin.FOUND)
    told = {"code": "L1", "supplier": "farm-a", "stays": (Stay("cold-room", AT),), "shelf": "s1", "unit_g": 2.0}
    days = {"packed": "2026-11-20", "best_before": "2026-11-30", "use_by": "2026-12-01"}
    full = Lot("l2", "871", AT, Measure.UNITS, 5.0, 3.5, **told, **days, marked_down=AT)
    quantiles, p = (0.0, 1.0, 2.5, 3.0, 4.0), (0.1, 0.2, 1.0)
    yield messages.shelflife(bare, RemainingLife("l1", AT, quantiles, p, "physics", 1.25, ("no-model",)))
    yield messages.shelflife(full, RemainingLife("l2", AT, quantiles, p, "model", 0.5, model="3", product_c=4.5))
    for ending in Ending:
        yield messages.lot_closed(replace(full, closed=AT, ending=ending, cause="spoiled"), AT)


def next_lots():
    quantiles, p = (0.0, 1.0, 2.5, 3.0, 4.0), (0.1, 0.2, 1.0)
    days = {"best_before": "2026-11-30", "use_by": "2026-12-01"}
    for more in ({}, {"code": "L1", **days}):
        lot = Lot("l1", "871", AT, Measure.UNITS, 5.0, 5.0, **more)
        yield NextLot("cold-room", lot, "Milk", RemainingLife("l1", AT, quantiles, p, "physics", 0.5), 3)


def forecasts():
    quantiles = tuple(float(number) for number in range(11))
    days = (ForecastDay(date(2026, 11, 24), quantiles), ForecastDay(date(2026, 11, 25), (0.0,) * 11, is_open=False))
    yield Forecast("8711000123", AT, days, "units", "model", ("cold-start",), "1")
    yield Forecast("8711000123", AT, days[:1], "g", "ses")


def record_lines():
    three = [1.0, 2.25, 4]
    figures = {"from": AT.rfc3339(), "readings": 90, "raw_c": three, "product_c": three, "humidity_pct": three}
    unset = Instant(5, 5, "boot-1", ClockState.UNSYNCED)
    for kind in RecordKind:
        yield RecordLine(kind, AT, "", {})
        yield RecordLine(kind, unset, "cold-room", figures if kind is RecordKind.INTERVAL else {"words": "ä"})


def sealed_line(line, prev=chain.GENESIS):
    """As the store makes it; and once more, as one that came over from another file."""
    message = messages.record(line)
    once = chain.sealed(message.body, 1, prev)
    return replace(message, body=chain.sealed(once, 7, chain.hash_of(once)) if line.place else once)


def results():
    command = Command("c1", "tare", {}, "mqtt", AT)
    for code in ResultCode:
        yield CommandResult(command, code, AT, "why", {"a": [1, {"b": None}]})
    yield CommandResult(Command("", "unheard-of", {}, "mqtt", AT), ResultCode.UNSUPPORTED, AT)


def healths():
    yield messages.Health(0.0, "unsynced")
    yield messages.Health(
        *(1.5, "synced"),
        {stream.value: messages.StreamHealth(1, None, 0, {"budget": 3}) for stream in Stream},
        {"p": messages.PointHealth(None, None, "no-answer"), "q": messages.PointHealth(1.0, 0.0)},
        *(1.0, 2.0, 3.0, 4.0, True, False, "ok", ["disk full"]),
        alarms=list(alarms()),
        next_lots=list(next_lots()),
    )


def every_message():
    """(schema, content) of each kind in each of its forms."""
    yield from (("telemetry", Sample("p", AT, found)) for found in readings())
    yield from (("stock", messages.stock(state)) for state in stocks())
    yield from (("event", messages.event(happened)) for happened in events())
    yield from (("alarm", messages.alarm(alarm)) for alarm in alarms())
    yield from (("alarmlog", messages.alarmlog(AlarmTransition(AlarmState.NORMAL, alarm))) for alarm in alarms())
    for change in Change:
        (*_, full) = alarms()
        made = AlarmTransition(AlarmState.ACKNOWLEDGED, full, "mqtt:desk", change, "cleaning")
        yield "alarmlog", messages.alarmlog(made)
    yield from (("shelflife", message) for message in lot_messages())
    yield from (("forecast", messages.forecast(made)) for made in forecasts())
    yield from (("record", sealed_line(line)) for line in record_lines())
    yield from (("rsp", messages.response(result)) for result in results())
    yield from (("health", messages.health(AT, health, expiry_s=180)) for health in healths())
    yield "meta", messages.meta(AT, messages.NodeDescription("0.1"))
    yield (
        "meta",
        messages.meta(
            AT,
            messages.NodeDescription(
                version="0.1",
                points=[messages.PointDescription("p", "sht3x", 60, 180, {"temperature_c": "Cel"})],
                shelves=[messages.ShelfDescription("s1", "871", 5000.0)],
                places=[
                    messages.PlaceDescription("cold-room", "chilled", ("air",), 0.0, 5.0, None, 8.0, 8.0, "the law"),
                    messages.PlaceDescription("cellar", "ambient", (), None, None, None, None, None),
                ],
                verbs=["tare"],
                signed=["tare"],
                keys=["desk"],
            ),
        ),
    )
    yield "status", messages.birth(AT, messages.Link(1, "5", True))
    yield "status", messages.birth(AT, messages.Link(1, "3.1.1", False, ("note",)))
    yield "status", messages.death(AT, 1, "stopped")


CASES = [(f"{name}-{n}", name, content) for n, (name, content) in enumerate(every_message())]


@pytest.mark.parametrize(("name", "content"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_message_holds_to_its_schema(name, content):
    validate(name, messages.render(NODE, Queued(Stream(name), 1, content)).payload)


def test_nothing_but_the_end_of_a_lot_empties_its_topic():
    last = {content.body for _, content in every_message() if messages.is_last_word(content)}
    assert last == {message.body for message in lot_messages() if b'"ending"' in message.body}
    empty = messages.emptied(NODE, Queued(Stream.SHELFLIFE, 1, next(filter(messages.is_last_word, lot_messages()))))
    assert (empty.topic, empty.payload, empty.retain, empty.expiry_s) == (
        *("storeroom/v1/s0412/a1/shelflife/l2", b""),
        *(True, None),
    )


@pytest.mark.parametrize("clock", ClockState)
def test_every_kind_of_backlog_holds_to_its_schema(clock):
    at = Instant(1, 5, "boot-0", clock)
    by_stream = {}
    for name, content in every_message():
        if name not in ("health", "status"):
            content = type(content)(**{f: getattr(content, f) for f in content.__slots__} | {"at": at})
            by_stream.setdefault(name, []).append(content)
    assert len(by_stream) == 10
    for name, contents in by_stream.items():
        numbers = count(1)
        rows = [Queued(Stream(name), next(numbers), content) for content in contents]
        validate("hist", messages.render_backlog(NODE, rows).payload)


def test_the_will_the_ping_and_dropped_numbers_hold_to_their_schemas():
    validate("status", messages.will(NODE, AT, 1).payload)
    validate("ping", messages.ping(NODE, "abc").payload)

    class Gap:
        first, last, reason = 3, 9, "budget"

    validate("hist", messages.render_dropped(NODE, Stream.TELEMETRY, [Gap()], AT).payload)
    validate("cmd", b'{"cmd_id":"1","issued_at":"2026-11-23T07:00:00Z","shelf":"s1"}')


GOOD = messages.render(NODE, Queued(Stream.TELEMETRY, 1, Sample("p", AT, readings()[0]))).payload


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"seq":1', b'"seq":"1"'),
        (b'"stream":"telemetry"', b'"stream":"stock"'),
        (b'"ts":"2026-11-23T07:00:00.250Z"', b'"ts":"2026-11-23 07:00"'),
        (b'"ts":"2026-11-23T07:00:00.250Z"', b'"ts":"2026-13-23T07:00:00.250Z"'),
        (b'"clock":"synced"', b'"clock":"yes"'),
        (b'"temperature_c":', b'"temperature_f":'),
        (b'"value":1.5,"quality":"good"', b'"value":null,"quality":"good"'),
        (b'"value":1.5,"quality":"good"', b'"value":1.5,"quality":"bad"'),
        (b'"point":"p"', b'"point":"P 1"'),
        (b',"mono_ms":8810000', b""),
    ],
)
def test_the_schemas_can_say_no(old, new):
    assert old in GOOD
    with pytest.raises(jsonschema.ValidationError):
        validate("telemetry", GOOD.replace(old, new, 1), is_closed=False)


def test_a_consumer_with_this_schema_accepts_a_field_added_later():
    validate("telemetry", GOOD[:-1] + b',"added_later":1}', is_closed=False)


def test_every_schema_is_one_and_has_its_own_name():
    for name, schema in SCHEMAS.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"https://storeroom.example/v1/schemas/{name}"


def test_the_hash_changes_with_the_meaning_and_not_with_the_order():
    assert re.fullmatch("[0-9a-f]{16}", messages.schema_hash())
    assert messages.fingerprint(reversed(list(SCHEMAS.items()))) == messages.schema_hash()
    other = SCHEMAS | {"cmd.json": SCHEMAS["cmd.json"] | {"required": []}}
    assert messages.fingerprint(other.items()) != messages.schema_hash()


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------

DOCUMENT = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def resolved(reference):
    node = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return resolved(node["$ref"]) if set(node) == {"$ref"} and node["$ref"].startswith("#/") else node


def test_the_document_has_the_structure_of_asyncapi_3():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])
        assert channel["messages"]
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        own = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{own}/messages/") for message in operation["messages"])
    for message in DOCUMENT["components"]["messages"].values():
        assert set(message["payload"]) == {"schemaFormat", "schema"}


def test_every_reference_leads_somewhere():
    found = set(references(DOCUMENT))
    for reference in found:
        if reference.startswith("#/"):
            assert resolved(reference)
        else:
            assert reference.removeprefix("schemas/") in SCHEMAS
    used = {reference.removeprefix("schemas/") for reference in found if reference.startswith("schemas/")}
    assert used == set(SCHEMAS) - {"envelope.json"}


def test_every_message_in_the_components_is_on_a_channel_and_every_channel_in_an_operation():
    on_channels = {ref for channel in DOCUMENT["channels"].values() for ref in references(channel["messages"])}
    assert on_channels == {f"#/components/messages/{name}" for name in DOCUMENT["components"]["messages"]}
    used = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert used == {f"#/channels/{name}" for name in DOCUMENT["channels"]}


def addresses(action):
    """Regular expression -> operation, of what a node sends or receives."""
    found = {}
    for operation in DOCUMENT["operations"].values():
        if operation["action"] == action:
            address = resolved(operation["channel"]["$ref"])["address"]
            found[re.sub(r"{\w+}", "[a-z0-9-]{1,32}", address)] = operation
    return found


def every_outgoing():
    for name, content in every_message():
        yield messages.render(NODE, Queued(Stream(name), 1, content), expiry_s=None)
        if name not in ("health", "status"):
            yield messages.render_backlog(NODE, [Queued(Stream(name), 1, content)])
    yield messages.will(NODE, AT, 1)
    yield messages.ping(NODE, "abc")
    yield messages.emptied(NODE, Queued(Stream.SHELFLIFE, 1, next(filter(messages.is_last_word, lot_messages()))))


def test_every_topic_the_code_makes_is_in_the_document_with_its_qos_and_retain():
    seen = set()
    for outgoing in every_outgoing():
        (pattern,) = [pattern for pattern in addresses("send") if re.fullmatch(pattern, outgoing.topic)]
        binding = addresses("send")[pattern]["bindings"]["mqtt"]
        assert (binding["qos"], binding["retain"]) == (outgoing.qos, outgoing.retain)
        assert len(outgoing.topic.split("/")) <= 7
        seen.add(pattern)
    assert seen == set(addresses("send"))


def test_the_document_says_where_commands_are_heard():
    for topic in messages.subscriptions(NODE):
        concrete = topic.replace("+", "tare")
        assert any(re.fullmatch(pattern, concrete) for pattern in addresses("receive"))


# --- the document in words --------------------------------------------------------------------------------------------

WORDS = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text("utf-8")


def test_the_examples_in_the_document_hold_to_their_schemas():
    (block,) = re.findall(r"## Examples\n\n```json\n(.*?)```", WORDS, re.DOTALL)
    found = re.findall(r"// (\S+)\n({.*?})(?=\n//|\n*$)", block, re.DOTALL)
    assert len(found) == 7
    for topic, payload in found:
        validate(topic.split("/")[0], payload)
    (commands,) = re.findall(r"## Commands\n.*?```json\n(.*?)```", WORDS, re.DOTALL)
    for payload in commands.splitlines():
        validate("cmd", payload)


def test_every_topic_and_verb_is_in_the_document():
    table = set(re.findall(r"^\| `([^`]+)` \|", WORDS, re.MULTILINE))
    tails = {
        channel["address"].removeprefix("storeroom/v1/{site}/{node}/") for channel in DOCUMENT["channels"].values()
    }
    assert tails <= table
    assert all(f"`{verb.value}`" in WORDS for verb in Verb)
