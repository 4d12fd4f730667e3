"""The simulated storeroom: weather, rooms, shelves and people on one line of time.

The world stands on a grid of ``step_s``: rooms change at its ticks, whatever is asked in between, so the same
seed gives the same world however often it is read. Shelves change at the exact time of an event.
"""

import heapq
import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from edge_agent.domain.settings import identifier, require, within
from hardware_mocks import people
from hardware_mocks.people import DeliverySettings, Piece, Shelf, ShelfStock, ShopSettings, Touch
from hardware_mocks.rooms import Air, Room, RoomSettings, air_of, humidity_pct
from hardware_mocks.truth import (
    Defrost,
    DoorOpening,
    Event,
    HotSpell,
    Loading,
    Movement,
    PlantedFault,
    Truth,
)

CLIMATE_EVERY_S = 60.0
FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class ClimateSettings:
    """``[board.climate]``: the weather outside, warmest at three in the afternoon."""

    mean_c: float = 12.0
    daily_swing_k: float = 8.0  # from the night's lowest to the day's highest
    unrest_k: float = 1.5  # standard deviation of what the weather adds, changing over half a day
    humidity_pct: float = 75.0  # at the mean temperature

    def __post_init__(self) -> None:
        require(
            within("mean_c", self.mean_c, -40, 45, "°C"),
            within("daily_swing_k", self.daily_swing_k, 0, 40, "K"),
            within("unrest_k", self.unrest_k, 0, 15, "K"),
            within("humidity_pct", self.humidity_pct, 1, 100, "%"),
        )


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """``[[board.load]]``: goods without a shelf of their own are carried in, door open, door shut, trip after trip."""

    room: str
    at_s: float  # since the start
    kilograms: float
    temperature_c: float
    trips: int = 6
    trip_s: float = 45.0  # the door stands open so long, and then as long shut

    def __post_init__(self) -> None:
        require(
            identifier("room", self.room),
            within("at_s", self.at_s, 0, 1e9, "s"),
            within("kilograms", self.kilograms, 0.1, 1e6, "kg"),
            within("temperature_c", self.temperature_c, -40, 60, "°C"),
            within("trips", self.trips, 1, 1000),
            within("trip_s", self.trip_s, 1, 3600, "s"),
        )


@dataclass(frozen=True, slots=True)
class HotSpellSettings:
    """``[[board.hot_spell]]``: the weather grows warmer and cools down again; the shop follows by half."""

    at_s: float
    for_s: float
    warmer_k: float = 10.0  # in the middle

    def __post_init__(self) -> None:
        require(
            within("at_s", self.at_s, 0, 1e9, "s"),
            within("for_s", self.for_s, 3600, 1e9, "s"),
            within("warmer_k", self.warmer_k, -30, 30, "K"),
        )

    def warmer_now_k(self, at_s: float) -> float:
        passed = (at_s - self.at_s) / self.for_s
        return self.warmer_k * math.sin(math.pi * passed) if 0 <= passed <= 1 else 0.0


class Weather:
    def __init__(self, settings: ClimateSettings, random: Random) -> None:
        self._settings = settings
        self._random = random
        self._unrest_k = 0.0

    def air(self, local: datetime, passed_s: float, warmer_k: float = 0.0) -> Air:
        """The air now; ``passed_s`` since it was asked last, ``warmer_k`` of a hot spell."""
        keep = math.exp(-passed_s / 43_200)
        fresh = math.sqrt(1 - keep * keep) * self._settings.unrest_k
        self._unrest_k = keep * self._unrest_k + fresh * self._random.gauss(0.0, 1.0)
        hour = local.hour + local.minute / 60
        daily_k = self._settings.daily_swing_k / 2 * math.cos(2 * math.pi * (hour - 15) / 24)
        mean = air_of(self._settings.mean_c, self._settings.humidity_pct)
        temperature_c = self._settings.mean_c + daily_k + self._unrest_k + warmer_k
        return Air(temperature_c, min(mean.water_kg_kg, air_of(temperature_c, 100).water_kg_kg))


