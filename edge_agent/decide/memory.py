"""What survives from one cycle to the next, and the part of it that survives a power cut."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.machinery import Learnt
from edge_agent.alerts.place import Lasting, PlaceState
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.alerts.trial import Trial
from edge_agent.decide.moves import Picks
from edge_agent.decide.restore import plain, restored
from edge_agent.domain.alarm import Alarm, AlarmState
from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot
from edge_agent.domain.reading import Quality
from edge_agent.domain.stock import StockState
from edge_agent.lots.air import Air, AirStep
from edge_agent.lots.keeping import Keeping, Told
from edge_agent.lots.register import Register, ShelfBook
from edge_agent.weighing.belief import Pieces
from edge_agent.weighing.calibration import Session
from edge_agent.weighing.cells import CellTrace
from edge_agent.weighing.nouns import Present
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.trace import Trace

# A row's key: one of these and a name.
SCALE, PIECES, ALARM, PLACE, LEARNT = "scale/", "pieces/", "alarm/", "place/", "learnt/"
LIMITS = "limits/"
LOT, BOOK, KEEPING, AIR = "lot/", "book/", "keeping/", "air/"
LEARNT_LIVES, OUTCOMES = "learnt-lives", "outcomes"
LOT_KINDS = ("lot", "book", "keeping")  # of rows, for who reads nothing else
_RETIRED = ("units", "units_net_g")


@dataclass(frozen=True, slots=True)
class Reported:
    """The last telemetry of a point."""

    mono_ms: int
    qualities: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    # Lasts, as rows:
    scales: Mapping[str, ScaleState] = field(default_factory=dict)  # by shelf
    alarms: Mapping[str, Alarm] = field(default_factory=dict)  # by name; those that ever were raised
    places: Mapping[str, PlaceState] = field(default_factory=dict)  # by name; of each the part `kept`
    learnt: Mapping[str, Learnt] = field(default_factory=dict)  # by place: what is usual of its machines
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by place: what was set of it, by key
    register: Register = Register()  # noqa: RUF009 (frozen): a row a lot, a row a shelf
    keepings: Mapping[str, Keeping] = field(default_factory=dict)  # by lot
    airs: Mapping[str, Air] = field(default_factory=dict)  # by place, where lots lie; of each the part `kept`
    learnt_lives: str = ""  # what outcomes taught of suppliers and products, JSON
    outcomes: tuple[Told, ...] = ()  # that wait to be learnt from
    # Built anew after a start, within seconds:
    started: Instant | None = None  # of the first cycle
    conditions: Mapping[str, Condition] = field(default_factory=dict)  # of the last cycle, by the alarm's name
    sensors: Mapping[str, SensorHealth] = field(default_factory=dict)  # by point
    cells: Mapping[str, CellTrace] = field(default_factory=dict)  # by shelf: the newest of each of its load cells
    traces: Mapping[str, Trace] = field(default_factory=dict)  # by shelf: its last weights, what moves there now
    presents: Mapping[str, Present] = field(default_factory=dict)  # by shelf
    picks: Picks = ()  # lately, and not yet put down on another shelf
    calibrating: Mapping[str, Session] = field(default_factory=dict)  # by shelf
    reported: Mapping[str, Reported] = field(default_factory=dict)  # by point
    stocks: Mapping[str, StockState] = field(default_factory=dict)  # as last told, by shelf
    trial: Trial | None = None  # the last test alarm
    is_dated: bool = False  # the clock was set, and what lots hold of this boot has its wall time


def to_rows(memory: Memory) -> dict[str, bytes]:
    """The lasting part as rows for the store: two per shelf, two per place, one per alarm.

    What is believed of the pieces is long and changes with an event only; the scale's own row is short.

    >>> to_rows(Memory(scales={"shelf-1": ScaleState(tare_g=350.0)}))
    {'scale/shelf-1': b'{"tare_g":350.0}', 'pieces/shelf-1': b'{}'}
    """
    rows: dict[str, bytes] = {}
    for shelf, state in memory.scales.items():
        rows[SCALE + shelf] = _json(_without_pieces(state))
        rows[PIECES + shelf] = _json(plain(state.pieces))
    rows |= {PLACE + name: _json(plain(state.kept)) for name, state in memory.places.items()}
    rows |= {LEARNT + name: _json(plain(learnt)) for name, learnt in memory.learnt.items()}
    rows |= {LIMITS + name: _json(limits) for name, limits in memory.limits.items()}
    rows |= _lot_rows(memory)
    return rows | {ALARM + name: _json(asdict(alarm)) for name, alarm in memory.alarms.items()}


def _lot_rows(memory: Memory) -> dict[str, bytes]:
    rows = {LOT + name: _json(plain(lot)) for name, lot in memory.register.lots.items()}
    rows |= {BOOK + name: _json(plain(book)) for name, book in memory.register.books.items()}
    rows |= {KEEPING + name: _json(plain(keeping)) for name, keeping in memory.keepings.items()}
    rows |= {AIR + name: _json(plain(air.kept)) for name, air in memory.airs.items() if air.kept}
    rows |= {LEARNT_LIVES: memory.learnt_lives.encode()} if memory.learnt_lives else {}
    return rows | ({OUTCOMES: _json(plain(memory.outcomes))} if memory.outcomes else {})


def from_rows(rows: Mapping[str, bytes]) -> Memory:
    """The memory that ``to_rows`` wrote, or an earlier version. Raises ValueError naming the row that cannot be read.

    Pieces without their scale's row are left out: nobody knows what lay there with them.
    """
    found: dict[str, dict[str, Any]] = {kind: {} for kind in _READ}
    for key, value in rows.items():
        kind, _, name = key.partition("/")
        if kind not in _READ:
            continue
        try:
            found[kind][name] = _READ[kind](json.loads(value))
        except (ValueError, TypeError) as error:
            raise ValueError(f"memory row {key!r} holds {value[:80]!r}: {error}") from error
    scales, pieces = found["scale"], found["pieces"]
    for shelf in scales.keys() & pieces.keys():
        scales[shelf] = replace(scales[shelf], pieces=pieces[shelf])
    return Memory(
        scales=scales,
        alarms=found["alarm"],
        places=found["place"],
        learnt=found["learnt"],
        limits=found["limits"],
        register=Register(found["lot"], found["book"]),
        keepings=found["keeping"],
        airs=found["air"],
        learnt_lives=found[LEARNT_LIVES].get("", ""),
        outcomes=found[OUTCOMES].get("", ()),
    )


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """For the row alone."""

    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class _Steps:
    """For the row alone."""

    steps: tuple[AirStep, ...]


def _air(row: Any) -> Air:
    steps = restored(_Steps, {"steps": row}).steps
    return Air(steps, steps, steps[-1].until if steps else None)


def _outcomes(row: Any) -> tuple[Told, ...]:
    return restored(_Outcomes, {"told": row}).told


def _place(row: Any) -> PlaceState:
    lasting = restored(Lasting, row)
    return PlaceState(now=lasting, kept=lasting)


def changed_rows(kept: Memory, memory: Memory) -> dict[str, bytes | None]:
    """What differs from what was ``kept``; None: a row to be forgotten."""
    rows: dict[str, bytes | None] = {}
    for shelf, state in memory.scales.items():
        was = kept.scales.get(shelf)
        if was is None or replace(was, pieces=state.pieces) != state:
            rows[SCALE + shelf] = _json(_without_pieces(state))
        if was is None or was.pieces != state.pieces:
            rows[PIECES + shelf] = _json(plain(state.pieces))
    changed = Memory(
        alarms={name: alarm for name, alarm in memory.alarms.items() if kept.alarms.get(name) != alarm},
        places={name: state for name, state in memory.places.items() if _kept_of(kept, name) != state.kept},
        learnt={name: learnt for name, learnt in memory.learnt.items() if kept.learnt.get(name) != learnt},
        limits={name: limits for name, limits in memory.limits.items() if kept.limits.get(name) != limits},
    )
    return rows | to_rows(changed) | _changed_lots(kept, memory)


def _changed_lots(kept: Memory, memory: Memory) -> dict[str, bytes | None]:
    """Lots are replaced, never changed: what is the same object is the same row."""
    airs = [{name: air.kept for name, air in each.airs.items() if air.kept} for each in (kept, memory)]
    groups: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        (LOT, kept.register.lots, memory.register.lots),
        (BOOK, kept.register.books, memory.register.books),
        (KEEPING, kept.keepings, memory.keepings),
        (AIR, airs[0], airs[1]),
    )
    rows: dict[str, bytes | None] = {}
    for prefix, before, after in groups:
        if before is after:
            continue
        gone = before.keys() - after.keys()
        rows |= {prefix + name: None for name in gone}
        news = ((name, value) for name, value in after.items() if before.get(name) is not value)
        rows |= {prefix + name: _json(plain(value)) for name, value in news if value != before.get(name)}
    if memory.learnt_lives != kept.learnt_lives:
        rows[LEARNT_LIVES] = memory.learnt_lives.encode()
    if memory.outcomes != kept.outcomes:
        rows[OUTCOMES] = _json(plain(memory.outcomes))
    return rows


def _kept_of(memory: Memory, place: str) -> Lasting | None:
    return memory.places[place].kept if place in memory.places else None


def pressing_rows(kept: Memory, memory: Memory, told: Collection[str]) -> dict[str, bytes | None]:
    """Of ``changed_rows`` what must be on the disk with what this cycle tells: ``told`` names shelves with an event.

    A reference that only followed the scale's drift can wait a minute: after a power cut the drift since then is
    allowed for, and five times its uncertainty (60 g/h: 0.5 g a minute) must stay below the lightest piece.
    """
    pressing = {
        shelf: state
        for shelf, state in memory.scales.items()
        if shelf in told or _unfollowed(kept.scales.get(shelf)) != _unfollowed(state)
    }
    return changed_rows(kept, replace(memory, scales=pressing))


def kept_with(kept: Memory, memory: Memory, rows: Iterable[str]) -> Memory:
    """What is kept once ``rows`` of this memory are on the disk."""
    names = [key.partition("/") for key in rows]
    scales = {name: memory.scales[name] for kind, _, name in names if kind in ("scale", "pieces")}
    return replace(
        kept,
        scales={**kept.scales, **scales},
        alarms=memory.alarms,
        places=memory.places,
        learnt=memory.learnt,
        limits=memory.limits,
        register=memory.register,
        keepings=memory.keepings,
        airs=memory.airs,
        learnt_lives=memory.learnt_lives,
        outcomes=memory.outcomes,
    )


def forgotten_rows(rows: Iterable[str], shelves: Collection[str], places: Collection[str] = ()) -> dict[str, None]:
    """Rows of shelves and places that are none of these, to be forgotten.

    >>> forgotten_rows(["scale/old", "pieces/old", "scale/new", "place/old", "alarm/old", "health"], ["new"])
    {'scale/old': None, 'pieces/old': None, 'place/old': None}
    """
    known = {
        **dict.fromkeys((SCALE, PIECES, BOOK), shelves),
        **dict.fromkeys((PLACE, LEARNT, LIMITS, AIR), places),
    }
    split = ((key, *key.partition("/")) for key in rows)
    return {key: None for key, kind, slash, name in split if name not in known.get(kind + slash, (name,))}


def mirrored_rows(before: Memory, after: Memory) -> dict[str, bytes]:
    """What must outlive a lost database, where it changed: tare, zero, what was learnt of a piece, limits set.

    One row a shelf. Not the balance: a new file is a new ledger, and begins with what lies there then.
    """
    limits = {
        LIMITS + place: _json(found) for place, found in after.limits.items() if before.limits.get(place) != found
    }
    return limits | {
        SCALE + shelf: _json(plain(_known(state)))
        for shelf, state in after.scales.items()
        if _known_to(before.scales.get(shelf)) != (state.tare_g, state.zero_g)
    }


def _known_to(state: ScaleState | None) -> tuple[float, float]:
    return (0.0, 0.0) if state is None else (state.tare_g, state.zero_g)


def _known(state: ScaleState) -> ScaleState:
    return ScaleState(tare_g=state.tare_g, zero_g=state.zero_g, pieces=replace(state.pieces, guesses=(), there=None))


def _without_pieces(state: ScaleState) -> object:
    return plain(replace(state, pieces=Pieces()))


def _unfollowed(state: ScaleState | None) -> object:
    """Of a scale what changes with commands, events and faults only."""
    if state is None:
        return None
    is_begun = state.reference_g is not None
    return (is_begun, state.tare_g, state.zero_g, state.pieces, state.away_g, state.fault_since, state.loss_since)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _scale(row: Any) -> ScaleState:
    """Rows of 0.1.0 held a count and the weight it belonged to; the pieces are counted anew from the next weight."""
    if not isinstance(row, dict):
        raise TypeError(f"{row!r} is no ScaleState")
    return restored(ScaleState, {key: value for key, value in row.items() if key not in _RETIRED})


def _limits(row: Any) -> dict[str, float]:
    if not isinstance(row, dict) or not all(isinstance(value, int | float) for value in row.values()):
        raise TypeError(f"{row!r} are no limits")
    return {str(key): float(value) for key, value in row.items()}


def _alarm(row: Any) -> Alarm:
    """Rows of 0.1.0 said by the state alone whether the condition holds."""
    alarm = restored(Alarm, row)
    return alarm if "is_active" in row else replace(alarm, is_active=alarm.state is not AlarmState.NORMAL)


_READ: Mapping[str, Callable[[Any], Any]] = {  # by the row's kind: what comes before the name
    "scale": _scale,
    "pieces": partial(restored, Pieces),
    "alarm": _alarm,
    "place": _place,
    "learnt": partial(restored, Learnt),
    "limits": _limits,
    "lot": partial(restored, Lot),
    "book": partial(restored, ShelfBook),
    "keeping": partial(restored, Keeping),
    "air": _air,
    LEARNT_LIVES: json.dumps,
    OUTCOMES: _outcomes,
}
