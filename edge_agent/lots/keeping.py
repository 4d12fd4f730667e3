"""How a lot keeps: what it has been through, as far as it was reckoned, and what is left of its life."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.domain.instant import Instant
from edge_agent.domain.shelf_life import RemainingLife


@dataclass(frozen=True, slots=True)
class Rival:
    """What two models said of a lot at one moment, days at ``domain.shelf_life.LEVELS``: until its end judges them."""

    at: Instant
    new: tuple[float, ...]
    old: tuple[float, ...]
    versions: tuple[str, str]  # of the new one and of the one in use


@dataclass(frozen=True, slots=True)
class Keeping:
    """``condition`` as ``spoilage.condition`` writes it, JSON; "": no thermometer knows what it lay in."""

    upto: Instant  # reckoned so far
    condition: str = ""
    life: RemainingLife | None = None
    weighed_from: Instant | None = None  # since then its scale's weights wait to be learnt from
    rivals: tuple[Rival, ...] = ()  # while a new model runs in shadow


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a lot or a part of it, waiting to be learnt from."""

    lot: str
    product: str
    supplier: str
    kind: str  # "sold", "marked-down", "wasted"
    used: float  # share of its life by the last estimate
    reason: str = ""
    at: Instant | None = None  # when it was told
    received: Instant | None = None  # the lot


@dataclass(frozen=True, slots=True)
class Lives:
    """What a thought about all lots came to."""

    at: Instant
    keepings: Mapping[str, Keeping]  # by lot
    learnt: str = ""  # what outcomes taught, JSON
    outcomes: int = 0  # how many of those that waited are in it
    notes: tuple[str, ...] = ()  # for the log: a supplier's goods that no longer keep as they did
