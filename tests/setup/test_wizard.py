"""The guide, with a person at a shelf and the agent's own decisions below it; no agent process, no waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from edge_agent.decide import Calibrated, Gathered, Memory, Plan, SensorPlan, decide
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading, Sample
from edge_agent.setup.interview import Interview, Question
from edge_agent.setup.wizard import CORNERS, Guide, Outcome
from edge_agent.weighing.settings import CellSettings, ShelfSettings

CAPACITY_G = 40_000.0


@dataclass
class Room:
    """A shelf on cells that really give 100 counts a gram from 84,000 on, and hands that do what they are told."""

    cells: int = 1
    is_leaned_on: bool = False
    spans: Sequence[float] = (100.0, 100.0)
    off_in_corner: float = 1.0  # what a weight in a corner counts there
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sticks_g: Sequence[float] = ()  # how far off each placing in the middle rests
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    load_g: tuple[float, ...] = ()
    memory: Memory = field(default_factory=Memory)
    second: int = 0
    kept: Calibrated | None = None

    def __post_init__(self) -> None:
        self.random = Random(7)
        self.load_g = (0.0,) * self.cells
        cells = tuple(CellSettings(f"scale-{n}", 0, 80.0) for n in range(1, self.cells + 1))
        self.shelf = ShelfSettings("shelf-1", cells, CAPACITY_G)
        self.plan = Plan({cell.sensor: SensorPlan(0.1, 10.0) for cell in cells}, shelves=(self.shelf,))
        self.known_g = CAPACITY_G / 2

    def guide(self) -> Outcome:
        made = Guide(self.shelf, self.scale, Interview(self.person, self.said.append), self.said.append)
        return made.run()

    def person(self, question: Question) -> str:
        times = self.asked.count(question.key)
        self.asked.append(question.key)
        given = self.answers.get(question.key, ())
        answer = given[times] if times < len(given) else ""
        if not answer or answer == "go":
            self._do(question.key)
        return answer

    def _do(self, key: str) -> None:
        share = self.known_g / self.cells
        if key in ("empty", "back"):
            self.load_g = (0.0,) * self.cells
        elif key.startswith("middle"):
            number = self.asked.count(key) + len([k for k in set(self.asked) if k.startswith("middle")]) - 1
            off_g = self.sticks_g[min(number, len(self.sticks_g)) - 1] if self.sticks_g else 0.0
            self.load_g = tuple(share + off_g / self.cells for _ in range(self.cells))
        elif key.startswith("corner."):
            corner = key.removeprefix("corner.")
            if self.cells == 1:
                self.load_g = (self.known_g * (self.off_in_corner if corner == CORNERS[0] else 1.0),)
            else:
                self.load_g = tuple(
                    0.7 * self.known_g if f"scale-{n}" == corner else 0.3 * self.known_g / (self.cells - 1)
                    for n in range(1, self.cells + 1)
                )

    def scale(self, step: Mapping[str, object]) -> CommandResult:
        """As through the inbox: rest for a while, then the command; it ends with the agent's answer."""
        self.steps.append(str(step["step"]))
        for _ in range(16):
            self._pass()
        command = Command("c", "calibrate", {"shelf": "shelf-1", "who": "ann", **step}, "cli", self._at(self.second))
        decision = decide(self.memory, self.plan, Gathered(self._at(self.second), commands=[command]))
        self.memory = decision.memory
        for request in decision.requests:
            assert isinstance(request, Calibrated)
            self.kept = request
            return CommandResult(command, ResultCode.DONE, self._at(self.second), request.message, request.detail)
        return decision.results[0]

    def _pass(self) -> None:
        samples = [self._sample(n, self.second + tenth / 10) for tenth in range(10) for n in range(self.cells)]
        self.second += 1
        self.memory = decide(self.memory, self.plan, Gathered(self._at(self.second), samples)).memory

    def _sample(self, number: int, seconds: float) -> Sample:
        leaning_g = 800.0 * self.second if self.is_leaned_on else 0.0  # more every second
        noise_g = self.random.gauss(0, 0.4) + leaning_g
        counts = round(84_000 + self.spans[number] * (self.load_g[number] + noise_g))
        cell, at = f"scale-{number + 1}", self._at(seconds)
        return Sample(cell, at, (Reading(Channel(cell, "counts"), counts, at, Quality.GOOD),))

    def _at(self, seconds: float) -> Instant:
        return Instant(round(seconds * 1000), 1_795_417_200_000 + round(seconds * 1000), "boot")