class Storeroom:
    """Ask it anything at a time; it moves itself there first. Safe for several threads; time never goes back."""

    def __init__(
        self,
        *,
        rooms: Sequence[RoomSettings],
        shelves: Sequence[ShelfStock],
        truth: Truth,
        shop: ShopSettings = ShopSettings(),  # noqa: B008 (frozen)
        climate: ClimateSettings = ClimateSettings(),
        deliveries: Sequence[DeliverySettings] = (DeliverySettings(),),
        loads: Sequence[LoadSettings] = (),
        hot_spells: Sequence[HotSpellSettings] = (),
        timezone: str = "UTC",
        seed: int = 1,
        step_s: float = 1.0,
    ) -> None:
        self.truth = truth
        self.step_s = step_s
        self._random = Random(f"people {seed}")
        self._zone: tzinfo = UTC if timezone == "UTC" else ZoneInfo(timezone)
        self._shop = shop
        self._deliveries = tuple(deliveries)
        self._hot_spells = tuple(hot_spells)
        self._hangs: dict[str, tuple[float, float]] = {}  # by room: from when on a defrost hangs, and for how long
        self._lock = threading.RLock()
        self._queue: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._ticks = 0
        self.rooms = {settings.name: Room(settings) for settings in rooms}
        self.shelves = {stock.name: Shelf(stock, self._random) for stock in shelves}
        self._weather = Weather(climate, Random(f"weather {seed}"))
        self._shop_air = self._usual_shop_air = air_of(shop.temperature_c, shop.humidity_pct)
        self.outdoors = self._weather.air(self._local(0.0), 0.0)
        self._around: dict[str, Air] = {}
        self._look_around()
        self._begin()
        for load in loads:
            self._plan_load(load)
        for spell in hot_spells:
            self.plan_remark(HotSpell(spell.at_s, spell.at_s + spell.for_s, spell.warmer_k))

    # ----- asked by chips --------------------------------------------------------------------------------------

    def air(self, room: str, at_s: float) -> tuple[float, float]:
        """Temperature, °C, and relative humidity, %."""
        with self._lock:
            self.advance_to(at_s)
            state = self.rooms[room]
            air = Air(state.temperature_c, state.water_kg_kg)
        return air.temperature_c, humidity_pct(air)

    def outdoor_air(self, at_s: float) -> tuple[float, float]:
        with self._lock:
            self.advance_to(at_s)
            return self.outdoors.temperature_c, humidity_pct(self.outdoors)

    def is_door_open(self, room: str, at_s: float) -> bool:
        with self._lock:
            self.advance_to(at_s)
            return self.rooms[room].is_open(at_s)

    def platform_g(self, shelf: str, at_s: float) -> float:
        """What presses on the shelf's cells."""
        with self._lock:
            self.advance_to(at_s)
            return self.shelves[shelf].seen_g(at_s)

    def advance_to(self, at_s: float) -> None:
        with self._lock:
            while (self._ticks + 1) * self.step_s <= at_s:
                begin_s = self._ticks * self.step_s
                self._happen(begin_s)
                self._step(begin_s)
                self._ticks += 1
            self._happen(at_s)

    # ----- time ------------------------------------------------------------------------------------------------

    def _local(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(self.truth.began_wall_s + at_s, self._zone)

    def _tick_s(self, at_s: float) -> float:
        """What changes a room changes it at a tick, so that no reading in between matters."""
        return math.ceil(at_s / self.step_s) * self.step_s

    def _at(self, at_s: float, happens: Callable[[float], None]) -> None:
        heapq.heappush(self._queue, (at_s, next(self._order), happens))

    def _happen(self, until_s: float) -> None:
        while self._queue and self._queue[0][0] <= until_s:
            at_s, _, happens = heapq.heappop(self._queue)
            happens(at_s)

    def _step(self, begin_s: float) -> None:
        around = self._around
        for name, room in self.rooms.items():
            air = around.get(name)
            if air is None:
                neighbour = self.rooms[room.settings.surroundings]
                air = Air(neighbour.temperature_c, neighbour.water_kg_kg)
            room.step(begin_s, self.step_s, air)

    # ----- what goes on by itself ------------------------------------------------------------------------------

    def _begin(self) -> None:
        for shelf in self.shelves.values():
            self.truth.add(
                Movement(0.0, shelf.name, "start", shelf.product, len(shelf.pieces), shelf.load_g),
            )
        self._at(CLIMATE_EVERY_S, self._change_weather)
        for index, room in enumerate(self.rooms.values()):
            if room.defrost_every_s and room.defrost_for_s:
                first_s = room.defrost_every_s * (0.25 + 0.5 * index / len(self.rooms))
                self._at(self._tick_s(first_s), partial(self._defrost, room))
        for delivery in self._deliveries:
            self._plan_delivery(delivery, 0.0)
        errands = self._shop.errands_per_hour
        for name in self.rooms:
            self._now_and_then(errands, partial(self._rate_when_open, errands), partial(self._errand, name))
        if not self.shelves:
            return
        open_h = (people.minutes_of(self._shop.closes) - people.minutes_of(self._shop.opens)) / 60
        self._now_and_then(
            people.most_customers_per_hour(self._shop),
            lambda local: people.customers_per_hour(self._shop, local),
            self._visit,
        )
        for per_day, happens in ((self._shop.moves_per_day, self._move), (self._shop.touches_per_day, self._lean)):
            rate = per_day / open_h
            self._now_and_then(rate, partial(self._rate_when_open, rate), happens)

    def _rate_when_open(self, rate: float, local: datetime) -> float:
        return rate if people.is_open(self._shop, local) else 0.0

    def _now_and_then(
        self, most_per_h: float, per_h: Callable[[datetime], float], happens: Callable[[float], None]
    ) -> None:
        """A Poisson process whose rate changes: candidates at the highest rate, of which some happen (thinning)."""
        if most_per_h <= 0:
            return

        def candidate(at_s: float) -> None:
            if self._random.random() < per_h(self._local(at_s)) / most_per_h:
                happens(at_s)
            self._at(at_s + self._random.expovariate(most_per_h / 3600), candidate)

        self._at(self._random.expovariate(most_per_h / 3600), candidate)

    def _change_weather(self, at_s: float) -> None:
        warmer_k = sum(spell.warmer_now_k(at_s) for spell in self._hot_spells)
        self.outdoors = self._weather.air(self._local(at_s), CLIMATE_EVERY_S, warmer_k)
        shop = self._usual_shop_air
        self._shop_air = Air(shop.temperature_c + warmer_k / 2, shop.water_kg_kg)
        self._look_around()
        self._at(self._tick_s(at_s + CLIMATE_EVERY_S), self._change_weather)

    def _look_around(self) -> None:
        for room in self.rooms.values():
            inner = {"shop": self._shop_air, "outdoors": self.outdoors}.get(room.settings.surroundings)
            if inner is not None:
                share = room.outdoors_share
                self._around[room.name] = Air(
                    *(share * out + (1 - share) * near for out, near in zip(self.outdoors, inner, strict=True))
                )

    def _defrost(self, room: Room, at_s: float) -> None:
        hangs_from_s, hangs_for_s = self._hangs.get(room.name, (FOREVER, 0.0))
        until_s = at_s + room.defrost_for_s
        if at_s >= hangs_from_s:
            del self._hangs[room.name]
            until_s += hangs_for_s
            self.truth.add(PlantedFault(at_s + room.defrost_for_s, "defrost-hangs", until_s, room=room.name))
        room.defrost(at_s, until_s)
        self.truth.add(Defrost(at_s, room.name, until_s))
        self._at(self._tick_s(at_s + room.defrost_every_s), partial(self._defrost, room))

    # ----- people ----------------------------------------------------------------------------------------------

    def _plan_delivery(self, delivery: DeliverySettings, after_s: float) -> None:
        local = self._local(after_s)
        minutes = people.minutes_of(delivery.at)
        for days in range(8):
            day = (local + timedelta(days=days)).date()
            at = datetime(day.year, day.month, day.day, minutes // 60 % 24, minutes % 60, tzinfo=self._zone)
            at_s = at.timestamp() - self.truth.began_wall_s
            if at_s > after_s and people.DAYS[day.weekday()] in delivery.days:
                self._at(at_s, partial(self._deliver, delivery))
                return

    def _deliver(self, delivery: DeliverySettings, at_s: float) -> None:
        """The driver leaves, and staff fill shelf after shelf, case by case."""
        now_s = at_s + self._random.uniform(120, 600)
        for shelf in self.shelves.values():
            missing = shelf.stock.level - len(shelf.pieces)
            if missing <= 0:
                continue
            begin_s = now_s
            while missing > 0:
                now_s += self._random.uniform(5, 12)
                pieces = min(missing, shelf.stock.case_pieces)
                self._at(now_s, partial(self._put_case, shelf, pieces, delivery.warmer_k))
                missing -= pieces
            self._go_in(shelf, begin_s, now_s - begin_s + 10)
            now_s += self._random.uniform(20, 60)
        self._plan_delivery(delivery, at_s)

    def _put_case(self, shelf: Shelf, pieces: int, warmer_k: float, at_s: float) -> None:
        hand_s = self._random.uniform(1.0, 2.5)
        case = [shelf.new_piece(self._random) for _ in range(pieces)]
        self._touch(shelf, at_s, hand_s, self._random.uniform(100, 400))
        self._at(at_s + hand_s, lambda put_s: self._put(shelf, case, "restock", put_s, hand_s))
        room = self.rooms.get(shelf.stock.room or "")
        if room is not None:
            kilograms = math.fsum(piece.grams for piece in case) / 1000
            self._at(self._tick_s(at_s), lambda _: room.receive_goods(kilograms, room.goods_c + warmer_k))

    def _plan_load(self, load: LoadSettings) -> None:
        room = self.rooms[load.room]
        until_s = load.at_s + load.trips * 2 * load.trip_s
        self.plan_remark(Loading(load.at_s, load.room, until_s, load.kilograms, load.temperature_c))
        for trip in range(load.trips):
            at_s = self._tick_s(load.at_s + trip * 2 * load.trip_s)
            self._at(at_s, partial(self.open_door, load.room, load.trip_s))
            self._at(at_s, lambda _: room.receive_goods(load.kilograms / load.trips, load.temperature_c))

    def _visit(self, at_s: float) -> None:
        """A customer looks at a shelf, takes one piece, and perhaps goes on to another."""
        picks = 1
        while picks < 8 and self._random.random() < 1 - 1 / people.PICKS_A_VISIT:
            picks += 1
        for _ in range(picks):
            at_s += self._random.uniform(8, 60)
            shelf = people.choose(list(self.shelves.values()), self._random)
            self._go_in(shelf, at_s - 4, self._random.uniform(9, 20))
            self._at(at_s, partial(self._pick, shelf))

    def _go_in(self, shelf: Shelf, at_s: float, for_s: float) -> None:
        room = self.rooms.get(shelf.stock.room or "")
        if room is not None:
            self._at(self._tick_s(at_s), partial(self.open_door, room.name, for_s))

    def _errand(self, room: str, at_s: float) -> None:
        self._at(self._tick_s(at_s), partial(self.open_door, room, self._random.uniform(10, 60)))

    def open_door(self, room: str, for_s: float, at_s: float) -> None:
        """Somebody goes in, and the door stays open until they leave."""
        state = self.rooms[room]
        until_s = self._tick_s(at_s + for_s)
        state.door_until_s = max(state.door_until_s, until_s)
        state.people += 1
        self._at(until_s, lambda _: self._leave(state))
        self.truth.add(DoorOpening(at_s, room, until_s))

    def _leave(self, room: Room) -> None:
        room.people -= 1

    def _pick(self, shelf: Shelf, at_s: float) -> None:
        hand_s = self._random.uniform(0.8, 2.5)
        self._touch(shelf, at_s, hand_s, self._random.uniform(30, 200))

        def take(taken_s: float) -> None:
            self._take(shelf, 1, "pick", taken_s, hand_s)

        self._at(at_s + hand_s, take)

    def _lean(self, at_s: float) -> None:
        shelf = people.choose(list(self.shelves.values()), self._random)
        for_s = self._random.uniform(0.8, 4.0)
        self._touch(shelf, at_s, for_s, self._random.uniform(500, 8000))
        self.truth.add(Movement(at_s, shelf.name, "touch", for_s=for_s))

    def _move(self, at_s: float) -> None:
        """Staff carry one to three pieces to another shelf."""
        if len(self.shelves) < 2:
            return
        source, target = self._random.sample(list(self.shelves.values()), 2)
        pieces, walk_s = self._random.randint(1, 3), self._random.uniform(3, 12)
        hand_s = self._random.uniform(1.0, 3.0)
        self._touch(source, at_s, hand_s, self._random.uniform(50, 300))

        def take(taken_s: float) -> None:
            carried = self._take(source, pieces, "move", taken_s, hand_s)
            if carried:
                self._touch(target, taken_s + walk_s, hand_s, self._random.uniform(50, 300))
                self._at(taken_s + walk_s + hand_s, lambda put_s: self._put(target, carried, "move", put_s, hand_s))

        self._at(at_s + hand_s, take)

    def _touch(self, shelf: Shelf, at_s: float, for_s: float, force_g: float) -> None:
        touch = Touch(at_s, at_s + for_s, force_g, self._random.uniform(0, 2 * math.pi))
        shelf.touch(touch)

    def _put(self, shelf: Shelf, pieces: Sequence[Piece], kind: str, at_s: float, hand_s: float) -> None:
        shelf.put(at_s, pieces)
        self._tell(shelf, kind, pieces, at_s, hand_s, +1)

    def _take(self, shelf: Shelf, pieces: int, kind: str, at_s: float, hand_s: float) -> list[Piece]:
        taken = shelf.take(at_s, pieces, self._random)
        self._tell(shelf, kind, taken, at_s, hand_s, -1)
        return taken

    def _tell(self, shelf: Shelf, kind: str, pieces: Sequence[Piece], at_s: float, hand_s: float, sign: int) -> None:
        """One movement for each product; an empty hand was a touch."""
        if not pieces:
            self.truth.add(Movement(at_s, shelf.name, "touch", for_s=hand_s))
        counts = Counter(piece.product for piece in pieces)
        for product, number in sorted(counts.items()):
            grams = math.fsum(piece.grams for piece in pieces if piece.product == product)
            self.truth.add(Movement(at_s, shelf.name, kind, product, sign * number, sign * grams, hand_s))

    # ----- faults of the building ------------------------------------------------------------------------------

    def plan_compressor_failure(self, room: str, at_s: float, for_s: float) -> None:
        state = self.rooms[room]
        self._at(self._tick_s(at_s), lambda _: setattr(state, "compressor_fails", True))
        if for_s != FOREVER:
            self._at(self._tick_s(at_s + for_s), lambda _: setattr(state, "compressor_fails", False))

    def plan_wear(self, room: str, at_s: float, for_s: float) -> None:
        """Its capacity falls to WORN_OUT; then it is mended, unless it is planned to fail from there on."""
        state = self.rooms[room]
        self._at(self._tick_s(at_s), lambda _: setattr(state, "wears_s", (at_s, at_s + for_s)))
        self._at(self._tick_s(at_s + for_s), lambda _: setattr(state, "wears_s", None))

    def plan_ice(self, room: str, at_s: float, for_s: float) -> None:
        """The defrost heater fails; whoever mends it thaws the coil."""
        state = self.rooms[room]

        def mend(_: float) -> None:
            state.heater_fails, state.ice_kg = False, 0.0

        self._at(self._tick_s(at_s), lambda _: setattr(state, "heater_fails", True))
        if for_s != FOREVER:
            self._at(self._tick_s(at_s + for_s), mend)

    def plan_hanging_defrost(self, room: str, at_s: float, for_s: float) -> None:
        """The first defrost after ``at_s`` ends so much later than usual; the truth has it from its usual end."""
        self._at(self._tick_s(at_s), lambda now_s: self._hangs.update({room: (now_s, for_s)}))

    def plan_runs_on(self, room: str, at_s: float, for_s: float) -> None:
        state = self.rooms[room]
        self._at(self._tick_s(at_s), lambda _: setattr(state, "runs_on", True))
        if for_s != FOREVER:
            self._at(self._tick_s(at_s + for_s), lambda _: setattr(state, "runs_on", False))

    def plan_remark(self, event: Event) -> None:
        """Into the truth at its time, for what happens outside this world."""
        self._at(event.at_s, lambda _: self.truth.add(event))

    def plan_open_door(self, room: str, at_s: float, for_s: float) -> None:
        state = self.rooms[room]

        def hold(now_s: float) -> None:
            state.door_held_open = True
            self.truth.add(DoorOpening(now_s, room, now_s + for_s))

        self._at(self._tick_s(at_s), hold)
        if for_s != FOREVER:
            self._at(self._tick_s(at_s + for_s), lambda _: setattr(state, "door_held_open", False))
