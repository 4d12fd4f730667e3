"""What is told to Home Assistant is remembered, so that what is gone can be taken back."""

import json
from dataclasses import replace

import pytest

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.mqtt.messages import Identity, NodeDescription, PointDescription
from edge_agent.service.introduce import introduction
from edge_agent.storage.settings_file import SettingsFile

AT = Instant(0, 1_700_000_000_000, "boot-1", ClockState.SYNCED)
NODE = Identity("s0412", "a1", "k3f9")
TWO = NodeDescription(
    "0.1",
    points=(
        PointDescription("cold-room", "sht3x", 60, 180, {"temperature_c": "Cel"}),
        PointDescription("cellar", "sht3x", 60, 180, {"temperature_c": "Cel"}),
    ),
)
ONE = replace(TWO, points=TWO.points[:1])
GONE = "cellar-temperature_c"


@pytest.fixture
def settings_file(tmp_path):
    found = SettingsFile.open(tmp_path, AT)
    yield found
    found.close()


def told(settings_file, described=TWO, prefix="homeassistant", identity=NODE):
    return {
        outgoing.topic: json.loads(outgoing.payload)["components"] if outgoing.payload else None
        for outgoing in introduction(prefix, identity, described, settings_file)
    }


def test_a_sensor_taken_out_is_named_as_gone_from_then_on(settings_file):
    told(settings_file)
    for _ in range(2):
        (components,) = told(settings_file, ONE).values()
        assert components[GONE] == {"platform": "sensor"}
    (components,) = told(settings_file, TWO).values()
    assert components[GONE] != {"platform": "sensor"}


def test_it_is_remembered_over_a_restart(settings_file, tmp_path):
    told(settings_file)
    again = SettingsFile.open(tmp_path, AT)
    (components,) = told(again, ONE).values()
    again.close()
    assert components[GONE] == {"platform": "sensor"}


def test_switched_off_the_device_is_taken_back(settings_file):
    assert told(settings_file, prefix="") == {}
    told(settings_file)
    assert told(settings_file, prefix="") == {"homeassistant/device/a1/config": None}


def test_under_a_new_name_the_old_device_is_taken_back(settings_file):
    told(settings_file)
    renamed = told(settings_file, identity=Identity("s0412", "b2", "k3f9"))
    assert renamed["homeassistant/device/a1/config"] is None
    assert GONE in renamed["homeassistant/device/b2/config"]


def test_the_nodes_serial_stays_what_it_was(settings_file):
    before = settings_file.identity()
    told(settings_file)
    assert settings_file.identity() == before
