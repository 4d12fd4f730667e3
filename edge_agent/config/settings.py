"""What a whole configuration becomes. A part that belongs to one room is defined there; here is what is left."""

from dataclasses import dataclass, field
from typing import Any

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
    settings: Any = None  # the driver module's own

    def __post_init__(self) -> None:
        interval = within("interval_s", self.interval_s, 0.1, DAY_S, "s")
        least_s = 0.1 if interval else self.interval_s
        require(
            identifier("name", self.name, LONGEST_SENSOR_NAME),
            identifier("place", self.place),
            interval,
            within("report_s", self.report_s, least_s, DAY_S, "s (no more often than it is read)"),
        )


@dataclass(frozen=True, slots=True)
class PanelSettings:
    identify_led_pin: int | None = None  # BCM number; the light that blinks on `identify`

    def __post_init__(self) -> None:
        require(within("identify_led_pin", self.identify_led_pin, 0, 27, "(a BCM number)"))


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
    agent: AgentSettings = field(default_factory=AgentSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    panel: PanelSettings = field(default_factory=PanelSettings)
    log: LogSettings = field(default_factory=LogSettings)
