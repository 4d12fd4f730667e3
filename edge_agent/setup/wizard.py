"""Calibrating a scale with somebody who has never done it: one thing at a time, and what each showed.

Decides what to say and which step comes next; the scale is asked by its commands, so a running agent and one that was
started for this alone are calibrated alike.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from edge_agent.domain.command import CommandResult, ResultCode
from edge_agent.setup.interview import Interview, Question
from edge_agent.weighing.calibration import LEAST_SHARE, REPEATS
from edge_agent.weighing.settings import ShelfSettings

GO, SKIP, STOP = "go", "skip", "stop"
CORNERS = ("front-left", "front-right", "back-left", "back-right")  # of a platform on one cell
AskScale = Callable[[Mapping[str, object]], CommandResult]  # waits until the scale rests, or says that it does not


class Stopped(Exception):
    """The person wants no more of it; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    is_kept: bool
    is_good: bool = False  # within the limits of its class, in every test that was made
    message: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Guide:
    shelf: ShelfSettings
    scale: AskScale
    person: Interview
    tell: Callable[[str], None]
    steps: int = 0  # things somebody did with their hands

    def run(self) -> Outcome:
        """Never leaves a calibration open: the shelf would not be watched for an hour."""
        try:
            return self._run()
        except Stopped:
            self.scale({"step": "cancel"})
            return Outcome(is_kept=False, message="stopped: everything is as it was")
        except BaseException:
            self.scale({"step": "cancel"})
            raise

    def _run(self) -> Outcome:
        name = self.shelf.name
        self._place("empty", f"Take everything off {name}; nothing may lean on it or lie under it.", {"step": "zero"})
        known_g = self._known_g()
        span = {"step": "span", "known_g": known_g}
        self._place("middle", f"Put the {known_g:g} g on the middle of {name}.", span, known_g=known_g)
        for number in range(2, REPEATS + 1):
            words = (
                f"Lift it off, and put it on the middle again ({number} of {REPEATS}): does the scale repeat itself?"
            )
            if not self._place(f"middle-{number}", words, span, known_g=known_g, may_skip=True):
                break
        for corner in self._corners():
            where = f"right above the cell {corner}" if len(self.shelf.cells) > 1 else f"on the corner {corner}"
            step = {"step": "corner", "corner": corner}
            if not self._place(f"corner.{corner}", f"Put it {where}.", step, known_g=known_g, may_skip=True):
                break
        if not self.person.yes("use", "Use this calibration from now on?", default=True):
            raise Stopped
        self._hand("back", "Put the goods back, or leave it empty.")
        done = self.scale({"step": "finish"})
        if done.code is not ResultCode.DONE:
            self.tell(f"It could not be kept: {done.message}")
            raise Stopped
        lines = list(findings(done.detail))
        for _, line in lines:
            self.tell(line)
        return Outcome(is_kept=True, is_good=all(good for good, _ in lines), message=done.message, detail=done.detail)

    def _corners(self) -> tuple[str, ...]:
        cells = tuple(cell.sensor for cell in self.shelf.cells)
        return cells if len(cells) > 1 else CORNERS

    def _known_g(self) -> float:
        least_g, most_g = LEAST_SHARE * self.shelf.capacity_g, self.shelf.capacity_g

        def check(answer: str) -> str | None:
            try:
                is_right = least_g <= float(answer) <= most_g
            except ValueError:
                is_right = False
            return None if is_right else f"a number of grams from {least_g:g} to {most_g:g}"

        words = (
            f"How many grams has the weight you know? {least_g:g} to {most_g:g}, the heavier the better; unopened "
            "bottles or flour do when a kitchen scale has weighed them"
        )
        return float(self.person(Question("known_g", words, f"{most_g / 2:g}", check)))

    def _place(
        self,
        key: str,
        words: str,
        step: Mapping[str, object],
        *,
        known_g: float | None = None,
        may_skip: bool = False,
    ) -> bool:
        """One thing done, weighed and told; again until the scale takes it. False when it was skipped."""
        while True:
            if not self._hand(key, words, may_skip=may_skip):
                return False
            told = self.scale(step)
            if told.code is ResultCode.DONE:
                self.tell("  " + _shown(told, known_g))
                return True
            self.tell(f"  {_refusal(told)}")

    def _hand(self, key: str, words: str, *, may_skip: bool = False) -> bool:
        choices = (GO, SKIP, STOP) if may_skip else (GO, STOP)
        others = f"or: {', '.join(choices[1:])}"

        def check(answer: str) -> str | None:
            return None if answer.lower() in choices else f"one of {', '.join(choices)}"

        answer = self.person(Question(key, f"{words} Enter when it is done ({others})", GO, check)).lower()
        if answer == STOP:
            raise Stopped
        self.steps += answer == GO
        return answer == GO


def _shown(told: CommandResult, known_g: float | None) -> str:
    shown_g = told.detail.get("shown_g")
    if known_g is None:
        return "noted: the empty platform"
    return f"noted: by what is known so far it shows {shown_g} g of {known_g:g} g"


def _refusal(told: CommandResult) -> str:
    """What to do when the scale does not take it."""
    if told.code is ResultCode.UNSTABLE:
        return f"it does not come to rest ({told.message}). Hands off; no draught, no fan, nothing that touches it"
    return f"not taken: {told.message}"


def findings(detail: Mapping[str, object]) -> Iterator[tuple[bool, str]]:
    """(whether it is within its limit, in words) of each test that was made.

    >>> detail = {"span_change_pct": 0.4, "repeatability": {"n": 3, "range_g": 3.0, "limit_g": 40.0}}
    >>> for good, line in findings(detail):
    ...     print(good, line)
    True repeats itself within 3.0 g (up to 40.0 g is good)
    True the span is +0.40 % from the one before (after `edge-agent setup` that was a guess)
    """
    repeated, corner, change = (detail.get(key) for key in ("repeatability", "corner", "span_change_pct"))
    if isinstance(repeated, Mapping):
        range_g, limit_g = repeated["range_g"], repeated["limit_g"]
        good = range_g <= limit_g
        words = f"repeats itself within {range_g:.1f} g (up to {limit_g:.1f} g is good)"
        yield good, words if good else f"{words}: look for friction, a loose foot, a cable that pulls"
    if isinstance(corner, Mapping):
        off_g, limit_g = corner["deviation_g"], corner["limit_g"]
        good = abs(off_g) <= limit_g
        words = f"in the corner {corner['worst']} it shows {off_g:+.1f} g (up to {limit_g:.1f} g is good)"
        yield good, words if good else f"{words}: level the feet, see that the plate touches nothing"
    if isinstance(change, (int, float)):
        yield True, f"the span is {change:+.2f} % from the one before (after `edge-agent setup` that was a guess)"
