"""Deliveries and waste, as people tell them: complete, traceable, and no balance of a shelf."""

from dataclasses import replace

import pytest

from edge_agent.alerts.settings import PlaceSettings
from edge_agent.decide import Gathered, Memory, Plan, SensorPlan, decide
from edge_agent.decide.goods import carry_out
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.product import Product
from edge_agent.domain.record import RecordKind
from edge_agent.weighing.settings import CellSettings, ShelfSettings

AT = Instant(1000, 1_795_417_200_000, "boot-1")  # 2026-11-23
GTIN = "4006381333931"
SHELF = ShelfSettings("shelf-1", (CellSettings("scale-1", 0, 100.0),), 20_000.0, GTIN)
PLAN = Plan(
    {"scale-1": SensorPlan(1.0, 1.0, place="cold-room")},
    shelves=(SHELF,),
    products={GTIN: Product(GTIN, "Honey")},
    places=(PlaceSettings("cold-room"),),
)
DELIVERY = {"product": GTIN, "lot": "L2411", "supplier": "farm-a", "units": 24}
WASTE = {"shelf": "shelf-1", "grams": 1250, "reason": "spoiled"}


def told(verb, arguments):
    return carry_out(PLAN, Command("c-1", verb, arguments, "mqtt", AT), AT)


def test_a_delivery_is_a_line_with_everything_it_is_traced_by():
    more = {"use_by": "2026-12-01", "temperature_c": 3.5, "invoiced_g": 12_000, "order": "4711", "who": "ann"}
    found = told("receive", {**DELIVERY, **more, "shelf": "shelf-1"})
    assert (found.line.kind, found.line.place, found.message) == (
        RecordKind.DELIVERY,
        "cold-room",
        "24 x Honey received",
    )
    assert found.line.body == {
        **DELIVERY,
        "use_by": "2026-12-01",
        "temperature_c": 3.5,
        "invoiced_g": 12_000.0,
        "order": "4711",
        "shelf": "shelf-1",
        "who": "mqtt:ann",
        "source": "c-1",
    }


def test_waste_of_a_shelf_is_waste_of_its_product():
    found = told("waste", WASTE)
    assert (found.line.kind, found.line.place) == (RecordKind.WASTE, "cold-room")
    assert (found.line.body["product"], found.line.body["grams"]) == (GTIN, 1250.0)
    assert found.message == "1250 g Honey thrown away (spoiled)"


def test_waste_without_a_shelf_concerns_the_node():
    assert told("waste", {"lot": "L1", "units": 2, "reason": "expired"}).line.place == ""


@pytest.mark.parametrize(
    ("verb", "change", "says"),
    [
        ("receive", {"product": "4006381333932"}, "must be the gtin of a [[product]]: 4006381333931"),
        ("receive", {"product": None}, "product is missing: receive needs product, lot, supplier"),
        ("receive", {"product": [GTIN]}, "product = "),
        ("receive", {"lot": "a b"}, "lot = 'a b'"),
        ("receive", {"lot": "x" * 21}, "1 to 20"),
        ("receive", {"supplier": "\n"}, "supplier = "),
        ("receive", {"supplier": None}, "supplier is missing"),
        ("receive", {"units": None}, "how much is missing"),
        ("receive", {"units": 1.5}, "units = 1.5: must be a whole number"),
        ("receive", {"units": True}, "units = True"),
        ("receive", {"grams": -1}, "grams = -1: must be between 0 and"),
        ("receive", {"grams": float("nan")}, "grams = nan"),
        ("receive", {"temperature_c": 90}, "temperature_c = 90: must be between -60 and 60 °C"),
        ("receive", {"use_by": "1.12.2026"}, "use_by = '1.12.2026': must be a day such as"),
        ("receive", {"use_by": "2026-02-30"}, "must be a day"),
        ("receive", {"shelf": "shelf-9"}, "must be a [[shelf]]: shelf-1"),
        ("receive", {"place": "attic"}, "must be a [[place]]: cold-room"),
        ("receive", {"colour": "red"}, "'colour' is none of product"),
        ("receive", {"note": "x" * 201}, "1 to 200 printable"),
        ("receive", {"who": 7}, "who = 7"),
        ("receive", {"grams": 20_000_000}, "grams = 20000000: must be between 0 and 10000000 g"),
        ("receive", {"units": 0}, "units = 0: must be more than 0"),
        ("receive", {"units": 0, "grams": 0}, "grams = 0, units = 0: must be more than 0"),
        ("receive", {"grams": 100, "rejected_g": 900}, "rejected_g = 900: must be at most grams, 100"),
        ("receive", {"use_by": "2026-11-21"}, "use_by = 2026-11-21: must not be over, today is 2026-11-23"),
        ("receive", {"packed": "2026-11-25"}, "packed = 2026-11-25: must not be after today, 2026-11-23"),
        ("receive", {"packed": "2026-11-20", "best_before": "2026-11-19"}, "must not be before packed, 2026-11-20"),
        ("waste", {"grams": 0}, "grams = 0: must be more than 0"),
        ("waste", {"shelf": None}, "what was thrown away is missing"),
        ("waste", {"reason": None}, "reason is missing"),
        ("waste", {"reason": "bored"}, "must be a reason: expired, spoiled"),
        ("waste", {"supplier": "farm-a"}, "'supplier' is none of"),
    ],
)
def test_what_is_incomplete_or_impossible_is_refused(verb, change, says):
    whole = DELIVERY if verb == "receive" else WASTE
    with pytest.raises(ValueError) as refused:
        told(verb, {**whole, **change})
    assert says in str(refused.value)


