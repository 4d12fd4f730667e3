"""The lives of the lots: when they are reckoned, through which air, and what a failure costs."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC
from math import isnan

import pytest

from edge_agent.config.shop import ShopSettings
from edge_agent.decide import Memory
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import PACKAGINGS, Lot, Measure, Stay
from edge_agent.domain.product import Product
from edge_agent.lots.air import GAP_S, Air, AirStep
from edge_agent.lots.keeping import Keeping, Lives, Told
from edge_agent.lots.register import Register, Rest
from edge_agent.service import life_work
from edge_agent.service.life_work import Question
from edge_agent.service.lives import CLOCK_S, HUNG_S, SOON_S, TASK, LivesJob
from edge_agent.service.models import InUse
from edge_agent.service.thinker import Thinker, Thought
from edge_agent.spoilage.condition import read
from edge_agent.spoilage.thermal import PACKS
from edge_agent.weighing.drift import drift_u_g
from edge_agent.weighing.settings import CellSettings, ShelfSettings

GTIN = "4006381333931"
BERRIES = Product(GTIN, "Strawberries", keeps_like="strawberry")
H = 3600.0


def at(seconds: float, clock: ClockState = ClockState.SYNCED) -> Instant:
    return Instant(round(1000 * seconds), 1_795_417_200_000 + round(1000 * seconds), "boot-1", clock)


def lot(name="a", place="room", since=0.0, **more) -> Lot:
    given = {"supplier": "farm-a", "temperature_c": 4.0, "packaging": "punnet"} | more
    return Lot(name, GTIN, at(since), Measure.UNITS, 10, 10, stays=(Stay(place, at(since)),), **given)


def air(*hourly_c: float | None) -> Air:
    steps = tuple(AirStep(at(H * (hour + 1)), H, c, 90.0) for hour, c in enumerate(hourly_c))
    return Air(steps, steps, None, at(H * len(hourly_c)), hourly_c[-1] or 0.0)


def reckoned(lots, airs, hours: float, keepings=None, now=None, product=BERRIES, **more) -> Lives:
    question = Question(now or at(H * hours), tuple(lots), keepings or {}, airs, {GTIN: product}, UTC, **more)
    return life_work.answer(question, None)


def life(lots, airs, hours, **more):
    (keeping,) = reckoned(lots, airs, hours, **more).keepings.values()
    return keeping.life


def test_a_warm_day_shortens_a_life():
    cold = life([lot()], {"room": air(*[4.0] * 24)}, 24)
    warm = life([lot()], {"room": air(*[18.0] * 24)}, 24)
    assert warm.median_d < 0.7 * cold.median_d
    assert (cold.basis, round(warm.product_c)) == ("physics", 18)


def test_two_halves_are_as_good_as_the_whole():
    room = air(*[4.0] * 6, *[16.0] * 6, *[4.0] * 12)
    whole = reckoned([lot()], {"room": room}, 24).keepings["a"]
    first = reckoned([lot()], {"room": Air(room.steps[:9])}, 9)
    both = reckoned([lot()], {"room": Air(room.steps[5:])}, 24, first.keepings).keepings["a"]
    assert first.keepings["a"].upto == at(9 * H)
    assert json.loads(both.condition) == pytest.approx(json.loads(whole.condition), nan_ok=True)
    assert both.life.remaining_d == pytest.approx(whole.life.remaining_d, rel=1e-4)


def test_a_lot_that_was_moved_ages_where_it_lay():
    rooms = {"cold": air(*[2.0] * 24), "hot": air(*[20.0] * 24)}
    stayed = life([lot(place="cold")], rooms, 24)
    moved = Lot(
        *("a", GTIN, at(0), Measure.UNITS, 10, 10),
        temperature_c=4.0,
        packaging="punnet",
        stays=(Stay("cold", at(0)), Stay("hot", at(20 * H))),
    )
    there = life([moved], rooms, 24)
    always = life([lot(place="hot")], rooms, 24)
    assert always.used > there.used > stayed.used


def test_a_dead_thermometer_counts_against_the_goods():
    known = life([lot()], {"room": air(*[4.0] * 12, *[12.0] * 12, *[4.0] * 24)}, 48)
    blind = life([lot()], {"room": air(*[4.0] * 12, *[12.0] * 12, *[None] * 24)}, 48)
    assert blind.used > known.used


def test_silence_until_now_counts_as_well():
    silent = reckoned([lot()], {"room": air(*[4.0] * 12)}, 36).keepings["a"]
    assert silent.upto == at(36 * H)
    assert silent.life.used > life([lot()], {"room": air(*[4.0] * 12)}, 12).used


def unset(seconds: float, boot="boot-2") -> Instant:
    """On a board whose clock nobody has set since the power came back."""
    return Instant(round(1000 * seconds), round(1000 * seconds), boot, ClockState.UNSYNCED)


def since_power_cut(hours: int, air_c: float, begin=unset) -> Air:
    """A gap that nobody knows the length of, then so many hours."""
    steps = (AirStep(begin(5), GAP_S, None), *(AirStep(begin(5 + H * (n + 1)), H, air_c, 90.0) for n in range(hours)))
    return Air(steps, steps, None, begin(5 + H * hours), air_c)


def test_goods_age_though_no_clock_was_set_since_the_power_cut():
    before = reckoned([lot()], {"room": air(*[4.0] * 6)}, 6)
    woken = reckoned([lot()], {"room": since_power_cut(12, 15.0)}, 0, before.keepings, now=unset(5 + 12 * H))
    assert woken.keepings["a"].upto == unset(5 + 12 * H)
    known = reckoned([lot()], {"room": air(*[4.0] * 6, *[15.0] * 12)}, 18)
    assert woken.keepings["a"].life.used >= known.keepings["a"].life.used
    again = reckoned([lot()], {"room": since_power_cut(12, 15.0)}, 0, woken.keepings, now=unset(6 + 12 * H))
    assert again.keepings["a"].condition == woken.keepings["a"].condition, "no hour counts twice"


def test_a_clock_that_went_back_over_a_power_cut_keeps_no_goods_fresh():
    before = reckoned([lot()], {"room": air(*[4.0] * 6)}, 6)

    def back(seconds: float) -> Instant:
        return Instant(round(1000 * seconds), at(0).wall_ms - 86_400_000 + round(1000 * seconds), "boot-2")

    room = since_power_cut(12, 15.0, back)
    woken = reckoned([lot()], {"room": room}, 0, before.keepings, now=back(5 + 12 * H))
    assert woken.keepings["a"].life.used > 2 * before.keepings["a"].life.used


def test_where_nobody_measures_an_unknown_power_cut_counts_once_as_a_gap():
    before = reckoned([lot()], {"room": air(*[4.0] * 6)}, 6)
    moved = lot(place="attic")
    first = reckoned([moved], {}, 0, before.keepings, now=unset(10)).keepings["a"]
    blind_h = [read(json.loads(each.condition)).blind_h for each in (before.keepings["a"], first)]
    assert (blind_h[1] - blind_h[0], first.upto) == (pytest.approx(0.5), unset(10))
    later = reckoned([moved], {}, 0, {"a": first}, now=unset(10 + 2 * H)).keepings["a"]
    assert read(json.loads(later.condition)).blind_h - blind_h[1] == pytest.approx(2.0)


def test_a_lot_under_no_thermometer_goes_by_its_date():
    dated = lot(place="", use_by=at(3 * 24 * H).utc.date().isoformat())
    assert life([dated], {}, 1).basis == "date"
    unset = life([dated], {}, 1, now=at(H, ClockState.UNSYNCED))
    assert (unset.remaining_d, "no_date" in unset.reasons) == ((0.0,) * 5, True)


def test_a_lot_that_has_just_come_is_as_fresh_as_its_room_is_cold():
    just = life([lot(temperature_c=None)], {"room": Air(at=at(0), air_c=4.0)}, 0)
    assert (just.basis, just.used, just.product_c) == ("physics", 0.0, 4.0)
    assert just.median_d > 1.0
    told = life([lot(temperature_c=12.0)], {"room": Air(at=at(0), air_c=4.0)}, 0)
    assert told.product_c == 12.0


def test_no_estimate_goes_beyond_the_use_by_day():
    found = life([lot(use_by=at(24 * H).utc.date().isoformat())], {"room": air(*[1.0] * 4)}, 4)
    assert max(found.remaining_d) < 2.0


def test_what_was_thrown_away_early_makes_the_next_lot_of_that_supplier_shorter():
    early = tuple(Told(f"l{n}", GTIN, "farm-a", "wasted", 0.5, "spoiled") for n in range(12))
    taught = reckoned([lot()], {"room": air(4.0)}, 1, outcomes=early)
    assert taught.outcomes == 12
    plain = life([lot()], {"room": air(4.0)}, 1)
    assert life([lot()], {"room": air(4.0)}, 1, learnt=taught.learnt).median_d < 0.8 * plain.median_d


def test_a_condition_nobody_can_read_is_begun_anew():
    odd = {"a": Keeping(at(0), "[1, 2]")}
    assert life([lot()], {"room": air(4.0)}, 1, keepings=odd).basis == "physics"


def test_a_product_that_nobody_knows_has_its_reason():
    question = Question(at(H), (lot(),), {}, {"room": air(4.0)}, {}, UTC)
    assert "product_unknown" in life_work.answer(question, None).keepings["a"].life.reasons


def test_every_packaging_is_one_of_the_table():
    assert set(PACKAGINGS) == set(PACKS)


# --- on the scale -----------------------------------------------------------------------------------------------------

GRAPES = Product(GTIN, "Grapes", keeps_like="grape_table")
SHELF = ShelfSettings("s1", (CellSettings("c", 0, 1.0),), capacity_g=20_000.0)


def weighed_daily(
    pct_per_d: float, drift_g_per_d: float = 0.0, days: int = 3, begin_g: float = 14_000.0, product=GRAPES, **of_lot
):
    """(the lot's condition, its life) after days alone on a scale, reckoned twice a day; dry air of 5 °C."""
    keepings, rests, found = {}, [], None
    for half in range(2 * days + 1):
        now = at(half * 12 * H)
        net_g = begin_g * (1 - pct_per_d / 100 * half / 2) - drift_g_per_d * half / 2
        rests.append(Rest(now, net_g, drift_u_g(half * 12 * H, SHELF)))
        steps = tuple(AirStep(at((half * 12 - 11 + n) * H), H, 5.0, 80.0) for n in range(12)) if half else ()
        room = Air(steps, steps, None, now, 5.0)
        found = reckoned(
            [lot(**of_lot)], {"room": room}, half * 12, keepings, weighings={"a": tuple(rests)}, product=product
        )
        keepings = found.keepings
    return read(json.loads(found.keepings["a"].condition)), found.keepings["a"].life


def test_what_a_lot_loses_on_its_scale_is_its_own_drying_and_shortens_its_life():
    dry, short = weighed_daily(2.0)
    assert dry.weighed_pct_d == pytest.approx(2.0, abs=2 * dry.weighed_se_pct_d)
    assert dry.weighed_se_pct_d < 1.0
    by_table, long = weighed_daily(0.0, begin_g=0.0)
    assert (by_table.factor, isnan(by_table.weighed_pct_d)) == (1.0, True), "an empty scale teaches nothing"
    assert dry.factor > 10, "by the table such goods lose a twentieth of it"
    assert dry.lost_pct > by_table.lost_pct + 2
    assert short.median_d < 0.9 * long.median_d


def test_a_scale_that_drifts_as_scales_do_dries_no_goods():
    table, life_by_table = weighed_daily(0.0, begin_g=0.0)
    light, life_of_it = weighed_daily(0.0, drift_g_per_d=20.0, begin_g=1000.0)
    assert (light.factor, isnan(light.weighed_pct_d)) == (1.0, True), "20 g a day of 1 kg look like 2 %"
    assert life_of_it.remaining_d == pytest.approx(life_by_table.remaining_d)
    heavy, life_of_heavy = weighed_daily(0.0, drift_g_per_d=20.0, product=BERRIES, packaging="bare")
    assert heavy.weighed_pct_d <= heavy.weighed_se_pct_d, "surer than the table, and no loss that is one"
    assert heavy.factor < table.factor
    assert "water_loss" not in life_of_heavy.reasons


def test_water_is_learnt_only_from_the_time_that_both_saw():
    """The lot stood in the dry for a day before it was alone: that day's deficit is none of the scale's."""
    room = air(*[5.0] * 24)
    before = reckoned([lot()], {"room": room}, 24)
    assert read(json.loads(before.keepings["a"].condition)).dry_kpa_d > 0
    rests = {"a": (Rest(at(24 * H), 9000.0, 0.0),)}
    begun = reckoned([lot()], {"room": room}, 24, before.keepings, weighings=rests)
    assert read(json.loads(begun.keepings["a"].condition)).dry_kpa_d == 0
    assert begun.keepings["a"].weighed_from == at(24 * H)
    gone = reckoned([lot()], {"room": room}, 24, begun.keepings)
    assert gone.keepings["a"].weighed_from is None


# --- when -------------------------------------------------------------------------------------------------------------


def memory(*lots: Lot, air_c: float = 4.0) -> Memory:
    return Memory(register=Register({each.id: each for each in lots}), airs={"room": Air(at=at(0), air_c=air_c)})


def job(thinker: Thinker, model=lambda: InUse(None)) -> LivesJob:
    return LivesJob((BERRIES,), ShopSettings(time_zone="UTC"), model, thinker)


def asked(made: LivesJob, thinker: Thinker, found: Memory, seconds: float) -> bool:
    made.look(found, at(seconds))
    thoughts = thinker.take()
    for thought in thoughts:
        made.take(thought, at(seconds))
    made.found()
    return bool(thoughts)


def test_they_are_reckoned_hourly_and_soon_after_a_change():
    thinker = Thinker()
    made, one = job(thinker), memory(lot())
    assert not asked(made, thinker, Memory(), 0)
    assert made.conditions() == []
    assert asked(made, thinker, one, 0)
    assert not asked(made, thinker, one, 1800)
    assert not asked(made, thinker, memory(lot(), lot("b")), SOON_S - 1)
    assert asked(made, thinker, memory(lot(), lot("b")), 1801)
    assert asked(made, thinker, memory(lot(), lot("b"), air_c=7.0), 1900), "the room turned warm"
    assert not asked(made, thinker, memory(lot("b"), air_c=5.0), 2000), "a lot less, and cooler"
    assert asked(made, thinker, memory(lot("b")), 1900 + H)


def test_after_a_power_cut_the_first_reckoning_waits_half_an_hour_for_the_clock():
    before = reckoned([lot()], {"room": air(4.0)}, 1)
    found = memory(lot(), lot("b"))
    cut = replace(found, keepings=before.keepings)
    for clock_comes_s, reckoned_s in ((90.0, 90.0), (None, CLOCK_S)):
        thinker = Thinker()
        made = job(thinker)

        def now(seconds: float, comes_s=clock_comes_s) -> Instant:
            clock = ClockState.UNSYNCED if comes_s is None or seconds < comes_s else ClockState.SYNCED
            return replace(unset(seconds), clock=clock)

        asked_at = []
        for seconds in (0.0, 30.0, 60.0, 90.0, 600.0, CLOCK_S - 1, CLOCK_S):
            made.look(cut, now(seconds))
            asked_at += [seconds for thought in thinker.take() if made.take(thought, now(seconds)) is None]
            made.found()
        assert asked_at[0] == reckoned_s
    fresh = Thinker()
    job(fresh).look(found, unset(0.0))
    assert len(fresh.take()) == 1, "what came since the power is back needs no clock"


def test_a_lot_that_is_opened_anew_is_reckoned_soon():
    thinker = Thinker()
    made = job(thinker)
    closed = memory(lot(closed=at(90)), lot("b"))
    assert asked(made, thinker, memory(lot(), lot("b")), 0)
    assert not asked(made, thinker, closed, 100)
    assert asked(made, thinker, memory(lot(), lot("b")), 200)


def test_a_failure_or_a_silence_is_an_alarm_until_an_answer_comes():
    thinker = Thinker()
    made = job(thinker)
    made.look(memory(lot()), at(0))
    assert [condition.holds for condition in made.conditions()] == [False]
    made.take(Thought(TASK, None, ValueError("no table")), at(HUNG_S))
    (condition,) = made.conditions()
    assert (condition.holds, condition.evidence) == (True, "ValueError: no table")
    made.take(Thought(TASK, Lives(at(0), {})), at(HUNG_S + 1))
    assert [condition.holds for condition in made.conditions()] == [False]
    assert made.found() == Lives(at(0), {})


def test_a_reckoning_that_hangs_is_told_by_the_alarm():
    thinker, began, gate = Thinker(), threading.Event(), threading.Event()
    thinker.start()

    def hangs() -> InUse:
        began.set()
        gate.wait()
        return InUse(None)

    made = job(thinker, hangs)
    made.look(memory(lot()), at(0))
    assert began.wait(10.0)
    for seconds, holds in ((0, False), (HUNG_S - 1, False), (HUNG_S, True)):
        thinker.supervise(at(seconds))
        assert [condition.holds for condition in made.conditions()] == [holds], seconds
    assert made.conditions()[0].evidence == "no answer for 15 min"
    gate.set()
    deadline, pause = time.monotonic() + 10, threading.Event()
    while not thinker.take():  # one that hung comes back by itself: nobody joins its thread
        assert time.monotonic() < deadline
        pause.wait(0.01)
    assert thinker.stop(10.0)
