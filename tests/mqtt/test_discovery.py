"""What Home Assistant is told: of every part once, from the description that `meta` tells too."""

import json
from dataclasses import replace

import pytest

from edge_agent.mqtt import discovery
from edge_agent.mqtt.messages import (
    Identity,
    NodeDescription,
    PlaceDescription,
    PointDescription,
    ShelfDescription,
)

NODE = Identity("s0412", "a1", "k3f9")
DESCRIBED = NodeDescription(
    "0.1",
    points=(
        PointDescription("cold-room", "sht3x", 60, 180, {"temperature_c": "Cel", "humidity_pct": "%"}),
        PointDescription("door", "contact", 1, 21, {"open": "1"}),
        PointDescription("shelf-3", "scale", 2, 22, {"gross_g": "g", "net_g": "g"}),
    ),
    shelves=(ShelfDescription("shelf-3", "8711000123", 50_000.0),),
    places=(PlaceDescription("cold-room", "chilled", ("cold-room",), 0.0, 5.0, None, 8.0, 8.0, "the law"),),
)


def told(described=DESCRIBED, gone=None):
    outgoing = discovery.device("homeassistant", NODE, described, gone or {})
    return outgoing, json.loads(outgoing.payload)


def test_one_retained_message_on_the_devices_topic():
    outgoing, _ = told()
    assert (outgoing.topic, outgoing.retain, outgoing.expiry_s) == ("homeassistant/device/a1/config", True, None)


def test_every_field_of_telemetry_every_shelf_and_every_place_is_an_entity_of_its_own_name():
    _, body = told()
    components = body["components"]
    assert {name for name in components if not name.startswith("node_")} == {
        "cold-room-temperature_c",
        "cold-room-humidity_pct",
        "cold-room-alarm",
        "cold-room-alarm-text",
        "door-open",
        "shelf-3-gross_g",
        "shelf-3-net_g",
        "shelf-3-units",
    }
    ids = [component["unique_id"] for component in components.values()]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("s0412-a1-") for one in ids)


def test_a_place_called_node_has_its_own_alarm_beside_the_nodes():
    (place,) = DESCRIBED.places
    _, body = told(replace(DESCRIBED, places=(replace(place, place="node"),)))
    of_place, of_node = (body["components"][name] for name in ("node-alarm", "node_alarm"))
    assert ("'eq', 'node'" in of_place["value_template"], "'eq'" in of_node["value_template"]) == (True, False)


def test_an_entity_expires_with_the_telemetry_it_shows():
    _, body = told()
    shown = body["components"]["cold-room-temperature_c"]
    assert (shown["expire_after"], shown["unit_of_measurement"]) == (180, "°C")
    assert shown["state_topic"] == "storeroom/v1/s0412/a1/telemetry/cold-room"


def test_the_device_is_available_while_its_status_says_online():
    _, body = told()
    (available,) = body["availability"]
    assert available["topic"] == "storeroom/v1/s0412/a1/status"
    assert (available["payload_available"], available["payload_not_available"]) == ("online", "offline")


def test_what_is_gone_is_named_with_its_platform_alone_and_what_came_back_is_whole():
    _, body = told(gone={"shelf-9-net_g": "sensor", "door-open": "binary_sensor"})
    assert body["components"]["shelf-9-net_g"] == {"platform": "sensor"}
    assert "state_topic" in body["components"]["door-open"]


def test_where_lots_are_kept_each_place_has_the_lot_that_spoils_first_and_no_lot_is_an_entity():
    _, body = told(replace(DESCRIBED, keeps_lots=True))
    _, without = told()
    more = body["components"].keys() - without["components"].keys()
    assert more == {"cold-room-next_lot", "cold-room-next_life", "cold-room-next_risk"}
    shown = [body["components"][name] for name in sorted(more)]
    assert {one["state_topic"] for one in shown} == {"storeroom/v1/s0412/a1/health"}
    assert all("'place', 'eq', 'cold-room'" in one["value_template"] for one in shown)
    assert [one.get("unit_of_measurement") for one in shown] == ["d", None, "%"]
    assert discovery.announced(replace(DESCRIBED, keeps_lots=True)).keys() == body["components"].keys()


def test_what_is_announced_is_what_is_described():
    _, body = told()
    assert discovery.announced(DESCRIBED) == {name: one["platform"] for name, one in body["components"].items()}


def test_every_quantity_of_telemetry_can_be_shown():
    from edge_agent.domain.quantity import QUANTITIES

    units = {quantity.field: quantity.unit for quantity in QUANTITIES.values()}
    every = NodeDescription("0.1", points=(PointDescription("p", "any", 60, 180, units),))
    _, body = told(every)
    assert {name for name in body["components"] if name.startswith("p-")} == {f"p-{field}" for field in units}


@pytest.mark.parametrize("prefix", ["homeassistant", "home/ha"])
def test_an_empty_retained_payload_takes_the_device_back(prefix):
    outgoing = discovery.nothing(discovery.topic(prefix, "a1"))
    assert (outgoing.topic, outgoing.payload, outgoing.retain) == (f"{prefix}/device/a1/config", b"", True)
