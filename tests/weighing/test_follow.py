"""Stories of one shelf, weighed by a simulated cell."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.stock import EventKind, StockEvent
from edge_agent.weighing import drift, spikes
from edge_agent.weighing.follow import STAGES, Stages, Trace, follow
from edge_agent.weighing.nouns import Present, Surroundings, Weight
from edge_agent.weighing.scale import ScaleState, is_stable, settled_g, zero
from edge_agent.weighing.settings import CellSettings, ShelfSettings
from hardware_mocks.load_cell import LoadCell

SHELF = ShelfSettings("shelf", (CellSettings("cell", 0, 100.0),), capacity_g=30_000)
SPARSE = replace(SHELF, step_g=300.0, stable_g=50.0)
TIN = Product("4006381333931", "tin", piece_g=400.0)
Load = Callable[[float], float]


@dataclass
class Story:
    """A shelf and what was told of it; ``tell`` goes on with it."""

    shelf: ShelfSettings = SHELF
    product: Product | None = TIN
    cell: LoadCell = field(default_factory=lambda: LoadCell(noise_g=2.0, spike_probability=0.01))
    around: Surroundings = field(default_factory=Surroundings)
    stages: Stages = STAGES
    state: ScaleState = field(default_factory=ScaleState)
    trace: Trace = field(default_factory=Trace)
    boot: str = "boot"
    now_s: float = 0.0
    events: list[tuple[float, StockEvent]] = field(default_factory=list)  # with when they were told
    present: Present | None = None
    states: int = 0
    batch_s: float = 0.5

    def at(self, second: float) -> Instant:
        return Instant(round(1000 * second), 1_790_000_000_000 + round(1000 * second), self.boot)

    def tell(
        self, load: Load, until_s: float, rate_hz: float = 10.0, fault: Callable[[float], str | None] = lambda _: None
    ):
        batch: list[Weight] = []
        step_s = 1 / rate_hz
        while self.now_s < until_s:
            self.cell.load_g = load(self.now_s)
            gross_g = self.cell.counts(self.now_s) / 100
            bad = fault(self.now_s)
            batch.append(Weight(round(1000 * self.now_s), None if bad else gross_g, bad))
            self.now_s += step_s
            if len(batch) >= rate_hz * self.batch_s:
                self._take(batch)
                batch = []
        return self

    def _take(self, batch: Sequence[Weight]) -> None:
        at = self.at(batch[-1].mono_ms / 1000)
        found = follow(
            self.shelf, self.state, self.trace, batch, at, self.around, self.product, stages=self.stages
        )  # fmt: skip
        self.states += found.state != self.state
        self.state, self.trace, self.present = found.state, found.trace, found.present
        self.events += [(at.mono_ms / 1000, event) for event in found.events]

    def restart(self, after_s: float = 0.0, boot: str | None = None) -> "Story":
        """Killed: what lasts is the state."""
        self.trace, self.now_s = Trace(), self.now_s + after_s
        self.boot = boot or self.boot
        return self

    @property
    def told(self) -> list[tuple[str, int]]:
        return [(str(event.kind), round((event.delta_g or 0.0) / 10) * 10) for _, event in self.events]


def hand(second: float, from_s: float, to_s: float, seed: int = 1) -> float:
    """A hand that trembles between 0.2 and 1 kg."""
    if not from_s <= second < to_s:
        return 0.0
    return 200 + 800 * Random(f"{seed} {int(second / 0.15)}").random()


def steps(*moves: tuple[float, float], start_g: float = 4000.0, with_hands: bool = True) -> Load:
    """``(second, grams)``: then so much came, a hand was there for a second before."""

    def load(second: float) -> float:
        hands = sum(hand(second, at_s - 1.0, at_s) for at_s, _ in moves) if with_hands else 0.0
        return start_g + hands + sum(grams for at_s, grams in moves if second >= at_s)

    return load


def test_the_first_weight_at_rest_is_the_stock_and_no_event():
    story = Story(state=ScaleState(tare_g=500.0)).tell(steps(), 20)
    assert story.told == []
    assert story.present.balance.net_g == pytest.approx(3500.0, abs=2)
    assert story.present.is_stable
    assert story.present.noise_g == pytest.approx(2.0, rel=0.4)


@pytest.mark.parametrize("rate_hz", [10.0, 20.0, 80.0])
def test_a_clean_step_is_told_within_3_seconds(rate_hz):
    story = Story().tell(steps((20.0, -400.0), with_hands=False), 30, rate_hz)
    ((told_s, event),) = story.events
    assert event.kind is EventKind.PICK
    assert event.delta_g == pytest.approx(-400, abs=3 * event.u_g)
    assert event.at.mono_ms == pytest.approx(20_000, abs=600)
    assert told_s - 20.0 <= 3.5  # 3 s, and the half second of a batch
    assert event.before.net_g + event.delta_g == pytest.approx(event.after.net_g)


@pytest.mark.parametrize("rate_hz", [1.0, 1 / 300])
def test_slow_scales_find_the_same_by_time(rate_hz):
    unit_s = 1 / rate_hz
    shelf = SHELF if rate_hz == 1.0 else SPARSE
    story = Story(shelf=shelf, product=None).tell(
        steps((30 * unit_s, -400.0), (60 * unit_s, 800.0), with_hands=False), 90 * unit_s, rate_hz
    )  # fmt: skip
    assert story.told == [("pick", -400), ("restock", 800)]


def test_picks_and_restocks_with_hands_are_told_with_their_pieces():
    story = Story().tell(steps((30.0, -400.0), (45.0, -1200.0), (60.0, 2400.0)), 75)
    assert story.told == [("pick", -400), ("pick", -1200), ("restock", 2400)]
    assert [event.delta_units for _, event in story.events] == [-1, -3, 6]
    assert all(event.confidence >= 0.99 for _, event in story.events)


def test_movements_with_three_seconds_of_rest_between_them_are_told_apart():
    story = Story().tell(steps((30.0, -400.0), (34.1, -800.0)), 45)
    assert story.told == [("pick", -400), ("pick", -800)]


def test_a_touch_changes_nothing_and_only_a_long_one_is_worth_a_line():
    story = Story().tell(lambda second: 4000 + hand(second, 30, 31) + hand(second, 60, 75), 90)
    assert story.told == [("disturbance", 0)]
    assert story.events[0][1].duration_s == pytest.approx(15, abs=1.5)
    assert story.present.balance.net_g == pytest.approx(4000, abs=2)


def test_many_touches_do_not_flood_the_ledger():
    story = Story().tell(lambda second: 4000 + hand(second % 60, 30, 40), 600)
    assert story.told == [("disturbance", 0)]


def test_an_elbow_that_rests_is_no_stock():
    def load(second: float) -> float:
        return 4000 + (1500 + 300 * Random(int(second * 2)).gauss(0, 1) if 30 <= second < 50 else 0)

    assert Story().tell(load, 60).told == [("disturbance", 0)]


CRATE = Product("4006381333931", "crate", piece_g=2000.0)
RESTLESS_G = (900.0, -1100.0, 600.0, -700.0)  # an elbow that shifts every half second


def noisy(seed: int = 1, noise_g: float = 100.0) -> Story:
    """A scale whose noise is 5 % of a piece: an elbow that is still looks like rest."""
    return Story(
        shelf=replace(SHELF, capacity_g=60_000), product=CRATE, cell=LoadCell(noise_g=noise_g, seed=seed), batch_s=0.5
    )


def leaning(from_s: float, to_s: float, press_g: float, still: tuple[float, float]) -> Load:
    """An elbow of ``press_g``, restless but for the seconds ``still``."""

    def load(second: float) -> float:
        if not from_s <= second < to_s:
            return 20_000.0
        shift_g = 0.0 if still[0] <= second < still[1] else RESTLESS_G[int(second * 2) % 4]
        return 20_000.0 + press_g + shift_g

    return load


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("press_g", "still_s"),
    [
        (2000.0, 4.0),  # one piece, by chance
        (1200.0, 8.0),  # no whole number of pieces
    ],
)
def test_an_elbow_that_is_still_for_a_while_is_no_stock(press_g, still_s, seed):
    story = noisy(seed).tell(leaning(30, 50, press_g, (38.0, 38.0 + still_s)), 80)
    assert [kind for kind, _ in story.told] in ([], ["disturbance"])
    assert abs(story.present.balance.net_g - 20_000) <= 3 * story.present.balance.u_g


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_piece_taken_under_a_still_elbow_is_all_that_is_told(seed):
    lean = leaning(30, 50, 1200.0, (38.0, 46.0))
    story = noisy(seed).tell(lambda second: lean(second) - (2000.0 if second >= 41 else 0), 80)
    changes = [event for _, event in story.events if event.kind is not EventKind.DISTURBANCE]
    assert [(event.kind, event.delta_units) for event in changes] == [(EventKind.PICK, -1)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("noise_g", [10.0, 100.0])
def test_handfuls_with_a_little_rest_between_them_are_told_one_by_one(noise_g, seed):
    moves = [(30.0 + 4.3 * i, 2000.0 * count) for i, count in enumerate((1, 2, 1, 3, 1))]
    story = noisy(seed, noise_g).tell(steps(*moves, start_g=20_000), 70)
    assert [event.delta_units for _, event in story.events] == [1, 2, 1, 3, 1]
    ends_s = [event.at.mono_ms / 1000 for _, event in story.events]
    assert ends_s == pytest.approx([at_s for at_s, _ in moves], abs=0.6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_goods_that_more_goods_came_upon_are_told_before_the_queue_ends(seed):
    def load(second: float) -> float:
        one_s, two_s = 30.0, 34.2  # rest, but too short a proof against an elbow; then nobody rests for half a minute
        restless_g = RESTLESS_G[int(second * 2) % 4] if second >= two_s else 0.0
        return 20_000.0 + 2000.0 * (second >= one_s) + 6000.0 * (second >= two_s) + restless_g + hand(second, 28, one_s)

    story = noisy(seed).tell(load, 45)
    assert [(event.kind, event.delta_units) for _, event in story.events] == [(EventKind.RESTOCK, 1)]
    assert story.events[0][1].at.mono_ms == pytest.approx(30_000, abs=600)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_piece_put_back_and_two_others_taken_are_two_events(seed):
    story = noisy(seed).tell(steps((30.0, 2000.0), (34.5, -4000.0), start_g=20_000), 50)
    assert [event.delta_units for _, event in story.events] == [1, -2]


def test_while_a_gain_may_be_an_elbow_nobody_calls_the_shelf_stable():
    story = noisy().tell(steps((30.0, 2000.0), start_g=20_000), 34)
    assert story.trace.moving.held is not None
    assert story.told == []
    assert not story.present.is_stable
    assert not is_stable(story.trace, story.shelf)
    assert story.present.balance.net_g == pytest.approx(20_000, abs=100)
    story.tell(steps((30.0, 2000.0), start_g=20_000), 40)
    assert [(told_s <= 37, event.delta_units) for told_s, event in story.events] == [(True, 1)]
    assert story.present.is_stable


@pytest.mark.parametrize("boot", [None, "another"])
def test_a_power_cut_while_a_gain_waits_for_its_proof_loses_nothing_and_doubles_nothing(boot):
    load = steps((30.0, 2000.0), start_g=20_000)
    story = noisy().tell(load, 34).restart(10.0, boot).tell(load, 60)
    assert [event.delta_units for _, event in story.events] == [1]
    assert story.present.balance.net_g == pytest.approx(22_000, abs=200)


def test_a_delivery_of_other_weight_is_told_as_fast_as_any_on_a_quiet_scale():
    sachet = replace(TIN, piece_g=15.0)
    learnt = [(30.0 + 8 * i, -14 * 15.0) for i in range(12)]
    story = Story(product=sachet, cell=LoadCell(noise_g=0.15)).tell(steps(*learnt, (130.0, 14 * 15.4)), 140)
    told_s, event = story.events[-1]
    assert event.delta_g == pytest.approx(14 * 15.4, abs=1)
    assert told_s <= 134


def test_light_pieces_are_told_apart_while_the_compressor_shakes_them():
    def load(second: float) -> float:
        shaking_g = 0.6 * math.sin(7 * second) if second > 28 else 0.0
        return steps((30.0, 30.0), (34.2, 30.0))(second) + shaking_g

    sachet = replace(TIN, piece_g=15.0)
    story = Story(product=sachet, cell=LoadCell(noise_g=0.15)).tell(load, 45)
    assert [event.delta_units for _, event in story.events] == [2, 2]


@pytest.mark.parametrize("amplitude_g", [0.5, 5.0])
def test_a_compressor_is_no_movement_and_a_pick_beside_it_is_found(amplitude_g):
    def load(second: float) -> float:
        return steps((60.0, -400.0))(second) + (amplitude_g * math.sin(14.3 * second) if second > 30 else 0)

    assert Story().tell(load, 120).told == [("pick", -400)]


def test_20_g_an_hour_for_a_day_is_no_event():
    for sign in (1, -1):
        cell = LoadCell(noise_g=2.0, drift_g_per_h=sign * 20.0, spike_probability=0.01)
        story = Story(cell=cell, batch_s=60.0).tell(steps(), 86_400, rate_hz=1.0)
        assert story.told == []
        assert story.present.drift_tracked_g == pytest.approx(sign * 480, abs=12)
        assert abs(story.present.balance.net_g - 4000) <= 2 * story.present.balance.u_g
        assert story.present.fault is None


def test_drift_faster_than_any_scales_is_a_fault_and_no_stock():
    story = Story(cell=LoadCell(noise_g=1.0, drift_g_per_h=150.0)).tell(steps(), 2 * 3600, rate_hz=1.0)
    assert story.told == []
    assert story.present.fault.startswith("drifting-too-fast")
    story.tell(steps((7300.0, -400.0), with_hands=False), 7400, rate_hz=1.0)
    assert story.told == [("pick", -400)]  # differences hold all the same


def test_a_leak_is_damage():
    story = Story().tell(lambda second: 4000 - 1000 * max(0, second - 120) / 3600, 3600, rate_hz=1.0)
    kinds = {kind for kind, _ in story.told}
    assert kinds == {"damage"}
    assert sum(event.delta_g for _, event in story.events) < -700
    assert "without a movement" in story.events[0][1].evidence


def test_a_leak_is_damage_also_where_somebody_takes_a_piece_every_few_minutes():
    """Each pick's own grams are its pieces; what ran out between the picks is not lost with them."""
    picks = [(300.0 * n, -400.0) for n in range(1, 12)]
    taken = steps(*picks, start_g=8000.0)

    def load(second: float) -> float:
        return taken(second) - 600 * max(0, second - 120) / 3600

    story = Story().tell(load, 3700)
    damage = sum(event.delta_g for _, event in story.events if event.kind is EventKind.DAMAGE)
    picked = [event for _, event in story.events if event.kind is EventKind.PICK]
    assert -620 <= damage <= -420
    assert len(picked) == len(picks)
    assert abs(story.present.balance.net_g - load(3700)) <= 2 * story.present.balance.u_g + 60