@pytest.mark.parametrize("cells", [1, 2])
def test_with_enter_alone_a_scale_is_calibrated_and_proved(cells) -> None:
    room = Room(cells)
    outcome = room.guide()
    assert outcome.is_kept, room.said
    assert outcome.is_good, room.said
    assert room.kept is not None
    for cell in room.kept.calibration.cells:
        assert cell.zero_counts == pytest.approx(84_000, abs=40)
        assert cell.counts_per_gram == pytest.approx(100.0, rel=1e-3)
    corners = 4 if cells == 1 else 2
    assert room.steps == ["zero", "span", "span", "span", *["corner"] * corners, "finish"]
    assert any("repeats itself within" in line for line in room.said)
    assert any("in the corner" in line for line in room.said)
    if cells == 1:
        page = (Path(__file__).parents[2] / "docs" / "first-evening.md").read_text("utf-8")
        done = len(room.asked) - len({"known_g", "use"} & set(room.asked))
        assert f"asks {len(room.asked)} more, {done} of which" in page


def test_what_cannot_be_tried_can_be_skipped() -> None:
    room = Room(answers={"middle-2": ["skip"], "corner.front-left": ["skip"]})
    outcome = room.guide()
    assert outcome.is_kept
    assert room.steps == ["zero", "span", "finish"]


def test_a_scale_that_does_not_come_to_rest_is_told_and_asked_again_until_somebody_stops() -> None:
    room = Room(is_leaned_on=True, answers={"empty": ["", "", "stop"]})
    outcome = room.guide()
    assert not outcome.is_kept
    assert room.kept is None
    assert room.steps == ["zero", "zero", "cancel"]
    assert sum("does not come to rest" in line for line in room.said) == 2


@pytest.mark.parametrize(
    "answers", [{"middle": ["stop"]}, {"corner.front-right": ["stop"]}, {"use": ["no"]}, {"back": ["stop"]}]
)
def test_whoever_stops_leaves_everything_as_it_was(answers) -> None:
    room = Room(answers=answers)
    outcome = room.guide()
    assert not outcome.is_kept
    assert room.kept is None
    assert room.steps[-1] == "cancel"
    assert not room.memory.calibrating  # the shelf is watched again


@pytest.mark.parametrize(
    ("answer", "right"),
    [("3999", "4000 to 40000"), ("40001", "4000 to 40000"), ("heavy", "a number of grams"), ("nan", "a number")],
)
def test_an_unusable_weight_is_told_before_anything_is_put_on(answer, right) -> None:
    room = Room(answers={"known_g": [answer, ""]})
    assert room.guide().is_kept
    assert any(right in line and answer in line for line in room.said)
    assert room.asked.count("known_g") == 2


def test_a_forgotten_weight_is_refused_by_the_scale_and_asked_for_again() -> None:
    class Forgetful(Room):
        def _do(self, key: str) -> None:
            if key == "middle" and self.asked.count("middle") == 1:
                return  # nothing was put on
            super()._do(key)

    room = Forgetful()
    outcome = room.guide()
    assert outcome.is_kept
    assert room.asked.count("middle") == 2
    assert any(line.strip().startswith("not taken:") for line in room.said)


def test_a_bad_corner_is_kept_and_called_bad_with_its_cure() -> None:
    room = Room(off_in_corner=0.97)
    outcome = room.guide()
    assert outcome.is_kept
    assert not outcome.is_good
    assert any("front-left" in line and "level the feet" in line for line in room.said)


def test_a_scale_that_does_not_repeat_itself_is_called_bad_with_its_cure() -> None:
    room = Room(sticks_g=(0.0, 250.0, -250.0))
    outcome = room.guide()
    assert not outcome.is_good
    assert any("look for friction" in line for line in room.said)


def test_a_guide_that_breaks_off_closes_the_calibration() -> None:
    class Gone(Exception):
        pass

    class Interrupted(Room):
        def person(self, question: Question) -> str:
            if question.key == "middle-2":
                raise Gone
            return super().person(question)

    room = Interrupted()
    with pytest.raises(Gone):
        room.guide()
    assert room.steps[-1] == "cancel"
    assert not room.memory.calibrating


def test_an_answer_may_be_written_in_any_case() -> None:
    room = Room(answers={"middle-2": ["SKIP"], "corner.front-left": ["Skip"], "use": ["Y"]})
    assert room.guide().is_kept
