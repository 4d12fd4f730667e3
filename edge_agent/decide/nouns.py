"""What a cycle gets and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.settings import FoodSettings, PlaceSettings
from edge_agent.decide.authority import CommandSettings
from edge_agent.decide.memory import Memory
from edge_agent.decide.models import ChangeModel
from edge_agent.domain.alarm import AlarmTransition
from edge_agent.domain.annunciation import Annunciation, Press
from edge_agent.domain.command import Command, CommandResult
from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot, Unsold
from edge_agent.domain.message import Stream
from edge_agent.domain.product import Product
from edge_agent.domain.reading import Sample
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.domain.stock import StockEvent, StockState
from edge_agent.lots.keeping import Lives
from edge_agent.weighing.calibration import Calibration
from edge_agent.weighing.settings import ShelfSettings


@dataclass(frozen=True, slots=True)
class SensorPlan:
    interval_s: float | None  # None: a recording says when
    report_s: float  # telemetry at most this often; a change of quality at once
    # For the record, and to put a thermometer right:
    place: str = ""
    driver: str = ""
    correction_c: float = 0.0
    calibrated_on: str | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of the configuration that deciding needs."""

    sensors: Mapping[str, SensorPlan]  # by point
    shelves: Sequence[ShelfSettings] = ()
    products: Mapping[str, Product] = field(default_factory=dict)  # by GTIN
    places: Sequence[PlaceSettings] = ()
    food: FoodSettings = FoodSettings()  # noqa: RUF009 (frozen)
    alarms: AlarmSettings = AlarmSettings()  # noqa: RUF009 (frozen)
    commands: CommandSettings = CommandSettings()  # noqa: RUF009 (frozen)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that came in since the last cycle."""

    at: Instant
    samples: Sequence[Sample] = ()  # in order of time for each point
    commands: Sequence[Command] = ()  # in order of arrival
    conditions: Sequence[Condition] = ()  # facts about the agent itself: disk, broker, clock
    presses: Sequence[Press] = ()  # of the panel's button, in order
    lives: Lives | None = None  # of the lots, where a thought about them has come out


@dataclass(frozen=True, slots=True)
class Identify:
    command: Command
    seconds: float


@dataclass(frozen=True, slots=True)
class Reload:
    command: Command


@dataclass(frozen=True, slots=True)
class Resend:
    command: Command
    stream: Stream
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A shelf's new calibration, to be kept and used from the next cycle on."""

    command: Command
    shelf: str
    who: str
    calibration: Calibration
    message: str  # the answer, once it is kept
    detail: Mapping[str, object]
    temperature_c: float | None = None  # beside the cells


# What only the world can do; the service answers these commands.
Request = Identify | Reload | Resend | Calibrated | ChangeModel


@dataclass(frozen=True, slots=True)
class Decision:
    memory: Memory
    samples: Sequence[Sample]  # to be kept and told
    stocks: Sequence[StockState]
    events: Sequence[StockEvent]
    transitions: Sequence[AlarmTransition]
    results: Sequence[CommandResult]
    requests: Sequence[Request]
    records: Sequence[RecordLine] = ()  # for the inspector
    annunciation: Annunciation = Annunciation()  # noqa: RUF009 (frozen)
    lives: Sequence[tuple[Lot, RemainingLife]] = ()  # to be told
    closed: Sequence[Lot] = ()  # lots that came to their end
    unsold: Sequence[Unsold] = ()  # of what was taken from shelves, now or before

    @property
    def is_critical(self) -> bool:
        """True when a person or the ledger depends on it: committed at once, not with the next batch."""
        is_urgent = any(line.kind is not RecordKind.INTERVAL for line in self.records)  # these ride with the batch
        return bool(self.events or self.transitions or self.results or is_urgent)