def test_goods_that_dry_lose_water_a_few_times_a_day():
    lettuce = replace(TIN, piece_g=None, loss_pct_per_day=3.0)
    story = Story(product=lettuce).tell(lambda second: 10_000 - 250 * second / 86_400, 86_400, rate_hz=0.2)
    assert {kind for kind, _ in story.told} <= {"water-loss", "disturbance"}  # two spikes in ten seconds are a touch
    losses = [event.delta_g for _, event in story.events if event.kind is EventKind.WATER_LOSS]
    assert 1 <= len(losses) <= 4
    assert -250 <= sum(losses) <= -100
    assert abs(story.present.balance.net_g - 9750) <= 2 * story.present.balance.u_g + 62  # a quarter of a day to tell
    assert story.present.drift_tracked_g == pytest.approx(0, abs=60)  # most of it is water


def test_a_jump_in_an_empty_room_is_damage_and_with_an_open_door_it_is_a_pick():
    jump = steps((900.0, -400.0), with_hands=False)
    assert Story(around=Surroundings(door_open=False)).tell(jump, 910).told == [("damage", -400)]
    assert Story(around=Surroundings(door_open=True)).tell(jump, 910).told == [("pick", -400)]
    assert Story().tell(jump, 910).told == [("pick", -400)]  # nobody knows of a door
    with_hands = Story(around=Surroundings(door_open=False)).tell(steps((900.0, -400.0)), 910)
    assert with_hands.told == [("pick", -400)]  # somebody shut it behind them


