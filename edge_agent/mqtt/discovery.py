"""The node as Home Assistant takes it up: one retained message that describes the device and all its entities.

Made from the very description that `meta` tells, so both always speak of the same node. The keys are those of MQTT
device discovery (Home Assistant 2024.11 and newer); `scripts/homeassistant` holds them to Home Assistant's own code.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from edge_agent.mqtt.messages import Identity, NodeDescription, PlaceDescription, PointDescription, compact
from edge_agent.mqtt.wire import Outgoing

PROJECT = "edge_agent"

Component = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Shown:
    """How Home Assistant shows a field of telemetry: its device class, its unit there."""

    title: str
    device_class: str | None
    unit: str | None
    is_diagnostic: bool = False


_FIELDS = {
    "temperature_c": _Shown("temperature", "temperature", "°C"),
    "humidity_pct": _Shown("humidity", "humidity", "%"),
    "pressure_hpa": _Shown("pressure", "atmospheric_pressure", "hPa"),
    "counts": _Shown("raw counts", None, None, is_diagnostic=True),
    "gross_g": _Shown("gross weight", "weight", "g", is_diagnostic=True),
    "net_g": _Shown("net weight", "weight", "g"),
}
_SWITCHES = {
    "open": _Shown("", "door", None),
    "under_voltage": _Shown("under-voltage", "problem", None, is_diagnostic=True),
    "throttled": _Shown("throttled", "problem", None, is_diagnostic=True),
}
_DIAGNOSTIC = {"entity_category": "diagnostic"}


def topic(prefix: str, node: str) -> str:
    """
    >>> topic("homeassistant", "a1")
    'homeassistant/device/a1/config'
    """
    return f"{prefix}/device/{node}/config"


def announced(described: NodeDescription) -> dict[str, str]:
    """What Home Assistant is told of: component -> its platform. Kept, to know later what is gone."""
    return {name: str(component["platform"]) for name, component in _components(Identity("s", "n", ""), described)}


def device(prefix: str, identity: Identity, described: NodeDescription, gone: Mapping[str, str]) -> Outgoing:
    """The retained description of the device.

    ``gone``: components told of earlier and configured no more, with their platforms. Home Assistant removes an
    entity when it is named with nothing but its platform; one that is merely left out stays for ever.
    """
    components: dict[str, object] = dict(_components(identity, described))
    for name, platform in gone.items():
        components.setdefault(name, {"platform": platform})
    body = {
        "device": {
            "identifiers": [_unique(identity)],
            "name": f"Storeroom {identity.node}",
            "manufacturer": PROJECT,
            "model": "storeroom agent",
            "sw_version": described.version,
            "serial_number": _unique(identity),
        },
        "origin": {"name": PROJECT, "sw_version": described.version},
        "availability": [
            {
                "topic": identity.topic("status"),
                "value_template": "{{ value_json.state }}",
                "payload_available": "online",
                "payload_not_available": "offline",
            }
        ],
        "qos": 1,
        "components": components,
    }
    return Outgoing(topic(prefix, identity.node), compact(body), retain=True)


def nothing(told_topic: str) -> Outgoing:
    """Home Assistant forgets the device that was told there, with all its entities."""
    return Outgoing(told_topic, b"", retain=True)


def _unique(identity: Identity) -> str:
    return f"{identity.site}-{identity.node}"


def _components(identity: Identity, described: NodeDescription) -> Iterator[tuple[str, Component]]:
    for name, component in _all(identity, described):
        yield name, component | {"unique_id": f"{_unique(identity)}-{name}"}


def _all(identity: Identity, described: NodeDescription) -> Iterable[tuple[str, Component]]:
    for point in described.points:
        yield from _point(identity, point)
    for shelf in described.shelves:
        yield (
            f"{shelf.shelf}-units",
            {
                "platform": "sensor",
                "name": f"{shelf.shelf} pieces",
                "state_topic": identity.topic(f"stock/{shelf.shelf}"),
                "value_template": "{{ value_json.balance.units }}",
                "state_class": "measurement",
                "icon": "mdi:package-variant",
            },
        )
    for place in described.places:
        yield from _place(identity, place)
        yield from _next_lot(identity, place) if described.keeps_lots else ()
    yield from _node(identity)


def _point(identity: Identity, point: PointDescription) -> Iterable[tuple[str, Component]]:
    for field in point.units:
        on_topic = {
            "state_topic": identity.topic(f"telemetry/{point.point}"),
            "expire_after": int(point.live_s),
        }
        reading = f"(value_json.readings.{field} | default({{}})).value | default(none)"
        if (switch := _SWITCHES.get(field)) is not None:
            value = (
                f"{{% set value = {reading} %}}{{{{ 'None' if value is none else 'ON' if value > 0.5 else 'OFF' }}}}"
            )
            yield (
                f"{point.point}-{field}",
                {
                    "platform": "binary_sensor",
                    "name": f"{point.point} {switch.title}".strip(),
                    "value_template": value,
                    "device_class": switch.device_class,
                    **on_topic,
                    **(_DIAGNOSTIC if switch.is_diagnostic else {}),
                },
            )
            continue
        shown = _FIELDS[field]
        component: Component = {
            "platform": "sensor",
            "name": f"{point.point} {shown.title}",
            "value_template": f"{{{{ {reading} }}}}",
            "state_class": "measurement",
            **on_topic,
        }
        if shown.device_class is not None:
            component |= {"device_class": shown.device_class, "unit_of_measurement": shown.unit}
        if shown.is_diagnostic:
            component |= {**_DIAGNOSTIC, "enabled_by_default": False}
        yield f"{point.point}-{field}", component


def _place(identity: Identity, place: PlaceDescription) -> Iterable[tuple[str, Component]]:
    """Whether an alarm stands there, and what the most urgent of them says; from `health`, which lists them all."""
    of_place = f"value_json.alarms | selectattr('place', 'defined') | selectattr('place', 'eq', '{place.place}')"
    yield from _alarms(identity, f"{place.place}-alarm", f"{place.place} alarm", of_place)


def _alarms(identity: Identity, name: str, title: str, which: str) -> Iterable[tuple[str, Component]]:
    on_topic = {"state_topic": identity.topic("health")}
    yield (
        name,
        {
            "platform": "binary_sensor",
            "name": title,
            "device_class": "problem",
            "value_template": f"{{{{ 'ON' if {which} | selectattr('active') | list else 'OFF' }}}}",
            **on_topic,
        },
    )
    by_urgency = " + ".join(
        f"(standing | selectattr('priority', 'eq', '{priority}') | list)" for priority in ("high", "medium", "low")
    )
    said = (
        f"{{% set standing = {which} | list %}}{{% set urgent = {by_urgency} %}}"
        "{{ (urgent[0].message if urgent else 'none') | truncate(250) }}"  # a state has at most 255 characters
    )
    yield (
        f"{name}-text",
        {
            "platform": "sensor",
            "name": f"{title} message",
            "icon": "mdi:alarm-light",
            "value_template": said,
            **on_topic,
        },
    )


def _next_lot(identity: Identity, place: PlaceDescription) -> Iterable[tuple[str, Component]]:
    """Which lot there will be spoiled first, and when: one for each place, for lots come and go. Unknown: none."""
    of_place = (
        f"{{% set found = value_json.next_lots | default([]) | selectattr('place', 'eq', '{place.place}')"
        " | first | default(none) %}"
    )
    shown: tuple[tuple[str, str, str, Component], ...] = (
        ("lot", "next to spoil", "((found.name ~ ' ' ~ (found.code | default(''))) | trim | truncate(250))",
         {"icon": "mdi:food-apple-outline"}),
        ("life", "next to spoil keeps", "found.remaining_d | round(2)",
         {"device_class": "duration", "unit_of_measurement": "d", "state_class": "measurement"}),
        ("risk", "next to spoil within a day", "(100 * found.p_spoiled_24h) | round(1)",
         {"unit_of_measurement": "%", "state_class": "measurement", "icon": "mdi:food-off-outline"}),
    )  # fmt: skip
    for name, title, value, kind in shown:
        yield (
            f"{place.place}-next_{name}",
            {
                "platform": "sensor",
                "name": f"{place.place} {title}",
                "state_topic": identity.topic("health"),
                "value_template": f"{of_place}{{{{ {value} if found else none }}}}",
                **kind,
            },
        )


def _node(identity: Identity) -> Iterable[tuple[str, Component]]:
    """Underscores: no sensor, shelf or place has one in its name, and one of them may be called node."""
    yield from _alarms(identity, "node_alarm", "any alarm", "value_json.alarms")
    shown: tuple[tuple[str, str, str, Component], ...] = (
        ("disk-free", "free space", "{{ value_json.disk_free_mb }}",
         {"device_class": "data_size", "unit_of_measurement": "MB", "state_class": "measurement"}),
        ("memory", "memory", "{{ value_json.rss_mb }}",
         {"device_class": "data_size", "unit_of_measurement": "MB", "state_class": "measurement"}),
        ("processor", "processor temperature", "{{ value_json.cpu_c }}",
         {"device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement"}),
        ("waiting", "messages waiting", "{{ value_json.outbox.values() | sum(attribute='waiting') }}",
         {"state_class": "measurement"}),
        ("clock", "clock", "{{ value_json.system_clock }}",
         {"device_class": "enum", "options": ["synced", "unsynced", "corrected"]}),
        ("faults", "faults", "{{ value_json.faults | count }}", {"state_class": "measurement"}),
    )  # fmt: skip
    for name, title, template, kind in shown:
        yield (
            f"node_{name}",
            {
                "platform": "sensor",
                "name": title,
                "state_topic": identity.topic("health"),
                "value_template": template,
                **kind,
                **_DIAGNOSTIC,
            },
        )
