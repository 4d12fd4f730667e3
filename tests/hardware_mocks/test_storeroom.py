"""The simulated storeroom: heat stays physical, people move real pieces, and the truth tells all of it."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.settings import SettingsError
from hardware_mocks import people
from hardware_mocks.people import DeliverySettings, ShelfStock, ShopSettings
from hardware_mocks.rooms import MIN_OFF_S, MIN_RUN_S, Air, Room, RoomSettings, air_of, humidity_pct
from hardware_mocks.storeroom import ClimateSettings, Storeroom
from hardware_mocks.truth import Movement, Truth

MONDAY_SIX = 1_795_413_600.0  # 2026-11-23T06:00:00Z
DAY_S = 86_400.0
QUIET = ShopSettings(customers_per_hour=0, moves_per_day=0, touches_per_day=0, errands_per_hour=0)
SHOP_AIR = air_of(20.5, 50)
KINDS = ("cold-room", "freezer", "ambient")


def world(*, shelves: int = 3, seed: int = 1, began_s: float = MONDAY_SIX, **own: Any) -> Storeroom:
    rooms = [RoomSettings(kind, kind) for kind in KINDS]
    stocks = [
        ShelfStock(f"shelf-{n}", (f"cell-{n}",), room=KINDS[n % 3], piece_g=250.0 * (n + 1)) for n in range(shelves)
    ]
    return Storeroom(rooms=rooms, shelves=stocks, truth=Truth(began_s), seed=seed, **own)


def temperatures(of: Storeroom, room: str, from_s: float, to_s: float, every_s: float = 30.0) -> list[float]:
    return [of.air(room, from_s + n * every_s)[0] for n in range(int((to_s - from_s) / every_s))]


# ----- heat and water ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("room", "low", "mean_low", "mean_high", "high"),
    [("cold-room", 1.0, 2.8, 5.0, 13.0), ("freezer", -23.5, -21.5, -18.0, -8.0), ("ambient", 14.0, 16.0, 21.0, 23.0)],
)
def test_a_room_with_people_and_defrosts_stays_what_it_is(
    room: str, low: float, mean_low: float, mean_high: float, high: float
) -> None:
    found = temperatures(world(), room, 0.5 * DAY_S, 3 * DAY_S)
    assert low < min(found)
    assert max(found) < high
    assert mean_low < sum(found) / len(found) < mean_high


@given(
    kind=st.sampled_from(KINDS),
    outside_c=st.floats(-20, 40),
    outside_pct=st.floats(5, 100),
    begin_c=st.floats(-25, 35),
    goods_c=st.floats(-25, 35),
    step_s=st.sampled_from([0.1, 1.0, 10.0, 60.0, 3600.0]),
    doors=st.booleans(),
)
def test_any_step_keeps_temperatures_between_what_acts_on_them(
    kind: str, outside_c: float, outside_pct: float, begin_c: float, goods_c: float, step_s: float, doors: bool
) -> None:
    """No overshoot however long the step, and never air wetter than saturated."""
    room = Room(RoomSettings("r", kind))
    room.temperature_c, room.goods_c = begin_c, goods_c
    room.door_held_open = doors
    coldest = min(outside_c, begin_c, goods_c, room.setpoint_c - 8)  # 8 K below the setpoint the coil evaporates
    warmest = max(outside_c, begin_c, goods_c)
    around = air_of(outside_c, outside_pct)
    for n in range(200):
        room.step(n * step_s, step_s, around)
        assert coldest - 1e-9 <= room.temperature_c <= warmest + 1e-9
        assert coldest - 1e-9 <= room.goods_c <= warmest + 1e-9
        assert room.water_kg_kg > 0
        assert humidity_pct(Air(room.temperature_c, room.water_kg_kg)) <= 100


def test_long_and_short_steps_agree() -> None:
    ends = []
    for step_s in (1.0, 10.0):
        room = Room(RoomSettings("r", "cold-room"))
        room.compressor_fails = True
        for n in range(int(4 * 3600 / step_s)):
            room.step(n * step_s, step_s, SHOP_AIR)
        ends.append(room.temperature_c)
    assert ends[0] == pytest.approx(ends[1], abs=0.05)


def test_a_room_left_alone_comes_to_the_temperature_around_it() -> None:
    room = Room(RoomSettings("r", "freezer"))
    room.compressor_fails = True
    for n in range(60 * 24 * 60):
        room.step(60.0 * n, 60.0, SHOP_AIR)
    assert room.temperature_c == pytest.approx(SHOP_AIR.temperature_c, abs=0.2)
    assert room.goods_c == pytest.approx(SHOP_AIR.temperature_c, abs=0.5)


def test_the_compressor_keeps_its_least_times_and_holds_the_band() -> None:
    room = Room(RoomSettings("r", "cold-room"))
    switched, cooling = [], room.is_cooling
    for n in range(12 * 3600):
        room.step(float(n), 1.0, SHOP_AIR)
        if room.is_cooling != cooling:
            cooling = room.is_cooling
            switched.append((float(n), cooling))
    assert len(switched) > 20
    for (from_s, was_on), (to_s, _) in pairwise(switched):
        assert to_s - from_s >= (MIN_RUN_S if was_on else MIN_OFF_S)


@pytest.mark.parametrize(("room", "least_k", "most_k"), [("cold-room", 1.5, 8.0), ("freezer", 3.0, 12.0)])
def test_a_defrost_warms_the_room_and_it_comes_back(room: str, least_k: float, most_k: float) -> None:
    storeroom = world(shelves=0, shop=QUIET)
    storeroom.advance_to(DAY_S)
    defrosts = storeroom.truth.defrosts(room)
    assert len(defrosts) >= 2
    defrost = defrosts[0]
    storeroom = world(shelves=0, shop=QUIET)
    before = temperatures(storeroom, room, defrost.at_s - 1800, defrost.at_s)
    during = temperatures(storeroom, room, defrost.at_s, defrost.until_s + 300)
    after = temperatures(storeroom, room, defrost.until_s + 1800, defrost.until_s + 3600)
    assert least_k < max(during) - max(before) < most_k
    assert max(after) < max(before) + 1.0


def test_a_door_warms_and_wets_a_cold_room() -> None:
    shut, opened = (world(shelves=0, shop=QUIET) for _ in range(2))
    opened.plan_open_door("cold-room", 600, 900)
    shut_c, shut_pct = shut.air("cold-room", 1400)
    open_c, open_pct = opened.air("cold-room", 1400)
    assert open_c > shut_c + 2
    assert Air(open_c, 0).temperature_c < SHOP_AIR.temperature_c
    assert air_of(open_c, open_pct).water_kg_kg > air_of(shut_c, shut_pct).water_kg_kg
    assert opened.is_door_open("cold-room", 1400)
    assert not opened.is_door_open("cold-room", 1501)
    assert not shut.is_door_open("cold-room", 1501)


def test_a_failed_compressor_warms_the_freezer_for_hours_and_its_return_cools_it() -> None:
    storeroom = world(shelves=0, shop=QUIET)
    storeroom.plan_compressor_failure("freezer", 3600, 6 * 3600)
    before, _ = storeroom.air("freezer", 3600)
    worst, _ = storeroom.air("freezer", 7 * 3600)
    assert worst > before + 3
    assert storeroom.air("freezer", 20 * 3600)[0] < before + 2.5


def test_delivered_goods_warm_what_lies_there() -> None:
    room = Room(RoomSettings("r", "cold-room", goods_kg=100))
    room.receive_goods(10, room.goods_c + 10)
    assert room.goods_c == pytest.approx(room.setpoint_c + 1)


def test_the_afternoon_is_warmer_than_the_night() -> None:
    storeroom = world(shelves=0, shop=QUIET, climate=ClimateSettings(unrest_k=0))
    afternoon, night = (storeroom.outdoor_air(hour * 3600)[0] for hour in (9, 21))
    assert afternoon == pytest.approx(16, abs=0.1)
    assert night == pytest.approx(8, abs=0.1)


# ----- people, pieces and the truth ----------------------------------------------------------------------------


def test_the_truth_adds_up_to_the_load_of_every_shelf_at_any_time() -> None:
    storeroom = world(shelves=6)
    for at_s in range(0, int(2 * DAY_S), 1800):
        storeroom.advance_to(at_s)
        for shelf in storeroom.shelves.values():
            assert storeroom.truth.load_g(shelf.name, at_s) == pytest.approx(shelf.load_g, abs=1e-6)
            assert storeroom.truth.pieces(shelf.name, at_s) == len(shelf.pieces)
            assert shelf.load_g >= 0


def test_a_pick_takes_one_piece_of_its_product_and_its_weight() -> None:
    storeroom = world(shop=ShopSettings(moves_per_day=0))
    storeroom.advance_to(DAY_S / 2)
    picks = storeroom.truth.movements(kind="pick")
    assert len(picks) > 30
    for pick in picks:
        piece_g = storeroom.shelves[pick.shelf].stock.piece_g
        assert pick.pieces == -1
        assert pick.product == pick.shelf
        assert -pick.grams == pytest.approx(piece_g, rel=0.0601)  # three standard deviations of 2 %
    assert len({pick.grams for pick in picks}) > len(picks) / 4


def test_what_is_moved_leaves_one_shelf_and_comes_to_another() -> None:
    storeroom = world(shop=replace(QUIET, moves_per_day=40))
    storeroom.advance_to(DAY_S)
    moves = storeroom.truth.movements(kind="move")
    assert len(moves) > 20
    assert sum(move.pieces for move in moves) == 0
    assert math.fsum(move.grams for move in moves) == pytest.approx(0, abs=1e-6)


def test_a_delivery_fills_the_shelves_again_case_by_case() -> None:
    storeroom = world(shop=ShopSettings(customers_per_hour=10))
    storeroom.advance_to(DAY_S + 3600)  # the second morning, seven o'clock
    restocks = storeroom.truth.movements(kind="restock", from_s=DAY_S)
    assert restocks
    assert all(0 < restock.pieces <= 6 for restock in restocks)
    for shelf in storeroom.shelves.values():
        assert len(shelf.pieces) >= shelf.stock.level
    assert not storeroom.truth.movements(kind="restock", to_s=DAY_S)  # the first found them full


def test_nobody_comes_when_the_shop_is_closed() -> None:
    storeroom = world(shop=ShopSettings(days=("tue",), moves_per_day=50, touches_per_day=50), deliveries=())
    storeroom.advance_to(DAY_S)  # all of Monday
    assert {movement.kind for movement in storeroom.truth.movements()} == {"start"}
    storeroom.advance_to(2 * DAY_S)
    assert {"pick", "move", "touch"} <= {movement.kind for movement in storeroom.truth.movements()}


def test_the_shop_keeps_its_own_hours_wherever_it_is() -> None:
    storeroom = world(timezone="Asia/Tokyo", shop=ShopSettings(days=people.DAYS))
    storeroom.advance_to(DAY_S)  # from 15:00 in Tokyo
    hours = {(15 + movement.at_s / 3600) % 24 for movement in storeroom.truth.movements(kind="pick")}
    assert hours
    assert all(8 <= hour < 20.2 for hour in hours)


def test_customers_come_as_often_as_was_set() -> None:
    shop = ShopSettings(customers_per_hour=30)
    rates = [people.customers_per_hour(shop, datetime(2026, 11, 23, hour)) for hour in range(24)]  # noqa: DTZ001
    assert sum(rates) / 12 == pytest.approx(30)
    assert rates[7] == rates[20] == 0


def test_who_goes_to_a_cold_shelf_opens_its_door() -> None:
    storeroom = world(shop=ShopSettings(errands_per_hour=0))
    storeroom.advance_to(DAY_S / 2)
    openings = storeroom.truth.openings("cold-room")
    cold_shelf = storeroom.truth.movements("shelf-0", "pick")
    assert cold_shelf
    for pick in cold_shelf:
        assert any(opening.at_s <= pick.at_s <= opening.until_s + 8 for opening in openings)
    assert all(room.people == 0 for room in storeroom.rooms.values() if not room.is_open(DAY_S / 2))


def the_first_pick(storeroom: Storeroom) -> Movement:
    return storeroom.truth.movements(kind="pick")[0]


def test_a_scale_swings_and_has_settled_half_a_second_after_the_hand_left() -> None:
    """A pick's hand is still there for its own ramp of 0.15 s."""
    seed_world = world()
    seed_world.advance_to(DAY_S / 2)
    pick = the_first_pick(seed_world)
    storeroom = world()
    before_g = storeroom.platform_g(pick.shelf, pick.at_s - pick.for_s - 0.5)
    touched = [storeroom.platform_g(pick.shelf, pick.at_s - pick.for_s * (1 - n / 20)) for n in range(1, 20)]
    settling = [storeroom.platform_g(pick.shelf, pick.at_s + n / 80) for n in range(1, 60)]
    assert max(abs(each - before_g) for each in touched) > 20  # somebody is there
    after_g = before_g + pick.grams
    assert max(abs(each - after_g) for each in settling[:20]) > 0.1 * abs(pick.grams)
    assert max(abs(each - after_g) for each in settling[52:]) < 0.02 * abs(pick.grams)
    assert storeroom.platform_g(pick.shelf, pick.at_s + 2) == pytest.approx(after_g, abs=1e-9)


