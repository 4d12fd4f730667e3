"""What is connected, where, its last good values, and how often it fails.

Reads the agent's files: history for the values, the agent's last health message for the error ratios. A sensor is at
fault when its alarm stands, or when it has given no good value for more than three of its intervals; then the exit
code is 1.

  edge-agent sensors --config /etc/edge-agent/edge-agent.toml
  edge-agent sensors --json | jq 'select(.at_fault)'
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    alarms_in,
    archive,
    console,
    duration,
    health_in,
    machine_now,
    print_json,
    settings,
    state_directory,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.table import shown_value
from edge_agent.config.settings import SensorSettings
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Reading
from edge_agent.drivers.table import driver
from edge_agent.storage.archive import Archive

INTERVALS = 3  # without a good value, and it is at fault
LOOK_BACK_S = (3_600.0, 86_400.0, 30 * 86_400.0)  # further each time, until there is a good value


@dataclass(frozen=True, slots=True)
class Seen:
    """One sensor as it stands; ``ages`` count from ``now``, the present of the agent."""

    sensor: SensorSettings
    last: Sequence[Reading]  # of each channel that ever had one, whatever its quality
    good: Sequence[Reading]  # the last usable one of each
    error_ratio: float | None  # since the agent's start
    is_at_fault: bool
    now: Instant

    @property
    def fault(self) -> str | None:
        return next((reading.fault for reading in self.last if reading.fault), None)

    @property
    def quality(self) -> Quality | None:
        return max((reading.quality for reading in self.last), key=list(Quality).index, default=None)


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    with archive(state_directory(chosen, args.state)) as found:
        memory = found.memory()
        health = health_in(memory)
        if health is None:
            raise CliError(Exit.NO_AGENT, "the agent has not said anything yet; is it running?")
        machine = machine_now()
        now = machine if health.is_alive(machine) else health.at
        alarms = {alarm.name for alarm in alarms_in(memory)}
        known = set(found.channels())
        ratios = {name: point["good_ratio"] for name, point in health.told["points"].items()}
        seen = [
            _look(found, sensor, known, ratios.get(sensor.name), alarms, now, chosen.storage.batch_s)
            for sensor in chosen.sensors
        ]
    if args.json:
        for sensor in seen:
            print_json(_json(sensor))
    else:
        console().print(_drawn(seen))
    return Exit.FAULT if any(sensor.is_at_fault for sensor in seen) else Exit.OK


def _look(
    found: Archive,
    sensor: SensorSettings,
    known: set[str],
    good_ratio: float | None,
    alarms: set[str],
    now: Instant,
    batch_s: float,
) -> Seen:
    patience_s = INTERVALS * max(sensor.interval_s, sensor.report_s) + 2 * batch_s
    last, good = [], []
    for quantity in driver(sensor.driver).QUANTITIES:
        channel = f"{sensor.place}/{quantity}"
        if channel in known:
            newest, usable = last_two(found, channel, now, patience_s)
            last += [newest] if newest else []
            good += [usable] if usable else []
    is_silent = not good or min(age_s(reading, now) for reading in good) > patience_s
    return Seen(
        sensor,
        last,
        good,
        None if good_ratio is None else 1 - good_ratio,
        f"sensor-{sensor.name}"[:32] in alarms or is_silent,
        now,
    )


def last_two(found: Archive, channel: str, now: Instant, near_s: float) -> tuple[Reading | None, Reading | None]:
    """The newest reading and the newest usable one; None where there is none in the last month."""
    newest = usable = None
    for back_s in (near_s, *LOOK_BACK_S):
        for reading in found.history(channel, since=now.utc - timedelta(seconds=back_s)):
            newest = reading
            if reading.value is not None:
                usable = reading
        if usable is not None:
            break
    return newest, usable


def age_s(reading: Reading, now: Instant) -> float:
    """By the monotonic clock within a boot, by the wall clock across boots."""
    seconds = reading.at.age_s(now) if reading.at.boot == now.boot else (now.wall_ms - reading.at.wall_ms) / 1000
    return max(0.0, seconds)


def where(device: Any) -> str:
    """Where a driver's settings say that the chip is, as one would look for it on the board."""
    address, mux = getattr(device, "address", None), getattr(device, "mux_address", None)
    pins = [getattr(device, name) for name in ("pin", "data_pin", "clock_pin") if hasattr(device, name)]
    if address is not None:
        behind = "" if mux is None else f" 0x{mux:02x}/{device.mux_channel}"
        return f"{device.bus}{behind} 0x{address:02x}"
    if pins:
        return " ".join(f"GPIO{pin}" for pin in pins)
    return getattr(device, "device", None) or "board"


def _json(seen: Seen) -> dict[str, Any]:
    return {
        "sensor": seen.sensor.name,
        "driver": seen.sensor.driver,
        "place": seen.sensor.place,
        "where": where(seen.sensor.settings),
        "quality": seen.quality.value if seen.quality else None,
        "fault": seen.fault,
        "error_ratio": None if seen.error_ratio is None else round(seen.error_ratio, 4),
        "at_fault": seen.is_at_fault,
        "good": [
            {
                "channel": reading.channel.name,
                "value": reading.value,
                "unit": reading.channel.unit,
                "at": reading.at.rfc3339(),
                "age_s": round(age_s(reading, seen.now), 1),
            }
            for reading in seen.good
        ],
    }


def _drawn(sensors: Sequence[Seen]) -> Table:
    table = Table("sensor", "driver", "where", "last good", "ago", "errors", "quality", "fault")
    for seen in sensors:
        oldest_s = max((age_s(reading, seen.now) for reading in seen.good), default=None)
        table.add_row(
            seen.sensor.name,
            seen.sensor.driver,
            where(seen.sensor.settings),
            "  ".join(map(shown_value, seen.good)) or "nothing in a month",
            duration(oldest_s),
            "-" if seen.error_ratio is None else f"{100 * seen.error_ratio:.1f} %",
            seen.quality.value if seen.quality else "-",
            Text(seen.fault or ("silent" if seen.is_at_fault else ""), style="bold red" if seen.is_at_fault else ""),
        )
    return table
