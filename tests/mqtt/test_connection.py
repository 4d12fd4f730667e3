"""The connection against a real Mosquitto: birth, will, retained state, expiry, refusals, TLS, commands, outages."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.domain.command import Command, CommandResult, ResultCode, Verb
from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Ending, Lot, Measure
from edge_agent.domain.message import Outcome, Queued, Stream
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.mqtt import commands, messages
from edge_agent.mqtt.connection import (
    HUNG_CONNECTING_S,
    HUNG_S,
    BackOff,
    MqttConnection,
    VersionChoice,
    explain,
    notes,
)
from edge_agent.mqtt.consumer import Consumer, Listener
from edge_agent.mqtt.publisher import Publisher
from edge_agent.mqtt.settings import MqttSettings, TlsSettings
from edge_agent.mqtt.wire import Outgoing

QUICK = BackOff(first_s=0.02, cap_s=0.1)
BASE = "storeroom/v1/s0412/a1"


def now():
    return Instant(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000, "boot-1")


@contextmanager
def connected(identity, settings, **options):
    connection = MqttConnection(settings, identity, now, back_off=QUICK, **options)
    connection.start()
    try:
        yield connection
    finally:
        connection.stop()


@contextmanager
def client_of(port, *, version=paho.MQTTv5, topic=f"{BASE}/#", **credentials):
    """A central system: collects what it hears as (topic, payload, retain, properties)."""
    heard, ready = [], threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
    if credentials:
        client.username_pw_set(credentials["username"], credentials.get("password"))
    client.on_connect = lambda c, *_: c.subscribe(topic, 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _c, _u, m: heard.append((m.topic, m.payload, m.retain, m.properties))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(5)
    try:
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


def settings_for(broker, **more):
    return MqttSettings(host="127.0.0.1", port=broker.port, **more)


def bodies(heard, topic):
    return [json.loads(payload) for heard_topic, payload, *_ in heard if heard_topic == f"{BASE}/{topic}"]


def answered(connection, outgoing, eventually):
    token = connection.send(outgoing, connection.generation)
    found = []
    eventually(lambda: found.extend(connection.acks()) or any(t == token for t, _ in found), what="an answer")
    return dict(found)[token]


class Driver:
    """Steps a publisher on a thread as the service does."""

    def __init__(self, publisher, connection):
        self.wake = threading.Event()
        self._stop = threading.Event()
        self._publisher, self._connection = publisher, connection
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            wait_s = self._publisher.step(now())
            self.wake.wait(wait_s)
            self.wake.clear()

    def __enter__(self):
        self._connection.start(self.wake.set)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self.wake.set()
        self._thread.join()
        self._connection.stop()


@contextmanager
def publishing(world_type, identity, settings, **options):
    """The whole sending half: an outbox in memory, the publisher, the real connection."""
    outbox = world_type().outbox
    connection = MqttConnection(settings, identity, now, back_off=QUICK)
    publisher = Publisher(outbox, connection, identity, settings, {"cold-room": 180.0}, **options)
    with Driver(publisher, connection) as driver:
        yield outbox, publisher, connection, driver


SHORT_LIFE = """
import threading
from edge_agent.domain.instant import Instant
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.settings import MqttSettings
up = threading.Event()
settings = MqttSettings(host="127.0.0.1", port={port})
identity = Identity("s0412", "a1", "k3f9")
connection = MqttConnection(settings, identity, lambda: Instant(5, 1795417200250, "boot-1"), will_delay_s=1)
connection.start(up.set)
up.wait()
print("up" if connection.is_up else connection.last_error, flush=True)
threading.Event().wait()
"""


def an_event(seq=1):
    return messages.Message(Stream.EVENT, "event/shelf-1", b'{"shelf":"shelf-1","n":%d}' % seq, now())


# --- plain ------------------------------------------------------------------------------------------------------------


@pytest.mark.mosquitto
def test_an_acknowledged_message_arrives_with_its_mqtt_5_properties(mosquitto, identity, eventually):
    broker = mosquitto()
    with client_of(broker.port) as (_, heard), connected(identity, settings_for(broker)) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        outgoing = Outgoing(f"{BASE}/rsp/desk", b"{}", expiry_s=300, correlation=b"42")
        assert answered(connection, outgoing, eventually) is None
        eventually(lambda: [h for h in heard if h[0].endswith("rsp/desk")], what="its arrival")
        properties = next(h[3] for h in heard if h[0].endswith("rsp/desk"))
        assert properties.ContentType == "application/json"
        assert properties.PayloadFormatIndicator == 1
        assert properties.CorrelationData == b"42"
        assert 0 < properties.MessageExpiryInterval <= 300


@pytest.mark.mosquitto
def test_birth_is_retained_and_a_clean_stop_says_offline_without_a_will(mosquitto, make_world, identity, eventually):
    broker = mosquitto()
    settings = settings_for(broker)
    with (
        publishing(make_world, identity, settings) as (_, publisher, _, driver),
        client_of(broker.port) as (_, heard),
    ):
        eventually(lambda: bodies(heard, "status"), what="the birth")
        birth = bodies(heard, "status")[0]
        assert (birth["state"], birth["protocol"], birth["encrypted"]) == ("online", "5", False)
        publisher.leave()
        driver.wake.set()
        eventually(lambda: publisher.has_left, what="the farewell")
    with client_of(broker.port) as (_, heard):
        eventually(lambda: bodies(heard, "status"), what="the retained status")
        assert bodies(heard, "status")[-1]["reason"] == "stopped"


@pytest.mark.mosquitto
def test_the_will_is_told_after_its_delay_when_the_node_is_gone(mosquitto, identity, eventually):
    broker = mosquitto()
    with client_of(broker.port) as (_, heard):
        # A process that dies without a word: its socket closes, no DISCONNECT.
        script = SHORT_LIFE.format(port=broker.port)
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        died = time.monotonic()
        process.kill()
        process.wait()
        process.stdout.close()
        eventually(lambda: bodies(heard, "status"), what="the will")
        assert time.monotonic() - died > 0.5
        (will,) = bodies(heard, "status")
        assert (will["state"], will["reason"], will["seq"]) == ("offline", "lost", 0)


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_of_a_lot_that_is_closed_everybody_hears_the_end_and_the_broker_keeps_nothing(
    mosquitto, identity, make_world, eventually, version
):
    """On 3.1.1 there is no expiry: what is not emptied stays for ever."""
    broker = mosquitto()
    lot = Lot("l2411", "4006381333931", now(), Measure.UNITS, 10, 10)
    life = RemainingLife("l2411", now(), (0.5, 1.0, 2.0, 3.0, 4.0), (0.1, 0.2, 0.3), "physics", 0.5)
    gone = replace(lot, left=0.0, drawn=10, closed=now(), ending=Ending.SOLD_OUT)
    settings = replace(settings_for(broker), version=version)
    with (
        publishing(make_world, identity, settings) as (outbox, _, _, driver),
        client_of(broker.port, topic=f"{BASE}/shelflife/#") as (_, heard),
    ):
        outbox.commit(messages.shelflife(lot, life))
        driver.wake.set()
        eventually(lambda: heard, what="the estimate")
        if version == "5":
            assert 0 < heard[0][3].MessageExpiryInterval <= 10_800
        with client_of(broker.port, topic=f"{BASE}/shelflife/#") as (_, late):
            eventually(lambda: late, what="the retained estimate")
        outbox.commit(messages.lot_closed(gone, now()))
        driver.wake.set()
        eventually(lambda: len(heard) == 3, what="the end, and the emptying")
        assert (json.loads(heard[1][1])["ending"], heard[2][1]) == ("sold-out", b"")
        with client_of(broker.port) as (_, late):
            eventually(lambda: bodies(late, "status"), what="what the broker keeps")
        assert not [topic for topic, *_ in late if "shelflife" in topic]


@pytest.mark.mosquitto
def test_retained_state_and_expiry_reach_a_subscriber_that_comes_later(mosquitto, identity, eventually):
    broker = mosquitto()
    with connected(identity, settings_for(broker)) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        for topic, expiry_s in (("stock/s", None), ("telemetry/short", 1), ("telemetry/long", 100)):
            answered(connection, Outgoing(f"{BASE}/{topic}", b"{}", True, expiry_s), eventually)
        gone = time.monotonic() + 1.5
        eventually(lambda: time.monotonic() > gone, what="the expiry")
        with client_of(broker.port) as (_, heard):
            eventually(lambda: len(heard) >= 2, what="retained state")
            assert sorted(topic for topic, *_ in heard) == [f"{BASE}/stock/s", f"{BASE}/telemetry/long"]


@pytest.mark.mosquitto
def test_a_message_larger_than_the_broker_takes_is_refused_here_and_not_by_a_hang_up(mosquitto, identity, eventually):
    broker = mosquitto("allow_anonymous true", "max_packet_size 2000")
    with connected(identity, settings_for(broker)) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        assert answered(connection, Outgoing(f"{BASE}/meta", b"x" * 3000), eventually) == 0x95
        assert answered(connection, Outgoing(f"{BASE}/meta", b"x" * 300), eventually) is None
        assert connection.generation == 1


@pytest.mark.mosquitto
def test_a_topic_that_cannot_be_is_refused_and_does_not_end_the_thread(mosquitto, identity, eventually):
    broker = mosquitto()
    with connected(identity, settings_for(broker)) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        assert answered(connection, Outgoing(f"{BASE}/rsp/#", b"{}"), eventually) == 0x90
        assert answered(connection, Outgoing(f"{BASE}/meta", b"{}"), eventually) is None


# --- an ACL -----------------------------------------------------------------------------------------------------------


ACL = """pattern write storeroom/v1/+/%u/status
pattern write storeroom/v1/+/%u/hist/#
pattern write storeroom/v1/+/%u/event/#
pattern read storeroom/v1/+/%u/cmd/#
{ping}
user central
topic readwrite storeroom/v1/#
"""
PING_LINE = "pattern write storeroom/v1/+/%u/cmd/ping"


def broker_with_acl(mosquitto, tmp_path, ping):
    acl = tmp_path / "acl"
    acl.write_text(ACL.format(ping=ping))
    return mosquitto("allow_anonymous true", f"acl_file {acl}")


@pytest.mark.mosquitto
def test_a_refused_topic_is_told_marked_and_does_not_hold_up_the_rest(
    mosquitto, make_world, identity, eventually, tmp_path
):
    broker = broker_with_acl(mosquitto, tmp_path, PING_LINE)
    with publishing(make_world, identity, settings_for(broker, username="a1")) as (outbox, publisher, _, driver):
        outbox.commit(messages.Message(Stream.ALARM, "alarm/door", b'{"a":1}', now(), retain=True))
        outbox.commit(an_event())
        driver.wake.set()
        eventually(lambda: len(outbox.outcomes) == 2, what="both answers")
        assert outbox.outcomes[Stream.ALARM, 1] == (Outcome.REFUSED, "not authorised (0x87)")
        assert outbox.outcomes[Stream.EVENT, 1][0] is Outcome.ACCEPTED
        assert [refused.topic for refused in publisher.refused()] == [f"{BASE}/alarm/door"]


@pytest.mark.mosquitto
@pytest.mark.parametrize(("ping", "proved"), [(PING_LINE, "ok"), ("", "unproved")])
def test_the_command_path_is_proved_by_the_nodes_own_ping(mosquitto, identity, eventually, tmp_path, ping, proved):
    broker = broker_with_acl(mosquitto, tmp_path, ping)
    with connected(identity, settings_for(broker, username="a1")) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        eventually(lambda: connection.command_path == "ok" or connection.ping_refusal, what="the ping's fate")
        assert connection.command_path == proved
        assert connection.received() == []


@pytest.mark.mosquitto
def test_the_acl_of_the_document_allows_a_node_its_own_topics_and_nothing_else(
    mosquitto, identity, eventually, tmp_path
):
    words = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text("utf-8")
    (lines,) = re.findall(r"```\n(pattern write.*?)```", words, re.DOTALL)
    acl = tmp_path / "acl"
    acl.write_text(lines)
    broker = mosquitto("allow_anonymous true", f"acl_file {acl}")
    own = [
        "status",
        "meta",
        "health",
        "alarmlog",
        "record/p",
        "telemetry/p",
        "stock/s",
        "event/s",
        "alarm/a",
        "hist/event",
        "rsp/tare",
        "cmd/ping",
    ]
    others = [f"{BASE}/cmd/tare", "storeroom/v1/s0412/b2/status", "storeroom/v1/s0412/all/cmd/tare", "elsewhere"]
    with connected(identity, settings_for(broker, username="a1")) as connection:
        eventually(lambda: connection.command_path == "ok", what="the command path")
        for topic in own:
            assert answered(connection, Outgoing(f"{BASE}/{topic}", b"{}"), eventually) is None, topic
        for topic in others:
            assert answered(connection, Outgoing(topic, b"{}"), eventually) == 0x87, topic


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.mosquitto
def test_a_command_comes_in_with_all_an_answer_needs(mosquitto, identity, eventually):
    broker = mosquitto()
    with client_of(broker.port) as (client, heard), connected(identity, settings_for(broker)) as connection:
        eventually(lambda: connection.command_path == "ok", what="the command path")
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = f"{BASE}/rsp/desk-7"
        properties.CorrelationData = b"\x00\xff"
        properties.MessageExpiryInterval = 20
        client.publish(f"{BASE}/cmd/tare", b'{"cmd_id":"1","shelf":"shelf-3"}', 1, properties=properties)
        client.publish("storeroom/v1/s0412/all/cmd/identify", b'{"cmd_id":"2"}', 1)
        found = []
        eventually(lambda: found.extend(connection.received()) or len(found) == 2, what="both commands")
        tare, identify = (commands.parse(incoming, identity) for incoming in found)
        assert isinstance(tare, Command)
        assert (tare.verb, tare.arguments, tare.correlation) == (Verb.TARE, {"shelf": "shelf-3"}, b"\x00\xff")
        assert tare.response_topic == f"{BASE}/rsp/desk-7"
        assert 0 < tare.expires_s <= 20
        assert isinstance(identify, Command)
        result = CommandResult(tare, ResultCode.DONE, now())
        answer = messages.render(identity, Queued(Stream.RSP, 1, messages.response(result)))
        assert answered(connection, answer, eventually) is None
        eventually(lambda: bodies(heard, "rsp/desk-7"), what="the answer")
        assert next(h[3] for h in heard if h[0].endswith("desk-7")).CorrelationData == b"\x00\xff"


@pytest.mark.mosquitto
@pytest.mark.parametrize(
    ("version", "comes"), [("5", [commands.MAX_BYTES + 1]), ("3.1.1", [commands.MAX_BYTES + 1] * 2)]
)
def test_no_sender_fills_the_memory_with_what_waits_for_the_cycle(mosquitto, identity, eventually, version, comes):
    """With MQTT 5 the broker keeps what is larger than we take; otherwise the most of it is dropped here."""
    broker = mosquitto()
    with (
        client_of(broker.port) as (client, _),
        connected(identity, settings_for(broker, version=version)) as connection,
    ):
        eventually(lambda: connection.command_path == "ok", what="the command path")
        for size in (1_000_000, 50_000):
            client.publish(f"{BASE}/cmd/tare", b"x" * size, 1)
        client.publish(f"{BASE}/cmd/tare", b"last", 1)
        found = []
        eventually(
            lambda: found.extend(connection.received()) or any(each.payload == b"last" for each in found),
            what="the last command",
        )
        assert [len(each.payload) for each in found[:-1]] == comes


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_model_comes_as_a_whole_and_many_at_once_do_not_fill_the_memory(mosquitto, identity, eventually, version):
    broker, model = mosquitto(), b"m" * (commands.MAX_MODEL_BYTES - 1000)
    with (
        client_of(broker.port) as (client, _),
        connected(identity, settings_for(broker, version=version)) as connection,
    ):
        eventually(lambda: connection.command_path == "ok", what="the command path")
        for _ in range(20):
            client.publish(f"{BASE}/cmd/model", model, 1)
        client.publish(f"{BASE}/cmd/tare", b"last", 1)
        found = []
        # Taken once, when all is there: a cycle that is late.
        eventually(lambda: connection.unheard >= 12, what="models that nobody can take")
        eventually(
            lambda: found.extend(connection.received()) or any(each.payload == b"last" for each in found),
            what="the last command",
        )
        assert [each.payload == model for each in found[:-1]] == [True] * 8
        assert connection.unheard == 12


@pytest.mark.mosquitto
def test_a_retained_command_is_ignored_at_every_connection(mosquitto, identity, eventually):
    broker = mosquitto()
    with client_of(broker.port) as (client, _):
        client.publish(f"{BASE}/cmd/zero", b'{"cmd_id":"old"}', 1, retain=True).wait_for_publish(5)
    with connected(identity, settings_for(broker)) as connection:
        found = []
        eventually(lambda: found.extend(connection.received()) or found, what="the retained command")
        assert isinstance(commands.parse(found[0], identity), commands.Ignored)


# --- outages ----------------------------------------------------------------------------------------------------------


@pytest.mark.mosquitto
def test_a_broker_that_is_killed_and_forgets_gets_everything(mosquitto, make_world, identity, eventually):
    broker = mosquitto()
    consumer = Consumer(from_start=True)
    settings = settings_for(broker, backlog_per_s=0)
    stop = threading.Event()
    listener = Listener(settings, consumer, asks=False)
    thread = threading.Thread(target=listener.run, args=(lambda taken: None, time.monotonic, stop))
    thread.start()
    eventually(listener.is_up.is_set, what="the consumer")
    try:
        with publishing(make_world, identity, settings) as (outbox, _, connection, driver):
            outbox.commit(messages.Message(Stream.STOCK, "stock/shelf-1", b'{"s":1}', now(), retain=True))
            for n in range(200):
                outbox.commit(an_event(n))
            driver.wake.set()
            eventually(lambda: not outbox.waiting(), what="the first acknowledgements")
            broker.stop()
            eventually(lambda: not connection.is_up, what="the loss")
            for n in range(200):
                outbox.commit(an_event(n))
            broker.start()
            eventually(lambda: not outbox.waiting(), what="the rest")
            eventually(listener.is_up.is_set, what="the consumer again")
            with client_of(broker.port, topic=f"{BASE}/stock/#") as (_, heard):
                eventually(lambda: bodies(heard, "stock/shelf-1"), what="state told again")
            assert connection.generation == 2
            assert connection.last_error is None
    finally:
        stop.set()
        thread.join()
    assert sum(consumer.inversions.values()) == 0
    assert consumer.counts["garbage"] == 0


@pytest.mark.mosquitto
def test_a_stopped_process_is_noticed_by_missing_acknowledgements_and_nothing_is_lost(
    mosquitto, make_world, identity, eventually
):
    broker = mosquitto()
    with publishing(make_world, identity, settings_for(broker), ack_timeout_s=0.5) as (
        outbox,
        publisher,
        connection,
        d,
    ):
        eventually(lambda: connection.is_up, what="the connection")
        broker.process.send_signal(signal.SIGSTOP)
        try:
            outbox.commit(an_event())
            d.wake.set()
            eventually(lambda: publisher.restarts == 1, what="the restart")
            eventually(lambda: not connection.is_up, what="the link's end")
            assert "no acknowledgement" in connection.last_error
            assert outbox.outcomes == {}
        finally:
            broker.process.send_signal(signal.SIGCONT)
        eventually(lambda: outbox.outcomes, timeout_s=15, what="the acknowledgement")


@pytest.mark.mosquitto
def test_a_half_open_link_is_noticed_without_any_traffic(mosquitto, identity, eventually):
    broker = mosquitto()
    with connected(identity, settings_for(broker, keepalive_s=5), ping_every_s=1000) as connection:
        eventually(lambda: connection.command_path == "ok", what="the connection")
        broker.process.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: not connection.is_up, timeout_s=14, what="the notice")
            assert "eep alive" in connection.last_error or "onnect" in connection.last_error
        finally:
            broker.process.send_signal(signal.SIGCONT)


@pytest.mark.mosquitto
def test_stopping_is_quick_even_with_messages_unanswered(mosquitto, identity, eventually):
    broker = mosquitto()
    with connected(identity, settings_for(broker)) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        broker.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(20):
                connection.send(Outgoing(f"{BASE}/meta", b"x" * 1000), connection.generation)
            began = time.monotonic()
            connection.stop()
            assert time.monotonic() - began < 2
            assert not connection.is_running
        finally:
            broker.process.send_signal(signal.SIGCONT)


# --- TLS --------------------------------------------------------------------------------------------------------------


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A test CA, a certificate for localhost, one for another name, one for the node."""
    folder = tmp_path_factory.mktemp("authority")

    def key(name):
        openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(folder / f"{name}.key"))

    def self_signed(name):
        key(name)
        openssl(
            *("req", "-x509", "-new", "-key", str(folder / f"{name}.key"), "-days", "2"),
            *("-subj", f"/CN={name}", "-out", str(folder / f"{name}.crt")),
        )

    def signed(name, alternative):
        key(name)
        request, extra = folder / f"{name}.csr", folder / f"{name}.ext"
        openssl("req", "-new", "-key", str(folder / f"{name}.key"), "-subj", f"/CN={name}", "-out", str(request))
        extra.write_text(f"subjectAltName={alternative}\n")
        openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key")),
            *("-CAcreateserial", "-days", "2", "-extfile", str(extra), "-out", str(folder / f"{name}.crt")),
        )

    self_signed("ca")
    self_signed("stranger")
    signed("localhost", "DNS:localhost")
    signed("elsewhere", "DNS:elsewhere.example")
    signed("a1", "DNS:a1")
    return folder


