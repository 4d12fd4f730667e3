"""The board that stands in a simulated storeroom: ``kind = "simulated"``.

Each configured sensor has its chip, and the chip feels the room its place names, the load of its shelf, or its
door. Nothing has to be described: rooms follow from the sensors' places (a place with "freezer" in it is a freezer,
one with "cold" a cold room), shelves from the load cells. What is described wins.

With ``speed = 1`` time is the machine's own, and the world catches up whenever a chip is asked. Any other speed is
stepped through on a simulated clock: 0 as fast as the machine can, 60 at a minute a second.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.domain.instant import Clock
from edge_agent.domain.settings import SettingFault, one_of, require, within
from edge_agent.drivers.system_clock import SystemClock
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.fitting import (
    ABILITIES,
    FAULTS,
    CellSettings,
    ConfiguredSensor,
    FittedBoard,
    Sense,
    refuse,
    without_a_chip,
)
from hardware_mocks.hands import Hands
from hardware_mocks.people import DeliverySettings, ShelfStock, ShopSettings
from hardware_mocks.rooms import Air, RoomSettings, air_of, humidity_pct
from hardware_mocks.storeroom import FOREVER, ClimateSettings, HotSpellSettings, LoadSettings, Storeroom
from hardware_mocks.truth import PlantedFault, Truth

TICK_S = 1.0  # doors and 1-Wire files are told so often; everything else is felt when it is asked
ROOM_FAULTS = (
    "compressor-fails", "compressor-wears", "evaporator-ices", "defrost-hangs", "runs-on", "door-left-open",
)  # fmt: skip
WITH_AN_END = ("compressor-wears", "defrost-hangs")
START = "2026-11-23T06:00:00+00:00"  # a Monday, before the delivery
SEA_LEVEL_HPA = 1013.25
WEIGHING = ("nau7802", "hx711")
A_ROOM = "the name of a room"
KIND_WORDS = (
    ("freezer", ("freez", "frozen", "deep")),
    ("cold-room", ("cold", "cool", "chill", "fridge", "dairy", "meat")),
)
OUTSIDE = ("outdoors", "outside")
STOREROOM = "storeroom"  # where shelves stand when no place says otherwise
PIECES_G = (500.0, 1000.0, 250.0, 330.0, 750.0, 400.0)  # shelves nobody described: piece weights in turn


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """``[[board.fault]]``: of a sensor's chip, or of a room."""

    kind: str
    at_s: float  # since the start
    for_s: float = FOREVER
    sensor: str | None = None
    room: str | None = None

    def __post_init__(self) -> None:
        of_room = self.kind in ROOM_FAULTS
        wanted, other = (self.room, self.sensor) if of_room else (self.sensor, self.room)
        require(
            one_of("kind", self.kind, FAULTS + ROOM_FAULTS),
            within("at_s", self.at_s, 0, 1e9, "s"),
            None if self.for_s > 0 else SettingFault("for_s", self.for_s, "above 0 s"),
            SettingFault("for_s", None, f"given: {self.kind} is over at some time")
            if self.kind in WITH_AN_END and self.for_s == FOREVER
            else None,
            None
            if wanted and not other
            else SettingFault("room" if of_room else "sensor", wanted, f"given alone: {self.kind} is its fault"),
        )


