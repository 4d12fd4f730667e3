"""What survives from one cycle to the next, and the part of it that survives a power cut."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.reading import Quality, Reading
from edge_agent.domain.stock import StockState
from edge_agent.weighing.scale import ScaleState, Trail


@dataclass(frozen=True, slots=True)
class Reported:
    """The last telemetry of a point."""

    mono_ms: int
    qualities: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    # Kept with the readings they came from:
    scales: Mapping[str, ScaleState] = field(default_factory=dict)  # by shelf
    alarms: Mapping[str, Alarm] = field(default_factory=dict)  # by name; those that ever were raised
    # Built anew after a start, within seconds:
    sensors: Mapping[str, SensorHealth] = field(default_factory=dict)  # by point
    counts: Mapping[str, Reading] = field(default_factory=dict)  # newest of each load cell, by sensor
    trails: Mapping[str, Trail] = field(default_factory=dict)  # by shelf
    reported: Mapping[str, Reported] = field(default_factory=dict)  # by point
    stocks: Mapping[str, StockState] = field(default_factory=dict)  # as last told, by shelf


def to_rows(memory: Memory) -> dict[str, bytes]:
    """The lasting part as rows for the store: one per shelf and per alarm.

    >>> to_rows(Memory(scales={"shelf-1": ScaleState(tare_g=350.0)}))
    {'scale/shelf-1': b'{"tare_g":350.0,"zero_g":0.0,"units":null,"units_net_g":null}'}
    """
    rows = {f"scale/{shelf}": _json(asdict(state)) for shelf, state in memory.scales.items()}
    return rows | {f"alarm/{name}": _json(asdict(alarm)) for name, alarm in memory.alarms.items()}


def from_rows(rows: Mapping[str, bytes]) -> Memory:
    """The memory that ``to_rows`` wrote. Raises ValueError naming the row that cannot be read."""
    scales: dict[str, ScaleState] = {}
    alarms: dict[str, Alarm] = {}
    for key, value in rows.items():
        kind, _, name = key.partition("/")
        try:
            if kind == "scale":
                scales[name] = ScaleState(**json.loads(value))
            elif kind == "alarm":
                alarms[name] = _alarm(json.loads(value))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"memory row {key!r} holds {value[:80]!r}: {error}") from error
    return Memory(scales=scales, alarms=alarms)


def changed_rows(before: Memory, after: Memory) -> dict[str, bytes]:
    """Only what this cycle changed, so that a quiet cycle writes nothing."""
    changed = Memory(
        scales={k: v for k, v in after.scales.items() if before.scales.get(k) != v},
        alarms={k: v for k, v in after.alarms.items() if before.alarms.get(k) != v},
    )
    return to_rows(changed)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _alarm(row: dict[str, Any]) -> Alarm:
    for key in ("at", "since"):
        row[key] = Instant(**(row[key] | {"clock": ClockState(row[key]["clock"])}))
    return Alarm(**(row | {"priority": Priority(row["priority"]), "state": AlarmState(row["state"])}))
