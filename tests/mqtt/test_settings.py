"""What [mqtt] may say, and what it may not."""

import pytest

from edge_agent.domain.settings import SettingsError
from edge_agent.mqtt.settings import MqttSettings, TlsSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 0}, "port = 0: must be between 1 and 65535"),
        ({"version": "4"}, "version = '4': must be one of 5, 3.1.1"),
        ({"keepalive_s": 2}, "keepalive_s = 2: must be between 5 and 3600 s"),
        ({"backlog_per_s": -1}, "backlog_per_s = -1"),
        ({"backlog_records": 0}, "backlog_records = 0"),
        ({"host": "broker.example"}, "because broker.example is another machine"),
        ({"host": "broker.example", "embedded": True, "insecure": True}, "localhost, because embedded = true"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(options, message):
    with pytest.raises(SettingsError, match=message.replace("[", r"\[")):
        MqttSettings(**options)


def test_another_machine_needs_tls_or_an_outspoken_insecure():
    assert MqttSettings(host="broker.example", tls=TlsSettings()).tls is not None
    assert MqttSettings(host="broker.example", insecure=True).insecure


def test_a_client_certificate_comes_with_its_key():
    with pytest.raises(SettingsError, match="key_file = None: must be given together"):
        TlsSettings(cert_file="a1.crt")


def test_the_embedded_broker_is_spoken_to_in_3_1_1():
    assert MqttSettings(embedded=True).protocol == "3.1.1"
    assert MqttSettings().protocol == "5"
