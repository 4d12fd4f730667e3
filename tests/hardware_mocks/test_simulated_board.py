"""Real drivers in the simulated storeroom: they feel its rooms, doors and shelves, and suffer what was planted."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers.errors import BoardError, SensorError
from edge_agent.drivers.seam import Sensor
from edge_agent.drivers.table import driver
from hardware_mocks.fitting import CellSettings
from hardware_mocks.people import ShelfStock, ShopSettings
from hardware_mocks.rooms import RoomSettings
from hardware_mocks.simulated_board import FaultSettings, Settings, SimulatedBoard, open_board, plan

HOUR_S = 3600.0
QUIET = ShopSettings(customers_per_hour=0, moves_per_day=0, touches_per_day=0, errands_per_hour=0)
STEPPED = Settings(speed=0)


@dataclass(frozen=True)
class Configured:
    name: str
    driver: str
    place: str
    settings: Any


def sensor(name: str, chip: str, place: str, **own: Any) -> Configured:
    return Configured(name, chip, place, driver(chip).Settings(**own))


COLD = sensor("cold", "sht3x", "cold-room")
FREEZER = sensor("freezer", "ds18b20", "freezer", device="28-000000000001")
PANTRY = sensor("pantry", "bme280", "pantry", mux_address=0x70, mux_channel=7)
WEATHER = sensor("weather", "dht22", "outdoors", pin=4)
DOOR = sensor("door", "contact", "cold-room-door", pin=5)
SCALES = tuple(sensor(f"scale-{n}", "nau7802", f"shelf-{n}", mux_address=0x70, mux_channel=n) for n in range(3))
HX = sensor("hx", "hx711", "shelf-hx", data_pin=20, clock_pin=21)
POWER = sensor("pi", "power", "pi")
EVERYTHING = (COLD, FREEZER, PANTRY, WEATHER, DOOR, *SCALES, HX, POWER)


class Agent:
    """As much of one as reads sensors."""

    def __init__(self, board: SimulatedBoard, sensors: Sequence[Configured]) -> None:
        self.board = board
        self._devices: dict[str, Sensor] = {
            each.name: driver(each.driver).open_sensor(each.place, each.settings, board) for each in sensors
        }

    def read(self, name: str) -> dict[str, float] | str:
        """Values by quantity, or the fault."""
        clock = self.board.clock
        at = Instant(round(1000 * clock.monotonic_s()), round(1000 * clock.wall_s()), clock.boot)
        try:
            return {each.channel.quantity: float(each.value or 0) for each in self._devices[name].read(at)}
        except SensorError as error:
            return error.fault

    def value(self, name: str, quantity: str) -> float:
        said = self.read(name)
        assert isinstance(said, dict), said
        return said[quantity]

    def grams(self, name: str, cell: CellSettings = STEPPED.cell) -> float:
        return (self.value(name, "counts") - cell.zero_counts) / cell.counts_per_gram

    def until(self, world_s: float) -> None:
        clock = self.board.clock
        clock.sleep(world_s - self.board.world_s(clock.monotonic_s()))


@contextmanager
def driven(own: Settings, sensors: Sequence[Configured]) -> Iterator[Agent]:
    board = open_board(own, sensors)
    try:
        with board.driving():
            yield Agent(board, sensors)
    finally:
        board.close()


# ----- what sensors feel ---------------------------------------------------------------------------------------


def test_every_sensor_feels_the_place_it_names() -> None:
    with driven(STEPPED, EVERYTHING) as agent:
        agent.until(HOUR_S)
        assert 1 < agent.value("cold", "temperature") < 6
        assert agent.value("freezer", "temperature") < -15
        assert 14 < agent.value("pantry", "temperature") < 22
        assert agent.value("pantry", "pressure") == pytest.approx(1013.25, abs=0.1)
        assert 4 < agent.value("weather", "temperature") < 14
        assert agent.read("pi") == {"under_voltage": 0.0, "throttled": 0.0}
        for name in ("scale-0", "scale-1", "scale-2", "hx"):
            assert agent.grams(name) > 5000


def test_a_scale_says_what_lies_on_its_shelf_and_follows_every_pick() -> None:
    with driven(STEPPED, EVERYTHING) as agent:
        truth = agent.board.truth
        for minute in range(0, 12 * 60, 10):
            agent.until(60.0 * minute)
            for n in range(3):
                now_s = agent.board.world_s(agent.board.clock.monotonic_s())
                weighed_g = agent.grams(f"scale-{n}")
                later_s = agent.board.world_s(agent.board.clock.monotonic_s())
                hands = [
                    movement
                    for movement in truth.movements(f"shelf-{n}")
                    if movement.at_s > 0 and movement.at_s - movement.for_s - 1 <= later_s <= movement.at_s + 6
                ]
                if not hands:
                    assert weighed_g == pytest.approx(truth.load_g(f"shelf-{n}", now_s), abs=5 * 0.5)
        assert len(truth.movements(kind="pick")) > 20


def test_the_contact_says_when_the_truth_says_the_door_was_open() -> None:
    with driven(STEPPED, EVERYTHING) as agent:
        agent.until(2.5 * HOUR_S)
        wrong = 0
        seen = set()
        for second in range(int(2.5 * HOUR_S), int(6 * HOUR_S), 5):
            agent.until(float(second))
            is_open = agent.value("door", "open") == 1
            at_s = agent.board.world_s(agent.board.clock.monotonic_s())
            truly = any(opening.at_s <= at_s < opening.until_s for opening in agent.board.truth.openings("cold-room"))
            seen.add(is_open)
            wrong += is_open != truly  # within a tick of 1 s it may be told late
        assert seen == {True, False}
        assert wrong <= 5


def test_two_cells_of_one_shelf_share_its_load() -> None:
    shelf = ShelfStock("wide", ("scale-0", "scale-1"), piece_g=1000, level=10, platform_g=2000)
    own = replace(STEPPED, shelf=(shelf,), shop=QUIET)
    with driven(own, SCALES) as agent:
        agent.until(60)
        left_g, right_g = agent.grams("scale-0"), agent.grams("scale-1")
        assert left_g == pytest.approx(right_g, abs=5)
        assert left_g + right_g - 2000 == pytest.approx(agent.board.truth.load_g("wide"), abs=5)


def test_described_rooms_win_over_derived_ones() -> None:
    wine = RoomSettings("cold-room", "cold-room", setpoint_c=12, differential_k=1, defrost_every_h=0)
    with driven(replace(STEPPED, room=(wine,), shop=QUIET), (COLD,)) as agent:
        agent.until(6 * HOUR_S)
        assert 11 < agent.value("cold", "temperature") < 13.5


# ----- the world that follows from the sensors -----------------------------------------------------------------


def test_rooms_and_shelves_follow_from_places() -> None:
    world = plan(STEPPED, EVERYTHING)
    assert [(room.name, room.kind) for room in world.rooms] == [
        ("cold-room", "cold-room"),
        ("freezer", "freezer"),
        ("pantry", "ambient"),
    ]
    assert world.room_of["door"] == "cold-room"
    assert world.room_of["weather"] == "outdoors"
    assert [(shelf.name, shelf.room) for shelf in world.shelves] == [
        ("shelf-0", "pantry"),
        ("shelf-1", "pantry"),
        ("shelf-2", "pantry"),
        ("shelf-hx", "pantry"),
    ]


def test_scales_alone_stand_in_a_storeroom() -> None:
    world = plan(STEPPED, SCALES)
    assert [room.name for room in world.rooms] == ["storeroom"]
    assert {shelf.room for shelf in world.shelves} == {"storeroom"}


def test_a_shelf_whose_place_names_a_room_stands_there() -> None:
    scale = sensor("scale", "nau7802", "cold-room-shelf")
    assert [shelf.room for shelf in plan(STEPPED, (COLD, scale)).shelves] == ["cold-room"]


# ----- planted faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chip", "kind", "faults"),
    [
        (COLD, "unplugged", {"no-answer"}),
        (COLD, "bad-checksum", {"checksum"}),
        (COLD, "hang", {"bus-held", "not-ready"}),
        (PANTRY, "unplugged", {"no-answer"}),
        (FREEZER, "unplugged", {"no-answer"}),
        (FREEZER, "bad-checksum", {"checksum"}),
        (WEATHER, "unplugged", {"no-answer"}),
        (WEATHER, "hang", {"no-answer"}),
        (WEATHER, "bad-checksum", {"checksum"}),
        (SCALES[0], "unplugged", {"no-answer"}),
        (SCALES[0], "hang", {"bus-held", "not-ready"}),
        (HX, "unplugged", {"not-ready"}),
        (POWER, "unplugged", {"no-answer"}),
    ],
)
def test_a_planted_fault_begins_ends_and_leaves_the_others_alone(chip: Configured, kind: str, faults: set[str]) -> None:
    planted = FaultSettings(kind, 600, 300, sensor=chip.name)
    with driven(replace(STEPPED, fault=(planted,)), EVERYTHING) as agent:
        for minute in range(1, 25):
            agent.until(60.0 * minute)
            before_s = agent.board.world_s(agent.board.clock.monotonic_s())
            said = agent.read(chip.name)
            after_s = agent.board.world_s(agent.board.clock.monotonic_s())
            if before_s >= 600 and after_s < 900:
                assert said in faults
            elif after_s < 600 or before_s > 930:  # whoever was reset settles first
                assert isinstance(said, dict), (minute, said)
            for other in ("cold", "pantry", "scale-1", "freezer", "hx", "door"):
                if other != chip.name:
                    assert isinstance(agent.read(other), dict)
        assert [event.at_s for event in agent.board.truth if getattr(event, "sensor", None)] == [600]


@pytest.mark.parametrize("chip", [COLD, SCALES[0], FREEZER], ids=lambda each: each.driver)
def test_a_frozen_chip_repeats_itself_while_the_world_goes_on(chip: Configured) -> None:
    quantity = "counts" if chip in SCALES else "temperature"
    own = replace(STEPPED, fault=(FaultSettings("frozen", HOUR_S, HOUR_S, sensor=chip.name),))
    with driven(own, EVERYTHING) as agent:
        found: dict[bool, list[float]] = {True: [], False: []}
        for minute in range(10, 120, 5):
            agent.until(60.0 * minute)
            found[minute > 61].append(agent.value(chip.name, quantity))
    assert len(set(found[True])) == 1
    assert len(set(found[False])) > 3


def test_spikes_are_some_and_large() -> None:
    own = replace(STEPPED, shop=QUIET, fault=(FaultSettings("spikes", 0, sensor="cold"),))
    with driven(own, (COLD,)) as agent:
        found = []
        for minute in range(1, 200):
            agent.until(60.0 * minute)
            found.append(agent.value("cold", "temperature"))
    spikes = [value for value in found if abs(value - 4) > 20]
    assert 10 < len(spikes) < 80


def test_faults_of_a_room_are_felt_by_its_sensors() -> None:
    faults = (
        FaultSettings("compressor-fails", HOUR_S, 5 * HOUR_S, room="cold-room"),
        FaultSettings("door-left-open", HOUR_S, HOUR_S, room="freezer"),
    )
    with driven(replace(STEPPED, fault=faults, shop=QUIET), (COLD, FREEZER, DOOR)) as agent:
        agent.until(HOUR_S)
        before = agent.value("cold", "temperature"), agent.value("freezer", "temperature")
        agent.until(1.9 * HOUR_S)
        assert agent.value("freezer", "temperature") > before[1] + 3
        assert agent.value("door", "open") == 0
        agent.until(5.9 * HOUR_S)
        assert agent.value("cold", "temperature") > before[0] + 1.5
        kinds = {getattr(event, "kind", None) for event in agent.board.truth}
        assert {"compressor-fails", "door-left-open"} <= kinds


def test_a_sensor_in_its_housing_follows_slowly() -> None:
    open_door = FaultSettings("door-left-open", HOUR_S, HOUR_S, room="cold-room")
    found = []
    for lag_s in (0.0, 120.0):
        with driven(replace(STEPPED, fault=(open_door,), shop=QUIET, sensor_lag_s=lag_s), (COLD,)) as agent:
            agent.until(HOUR_S)
            agent.value("cold", "temperature")
            agent.until(HOUR_S + 60)
            after_a_minute = agent.value("cold", "temperature")
            agent.until(HOUR_S + 1800)
            found.append((after_a_minute, agent.value("cold", "temperature")))
    (bare, bare_late), (housed, housed_late) = found
    assert bare > housed + 1
    assert bare_late == pytest.approx(housed_late, abs=1.0)


# ----- time ----------------------------------------------------------------------------------------------------


def test_a_stepped_world_starts_when_it_is_told() -> None:
    board = open_board(replace(STEPPED, start="2026-03-01T09:30:00+01:00", speed=60.0), (COLD,))
    assert board.clock.wall_s() == 1_772_353_800
    assert (board.is_stepped(), board.pace(), board.moments()) == (True, 60.0, None)
    board.close()


def test_at_speed_one_time_is_the_machines_and_the_world_catches_up_when_asked() -> None:
    sensors = (COLD, FREEZER, *SCALES)
    with driven(Settings(), sensors) as agent:
        assert not agent.board.is_stepped()
        assert 1 < agent.value("cold", "temperature") < 6
        assert agent.value("freezer", "temperature") < -15
        assert agent.grams("scale-0") > 5000
        assert any(thread.name == "storeroom" for thread in threading.enumerate())
    assert not any(thread.name == "storeroom" for thread in threading.enumerate())


def test_the_same_seed_tells_the_same_story() -> None:
    def story(seed: int) -> list[object]:
        with driven(replace(STEPPED, seed=seed), EVERYTHING) as agent:
            said: list[object] = []
            for minute in range(0, 300, 5):
                agent.until(60.0 * minute)
                said.append([agent.read(each.name) for each in EVERYTHING])
            return [*said, *agent.board.truth]

    assert story(3) == story(3)
    assert story(3) != story(4)


def test_the_truth_goes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    faults = (FaultSettings("unplugged", 60, sensor="cold"),)
    with driven(replace(STEPPED, truth_file=str(path), fault=faults), EVERYTHING) as agent:
        agent.until(6 * HOUR_S)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {"Movement", "DoorOpening", "PlantedFault"} <= {line["what"] for line in lines}
    planted = next(line for line in lines if line["what"] == "PlantedFault")
    assert (planted["sensor"], planted["until_s"]) == ("cold", None)  # for ever
    assert [line["at_s"] for line in lines] == sorted(line["at_s"] for line in lines)


# ----- what does not go together -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Settings(speed=0.5), "speed = 0.5: must be 0 or at least 1"),
        (lambda: Settings(speed=-1), "speed = -1"),
        (lambda: Settings(start="2026-03-01T09:30:00+01:00"), "left out at speed 1"),
        (lambda: Settings(speed=0, start="yesterday"), "start = 'yesterday': must be a time with its zone"),
        (lambda: Settings(speed=0, start="2026-03-01T09:30:00"), "must be a time with its zone"),
        (lambda: Settings(timezone="Mars/Olympus"), "timezone = 'Mars/Olympus'"),
        (lambda: Settings(step_s=0), "step_s = 0"),
        (lambda: Settings(room=(RoomSettings("a"), RoomSettings("a"))), "room = 'a': must be given once"),
        (lambda: Settings(shelf=(ShelfStock("a", ("c",)), ShelfStock("b", ("c",)))), "shelf.cells = 'c'"),
        (lambda: FaultSettings("gremlins", 0, sensor="a"), "kind = 'gremlins': must be one of unplugged"),
        (lambda: FaultSettings("unplugged", 0), "sensor = None: must be given alone"),
        (lambda: FaultSettings("unplugged", 0, sensor="a", room="b"), "sensor = 'a': must be given alone"),
        (lambda: FaultSettings("compressor-fails", 0, sensor="a"), "room = None: must be given alone"),
        (lambda: FaultSettings("unplugged", -5, sensor="a"), "at_s = -5"),
        (lambda: FaultSettings("unplugged", 0, 0, sensor="a"), "for_s = 0"),
        (lambda: CellSettings(counts_per_gram=0), "counts_per_gram = 0"),
        (lambda: CellSettings(noise_g=-1), "noise_g = -1"),
    ],
)
def test_settings_with_a_fault_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            {"shelf": (ShelfStock("s", ("nobody",)),)},
            "shelf[1].cells[1] = 'nobody': must be the name of a [[sensor]] that weighs: scale-0",
        ),
        ({"shelf": (ShelfStock("s", ("scale-0",), room="attic"),)}, "shelf[1].room = 'attic'"),
        (
            {"room": (RoomSettings("r", surroundings="moon"),)},
            "room[1].surroundings = 'moon': must be the name of a room: shop",
        ),
        ({"fault": (FaultSettings("unplugged", 0, sensor="nobody"),)}, "fault[1].sensor = 'nobody'"),
        ({"fault": (FaultSettings("door-left-open", 0, room="attic"),)}, "fault[1].room = 'attic'"),
        (
            {"fault": (FaultSettings("bad-checksum", 0, sensor="scale-0"),)},
            "fault[1].kind = 'bad-checksum': must be what a nau7802 can suffer",
        ),
    ],
)
def test_settings_that_do_not_go_with_the_sensors_are_refused(own: dict[str, Any], words: str) -> None:
    with pytest.raises(BoardError) as caught:
        open_board(replace(STEPPED, **own), EVERYTHING)
    assert words in str(caught.value)


def test_two_sensors_in_one_place_are_refused() -> None:
    with pytest.raises(BoardError, match="two chips at 0x44 on one bus"):
        open_board(STEPPED, (COLD, replace(COLD, name="other")))
