"""A delivery, customers, a warm night with a power cut before it, and the bin: two lots from the van to their ends."""

from dataclasses import replace

import pytest

from edge_agent.config import check
from hardware_mocks.clock import SimulatedClock
from tests.lots.shops import GTIN, PRODUCT, one_shelf, places

BASE = "storeroom/v1/elm-street/a1/"
CONFIG = one_shelf(10.0, 60.0, 10.0) + places(cold_room=None) + PRODUCT
HOUR = 3600.0
DELIVERY = {
    **{"product": GTIN, "supplier": "farm-a", "shelf": "shelf-1", "packaging": "punnet", "temperature_c": 4.0},
    "packed": "2026-09-20",
}


def payloads(told, topic: str) -> list[dict]:
    """An empty one takes the topic's retained message back, and is left out."""
    return [message["payload"] for message in told if message["topic"] == BASE + topic and message["payload"]]


def answers(told) -> list[tuple[str, str]]:
    return [
        (found["payload"]["verb"], found["payload"]["code"])
        for found in told
        if found["topic"].startswith(BASE + "rsp/")
    ]  # fmt: skip


def loading(room, load_g: float):
    def put() -> None:
        room.cell.load_g = load_g

    return put


def warming(room, temperature_c: float):
    def warm() -> None:
        room.climate.temperature_c = temperature_c

    return warm


@pytest.fixture
def strawberries(make_storeroom):
    room = make_storeroom(SimulatedClock())
    settings = check(CONFIG, "scenario")
    assert hasattr(settings, "sensors"), settings
    room.settings = replace(settings, storage=room.settings.storage)
    return room


def test_two_lots_from_the_delivery_to_their_ends(strawberries):
    room = strawberries
    first = room.run(
        1.2 * HOUR,
        (600.0, loading(room, 5000.0)),
        commands=[
            (60.0, "receive", {"cmd_id": "1", "lot": "NEW", "units": 6, "use_by": "2035-12-24", **DELIVERY}),
            (61.0, "receive", {"cmd_id": "2", "lot": "OLD/4", "units": 4, "use_by": "2035-12-23", **DELIVERY}),
        ],
    )
    assert answers(first) == [("receive", "done"), ("receive", "done")]
    (put,) = [event for event in payloads(first, "event/shelf-1") if event["kind"] == "restock"]
    assert [(part["lot"], part["delta_g"]) for part in put["lots"]] == [("old-4", 2000), ("new", 3000)]
    fresh = payloads(first, "shelflife/new")[-1]
    assert (fresh["state"], fresh["left"]) == ("open", {"units": 6, "net_g": 3000}), fresh
    assert fresh["basis"] in ("model", "physics"), fresh["reasons"]
    assert fresh["product_c"] == pytest.approx(4.0, abs=0.5)

    (told,) = payloads(first, "health")[-1]["next_lots"]
    assert (told["place"], told["lot"], told["code"], told["lots"]) == ("cold-room", "old-4", "OLD/4", 2)

    # The plug is pulled and put back: what lies there is as it was. Then the night is warm.
    night = room.run(
        10 * HOUR,
        (600.0, warming(room, 18.0)),
        (9 * HOUR, loading(room, 2500.0)),
    )
    lives = payloads(night, "shelflife/new")
    medians = [life["remaining_d"][2] for life in lives]
    assert len(lives) >= 9
    assert medians[0] == pytest.approx(fresh["remaining_d"][2], rel=0.05)
    assert medians[-1] < 0.8 * medians[0]
    assert lives[-1]["product_c"] == pytest.approx(18.0, abs=0.5)
    (pick,) = [event for event in payloads(night, "event/shelf-1") if event["kind"] == "pick"]
    assert [(part["lot"], round(part["delta_g"])) for part in pick["lots"]] == [("old-4", -2000), ("new", -500)]
    gone = payloads(night, "shelflife/old-4")[-1]
    assert (gone["state"], gone["ending"]) == ("closed", "sold-out")
    *_, emptied = [message for message in night if message["topic"] == BASE + "shelflife/old-4"]
    assert (emptied["payload"], emptied["retain"]) == (None, True)

    last = room.run(
        1.2 * HOUR,
        commands=[
            (600.0, "move", {"cmd_id": "3", "lot": "NEW", "place": "cold-room"}),
            (700.0, "outcome", {"cmd_id": "4", "lot": "NEW", "outcome": "wasted", "reason": "spoiled"}),
            (800.0, "outcome", {"cmd_id": "5", "lot": "NEW", "outcome": "sold-fresh"}),
        ],
    )
    assert answers(last) == [("move", "done"), ("outcome", "done"), ("outcome", "invalid")]
    gone = payloads(last, "shelflife/new")[-1]
    assert (gone["state"], gone["ending"], gone["cause"]) == ("closed", "wasted", "spoiled")
    lives = [message["payload"] for message in room.told if "/shelflife/" in message["topic"]]
    numbers = {life["seq"] for life in lives if life}
    assert numbers == set(range(1, max(numbers) + 1)), "no number is lost, also not with the power"