def tls_broker(mosquitto, authority, server="localhost", *more):
    return mosquitto(
        *(f"cafile {authority / 'ca.crt'}", f"certfile {authority / f'{server}.crt'}"),
        *(f"keyfile {authority / f'{server}.key'}", *(more or ("allow_anonymous true",))),
    )


def tls_settings(broker, authority, ca="ca", client=None):
    tls = TlsSettings(
        str(authority / f"{ca}.crt"),
        str(authority / f"{client}.crt") if client else None,
        str(authority / f"{client}.key") if client else None,
    )
    return MqttSettings(host="localhost", port=broker.port, tls=tls)


@pytest.mark.mosquitto
def test_tls_with_a_client_certificate_whose_name_is_the_user(mosquitto, identity, eventually, authority, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text(ACL.format(ping=PING_LINE))
    broker = tls_broker(
        *(mosquitto, authority, "localhost", "require_certificate true", "use_identity_as_username true"),
        f"acl_file {acl}",
    )
    with connected(identity, tls_settings(broker, authority, client="a1")) as connection:
        eventually(lambda: connection.is_up, what="the connection")
        assert answered(connection, Outgoing(f"{BASE}/event/s", b"{}"), eventually) is None
        assert answered(connection, Outgoing("storeroom/v1/s0412/b2/event/s", b"{}"), eventually) == 0x87
        assert connection.link.is_encrypted


@pytest.mark.mosquitto
@pytest.mark.parametrize(
    ("server", "ca", "expected"),
    [
        ("localhost", "stranger", "certificate is not accepted"),
        ("elsewhere", "ca", "Hostname mismatch, certificate is not valid for 'localhost'"),
    ],
)
def test_a_server_that_cannot_be_verified_is_refused_in_a_clear_sentence(
    mosquitto, identity, eventually, authority, server, ca, expected
):
    broker = tls_broker(mosquitto, authority, server)
    with connected(identity, tls_settings(broker, authority, ca)) as connection:
        eventually(lambda: connection.last_error, what="the refusal")
        assert expected in connection.last_error
        assert f"localhost:{broker.port}" in connection.last_error
        assert f"{ca}.crt" in connection.last_error
        assert not connection.is_up


@pytest.mark.mosquitto
def test_a_missing_client_certificate_is_told(mosquitto, identity, eventually, authority):
    broker = tls_broker(mosquitto, authority, "localhost", "require_certificate true", "allow_anonymous true")
    with connected(identity, tls_settings(broker, authority)) as connection:
        eventually(lambda: connection.last_error, what="the refusal")
        assert not connection.is_up
        assert "certificate" in connection.last_error.lower()


# --- without a broker -------------------------------------------------------------------------------------------------


def test_no_broker_at_all_is_told_and_tried_again(identity, eventually, port):
    with connected(identity, MqttSettings(host="127.0.0.1", port=port)) as connection:
        eventually(lambda: connection.last_error, what="the complaint")
        assert connection.last_error == f"127.0.0.1:{port} refuses the connection: is the broker running?"


def test_a_missing_file_is_named(identity, eventually, tmp_path, port):
    missing = str(tmp_path / "no.crt")
    cases = [
        (MqttSettings(port=port, tls=TlsSettings(missing)), "mqtt.tls.ca_file"),
        (MqttSettings(port=port, username="a1", password_file=missing), "mqtt.password_file"),
    ]
    for settings, key in cases:
        with connected(identity, settings) as connection:
            eventually(lambda: connection.last_error, what="the complaint")
            assert key in connection.last_error
            assert missing in connection.last_error


def test_nothing_is_opened_before_start(identity):
    before = threading.active_count()
    connection = MqttConnection(MqttSettings(), identity, now)
    assert threading.active_count() == before
    assert not connection.is_running
    connection.stop()


class Ahead:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.by_s = 0.0

    def now(self) -> Instant:
        return replace(now(), mono_ms=now().mono_ms + round(1000 * self.by_s))


def test_a_network_thread_that_hangs_is_seen_and_a_broker_that_is_away_is_none(identity, eventually, port):
    clock, is_held, hangs, goes_on = Ahead(), threading.Event(), threading.Event(), threading.Event()

    def wake() -> None:
        if is_held.is_set():
            hangs.set()
            goes_on.wait()

    connection = MqttConnection(MqttSettings(port=port), identity, clock.now, back_off=QUICK)
    connection.start(wake)
    try:
        eventually(lambda: connection.last_error, what="the complaint")
        for clock.by_s in (1000, 2000, 3000):
            eventually(lambda: connection.is_moving, what="the next attempt")
        is_held.set()
        assert hangs.wait(10)
        clock.by_s += HUNG_S - 20
        assert connection.is_moving, "as long as it may be waiting for its next attempt"
        clock.by_s += 40
        assert not connection.is_moving
    finally:
        goes_on.set()
        connection.stop()
    assert not connection.is_running


def test_a_link_that_is_slow_in_the_making_has_minutes(identity, eventually):
    clock = Ahead()
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = MqttSettings(port=server.getsockname()[1], tls=TlsSettings(), keepalive_s=5)
        connection = MqttConnection(settings, identity, clock.now)
        connection.start()
        try:
            client, _ = server.accept()  # and never a word of TLS
            with client:
                clock.by_s = HUNG_CONNECTING_S - 30
                assert connection.is_moving
                clock.by_s = HUNG_CONNECTING_S + 30
                assert not connection.is_moving
        finally:
            connection.stop()


def test_mqtt_3_1_1_is_spoken_to_a_broker_that_declines_5_in_whatever_way():
    fresh = VersionChoice("5")
    assert fresh.after_refusal().version == "3.1.1"
    assert fresh.after_silence(has_hung_up=False).version == "3.1.1"
    assert fresh.after_silence(has_hung_up=True).version == "5"
    assert fresh.after_silence(has_hung_up=True).after_silence(has_hung_up=True).has_fallen_back


def test_mqtt_5_is_tried_again_after_a_link_of_3_1_1():
    again = VersionChoice("5").after_refusal().after_success()
    assert again.version == "5"
    assert again.after_silence(has_hung_up=True).version == "3.1.1"
    assert again.after_success().after_silence(has_hung_up=True).version == "5"


def test_a_broker_that_spoke_5_and_freezes_is_not_asked_in_3_1_1():
    known = VersionChoice("5").after_success()
    for _ in range(5):
        known = known.after_silence(has_hung_up=False)
    assert known.version == "5"


def test_a_silence_that_3_1_1_does_not_end_was_not_about_the_version():
    assert VersionChoice("5").after_refusal().after_silence(has_hung_up=True).version == "5"
    assert VersionChoice("3.1.1").after_silence(has_hung_up=False).version == "3.1.1"


def test_an_unencrypted_link_to_another_machine_is_said():
    abroad = MqttSettings(host="broker.example", insecure=True)
    assert "not encrypted" in notes(abroad, VersionChoice("5"))[0]
    assert notes(MqttSettings(), VersionChoice("5")) == ()


def test_an_error_nobody_foresaw_still_names_the_place():
    assert explain(OSError("odd"), MqttSettings()) == "localhost:1883: odd"


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_at_most_twenty_messages_are_in_flight_however_many_a_broker_would_take(mosquitto, identity, eventually):
    broker = mosquitto("allow_anonymous true", "max_inflight_messages 1000")
    with connected(identity, MqttSettings(port=broker.port)) as connection:
        eventually(lambda: connection.is_up, what="a connection")
        assert connection.window == 20


def test_commands_that_nobody_takes_are_bounded_and_counted(mosquitto, identity, eventually):
    broker = mosquitto("allow_anonymous true", "max_queued_messages 0")
    with connected(identity, MqttSettings(port=broker.port)) as connection:
        eventually(lambda: connection.command_path == "ok", what="the command path")
        with client_of(broker.port) as (client, _):
            for number in range(1100):
                client.publish(f"{BASE}/cmd/identify", json.dumps({"cmd_id": str(number)}), 1)
            eventually(lambda: connection.unheard >= 100, what="1,100 commands")
        assert connection.unheard == 100
        assert len(connection.received()) == 1000
