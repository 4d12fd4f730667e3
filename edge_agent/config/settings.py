"""What a whole configuration becomes. A part that belongs to one room is defined there; here is what is left."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.settings import FoodSettings, PlaceSettings
from edge_agent.config.shop import DemandSettings, ShopSettings
from edge_agent.decide.authority import CommandSettings
from edge_agent.decide.models import ModelSettings
from edge_agent.domain.product import Product
from edge_agent.domain.settings import SettingFault, identifier, one_of, require, within
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.storage.settings import StorageSettings
from edge_agent.weighing.settings import ShelfSettings

DAY_S = 86_400
LONGEST_SENSOR_NAME = 25  # its alarm is "sensor-<name>", one level of a topic
DEFAULT_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Who this agent is: the middle of every topic."""

    site: str
    name: str  # also the MQTT client id and the CN of the client certificate

    def __post_init__(self) -> None:
        taken = SettingFault("name", self.name, 'another name: commands to "all" reach every node')
        require(identifier("site", self.site), identifier("name", self.name), taken if self.name == "all" else None)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    cycle_s: float = 1.0  # from one gather-decide-apply to the next
    sensor_timeout_s: float = 2.0  # a read that takes longer has failed

    def __post_init__(self) -> None:
        require(
            within("cycle_s", self.cycle_s, 0.1, 60, "s"),
            within("sensor_timeout_s", self.sensor_timeout_s, 0.1, 60, "s"),
        )


@dataclass(frozen=True, slots=True)
class BoardSettings:
    kind: str = "raspberry-pi"  # a name in the entry-point group `edge_agent.boards`
    settings: Any = None  # the board module's own


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """One device: what every sensor has, and what its driver wants to know."""

    name: str  # its telemetry topic
    driver: str  # a name of drivers.table
    place: str  # first half of its channels' names; left out: the name
    report_s: float  # from one telemetry message to the next; left out: interval_s
    interval_s: float = DEFAULT_INTERVAL_S  # from one reading to the next
    calibrated_on: str | None = None  # "2026-05-04": of the thermometer, for the record
    certificate: str | None = None  # its number
    correction_c: float = 0.0  # added to what it reads, from the certificate
    settings: Any = None  # the driver module's own

    def __post_init__(self) -> None:
        interval = within("interval_s", self.interval_s, 0.1, DAY_S, "s")
        least_s = 0.1 if interval else self.interval_s
        require(
            identifier("name", self.name, LONGEST_SENSOR_NAME),
            identifier("place", self.place),
            interval,
            within("report_s", self.report_s, least_s, DAY_S, "s (no more often than it is read)"),
            None if self.calibrated_on is None else _date_fault("calibrated_on", self.calibrated_on),
            within("correction_c", self.correction_c, -5, 5, "°C: a sensor that is wrong by more is broken"),
        )


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """What a person sees, hears and presses. Pins are BCM numbers; without any the agent warns by MQTT alone."""

    identify_led_pin: int | None = None  # a light for `identify` alone; left out: the panel's light does it
    led_pin: int | None = None  # a light of one colour
    red_pin: int | None = None  # a light of three colours
    green_pin: int | None = None
    blue_pin: int | None = None
    light_active_low: bool = False  # it lights when its pin is low: common anode
    buzzer_pin: int | None = None
    buzzer_hz: float | None = None  # of a passive buzzer, whose tone is made for it; left out: an active one
    buzzer_active_low: bool = False  # of an active one
    button_pin: int | None = None  # from the pin to ground
    number: int | None = None  # what a very long press blinks; left out: the digits at the end of node.name

    def __post_init__(self) -> None:
        require(
            *(within(key, pin, 0, 27, "(a BCM number)") for key, pin in self.pins()),
            *(self._missing(key) for key in ("red_pin", "green_pin", "blue_pin")),
            *self._twice(),
            within("buzzer_hz", self.buzzer_hz, 100, 5000, "Hz"),
            SettingFault("buzzer_pin", None, "a BCM number where buzzer_hz is given")
            if self.buzzer_hz is not None and self.buzzer_pin is None
            else None,
            within("number", self.number, 1, 9999),
        )

    def pins(self) -> Iterator[tuple[str, int]]:
        """Those that are given, by their keys."""
        for field_ in fields(self):
            pin = getattr(self, field_.name)
            if field_.name.endswith("_pin") and pin is not None:
                yield field_.name, pin

    def _missing(self, key: str) -> SettingFault | None:
        given = [pin for pin in (self.red_pin, self.green_pin, self.blue_pin) if pin is not None]
        if not given or getattr(self, key) is not None:
            return None
        return SettingFault(key, None, "a BCM number: red_pin, green_pin and blue_pin are given together")

    def _twice(self) -> Iterator[SettingFault]:
        seen: dict[int, str] = {}
        for key, pin in self.pins():
            if pin in seen:
                yield SettingFault(key, pin, f"another: GPIO{pin} is {seen[pin]} already")
            seen.setdefault(pin, key)


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: str = "info"

    def __post_init__(self) -> None:
        require(one_of("level", self.level, ("debug", "info", "warning", "error")))


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration without a fault."""

    node: NodeSettings
    board: BoardSettings
    sensors: tuple[SensorSettings, ...]
    shelves: tuple[ShelfSettings, ...] = ()
    products: tuple[Product, ...] = ()
    places: tuple[PlaceSettings, ...] = ()
    food: FoodSettings = field(default_factory=FoodSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    panel: PanelSettings = field(default_factory=PanelSettings)
    commands: CommandSettings = field(default_factory=CommandSettings)
    log: LogSettings = field(default_factory=LogSettings)
    shop: ShopSettings = field(default_factory=ShopSettings)
    demand: DemandSettings = field(default_factory=DemandSettings)
    models: ModelSettings = field(default_factory=ModelSettings)


def _date_fault(key: str, text: str) -> SettingFault | None:
    """
    >>> _date_fault("calibrated_on", "2026-05-04") is None, _date_fault("calibrated_on", "4.5.2026").right
    (True, 'a day such as "2026-05-04"')
    """
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        with suppress(ValueError):
            date.fromisoformat(text)
            return None
    return SettingFault(key, text, 'a day such as "2026-05-04"')
