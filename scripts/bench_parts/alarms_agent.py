"""The agent's decisions in a simulated storeroom, staff who look after its alarms, and a witness of the world."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench_parts.alarms_judge import Fault, Raised, Trace
from bench_parts.alarms_world import DAY_S, OPEN_H, ZONES
from bench_parts.decisions import decisions
from edge_agent.config import load
from edge_agent.decide import Decision
from edge_agent.domain.alarm import Alarm, AlarmState, Change
from edge_agent.domain.command import Command, Verb
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind
from edge_agent.service.build import open_board
from hardware_mocks.rooms import DRIP_S, Room
from hardware_mocks.simulated_board import SimulatedBoard
from hardware_mocks.truth import PlantedFault

CYCLE_S = 30.0
CYCLES_A_DAY = round(DAY_S / CYCLE_S)
LOOK_S = 1800.0  # from one look of the staff at the alarms to the next
ZONE_OF = {name: zone.name for zone in ZONES for name in (*zone.sensors, zone.contact or "")}


@dataclass(slots=True)
class Heard:
    """What came of a run: the world as it was, and what the agent said of it."""

    traces: Mapping[str, Trace] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    defrosts: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)  # by zone
    raised: list[Raised] = field(default_factory=list)
    recognised: dict[str, list[float]] = field(default_factory=dict)  # defrosts, by zone: when the record had them
    transitions: int = 0
    cycles: int = 0


def joined(parts: Sequence[Heard]) -> Heard:
    """Of zones that were watched side by side."""
    return Heard(
        {name: trace for part in parts for name, trace in part.traces.items()},
        [fault for part in parts for fault in part.faults],
        {name: defrosts for part in parts for name, defrosts in part.defrosts.items()},
        sorted((alarm for part in parts for alarm in part.raised), key=lambda alarm: alarm.at_s),
        {name: at_s for part in parts for name, at_s in part.recognised.items()},
        sum(part.transitions for part in parts),
        sum(part.cycles for part in parts),
    )


class Staff:
    """Acknowledge alarms while the shop is open, and say what was done."""

    def __init__(self) -> None:
        self.alarms: dict[str, Alarm] = {}
        self._looked_ms = 0
        self._asked = 0

    def look(self, now: Instant) -> list[Command]:
        if now.mono_ms - self._looked_ms < 1000 * LOOK_S or not OPEN_H[0] <= now.utc.hour < OPEN_H[1]:
            return []
        self._looked_ms = now.mono_ms
        asked = [self._ask(Verb.ACKNOWLEDGE, name, now) for name, alarm in self.alarms.items() if _is_unseen(alarm)]
        asked += [self._ask(Verb.CORRECT, name, now) for name, alarm in self.alarms.items() if _wants_words(alarm)]
        return asked

    def _ask(self, verb: Verb, alarm: str, now: Instant) -> Command:
        self._asked += 1
        words = {"alarm": alarm, "action": "looked after", "who": "ann"}
        return Command(f"staff-{self._asked}", verb, words, "cli", now)


def _is_unseen(alarm: Alarm) -> bool:
    return alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)


def _wants_words(alarm: Alarm) -> bool:
    return alarm.state is AlarmState.ACKNOWLEDGED and not alarm.is_active and alarm.asks_correction


class Witness:
    """Writes down each room at each cycle."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in board.storeroom.rooms}

    def look(self, at_s: float) -> None:
        for name, room in self._board.storeroom.rooms.items():
            air_c, humidity_pct = self._board.storeroom.air(name, at_s)
            self._rows[name].append(
                (
                    at_s,
                    air_c,
                    room.goods_c,
                    humidity_pct,
                    room.is_open(at_s),
                    room.is_cooling,
                    _calls(room, at_s),
                    room.is_defrosting(at_s),
                )
            )

    def traces(self) -> dict[str, Trace]:
        return {name: _trace(rows) for name, rows in self._rows.items()}


def _calls(room: Room, at_s: float) -> bool:
    is_waiting = room.defrost_from_s <= at_s < room.defrost_until_s + DRIP_S
    return not is_waiting and room.temperature_c > room.setpoint_c + room.half_differential_k


def _trace(rows: Sequence[tuple[float, ...]]) -> Trace:
    at_s, air_c, goods_c, humidity_pct, *flags = np.array(rows).T
    return Trace(at_s, air_c, goods_c, humidity_pct, *(flag > 0 for flag in flags))


def run(config: Path, days: float, progress: Callable[[float], None]) -> Heard:
    """Raises what the agent raises."""
    settings = load(config)
    board = open_board(settings)
    assert isinstance(board, SimulatedBoard)
    heard, witness, staff = Heard(), Witness(board), Staff()
    for decision, now in decisions(settings, board, CYCLE_S, staff.look):
        at_s = board.world_s(now.mono_ms / 1000)
        witness.look(at_s)
        _listen(heard, decision, at_s, staff)
        heard.cycles += 1
        if heard.cycles % CYCLES_A_DAY == 0:
            progress(at_s)
        if at_s >= days * DAY_S:
            break
    heard.traces = witness.traces()
    heard.faults = [_fault(event) for event in board.truth if isinstance(event, PlantedFault)]
    heard.defrosts = {name: _defrosts(board, name) for name in heard.traces}
    return heard


def _defrosts(board: SimulatedBoard, zone: str) -> list[tuple[float, float]]:
    return [(event.at_s, event.until_s) for event in board.truth.defrosts(zone)]


def _fault(event: PlantedFault) -> Fault:
    zone = event.room or ZONE_OF[event.sensor or ""]
    return Fault(event.kind, zone, event.at_s, event.until_s, event.sensor)


def _listen(heard: Heard, decision: Decision, at_s: float, staff: Staff) -> None:
    for transition in decision.transitions:
        heard.transitions += 1
        alarm = transition.alarm
        staff.alarms[alarm.name] = alarm
        if transition.change is Change.RAISED:
            heard.raised.append(raised(alarm, at_s))
    for line in decision.records:
        if line.kind is RecordKind.DEFROST:
            heard.recognised.setdefault(line.place, []).append(at_s)


def raised(alarm: Alarm, at_s: float) -> Raised:
    """
    >>> from edge_agent.domain.alarm import Priority
    >>> now = Instant(0, 0, "boot")
    >>> raised(Alarm("freezer-door", Priority.LOW, AlarmState.UNACKNOWLEDGED, now, now, "", ""), 5.0).what
    'door'
    """
    for prefix in ("sensor-", "doubt-"):
        sensor = alarm.name.removeprefix(prefix)
        if alarm.name.startswith(prefix) and sensor in ZONE_OF:
            return Raised(at_s, alarm.name, ZONE_OF[sensor], prefix[:-1], sensor, message=alarm.message)
    zone = next((zone.name for zone in ZONES if alarm.name.startswith(zone.name + "-")), "")
    what = alarm.name.removeprefix(zone + "-") if zone else alarm.name
    return Raised(at_s, alarm.name, zone, what, None, alarm.limit, alarm.dwell_s, alarm.message)
