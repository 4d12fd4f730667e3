"""What survives from one cycle to the next, and the part of it that survives a power cut."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.decide.moves import Picks
from edge_agent.decide.restore import restored
from edge_agent.domain.alarm import Alarm
from edge_agent.domain.reading import Quality
from edge_agent.domain.stock import StockState
from edge_agent.weighing.calibration import Session
from edge_agent.weighing.cells import CellTrace
from edge_agent.weighing.nouns import Present
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.trace import Trace

_RETIRED = ("units", "units_net_g")


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
    cells: Mapping[str, CellTrace] = field(default_factory=dict)  # by shelf: the newest of each of its load cells
    traces: Mapping[str, Trace] = field(default_factory=dict)  # by shelf: its last weights, what moves there now
    presents: Mapping[str, Present] = field(default_factory=dict)  # by shelf
    picks: Picks = ()  # lately, and not yet put down on another shelf
    calibrating: Mapping[str, Session] = field(default_factory=dict)  # by shelf
    reported: Mapping[str, Reported] = field(default_factory=dict)  # by point
    stocks: Mapping[str, StockState] = field(default_factory=dict)  # as last told, by shelf


def to_rows(memory: Memory) -> dict[str, bytes]:
    """The lasting part as rows for the store: one per shelf and per alarm.

    >>> to_rows(Memory(scales={"shelf-1": ScaleState(tare_g=350.0)}))["scale/shelf-1"][:28]
    b'{"tare_g":350.0,"zero_g":0.0'
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
                scales[name] = _scale(json.loads(value))
            elif kind == "alarm":
                alarms[name] = restored(Alarm, json.loads(value))
        except (ValueError, TypeError) as error:
            raise ValueError(f"memory row {key!r} holds {value[:80]!r}: {error}") from error
    return Memory(scales=scales, alarms=alarms)


def changed_rows(before: Memory, after: Memory) -> dict[str, bytes]:
    """Only what this cycle changed, so that a quiet cycle writes nothing."""
    changed = Memory(
        scales={k: v for k, v in after.scales.items() if before.scales.get(k) != v},
        alarms={k: v for k, v in after.alarms.items() if before.alarms.get(k) != v},
    )
    return to_rows(changed)


def mirrored_rows(before: Memory, after: Memory) -> dict[str, bytes]:
    """What of the scales must outlive a lost database, where it changed: tare, zero, and what was learnt of a piece.

    Not the balance: a new file is a new ledger, and begins with what lies there then.
    """
    return {
        f"scale/{shelf}": _json(asdict(_known(state)))
        for shelf, state in after.scales.items()
        if _known_to(before.scales.get(shelf)) != (state.tare_g, state.zero_g)
    }


def _known_to(state: ScaleState | None) -> tuple[float, float]:
    return (0.0, 0.0) if state is None else (state.tare_g, state.zero_g)


def _known(state: ScaleState) -> ScaleState:
    return ScaleState(tare_g=state.tare_g, zero_g=state.zero_g, pieces=replace(state.pieces, guesses=(), there=None))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _scale(row: Any) -> ScaleState:
    """Rows of 0.1.0 held a count and the weight it belonged to; the pieces are counted anew from the next weight."""
    if not isinstance(row, dict):
        raise TypeError(f"{row!r} is no ScaleState")
    return restored(ScaleState, {key: value for key, value in row.items() if key not in _RETIRED})
