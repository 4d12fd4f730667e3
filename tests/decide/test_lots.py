"""Lots by command: what people tell is booked, what cannot be is refused in words; all of it survives as rows."""

from dataclasses import replace
from random import Random

import pytest

from edge_agent.alerts.settings import PlaceSettings
from edge_agent.decide import Gathered, Memory, Plan, SensorPlan, decide, lives
from edge_agent.decide.memory import changed_rows, from_rows, kept_with, to_rows
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Ending, Lot, Measure, Shelved, Stay
from edge_agent.domain.product import Product
from edge_agent.domain.record import RecordKind
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.lots.air import Air, AirStep
from edge_agent.lots.keeping import Keeping, Lives, Told
from edge_agent.lots.register import Register, ShelfBook
from edge_agent.spoilage import guard
from edge_agent.weighing.follow import follow
from edge_agent.weighing.nouns import Weight
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import CellSettings, ShelfSettings
from edge_agent.weighing.trace import Trace

GTIN, OTHER = "4006381333931", "4123"
PLAN = Plan(
    {"air": SensorPlan(60.0, 60.0, place="cold-room")},
    products={GTIN: Product(GTIN, "Berries", piece_g=500.0), OTHER: Product(OTHER, "Apples")},
    places=(PlaceSettings("cold-room"), PlaceSettings("cellar")),
)
DELIVERY = {"product": GTIN, "lot": "L/1", "supplier": "farm-a", "units": 24, "place": "cold-room"}


def at(seconds: float) -> Instant:
    return Instant(round(1000 * seconds), 1_790_000_000_000 + round(1000 * seconds), "boot-1")


def told(memory: Memory, verb: str, seconds: float = 1.0, **arguments):
    """(memory, answer) after one command."""
    command = Command(f"c{seconds}", verb, arguments, "cli", at(seconds))
    decision = decide(memory, PLAN, Gathered(at(seconds), commands=[command]))
    (result,) = decision.results
    return decision, result


def with_delivery() -> Memory:
    return told(Memory(), "receive", **DELIVERY)[0].memory


def life(name: str = "l-1", used: float = 0.9) -> RemainingLife:
    return RemainingLife(name, at(9), (0.0, 1.0, 2.0, 3.0, 4.0), (0.1, 0.2, 0.3), "physics", used)


def test_a_delivery_is_a_lot_with_an_id_for_its_topic():
    decision, result = told(Memory(), "receive", **DELIVERY, packed="2026-09-20", packaging="punnet")
    lot = decision.memory.register.lots["l-1"]
    assert (result.code, result.detail["lot_id"]) == (ResultCode.DONE, "l-1")
    assert (lot.left, lot.unit_g, lot.place) == (24, 500.0, "cold-room")
    assert (lot.packaging, lot.packed) == ("punnet", "2026-09-20")


def test_what_was_sent_back_is_not_received():
    lot = told(Memory(), "receive", **DELIVERY, rejected_g=1000.0)[0].memory.register.lots["l-1"]
    assert lot.left == 22


def test_a_move_is_a_new_stay():
    decision, _ = told(with_delivery(), "move", 60, lot="L/1", place="cellar")
    assert decision.memory.register.lots["l-1"].stays == (Stay("cold-room", at(1)), Stay("cellar", at(60)))


