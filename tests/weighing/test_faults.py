"""Cells that fail are found by their own histories, and healthy ones are left alone."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.domain.stock import EventKind
from edge_agent.weighing.cells import CellTrace, Weighed, weighed
from edge_agent.weighing.faults import CURES
from edge_agent.weighing.follow import Trace, follow
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import CellSettings, ShelfSettings
from hardware_mocks.load_cell import LoadCell

ZERO, PER_G = 84_000, 100.0
CAPACITY_G = 30_000.0
NOISE_G = 0.5


def shelf_of(cells: int, capacity_g: float = CAPACITY_G, zero: int = ZERO) -> ShelfSettings:
    return ShelfSettings("s", tuple(CellSettings(f"c{n}", zero, PER_G) for n in range(cells)), capacity_g)


@dataclass
class Rig:
    """A platform on load cells, and people who put things here and there on it."""

    cells: Sequence[LoadCell]
    rate_sps: float = 10.0
    seed: int = 1
    zero: int = ZERO
    piece_g: float | None = None
    at_s: float = 0.0
    loads_g: list[float] = field(default_factory=list)
    hand: Callable[[float], float] | None = None  # force by time, g, on all cells alike
    warmth: Callable[[float], float] | None = None  # °C by time
    told: list[Weighed] = field(default_factory=list)
    found: dict[str, float] = field(default_factory=dict)  # name of each fault that ever stood -> when it began
    over: dict[str, float] = field(default_factory=dict)  # and when it was seen last
    trace: CellTrace = field(default_factory=CellTrace)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.loads_g = [0.0] * len(self.cells)
        self.shelf = shelf_of(len(self.cells), zero=self.zero)

    def put(self, grams: float, *shares: float) -> None:
        """Shares of the cells; left out: somewhere on the platform."""
        if not shares:
            where = [self.random.uniform(0.15, 1.0) for _ in self.cells]
            shares = tuple(each / sum(where) for each in where)
        self.loads_g = [load_g + share * grams for load_g, share in zip(self.loads_g, shares, strict=True)]

    def wait(self, seconds: float, cycle_s: float = 1.0) -> None:
        until_s = self.at_s + seconds
        while self.at_s < until_s - 1e-9:
            end_s = min(until_s, self.at_s + cycle_s)
            samples = list(self._samples(end_s))
            self.at_s = end_s
            found = weighed(self.shelf, self.trace, samples, round(1000 * end_s), piece_g=self.piece_g)
            self.trace = found.trace
            for fault in found.faults:
                name = f"{fault.cell or 'shelf'} {fault.code}"
                self.found.setdefault(name, end_s)
                self.over[name] = end_s
            self.last = found

    def _samples(self, end_s: float) -> Iterator[Sample]:
        step_s = 1 / self.rate_sps
        first = math.floor(self.at_s / step_s + 1e-6) + 1
        for number in range(first, math.floor(end_s / step_s + 1e-6) + 1):
            at_s = number * step_s
            at = Instant(round(1000 * at_s), round(1000 * at_s), "b")
            for index, cell in enumerate(self.cells):
                cell.load_g = self.loads_g[index] + (self.hand(at_s) / len(self.cells) if self.hand else 0.0)
                cell.temperature_c = self.warmth(at_s) if self.warmth else 20.0
                yield Sample(f"c{index}", at, (Reading(Channel(f"c{index}", "counts"), float(cell.counts(at_s)), at),))

    def handle(self, grams: float, *shares: float) -> None:
        """A hand comes, and leaves a change behind."""
        began_s, for_s, force_g = self.at_s, self.random.uniform(0.6, 2.0), self.random.uniform(200, 2_000)
        phase = self.random.uniform(0, 6)
        self.hand = lambda s: force_g * math.sin(7 * (s - began_s) + phase) * math.sin(math.pi * (s - began_s) / for_s)
        self.wait(for_s / 2)
        self.put(grams, *shares)
        self.wait(for_s / 2)
        self.hand = None


def cells_of(count: int, *, noise_g: float = NOISE_G, **others: float) -> list[LoadCell]:
    return [
        LoadCell(counts_per_gram=PER_G, zero_counts=ZERO, noise_g=noise_g, seed=seed, **others)  # type: ignore[arg-type]
        for seed in range(1, count + 1)
    ]


def busy(rig: Rig, events: int, grams: float = 500.0) -> None:
    for number in range(events):
        rig.handle(grams if number % 3 else -grams)
        rig.wait(15)


# --- what fails is found --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize(
    ("failure", "code", "within_s"), [("stuck", "stuck", 11.5), ("signal-wire-off", "unplugged", 1.0)]
)
def test_a_stuck_adc_and_an_open_bridge_are_found_and_heal(count, failure, code, within_s) -> None:
    rig = Rig(cells_of(count))
    rig.put(6_000)
    rig.cells[0].fail(failure, at_s=60.0, for_s=260.0)
    rig.wait(59.9)
    assert rig.found == {}
    rig.wait(259.9)
    assert list(rig.found) == [f"c0 {code}"]
    assert rig.found[f"c0 {code}"] - 60.0 <= within_s
    assert [(weight.gross_g, weight.fault) for weight in rig.last.weights] == [(None, f"c0: {code}")]
    rig.wait(60)
    assert rig.over[f"c0 {code}"] <= 331.0
    assert rig.last.weights[-1].gross_g == pytest.approx(6_000, abs=10)


def test_a_long_time_stuck_is_not_taken_for_this_cells_nature() -> None:
    rig = Rig(cells_of(1))
    rig.cells[0].fail("stuck", at_s=60.0, for_s=1_200.0)
    rig.cells[0].fail("stuck", at_s=1_300.0)
    rig.wait(1_290)
    assert rig.over["c0 stuck"] < 1_271
    rig.wait(30)
    assert rig.over["c0 stuck"] == rig.at_s


@pytest.mark.parametrize(("count", "rate_sps"), [(1, 10.0), (4, 10.0), (2, 80.0)])
def test_a_lost_excitation_is_found_before_anybody_takes_it_for_a_pick(count, rate_sps) -> None:
    rig = Rig(cells_of(count), rate_sps=rate_sps)
    rig.put(6_000)
    rig.cells[0].fail("supply-wire-off", at_s=60.0, for_s=60.0)
    rig.wait(119.5)
    assert list(rig.found) == ["c0 unplugged"]
    assert rig.found["c0 unplugged"] <= 61.0, "the follower needs 1.5 s to believe in a step"
    assert "where an amplifier without a bridge stands" in rig.last.faults[0].evidence
    rig.wait(60)
    assert rig.over["c0 unplugged"] < 135
    assert rig.last.weights[-1].gross_g == pytest.approx(6_000, abs=10)


@pytest.mark.parametrize("phase_s", [0.4, 1.4, 2.4, 3.4, 4.4])
@pytest.mark.parametrize("failure", ["supply-wire-off", "signal-wire-off"])
def test_an_open_bridge_is_not_believed_for_a_moment_in_between(failure, phase_s) -> None:
    """Wherever in a window it begins."""
    rig = Rig(cells_of(1))
    rig.put(6_000)
    rig.cells[0].fail(failure, at_s=60.0 + phase_s)
    rig.wait(60.0 + phase_s + 1.2)
    for _ in range(20):
        rig.wait(1.0)
        assert [weight.fault for weight in rig.last.weights] == ["c0: unplugged"]


def test_a_slow_scale_finds_a_lost_excitation_by_its_noise() -> None:
    rig = Rig(cells_of(1), rate_sps=1.0)
    rig.put(6_000)
    rig.cells[0].fail("supply-wire-off", at_s=300.0)
    rig.wait(400)
    assert rig.found["c0 unplugged"] <= 340
    assert "times the usual noise" in rig.last.faults[0].evidence or "stands" in rig.last.faults[0].evidence


@pytest.mark.parametrize(("count", "rate_sps"), [(4, 10.0), (2, 80.0)])
def test_a_bridge_of_which_half_is_lost_is_found_at_once_by_its_jump(count, rate_sps) -> None:
    rig = Rig(cells_of(count, imbalance_counts=900_000), rate_sps=rate_sps)
    rig.put(6_000)
    rig.cells[1].fail("half-dead", at_s=60.0, for_s=120.0)
    rig.wait(62)
    assert list(rig.found) == ["c1 half-dead"]
    assert rig.found["c1 half-dead"] <= 61.0
    assert "while the other cells did not move" in rig.last.faults[0].evidence
    rig.handle(-300)
    rig.wait(60)
    assert rig.over["c1 half-dead"] == rig.at_s, "it stays, though the new level is as quiet as the old one"
    rig.wait(65)
    assert rig.over["c1 half-dead"] < 182, "the wire was put back"


def test_a_new_calibration_ends_what_was_known_of_a_cell() -> None:
    rig = Rig(cells_of(2, imbalance_counts=900_000))
    rig.cells[1].fail("half-dead", at_s=60.0)
    rig.wait(70)
    assert rig.last.faults
    cell = rig.shelf.cells[1]
    rig.shelf = ShelfSettings(
        "s", (rig.shelf.cells[0], CellSettings(cell.sensor, ZERO + 900_000, PER_G / 2)), CAPACITY_G
    )
    rig.wait(70)
    assert rig.last.faults == ()


def test_noise_that_rises_and_stays_is_a_fault_until_it_is_quiet_again() -> None:
    rig = Rig(cells_of(1))
    rig.put(6_000)
    rig.wait(120)
    rig.cells[0].noise_g = 25.0
    rig.wait(300)
    assert list(rig.found) == ["c0 noisy"]
    assert 120 <= rig.found["c0 noisy"] - 120 <= 140
    assert "was usual" in rig.last.faults[0].evidence
    rig.cells[0].noise_g = NOISE_G
    rig.wait(60)
    assert rig.over["c0 noisy"] <= 420 + 45


def test_noise_that_hides_half_a_piece_is_one_where_a_piece_is_known() -> None:
    def faults(piece_g: float | None) -> list[str]:
        rig = Rig(cells_of(1), piece_g=piece_g)
        rig.wait(120)
        rig.cells[0].noise_g = 8.0
        rig.wait(300)
        return list(rig.found)

    assert (faults(10.0), faults(None), faults(500.0)) == (["c0 noisy"], [], [])


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (1, 3), (2, 2)])
def test_a_wet_cell_is_found_within_the_hour_by_wander_and_noise_together(count, seed) -> None:
    rig = Rig(cells_of(count, wet_wander_g=120.0, wet_noise_times=6.0), rate_sps=2.0)
    for cell in rig.cells:
        cell._random.seed(seed)
    rig.put(6_000)
    rig.cells[0].fail("wet", at_s=1_800.0)
    rig.wait(1_800 + 3_600)
    assert list(rig.found) == ["c0 wet"]
    assert "times the usual noise" in rig.last.faults[0].evidence


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_dead_cell_is_found_out_by_the_others(count) -> None:
    rig = Rig(cells_of(count))
    rig.put(6_000)
    rig.wait(20)
    busy(rig, 12)
    assert rig.found == {}
    rig.cells[1].fail("dead", at_s=rig.at_s, for_s=700.0)
    busy(rig, 8)
    assert list(rig.found) == ["c1 dead"]
    assert "the load changed 5 times, " in rig.last.faults[0].evidence
    assert "% was usual" in rig.last.faults[0].evidence
    rig.wait(400)
    assert rig.over["c1 dead"] == rig.at_s, "only load can prove that it is well"
    rig.wait(200)
    busy(rig, 2)
    assert rig.last.faults == ()


def test_a_cell_that_was_dead_from_the_start_takes_longer() -> None:
    rig = Rig(cells_of(2))
    rig.cells[0].fail("dead")
    busy(rig, 19)
    assert rig.found == {}
    busy(rig, 3)
    assert list(rig.found) == ["c0 dead"]


def test_a_cell_without_noise_that_is_stuck_is_found_out_by_the_others() -> None:
    rig = Rig(cells_of(2, noise_g=0.0))
    rig.wait(20)
    busy(rig, 12)
    rig.cells[1].fail("stuck", at_s=rig.at_s)
    busy(rig, 7)
    assert list(rig.found) == ["c1 stuck"]
    assert "always" in rig.last.faults[0].evidence


# --- a fault is never stock -----------------------------------------------------------------------------------------


FOUND_AT_ONCE = [
    (count, failure)
    for count in (1, 2, 4)
    for failure in ("stuck", "signal-wire-off", "supply-wire-off", "half-dead")
    if (count, failure) != (1, "half-dead")  # nobody can tell it from a load that is put down at once
]


@pytest.mark.parametrize(("count", "failure"), FOUND_AT_ONCE)
@pytest.mark.parametrize("taken_g", [0.0, 500.0])
def test_a_fault_is_never_stock_and_what_it_hid_is_said_when_it_is_over(count, failure, taken_g) -> None:
    rig, state, trace, events = Rig(cells_of(count)), ScaleState(), Trace(), []
    rig.put(6_000)
    rig.cells[0].fail(failure, at_s=60.4, for_s=120.0)
    while rig.at_s < 300:
        if rig.at_s == 100.0:
            rig.put(-taken_g)
        rig.wait(1.0)
        at = Instant(round(1000 * rig.at_s), 1_790_000_000_000 + round(1000 * rig.at_s), "b")
        followed = follow(rig.shelf, state, trace, rig.last.weights, at)
        state, trace = followed.state, followed.trace
        events += [(event.kind, round(event.delta_g or 0.0, -1), rig.at_s) for event in followed.events]
    assert [(kind, delta_g) for kind, delta_g, _ in events] == ([(EventKind.UNEXPLAINED, -taken_g)] if taken_g else [])
    assert all(at_s > 180 for *_, at_s in events)


# --- what is well is left alone -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_busy_shelf_has_no_fault(count) -> None:
    rig = Rig(cells_of(count, creep_ppm=245.0, spike_probability=0.01, spike_g=2_000.0))
    rig.put(9_000)
    rig.wait(20)
    busy(rig, 40)
    assert rig.found == {}


NOISES_G = (0.0, 0.003, NOISE_G, 40.0)  # the second is a third of a count: runs of equal codes are its nature


@pytest.mark.parametrize(
    ("count", "rate_sps", "hours", "noise_g"),
    [
        *((2, 10.0, 0.3, noise_g) for noise_g in NOISES_G),
        (1, 1.0, 24.0, NOISE_G),
        *((2, 1 / 60, 72.0, noise_g) for noise_g in NOISES_G),
        *((2, 1 / 300, 14 * 24.0, noise_g) for noise_g in NOISES_G),
    ],
)
def test_a_shelf_that_nobody_touches_has_no_fault_through_warmth_creep_and_drift(
    count, rate_sps, hours, noise_g
) -> None:
    drift_g_per_h = 20.0 / count if hours <= 24 else 0.3
    rig = Rig(cells_of(count, noise_g=noise_g, creep_ppm=245.0, drift_g_per_h=drift_g_per_h), rate_sps=rate_sps)
    for cell in rig.cells:
        cell.zero_g_per_k, cell.span_ppm_per_k = 0.5, 50.0
    rig.warmth = lambda s: 6.0 + 5.0 * math.sin(2 * math.pi * s / 5_400)
    rig.put(12_000)
    rig.wait(3_600 * hours, cycle_s=max(60.0, 1 / rate_sps))
    assert rig.found == {}


def test_a_compressor_an_elbow_and_a_truck_are_no_fault() -> None:
    rig = Rig(cells_of(2))
    rig.put(6_000)
    rig.wait(30)
    for _ in range(6):
        rig.hand = lambda s: 5.0 * math.sin(2 * math.pi * 7.3 * s)
        rig.wait(120)
        rig.hand = lambda s: 2_500.0 + 1_500.0 * math.sin(3.1 * s) * math.sin(0.7 * s)
        rig.wait(30)
        rig.hand = lambda s: 20.0 * math.sin(2 * math.pi * 11 * s)
        rig.wait(8)
        rig.hand = None
        rig.wait(60)
    assert rig.found == {}


def test_goods_put_down_exactly_above_one_cell_are_no_fault() -> None:
    rig = Rig(cells_of(2))
    rig.put(3_000)
    rig.wait(30)
    for number in range(12):
        rig.handle(2_000 if number % 2 else -2_000, *((1.0, 0.0) if number % 4 < 2 else (0.0, 1.0)))
        rig.wait(15)
    rig.put(3_500, 1.0, 0.0)
    rig.wait(15)
    assert rig.found == {}


def test_goods_near_the_other_cell_or_too_light_to_tell_make_no_cell_dead() -> None:
    for noise_g, grams, share in ((NOISE_G, 1_000.0, 0.02), (40.0, 200.0, 0.15)):
        rig = Rig(cells_of(2, noise_g=noise_g))
        rig.put(10_000)
        rig.wait(30)
        for number in range(24):
            is_learning = number < 10
            step_g = (1_000.0 if is_learning else grams) * (1 if number % 2 else -1)
            rig.handle(step_g, *((0.5, 0.5) if is_learning else (1 - share, share)))
            rig.wait(15)
        assert rig.found == {}


def test_warmth_that_moves_the_zero_is_no_water_in_the_cell() -> None:
    rig = Rig(cells_of(1), rate_sps=1.0)
    rig.cells[0].zero_g_per_k = 15.0
    rig.warmth = lambda s: 6.0 + 5.0 * math.sin(2 * math.pi * s / 5_400)
    rig.put(6_000)
    rig.wait(5_400)
    assert rig.found == {}


def test_what_is_poured_in_while_a_compressor_runs_is_no_water_in_the_cell() -> None:
    rig = Rig(cells_of(1))
    rig.put(6_000)
    rig.wait(300)
    rig.hand = lambda s: 3.0 * math.sin(2 * math.pi * 3.7 * s)
    rig.wait(900)
    began_s = rig.at_s
    rig.hand = lambda s: 3.0 * math.sin(2 * math.pi * 3.7 * s) + 1.6 * min(100.0, s - began_s)
    rig.wait(1_200)
    assert rig.found == {}


def test_a_heavy_load_put_down_at_once_is_no_fault() -> None:
    rig = Rig(cells_of(2))
    rig.put(2_000)
    rig.wait(30)
    rig.put(20_000, 0.6, 0.4)
    rig.wait(30)
    rig.put(-20_000, 0.6, 0.4)
    rig.wait(30)
    assert rig.found == {}


def test_every_fault_has_its_cure() -> None:
    codes = {"silent", "saturated", "unplugged", "stuck", "noisy", "wet", "half-dead", "dead", "drifting", "overload"}
    assert codes | {"underload"} == set(CURES)
    assert all(each.meaning and each.cure for each in CURES.values())
