"""The table of drivers: a name for the configuration, and the module behind it.

Each module offers ``Settings`` (a frozen dataclass whose ``__post_init__`` raises SettingsError),
``QUANTITIES`` (what it measures) and ``open_sensor(place, settings, board) -> Sensor``. Vendor libraries are
imported inside ``open_sensor``, so a configuration is checked on any machine. Adding a driver adds one name.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from edge_agent.drivers.seam import Board, Sensor

DRIVERS = (
    "aht20",
    "bme280",
    "contact",
    "dht11",
    "dht22",
    "ds18b20",
    "hx711",
    "nau7802",
    "power",
    "sht3x",
    "sht4x",
)


class DriverModule(Protocol):
    QUANTITIES: Sequence[str]
    Settings: type[Any]

    def open_sensor(self, place: str, settings: Any, board: Board) -> Sensor: ...


def driver(name: str) -> DriverModule:
    """Raises KeyError for a name that is not in the table."""
    if name not in DRIVERS:
        raise KeyError(name)
    return cast(DriverModule, import_module(f"edge_agent.drivers.{name}"))