@pytest.mark.parametrize(
    ("verb", "arguments", "says"),
    [
        ("move", {"lot": "L/1"}, "where to is missing"),
        ("move", {"lot": "L9", "place": "cellar"}, "lot = 'L9': must be an open lot: l-1"),
        ("move", {"lot": "L/1", "place": "attic"}, "must be a [[place]]"),
        ("move", {"lot": "L/1", "plaze": "attic"}, "'plaze' is none of"),
        ("move", {"place": "cellar"}, "lot is missing"),
        ("outcome", {"lot": "L/1", "outcome": "eaten"}, "must be one of sold-fresh, marked-down, wasted"),
        ("outcome", {"lot": "L/1", "outcome": "wasted"}, "reason is missing"),
        ("outcome", {"lot": ["L/1"], "outcome": "sold-fresh"}, "must be an open lot"),
        ("receive", {**DELIVERY, "packaging": "sock"}, "packaging = 'sock': must be a packaging: bare"),
        ("move", {"lot": "L/1", "product": "999", "place": "cellar"}, "product = '999': must be the gtin"),
        ("move", {"lot": "l-1", "product": OTHER, "place": "cellar"}, "must be an open lot of product 4123: l-1"),
        ("outcome", {"lot": "L/1", "outcome": "sold-fresh", "reason": "spoiled"}, "what was sold fresh has none"),
        ("waste", {"lot": "L9", "units": 1, "reason": "spoiled"}, "lot = 'L9': must be a lot that is known: l-1; or"),
        ("waste", {"lot": "L/1", "units": 26, "reason": "spoiled"}, "units = 26: must be at most 24"),
        ("waste", {"lot": "L/1", "grams": 13_000, "reason": "spoiled"}, "units = 26: must be at most 24"),
        (
            *("waste", {"lot": "L/1", "product": OTHER, "units": 1, "reason": "spoiled"}),
            "must be a lot of product 4123",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(verb, arguments, says):
    before = with_delivery()
    decision, result = told(before, verb, 60, **arguments)
    assert result.code is ResultCode.INVALID
    assert says in result.message
    assert decision.memory.register == before.register


def test_two_lots_of_one_code_are_told_apart():
    memory = told(with_delivery(), "receive", 5, **DELIVERY)[0].memory
    _, result = told(memory, "outcome", 9, lot="L/1", outcome="sold-fresh")
    assert "several have this code: l-1, l-1-2" in result.message
    decision, _ = told(memory, "outcome", 9, lot="l-1-2", outcome="sold-fresh")
    assert decision.memory.register.lots["l-1-2"].ending is Ending.SOLD_FRESH


def test_an_outcome_is_told_and_waits_to_be_learnt_from():
    memory = replace(with_delivery(), keepings={"l-1": Keeping(at(9), "[]", life())})
    decision, _ = told(memory, "outcome", 60, lot="L/1", outcome="wasted", reason="spoiled")
    assert decision.memory.outcomes == (Told("l-1", GTIN, "farm-a", "wasted", 0.9, "spoiled", at(60), at(1)),)
    assert [lot.id for lot in decision.closed] == ["l-1"]


def test_waste_is_taken_from_the_lot_that_is_named():
    decision, result = told(with_delivery(), "waste", 60, lot="L/1", units=4, reason="damaged")
    lot = decision.memory.register.lots["l-1"]
    assert (lot.left, lot.wasted, result.detail["lot_ids"]) == (20, 4, ["l-1"])


def test_waste_may_name_what_left_the_shelf_already_and_a_lot_by_its_long_id():
    memory = told(with_delivery(), "outcome", 30, lot="L/1", outcome="sold-fresh")[0].memory
    decision, result = told(memory, "waste", 60, lot="L/1", units=24, reason="spoiled")
    assert (result.code, result.detail["lot_ids"]) == (ResultCode.DONE, ["l-1"])
    long = "a-shelf-at-the-very-back-restock"
    nameless = replace(memory.register.lots["l-1"], id=long, code="", left=5, drawn=19, closed=None, ending=None)
    decision, result = told(
        replace(memory, register=Register({long: nameless})), "waste", 60, lot=long, units=2, reason="other"
    )
    assert (result.code, decision.memory.register.lots[long].left) == (ResultCode.DONE, 3)


def test_a_lot_that_is_closed_already_says_so_and_how_its_waste_is_told():
    memory = told(with_delivery(), "outcome", 30, lot="L/1", outcome="sold-fresh")[0].memory
    for verb, more in (("outcome", {"outcome": "wasted", "reason": "spoiled"}), ("move", {"place": "cellar"})):
        _, result = told(memory, verb, 60, lot="L/1", **more)
        assert result.message == "lot = 'L/1': is closed, sold-fresh; tell with waste what was thrown away of it"


def test_what_lay_on_a_shelf_that_is_configured_no_more_lies_in_the_back():
    lot = Lot(
        "a", GTIN, at(0), Measure.UNITS, 18, 18, unit_g=500.0, shelved=(Shelved("gone", 12), Shelved("shelf-1", 6))
    )
    memory = Memory(
        register=Register({"a": lot}, {"gone": ShelfBook(net_g=6000.0), "shelf-1": ShelfBook(net_g=3000.0)})
    )
    found = decide(memory, WEIGHED, Gathered(at(1))).memory.register
    assert (found.lots["a"].shelved, found.lots["a"].in_back, set(found.books)) == (
        (Shelved("shelf-1", 6),),
        12,
        {"shelf-1"},
    )


def test_where_no_lots_are_kept_waste_may_name_any():
    decision, result = told(Memory(), "waste", 60, lot="L9", units=2, reason="spoiled")
    kinds = [line.kind for line in decision.records]
    assert (result.code, kinds.count(RecordKind.WASTE)) == (ResultCode.DONE, 1)


def test_the_memory_of_lots_survives_as_rows():
    steps = (AirStep(at(300), 300.0, 4.5, None), AirStep(at(600), 300.0, None))
    memory = replace(
        with_delivery(),
        keepings={"l-1": Keeping(at(9), "[1]", life())},
        airs={"cold-room": Air(steps, steps, at(300))},
        learnt_lives='{"form": 1}',
        outcomes=(Told("x", GTIN, "s", "sold", 0.5),),
    )
    found = from_rows(to_rows(memory))
    assert (found.register, found.keepings, found.outcomes) == (memory.register, memory.keepings, memory.outcomes)
    assert (found.airs["cold-room"].steps, found.learnt_lives) == (steps, '{"form": 1}')


def test_only_what_changed_is_written_and_a_forgotten_lot_is_taken_away():
    memory = with_delivery()
    rows = changed_rows(Memory(), memory)
    assert [key for key in rows if key.startswith("lot/")] == ["lot/l-1"]
    kept = kept_with(Memory(), memory, rows)
    assert not [key for key in changed_rows(kept, memory) if key.startswith("lot/")]
    gone = replace(memory, register=replace(memory.register, lots={}))
    assert changed_rows(kept, gone)["lot/l-1"] is None


def test_lives_of_lots_that_closed_meanwhile_are_left_out():
    memory = told(with_delivery(), "outcome", 60, lot="L/1", outcome="sold-fresh")[0].memory
    memory, lived = lives.taken(memory, Lives(at(61), {"l-1": Keeping(at(60), "[]", life())}), at(61))
    assert (lived, memory.keepings) == ([], {})


def test_of_each_place_the_lot_that_spoils_first_is_known_as_long_as_its_estimate_is_fresh():
    def estimate(name: str, median_d: float, seconds: float = 9.0, reasons: tuple[str, ...] = ()) -> Keeping:
        found = replace(life(name), at=at(seconds), remaining_d=(0.0, 0.0, median_d, 9.0, 9.0), reasons=reasons)
        return Keeping(at(seconds), "[]", found)

    def lot(name: str, place: str, **more) -> Lot:
        return Lot(name, GTIN, at(0), Measure.UNITS, 5, 5, stays=(Stay(place, at(0)),), **more)

    lots = [
        *(lot("slow", "cold-room"), lot("fast", "cold-room"), lot("unknown", "cold-room")),
        *(lot("doubt", "cellar"), lot("nowhere", ""), lot("gone", "cellar", closed=at(5))),
    ]
    keepings = {
        **{"slow": estimate("slow", 4.0), "fast": estimate("fast", 1.5), "nowhere": estimate("nowhere", 0.1)},
        **{"doubt": estimate("doubt", 0.0, reasons=(guard.NO_DATE,)), "gone": estimate("gone", 0.0)},
    }
    memory = Memory(register=Register({each.id: each for each in lots}), keepings=keepings)
    (found,) = lives.next_lots(memory, PLAN, at(60), 3600.0)
    assert (found.place, found.lot.id, found.name, found.life.median_d, found.lots) == (
        *("cold-room", "fast", "Berries"),
        *(1.5, 3),
    )
    assert lives.next_lots(memory, PLAN, at(9 + 3601), 3600.0) == [], "nobody reckons them any more"
    unset = Instant(60_000, 60_000, "boot-2", ClockState.UNSYNCED)
    assert lives.next_lots(memory, PLAN, unset, 3600.0) == [], "how old it is, nobody knows"


# --- weighed alone ----------------------------------------------------------------------------------------------------

SHELF = ShelfSettings("shelf-1", (CellSettings("c", 0, 1.0),), capacity_g=20_000.0, product=GTIN)
WEIGHED = replace(PLAN, shelves=(SHELF,))


def on_scale(hours: float, gross_g: float, **state) -> ScaleState:
    return ScaleState(tare_g=400.0, net_g=9000.0, reference_g=gross_g, confirmed=at(3600 * hours), **state)


def lying_alone() -> Memory:
    lot = Lot("a", GTIN, at(0), Measure.UNITS, 18, 18, unit_g=500.0, shelved=(Shelved("shelf-1", 18),))
    return Memory(register=Register({"a": lot}, {"shelf-1": ShelfBook(net_g=9000.0, unattributed_g=0.0)}))


def test_a_lot_that_lies_alone_is_weighed_each_hour_with_what_the_scale_may_have_drifted():
    memory = lying_alone()
    for quarter in range(9):
        state = on_scale(quarter / 4, 9400.0 - quarter)
        memory = lives.weigh(replace(memory, scales={"shelf-1": state}), WEIGHED)
    rests = memory.register.books["shelf-1"].rests
    assert [rest.net_g for rest in rests] == [9000.0, 8996.0, 8992.0]
    assert [rest.u_g for rest in rests] == [0.0, 20.0, 40.0]
    found = from_rows(to_rows(memory)).register
    assert found.books["shelf-1"].rests == rests, "a restart of the agent forgets none"


def test_a_scale_at_fault_is_not_believed_and_company_ends_the_series():
    memory = lives.weigh(replace(lying_alone(), scales={"shelf-1": on_scale(0, 9400.0)}), WEIGHED)
    at_fault = replace(memory, scales={"shelf-1": on_scale(2, 5000.0, fault_since=at(3600))})
    assert lives.weigh(at_fault, WEIGHED).register is at_fault.register
    lots = memory.register.lots
    company = replace(memory, register=replace(memory.register, lots={**lots, "b": replace(lots["a"], id="b")}))
    assert lives.weigh(company, WEIGHED).register.books["shelf-1"].rests == ()


@pytest.mark.parametrize("lost_g_per_d", [280.0, 20.0, 0.0])
def test_the_weights_follow_what_the_scale_shows_at_rest(lost_g_per_d):
    """Through the weighing room, a weight each minute of a day; what is slow is no event, and yet not lost."""
    memory, state, trace = lying_alone(), ScaleState(), Trace()
    noise_g = Random(4)
    for minute in range(24 * 60):
        gross_g = 9000.0 - lost_g_per_d * minute / 1440 + noise_g.gauss(0, 0.3)
        weights = [Weight(at(60 * minute).mono_ms, gross_g)]
        followed = follow(SHELF, state, trace, weights, at(60 * minute), product=PLAN.products[GTIN])
        state, trace = followed.state, followed.trace
        assert not followed.events
        memory = lives.weigh(replace(memory, scales={"shelf-1": state}), WEIGHED)
    rests = memory.register.books["shelf-1"].rests
    passed_d = rests[0].at.age_s(rests[-1].at) / 86_400
    assert rests[0].net_g - rests[-1].net_g == pytest.approx(lost_g_per_d * passed_d, abs=3.0)
    assert rests[-1].u_g == 200.0