def test_nothing_is_followed_while_the_door_is_open():
    def load(second: float) -> float:
        return 4000 + 12 * min(1.0, second / 600)

    open_door = Story(around=Surroundings(door_open=True)).tell(load, 900, rate_hz=1.0)
    shut_door = Story(around=Surroundings(door_open=False)).tell(load, 900, rate_hz=1.0)
    assert shut_door.present.drift_tracked_g > 8
    assert open_door.present.drift_tracked_g < 5


def test_the_container_goes_and_comes_back_and_what_is_missing_is_told():
    story = Story(state=ScaleState(tare_g=500.0))

    load = steps((30.0, -4500.0), (60.0, 4500.0), start_g=4500)
    story.tell(load, 50)
    assert story.told == [("removal", -4000)]
    assert story.present.balance.net_g == 0.0
    story.tell(load, 80)
    assert story.told[1:] == [("return", 4000)]
    assert story.present.balance.net_g == pytest.approx(4000, abs=4)

    missing = Story(state=ScaleState(tare_g=500.0)).tell(steps((30.0, -4500.0), (60.0, 3700.0), start_g=4500), 80)
    assert missing.told == [("removal", -4000), ("return", 4000), ("pick", -800)]
    assert "away" in missing.events[2][1].evidence
    assert missing.present.balance.net_g == pytest.approx(3200, abs=4)


