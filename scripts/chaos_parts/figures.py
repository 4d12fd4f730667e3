"""What a campaign found out: figures with their goals."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

SKIPPED = "skipped"
_COMPARISONS = {
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "": lambda value, limit: value == limit,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    >>> Figure("rows lost", 1, "rows", "0").is_met, Figure("rate", 49.6, "messages/s", "<= 50").is_met
    (False, True)
    >>> Figure("rows", 1200, "rows").is_met, Figure("came back", "no", "", "yes").is_met
    (True, False)
    """

    name: str
    value: float | str
    unit: str = ""
    goal: str = ""  # "0", "<= 50", ">= 1", "yes"; empty: told, and not judged

    @property
    def is_met(self) -> bool:
        if not self.goal:
            return True
        if isinstance(self.value, str):
            return self.value == self.goal
        sign, _, limit = self.goal.rpartition(" ")
        return bool(_COMPARISONS[sign](self.value, float(limit)))

    @property
    def is_skipped(self) -> bool:
        return self.value == SKIPPED


def yes(holds: object) -> str:
    return "yes" if holds else "no"


def skipped(name: str, why: str) -> Figure:
    """Something that cannot be tried on this machine: loud, and never taken for a success."""
    return Figure(f"{name} ({why})", SKIPPED, "", "tried")


def as_json(figures: Sequence[Figure]) -> str:
    """One object a line."""
    return "".join(json.dumps(asdict(figure), ensure_ascii=False) + "\n" for figure in figures)