def test_leaning_leaves_nothing_behind() -> None:
    storeroom = world(shop=replace(QUIET, touches_per_day=30))
    storeroom.advance_to(DAY_S)
    touches = storeroom.truth.movements(kind="touch")
    assert len(touches) > 10
    assert all((touch.grams, touch.pieces) == (0, 0) for touch in touches)
    storeroom = world(shop=replace(QUIET, touches_per_day=30))
    for touch in touches[:5]:
        before_g = storeroom.platform_g(touch.shelf, touch.at_s - 0.1)
        pressed_g = storeroom.platform_g(touch.shelf, touch.at_s + touch.for_s / 2)
        assert pressed_g > before_g + 300
        assert storeroom.platform_g(touch.shelf, touch.at_s + touch.for_s + 1) == before_g


def events(of: Storeroom, until_s: float, asked_every_s: float) -> Iterator[object]:
    for n in range(int(until_s / asked_every_s) + 1):
        of.advance_to(n * asked_every_s)
        of.air("cold-room", n * asked_every_s)
        of.platform_g("shelf-0", n * asked_every_s)
    of.advance_to(until_s)
    yield from of.truth
    for room in of.rooms.values():
        yield room.name, room.temperature_c, room.water_kg_kg, room.goods_c


def test_the_same_seed_is_the_same_world_however_often_it_is_asked() -> None:
    often, seldom, other = (
        list(events(world(seed=seed), DAY_S / 2, asked_s)) for seed, asked_s in ((7, 0.37), (7, 3600), (8, 3600))
    )
    assert often == seldom
    assert often != other