@dataclass(frozen=True, slots=True)
class PushSettings:
    """``[[board.push]]``: somebody presses a button."""

    pin: int  # where it is wired to
    at_s: float  # since the start
    for_s: float = 0.3

    def __post_init__(self) -> None:
        require(
            within("pin", self.pin, 0, 27, "(a BCM number)"),
            within("at_s", self.at_s, 0, 1e9, "s"),
            within("for_s", self.for_s, 0.001, 1e9, "s"),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    seed: int = 1
    speed: float = 1.0
    start: str | None = None  # RFC 3339, of a stepped world
    timezone: str = "UTC"  # of the shop's hours
    step_s: float = 1.0  # of the rooms' physics
    truth_file: str | None = None  # what really happened, one JSON object a line
    hands_file: str | None = None  # what somebody puts on a shelf: see hardware_mocks/hands.py
    climate: ClimateSettings = field(default_factory=ClimateSettings)
    shop: ShopSettings = field(default_factory=ShopSettings)
    cell: CellSettings = field(default_factory=lambda: CellSettings(noise_g=0.5))
    room: tuple[RoomSettings, ...] = ()
    shelf: tuple[ShelfStock, ...] = ()
    delivery: tuple[DeliverySettings, ...] = (DeliverySettings(),)
    fault: tuple[FaultSettings, ...] = ()
    load: tuple[LoadSettings, ...] = ()
    hot_spell: tuple[HotSpellSettings, ...] = ()
    push: tuple[PushSettings, ...] = ()
    sensor_noise_c: float = 0.02  # RMS of every temperature sensor
    sensor_noise_pct: float = 0.1
    sensor_lag_s: float = 0.0  # until a temperature sensor in its housing has followed 63 % of a step

    def __post_init__(self) -> None:
        require(
            within("speed", self.speed, 0, 1e6),
            SettingFault("speed", self.speed, "0 or at least 1") if 0 < self.speed < 1 else None,
            _start(self.start, self.speed),
            _timezone(self.timezone),
            within("step_s", self.step_s, 0.1, 60, "s"),
            within("sensor_noise_c", self.sensor_noise_c, 0, 10, "°C"),
            within("sensor_noise_pct", self.sensor_noise_pct, 0, 50, "%"),
            within("sensor_lag_s", self.sensor_lag_s, 0, 3600, "s"),
            _twice("room", [room.name for room in self.room]),
            _twice("shelf", [shelf.name for shelf in self.shelf]),
            _twice("shelf.cells", [cell for shelf in self.shelf for cell in shelf.cells]),
        )


def _start(start: str | None, speed: float) -> SettingFault | None:
    if start is None:
        return None
    if speed == 1:
        return SettingFault("start", start, "left out at speed 1: the time is the machine's")
    try:
        good = datetime.fromisoformat(start).tzinfo is not None
    except ValueError:
        good = False
    return None if good else SettingFault("start", start, f'a time with its zone, as "{START}"')


def _timezone(name: str) -> SettingFault | None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        return SettingFault("timezone", name, 'an IANA name such as "UTC" or "Europe/Rome"')
    return None


def _twice(key: str, names: Sequence[str]) -> SettingFault | None:
    for index, name in enumerate(names):
        if name in names[:index]:
            return SettingFault(key, name, "given once")
    return None


@dataclass(frozen=True, slots=True)
class Plan:
    """The world that settings and sensors describe together."""

    rooms: tuple[RoomSettings, ...]
    shelves: tuple[ShelfStock, ...]
    room_of: Mapping[str, str]  # sensor that feels air or a door -> room; "outdoors" for the weather
    shelf_of: Mapping[str, str]  # load cell -> shelf


def plan(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> Plan:
    """Fill in what is not described. Raises BoardError for what is described and cannot be."""
    refuse(faults(settings, sensors))
    rooms, room_of = _rooms(settings, sensors)
    placed = tuple(_in_a_room(shelf, tuple(rooms.values())) for shelf in _shelves(settings, sensors, tuple(rooms)))
    return Plan(
        tuple(rooms.values()),
        placed,
        room_of,
        {cell: shelf.name for shelf in placed for cell in shelf.cells},
    )


def _rooms(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> tuple[dict[str, RoomSettings], dict[str, str]]:
    """Every room by its name, and the room of each sensor that feels one."""
    rooms = {room.name: room for room in settings.room}
    room_of = {}
    for sensor in sensors:
        if sensor.driver not in WEIGHING and sensor.driver != "power":
            name = room_at(sensor.place, tuple(rooms))
            if sensor.driver == "contact" and name == "outdoors":
                name = sensor.place  # the weather has no door
            if name != "outdoors":
                rooms.setdefault(name, RoomSettings(name, kind_of(name)))
            room_of[sensor.name] = name
    if not rooms and _shelves(settings, sensors, ()):
        rooms[STOREROOM] = RoomSettings(STOREROOM)
    return rooms, room_of


def room_at(place: str, known: Sequence[str]) -> str:
    """The room a sensor's place belongs to: a known one it names, or a new one of its own name.

    >>> room_at("cold-room-door", ["cold-room"]), room_at("freezer-2-door", []), room_at("outside-wall", [])
    ('cold-room', 'freezer-2', 'outdoors')
    """
    named = [room for room in known if place == room or place.startswith(room + "-")]
    if named:
        return max(named, key=len)
    if any(word in place for word in OUTSIDE):
        return "outdoors"
    return place.removesuffix("-door") or place


def kind_of(name: str) -> str:
    """
    >>> kind_of("deep-freezer"), kind_of("dairy-fridge"), kind_of("pantry")
    ('freezer', 'cold-room', 'ambient')
    """
    return next((kind for kind, words in KIND_WORDS if any(word in name for word in words)), "ambient")


def _shelves(settings: Settings, sensors: Sequence[ConfiguredSensor], rooms: Sequence[str]) -> list[ShelfStock]:
    described = {cell for shelf in settings.shelf for cell in shelf.cells}
    shelves = list(settings.shelf)
    for sensor in sensors:
        if sensor.driver in WEIGHING and sensor.name not in described:
            piece_g = PIECES_G[len(shelves) % len(PIECES_G)]
            room = room_at(sensor.place, rooms)
            shelves.append(
                ShelfStock(sensor.place, (sensor.name,), room=room if room in rooms else None, piece_g=piece_g)
            )
    return shelves


def _in_a_room(shelf: ShelfStock, rooms: Sequence[RoomSettings]) -> ShelfStock:
    """A shelf of which nobody says where it is stands in the first ambient room, or the first of all."""
    if shelf.room is not None:
        return shelf
    room = next((room for room in rooms if room.kind == "ambient"), rooms[0])
    return replace(shelf, room=room.name)


def faults(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> list[SettingFault]:
    """What is right in itself and does not go with the sensors; the keys count tables from 1: ``shelf[2].room``."""
    rooms, _ = _rooms(settings, sensors)
    weighing = [sensor.name for sensor in sensors if sensor.driver in WEIGHING]
    drivers = {sensor.name: sensor.driver for sensor in sensors}
    found = without_a_chip(sensors)
    for number, shelf in enumerate(settings.shelf, 1):
        for place, cell in enumerate(shelf.cells, 1):
            found += _one_of(f"shelf[{number}].cells[{place}]", cell, weighing, "the name of a [[sensor]] that weighs")
        found += _one_of(f"shelf[{number}].room", shelf.room, rooms, A_ROOM)
    for number, room in enumerate(settings.room, 1):
        found += _one_of(f"room[{number}].surroundings", room.surroundings, ("shop", "outdoors", *rooms), A_ROOM)
    for number, load in enumerate(settings.load, 1):
        found += _one_of(f"load[{number}].room", load.room, rooms, A_ROOM)
    for number, fault in enumerate(settings.fault, 1):
        found += _one_of(f"fault[{number}].sensor", fault.sensor, drivers, "the name of a [[sensor]]")
        found += _one_of(f"fault[{number}].room", fault.room, rooms, A_ROOM)
        able = ABILITIES.get(drivers.get(fault.sensor or "", ""))
        if able is not None:
            right = f"what a {drivers[fault.sensor or '']} can suffer"
            found += _one_of(f"fault[{number}].kind", fault.kind, sorted(able.faults), right)
    return found


def _one_of(key: str, name: str | None, known: Iterable[str], what: str) -> Iterator[SettingFault]:
    """None is an option left out, and right."""
    names = tuple(known)
    if name is not None and name not in names:
        yield SettingFault(key, name, f"{what}: {', '.join(names) or 'there is none'}")


def open_board(settings: Settings, sensors: Sequence[ConfiguredSensor]) -> "SimulatedBoard":
    """Raises BoardError for settings that do not go with the sensors."""
    world = plan(settings, sensors)
    clock: Clock
    if settings.speed == 1:
        clock = SystemClock()
    else:
        start = datetime.fromisoformat(settings.start or START)
        clock = SimulatedClock(wall_s=start.astimezone(UTC).timestamp())
    return SimulatedBoard(settings, sensors, world, clock)


class SimulatedBoard(FittedBoard):
    """Chips in a storeroom; ``truth`` says what really happened there."""

    def __init__(self, settings: Settings, sensors: Sequence[ConfiguredSensor], world: Plan, clock: Clock) -> None:
        hanging = [fault.sensor for fault in settings.fault if fault.kind == "hang" and fault.sensor]
        self.truth = Truth(clock.wall_s(), Path(settings.truth_file) if settings.truth_file else None)
        super().__init__(clock, sensors, settings.cell, seed=settings.seed, hanging=hanging)
        self.speed = settings.speed
        self.began_mono_s = clock.monotonic_s()
        self._settings = settings
        self._lock = threading.Lock()
        self._next_tick_s = float("-inf")
        self._suffers: dict[str, str | None] = {}
        try:
            self.storeroom = Storeroom(
                rooms=world.rooms,
                shelves=world.shelves,
                truth=self.truth,
                shop=settings.shop,
                climate=settings.climate,
                deliveries=settings.delivery,
                loads=settings.load,
                hot_spells=settings.hot_spell,
                timezone=settings.timezone,
                seed=settings.seed,
                step_s=settings.step_s,
            )
            self._let_chips_feel(sensors, world)
            self._plant_faults()
            self.tick(self.began_mono_s)
        except BaseException:
            self.close()
            raise
        self._at_the_button = sorted(self._pushes(), key=itemgetter(0))
        if isinstance(clock, SimulatedClock):
            clock.on_advance.append(self.tick)
            for mono_s, move in self._at_the_button:
                clock.call_at(mono_s, move)

    def world_s(self, mono_s: float) -> float:
        """The world's time, as ``truth`` has it."""
        return mono_s - self.began_mono_s

    def is_stepped(self) -> bool:
        return self.speed != 1

    def pace(self) -> float:
        return self.speed

    @contextmanager
    def driving(self) -> Iterator[None]:
        with super().driving():
            if self.is_stepped():
                yield
                return
            over = threading.Event()
            thread = threading.Thread(target=self._tick_until, args=(over,), name="storeroom", daemon=True)
            thread.start()
            try:
                yield
            finally:
                over.set()
                thread.join()

    def _tick_until(self, over: threading.Event) -> None:
        while not over.wait(self._until_a_push_s(TICK_S / 4)):
            mono_s = self.clock.monotonic_s()
            while self._at_the_button and self._at_the_button[0][0] <= mono_s:
                self._at_the_button.pop(0)[1]()
            self.tick(mono_s)

    def _until_a_push_s(self, at_most_s: float) -> float:
        if not self._at_the_button:
            return at_most_s
        return min(at_most_s, max(0.0, self._at_the_button[0][0] - self.clock.monotonic_s()))

    def _pushes(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """Each movement of a finger, and its monotonic time."""
        for push in self._settings.push:
            down_s = self.began_mono_s + push.at_s
            yield down_s, partial(self.onlooker.press, push.pin)
            yield down_s + push.for_s, partial(self.onlooker.let_go, push.pin)

    def tick(self, mono_s: float) -> None:
        """Begin and end planted faults, and tell the chips that have to be told."""
        if mono_s < self._next_tick_s:
            return
        with self._lock:
            self._next_tick_s = mono_s + TICK_S
            world_s = self.world_s(mono_s)
            self.storeroom.advance_to(world_s)
            for name, suffers in self._faults_at(world_s).items():
                if self._suffers.get(name) != suffers:
                    self._suffers[name] = suffers
                    self.fittings[name].suffer(suffers)
            for fitting in self.fittings.values():
                fitting.tick(mono_s)

    def close(self) -> None:
        super().close()
        self.truth.close()

    def _faults_at(self, world_s: float) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for fault in self._settings.fault:
            if fault.sensor is not None:
                found.setdefault(fault.sensor, None)
                if fault.at_s <= world_s < fault.at_s + fault.for_s:
                    found[fault.sensor] = fault.kind
        return found

    def _plant_faults(self) -> None:
        for fault in self._settings.fault:
            until_s = fault.at_s + fault.for_s
            if fault.kind != "defrost-hangs":  # the storeroom tells when it does
                self.storeroom.plan_remark(PlantedFault(fault.at_s, fault.kind, until_s, fault.sensor, fault.room))
            if fault.room is not None:
                self._plan(fault.kind)(fault.room, fault.at_s, fault.for_s)

    def _plan(self, kind: str) -> Callable[[str, float, float], None]:
        world = self.storeroom
        return {
            "compressor-fails": world.plan_compressor_failure,
            "compressor-wears": world.plan_wear,
            "evaporator-ices": world.plan_ice,
            "defrost-hangs": world.plan_hanging_defrost,
            "runs-on": world.plan_runs_on,
            "door-left-open": world.plan_open_door,
        }[kind]

    def _let_chips_feel(self, sensors: Sequence[ConfiguredSensor], world: Plan) -> None:
        cells_of = {shelf.name: len(shelf.cells) for shelf in world.shelves}
        for sensor in sensors:
            fitting = self.fittings[sensor.name]
            if sensor.name in world.shelf_of:
                shelf = world.shelf_of[sensor.name]
                fitting.follow(self._weight(shelf, sensor.name, cells_of[shelf]))
            elif sensor.driver == "contact":
                fitting.follow(self._door(world.room_of[sensor.name]))
            elif sensor.name in world.room_of:
                fitting.follow(self._air(world.room_of[sensor.name]))
                fitting.tremble(self._settings.sensor_noise_c, self._settings.sensor_noise_pct)

    def _air(self, room: str) -> Sense:
        """What a sensor there feels; in its housing the room's vapour meets the housing's temperature."""
        lag_s = self._settings.sensor_lag_s
        last: tuple[float, float] | None = None  # (when, °C)

        def sense(mono_s: float) -> Mapping[str, float]:
            nonlocal last
            felt = without_lag(mono_s)
            if not lag_s:
                return felt
            air_c = felt["temperature"]
            if last is not None:
                air_c += (last[1] - air_c) * math.exp(-(mono_s - last[0]) / lag_s)
            last = (mono_s, air_c)
            water_kg_kg = air_of(felt["temperature"], felt["humidity"]).water_kg_kg
            return {**felt, "temperature": air_c, "humidity": humidity_pct(Air(air_c, water_kg_kg))}

        def without_lag(mono_s: float) -> Mapping[str, float]:
            at_s = self.world_s(mono_s)
            outside = room == "outdoors"
            temperature_c, humidity_pct = (
                self.storeroom.outdoor_air(at_s) if outside else self.storeroom.air(room, at_s)
            )
            return {"temperature": temperature_c, "humidity": humidity_pct, "pressure": SEA_LEVEL_HPA}

        return sense

    def _door(self, room: str) -> Sense:
        return lambda mono_s: {"open": float(self.storeroom.is_door_open(room, self.world_s(mono_s)))}

    def _weight(self, shelf: str, sensor: str, cells: int) -> Sense:
        hands = Hands(Path(self._settings.hands_file)) if self._settings.hands_file else None

        def sense(mono_s: float) -> Mapping[str, float]:
            placed_g = None if hands is None else hands.grams(shelf, sensor, cells)
            stock_g = self.storeroom.platform_g(shelf, self.world_s(mono_s))
            return {"weight": stock_g / cells if placed_g is None else placed_g}

        return sense
