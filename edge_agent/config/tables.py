"""The tables of a document, each read by itself: what is right so far, and what is not."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any, TypeVar

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.settings import BY_KIND, FoodSettings, Kind, PlaceSettings
from edge_agent.config.faults import Found, Path, unknown_key, unknown_name
from edge_agent.config.settings import (
    DEFAULT_INTERVAL_S,
    AgentSettings,
    BoardSettings,
    LogSettings,
    NodeSettings,
    PanelSettings,
    SensorSettings,
)
from edge_agent.config.shape import keys_of
from edge_agent.config.shop import DemandSettings, ShopSettings
from edge_agent.config.validate import Validator
from edge_agent.decide.authority import CommandSettings
from edge_agent.decide.models import ModelSettings
from edge_agent.domain.product import Product
from edge_agent.drivers.table import DRIVERS, DriverModule, driver
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.storage.settings import StorageSettings
from edge_agent.weighing.settings import ShelfSettings

T = TypeVar("T")
Document = Mapping[str, Any]

BOARDS = "edge_agent.boards"  # the entry-point group
SINGLE: dict[str, type[Any]] = {
    "node": NodeSettings,
    "agent": AgentSettings,
    "storage": StorageSettings,
    "mqtt": MqttSettings,
    "alarms": AlarmSettings,
    "panel": PanelSettings,
    "commands": CommandSettings,
    "log": LogSettings,
    "food": FoodSettings,
    "shop": ShopSettings,
    "demand": DemandSettings,
    "models": ModelSettings,
}
TABLES = (*SINGLE, "board", "sensor", "shelf", "product", "place")
SENSOR_KEYS = ("name", "driver", "place", "interval_s", "report_s", "calibrated_on", "certificate", "correction_c")


@dataclass(frozen=True, slots=True)
class Device:
    """What of a sensor is wired to something: right in itself, even where its name or interval is not."""

    name: str
    driver: str
    settings: Any


@dataclass(slots=True)
class Draft:
    """What could be read of a document. A table with a fault is missing here, and its fault stands in ``found``."""

    single: dict[str, Any] = field(default_factory=dict)
    board: BoardSettings | None = None
    board_module: Any = None  # of a board without a fault
    sensors: dict[Path, SensorSettings] = field(default_factory=dict)
    devices: dict[Path, Device] = field(default_factory=dict)
    shelves: dict[Path, ShelfSettings] = field(default_factory=dict)
    products: dict[Path, Product] = field(default_factory=dict)
    places: dict[Path, PlaceSettings] = field(default_factory=dict)
    modules: dict[str, DriverModule] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)


def read_tables(document: Document) -> Draft:
    draft, validator = Draft(), Validator()
    draft.found += _unknown_tables(document)
    for key, kind in SINGLE.items():
        value, found = validator(kind, document.get(key, {}), (key,))
        draft.single[key] = value
        draft.found += found
    _read_board(document.get("board", {}), validator, draft)
    for path, table in elements(document, "sensor", draft.found):
        _read_sensor(path, table, validator, draft)
    draft.shelves = _read_all(ShelfSettings, document, "shelf", validator, draft)
    draft.products = _read_all(Product, document, "product", validator, draft)
    for path, table in elements(document, "place", draft.found):
        _read_place(path, table, validator, draft)
    return draft


def elements(document: Document, key: str, found: list[Found] | None = None) -> Iterator[tuple[Path, Any]]:
    """The tables of an array of tables; one that is something else is a fault."""
    value = document.get(key, [])
    if isinstance(value, list):
        yield from (((key, index), element) for index, element in enumerate(value))
    elif found is not None:
        found.append(Found((key,), f"must be tables headed [[{key}]]"))


def _read_all(kind: type[T], document: Document, key: str, validator: Validator, draft: Draft) -> dict[Path, T]:
    read: dict[Path, T] = {}
    for path, table in elements(document, key, draft.found):
        value, found = validator(kind, table, path)
        draft.found += found
        if value is not None:
            read[path] = value
    return read


def _unknown_tables(document: Document) -> Iterator[Found]:
    homes = {key: f"[{table}]" for table, kind in SINGLE.items() for key in keys_of(kind)}
    for key in document:
        if key not in TABLES:
            yield unknown_key((key,), TABLES, homes.get(key))


def _read_board(table: Any, validator: Validator, draft: Draft) -> None:
    if not isinstance(table, Mapping):
        draft.found.append(Found(("board",), "must be a table headed [board]"))
        return
    shared = {key: value for key, value in table.items() if key == "kind"}
    board, found = validator(BoardSettings, shared, ("board",))
    draft.found += found
    if board is None:
        return
    known = {point.name: point for point in entry_points(group=BOARDS)}
    if board.kind not in known:
        draft.found.append(unknown_name(("board", "kind"), board.kind, sorted(known), "the name of a board"))
        return
    try:
        module = known[board.kind].load()
    except ImportError as error:
        draft.found.append(Found(("board", "kind"), f"must be a board that is installed here: {error}", board.kind))
        return
    own = {key: value for key, value in table.items() if key != "kind"}
    settings, found = validator(module.Settings, own, ("board",), shared=("kind",))
    draft.found += found
    if not found:
        draft.board, draft.board_module = replace(board, settings=settings), module


def _read_sensor(path: Path, table: Any, validator: Validator, draft: Draft) -> None:
    if not isinstance(table, Mapping):
        draft.found.append(Found(path, "must be a table headed [[sensor]]"))
        return
    shared = {key: table[key] for key in SENSOR_KEYS if key in table}
    inherited = {"place": shared.get("name"), "report_s": shared.get("interval_s", DEFAULT_INTERVAL_S)}
    sensor, found = validator(SensorSettings, inherited | shared, path)
    # A fault of a key that was only inherited is told where it stands.
    draft.found += (fault for fault in found if fault.path[-1] in shared or fault.path[-1] not in inherited)
    module = _driver(path, table.get("driver"), draft)
    if module is None:
        draft.found += _nearly_shared(path, table)
        return
    own = {key: value for key, value in table.items() if key not in SENSOR_KEYS}
    settings, own_found = validator(module.Settings, own, path, shared=SENSOR_KEYS)
    draft.found += own_found
    if own_found:
        return
    draft.devices[path] = Device(str(table.get("name", "")), table["driver"], settings)
    if sensor is not None:
        draft.sensors[path] = replace(sensor, settings=settings)


def _read_place(path: Path, table: Any, validator: Validator, draft: Draft) -> None:
    """With the defaults of its kind; sensors that are not named are those whose `place` it is."""
    if not isinstance(table, Mapping):
        draft.found.append(Found(path, "must be a table headed [[place]]"))
        return
    kind = table.get("kind")
    inherited = BY_KIND[Kind(kind)] if kind in tuple(Kind) else {}
    place, found = validator(PlaceSettings, {**inherited, **table}, path)
    draft.found += (_of_the_kind(fault, inherited, table) for fault in found)
    if place is not None:
        draft.places[path] = replace(place, sensors=place.sensors or _sensors_there(place, draft))


def _of_the_kind(fault: Found, inherited: Mapping[str, object], table: Mapping[str, Any]) -> Found:
    key = str(fault.path[-1])
    return replace(fault, is_default=True) if key in inherited and key not in table else fault


def _sensors_there(place: PlaceSettings, draft: Draft) -> tuple[str, ...]:
    """What is in its air and not between its goods."""
    return tuple(
        sensor.name
        for sensor in draft.sensors.values()
        if sensor.place == place.name
        and sensor.name not in place.core
        and not {"temperature", "humidity"}.isdisjoint(draft.modules[sensor.driver].QUANTITIES)
    )


def _nearly_shared(path: Path, table: Mapping[str, Any]) -> Iterator[Found]:
    """Keys meant for ours, in a table whose driver nobody knows: any other may be the driver's own."""
    from difflib import get_close_matches  # here: a driver that is known needs no search

    for key in table:
        if key not in SENSOR_KEYS and get_close_matches(key.lower(), SENSOR_KEYS, 1, cutoff=0.8):
            yield unknown_key((*path, key), SENSOR_KEYS)


def _driver(path: Path, name: object, draft: Draft) -> DriverModule | None:
    """The driver's module, imported once; None when there is none, and then the fault is told."""
    if not isinstance(name, str):
        return None  # told already
    if name not in draft.modules:
        try:
            draft.modules[name] = driver(name)
        except KeyError:
            draft.found.append(unknown_name((*path, "driver"), name, DRIVERS, "the name of a driver"))
            return None
        except ImportError as error:
            draft.found.append(Found((*path, "driver"), f"must be a driver that is installed here: {error}"))
            return None
    return draft.modules[name]


def names(document: Document, key: str, name: str) -> dict[Path, str]:
    """The names given in an array of tables, also those in tables that have a fault elsewhere."""
    return {
        path: table[name]
        for path, table in elements(document, key)
        if isinstance(table, Mapping) and isinstance(table.get(name), str)
    }


def known_names(document: Document, key: str, name: str) -> Collection[str]:
    return tuple(dict.fromkeys(names(document, key, name).values()))