def test_the_truth_can_be_read_from_a_file_while_it_happens(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    truth = Truth(MONDAY_SIX, path)
    storeroom = Storeroom(
        rooms=[RoomSettings("cold-room", "cold-room")],
        shelves=[ShelfStock("shelf-0", ("cell",), room="cold-room")],
        truth=truth,
    )
    storeroom.advance_to(DAY_S / 2)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    truth.close()
    assert len(lines) == len(truth)
    assert lines[0]["at"] == "2026-11-23T06:00:00.000Z"
    assert {line["what"] for line in lines} == {"Movement", "DoorOpening", "Defrost"}
    loads = sum(line["grams"] for line in lines if line["what"] == "Movement")
    assert loads == pytest.approx(storeroom.shelves["shelf-0"].load_g, abs=1e-6)


def test_the_world_is_thousands_of_times_faster_than_time() -> None:
    """Ten rooms and ten shelves at steps of one second: 30,000 times on a free core; here a tenth of that is asked."""
    rooms = [RoomSettings(f"room-{n}", KINDS[n % 3]) for n in range(10)]
    shelves = [ShelfStock(f"shelf-{n}", (f"cell-{n}",), room=f"room-{n}") for n in range(10)]
    storeroom = Storeroom(rooms=rooms, shelves=shelves, truth=Truth(MONDAY_SIX))
    began_s = time.process_time()
    storeroom.advance_to(3 * 3600)
    assert 3 * 3600 / (time.process_time() - began_s) > 3000


# ----- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RoomSettings("Cold Room"), "name = 'Cold Room'"),
        (lambda: RoomSettings("r", "fridge"), "kind = 'fridge': must be one of cold-room, freezer, ambient"),
        (lambda: RoomSettings("r", floor_m2=0), "floor_m2 = 0"),
        (lambda: RoomSettings("r", setpoint_c=400), "setpoint_c = 400: must be between -40 and 40 °C"),
        (lambda: RoomSettings("r", defrost_for_min=-1), "defrost_for_min = -1"),
        (lambda: RoomSettings("r", surroundings="r"), "surroundings = 'r': must be another room"),
        (lambda: RoomSettings("r", height_m=math.nan), "height_m = nan"),
        (lambda: ShopSettings(opens="8 o'clock"), "a time of day like"),
        (lambda: ShopSettings(opens="20:00", closes="08:00"), "closes = '08:00': must be after opens (20:00)"),
        (lambda: ShopSettings(days=("mon", "noday")), "days = 'noday'"),
        (lambda: ShopSettings(customers_per_hour=-1), "customers_per_hour = -1"),
        (lambda: DeliverySettings(at="25:00"), "at = '25:00'"),
        (lambda: ShelfStock("s", ()), "cells = (): must be at least one sensor"),
        (lambda: ShelfStock("s", ("c",), piece_g=0), "piece_g = 0"),
        (lambda: ShelfStock("s", ("c",), piece_sd_g=400), "piece_sd_g = 400"),
        (lambda: ShelfStock("s", ("c",), level=-1), "level = -1"),
        (lambda: ClimateSettings(humidity_pct=0), "humidity_pct = 0"),
    ],
)
def test_a_world_that_cannot_be_is_refused(make: Any, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make()
    assert words in str(caught.value)
