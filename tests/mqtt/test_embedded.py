"""The broker in our own process: MQTT 3.1.1 only, so the connection has to fall back by itself."""

import json
import socket
import threading
import time

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.mqtt.connection import BackOff, MqttConnection
from edge_agent.mqtt.consumer import Consumer, Listener
from edge_agent.mqtt.embedded import EmbeddedBroker, EmbeddedBrokerError
from edge_agent.mqtt.publisher import Publisher
from edge_agent.mqtt.settings import MqttSettings

pytest.importorskip("amqtt", reason="the extra `demo` is not installed")


def now():
    return Instant(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000, "boot-1")


@pytest.fixture
def broker(port):
    broker = EmbeddedBroker(port)
    broker.start()
    yield broker
    broker.stop()


def test_the_whole_way_with_a_broker_that_refuses_mqtt_5(broker, make_world, identity, eventually):
    outbox = make_world().outbox
    settings = MqttSettings(host="127.0.0.1", port=broker.port)
    consumer, stop, wake = Consumer(from_start=True), threading.Event(), threading.Event()
    listener = Listener(settings, consumer, asks=False)
    listening = threading.Thread(target=listener.run, args=(lambda taken: None, time.monotonic, stop))
    listening.start()
    connection = MqttConnection(settings, identity, now, back_off=BackOff(0.02, 0.1), connack_timeout_s=1.0)
    publisher = Publisher(outbox, connection, identity, settings, {})
    connection.start(wake.set)
    try:
        eventually(listener.is_up.is_set, what="the consumer")
        eventually(lambda: connection.is_up, what="the connection")
        world = make_world(boot="boot-1")
        world.outbox = outbox
        for _ in range(50):
            world.event()

        def stepped():
            publisher.step(now())
            return not outbox.waiting() and consumer.records == 50

        eventually(stepped, what="all acknowledgements")
        assert connection.link.protocol == "3.1.1"
        assert f"MQTT 3.1.1: the broker at 127.0.0.1:{broker.port} refuses MQTT 5" in connection.link.notes
        status = consumer.state[f"{identity.base}/status"]
        assert (status["state"], status["protocol"]) == ("online", "3.1.1")
        assert "refuses MQTT 5" in json.dumps(status["notes"])
        eventually(lambda: connection.command_path == "ok", what="the command path")
    finally:
        connection.stop()
        stop.set()
        listening.join()
    assert sum(consumer.inversions.values()) == 0


def test_a_taken_port_is_told_with_what_to_do(port):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(EmbeddedBrokerError, match=rf"mqtt.port = {port}: .* Choose another port"):
            EmbeddedBroker(port).start()


def test_it_ends_and_frees_its_port(port):
    for _ in range(2):
        broker = EmbeddedBroker(port)
        broker.start()
        with socket.create_connection(("127.0.0.1", port), 2):
            pass
        broker.stop()
        broker.stop()
