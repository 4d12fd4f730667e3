"""What a campaign found out: figures with their goals."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

SKIPPED = "skipped"
EXIT_MISSED, EXIT_IMPOSSIBLE, EXIT_SKIPPED = 1, 3, 77
WIDTH = 120  # of the table, also into a file
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


def show(title: str, figures: Sequence[Figure], *, is_json: bool) -> None:
    """A table for people, or one object a line."""
    if is_json:
        print(as_json(figures), end="", flush=True)
        return
    table = Table("figure", "value", "unit", "goal", "", title=title, title_justify="left")
    table.columns[1].justify = "right"
    for figure in figures:
        mark = "" if not figure.goal else "ok" if figure.is_met else "skipped" if figure.is_skipped else "MISSED"
        value = f"{figure.value:,}" if isinstance(figure.value, int) else str(figure.value)
        table.add_row(figure.name, value, figure.unit, figure.goal, mark)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(table)


def exit_code(figures: Sequence[Figure]) -> int:
    """0 every goal met; 1 one missed; 77 something was skipped, and nothing else failed."""
    missed = [figure for figure in figures if not figure.is_met]
    if not missed:
        return 0
    return EXIT_SKIPPED if all(figure.is_skipped for figure in missed) else EXIT_MISSED
