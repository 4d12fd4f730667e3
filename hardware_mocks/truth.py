"""What really happened in the simulated storeroom: for judging what the agent made of its sensors."""

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Movement:
    """Something done to a shelf. Kinds: start (what lay there), pick, restock, move (one each end), touch."""

    at_s: float  # since the world began
    shelf: str
    kind: str
    product: str | None = None  # None for a touch
    pieces: int = 0  # negative when they leave
    grams: float = 0.0
    for_s: float = 0.0  # how long a hand was on the shelf


@dataclass(frozen=True, slots=True)
class DoorOpening:
    at_s: float
    room: str
    until_s: float


@dataclass(frozen=True, slots=True)
class Defrost:
    at_s: float
    room: str
    until_s: float


@dataclass(frozen=True, slots=True)
class Loading:
    """Goods carried in, warmer than the room."""

    at_s: float
    room: str
    until_s: float
    kilograms: float
    temperature_c: float


@dataclass(frozen=True, slots=True)
class HotSpell:
    at_s: float
    until_s: float
    warmer_k: float


@dataclass(frozen=True, slots=True)
class PlantedFault:
    at_s: float
    kind: str
    until_s: float
    sensor: str | None = None
    room: str | None = None


Event = Movement | DoorOpening | Defrost | Loading | HotSpell | PlantedFault


class Truth:
    """All events in the order in which they began; each also goes to ``path`` as one JSON object a line (null: never).

    The file is opened with the first event and every line is flushed: it can be read while the world goes on.
    """

    def __init__(self, began_wall_s: float, path: Path | None = None) -> None:
        self.began_wall_s = began_wall_s
        self._events: list[Event] = []
        self._path = path
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
            if self._path is not None:
                if self._file is None:
                    self._file = open(self._path, "w", encoding="utf-8")  # noqa: SIM115 (kept until close)
                self._file.write(self.as_line(event) + "\n")
                self._file.flush()

    def as_line(self, event: Event) -> str:
        at = datetime.fromtimestamp(self.began_wall_s + event.at_s, UTC).isoformat(timespec="milliseconds")
        said = {key: None if value == math.inf else value for key, value in asdict(event).items()}
        return json.dumps({"what": type(event).__name__, "at": at.replace("+00:00", "Z"), **said})

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events())

    def events(self) -> tuple[Event, ...]:
        with self._lock:
            return tuple(self._events)

    def movements(
        self, shelf: str | None = None, kind: str | None = None, from_s: float = 0.0, to_s: float = float("inf")
    ) -> list[Movement]:
        return [
            event
            for event in self.events()
            if isinstance(event, Movement)
            and shelf in (None, event.shelf)
            and kind in (None, event.kind)
            and from_s <= event.at_s <= to_s
        ]

    def openings(self, room: str | None = None) -> list[DoorOpening]:
        return [event for event in self.events() if isinstance(event, DoorOpening) and room in (None, event.room)]

    def defrosts(self, room: str | None = None) -> list[Defrost]:
        return [event for event in self.events() if isinstance(event, Defrost) and room in (None, event.room)]

    def load_g(self, shelf: str, at_s: float = float("inf")) -> float:
        """What lies on the shelf at that time."""
        return sum(movement.grams for movement in self.movements(shelf, to_s=at_s))

    def pieces(self, shelf: str, at_s: float = float("inf")) -> int:
        return sum(movement.pieces for movement in self.movements(shelf, to_s=at_s))

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
                self._path = None
