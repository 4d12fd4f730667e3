"""Run by a Python that has Home Assistant. Standard input: topic -> payloads, as JSON. Exit 1 when anything is refused.

The device is parsed as the integration does, each component goes through its platform's own schema, a key that the
schema would silently drop is a fault, and each template is rendered on every payload that was told on its topic.
"""

import asyncio
import importlib
import json
import logging
import sys
import tempfile
from collections.abc import Iterator

import voluptuous as vol
from homeassistant.components.mqtt import discovery
from homeassistant.components.mqtt.models import MqttValueTemplate
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.template import Template

DEVICE_TOPIC = ("device", "config")
SHOWN = 50  # faults
OF_THE_DEVICE = {"device", "origin"}


def devices(told: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    for topic, payloads in told.items():
        levels = topic.split("/")
        if len(levels) >= 3 and (levels[-3], levels[-1]) == DEVICE_TOPIC:
            yield topic, payloads[-1]


class Findings(logging.Handler):
    """What was refused; also what Home Assistant warns of, for it will refuse that one day."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.faults: list[str] = []
        self.components = 0
        self.rendered = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.faults.append(f"Home Assistant says: {record.getMessage()}")


def hold(topic: str, payload: str, told: dict[str, list[str]], hass: HomeAssistant, found: Findings) -> None:
    node = topic.split("/")[-2]
    device = discovery._parse_device_payload(hass, payload, node, None)
    if not device:
        found.faults.append(f"{topic}: the device is refused")
        return
    unknown = set(json.loads(payload)) - {"device", "origin", "components", "availability", "qos"}
    found.faults += [f"{topic}: unknown key {key}" for key in sorted(unknown)]
    for name, whole in device["components"].items():
        component = dict(whole)
        platform = component.pop("platform")
        if not component:
            continue  # taken back
        found.components += 1
        try:
            hold_component(name, platform, component, device, told, hass, found)
        except (vol.Invalid, HomeAssistantError, KeyError, ImportError) as error:
            found.faults.append(f"{name}: {type(error).__name__}: {error}")


def hold_component(
    name: str,
    platform: str,
    component: dict[str, object],
    device: dict[str, object],
    told: dict[str, list[str]],
    hass: HomeAssistant,
    found: Findings,
) -> None:
    config = discovery.MQTTDiscoveryPayload(component | {key: device[key] for key in OF_THE_DEVICE})
    discovery._merge_common_device_options(config, device)
    schema = importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA
    valid = schema(dict(config))
    found.faults += [f"{name}: unknown key {key}" for key in sorted(set(config) - set(valid))]
    payloads = told.get(str(valid["state_topic"]), [])
    if not payloads:
        found.faults.append(f"{name}: nothing was told on {valid['state_topic']}")
    template = MqttValueTemplate(Template(valid["value_template"].template, hass))
    for payload in payloads:
        state = template.async_render_with_possible_json_value(payload)
        found.rendered += 1
        found.faults += state_faults(name, platform, valid, state)


def state_faults(name: str, platform: str, valid: dict[str, object], state: object) -> Iterator[str]:
    """What the entity would refuse as its state."""
    if not isinstance(state, str) or len(state) > 255:
        yield f"{name}: {state!r} is no text of at most 255 characters"
    elif platform == "binary_sensor" and state not in ("ON", "OFF", "None"):
        yield f"{name}: {state!r} is neither ON nor OFF"
    elif valid.get("options") and state not in valid["options"]:
        yield f"{name}: {state!r} is none of {valid['options']}"
    elif platform == "sensor" and valid.get("state_class") and state != "None":
        try:
            float(state)
        except ValueError:
            yield f"{name}: {state!r} is no number"


async def run() -> int:
    told = json.load(sys.stdin)
    found = Findings()
    logging.getLogger("homeassistant").addHandler(found)
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        known = list(devices(told))
        for topic, payload in known:
            hold(topic, payload, told, hass, found)
        await hass.async_stop(force=True)
    if not known:
        found.faults.append("no device was told")
    for fault in found.faults[:SHOWN]:
        print(fault)
    print(
        json.dumps(
            {
                "home_assistant": __version__,
                "devices": len(known),
                "components": found.components,
                "states_rendered": found.rendered,
                "faults": len(found.faults),
            }
        )
    )
    return 1 if found.faults else 0


sys.exit(asyncio.run(run()))