def test_the_answer_and_the_line_leave_in_one_cycle_and_no_balance_changes():
    command = Command("c-1", "waste", WASTE, "local", AT, peer="ann uid=1 pid=2")
    decision = decide(Memory(), PLAN, Gathered(AT, commands=(command,)))
    assert [result.code for result in decision.results] == [ResultCode.DONE]
    assert [line.body["who"] for line in decision.records if line.kind is RecordKind.WASTE] == ["local:ann"]
    assert (decision.events, decision.is_critical) == ([], True)


@pytest.mark.parametrize(
    "more",
    [
        {"use_by": "2026-11-22"},  # at the date line it is yesterday still
        {"packed": "2026-11-24", "best_before": "2026-11-24"},
        {"best_before": "2026-11-01"},  # which may be sold
        {"units": 0, "rejected_g": 12_000},  # all of it went back
    ],
)
def test_what_may_well_be_is_received(more):
    assert told("receive", {**DELIVERY, **more}).line.kind is RecordKind.DELIVERY


def test_without_a_clock_nobody_knows_what_is_over():
    unset = replace(AT, wall_ms=5000, clock=ClockState.UNSYNCED)
    given = {**DELIVERY, "use_by": "2026-12-01", "packed": "2026-11-20"}
    assert carry_out(PLAN, Command("c-1", "receive", given, "mqtt", unset), unset).line.body["use_by"] == "2026-12-01"


@pytest.mark.parametrize(
    ("of_cells", "of_thermometer", "places", "wanted"),
    [
        ("cold-room", "cellar", (PlaceSettings("cellar"), PlaceSettings("cold-room")), "cold-room"),
        ("shelf-1", "cellar", (PlaceSettings("cellar"), PlaceSettings("cold-room")), "cellar"),
        ("shelf-1", "rack", (PlaceSettings("cellar"), PlaceSettings("cold-room", sensors=("air",))), "cold-room"),
        ("shelf-1", "rack", (PlaceSettings("cellar"), PlaceSettings("cold-room", core=("air",))), "cold-room"),
        ("shelf-1", "rack", (PlaceSettings("cellar"),), ""),
        ("shelf-1", None, (PlaceSettings("cellar"),), ""),
    ],
)
def test_goods_on_a_shelf_lie_in_the_place_of_its_load_cells_else_of_the_thermometer_beside_them(
    of_cells, of_thermometer, places, wanted
):
    """Two scales in one room cannot both have its name: channels are place/quantity."""
    sensors = {"scale-1": SensorPlan(1.0, 1.0, place=of_cells)}
    if of_thermometer is not None:
        sensors["air"] = SensorPlan(60.0, 60.0, place=of_thermometer)
    plan = replace(PLAN, sensors=sensors, shelves=(replace(SHELF, temperature="air"),), places=places)
    command = Command("c-1", "waste", WASTE, "mqtt", AT)
    assert carry_out(plan, command, AT).line.place == wanted