def test_a_container_that_is_emptied_is_not_removed():
    story = Story(state=ScaleState(tare_g=500.0)).tell(steps((30.0, -4000.0), start_g=4500), 50)
    assert story.told == [("pick", -4000)]


def test_what_changed_during_a_fault_is_unexplained():
    def wet(second: float) -> str | None:
        return "wet" if 30 <= second < 90 else None

    story = Story().tell(steps((60.0, -400.0)), 60, fault=wet)
    assert story.present.gross_g is None
    assert story.present.fault == "wet"
    assert not story.present.is_stable
    story.tell(steps((60.0, -400.0)), 100, fault=wet)
    assert story.told == [("unexplained", -400)]
    assert "fault" in story.events[0][1].evidence
    same = Story().tell(steps(), 100, fault=wet)
    assert same.told == []


def test_a_moment_of_bad_readings_is_no_outage():
    story = Story().tell(steps((30.0, -400.0)), 45, fault=lambda second: "spark" if 29.5 <= second < 30.5 else None)
    assert story.told == [("pick", -400)]


def test_a_drop_out_is_a_fault_where_something_always_stands():
    hive = replace(SPARSE, least_g=1000.0)
    hour_s = 3600.0
    story = Story(shelf=hive, product=None)
    story.tell(lambda second: 12.0 if 10 * hour_s <= second < 11 * hour_s else 4000.0, 20 * hour_s, rate_hz=1 / 300)
    assert story.told == []
    assert story.present.balance.net_g == pytest.approx(4000, abs=5)


