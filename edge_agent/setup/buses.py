"""What is plugged in: every bus of a board, its 1-Wire probes, and what the thermometers say now."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.domain.instant import Instant
from edge_agent.domain.quantity import QUANTITIES
from edge_agent.drivers.errors import BoardError, SensorError
from edge_agent.drivers.seam import Board
from edge_agent.drivers.table import driver
from edge_agent.setup.probe import BusSilent, Found, Spot, scan

HEADER_BUSES = range(10)  # those above are the camera's and the displays'
_PROBE = re.compile(r"28-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Plugged:
    chips: Sequence[Found] = ()
    probes: Sequence[str] = ()  # DS18B20, by their folders
    trouble: Sequence[str] = ()  # what could not be looked at, and what to do
    has_power_flags: bool = False
    values: dict[str, str] = field(default_factory=dict)  # by a chip's key, or a probe: "4.2 °C, 81 %"
    temperatures_c: dict[str, float] = field(default_factory=dict)


def header_buses(dev: Path) -> list[str]:
    """The I2C buses that can have wires on the header; i2c-1 even where it is not there, so that this is told."""
    numbers = [int(node.name[4:]) for node in dev.glob("i2c-[0-9]*") if node.name[4:].isdecimal()]
    return [f"i2c-{number}" for number in sorted({1, *numbers}) if number in HEADER_BUSES]


def look(board: Board, buses: Iterable[str], now: Instant) -> Plugged:
    """Nothing is left changed. Chips that have a value to show are read once, by their own drivers."""
    found = Plugged(probes=probes_of(board), has_power_flags=_has_power_flags(board))
    chips: list[Found] = []
    trouble: list[str] = []
    for bus in buses:
        try:
            chips += scan(board, bus)
        except BusSilent as error:
            trouble.append(str(error))
        except (OSError, BoardError) as error:
            trouble.append(f"{bus}: {getattr(error, 'strerror', None) or error}")
    for chip in chips:
        if chip.driver is not None and chip.driver != "nau7802":
            _read(found, chip.spot.key, chip.driver, board, now, settings_of(chip.driver, chip.spot))
    for probe in found.probes:
        _read(found, probe, "ds18b20", board, now, driver("ds18b20").Settings(device=probe))
    return Plugged(
        tuple(chips), found.probes, tuple(trouble), found.has_power_flags, found.values, found.temperatures_c
    )  # fmt: skip


def settings_of(name: str, spot: Spot) -> object:
    """The driver's settings for a chip that sits there."""
    return driver(name).Settings(
        bus=spot.bus, address=spot.address, mux_address=spot.mux_address, mux_channel=spot.mux_channel
    )  # fmt: skip


def probes_of(board: Board) -> tuple[str, ...]:
    """Thermometers on the 1-Wire bus; none where there is no such bus."""
    try:
        return tuple(sorted(folder.name for folder in board.one_wire().iterdir() if _PROBE.fullmatch(folder.name)))
    except OSError:
        return ()


def _has_power_flags(board: Board) -> bool:
    try:
        board.power_flags()
    except OSError:
        return False
    return True


def _read(found: Plugged, key: str, name: str, board: Board, now: Instant, settings: object) -> None:
    """The value is for a person who wonders which of two chips this is; a chip without one is asked for too."""
    sensor = driver(name).open_sensor("setup", settings, board)
    try:
        readings = sensor.read(now)
    except (SensorError, OSError):
        return
    finally:
        sensor.close()
    told = []
    for reading in readings:
        if reading.value is not None:
            told.append(f"{reading.value:.1f} {QUANTITIES[reading.channel.quantity].unit.replace('Cel', '°C')}")
            if reading.channel.quantity == "temperature":
                found.temperatures_c[key] = reading.value
    found.values[key] = ", ".join(told)
