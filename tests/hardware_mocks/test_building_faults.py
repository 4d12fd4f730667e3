"""Faults of the building: what a room, its cooler and its sensor do when something grows worse over days."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.domain.settings import SettingsError
from hardware_mocks.climate_chip import Climate, ClimateChip
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.people import ShopSettings
from hardware_mocks.rooms import WORN_OUT, RoomSettings
from hardware_mocks.simulated_board import FaultSettings
from hardware_mocks.storeroom import HotSpellSettings, LoadSettings, Storeroom
from hardware_mocks.truth import Defrost, HotSpell, Loading, PlantedFault, Truth

HOUR_S, DAY_S = 3600.0, 86_400.0
QUIET = ShopSettings(customers_per_hour=0, moves_per_day=0, touches_per_day=0, errands_per_hour=0)
KINDS = ("cold-room", "freezer", "ambient")


def world(**own: Any) -> Storeroom:
    rooms = [RoomSettings(kind, kind) for kind in KINDS]
    return Storeroom(rooms=rooms, shelves=(), truth=Truth(1_795_413_600.0), shop=QUIET, step_s=10.0, **own)


def followed(of: Storeroom, room: str, from_s: float, to_s: float, what: Callable[[Any], float]) -> list[float]:
    found = []
    for n in range(int((to_s - from_s) / 60)):
        of.advance_to(from_s + 60 * n)
        found.append(what(of.rooms[room]))
    return found


def duty(of: Storeroom, room: str, from_s: float, to_s: float) -> float:
    running = followed(of, room, from_s, to_s, lambda state: state.is_cooling)
    return sum(running) / len(running)


@pytest.mark.parametrize("room", ["cold-room", "freezer"])
def test_a_compressor_that_wears_runs_longer_and_longer_and_is_mended(room: str) -> None:
    storeroom = world()
    storeroom.plan_wear(room, 1 * DAY_S, 4 * DAY_S)
    new, worn = duty(storeroom, room, 0.2 * DAY_S, 1 * DAY_S), duty(storeroom, room, 4 * DAY_S, 5 * DAY_S)
    assert worn > 1.5 * new
    assert storeroom.rooms[room].cooling_share(5 * DAY_S - 1) == pytest.approx(WORN_OUT, abs=0.01)
    assert duty(storeroom, room, 5 * DAY_S, 6 * DAY_S) == pytest.approx(new, rel=0.25)


def test_without_a_heater_ice_grows_defrosts_stay_cold_and_mending_thaws() -> None:
    storeroom = world()
    storeroom.plan_ice("cold-room", 1 * DAY_S, 4 * DAY_S)
    air = [followed(storeroom, "cold-room", day * DAY_S, (day + 1) * DAY_S, lambda room: room.temperature_c)
           for day in range(4)]  # fmt: skip
    assert max(air[2]) < max(air[0]) - 1, "a pause warms less than a heater"
    ice_kg = storeroom.rooms["cold-room"].ice_kg
    assert ice_kg > 2
    assert storeroom.rooms["cold-room"].cooling_share(0) < 0.8
    storeroom.advance_to(5.5 * DAY_S)
    assert storeroom.rooms["cold-room"].ice_kg == 0


def test_a_defrost_that_hangs_is_the_next_one_and_only_that() -> None:
    storeroom = world()
    storeroom.plan_hanging_defrost("freezer", 1 * DAY_S, HOUR_S)
    storeroom.advance_to(2.5 * DAY_S)
    lengths = [event.until_s - event.at_s for event in storeroom.truth.defrosts("freezer")]
    usual_s = storeroom.rooms["freezer"].defrost_for_s
    assert sorted(set(lengths)) == [usual_s, usual_s + HOUR_S]
    assert lengths.count(usual_s + HOUR_S) == 1
    (planted,) = [event for event in storeroom.truth if isinstance(event, PlantedFault)]
    (long,) = [event for event in storeroom.truth if isinstance(event, Defrost) and event.until_s == planted.until_s]
    assert planted.at_s == long.at_s + usual_s > 1 * DAY_S


def test_a_thermostat_that_runs_on_freezes_the_goods() -> None:
    storeroom = world()
    storeroom.plan_runs_on("cold-room", 0.5 * DAY_S, DAY_S)
    goods = followed(storeroom, "cold-room", 0.5 * DAY_S, 1.5 * DAY_S, lambda room: room.goods_c)
    assert goods[0] > 2
    assert goods[-1] < -0.5
    storeroom.advance_to(2.5 * DAY_S)
    assert storeroom.rooms["cold-room"].goods_c > 1


def test_goods_carried_in_warm_the_goods_and_open_the_door_trip_by_trip() -> None:
    load = LoadSettings("cold-room", 7 * HOUR_S, 40.0, 12.0, trips=4, trip_s=60.0)
    storeroom, idle = world(loads=[load]), world()
    for each in (storeroom, idle):
        each.advance_to(7 * HOUR_S + 30)
    assert storeroom.is_door_open("cold-room", 7 * HOUR_S + 30)
    assert not storeroom.is_door_open("cold-room", 7 * HOUR_S + 90)
    for each in (storeroom, idle):
        each.advance_to(7 * HOUR_S + 600)
    assert storeroom.rooms["cold-room"].goods_c > idle.rooms["cold-room"].goods_c + 0.5
    assert len(storeroom.truth.openings("cold-room")) == 4
    (told,) = [event for event in storeroom.truth if isinstance(event, Loading)]
    assert told.until_s == 7 * HOUR_S + 480


def test_a_hot_spell_warms_outside_and_inside_and_goes_by() -> None:
    storeroom, usual = world(hot_spells=[HotSpellSettings(DAY_S, 2 * DAY_S, 12.0)]), world()
    for at_s, warmer_k in ((0.9 * DAY_S, 0.0), (2 * DAY_S, 12.0), (3.2 * DAY_S, 0.0)):
        difference_k = storeroom.outdoor_air(at_s)[0] - usual.outdoor_air(at_s)[0]
        assert difference_k == pytest.approx(warmer_k, abs=0.1)
    assert any(isinstance(event, HotSpell) for event in storeroom.truth)


@pytest.mark.parametrize(
    ("fault", "felt"),
    [
        ("drift", Climate(4.0 + 0.2, 80.0)),
        ("pinned-humidity", Climate(4.0, 100.0)),
        (None, Climate(4.0, 80.0)),
    ],
)
def test_a_sensor_that_dies_slowly_still_answers(fault: str | None, felt: Climate) -> None:
    clock = SimulatedClock()
    chip = ClimateChip(clock, 0x44, 4.0, 80.0, 1)
    chip.drifts_from_s = clock.monotonic_s() if fault == "drift" else None
    chip.humidity_pinned = fault == "pinned-humidity"
    clock.sleep(2 * HOUR_S)
    assert chip.sense() == pytest.approx(felt)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FaultSettings("compressor-wears", 0, room="a"), "for_s = None: must be given"),
        (lambda: FaultSettings("defrost-hangs", 0, math.inf, room="a"), "must be given"),
        (lambda: FaultSettings("runs-on", 0, sensor="a"), "room = None: must be given alone"),
        (lambda: LoadSettings("cold-room", 0, 0.0, 4.0), "kilograms = 0"),
        (lambda: HotSpellSettings(0, 60.0), "for_s = 60"),
    ],
)
def test_what_cannot_be_planned_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make()
    assert words in str(caught.value)
