"""The verb calibrate from step to step, as a person at the shelf walks through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from edge_agent.decide import Calibrated, Decision, Gathered, Memory, Plan, SensorPlan, decide
from edge_agent.decide.calibrate import in_force
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.domain.stock import EventKind, StockEvent
from edge_agent.weighing.settings import CellSettings, ShelfSettings

APPLE = Product("4123", "Apples", piece_g=180.0)


@dataclass
class Person:
    """At a shelf whose cells really give ``spans`` counts a gram; the agent believes what ``plan`` says."""

    plan: Plan
    spans: Sequence[float]
    zeros: Sequence[float]
    memory: Memory = field(default_factory=Memory)
    seconds: float = 0.0
    rng: Random = field(default_factory=lambda: Random(1))
    load_g: Sequence[float] = ()  # on each cell
    events: list[StockEvent] = field(default_factory=list)
    card_takes_it: bool = True

    @property
    def shelf(self) -> ShelfSettings:
        return self.plan.shelves[0]

    def at(self, seconds: float) -> Instant:
        return Instant(round(seconds * 1000), 1_795_417_200_000 + round(seconds * 1000), "boot")

    def put(self, *load_g: float, wait_s: float = 16.0) -> None:
        """A second of hands, then rest; cycles of one second at 10 samples/s."""
        before, self.load_g = self.load_g or [0.0] * len(self.spans), load_g
        for second in range(1 + round(wait_s)):
            samples = []
            for tenth in range(10):
                now = self.seconds + second + tenth / 10
                wild = [self.rng.uniform(0.2, 1.5) for _ in load_g] if second == 0 else None
                grams = [b + w * (g - b) for b, g, w in zip(before, load_g, wild, strict=True)] if wild else load_g
                samples += [self.sample(n, now, g) for n, g in enumerate(grams)]
            self.take(decide(self.memory, self.plan, Gathered(self.at(self.seconds + second + 1), samples)))
        self.seconds += 1 + wait_s

    def sample(self, number: int, seconds: float, grams: float) -> Sample:
        cell = self.shelf.cells[number].sensor
        counts = round(self.zeros[number] + self.spans[number] * (grams + self.rng.gauss(0, 0.4)))
        return Sample(
            cell, self.at(seconds), (Reading(Channel(cell, "counts"), counts, self.at(seconds), Quality.GOOD),)
        )

    def says(self, verb: str = "calibrate", **arguments: object) -> CommandResult | Calibrated:
        self.seconds += 0.1
        command = Command(f"id-{self.seconds}", verb, {"shelf": "shelf-1", **arguments}, "test", self.at(self.seconds))
        decision = decide(self.memory, self.plan, Gathered(self.at(self.seconds), (), [command]))
        self.take(decision)
        if decision.requests:
            (request,) = decision.requests
            assert isinstance(request, Calibrated)
            if not self.card_takes_it:
                return request
            self.memory = in_force(self.memory, "shelf-1", self.at(self.seconds))
            cells = request.calibration.cells
            self.plan = replace(self.plan, shelves=(replace(self.shelf, cells=cells),))
            return request
        return decision.results[0]

    def done(self, **arguments: object) -> Mapping[str, object]:
        result = self.says(**arguments)
        assert isinstance(result, CommandResult)
        assert result.code is ResultCode.DONE, result.message
        return result.detail

    def take(self, decision: Decision) -> None:
        self.memory = decision.memory
        self.events += decision.events


def person(cells: Sequence[CellSettings], spans: Sequence[float], zeros: Sequence[float]) -> Person:
    shelf = ShelfSettings("shelf-1", tuple(cells), capacity_g=30_000, product=APPLE.gtin)
    sensors = {cell.sensor: SensorPlan(0.1, 1.0) for cell in cells}
    return Person(Plan(sensors, (shelf,), {APPLE.gtin: APPLE}), spans, zeros)


@pytest.fixture
def one() -> Person:
    """A cell whose span is 1 % off, and whose zero is 30 g off."""
    return person([CellSettings("scale-1", 84_000, 100.0)], [101.0], [87_000.0])


def test_a_scale_is_calibrated_step_by_step_and_nothing_of_it_is_stock(one):
    one.put(12 * 180.0)
    assert one.done(verb="count", units=12)["units"] == 12
    one.events.clear()
    one.put(0.0)
    one.events.clear()
    assert one.done(step="zero", who="anna")["counts"] == [pytest.approx(87_000, abs=20)]
    one.put(20_000.0)
    assert one.done(step="span", known_g=20_000)["shown_g"] == pytest.approx(20_000, abs=1)
    one.put(0.0)
    made = one.says(step="finish")
    assert isinstance(made, Calibrated)
    (cell,) = made.calibration.cells
    assert cell.zero_counts == pytest.approx(87_000, abs=20)
    assert cell.counts_per_gram == pytest.approx(101.0, rel=1e-4)
    assert (made.who, made.detail["span_change_pct"]) == ("anna", pytest.approx(1.0, abs=0.02))
    one.put(0.0)
    assert [event.kind for event in one.events if event.kind not in (EventKind.UNEXPLAINED,)] == []
    one.put(12 * 180.0)
    assert one.memory.presents["shelf-1"].gross_g == pytest.approx(12 * 180.0, abs=1)


def test_what_differs_after_the_calibration_is_told_as_unexplained(one):
    one.put(5_000.0)
    one.events.clear()
    one.says(step="zero")  # with the goods still on it: nobody can forbid that
    one.put(15_000.0)
    one.done(step="span", known_g=10_000)
    one.put(5_000.0)
    one.says(step="finish")
    one.put(5_000.0)
    (event,) = one.events
    assert event.kind is EventKind.UNEXPLAINED
    assert event.delta_g == pytest.approx(-5_080, abs=30)  # 30 g of zero and 1 % of span besides


def test_a_calibration_that_the_card_refuses_changes_nothing_and_is_finished_later(one):
    one.put(0.0)
    one.done(verb="zero")
    offset_g = one.memory.scales["shelf-1"].zero_g
    assert offset_g == pytest.approx(30, abs=1)
    one.done(step="zero")
    one.put(20_000.0)
    one.done(step="span", known_g=20_000)
    one.put(0.0)
    one.card_takes_it = False
    one.says(step="finish")
    assert one.memory.scales["shelf-1"].zero_g == offset_g
    one.card_takes_it = True
    assert isinstance(one.says(step="finish"), Calibrated)
    assert one.memory.scales["shelf-1"].zero_g == 0.0
    assert one.memory.calibrating == {}


def test_a_new_scale_without_any_calibration_gets_one():
    """Its figures are placeholders: by them ten kilograms are an overload."""
    new = person([CellSettings("scale-1", 0, 1.0)], [-421.7], [-3_000.0])
    new.put(0.0)
    new.done(step="zero")
    new.put(10_000.0)
    wrong = new.says(step="span", known_g=10_000)
    assert isinstance(wrong, CommandResult)
    assert (wrong.code, "the other sign (-1)" in wrong.message) == (ResultCode.INVALID, True)
    new = person([CellSettings("scale-1", 0, -1.0)], [-421.7], [-3_000.0])
    new.put(0.0)
    new.done(step="zero")
    new.put(10_000.0)
    new.done(step="span", known_g=10_000)
    made = new.says(step="finish")
    assert isinstance(made, Calibrated)
    assert made.calibration.cells[0].counts_per_gram == pytest.approx(-421.7, rel=1e-4)


def test_a_weight_above_each_cell_finds_the_one_that_is_off():
    cells = [CellSettings(f"scale-{n}", 80_000, 100.0) for n in (1, 2, 3, 4)]
    four = person(cells, [100.0, 100.0, 104.0, 100.0], [80_000.0] * 4)
    four.put(0, 0, 0, 0)
    four.done(step="zero")
    four.put(2_500, 2_500, 2_500, 2_500)
    four.done(step="span", known_g=10_000)
    for n, cell in enumerate(cells):
        four.put(*(7_000 if n == other else 1_000 for other in range(4)))
        assert four.done(step="corner", corner=cell.sensor)["known_g"] == 10_000
    made = four.says(step="finish")
    assert isinstance(made, Calibrated)
    assert [c.counts_per_gram for c in made.calibration.cells] == pytest.approx([100, 100, 104, 100], rel=1e-3)
    assert "scale-3" in made.detail["corner"]["off_pct"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({}, ResultCode.INVALID, "step = None: must be one of zero, span, corner, finish, cancel"),
        ({"step": "weigh"}, ResultCode.INVALID, "step = 'weigh'"),
        ({"step": "span", "known_g": 10_000}, ResultCode.INVALID, "send step zero"),
        ({"step": "finish"}, ResultCode.INVALID, "send step zero"),
        ({"step": "zero", "who": 5}, ResultCode.INVALID, "who = 5"),
    ],
)
def test_a_step_that_cannot_be_is_refused(one, arguments, code, words):
    one.put(0.0)
    result = one.says(**arguments)
    assert isinstance(result, CommandResult)
    assert (result.code, words in result.message) == (code, True), result.message
    assert one.memory.calibrating == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"step": "span"}, "known_g = None"),
        ({"step": "span", "known_g": "10 kg"}, "known_g = '10 kg'"),
        ({"step": "span", "known_g": 500}, "known_g = 500: must be between 3000 and 30000 g"),
        ({"step": "span", "known_g": 10_000}, "does it stand there"),
        ({"step": "corner", "known_g": 10_000}, "corner = None"),
        ({"step": "finish"}, "no known weight was put on yet"),
    ],
)
def test_a_wrong_weight_is_refused_and_the_calibration_goes_on(one, arguments, words):
    one.put(0.0)
    one.done(step="zero")
    before = one.memory.calibrating
    result = one.says(**arguments)
    assert isinstance(result, CommandResult)
    assert (result.code, words in result.message) == (ResultCode.INVALID, True), result.message
    assert one.memory.calibrating == before


def test_a_platform_that_moves_or_a_silent_cell_is_not_calibrated(one):
    one.put(0.0)
    one.put(10_000.0, wait_s=2)
    moving = one.says(step="zero")
    assert isinstance(moving, CommandResult)
    assert moving.code is ResultCode.UNSTABLE
    one.seconds += 60
    silent = one.says(step="zero")
    assert isinstance(silent, CommandResult)
    assert (silent.code, "silent for 6" in silent.message) == (ResultCode.INVALID, True), silent.message


def test_a_shelf_without_a_sample_is_not_calibrated():
    result = person([CellSettings("scale-1", 0, 1.0)], [1.0], [0.0]).says(step="zero")
    assert isinstance(result, CommandResult)
    assert "give no samples" in result.message


def test_while_it_is_calibrated_a_shelf_takes_no_tare_and_cancel_gives_it_back(one):
    one.put(0.0)
    one.done(step="zero")
    tare = one.says(verb="tare")
    assert isinstance(tare, CommandResult)
    assert tare.code is ResultCode.BUSY
    assert one.done(step="cancel")["step"] == "cancel"
    one.put(0.0)
    assert one.done(verb="tare")["tare_g"] == pytest.approx(30, abs=1)


def test_a_calibration_that_was_left_alone_is_over_after_an_hour(one):
    one.put(0.0)
    one.done(step="zero")
    one.seconds += 3601
    one.put(0.0)
    result = one.says(step="span", known_g=10_000)
    assert isinstance(result, CommandResult)
    assert "send step zero" in result.message
    assert one.done(verb="tare")["tare_g"] == pytest.approx(30, abs=1)


def test_a_restart_begins_a_calibration_anew(one):
    one.put(0.0)
    one.done(step="zero")
    one.memory = replace(Memory(), scales=one.memory.scales)
    one.put(10_000.0)
    result = one.says(step="span", known_g=10_000)
    assert isinstance(result, CommandResult)
    assert "send step zero" in result.message