@pytest.mark.parametrize(
    ("after_s", "boot", "kind"),
    [(20.0, None, "pick"), (600.0, None, "unexplained"), (20.0, "another", "unexplained")],
)
def test_a_pick_while_the_agent_was_down(after_s, boot, kind):
    story = Story().tell(steps(), 60).restart(after_s, boot)
    story.tell(steps((61.0, -400.0)), story.now_s + 20)
    assert story.told == [(kind, -400)]


@settings(max_examples=60, deadline=None)
@given(killed_s=st.floats(25.0, 50.0), again_s=st.floats(0.5, 10.0), down_s=st.floats(0.5, 15.0))
def test_killed_at_any_moment_the_ledger_equals_the_scale_afterwards(killed_s, again_s, down_s):
    load = steps((30.0, -400.0), (40.0, 1200.0))
    story = Story(cell=LoadCell(noise_g=1.0)).tell(load, killed_s).restart(down_s)
    story.tell(load, story.now_s + again_s).restart(down_s)
    story.tell(load, max(story.now_s, 45.0) + 15.0)
    net_g = 4000.0
    for _, event in story.events:
        if event.kind is not EventKind.DISTURBANCE:
            assert event.before.net_g == pytest.approx(net_g, abs=8)
            net_g = event.after.net_g
    assert net_g == pytest.approx(4800, abs=8)
    assert story.present.balance.net_g == pytest.approx(4800, abs=8)
    assert len(story.events) <= 3


def test_batches_do_not_matter():
    load = steps((30.0, -400.0), (45.0, 800.0))
    weights = []
    cell = LoadCell(noise_g=2.0, spike_probability=0.01)
    for i in range(600):
        cell.load_g = load(i / 10)
        weights.append(Weight(100 * i, cell.counts(i / 10) / 100))
    ends = []
    for size in (1, 7, 600):
        state, trace, kinds = ScaleState(), Trace(), []
        for first in range(0, 600, size):
            batch = weights[first : first + size]
            at = Instant(batch[-1].mono_ms, 1_790_000_000_000 + batch[-1].mono_ms, "boot")
            found = follow(SHELF, state, trace, batch, at, product=TIN)
            state, trace = found.state, found.trace
            kinds += [(event.kind, event.at.mono_ms) for event in found.events]
        ends.append((kinds, round(state.net_g, 6)))
    assert ends[0][0] == ends[1][0] == ends[2][0] != []
    assert ends[0][1] == pytest.approx(ends[1][1], abs=0.3) == pytest.approx(ends[2][1], abs=0.3)


def test_a_quiet_scale_writes_its_state_rarely():
    story = Story().tell(steps(), 3600, rate_hz=2.0)
    assert story.states <= 3600 / 120 + 2


def test_a_zero_between_two_calls_moves_no_stock():
    story = Story(product=None).tell(steps(start_g=30.0), 30)
    assert is_stable(story.trace, SHELF)
    story.state = zero(story.state, settled_g(story.trace), SHELF.capacity_g)
    story.tell(steps(start_g=30.0), 60)
    assert story.told == []
    assert story.present.gross_g == pytest.approx(0, abs=1.5)
    assert story.present.balance.net_g == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("is_asked", [True, False])
def test_temperature_is_learnt_and_taken_out_where_that_is_asked_for(is_asked):
    shelf = replace(SHELF, compensate_temperature=is_asked)
    cell = LoadCell(noise_g=0.5, zero_g_per_k=3.0)
    story = Story(shelf=shelf, cell=cell, batch_s=60.0)
    for minute in range(24 * 60):
        warmer_k = 4 * math.sin(2 * math.pi * minute / 240)
        cell.temperature_c = 20.0 + warmer_k
        story.around = Surroundings(temperature_c=cell.temperature_c)
        story.tell(steps(), 60.0 * (minute + 1), rate_hz=0.5)
    assert story.told == []
    learnt_g_per_k = story.state.thermal.zero_g_per_k + story.state.thermal.span_g_per_kg_k * 4
    assert learnt_g_per_k == pytest.approx(3.0 if is_asked else 0.0, abs=0.4)
    assert abs(story.present.balance.net_g - 4000) <= 2 * story.present.balance.u_g


def test_without_a_stage_the_same_shelf_is_worse():
    """Each twin takes something away that this shelf needs."""
    cell = {"noise_g": 2.0, "spike_probability": 0.03}
    load = steps(*((60.0 * i, -400.0) for i in range(1, 9)), start_g=8000)

    def moved(stages: Stages) -> list[tuple[str, int]]:
        return Story(cell=LoadCell(**cell), stages=stages).tell(load, 560).told

    assert moved(STAGES) == [("pick", -400)] * 8
    assert moved(replace(STAGES, despiked=spikes.null_hampel)) != [("pick", -400)] * 8
    drifting = LoadCell(noise_g=1.0, drift_g_per_h=20.0)
    still = Story(cell=drifting, stages=replace(STAGES, drifted=drift.null_followed)).tell(steps(), 3600, rate_hz=1.0)
    assert still.present.drift_tracked_g == 0.0
